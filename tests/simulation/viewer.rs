//! Whoever watches: a scheduler under the contract's eyes, a disk, and the players that read. Not the network: what is
//! to be said to peers comes out as effects.

use std::time::Duration;

use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, FileSpan, Layout, PieceIndex};
use peerflix::scheduler::{Input, Output, PeerId, ReaderId};
use peerflix::units::Timestamp;

use crate::brain::Mind;
use crate::contract::Checked;
use crate::random::Random;
use crate::store::{Content, Hash, Store};

/// What a player needs to show something, as bench/compare.py has it.
pub const ASK: u64 = 256 * 1024;
/// What the HTTP service reads at once.
const READ: u64 = 64 * 1024;
/// What lies in the sockets between the HTTP service and a player that reads slower than we write.
pub const SOCKETS: u64 = 1 << 20;

/// Until a disk says that it refuses a block: longer than it takes to say that a block came.
const LOSS_TAKES: Duration = Duration::from_micros(500);

pub struct Viewer {
    pub scheduler: Checked,
    pub store: Store,
    pub players: Vec<Player>,
    /// To be carried out by the world, in order.
    pub effects: Vec<Effect>,
    layout: Layout,
    wake_at: Timestamp,
    /// The earliest timer in the world's agenda. One that comes too early plans another.
    planned: Option<Timestamp>,
    readers: u32,
    compare_takes: Duration,
    /// The probability that the disk refuses a block.
    pub loses: f64,
    dice: Random,
}

#[derive(Debug)]
pub enum Effect {
    Network(Output),
    Later(Timestamp, ViewerEvent),
    /// The piece is here and right: others may be told.
    Have(PieceIndex),
}

#[derive(Debug)]
pub enum ViewerEvent {
    Timer,
    Hashed(PieceIndex),
    Compared(BlockId, bool),
    Lost(BlockId),
    Take(usize, u64),
}

/// A program that reads over HTTP.
pub struct Player {
    reader: Option<ReaderId>,
    span: FileSpan,
    /// The next byte that the HTTP service reads.
    head: u64,
    /// The next byte that the player takes out of its socket.
    taken: u64,
    waiting: bool,
    mode: Mode,
    generation: u64,
    pub opened_at: Timestamp,
    /// When its first 256 KiB (or all that there is) could be read.
    ready: u64,
    pub ready_at: Option<Timestamp>,
    pub done: bool,
    /// What had to be stood still since the last seek, and what was beyond that before it.
    due: Vec<Due>,
    stalled_before: f64,
}

/// When this many bytes have been shown, so many seconds of standing still were unavoidable.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub shown: u64,
    pub seconds: f64,
}

#[derive(Clone, Debug)]
pub enum Mode {
    /// Takes all up to this byte of the torrent, then closes.
    Fetch { until: u64 },
    /// Takes a tenth of a second of film at a time, until it is `ahead` seconds ahead of what it shows; ends at `until`.
    Play { rate: f64, ahead: f64, until: u64, screen: Screen },
}

/// What the viewer sees, as bench/compare.py counts it.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    first: Option<Timestamp>,
    got: u64,
    pub stalled: f64,
    paused_at: Option<Timestamp>,
}

impl Screen {
    /// How far the film that has been taken reaches beyond what is being shown.
    fn lead(&self, now: Timestamp, rate: f64) -> f64 {
        let shown = self.first.map_or(0.0, |first| now.since(first).as_secs_f64() - self.stalled);
        self.got as f64 / rate - shown
    }
}

impl Viewer {
    pub fn new(mind: Mind, layout: Layout, seed: u64, had: Bitfield, story: String, log: bool) -> Self {
        let scheduler = Checked::new(mind.wake(layout.clone(), seed), layout.clone(), story, log);
        let mut viewer = Viewer {
            scheduler,
            store: Store::new(layout.clone(), had.clone()),
            players: Vec::new(),
            effects: Vec::new(),
            layout,
            wake_at: Timestamp::ZERO,
            planned: None,
            readers: 0,
            compare_takes: Duration::from_micros(200),
            loses: 0.0,
            dice: Random::new(seed),
        };
        if !had.is_none() {
            viewer.tell(Timestamp::ZERO, Input::PiecesHad { pieces: had });
        }
        viewer
    }

