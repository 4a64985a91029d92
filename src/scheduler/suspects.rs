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

/// How likely it is that this peer lied; one that is gone is not asked any more, and what it left is doubted most.
pub(super) fn suspicion(peers: &[Peer], id: PeerId) -> f64 {
    peers.binary_search_by_key(&id, |peer| peer.id).map_or(1.0, |at| peers[at].suspicion())
}

impl Scheduler {
    /// Whether the peer may be asked for something of the piece. For one that has failed, not everybody may.
    pub(super) fn may_ask(&self, piece: PieceIndex, id: PeerId) -> bool {
        let progress = self.begun.get(&piece);
        progress.is_none_or(|progress| progress.may_ask(id, |sender| suspicion(&self.peers, sender)))
    }

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
    /// asked for all of it, the least suspect of those that deliver in time.
    fn seek_parole(&mut self, now: Timestamp, piece: PieceIndex) {
        let Some(progress) = self.begun.get(&piece).filter(|progress| !progress.verifying) else { return };
        let able = |peer: &Peer| {
            !peer.choking && !peer.snubbed && peer.have.has(piece) && peer.lateness(now) < PAROLE_LATENESS
        };
        // By the very rule of asking: who could be asked and never is would be waited for without end.
        let askable = |block: &Block| {
            let doubt = block.doubt(|sender| suspicion(&self.peers, sender));
            let judges = |peer: &Peer| block.may_be_checked_by(peer.id, peer.suspicion(), doubt);
            self.peers.iter().any(|peer| able(peer) && judges(peer))
        };
        let is_cared_for = match progress.parole {
            // It is wrong, and no block of it is wanted any more: two told the same lie, or it has more versions than are
            // kept.
            _ if progress.missing() == 0 => false,
            Some(alone) => self.peer_at(alone).is_some_and(|at| able(&self.peers[at])),
            None if progress.failures >= FAILURES_BEFORE_PAROLE => false,
            None => (progress.blocks.iter())
                .all(|block| block.arrived || !block.asked_of.is_empty() || askable(block)),
        };
        if is_cared_for {
            return;
        }
        let candidates = self.peers.iter().filter(|peer| able(peer));
        // One that has kept us waiting comes last, whatever its name: of two that never answer, each would else be chosen
        // again as soon as the piece is taken from the other.
        let is_slow = |peer: &Peer| peer.estimate.latency() + peer.estimate.block_time() >= PAROLE_LATENESS;
        let order = |a: &&Peer, b: &&Peer| {
            let name = a.suspicion().total_cmp(&b.suspicion());
            is_slow(a).cmp(&is_slow(b)).then(name).then(a.soonest(now).cmp(&b.soonest(now)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitfield::Bitfield;
    use crate::layout::{BLOCK, FileSpan, Layout};
    use crate::scheduler::{Config, Input, ReaderId};

    const FAST: PeerId = PeerId(0);
    const OTHER: PeerId = PeerId(1);
    const LIAR: PeerId = PeerId(2);
    const FILM: PieceIndex = PieceIndex(0);

    /// A film of one piece of two blocks, in a torrent of many such pieces, and who sends them.
    struct Stage {
        scheduler: Scheduler,
        now: Timestamp,
        /// What is in flight, in the order of asking.
        asked: Vec<(PeerId, BlockId)>,
        to_verify: Vec<PieceIndex>,
    }

    impl Stage {
        /// One that is far away has sent some of the film, one that is near more of it, and a liar has come.
        fn of_far_and_near() -> Stage {
            let mut stage = Stage::new();
            stage.join(OTHER, FAR);
            stage.bring(1..20, FAR);
            stage.tell(Input::PeerChoked { peer: OTHER });
            stage.join(FAST, NEAR);
            stage.bring(20..40, NEAR);
            stage.tell(Input::PeerConnected { peer: LIAR, latency: None });
            stage.watch();
            stage.tell(Input::PeerUnchoked { peer: OTHER });
            stage
        }

        fn new() -> Stage {
            let layout = Layout::new(u64::from(50 * 2 * BLOCK), 2 * BLOCK).expect("fair");
            Stage {
                scheduler: Scheduler::new(layout, Config::default(), 1),
                now: Timestamp::ZERO,
                asked: Vec::new(),
                to_verify: Vec::new(),
            }
        }

        fn tell(&mut self, input: Input) {
            self.scheduler.handle_input(self.now, input);
            loop {
                match self.scheduler.poll_output(self.now) {
                    Output::Timeout(_) => break,
                    Output::Request { peer, block } => self.asked.push((peer, block)),
                    Output::Cancel { peer, block } => self.asked.retain(|asked| *asked != (peer, block)),
                    Output::Verify { piece } => self.to_verify.push(piece),
                    Output::Interest { .. } | Output::Drop { .. } => {}
                }
            }
        }

        fn pass(&mut self, time: Duration) {
            self.now = self.now + time;
            self.tell(Input::TimeoutReached);
        }

        fn join(&mut self, peer: PeerId, latency: Duration) {
            let have = Bitfield::all(self.scheduler.layout().pieces());
            self.tell(Input::PeerConnected { peer, latency: Some(latency) });
            self.tell(Input::PeerBitfield { peer, have });
            self.tell(Input::PeerUnchoked { peer });
        }

        fn send(&mut self, peer: PeerId, block: u32) {
            let block = BlockId { piece: FILM, block };
            self.asked.retain(|asked| *asked != (peer, block));
            self.tell(Input::BlockArrived { peer, block });
        }

        /// The peers bring all of these pieces; each takes its time for each block.
        fn bring(&mut self, pieces: std::ops::Range<u32>, block_time: Duration) {
            let piece = u64::from(2 * BLOCK);
            let span = FileSpan {
                offset: u64::from(pieces.start) * piece,
                length: (pieces.end - pieces.start) as u64 * piece,
            };
            self.tell(Input::BackgroundWanted { span });
            while !self.asked.is_empty() {
                self.pass(block_time);
                let (peer, block) = self.asked.remove(0);
                self.tell(Input::BlockArrived { peer, block });
                for piece in std::mem::take(&mut self.to_verify) {
                    self.tell(Input::PieceVerified { piece, lies: Vec::new() });
                }
            }
        }

        fn watch(&mut self) {
            let span = FileSpan { offset: 0, length: u64::from(2 * BLOCK) };
            let reader = ReaderId(1);
            self.tell(Input::ReaderOpened { reader, span, head: 0, rate: None, until: None });
            self.tell(Input::ReaderMoved { reader, head: 0, waiting: true });
        }

        /// The store has hashed the film, and compared what came again.
        fn fail(&mut self, compared: &[(u32, bool)]) {
            assert_eq!(std::mem::take(&mut self.to_verify), [FILM]);
            for &(block, differs) in compared {
                self.tell(Input::BlockCompared { block: BlockId { piece: FILM, block }, differs });
            }
            self.tell(Input::PieceFailed { piece: FILM });
        }

        /// `FAST` has sent the whole film in two versions of it that were wrong, each time for one block of a liar, who
        /// sent what he was not asked for.
        fn fail_twice(&mut self) {
            self.send(LIAR, 0);
            self.send(FAST, 1);
            self.fail(&[]);
            self.send(LIAR, 1);
            self.send(FAST, 0);
            self.fail(&[(0, true), (1, true)]);
        }

        /// Who is asked for the film, block by block.
        fn asked(&self) -> Vec<(u32, PeerId)> {
            let film = self.asked.iter().filter(|(_, block)| block.piece == FILM);
            let mut asked: Vec<_> = film.map(|(peer, block)| (block.block, *peer)).collect();
            asked.sort_unstable();
            asked
        }
    }

    const NEAR: Duration = Duration::from_millis(1);
    const FAR: Duration = Duration::from_millis(300);

    /// It was waited for without end, in a swarm of one honest peer and many that never answer.
    #[test]
    fn what_no_stranger_may_check_is_asked_of_the_best_name_alone() {
        let mut stage = Stage::new();
        stage.join(FAST, NEAR);
        stage.bring(1..40, NEAR);
        stage.watch();
        stage.join(OTHER, FAR);
        stage.tell(Input::PeerConnected { peer: LIAR, latency: None });
        stage.fail_twice();
        assert_eq!(stage.asked(), [(0, FAST), (1, FAST)]);
    }

    /// The faster one has sent all of it already.
    #[test]
    fn who_may_check_a_piece_does_not_leave_it_to_faster_ones_that_may_not() {
        let mut stage = Stage::of_far_and_near();
        stage.fail_twice();
        assert_eq!(stage.asked(), [(0, OTHER), (1, OTHER)]);
    }

    #[test]
    fn a_piece_that_is_wrong_though_two_agree_on_each_block_of_it_is_begun_once_more() {
        let mut stage = Stage::new();
        stage.join(FAST, NEAR);
        stage.join(OTHER, NEAR);
        stage.bring(1..40, NEAR);
        stage.tell(Input::PeerConnected { peer: LIAR, latency: None });
        stage.watch();
        stage.send(LIAR, 0);
        stage.send(FAST, 1);
        stage.fail(&[]);
        // Of one false copy, most likely.
        stage.send(FAST, 0);
        stage.send(OTHER, 1);
        stage.fail(&[(0, false), (1, false)]);
        let asked = stage.asked();
        assert!(matches!(asked[..], [(0, first), (1, second)] if first == second), "{asked:?}");
    }

    #[test]
    fn strangers_that_never_answer_do_not_pass_a_piece_from_one_to_the_other() {
        for strangers in 1..10 {
            let mut stage = Stage::new();
            stage.join(FAST, NEAR);
            // So little has come that a stranger has the better name.
            stage.bring(1..3, NEAR);
            stage.watch();
            stage.tell(Input::PeerConnected { peer: LIAR, latency: None });
            (0..strangers).for_each(|number| stage.join(PeerId(10 + number), FAR));
            stage.fail_twice();
            for _ in 0..2 {
                stage.send(LIAR, 0);
                stage.send(LIAR, 1);
                stage.fail(&[(0, true), (1, true)]);
            }
            stage.tell(Input::PeerLeft { peer: LIAR });
            let since = stage.now;
            while !stage.asked().iter().any(|(_, peer)| *peer == FAST) {
                stage.pass(Duration::from_millis(10));
                let waited = stage.now.since(since);
                assert!(waited < Duration::from_secs(2 * u64::from(strangers)), "{strangers} strangers");
            }
        }
    }

    /// The rest of them may all be faster than the one that is alone with it.
    #[test]
    fn however_often_a_piece_fails_someone_is_asked_for_it() {
        let mut stage = Stage::of_far_and_near();
        for failure in 1..20 {
            // Always a block that is wanted: of what nobody may be asked for, there is no end.
            let wanted = (0..2).find(|&block| stage.scheduler.wants(BlockId { piece: FILM, block }));
            stage.send(LIAR, wanted.expect("it has failed"));
            while let Some(&(block, peer)) = stage.asked().first() {
                stage.send(peer, block);
            }
            stage.fail(&[]);
            stage.pass(Duration::from_millis(250));
            assert!(!stage.asked().is_empty(), "after {failure} failures");
        }
    }
}
