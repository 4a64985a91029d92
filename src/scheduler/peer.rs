//! What the scheduler knows of one peer: what it has, what it owes us, and when that should come.

use std::collections::VecDeque;
use std::time::Duration;

use super::PeerId;
use super::estimate::Estimate;
use super::line::MOST_SERVICE;
use crate::bitfield::Bitfield;
use crate::layout::{BLOCK, BlockId};
use crate::units::{ByteRate, ByteSize, Timestamp};

/// The queue of a peer that has not sent anything yet holds what keeps it busy for one round trip at this rate, in bytes
/// a second, and a block more; but within these bounds. A slow one takes a second for each, and all that it was asked
/// for too much must be asked again of another; a fast one has twice as many after its first round trip.
const FRESH_RATE: f64 = 128.0 * 1024.0;
const FRESH_QUEUE: std::ops::RangeInclusive<u32> = 2..=8;
/// Blocks in the queue beyond rate times latency, so that it never runs dry between two of our turns.
const SPARE: u32 = 2;
/// So many cancelled requests are remembered, because some are answered all the same, and the answer tells the rate.
const MOST_CANCELLED: usize = 32;
/// So many blocks that were taken back are remembered, and then half of that.
const REMEMBERED_MOVES: u32 = 64;
/// A peer that has sent so many of them all the same, and the most of them, does not hear cancels.
const DEAF_AFTER: u32 = 4;
/// No peer is trusted with more, whatever it says of itself.
const LONGEST_QUEUE: u32 = 256;

/// A block in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) block: BlockId,
    pub(super) asked_at: Timestamp,
    /// When it should have come whole, by what we knew at the last change of the queue.
    pub(super) due_at: Timestamp,
    /// There was room on the viewer's line for it: its time says something of the peer, not of that line.
    is_clear: bool,
    /// It was taken back in good time, as far as we knew, to be asked of another peer.
    is_moved: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) have: Bitfield,
    /// It has gained a piece since we know it.
    pub(super) gained: bool,
    /// Pieces that it has and we lack.
    pub(super) offers: u32,
    pub(super) choking: bool,
    pub(super) interested: bool,
    pub(super) queue_limit: u32,
    pub(super) estimate: Estimate,
    /// How many blocks it is asked for before it has sent any.
    fresh_queue: u32,
    /// In the order of asking, which is the order of answering for all known clients.
    pub(super) queue: VecDeque<InFlight>,
    /// Cancelled requests that may yet be answered, the newest last.
    cancelled: VecDeque<InFlight>,
    /// Blocks that were taken back in good time, of late, and those of them that came all the same.
    moved: u32,
    came_anyway: u32,
    pub(super) last_answer_at: Option<Timestamp>,
    /// Since when it has owed us something without sending anything.
    pub(super) owing_since: Option<Timestamp>,
    /// It unchokes us and sends nothing: asked for one block at a time that nobody waits for.
    pub(super) snubbed: bool,
    /// Pieces of its blocks that were right / wrong.
    pub(super) good_pieces: u32,
    pub(super) bad_pieces: u32,
    /// Pairs of differing versions of a block of which it sent one.
    pub(super) conflicts: u32,
    /// The state of the work (`Scheduler::epoch`) in which nothing was found for it.
    pub(super) idle_epoch: u64,
}

impl Peer {
    pub(super) fn new(id: PeerId, latency: Option<Duration>, pieces: u32) -> Self {
        let estimate = Estimate::new(latency);
        let on_the_way = ByteRate::new(FRESH_RATE).over(estimate.latency()).0.div_ceil(u64::from(BLOCK));
        Peer {
            id,
            have: Bitfield::none(pieces),
            gained: false,
            offers: 0,
            choking: true,
            interested: true,
            queue_limit: 250,
            fresh_queue: (on_the_way as u32 + 1).clamp(*FRESH_QUEUE.start(), *FRESH_QUEUE.end()),
            estimate,
            queue: VecDeque::new(),
            cancelled: VecDeque::new(),
            moved: 0,
            came_anyway: 0,
            last_answer_at: None,
            owing_since: None,
            snubbed: false,
            good_pieces: 0,
            bad_pieces: 0,
            conflicts: 0,
            idle_epoch: 0,
        }
    }

    /// It lacks pieces and is about to gain them, as we do.
    pub(super) fn is_viewer(&self) -> bool {
        !self.have.is_all() && (self.gained || self.have.is_none())
    }

    /// How many blocks may be in flight: rate times latency and a little more, so that an urgent block never waits
    /// behind seconds of others.
    pub(super) fn longest_queue(&self) -> u32 {
        let most = self.queue_limit.clamp(1, LONGEST_QUEUE);
        if self.snubbed {
            return 1;
        }
        let fresh = self.fresh_queue;
        let wanted =
            if self.estimate.is_tried() { self.estimate.on_the_way().saturating_add(SPARE) } else { fresh };
        // One more for each block that came: at most twice as many each round trip, as TCP itself begins.
        wanted.min(fresh.saturating_add(self.estimate.answers())).min(most)
    }

