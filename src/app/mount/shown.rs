//! What a torrent is called in the folder, and what is said of it until its files are known.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::app::why::why;
use crate::mount::shelf::Shelf;
use crate::source::Source;
use crate::source::names::safe_component;
use crate::torrent::Torrent;

/// How often a note is written anew.
const NOTE_EVERY: Duration = Duration::from_millis(500);

/// The name of a torrent's entry, and whether that is a folder whatever is in it. Of a link, neither depends on what the
/// cache knows of it: else a script that works today would not tomorrow.
pub(super) fn shown(source: &Source) -> (String, bool) {
    let name = match (&source.link, &source.metainfo) {
        (Some(link), _) => link.name.clone(),
        (None, Some(metainfo)) => Some(metainfo.name.clone()),
        (None, None) => source.name.clone(),
    };
    let name = name.map(|name| safe_component(&name)).filter(|name| !name.is_empty());
    (name.unwrap_or_else(|| source.info_hash.to_string()), source.link.is_some())
}

/// Until its files are known, says why they are not; then puts them on the shelf.
pub(super) async fn follow(shelf: Shelf, slot: usize, torrent: Torrent) {
    let mut tick = tokio::time::interval(NOTE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            files = torrent.files() => {
                match files {
                    Ok(files) => {
                        // Of a hundred thousand files not where the swarm is at work.
                        let _ = tokio::task::spawn_blocking(move || shelf.know(slot, files)).await;
                    }
                    Err(error) => shelf.note(slot, sentence(&error.to_string())),
                }
                return;
            }
            _ = tick.tick() => {
                let cause = why(&torrent.why(), &torrent.statistics(), torrent.is_paused());
                if let Some(cause) = cause {
                    shelf.note(slot, format!("The files are not known yet: {cause}."));
                }
            }
        }
    }
}

fn sentence(cause: &str) -> String {
    let mut letters = cause.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}.", first.chain(letters).collect::<String>().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{InfoHash, Link};

    fn named(name: Option<&str>) -> (String, bool) {
        let link = Some(Link { name: name.map(str::to_owned) });
        // The cache has had its say.
        shown(&Source { link, name: Some("from the cache".into()), ..Source::of_hash(InfoHash([0xab; 20])) })
    }

    #[test]
    fn a_link_is_called_what_it_says_itself_and_is_a_folder() {
        assert_eq!(named(Some("A Film")), ("A Film".to_owned(), true));
        assert_eq!(named(None), ("ab".repeat(20), true));
        assert!(!named(Some("../../etc")).0.contains('/'));
    }

    #[test]
    fn a_cause_becomes_a_sentence() {
        assert_eq!(sentence("the disk is full"), "The disk is full.");
        assert_eq!(sentence(""), ".");
    }
}
