//! Which block, of which peer, when: the heart. Pure: it is told what happened and what time it is, and answers with
//! what to do. The algorithm is told in prose in docs/scheduler.md.

mod contract;
mod estimate;
mod hot_swap;
mod line;
mod peer;
mod picker;
mod plan;
mod progress;
mod queries;
mod rarity;
mod reader;
mod suspects;
mod trade;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::bitfield::Bitfield;
use crate::layout::{BlockId, FileSpan, Layout, PieceIndex};
use crate::units::{ByteRate, Timestamp};

pub use contract::{Config, Counts, Input, Misbehaviour, Output, PeerId, PeerPace, ReaderId};

use line::Line;
use peer::Peer;
use plan::Plan;
use progress::Progress;
use rarity::Rarity;
use reader::Reader;

/// A peer is told that nothing of it is wanted when that has been so for this long. It will choke us then, and be slow to
/// change its mind; and a player that seeks closes one connection before it opens the next.
const INTEREST_LASTS: Duration = Duration::from_secs(10);

/// The heart. Told what happened by [`handle_input`](Self::handle_input), drained by
/// [`poll_output`](Self::poll_output) until it answers [`Output::Timeout`].
#[derive(Debug)]
pub struct Scheduler {
    layout: Layout,
    config: Config,
    /// Pieces whose hash is right.
    had: Bitfield,
    /// Ascending by id.
    peers: Vec<Peer>,
    /// The oldest first.
    readers: Vec<Reader>,
    background: Vec<FileSpan>,
    /// Pieces begun and not finished.
    begun: BTreeMap<PieceIndex, Progress>,
    /// Of those, the ones beyond all windows with something to ask for.
    left_open: BTreeSet<PieceIndex>,
    /// Of those, the ones whose hash was wrong.
    failed: BTreeSet<PieceIndex>,
    plan: Plan,
    rarity: Rarity,
    line: Line,
    in_flight: u32,
    /// What a block alone takes, over all peers, weighted by what each brings.
    round_trip: Duration,
    /// Changes whenever a peer for which there was nothing to do should be looked at again.
    epoch: u64,
    /// Missing pieces within the background and the readers' files.
    wanted: u32,
    /// Since when nothing has been wanted; whether that is so long that peers have been told.
    idle_since: Option<Timestamp>,
    is_idle: bool,
    counts: Counts,
    /// Blocks asked of a second peer while the first was thought to be sending them.
    duplicates: u64,
    /// When late blocks are looked for again at the soonest.
    late_again_at: Timestamp,
    outputs: VecDeque<Output>,
    next_look_at: Timestamp,
}

