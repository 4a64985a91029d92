//! What the readers of a torrent and its driver share: which pieces are there, who reads where, who waits for what.
//! Readers that find their bytes do so without the driver; it looks at their heads when it is woken.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::bitfield::Bitfield;
use crate::layout::{FileSpan, Layout, PieceIndex};
use crate::lock::lock;
use crate::read::ReadError;
use crate::scheduler::ReaderId;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Door {
    layout: Layout,
    /// One bit a piece whose hash is right.
    had: Box<[AtomicU64]>,
    waits: Mutex<Vec<Wait>>,
    /// The oldest first.
    readers: Mutex<Vec<OpenReader>>,
    /// Moves whenever a reader opens or closes, so that the driver need not look at the list otherwise.
    generation: AtomicU64,
    next_reader: AtomicU32,
    closed: AtomicBool,
    /// The file that somebody began to read last, and when: by a count that all torrents of the process share.
    last_read: Mutex<Option<(FileSpan, u64)>>,
    /// Rung for the driver when a head has moved to another piece, or a reader waits, opens or closes.
    bell: Notify,
}

#[derive(Debug)]
struct Wait {
    piece: PieceIndex,
    wake: Arc<Notify>,
}

/// A reader that has read something.
#[derive(Clone, Debug)]
pub(super) struct OpenReader {
    /// Somebody reads for himself: shown to who looks. What peerflix reads for its own ends is not.
    pub(super) is_seen: bool,
    pub(super) id: ReaderId,
    pub(super) span: FileSpan,
    /// The byte of the torrent at which it began.
    pub(super) start: u64,
    pub(super) head: Arc<Head>,
}

/// Where a reader is, and how far it may read ahead.
#[derive(Debug)]
pub(super) struct Head {
    /// The byte, and whether it waits there: one word, so that the driver always sees a pair that was true.
    at: AtomicU64,
    /// A byte of the torrent; `u64::MAX`: to the end of its span.
    until: AtomicU64,
}

impl Default for Head {
    fn default() -> Self {
        Head { at: AtomicU64::new(0), until: AtomicU64::new(u64::MAX) }
    }
}

impl Head {
    pub(super) fn set(&self, at: u64, waiting: bool) {
        self.at.store(at << 1 | u64::from(waiting), Ordering::Release);
    }

    /// (byte of the torrent, waiting)
    pub(super) fn load(&self) -> (u64, bool) {
        let word = self.at.load(Ordering::Acquire);
        (word >> 1, word & 1 == 1)
    }

    /// True if that is new.
    pub(super) fn set_until(&self, until: Option<u64>) -> bool {
        let until = until.unwrap_or(u64::MAX);
        self.until.swap(until, Ordering::AcqRel) != until
    }

    pub(super) fn until(&self) -> Option<u64> {
        Some(self.until.load(Ordering::Acquire)).filter(|&until| until != u64::MAX)
    }
}

