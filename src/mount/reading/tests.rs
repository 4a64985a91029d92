use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::*;
use crate::read::{Files, Statistics};

/// Bytes before `come` are there; at most `most` are given at once.
#[derive(Clone)]
struct World {
    come: Arc<watch::Sender<u64>>,
    most: usize,
    readers: Arc<AtomicUsize>,
    ahead: Arc<Mutex<Vec<u64>>>,
}

impl World {
    const LENGTH: u64 = 10 << 20;

    fn new(come: u64, most: usize) -> Self {
        World {
            come: Arc::new(watch::Sender::new(come)),
            most,
            readers: Arc::default(),
            ahead: Arc::default(),
        }
    }

    fn open_file(&self, timeout: Option<Duration>) -> OpenFile {
        OpenFile::new(Arc::new(self.clone()), 0, Self::LENGTH, timeout)
    }

    fn bytes(range: Range<u64>) -> Vec<u8> {
        range.map(|offset| (offset ^ offset >> 8) as u8).collect()
    }
}

impl Contents for World {
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
        async { Err(ReadError::Closed) }.boxed()
    }

    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        self.readers.fetch_add(1, Ordering::Relaxed);
        (index == 0).then(|| Box::new(Reader(self.clone())) as Box<dyn ReadAt>)
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }
}

struct Reader(World);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ReadAt for Reader {
    fn length(&self) -> u64 {
        World::LENGTH
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move {
            let mut come = self.0.come.subscribe();
            let come = *come.wait_for(|come| *come > offset).await.map_err(|_| ReadError::Closed)?;
            let end = offset.saturating_add(most.min(self.0.most) as u64).min(come).min(World::LENGTH);
            Ok(World::bytes(offset..end).into())
        }
        .boxed()
    }

    fn read_ahead_until(&self, end: u64) {
        lock(&self.0.ahead).push(end);
    }
}

#[tokio::test]
async fn a_read_gives_all_that_was_asked_for_up_to_the_end() {
    let file = World::new(u64::MAX, 1000).open_file(None);
    let end = World::LENGTH;
    for (range, size) in
        [(0..10, 10), (5..5, 0), (7..5007, 5000), (end - 3000..end, 9000), (end..end, 10), (end..end, 0)]
    {
        let read = file.read(range.start, size).await.expect("it is there");
        assert_eq!(read, World::bytes(range.clone()), "{range:?}");
        assert_eq!(file.read_only(range.start, size).await.expect("it is there"), World::bytes(range));
    }
    assert_eq!(file.read(u64::MAX, usize::MAX).await, Ok(Bytes::new()));
}

#[tokio::test]
async fn a_read_fails_when_no_byte_comes_for_so_long_and_the_next_tries_again() {
    let world = World::new(5000, 1000);
    let file = world.open_file(Some(Duration::from_millis(20)));
    assert_eq!(file.read(0, 10_000).await, Err(ReadFailure::NoPeersInTime));
    world.come.send_replace(10_000);
    assert_eq!(file.read(0, 10_000).await.expect("it has come"), World::bytes(0..10_000));
}

#[tokio::test]
async fn a_read_that_is_not_waited_for_holds_no_reader_of_its_own() {
    let world = World::new(0, 1000);
    let file = world.open_file(None);
    assert!(file.read_only(0, 10).now_or_never().is_none());
    assert_eq!(world.readers.load(Ordering::Relaxed), 0);
    for place in 0..1000 {
        assert!(file.read((place * 7_777_777) % World::LENGTH, 10).now_or_never().is_none());
        assert!(world.readers.load(Ordering::Relaxed) <= STREAMS);
    }
    drop(file);
    assert_eq!(world.readers.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_read_alone_is_never_read_ahead() {
    let world = World::new(u64::MAX, 1 << 18);
    let file = world.open_file(None);
    for place in 0..64 {
        file.read_only(place << 16, 1 << 16).await.expect("it is there");
    }
    let ahead = std::mem::take(&mut *lock(&world.ahead));
    assert_eq!(ahead, (1..=64).map(|place| place << 16).collect::<Vec<_>>());
    for place in 0..64 {
        file.read(place << 16, 1 << 16).await.expect("it is there");
    }
    assert_eq!(lock(&world.ahead).last(), Some(&World::LENGTH));
}

#[tokio::test]
async fn a_file_that_is_not_there_any_more_is_closed() {
    let file = OpenFile::new(Arc::new(World::new(0, 1)), 1, 100, None);
    assert_eq!(file.read(0, 10).await, Err(ReadFailure::Closed));
    assert_eq!(file.read_only(0, 10).await, Err(ReadFailure::Closed));
}
