//! A peer that serves us: its queue, its line, its character. What it sends goes into a `Vec` that the world carries on.

use std::collections::VecDeque;
use std::time::Duration;

use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, Layout};
use peerflix::scheduler::PeerId;
use peerflix::units::Timestamp;

use crate::random::Random;
use crate::scenario::{Group, Network};
use crate::store::{Content, RIGHT};

/// Ten segments: how every TCP connection begins (RFC 6928).
const FIRST_WINDOW: f64 = 14_600.0;
/// After so long without a byte it begins anew (RFC 2581, 4.1).
const IDLE: Duration = Duration::from_secs(1);

pub struct Seed {
    pub group: Group,
    pub number: usize,
    pub rate: f64,
    pub rtt: f64,
    pub have: Bitfield,
    /// The connection that is up, or being made.
    pub connection: Option<PeerId>,
    /// Until now the connection has been told this.
    pub choking: bool,
    pub interested: bool,
    /// Gone, or banned: never seen again.
    pub gone: bool,
    /// When it can be asked first: handshakes done, unchoked.
    pub open_at: Option<Timestamp>,
    pub sent: u64,
    /// What it has sent was bad at least once.
    pub lied: bool,
    queue: VecDeque<(Timestamp, BlockId)>,
    /// Its line is busy until then.
    free_at: Timestamp,
    /// Bytes on their way, and how many may be.
    unacknowledged: f64,
    window: f64,
    widest: f64,
    last_sent_at: Timestamp,
    pump_at: Option<Timestamp>,
    eager: bool,
    /// Messages of one connection keep their order: the last one arrives, and is delivered, then.
    pub last_arrival: Timestamp,
    pub last_delivery: Timestamp,
}

/// What a pump of its line leads to.
pub enum Sent {
    /// The block is on the wire at this moment.
    Block(Timestamp, BlockId, Content),
    PumpAt(Timestamp),
}

impl Seed {
    pub fn new(group: &Group, number: usize, have: Bitfield, network: Network, dice: &mut Random) -> Self {
        let rate = group.rate * dice.between(1.0 - group.spread, 1.0 + group.spread);
        let rtt = group.rtt * dice.between(1.0 - group.spread, 1.0 + group.spread);
        let eager = network == Network::Bench;
        let block = f64::from(peerflix::layout::BLOCK);
        // swarm.py takes the next block when the viewer's line has taken the last one; a real connection keeps its
        // round trip full, and a little in the router's memory.
        let widest = if eager { block } else { 4.0 * block + 2.0 * rate * rtt };
        Seed {
            group: group.clone(),
            number,
            rate,
            rtt,
            have,
            connection: None,
            choking: true,
            interested: true,
            gone: false,
            open_at: None,
            sent: 0,
            lied: false,
            queue: VecDeque::new(),
            free_at: Timestamp::ZERO,
            unacknowledged: 0.0,
            window: if group.slow_start { FIRST_WINDOW } else { widest },
            widest,
            last_sent_at: Timestamp::ZERO,
            pump_at: None,
            eager,
            last_arrival: Timestamp::ZERO,
            last_delivery: Timestamp::ZERO,
        }
    }

    pub fn connect(&mut self, peer: PeerId) {
        self.connection = Some(peer);
        self.choking = true;
        self.interested = true;
        self.queue.clear();
        self.unacknowledged = 0.0;
        self.window = if self.group.slow_start { FIRST_WINDOW } else { self.widest };
    }

    pub fn disconnect(&mut self) {
        self.connection = None;
        self.queue.clear();
    }

    /// Whether it would serve, if it may choose.
    pub fn is_willing(&self, now: Timestamp, phase: f64) -> bool {
        let in_turn = self.group.chokes.is_none_or(|(every, time)| {
            (now.elapsed().as_secs_f64() + phase + 1e-9).rem_euclid(every) < every - time
        });
        self.group.unchokes && self.interested && in_turn
    }

    /// The window that its connection would begin with now, where that matters.
    pub fn window_at(&self, now: Timestamp) -> Option<f64> {
        let cold =
            self.connection.is_none() || (self.unacknowledged == 0.0 && now.since(self.last_sent_at) > IDLE);
        let window = if cold { FIRST_WINDOW } else { self.window.max(FIRST_WINDOW) };
        self.group.slow_start.then_some(window)
    }

    fn rate_now(&self) -> f64 {
        match self.group.after {
            Some((bytes, rate)) if self.sent >= bytes => rate,
            _ => self.rate,
        }
    }

    /// Takes in a request. `false`: it says no.
    pub fn ask(&mut self, due: Timestamp, block: BlockId, dice: &mut Random) -> bool {
        if self.choking || !self.have.has(block.piece) {
            return self.group.rejects.is_none();
        }
        if self.group.rejects.is_some_and(|share| dice.chance(share)) {
            return false;
        }
        if self.group.queues.is_none_or(|most| self.queue.len() < most as usize) {
            self.queue.push_back((due, block));
        }
        true
    }

    /// `true` if it says that it will not come (BEP 6 wants an answer to a cancel as well).
    pub fn cancel(&mut self, block: BlockId) -> bool {
        if self.group.deaf {
            return false;
        }
        let before = self.queue.len();
        self.queue.retain(|(_, queued)| *queued != block);
        self.queue.len() < before && self.group.rejects.is_some()
    }

    /// Forgets its queue, as clients do when they choke; what it forgot.
    pub fn choke(&mut self) -> Vec<BlockId> {
        self.choking = true;
        self.queue.drain(..).map(|(_, block)| block).collect()
    }

    pub fn acknowledge(&mut self, bytes: u32) {
        let bytes = f64::from(bytes);
        self.unacknowledged = (self.unacknowledged - bytes).max(0.0);
        self.window = (self.window + bytes).min(self.widest.max(FIRST_WINDOW));
    }

    pub fn on_pump(&mut self, now: Timestamp) {
        if self.pump_at == Some(now) {
            self.pump_at = None;
        }
    }

    /// Puts on the line what its queue and its windows allow.
    pub fn pump(&mut self, now: Timestamp, layout: &Layout, dice: &mut Random, sent: &mut Vec<Sent>) {
        while let Some(&(due, block)) = self.queue.front() {
            let rate = self.rate_now();
            if rate <= 0.0 {
                return;
            }
            let ready = due.max(self.free_at);
            if ready > now {
                if self.pump_at.is_none_or(|at| ready < at) {
                    self.pump_at = Some(ready);
                    sent.push(Sent::PumpAt(ready));
                }
                return;
            }
            if self.group.slow_start && self.unacknowledged == 0.0 && now.since(self.last_sent_at) > IDLE {
                self.window = FIRST_WINDOW;
            }
            let bytes = f64::from(layout.block_size(block));
            if self.unacknowledged > 0.0 && self.unacknowledged + bytes > self.window {
                return;
            }
            self.queue.pop_front();
            // A block that does not fit into the first window takes another round trip.
            let round = if self.window < bytes && self.group.slow_start { self.rtt } else { 0.0 };
            self.unacknowledged += bytes;
            self.free_at = now + Duration::from_secs_f64(bytes / rate);
            self.last_sent_at = now;
            self.sent += bytes as u64;
            let lie = self.group.lies > 0.0 && dice.chance(self.group.lies);
            self.lied |= lie;
            let content = if lie { self.number as Content + 1 } else { RIGHT };
            let leaves_at = if self.eager { now } else { self.free_at + Duration::from_secs_f64(round) };
            sent.push(Sent::Block(leaves_at, block, content));
        }
    }
}
