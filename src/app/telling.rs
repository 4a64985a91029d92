//! `--json`: from one moment to the next, what has happened.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::moment::Moment;
use crate::events::{self, Event, Progress, Visit, seconds};
use crate::forecast::Forecast;

/// Progress is told this often at most.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// A forecast wavers with the rate: told when its kind changes, else this often at most.
const FORECAST_EVERY: Duration = Duration::from_secs(10);
/// Why nothing comes is told at most this often: its numbers move all the time.
const WHY_EVERY: Duration = Duration::from_secs(5);

/// Writes events to standard output; without `--json`, nothing.
pub(super) struct Teller {
    is_on: bool,
    begun: Instant,
    /// Nobody reads any more.
    is_deaf: Arc<AtomicBool>,
    changes: Changes,
}

impl Teller {
    /// Times are counted from here.
    pub(super) fn new(is_on: bool) -> Teller {
        Teller { is_on, begun: Instant::now(), is_deaf: Arc::default(), changes: Changes::default() }
    }

    /// For another task, with the same clock. For single events: what changes from moment to moment is told by one.
    pub(super) fn sibling(&self) -> Teller {
        Teller {
            is_on: self.is_on,
            begun: self.begun,
            is_deaf: self.is_deaf.clone(),
            changes: Changes::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whoever read the events has gone: there is nobody to work for.
    pub(super) fn is_deaf(&self) -> bool {
        self.is_deaf.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, event: &Event) {
        if !self.is_on || self.is_deaf() {
            return;
        }
        if events::write(&mut io::stdout().lock(), self.begun.elapsed(), event).is_err() {
            self.is_deaf.store(true, Ordering::Relaxed);
        }
    }

    /// What has changed since the last moment.
    pub(super) fn tell_moment(&mut self, moment: &Moment) {
        if !self.is_on {
            return;
        }
        for event in self.changes.between(self.begun.elapsed(), moment) {
            self.tell(&event);
        }
    }
}

/// What was told last. Pure.
#[derive(Default)]
struct Changes {
    peers: Option<(usize, usize, usize)>,
    progress: Option<(Duration, Progress)>,
    visit: Option<(Duration, Visit)>,
    first_bytes: HashSet<usize>,
    stalled: Option<(usize, Duration)>,
    why: Option<(Duration, String)>,
    forecast: Option<(Duration, Forecast)>,
    paused: bool,
}

impl Changes {
    fn between(&mut self, now: Duration, moment: &Moment) -> Vec<Event> {
        let mut news = Vec::new();
        let numbers = &moment.statistics;
        let peers = (numbers.peers, numbers.unchoking, numbers.candidates);
        if self.peers != Some(peers) {
            self.peers = Some(peers);
            let (connected, unchoking, known) = peers;
            news.push(Event::Peers { connected, unchoking, known });
        }
        if self.paused != moment.paused {
            self.paused = moment.paused;
            news.push(Event::Paused { paused: moment.paused });
        }
        self.file(now, moment, &mut news);
        if let Some(visit) = visit(moment) {
            let is_due =
                |(at, told): &(Duration, Visit)| now.saturating_sub(*at) >= PROGRESS_EVERY && *told != visit;
            if self.visit.as_ref().is_none_or(is_due) {
                self.visit = Some((now, visit.clone()));
                news.push(Event::Visit(visit));
            }
        }
        match &moment.why {
            None => self.why = None,
            Some(why) => {
                let is_news = self
                    .why
                    .as_ref()
                    .is_none_or(|(at, told)| told != why && now.saturating_sub(*at) >= WHY_EVERY);
                if is_news {
                    self.why = Some((now, why.clone()));
                    news.push(Event::Waiting { why: why.clone() });
                }
            }
        }
        news
    }

    fn file(&mut self, now: Duration, moment: &Moment, news: &mut Vec<Event>) {
        let Some(file) = &moment.file else { return };
        let index = file.index;
        if file.report.had > 0 && self.first_bytes.insert(index) {
            news.push(Event::FirstByte { index, after: seconds(now) });
        }
        match (moment.playing.stalled, self.stalled) {
            (Some(_), None) => {
                self.stalled = Some((index, now));
                news.push(Event::Stall { index, why: moment.why.clone() });
            }
            (None, Some((stalled, since))) => {
                self.stalled = None;
                news.push(Event::StallEnded { index: stalled, after: seconds(now.saturating_sub(since)) });
            }
            _ => {}
        }
        let progress = progress(moment, index);
        let is_due = self.progress.as_ref().is_none_or(|(at, told)| {
            now.saturating_sub(*at) >= PROGRESS_EVERY && *told != progress || told.index != index
        });
        if is_due {
            self.progress = Some((now, progress.clone()));
            news.push(Event::Progress(progress));
        }
        if let Some(forecast) = &moment.forecast {
            let is_due = self.forecast.as_ref().is_none_or(|(at, told)| {
                told.is_safe() != forecast.is_safe()
                    || std::mem::discriminant(told) != std::mem::discriminant(forecast)
                    || (told != forecast && now.saturating_sub(*at) >= FORECAST_EVERY)
            });
            if is_due {
                self.forecast = Some((now, *forecast));
                news.push(told(index, forecast));
            }
        }
    }
}

fn told(index: usize, forecast: &Forecast) -> Event {
    let (mut needs, mut has, mut starts_in, mut start_after) = (None, 0, None, None);
    match *forecast {
        Forecast::Complete | Forecast::NoRate => {}
        Forecast::Unknown { starts_in: soon } => starts_in = soon.map(seconds),
        Forecast::Smooth { starts_in: soon, needs: needed, has: there } => {
            (needs, has, starts_in) = (Some(needed), there, Some(seconds(soon)));
        }
        Forecast::Stalls { needs: needed, has: there, start_after: wait } => {
            (needs, has, start_after) = (Some(needed), there, Some(seconds(wait)));
        }
    }
    Event::Forecast {
        index,
        safe: forecast.is_safe(),
        needs,
        has,
        starts_in,
        start_after,
        text: forecast.to_string(),
    }
}

fn visit(moment: &Moment) -> Option<Visit> {
    let (visit, numbers) = (moment.visit?, &moment.statistics);
    Some(Visit {
        length: visit.length,
        had: visit.had,
        downloaded: numbers.downloaded,
        uploaded: numbers.uploaded,
        download_rate: numbers.download_rate,
        upload_rate: numbers.upload_rate,
        reads: visit.reads,
        bytes: visit.bytes,
    })
}

fn progress(moment: &Moment, index: usize) -> Progress {
    let numbers = &moment.statistics;
    let report = moment.file.as_ref().map(|file| &file.report);
    Progress {
        index,
        length: report.map_or(0, |report| report.length),
        had: report.map_or(0, |report| report.had),
        buffered: moment.playing.ahead_bytes,
        buffered_seconds: moment.playing.ahead.map(seconds),
        position: moment.playing.position.map(seconds),
        duration: moment.playing.duration.map(seconds),
        stalls: moment.playing.stalls,
        downloaded: numbers.downloaded,
        uploaded: numbers.uploaded,
        download_rate: numbers.download_rate,
        upload_rate: numbers.upload_rate,
        hot_swaps: numbers.hot_swaps,
        wasted: numbers.wasted,
        failed_pieces: numbers.failed_pieces,
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::Current;
    use super::*;
    use crate::playback::Playing;
    use crate::read::{FileReport, Statistics};

    fn moment(had: u64) -> Moment {
        let report = FileReport { length: 1000, had, ..FileReport::default() };
        Moment {
            file: Some(Current { index: 3, path: "a/film.mkv".into(), length: 1000, place: (1, 1), report }),
            ..Moment::default()
        }
    }

    fn names(news: &[Event]) -> Vec<String> {
        let name = |event: &Event| {
            let json = serde_json::to_value(event).expect("JSON");
            json["event"].as_str().expect("a name").to_owned()
        };
        news.iter().map(name).collect()
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_does_not_change_is_told_once() {
        let mut changes = Changes::default();
        assert_eq!(names(&changes.between(at(0), &moment(0))), ["peers", "progress"]);
        assert!(changes.between(at(5000), &moment(0)).is_empty());
        assert_eq!(names(&changes.between(at(5100), &moment(10))), ["first_byte", "progress"]);
        assert!(changes.between(at(5200), &moment(20)).is_empty(), "not more than once a second");
        assert_eq!(names(&changes.between(at(6200), &moment(20))), ["progress"]);
    }

    #[test]
    fn a_stall_has_an_end_and_a_length() {
        let mut changes = Changes::default();
        changes.between(at(0), &moment(10));
        let why = Some("all 3 peers choke us".to_owned());
        let stalled = Moment {
            playing: Playing { stalled: Some(at(500)), stalls: 1, ..Playing::default() },
            why: why.clone(),
            ..moment(10)
        };
        let news = changes.between(at(1000), &stalled);
        assert!(news.contains(&Event::Stall { index: 3, why }), "{news:?}");
        let news = changes.between(at(3500), &moment(10));
        assert!(news.contains(&Event::StallEnded { index: 3, after: 2.5 }), "{news:?}");
    }

    #[test]
    fn why_nothing_comes_is_told_when_it_changes_but_not_all_the_time() {
        let mut changes = Changes::default();
        let because = |why: &str| Moment { why: Some(why.into()), ..Moment::default() };
        assert_eq!(names(&changes.between(at(0), &because("1 of 2 trackers"))), ["peers", "waiting"]);
        assert!(changes.between(at(1000), &because("2 of 2 trackers")).is_empty());
        assert_eq!(names(&changes.between(at(5000), &because("2 of 2 trackers"))), ["waiting"]);
        assert!(changes.between(at(60_000), &because("2 of 2 trackers")).is_empty());
        let peers = Statistics { peers: 1, ..Statistics::default() };
        assert_eq!(
            names(&changes.between(at(61_000), &Moment { statistics: peers, ..Moment::default() })),
            ["peers"]
        );
    }
}
