//! Whether a film will play through, from what it needs and what comes. Pure; it measures nothing itself.
//!
//! The model is two straight lines: the player takes the film's mean rate, the swarm brings what it brings now, in order
//! from the head on. So a forecast is as good as these two numbers are steady, and is to be made anew every second or so.

use std::fmt;
use std::time::Duration;

/// What has to be here before a player shows a picture: the film's first seconds ...
const START: Duration = Duration::from_secs(3);
/// ... which, where nobody knows how many bytes those are, and for the headers, are this many.
const START_BYTES: u64 = 512 * 1024;
/// The rate must be so much more than the film's mean rate: a film has scenes that need more, and a swarm has bad minutes.
const MARGIN: f64 = 1.1;
/// A longer wait is as good as this one: nobody sits through it.
const FOREVER: Duration = Duration::from_secs(1000 * 60 * 60);

/// What a forecast is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Situation {
    /// Bytes of the file.
    pub length: u64,
    /// Bytes that are here from the head on without a gap. Before anybody reads, the head is the file's beginning.
    pub had_ahead: u64,
    /// Bytes still to come from the head to the end.
    pub missing: u64,
    /// How long the film lasts, and where the head is in it; if that is known.
    pub duration: Option<Duration>,
    pub position: Option<Duration>,
    /// Bytes a second that come now.
    pub rate: u64,
    /// A player has begun to show it.
    pub is_playing: bool,
}

/// What is to be expected. Rates are in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// All is here from the head to the end.
    Complete,
    /// Something is missing, and nothing comes.
    NoRate,
    /// The film's duration is not known, so neither is what it needs; `starts_in` is `None` once it plays.
    Unknown { starts_in: Option<Duration> },
    /// It will play through; zero once it plays, or could.
    Smooth { starts_in: Duration, needs: u64, has: u64 },
    /// It will play through only if it starts, or goes on, after this time.
    Stalls { needs: u64, has: u64, start_after: Duration },
}

impl Situation {
    pub fn forecast(&self) -> Forecast {
        if self.missing == 0 {
            return Forecast::Complete;
        }
        if self.rate == 0 {
            return Forecast::NoRate;
        }
        let (rate, missing) = (self.rate as f64, self.missing as f64);
        let duration = self.duration.filter(|duration| !duration.is_zero());
        let Some(duration) = duration else {
            let starts_in = (!self.is_playing).then(|| self.comes_in(START_BYTES));
            return Forecast::Unknown { starts_in };
        };
        let needs = self.length as f64 / duration.as_secs_f64();
        let left = duration.saturating_sub(self.position.unwrap_or_default());
        // The last missing byte comes after `missing / rate`. It is needed when all before it has been shown: what is here
        // and what is missing, at the film's rate, or the time that the film still lasts, if that is less. (Of bytes
        // further ahead that are here already nothing is known: none is the worst case.) Between now and then the two lines do not
        // cross again, so this moment decides.
        let comes_after = missing / rate;
        let needed_after =
            (self.had_ahead.saturating_add(self.missing) as f64 / needs).min(left.as_secs_f64());
        let is_enough = comes_after * MARGIN <= needed_after;
        let (needs, has) = (needs.round() as u64, self.rate);
        if is_enough {
            let start = ((needs as f64 * START.as_secs_f64()) as u64).max(START_BYTES);
            let starts_in = if self.is_playing { Duration::ZERO } else { self.comes_in(start) };
            return Forecast::Smooth { starts_in, needs, has };
        }
        Forecast::Stalls { needs, has, start_after: seconds(comes_after * MARGIN - needed_after) }
    }

    /// How long it takes until the first `start` bytes from the head on are here.
    fn comes_in(&self, start: u64) -> Duration {
        seconds(start.saturating_sub(self.had_ahead).min(self.missing) as f64 / self.rate as f64)
    }
}

