//! `peerflix mount TORRENT...`: from what was typed to the last thing unmounted.

mod place;
mod shown;
mod status;
mod ways;

use std::path::Path;

use tokio::task::JoinSet;

use self::shown::follow;
pub(super) use self::status::status;
use self::ways::Ways;
use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session};
use super::side_by_side::{open_all, options_of_equals, style};
use super::telling::Teller;
use super::watch::tell_end;
use crate::cli::Mount;
use crate::events::Event;
use crate::mount::shelf::Shelf;
use crate::mount::tree::Shown;
use crate::torrent::{Options, Torrent};

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
    let options = options_of_equals(&flags.swarm, &flags.storage, flags.trace.clone(), flags.place.all)?;
    let style = style(flags.json, flags.quiet, flags.verbose);
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
    let opened = open_all(session, &flags.torrents, &options, false).await?;
    let Some(opened) = opened else { return Ok(Exit::Interrupted) };
    let opened: Vec<(Torrent, Shown)> = opened
        .into_iter()
        // Whatever is in what was typed as a link, it is a folder.
        .map(|one| (one.torrent, Shown { name: one.name, is_folder: one.is_link, files: one.files }))
        .collect();
    let shelf = Shelf::new(opened.iter().map(|(_, shown)| shown.clone()).collect());
    let mut following = JoinSet::new();
    for (slot, (torrent, shown)) in opened.iter().enumerate() {
        shelf.open_torrent(slot, std::sync::Arc::new(torrent.clone()));
        if shown.files.is_none() {
            following.spawn(follow(shelf.clone(), slot, torrent.clone()));
        }
    }
    if let Some(at) = ways::folder(flags) {
        let folders = opened.iter().map(|(torrent, shown)| place::Taken::of(torrent, shown, path.is_some()));
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
