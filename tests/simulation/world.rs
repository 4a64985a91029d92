//! One viewer, the peers that serve him, and the wires between: virtual time, the same every time.

use std::time::Duration;

use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, FileSpan, Layout, PieceIndex};
use peerflix::scheduler::{Input, Misbehaviour, Output, PeerId};
use peerflix::units::Timestamp;

use crate::agenda::Agenda;
use crate::bound::{self, Offer};
use crate::brain::Mind;
use crate::contract::show;
use crate::random::Random;
use crate::scenario::{At, Have, Leaves, Measure, Network, Scenario, Step};
use crate::seed::{Seed, Sent};
use crate::store::{Content, RIGHT};
use crate::viewer::{ASK, Due, Effect, Mode, Screen, Viewer, ViewerEvent};

/// Whoever waits so long has gone to bed. As in bench/compare.py.
pub const PATIENCE: f64 = 30.0;
/// What comes in 1.3 times the time that physics needs is not called late: the goal for a seek.
const PUNCTUAL: f64 = 1.3;
/// A peer that was dropped, but not banned, is found again after that long.
const REDIAL: Duration = Duration::from_secs(15);
/// No scenario needs so many events: a world that runs in a circle.
const MOST_EVENTS: u64 = 20_000_000;

enum Event {
    Script,
    Viewer(ViewerEvent),
    /// The peer's handshakes are done.
    Connected(usize),
    /// It has heard of our interest, and answers.
    Settled(usize, PeerId),
    /// Something we said is there.
    Asked(usize, PeerId, Ask),
    Pump(usize),
    Depart(usize, PeerId, Message),
    /// Before the viewer's line.
    Arrive(usize, PeerId, Message),
    Deliver(usize, PeerId, Message),
    Acknowledge(usize, PeerId, u32),
    ChokeTurn(usize),
    Grow(usize),
    Leave(usize),
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Request(BlockId),
    Cancel(BlockId),
    Interest(bool),
}

#[derive(Clone, Copy, Debug)]
enum Message {
    Have(PieceIndex),
    Choke,
    Unchoke,
    Block(BlockId, Content),
    Reject(BlockId),
    Gone,
}

/// One measured wait: seconds, and what physics allowed.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub seconds: f64,
    pub bound: f64,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub starts: Vec<Wait>,
    pub seeks: Vec<Wait>,
    /// Of the whole file, where the script waited for it.
    pub whole: Vec<Wait>,
    pub stalled: f64,
    /// Bytes that came, and of those the ones that were of no use.
    pub came: u64,
    pub wasted: u64,
    /// Innocent peers that were dropped.
    pub wronged: usize,
    /// Bytes that came beyond what the script thought enough.
    pub excess: u64,
    pub trace: u64,
}

enum Blocked {
    Until(Timestamp),
    /// A player, what it is measured as, the bound, when patience ends.
    Fetch(usize, Measure, Option<f64>, Timestamp),
    Ready(usize, Measure, Option<f64>, Timestamp),
    Play(usize, Timestamp),
    Whole(f64, Timestamp, Timestamp),
    Ended,
}

pub struct World {
    scenario: Scenario,
    layout: Layout,
    span: FileSpan,
    now: Timestamp,
    agenda: Agenda<Event>,
    dice: Random,
    viewer: Viewer,
    seeds: Vec<Seed>,
    connections: u32,
    line: Option<f64>,
    line_free_at: Timestamp,
    step: usize,
    blocked: Blocked,
    waits: usize,
    /// The script's players by number: the viewer's, and their rates.
    players: Vec<(usize, f64)>,
    /// Bounds of players' last seeks.
    bounds: Vec<Option<f64>>,
    mark: u64,
    run: Run,
    log: bool,
}

fn seconds(time: f64) -> Duration {
    Duration::from_secs_f64(time)
}

/// Runs the scenario from beginning to end.
pub fn run(scenario: &Scenario, mind: Mind, seed: u64, log: bool) -> Run {
    World::new(scenario, mind, seed, log).run()
}

