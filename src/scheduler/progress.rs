//! A piece that has been begun and is not finished: what has come, what is in flight, who sent what.

use super::PeerId;
use crate::layout::{BlockId, Layout, PieceIndex};
use crate::units::Timestamp;

/// Versions of one block that are remembered after failures; more than that, and only one peer is asked any more.
const MOST_VERSIONS: usize = 4;

/// One block of a piece that has been begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Its newest version is in the store. (Padding too: it is zeros, nobody sent it.)
    pub(super) arrived: bool,
    /// To be asked for, and in flight nowhere.
    open: bool,
    /// Peers that it is in flight at.
    pub(super) asked_of: Vec<PeerId>,
    /// Two peers have sent the same: after a failure, it is not this block that was wrong.
    pub(super) confirmed: bool,
    /// How often it was taken from one peer's queue to another's.
    pub(super) moves: u8,
    /// Who sent it, the oldest version first. One entry until its piece has failed.
    pub(super) senders: Vec<PeerId>,
}

impl Block {
    /// How likely it is that its newest version is a lie.
    pub(super) fn doubt(&self, suspicion: impl Fn(PeerId) -> f64) -> f64 {
        self.senders.last().map_or(1.0, |&sender| suspicion(sender))
    }

    /// Its piece has failed: a peer cannot check itself, and a suspect (`own` against `doubt`) cannot check someone with a
    /// better name.
    pub(super) fn may_be_checked_by(&self, peer: PeerId, own: f64, doubt: f64) -> bool {
        !self.senders.contains(&peer) && own <= doubt
    }
}

/// A piece that has been begun.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) piece: PieceIndex,
    pub(super) blocks: Vec<Block>,
    open: u32,
    missing: u32,
    /// No block below this one is open.
    first_open: u32,
    /// All has come; the store is hashing it.
    pub(super) verifying: bool,
    /// How often its hash was wrong.
    pub(super) failures: u32,
    /// The only peer that may be asked for it: after two failures, so that guilt is certain.
    pub(super) parole: Option<PeerId>,
    /// When a reader needs it; `None` if it is beyond all windows.
    pub(super) deadline: Option<Timestamp>,
}

impl Progress {
    pub(super) fn new(layout: &Layout, piece: PieceIndex) -> Self {
        let blocks: Vec<Block> = (0..layout.blocks_in(piece))
            .map(|block| {
                let padding = layout.is_padding(BlockId { piece, block });
                Block { arrived: padding, open: !padding, ..Block::default() }
            })
            .collect();
        let open = blocks.iter().filter(|block| block.open).count() as u32;
        Progress {
            piece,
            blocks,
            open,
            missing: open,
            first_open: 0,
            verifying: false,
            failures: 0,
            parole: None,
            deadline: None,
        }
    }

    /// Blocks that are to be asked for and are in flight nowhere.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// Blocks whose newest version has not come.
    pub(super) fn missing(&self) -> u32 {
        self.missing
    }

    /// Everything has been asked for, something has not come.
    pub(super) fn is_ending(&self) -> bool {
        self.open == 0 && self.missing > 0
    }

