//! What an earlier run has left: which of it to trust, which to look through, which to forget.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::claims::Claims;
use super::files::Files;
use super::folder::{Folder, Identity, Lock};
use super::journal::{Journal, Record, Replayed, ranges};
use super::removal::{Before, Places};
use super::{MOST_QUEUED, Shared, StoreConfig, StoreError, StoreEvent};
use super::{reading, recheck, syncing, writing};
use crate::bitfield::Bitfield;
use crate::layout::PieceIndex;
use crate::source::{Metainfo, names};

/// How much later than its last record a file may have been changed by a run that was killed.
const SLACK: Duration = Duration::from_secs(120);

/// The lock in the state's folder.
pub(super) const LOCK: &str = "lock";

/// The lock of all files below one name.
pub(super) struct NameLock {
    name: String,
    pub(super) lock: PathBuf,
}

pub(super) fn open(
    metainfo: &Metainfo,
    config: StoreConfig,
    folder: Arc<dyn Folder>,
    state: Arc<dyn Folder>,
) -> Result<(Arc<Shared>, Bitfield, UnboundedReceiver<StoreEvent>), StoreError> {
    let unusable = |folder: &Path| {
        let folder = folder.to_path_buf();
        move |why| StoreError::Folder { folder: folder.clone(), why: Arc::new(why) }
    };
    let is_new = folder.create().map_err(unusable(&config.folder))?;
    state.create().map_err(unusable(&config.state))?;
    let lock = state
        .lock(Path::new(LOCK))
        .map_err(unusable(&config.state))?
        .ok_or_else(|| StoreError::Busy { lock: config.state.join(LOCK) })?;
    let name_lock = name_lock(metainfo);
    let lock: Lock = Box::new((lock, lock_name(name_lock.as_deref(), &config, folder.as_ref())?));
    let files = Files::new(metainfo, folder.clone());
    let (mut journal, replayed) = Journal::open(metainfo, state.clone()).map_err(unusable(&config.state))?;
    let judged = judge(metainfo, &files, &replayed, is_new);
    record_start(&mut journal, &replayed, &judged).map_err(unusable(&config.state))?;
    let made = files.create_empty();
    let before =
        Before::new(Places { folder, state, name_lock, is_new }, &metainfo.layout, &files, &judged, made);

    let doubtful = judged.doubtful;
    let must_look = !doubtful.is_none() || judged.there.iter().any(|&(_, is_known)| !is_known);
    let (events, told) = unbounded_channel();
    let shared = Arc::new(Shared {
        config,
        layout: metainfo.layout.clone(),
        hashes: metainfo.piece_hashes.clone(),
        files,
        claims: Claims::new(judged.there),
        journal: Mutex::new(Some(journal)),
        verified: Mutex::new(judged.had.clone()),
        room: Semaphore::new(MOST_QUEUED as usize),
        jobs: writing::Jobs::default(),
        reads: reading::Wishes::default(),
        syncs: syncing::Syncs::default(),
        before,
        events,
    });
    let recorded = judged.had.clone();
    let started = start(&shared, move |shared| {
        syncing::Syncing::new(shared, lock, recorded, replayed.files).run();
    })
    .and_then(|()| start(&shared, |shared| writing::Writing::new(shared).run()))
    .and_then(|()| start(&shared, |shared| reading::run(&shared)))
    .and_then(|()| match must_look {
        true => start(&shared, move |shared| recheck::run(&shared, &doubtful)),
        false => Ok(()),
    });
    if let Err(why) = started {
        shared.close(None);
        shared.syncs.close(None);
        return Err(StoreError::Thread(Arc::new(why)));
    }
    Ok((shared, judged.had, told))
}

/// All files of a torrent lie below one name; so do those of another torrent of that name, which must not be at work at the
/// same time. One lock for all of them, whether they are written or only read: a torrent may have more files than a program
/// may have open.
fn lock_name(name: Option<&NameLock>, config: &StoreConfig, folder: &dyn Folder) -> Result<Lock, StoreError> {
    let Some(NameLock { name, lock }) = name else { return Ok(Box::new(())) };
    folder
        .lock(lock)
        .map_err(|why| StoreError::Folder { folder: config.folder.clone(), why: Arc::new(why) })?
        .ok_or_else(|| StoreError::InUse { path: config.folder.join(name) })
}

fn name_lock(metainfo: &Metainfo) -> Option<Box<NameLock>> {
    let name = metainfo.files.first().and_then(|file| file.path.first())?;
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, names::folded(name).as_bytes());
    let number = digest.as_ref().iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let lock = format!("{}{number:016x}.lock", names::OURS).into();
    Some(Box::new(NameLock { name: name.clone(), lock }))
}

/// Takes both locks of a torrent's store.
pub(super) fn lock_both(shared: &Shared) -> Result<Lock, StoreError> {
    let Places { folder, state, name_lock, .. } = &shared.before.places;
    let unusable = |why| StoreError::Folder { folder: shared.config.state.clone(), why: Arc::new(why) };
    let lock = state.lock(Path::new(LOCK)).map_err(unusable)?;
    let lock = lock.ok_or_else(|| StoreError::Busy { lock: shared.config.state.join(LOCK) })?;
    Ok(Box::new((lock, lock_name(name_lock.as_deref(), &shared.config, folder.as_ref())?)))
}

