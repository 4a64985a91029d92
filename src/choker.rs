//! Who may download from us, and when that changes: BEP 3's choker. Pure, in the scheduler's grammar: it is told what
//! happened and what time it is, and answers with what to do.
//!
//! The peers that give us most are unchoked (once we have everything: each in its turn), ranked anew every
//! [`Config::rank_every`]. One of the slots is *optimistic*: it goes to somebody else every [`Config::rotate_every`],
//! with new peers three times as likely, so that who has nothing yet can begin, and better partners are found. A slot
//! that is free is given at once. While nobody waits for a slot there is nothing to decide and no timer runs.
//!
//! While we lack something ourselves, slots are as few as fill our line: a piece that goes to eight at once is, for
//! eight times as long, of use to none of them, and a new piece must go from viewer to viewer before it is due. So there
//! is a slot for each [`Config::slot_rate`] that we have been seen to send, and one that is not used does not count.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::random::Random;
use crate::scheduler::PeerId;
use crate::units::{ByteRate, ByteSize, FOREVER, Timestamp};

/// The choker's measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Peers unchoked at a time, the optimistic one among them, at the most. With 0, nobody ever downloads from us.
    pub slots: usize,
    /// Until we have everything: so many of them, one more for each `slot_rate` that we send, and one for each that
    /// takes nothing.
    pub least_slots: usize,
    pub slot_rate: ByteRate,
    /// How often peers are ranked anew.
    pub rank_every: Duration,
    /// How often the optimistic slot goes to somebody else.
    pub rotate_every: Duration,
    /// How long a peer counts as new for the optimistic slot.
    pub fresh_for: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            slots: 8,
            least_slots: 2,
            slot_rate: ByteRate::new(256.0 * 1024.0),
            rank_every: Duration::from_secs(10),
            rotate_every: Duration::from_secs(30),
            fresh_for: Duration::from_secs(60),
        }
    }
}

/// One thing that happened. A new peer is choked and not interested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    PeerConnected {
        peer: PeerId,
    },
    /// The peer wants something that we have, or no longer does.
    PeerInterested {
        peer: PeerId,
        interested: bool,
    },
    PeerLeft {
        peer: PeerId,
    },
    /// The peer gave us this much.
    BlockReceived {
        peer: PeerId,
        bytes: u32,
    },
    /// The peer took this much.
    BlockSent {
        peer: PeerId,
        bytes: u32,
    },
    /// Nobody downloads from us until told otherwise: all are choked.
    Paused {
        paused: bool,
    },
    /// We have everything: from now on those who took least lately come first.
    Complete,
    /// The time of the last [`Output::Timeout`] has come.
    TimeoutReached,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Unchoke {
        peer: PeerId,
    },
    Choke {
        peer: PeerId,
    },
    /// Nothing more until then, or until the next input. Always the last output.
    Timeout(Timestamp),
}

/// The state behind the decisions. See the module's documentation.
#[derive(Debug)]
pub struct Choker {
    config: Config,
    peers: BTreeMap<PeerId, Peer>,
    optimistic: Option<PeerId>,
    rotate_at: Timestamp,
    /// `None` while nobody waits for a slot.
    rank_at: Option<Timestamp>,
    /// When slots that are not used are looked for; `None` with `rank_at`.
    look_at: Option<Timestamp>,
    looked_at: Timestamp,
    /// The most that we have sent lately, a little less with each look.
    rate: f64,
    /// Interested peers that are choked.
    waiting: usize,
    unchoked: usize,
    complete: bool,
    paused: bool,
    random: Random,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Peer {
    connected_at: Timestamp,
    interested: bool,
    unchoked: bool,
    gave: Flow,
    took: Flow,
    unchoked_at: Timestamp,
    /// What it took since the last look.
    took_now: u64,
    /// It has taken enough at the last look for its slot to count as used.
    takes: bool,
    /// Decides between equals; drawn once, so that equals do not swap places at each ranking.
    lot: u64,
}

/// (given lately, how little taken lately, unchoked, lot)
type Rank = (u64, u64, bool, u64);

/// Bytes lately: what came before the last ten seconds counts half, before twenty a quarter, and so on. Whole numbers
/// only, so that every processor ranks alike.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    bytes: u64,
    period: u64,
}

const PERIOD_SECONDS: u64 = 10;
/// How often slots that are not used are looked for; a peer that was unchoked has so long to begin.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Who takes less does not use its slot.
const LEAST_TAKEN: f64 = 64.0 * 1024.0;
/// So much of the rate that is believed remains at each look: half after seven seconds.
const RATE_MEMORY: f64 = 0.9;

