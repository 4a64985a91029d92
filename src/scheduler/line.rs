//! The viewer's own line: how much it carries, and so how much may be in flight in all. More than that only queues in
//! front of it, and a queue there delays the head as surely as one at a slow seed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::layout::BLOCK;
use crate::units::{ByteRate, ByteSize, Timestamp};

/// The rate is measured over stretches of this length.
const STRETCH: Duration = Duration::from_millis(250);
/// The best of this many stretches counts.
const STRETCHES: usize = 24;
/// A stretch that brought less than this share of what the line is known to carry, and brought it late, says that the
/// line has become narrower.
const FELL_TO: f64 = 0.75;
/// So much later than expected, on average.
const FELL_LATE: f64 = 0.015;
/// The service time of a block counts for so much at the most when the line's share in flight is reckoned: a slow
/// peer's own queue is not the line's.
pub(super) const MOST_SERVICE: Duration = Duration::from_millis(500);
/// Until so much has been seen, nothing is known and nothing held back.
const LEARNING: u32 = 6;
/// In flight beyond the product of rate and round trip: room for the rate to prove larger than it was.
const GAIN: f64 = 1.15;
/// The same while someone waits at the head.
const URGENT_GAIN: f64 = 1.6;
/// And a few blocks more, so that a small product never starves us.
const SPARE: f64 = 4.0;

/// Measures all that comes and says how much may be in flight.
#[derive(Debug)]
pub(super) struct Line {
    began_at: Timestamp,
    bytes: u64,
    /// It has been the line, not the swarm, that held us back in this stretch.
    held_back: bool,
    /// And in the one before.
    was_held_back: bool,
    stretches: VecDeque<f64>,
    seen: u32,
    /// Blocks of this stretch that had been expected at some moment, and by how many seconds they missed it in all.
    expected: u32,
    late: f64,
}

impl Line {
    pub(super) fn new() -> Self {
        Line {
            began_at: Timestamp::ZERO,
            bytes: 0,
            held_back: false,
            was_held_back: false,
            stretches: VecDeque::new(),
            seen: 0,
            expected: 0,
            late: 0.0,
        }
    }

    pub(super) fn on_bytes(&mut self, now: Timestamp, bytes: u32) {
        self.turn(now);
        self.bytes += u64::from(bytes);
    }

    /// A block has come so many seconds after it was expected (or before).
    pub(super) fn on_late(&mut self, seconds: f64) {
        self.expected += 1;
        self.late += seconds.clamp(-0.5, 0.5);
    }

    /// Something would have been asked for, had `most_in_flight` allowed it.
    pub(super) fn on_held_back(&mut self) {
        self.held_back = true;
    }

    /// Whether it is the line that limits what comes, now or a moment ago.
    pub(super) fn holds_back(&self) -> bool {
        self.held_back || self.was_held_back
    }

    fn turn(&mut self, now: Timestamp) {
        let length = now.since(self.began_at);
        if length < STRETCH {
            return;
        }
        let rate = (ByteSize(self.bytes) / length).bytes_per_second();
        if self.bytes > 0 && length < STRETCH * 4 {
            self.seen = self.seen.saturating_add(1);
            // The swarm may have become slower, or we may ask for too little: but then what comes is not late.
            let is_late = self.expected > 0 && self.late / f64::from(self.expected) > FELL_LATE;
            if self.held_back && is_late && rate < FELL_TO * self.rate().bytes_per_second() {
                self.stretches.clear();
            }
            // A stretch in which we asked for little says nothing of what the line could carry: it may raise what is
            // known, and does not push older knowledge out.
            if self.held_back || rate >= self.rate().bytes_per_second() || self.stretches.len() < STRETCHES {
                self.stretches.push_back(rate);
                if self.stretches.len() > STRETCHES {
                    self.stretches.pop_front();
                }
            }
        }
        self.began_at = now;
        self.bytes = 0;
        self.was_held_back = std::mem::take(&mut self.held_back);
        self.expected = 0;
        self.late = 0.0;
    }

    /// The most that the line has been seen to carry lately.
    pub(super) fn rate(&self) -> ByteRate {
        ByteRate::new(self.stretches.iter().copied().fold(0.0, f64::max))
    }

    /// How many blocks the line carries in that time; 0 until something is known.
    pub(super) fn carried_in(&self, time: Duration) -> f64 {
        if self.seen < LEARNING {
            return 0.0;
        }
        self.rate().bytes_per_second() * time.as_secs_f64() / f64::from(BLOCK)
    }

    /// How many blocks may be in flight in all, if a request alone takes `round_trip` to be answered in full.
    pub(super) fn most_in_flight(&self, round_trip: Duration, urgent: bool) -> f64 {
        if self.seen < LEARNING {
            return f64::INFINITY;
        }
        let blocks = self.carried_in(round_trip);
        blocks * if urgent { URGENT_GAIN } else { GAIN } + SPARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_millis(ms))
    }

    #[test]
    fn nothing_is_held_back_before_anything_is_known() {
        assert_eq!(Line::new().most_in_flight(Duration::from_millis(100), false), f64::INFINITY);
    }

    #[test]
    fn a_steady_line_allows_little_more_than_it_carries() {
        let mut line = Line::new();
        for ms in (0..5000).step_by(10) {
            line.on_bytes(at(ms), 25_000);
        }
        let blocks = line.most_in_flight(Duration::from_millis(100), false);
        assert!((18.0..=25.0).contains(&blocks), "{blocks}");
    }

    #[test]
    fn a_quiet_time_does_not_make_the_line_narrow() {
        let mut line = Line::new();
        for ms in (0..5000).step_by(10) {
            line.on_bytes(at(ms), 25_000);
        }
        for ms in (5000..25_000).step_by(100) {
            line.on_bytes(at(ms), 1_000);
        }
        assert!(line.rate().bytes_per_second() > 2_000_000.0);
    }

    #[test]
    fn a_line_that_became_narrow_is_believed_when_it_holds_us_back() {
        let mut line = Line::new();
        for ms in (0..5000).step_by(10) {
            line.on_bytes(at(ms), 25_000);
        }
        for ms in (5000..15_000).step_by(10) {
            line.on_held_back();
            line.on_bytes(at(ms), 5_000);
        }
        assert!(line.rate().bytes_per_second() < 700_000.0);
    }
}