fn start(shared: &Arc<Shared>, run: impl FnOnce(Arc<Shared>) + Send + 'static) -> std::io::Result<()> {
    let shared = shared.clone();
    std::thread::Builder::new().name("store".into()).stack_size(256 * 1024).spawn(move || run(shared))?;
    Ok(())
}

pub(super) struct Judged {
    /// Trusted.
    pub(super) had: Bitfield,
    /// The journal says that we have them, but the files do not look like it.
    dropped: Vec<PieceIndex>,
    /// May be there all the same: to be hashed.
    doubtful: Bitfield,
    /// The files that are there and not empty: whether the journal knows them as they are.
    pub(super) there: Vec<(u32, bool)>,
}

fn judge(metainfo: &Metainfo, files: &Files, replayed: &Replayed, is_new: bool) -> Judged {
    let layout = &metainfo.layout;
    let mut had = replayed.had.clone();
    if is_new && had.is_none() {
        let doubtful = Bitfield::none(layout.pieces());
        return Judged { had, dropped: Vec::new(), doubtful, there: Vec::new() };
    }
    let mut long_enough = Bitfield::all(layout.pieces());
    let mut there = Vec::new();
    // Of files that the journal does not know as they are.
    let mut changed = Bitfield::none(layout.pieces());
    for (index, range) in files.ranges().filter(|(_, range)| !range.is_empty()) {
        // A file that cannot even be looked at is as good as gone.
        let found = files.identity(index).ok().flatten();
        let size = found.map_or(0, |found| found.size);
        if size < range.end - range.start {
            for piece in layout.pieces_of(range.start + size..range.end).map(PieceIndex) {
                had.remove(piece);
                long_enough.remove(piece);
            }
        }
        let is_same = match (found, replayed.files.get(&index)) {
            (Some(found), Some(known)) => is_same(found, *known, replayed.clean),
            _ => false,
        };
        if !is_same {
            layout.pieces_of(range.clone()).for_each(|piece| {
                had.remove(PieceIndex(piece));
            });
        }
        if size > 0 {
            there.push((index, is_same));
        }
        // A clean end leaves nothing that was not recorded; after any other one there may be more than the journal says.
        if size > 0 && !(is_same && replayed.clean) {
            layout.pieces_of(range).for_each(|piece| {
                changed.insert(PieceIndex(piece));
            });
        }
    }
    let dropped: Vec<PieceIndex> = replayed.had.iter().filter(|&piece| !had.has(piece)).collect();
    let mut doubtful = Bitfield::none(layout.pieces());
    changed.iter().filter(|&piece| long_enough.has(piece) && !had.has(piece)).for_each(|piece| {
        doubtful.insert(piece);
    });
    Judged { had, dropped, doubtful, there }
}

/// After a clean end a file must be just as it was. A run that was killed may have written on after its last record, and
/// a power loss may have taken the newest time of change away; both leave the file what it is.
///
/// Where files have no number, none is recognised: anybody could have written a journal that fits a file's size and time,
/// and an archive brings both with it. Nobody can know the number that a file will have on another's disk.
fn is_same(found: Identity, known: Identity, clean: bool) -> bool {
    if found.inode == 0 {
        return false;
    }
    if clean {
        return found == known;
    }
    let latest = known.modified.saturating_add(i64::try_from(SLACK.as_nanos()).unwrap_or(i64::MAX));
    found.inode == known.inode && found.modified <= latest
}

/// What is no longer had must be forgotten before the first block is written: the new file could look like the old one.
fn record_start(journal: &mut Journal, replayed: &Replayed, judged: &Judged) -> std::io::Result<()> {
    let mut records: Vec<Record> =
        ranges(judged.dropped.iter().copied()).into_iter().map(Record::Dropped).collect();
    let must_sync = !records.is_empty();
    if replayed.clean || must_sync {
        records.push(Record::Opened);
    }
    if !records.is_empty() {
        journal.append(&records)?;
    }
    if must_sync { journal.sync() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Identity = Identity { size: 10, inode: 7, modified: 1_000_000_000_000 };

    #[test]
    fn a_file_is_the_same_if_nobody_else_could_have_changed_it() {
        let later = |seconds: i64| Identity { modified: KNOWN.modified + seconds * 1_000_000_000, ..KNOWN };
        assert!(is_same(KNOWN, KNOWN, true) && is_same(KNOWN, KNOWN, false));
        assert!(!is_same(later(1), KNOWN, true));
        assert!(
            is_same(later(60), KNOWN, false) && is_same(Identity { size: 11, ..later(60) }, KNOWN, false)
        );
        assert!(!is_same(later(121), KNOWN, false));
        assert!(!is_same(Identity { inode: 8, ..KNOWN }, KNOWN, false));
    }

    #[test]
    fn where_files_have_no_number_a_journal_from_elsewhere_is_not_believed() {
        let anyones = Identity { inode: 0, ..KNOWN };
        assert!(!is_same(anyones, anyones, true) && !is_same(anyones, anyones, false));
    }
}
