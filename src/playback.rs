//! What a player is doing, told from what it reads: where it is in the film, what is ahead of it, and whether it stands still.
//! Pure. A player tells nobody that it stalls; but whoever plays a second of film a second, and has been given only so much of it,
//! can be reckoned with.

use std::time::Duration;

use crate::read::{FileReport, ReaderReport};

/// A player that waits for less than this has its own cache to live on, and nobody notices.
const NOTICED: Duration = Duration::from_millis(500);

/// As much as may have come, and been read, between two looks.
const ARRIVES: u64 = 64 * 1024 * 1024;

/// Where the film's length in time is not known, a reader that waits for so long is taken for a player that stands still.
const NOTICED_BLINDLY: Duration = Duration::from_secs(2);

/// A file that a player reads.
#[derive(Clone, Debug, Default)]
pub struct Playback {
    /// How long the film plays, where that is known.
    duration: Option<Duration>,
    /// The reader that is taken for the player's.
    reader: Option<Followed>,
    stalls: u32,
    noted_at: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    id: u32,
    head: u64,
    /// Bytes that were there from the head on.
    buffered: u64,
    /// In seconds of film; never beyond what the player has been given.
    position: f64,
    /// Bytes have come to it: it plays, or could.
    begun: bool,
    /// Since when it has had nothing to play.
    dry_since: Option<Duration>,
    /// This standing still has been counted.
    counted: bool,
}

/// One moment of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Playing {
    /// Where the player is in the film.
    pub position: Option<Duration>,
    pub duration: Option<Duration>,
    /// Film that can be played from there without another byte.
    pub ahead: Option<Duration>,
    /// Bytes that are here without a gap from the player's head on.
    pub ahead_bytes: u64,
    /// How often it stood still after it had begun; seeks do not count.
    pub stalls: u32,
    /// It stands still now, for so long.
    pub stalled: Option<Duration>,
    /// Somebody reads.
    pub reading: bool,
    /// Somebody reads, and has been given something.
    pub begun: bool,
}

impl Playback {
    /// Of a file whose duration may become known later.
    pub fn new() -> Playback {
        Playback::default()
    }

    pub fn set_duration(&mut self, duration: Option<Duration>) {
        let duration = duration.filter(|duration| !duration.is_zero());
        if self.duration != duration {
            self.duration = duration;
            // Where it is in the film is reckoned anew, from where its reader began.
            self.reader = None;
        }
    }

    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// To be called a few times a second. `now` is any clock that only goes forward.
    pub fn note(&mut self, now: Duration, report: &FileReport) {
        let passed = self.noted_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        self.noted_at = Some(now);
        // The newest: players open another connection to seek, and close the old one late.
        let Some(newest) = report.readers.last() else {
            self.reader = None;
            return;
        };
        let second = self.bytes_a_second(report.length);
        let known = self.reader.filter(|known| known.id == newest.id && !is_seek(known, newest));
        // A new connection plays from where it began; one that has jumped, from where it is now.
        let is_new = self.reader.is_none_or(|known| known.id != newest.id);
        let start = if is_new { newest.start } else { newest.head };
        let mut reader = known.unwrap_or(Followed {
            id: newest.id,
            head: start,
            buffered: newest.buffered,
            position: second.map_or(0.0, |second| start as f64 / second),
            begun: false,
            dry_since: None,
            counted: false,
        });
        let moved = newest.head > reader.head;
        reader.begun |= moved || !newest.waiting;
        reader.head = newest.head;
        reader.buffered = newest.buffered;
        let is_dry = if let Some(second) = second {
            let given = newest.head as f64 / second;
            reader.position =
                (reader.position + passed.as_secs_f64() * f64::from(u8::from(reader.begun))).min(given);
            newest.waiting && reader.position >= given
        } else {
            newest.waiting && !moved
        };
        if reader.begun && is_dry {
            let since = *reader.dry_since.get_or_insert(now);
            let noticed = if second.is_some() { NOTICED } else { NOTICED_BLINDLY };
            if !reader.counted && now.saturating_sub(since) >= noticed {
                reader.counted = true;
                self.stalls += 1;
            }
        } else {
            reader.dry_since = None;
            reader.counted = false;
        }
        self.reader = Some(reader);
    }

    /// The moment that was noted last.
    pub fn playing(&self, report: &FileReport) -> Playing {
        let newest = report.readers.last();
        let ahead_bytes = newest.map_or(0, |reader| reader.buffered);
        let mut playing = Playing {
            duration: self.duration,
            ahead_bytes,
            stalls: self.stalls,
            reading: newest.is_some(),
            ..Playing::default()
        };
        let Some(reader) = self.reader else { return playing };
        playing.begun = reader.begun;
        playing.stalled = reader
            .dry_since
            .filter(|_| reader.counted)
            .and_then(|since| self.noted_at.map(|now| now.saturating_sub(since)));
        if let Some(second) = self.bytes_a_second(report.length) {
            let until = (reader.head.saturating_add(ahead_bytes)) as f64 / second;
            playing.position = Duration::try_from_secs_f64(reader.position.max(0.0)).ok();
            playing.ahead = Duration::try_from_secs_f64((until - reader.position).max(0.0)).ok();
        }
        playing
    }

    /// As if each second of the film took as much of the file as every other.
    fn bytes_a_second(&self, length: u64) -> Option<f64> {
        let duration = self.duration?.as_secs_f64();
        (length > 0 && duration > 0.0).then(|| length as f64 / duration)
    }
}

