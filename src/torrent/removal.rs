//! The end of what a torrent keeps on disk, for who wants to keep nothing.

use std::path::PathBuf;

use tracing::warn;

use super::Shared;
use crate::lock::lock;
use crate::source::MetadataCache;
use crate::store::Removal;

/// Where a torrent keeps its things, as far as its store does not know.
pub(super) struct Keeps {
    pub(super) metadata: MetadataCache,
    /// The folder of its files.
    pub(super) folder: PathBuf,
    /// A file for what faces remember of it: see [`Torrent::notes`](super::Torrent::notes).
    pub(super) notes: PathBuf,
    /// It is the user's own.
    pub(super) has_path: bool,
}

/// Once it is closed.
pub(super) async fn remove(shared: &Shared) {
    let keeping = lock(&shared.session.keeping).take();
    if let Some(keeping) = keeping {
        // It would come back otherwise.
        let _ = keeping.await;
    }
    let (metadata, info_hash) = (shared.keeps.metadata.clone(), shared.info_hash);
    let notes = shared.keeps.notes.clone();
    let store = shared.session.opened.get().map(|opened| opened.store.clone());
    let removal = if shared.keeps.has_path { Removal::OwnFiles } else { Removal::Everything };
    let removing = tokio::task::spawn_blocking(move || {
        // First: the store removes the folder that it is in only if that is empty.
        match std::fs::remove_file(&notes) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                warn!("what was remembered of the torrent cannot be removed: {cause}");
            }
            _ => {}
        }
        if let Some(Err(cause)) = store.map(|store| store.remove(removal)) {
            warn!("what was downloaded cannot be removed: {cause}");
        }
        if let Err(cause) = metadata.remove(info_hash) {
            warn!("the metadata cannot be removed: {cause}");
        }
    });
    // A panic in there would be a bug of ours, and has been told.
    let _ = removing.await;
}
