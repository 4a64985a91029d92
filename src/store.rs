//! Blocks to disk, piece hashes, what we have across restarts. Not a cache: nothing is kept in memory but what is on its
//! way to the disk.
//!
//! # Threads
//!
//! Each store has three threads of its own, so that no thread of the network ever waits for a disk or a hash: one writes
//! blocks and hashes pieces, in the order in which both were asked for; one reads; one makes what was verified survive a
//! power loss. A fourth lives as long as there are files to look through that were there before. Blocks are handed
//! over in batches: a single block does not wake anybody, a piece to be verified or a quarter of a MiB does.
//!
//! # What may be served
//!
//! A piece is *had* when its hash was right in this run, or when the journal says so; only then can it be read, and from then
//! on it is never written again. The journal may say so only if it was written after its data. The order, every two
//! seconds or 64 MiB:
//!
//! 1. the data of verified pieces: `fdatasync` of each file that holds some, then of the folders that name new files;
//! 2. a record of those pieces, and of each file's size, inode and time of change, appended to the journal;
//! 3. `fdatasync` of the journal.
//!
//! After a power loss before 3 the pieces are not recorded, or the record's seal is wrong; both only cost bytes that must
//! come again. After `kill -9` even what was not synced is still there: blocks that were written are in the system's hands.
//! If step 1 fails, the pieces of that file are not recorded, in this run never again: nobody knows what is on the disk.
//!
//! # At the start
//!
//! The journal is replayed up to the first record that is not right; the size of the torrent costs nothing. Then files are
//! looked at, not into. Pieces of a file that is gone, or too short, are not had. Pieces of a file that is not the one that
//! the journal knows (by inode and time of change) are not had either, but looked through in the background, as is
//! what an earlier run has not recorded before it was killed, and what was there without a journal; each piece whose hash is
//! right is told as [`StoreEvent::Verified`].
//!
//! # Other people's files
//!
//! A folder that the user names may hold files of the torrent's names that are not the torrent's: another film, another
//! torrent's, what another program has fetched. Nothing is written to a file that was there before, and that the journal does
//! not know, until a right piece was found in it (or nothing but zeros). The look through it begins when something is to be
//! written to it, and that waits; if nothing is right, blocks for it are [`StoreEvent::Lost`] with [`StoreError::Occupied`],
//! until it is moved away. Files that are written are recorded in the journal, and locked while they are open.

mod claims;
mod files;
mod folder;
mod journal;
mod opening;
mod reading;
mod recheck;
mod removal;
mod syncing;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod versions;
mod writing;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{Semaphore, oneshot};

use crate::bitfield::Bitfield;
use crate::layout::{BLOCK, BlockId, Layout, PieceIndex};
use crate::lock::lock;
use crate::source::Metainfo;
use claims::Claims;
use files::Files;
use folder::{Folder, RealFolder};
use journal::Journal;
use removal::Before;
pub use removal::Removal;

/// Bytes of blocks that wait to be written; who brings more waits.
const MOST_QUEUED: u32 = 4 * 1024 * 1024;

/// The most that one read may ask for.
pub const MOST_READ: u64 = 1024 * 1024;

/// Where a torrent's data go.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Files lie here, at their [`TorrentFile::path`](crate::source::TorrentFile::path).
    pub folder: PathBuf,
    /// The journal and the lock lie here. No two torrents may share it.
    pub state: PathBuf,
}

/// One torrent on disk. Cheap to clone. When the last clone is dropped without [`close`](Self::close), what is on its way
/// is still written and recorded, in the background.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// What the store has to say, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum StoreEvent {
    /// The piece's hash is right; it can be read. Told after [`Store::verify`], and unasked for pieces that an earlier run
    /// left. `lies` are the versions of blocks that were not right, as (block, version): the n-th block that was written
    /// since the piece was first written is version n, from 0. Empty unless the piece has failed before.
    Verified { piece: PieceIndex, lies: Vec<(u32, u32)> },
    /// The piece's hash is wrong. From now on each block that comes for it is compared.
    Failed { piece: PieceIndex },
    /// A block of a piece that has failed before is written; `differs` if it is not what was there before.
    Compared { block: BlockId, differs: bool },
    /// The block could not be written, or not be read again to be verified: it is not on disk.
    Lost { block: BlockId },
    /// What stands in the way now; told once until a piece was verified again, or until it is something else.
    Broken(StoreError),
}

