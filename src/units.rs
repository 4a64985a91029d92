//! Bytes, rates and moments, as types: bytes divided by a rate is a [`Duration`], and nothing else is.
//! Not a clock: a [`Timestamp`] can be compared and moved, but only a clock shell can make one.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::time::Duration;

/// The longest time that any estimate yields: a day. "Never", but safe to add to a [`Timestamp`].
pub const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Bytes a second. Never negative, never NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct ByteRate(f64);

/// A moment: time since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl ByteSize {
    pub const ZERO: ByteSize = ByteSize(0);

    pub const fn kib(n: u64) -> Self {
        ByteSize(n * 1024)
    }

    pub const fn mib(n: u64) -> Self {
        ByteSize(n * 1024 * 1024)
    }

    pub fn saturating_sub(self, other: ByteSize) -> ByteSize {
        ByteSize(self.0.saturating_sub(other.0))
    }
}

impl ByteRate {
    pub const ZERO: ByteRate = ByteRate(0.0);

    /// Anything that is not a positive finite number is no rate at all: zero.
    pub fn new(bytes_per_second: f64) -> Self {
        if bytes_per_second.is_finite() && bytes_per_second > 0.0 {
            ByteRate(bytes_per_second)
        } else {
            Self::ZERO
        }
    }

    pub fn bytes_per_second(self) -> f64 {
        self.0
    }

    /// What this rate carries in `time`.
    pub fn over(self, time: Duration) -> ByteSize {
        ByteSize((self.0 * time.as_secs_f64()) as u64)
    }
}

impl Timestamp {
    pub const ZERO: Timestamp = Timestamp(Duration::ZERO);

    /// Only a clock shell (or a simulated world) has a reason to call this.
    pub const fn since_start(elapsed: Duration) -> Self {
        Timestamp(elapsed)
    }

    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in fact later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Bytes over a rate is the time they take; over no rate, [`FOREVER`].
impl Div<ByteRate> for ByteSize {
    type Output = Duration;
    fn div(self, rate: ByteRate) -> Duration {
        let seconds = self.0 as f64 / rate.0;
        if seconds < FOREVER.as_secs_f64() { Duration::from_secs_f64(seconds) } else { FOREVER }
    }
}

/// Bytes over a time is a rate; over no time, none.
impl Div<Duration> for ByteSize {
    type Output = ByteRate;
    fn div(self, time: Duration) -> ByteRate {
        ByteRate::new(self.0 as f64 / time.as_secs_f64())
    }
}

impl Mul<f64> for ByteRate {
    type Output = ByteRate;
    fn mul(self, factor: f64) -> ByteRate {
        ByteRate::new(self.0 * factor)
    }
}

impl Add for ByteRate {
    type Output = ByteRate;
    fn add(self, other: ByteRate) -> ByteRate {
        ByteRate(self.0 + other.0)
    }
}

impl Add for ByteSize {
    type Output = ByteSize;
    fn add(self, other: ByteSize) -> ByteSize {
        ByteSize(self.0.saturating_add(other.0))
    }
}

impl AddAssign for ByteSize {
    fn add_assign(&mut self, other: ByteSize) {
        *self = *self + other;
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, time: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(time))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, time: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(time))
    }
}

/// Powers of 1000 with SI names, as disks and players count: `306.0 MB`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        for unit in ["B", "kB", "MB", "GB", "TB"] {
            if value < 999.95 || unit == "TB" {
                return if unit == "B" { write!(f, "{} B", self.0) } else { write!(f, "{value:.1} {unit}") };
            }
            value /= 1000.0;
        }
        Ok(())
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", ByteSize(self.0 as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_over_a_rate_is_a_time() {
        assert_eq!(ByteSize(500) / ByteRate::new(1000.0), Duration::from_millis(500));
    }

    #[test]
    fn nothing_over_nothing_is_forever_and_never_a_panic() {
        assert_eq!(ByteSize(0) / ByteRate::ZERO, FOREVER);
        assert_eq!(ByteSize(u64::MAX) / ByteRate::new(1e-9), FOREVER);
        assert_eq!(ByteRate::new(f64::NAN), ByteRate::ZERO);
        assert_eq!(ByteSize(5) / Duration::ZERO, ByteRate::ZERO);
    }

    #[test]
    fn sizes_are_told_as_disks_tell_them() {
        assert_eq!(ByteSize(999).to_string(), "999 B");
        assert_eq!(ByteSize(306_000_000).to_string(), "306.0 MB");
        assert_eq!(ByteSize(64_500_000_000).to_string(), "64.5 GB");
        assert_eq!(ByteRate::new(2_500_000.0).to_string(), "2.5 MB/s");
    }
}
