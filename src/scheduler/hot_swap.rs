//! Late blocks: asked of another peer at once, the first answer wins. And silent peers: nothing more is expected of them.

use std::cmp::Reverse;
use std::time::Duration;

use super::peer::Peer;
use super::plan::Planned;
use super::{Misbehaviour, Output, PeerId, Scheduler};
use crate::layout::{BLOCK, BlockId};
use crate::units::Timestamp;

/// The gain in time below which a hot-swap is not worth its risk of waste.
const LEAST_GAIN: Duration = Duration::from_millis(12);
/// So many swaps at one input at the most.
const MOST_SWAPS: usize = 16;
/// So many peers work on one block at the most.
const MOST_AT_WORK: usize = 3;
/// So often one block is taken from one queue to another; after that, only asked of a second peer as well.
const MOST_MOVES: u8 = 2;
/// So many pieces, by deadline, are watched for late blocks.
const WATCHED: usize = 4;
/// A peer that owes us something and sends nothing is snubbed after this, or after several times what it should take.
const SILENCE: Duration = Duration::from_secs(2);
/// And dropped after this.
const LONG_SILENCE: Duration = Duration::from_secs(60);
/// While someone waits and something is in flight, late blocks are looked for this often.
pub(super) const WATCH_EVERY: Duration = Duration::from_millis(10);

/// Looked for again after this at the soonest: on a fast line blocks come more often than anything gets late.
const REST: Duration = Duration::from_millis(1);

/// A block in flight that would be here sooner from someone else.
struct Late {
    from: PeerId,
    block: BlockId,
    expected_at: Timestamp,
    /// The peer is not sending it yet, so that a cancel will most likely come in time, and it has been seen to hear cancels;
    /// and the block has not been moved so often that moving it is all that happens to it.
    is_movable: bool,
}

impl Scheduler {
    /// Takes late blocks of the most urgent pieces to faster peers.
    pub(super) fn hot_swap(&mut self, now: Timestamp) {
        if self.readers.is_empty() || now < self.late_again_at {
            return;
        }
        self.late_again_at = now + REST;
        let mut swaps = 0;
        let mut watched = 0;
        for index in 0..self.plan.urgent {
            let planned = self.plan.pieces[index];
            let Some(progress) = self.begun.get(&planned.piece) else { break };
            if progress.verifying {
                continue;
            }
            watched += 1;
            if !progress.is_ending() || watched > WATCHED {
                break;
            }
            while swaps < MOST_SWAPS {
                let Some((late, to)) = self.worst_late(now, planned, false) else { break };
                swaps += 1;
                self.swap(now, &late, to);
            }
        }
    }

    /// The end of the background: peers that have nothing left to do take over what slower ones have not sent. Looked at
    /// now and then only: nobody waits for it.
    pub(super) fn help_out(&mut self, now: Timestamp) {
        let is_idle = |peer: &Peer| !peer.choking && peer.estimate.is_tried() && peer.queue.is_empty();
        if !self.left_open.is_empty() || !self.peers.iter().any(is_idle) {
            return;
        }
        let ending = self.begun.values().filter(|p| p.deadline.is_none() && !p.verifying && p.is_ending());
        let pieces: Vec<_> = ending.map(|progress| progress.piece).take(MOST_SWAPS).collect();
        for piece in pieces {
            if !self.is_background(piece) {
                continue;
            }
            let planned = Planned { piece, deadline: now };
            for _ in 0..MOST_SWAPS {
                let Some((late, to)) = self.worst_late(now, planned, true) else { break };
                self.swap(now, &late, to);
            }
        }
    }

    /// The block of the piece whose swap gains the most time, and the peer (`idle` or not) to take it to.
    fn worst_late(&self, now: Timestamp, planned: Planned, idle: bool) -> Option<(Late, PeerId)> {
        let progress = self.begun.get(&planned.piece)?;
        let mut late: Option<Late> = None;
        // By what is in flight, not by what the piece has: that may be thousands of blocks.
        for peer in &self.peers {
            let delay = peer.delay(now);
            for (place, flying) in peer.queue.iter().enumerate() {
                let block = flying.block;
                if block.piece != planned.piece {
                    continue;
                }
                let expected_at = flying.due_at + delay;
                let is_later = |worst: &Late| {
                    (expected_at, Reverse(block.block)) > (worst.expected_at, Reverse(worst.block.block))
                };
                if expected_at <= planned.deadline || !late.as_ref().is_none_or(is_later) {
                    continue;
                }
                let Some(state) = progress.blocks.get(block.block as usize) else { continue };
                let is_alone = state.asked_of.len() == 1;
                if !is_alone && self.is_sooner_elsewhere(now, block, &state.asked_of, (expected_at, peer.id))
                {
                    continue;
                }
                let is_coming = place == 0 || peer.is_coming(now, flying);
                let is_movable = is_alone && !is_coming && !peer.is_deaf() && state.moves < MOST_MOVES;
                late = Some(Late { from: peer.id, block, expected_at, is_movable });
            }
        }
        let late = late?;
        let state = &progress.blocks[late.block.block as usize];
        let rescuer = self
            .peers
            .iter()
            .filter(|peer| {
                !state.asked_of.contains(&peer.id)
                    && !peer.choking
                    && !peer.snubbed
                    && peer.estimate.is_tried()
                    && (!idle || peer.queue.is_empty())
            })
            .filter(|peer| peer.have.has(planned.piece) && progress.parole.is_none_or(|only| only == peer.id))
            .filter(|peer| {
                !state.senders.contains(&peer.id)
                    && (peer.queue.len() as u32) < (peer.longest_queue() + 2).min(peer.queue_limit.max(1))
            })
            .min_by_key(|peer| peer.soonest(now))?;
        let owner = &self.peers[self.peer_at(late.from)?];
        let soonest = rescuer.soonest(now);
        // However unsure we are of the owner: what will most likely take twice as long as its rescue is rescued.
        let patience = match late.is_movable {
            true => LEAST_GAIN,
            false => LEAST_GAIN.max(owner.estimate.patience().min(soonest.since(now))),
        };
        if soonest + patience >= late.expected_at {
            return None;
        }
        if !late.is_movable && !self.may_duplicate(planned.deadline <= now && !idle) {
            return None;
        }
        Some((late, rescuer.id))
    }

