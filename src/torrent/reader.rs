//! A reader of one file: the door through which faces and programs see a torrent.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf, SeekFrom};

use super::Torrent;
use super::door::{Door, Head};
use crate::layout::FileSpan;
use crate::lock::lock;
use crate::read::{ReadAt, ReadError};
use crate::scheduler::ReaderId;
use crate::store::Store;

/// The most that one read gives: enough for the disk to be cheap, little enough that many readers fit in memory.
const MOST: u64 = 256 * 1024;
/// Reads that wait within so many bytes of each other are one reader's way through the file; others are seeks.
const TOGETHER: u64 = 16 * 1024 * 1024;

/// One reader of one file of a [`Torrent`]. Where it reads is where the swarm is put to work; a reader that has read
/// nothing yet asks nothing of it. It keeps the torrent open.
///
/// Read at any offset with [`read_at`](ReadAt::read_at), or in order with tokio's `AsyncRead` and `AsyncSeek`. Only bytes of
/// pieces whose hash is right are ever given; a read waits for them as long as it takes. Dropping a read that waits,
/// or the reader, takes the wish back at once.
pub struct FileReader {
    core: Arc<Core>,
    /// Of the next byte that `AsyncRead` gives.
    position: u64,
    /// Bytes from `position` on that a read has brought and nobody has taken.
    rest: Bytes,
    /// The read from `position` on that `AsyncRead` waits for. In a lock only because a future is not `Sync`; never contended.
    reading: Mutex<Option<BoxFuture<'static, Result<Bytes, ReadError>>>>,
}

struct Core {
    /// Held, so that the engine runs on while anybody reads.
    _torrent: Torrent,
    door: Arc<Door>,
    store: Store,
    span: FileSpan,
    is_seen: bool,
    head: Arc<Head>,
    /// The piece at which the driver last saw the head.
    told: AtomicU64,
    /// As the driver knows us; `None` before the first read, and after a read was taken back.
    id: Mutex<Option<ReaderId>>,
    /// The heads of reads that wait, the newest last. Held while the head moves, so that no read that comes or goes meanwhile
    /// moves it elsewhere.
    waiting: Mutex<Vec<u64>>,
}

impl FileReader {
    pub(super) fn new(
        torrent: Torrent,
        door: Arc<Door>,
        store: Store,
        span: FileSpan,
        is_seen: bool,
    ) -> Self {
        let core = Core {
            _torrent: torrent,
            door,
            store,
            span,
            is_seen,
            head: Arc::default(),
            told: AtomicU64::new(u64::MAX),
            id: Mutex::default(),
            waiting: Mutex::default(),
        };
        FileReader { core: Arc::new(core), position: 0, rest: Bytes::new(), reading: Mutex::default() }
    }

    /// The file's length in bytes.
    pub fn length(&self) -> u64 {
        self.core.span.length
    }

    /// Where `AsyncRead` will read next.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl ReadAt for FileReader {
    fn length(&self) -> u64 {
        self.core.span.length
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        Box::pin(self.core.read(offset, most))
    }

    fn read_ahead_until(&self, end: u64) {
        let core = &self.core;
        let until = (end < core.span.length).then(|| core.span.offset.saturating_add(end));
        if core.head.set_until(until) && lock(&core.id).is_some() {
            core.door.ring();
        }
    }
}

impl Core {
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, ReadError> {
        if most == 0 || offset >= self.span.length {
            return Ok(Bytes::new());
        }
        if self.door.is_closed() {
            return Err(ReadError::Closed);
        }
        let at = self.span.offset + offset;
        let piece = self.door.layout().piece_at(at);
        if self.door.has(piece) {
            // While another read waits, the head is there: what is here already needs nobody's work.
            let waiting = lock(&self.waiting);
            if waiting.is_empty() {
                self.move_to(at, false);
            }
            drop(waiting);
        } else {
            let mut wish = Wish::new(self, at);
            self.door.wait_for(piece).await?;
            wish.answered = true;
        }
        let most = u64::try_from(most).unwrap_or(MOST).min(MOST);
        let end = self.door.end_of_had(at, self.span.end().min(at.saturating_add(most)));
        let bytes = self.store.read(at..end).await.map_err(|cause| ReadError::Disk(cause.to_string()))?;
        if bytes.is_empty() {
            return Err(ReadError::Disk("a file is shorter than it was".to_owned()));
        }
        Ok(bytes)
    }

