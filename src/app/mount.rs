//! `peerflix mount TORRENT...`: from what was typed to the last thing unmounted.

mod place;
mod shown;
mod status;
mod ways;

use std::collections::HashSet;
use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::task::JoinSet;

use self::shown::{follow, shown};
pub(super) use self::status::status;
use self::ways::Ways;
use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session};
use super::telling::Teller;
use super::watch::{options, tell_end};
use crate::cli::Mount;
use crate::events::Event;
use crate::mount::shelf::Shelf;
use crate::mount::tree::Shown;
use crate::source::{self, Source, SourceError};
use crate::torrent::{Choice, Options, Torrent};
use crate::tui::Style;

/// Where it is if nobody says where.
const PLACE: &str = "peerflix";

pub(super) async fn mount(flags: &Mount, ending: Ending) -> Result<Exit, Failure> {
    let teller = Teller::new(flags.json);
    let (done, teller) = match prepare(flags, teller.sibling(), ending.clone()) {
        Err(failure) => (Err(failure), teller),
        Ok((mut session, options)) => {
            let done = show(&mut session, flags, options, &ending).await;
            (done, session.close().await)
        }
    };
    tell_end(&teller, &done);
    done
}

fn prepare(flags: &Mount, teller: Teller, ending: Ending) -> Result<(Session, Options), Failure> {
    let options = Options {
        // Whatever is in it may be read, and all of it is what `--all` means.
        choice: Choice::All,
        background: flags.place.all,
        trace: flags.trace.clone(),
        ..options(&flags.swarm, &flags.storage)?
    };
    let style = if flags.json { Style::Json } else { Style::of_terminal(flags.quiet) };
    let style = match style {
        Style::Live { .. } if flags.verbose > 0 => Style::Lines,
        style => style,
    };
    let mut session = Session::new(style, flags.torrents.len(), teller, ending)?;
    session.show_folder();
    if flags.storage.remove {
        session.remove_at_end();
    }
    Ok((session, options))
}

/// Opens the torrents, shows them, and comes back when they are not shown any more.
async fn show(
    session: &mut Session,
    flags: &Mount,
    options: Options,
    ending: &Ending,
) -> Result<Exit, Failure> {
    let path = options.path.clone();
    let Some(opened) = open(session, flags, options).await? else { return Ok(Exit::Interrupted) };
    let shelf = Shelf::new(opened.iter().map(|one| one.shown.clone()).collect());
    let mut following = JoinSet::new();
    for (slot, one) in opened.iter().enumerate() {
        shelf.open_torrent(slot, std::sync::Arc::new(one.torrent.clone()));
        if one.shown.files.is_none() {
            following.spawn(follow(shelf.clone(), slot, one.torrent.clone()));
        }
    }
    if let Some(at) = ways::folder(flags) {
        let folders = opened.iter().map(|one| place::Taken::of(&one.torrent, &one.shown, path.is_some()));
        place::check(at, folders).or_exit(Exit::Usage)?;
    }
    drop(opened);
    let mut ways = Ways::open(session, flags, &shelf, ending).await?;
    session.folder_shown(ways.at(), shelf);
    tell(session, flags, &ways);
    let by_others = loop {
        match session.attend(ways.ended()).await {
            Attended::Picked(index) => session.turn_to(index),
            Attended::Done(()) => break true,
            Attended::Ended => break false,
        }
    };
    let at = ways.at().map(|at| at.display().to_string());
    if by_others {
        session.say("it was unmounted, and so this ends");
    }
    ways.close().await;
    session.teller.tell(&Event::Unmounted { at, by_others });
    Ok(Exit::Success)
}

/// A torrent that is open, and how it is shown.
struct Opened {
    torrent: Torrent,
    shown: Shown,
}

/// Opens all that were typed; those that cannot be had are left out, unless none is left. `None`: the end was asked for first.
async fn open(
    session: &mut Session,
    flags: &Mount,
    options: Options,
) -> Result<Option<Vec<Opened>>, Failure> {
    let (net, cache) = (session.net.clone(), options.metadata_cache());
    let resolving = join_all(flags.torrents.iter().map(|typed| source::resolve(typed, &net, &cache)));
    let Attended::Done(sources) = session.attend(resolving).await else { return Ok(None) };
    let mut opened = Vec::new();
    let mut seen = HashSet::new();
    let mut failed = None;
    for (index, (typed, source)) in flags.torrents.iter().zip(sources).enumerate() {
        match open_one(session, index, source, &options, &mut seen).await {
            Ok(one) => opened.push(one),
            Err(failure) if flags.torrents.len() == 1 => return Err(failure),
            Err(failure) => {
                session.do_without(index, typed, &failure);
                failed = Some(failure);
            }
        }
    }
    match (opened.is_empty(), failed) {
        (true, Some(failure)) => Err(failure),
        _ => Ok(Some(opened)),
    }
}

async fn open_one(
    session: &mut Session,
    index: usize,
    source: Result<Source, SourceError>,
    options: &Options,
    seen: &mut HashSet<source::InfoHash>,
) -> Result<Opened, Failure> {
    let source = source.or_exit(Exit::Source)?;
    if !seen.insert(source.info_hash) {
        return Err(anyhow::anyhow!("it is the same torrent as one before it")).or_exit(Exit::Usage);
    }
    let (name, is_folder) = shown(&source);
    session.open(index, source, options.clone()).await?;
    let torrent = session.torrent(index).cloned();
    // It was opened a line above.
    let Some(torrent) = torrent else { return Err(anyhow::anyhow!("it is not open")).or_exit(Exit::Failure) };
    let files = torrent.files().now_or_never().and_then(Result::ok);
    Ok(Opened { torrent, shown: Shown { name, is_folder, files } })
}

/// Says where it is, and how one gets in and out.
fn tell(session: &mut Session, flags: &Mount, ways: &Ways) {
    let (at, url) = (ways.at().map(|at| at.display().to_string()), ways.url().map(str::to_owned));
    session.teller.tell(&Event::Mounted { at: at.clone(), url: url.clone() });
    if session.teller.is_on() {
        return;
    }
    // What is said before the screen is there is under it.
    session.look();
    // The first line of standard output is where it is, for people and for scripts.
    for place in at.iter().chain(&url) {
        session.screen.answer(place);
    }
    if flags.quiet {
        return;
    }
    let is_live = session.is_live();
    let ends = if is_live { "q or Ctrl-C" } else { "Ctrl-C" };
    let in_and_out = ways.at().map(|at| {
        let unmounting = ways::unmounting(at);
        format!("open anything in it with any program; {ends} unmounts it, and so does {unmounting}")
    });
    let over_webdav = url.map(|url| format!("{}; {ends} ends it", ways::mounting(&url)));
    for text in in_and_out.into_iter().chain(over_webdav) {
        match is_live {
            true => session.screen.hint(&text),
            false => session.screen.say(&text),
        }
    }
}

/// What was typed after `--at`, or the folder that is meant without it.
fn place_of(flags: &Mount) -> &Path {
    flags.place.at.as_deref().unwrap_or(Path::new(PLACE))
}
