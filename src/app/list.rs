//! `peerflix list`, and `--list` where nobody can choose.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Context;

use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session, files_event};
use super::telling::Teller;
use super::watch::{choice, options};
use super::{print, sentence};
use crate::cli::{ChooseFlags, List};
use crate::events::Event;
use crate::read::{File, Files};
use crate::source::{self, Source};
use crate::torrent::Options;
use crate::tui::{Style, clean};
use crate::units::ByteSize;

/// `peerflix list TORRENT`.
pub(super) async fn list(flags: &List, ending: Ending) -> Result<Exit, Failure> {
    let teller = Teller::new(flags.json);
    let style = if flags.json { Style::Json } else { Style::Lines };
    let choose = ChooseFlags { list: true, index: flags.index.clone(), file: flags.file.clone(), all: false };
    let options =
        Options { choice: choice(&choose), background: false, ..options(&flags.swarm, &flags.storage)? };
    // What happens until the files are known is nobody's interest here.
    let mut session = Session::new(style, 1, Teller::new(false), ending)?;
    let done = files_listed(&mut session, flags, options).await;
    drop(session.close().await);
    let is_all = flags.index.is_empty() && flags.file.is_empty();
    match done {
        Ok(None) => Ok(Exit::Interrupted),
        Ok(Some(files)) if teller.is_on() => {
            teller.tell(&files_event(0, 0, &files, None));
            Ok(Exit::Success)
        }
        Ok(Some(files)) => print_lines(&files, (!is_all).then_some(&files.queue)),
        Err(failure) => {
            teller.tell(&Event::Error { code: failure.exit as u8, message: sentence(&failure.error) });
            Err(failure)
        }
    }
}

/// `None`: interrupted.
async fn files_listed(
    session: &mut Session,
    flags: &List,
    options: Options,
) -> Result<Option<Arc<Files>>, Failure> {
    let (net, cache) = (session.net.clone(), options.metadata_cache());
    let Attended::Done(source) = session.attend(source::resolve(&flags.torrent, &net, &cache)).await else {
        return Ok(None);
    };
    let source = source.or_exit(Exit::Source)?;
    let is_all = flags.index.is_empty() && flags.file.is_empty();
    if let Some(files) = files_of(&source).filter(|_| is_all) {
        return Ok(Some(Arc::new(files)));
    }
    session.open(0, source, options).await?;
    session.files().await
}

/// `--list` where nobody can choose: prints the files of all torrents.
pub(super) async fn list_all(session: &mut Session, torrents: usize) -> Result<Exit, Failure> {
    let lineup = session.lineup.clone();
    if torrents > 1 && session.attend(lineup.grown()).await == Attended::Ended {
        return Ok(Exit::Interrupted);
    }
    let files = session.lineup.known().context("no torrent could be opened").or_exit(Exit::Source)?;
    session.screen.close();
    print_files(session, &files, None)
}

/// One line a file: its number, its path, its size; as peerflix has always listed them.
pub(super) fn print_files(
    session: &mut Session,
    files: &Files,
    only: Option<&[usize]>,
) -> Result<Exit, Failure> {
    if session.teller.is_on() {
        session.tell_files_of(0, files);
        return Ok(Exit::Success);
    }
    print_lines(files, only)
}

fn print_lines(files: &Files, only: Option<&[usize]>) -> Result<Exit, Failure> {
    let listed: Vec<usize> = only.map_or_else(|| (0..files.files.len()).collect(), <[usize]>::to_vec);
    print(|out| {
        listed.iter().filter_map(|&index| Some((index, files.files.get(index)?))).try_for_each(
            |(index, file)| writeln!(out, "{index:>3} : {} : {}", shown(&file.path), ByteSize(file.length)),
        )
    })
}

/// The files as a .torrent or the cache tells them: neither swarm nor folder is needed for that.
pub(super) fn files_of(source: &Source) -> Option<Files> {
    let metainfo = source.metainfo.as_ref()?;
    let file = |file: &source::TorrentFile| File { path: file.path.join("/"), length: file.span.length };
    Some(Files {
        info_hash: source.info_hash.to_string(),
        name: metainfo.name.clone(),
        files: metainfo.files.iter().map(file).collect(),
        chosen: 0,
        queue: Vec::new(),
        created_at: metainfo.created_at,
    })
}

/// On a terminal a name is made harmless; a program gets it as it is.
fn shown(path: &str) -> String {
    if std::io::stdout().is_terminal() { clean(path) } else { path.to_owned() }
}
