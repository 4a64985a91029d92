//! A flash crowd: everybody opens the same film within a few seconds. Every viewer is a full peer, with scheduler and
//! choker; one seed has a line of a few times the bitrate. "The more people watch, the better it runs."

use std::collections::VecDeque;
use std::time::Duration;

use peerflix::bitfield::Bitfield;
use peerflix::choker::{self, Choker};
use peerflix::layout::{BlockId, FileSpan, Layout, PieceIndex};
use peerflix::scheduler::{Input, Output, PeerId};
use peerflix::units::Timestamp;

use crate::agenda::Agenda;
use crate::brain::Mind;
use crate::random::Random;
use crate::store::RIGHT;
use crate::viewer::{Effect, Mode, Screen, Viewer, ViewerEvent};

/// A crowd is data, as a scenario is.
#[derive(Clone, Debug)]
pub struct Crowd {
    pub viewers: usize,
    /// Seconds of film, its bytes a second, and its pieces.
    pub film: f64,
    pub bitrate: f64,
    pub piece: u32,
    /// The seed's line, in bitrates.
    pub seed: f64,
    /// Each viewer's upload, in bitrates: between these; and its download.
    pub up: (f64, f64),
    pub down: f64,
    /// How many others each viewer dials.
    pub dials: usize,
    /// Everybody has come within so many seconds.
    pub within: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Seconds to the first 256 KiB, each viewer's, ascending.
    pub starts: Vec<f64>,
    /// Seconds of standing still, each viewer's, ascending.
    pub stalls: Vec<f64>,
    /// Viewers that did not see the end.
    pub unhappy: usize,
    /// Bytes that the seed sent, in films.
    pub seeded: f64,
    pub waste: f64,
    /// Innocent peers dropped: here all are.
    pub wronged: usize,
    pub trace: u64,
    pub took: f64,
}

/// The seed is node 0; viewers are the others.
struct Node {
    /// `None`: the seed.
    viewer: Option<Viewer>,
    have: Bitfield,
    choker: Choker,
    choker_wakes_at: Option<Timestamp>,
    links: Vec<Link>,
    up: f64,
    down: f64,
    sending: bool,
    /// The link that was served last: the next one is next.
    served: usize,
    down_free_at: Timestamp,
    sent: u64,
    came: u64,
}

/// One end of a connection. Its number is the `PeerId` that its node knows the other end by.
struct Link {
    to: usize,
    /// The number of the other end.
    back: usize,
    rtt: f64,
    up: bool,
    /// We have unchoked them.
    open: bool,
    /// What they have asked for.
    queue: VecDeque<BlockId>,
}

enum Event {
    Join(usize),
    Connected(usize, usize),
    Viewer(usize, ViewerEvent),
    ChokerTimer(usize),
    /// The line of this node is free again; it had sent this to that link.
    Sent(usize, usize, BlockId),
    /// At this node, from that link.
    Arrive(usize, usize, Message),
    Deliver(usize, usize, BlockId),
    GiveUp,
}

#[derive(Clone, Copy, Debug)]
enum Message {
    Request(BlockId),
    Cancel(BlockId),
    Interest(bool),
    Have(PieceIndex),
    Choke,
    Unchoke,
    Block(BlockId),
    Gone,
}

struct World {
    crowd: Crowd,
    layout: Layout,
    span: FileSpan,
    now: Timestamp,
    agenda: Agenda<Event>,
    nodes: Vec<Node>,
    joined: Vec<bool>,
    watching: usize,
    wronged: usize,
}

fn seconds(time: f64) -> Duration {
    Duration::from_secs_f64(time)
}

pub fn run(crowd: &Crowd, mind: Mind, seed: u64) -> Outcome {
    let began = std::time::Instant::now();
    let mut world = World::new(crowd, mind, seed);
    world.run();
    Outcome { took: began.elapsed().as_secs_f64(), ..world.outcome() }
}

