//! A range of the archive in order, chunk by chunk, many of them asked for at once.

use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::super::super::archive::Archive;
use super::super::ZimError;

const CHUNK: u64 = 256 * 1024;
/// So many chunks are asked for at once, and so many wait in memory at most, where it is known how far they are wanted ...
const SURE: usize = 16;
/// ... and where it is not.
const UNSURE: usize = 2;

/// Reads that are on their way. Dropping them takes the wish back.
pub struct Chunks {
    first: Option<Bytes>,
    rest: BoxStream<'static, Result<Bytes, ZimError>>,
}

impl Chunks {
    /// `is_sure`: all of it is wanted. Asks for nothing before the first `next`.
    pub fn new(archive: &Archive, range: Range<u64>, is_sure: bool) -> Chunks {
        let at_once = if is_sure { SURE } else { UNSURE };
        let archive = archive.clone();
        let reads = stream::iter(pieces(range)).map(move |range| {
            let archive = archive.clone();
            async move { Ok(archive.read(range).await?) }
        });
        Chunks { first: None, rest: reads.buffered(at_once).boxed() }
    }

    /// Empty: all has been read.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ZimError> {
        match self.first.take() {
            Some(bytes) => Ok(Some(bytes)),
            None => self.rest.next().await.transpose(),
        }
    }

    /// Gives these bytes once more before all others.
    pub fn put_back(&mut self, bytes: Bytes) {
        self.first = Some(bytes).filter(|bytes| !bytes.is_empty());
    }
}

/// Waits until all of a range is there, and keeps nothing of it.
pub async fn fetch(archive: &Archive, range: Range<u64>) -> Result<(), ZimError> {
    let absent = pieces(range).filter(|range| archive.to_fetch(range.clone()) > 0);
    let mut reads = stream::iter(absent)
        .map(|range| async { archive.read(range).await.map(drop) })
        .buffer_unordered(SURE);
    while let Some(read) = reads.next().await {
        read?;
    }
    Ok(())
}

fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send + 'static {
    let starts = (range.start..range.end).step_by(CHUNK as usize);
    starts.map(move |start| start..range.end.min(start.saturating_add(CHUNK)))
}
