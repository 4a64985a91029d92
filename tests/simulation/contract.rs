//! Stands between a world and a scheduler, hands everything through, and ends the test at the first output that breaks
//! the core's contract (docs/architecture.md).

use std::collections::{BTreeMap, BTreeSet};

use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, FileSpan, Layout, PieceIndex};
use peerflix::scheduler::{Input, Output, PeerId, ReaderId};
use peerflix::units::Timestamp;

use crate::brain::Brain;

/// More outputs than this after one input is a scheduler that runs in a circle: it is more than all the blocks that
/// any of these worlds could have in flight.
const MOST_OUTPUTS: usize = 50_000;
/// So often in a row may a `Timeout` name a moment that is not in the future.
const MOST_SPINS: u32 = 20;

pub struct Checked {
    brain: Box<dyn Brain>,
    story: String,
    log: bool,
    layout: Layout,
    /// By `PeerId`; `None` before it came and after it left.
    peers: Vec<Option<Peer>>,
    readers: BTreeMap<ReaderId, FileSpan>,
    background: Vec<FileSpan>,
    blocks_a_piece: usize,
    /// By piece and block: some version of it is on disk.
    on_disk: Vec<bool>,
    verified: Bitfield,
    verifying: Bitfield,
    /// Their hash was wrong: their blocks may be asked for again.
    suspect: Bitfield,
    spins: u32,
    /// FNV-1a over every output but the timeouts, with its time.
    trace: u64,
    pub requests: u64,
    pub cancels: u64,
}

struct Peer {
    choking: bool,
    dropped: bool,
    interested: bool,
    limit: usize,
    have: Bitfield,
    in_flight: BTreeSet<BlockId>,
}

impl Checked {
    pub fn new(brain: Box<dyn Brain>, layout: Layout, story: String, log: bool) -> Self {
        let pieces = layout.pieces();
        let blocks_a_piece = layout.blocks_in(PieceIndex(0)).max(1) as usize;
        Checked {
            brain,
            story,
            log,
            peers: Vec::new(),
            readers: BTreeMap::new(),
            background: Vec::new(),
            blocks_a_piece,
            on_disk: vec![false; blocks_a_piece * pieces as usize],
            verified: Bitfield::none(pieces),
            verifying: Bitfield::none(pieces),
            suspect: Bitfield::none(pieces),
            layout,
            spins: 0,
            trace: 0xcbf2_9ce4_8422_2325,
            requests: 0,
            cancels: 0,
        }
    }

    pub fn trace(&self) -> u64 {
        self.trace
    }

    pub fn wants(&self, block: BlockId) -> bool {
        self.brain.wants(block)
    }

    /// Gives the input to the scheduler and drains it. What it wants done, and when it wants to be woken.
    pub fn tell(&mut self, now: Timestamp, input: Input) -> (Vec<Output>, Timestamp) {
        if self.log {
            match &input {
                Input::PeerBitfield { peer, have } => {
                    eprintln!(
                        "{} <- PeerBitfield {{ {peer:?}, {} of {} }}",
                        show(now),
                        have.count(),
                        have.pieces()
                    );
                }
                Input::PiecesHad { pieces } => eprintln!("{} <- PiecesHad {}", show(now), pieces.count()),
                input => eprintln!("{} <- {input:?}", show(now)),
            }
        }
        self.on_input(now, &input);
        self.brain.handle_input(now, input);
        let mut outputs = Vec::new();
        loop {
            let output = self.brain.poll_output(now);
            if self.log {
                eprintln!("{}      -> {output:?}", show(now));
            }
            if let Output::Timeout(at) = output {
                self.spins = if at > now { 0 } else { self.spins + 1 };
                self.check(now, self.spins <= MOST_SPINS, || format!("it never waits: {at:?}"));
                return (outputs, at.max(now));
            }
            self.on_output(now, &output);
            outputs.push(output);
            self.check(now, outputs.len() <= MOST_OUTPUTS, || "there is no end of outputs".to_string());
        }
    }

    fn on_input(&mut self, now: Timestamp, input: &Input) {
        let pieces = self.layout.pieces();
        match input {
            Input::PeerConnected { peer, .. } => {
                let index = peer.0 as usize;
                if self.peers.len() <= index {
                    self.peers.resize_with(index + 1, || None);
                }
                self.peers[index] = Some(Peer {
                    choking: true,
                    dropped: false,
                    interested: true,
                    limit: 250,
                    have: Bitfield::none(pieces),
                    in_flight: BTreeSet::new(),
                });
            }
            Input::PeerQueueLimit { peer, limit } => self.peer(now, *peer).limit = *limit as usize,
            Input::PeerBitfield { peer, have } => self.peer(now, *peer).have = have.clone(),
            Input::PeerHave { peer, piece } => {
                self.peer(now, *peer).have.insert(*piece);
            }
            Input::PeerChoked { peer } => {
                let peer = self.peer(now, *peer);
                peer.choking = true;
                peer.in_flight.clear();
            }
            Input::PeerUnchoked { peer } => self.peer(now, *peer).choking = false,
            Input::RequestRejected { peer, block } => {
                self.peer(now, *peer).in_flight.remove(block);
            }
            Input::PeerLeft { peer } => self.peers[peer.0 as usize] = None,
            Input::BlockArrived { peer, block } => {
                self.peer(now, *peer).in_flight.remove(block);
                let at = self.index(*block);
                self.on_disk[at] = true;
            }
            Input::BlockLost { block } => {
                let at = self.index(*block);
                self.on_disk[at] = false;
                self.verifying.remove(block.piece);
            }
            Input::BlockCompared { .. } => {}
            Input::PieceVerified { piece, .. } => {
                self.verified.insert(*piece);
                self.verifying.remove(*piece);
            }
            Input::PieceFailed { piece } => {
                self.suspect.insert(*piece);
                self.verifying.remove(*piece);
            }
            Input::PiecesHad { pieces } => {
                for piece in pieces.iter() {
                    self.verified.insert(piece);
                }
            }
            Input::ReaderOpened { reader, span, .. } => {
                self.readers.insert(*reader, *span);
            }
            Input::ReaderMoved { .. } | Input::ReaderBounded { .. } => {}
            Input::ReaderClosed { reader } => {
                self.readers.remove(reader);
            }
            Input::BackgroundWanted { span } => self.background.push(*span),
            Input::BackgroundUnwanted { span } => self.background.retain(|other| other != span),
            Input::TimeoutReached => {}
        }
    }

