//! What is open, and the reads that wait. Whoever reads may be killed, and the kernel does not tell: so while reads wait, those
//! who wait for them are looked at, five times a second.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::lock::{lock, wait, wait_at_most};
use crate::mount::caller;
use crate::mount::reading::{OpenFile, ReadFailure};
use crate::mount::shelf::Shelf;
use crate::mount::tree::Tree;

/// How often those who wait are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often streams that stand still are let go of.
const TIDY: Duration = Duration::from_secs(1);
/// How long after a read of several pages has failed the kernel asks for the first of them again.
const AGAIN: Duration = Duration::from_secs(1);
/// So many failed reads of one open file are remembered.
const FAILED: usize = 16;
/// How long a thread is taken to be of the same program, and of how many threads that is remembered.
const KNOWN: Duration = Duration::from_secs(1);
const CALLERS: usize = 16;

/// All that is open in one mount.
#[derive(Default)]
pub(super) struct Open {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last: u64,
    handles: HashMap<u64, Handle>,
    reads: HashMap<u64, Waiting>,
    is_closed: bool,
}

/// Something open.
#[derive(Clone)]
pub(super) enum Handle {
    File(Arc<FileHandle>),
    /// What it said when it was opened.
    Text(Bytes),
    /// As it was when it was opened.
    Folder(Arc<Tree>),
}

struct Waiting {
    handle: u64,
    thread: u32,
    _end: oneshot::Sender<()>,
}

/// A read that waits, for as long as this is held.
pub(super) struct Turn {
    open: Arc<Open>,
    number: u64,
    /// Ends when nobody wants the answer any more.
    pub(super) unwanted: oneshot::Receiver<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.open.state).reads.remove(&self.number);
    }
}

impl Open {
    /// `None` once closed.
    pub(super) fn add(&self, handle: Handle) -> Option<u64> {
        let mut state = lock(&self.state);
        let number = state.next()?;
        state.handles.insert(number, handle);
        self.changed.notify_all();
        Some(number)
    }

    pub(super) fn find(&self, number: u64) -> Option<Handle> {
        lock(&self.state).handles.get(&number).cloned()
    }

    /// A read begins to wait. `None` once closed.
    pub(super) fn wait(self: &Arc<Self>, handle: u64, thread: u32) -> Option<Turn> {
        let (end, unwanted) = oneshot::channel();
        let mut state = lock(&self.state);
        let number = state.next()?;
        state.reads.insert(number, Waiting { handle, thread, _end: end });
        self.changed.notify_all();
        Some(Turn { open: Arc::clone(self), number, unwanted })
    }

    /// A thread closes a file: so none of its reads of it is waited for.
    pub(super) fn flush(&self, handle: u64, thread: u32) {
        lock(&self.state).reads.retain(|_, read| read.handle != handle || read.thread != thread);
    }

    /// The last who had it open has closed it.
    pub(super) fn release(&self, handle: u64) {
        let mut state = lock(&self.state);
        state.reads.retain(|_, read| read.handle != handle);
        let released = state.handles.remove(&handle);
        // Readers are dropped with it, which is for others to do than those who wait for the lock.
        drop(state);
        drop(released);
    }

    /// Ends all reads, and lets none begin.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.reads.clear();
        let handles = std::mem::take(&mut state.handles);
        self.changed.notify_all();
        drop(state);
        drop(handles);
    }

    /// Looks after what is open until it is closed. On a thread of its own, since it reads files of /proc.
    pub(super) fn watch(&self) {
        let (mut looked_at, mut tidied_at) = (Instant::now(), Instant::now());
        while let Some((threads, files)) = self.rest(looked_at, tidied_at) {
            let now = Instant::now();
            if now.saturating_duration_since(looked_at) >= LOOK {
                looked_at = now;
                let gone: BTreeSet<u32> =
                    threads.into_iter().filter(|thread| caller::has_been_interrupted(*thread)).collect();
                lock(&self.state).reads.retain(|_, read| !gone.contains(&read.thread));
            }
            if now.saturating_duration_since(tidied_at) >= TIDY {
                tidied_at = now;
                files.iter().filter_map(|file| file.opened()).for_each(OpenFile::tidy);
            }
        }
    }

    /// Until there is something to look after; then the threads that wait and the files that are open. `None` once closed.
    fn rest(&self, looked_at: Instant, tidied_at: Instant) -> Option<(BTreeSet<u32>, Vec<Arc<FileHandle>>)> {
        let mut state = lock(&self.state);
        loop {
            let due = match (state.reads.is_empty(), state.handles.is_empty()) {
                _ if state.is_closed => return None,
                (true, true) => {
                    state = wait(&self.changed, state);
                    continue;
                }
                (true, false) => tidied_at + TIDY,
                (false, _) => (looked_at + LOOK).min(tidied_at + TIDY),
            };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Of another namespace, or the kernel's own: nobody knows them.
                let threads = state.reads.values().map(|read| read.thread).filter(|thread| *thread != 0);
                let files = state.handles.values().filter_map(|handle| match handle {
                    Handle::File(file) => Some(Arc::clone(file)),
                    Handle::Text(_) | Handle::Folder(_) => None,
                });
                return Some((threads.collect(), files.collect()));
            }
            state = wait_at_most(&self.changed, state, left);
        }
    }
}

