//! Where the bytes of a ZIM file are: one file, or several in a row (`.zimaa`, `.zimab`, ...), of a torrent or of a disk.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};

use crate::read::{Contents, ReadAt, ReadError};

/// What one file of an archive can be asked.
pub trait Part: Send + Sync {
    /// In bytes.
    fn length(&self) -> u64;

    /// A new reader; `None` if the file can no longer be read.
    fn open(&self) -> Option<Box<dyn ReadAt>>;

    /// How many bytes have to come before these can be read; 0: they are there.
    fn to_fetch(&self, range: Range<u64>) -> u64;
}

/// A file of a torrent. Readers of it are shown to nobody: what a page needs is too many small reads to look at.
pub struct TorrentPart {
    pub contents: Arc<dyn Contents>,
    /// Of the file, in [`Files`](crate::read::Files).
    pub index: usize,
    pub length: u64,
}

impl Part for TorrentPart {
    fn length(&self) -> u64 {
        self.length
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        self.contents.open_unseen(self.index)
    }

    fn to_fetch(&self, range: Range<u64>) -> u64 {
        self.contents.to_fetch(self.index, range)
    }
}

/// The bytes of a ZIM file. Cheap to clone; all clones are one archive.
#[derive(Clone)]
pub struct Archive(Arc<Inner>);

struct Inner {
    /// With the place of its first byte; in order, none of them empty.
    parts: Vec<(u64, Box<dyn Part>)>,
    length: u64,
    waiting_reads: AtomicUsize,
    waiting_bytes: AtomicU64,
}

/// Reads that wait for the swarm now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub reads: usize,
    /// What they want, in bytes.
    pub bytes: u64,
}

impl Archive {
    /// These files, one behind the other.
    pub fn new(parts: Vec<Box<dyn Part>>) -> Archive {
        let mut length = 0u64;
        let mut placed = Vec::new();
        for part in parts.into_iter().filter(|part| part.length() > 0) {
            let start = length;
            length = length.saturating_add(part.length());
            placed.push((start, part));
        }
        Archive(Arc::new(Inner {
            parts: placed,
            length,
            waiting_reads: AtomicUsize::new(0),
            waiting_bytes: AtomicU64::new(0),
        }))
    }

    /// In bytes, of all files together.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// All bytes of `range`, which must lie within the archive, else [`ReadError::Closed`]; whoever asks has checked what it
    /// asks for, and bounded it. Reads of different places at the same time are asked of the swarm at the same time. Dropping the
    /// future takes the wish back.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
        let reader = self.reader();
        reader.read_ahead_until(range.end);
        let size = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| ReadError::Closed)?;
        let _waiting = (self.to_fetch(range.clone()) > 0).then(|| self.waiting(size as u64));
        let first = reader.read_at(range.start, size).await?;
        if first.len() == size {
            return Ok(first);
        }
        let mut all = BytesMut::with_capacity(size);
        all.extend_from_slice(&first);
        while all.len() < size {
            let more = reader.read_at(range.start + all.len() as u64, size - all.len()).await?;
            if more.is_empty() {
                return Err(ReadError::Closed);
            }
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }

    /// How many bytes have to come before these can be read; 0: they are there.
    pub fn to_fetch(&self, range: Range<u64>) -> u64 {
        self.within(range).fold(0, |sum, (part, range)| sum.saturating_add(part.to_fetch(range)))
    }

    /// A reader of the whole, across the borders of files.
    pub fn reader(&self) -> ArchiveReader {
        ArchiveReader {
            archive: self.clone(),
            open: tokio::sync::Mutex::new(None),
            until: AtomicU64::new(self.0.length),
        }
    }

    /// What is waited for, now.
    pub fn waits(&self) -> Waiting {
        Waiting {
            reads: self.0.waiting_reads.load(Ordering::Relaxed),
            bytes: self.0.waiting_bytes.load(Ordering::Relaxed),
        }
    }

    fn waiting(&self, bytes: u64) -> impl Drop + use<> {
        struct Counted(Archive, u64);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.0.waiting_reads.fetch_sub(1, Ordering::Relaxed);
                self.0.0.waiting_bytes.fetch_sub(self.1, Ordering::Relaxed);
            }
        }
        self.0.waiting_reads.fetch_add(1, Ordering::Relaxed);
        self.0.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        Counted(self.clone(), bytes)
    }

    /// The parts in which `range` lies, each with its own bytes of it.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = (&dyn Part, Range<u64>)> {
        let touched = self.0.parts.iter().map(|(start, part)| (*start, part.as_ref()));
        touched.filter_map(move |(start, part)| {
            let from = range.start.max(start);
            let to = range.end.min(start.saturating_add(part.length()));
            (from < to).then(|| (part, from - start..to - start))
        })
    }

    /// The part with byte `offset`: its number, and the part.
    fn part_at(&self, offset: u64) -> Option<(usize, u64, &dyn Part)> {
        let after = self.0.parts.partition_point(|(start, _)| *start <= offset);
        let (start, part) = self.0.parts.get(after.checked_sub(1)?)?;
        (offset < self.0.length).then(|| (after - 1, *start, part.as_ref()))
    }
}

/// Reads an archive from anywhere to anywhere.
pub struct ArchiveReader {
    archive: Archive,
    /// The reader of the part that was last read, with its number.
    open: tokio::sync::Mutex<Option<(usize, Box<dyn ReadAt>)>>,
    until: AtomicU64,
}

impl ReadAt for ArchiveReader {
    fn length(&self) -> u64 {
        self.archive.length()
    }

    fn read_at(
        &self,
        offset: u64,
        most: usize,
    ) -> futures_util::future::BoxFuture<'_, Result<Bytes, ReadError>> {
        Box::pin(async move {
            let Some((number, start, part)) = self.archive.part_at(offset).filter(|_| most > 0) else {
                return Ok(Bytes::new());
            };
            let mut open = self.open.lock().await;
            if open.as_ref().is_none_or(|(opened, _)| *opened != number) {
                *open = Some((number, part.open().ok_or(ReadError::Closed)?));
            }
            let Some((_, reader)) = open.as_ref() else { return Err(ReadError::Closed) };
            let until = self.until.load(Ordering::Relaxed).saturating_sub(start).min(part.length());
            reader.read_ahead_until(until);
            reader.read_at(offset - start, most).await
        })
    }

    fn read_ahead_until(&self, end: u64) {
        self.until.store(end, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
