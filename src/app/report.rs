//! What the parts know, in words for the screen and as exit codes.

use super::Exit;
use crate::torrent::{Torrent, TorrentError, Whereabouts};

/// Where candidates come from and what became of them, a phrase each.
pub(super) fn sources(whereabouts: &Whereabouts) -> Vec<String> {
    let mut sources: Vec<String> = whereabouts.sources.iter().map(ToString::to_string).collect();
    let endings = &whereabouts.counts.endings;
    if !endings.is_empty() {
        let endings: Vec<String> =
            endings.iter().map(|(ending, times)| format!("{ending} ({times})")).collect();
        sources.push(format!("peers: {}", endings.join(", ")));
    }
    sources
}

pub(super) fn exit_of(error: &TorrentError) -> Exit {
    match error {
        TorrentError::Listen { .. } | TorrentError::ListenAnywhere(_) => Exit::Address,
        TorrentError::Store(_) | TorrentError::Trace { .. } => Exit::Disk,
        TorrentError::Choice(_) => Exit::Choice,
        TorrentError::Metadata(_) => Exit::Source,
        TorrentError::Interrupted => Exit::Failure,
    }
}

/// Of a read that failed because this torrent could not be opened, or for another reason.
pub(super) fn exit_of_failed(torrent: &Torrent) -> Exit {
    torrent.failure().map_or(Exit::Failure, exit_of)
}
