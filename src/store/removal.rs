//! Deletes what a torrent keeps, and nothing that it did not bring.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::files::Files;
use super::folder::Folder;
use super::opening::{Judged, LOCK, NameLock, lock_both};
use super::{Shared, StoreError, journal};
use crate::layout::{Layout, PieceIndex};

/// How long the store may take to be closed.
const CLOSING: Duration = Duration::from_secs(10);

/// What is deleted besides the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The folder, which is the torrent's alone.
    Everything,
    /// The torrent's files, and folders that are empty without them. No file that was whole when the store was opened, and
    /// none that was there and that the journal did not know.
    OwnFiles,
}

/// Where a store's things lie.
pub(super) struct Places {
    pub(super) folder: Arc<dyn Folder>,
    pub(super) state: Arc<dyn Folder>,
    pub(super) name_lock: Option<Box<NameLock>>,
    /// The folder was made when the store was opened.
    pub(super) is_new: bool,
}

/// What there was when the store was opened.
pub(super) struct Before {
    pub(super) places: Places,
    /// Files that are not ours to delete.
    kept: BTreeSet<u32>,
    /// Files that were there, and that the journal knew.
    known: BTreeSet<u32>,
    /// Files without a byte that were not there.
    made: BTreeSet<u32>,
}

impl Before {
    pub(super) fn new(
        places: Places,
        layout: &Layout,
        files: &Files,
        judged: &Judged,
        made: BTreeSet<u32>,
    ) -> Self {
        let (mut kept, mut known) = (BTreeSet::new(), BTreeSet::new());
        for &(file, is_known) in &judged.there {
            let is_whole = layout.pieces_of(files.range(file)).all(|piece| judged.had.has(PieceIndex(piece)));
            let list = if is_known && !is_whole { &mut known } else { &mut kept };
            list.insert(file);
        }
        Before { places, kept, known, made }
    }

    /// Whether this file is one that the torrent has brought.
    fn is_ours(&self, shared: &Shared, file: u32) -> bool {
        if self.kept.contains(&file) || shared.files.is_replaced(file) {
            return false;
        }
        // What an earlier run has left may have been whole although its journal did not say so: it was killed.
        let is_found_whole = || {
            let mut pieces = shared.layout.pieces_of(shared.files.range(file)).map(PieceIndex);
            pieces.all(|piece| shared.is_verified(piece))
        };
        self.made.contains(&file)
            || shared.claims.is_written(file)
            || self.known.contains(&file) && !is_found_whole()
    }
}

/// See [`Store::remove`](super::Store::remove).
pub(super) fn remove(shared: &Shared, removal: Removal) -> Result<(), StoreError> {
    shared.close(None);
    shared.syncs.wait_for_end(CLOSING);
    let locks = lock_both(shared)?;
    let Places { folder, state, name_lock, is_new } = &shared.before.places;
    let mut first = Ok(());
    let mut note = |done: io::Result<()>, folder: &Path| {
        if let (Err(why), true) = (done, first.is_ok()) {
            first = Err(StoreError::Write { folder: folder.to_owned(), why: Arc::new(why) });
        }
    };
    if removal == Removal::OwnFiles {
        let mut parents = BTreeSet::new();
        for (index, _) in shared.files.ranges() {
            let path = shared.files.path(index);
            if shared.before.is_ours(shared, index) {
                note(folder.remove_file(path), &shared.config.folder);
            }
            parents.extend(path.ancestors().skip(1).filter(|parent| *parent != Path::new("")));
        }
        // What lies in another one comes behind it.
        for parent in parents.into_iter().rev() {
            note(folder.remove_folder(parent), &shared.config.folder);
        }
    }
    for name in [journal::NAME, journal::NEW_NAME] {
        note(state.remove_file(Path::new(name)), &shared.config.state);
    }
    // The locks go last, while they are held; but Windows lets nobody delete what is open.
    let locks = (!cfg!(windows)).then_some(locks);
    if let Some(NameLock { lock, .. }) = name_lock.as_deref() {
        note(folder.remove_file(lock), &shared.config.folder);
    }
    if removal == Removal::Everything {
        note(folder.remove_all(), &shared.config.folder);
    }
    note(state.remove_file(Path::new(LOCK)), &shared.config.state);
    note(state.remove_folder(Path::new("")), &shared.config.state);
    // After the state, which may lie in it.
    if removal == Removal::OwnFiles && *is_new {
        note(folder.remove_folder(Path::new("")), &shared.config.folder);
    }
    drop(locks);
    first
}