impl Flow {
    fn add(&mut self, now: Timestamp, bytes: u32) {
        self.bytes = self.at(now).saturating_add(u64::from(bytes));
        self.period = now.elapsed().as_secs() / PERIOD_SECONDS;
    }

    fn at(&self, now: Timestamp) -> u64 {
        let periods = (now.elapsed().as_secs() / PERIOD_SECONDS).saturating_sub(self.period);
        self.bytes.checked_shr(u32::try_from(periods).unwrap_or(u32::MAX)).unwrap_or(0)
    }
}

impl Choker {
    /// Same config, seed and inputs: same outputs.
    pub fn new(config: Config, seed: u64) -> Self {
        Choker {
            config,
            peers: BTreeMap::new(),
            optimistic: None,
            rotate_at: Timestamp::ZERO,
            rank_at: None,
            look_at: None,
            looked_at: Timestamp::ZERO,
            rate: 0.0,
            waiting: 0,
            unchoked: 0,
            complete: false,
            paused: false,
            random: Random::new(seed),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in one thing that happened. Never fails, never waits. A peer that is not connected is ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::PeerConnected { peer } => {
                let lot = self.random.next();
                self.peers.entry(peer).or_insert(Peer {
                    connected_at: now,
                    interested: false,
                    unchoked: false,
                    gave: Flow::default(),
                    took: Flow::default(),
                    unchoked_at: now,
                    took_now: 0,
                    takes: false,
                    lot,
                });
            }
            Input::PeerInterested { peer, interested } => self.on_interest(now, peer, interested),
            Input::PeerLeft { peer } => self.on_left(now, peer),
            Input::BlockReceived { peer, bytes } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.gave.add(now, bytes);
                }
            }
            Input::BlockSent { peer, bytes } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.took.add(now, bytes);
                    peer.took_now += u64::from(bytes);
                }
            }
            Input::Paused { paused } => self.on_paused(now, paused),
            Input::Complete => self.complete = true,
            Input::TimeoutReached => {
                if self.rank_at.is_some_and(|at| at <= now) {
                    self.rank(now);
                    self.rank_at = Some(now + self.config.rank_every);
                }
                if self.look_at.is_some_and(|at| at <= now) {
                    self.look(now);
                    self.look_at = Some(now + LOOK_EVERY);
                }
            }
        }
        match self.rank_at {
            _ if self.paused => (self.rank_at, self.look_at) = (None, None),
            None if self.waiting > 0 && self.config.slots > 0 => {
                self.rank_at = Some(now + self.config.rank_every);
                self.look_at = Some(now + LOOK_EVERY);
            }
            Some(_) if self.waiting == 0 => (self.rank_at, self.look_at) = (None, None),
            _ => {}
        }
    }

    /// The next thing to do; `Timeout` means nothing more until then, or until the next input.
    pub fn poll_output(&mut self, now: Timestamp) -> Output {
        let next = || self.rank_at.into_iter().chain(self.look_at).min().unwrap_or(now + FOREVER);
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(next()))
    }

    fn on_interest(&mut self, now: Timestamp, id: PeerId, interested: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.interested == interested {
            return;
        }
        peer.interested = interested;
        if interested {
            self.waiting += 1;
        } else if peer.unchoked {
            // It holds a slot that it does not use. Before it wants it again, somebody else may have it.
            peer.unchoked = false;
            self.unchoked -= 1;
            self.outputs.push_back(Output::Choke { peer: id });
        } else {
            self.waiting -= 1;
        }
        self.give_free_slots(now);
    }

    fn on_paused(&mut self, now: Timestamp, paused: bool) {
        self.paused = paused;
        if paused {
            let unchoked = self.peers.iter().filter(|(_, peer)| peer.unchoked);
            let unchoked: Vec<PeerId> = unchoked.map(|(&id, _)| id).collect();
            unchoked.into_iter().for_each(|id| self.set_unchoked(now, id, false));
        } else {
            self.give_free_slots(now);
        }
    }

    fn on_left(&mut self, now: Timestamp, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else { return };
        if peer.unchoked {
            self.unchoked -= 1;
        } else if peer.interested {
            self.waiting -= 1;
        }
        self.give_free_slots(now);
    }

    fn give_free_slots(&mut self, now: Timestamp) {
        while self.waiting > 0 && self.has_free_slot(now) {
            let complete = self.complete;
            let best = self
                .peers
                .iter()
                .filter(|(_, peer)| peer.interested && !peer.unchoked)
                .max_by_key(|(_, peer)| peer.rank(now, complete));
            let Some((&best, _)) = best else { return };
            self.set_unchoked(now, best, true);
        }
    }

    /// As many as may take something at once.
    fn slots_to_use(&self) -> usize {
        if self.complete {
            return self.config.slots;
        }
        let filled = self.rate / self.config.slot_rate.bytes_per_second().max(1.0);
        self.config.least_slots.max(filled.ceil() as usize).min(self.config.slots)
    }

    fn has_free_slot(&self, now: Timestamp) -> bool {
        let uses = |peer: &&Peer| {
            peer.unchoked && (self.complete || peer.takes || now.since(peer.unchoked_at) < LOOK_EVERY)
        };
        !self.paused
            && self.unchoked < self.config.slots
            && self.peers.values().filter(uses).count() < self.slots_to_use()
    }

    /// Measures what we send, and gives the slots of those who take nothing to others as well.
    fn look(&mut self, now: Timestamp) {
        let time = now.since(std::mem::replace(&mut self.looked_at, now));
        let mut taken = 0;
        for peer in self.peers.values_mut() {
            let took = std::mem::take(&mut peer.took_now);
            peer.takes = (ByteSize(took) / time).bytes_per_second() >= LEAST_TAKEN;
            taken += took;
        }
        self.rate = (ByteSize(taken) / time).bytes_per_second().max(self.rate * RATE_MEMORY);
        self.give_free_slots(now);
    }

    fn rank(&mut self, now: Timestamp) {
        let complete = self.complete;
        let mut ranked: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.interested)
            .map(|(&id, peer)| (peer.rank(now, complete), id))
            .collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        let ordinary = self.slots_to_use().saturating_sub(1).min(ranked.len());
        let (top, rest) = ranked.split_at(ordinary);

        let stays = self.optimistic.filter(|id| rest.iter().any(|(_, other)| other == id));
        let optimistic = match stays {
            Some(id) if now < self.rotate_at => Some(id),
            _ => {
                self.rotate_at = now + self.config.rotate_every;
                self.pick_optimistic(now, rest)
            }
        };
        self.optimistic = optimistic;

        for &(_, id) in rest {
            if Some(id) != optimistic {
                self.set_unchoked(now, id, false);
            }
        }
        for id in top.iter().map(|&(_, id)| id).chain(optimistic) {
            self.set_unchoked(now, id, true);
        }
    }

    /// One of `rest`, by lot: new peers three times as likely (BEP 3), and another than now if there is another.
    fn pick_optimistic(&mut self, now: Timestamp, rest: &[(Rank, PeerId)]) -> Option<PeerId> {
        let others = rest.iter().filter(|(_, id)| rest.len() == 1 || Some(*id) != self.optimistic);
        let weighed: Vec<(PeerId, u64)> = others
            .filter_map(|&(_, id)| {
                let fresh = now.since(self.peers.get(&id)?.connected_at) < self.config.fresh_for;
                Some((id, if fresh { 3 } else { 1 }))
            })
            .collect();
        let total = weighed.iter().map(|(_, weight)| weight).sum::<u64>().max(1);
        let mut drawn = self.random.next() % total;
        for (id, weight) in weighed {
            if drawn < weight {
                return Some(id);
            }
            drawn -= weight;
        }
        None
    }

    fn set_unchoked(&mut self, now: Timestamp, id: PeerId, unchoked: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.unchoked == unchoked {
            return;
        }
        peer.unchoked = unchoked;
        if unchoked {
            peer.unchoked_at = now;
            self.unchoked += 1;
            self.waiting -= 1;
            self.outputs.push_back(Output::Unchoke { peer: id });
        } else {
            self.unchoked -= 1;
            self.waiting += 1;
            self.outputs.push_back(Output::Choke { peer: id });
        }
    }
}

impl Peer {
    /// The greater, the better: what it gave lately; among equals, and to a seed all are, who took least; then who is
    /// unchoked stays; then the lot. So a seed serves each in its turn, and what it alone has comes into many hands.
    fn rank(&self, now: Timestamp, complete: bool) -> Rank {
        let gave = if complete { 0 } else { self.gave.at(now) };
        (gave, u64::MAX - self.took.at(now), self.unchoked, self.lot)
    }
}

#[cfg(test)]
mod tests;
