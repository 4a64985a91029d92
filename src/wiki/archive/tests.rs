use std::sync::atomic::AtomicBool;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;

/// A file in memory, that gives no more than two bytes at once, and nothing until it is there.
struct Slow {
    bytes: Bytes,
    is_here: Arc<AtomicBool>,
    is_closed: bool,
}

impl Part for Slow {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        let reader = SlowReader { bytes: self.bytes.clone(), is_here: self.is_here.clone() };
        (!self.is_closed).then(|| Box::new(reader) as Box<dyn ReadAt>)
    }

    fn to_fetch(&self, range: Range<u64>) -> u64 {
        if self.is_here.load(Ordering::Relaxed) { 0 } else { range.end - range.start }
    }
}

struct SlowReader {
    bytes: Bytes,
    is_here: Arc<AtomicBool>,
}

impl ReadAt for SlowReader {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        Box::pin(async move {
            if !self.is_here.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let start = (offset as usize).min(self.bytes.len());
            Ok(self.bytes.slice(start..(start + most.min(2)).min(self.bytes.len())))
        })
    }
}

const ALL: &[u8] = b"abcdefghijklmnopq";

/// Of files with so many bytes each.
fn split(lengths: &[usize]) -> (Archive, Arc<AtomicBool>) {
    let is_here = Arc::new(AtomicBool::new(true));
    let mut start = 0;
    let parts = lengths.iter().map(|length| {
        let bytes = Bytes::from_static(&ALL[start..start + length]);
        start += length;
        Box::new(Slow { bytes, is_here: is_here.clone(), is_closed: false }) as Box<dyn Part>
    });
    (Archive::new(parts.collect()), is_here)
}

#[tokio::test]
async fn every_range_reads_across_the_borders_of_files() {
    for lengths in [&[17][..], &[5, 12], &[0, 3, 0, 0, 1, 1, 7, 5, 0]] {
        let (archive, _) = split(lengths);
        assert_eq!(archive.length(), 17);
        for start in 0..=17 {
            for end in start..=17 {
                let read = archive.read(start as u64..end as u64).await.expect("it is there");
                assert_eq!(read, ALL[start..end], "{lengths:?} {start}..{end}");
            }
        }
    }
}

#[tokio::test]
async fn a_reader_goes_to_and_fro_between_files_and_ends_where_they_end() {
    let (archive, _) = split(&[3, 0, 5, 9]);
    let reader = archive.reader();
    for offset in [0, 16, 2, 3, 7, 8, 4] {
        let read = reader.read_at(offset, 100).await.expect("it is there");
        assert!(!read.is_empty() && ALL[offset as usize..].starts_with(&read));
    }
    for offset in [17, 18, u64::MAX] {
        assert!(reader.read_at(offset, 1).await.expect("the end").is_empty());
    }
}

#[tokio::test]
async fn what_does_not_lie_within_the_archive_is_an_error() {
    let (archive, _) = split(&[3, 14]);
    for range in [16..18, 17..18, u64::MAX - 1..u64::MAX] {
        assert!(matches!(archive.read(range).await, Err(ReadError::Closed)));
    }
    assert!(Archive::new(Vec::new()).read(0..1).await.is_err());
    assert_eq!(Archive::new(Vec::new()).length(), 0);
}

#[tokio::test]
async fn a_file_that_can_no_longer_be_read_is_an_error_of_its_own_bytes() {
    let here = Arc::new(AtomicBool::new(true));
    let part = |bytes: &'static [u8], is_closed| {
        Box::new(Slow { bytes: Bytes::from_static(bytes), is_here: here.clone(), is_closed }) as Box<dyn Part>
    };
    let archive = Archive::new(vec![part(b"abc", false), part(b"def", true)]);
    assert_eq!(archive.read(0..3).await.expect("it is there"), "abc");
    assert!(matches!(archive.read(2..4).await, Err(ReadError::Closed)));
}

#[test]
fn what_is_to_be_fetched_is_added_up_over_files() {
    let (archive, is_here) = split(&[3, 14]);
    assert_eq!(archive.to_fetch(0..17), 0);
    is_here.store(false, Ordering::Relaxed);
    assert_eq!(archive.to_fetch(2..6), 4);
    assert_eq!(archive.to_fetch(3..3), 0);
    // Of what is not in the archive nothing can be fetched.
    assert_eq!(archive.to_fetch(16..100), 1);
}

#[test]
fn a_read_that_waits_is_counted_until_it_is_dropped() {
    let (archive, is_here) = split(&[3, 14]);
    is_here.store(false, Ordering::Relaxed);
    let (mut one, mut other) = (Box::pin(archive.read(0..5)), Box::pin(archive.read(7..8)));
    assert!((&mut one).now_or_never().is_none() && (&mut other).now_or_never().is_none());
    assert_eq!(archive.waits(), Waiting { reads: 2, bytes: 6 });
    drop(one);
    assert_eq!(archive.waits(), Waiting { reads: 1, bytes: 1 });
    drop(other);
    assert_eq!(archive.waits(), Waiting::default());
}
