//! The one contract between torrents and faces: "give me these bytes of this file".

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// One reader of one file. Where it last read is where the swarm is put to work, so a face opens one for each
/// connection, handle or page, and drops it as soon as nobody reads there any more.
pub trait ReadAt: Send + Sync {
    /// The file's length in bytes.
    fn length(&self) -> u64;

    /// Waits until byte `offset` is there and right, then gives it and up to `most` bytes from there, at least one.
    /// Empty only if `offset` is at or beyond the end, or `most` is 0. Dropping the future takes the wish back.
    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>>;
}

/// What a torrent has to offer to faces.
pub trait Contents: Send + Sync {
    /// Waits until the files are known (a magnet's metadata has come), then gives them, in the torrent's order.
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>>;

    /// A new reader of file `index`; `None` if there is no such file, or the files are not known yet.
    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>>;

    /// The numbers as they are now.
    fn statistics(&self) -> Statistics;
}

/// A torrent's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// The torrent's own name.
    pub name: String,
    /// In the torrent's order, padding files left out (an index counts only what is listed here).
    pub files: Vec<File>,
    /// The file that `/` serves and a player opens: an index into `files`.
    pub chosen: usize,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path within the torrent, parts joined by `/`; made safe, always valid to show. Starts with the torrent's
    /// name where the torrent has several files.
    pub path: String,
    pub length: u64,
}

impl File {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// What a session has done so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Bytes of pieces whose hash was right, in this run.
    pub downloaded: u64,
    /// Bytes of blocks sent to peers.
    pub uploaded: u64,
    /// Bytes a second over the last seconds.
    pub download_rate: u64,
    pub upload_rate: u64,
    /// Connected peers.
    pub peers: usize,
    /// Of those, the ones that do not choke us.
    pub unchoking: usize,
    /// Addresses known but not connected.
    pub candidates: usize,
    /// Bytes of blocks that came twice or not at all asked for.
    pub wasted: u64,
    /// Blocks that were asked of a second peer because the first was late.
    pub hot_swaps: u64,
    /// Pieces whose hash was right / wrong.
    pub verified_pieces: u64,
    pub failed_pieces: u64,
    /// Of the chosen file, bytes that we have.
    pub chosen_had: u64,
    /// Of the chosen file, bytes that we have without a gap from its newest reader's head on.
    pub buffered: u64,
    /// Readers now waiting at their head.
    pub stalled_readers: usize,
}

/// One file as it is now, for a bar of so many cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileReport {
    pub length: u64,
    pub had: u64,
    pub cells: Vec<Cell>,
    pub readers: Vec<ReaderReport>,
}

/// Shares of a cell's bytes, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    pub had: f32,
    /// In flight, or come and not verified.
    pub coming: f32,
}

/// A reader as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReaderReport {
    /// The byte of the file that it wants next.
    pub head: u64,
    pub waiting: bool,
    /// Bytes without a gap from the head on.
    pub buffered: u64,
}

/// Why bytes cannot be had. (That they have not come yet is no error: a read waits.)
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the torrent was closed")]
    Closed,
    #[error("the torrent could not be opened: {0}")]
    NotOpened(String),
    #[error("reading from the disk failed: {0}")]
    Disk(String),
}
