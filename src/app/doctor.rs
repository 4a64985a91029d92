//! `peerflix doctor TORRENT`: tries everything for a while, and reports what came of it.

mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use self::report::{DiskFacts, Findings, TorrentFacts, text};
use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session};
use super::telling::Teller;
use super::{folders, print, sentence, watch, why};
use crate::cli::{Doctor, ServerFlags};
use crate::player::{self, Environment};
use crate::read::Files;
use crate::source;
use crate::swarm::SwarmCounts;
use crate::torrent::Options;
use crate::tui::Style;

/// What has been seen so far.
struct Seen {
    torrent: TorrentFacts,
    metadata_after: Option<Duration>,
    first_piece_after: Option<Duration>,
    files: Option<std::sync::Arc<Files>>,
}

pub(super) async fn doctor(flags: &Doctor, ending: Ending) -> Result<Exit, Failure> {
    let options = watch::options(&flags.swarm, &flags.storage)?;
    let folder = options.path.clone().map_or_else(|| folders::cache(flags.storage.cache.as_deref()), Ok);
    let folder = folder.or_exit(Exit::Disk)?;
    let mut session = Session::new(Style::Quiet, 1, Teller::new(false), ending)?;
    if !flags.json {
        session.say(&format!("looking for {} s; Ctrl-C reports what is known by then", flags.seconds));
    }
    let server = match session.listen(&ServerFlags::default()).await {
        Ok(url) => Ok(format!("can serve at {url}")),
        Err(failure) => Err(sentence(&failure.error)),
    };
    let begun = Instant::now();
    let patience = Duration::from_secs(flags.seconds);
    let seen = look(&mut session, &flags.torrent, options, begun, patience).await;
    let found = findings(&mut session, server, &folder, begun.elapsed(), seen);
    session.close().await;
    let json = flags.json;
    let is_none = matches!(found.torrent, TorrentFacts::None(_));
    print(|out| match json {
        true => writeln!(out, "{}", report::json(&found)),
        false => out.write_all(text(&found).as_bytes()),
    })?;
    Ok(if is_none { Exit::Source } else { Exit::Success })
}

async fn look(
    session: &mut Session,
    typed: &str,
    options: Options,
    begun: Instant,
    patience: Duration,
) -> Seen {
    let mut seen =
        Seen { torrent: TorrentFacts::Unknown, metadata_after: None, first_piece_after: None, files: None };
    let end = tokio::time::Instant::from_std(begun + patience);
    let (net, cache) = (session.net.clone(), options.metadata_cache());
    let resolving = tokio::time::timeout_at(end, source::resolve(typed, &net, &cache));
    let source = match session.attend(resolving).await {
        Attended::Done(Ok(Ok(source))) => source,
        Attended::Done(Ok(Err(error))) => {
            // What was typed may say what is watched, and by whom.
            let typed = typed.trim();
            let why = error.to_string();
            let why = if typed.is_empty() { why } else { why.replace(typed, "(what was typed)") };
            seen.torrent = TorrentFacts::None(why);
            return seen;
        }
        Attended::Done(Err(_)) => {
            seen.torrent = TorrentFacts::None("what was typed could not be read in this time".to_owned());
            return seen;
        }
        Attended::Ended | Attended::Picked(_) => return seen,
    };
    if let Err(failure) = session.open(0, source, options).await {
        seen.torrent = TorrentFacts::None(sentence(&failure.error));
        return seen;
    }
    let lineup = session.lineup.clone();
    let knowing = async {
        match tokio::time::timeout_at(end, crate::read::Contents::files(&lineup)).await {
            Ok(Ok(files)) => Ok(Some(files)),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(None),
        }
    };
    match session.attend(knowing).await {
        Attended::Done(Ok(Some(files))) => {
            seen.metadata_after = Some(begun.elapsed());
            session.warm_up(files.chosen, &[]);
            seen.files = Some(files);
        }
        Attended::Done(Err(error)) => {
            seen.torrent = TorrentFacts::None(error.to_string());
            return seen;
        }
        _ => return seen,
    }
    while tokio::time::Instant::now() < end {
        let soon = (tokio::time::Instant::now() + Duration::from_millis(250)).min(end);
        if session.attend(tokio::time::sleep_until(soon)).await != Attended::Done(()) {
            break;
        }
        if session.latest().statistics.verified_pieces > 0 && seen.first_piece_after.is_none() {
            seen.first_piece_after = Some(begun.elapsed());
        }
        if session.latest().file.as_ref().is_some_and(|file| file.is_whole()) {
            break;
        }
    }
    seen
}

fn findings(
    session: &mut Session,
    server: Result<String, String>,
    folder: &Path,
    watched: Duration,
    seen: Seen,
) -> Findings {
    session.look();
    let moment = session.latest();
    let whereabouts = moment.whereabouts.first();
    let torrent = match (&seen.files, session.layout(0)) {
        (Some(files), Some((piece_length, private))) => TorrentFacts::Known {
            files: files.files.len(),
            length: files.files.iter().map(|file| file.length).sum(),
            piece_length,
            private,
            had: moment.file.as_ref().map_or(0, |file| file.report.had),
            chosen_length: moment.file.as_ref().map_or(0, |file| file.length),
        },
        _ => seen.torrent,
    };
    let numbers = &moment.statistics;
    let verdict = match (&torrent, &moment.file) {
        (TorrentFacts::None(why), _) => why.clone(),
        (_, Some(file)) if file.is_whole() => "the film is all here".to_owned(),
        (_, Some(_)) if numbers.verified_pieces > 0 => moment
            .forecast
            .as_ref()
            .map_or("it streams".to_owned(), |forecast| format!("it streams; {forecast}")),
        _ => whereabouts
            .and_then(|whereabouts| why::why(whereabouts, numbers, false))
            .unwrap_or("nothing came in this time".to_owned()),
    };
    Findings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        watched,
        server,
        players: player::installed(&Environment::here())
            .iter()
            .map(|player| player.name().to_owned())
            .collect(),
        disk: disk(folder, moment.trouble.clone()),
        sources: whereabouts.map(|whereabouts| whereabouts.sources.clone()).unwrap_or_default(),
        counts: whereabouts.map_or_else(SwarmCounts::default, |whereabouts| whereabouts.counts.clone()),
        peers: whereabouts.map(|whereabouts| whereabouts.peers.clone()).unwrap_or_default(),
        port: session.peer_port(0).unwrap_or_default(),
        metadata_after: seen.metadata_after,
        first_piece_after: seen.first_piece_after,
        rate: numbers.download_rate,
        downloaded: numbers.downloaded,
        wasted: numbers.wasted,
        failed_pieces: numbers.failed_pieces,
        torrent,
        verdict,
    }
}

fn disk(folder: &Path, trouble: Option<String>) -> DiskFacts {
    let home = std::env::home_dir();
    let shown = match home.as_deref().and_then(|home| folder.strip_prefix(home).ok()) {
        Some(below) => format!("~/{}", below.display()),
        None => folder.display().to_string(),
    };
    DiskFacts { folder: shown, trouble, free: free_space(folder) }
}

/// Of the file system that a folder is on, or will be.
#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let found = rustix::fs::statvfs(there).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}