impl Forecast {
    /// The film can be started now, and no stall is expected: what `--wait` waits for.
    pub fn is_safe(&self) -> bool {
        match self {
            Forecast::Complete => true,
            Forecast::Smooth { starts_in, .. } => starts_in.is_zero(),
            Forecast::NoRate | Forecast::Unknown { .. } | Forecast::Stalls { .. } => false,
        }
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Forecast::Complete => f.write_str("all of it is here: no stall expected"),
            Forecast::NoRate => f.write_str("nothing is coming in"),
            Forecast::Unknown { starts_in: None | Some(Duration::ZERO) } => {
                f.write_str("the film does not tell how long it is, so whether it will stall is not known")
            }
            Forecast::Unknown { starts_in: Some(time) } => {
                write!(f, "starts in {}; the film does not tell what rate it needs", Span(time))
            }
            Forecast::Smooth { starts_in, needs, has } => {
                if !starts_in.is_zero() {
                    write!(f, "starts in {}; ", Span(starts_in))?;
                }
                write!(f, "{}: no stall expected", Rates { needs, has })
            }
            Forecast::Stalls { needs, has, start_after } => {
                let will = if has < needs { "will" } else { "may" };
                let rates = Rates { needs, has };
                write!(f, "{rates}: {will} stall; start after {} to play through", Span(start_after))
            }
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or(FOREVER, |time| time.min(FOREVER))
}

/// A rate as streams are measured, in bits: `needs 4.2 Mbit/s, has 31`.
struct Rates {
    needs: u64,
    has: u64,
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabits = |rate: u64| {
            let megabits = rate as f64 * 8.0 / 1e6;
            let digits = if megabits < 0.995 { 2 } else { usize::from(megabits < 9.95) };
            format!("{megabits:.digits$}")
        };
        write!(f, "needs {} Mbit/s, has {}", megabits(self.needs), megabits(self.has))
    }
}

