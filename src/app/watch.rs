//! `peerflix TORRENT`.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;

use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::folders;
use super::pipe::{self, PipeError};
use super::session::{Session, open_chosen};
use crate::cli::{PlayerFlags, Watch};
use crate::http::route::path_of;
use crate::player::{self, Environment, Launch};
use crate::read::Files;
use crate::source::{self, Metainfo};
use crate::torrent::{Choice, Options};
use crate::tui::Style;
use crate::units::ByteSize;

/// What was typed may prove wrong within this time before the URL is told: a wrong path should not first look right.
const GLANCE: Duration = Duration::from_millis(100);
/// A file on this computer is read by then, however busy the computer is.
const GLANCE_AT_A_FILE: Duration = Duration::from_secs(2);

pub(super) async fn watch(flags: &Watch, ending: Ending) -> Result<Exit, Failure> {
    let player = chosen_player(&flags.playback.players, &flags.extra)?;
    let options = options(flags)?;
    let style = match Style::of_terminal(flags.output.quiet) {
        // Two that draw on one terminal would draw over each other.
        Style::Live { .. } if flags.output.verbose > 0 => Style::Lines,
        style => style,
    };
    let mut session = Session::new(style, ending)?;
    let done = stream(&mut session, flags, options, player).await;
    session.close().await;
    done
}

async fn stream(
    session: &mut Session,
    flags: &Watch,
    options: Options,
    player: Option<player::Choice>,
) -> Result<Exit, Failure> {
    let url = match flags.choose.list || flags.playback.to_stdout() {
        true => None,
        false => Some(session.listen(&flags.server).await?),
    };
    let net = session.net.clone();
    let cache = options.metadata_cache();
    let typed = flags.torrents.first().map(String::as_str).unwrap_or_default();
    let glance = if Path::new(typed).is_file() { GLANCE_AT_A_FILE } else { GLANCE };
    let mut resolving = pin!(source::resolve(typed, &net, &cache));
    let (source, is_told) = match tokio::time::timeout(glance, &mut resolving).await {
        Ok(source) => (source.or_exit(Exit::Source)?, false),
        Err(_) => {
            tell_url(session, url.as_deref(), flags.output.quiet, player.is_some());
            match session.attend(resolving).await {
                Some(source) => (source.or_exit(Exit::Source)?, true),
                None => return Ok(Exit::Interrupted),
            }
        }
    };

    if let (true, Some(metainfo)) = (flags.choose.list, &source.metainfo) {
        return list(metainfo_files(metainfo));
    }
    session.open(source, options).await?;
    if !is_told {
        // Not before: a folder that cannot be used, or is another's, should not first look right either.
        tell_url(session, url.as_deref(), flags.output.quiet, player.is_some());
    }
    // Ctrl-C is how one stops watching; but whoever has seen nothing yet, or only a part of what a pipe was to bring, has
    // not got what was asked for.
    let Some(files) = session.files().await? else { return Ok(Exit::Interrupted) };
    if flags.choose.list {
        return list(files.files.iter().map(|file| (file.path.clone(), file.length)));
    }

    let Some(url) = url else {
        let file = open_chosen(&session.late, &files)?;
        return match session.attend(pipe::to_stdout(file)).await {
            None => Ok(Exit::Interrupted),
            Some(Ok(())) => Ok(Exit::Success),
            Some(Err(PipeError::Read(error))) => Err(error).or_exit(Exit::Failure),
            Some(Err(error)) => Err(error).or_exit(Exit::Failure),
        };
    };
    session.warm_up(&files);
    match player {
        Some(player) => play(session, &flags.playback.players, &flags.extra, player, &url, &files).await,
        None => {
            session.attend(std::future::pending::<()>()).await;
            Ok(Exit::Success)
        }
    }
}