    /// The lowest open block that `peer` has not sent before; after a failure, of the sender most likely to have lied.
    pub(super) fn next_open(&mut self, peer: PeerId, suspicion: impl Fn(PeerId) -> f64) -> Option<u32> {
        if self.open == 0 || self.verifying || self.parole.is_some_and(|only| only != peer) {
            return None;
        }
        while self.blocks.get(self.first_open as usize).is_some_and(|block| !block.open) {
            self.first_open += 1;
        }
        let open =
            (self.first_open..).zip(&self.blocks[self.first_open as usize..]).filter(|(_, block)| block.open);
        if self.failures == 0 {
            return open.map(|(index, _)| index).next();
        }
        let own = suspicion(peer);
        let mut best: Option<(f64, u32)> = None;
        for (index, block) in open {
            let doubt = block.doubt(&suspicion);
            if self.parole.is_none() && !block.may_be_checked_by(peer, own, doubt) {
                continue;
            }
            if best.is_none_or(|(most, _)| doubt > most) {
                best = Some((doubt, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// Whether `peer` may be asked for some open block: who may not brings none, however fast it is.
    pub(super) fn may_ask(&self, peer: PeerId, suspicion: impl Fn(PeerId) -> f64) -> bool {
        if self.failures == 0 {
            return true;
        }
        if let Some(only) = self.parole {
            return only == peer;
        }
        let own = suspicion(peer);
        let mut open = self.blocks.iter().filter(|block| block.open);
        open.any(|block| block.may_be_checked_by(peer, own, block.doubt(&suspicion)))
    }

    pub(super) fn on_asked(&mut self, block: u32, peer: PeerId) {
        if let Some(state) = self.blocks.get_mut(block as usize) {
            self.open -= u32::from(state.open);
            state.open = false;
            state.asked_of.push(peer);
        }
    }

    /// The block is no longer in flight at `peer`. True if that opened it again.
    pub(super) fn on_released(&mut self, block: u32, peer: PeerId) -> bool {
        let Some(state) = self.blocks.get_mut(block as usize) else { return false };
        state.asked_of.retain(|&other| other != peer);
        if state.arrived || state.open || !state.asked_of.is_empty() {
            return false;
        }
        state.open = true;
        self.open += 1;
        self.first_open = self.first_open.min(block);
        true
    }

    /// A block that comes now would be news: it is missing, and the piece is not just being hashed.
    pub(super) fn wants(&self, block: u32) -> bool {
        !self.verifying && self.blocks.get(block as usize).is_some_and(|state| !state.arrived)
    }

    /// A block that is wanted has come from `peer`. Answers with those that still have it in flight.
    pub(super) fn on_arrived(&mut self, block: u32, peer: PeerId) -> Vec<PeerId> {
        let Some(state) = self.blocks.get_mut(block as usize) else { return Vec::new() };
        self.open -= u32::from(state.open);
        self.missing -= u32::from(!state.arrived);
        state.open = false;
        state.arrived = true;
        state.senders.push(peer);
        let mut late = std::mem::take(&mut state.asked_of);
        late.retain(|&other| other != peer);
        late
    }

    /// What the store has of the block is not what came.
    pub(super) fn on_lost(&mut self, block: u32) {
        if let Some(state) = self.blocks.get_mut(block as usize).filter(|state| state.arrived) {
            state.arrived = false;
            state.open = true;
            state.senders.pop();
            self.open += 1;
            self.missing += 1;
            self.first_open = self.first_open.min(block);
        }
    }

    /// The hash was wrong: every block that was sent, and that no two peers agree on, is wanted once more, of someone
    /// else. Answers with its senders.
    pub(super) fn on_failed(&mut self) -> Vec<PeerId> {
        self.verifying = false;
        self.failures += 1;
        self.first_open = 0;
        let mut senders = Vec::new();
        for state in &mut self.blocks {
            let Some(&sender) = state.senders.last() else { continue };
            if !senders.contains(&sender) {
                senders.push(sender);
            }
            if state.arrived && !state.confirmed && state.senders.len() < MOST_VERSIONS {
                state.arrived = false;
                self.missing += 1;
                if state.asked_of.is_empty() {
                    state.open = true;
                    self.open += 1;
                }
            }
        }
        senders
    }

    /// From now on only `alone` is asked, for every block. Answers with what is in flight and no longer wanted.
    pub(super) fn start_over(&mut self, alone: PeerId) -> Vec<(u32, PeerId)> {
        self.parole = Some(alone);
        self.first_open = 0;
        for state in self.blocks.iter_mut().filter(|state| state.arrived && !state.senders.is_empty()) {
            state.arrived = false;
            state.confirmed = false;
            self.missing += 1;
            if state.asked_of.is_empty() {
                state.open = true;
                self.open += 1;
            }
        }
        (0..)
            .zip(&self.blocks)
            .flat_map(|(block, state)| state.asked_of.iter().map(move |&id| (block, id)))
            .collect()
    }

    /// Everyone who sent any version of any block of it.
    pub(super) fn senders(&self) -> Vec<PeerId> {
        let mut senders: Vec<_> =
            self.blocks.iter().flat_map(|block| block.senders.iter().copied()).collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    /// All blocks have some version: the piece can be hashed, even while newer versions are on their way.
    pub(super) fn is_whole(&self) -> bool {
        self.missing == 0
            || (self.failures > 0 && self.blocks.iter().all(|b| b.arrived || !b.senders.is_empty()))
    }
}