    fn on_output(&mut self, now: Timestamp, output: &Output) {
        match *output {
            Output::Request { peer, block } => {
                self.requests += 1;
                self.note(now, [1, peer.0, block.piece.0, block.block]);
                let size = self.layout.block_size(block);
                self.check(now, size > 0, || format!("{block:?} does not exist"));
                self.check(now, !self.layout.is_padding(block), || format!("{block:?} is padding"));
                let verified = self.verified.has(block.piece);
                self.check(now, !verified, || {
                    format!("{block:?} was asked for although its piece is verified")
                });
                let here = self.on_disk[self.index(block)] && !self.suspect.has(block.piece);
                self.check(now, !here, || format!("{block:?} was asked for although it is here"));
                let bytes = self.layout.piece_range(block.piece);
                let wanted = self
                    .readers
                    .values()
                    .chain(&self.background)
                    .any(|span| span.offset < bytes.end && bytes.start < span.end());
                self.check(now, wanted, || format!("nobody wants {block:?}"));
                let state = self.peer(now, peer);
                let faults = [
                    (state.dropped, "was dropped"),
                    (state.choking, "chokes us"),
                    (!state.have.has(block.piece), "does not have the piece"),
                    (!state.in_flight.insert(block), "owes it already"),
                    (state.in_flight.len() > state.limit, "queues no more"),
                ];
                for (fault, why) in faults {
                    self.check(now, !fault, || format!("{peer:?} was asked for {block:?} but {why}"));
                }
            }
            Output::Cancel { peer, block } => {
                self.cancels += 1;
                self.note(now, [2, peer.0, block.piece.0, block.block]);
                let owed = self.peer(now, peer).in_flight.remove(&block);
                self.check(now, owed, || format!("{block:?} of {peer:?} was cancelled but not owed"));
            }
            Output::Interest { peer, interested } => {
                self.note(now, [3, peer.0, u32::from(interested), 0]);
                let state = self.peer(now, peer);
                let change = std::mem::replace(&mut state.interested, interested) != interested;
                self.check(now, change, || format!("{peer:?} was told twice that interest is {interested}"));
            }
            Output::Drop { peer, .. } => {
                self.note(now, [4, peer.0, 0, 0]);
                let state = self.peer(now, peer);
                let again = std::mem::replace(&mut state.dropped, true);
                state.in_flight.clear();
                self.check(now, !again, || format!("{peer:?} was dropped twice"));
            }
            Output::Verify { piece } => {
                self.note(now, [5, piece.0, 0, 0]);
                self.check(now, self.layout.piece_size(piece) > 0, || format!("{piece:?} does not exist"));
                self.check(now, !self.verified.has(piece), || format!("{piece:?} is verified already"));
                for block in (0..self.layout.blocks_in(piece)).map(|block| BlockId { piece, block }) {
                    let here = self.on_disk[self.index(block)] || self.layout.is_padding(block);
                    self.check(now, here, || format!("{piece:?} is to be verified without {block:?}"));
                }
                let fresh = self.verifying.insert(piece);
                self.check(now, fresh, || format!("{piece:?} is being verified already"));
            }
            Output::Timeout(_) => unreachable!("drained by `tell`"),
        }
    }

    fn index(&self, block: BlockId) -> usize {
        block.piece.0 as usize * self.blocks_a_piece + block.block as usize
    }

    fn peer(&mut self, now: Timestamp, peer: PeerId) -> &mut Peer {
        match self.peers.get_mut(peer.0 as usize) {
            Some(Some(state)) => state,
            _ => panic!("{}, at {}: {peer:?} is not connected", self.story, show(now)),
        }
    }

    fn check(&self, now: Timestamp, kept: bool, breach: impl Fn() -> String) {
        assert!(kept, "{}, at {}: {}", self.story, show(now), breach());
    }

    fn note(&mut self, now: Timestamp, numbers: [u32; 4]) {
        let time = (now.elapsed().as_nanos() as u64).to_le_bytes();
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        for byte in time.into_iter().chain(numbers) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Seconds, for a reader of logs.
pub fn show(now: Timestamp) -> String {
    format!("{:10.6}", now.elapsed().as_secs_f64())
}