    pub fn tell(&mut self, now: Timestamp, input: Input) {
        let (outputs, wake_at) = self.scheduler.tell(now, input);
        for output in outputs {
            match output {
                Output::Verify { piece } => {
                    let at = now + self.store.time_to_hash(piece);
                    self.effects.push(Effect::Later(at, ViewerEvent::Hashed(piece)));
                }
                output => self.effects.push(Effect::Network(output)),
            }
        }
        self.wake_at = wake_at;
        if self.planned.is_none_or(|planned| wake_at < planned) {
            self.planned = Some(wake_at);
            self.effects.push(Effect::Later(wake_at, ViewerEvent::Timer));
        }
    }

    pub fn on_event(&mut self, now: Timestamp, event: ViewerEvent) {
        match event {
            ViewerEvent::Timer => {
                if self.planned == Some(now) {
                    self.planned = None;
                }
                if self.wake_at <= now {
                    self.tell(now, Input::TimeoutReached);
                } else if self.planned.is_none() {
                    self.planned = Some(self.wake_at);
                    self.effects.push(Effect::Later(self.wake_at, ViewerEvent::Timer));
                }
            }
            ViewerEvent::Compared(block, differs) => self.tell(now, Input::BlockCompared { block, differs }),
            ViewerEvent::Lost(block) => self.tell(now, Input::BlockLost { block }),
            ViewerEvent::Hashed(piece) => match self.store.hash(piece) {
                Hash::Right { lies } => {
                    self.tell(now, Input::PieceVerified { piece, lies });
                    self.effects.push(Effect::Have(piece));
                    for player in 0..self.players.len() {
                        self.pump(now, player);
                    }
                }
                Hash::Wrong => self.tell(now, Input::PieceFailed { piece }),
                Hash::Incomplete => {}
            },
            ViewerEvent::Take(player, generation) => {
                if self.players[player].generation == generation {
                    self.pump(now, player);
                }
            }
        }
    }

    pub fn on_block(&mut self, now: Timestamp, peer: PeerId, block: BlockId, content: Content) {
        let wanted = self.scheduler.wants(block);
        self.tell(now, Input::BlockArrived { peer, block });
        if !wanted {
            return;
        }
        if self.loses > 0.0 && self.dice.chance(self.loses) {
            self.effects.push(Effect::Later(now + LOSS_TAKES, ViewerEvent::Lost(block)));
            return;
        }
        if let Some(differs) = self.store.write(block, content) {
            let event = ViewerEvent::Compared(block, differs);
            self.effects.push(Effect::Later(now + self.compare_takes, event));
        }
    }

    /// A player connects and reads from byte `at` of the torrent; which of the players it is.
    pub fn open(&mut self, now: Timestamp, span: FileSpan, at: u64, mode: Mode, due: Vec<Due>) -> usize {
        let at = at.clamp(span.offset, span.end());
        self.players.push(Player {
            reader: None,
            span,
            head: at,
            taken: at,
            waiting: false,
            mode,
            generation: 0,
            opened_at: now,
            ready: 0,
            ready_at: None,
            done: false,
            due,
            stalled_before: 0.0,
        });
        let player = self.players.len() - 1;
        self.begin(now, player, at);
        player
    }

    /// As players do it: the old connection is closed, a new one opened.
    pub fn seek(&mut self, now: Timestamp, player: usize, at: u64, due: Vec<Due>) {
        self.close(now, player);
        self.players[player].due = due;
        self.begin(now, player, at);
    }

    fn begin(&mut self, now: Timestamp, player: usize, at: u64) {
        let reader = ReaderId(self.readers);
        self.readers += 1;
        let state = &mut self.players[player];
        state.reader = Some(reader);
        state.head = at;
        state.taken = at;
        state.waiting = false;
        state.done = false;
        state.opened_at = now;
        state.ready = (at + ASK).min(state.span.end());
        state.ready_at = None;
        let span = state.span;
        self.tell(now, Input::ReaderOpened { reader, span, head: at, rate: None, until: None });
        self.pump(now, player);
    }

