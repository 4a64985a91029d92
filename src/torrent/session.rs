//! What a torrent's handles and its driver share: the numbers, the phase, and what became known.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::TorrentError;
use super::door::Door;
use super::look::Looks;
use super::meter::Meter;
use super::orders::Orders;
use crate::layout::FileSpan;
use crate::lock::lock;
use crate::read::{Files, Statistics};
use crate::scheduler::Counts;
use crate::store::Store;
use crate::swarm::discovery::Progress;
use crate::units::Timestamp;

/// What a torrent is doing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its metadata is asked for from peers.
    Metadata,
    /// Its files are known and can be read.
    Streaming,
    /// It cannot be opened: the sentence says why.
    Failed(String),
    Closed,
}

/// The clock shell: the only place where a torrent's [`Timestamp`]s come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Clock(Instant::now())
    }

    pub(super) fn now(self) -> Timestamp {
        Timestamp::since_start(self.0.elapsed())
    }

    pub(super) fn instant_of(self, at: Timestamp) -> tokio::time::Instant {
        (self.0 + at.elapsed()).into()
    }
}

/// What is known as soon as the metadata is, and the store is open.
pub(super) struct Opened {
    pub(super) files: Arc<Files>,
    /// Of each of `files`.
    pub(super) spans: Vec<FileSpan>,
    /// BEP 27.
    pub(super) private: bool,
    pub(super) door: Arc<Door>,
    pub(super) store: Store,
}

impl Opened {
    /// The bytes of the chosen file.
    pub(super) fn chosen(&self) -> FileSpan {
        self.spans.get(self.files.chosen).copied().unwrap_or(FileSpan { offset: 0, length: 0 })
    }

    /// All of these bytes are there.
    pub(super) fn has(&self, span: FileSpan) -> bool {
        self.door.end_of_had(span.offset, span.end()) == span.end()
    }
}

/// See the module's documentation.
pub(super) struct Session {
    pub(super) clock: Clock,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) opened: OnceLock<Arc<Opened>>,
    /// Why it could not be opened: set before the phase says so.
    pub(super) failure: OnceLock<TorrentError>,
    pub(super) numbers: Numbers,
    pub(super) meter: Mutex<Meter>,
    /// What the disk refuses, while it does.
    pub(super) trouble: Mutex<Option<String>>,
    pub(super) orders: Orders,
    pub(super) looks: Looks,
    /// A magnet's metadata on its way to the disk.
    pub(super) keeping: Mutex<Option<JoinHandle<()>>>,
}

/// Written by the driver alone.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Bytes of blocks, whatever became of them.
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    /// Bytes of pieces that came and were verified in this run.
    pub(super) verified: AtomicU64,
    /// Bytes of the torrent that we have not.
    pub(super) left: AtomicU64,
    pub(super) chosen_had: AtomicU64,
    pub(super) unchoking: AtomicUsize,
    pub(super) wasted: AtomicU64,
    pub(super) hot_swaps: AtomicU64,
    pub(super) verified_pieces: AtomicU64,
    pub(super) failed_pieces: AtomicU64,
}

impl Numbers {
    pub(super) fn add(number: &AtomicU64, more: u64) {
        number.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn take_over(&self, counts: Counts) {
        self.wasted.store(counts.wasted, Ordering::Relaxed);
        self.hot_swaps.store(counts.hot_swaps, Ordering::Relaxed);
        self.verified_pieces.store(counts.verified_pieces, Ordering::Relaxed);
        self.failed_pieces.store(counts.failed_pieces, Ordering::Relaxed);
    }

    fn flows(&self) -> [u64; 2] {
        [self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed)]
    }
}

impl Session {
    pub(super) fn new() -> Self {
        let session = Session {
            clock: Clock::start(),
            phase: watch::Sender::new(Phase::Metadata),
            opened: OnceLock::new(),
            failure: OnceLock::new(),
            numbers: Numbers::default(),
            meter: Mutex::default(),
            trouble: Mutex::default(),
            orders: Orders::default(),
            looks: Looks::default(),
            keeping: Mutex::default(),
        };
        // Trackers give nobody to who says that nothing is left; before the metadata is there, something is.
        session.numbers.left.store(1, Ordering::Relaxed);
        session
    }

    /// The files are known: from now on they can be read. Once.
    pub(super) fn open(&self, opened: Arc<Opened>) {
        let layout = opened.door.layout();
        let had: u64 = opened.store.had().iter().map(|piece| u64::from(layout.piece_size(piece))).sum();
        self.numbers.left.store(layout.total() - had, Ordering::Relaxed);
        self.numbers.chosen_had.store(opened.door.had_of(opened.chosen().range()), Ordering::Relaxed);
        let _ = self.opened.set(opened);
        self.phase.send_replace(Phase::Streaming);
    }

    /// Wakes the driver, once there is one.
    pub(super) fn ring(&self) {
        if let Some(opened) = self.opened.get() {
            opened.door.ring();
        }
    }

    /// To be called at every wake-up: mostly a comparison of two times.
    pub(super) fn note_rates(&self, now: Timestamp) {
        lock(&self.meter).note(now, self.numbers.flows());
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble;
    }

    /// What trackers are told.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            uploaded: self.numbers.sent.load(Ordering::Relaxed),
            downloaded: self.numbers.verified.load(Ordering::Relaxed),
            left: self.numbers.left.load(Ordering::Relaxed),
        }
    }

    /// All that is known here; of the swarm only who unchokes us.
    pub(super) fn statistics(&self) -> Statistics {
        let numbers = &self.numbers;
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let [down, up] = {
            let meter = lock(&self.meter);
            meter.rates(self.clock.now(), numbers.flows())
        };
        let readers = self.opened.get().map(|opened| opened.door.readers()).unwrap_or_default();
        Statistics {
            downloaded: load(&numbers.verified),
            uploaded: load(&numbers.sent),
            download_rate: down.bytes_per_second() as u64,
            upload_rate: up.bytes_per_second() as u64,
            unchoking: numbers.unchoking.load(Ordering::Relaxed),
            wasted: load(&numbers.wasted),
            hot_swaps: load(&numbers.hot_swaps),
            verified_pieces: load(&numbers.verified_pieces),
            failed_pieces: load(&numbers.failed_pieces),
            chosen_had: load(&numbers.chosen_had),
            buffered: self.opened.get().map_or(0, |opened| {
                let bytes = self.buffered(opened);
                bytes.end - bytes.start
            }),
            stalled_readers: readers.iter().filter(|reader| reader.is_seen && reader.head.load().1).count(),
            ..Statistics::default()
        }
    }

    /// Of the chosen file, the bytes that are there without a gap from its newest reader's head on; from its beginning, if
    /// nobody reads.
    fn buffered(&self, opened: &Opened) -> Range<u64> {
        let span = opened.chosen();
        let newest =
            opened.door.readers().into_iter().rev().find(|reader| reader.is_seen && reader.span == span);
        let head = newest.map_or(span.offset, |reader| reader.head.load().0).clamp(span.offset, span.end());
        head..opened.door.end_of_had(head, span.end())
    }
}
