//! The only loop: what the swarm, the store, the readers and the clock tell goes into the scheduler, and what it answers goes
//! out to them. No policy.

mod following;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;
use tracing::{debug, warn};

use super::door::{OpenReader, overlap};
use super::recording::Recording;
use super::session::{Numbers, Opened, Session};
use super::trace;
use super::uploads::{Uploads, Wanted};
use crate::choker::{self, Choker};
use crate::layout::{BlockId, FileSpan, PieceIndex};
use crate::scheduler::{self, Input, Misbehaviour, Output, PeerId, Scheduler};
use crate::store::{StoreError, StoreEvent};
use crate::swarm::{PeerCommand, SwarmEvent, SwarmHandle};
use crate::units::{FOREVER, Timestamp};

/// Events of the swarm that are taken in one go, before the readers and the clock are looked at again.
const BATCH: usize = 128;

/// Blocks read for peers at a time.
const MOST_READS: usize = 4;

/// How long the swarm is left alone after a block could not be written.
const AFTER_LOSS: Duration = Duration::from_secs(1);

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) session: Arc<Session>,
    pub(super) opened: Arc<Opened>,
    pub(super) swarm: SwarmHandle,
    pub(super) swarm_events: mpsc::Receiver<SwarmEvent>,
    pub(super) store_events: mpsc::UnboundedReceiver<StoreEvent>,
    pub(super) choker: choker::Config,
    pub(super) seed: u64,
    pub(super) trace: Option<File>,
    pub(super) peer_timeout: Option<Duration>,
    /// The files to be fetched although nobody reads, unless something else was ordered.
    pub(super) background: Vec<usize>,
}

/// See the module's documentation.
pub(super) struct Driver {
    session: Arc<Session>,
    opened: Arc<Opened>,
    swarm: SwarmHandle,
    swarm_events: mpsc::Receiver<SwarmEvent>,
    store_events: mpsc::UnboundedReceiver<StoreEvent>,
    scheduler: Scheduler,
    scheduler_at: Timestamp,
    choker: Choker,
    choker_at: Timestamp,
    peers: HashMap<PeerId, Peer>,
    uploads: Uploads,
    reads: FuturesUnordered<BoxFuture<'static, Upload>>,
    /// A block that waits for room in the store's queue. While it does, the swarm is not listened to: so a slow disk slows
    /// the peers. Everything else goes on.
    writing: Option<Writing>,
    /// Pieces of which something has come and that are not verified yet.
    coming: HashSet<PieceIndex>,
    /// Until then the swarm is not listened to: what came last could not be written.
    held_until: Timestamp,
    readers: Vec<Followed>,
    readers_generation: u64,
    /// What is to be fetched although nobody reads, one after the other; the first is not whole.
    background: VecDeque<FileSpan>,
    /// What the scheduler was told of that.
    fetched: Option<FileSpan>,
    paused: bool,
    /// Requests of the moment in which it is paused: most are taken back in the same one.
    held: Option<Vec<(PeerId, BlockId)>>,
    /// When the next snapshot may be made.
    look_at: Timestamp,
    trace: Option<Recording>,
}

#[derive(Clone, Copy, Default)]
struct Peer {
    unchokes_us: bool,
    unchoked: bool,
}

struct Writing {
    peer: PeerId,
    block: BlockId,
    write: BoxFuture<'static, ()>,
}

struct Upload {
    peer: PeerId,
    wanted: Wanted,
    data: Result<Bytes, StoreError>,
}

/// A reader, and what the scheduler knows of it.
struct Followed {
    reader: OpenReader,
    told: (u64, bool),
    until: Option<u64>,
}

