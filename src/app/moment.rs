//! What is going on now, put together from the torrents for whoever shows or writes it: the screen, the lines, the events.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lineup::Lineup;
use super::{report, why};
use crate::forecast::{Forecast, Situation};
use crate::lock::lock;
use crate::media;
use crate::playback::{Playback, Playing};
use crate::read::{Contents, FileReport, Files, Statistics};
use crate::torrent::{Torrent, Whereabouts};

/// A film's rate now, for a forecast, is what it was over about this long: swarms come and go in gusts.
const SMOOTHED_OVER: f64 = 8.0;

/// A peer's pace is what it was over about this long, in seconds.
const PACED_OVER: f64 = 3.0;

/// One moment of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    pub(super) statistics: Statistics,
    /// The file that is read, or will be; `None` while nobody knows the files.
    pub(super) file: Option<Current>,
    pub(super) playing: Playing,
    pub(super) forecast: Option<Forecast>,
    /// Why nothing comes, while nothing does.
    pub(super) why: Option<String>,
    /// What each source of peers has done.
    pub(super) sources: Vec<String>,
    /// What the disk refuses.
    pub(super) trouble: Option<String>,
    pub(super) whereabouts: Vec<Whereabouts>,
    pub(super) paused: bool,
    /// What a site has, and what its readers wait for, if it is one.
    pub(super) visit: Option<Visit>,
}

/// The books of a site, all together, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) length: u64,
    /// Of these, that are here.
    pub(super) had: u64,
    /// Reads that stand still, and what they want.
    pub(super) reads: usize,
    pub(super) bytes: u64,
}

/// The file that it is all about now.
#[derive(Clone, Debug)]
pub(super) struct Current {
    /// Its number in the lineup.
    pub(super) index: usize,
    pub(super) path: String,
    pub(super) length: u64,
    /// Its place in the queue, from 1, and how many there are; (1, 1) for one that is not in it.
    pub(super) place: (usize, usize),
    pub(super) report: FileReport,
}

impl Current {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.report.had >= self.length
    }
}

/// Looks, and remembers what must be remembered to tell what it sees.
pub(super) struct Observer {
    begun: Instant,
    looked_at: Instant,
    current: Option<usize>,
    /// The last beginning to read that was seen: see [`Torrent::last_read`].
    read: Option<u64>,
    playback: Playback,
    /// Stalls in files before this one.
    stalls_before: u32,
    /// The torrent that it was about.
    about: Option<usize>,
    /// Bytes a second, smoothed; `None` before anything has come.
    rate: Option<f64>,
    /// How long the films play, as far as that is known; `None` inside: it cannot be told.
    durations: Arc<Mutex<HashMap<usize, Option<Duration>>>>,
    asked: HashSet<usize>,
    /// Any file may be read at any time: what is read is not one film that is played.
    is_of_equals: bool,
    /// A torrent that is waited for by readers that no file shows.
    waited_for: Option<usize>,
    /// Of each peer of each torrent: the bytes that it had brought when it was last looked at, and its pace.
    paces: HashMap<(usize, SocketAddr), Pace>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    downloaded: u64,
    rate: f64,
}

impl Observer {
    pub(super) fn new() -> Observer {
        let now = Instant::now();
        Observer {
            begun: now,
            looked_at: now,
            current: None,
            read: None,
            playback: Playback::new(),
            stalls_before: 0,
            about: None,
            rate: None,
            durations: Arc::default(),
            asked: HashSet::new(),
            is_of_equals: false,
            waited_for: None,
            paces: HashMap::new(),
        }
    }

    /// The torrents are shown as a folder or a site: only what is read is looked at, and nothing for a forecast's sake.
    pub(super) fn watch_equals(&mut self) {
        self.is_of_equals = true;
    }

    /// A reader that no file shows waits for this torrent, or none does any more.
    pub(super) fn note_wait(&mut self, torrent: Option<usize>) {
        self.waited_for = torrent;
    }

    /// Since the session began.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Another file is what it is about, whoever reads what.
    pub(super) fn turn_to(&mut self, index: usize) {
        self.current = Some(index);
        self.stalls_before += self.playback.playing(&FileReport::default()).stalls;
        self.playback = Playback::new();
    }

