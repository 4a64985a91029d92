//! A reader: where it is, how fast it moves, and so when it needs which byte.

use std::time::Duration;

use super::ReaderId;
use crate::layout::FileSpan;
use crate::units::{ByteRate, Timestamp};

/// Over how long a reader's rate is averaged.
const RATE_MEMORY: f64 = 3.0;
/// Nobody watches slower than this; a reader that stands still keeps a small window.
const LEAST_RATE: f64 = 32.0 * 1024.0;

#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) id: ReaderId,
    pub(super) span: FileSpan,
    pub(super) head: u64,
    /// It stands still for want of the byte at its head.
    pub(super) waiting: bool,
    /// It reads ahead up to here, and no further: a byte of the torrent.
    until: u64,
    rate: f64,
    moved_at: Timestamp,
}

impl Reader {
    pub(super) fn new(now: Timestamp, id: ReaderId, span: FileSpan, head: u64, rate: ByteRate) -> Self {
        let head = head.clamp(span.offset, span.end());
        Reader {
            id,
            span,
            head,
            waiting: false,
            until: span.end(),
            rate: rate.bytes_per_second().max(LEAST_RATE),
            moved_at: now,
        }
    }

    /// Follows the reader. True if it jumped: what it wants now has nothing to do with what it wanted before.
    pub(super) fn on_moved(&mut self, now: Timestamp, head: u64, waiting: bool) -> bool {
        let head = head.clamp(self.span.offset, self.span.end());
        let step = head.checked_sub(self.head).filter(|&step| step <= 16 << 20);
        if let Some(step) = step {
            // A wait is ours, not the reader's: it says nothing of how fast the reader would like to go.
            let idle = if self.waiting { 0.0 } else { now.since(self.moved_at).as_secs_f64() };
            self.rate = (self.rate * faded(idle) + step as f64 / RATE_MEMORY).clamp(LEAST_RATE, 1e9);
        }
        self.head = head;
        self.waiting = waiting;
        self.moved_at = now;
        step.is_none()
    }

    /// What it consumes now; less and less while it stands still of its own will.
    pub(super) fn rate(&self, now: Timestamp) -> ByteRate {
        let idle = if self.waiting { 0.0 } else { (now.since(self.moved_at).as_secs_f64() - 1.0).max(0.0) };
        ByteRate::new((self.rate * faded(idle)).max(LEAST_RATE))
    }

    /// Bounds what it reads ahead; `None`: its span is the bound.
    pub(super) fn bound(&mut self, until: Option<u64>) {
        self.until = until.unwrap_or(u64::MAX).min(self.span.end());
    }

    /// It may read ahead to the end of its span.
    pub(super) fn is_unbounded(&self) -> bool {
        self.until == self.span.end()
    }

    /// How far ahead of its head it reads in `time`, in bytes of the torrent: at least `least`, at most `most`, and not
    /// beyond its bound, unless it waits there. At least its head.
    pub(super) fn reach(&self, now: Timestamp, time: Duration, least: u64, most: u64) -> u64 {
        let bytes = self.rate(now).over(time).0.clamp(least, most);
        let until = self.until.max(self.head.saturating_add(u64::from(self.waiting)));
        self.head.saturating_add(bytes).min(until).min(self.span.end())
    }
}

/// What remains of a rate after so many seconds without anything: nearly exp(-t / [`RATE_MEMORY`]), of operations that
/// have the same result on every machine (IEEE 754 says nothing of `exp`).
fn faded(seconds: f64) -> f64 {
    let x = seconds / RATE_MEMORY;
    1.0 / (1.0 + x * (1.0 + x * (0.5 + x / 6.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_millis(ms))
    }

    fn reader() -> Reader {
        Reader::new(
            at(0),
            ReaderId(1),
            FileSpan { offset: 0, length: 100 << 20 },
            0,
            ByteRate::new(500_000.0),
        )
    }

    #[test]
    fn the_rate_follows_what_is_read() {
        let mut reader = reader();
        for step in 1..200 {
            reader.on_moved(at(100 * step), 100_000 * step, false);
        }
        let rate = reader.rate(at(19_900)).bytes_per_second();
        assert!((900_000.0..1_100_000.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_wait_of_ours_does_not_make_the_reader_slow() {
        let mut reader = reader();
        reader.on_moved(at(10), 0, true);
        let before = reader.rate(at(20));
        reader.on_moved(at(30_000), 1, false);
        assert!(reader.rate(at(30_000)) >= before);
    }

    #[test]
    fn a_reader_that_stands_still_wants_less_and_less() {
        let reader = reader();
        assert!(reader.rate(at(60_000)).bytes_per_second() <= LEAST_RATE);
        assert!(
            reader.reach(at(0), Duration::from_secs(10), 1, u64::MAX)
                > reader.reach(at(60_000), Duration::from_secs(10), 1, u64::MAX)
        );
    }

    #[test]
    fn a_bounded_reader_reads_ahead_to_its_bound_and_waits_beyond_it_for_one_byte() {
        let reach = |reader: &Reader| reader.reach(at(0), Duration::from_secs(60), 8 << 20, 96 << 20);
        let mut reader = reader();
        reader.bound(Some(65_536));
        assert_eq!((reach(&reader), reader.is_unbounded()), (65_536, false));
        reader.on_moved(at(1), 65_536, false);
        assert_eq!(reach(&reader), 65_536, "all is read, and nothing more is wanted");
        reader.on_moved(at(2), 70_000, true);
        assert_eq!(reach(&reader), 70_001);
        reader.bound(None);
        assert!(reader.is_unbounded() && reach(&reader) > 8 << 20);
    }

    #[test]
    fn a_seek_is_a_jump_and_a_read_is_not() {
        let mut reader = reader();
        assert!(!reader.on_moved(at(1), 65_536, false));
        assert!(reader.on_moved(at(2), 50 << 20, true));
        assert!(reader.on_moved(at(3), 0, true));
    }
}
