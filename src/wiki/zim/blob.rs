//! What an entry contains, wherever its bytes are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::super::archive::{Archive, ArchiveReader};
use super::ZimError;
use crate::read::{ReadAt, ReadError};

/// What an entry contains: bytes that are decoded in memory, or a stretch of the archive.
#[derive(Clone)]
pub enum Blob {
    Decoded(Bytes),
    /// The range lies within the archive.
    Stretch {
        archive: Archive,
        range: Range<u64>,
    },
}

impl Blob {
    /// In bytes.
    pub fn length(&self) -> u64 {
        match self {
            Blob::Decoded(bytes) => bytes.len() as u64,
            Blob::Stretch { range, .. } => range.end.saturating_sub(range.start),
        }
    }

    /// A reader of it alone.
    pub fn reader(&self) -> Box<dyn ReadAt> {
        match self {
            Blob::Decoded(bytes) => Box::new(Decoded(bytes.clone())),
            Blob::Stretch { archive, range } => {
                let reader = archive.reader();
                reader.read_ahead_until(range.end);
                let until = AtomicU64::new(self.length());
                Box::new(Stretch { reader, start: range.start, length: self.length(), until })
            }
        }
    }

    /// All of it, if it has no more than `most` bytes; else an error that says so.
    pub async fn bytes(&self, most: u64) -> Result<Bytes, ZimError> {
        match self.length() {
            length if length > most => Err(ZimError::TooLarge(format!(
                "an entry has {length} bytes, and more than {most} are not read at once"
            ))),
            length => self.read(0..length).await,
        }
    }

    /// These bytes of it, fewer where it ends. Whoever asks has bounded what it asks for.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, ZimError> {
        let end = range.end.min(self.length());
        let start = range.start.min(end);
        match self {
            Blob::Decoded(bytes) => Ok(bytes.slice(start as usize..end as usize)),
            Blob::Stretch { .. } if start == end => Ok(Bytes::new()),
            Blob::Stretch { archive, range } => {
                Ok(archive.read(range.start + start..range.start + end).await?)
            }
        }
    }
}

struct Decoded(Bytes);

impl ReadAt for Decoded {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let bytes = self.0.slice(start..start.saturating_add(most).min(self.0.len()));
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

struct Stretch {
    reader: ArchiveReader,
    start: u64,
    length: u64,
    until: AtomicU64,
}

impl ReadAt for Stretch {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let left = self.length.saturating_sub(offset);
        let most = most.min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Box::pin(std::future::ready(Ok(Bytes::new())));
        }
        self.reader.read_at(self.start.saturating_add(offset), most)
    }

    fn read_ahead_until(&self, end: u64) {
        self.until.store(end.min(self.length), Ordering::Relaxed);
        self.reader.read_ahead_until(self.start.saturating_add(end.min(self.length)));
    }
}