    /// Notes where the reader is; wakes the driver only for what may change a decision.
    fn move_to(&self, at: u64, waiting: bool) {
        let before = self.head.load();
        self.head.set(at, waiting);
        let piece = u64::from(self.door.layout().piece_at(at).0);
        let is_told = self.told.swap(piece, Ordering::Relaxed) == piece;
        let mut id = lock(&self.id);
        if id.is_none() {
            *id = Some(self.door.open(self.span, Arc::clone(&self.head), self.is_seen));
        } else if !is_told || before.1 != waiting {
            self.door.ring();
        }
    }

    fn close(&self) {
        if let Some(id) = lock(&self.id).take() {
            self.door.close_reader(id);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.close();
    }
}

/// A read that waits. Dropped unanswered, it takes the wish back.
struct Wish<'a> {
    core: &'a Core,
    at: u64,
    answered: bool,
}

impl<'a> Wish<'a> {
    fn new(core: &'a Core, at: u64) -> Self {
        let mut waiting = lock(&core.waiting);
        waiting.push(at);
        core.move_to(head_of(&waiting).unwrap_or(at), true);
        drop(waiting);
        Wish { core, at, answered: false }
    }
}

/// Where a reader is of which several reads wait: where the newest one is, or the first of those that it goes on from. (Linux
/// asks a file system for what comes next before it waits for what comes first.)
fn head_of(waiting: &[u64]) -> Option<u64> {
    let newest = *waiting.last()?;
    waiting.iter().copied().filter(|&at| at <= newest && newest - at <= TOGETHER).min()
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.core.waiting);
        if let Some(ours) = waiting.iter().rposition(|&at| at == self.at) {
            waiting.remove(ours);
        }
        match head_of(&waiting) {
            Some(at) => self.core.move_to(at, true),
            None if self.answered => self.core.move_to(self.at, false),
            // A seek has moved the head already: the reader goes on from there.
            None if self.core.head.load() != (self.at, true) => {}
            None => self.core.close(),
        }
    }
}

impl AsyncRead for FileReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if to.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if this.rest.is_empty() {
            let core = &this.core;
            let position = this.position;
            let reading = this.reading.get_mut().unwrap_or_else(PoisonError::into_inner);
            let future = reading.get_or_insert_with(|| {
                let core = Arc::clone(core);
                Box::pin(async move { core.read(position, MOST as usize).await })
            });
            let read = ready!(future.as_mut().poll(context));
            *reading = None;
            this.rest = read.map_err(io_error)?;
        }
        let taken = this.rest.split_to(this.rest.len().min(to.remaining()));
        to.put_slice(&taken);
        this.position += taken.len() as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for FileReader {
    /// Seeking tells the swarm at once, if anything has been read before. Beyond the end, reads give nothing.
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(offset) => (this.core.span.length, offset),
            SeekFrom::Current(offset) => (this.position, offset),
        };
        let position = base.checked_add_signed(offset).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a seek to before the file's beginning")
        })?;
        if position == this.position {
            return Ok(());
        }
        let ahead = position.checked_sub(this.position).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead.filter(|&ahead| ahead < this.rest.len()) {
            Some(ahead) => drop(this.rest.split_to(ahead)),
            None => this.rest = Bytes::new(),
        }
        this.position = position;
        let is_known = lock(&this.core.id).is_some();
        if is_known && position < this.core.span.length {
            this.core.move_to(this.core.span.offset + position, false);
        }
        *this.reading.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader").field("span", &self.core.span).field("position", &self.position).finish()
    }
}

fn io_error(cause: ReadError) -> io::Error {
    let kind = match cause {
        ReadError::Closed => io::ErrorKind::NotConnected,
        ReadError::NotInTime => io::ErrorKind::TimedOut,
        ReadError::NotOpened(_) | ReadError::Disk(_) => io::ErrorKind::Other,
    };
    io::Error::new(kind, cause)
}
