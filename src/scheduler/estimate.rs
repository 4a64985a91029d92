//! What we believe of a peer's latency and rate, and how sure we are. Units are types; beliefs are never bare numbers.

use std::time::Duration;

use crate::layout::BLOCK;
use crate::units::{ByteRate, ByteSize, Timestamp};

/// A queue that is shorter than this spares no viewer anything that could be noticed, and at a peer nearby has us wake up for
/// each single block.
pub(super) const BREATH: Duration = Duration::from_millis(5);
/// A rate to try a peer with before it has sent anything: half of a common home line's upload.
const FRESH_RATE: f64 = 512.0 * 1024.0;
/// What that is worth, in bytes: the first answer moves it, and does not make it.
const PRIOR: f64 = 0.5 * BLOCK as f64;
/// A latency to try a peer with that was not timed.
const FRESH_LATENCY: Duration = Duration::from_millis(150);
/// How much of the evidence so far remains at each further block: the memory is about eight blocks.
const MEMORY: f64 = 0.85;
/// The least time that a block can be said to have taken: two that come in one packet are no infinite rate.
const LEAST_SERVICE: f64 = 0.0005;
/// How fast the least time for a block is forgotten.
const OWN_DRIFT: f64 = 0.03;
/// The share of a lone block's round trip that it took to send, at the least, unless that was measured before.
const LEAST_SHARE: f64 = 0.1;

/// Beliefs about one peer, updated by each block that comes.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    latency: Duration,
    latency_known: bool,
    /// Decaying sums: what it sent, and the seconds it was busy sending that.
    bytes: f64,
    seconds: f64,
    /// What a block takes of its own line: about the least that one took of late. Where many share the viewer's line,
    /// each brings blocks more rarely than it could send them.
    own: f64,
    /// How far from the expected moment its blocks come, on average.
    deviation: f64,
    answers: u32,
    reckoned: Reckoned,
}

/// What follows from the beliefs, reckoned when they change: it is asked for many times as often.
#[derive(Clone, Copy, Debug, Default)]
struct Reckoned {
    block_time: Duration,
    own_block_time: Duration,
    on_the_way: u32,
}

impl Estimate {
    pub(super) fn new(latency: Option<Duration>) -> Self {
        let mut estimate = Estimate {
            latency: latency.unwrap_or(FRESH_LATENCY),
            latency_known: latency.is_some(),
            bytes: PRIOR,
            seconds: PRIOR / FRESH_RATE,
            own: 0.0,
            deviation: 0.0,
            answers: 0,
            reckoned: Reckoned::default(),
        };
        estimate.reckon();
        estimate
    }

    fn reckon(&mut self) {
        let block_time = ByteSize(u64::from(BLOCK)) / self.rate();
        let own = Duration::from_secs_f64(self.own.min(block_time.as_secs_f64()));
        let on_the_way = self.rate().over(self.latency.max(BREATH)).0.div_ceil(u64::from(BLOCK)) as u32;
        self.reckoned = Reckoned { block_time, own_block_time: own, on_the_way };
    }

    /// From a request's leaving to the first byte of its answer, when the peer has nothing else to send us.
    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    /// It has been timed: the latency is no guess.
    pub(super) fn is_timed(&self) -> bool {
        self.latency_known
    }

    pub(super) fn rate(&self) -> ByteRate {
        ByteRate::new(self.bytes / self.seconds)
    }

    /// The time that it takes to send one block.
    pub(super) fn block_time(&self) -> Duration {
        self.reckoned.block_time
    }

    /// How many blocks it sends in one latency, or in a [`BREATH`].
    pub(super) fn on_the_way(&self) -> u32 {
        self.reckoned.on_the_way
    }

    /// The time that it would take to send one block if nothing but its own line were in the way.
    pub(super) fn own_block_time(&self) -> Duration {
        self.reckoned.own_block_time
    }

    /// How many blocks it has sent.
    pub(super) fn answers(&self) -> u32 {
        self.answers
    }

    /// It has sent something.
    pub(super) fn is_tried(&self) -> bool {
        self.answers > 0
    }