    /// To be called a few times a second. `cells`: how finely the file is to be drawn.
    pub(super) fn look(&mut self, lineup: &Lineup, torrents: &[Option<Torrent>], cells: usize) -> Moment {
        let statistics = lineup.statistics();
        let mut whereabouts: Vec<Option<Whereabouts>> =
            torrents.iter().map(|torrent| torrent.as_ref().map(Torrent::why)).collect();
        let passed = self.looked_at.elapsed().as_secs_f64();
        self.looked_at = Instant::now();
        self.pace(&mut whereabouts, passed);
        let known = lineup.known();
        let file = known.as_ref().and_then(|files| self.current_file(lineup, torrents, files, cells));
        // Of several torrents, the numbers, the peers and the causes are those of the one that it is about.
        let torrent = file.as_ref().and_then(|file| lineup.place(file.index)).map(|(torrent, _)| torrent);
        let statistics = match torrent.and_then(|torrent| torrents.get(torrent)) {
            Some(Some(torrent)) => torrent.statistics(),
            _ => statistics,
        };
        if let Some(torrent) = torrent {
            whereabouts
                .iter_mut()
                .enumerate()
                .filter(|(at, _)| *at != torrent)
                .for_each(|(_, other)| *other = None);
            if self.about != Some(torrent) {
                (self.about, self.rate) = (Some(torrent), None);
            }
        }
        self.smooth(statistics.download_rate, passed);
        let mut moment = Moment {
            sources: whereabouts.iter().flatten().flat_map(report::sources).collect(),
            trouble: whereabouts.iter().flatten().find_map(|whereabouts| whereabouts.trouble.clone()),
            paused: torrents.iter().flatten().any(Torrent::is_paused),
            statistics,
            ..Moment::default()
        };
        if let Some(file) = file {
            if !self.is_of_equals {
                self.ask_duration(lineup, &file);
            }
            if let Some(duration) = lock(&self.durations).get(&file.index) {
                self.playback.set_duration(*duration);
            }
            self.playback.note(self.begun.elapsed(), &file.report);
            moment.playing = self.playback.playing(&file.report);
            moment.playing.stalls += self.stalls_before;
            if !self.is_of_equals {
                moment.forecast = self.forecast(&file, &moment.playing);
            }
            moment.file = Some(file);
        }
        let waits = match &moment.file {
            None => known.is_none() || self.waited_for.is_some(),
            // Nobody need read a folder.
            Some(file) if self.is_of_equals => file.report.readers.iter().any(|reader| reader.waiting),
            Some(file) => !file.is_whole() && is_waited_for(file, &moment.playing),
        };
        if waits {
            let whereabouts = whereabouts.get(torrent.or(self.waited_for).unwrap_or(0));
            let whereabouts = whereabouts.and_then(Option::as_ref);
            moment.why =
                whereabouts.and_then(|whereabouts| why::why(whereabouts, &moment.statistics, moment.paused));
        }
        moment.whereabouts = whereabouts.into_iter().flatten().collect();
        moment
    }

    /// What each peer has brought lately, in place of what the scheduler expects of it: that is for bursts, and a viewer adds
    /// these up.
    fn pace(&mut self, whereabouts: &mut [Option<Whereabouts>], passed: f64) {
        let mut paces = HashMap::new();
        let weight = 1.0 - (-passed / PACED_OVER).exp();
        for (torrent, whereabouts) in whereabouts.iter_mut().enumerate() {
            for peer in whereabouts.iter_mut().flat_map(|whereabouts| &mut whereabouts.peers) {
                let key = (torrent, peer.address);
                let before = self.paces.get(&key).copied().unwrap_or(Pace { downloaded: 0, rate: 0.0 });
                let brought = peer.downloaded.saturating_sub(before.downloaded) as f64 / passed.max(0.001);
                let pace = Pace {
                    downloaded: peer.downloaded,
                    rate: before.rate + (brought - before.rate) * weight,
                };
                peer.rate = pace.rate as u64;
                paces.insert(key, pace);
            }
        }
        self.paces = paces;
    }

    fn smooth(&mut self, rate: u64, passed: f64) {
        let weight = (passed / SMOOTHED_OVER).min(1.0);
        self.rate = match self.rate {
            None if rate == 0 => None,
            None => Some(rate as f64),
            Some(before) => Some(before + (rate as f64 - before) * weight),
        };
    }

    /// Of the queue, the file that somebody reads; else the one it was about; else the chosen one.
    fn current_file(
        &mut self,
        lineup: &Lineup,
        torrents: &[Option<Torrent>],
        files: &Files,
        cells: usize,
    ) -> Option<Current> {
        // Subtitles and pictures are read beside a film, and are not what it is about.
        let is_shown = |index: usize| {
            self.is_of_equals
                || files.queue.contains(&index)
                || files.files.get(index).is_some_and(|file| file.is_video() || file.is_audio())
        };
        let read = torrents.iter().enumerate().filter_map(|(at, torrent)| {
            let (inside, count) = torrent.as_ref()?.last_read()?;
            Some((count, lineup.index_of(at, inside).filter(|&index| is_shown(index))?))
        });
        let newest = read.max().filter(|&(count, _)| self.read.is_none_or(|before| count > before));
        let now = self.current.filter(|&current| current < files.files.len());
        let otherwise = (!self.is_of_equals).then_some(files.chosen);
        let index = newest.map(|(_, index)| index).or(now).or(otherwise)?;
        if let Some((count, _)) = newest {
            self.read = Some(count);
        }
        if self.current != Some(index) {
            self.turn_to(index);
        }
        let (torrent, inside) = lineup.place(index)?;
        let report = torrents.get(torrent)?.as_ref()?.file_report(inside, cells)?;
        let file = files.files.get(index)?;
        let place = files.queue.iter().position(|&queued| queued == index);
        Some(Current {
            index,
            path: file.path.clone(),
            length: file.length,
            place: place.map_or((1, 1), |place| (place + 1, files.queue.len())),
            report,
        })
    }

