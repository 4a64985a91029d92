//! What is going on in one line of text, and when such a line is worth writing to a file or a pipe.

use std::time::{Duration, Instant};

use super::bar::share;
use super::text::{clean, counted};
use super::{SiteView, Stage, View, books};
use crate::units::ByteSize;

/// While only numbers move, a line is written no oftener than that.
const SELDOM: Duration = Duration::from_secs(30);
/// Peers that come and go, and a player that stands still and goes on, are told no oftener than that.
const SOMETIMES: Duration = Duration::from_secs(5);
/// A player that waits for so long stands still; most fill a cache of their own, and wait now and then.
const STALL: Duration = Duration::from_secs(2);
/// After this long in vain, a viewer is told why; and again, if that has changed, after so long.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_AGAIN: Duration = Duration::from_secs(60);

/// Writes lines: one when something has changed that matters, and few otherwise. Never the same twice in a row.
#[derive(Debug, Default)]
pub(super) struct Plain {
    said: Option<Said>,
    /// Since when there is nothing to see, and after how long to say next why.
    waiting: Option<(Instant, Duration)>,
    explained: String,
}

#[derive(Debug)]
struct Said {
    line: String,
    at: Instant,
    stage: Stage,
    paused: bool,
    complete: bool,
    has_peers: bool,
    stalls: bool,
}

impl Plain {
    /// The lines that are to be written now.
    pub(super) fn lines(&mut self, view: &View, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_news(view, now) {
            lines.extend(self.progress(view, now));
        }
        lines.extend(self.explanation(view, now));
        lines
    }

    fn is_news(&self, view: &View, now: Instant) -> bool {
        let Some(said) = &self.said else { return true };
        let elapsed = now.duration_since(said.at);
        let complete = is_complete(view);
        if said.stage != view.stage || said.paused != view.paused || said.complete != complete {
            return true;
        }
        let has_turned = said.has_peers != (view.statistics.peers > 0) || said.stalls != stalls(view);
        !complete && (elapsed >= SELDOM || (has_turned && elapsed >= SOMETIMES))
    }

    fn progress(&mut self, view: &View, now: Instant) -> Option<String> {
        let line = progress(view);
        let is_same = self.said.as_ref().is_some_and(|said| said.line == line);
        self.said = Some(Said {
            line: line.clone(),
            at: now,
            stage: view.stage.clone(),
            paused: view.paused,
            complete: is_complete(view),
            has_peers: view.statistics.peers > 0,
            stalls: stalls(view),
        });
        (!is_same).then_some(line)
    }

    /// Somebody who waits in vain is told why, or at least who has been asked and what they said.
    fn explanation(&mut self, view: &View, now: Instant) -> Option<String> {
        let has_swarm = view.site.as_ref().is_none_or(|site| !site.is_local());
        let is_alone = view.statistics.peers == 0 && view.stage != Stage::Resolving && has_swarm;
        let is_waiting = (view.waiting.is_some() || is_alone) && !view.paused && !is_complete(view);
        if !is_waiting {
            self.waiting = None;
            return None;
        }
        let (since, patience) = *self.waiting.get_or_insert((now, PATIENCE));
        let waited = now.duration_since(since);
        if waited < patience {
            return None;
        }
        self.waiting = Some((since, patience + PATIENCE_AGAIN));
        // While there is nobody, each of those who were asked is told with what it said.
        let tried = if is_alone { tried(view) } else { String::new() };
        let why = view.waiting.as_deref().map(clean);
        let told = format!("{}{tried}", why.as_deref().unwrap_or_default());
        if told == self.explained {
            return None;
        }
        self.explained = told;
        let why = why.unwrap_or_else(|| format!("no peer yet after {} s; still trying", waited.as_secs()));
        Some(if is_alone { format!("{why}:{tried}") } else { why })
    }
}

fn stalls(view: &View) -> bool {
    view.playing.stalled.is_some_and(|stalled| stalled >= STALL)
}