/// A time to wait, rounded up: a promise that is broken by a second is broken.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        match seconds {
            ..120 => write!(f, "{seconds} s"),
            120..7200 => write!(f, "{} min", seconds.div_ceil(60)),
            _ => {
                let minutes = seconds.div_ceil(60);
                match minutes % 60 {
                    0 => write!(f, "{} h", minutes / 60),
                    rest => write!(f, "{} h {rest} min", minutes / 60),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABIT: u64 = 125_000;

    /// A film of 1000 s that needs 4.2 Mbit/s, of which nothing is here.
    fn film(rate: u64) -> Situation {
        let length = 4_200 * MEGABIT;
        Situation {
            length,
            missing: length,
            duration: Some(Duration::from_secs(1000)),
            rate,
            ..Situation::default()
        }
    }

    fn told(situation: &Situation) -> String {
        situation.forecast().to_string()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_that_is_high_enough_is_smooth_once_the_first_seconds_are_here() {
        // 3 s of 4.2 Mbit/s, at 31 Mbit/s: 0.4 s.
        let situation = film(31 * MEGABIT);
        assert_eq!(told(&situation), "starts in 1 s; needs 4.2 Mbit/s, has 31: no stall expected");
        assert!(!situation.forecast().is_safe());
        let had = 12_600 * MEGABIT / 1000;
        let ready = Situation { had_ahead: had, missing: situation.length - had, ..situation };
        assert_eq!(told(&ready), "needs 4.2 Mbit/s, has 31: no stall expected");
        assert!(ready.forecast().is_safe());
    }

    #[test]
    fn one_that_is_too_low_says_how_long_to_wait() {
        // It comes in 4200 / 3.1 = 1354.8 s, with the margin 1490.3 s; it lasts 1000 s.
        let situation = film(3_100 * MEGABIT / 1000);
        let Forecast::Stalls { needs, has, start_after } = situation.forecast() else {
            panic!("{situation:?}")
        };
        assert_eq!((needs, has, start_after.as_secs()), (4_200 * MEGABIT / 1000, 387_500, 490));
        assert_eq!(
            told(&situation),
            "needs 4.2 Mbit/s, has 3.1: will stall; start after 9 min to play through"
        );
        assert!(!situation.forecast().is_safe());
    }

    #[test]
    fn what_is_here_already_makes_up_for_a_low_rate() {
        // 400 of 1000 s are here: the other 600 s come in 600 * 4.2 / 3 * 1.1 = 924 s.
        let slow = film(3 * MEGABIT);
        let had_ahead = slow.length * 4 / 10;
        let started = Situation { had_ahead, missing: slow.length - had_ahead, ..slow.clone() };
        assert!(started.forecast().is_safe());
        // With 300 s here, 700 s come in 1078 s.
        let had_ahead = slow.length * 3 / 10;
        let early = Situation { had_ahead, missing: slow.length - had_ahead, ..slow };
        assert_eq!(told(&early), "needs 4.2 Mbit/s, has 3.0: will stall; start after 78 s to play through");
    }

    #[test]
    fn a_rate_that_is_barely_enough_is_not_trusted() {
        let situation = film(4_300 * MEGABIT / 1000);
        assert_eq!(
            told(&situation),
            "needs 4.2 Mbit/s, has 4.3: may stall; start after 75 s to play through"
        );
        assert!(matches!(film(4_700 * MEGABIT / 1000).forecast(), Forecast::Smooth { .. }));
    }

    #[test]
    fn while_it_plays_only_the_rest_counts() {
        // 100 s are left, of which 20 s are here; the other 80 s come in 80 * 4.2 / 3.1 * 1.1 = 119.2 s.
        let whole = film(3_100 * MEGABIT / 1000);
        let playing = Situation {
            had_ahead: whole.length * 2 / 100,
            missing: whole.length * 8 / 100,
            position: Some(secs(900)),
            is_playing: true,
            ..whole
        };
        assert_eq!(told(&playing), "needs 4.2 Mbit/s, has 3.1: will stall; start after 20 s to play through");
        let faster = Situation { rate: 5 * MEGABIT, ..playing.clone() };
        assert_eq!(faster.forecast().to_string(), "needs 4.2 Mbit/s, has 5.0: no stall expected");
        // By the clock less is left than by the bytes: the end is a still picture that costs nothing.
        let late = Situation { position: Some(secs(980)), ..faster };
        assert!(matches!(late.forecast(), Forecast::Stalls { .. }));
    }

    #[test]
    fn a_hole_just_ahead_is_judged_by_what_lies_before_it() {
        // 10 s are missing right at the head, and all the rest is here.
        let whole = film(MEGABIT);
        let hole = Situation { missing: whole.length / 100, is_playing: true, ..whole };
        // They come in 42 s, with the margin 46.2 s, and are needed within 10 s.
        assert_eq!(told(&hole), "needs 4.2 Mbit/s, has 1.0: will stall; start after 37 s to play through");
    }

    #[test]
    fn without_a_duration_a_rate_or_a_need_it_says_what_it_can() {
        let unknown = Situation { duration: None, ..film(START_BYTES / 6) };
        assert_eq!(told(&unknown), "starts in 7 s; the film does not tell what rate it needs");
        let playing = Situation { is_playing: true, ..unknown.clone() };
        assert_eq!(playing.forecast(), Forecast::Unknown { starts_in: None });
        assert!(!playing.forecast().is_safe());
        assert_eq!(film(0).forecast(), Forecast::NoRate);
        let complete = Situation { missing: 0, rate: 0, ..film(0) };
        assert!(complete.forecast().is_safe());
        assert_eq!(
            Situation { duration: Some(Duration::ZERO), ..unknown.clone() }.forecast(),
            unknown.forecast()
        );
    }

    #[test]
    fn no_numbers_are_too_large_or_too_odd() {
        let odd = Situation {
            length: u64::MAX,
            had_ahead: u64::MAX,
            missing: u64::MAX,
            duration: Some(Duration::MAX),
            position: Some(Duration::MAX),
            rate: 1,
            is_playing: false,
        };
        for situation in [
            odd.clone(),
            Situation { length: 0, had_ahead: 0, ..odd.clone() },
            Situation { duration: Some(Duration::from_nanos(1)), rate: u64::MAX, ..odd },
        ] {
            assert!(!told(&situation).is_empty());
        }
    }

    #[test]
    fn times_are_rounded_up_to_what_one_can_remember() {
        let told = |millis| Span(Duration::from_millis(millis)).to_string();
        assert_eq!(told(5_001), "6 s");
        assert_eq!(told(80_000), "80 s");
        assert_eq!(told(121_000), "3 min");
        assert_eq!(told(7_500_000), "2 h 5 min");
        assert_eq!(told(7_200_000), "2 h");
    }

    #[test]
    fn rates_have_as_many_digits_as_they_deserve() {
        let told = |needs, has| Rates { needs, has }.to_string();
        assert_eq!(told(16_000, 1_250_000), "needs 0.13 Mbit/s, has 10");
    }
}
