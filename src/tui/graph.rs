//! The speeds of the last minute, and their graph.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A sample a second, for a minute.
pub(super) const SAMPLES: usize = 60;
const EVERY: Duration = Duration::from_secs(1);

/// Bytes a second that a graph is never scaled below: a trickle is not to look like a flood.
const LEAST_PEAK: u64 = 16 * 1024;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[derive(Debug, Default)]
pub(super) struct History {
    down: VecDeque<u64>,
    up: VecDeque<u64>,
    sampled_at: Option<Instant>,
}

impl History {
    /// Takes a sample, if it is time for one.
    pub(super) fn sample(&mut self, now: Instant, down: u64, up: u64) {
        let due = match self.sampled_at {
            None => now,
            Some(at) => at + EVERY,
        };
        if now < due {
            return;
        }
        // Not `now`, so that a second that was shown late does not make all that follow late; but a long pause is no reason
        // to catch up.
        self.sampled_at = Some(if now < due + EVERY { due } else { now });
        for (samples, rate) in [(&mut self.down, down), (&mut self.up, up)] {
            samples.push_back(rate);
            if samples.len() > SAMPLES {
                samples.pop_front();
            }
        }
    }

    /// Of the last `cells` seconds, the newest at the right; as wide as that once there are so many.
    pub(super) fn down(&self, cells: usize) -> String {
        drawn(&self.down, self.peak(), cells)
    }

    pub(super) fn up(&self, cells: usize) -> String {
        drawn(&self.up, self.peak(), cells)
    }

    /// Both are drawn to one scale: they are compared by looking at them.
    fn peak(&self) -> u64 {
        self.down.iter().chain(&self.up).copied().max().unwrap_or(0).max(LEAST_PEAK)
    }
}

fn drawn(samples: &VecDeque<u64>, peak: u64, cells: usize) -> String {
    let shown = samples.iter().skip(samples.len().saturating_sub(cells));
    shown
        .map(|&rate| match (u128::from(rate) * LEVELS.len() as u128).div_ceil(u128::from(peak)) {
            0 => ' ',
            level => LEVELS[(level as usize - 1).min(LEVELS.len() - 1)],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graph_has_a_sample_a_second_and_a_minute_of_them() {
        let mut history = History::default();
        let begin = Instant::now();
        for quarter in 0..400 {
            history.sample(
                begin + Duration::from_millis(250) * quarter,
                1_000_000 * u64::from(quarter / 4),
                0,
            );
        }
        assert_eq!(history.down.len(), SAMPLES);
        assert_eq!(history.down(100).chars().count(), SAMPLES);
        assert_eq!(history.down(5), "█████");
        assert_eq!(history.up(3), "   ");
    }

    #[test]
    fn the_highest_is_full_and_anything_is_more_than_nothing() {
        let graph = |samples: &[u64]| {
            let down = samples.iter().copied().collect();
            History { down, ..History::default() }.down(100)
        };
        assert_eq!(graph(&[0, 1, 400_000, 800_000]), " ▁▄█");
        assert_eq!(graph(&[2048]), "▁");
        assert_eq!(graph(&[u64::MAX, u64::MAX / 2]), "█▄");
        assert_eq!(graph(&[]), "");
    }
}