/// What is going on, in one line.
pub fn progress(view: &View) -> String {
    let numbers = &view.statistics;
    let paused = if view.paused { "paused; " } else { "" };
    if let (Stage::Idle, Some(site)) = (&view.stage, &view.site) {
        return format!("{paused}{}", of_site(view, site));
    }
    match &view.stage {
        Stage::Resolving => "reading what the torrent is".into(),
        Stage::Idle => format!("nobody reads anything; {}", counted(numbers.peers, "peer")),
        Stage::Metadata => match (numbers.peers, numbers.candidates) {
            (0, 0) => "looking for peers".into(),
            (0, candidates) => format!("dialling {}", counted(candidates, "peer")),
            (peers, _) => format!("asking {} what the torrent holds", counted(peers, "peer")),
        },
        Stage::Streaming { name, length } => {
            let percent = share(had(view), *length, 100);
            let ahead = if is_complete(view) {
                "all here".into()
            } else if numbers.stalled_readers > 0 && numbers.peers > 0 && numbers.unchoking == 0 {
                "no peer sends yet".into()
            } else if numbers.stalled_readers > 0 && numbers.download_rate > 0 {
                // Most players fill a cache of their own: that is no stall, and no alarm.
                "read as it comes".into()
            } else if numbers.stalled_readers > 0 {
                "waiting for the next bytes".into()
            } else {
                let ahead = if view.file.is_some() && view.playing.reading {
                    view.playing.ahead_bytes
                } else {
                    numbers.buffered
                };
                format!("{} ahead", ByteSize(ahead))
            };
            format!(
                "{paused}{percent} % of {}, {ahead}, ↓ {}/s ↑ {} from {}/{} · {}",
                ByteSize(*length),
                ByteSize(numbers.download_rate),
                ByteSize(numbers.uploaded),
                numbers.unchoking,
                counted(numbers.peers, "peer"),
                clean(name),
            )
        }
    }
}

/// Nobody need come any more.
/// What a site's readers have had, and wait for.
fn of_site(view: &View, site: &SiteView) -> String {
    let numbers = &view.statistics;
    let reads = books::waits(site.reads, site.bytes);
    match site.is_local() {
        true => reads,
        false => format!(
            "{reads}; {} of {} fetched, ↓ {}/s from {}",
            ByteSize(numbers.downloaded),
            ByteSize(site.length),
            ByteSize(numbers.download_rate),
            counted(numbers.peers, "peer")
        ),
    }
}

pub(super) fn is_complete(view: &View) -> bool {
    matches!(&view.stage, Stage::Streaming { length, .. } if had(view) >= *length)
}

/// Bytes of the file that are here.
fn had(view: &View) -> u64 {
    view.file.as_ref().map_or(view.statistics.chosen_had, |file| file.report.had)
}

