//! What the parts know, in words for the screen and as exit codes.

use super::Exit;
use crate::torrent::{Torrent, TorrentError};

/// Where candidates come from and what became of them, a phrase each.
pub(super) fn sources(_torrent: &Torrent) -> Vec<String> {
    Vec::new()
}

pub(super) fn exit_of(_error: &TorrentError) -> Exit {
    Exit::Failure
}

pub(super) fn exit_of_failed(_torrent: &Torrent) -> Exit {
    Exit::Failure
}
