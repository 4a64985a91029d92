//! `peerflix TORRENT...`.

use std::io::IsTerminal;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::list::{files_of, list_all, print_files};
use super::pipe::{self, PipeError};
use super::play::{Playing, Subtitles, chosen_player, play};
use super::session::{Attended, Hooks, Session};
use super::telling::Teller;
use super::{folders, sentence};
use crate::cli::{ChooseFlags, StorageFlags, SwarmFlags, Watch};
use crate::events::Event;
use crate::player;
use crate::read::{Contents, File, Files, natural_order};
use crate::source;
use crate::swarm::Blocklist;
use crate::torrent::{Choice, Options};
use crate::tui::Style;

/// What was typed may prove wrong within this time before the URL is told: a wrong path should not first look right.
const GLANCE: Duration = Duration::from_millis(100);
/// A file on this computer is read by then, however busy the computer is.
const GLANCE_AT_A_FILE: Duration = Duration::from_secs(2);

/// How long a player is kept waiting for torrents behind the first, so that its playlist has them; what is known later follows
/// when it has ended.
const GATHERING: Duration = Duration::from_secs(2);

/// Films beside the largest are worth a question if they have at least this share of its length: samples and trailers are not.
const WORTH_ASKING: f64 = 0.2;

pub(super) async fn watch(flags: &Watch, notes: &[String], ending: Ending) -> Result<Exit, Failure> {
    let teller = Teller::new(flags.output.json);
    let (done, teller) = match prepare(flags, teller.sibling(), ending) {
        Err(failure) => (Err(failure), teller),
        Ok((mut session, options, player)) => {
            if !flags.output.quiet {
                notes.iter().for_each(|note| session.say(&format!("peerflix: {note}")));
            }
            let done = stream(&mut session, flags, options, player).await;
            (done, session.close().await)
        }
    };
    tell_end(&teller, &done);
    done
}

/// The last lines of `--json`.
pub(super) fn tell_end(teller: &Teller, done: &Result<Exit, Failure>) {
    let code = match done {
        Ok(exit) => *exit as u8,
        Err(failure) => {
            let code = failure.exit as u8;
            teller.tell(&Event::Error { code, message: sentence(&failure.error) });
            code
        }
    };
    teller.tell(&Event::End { code });
}

fn prepare(
    flags: &Watch,
    teller: Teller,
    ending: Ending,
) -> Result<(Session, Options, Option<player::Choice>), Failure> {
    check_outputs(flags)?;
    let player = chosen_player(&flags.playback.players, &flags.extra)?;
    let options = Options {
        choice: choice(&flags.choose),
        background: !flags.storage.only_watched && !flags.choose.list,
        trace: flags.output.trace.clone(),
        ..options(&flags.swarm, &flags.storage)?
    };
    let style = if teller.is_on() { Style::Json } else { Style::of_terminal(flags.output.quiet) };
    let style = match style {
        // Two that draw on one terminal would draw over each other; and a list that is only printed has no screen.
        Style::Live { .. } if flags.output.verbose > 0 => Style::Lines,
        style => style,
    };
    let mut session = Session::new(style, flags.torrents.len(), teller, ending)?;
    session.set_hooks(Hooks {
        on_listening: flags.output.on_listening.clone(),
        on_downloaded: flags.output.on_downloaded.clone(),
    });
    if flags.storage.remove {
        session.remove_at_end();
    }
    if flags.storage.only_watched {
        session.fetch_only_watched();
    }
    Ok((session, options, player))
}

/// What would end in a mess, or in nothing, is said before anything is begun.
fn check_outputs(flags: &Watch) -> Result<(), Failure> {
    let wrong = |text: String| Err(anyhow::anyhow!(text)).or_exit(Exit::Usage);
    if flags.playback.to_stdout() {
        if flags.output.json {
            return wrong(
                "standard output is for the film or for the events: --stdout and --json do not go together"
                    .into(),
            );
        }
        if std::io::stdout().is_terminal() && !flags.choose.list {
            return wrong(
                "standard output is this terminal, which cannot show a film: pipe it, as in peerflix … --stdout | mpv -, or send it to a file with > film.mkv".into(),
            );
        }
    }
    match flags.subtitles.subtitles.as_deref() {
        Some(file) if !file.contains("://") && !Path::new(file).is_file() => {
            wrong(format!("there is no file {file} to take subtitles from"))
        }
        _ => Ok(()),
    }
}