/// Whether the reader is somewhere else than reading on could have brought it: before where it was, or far beyond what was
/// there. (What is there it may take into its own cache at any speed.)
fn is_seek(known: &Followed, newest: &ReaderReport) -> bool {
    newest.head < known.head
        || newest.head > known.head.saturating_add(known.buffered).saturating_add(ARRIVES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 100_000;

    /// A film of 1000 seconds.
    fn report(id: u32, head_seconds: u64, waiting: bool, buffered_seconds: u64) -> FileReport {
        let reader = ReaderReport {
            id,
            start: if id == 2 { 700 * SECOND } else { 0 },
            head: head_seconds * SECOND,
            waiting,
            buffered: buffered_seconds * SECOND,
        };
        FileReport { length: 1000 * SECOND, readers: vec![reader], ..FileReport::default() }
    }

    fn at(quarters: u64) -> Duration {
        Duration::from_millis(quarters * 250)
    }

    fn film() -> Playback {
        let mut film = Playback::new();
        film.set_duration(Some(Duration::from_secs(1000)));
        film
    }

    #[test]
    fn a_film_that_plays_moves_on_a_second_a_second() {
        let mut film = film();
        // The player has taken 30 s into its own cache at once, and reads on slowly.
        for quarter in 0..=40 {
            film.note(at(quarter), &report(1, 30 + quarter / 4, false, 20));
        }
        let playing = film.playing(&report(1, 40, false, 20));
        // What is in the player's own cache is ahead too.
        assert_eq!(playing.position, Some(Duration::from_secs(10)));
        assert_eq!(playing.ahead, Some(Duration::from_secs(50)));
        assert_eq!((playing.stalls, playing.stalled), (0, None));
        assert!(playing.reading && playing.begun);
    }

    #[test]
    fn starting_is_no_stall_and_running_dry_is_one() {
        let mut film = film();
        for quarter in 0..40 {
            film.note(at(quarter), &report(1, 0, true, 0));
        }
        assert_eq!(film.playing(&report(1, 0, true, 0)).stalls, 0);
        // Ten seconds of film come at once; they last for ten seconds.
        film.note(at(40), &report(1, 10, true, 0));
        for quarter in 41..=80 {
            film.note(at(quarter), &report(1, 10, true, 0));
            assert_eq!(film.playing(&report(1, 10, true, 0)).stalls, 0, "quarter {quarter}");
        }
        for quarter in 81..=88 {
            film.note(at(quarter), &report(1, 10, true, 0));
        }
        let playing = film.playing(&report(1, 10, true, 0));
        assert_eq!(playing.stalls, 1);
        assert!(playing.stalled.is_some_and(|stalled| stalled >= Duration::from_secs(1)));
        // It goes on, and runs dry again: two.
        film.note(at(89), &report(1, 11, false, 0));
        assert_eq!(film.playing(&report(1, 11, false, 0)).stalled, None);
        for quarter in 90..=100 {
            film.note(at(quarter), &report(1, 11, true, 0));
        }
        assert_eq!(film.playing(&report(1, 11, true, 0)).stalls, 2);
    }

    #[test]
    fn a_seek_begins_anew_and_is_no_stall() {
        let mut film = film();
        film.note(at(0), &report(1, 0, false, 20));
        film.note(at(1), &report(1, 10, false, 20));
        for quarter in 2..60 {
            film.note(at(quarter), &report(2, 700, true, 0));
        }
        let playing = film.playing(&report(2, 700, true, 0));
        assert_eq!(playing.stalls, 0);
        assert_eq!(playing.position, Some(Duration::from_secs(700)));
        // Back, on the same connection (a mount has no other).
        film.note(at(60), &report(2, 5, true, 0));
        assert_eq!(film.playing(&report(2, 5, true, 0)).position, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_player_that_is_paused_does_not_stall() {
        let mut film = film();
        film.note(at(0), &report(1, 0, false, 20));
        for quarter in 1..400 {
            film.note(at(quarter), &report(1, 10, false, 20));
        }
        let playing = film.playing(&report(1, 10, false, 20));
        assert_eq!((playing.stalls, playing.stalled), (0, None));
        assert_eq!(playing.position, Some(Duration::from_secs(10)));
    }

    #[test]
    fn without_a_duration_only_long_waits_are_stalls() {
        let mut film = Playback::new();
        film.note(at(0), &report(1, 0, false, 1));
        for quarter in 1..=8 {
            film.note(at(quarter), &report(1, 1, true, 0));
        }
        assert_eq!(film.playing(&report(1, 1, true, 0)).stalls, 0);
        for quarter in 9..=20 {
            film.note(at(quarter), &report(1, 1, true, 0));
        }
        let playing = film.playing(&report(1, 1, true, 0));
        assert_eq!((playing.stalls, playing.position), (1, None));
    }

    #[test]
    fn nobody_reads_nothing_plays() {
        let mut film = film();
        film.note(at(0), &report(1, 0, false, 20));
        let nobody = FileReport { length: 1000 * SECOND, ..FileReport::default() };
        film.note(at(1), &nobody);
        assert_eq!(
            film.playing(&nobody),
            Playing { duration: Some(Duration::from_secs(1000)), ..Playing::default() }
        );
    }
}