impl World {
    fn new(crowd: &Crowd, mind: Mind, seed: u64) -> Self {
        let mut dice = Random::new(seed ^ 0xc0ffee);
        let length = (crowd.film * crowd.bitrate) as u64;
        let layout = Layout::new(length, crowd.piece).expect("a fair layout");
        let mut agenda = Agenda::new();
        let mut nodes = Vec::new();
        for number in 0..=crowd.viewers {
            let none = Bitfield::none(layout.pieces());
            let is_seed = number == 0;
            let mut have = none.clone();
            if is_seed {
                (0..layout.pieces()).for_each(|piece| _ = have.insert(PieceIndex(piece)));
            }
            let viewer = (!is_seed).then(|| {
                let story = format!("viewer {number} of {}", crowd.viewers);
                Viewer::new(mind, layout.clone(), seed * 10_007 + number as u64, none, story, false)
            });
            let mut choker = Choker::new(choker::Config::default(), seed + number as u64);
            if is_seed {
                choker.handle_input(Timestamp::ZERO, choker::Input::Complete);
            }
            let (low, high) = crowd.up;
            nodes.push(Node {
                viewer,
                have,
                choker,
                choker_wakes_at: None,
                links: Vec::new(),
                up: crowd.bitrate * if is_seed { crowd.seed } else { dice.between(low, high) },
                down: crowd.bitrate * crowd.down,
                sending: false,
                served: 0,
                down_free_at: Timestamp::ZERO,
                sent: 0,
                came: 0,
            });
            if !is_seed {
                agenda.plan(Timestamp::ZERO + seconds(crowd.within * dice.unit()), Event::Join(number));
            }
        }
        let mut world = World {
            crowd: crowd.clone(),
            span: FileSpan { offset: 0, length },
            layout,
            now: Timestamp::ZERO,
            agenda,
            nodes,
            joined: vec![false; crowd.viewers + 1],
            watching: crowd.viewers,
            wronged: 0,
        };
        world.joined[0] = true;
        world.introduce(&mut dice);
        world.agenda.plan(Timestamp::ZERO + seconds(crowd.within + crowd.film * 4.0), Event::GiveUp);
        world
    }

    /// Who knows whom: some others at random, and the seed so many as dial it.
    fn introduce(&mut self, dice: &mut Random) {
        let distances: Vec<f64> = self.nodes.iter().map(|_| dice.between(0.005, 0.06)).collect();
        for node in 1..self.nodes.len() {
            let mut others: Vec<usize> = (0..node).collect();
            dice.shuffle(&mut others);
            for &other in others.iter().take(self.crowd.dials) {
                let rtt = distances[node] + distances[other];
                let (here, there) = (self.nodes[node].links.len(), self.nodes[other].links.len());
                let link = |to, back| Link { to, back, rtt, up: false, open: false, queue: VecDeque::new() };
                self.nodes[node].links.push(link(other, there));
                self.nodes[other].links.push(link(node, here));
            }
        }
    }