async fn stream(
    session: &mut Session,
    flags: &Watch,
    options: Options,
    player: Option<player::Choice>,
) -> Result<Exit, Failure> {
    let picks = flags.choose.list && session.is_live();
    let only_lists = flags.choose.list && !picks;
    let url = match only_lists || flags.playback.to_stdout() {
        true => None,
        false => Some(session.listen(&flags.server).await?),
    };
    let told = Told { quiet: flags.output.quiet, has_player: player.is_some() };
    for (torrent, typed) in flags.torrents.iter().enumerate().skip(1) {
        session.open_beside(torrent, typed.clone(), options.clone());
    }
    // The URL of what is still to be chosen is told when it is.
    match open_first(session, flags, options, url.as_deref().filter(|_| !picks), told).await {
        First::Open => {}
        First::Listed => return Ok(Exit::Success),
        First::Interrupted => return Ok(Exit::Interrupted),
        First::Failed(failure) => match flags.torrents.first().filter(|_| flags.torrents.len() > 1) {
            Some(typed) => session.do_without(0, typed, &failure),
            None => return Err(failure),
        },
    }
    // Ctrl-C is how one stops watching; but whoever has seen nothing yet, or only a part of what a pipe was to bring, has
    // not got what was asked for.
    let Some(files) = session.files().await? else { return Ok(Exit::Interrupted) };
    if only_lists {
        return list_all(session, flags.torrents.len()).await;
    }

    let Some(url) = url else { return to_stdout(session, &files).await };
    // Whether there are keys is known once the screen is there.
    session.look();
    if picks && !session.can_pick() {
        // A screen without a keyboard: somebody else's terminal, for one.
        return list_all(session, flags.torrents.len()).await;
    }
    let films = films_of_choice(&files, flags);
    let asks = session.can_pick() && (picks || films.len() > 1);
    let files = match asks {
        false => files,
        true => match session.pick(films.first().copied()).await {
            Some(index) => {
                session.choose(index);
                session.lineup.known().unwrap_or(files)
            }
            None => return Ok(Exit::Success),
        },
    };
    if picks {
        tell_url(session, Some(&url), told);
    }
    session.on_listening(&files);
    let subtitles = Subtitles::of(&flags.subtitles);
    session.warm_up(files.chosen, &subtitles.of_film(&files, files.chosen));
    if flags.playback.wait && player.is_some() {
        session.screen.hint("waiting until the film can play to its end without standing still");
        let safety = session.safety();
        if session.attend(safety).await == Attended::Ended {
            return Ok(Exit::Interrupted);
        }
    }
    if player.is_some() {
        let lineup = session.lineup.clone();
        let gathering = tokio::time::timeout(GATHERING, lineup.grown());
        if session.attend(gathering).await == Attended::Ended {
            return Ok(Exit::Interrupted);
        }
    }
    match player {
        Some(choice) => {
            let playing = Playing::of(choice, &flags.playback.players, flags.extra.clone(), subtitles);
            play(session, playing, &files).await
        }
        None => serve(session).await,
    }
}

/// Nobody plays here: somebody else asks for the URL.
async fn serve(session: &mut Session) -> Result<Exit, Failure> {
    loop {
        match session.attend(std::future::pending::<()>()).await {
            Attended::Picked(index) => session.choose(index),
            Attended::Done(()) | Attended::Ended => return Ok(Exit::Success),
        }
    }
}

/// How a URL is told.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) quiet: bool,
    pub(super) has_player: bool,
}

/// How the first torrent fared.
enum First {
    Open,
    /// It was only to be listed, and what was typed says all.
    Listed,
    Failed(Failure),
    Interrupted,
}

/// Resolves and opens the first torrent.
async fn open_first(
    session: &mut Session,
    flags: &Watch,
    options: Options,
    url: Option<&str>,
    told: Told,
) -> First {
    let net = session.net.clone();
    let cache = options.metadata_cache();
    let typed = flags.torrents.first().map(String::as_str).unwrap_or_default();
    let glance = if Path::new(typed).is_file() { GLANCE_AT_A_FILE } else { GLANCE };
    let mut resolving = pin!(source::resolve(typed, &net, &cache));
    let mut is_told = false;
    let source = match tokio::time::timeout(glance, &mut resolving).await {
        Ok(source) => source,
        Err(_) => {
            is_told = true;
            tell_url(session, url, told);
            match session.attend(resolving).await {
                Attended::Done(source) => source,
                Attended::Ended | Attended::Picked(_) => return First::Interrupted,
            }
        }
    };
    let opened = match source.or_exit(Exit::Source) {
        Ok(source) => {
            if flags.choose.list
                && !session.is_live()
                && flags.torrents.len() == 1
                && let Some(files) = files_of(&source)
            {
                return match print_files(session, &files, None) {
                    Ok(_) => First::Listed,
                    Err(failure) => First::Failed(failure),
                };
            }
            session.open(0, source, options).await
        }
        Err(failure) => Err(failure),
    };
    if opened.is_ok() && !is_told {
        // Not before: a folder that cannot be used, or is another's, should not first look right either.
        tell_url(session, url, told);
    }
    match opened {
        Ok(()) => First::Open,
        Err(failure) => First::Failed(failure),
    }
}

