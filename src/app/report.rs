//! What the parts know, in words for the screen and as exit codes.

use super::Exit;
use crate::torrent::{Torrent, TorrentError};

/// Where candidates come from and what became of them, a phrase each.
pub(super) fn sources(_torrent: &Torrent) -> Vec<String> {
    Vec::new()
}

pub(super) fn exit_of(error: &TorrentError) -> Exit {
    match error {
        TorrentError::Listen { .. } | TorrentError::ListenAnywhere(_) => Exit::Address,
        TorrentError::Store(_) | TorrentError::Trace { .. } => Exit::Disk,
        TorrentError::Choice(_) => Exit::Choice,
        TorrentError::Interrupted => Exit::Failure,
    }
}

pub(super) fn exit_of_failed(_torrent: &Torrent) -> Exit {
    Exit::Failure
}