    fn run(&mut self) {
        while self.watching > 0 {
            let Some((at, event)) = self.agenda.next() else { return };
            self.now = at;
            match event {
                Event::GiveUp => return,
                event => self.on_event(event),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Join(node) => self.join(node),
            Event::Connected(node, link) => self.connect(node, link),
            Event::Viewer(node, event) => {
                self.with_viewer(node, |viewer, now| viewer.on_event(now, event));
            }
            Event::ChokerTimer(node) => {
                if self.nodes[node].choker_wakes_at.is_some_and(|at| at <= self.now) {
                    self.nodes[node].choker_wakes_at = None;
                    self.tell_choker(node, choker::Input::TimeoutReached);
                }
            }
            Event::Sent(node, link, block) => {
                let Link { to, back, rtt, up, .. } = self.nodes[node].links[link];
                self.nodes[node].sending = false;
                if up {
                    self.agenda
                        .plan(self.now + seconds(rtt / 2.0), Event::Arrive(to, back, Message::Block(block)));
                    let bytes = self.layout.block_size(block);
                    self.nodes[node].sent += u64::from(bytes);
                    self.tell_choker(node, choker::Input::BlockSent { peer: PeerId(link as u32), bytes });
                }
                self.send(node);
            }
            Event::Arrive(node, link, message) => {
                if self.nodes[node].links[link].up {
                    self.on_message(node, link, message);
                }
            }
            Event::Deliver(node, link, block) => {
                if self.nodes[node].links[link].up {
                    let peer = PeerId(link as u32);
                    let bytes = self.layout.block_size(block);
                    self.nodes[node].came += u64::from(bytes);
                    self.tell_choker(node, choker::Input::BlockReceived { peer, bytes });
                    self.with_viewer(node, |viewer, now| viewer.on_block(now, peer, block, RIGHT));
                }
            }
            Event::GiveUp => {}
        }
    }

    /// A viewer comes: dials, and opens the film.
    fn join(&mut self, node: usize) {
        self.joined[node] = true;
        for link in 0..self.nodes[node].links.len() {
            let Link { to, rtt, .. } = self.nodes[node].links[link];
            if self.joined[to] {
                self.agenda.plan(self.now + seconds(2.0 * rtt), Event::Connected(node, link));
            }
        }
        let (rate, until, span) = (self.crowd.bitrate, self.span.end(), self.span);
        self.with_viewer(node, |viewer, now| {
            viewer.tell(now, Input::BackgroundWanted { span });
            let mode = Mode::Play { rate, ahead: 1.0, until, screen: Screen::default() };
            viewer.open(now, span, 0, mode, Vec::new());
        });
    }

    fn connect(&mut self, node: usize, link: usize) {
        let Link { to, back, rtt, .. } = self.nodes[node].links[link];
        for (node, link, other) in [(node, link, to), (to, back, node)] {
            self.nodes[node].links[link].up = true;
            let peer = PeerId(link as u32);
            self.tell_choker(node, choker::Input::PeerConnected { peer });
            let have = self.nodes[other].have.clone();
            self.with_viewer(node, |viewer, now| {
                viewer.tell(now, Input::PeerConnected { peer, latency: Some(seconds(rtt)) });
                viewer.tell(now, Input::PeerBitfield { peer, have });
            });
        }
        // A viewer's first packet says that it is interested.
        for (node, link, other) in [(node, link, to), (to, back, node)] {
            if self.nodes[other].viewer.is_some() {
                self.agenda
                    .plan(self.now + seconds(rtt / 2.0), Event::Arrive(node, link, Message::Interest(true)));
            }
        }
    }

    fn say(&mut self, node: usize, link: usize, message: Message) {
        let Link { to, back, rtt, up, .. } = self.nodes[node].links[link];
        if up {
            self.agenda.plan(self.now + seconds(rtt / 2.0), Event::Arrive(to, back, message));
        }
    }

    fn on_message(&mut self, node: usize, link: usize, message: Message) {
        let peer = PeerId(link as u32);
        match message {
            Message::Request(block) => {
                let state = &mut self.nodes[node];
                if state.links[link].open && state.have.has(block.piece) {
                    state.links[link].queue.push_back(block);
                    self.send(node);
                }
            }
            Message::Cancel(block) => self.nodes[node].links[link].queue.retain(|queued| *queued != block),
            Message::Interest(interested) => {
                self.tell_choker(node, choker::Input::PeerInterested { peer, interested });
            }
            Message::Have(piece) => self.with_viewer(node, |viewer, now| {
                viewer.tell(now, Input::PeerHave { peer, piece });
            }),
            Message::Choke => {
                self.with_viewer(node, |viewer, now| viewer.tell(now, Input::PeerChoked { peer }));
            }
            Message::Unchoke => {
                self.with_viewer(node, |viewer, now| viewer.tell(now, Input::PeerUnchoked { peer }));
            }
            Message::Block(block) => {
                let state = &mut self.nodes[node];
                let takes = seconds(f64::from(self.layout.block_size(block)) / state.down);
                state.down_free_at = state.down_free_at.max(self.now) + takes;
                self.agenda.plan(state.down_free_at, Event::Deliver(node, link, block));
            }
            Message::Gone => {
                self.nodes[node].links[link].up = false;
                self.nodes[node].links[link].queue.clear();
                self.tell_choker(node, choker::Input::PeerLeft { peer });
                self.with_viewer(node, |viewer, now| viewer.tell(now, Input::PeerLeft { peer }));
            }
        }
    }

    /// One block after another, of one who asked after another.
    fn send(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        if state.sending {
            return;
        }
        let links = state.links.len();
        for step in 1..=links {
            let number = (state.served + step) % links;
            if let Some(block) = state.links[number].queue.pop_front() {
                state.served = number;
                state.sending = true;
                let takes = seconds(f64::from(self.layout.block_size(block)) / state.up);
                self.agenda.plan(self.now + takes, Event::Sent(node, number, block));
                return;
            }
        }
    }

    fn tell_choker(&mut self, node: usize, input: choker::Input) {
        self.nodes[node].choker.handle_input(self.now, input);
        loop {
            match self.nodes[node].choker.poll_output(self.now) {
                choker::Output::Unchoke { peer } => {
                    let link = peer.0 as usize;
                    self.nodes[node].links[link].open = true;
                    self.say(node, link, Message::Unchoke);
                }
                choker::Output::Choke { peer } => {
                    let link = peer.0 as usize;
                    self.nodes[node].links[link].open = false;
                    self.nodes[node].links[link].queue.clear();
                    self.say(node, link, Message::Choke);
                }
                choker::Output::Timeout(at) => {
                    if self.nodes[node].choker_wakes_at.is_none_or(|planned| at < planned) {
                        self.nodes[node].choker_wakes_at = Some(at);
                        self.agenda.plan(at, Event::ChokerTimer(node));
                    }
                    return;
                }
            }
        }
    }

    /// Lets something happen to a viewer, and carries out what it wants done. The seed does not care.
    fn with_viewer(&mut self, node: usize, happens: impl FnOnce(&mut Viewer, Timestamp)) {
        let now = self.now;
        let Some(viewer) = &mut self.nodes[node].viewer else { return };
        let was_done = viewer.players.first().is_some_and(|player| player.done);
        happens(viewer, now);
        while let Some(viewer) = &mut self.nodes[node].viewer {
            let effects = std::mem::take(&mut viewer.effects);
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.carry_out(node, effect);
            }
        }
        let viewer = self.nodes[node].viewer.as_ref();
        let is_done = viewer.is_some_and(|viewer| viewer.players.first().is_some_and(|player| player.done));
        self.watching -= usize::from(is_done && !was_done);
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        let (peer, message) = match effect {
            Effect::Later(at, event) => return self.agenda.plan(at, Event::Viewer(node, event)),
            Effect::Have(piece) => {
                self.nodes[node].have.insert(piece);
                for link in 0..self.nodes[node].links.len() {
                    self.say(node, link, Message::Have(piece));
                }
                if self.nodes[node].have.count() == self.layout.pieces() {
                    self.tell_choker(node, choker::Input::Complete);
                }
                return;
            }
            Effect::Network(Output::Request { peer, block }) => (peer, Message::Request(block)),
            Effect::Network(Output::Cancel { peer, block }) => (peer, Message::Cancel(block)),
            Effect::Network(Output::Interest { peer, interested }) => (peer, Message::Interest(interested)),
            Effect::Network(Output::Drop { peer, .. }) => {
                self.wronged += 1;
                let link = peer.0 as usize;
                self.say(node, link, Message::Gone);
                return self.on_message(node, link, Message::Gone);
            }
            Effect::Network(Output::Verify { .. } | Output::Timeout(_)) => return,
        };
        self.say(node, peer.0 as usize, message);
    }