/// With no player, the URL is the first line of standard output, as people (and scripts) expect.
pub(super) fn tell_url(session: &mut Session, url: Option<&str>, told: Told) {
    let Some(url) = url.filter(|_| !session.teller.is_on()) else { return };
    if told.quiet {
        session.screen.answer(&format!("server is listening on {url}"));
    } else if !told.has_player {
        session.screen.answer(url);
    }
}

/// The films of one torrent among which the viewer has not chosen, if they are of about the same size: in the order in which
/// people count.
fn films_of_choice(files: &Files, flags: &Watch) -> Vec<usize> {
    let chosen = &flags.choose;
    if flags.torrents.len() > 1 || chosen.all || !chosen.index.is_empty() || !chosen.file.is_empty() {
        return Vec::new();
    }
    let films = || files.files.iter().enumerate().filter(|(_, file)| file.is_video());
    let largest = films().map(|(_, file)| file.length).max().unwrap_or(0);
    let is_worth = |file: &File| file.length as f64 >= largest as f64 * WORTH_ASKING;
    let mut worth: Vec<(usize, &str)> =
        films().filter(|(_, file)| is_worth(file)).map(|(index, file)| (index, file.path.as_str())).collect();
    worth.sort_by(|(_, a), (_, b)| natural_order(a, b));
    worth.into_iter().map(|(index, _)| index).collect()
}

async fn to_stdout(session: &mut Session, files: &Files) -> Result<Exit, Failure> {
    for &index in &files.queue {
        let file = session.lineup.open(index).context("the torrent holds no file").or_exit(Exit::Choice)?;
        match session.attend(pipe::to_stdout(file)).await {
            Attended::Done(Ok(())) => {}
            Attended::Done(Err(PipeError::Read(error))) => return Err(error).or_exit(Exit::Failure),
            Attended::Done(Err(error)) => return Err(error).or_exit(Exit::Failure),
            Attended::Ended | Attended::Picked(_) => return Ok(Exit::Interrupted),
        }
    }
    Ok(Exit::Success)
}

pub(super) fn choice(flags: &ChooseFlags) -> Choice {
    if flags.all {
        Choice::All
    } else if !flags.index.is_empty() {
        Choice::Indices(flags.index.clone())
    } else if !flags.file.is_empty() {
        Choice::Named(flags.file.clone())
    } else {
        Choice::Largest
    }
}

/// What the swarm and the disk are told by flags that several commands have.
pub(super) fn options(swarm: &SwarmFlags, storage: &StorageFlags) -> Result<Options, Failure> {
    let otherwise = Options::default();
    let blocklist = swarm.blocklist.as_deref().map(read_blocklist).transpose()?;
    let slots = swarm.upload_slots();
    Ok(Options {
        path: storage.path.clone(),
        cache: folders::cache(storage.cache.as_deref()).or_exit(Exit::Disk)?,
        trackers: swarm.trackers.clone(),
        own_trackers: !swarm.no_tracker,
        peers: swarm.peer.clone(),
        most_peers: swarm.connections.map_or(otherwise.most_peers, usize::from),
        port: swarm.peer_port,
        dht: !swarm.no_dht,
        dht_bootstrap: swarm.dht_node.clone(),
        lsd: !swarm.no_lsd,
        upload: slots != Some(0),
        upload_slots: slots.filter(|&slots| slots > 0).unwrap_or(otherwise.upload_slots),
        blocklist: blocklist.map(Arc::new),
        peer_timeout: swarm.timeout.map(Duration::from_millis),
        ..otherwise
    })
}

fn read_blocklist(path: &Path) -> Result<Blocklist, Failure> {
    let text = std::fs::read(path)
        .with_context(|| format!("the blocklist {} cannot be read", path.display()))
        .or_exit(Exit::Usage)?;
    // Descriptions come in all encodings; addresses do not.
    Blocklist::parse(&String::from_utf8_lossy(&text))
        .with_context(|| format!("the blocklist {} cannot be used", path.display()))
        .or_exit(Exit::Usage)
}