/// Why a store cannot be opened, written or read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "another peerflix is at work on this torrent (it holds {}); the URL that it prints serves every file of it; or end that one, or give this one a folder of its own with --path",
        lock.display()
    )]
    Busy { lock: PathBuf },
    /// Another torrent, of the same name.
    #[error("another peerflix is at work on {}; end that one, or choose another folder with --path", path.display())]
    InUse { path: PathBuf },
    #[error(
        "{} is there already and is not part of this torrent: move it, or choose another folder with --path",
        path.display()
    )]
    Occupied { path: PathBuf },
    #[error("{} is there already; looking whether it is part of this torrent", path.display())]
    Unjudged { path: PathBuf },
    #[error("{} was moved or removed while it was at work; start again to fetch it anew", path.display())]
    Gone { path: PathBuf },
    #[error("the folder {} cannot be used: {why}; choose another one with --path", folder.display())]
    Folder { folder: PathBuf, why: Arc<io::Error> },
    #[error("a thread could not be started: {0}")]
    Thread(Arc<io::Error>),
    #[error("the disk is full: {} takes no more; make room, and the download goes on", folder.display())]
    Full { folder: PathBuf },
    #[error("writing to {} failed: {why}", folder.display())]
    Write { folder: PathBuf, why: Arc<io::Error> },
    #[error("reading from {} failed: {why}", folder.display())]
    Read { folder: PathBuf, why: Arc<io::Error> },
    #[error(
        "what has been downloaded cannot be recorded in {}: {why}; it will be looked through at the next start",
        state.display()
    )]
    Record { state: PathBuf, why: Arc<io::Error> },
    /// A mistake of the caller: only verified pieces may be read.
    #[error("piece {} has not been verified", .0.0)]
    NotVerified(PieceIndex),
    /// A mistake of the caller.
    #[error("no {} bytes can be read from byte {} on", .0.end.saturating_sub(.0.start), .0.start)]
    Range(Range<u64>),
    #[error("the torrent was closed")]
    Closed,
}

/// Takes the lock of a torrent's state folder, as an open store has it; it is held until what is returned is dropped. `None` if
/// somebody else has it. The folder is made if it is not there.
pub fn lock_state(state: &std::path::Path) -> std::io::Result<Option<Box<dyn std::any::Any + Send>>> {
    std::fs::create_dir_all(state)?;
    RealFolder::new(state.to_owned()).lock(std::path::Path::new("lock"))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens what an earlier run has left, or begins. Blocking, but quick: its work grows with the number of files and of
    /// runs of pieces that we have, not with bytes. Files without a byte are made; others not before something of
    /// them is written.
    ///
    /// Fails with [`StoreError::Busy`] if another store, of this process or another one, has the torrent open, with
    /// [`StoreError::InUse`] if one has another torrent of this name open in this folder, and with [`StoreError::Folder`] if a
    /// folder cannot be made, read or written.
    pub fn open(
        metainfo: &Metainfo,
        config: StoreConfig,
    ) -> Result<(Store, UnboundedReceiver<StoreEvent>), StoreError> {
        let folder = Arc::new(RealFolder::new(config.folder.clone()));
        let state = Arc::new(RealFolder::new(config.state.clone()));
        Store::open_in(metainfo, config, folder, state)
    }

    fn open_in(
        metainfo: &Metainfo,
        config: StoreConfig,
        folder: Arc<dyn Folder>,
        state: Arc<dyn Folder>,
    ) -> Result<(Store, UnboundedReceiver<StoreEvent>), StoreError> {
        let (shared, had, events) = opening::open(metainfo, config, folder, state)?;
        Ok((Store { handle: Arc::new(Handle { shared, had }) }, events))
    }

    /// The pieces that an earlier run has left, as of [`open`](Self::open).
    pub fn had(&self) -> Bitfield {
        self.handle.had.clone()
    }

    /// Hands a block over; waits while 4 MiB are on their way to the disk. To be called only for blocks that are news, since
    /// each counts as a version; blocks of pieces that are had are dropped. Dropping the future before it is done hands
    /// nothing over.
    ///
    /// A block whose length is not that of the layout is [`Lost`](StoreEvent::Lost). After [`close`](Self::close) nothing
    /// happens.
    pub async fn write(&self, block: BlockId, data: Bytes) {
        let shared = &self.handle.shared;
        if data.is_empty() || data.len() != shared.layout.block_size(block) as usize {
            shared.tell(StoreEvent::Lost { block });
            return;
        }
        // Blocks are at most 16 KiB, and the writer wakes up long before the room is gone: this cannot wait for ever.
        let Ok(room) = shared.room.acquire_many(data.len() as u32).await else { return };
        if shared.jobs.push(writing::Job::Write(block, data)) {
            room.forget();
        }
    }

    /// Hashes the piece as it is on disk once all blocks handed over so far are written; answered with
    /// [`Verified`](StoreEvent::Verified) or [`Failed`](StoreEvent::Failed), or with [`Lost`](StoreEvent::Lost) blocks if it
    /// cannot be read. Ignored for a piece that does not exist, and for one of which a block was told as lost and not
    /// written since: to be asked again once that has come.
    pub fn verify(&self, piece: PieceIndex) {
        self.handle.shared.jobs.push(writing::Job::Verify(piece));
    }

    /// Bytes of the torrent, padding as zeros: exactly this range, at most [`MOST_READ`] of them, of pieces that are had.
    /// Dropping the future takes the wish back.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let shared = &self.handle.shared;
        let length = range.end.saturating_sub(range.start);
        if range.start > range.end || range.end > shared.layout.total() || length > MOST_READ {
            return Err(StoreError::Range(range));
        }
        if let Some(piece) = shared.first_missing(&range) {
            return Err(StoreError::NotVerified(piece));
        }
        let (answer, answered) = oneshot::channel();
        shared.reads.push(reading::Wish { range, answer });
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits until everything verified so far is recorded so that it survives a power loss.
    pub async fn sync(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.handle.shared.jobs.push(writing::Job::Sync(answer));
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Writes and records all that was handed over, ends the threads, gives up the lock. Reads that wait fail with
    /// [`StoreError::Closed`]. Takes as long as the disk does; who cannot wait may drop the future: it goes on.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.handle.shared.close(Some(answer));
        // Without an answer, somebody else has closed it before.
        answered.await.unwrap_or(Ok(()))
    }

    /// Deletes what the torrent keeps, as far as `removal` says, and its state. Closes the store first, and waits for that.
    /// Blocking. Fails with [`StoreError::Busy`] or [`StoreError::InUse`], and deletes nothing, if somebody has opened it
    /// again meanwhile; else what can be deleted is, and the first error told.
    pub fn remove(&self, removal: Removal) -> Result<(), StoreError> {
        removal::remove(&self.handle.shared, removal)
    }
}

