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

    /// Told by its ending.
    pub fn is_video(&self) -> bool {
        ends_in(self.name(), &VIDEOS)
    }

    /// Told by its ending.
    pub fn is_audio(&self) -> bool {
        ends_in(self.name(), &AUDIOS)
    }

    /// Told by its ending.
    pub fn is_subtitle(&self) -> bool {
        ends_in(self.name(), &SUBTITLES)
    }
}

/// Endings of names, as players know them.
const VIDEOS: [&str; 27] = [
    "3g2", "3gp", "asf", "avi", "divx", "dv", "f4v", "flv", "m1v", "m2t", "m2ts", "m2v", "m4v", "mkv", "mov",
    "mp4", "mpe", "mpeg", "mpg", "mts", "ogm", "ogv", "rmvb", "ts", "vob", "webm", "wmv",
];
const AUDIOS: [&str; 14] =
    ["aac", "ac3", "aiff", "ape", "dts", "flac", "m4a", "m4b", "mka", "mp3", "oga", "ogg", "opus", "wav"];
const SUBTITLES: [&str; 5] = ["ass", "srt", "ssa", "sub", "vtt"];

fn ends_in(name: &str, endings: &[&str]) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    endings.iter().any(|known| known.eq_ignore_ascii_case(ending))
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