    /// How many of the blocks in flight are likely to be on the line within `round_trip`: what queues at a slow peer, or
    /// is owed by a silent one, takes nothing of the line.
    pub(super) fn on_the_line(&self, now: Timestamp, round_trip: Duration) -> f64 {
        if self.queue.is_empty() {
            return 0.0;
        }
        if self.lateness(now) > self.estimate.patience() + round_trip {
            return 0.0;
        }
        let soon = self.estimate.rate().bytes_per_second() * round_trip.as_secs_f64() / f64::from(BLOCK);
        // A block that takes its time on the peer's own line is on ours for a small part of that.
        let soon = if self.estimate.own_block_time() > MOST_SERVICE { soon } else { soon.ceil() + 1.0 };
        soon.min(self.queue.len() as f64)
    }

    pub(super) fn has_room(&self) -> bool {
        !self.choking && (self.queue.len() as u32) < self.longest_queue()
    }

    /// By how much the block that should have come first is late.
    pub(super) fn lateness(&self, now: Timestamp) -> Duration {
        self.queue.front().map_or(Duration::ZERO, |front| now.since(front.due_at))
    }

    /// How much later than `due_at` its blocks must now be expected. A block that is late by some time is expected to
    /// take about that time again: the longer a silence has lasted, the longer it will.
    pub(super) fn delay(&self, now: Timestamp) -> Duration {
        self.lateness(now) * 2
    }

    /// The peer is most likely sending this by now: it comes, whatever we say.
    pub(super) fn is_coming(&self, now: Timestamp, flying: &InFlight) -> bool {
        flying.due_at + self.delay(now) <= now + self.estimate.block_time()
    }

    /// When the peer will have sent all that it owes.
    pub(super) fn free_at(&self, now: Timestamp) -> Timestamp {
        let reachable = now + self.estimate.latency();
        self.queue.back().map_or(reachable, |last| reachable.max(last.due_at + self.delay(now)))
    }

    /// When one more block, asked for now, would be here.
    pub(super) fn soonest(&self, now: Timestamp) -> Timestamp {
        self.free_at(now) + self.estimate.block_time()
    }

    /// How many more blocks than it owes it could bring by `then`. None if it could not bring the first one any sooner:
    /// of peers that are alike, each would otherwise leave the work to the others.
    pub(super) fn blocks_by(&self, now: Timestamp, then: Timestamp) -> u32 {
        if self.soonest(now) >= then {
            return 0;
        }
        let time = then.since(self.free_at(now));
        // What is rounded must not turn a whole block into none.
        (self.estimate.rate().over(time) + ByteSize(u64::from(BLOCK) / 64)).0.div_euclid(u64::from(BLOCK))
            as u32
    }

    pub(super) fn ask(&mut self, now: Timestamp, block: BlockId, is_clear: bool) {
        // What is late now delays this one as well, but that is added whenever it is looked at (`delay`).
        let due_at = self.soonest(now) - self.delay(now);
        self.owing_since.get_or_insert(now);
        self.queue.push_back(InFlight { block, asked_at: now, due_at, is_clear, is_moved: false });
    }

    /// Takes a block off the queue without an answer.
    pub(super) fn forget(&mut self, now: Timestamp, block: BlockId) -> bool {
        let Some(at) = self.queue.iter().position(|flying| flying.block == block) else { return false };
        if let Some(flying) = self.queue.remove(at) {
            if at == 0 {
                self.estimate.on_silence(now.since(flying.due_at));
            }
            if self.cancelled.len() == MOST_CANCELLED {
                self.cancelled.pop_front();
            }
            self.cancelled.push_back(flying);
        }
        self.expect_again(now, at);
        if self.queue.is_empty() {
            self.owing_since = None;
        }
        true
    }

    /// The block that was forgotten last was taken back in good time.
    pub(super) fn note_moved(&mut self) {
        if let Some(flying) = self.cancelled.back_mut() {
            flying.is_moved = true;
            self.moved += 1;
        }
        if self.moved >= REMEMBERED_MOVES {
            self.moved /= 2;
            self.came_anyway /= 2;
        }
    }

    /// What is taken back from it comes all the same: clients that limit their upload put blocks into a queue of their own as soon
    /// as they are asked for, and look at no cancel after that.
    pub(super) fn is_deaf(&self) -> bool {
        self.came_anyway >= DEAF_AFTER && self.came_anyway * 2 > self.moved
    }

    /// The peer has said that it will not answer what it was asked for: it will not answer a cancelled one either.
    pub(super) fn on_rejected(&mut self, block: BlockId) {
        self.cancelled.retain(|flying| flying.block != block);
    }

