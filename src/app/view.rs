//! A moment in the screen's words. Pure.

use std::time::Duration;

use super::moment::Moment;
use crate::mount::status::{FileStatus, State, Status};
use crate::read::Statistics;
use crate::swarm::PeerReport;
use crate::tui::{FileView, MountView, PeerView, ReadView, Stage, TorrentView, View};
use crate::units::ByteSize;

/// More files of a torrent that are read at once are not shown one by one.
const MOST_READ: usize = 20;

pub(super) fn of(moment: &Moment, stage: &Stage, url: Option<String>, player: Option<&str>) -> View {
    let stage = match &moment.file {
        Some(file) => Stage::Streaming { name: file.name().to_owned(), length: file.length },
        None => stage.clone(),
    };
    let file = moment.file.as_ref().map(|file| FileView {
        name: file.name().to_owned(),
        folder: file.path.rsplit_once('/').map(|(folder, _)| folder.to_owned()),
        length: file.length,
        place: file.place.0,
        of: file.place.1,
        report: file.report.clone(),
    });
    View {
        stage,
        url,
        player: player.map(str::to_owned),
        file,
        statistics: moment.statistics.clone(),
        playing: moment.playing,
        peers: peers(moment),
        waiting: moment.why.clone(),
        forecast: moment.forecast.as_ref().map(ToString::to_string),
        paused: moment.paused,
        mount: None,
        site: None,
        sources: moment.sources.clone(),
    }
}

/// What a mount has, as far as there is room for it: its torrents, and their files that are read.
pub(super) fn of_mount(at: Option<String>, status: Status) -> MountView {
    let read = |files: Vec<FileStatus>| {
        let read = files.into_iter().filter(|file| file.readers > 0).take(MOST_READ);
        read.map(|file| ReadView {
            path: file.path,
            percent: file.percent,
            readers: file.readers,
            waiting: file.waiting,
            rate: file.rate,
        })
        .collect()
    };
    let torrents = status.torrents.into_iter().map(|torrent| TorrentView {
        name: torrent.name,
        had: torrent.had,
        length: (torrent.state != State::Waiting).then_some(torrent.length),
        peers: torrent.peers,
        rate: torrent.rate,
        read: read(torrent.files),
    });
    MountView { at, torrents: torrents.collect() }
}

/// The best first: who brings most now, then who has brought most.
fn peers(moment: &Moment) -> Vec<PeerView> {
    let mut peers: Vec<&PeerReport> =
        moment.whereabouts.iter().flat_map(|whereabouts| &whereabouts.peers).collect();
    peers.sort_by_key(|peer| std::cmp::Reverse((peer.rate, peer.downloaded, !peer.choking)));
    let view = |peer: &PeerReport| PeerView {
        address: peer.address,
        client: peer.client.clone(),
        // The only one that we speak.
        transport: "TCP",
        incoming: peer.incoming,
        rate: peer.rate,
        latency: peer.latency,
        owes: peer.in_flight,
        choking: peer.choking,
        downloaded: peer.downloaded,
        uploaded: peer.uploaded,
    };
    peers.into_iter().map(view).collect()
}

/// What stays on the terminal after it is over. `None` if nothing was.
pub(super) fn summary(moment: &Moment, elapsed: Duration) -> Option<String> {
    let file = moment.file.as_ref()?;
    let numbers = &moment.statistics;
    let percent = match file.length {
        0 => 100,
        length => (u128::from(file.report.had) * 100 / u128::from(length)) as u64,
    };
    let stalls = match moment.playing.stalls {
        0 => "no stall".to_owned(),
        1 => "1 stall".to_owned(),
        stalls => format!("{stalls} stalls"),
    };
    Some(format!(
        "{}: {percent} % of {} here; {} down, {} up in {}, {stalls}",
        crate::tui::clean(file.name()),
        ByteSize(file.length),
        ByteSize(numbers.downloaded),
        ByteSize(numbers.uploaded),
        told(elapsed),
    ))
}

/// The same of a folder or a site: nobody watches it, and it is about no single file.
pub(super) fn summary_of_many(numbers: &Statistics, elapsed: Duration) -> String {
    format!("{} down, {} up in {}", ByteSize(numbers.downloaded), ByteSize(numbers.uploaded), told(elapsed))
}

fn told(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::Current;
    use super::*;
    use crate::read::FileReport;

    #[test]
    fn what_stays_on_the_terminal_is_one_line_without_tricks() {
        assert_eq!(summary(&Moment::default(), Duration::ZERO), None);
        let report = FileReport { length: 2_000_000, had: 1_000_000, ..FileReport::default() };
        let file =
            Current { index: 0, path: "a/b\u{1b}[2J.mkv".into(), length: 2_000_000, place: (1, 1), report };
        let moment = Moment { file: Some(file), ..Moment::default() };
        let said = summary(&moment, Duration::from_secs(200)).expect("a film");
        assert_eq!(said, "b[2J.mkv: 50 % of 2.0 MB here; 0 B down, 0 B up in 3 min, no stall");
    }
}
