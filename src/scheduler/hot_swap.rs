//! Late blocks: asked of another peer at once, the first answer wins. And silent peers: nothing more is expected of them.

use std::time::Duration;

use super::{Misbehaviour, Output, PeerId, Scheduler};
use crate::layout::{BLOCK, BlockId};
use crate::units::Timestamp;

/// The gain in time below which a hot-swap is not worth its risk of waste.
const LEAST_GAIN: Duration = Duration::from_millis(12);
/// So many swaps at one input at the most.
const MOST_SWAPS: usize = 16;
/// So many pieces, by deadline, are watched for late blocks.
const WATCHED: usize = 4;
/// A peer that owes us something and sends nothing is snubbed after this, or after several times what it should take.
const SILENCE: Duration = Duration::from_secs(2);
/// And dropped after this.
const LONG_SILENCE: Duration = Duration::from_secs(60);
/// While someone waits, late blocks are looked for this often.
pub(super) const WATCH_EVERY: Duration = Duration::from_millis(10);

/// A block in flight that would be here sooner from someone else.
struct Late {
    from: PeerId,
    block: BlockId,
    expected_at: Timestamp,
    /// The peer is not sending it yet: a cancel will most likely come in time.
    is_queued: bool,
}

impl Scheduler {
    /// Takes late blocks of the most urgent pieces to faster peers.
    pub(super) fn hot_swap(&mut self, now: Timestamp) {
        if self.readers.is_empty() {
            return;
        }
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
                let Some((late, to)) = self.worst_late(now, index) else { break };
                swaps += 1;
                self.swap(now, &late, to);
            }
        }
    }

    /// The block of the piece whose swap gains the most time, and the peer to take it to.
    fn worst_late(&self, now: Timestamp, index: usize) -> Option<(Late, PeerId)> {
        let planned = self.plan.pieces[index];
        let progress = self.begun.get(&planned.piece)?;
        let mut late: Option<Late> = None;
        for (number, state) in (0..).zip(&progress.blocks) {
            // Two peers at work on one block are enough.
            let [from] = state.asked_of[..] else { continue };
            let block = BlockId { piece: planned.piece, block: number };
            let Some(peer) = self.peer_at(from).map(|at| &self.peers[at]) else { continue };
            let Some(place) = peer.queue.iter().position(|flying| flying.block == block) else { continue };
            let expected_at = peer.queue[place].due_at + peer.delay(now);
            if expected_at > planned.deadline
                && late.as_ref().is_none_or(|worst| expected_at > worst.expected_at)
            {
                late = Some(Late { from, block, expected_at, is_queued: place > 0 });
            }
        }
        let late = late?;
        let senders = &progress.blocks[late.block.block as usize].senders;
        let rescuer = self
            .peers
            .iter()
            .filter(|peer| peer.id != late.from && !peer.choking && !peer.snubbed && peer.estimate.is_tried())
            .filter(|peer| peer.have.has(planned.piece) && progress.parole.is_none_or(|only| only == peer.id))
            .filter(|peer| {
                !senders.contains(&peer.id) && (peer.queue.len() as u32) < peer.longest_queue() + 2
            })
            .min_by_key(|peer| peer.soonest(now))?;
        let owner = &self.peers[self.peer_at(late.from)?];
        let patience = if late.is_queued { LEAST_GAIN } else { LEAST_GAIN.max(owner.estimate.patience()) };
        if rescuer.soonest(now) + patience >= late.expected_at {
            return None;
        }
        if !late.is_queued && !self.may_waste() {
            return None;
        }
        Some((late, rescuer.id))
    }

    /// The budget: a duplicate is allowed as long as what came twice is a small share of all that came.
    fn may_waste(&self) -> bool {
        let came = self.counts.blocks as f64 * f64::from(BLOCK);
        (self.counts.wasted as f64) < self.config.waste_ahead.0 as f64 + self.config.waste_share * came
    }

    fn swap(&mut self, now: Timestamp, late: &Late, to: PeerId) {
        self.counts.hot_swaps += 1;
        if late.is_queued {
            self.cancel(now, late.from, late.block);
        }
        self.ask_also(now, to, late.block);
    }

    /// Peers that have long owed us something are asked for nothing that matters; what they owe is asked of others.
    pub(super) fn snub_the_silent(&mut self, now: Timestamp) {
        for at in 0..self.peers.len() {
            let peer = &self.peers[at];
            let Some(since) = peer.owing_since else { continue };
            let silence = now.since(since);
            if peer.snubbed && silence >= LONG_SILENCE {
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
            for block in owed {
                self.cancel(now, id, block);
            }
            self.peers[at].owing_since = Some(since);
        }
    }
}
