//! Pieces whose hash was wrong: who lied, and how to be sure.
//!
//! A failed piece is asked for again block by block, each of another peer than before, the least trusted senders' blocks
//! first; the store compares. As soon as one differs the piece is hashed again. Once it is right, every version that
//! differs names a liar with certainty. A piece that fails again and again is asked of one peer alone (parole).

use std::time::Duration;

use super::peer::Peer;
use super::progress::{Block, Progress};
use super::{Misbehaviour, Output, PeerId, Scheduler};
use crate::layout::{BlockId, PieceIndex};
use crate::units::Timestamp;

/// After so many failures of one piece, one peer is asked for all of it: then guilt is certain.
const FAILURES_BEFORE_PAROLE: u32 = 4;
/// A peer that is later than this is not the one to be alone with a piece.
const PAROLE_LATENESS: Duration = Duration::from_secs(1);

impl Scheduler {
    pub(super) fn on_failed(&mut self, now: Timestamp, piece: PieceIndex) {
        // Of a piece that lost a block meanwhile, or was begun anew, the store's word is an old one.
        let Some(progress) = self.begun.get_mut(&piece).filter(|progress| progress.verifying) else { return };
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
        let certain = match (alone, &all[..], &senders[..]) {
            // Nobody else had a hand in it.
            (_, &[liar], _) => Some(liar),
            (Some(alone), _, &[sender]) if alone == sender => Some(alone),
            _ => None,
        };
        if let Some(liar) = certain {
            self.expel(now, liar);
        }
        self.failed.insert(piece);
        self.note_open(piece);
        self.seek_parole(now, piece);
        self.replan(now);
    }

    /// Sees to it that each failed piece is asked of someone. Called from time to time: peers fall silent.
    pub(super) fn attend_failed(&mut self, now: Timestamp) {
        let failed: Vec<_> = self.failed.iter().copied().collect();
        failed.into_iter().for_each(|piece| self.seek_parole(now, piece));
    }

    /// If the piece has failed often, or there is nobody left to ask for some block of it: chooses the one peer that is
    /// asked for all of it, the least suspect of those that deliver.
    fn seek_parole(&mut self, now: Timestamp, piece: PieceIndex) {
        let Some(progress) = self.begun.get(&piece).filter(|progress| !progress.verifying) else { return };
        let able = |peer: &Peer| {
            !peer.choking && !peer.snubbed && peer.have.has(piece) && peer.lateness(now) < PAROLE_LATENESS
        };
        if let Some(alone) = progress.parole {
            if self.peer_at(alone).is_some_and(|at| able(&self.peers[at])) {
                return;
            }
        } else if progress.failures < FAILURES_BEFORE_PAROLE {
            let askable =
                |block: &Block| self.peers.iter().any(|peer| able(peer) && !block.senders.contains(&peer.id));
            if progress
                .blocks
                .iter()
                .all(|block| block.arrived || !block.asked_of.is_empty() || askable(block))
            {
                return;
            }
        }
        let candidates = self.peers.iter().filter(|peer| able(peer) && Some(peer.id) != progress.parole);
        let order = |a: &&Peer, b: &&Peer| {
            a.suspicion().total_cmp(&b.suspicion()).then(a.soonest(now).cmp(&b.soonest(now)))
        };
        let Some(chosen) = candidates.min_by(order).map(|peer| peer.id) else { return };
        let Some(progress) = self.begun.get_mut(&piece) else { return };
        let in_flight = progress.start_over(chosen);
        for (block, id) in in_flight {
            self.cancel(now, id, BlockId { piece, block });
        }
        self.note_open(piece);
    }

    /// The store has compared a block that came again with what it had before.
    pub(super) fn on_compared(&mut self, block: BlockId, differs: bool) {
        let Some(progress) = self.begun.get_mut(&block.piece) else { return };
        let whole = progress.is_whole() && !progress.verifying;
        let Some(state) = progress.blocks.get_mut(block.block as usize) else { return };
        if !differs {
            state.confirmed = state.senders.len() > 1;
            return;
        }
        // One of the two lied. Who is in many such pairs is soon the most suspect.
        let pair: Vec<_> = state.senders.iter().rev().take(2).copied().collect();
        if whole {
            progress.verifying = true;
            self.outputs.push_back(Output::Verify { piece: block.piece });
        }
        for id in pair {
            if let Some(peer) = self.peer_mut(id) {
                peer.conflicts += 1;
            }
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
                if progress.failures > 0 {
                    peer.bad_pieces = peer.bad_pieces.saturating_sub(1);
                    peer.conflicts = 0;
                }
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