/// Whom has been asked in vain, a line each.
fn tried(view: &View) -> String {
    if view.sources.is_empty() {
        return "\n  nobody is there to be asked: add --trackers or --peer, or leave the DHT on".into();
    }
    view.sources.iter().map(|source| format!("\n  {}", clean(source))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Statistics;

    fn view(stage: Stage, statistics: Statistics) -> View {
        View {
            stage,
            statistics,
            sources: vec!["DHT: 0 found, 12 nodes known".into(), "tracker t: refused".into()],
            ..View::default()
        }
    }

    #[test]
    fn a_viewer_who_waits_is_told_what_is_done_and_what_has_been_tried() {
        let mut view = view(Stage::Metadata, Statistics::default());
        assert_eq!(progress(&view), "looking for peers");
        view.statistics.candidates = 1;
        assert_eq!(progress(&view), "dialling 1 peer");
        view.statistics.peers = 2;
        assert_eq!(progress(&view), "asking 2 peers what the torrent holds");
    }

    #[test]
    fn a_viewer_who_watches_sees_what_is_ahead() {
        let numbers = Statistics {
            chosen_had: 30_000_000,
            buffered: 12_300_000,
            download_rate: 2_500_000,
            uploaded: 1_000,
            peers: 8,
            unchoking: 5,
            ..Statistics::default()
        };
        let stage = Stage::Streaming { name: "film.mkv".into(), length: 300_000_000 };
        assert_eq!(
            progress(&view(stage.clone(), numbers.clone())),
            "10 % of 300.0 MB, 12.3 MB ahead, ↓ 2.5 MB/s ↑ 1.0 kB from 5/8 peers · film.mkv"
        );
        let stalled = Statistics { stalled_readers: 1, ..numbers };
        assert!(progress(&view(stage.clone(), stalled.clone())).contains("read as it comes"));
        let silent = Statistics { download_rate: 0, ..stalled.clone() };
        assert!(progress(&view(stage.clone(), silent)).contains("waiting for the next bytes"));
        let choked = Statistics { unchoking: 0, ..stalled };
        assert!(progress(&view(stage, choked)).contains("no peer sends yet"));
    }

    #[test]
    fn an_empty_file_is_all_here() {
        let stage = Stage::Streaming { name: "empty".into(), length: 0 };
        let line = progress(&view(stage, Statistics { peers: 1, ..Statistics::default() }));
        assert!(line.starts_with("100 % of 0 B, all here"), "{line}");
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_line_is_written_when_something_has_changed_and_seldom_otherwise() {
        let begin = Instant::now();
        let mut plain = Plain::default();
        let stage = Stage::Streaming { name: "film.mkv".into(), length: 1_000_000_000 };
        let mut view = view(stage, Statistics { peers: 3, ..Statistics::default() });
        let mut written = Vec::new();
        for second in 0..100 {
            view.statistics.chosen_had = second * 5_000_000;
            written.extend(plain.lines(&view, begin + seconds(second)).iter().map(|_| second));
        }
        assert_eq!(written, [0, 30, 60, 90]);
        view.paused = true;
        let [line] = &plain.lines(&view, begin + seconds(100))[..] else { panic!("one line") };
        assert!(line.starts_with("paused; 49 % of 1.0 GB"), "{line}");
        // Nothing moves: nothing is said.
        assert!((101..500).all(|second| plain.lines(&view, begin + seconds(second)).is_empty()));
    }

    #[test]
    fn nothing_is_written_after_it_is_complete() {
        let begin = Instant::now();
        let mut plain = Plain::default();
        let stage = Stage::Streaming { name: "film.mkv".into(), length: 1000 };
        let mut view = view(stage, Statistics { chosen_had: 1000, peers: 3, ..Statistics::default() });
        assert_eq!(plain.lines(&view, begin).len(), 1);
        for second in 1..200 {
            view.statistics.uploaded = second * 1000;
            view.statistics.peers = (second % 2) as usize;
            assert!(plain.lines(&view, begin + seconds(second)).is_empty());
        }
    }

    #[test]
    fn peers_that_come_and_go_are_told_now_and_then() {
        let begin = Instant::now();
        let mut plain = Plain::default();
        let stage = Stage::Streaming { name: "film.mkv".into(), length: 1000 };
        let mut view = view(stage, Statistics::default());
        let written: usize = (0..30)
            .map(|second| {
                view.statistics.peers = (second % 2) as usize;
                plain.lines(&view, begin + seconds(second)).len()
            })
            .sum();
        assert!((2..=6).contains(&written), "{written}");
    }

    #[test]
    fn whoever_waits_in_vain_is_told_why_once_and_again_when_that_has_changed() {
        let begin = Instant::now();
        let mut plain = Plain::default();
        let mut view = view(Stage::Metadata, Statistics::default());
        let mut written = Vec::new();
        for second in 0..200 {
            if second == 100 {
                view.waiting = Some("3 of 4 trackers timed out".into());
            }
            written
                .extend(plain.lines(&view, begin + seconds(second)).into_iter().map(|line| (second, line)));
        }
        let tried =
            "no peer yet after 10 s; still trying:\n  DHT: 0 found, 12 nodes known\n  tracker t: refused";
        assert_eq!(
            written,
            [
                (0, "looking for peers".to_owned()),
                (10, tried.to_owned()),
                (
                    130,
                    "3 of 4 trackers timed out:\n  DHT: 0 found, 12 nodes known\n  tracker t: refused"
                        .to_owned()
                ),
            ]
        );
        view.sources.clear();
        view.waiting = None;
        assert!(super::tried(&view).contains("--trackers"));
    }
}
