//! The one contract between torrents and faces: "give me these bytes of this file".

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

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

    /// Nothing at or beyond byte `end` is fetched for this reader before it is asked for, until told otherwise. Before the
    /// first call: the file's length.
    fn read_ahead_until(&self, end: u64) {
        let _ = end;
    }
}

/// What a torrent has to offer to faces.
pub trait Contents: Send + Sync {
    /// Waits until the files are known (a magnet's metadata has come), then gives them, in the torrent's order.
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>>;

    /// A new reader of file `index`; `None` if there is no such file, or the files are not known yet.
    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>>;

    /// The same for what peerflix itself wants to know of the file: such a reader is left out where readers are shown.
    fn open_unseen(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        self.open(index)
    }

    /// The numbers as they are now.
    fn statistics(&self) -> Statistics;

    /// File `index` as it is now, its bar in so many cells; `None` if nobody can tell.
    fn file_report(&self, index: usize, cells: usize) -> Option<FileReport> {
        let _ = (index, cells);
        None
    }

    /// Bytes of file `index` that are there; `None` if nobody can tell.
    fn had(&self, index: usize) -> Option<u64> {
        let _ = index;
        None
    }

    /// How many bytes the swarm has to bring before these of file `index` can be read: more than are missing, since what has one
    /// hash comes whole. 0: they are there. If nobody can tell: as many as they are.
    fn to_fetch(&self, index: usize, range: Range<u64>) -> u64 {
        let _ = index;
        range.end.saturating_sub(range.start)
    }
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
    /// The file that `/` serves and a player opens first: an index into `files`.
    pub chosen: usize,
    /// What is to be played, in its order: indices into `files`, each once. Never empty; `chosen` is the first.
    pub queue: Vec<usize>,
    /// When the torrent was made, as it says itself; a magnet's metadata does not.
    pub created_at: Option<SystemTime>,
}

impl Files {
    /// With the first of `queue` chosen. An empty queue is that of the first file.
    pub fn new(
        info_hash: impl Into<String>,
        name: impl Into<String>,
        files: Vec<File>,
        mut queue: Vec<usize>,
    ) -> Self {
        if queue.is_empty() {
            queue.push(0);
        }
        let chosen = queue.first().copied().unwrap_or_default();
        Files { info_hash: info_hash.into(), name: name.into(), files, chosen, queue, created_at: None }
    }
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path within the torrent, parts joined by `/`; made safe, always valid to show. Starts with the torrent's
    /// name where the torrent has several files.
    pub path: String,
    pub length: u64,
}

/// Endings of names, as players know them.
const VIDEOS: [&str; 27] = [
    "3g2", "3gp", "asf", "avi", "divx", "dv", "f4v", "flv", "m1v", "m2t", "m2ts", "m2v", "m4v", "mkv", "mov",
    "mp4", "mpe", "mpeg", "mpg", "mts", "ogm", "ogv", "rmvb", "ts", "vob", "webm", "wmv",
];
const AUDIOS: [&str; 26] = [
    "aac", "ac3", "aif", "aiff", "alac", "ape", "dff", "dsf", "dts", "eac3", "flac", "m4a", "m4b", "mka",
    "mp2", "mp3", "mpc", "oga", "ogg", "opus", "spx", "tta", "wav", "weba", "wma", "wv",
];
const SUBTITLES: [&str; 8] = ["ass", "smi", "srt", "ssa", "sub", "sup", "ttml", "vtt"];

impl File {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// By its ending, whatever the case of letters; so are the next two.
    pub fn is_video(&self) -> bool {
        self.ends_in(&VIDEOS)
    }

    pub fn is_audio(&self) -> bool {
        self.ends_in(&AUDIOS)
    }

    pub fn is_subtitle(&self) -> bool {
        self.ends_in(&SUBTITLES)
    }

    fn ends_in(&self, endings: &[&str]) -> bool {
        let ending = self.name().rsplit_once('.').map_or("", |(_, ending)| ending);
        endings.iter().any(|one| one.eq_ignore_ascii_case(ending))
    }
}

/// The order in which people put names: `S01E02` before `S01E10`, whatever the case of letters. A total order, so
/// strangers' names can be sorted by it.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let folded = alphanumeric_sort::compare_str(a.to_lowercase(), b.to_lowercase());
    folded.then_with(|| alphanumeric_sort::compare_str(a, b))
}

/// One file as it is now, for a bar of so many cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileReport {
    pub length: u64,
    /// Bytes that we have.
    pub had: u64,
    /// Equal parts of the file, in its order. Of a file that has fewer bytes than cells, several show one byte.
    pub cells: Vec<Cell>,
    /// The oldest first.
    pub readers: Vec<ReaderReport>,
}

/// Shares of a cell's bytes, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    pub had: f32,
    /// In flight, or come and not verified yet.
    pub coming: f32,
}

/// A reader of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderReport {
    /// Tells readers of one torrent apart; never used again for another.
    pub id: u32,
    /// The byte of the file at which it began.
    pub start: u64,
    /// The byte of the file that it reads next.
    pub head: u64,
    /// It stands still for want of it.
    pub waiting: bool,
    /// Bytes that are there without a gap from `head` on.
    pub buffered: u64,
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
    #[error("nothing came in time")]
    NotInTime,
    #[error("reading from the disk failed: {0}")]
    Disk(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File { path: path.to_owned(), length: 1 }
    }

    #[test]
    fn what_a_file_is_its_ending_says() {
        assert!(file("Show/E01.MKV").is_video() && !file("Show/E01.MKV").is_audio());
        assert!(file("01 - Song.flac").is_audio() && file("E01.en.SRT").is_subtitle());
        assert!(!file("mkv").is_video() && !file("Show.mkv/readme").is_video());
    }

    #[test]
    fn the_second_episode_comes_before_the_tenth_whatever_the_case() {
        let mut names = ["show S01E10.mkv", "Show s01e02.mkv", "Show S01E1.mkv", "show s02e01.mkv"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["Show S01E1.mkv", "Show s01e02.mkv", "show S01E10.mkv", "show s02e01.mkv"]);
    }

    #[test]
    fn the_natural_order_is_an_order() {
        // Sorting by what is none may panic, and the names are strangers'.
        let signs = ["", "0", "1", "a", "A", "-", "章", "ÿ"];
        let mut words = vec![String::new()];
        for _ in 0..3 {
            let longer: Vec<_> =
                words.iter().flat_map(|word| signs.map(|sign| format!("{word}{sign}"))).collect();
            words = longer;
        }
        words.sort_unstable();
        words.dedup();
        let less: Vec<Vec<Ordering>> =
            words.iter().map(|a| words.iter().map(|b| natural_order(a, b)).collect()).collect();
        for a in 0..words.len() {
            for b in 0..words.len() {
                assert_eq!(less[a][b], less[b][a].reverse(), "{} {}", words[a], words[b]);
                assert_eq!(less[a][b] == Ordering::Equal, a == b, "{} {}", words[a], words[b]);
                if less[a][b] != Ordering::Less {
                    continue;
                }
                for c in 0..words.len() {
                    let holds = less[b][c] != Ordering::Less || less[a][c] == Ordering::Less;
                    assert!(holds, "{} < {} < {}", words[a], words[b], words[c]);
                }
            }
        }
    }

    #[test]
    fn a_queue_is_never_empty() {
        let files = Files::new("", "", vec![file("a"), file("b")], vec![1, 0]);
        assert_eq!((files.chosen, files.queue), (1, vec![1, 0]));
        assert_eq!(Files::new("", "", Vec::new(), Vec::new()).queue, [0]);
    }
}
