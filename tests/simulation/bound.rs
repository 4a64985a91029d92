//! What physics allows: the least time in which so many blocks can be here, whoever decides.

use peerflix::layout::BLOCK;

/// What one honest peer has to offer for a request.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Seconds until it can be asked.
    pub from: f64,
    pub rtt: f64,
    /// Bytes a second, its time of choking taken off.
    pub rate: f64,
    /// Whether a block is here when its slot begins, or when it ends.
    pub eager: bool,
    /// Chokes from then, for so long, every so often: seconds.
    pub closed: Option<(f64, f64, f64)>,
    /// Bytes that it may send in its first round trip, where its connection must grow first.
    pub window: Option<f64>,
}

impl Offer {
    fn blocks_within(&self, seconds: f64) -> f64 {
        let time = seconds - self.from - self.rtt;
        if time < 0.0 {
            return 0.0;
        }
        let bytes = self.grown(self.open_time(self.from, self.from + time));
        (bytes / f64::from(BLOCK) + 1e-9).floor() + f64::from(u8::from(self.eager))
    }

    /// Seconds between two moments in which it serves.
    fn open_time(&self, from: f64, until: f64) -> f64 {
        let Some((first, length, every)) = self.closed else { return until - from };
        let closed_until = |moment: f64| {
            let since = (moment - first).max(0.0);
            (since / every).floor() * length + (since % every).min(length)
        };
        until - from - (closed_until(until) - closed_until(from))
    }

    /// Bytes that so many seconds of sending come to: at most a window each round trip, and windows double.
    fn grown(&self, mut seconds: f64) -> f64 {
        let Some(mut window) = self.window else { return seconds * self.rate };
        let mut bytes = 0.0;
        while seconds > 0.0 && window < self.rate * self.rtt {
            bytes += window.min(seconds * self.rate);
            seconds -= self.rtt;
            window *= 2.0;
        }
        bytes + seconds.max(0.0) * self.rate
    }
}

/// Seconds to `blocks` whole blocks of those who have them, over a line; `None` if they never come.
pub fn blocks(offers: &[Offer], blocks: u64, line: Option<f64>) -> Option<f64> {
    if blocks == 0 {
        return Some(0.0);
    }
    let rate: f64 = offers.iter().map(|offer| offer.rate).sum();
    if rate <= 0.0 {
        return None;
    }
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        let come: f64 = offers.iter().map(|offer| offer.blocks_within(middle)).sum();
        if come >= blocks as f64 {
            high = middle;
        } else {
            low = middle;
        }
    }
    let first = offers.iter().map(|offer| offer.from + offer.rtt).fold(f64::INFINITY, f64::min);
    let eager = offers.iter().any(|offer| offer.eager);
    let carried = blocks - u64::from(eager);
    let over_line = line.map_or(0.0, |line| first + carried as f64 * f64::from(BLOCK) / line);
    Some(high.max(over_line))
}

/// bench/compare.py's: round trips, and the bytes of whole pieces over all that the honest can carry.
pub fn bench(offers: &[Offer], shares: f64, bytes: u64, line: Option<f64>) -> f64 {
    let rate = shares.min(line.unwrap_or(f64::INFINITY));
    let first = offers.iter().map(|offer| offer.from + offer.rtt).fold(f64::INFINITY, f64::min);
    first + bytes as f64 / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Offer = Offer { from: 0.0, rtt: 0.0, rate: 0.0, eager: false, closed: None, window: None };

    #[test]
    fn a_choke_in_between_is_waited_for() {
        let offer = Offer { rate: f64::from(BLOCK), closed: Some((1.5, 4.0, 8.0)), ..NOBODY };
        assert!((blocks(&[offer], 1, None).expect("it comes") - 1.0).abs() < 1e-6);
        assert!((blocks(&[offer], 2, None).expect("it comes") - 6.0).abs() < 1e-6);
        let inside = Offer { closed: Some((-1.0, 4.0, 8.0)), ..offer };
        assert!((blocks(&[inside], 1, None).expect("it comes") - 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_new_connection_doubles_each_round_trip() {
        let rate = 1000.0 * f64::from(BLOCK);
        let offer = Offer { rtt: 1.0, rate, window: Some(f64::from(BLOCK)), ..NOBODY };
        let takes = |count| blocks(&[offer], count, None).expect("it comes");
        assert!((takes(1) - 1.001).abs() < 1e-3, "{}", takes(1));
        assert!((takes(7) - 3.004).abs() < 1e-3, "{}", takes(7));
        assert!((takes(15) - 4.008).abs() < 1e-3, "{}", takes(15));
    }

    #[test]
    fn two_equal_peers_halve_the_time() {
        let offer = Offer { from: 0.0, rtt: 0.1, rate: f64::from(BLOCK), ..NOBODY };
        assert!((blocks(&[offer], 4, None).expect("it comes") - 4.1).abs() < 1e-6);
        assert!((blocks(&[offer; 2], 4, None).expect("it comes") - 2.1).abs() < 1e-6);
        assert!((blocks(&[offer; 4], 4, Some(f64::from(BLOCK))).expect("it comes") - 4.1).abs() < 1e-6);
        assert_eq!(blocks(&[], 4, None), None);
    }

    #[test]
    fn a_peer_too_slow_for_one_block_in_time_counts_for_nothing() {
        let fast = Offer { from: 0.0, rtt: 0.0, rate: 10.0 * f64::from(BLOCK), ..NOBODY };
        let slow = Offer { rate: f64::from(BLOCK) / 10.0, ..fast };
        assert_eq!(blocks(&[fast, slow], 10, None), blocks(&[fast], 10, None));
    }
}