    fn outcome(&self) -> Outcome {
        let mut outcome = Outcome { wronged: self.wronged, ..Outcome::default() };
        let (mut came, mut kept) = (0, 0);
        for node in &self.nodes {
            let Some(viewer) = &node.viewer else { continue };
            let Some(player) = viewer.players.first() else { continue };
            let ready_at = player.ready_at.unwrap_or(self.now);
            outcome.starts.push(ready_at.since(player.opened_at).as_secs_f64());
            outcome.stalls.push(player.stalled(self.now));
            outcome.unhappy += usize::from(!player.done);
            came += node.came;
            kept += viewer.store.first_time;
            outcome.trace = outcome.trace.rotate_left(1) ^ viewer.scheduler.trace();
        }
        outcome.starts.sort_by(f64::total_cmp);
        outcome.stalls.sort_by(f64::total_cmp);
        outcome.seeded = self.nodes[0].sent as f64 / self.span.length as f64;
        outcome.waste = came.saturating_sub(kept) as f64 / came.max(1) as f64;
        outcome
    }
}

pub const HEAD: &str = "viewers |  start: median  worst |  stalled: mean median  p90  worst | unhappy | films seeded |  waste | dropped | took";

impl Outcome {
    pub fn stall_mean(&self) -> f64 {
        self.stalls.iter().sum::<f64>() / self.stalls.len().max(1) as f64
    }

    /// What so large a share of the viewers waited for the start at the most.
    pub fn start(&self, share: f64) -> f64 {
        part(&self.starts, share)
    }

    /// And stood still.
    pub fn stall(&self, share: f64) -> f64 {
        part(&self.stalls, share)
    }

    pub fn line(&self) -> String {
        format!(
            "{:7} | {:14.2} {:6.2} | {:14.2} {:6.2} {:4.1} {:6.2} | {:7} | {:12.1} | {:5.1}% | {:7} | {:.1} s",
            self.starts.len(),
            self.start(0.5),
            self.start(1.0),
            self.stall_mean(),
            self.stall(0.5),
            self.stall(0.9),
            self.stall(1.0),
            self.unhappy,
            self.seeded,
            self.waste * 100.0,
            self.wronged,
            self.took,
        )
    }
}

fn part(ascending: &[f64], share: f64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}
