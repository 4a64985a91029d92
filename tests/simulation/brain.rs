//! Whoever decides which block is asked of whom: the real scheduler, or the baseline that shows what the assertions
//! are worth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, FileSpan, Layout, PieceIndex};
use peerflix::scheduler::{Config, Input, Output, PeerId, ReaderId, Scheduler};
use peerflix::units::Timestamp;

pub trait Brain {
    fn handle_input(&mut self, now: Timestamp, input: Input);
    fn poll_output(&mut self, now: Timestamp) -> Output;
    /// Whether a block that has come belongs onto the disk. Asked before it is told of it.
    fn wants(&self, block: BlockId) -> bool;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mind {
    Scheduler,
    Baseline,
}

impl Mind {
    pub fn wake(self, layout: Layout, seed: u64) -> Box<dyn Brain> {
        match self {
            Mind::Scheduler => Box::new(Scheduler::new(layout, Config::default(), seed)),
            Mind::Baseline => Box::new(Baseline::new(layout)),
        }
    }
}

/// The obvious scheduler: the lowest missing block from the newest reader's head on, to any peer with fewer than five
/// in flight; never cancelled, never asked of two. It keeps the contract and none of the promises.
pub struct Baseline {
    layout: Layout,
    peers: BTreeMap<PeerId, Peer>,
    readers: BTreeMap<ReaderId, (FileSpan, u64)>,
    background: Vec<FileSpan>,
    /// Neither here nor in flight anywhere.
    missing: BTreeSet<BlockId>,
    /// Blocks of each piece that have not come.
    owed: BTreeMap<PieceIndex, BTreeSet<u32>>,
    outputs: std::collections::VecDeque<Output>,
}

struct Peer {
    choking: bool,
    have: Bitfield,
    in_flight: BTreeSet<BlockId>,
}

const DEPTH: usize = 5;

impl Baseline {
    pub fn new(layout: Layout) -> Self {
        let mut missing = BTreeSet::new();
        let mut owed: BTreeMap<PieceIndex, BTreeSet<u32>> = BTreeMap::new();
        for piece in (0..layout.pieces()).map(PieceIndex) {
            for block in 0..layout.blocks_in(piece) {
                if !layout.is_padding(BlockId { piece, block }) {
                    missing.insert(BlockId { piece, block });
                    owed.entry(piece).or_default().insert(block);
                }
            }
        }
        Baseline {
            layout,
            peers: BTreeMap::new(),
            readers: BTreeMap::new(),
            background: Vec::new(),
            missing,
            owed,
            outputs: Default::default(),
        }
    }

    fn forget(&mut self, peer: PeerId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            for block in std::mem::take(&mut peer.in_flight) {
                if self.owed.get(&block.piece).is_some_and(|owed| owed.contains(&block.block)) {
                    self.missing.insert(block);
                }
            }
        }
    }

    fn fill(&mut self) {
        let wanted: Vec<_> = self
            .readers
            .values()
            .rev()
            .map(|(span, head)| *head..span.end())
            .chain(self.background.iter().map(|span| span.range()))
            .collect();
        for (id, peer) in &mut self.peers {
            while !peer.choking && peer.in_flight.len() < DEPTH {
                let next = wanted.iter().find_map(|range| {
                    let pieces = self.layout.pieces_of(range.clone());
                    let start = BlockId { piece: PieceIndex(pieces.start), block: 0 };
                    let end = BlockId { piece: PieceIndex(pieces.end), block: 0 };
                    self.missing
                        .range(start..end.max(start))
                        .find(|block| peer.have.has(block.piece))
                        .copied()
                });
                let Some(block) = next else { break };
                self.missing.remove(&block);
                peer.in_flight.insert(block);
                self.outputs.push_back(Output::Request { peer: *id, block });
            }
        }
    }
}

impl Brain for Baseline {
    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        match input {
            Input::PeerConnected { peer, .. } => {
                let have = Bitfield::none(self.layout.pieces());
                self.peers.insert(peer, Peer { choking: true, have, in_flight: BTreeSet::new() });
            }
            Input::PeerBitfield { peer, have } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.have = have;
                }
            }
            Input::PeerHave { peer, piece } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.have.insert(piece);
                }
            }
            Input::PeerChoked { peer } => {
                self.forget(peer);
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.choking = true;
                }
            }
            Input::PeerUnchoked { peer } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.choking = false;
                }
            }
            Input::RequestRejected { peer, block } => {
                if self.peers.get_mut(&peer).is_some_and(|peer| peer.in_flight.remove(&block)) {
                    self.missing.insert(block);
                }
            }
            Input::PeerLeft { peer } => {
                self.forget(peer);
                self.peers.remove(&peer);
            }
            Input::BlockArrived { peer, block } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.in_flight.remove(&block);
                }
                self.missing.remove(&block);
                if let Some(owed) = self.owed.get_mut(&block.piece)
                    && owed.remove(&block.block)
                    && owed.is_empty()
                {
                    self.outputs.push_back(Output::Verify { piece: block.piece });
                }
            }
            Input::BlockLost { block } => {
                self.missing.insert(block);
                self.owed.entry(block.piece).or_default().insert(block.block);
            }
            Input::PieceFailed { piece } => {
                for block in 0..self.layout.blocks_in(piece) {
                    if !self.layout.is_padding(BlockId { piece, block }) {
                        self.missing.insert(BlockId { piece, block });
                        self.owed.entry(piece).or_default().insert(block);
                    }
                }
            }
            Input::PiecesHad { pieces } => {
                self.missing.retain(|block| !pieces.has(block.piece));
                self.owed.retain(|piece, _| !pieces.has(*piece));
            }
            Input::ReaderOpened { reader, span, head, .. } => {
                self.readers.insert(reader, (span, head));
            }
            Input::ReaderMoved { reader, head, .. } => {
                if let Some(reader) = self.readers.get_mut(&reader) {
                    reader.1 = head;
                }
            }
            Input::ReaderClosed { reader } => {
                self.readers.remove(&reader);
            }
            Input::BackgroundWanted { span } => self.background.push(span),
            Input::BackgroundUnwanted { span } => self.background.retain(|other| *other != span),
            Input::PeerQueueLimit { .. }
            | Input::ReaderBounded { .. }
            | Input::BlockCompared { .. }
            | Input::PieceVerified { .. }
            | Input::TimeoutReached => {}
        }
        self.fill();
    }

    fn poll_output(&mut self, now: Timestamp) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Timeout(now + Duration::from_secs(60)))
    }

    fn wants(&self, block: BlockId) -> bool {
        self.owed.get(&block.piece).is_some_and(|owed| owed.contains(&block.block))
    }
}

impl Brain for Scheduler {
    fn handle_input(&mut self, now: Timestamp, input: Input) {
        Scheduler::handle_input(self, now, input);
    }

    fn poll_output(&mut self, now: Timestamp) -> Output {
        Scheduler::poll_output(self, now)
    }

    fn wants(&self, block: BlockId) -> bool {
        Scheduler::wants(self, block)
    }
}