    /// A block has come. By how many seconds it missed the moment in which it was expected, if it was in flight.
    pub(super) fn on_answer(&mut self, now: Timestamp, block: BlockId, size: u32) -> Option<f64> {
        self.snubbed = false;
        let asked =
            self.queue.iter().position(|flying| flying.block == block).and_then(|at| self.queue.remove(at));
        let cancelled = self
            .cancelled
            .iter()
            .position(|flying| flying.block == block)
            .and_then(|at| self.cancelled.remove(at));
        self.came_anyway += u32::from(cancelled.is_some_and(|flying| flying.is_moved));
        // Asked for, cancelled, and asked for again: nobody can tell which of the two this answers, and taking the old
        // one's answer for the new one's would make the peer very near.
        if let (Some(flying), None) | (None, Some(flying)) = (asked, cancelled) {
            let busy_since = self.last_answer_at.filter(|&at| at > flying.asked_at);
            self.estimate.on_answer(now, flying.asked_at, busy_since, flying.due_at, flying.is_clear, size);
        }
        self.last_answer_at = Some(now);
        self.owing_since = (!self.queue.is_empty()).then_some(now);
        self.expect_again(now, 0);
        asked.map(|flying| now.elapsed().as_secs_f64() - flying.due_at.elapsed().as_secs_f64())
    }

    /// Reckons anew when each block from position `from` on is due.
    fn expect_again(&mut self, now: Timestamp, from: usize) {
        let (latency, block_time) = (self.estimate.latency(), self.estimate.block_time());
        let mut before = match from.checked_sub(1).and_then(|at| self.queue.get(at)) {
            Some(flying) => flying.due_at,
            None => self.last_answer_at.unwrap_or(now),
        };
        for flying in self.queue.iter_mut().skip(from) {
            flying.due_at = before.max(flying.asked_at + latency) + block_time;
            before = flying.due_at;
        }
    }

    /// How likely it is to be the liar, as far as one can tell: the share of its pieces that were bad, where being one of
    /// two that contradict each other counts like several bad pieces, and a peer without any record as half suspect.
    pub(super) fn suspicion(&self) -> f64 {
        let bad = f64::from(self.bad_pieces) + 4.0 * f64::from(self.conflicts);
        (bad + 0.5) / (bad + f64::from(self.good_pieces) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::PieceIndex;

    fn at(ms: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_millis(ms))
    }

    fn block(n: u32) -> BlockId {
        BlockId { piece: PieceIndex(0), block: n }
    }

    fn steady_peer() -> Peer {
        let mut peer = Peer::new(PeerId(1), Some(Duration::from_millis(50)), 1);
        peer.choking = false;
        for n in 0..8 {
            peer.ask(at(0), block(n), true);
        }
        for n in 0..8 {
            peer.on_answer(at(66 + 16 * u64::from(n)), block(n), BLOCK);
        }
        peer
    }

    #[test]
    fn the_queue_is_rate_times_latency_and_a_little() {
        assert_eq!(steady_peer().longest_queue(), 4 + SPARE);
        let fresh = |ms| Peer::new(PeerId(2), Some(Duration::from_millis(ms)), 1).longest_queue();
        assert_eq!((fresh(1), fresh(100), fresh(400), fresh(2000)), (2, 2, 5, 8));
    }

    #[test]
    fn a_fast_peer_nearby_is_not_asked_for_single_blocks() {
        let mut peer = Peer::new(PeerId(1), Some(Duration::from_micros(200)), 1);
        peer.choking = false;
        for n in 0..64 {
            peer.ask(at(u64::from(n)), block(n), true);
            peer.on_answer(at(u64::from(n) + 1), block(n), BLOCK);
        }
        // A block in 0.8 ms, for 5 ms.
        assert_eq!(peer.longest_queue(), 7 + SPARE);
    }

    #[test]
    fn each_block_in_the_queue_makes_the_next_one_later() {
        let mut peer = steady_peer();
        let alone = peer.soonest(at(300));
        peer.ask(at(300), block(9), true);
        let behind = peer.soonest(at(300));
        assert_eq!(behind.since(alone), peer.estimate.block_time());
    }

    #[test]
    fn a_silent_peer_is_expected_later_and_later() {
        let mut peer = steady_peer();
        peer.ask(at(300), block(9), true);
        let due = peer.queue[0].due_at;
        assert_eq!(peer.delay(due), Duration::ZERO);
        assert_eq!(peer.delay(due + Duration::from_millis(200)), Duration::from_millis(400));
    }

    #[test]
    fn an_answer_to_a_cancelled_request_is_not_taken_for_the_next_ones() {
        let mut peer = steady_peer();
        peer.ask(at(300), block(9), true);
        peer.forget(at(310), block(9));
        peer.ask(at(360), block(9), true);
        peer.on_answer(at(366), block(9), BLOCK);
        assert_eq!(peer.estimate.latency(), Duration::from_millis(50));
    }

    #[test]
    fn what_is_cancelled_in_the_middle_brings_the_rest_nearer() {
        let mut peer = steady_peer();
        for n in 10..13 {
            peer.ask(at(300), block(n), true);
        }
        let last = peer.queue[2].due_at;
        assert!(peer.forget(at(300), block(11)));
        assert!(!peer.forget(at(300), block(11)));
        assert_eq!(last.since(peer.queue[1].due_at), peer.estimate.block_time());
    }
}
