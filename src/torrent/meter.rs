//! Bytes a second over the last seconds. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{ByteRate, ByteSize, Timestamp};

const SAMPLE_EVERY: Duration = Duration::from_millis(250);
const OVER: Duration = Duration::from_secs(4);
/// So that the first block of a run is not told as a gigabyte a second.
const LEAST: Duration = Duration::from_secs(1);

/// Two counters that only grow, and what they were lately.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The oldest first; never more than `OVER / SAMPLE_EVERY` and a few.
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    counts: [u64; 2],
}

impl Meter {
    /// Notes what the counters are now. Call as often as is convenient: most calls only compare two times.
    pub(super) fn note(&mut self, now: Timestamp, counts: [u64; 2]) {
        if self.samples.back().is_some_and(|last| now.since(last.at) < SAMPLE_EVERY) {
            return;
        }
        // One that is older than the span stays, as what the rate is measured from.
        while self.samples.get(1).is_some_and(|second| now.since(second.at) >= OVER) {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at: now, counts });
    }

    /// The rates, the counters being these now.
    pub(super) fn rates(&self, now: Timestamp, counts: [u64; 2]) -> [ByteRate; 2] {
        // Whatever counts also notes: what came after the last sample came soon after it.
        if self.samples.back().is_none_or(|last| now.since(last.at) >= OVER) {
            return [ByteRate::ZERO; 2];
        }
        let old = self.samples.iter().rev().find(|sample| now.since(sample.at) >= OVER);
        let Some(base) = old.or_else(|| self.samples.front()) else { return [ByteRate::ZERO; 2] };
        // Who is silent notes nothing: bytes since a base from before a silence came within the span all the same.
        let time = now.since(base.at).clamp(LEAST, OVER + SAMPLE_EVERY);
        [0, 1].map(|i| ByteSize(counts[i].saturating_sub(base.counts[i])) / time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_steady_flow_is_told_as_it_is_and_silence_as_nothing() {
        let mut meter = Meter::default();
        for tick in 0..200 {
            meter.note(at(tick * 50), [tick * 5_000, 0]);
        }
        let [down, up] = meter.rates(at(10_000), [1_000_000, 0]);
        assert!((down.bytes_per_second() - 100_000.0).abs() < 5_000.0, "{down}");
        assert_eq!(up, ByteRate::ZERO);
        let [down, _] = meter.rates(at(60_000), [995_000, 0]);
        assert_eq!(down, ByteRate::ZERO);
    }

    #[test]
    fn the_first_block_is_no_gigabyte_a_second() {
        let mut meter = Meter::default();
        meter.note(at(0), [0, 0]);
        let [down, _] = meter.rates(at(1), [16_384, 0]);
        assert_eq!(down.bytes_per_second(), 16_384.0);
    }

    #[test]
    fn samples_do_not_pile_up() {
        let mut meter = Meter::default();
        for tick in 0..100_000 {
            meter.note(at(tick * 10), [tick, tick]);
        }
        assert!(meter.samples.len() < 24, "{}", meter.samples.len());
    }
}