    /// Once something of a film is here, how long it plays is read from it. What that needs, a player needs too.
    fn ask_duration(&mut self, lineup: &Lineup, file: &Current) {
        let is_film = crate::read::File { path: file.path.clone(), length: file.length }.is_video();
        if !is_film || file.report.had == 0 || !self.asked.insert(file.index) {
            return;
        }
        let Some(reader) = lineup.open_unseen(file.index) else { return };
        let (durations, index, name) = (self.durations.clone(), file.index, file.name().to_owned());
        tokio::spawn(async move {
            let duration = media::duration(reader.as_ref(), &name).await;
            tracing::debug!(?duration, "the film's duration was looked for");
            lock(&durations).insert(index, duration);
        });
    }

    fn forecast(&self, file: &Current, playing: &Playing) -> Option<Forecast> {
        if lock(&self.durations).get(&file.index).is_none() && !file.is_whole() && file.report.had > 0 {
            // It is being read: a moment later more can be said.
            return None;
        }
        let head = file.report.readers.last().map_or(0, |reader| reader.head);
        let had_ahead =
            file.report.readers.last().map_or_else(|| had_from_start(&file.report), |reader| reader.buffered);
        let situation = Situation {
            length: file.length,
            had_ahead,
            missing: missing_from(&file.report, file.length, head),
            duration: playing.duration,
            position: playing.position,
            rate: self.rate.unwrap_or_default() as u64,
            is_playing: playing.begun,
        };
        Some(situation.forecast())
    }
}

/// Somebody stands still, or would: a viewer who starts now needs the film's beginning.
fn is_waited_for(file: &Current, playing: &Playing) -> bool {
    match playing.begun {
        true => playing.stalled.is_some(),
        false => playing.reading || had_from_start(&file.report) == 0,
    }
}

/// Bytes from the beginning without a gap, as far as the cells tell.
fn had_from_start(report: &FileReport) -> u64 {
    if report.cells.is_empty() {
        return 0;
    }
    let cell = report.length as f64 / report.cells.len() as f64;
    let mut had = 0.0;
    for share in report.cells.iter().map(|found| f64::from(found.had)) {
        had += share * cell;
        if share < 1.0 {
            break;
        }
    }
    had as u64
}

/// Bytes between the head and the end that are not here, as far as the cells tell.
fn missing_from(report: &FileReport, length: u64, head: u64) -> u64 {
    let missing = length.saturating_sub(report.had);
    if head == 0 || report.cells.is_empty() || length == 0 {
        return missing;
    }
    let cells = report.cells.len();
    let first = ((u128::from(head) * cells as u128 / u128::from(length)) as usize).min(cells - 1);
    let cell = length as f64 / cells as f64;
    let ahead: f64 = report.cells[first..].iter().map(|found| f64::from(1.0 - found.had) * cell).sum();
    (ahead as u64).min(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Cell;

    fn report(shares: &[f32]) -> FileReport {
        let cells = shares.iter().map(|&had| Cell { had, coming: 0.0 }).collect();
        let had = shares.iter().map(|&had| f64::from(had) * 100.0).sum::<f64>() as u64;
        FileReport { length: 100 * shares.len() as u64, had, cells, readers: Vec::new() }
    }

    #[test]
    fn what_is_missing_behind_the_head_does_not_count() {
        let report = report(&[0.0, 1.0, 0.5, 0.0]);
        assert_eq!(missing_from(&report, 400, 0), 250);
        assert_eq!(missing_from(&report, 400, 100), 150);
        assert_eq!(missing_from(&report, 400, 399), 100);
        assert_eq!(missing_from(&report, 400, 400), 100);
    }

    #[test]
    fn a_gap_ends_what_is_there_from_the_start() {
        assert_eq!(had_from_start(&report(&[1.0, 0.5, 1.0])), 150);
        assert_eq!(had_from_start(&report(&[0.0, 1.0])), 0);
        assert_eq!(had_from_start(&FileReport::default()), 0);
    }
}