impl State {
    fn next(&mut self) -> Option<u64> {
        if self.is_closed {
            return None;
        }
        self.last += 1;
        Some(self.last)
    }
}

/// An open file of a torrent.
pub(super) struct FileHandle {
    pub(super) torrent: usize,
    pub(super) index: usize,
    pub(super) length: u64,
    timeout: Option<Duration>,
    /// Once the torrent is open.
    file: OnceLock<OpenFile>,
    failed: Mutex<Vec<Failed>>,
    callers: Mutex<Vec<Caller>>,
}

/// Who has just read.
struct Caller {
    thread: u32,
    program: Option<Arc<str>>,
    at: Instant,
}

struct Failed {
    range: Range<u64>,
    thread: u32,
    at: Instant,
}

impl FileHandle {
    pub(super) fn new(torrent: usize, index: usize, length: u64, timeout: Option<Duration>) -> FileHandle {
        FileHandle {
            torrent,
            index,
            length,
            timeout,
            file: OnceLock::new(),
            failed: Mutex::default(),
            callers: Mutex::default(),
        }
    }

    /// The program that reads. Remembered for a moment: asking takes longer than to read what is there.
    pub(super) fn program_of(&self, thread: u32) -> Option<Arc<str>> {
        let mut callers = lock(&self.callers);
        let known = callers.iter().position(|caller| caller.thread == thread);
        let recent = known.and_then(|known| callers.get(known)).filter(|caller| caller.at.elapsed() < KNOWN);
        if let Some(caller) = recent {
            return caller.program.clone();
        }
        if let Some(old) = known.or((callers.len() >= CALLERS).then_some(0)) {
            callers.remove(old);
        }
        let program: Option<Arc<str>> = caller::program_of(thread).map(Arc::from);
        callers.push(Caller { thread, program: program.clone(), at: Instant::now() });
        program
    }

    fn opened(&self) -> Option<&OpenFile> {
        self.file.get()
    }

    /// As [`OpenFile::read`]; with `only`, as [`OpenFile::read_only`].
    pub(super) async fn read(
        &self,
        shelf: &Shelf,
        range: &Range<u64>,
        only: bool,
    ) -> Result<Bytes, ReadFailure> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let opened = shelf.opened(self.torrent);
                let contents = match self.timeout {
                    Some(most) => {
                        tokio::time::timeout(most, opened).await.map_err(|_| ReadFailure::NoPeersInTime)?
                    }
                    None => opened.await,
                };
                self.file.get_or_init(|| OpenFile::new(contents, self.index, self.length, self.timeout))
            }
        };
        let size = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if only { file.read_only(range.start, size).await } else { file.read(range.start, size).await }
    }

    /// A read has waited as long as it may.
    pub(super) fn fail(&self, thread: u32, range: Range<u64>, page: u64) {
        // Of a single page there is no second try.
        if range.end.saturating_sub(range.start) <= page {
            return;
        }
        let mut failed = lock(&self.failed);
        if failed.len() >= FAILED {
            failed.remove(0);
        }
        failed.push(Failed { range, thread, at: Instant::now() });
    }

    /// Whether this read is the second try of one that has just failed: Linux asks for what it has not got by reading ahead
    /// once more, page by page, before it tells the program. Waiting the whole time twice would help nobody.
    pub(super) fn has_just_failed(&self, thread: u32, offset: u64) -> bool {
        let mut failed = lock(&self.failed);
        if failed.is_empty() {
            return false;
        }
        failed.retain(|failed| failed.at.elapsed() < AGAIN);
        let same = failed.iter().position(|failed| failed.thread == thread && failed.range.contains(&offset));
        same.map(|same| failed.remove(same)).is_some()
    }
}