/// Starts the player on the chosen file, and stays until it ends, or until it is time to end it.
pub(super) async fn play(
    session: &mut Session,
    flags: &PlayerFlags,
    extra: &[OsString],
    player: player::Choice,
    server: &str,
    files: &Files,
) -> Result<Exit, Failure> {
    // Players remember by the URL how far a film was watched, so each film has its own, and not the server's plain `/`.
    let title = files.files.get(files.chosen).map(|file| file.name().to_owned()).unwrap_or_default();
    let url = format!("{}{}", server.trim_end_matches('/'), path_of(files.chosen, &title));
    let launch = Launch { url, title: Some(title), on_top: !flags.not_on_top, extra: extra.to_vec() };
    let mut player = player::start(&player, &launch, &Environment::here()).await.or_exit(Exit::Player)?;
    let Some(ended) = session.attend(player.wait()).await else {
        session.ends_with(player);
        return Ok(Exit::Success);
    };
    let trouble = match ended {
        Ok(status) if status.success() => None,
        // Its output is not shown, so this is all that a viewer learns of a player that did not even begin.
        Ok(status) => {
            let words = player.last_words().await;
            let words = if words.is_empty() { words } else { format!(": {words}") };
            Some(format!("{} ended with an error ({status}){words}", player.name()))
        }
        Err(error) => Some(format!("{} cannot be waited for: {error}", player.name())),
    };
    if flags.no_quit {
        if let Some(trouble) = trouble {
            session.screen.say(&trouble);
        }
        session.attend(std::future::pending::<()>()).await;
        return Ok(Exit::Success);
    }
    match trouble {
        None => Ok(Exit::Success),
        Some(trouble) => Err(anyhow::anyhow!(trouble)).or_exit(Exit::Player),
    }
}

/// The player that the flags name, made sure of: one that is not installed is told at once, not after the film has come.
pub(super) fn chosen_player(
    flags: &PlayerFlags,
    extra: &[OsString],
) -> Result<Option<player::Choice>, Failure> {
    let choice = if flags.vlc {
        player::Choice::Vlc
    } else if flags.mpv {
        player::Choice::Mpv
    } else if flags.mplayer {
        player::Choice::Mplayer
    } else if flags.smplayer {
        player::Choice::Smplayer
    } else if let Some(command) = &flags.player {
        player::Choice::Command(command.clone())
    } else if flags.open {
        player::Choice::Open
    } else if let Some(first) = extra.first() {
        let first = first.to_string_lossy();
        let error = anyhow::anyhow!(
            "what follows -- goes to a player, and none is chosen to take {first}: add --mpv or --vlc"
        );
        return Err(error).or_exit(Exit::Usage);
    } else {
        return Ok(None);
    };
    if choice != player::Choice::Open {
        player::command_line(&choice, &Launch::default(), &Environment::here()).or_exit(Exit::Player)?;
    }
    Ok(Some(choice))
}

/// With no player, the URL is the first line of standard output, as people (and scripts) expect.
pub(super) fn tell_url(session: &Session, url: Option<&str>, quiet: bool, has_player: bool) {
    let Some(url) = url else { return };
    if quiet {
        session.screen.answer(&format!("server is listening on {url}"));
    } else if !has_player {
        session.screen.answer(url);
        session.screen.hint("Open it in any player or browser. Ctrl-C ends.");
    }
}

fn options(flags: &Watch) -> Result<Options, Failure> {
    let otherwise = Options::default();
    let choice = match (flags.choose.index.first(), flags.choose.file.first()) {
        (Some(range), _) => Choice::Index(*range.start()),
        (None, Some(name)) => Choice::Named(name.clone()),
        (None, None) => Choice::Largest,
    };
    Ok(Options {
        path: flags.storage.path.clone(),
        cache: folders::cache(flags.storage.cache.as_deref()).or_exit(Exit::Disk)?,
        trackers: flags.swarm.trackers.clone(),
        peers: flags.swarm.peer.clone(),
        most_peers: flags.swarm.connections.map_or(otherwise.most_peers, usize::from),
        port: flags.swarm.peer_port,
        dht: !flags.swarm.no_dht,
        lsd: !flags.swarm.no_lsd,
        upload: flags.swarm.upload_slots() != Some(0),
        upload_slots: flags.swarm.upload_slots().unwrap_or(otherwise.upload_slots),
        dht_bootstrap: flags.swarm.dht_node.clone(),
        background: !flags.storage.only_watched && !flags.choose.list,
        trace: flags.output.trace.clone(),
        choice,
    })
}

fn metainfo_files(metainfo: &Metainfo) -> impl Iterator<Item = (String, u64)> {
    metainfo.files.iter().map(|file| (file.path.join("/"), file.span.length))
}

/// One line a file: its number, its path, its size; as peerflix has always listed them.
fn list(files: impl Iterator<Item = (String, u64)>) -> Result<Exit, Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = files
        .enumerate()
        .try_for_each(|(index, (path, length))| writeln!(out, "{index:>3} : {path} : {}", ByteSize(length)))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output failed").or_exit(Exit::Failure)
        }
        _ => Ok(Exit::Success),
    }
}
