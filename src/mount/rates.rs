//! How fast each file comes, from what is there of it now and then. Pure.

use std::collections::HashMap;
use std::time::Duration;

/// What comes is averaged over about so many seconds: it comes in pieces, and a piece may take a second or two.
const OVER: f64 = 5.0;
/// More often there is nothing to see.
const EVERY: Duration = Duration::from_secs(1);

/// A torrent, and the number of a file in it.
type Which = (usize, usize);

/// Of all files that were looked at.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    looked_at: Option<Duration>,
    files: HashMap<Which, Coming>,
}

#[derive(Clone, Copy, Debug)]
struct Coming {
    had: u64,
    /// In bytes a second.
    rate: f64,
}

impl Rates {
    /// Whether it is time to look again. `now` is the time since any fixed moment.
    pub fn is_due(&self, now: Duration) -> bool {
        self.looked_at.is_none_or(|before| now.saturating_sub(before) >= EVERY)
    }

    /// Takes in how many bytes of each file are there. One that is seen for the first time has not begun to come.
    pub fn look(&mut self, now: Duration, files: impl IntoIterator<Item = (Which, u64)>) {
        let passed = self.looked_at.map_or(0.0, |before| now.saturating_sub(before).as_secs_f64());
        self.looked_at = Some(now);
        let weight = 1.0 - (-passed / OVER).exp();
        for (which, had) in files {
            let coming = self.files.entry(which).or_insert(Coming { had, rate: 0.0 });
            let brought = had.saturating_sub(coming.had) as f64 / passed.max(0.001);
            *coming = Coming { had, rate: coming.rate + (brought - coming.rate) * weight };
        }
    }

    /// Bytes a second; 0 of a file that nobody has looked at.
    pub fn of(&self, torrent: usize, index: usize) -> u64 {
        self.files.get(&(torrent, index)).map_or(0, |coming| coming.rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_file_that_comes_steadily_comes_at_its_rate_and_one_that_stops_at_none() {
        let mut rates = Rates::default();
        for second in 0..60 {
            rates.look(at(second), [((0, 3), 5_000_000 + second * 1_000_000), ((1, 3), 7)]);
        }
        let rate = rates.of(0, 3);
        assert!((990_000..=1_000_000).contains(&rate), "{rate}");
        assert_eq!((rates.of(1, 3), rates.of(9, 9)), (0, 0));
        for second in 60..180 {
            rates.look(at(second), [((0, 3), 64_000_000)]);
        }
        assert_eq!(rates.of(0, 3), 0);
    }

    #[test]
    fn what_was_there_before_has_not_come_and_a_file_that_was_dropped_comes_at_no_negative_rate() {
        let mut rates = Rates::default();
        rates.look(at(0), [((0, 0), 1_000_000_000)]);
        assert!(!rates.is_due(Duration::from_millis(900)) && rates.is_due(at(1)));
        rates.look(at(1), [((0, 0), 1_000_000_000)]);
        assert_eq!(rates.of(0, 0), 0);
        rates.look(at(2), [((0, 0), 0)]);
        assert_eq!(rates.of(0, 0), 0);
    }
}
