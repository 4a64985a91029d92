//! Pieces whose hash was wrong: who lied, and how to be sure.
//!
//! A failed piece is asked for again block by block, each of another peer than before, the least trusted senders' blocks
//! first; the store compares. As soon as one differs the piece is hashed again. Once it is right, every version that
//! differs names a liar with certainty. A piece that fails again and again is asked of one peer alone (parole).

use super::progress::{Block, Progress};
use super::{Misbehaviour, Output, PeerId, Scheduler};
use crate::layout::{BlockId, PieceIndex};
use crate::units::Timestamp;

/// After so many failures of one piece, one peer is asked for all of it: then guilt is certain.
const FAILURES_BEFORE_PAROLE: u32 = 4;

impl Scheduler {
    pub(super) fn on_failed(&mut self, now: Timestamp, piece: PieceIndex) {
        let Some(progress) = self.begun.get_mut(&piece) else { return };
        self.counts.failed_pieces += 1;
        let first_failure = progress.failures == 0;
        let alone = progress.parole;
        let senders = progress.on_failed();
        let all = progress.senders();
        if first_failure {
            for &id in &senders {
                if let Some(peer) = self.peer_mut(id) {
                    peer.bad_pieces += 1;
                }
            }
        }
        if let [liar] = all[..] {
            // Nobody else had a hand in it.
            self.begun.remove(&piece);
            self.left_open.remove(&piece);
            self.expel(now, liar);
        } else if alone.is_some_and(|alone| senders == [alone]) {
            self.begun.remove(&piece);
            self.left_open.remove(&piece);
            alone.into_iter().for_each(|liar| self.expel(now, liar));
        } else {
            self.consider_parole(now, piece);
            self.note_open(piece);
        }
        self.replan(now);
    }

    /// Chooses the one peer to ask, the least suspect of those that have the piece.
    fn consider_parole(&mut self, now: Timestamp, piece: PieceIndex) {
        let Some(progress) = self.begun.get_mut(&piece) else { return };
        // A piece of which every block has been sent by everyone who has it cannot be asked of anyone else.
        let someone_else = self.peers.iter().any(|peer| {
            let is_new = |block: &Block| !block.senders.is_empty() && !block.senders.contains(&peer.id);
            !peer.choking && peer.have.has(piece) && progress.blocks.iter().any(is_new)
        });
        if progress.failures < FAILURES_BEFORE_PAROLE && someone_else {
            return;
        }
        let able = self.peers.iter().filter(|peer| !peer.choking && !peer.snubbed && peer.have.has(piece));
        let Some(chosen) = able.min_by(|a, b| a.suspicion().total_cmp(&b.suspicion())).map(|peer| peer.id)
        else {
            return;
        };
        let in_flight = progress.start_over(chosen);
        for (block, id) in in_flight {
            self.cancel(now, id, BlockId { piece, block });
        }
    }

    /// The store has compared a block that came again with what it had before.
    pub(super) fn on_compared(&mut self, block: BlockId, differs: bool) {
        let Some(progress) = self.begun.get_mut(&block.piece) else { return };
        if differs && !progress.verifying && progress.is_whole() {
            progress.verifying = true;
            self.outputs.push_back(Output::Verify { piece: block.piece });
        }
    }

    /// A piece is right at last: what is still in flight for it is cancelled, and each version that was wrong has a
    /// sender.
    pub(super) fn settle(&mut self, now: Timestamp, progress: Progress, lies: &[(u32, u32)]) {
        let mut liars: Vec<PeerId> = lies
            .iter()
            .filter_map(|&(block, version)| {
                progress.blocks.get(block as usize)?.senders.get(version as usize).copied()
            })
            .collect();
        liars.sort_unstable();
        liars.dedup();
        for id in progress.senders() {
            if let Some(peer) = self.peer_mut(id) {
                peer.good_pieces += 1;
                peer.bad_pieces -= u32::from(progress.failures > 0 && peer.bad_pieces > 0);
            }
        }
        self.cancel_all_of(now, &progress);
        liars.into_iter().for_each(|liar| self.expel(now, liar));
    }

    fn expel(&mut self, now: Timestamp, id: PeerId) {
        let Some(peer) = self.peer_mut(id) else { return };
        peer.choking = true;
        peer.bad_pieces = peer.bad_pieces.saturating_add(100);
        self.release_all(now, id);
        self.outputs.push_back(Output::Drop { peer: id, why: Misbehaviour::Lied });
    }
}