impl Scheduler {
    /// A scheduler that has nothing, knows nobody and wants nothing. `seed` is all the chance there is in it.
    pub fn new(layout: Layout, config: Config, seed: u64) -> Self {
        let pieces = layout.pieces();
        Scheduler {
            had: Bitfield::none(pieces),
            peers: Vec::new(),
            readers: Vec::new(),
            background: Vec::new(),
            begun: BTreeMap::new(),
            left_open: BTreeSet::new(),
            failed: BTreeSet::new(),
            plan: Plan::default(),
            rarity: Rarity::new(pieces, seed),
            line: Line::new(),
            in_flight: 0,
            round_trip: Duration::from_millis(100),
            epoch: 1,
            wanted: 0,
            idle_since: None,
            is_idle: false,
            counts: Counts::default(),
            duplicates: 0,
            late_again_at: Timestamp::ZERO,
            outputs: VecDeque::new(),
            next_look_at: Timestamp::ZERO,
            layout,
            config,
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The pieces whose hash is right.
    pub fn had(&self) -> &Bitfield {
        &self.had
    }

    pub fn counts(&self) -> Counts {
        Counts { in_flight: self.in_flight, ..self.counts }
    }

    /// Whether a block that has come belongs into the store. To be asked before `Input::BlockArrived`, and the block
    /// written only if so: what we have must not be overwritten.
    pub fn wants(&self, block: BlockId) -> bool {
        self.begun.get(&block.piece).is_some_and(|progress| progress.wants(block.block))
    }

    /// Takes in one thing that happened. Never fails, never waits. What is impossible (a peer that is not there, a piece
    /// that the torrent does not have) is ignored.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::PeerConnected { peer, latency } => self.on_connected(peer, latency),
            Input::PeerQueueLimit { peer, limit } => {
                if let Some(peer) = self.peer_mut(peer) {
                    peer.queue_limit = limit;
                }
            }
            Input::PeerBitfield { peer, have } => self.on_bitfield(peer, have),
            Input::PeerHave { peer, piece } => self.on_have(peer, piece),
            Input::PeerChoked { peer } => {
                self.release_all(now, peer);
                if let Some(peer) = self.peer_mut(peer) {
                    peer.choking = true;
                    // Who chokes us may be silent, also if it was silent before.
                    peer.owing_since = None;
                }
            }
            Input::PeerUnchoked { peer } => {
                if let Some(peer) = self.peer_mut(peer) {
                    peer.choking = false;
                    peer.idle_epoch = 0;
                }
            }
            Input::RequestRejected { peer, block } => {
                self.release(now, peer, block);
                if let Some(peer) = self.peer_mut(peer) {
                    peer.on_rejected(block);
                }
            }
            Input::PeerLeft { peer } => self.on_left(now, peer),
            Input::BlockArrived { peer, block } => self.on_block(now, peer, block),
            Input::BlockLost { block } => {
                if let Some(progress) = self.begun.get_mut(&block.piece) {
                    progress.verifying = false;
                    progress.on_lost(block.block);
                    self.note_open(block.piece);
                }
            }
            Input::BlockCompared { block, differs } => self.on_compared(block, differs),
            Input::PieceVerified { piece, lies } => self.on_verified(now, piece, &lies),
            Input::PieceFailed { piece } => self.on_failed(now, piece),
            Input::PiecesHad { pieces } => self.on_had(now, &pieces),
            Input::ReaderOpened { reader, span, head, rate, until } => {
                let rate = rate.map_or(self.config.reader_rate, |rate| ByteRate::new(f64::from(rate)));
                let mut reader = Reader::new(now, reader, span, head, rate);
                reader.bound(until);
                self.readers.push(reader);
                self.count_wanted();
                self.replan(now);
            }
            Input::ReaderBounded { reader, until } => {
                if let Some(reader) = self.readers.iter_mut().find(|other| other.id == reader) {
                    reader.bound(until);
                    self.replan(now);
                }
            }
            Input::ReaderMoved { reader, head, waiting } => self.on_reader_moved(now, reader, head, waiting),
            Input::ReaderClosed { reader } => {
                self.readers.retain(|other| other.id != reader);
                self.count_wanted();
                self.replan(now);
            }
            Input::BackgroundWanted { span } => {
                self.background.push(span);
                self.count_wanted();
                self.epoch += 1;
            }
            Input::BackgroundUnwanted { span } => {
                if let Some(at) = self.background.iter().position(|&other| other == span) {
                    self.background.remove(at);
                }
                self.count_wanted();
                self.cancel_unwanted(now);
            }
            Input::TimeoutReached => self.look_around(now),
        }
        self.fill(now);
        self.hot_swap(now);
    }

    /// The next thing to do; `Timeout` means nothing more until then, or until the next input.
    pub fn poll_output(&mut self, now: Timestamp) -> Output {
        match self.outputs.pop_front() {
            Some(output) => output,
            None => Output::Timeout(self.next_look(now)),
        }
    }

    fn peer_at(&self, id: PeerId) -> Option<usize> {
        self.peers.binary_search_by_key(&id, |peer| peer.id).ok()
    }

    fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        let at = self.peer_at(id)?;
        self.peers.get_mut(at)
    }

    fn on_connected(&mut self, id: PeerId, latency: Option<Duration>) {
        if let Err(at) = self.peers.binary_search_by_key(&id, |peer| peer.id) {
            self.peers.insert(at, Peer::new(id, latency, self.layout.pieces()));
        }
    }

    fn on_bitfield(&mut self, id: PeerId, have: Bitfield) {
        let Some(at) = self.peer_at(id) else { return };
        if have.pieces() != self.layout.pieces() {
            return;
        }
        self.rarity.on_gone(&self.peers[at].have);
        self.rarity.on_bitfield(&have);
        let words = (have.pieces() as usize).div_ceil(64);
        let peer = &mut self.peers[at];
        peer.offers = (0..words).map(|i| (have.word(i) & !self.had.word(i)).count_ones()).sum();
        peer.have = have;
        peer.idle_epoch = 0;
        self.tell_interest(at);
    }

    fn on_have(&mut self, id: PeerId, piece: PieceIndex) {
        let Some(at) = self.peer_at(id) else { return };
        let peer = &mut self.peers[at];
        if !peer.have.insert(piece) {
            return;
        }
        peer.gained = true;
        peer.idle_epoch = 0;
        if peer.have.is_all() {
            // Seeds are not counted piece by piece: all but the newest of its pieces were.
            let all_but_one = {
                let mut have = peer.have.clone();
                have.remove(piece);
                have
            };
            self.rarity.on_gone(&all_but_one);
        } else {
            self.rarity.on_have(piece);
        }
        if !self.had.has(piece) {
            self.peers[at].offers += 1;
            self.tell_interest(at);
        }
    }

    fn tell_interest(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        let interested = peer.offers > 0 && !self.is_idle;
        // A peer that has told nothing yet may still turn out to have everything.
        if interested != peer.interested && (interested || !peer.have.is_none() || self.is_idle) {
            peer.interested = interested;
            self.outputs.push_back(Output::Interest { peer: peer.id, interested });
        }
    }

    fn on_left(&mut self, now: Timestamp, id: PeerId) {
        self.release_all(now, id);
        if let Some(at) = self.peer_at(id) {
            let peer = self.peers.remove(at);
            self.rarity.on_gone(&peer.have);
            for progress in self.begun.values_mut().filter(|progress| progress.parole == Some(id)) {
                progress.parole = None;
            }
        }
    }

    /// Nothing that the peer was asked for will come: all of it is to be asked of others.
    fn release_all(&mut self, now: Timestamp, id: PeerId) {
        let Some(at) = self.peer_at(id) else { return };
        while let Some(flying) = self.peers[at].queue.back().copied() {
            self.release(now, id, flying.block);
        }
    }

    /// The peer no longer owes the block.
    fn release(&mut self, now: Timestamp, id: PeerId, block: BlockId) {
        let Some(peer) = self.peer_mut(id) else { return };
        if !peer.forget(now, block) {
            return;
        }
        self.in_flight -= 1;
        if self.begun.get_mut(&block.piece).is_some_and(|progress| progress.on_released(block.block, id)) {
            self.note_open(block.piece);
        }
    }

    /// Takes a request back.
    fn cancel(&mut self, now: Timestamp, id: PeerId, block: BlockId) {
        self.release(now, id, block);
        self.outputs.push_back(Output::Cancel { peer: id, block });
    }

    /// A piece has something to ask for again: peers for which there was nothing to do may be looked at again.
    fn note_open(&mut self, piece: PieceIndex) {
        self.epoch += 1;
        if self.begun.get(&piece).is_some_and(|progress| progress.deadline.is_none() && progress.open() > 0) {
            self.left_open.insert(piece);
        }
    }

    fn on_block(&mut self, now: Timestamp, id: PeerId, block: BlockId) {
        let size = self.layout.block_size(block);
        self.line.on_bytes(now, size);
        let late = self.peer_mut(id).and_then(|peer| peer.on_answer(now, block, size));
        late.into_iter().for_each(|seconds| self.line.on_late(seconds));
        let was_asked = late.is_some();
        self.in_flight -= u32::from(was_asked);
        if let Some(peer) = self.peer_mut(id) {
            peer.idle_epoch = 0;
        }
        let Some(progress) = self.begun.get_mut(&block.piece).filter(|progress| progress.wants(block.block))
        else {
            self.counts.wasted += u64::from(size);
            if was_asked && self.begun.get_mut(&block.piece).is_some_and(|p| p.on_released(block.block, id)) {
                self.note_open(block.piece);
            }
            return;
        };
        self.counts.blocks += 1;
        let late = progress.on_arrived(block.block, id);
        let is_complete = progress.missing() == 0;
        if is_complete {
            progress.verifying = true;
            self.outputs.push_back(Output::Verify { piece: block.piece });
        }
        if progress.open() == 0 {
            self.left_open.remove(&block.piece);
        }
        for other in late {
            if let Some(peer) = self.peer_mut(other)
                && peer.forget(now, block)
            {
                self.in_flight -= 1;
                self.outputs.push_back(Output::Cancel { peer: other, block });
            }
        }
    }

    fn on_verified(&mut self, now: Timestamp, piece: PieceIndex, lies: &[(u32, u32)]) {
        if !self.had.insert(piece) {
            return;
        }
        self.counts.verified_pieces += 1;
        self.left_open.remove(&piece);
        self.failed.remove(&piece);
        self.wanted -= u32::from(self.is_wanted(piece) && self.wanted > 0);
        if let Some(progress) = self.begun.remove(&piece) {
            self.settle(now, progress, lies);
        }
        for at in 0..self.peers.len() {
            let peer = &mut self.peers[at];
            if peer.have.has(piece) {
                peer.offers = peer.offers.saturating_sub(1);
            }
            self.tell_interest(at);
        }
        self.replan(now);
    }

    fn on_had(&mut self, now: Timestamp, pieces: &Bitfield) {
        for piece in pieces.iter() {
            self.had.insert(piece);
            self.left_open.remove(&piece);
            self.failed.remove(&piece);
            if let Some(progress) = self.begun.remove(&piece) {
                self.cancel_all_of(now, &progress);
            }
        }
        let words = (self.layout.pieces() as usize).div_ceil(64);
        self.count_wanted();
        for at in 0..self.peers.len() {
            let peer = &mut self.peers[at];
            peer.offers = (0..words).map(|i| (peer.have.word(i) & !self.had.word(i)).count_ones()).sum();
            self.tell_interest(at);
        }
        self.replan(now);
    }

    fn cancel_all_of(&mut self, now: Timestamp, progress: &Progress) {
        for (block, state) in (0..).zip(&progress.blocks) {
            for &id in &state.asked_of {
                self.cancel(now, id, BlockId { piece: progress.piece, block });
            }
        }
    }

    fn on_reader_moved(&mut self, now: Timestamp, id: ReaderId, head: u64, waiting: bool) {
        let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == id) else { return };
        let before =
            (self.layout.piece_at(reader.head.min(self.layout.total().saturating_sub(1))), reader.waiting);
        let jumped = reader.on_moved(now, head, waiting);
        let after = (self.layout.piece_at(reader.head.min(self.layout.total().saturating_sub(1))), waiting);
        if jumped || before != after || self.plan.is_old(now) {
            self.replan(now);
        }
        if waiting && (jumped || !before.1 || before.0 != after.0) {
            self.make_way(now);
            self.late_again_at = now;
        }
    }

    fn is_wanted(&self, piece: PieceIndex) -> bool {
        let range = self.layout.piece_range(piece);
        let spans = self.background.iter().copied().chain(self.readers.iter().map(|reader| reader.span));
        spans.into_iter().any(|span| span.length > 0 && span.offset < range.end && range.start < span.end())
    }

    fn count_wanted(&mut self) {
        let mut ranges: Vec<_> =
            self.background.iter().copied().chain(self.readers.iter().map(|r| r.span)).collect();
        ranges.sort_unstable_by_key(|span| span.offset);
        let (mut wanted, mut next) = (0, 0);
        for span in ranges {
            let pieces = self.layout.pieces_of(span.range());
            let new = pieces.start.max(next)..pieces.end;
            wanted += (new.len() as u32).saturating_sub(self.had.count_in(new));
            next = next.max(pieces.end);
        }
        self.wanted = wanted;
        if wanted > 0 {
            self.idle_since = None;
            self.set_idle(false);
        }
    }

    fn set_idle(&mut self, is_idle: bool) {
        if std::mem::replace(&mut self.is_idle, is_idle) != is_idle {
            (0..self.peers.len()).for_each(|at| self.tell_interest(at));
        }
    }

    /// What only time brings about: silent peers, late blocks, readers that went on.
    fn look_around(&mut self, now: Timestamp) {
        self.snub_the_silent(now);
        self.attend_failed(now);
        self.weigh_round_trip();
        self.help_out(now);
        if self.wanted == 0 && now.since(*self.idle_since.get_or_insert(now)) >= INTEREST_LASTS {
            self.set_idle(true);
        }
        if self.plan.is_old(now) {
            self.replan(now);
        }
    }

    /// When something may have to be done although nothing happens.
    fn next_look(&mut self, now: Timestamp) -> Timestamp {
        let pause = if self.in_flight == 0 && self.readers.is_empty() {
            Duration::from_secs(10)
        } else if self.in_flight > 0 && self.is_someone_waiting() {
            hot_swap::WATCH_EVERY
        } else {
            Duration::from_millis(250)
        };
        // Inputs must not push the next look away.
        if self.next_look_at <= now || self.next_look_at > now + pause {
            self.next_look_at = now + pause;
        }
        self.next_look_at
    }

    fn is_someone_waiting(&self) -> bool {
        self.readers.iter().any(|reader| reader.waiting)
    }
}

#[cfg(test)]
mod tests;