    /// Whether one of the others that were asked for the block is expected to bring it before this one does.
    fn is_sooner_elsewhere(
        &self,
        now: Timestamp,
        block: BlockId,
        asked_of: &[PeerId],
        this: (Timestamp, PeerId),
    ) -> bool {
        let expected = |&id: &PeerId| {
            let peer = &self.peers[self.peer_at(id)?];
            let flying = peer.queue.iter().find(|flying| flying.block == block)?;
            Some((flying.due_at + peer.delay(now), id))
        };
        asked_of.iter().filter_map(expected).any(|other| other < this)
    }

    /// The budget: a duplicate is allowed as long as what may have come twice by that is a small share of all that came.
    /// What a reader waits for may take twice that share.
    fn may_duplicate(&self, is_waited_for: bool) -> bool {
        let came = self.counts.blocks as f64 * f64::from(BLOCK);
        let granted = self.config.waste_ahead.0 as f64 + self.config.waste_share * came;
        self.duplicates as f64 * f64::from(BLOCK) < granted * if is_waited_for { 2.0 } else { 1.0 }
    }

    fn swap(&mut self, now: Timestamp, late: &Late, to: PeerId) {
        self.counts.hot_swaps += 1;
        if late.is_movable {
            self.cancel(now, late.from, late.block);
            if let Some(peer) = self.peer_mut(late.from) {
                peer.note_moved();
            }
            if let Some(progress) = self.begun.get_mut(&late.block.piece)
                && let Some(state) = progress.blocks.get_mut(late.block.block as usize)
            {
                state.moves += 1;
            }
        } else {
            self.duplicates += 1;
            self.give_up_the_last(now, late.block);
        }
        self.ask_also(now, to, late.block);
    }

    /// If as many peers as may are at work on the block: takes it from the one that is expected last.
    fn give_up_the_last(&mut self, now: Timestamp, block: BlockId) {
        let Some(progress) = self.begun.get(&block.piece) else { return };
        let Some(state) = progress.blocks.get(block.block as usize) else { return };
        if state.asked_of.len() < MOST_AT_WORK {
            return;
        }
        let expected = |id: &PeerId| {
            let peer = &self.peers[self.peer_at(*id)?];
            let flying = peer.queue.iter().find(|flying| flying.block == block)?;
            Some(flying.due_at + peer.delay(now))
        };
        if let Some(last) = state.asked_of.iter().copied().max_by_key(|id| expected(id)) {
            self.cancel(now, last, block);
        }
    }

    /// Peers that have long owed us something are asked for nothing that matters; what they owe is asked of others.
    pub(super) fn snub_the_silent(&mut self, now: Timestamp) {
        for at in 0..self.peers.len() {
            let peer = &self.peers[at];
            let Some(since) = peer.owing_since else { continue };
            let silence = now.since(since);
            let is_lost = match self.config.peer_timeout {
                Some(timeout) => silence >= timeout,
                None => peer.snubbed && silence >= LONG_SILENCE,
            };
            if is_lost {
                let id = peer.id;
                self.outputs.push_back(Output::Drop { peer: id, why: Misbehaviour::Silent });
                self.peers[at].owing_since = Some(now);
                continue;
            }
            let likely = peer.estimate.latency() + peer.estimate.block_time();
            if peer.snubbed || silence < SILENCE.max(likely * 4) {
                continue;
            }
            let id = peer.id;
            let owed: Vec<_> = peer.queue.iter().map(|flying| flying.block).collect();
            self.peers[at].snubbed = true;
            self.peers[at].estimate.on_silence(silence);
            for block in owed {
                self.cancel(now, id, block);
            }
            self.peers[at].owing_since = Some(since);
        }
    }
}
