//! A file that is far away, for tests that count trips: pieces that are not there are asked for, and all that were asked for come when everybody
//! waits. That is a trip.

use std::collections::BTreeSet;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::lock::lock;
use crate::read::{ReadAt, ReadError};
use crate::wiki::archive::{Archive, Part};

/// Bytes, in memory or made up as they are read.
pub trait Source: Send + Sync {
    fn length(&self) -> u64;

    /// `range` lies within.
    fn read(&self, range: Range<u64>) -> Bytes;
}

impl Source for Bytes {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Bytes {
        self.slice(range.start as usize..range.end as usize)
    }
}

/// A file in pieces, far away. All clones are one.
#[derive(Clone)]
pub struct Far(Arc<Inner>);

struct Inner {
    source: Box<dyn Source>,
    piece: u64,
    /// Where the file begins in its first piece: a torrent may have others before it.
    shift: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    here: BTreeSet<u64>,
    asked: BTreeSet<u64>,
    waiting: Vec<Waker>,
    fetched: u64,
    trips: usize,
    tells_nothing: bool,
}

/// What something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    pub trips: usize,
    pub pieces: u64,
    pub bytes: u64,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Far {
    pub fn new(source: impl Source + 'static, piece: u64) -> Far {
        let inner = Inner { source: Box::new(source), piece, shift: piece / 3, state: Mutex::default() };
        Far(Arc::new(inner))
    }

    pub fn archive(&self) -> Archive {
        Archive::new(vec![Box::new(self.clone())])
    }

    /// Everything is there.
    pub fn bring_all(&self) {
        let all = self.pieces(0..self.0.source.length());
        lock(&self.0.state).here.extend(all);
    }

    /// From now on nobody can tell what is there.
    pub fn tell_nothing(&self) {
        lock(&self.0.state).tells_nothing = true;
    }

    /// Runs to the end, with what it took.
    ///
    /// # Panics
    /// If it takes more than 10,000 trips.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> (T, Cost) {
        let before = self.cost();
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                let after = self.cost();
                let cost = Cost {
                    trips: after.trips - before.trips,
                    pieces: after.pieces - before.pieces,
                    bytes: after.bytes - before.bytes,
                };
                return (output, cost);
            }
            let mut state = lock(&self.0.state);
            let asked = std::mem::take(&mut state.asked);
            if asked.is_empty() {
                drop(state);
                std::thread::park();
                continue;
            }
            state.trips += 1;
            assert!(state.trips < 10_000, "it does not end");
            state.fetched += asked.len() as u64;
            state.here.extend(asked);
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn cost(&self) -> Cost {
        let state = lock(&self.0.state);
        Cost { trips: state.trips, pieces: state.fetched, bytes: state.fetched * self.0.piece }
    }

    fn pieces(&self, range: Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return 0..0;
        }
        let at = |offset: u64| (offset + self.0.shift) / self.0.piece;
        at(range.start)..at(range.end - 1) + 1
    }

    fn poll_here(&self, range: Range<u64>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0.state);
        let missing: Vec<u64> = self.pieces(range).filter(|piece| !state.here.contains(piece)).collect();
        if missing.is_empty() {
            return Poll::Ready(());
        }
        state.asked.extend(missing);
        state.waiting.push(context.waker().clone());
        Poll::Pending
    }
}

impl Part for Far {
    fn length(&self) -> u64 {
        self.0.source.length()
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.clone()))
    }

    fn to_fetch(&self, range: Range<u64>) -> u64 {
        let length = range.end.saturating_sub(range.start);
        let pieces = self.pieces(range);
        let state = lock(&self.0.state);
        if state.tells_nothing {
            return length;
        }
        let here = state.here.range(pieces.clone()).count() as u64;
        (pieces.end - pieces.start - here) * self.0.piece
    }
}

impl ReadAt for Far {
    fn length(&self) -> u64 {
        self.0.source.length()
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        Box::pin(async move {
            let range = offset..(offset + most as u64).min(self.0.source.length());
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            std::future::poll_fn(|context| self.poll_here(range.clone(), context)).await;
            Ok(self.0.source.read(range))
        })
    }
}
