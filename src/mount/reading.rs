//! Reads of one open file: sorted into streams, each with a reader of the torrent, so that what is read in sequence is fetched
//! ahead and what is read at random is not. Knows nothing of who reads (FUSE, WebDAV).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::ahead::{Ahead, STREAMS};
use crate::lock::lock;
use crate::read::{Contents, ReadAt, ReadError};

/// So many time-outs a read waits while bytes come, its own not among them.
const LONGER: u32 = 10;

/// One open file of a torrent. Shared by all that read through the same handle, at once if they like.
pub struct OpenFile {
    contents: Arc<dyn Contents>,
    index: usize,
    length: u64,
    timeout: Option<Duration>,
    opened_at: Instant,
    streams: Mutex<Streams>,
}

struct Streams {
    ahead: Ahead,
    /// By the number of the stream. A read holds its reader for as long as it takes, whatever becomes of the stream.
    readers: [Option<Arc<dyn ReadAt>>; STREAMS],
}

/// Why a read of an open file fails. That nobody has read anything else meanwhile is no reason: others go on.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadFailure {
    #[error("nobody has sent these bytes in time")]
    NoPeersInTime,
    #[error("the torrent was closed")]
    Closed,
    #[error("reading from the disk failed: {0}")]
    Disk(String),
}

impl OpenFile {
    /// Nothing is asked of the torrent before the first read. `timeout`: how long a read waits without a single byte; `None`
    /// for ever.
    pub fn new(
        contents: Arc<dyn Contents>,
        index: usize,
        length: u64,
        timeout: Option<Duration>,
    ) -> OpenFile {
        let streams = Streams { ahead: Ahead::new(length), readers: Default::default() };
        let opened_at = Instant::now();
        OpenFile { contents, index, length, timeout, opened_at, streams: Mutex::new(streams) }
    }

    /// Exactly `size` bytes, fewer only at the end of the file; waits until they are there. Dropping the future takes the
    /// wish back. After a failure the next read tries again.
    pub async fn read(&self, offset: u64, size: usize) -> Result<Bytes, ReadFailure> {
        let size = self.size_at(offset, size);
        if size == 0 {
            return Ok(Bytes::new());
        }
        let reader = self.reader_for(offset, size)?;
        self.fetch(reader.as_ref(), offset, size).await
    }

    /// The same, with nothing read ahead, whatever was read before.
    pub async fn read_only(&self, offset: u64, size: usize) -> Result<Bytes, ReadFailure> {
        let size = self.size_at(offset, size);
        if size == 0 {
            return Ok(Bytes::new());
        }
        let reader = self.contents.open(self.index).ok_or(ReadFailure::Closed)?;
        reader.read_ahead_until(offset.saturating_add(size as u64));
        self.fetch(reader.as_ref(), offset, size).await
    }

    /// To be called about once a second: lets go of streams that stand still.
    pub fn tidy(&self) {
        let mut streams = lock(&self.streams);
        for stream in streams.ahead.idle(self.opened_at.elapsed()) {
            if let Some(reader) = streams.readers.get_mut(stream) {
                *reader = None;
            }
        }
    }

    fn size_at(&self, offset: u64, size: usize) -> usize {
        usize::try_from(self.length.saturating_sub(offset)).map_or(size, |left| size.min(left))
    }

    fn reader_for(&self, offset: u64, size: usize) -> Result<Arc<dyn ReadAt>, ReadFailure> {
        let mut streams = lock(&self.streams);
        let plan = streams.ahead.on_read(self.opened_at.elapsed(), offset, size as u64);
        let open = || self.contents.open(self.index).map(Arc::from).ok_or(ReadFailure::Closed);
        let reader: Arc<dyn ReadAt> = match streams.readers.get_mut(plan.stream) {
            Some(slot) => match slot.as_ref().filter(|_| !plan.is_new) {
                Some(reader) => Arc::clone(reader),
                None => Arc::clone(slot.insert(open()?)),
            },
            None => open()?,
        };
        reader.read_ahead_until(plan.until);
        Ok(reader)
    }

    /// `size` is not 0 and lies within the file.
    async fn fetch(&self, reader: &dyn ReadAt, offset: u64, size: usize) -> Result<Bytes, ReadFailure> {
        let first = self.part(reader, offset, size).await?;
        if first.len() >= size || first.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(size);
        whole.extend_from_slice(&first);
        while whole.len() < size {
            let part =
                self.part(reader, offset.saturating_add(whole.len() as u64), size - whole.len()).await?;
            if part.is_empty() {
                break;
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    async fn part(&self, reader: &dyn ReadAt, offset: u64, size: usize) -> Result<Bytes, ReadFailure> {
        let read = reader.read_at(offset, size);
        let read = match self.timeout {
            Some(most) => in_time(&*self.contents, most, read).await.ok_or(ReadFailure::NoPeersInTime)?,
            None => read.await,
        };
        read.map(|mut bytes| bytes.split_to(bytes.len().min(size))).map_err(|error| match error {
            ReadError::Closed => ReadFailure::Closed,
            ReadError::NotInTime => ReadFailure::NoPeersInTime,
            ReadError::NotOpened(why) | ReadError::Disk(why) => ReadFailure::Disk(why),
        })
    }
}

/// What comes of a read within the time-out; `None` if nothing does. What has one hash comes whole, and that may take longer than
/// the time-out on a slow line: so as long as bytes come for the torrent it waits, but not for more than ten times as long.
pub(super) async fn in_time<T>(
    contents: &dyn Contents,
    most: Duration,
    read: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(read);
    for _ in 0..LONGER {
        if let Ok(done) = tokio::time::timeout(most, &mut read).await {
            return Some(done);
        }
        if contents.statistics().download_rate == 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests;