    /// How much later than expected a block may come before that means anything.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs_f64((3.0 * self.deviation).clamp(0.010, 0.5))
    }

    /// The peer owed us something for so long, beyond what was expected, and sent nothing.
    pub(super) fn on_silence(&mut self, silence: Duration) {
        self.seconds += silence.as_secs_f64();
        self.reckon();
    }

    /// A block that was asked for at `asked_at` has come. `busy_since` is when the block before it came, if the peer had
    /// several to send; `expected_at` is when we thought this one would; `is_clear` unless so much was in flight when we
    /// asked that it may have queued before the viewer's own line.
    pub(super) fn on_answer(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        busy_since: Option<Timestamp>,
        expected_at: Timestamp,
        is_clear: bool,
        size: u32,
    ) {
        let total = now.since(asked_at);
        if !self.latency_known || total < self.latency {
            // The first answer of a peer that was not timed: most of it is latency.
            self.latency = if self.latency_known { total } else { total.mul_f64(0.8) };
            self.latency_known = true;
        }
        let could_begin = asked_at + self.latency;
        let began = busy_since.map_or(could_begin, |before| before.max(could_begin));
        let alone = busy_since.is_none_or(|before| before <= could_begin);
        // A block alone tells its round trip; how much of that the latency was is a guess, so it may not say "infinite".
        let believed = self.block_time().as_secs_f64();
        let lone = (0.5 * believed).max(believed.min(LEAST_SHARE * total.as_secs_f64()));
        let least = if alone { lone } else { LEAST_SERVICE };
        let service = now.since(began).as_secs_f64().max(least);
        if alone && is_clear {
            // Nothing of ours was before it: what its rate does not explain, the latency must. (Had it queued before our
            // own line, and were that called latency, we would ask for more in advance and make the queue longer still.)
            let unexplained = total.saturating_sub(self.block_time());
            if unexplained > self.latency {
                self.latency += (unexplained - self.latency).mul_f64(0.05);
            }
        }
        self.own = if self.answers == 0 {
            service
        } else {
            service.min(self.own + (service - self.own) * OWN_DRIFT)
        };
        self.bytes = self.bytes * MEMORY + f64::from(size);
        self.seconds = self.seconds * MEMORY + service;
        let error = if now > expected_at { now.since(expected_at) } else { expected_at.since(now) };
        if self.answers > 0 {
            self.deviation += (error.as_secs_f64().min(2.0) - self.deviation) * 0.1;
        }
        self.answers = self.answers.saturating_add(1);
        self.reckon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_millis(ms))
    }

    #[test]
    fn a_steady_peer_is_known_after_a_few_blocks() {
        let mut estimate = Estimate::new(Some(Duration::from_millis(50)));
        let mut before = None;
        for i in 1..=10 {
            let now = at(50 + 16 * i);
            estimate.on_answer(now, at(0), before, now, true, BLOCK);
            before = Some(now);
        }
        let rate = estimate.rate().bytes_per_second();
        assert!((rate - 1_024_000.0).abs() < 100_000.0, "{rate}");
        assert_eq!(estimate.latency(), Duration::from_millis(50));
    }

    #[test]
    fn one_block_after_eight_seconds_makes_a_slow_peer() {
        let mut estimate = Estimate::new(Some(Duration::from_millis(50)));
        for i in 1..=10 {
            estimate.on_answer(at(50 + 16 * i), at(0), Some(at(34 + 16 * i)), at(50 + 16 * i), true, BLOCK);
        }
        estimate.on_answer(at(8210), at(0), Some(at(210)), at(226), true, BLOCK);
        assert!(estimate.rate().bytes_per_second() < 20_000.0);
    }

    #[test]
    fn two_blocks_in_one_packet_are_no_infinite_rate() {
        let mut estimate = Estimate::new(Some(Duration::ZERO));
        estimate.on_answer(at(0), at(0), None, at(0), true, BLOCK);
        estimate.on_answer(at(0), at(0), Some(at(0)), at(0), true, BLOCK);
        assert!(estimate.rate().bytes_per_second() < 40_000_000.0);
    }
}