impl World {
    fn new(scenario: &Scenario, mind: Mind, seed: u64, log: bool) -> Self {
        let mut dice = Random::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ scenario.story.len() as u64);
        let (mut at, mut spans, mut padding) = (0, Vec::new(), Vec::new());
        for &length in &scenario.files {
            spans.push(FileSpan { offset: at, length });
            at += length;
            if scenario.padded {
                let end = at.next_multiple_of(u64::from(scenario.piece));
                padding.push(at..end);
                at = end;
            }
        }
        let layout = Layout::new(at, scenario.piece).expect("a fair layout").with_padding(padding);
        let pieces = layout.pieces();
        let mut had = Bitfield::none(pieces);
        for piece in (0..pieces).map(PieceIndex) {
            if dice.chance(scenario.had) {
                had.insert(piece);
            }
        }
        let mut seeds = Vec::new();
        for group in &scenario.groups {
            let first = seeds.len();
            for _ in 0..group.count {
                let mut have = Bitfield::none(pieces);
                for piece in (0..pieces).map(PieceIndex) {
                    let has = match group.have {
                        Have::All => true,
                        Have::Share(share) => dice.chance(share),
                        Have::Copies(_) => false,
                        Have::Growing { first, .. } => f64::from(piece.0) < first * f64::from(pieces),
                    };
                    if has {
                        have.insert(piece);
                    }
                }
                seeds.push(Seed::new(group, seeds.len(), have, scenario.network, &mut dice));
            }
            if let Have::Copies(copies) = group.have {
                for piece in (0..pieces).map(PieceIndex) {
                    let mut left = copies.min(group.count);
                    while left > 0 {
                        let seed = first + dice.below(group.count);
                        left -= usize::from(seeds[seed].have.insert(piece));
                    }
                }
            }
        }
        let story = format!("{} (seed {seed})", scenario.story);
        let mut world = World {
            layout: layout.clone(),
            span: spans[0],
            now: Timestamp::ZERO,
            agenda: Agenda::new(),
            dice,
            viewer: Viewer::new(mind, layout, seed, had, story, log),
            seeds,
            connections: 0,
            line: scenario.line,
            line_free_at: Timestamp::ZERO,
            step: 0,
            blocked: Blocked::Until(Timestamp::ZERO),
            waits: 0,
            players: Vec::new(),
            bounds: Vec::new(),
            mark: 0,
            run: Run::default(),
            log,
            scenario: scenario.clone(),
        };
        world.viewer.loses = world.scenario.loses;
        world.begin();
        world
    }

    fn begin(&mut self) {
        for seed in 0..self.seeds.len() {
            let joins = self.seeds[seed].group.joins;
            self.dial(seed, Timestamp::ZERO + seconds(joins));
            if let Leaves::At(at) = self.seeds[seed].group.leaves {
                self.agenda.plan(Timestamp::ZERO + seconds(at), Event::Leave(seed));
            }
            if let Some((every, time)) = self.seeds[seed].group.chokes {
                let phase = self.phase(seed);
                let mut turn = -phase;
                while turn < 600.0 {
                    for at in [turn + every - time, turn + every] {
                        if at > 0.0 {
                            self.agenda.plan(Timestamp::ZERO + seconds(at), Event::ChokeTurn(seed));
                        }
                    }
                    turn += every;
                }
            }
            if let Have::Growing { seconds: every, .. } = self.seeds[seed].group.have {
                self.agenda.plan(Timestamp::ZERO + seconds(every), Event::Grow(seed));
            }
        }
        self.agenda.plan(Timestamp::ZERO, Event::Script);
    }

    /// All of a bench scenario's chokers choke at once.
    fn phase(&self, seed: usize) -> f64 {
        let group = &self.seeds[seed].group;
        match self.scenario.network {
            Network::Wires if !group.together => {
                let every = group.chokes.map_or(1.0, |(every, _)| every);
                (seed as f64 * 0.618_034).fract() * every
            }
            _ => 0.0,
        }
    }

    fn run(mut self) -> Run {
        let mut events = 0u64;
        while !matches!(self.blocked, Blocked::Ended) {
            let (at, event) = self.agenda.next().expect("a script always plans its next step");
            self.now = at;
            self.on_event(event);
            self.carry_out();
            self.advance();
            events += 1;
            assert!(events < MOST_EVENTS, "{}: the world runs in a circle", self.scenario.story);
        }
        for player in &self.viewer.players {
            self.run.stalled += player.stalled(self.now);
        }
        // As compare.py counts: all that is not on disk in the end.
        self.run.wasted = self.run.came - self.viewer.store.first_time.min(self.run.came);
        self.run.trace = self.viewer.scheduler.trace();
        self.run
    }

    // -- the wires --

    fn way_there(&self, seed: usize) -> Duration {
        match self.scenario.network {
            Network::Bench => Duration::ZERO,
            Network::Wires => seconds(self.seeds[seed].rtt / 2.0),
        }
    }

    fn way_back(&mut self, seed: usize) -> Duration {
        let jitter = self.seeds[seed].group.jitter;
        let more = if jitter > 0.0 { self.dice.unit() * jitter } else { 0.0 };
        match self.scenario.network {
            Network::Bench => seconds(more),
            Network::Wires => seconds(self.seeds[seed].rtt / 2.0 + more),
        }
    }

    /// Round trips from finding a peer until its handshakes are done.
    fn dialling(&self) -> f64 {
        match self.scenario.network {
            Network::Bench => 1.0,
            Network::Wires => 2.0,
        }
    }

    fn dial(&mut self, seed: usize, at: Timestamp) {
        let takes = seconds(self.dialling() * self.seeds[seed].rtt);
        self.seeds[seed].open_at = Some(at + takes + seconds(self.seeds[seed].rtt));
        self.agenda.plan(at + takes, Event::Connected(seed));
    }

    fn say(&mut self, seed: usize, peer: PeerId, message: Message) {
        let way = self.way_back(seed);
        let state = &mut self.seeds[seed];
        state.last_arrival = state.last_arrival.max(self.now + way);
        self.agenda.plan(state.last_arrival, Event::Arrive(seed, peer, message));
    }

    fn pump(&mut self, seed: usize) {
        let Some(peer) = self.seeds[seed].connection else { return };
        let mut sent = Vec::new();
        self.seeds[seed].pump(self.now, &self.layout, &mut self.dice, &mut sent);
        for sent in sent {
            match sent {
                Sent::PumpAt(at) => self.agenda.plan(at, Event::Pump(seed)),
                Sent::Block(at, block, content) => {
                    self.agenda.plan(at, Event::Depart(seed, peer, Message::Block(block, content)));
                }
            }
        }
    }

    fn settle_choke(&mut self, seed: usize) {
        let Some(peer) = self.seeds[seed].connection else { return };
        let willing = self.seeds[seed].is_willing(self.now, self.phase(seed));
        if willing && self.seeds[seed].choking {
            self.seeds[seed].choking = false;
            self.say(seed, peer, Message::Unchoke);
        } else if !willing && !self.seeds[seed].choking {
            let forgotten = self.seeds[seed].choke();
            self.say(seed, peer, Message::Choke);
            if self.seeds[seed].group.rejects.is_some() {
                for block in forgotten {
                    self.say(seed, peer, Message::Reject(block));
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Script => {}
            Event::Viewer(event) => self.viewer.on_event(self.now, event),
            Event::Connected(seed) => self.connect(seed),
            Event::Settled(seed, peer) => {
                if self.seeds[seed].connection == Some(peer) {
                    // The answer has travelled already: this is the moment in which it is here.
                    if self.seeds[seed].is_willing(self.now, self.phase(seed)) {
                        self.seeds[seed].choking = false;
                        self.agenda.plan(self.now, Event::Deliver(seed, peer, Message::Unchoke));
                    }
                }
            }
            Event::Asked(seed, peer, ask) => {
                if self.seeds[seed].connection == Some(peer) {
                    self.on_ask(seed, peer, ask);
                }
            }
            Event::Pump(seed) => {
                self.seeds[seed].on_pump(self.now);
                self.pump(seed);
            }
            Event::Depart(seed, peer, message) => {
                if self.seeds[seed].connection == Some(peer) {
                    self.say(seed, peer, message);
                    self.pump(seed);
                }
            }
            Event::Arrive(seed, peer, message) => self.on_arrival(seed, peer, message),
            Event::Deliver(seed, peer, message) => {
                if self.seeds[seed].connection == Some(peer) {
                    self.on_message(seed, peer, message);
                }
            }
            Event::Acknowledge(seed, peer, bytes) => {
                if self.seeds[seed].connection == Some(peer) {
                    self.seeds[seed].acknowledge(bytes);
                    self.pump(seed);
                }
            }
            Event::ChokeTurn(seed) => self.settle_choke(seed),
            Event::Grow(seed) => self.grow(seed),
            Event::Leave(seed) => {
                self.seeds[seed].gone = true;
                if let Some(peer) = self.seeds[seed].connection {
                    self.say(seed, peer, Message::Gone);
                }
            }
        }
    }

    fn connect(&mut self, seed: usize) {
        if self.seeds[seed].gone {
            return;
        }
        let peer = PeerId(self.connections);
        self.connections += 1;
        self.seeds[seed].connect(peer);
        let rtt = self.seeds[seed].rtt;
        let have = self.seeds[seed].have.clone();
        self.viewer.tell(self.now, Input::PeerConnected { peer, latency: Some(seconds(rtt)) });
        let limit = match self.scenario.network {
            Network::Bench => Some(500),
            Network::Wires => self.seeds[seed].group.queues,
        };
        if let Some(limit) = limit {
            self.viewer.tell(self.now, Input::PeerQueueLimit { peer, limit });
        }
        self.viewer.tell(self.now, Input::PeerBitfield { peer, have });
        self.agenda.plan(self.now + seconds(rtt), Event::Settled(seed, peer));
    }

    fn on_ask(&mut self, seed: usize, peer: PeerId, ask: Ask) {
        match ask {
            Ask::Request(block) => {
                let due = match self.scenario.network {
                    Network::Bench => self.now + seconds(self.seeds[seed].rtt),
                    Network::Wires => self.now,
                };
                if self.seeds[seed].ask(due, block, &mut self.dice) {
                    self.pump(seed);
                } else {
                    self.say(seed, peer, Message::Reject(block));
                }
            }
            Ask::Cancel(block) => {
                if self.seeds[seed].cancel(block) {
                    self.say(seed, peer, Message::Reject(block));
                }
            }
            Ask::Interest(interested) => {
                self.seeds[seed].interested = interested;
                self.settle_choke(seed);
            }
        }
    }

    /// At the viewer's line: one block after another, in order of arrival.
    fn on_arrival(&mut self, seed: usize, peer: PeerId, message: Message) {
        let mut at = self.now;
        if let (Message::Block(block, _), Some(line)) = (message, self.line) {
            let begins = self.line_free_at.max(self.now);
            self.line_free_at = begins + seconds(f64::from(self.layout.block_size(block)) / line);
            at = match self.scenario.network {
                Network::Bench => begins,
                Network::Wires => self.line_free_at,
            };
        }
        let state = &mut self.seeds[seed];
        state.last_delivery = state.last_delivery.max(at);
        self.agenda.plan(state.last_delivery, Event::Deliver(seed, peer, message));
    }

    fn on_message(&mut self, seed: usize, peer: PeerId, message: Message) {
        match message {
            Message::Have(piece) => self.viewer.tell(self.now, Input::PeerHave { peer, piece }),
            Message::Choke => self.viewer.tell(self.now, Input::PeerChoked { peer }),
            Message::Unchoke => self.viewer.tell(self.now, Input::PeerUnchoked { peer }),
            Message::Reject(block) => self.viewer.tell(self.now, Input::RequestRejected { peer, block }),
            Message::Gone => {
                self.seeds[seed].disconnect();
                self.viewer.tell(self.now, Input::PeerLeft { peer });
            }
            Message::Block(block, content) => {
                let size = self.layout.block_size(block);
                self.run.came += u64::from(size);
                if self.log {
                    let what = if content == RIGHT { "" } else { ", a lie" };
                    eprintln!("{} .. seed {seed} sent {block:?}{what}", show(self.now));
                }
                let way = self.way_there(seed);
                self.agenda.plan(self.now + way, Event::Acknowledge(seed, peer, size));
                self.viewer.on_block(self.now, peer, block, content);
            }
        }
    }

    fn grow(&mut self, seed: usize) {
        let Have::Growing { seconds: every, .. } = self.seeds[seed].group.have else { return };
        let missing: Vec<_> = (0..self.layout.pieces())
            .map(PieceIndex)
            .filter(|piece| !self.seeds[seed].have.has(*piece))
            .collect();
        if missing.is_empty() || self.seeds[seed].gone {
            return;
        }
        let piece = missing[self.dice.below(missing.len())];
        self.seeds[seed].have.insert(piece);
        if let Some(peer) = self.seeds[seed].connection {
            self.say(seed, peer, Message::Have(piece));
        }
        self.agenda.plan(self.now + seconds(every), Event::Grow(seed));
    }

    /// Does what the viewer's parts want done, until they want nothing more.
    fn carry_out(&mut self) {
        while !self.viewer.effects.is_empty() {
            for effect in std::mem::take(&mut self.viewer.effects) {
                match effect {
                    Effect::Later(at, event) => self.agenda.plan(at, Event::Viewer(event)),
                    Effect::Have(_) => {}
                    Effect::Network(output) => self.on_output(output),
                }
            }
        }
    }

    fn on_output(&mut self, output: Output) {
        let (peer, ask) = match output {
            Output::Request { peer, block } => (peer, Ask::Request(block)),
            Output::Cancel { peer, block } => (peer, Ask::Cancel(block)),
            Output::Interest { peer, interested } => (peer, Ask::Interest(interested)),
            Output::Drop { peer, why } => return self.on_drop(peer, why),
            Output::Verify { .. } | Output::Timeout(_) => return,
        };
        let Some(seed) = self.seeds.iter().position(|seed| seed.connection == Some(peer)) else { return };
        let at = self.now + self.way_there(seed);
        self.agenda.plan(at, Event::Asked(seed, peer, ask));
    }

    fn on_drop(&mut self, peer: PeerId, why: Misbehaviour) {
        let Some(seed) = self.seeds.iter().position(|seed| seed.connection == Some(peer)) else { return };
        self.seeds[seed].disconnect();
        let group = &self.seeds[seed].group;
        let wronged = match why {
            Misbehaviour::Lied => {
                let lied = self.seeds[seed].lied;
                assert!(lied, "{}, at {}: {peer:?} never lied", self.scenario.story, show(self.now));
                false
            }
            Misbehaviour::Silent => group.is_steady() && group.chokes.is_none(),
        };
        self.run.wronged += usize::from(wronged);
        self.viewer.tell(self.now, Input::PeerLeft { peer });
        match why {
            Misbehaviour::Lied => self.seeds[seed].gone = true,
            Misbehaviour::Silent => self.dial(seed, self.now + REDIAL),
        }
    }

    // -- the script --

    fn place(&mut self, at: At) -> u64 {
        let share = match at {
            At::Share(share) => share,
            At::Somewhere(low, high) => self.dice.between(low, high),
            At::End(bytes) => return self.span.end().saturating_sub(bytes).max(self.span.offset),
        };
        self.span.offset + (self.span.length as f64 * share) as u64
    }

    /// What physics allows for these bytes, asked for now; `None` if they are here already, or nobody honest has them.
    fn bound(&self, bytes: std::ops::Range<u64>) -> Option<f64> {
        let eager = self.scenario.network == Network::Bench;
        let now = self.now.elapsed().as_secs_f64();
        let offer = |seed: &Seed| Offer {
            from: seed.open_at.map_or(0.0, |at| at.since(self.now).as_secs_f64()),
            // Of what jitter adds, half: a piece is many blocks.
            rtt: seed.rtt + seed.group.jitter / 2.0,
            rate: seed.rate * if eager { seed.group.open_share() } else { 1.0 },
            eager,
            closed: seed.group.chokes.filter(|_| !eager).map(|(every, time)| {
                let turn = (now + self.phase(seed.number)).rem_euclid(every);
                (every - time - turn, time, every)
            }),
            window: seed.window_at(self.now).filter(|_| !eager),
        };
        let steady: Vec<&Seed> =
            self.seeds.iter().filter(|seed| seed.group.is_steady() && !seed.gone).collect();
        let missing: Vec<_> = self
            .layout
            .pieces_of(bytes)
            .map(PieceIndex)
            .filter(|piece| !self.viewer.store.verified().has(*piece))
            .collect();
        let hashing = f64::from(self.layout.piece_length()) / f64::from(1 << 20) / 1000.0;
        if missing.is_empty() {
            return None;
        }
        if eager {
            // compare.py counts the partial peers with their share, and not those who come later.
            let steady: Vec<&&Seed> = steady.iter().filter(|seed| seed.group.joins == 0.0).collect();
            let share = |seed: &Seed| match seed.group.have {
                Have::Share(share) => share,
                _ => 1.0,
            };
            let offers: Vec<Offer> = steady.iter().map(|seed| offer(seed)).collect();
            let rate = steady.iter().map(|seed| seed.rate * seed.group.open_share() * share(seed)).sum();
            let need: u64 = missing.iter().map(|piece| u64::from(self.layout.piece_size(*piece))).sum();
            return Some(bound::bench(&offers, rate, need, self.line) + hashing);
        }
        let needed = |piece: &PieceIndex| {
            let blocks = (0..self.layout.blocks_in(*piece)).map(|block| BlockId { piece: *piece, block });
            blocks.filter(|block| !self.viewer.store.has_block(*block)).count() as u64
        };
        let who = |pieces: &[PieceIndex]| -> Vec<Offer> {
            let has = |seed: &&&Seed| pieces.iter().any(|piece| seed.have.has(*piece));
            steady.iter().filter(has).map(|seed| offer(seed)).collect()
        };
        let mut bound = bound::blocks(&who(&missing), missing.iter().map(needed).sum(), self.line)?;
        for piece in &missing {
            bound = bound.max(bound::blocks(&who(&[*piece]), needed(piece), self.line)?);
        }
        Some(bound + hashing)
    }

    /// Where a player that starts as soon as anything can be here must stand still all the same: the piece after the
    /// first may not be here in time, whoever decides.
    fn due(&self, at: u64, rate: f64) -> Vec<Due> {
        let part = (rate / 10.0).max(4096.0) as u64;
        let end = self.span.end().min(at + (rate * 30.0) as u64);
        let piece_end =
            |byte: u64| self.layout.piece_range(self.layout.piece_at(byte)).end.min(self.span.end());
        let takes = |until: u64| self.bound(at..until).unwrap_or(0.0);
        let mut until = piece_end((at + part - 1).min(self.span.end() - 1));
        let first = takes(until);
        let (mut due, mut step) = (Vec::new(), 1);
        while until < end {
            let shown = (until - at) / part * part;
            let next = piece_end(until);
            let seconds = PUNCTUAL * takes(next) - first - shown as f64 / rate;
            if seconds > 0.0 {
                due.push(Due { shown, seconds });
            }
            // Near the head each piece matters; further on, one of so many.
            until = next + step / 4 * u64::from(self.layout.piece_length());
            step += 1;
        }
        due
    }

    fn advance(&mut self) {
        while self.is_unblocked() {
            let Some(step) = self.scenario.steps.get(self.step).copied() else {
                self.blocked = Blocked::Ended;
                return;
            };
            self.step += 1;
            self.take(step);
            self.carry_out();
        }
    }

    fn is_unblocked(&mut self) -> bool {
        match self.blocked {
            Blocked::Ended => false,
            Blocked::Until(at) => self.now >= at,
            Blocked::Fetch(player, measure, bound, until) => {
                let state = &self.viewer.players[player];
                let ended = state.done || self.now >= until;
                if ended {
                    let wait = self.now.since(state.opened_at).as_secs_f64();
                    self.viewer.close(self.now, player);
                    self.measured(measure, wait, bound);
                }
                ended
            }
            Blocked::Ready(player, measure, bound, until) => {
                let state = &self.viewer.players[player];
                let ended = state.ready_at.is_some() || self.now >= until;
                if ended {
                    let wait = state.ready_at.unwrap_or(self.now).since(state.opened_at).as_secs_f64();
                    self.measured(measure, wait, bound);
                }
                ended
            }
            Blocked::Play(player, until) => {
                let ended = self.viewer.players[player].done || self.now >= until;
                if ended {
                    if self.log {
                        eprintln!(
                            "{} ## stood still for {:.3}",
                            show(self.now),
                            self.viewer.players[player].stalled(self.now)
                        );
                    }
                    if !self.viewer.players[player].done {
                        // Whoever gives up has stood still to the end.
                        self.run.stalled += PATIENCE;
                    }
                    self.viewer.close(self.now, player);
                }
                ended
            }
            Blocked::Whole(bound, since, until) => {
                let pieces = self.layout.pieces_of(self.span.range());
                let whole = pieces.clone().all(|piece| self.viewer.store.verified().has(PieceIndex(piece)));
                let ended = whole || self.now >= until;
                if ended {
                    let seconds = self.now.since(since).as_secs_f64();
                    // What is here already says nothing.
                    if bound > 0.0 {
                        self.run.whole.push(Wait { seconds, bound });
                    }
                }
                ended
            }
        }
    }

    fn measured(&mut self, measure: Measure, seconds: f64, bound: Option<f64>) {
        if self.log {
            eprintln!("{} ## {measure:?} took {seconds:.3}, bound {bound:?}", show(self.now));
        }
        // What is here already is there at once, and says nothing about scheduling.
        let Some(bound) = bound else { return };
        match measure {
            Measure::Start => self.run.starts.push(Wait { seconds, bound }),
            Measure::Seek => self.run.seeks.push(Wait { seconds, bound }),
        }
    }

    /// Patience begins; those who leave during this wait will.
    fn wait_begins(&mut self, patience: f64) -> Timestamp {
        self.waits += 1;
        for seed in 0..self.seeds.len() {
            if let Leaves::During(number, delay) = self.seeds[seed].group.leaves
                && number == self.waits
            {
                self.agenda.plan(self.now + seconds(delay), Event::Leave(seed));
            }
        }
        let until = self.now + seconds(patience);
        self.agenda.plan(until, Event::Script);
        until
    }

    fn fetch(&mut self, measure: Measure, at: At, bytes: u64) {
        let at = self.place(at);
        let until = (at + bytes).min(self.span.end());
        let bound = self.bound(at..until);
        let patience = self.wait_begins(PATIENCE);
        let player = self.viewer.open(self.now, self.span, at, Mode::Fetch { until }, Vec::new());
        self.blocked = Blocked::Fetch(player, measure, bound, patience);
    }

    fn take(&mut self, step: Step) {
        if self.log {
            eprintln!("{} ## {step:?}", show(self.now));
        }
        self.blocked = Blocked::Until(self.now);
        match step {
            Step::Background(true) => self.viewer.tell(self.now, Input::BackgroundWanted { span: self.span }),
            Step::Background(false) => {
                self.viewer.tell(self.now, Input::BackgroundUnwanted { span: self.span })
            }
            Step::Wait(time) => {
                let until = self.now + seconds(time);
                self.agenda.plan(until, Event::Script);
                self.blocked = Blocked::Until(until);
            }
            Step::Fetch(measure, at) => self.fetch(measure, at, ASK),
            Step::FetchBytes(measure, at, bytes) => self.fetch(measure, at, bytes),
            Step::Play { at, rate, seconds } => {
                let at = self.place(at);
                let until = at + (rate * seconds) as u64;
                let patience = self.wait_begins(3.0 * seconds + PATIENCE);
                let mode = Mode::Play { rate, ahead: 1.0, until, screen: Screen::default() };
                let due = self.due(at, rate);
                let player = self.viewer.open(self.now, self.span, at, mode, due);
                self.blocked = Blocked::Play(player, patience);
            }
            Step::Open { player, at, rate, ahead } => {
                let at = self.place(at);
                let bound = self.bound(at..(at + ASK).min(self.span.end()));
                let mode = Mode::Play { rate, ahead, until: self.span.end(), screen: Screen::default() };
                let due = self.due(at, rate);
                let opened = self.viewer.open(self.now, self.span, at, mode, due);
                if self.players.len() <= player {
                    self.players.resize(player + 1, (0, 0.0));
                    self.bounds.resize(player + 1, None);
                }
                self.players[player] = (opened, rate);
                self.bounds[player] = bound;
            }
            Step::Seek { player, at } => {
                let at = self.place(at);
                self.bounds[player] = self.bound(at..(at + ASK).min(self.span.end()));
                let (opened, rate) = self.players[player];
                let due = self.due(at, rate);
                self.viewer.seek(self.now, opened, at, due);
            }
            Step::Ready(measure, player) => {
                let until = self.wait_begins(PATIENCE);
                self.blocked = Blocked::Ready(self.players[player].0, measure, self.bounds[player], until);
            }
            Step::Pause(player) => self.viewer.pause(self.now, self.players[player].0, true),
            Step::Resume(player) => self.viewer.pause(self.now, self.players[player].0, false),
            Step::Close(player) => self.viewer.close(self.now, self.players[player].0),
            Step::Line(rate) => self.line = Some(rate),
            Step::Mark => self.mark = self.run.came,
            Step::CameAtMost(bytes) => {
                let came = self.run.came - self.mark;
                self.run.excess = self.run.excess.max(came.saturating_sub(bytes));
            }
            Step::Whole => {
                let bound = self.bound(self.span.range()).unwrap_or(0.0);
                let until = self.wait_begins(PATIENCE + 3.0 * bound);
                self.blocked = Blocked::Whole(bound, self.now, until);
            }
        }
    }
}
