//! Torrents that are shown beside each other, none of which comes first: as folders, or as books.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session};
use super::watch::options;
use crate::cli::{StorageFlags, SwarmFlags};
use crate::read::Files;
use crate::source::names::safe_component;
use crate::source::{self, InfoHash, Source, SourceError};
use crate::torrent::{Choice, Options, Torrent};
use crate::tui::Style;

/// A torrent that is open.
pub(super) struct Opened {
    /// Its number in the session.
    pub(super) index: usize,
    pub(super) torrent: Torrent,
    /// What it is called, whatever the cache knows of it.
    pub(super) name: String,
    /// It was typed as a link, so that its files may have to come from peers.
    pub(super) is_link: bool,
    /// `None` while they are not known.
    pub(super) files: Option<Arc<Files>>,
}

/// How such torrents are opened: whatever is in them may be read.
pub(super) fn options_of_equals(
    swarm: &SwarmFlags,
    storage: &StorageFlags,
    trace: Option<PathBuf>,
    background: bool,
) -> Result<Options, Failure> {
    Ok(Options { choice: Choice::All, background, trace, ..options(swarm, storage)? })
}

/// How the session speaks. Two that draw on one terminal would draw over each other, so no screen with `verbose`.
pub(super) fn style(json: bool, quiet: bool, verbose: u8) -> Style {
    let style = if json { Style::Json } else { Style::of_terminal(quiet) };
    match style {
        Style::Live { .. } if verbose > 0 => Style::Lines,
        style => style,
    }
}

/// Opens all that were typed; those that cannot be had are left out, unless none is left and nothing else is shown (`has_others`).
/// `None`: the end was asked for first.
pub(super) async fn open_all(
    session: &mut Session,
    typed: &[String],
    options: &Options,
    has_others: bool,
) -> Result<Option<Vec<Opened>>, Failure> {
    let (net, cache) = (session.net.clone(), options.metadata_cache());
    let resolving = join_all(typed.iter().map(|typed| source::resolve(typed, &net, &cache)));
    let Attended::Done(sources) = session.attend(resolving).await else { return Ok(None) };
    let mut opened = Vec::new();
    let mut seen = HashSet::new();
    let mut failed = None;
    for (index, (name, source)) in typed.iter().zip(sources).enumerate() {
        match open_one(session, index, source, options, &mut seen).await {
            Ok(one) => opened.push(one),
            Err(failure) if typed.len() == 1 && !has_others => return Err(failure),
            Err(failure) => {
                session.do_without(index, name, &failure);
                failed = Some(failure);
            }
        }
    }
    match (opened.is_empty() && !has_others, failed) {
        (true, Some(failure)) => Err(failure),
        _ => Ok(Some(opened)),
    }
}

async fn open_one(
    session: &mut Session,
    index: usize,
    source: Result<Source, SourceError>,
    options: &Options,
    seen: &mut HashSet<InfoHash>,
) -> Result<Opened, Failure> {
    let source = source.or_exit(Exit::Source)?;
    if !seen.insert(source.info_hash) {
        return Err(anyhow::anyhow!("it is the same torrent as one before it")).or_exit(Exit::Usage);
    }
    let (name, is_link) = called(&source);
    session.open(index, source, options.clone()).await?;
    let torrent = session.torrent(index).cloned();
    // It was opened a line above.
    let Some(torrent) = torrent else { return Err(anyhow::anyhow!("it is not open")).or_exit(Exit::Failure) };
    let files = torrent.files().now_or_never().and_then(Result::ok);
    Ok(Opened { index, torrent, name, is_link, files })
}

/// The name of a torrent, and whether it was typed as a link. Of a link, the name does not depend on what the cache knows of it:
/// else a script that works today would not tomorrow.
fn called(source: &Source) -> (String, bool) {
    let name = match (&source.link, &source.metainfo) {
        (Some(link), _) => link.name.clone(),
        (None, Some(metainfo)) => Some(metainfo.name.clone()),
        (None, None) => source.name.clone(),
    };
    let name = name.map(|name| safe_component(&name)).filter(|name| !name.is_empty());
    (name.unwrap_or_else(|| source.info_hash.to_string()), source.link.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Link;

    fn named(name: Option<&str>) -> (String, bool) {
        let link = Some(Link { name: name.map(str::to_owned) });
        // The cache has had its say.
        called(&Source { link, name: Some("from the cache".into()), ..Source::of_hash(InfoHash([0xab; 20])) })
    }

    #[test]
    fn a_link_is_called_what_it_says_itself() {
        assert_eq!(named(Some("A Film")), ("A Film".to_owned(), true));
        assert_eq!(named(None), ("ab".repeat(20), true));
        assert!(!named(Some("../../etc")).0.contains('/'));
    }
}