    pub fn close(&mut self, now: Timestamp, player: usize) {
        let state = &mut self.players[player];
        state.generation += 1;
        state.stalled_before = state.stalled(now);
        if let Mode::Play { screen, .. } = &mut state.mode {
            *screen = Screen::default();
        }
        if let Some(reader) = state.reader.take() {
            self.tell(now, Input::ReaderClosed { reader });
        }
    }

    pub fn pause(&mut self, now: Timestamp, player: usize, paused: bool) {
        let Mode::Play { screen, .. } = &mut self.players[player].mode else { return };
        if paused {
            screen.paused_at = Some(now);
        } else if let (Some(at), Some(first)) = (screen.paused_at.take(), screen.first) {
            screen.first = Some(first + now.since(at));
        }
        self.pump(now, player);
    }

    /// Reads what can be read, takes what the player takes.
    fn pump(&mut self, now: Timestamp, player: usize) {
        loop {
            self.read(now, player);
            let state = &mut self.players[player];
            if state.reader.is_none() {
                return;
            }
            if state.ready_at.is_none() && state.head >= state.ready {
                state.ready_at = Some(now);
            }
            let end = state.span.end();
            match &mut state.mode {
                Mode::Fetch { until } => {
                    let until = (*until).min(end);
                    let took = state.head.min(until) > state.taken;
                    state.taken = state.head.min(until);
                    if state.taken >= until {
                        state.done = true;
                        self.close(now, player);
                        return;
                    }
                    if !took {
                        return;
                    }
                }
                Mode::Play { rate, ahead, until, screen } => {
                    let until = (*until).min(end);
                    if state.taken >= until {
                        state.done = true;
                        self.close(now, player);
                        return;
                    }
                    let part = ((*rate / 10.0).max(4096.0) as u64).min(until - state.taken);
                    let lead = screen.lead(now, *rate);
                    if screen.paused_at.is_some() {
                        return;
                    }
                    if screen.first.is_some() && lead > *ahead + 1e-9 {
                        state.generation += 1;
                        let event = ViewerEvent::Take(player, state.generation);
                        let wait = Duration::from_secs_f64(lead - *ahead);
                        self.effects.push(Effect::Later(now + wait, event));
                        return;
                    }
                    if state.head - state.taken < part {
                        return;
                    }
                    state.taken += part;
                    screen.got += part;
                    screen.first.get_or_insert(now);
                    let lead = screen.lead(now, *rate);
                    if lead < 0.0 {
                        screen.stalled -= lead;
                    }
                }
            }
        }
    }

    fn read(&mut self, now: Timestamp, player: usize) {
        loop {
            let state = &mut self.players[player];
            let Some(reader) = state.reader else { return };
            let room = (state.taken + SOCKETS).saturating_sub(state.head);
            if state.head >= state.span.end() || room == 0 {
                return;
            }
            let piece = self.layout.piece_at(state.head);
            let here = self.store.verified().has(piece);
            if here {
                let end = self.layout.piece_range(piece).end.min(state.span.end());
                state.head += READ.min(room).min(end - state.head);
                state.waiting = false;
            } else if std::mem::replace(&mut state.waiting, true) {
                return;
            }
            let head = state.head;
            self.tell(now, Input::ReaderMoved { reader, head, waiting: !here });
            if !here {
                return;
            }
        }
    }
}

impl Player {
    /// Seconds that it stood still, up to now, over all its seeks, beyond what it had to.
    pub fn stalled(&self, now: Timestamp) -> f64 {
        let Mode::Play { rate, screen, .. } = &self.mode else { return 0.0 };
        let standing = self.reader.is_some() && screen.paused_at.is_none() && screen.first.is_some();
        let since = if standing { (-screen.lead(now, *rate)).max(0.0) } else { 0.0 };
        let stalled = screen.stalled + since;
        let reached = self.due.iter().filter(|due| due.shown <= screen.got + (*rate / 10.0) as u64);
        let unavoidable = reached.map(|due| due.seconds).fold(0.0, f64::max);
        self.stalled_before + (stalled - unavoidable).max(0.0)
    }
}