enum Event {
    Ending,
    Readers,
    Written,
    Timer,
    Store(StoreEvent),
    Upload(Upload),
    Swarm(SwarmEvent),
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { session, opened, swarm, swarm_events, store_events, choker, seed, trace, .. } = parts;
        let config = scheduler::Config { peer_timeout: parts.peer_timeout, ..scheduler::Config::default() };
        let layout = opened.door.layout().clone();
        let head = trace::Head { layout: layout.clone(), seed };
        let mut driver = Driver {
            scheduler: Scheduler::new(layout, config, seed),
            scheduler_at: Timestamp::ZERO,
            choker: Choker::new(choker, seed),
            choker_at: Timestamp::ZERO + FOREVER,
            peers: HashMap::new(),
            uploads: Uploads::default(),
            reads: FuturesUnordered::new(),
            writing: None,
            coming: HashSet::new(),
            held_until: Timestamp::ZERO,
            readers: Vec::new(),
            readers_generation: 0,
            background: VecDeque::new(),
            fetched: None,
            paused: false,
            held: None,
            look_at: Timestamp::ZERO,
            trace: trace.map(|file| Recording::new(file, &head)),
            session,
            opened,
            swarm,
            swarm_events,
            store_events,
        };
        driver.begin(&parts.background);
        driver
    }

    fn begin(&mut self, background: &[usize]) {
        let had = self.opened.store.had();
        if !had.is_none() {
            self.tell(Input::PiecesHad { pieces: had });
        }
        self.note_if_complete();
        self.set_background(background);
        self.follow_orders();
        self.follow_background();
    }

    /// Runs until `ending` says so, or its sender is gone.
    pub(super) async fn run(&mut self, ending: &mut watch::Receiver<bool>) {
        let timer = tokio::time::sleep_until(self.session.clock.instant_of(self.wake_at()));
        tokio::pin!(timer);
        loop {
            match self.next_event(&mut timer, ending).await {
                Event::Ending => return,
                Event::Readers => {}
                Event::Written => self.on_written(),
                Event::Timer => self.on_timer(),
                Event::Store(event) => self.on_store(event),
                Event::Upload(upload) => self.on_upload(upload),
                Event::Swarm(event) => {
                    self.on_swarm(event);
                    for _ in 1..BATCH {
                        if !self.is_listening() {
                            break;
                        }
                        match self.swarm_events.try_recv() {
                            Ok(event) => self.on_swarm(event),
                            Err(_) => break,
                        }
                    }
                }
            }
            self.follow_orders();
            self.follow_readers();
            self.start_uploads();
            self.show();
            self.session.note_rates(self.session.clock.now());
            self.session.numbers.take_over(self.scheduler.counts());
            let wake_at = self.session.clock.instant_of(self.wake_at());
            if timer.deadline() != wake_at {
                timer.as_mut().reset(wake_at);
            }
        }
    }

    async fn next_event(&mut self, timer: &mut Pin<&mut Sleep>, ending: &mut watch::Receiver<bool>) -> Event {
        let is_listening = self.is_listening();
        // A channel whose sender is gone is not waited for. In this order: what ends, what a viewer waits for, what makes room; and then all the rest of the world.
        tokio::select! {
            biased;
            _ = ending.wait_for(|&ending| ending) => Event::Ending,
            () = self.opened.door.rung() => Event::Readers,
            () = written(&mut self.writing), if self.writing.is_some() => Event::Written,
            Some(event) = self.store_events.recv() => Event::Store(event),
            () = timer => Event::Timer,
            Some(upload) = self.reads.next(), if !self.reads.is_empty() => Event::Upload(upload),
            Some(event) = self.swarm_events.recv(), if is_listening => Event::Swarm(event),
        }
    }

    fn is_listening(&self) -> bool {
        self.writing.is_none() && self.held_until == Timestamp::ZERO
    }

    fn wake_at(&self) -> Timestamp {
        let at = self.scheduler_at.min(self.choker_at);
        let at = if self.held_until == Timestamp::ZERO { at } else { at.min(self.held_until) };
        if self.session.looks.is_wanted() { at.min(self.look_at) } else { at }
    }

    /// One input, and all that follows from it.
    fn tell(&mut self, input: Input) {
        let now = self.session.clock.now();
        if let Some(trace) = &mut self.trace {
            trace.write(now, &input);
        }
        self.scheduler.handle_input(now, input);
        loop {
            match self.scheduler.poll_output(now) {
                Output::Request { peer, block } => match &mut self.held {
                    Some(held) => held.push((peer, block)),
                    None => self.swarm.command(peer, PeerCommand::Request(block)),
                },
                Output::Cancel { peer, block } => {
                    let held = self.held.as_mut();
                    let unsent = held.and_then(|held| {
                        let at = held.iter().position(|request| *request == (peer, block))?;
                        Some(held.swap_remove(at))
                    });
                    if unsent.is_none() {
                        self.swarm.command(peer, PeerCommand::Cancel(block));
                    }
                }
                Output::Interest { peer, interested } => {
                    self.swarm.command(peer, PeerCommand::Interest(interested));
                }
                Output::Drop { peer, why } => {
                    debug!(?peer, ?why, "dropping a peer");
                    self.swarm.command(peer, PeerCommand::Drop { banned: why == Misbehaviour::Lied });
                }
                Output::Verify { piece } => self.opened.store.verify(piece),
                Output::Timeout(at) => {
                    self.scheduler_at = at;
                    return;
                }
            }
        }
    }

    fn tell_choker(&mut self, input: choker::Input) {
        let now = self.session.clock.now();
        self.choker.handle_input(now, input);
        loop {
            let (peer, unchoked) = match self.choker.poll_output(now) {
                choker::Output::Unchoke { peer } => (peer, true),
                choker::Output::Choke { peer } => (peer, false),
                choker::Output::Timeout(at) => {
                    self.choker_at = at;
                    return;
                }
            };
            self.swarm.command(peer, PeerCommand::Choke(!unchoked));
            if let Some(peer) = self.peers.get_mut(&peer) {
                peer.unchoked = unchoked;
            }
            if !unchoked {
                self.uploads.forget(peer);
            }
        }
    }

    fn on_timer(&mut self) {
        let now = self.session.clock.now();
        if self.scheduler_at <= now {
            self.tell(Input::TimeoutReached);
        }
        if self.held_until <= now {
            self.held_until = Timestamp::ZERO;
        }
        if self.choker_at <= now {
            self.tell_choker(choker::Input::TimeoutReached);
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent) {
        match event {
            SwarmEvent::Metadata(_) => {}
            SwarmEvent::Connected { peer, latency, .. } => {
                self.peers.insert(peer, Peer::default());
                self.tell(Input::PeerConnected { peer, latency });
                self.tell_choker(choker::Input::PeerConnected { peer });
            }
            SwarmEvent::QueueLimit { peer, limit } => self.tell(Input::PeerQueueLimit { peer, limit }),
            SwarmEvent::Bitfield { peer, have } => self.tell(Input::PeerBitfield { peer, have }),
            SwarmEvent::Have { peer, piece } => self.tell(Input::PeerHave { peer, piece }),
            SwarmEvent::Choked { peer } => {
                self.note_unchoking(peer, false);
                self.tell(Input::PeerChoked { peer });
            }
            SwarmEvent::Unchoked { peer } => {
                self.note_unchoking(peer, true);
                self.tell(Input::PeerUnchoked { peer });
            }
            SwarmEvent::Rejected { peer, block } => self.tell(Input::RequestRejected { peer, block }),
            SwarmEvent::Block { peer, block, data } => self.on_block(peer, block, data),
            SwarmEvent::Interested { peer, interested } => {
                self.tell_choker(choker::Input::PeerInterested { peer, interested });
            }
            SwarmEvent::Wanted { peer, piece, begin, length } => {
                self.on_wanted(peer, Wanted { piece, begin, length });
            }
            SwarmEvent::Unwanted { peer, piece, begin, length } => {
                self.uploads.remove(peer, Wanted { piece, begin, length });
            }
            SwarmEvent::Left { peer } => {
                self.note_unchoking(peer, false);
                self.peers.remove(&peer);
                self.uploads.forget(peer);
                self.tell(Input::PeerLeft { peer });
                self.tell_choker(choker::Input::PeerLeft { peer });
            }
        }
    }

    fn note_unchoking(&mut self, peer: PeerId, unchokes_us: bool) {
        let Some(peer) = self.peers.get_mut(&peer) else { return };
        if peer.unchokes_us != unchokes_us {
            peer.unchokes_us = unchokes_us;
            let unchoking = &self.session.numbers.unchoking;
            if unchokes_us {
                unchoking.fetch_add(1, Ordering::Relaxed);
            } else {
                unchoking.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// The bytes go to the store first, so that a `Verify` that follows is behind them in its queue.
    fn on_block(&mut self, peer: PeerId, block: BlockId, data: Bytes) {
        let bytes = data.len() as u32;
        Numbers::add(&self.session.numbers.received, u64::from(bytes));
        if !self.scheduler.wants(block) {
            return self.tell(Input::BlockArrived { peer, block });
        }
        // Nobody buys our upload with what we have, or have not asked for.
        self.tell_choker(choker::Input::BlockReceived { peer, bytes });
        self.coming.insert(block.piece);
        let store = self.opened.store.clone();
        let mut write: BoxFuture<'static, ()> = Box::pin(async move { store.write(block, data).await });
        match (&mut write).now_or_never() {
            Some(()) => self.tell(Input::BlockArrived { peer, block }),
            None => self.writing = Some(Writing { peer, block, write }),
        }
    }

    fn on_written(&mut self) {
        if let Some(Writing { peer, block, .. }) = self.writing.take() {
            self.tell(Input::BlockArrived { peer, block });
        }
    }

    fn on_store(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Verified { piece, lies } => self.on_verified(piece, lies),
            StoreEvent::Failed { piece } => {
                debug!(piece = piece.0, "a piece has the wrong hash");
                self.tell(Input::PieceFailed { piece });
            }
            StoreEvent::Compared { block, differs } => self.tell(Input::BlockCompared { block, differs }),
            StoreEvent::Lost { block } => {
                // It will be asked for again, at the speed of the line, while the disk may stay full for long.
                self.held_until = self.session.clock.now() + AFTER_LOSS;
                self.tell(Input::BlockLost { block });
            }
            StoreEvent::Broken(cause) => {
                warn!("{cause}");
                self.session.set_trouble(Some(cause.to_string()));
            }
        }
    }

    fn on_verified(&mut self, piece: PieceIndex, lies: Vec<(u32, u32)>) {
        if !self.opened.door.has(piece) {
            let range = self.opened.door.layout().piece_range(piece);
            let numbers = &self.session.numbers;
            // What an earlier run left, and was only now looked at, has not been downloaded in this one.
            if self.coming.remove(&piece) {
                Numbers::add(&numbers.verified, range.end - range.start);
            }
            Numbers::add(&numbers.chosen_had, overlap(&range, &self.opened.chosen().range()));
            numbers.left.fetch_sub(range.end - range.start, Ordering::Relaxed);
            // The disk takes what it is given (again).
            self.session.set_trouble(None);
        }
        // The reader first: it can be served while the swarm is told.
        self.opened.door.on_verified(piece);
        self.tell(Input::PieceVerified { piece, lies });
        self.swarm.announce_have(piece);
        self.note_if_complete();
        self.follow_background();
    }

    fn note_if_complete(&mut self) {
        if self.scheduler.had().is_all() {
            self.tell_choker(choker::Input::Complete);
        }
    }

    fn on_wanted(&mut self, peer: PeerId, wanted: Wanted) {
        let is_unchoked = self.peers.get(&peer).is_some_and(|peer| peer.unchoked);
        if is_unchoked && self.opened.door.has(wanted.piece) {
            self.uploads.add(peer, wanted);
        }
    }

    fn start_uploads(&mut self) {
        while self.reads.len() < MOST_READS {
            let Some((peer, wanted)) = self.uploads.next() else { return };
            let Some(range) = wanted.range(self.opened.door.layout()) else { continue };
            let store = self.opened.store.clone();
            self.reads.push(Box::pin(async move { Upload { peer, wanted, data: store.read(range).await } }));
        }
    }

    fn on_upload(&mut self, Upload { peer, wanted, data }: Upload) {
        let data = match data {
            Ok(data) if data.len() == wanted.length as usize => data,
            unread => {
                if let Err(cause) = unread {
                    warn!("a block that a peer wants cannot be read: {cause}");
                }
                let Wanted { piece, begin, length } = wanted;
                return self.swarm.command(peer, PeerCommand::Refuse { piece, begin, length });
            }
        };
        if !self.peers.get(&peer).is_some_and(|peer| peer.unchoked) {
            return;
        }
        Numbers::add(&self.session.numbers.sent, data.len() as u64);
        self.swarm.command(peer, PeerCommand::Send { piece: wanted.piece, begin: wanted.begin, data });
        self.tell_choker(choker::Input::BlockSent { peer, bytes: wanted.length });
    }

    /// Writes what a trace still holds.
    pub(super) fn finish(mut self) {
        if let Some(trace) = &mut self.trace {
            trace.flush();
        }
    }
}

async fn written(writing: &mut Option<Writing>) {
    if let Some(writing) = writing {
        (&mut writing.write).await;
    }
}