/// Ends the threads when the last [`Store`] is gone.
struct Handle {
    shared: Arc<Shared>,
    had: Bitfield,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(None);
    }
}

/// Answers a [`Store::sync`] or [`Store::close`].
type Answer = oneshot::Sender<Result<(), StoreError>>;

/// What the threads have in common.
struct Shared {
    config: StoreConfig,
    layout: Layout,
    /// 20 bytes a piece.
    hashes: Bytes,
    files: Files,
    /// Which of them may be written.
    claims: Claims,
    /// `None` once the store is closed.
    journal: Mutex<Option<Journal>>,
    /// Pieces that may be read, and not be written.
    verified: Mutex<Bitfield>,
    /// In bytes.
    room: Semaphore,
    jobs: writing::Jobs,
    reads: reading::Wishes,
    syncs: syncing::Syncs,
    before: Before,
    events: UnboundedSender<StoreEvent>,
}

impl Shared {
    fn tell(&self, event: StoreEvent) {
        // Nobody listens any more: then nobody needs to know.
        let _ = self.events.send(event);
    }

    /// Ends everything, in order: writer, then syncing, which answers.
    fn close(&self, answer: Option<Answer>) {
        self.reads.close();
        self.jobs.close(answer);
        self.claims.close();
        // Wakes whoever waits for room, to find that there is no use in it.
        self.room.close();
    }

    fn is_verified(&self, piece: PieceIndex) -> bool {
        lock(&self.verified).has(piece)
    }

    fn first_missing(&self, range: &Range<u64>) -> Option<PieceIndex> {
        let verified = lock(&self.verified);
        self.layout.pieces_of(range.clone()).map(PieceIndex).find(|&piece| !verified.has(piece))
    }

    /// The piece's hash as it must be; `None` if there is no such piece.
    fn hash_of(&self, piece: PieceIndex) -> Option<&[u8]> {
        let start = usize::try_from(piece.0).ok()?.checked_mul(20)?;
        self.hashes.get(start..start.checked_add(20)?)
    }

    fn blocks_of(&self, piece: PieceIndex) -> impl Iterator<Item = BlockId> + use<> {
        (0..self.layout.blocks_in(piece)).map(move |block| BlockId { piece, block })
    }
}

const _: () = assert!(BLOCK < MOST_QUEUED);