impl Door {
    pub(super) fn new(layout: Layout, had: &Bitfield) -> Self {
        let words = (layout.pieces() as usize).div_ceil(64);
        Door {
            had: (0..words).map(|i| AtomicU64::new(had.word(i))).collect(),
            layout,
            waits: Mutex::default(),
            readers: Mutex::default(),
            generation: AtomicU64::new(0),
            next_reader: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            last_read: Mutex::default(),
            bell: Notify::new(),
        }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn has(&self, piece: PieceIndex) -> bool {
        self.word(piece.0 / 64) >> (piece.0 % 64) & 1 == 1
    }

    fn word(&self, index: u32) -> u64 {
        self.had.get(index as usize).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// The end of the bytes that are there without a gap from `at` on; at most `most`. `at` itself if it is missing.
    pub(super) fn end_of_had(&self, at: u64, most: u64) -> u64 {
        let mut end = at;
        while end < most {
            let piece = self.layout.piece_at(end);
            // Whole words first: a finished film has thousands of pieces.
            let run = if piece.0.is_multiple_of(64) && self.word(piece.0 / 64) == u64::MAX { 64 } else { 1 };
            if run == 1 && !self.has(piece) {
                break;
            }
            end = self.layout.piece_start(PieceIndex(piece.0.saturating_add(run)));
        }
        end.min(most).max(at)
    }

    /// How many of these bytes are there.
    pub(super) fn had_of(&self, bytes: Range<u64>) -> u64 {
        let pieces = self.layout.pieces_of(bytes.clone()).map(PieceIndex);
        pieces
            .filter(|&piece| self.has(piece))
            .map(|piece| overlap(&self.layout.piece_range(piece), &bytes))
            .sum()
    }

    /// The bytes of all pieces that are missing of these.
    pub(super) fn to_fetch(&self, bytes: Range<u64>) -> u64 {
        let pieces = self.layout.pieces_of(bytes).map(PieceIndex);
        pieces.filter(|&piece| !self.has(piece)).map(|piece| u64::from(self.layout.piece_size(piece))).sum()
    }

    /// The piece's hash is right. Wakes who waits for it, and nobody else.
    pub(super) fn on_verified(&self, piece: PieceIndex) {
        if let Some(word) = self.had.get(piece.0 as usize / 64) {
            word.fetch_or(1 << (piece.0 % 64), Ordering::AcqRel);
        }
        lock(&self.waits).iter().filter(|wait| wait.piece == piece).for_each(|wait| wait.wake.notify_one());
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        lock(&self.waits).iter().for_each(|wait| wait.wake.notify_one());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits until the piece is there.
    pub(super) async fn wait_for(&self, piece: PieceIndex) -> Result<(), ReadError> {
        let wake = Arc::new(Notify::new());
        lock(&self.waits).push(Wait { piece, wake: Arc::clone(&wake) });
        let _entry = WaitEntry { door: self, wake: &wake };
        loop {
            // The entry is in the list: whatever happens from here on leaves its mark in `wake`.
            if self.is_closed() {
                return Err(ReadError::Closed);
            }
            if self.has(piece) {
                return Ok(());
            }
            wake.notified().await;
        }
    }

    pub(super) fn open(&self, span: FileSpan, head: Arc<Head>, is_seen: bool) -> ReaderId {
        let id = ReaderId(self.next_reader.fetch_add(1, Ordering::Relaxed));
        if is_seen {
            *lock(&self.last_read) = Some((span, count_reading()));
        }
        lock(&self.readers).push(OpenReader { is_seen, id, span, start: head.load().0, head });
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.ring();
        id
    }

    pub(super) fn last_read(&self) -> Option<(FileSpan, u64)> {
        *lock(&self.last_read)
    }

    pub(super) fn close_reader(&self, id: ReaderId) {
        lock(&self.readers).retain(|reader| reader.id != id);
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.ring();
    }

    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for the bell. Rings that nobody waited for count once.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// All readers, the oldest first.
    pub(super) fn readers(&self) -> Vec<OpenReader> {
        lock(&self.readers).clone()
    }
}

/// Counts, over all torrents, how often somebody began to read: what is counted later began later.
pub(super) fn count_reading() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// How many bytes two ranges share.
pub(super) fn overlap(a: &Range<u64>, b: &Range<u64>) -> u64 {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

struct WaitEntry<'a> {
    door: &'a Door,
    wake: &'a Arc<Notify>,
}

impl Drop for WaitEntry<'_> {
    fn drop(&mut self) {
        lock(&self.door.waits).retain(|wait| !Arc::ptr_eq(&wait.wake, self.wake));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(had: impl IntoIterator<Item = u32>) -> Door {
        let layout = Layout::new(19_950, 100).expect("fair");
        let mut field = Bitfield::none(layout.pieces());
        for piece in had {
            field.insert(PieceIndex(piece));
        }
        Door::new(layout, &field)
    }

    #[test]
    fn bytes_end_where_the_first_piece_is_missing() {
        let door = door((0..130).chain(131..200));
        assert_eq!(door.end_of_had(50, u64::MAX), 13_000);
        assert_eq!(door.end_of_had(50, 12_345), 12_345);
        assert_eq!(door.end_of_had(13_050, u64::MAX), 13_050);
        assert_eq!(door.end_of_had(13_100, 19_950), 19_950);
    }

    #[test]
    fn bytes_that_are_there_are_counted_across_half_pieces() {
        let door = door([0, 1, 3, 199]);
        assert_eq!(door.had_of(50..350), 50 + 100 + 50);
        assert_eq!(door.had_of(19_900..19_950), 50);
    }

    #[test]
    fn what_is_missing_comes_in_whole_pieces() {
        let door = door([1]);
        assert_eq!(door.to_fetch(110..190), 0);
        assert_eq!(door.to_fetch(99..201), 200);
        assert_eq!(door.to_fetch(19_949..19_950), 50, "the last piece is shorter");
        assert_eq!(door.to_fetch(50..50), 0);
    }

    #[tokio::test]
    async fn a_wait_ends_with_its_piece_and_leaves_nothing_behind() {
        let door = door([]);
        let ended = {
            let wait = door.wait_for(PieceIndex(5));
            tokio::pin!(wait);
            assert!(futures_util::poll!(&mut wait).is_pending());
            door.on_verified(PieceIndex(4));
            assert!(futures_util::poll!(&mut wait).is_pending());
            door.on_verified(PieceIndex(5));
            wait.await
        };
        assert!(ended.is_ok());
        assert!(lock(&door.waits).is_empty());
    }

    #[tokio::test]
    async fn who_waits_is_told_of_the_end() {
        let door = door([]);
        let wait = door.wait_for(PieceIndex(5));
        tokio::pin!(wait);
        assert!(futures_util::poll!(&mut wait).is_pending());
        door.close();
        assert!(matches!(wait.await, Err(ReadError::Closed)));
    }
}
