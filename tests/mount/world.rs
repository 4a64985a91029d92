//! A torrent in memory whose bytes come when the test says so, mounted for real, and programs that look into it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use peerflix::mount::fuse::{Mount, MountConfig, MountError};
use peerflix::mount::guard::Guard;
use peerflix::mount::shelf::Shelf;
use peerflix::mount::tree::Shown;
use peerflix::read::{Contents, File, Files, ReadAt, ReadError, Statistics};
use tokio::runtime::Runtime;
use tokio::sync::watch;

pub const INFO_HASH: &str = "0123456789abcdef0123456789abcdef01234567";
/// 9 September 2001, 01:46:40 UTC.
pub const CREATED: u64 = 1_000_000_000;

pub const MIB: u64 = 1 << 20;

/// Only so that a fault shows as a failure instead of a test that never ends.
const NEVER: Duration = Duration::from_secs(60);

/// As much as a reader of the engine gives at once.
const MOST: u64 = 256 * 1024;

/// A prime, so that no misplacement by a power of two goes unnoticed.
const PERIOD: usize = 65_521;
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8;
    (0..PERIOD + MOST as usize).map(|at| byte(at % PERIOD)).collect()
});

/// What is in file `index`.
pub fn bytes(index: usize, range: Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
    let mut at = range.start;
    while at < range.end {
        let start = (at as usize + index * 7919) % PERIOD;
        let length = (range.end - at).min(MOST);
        bytes.extend_from_slice(&PATTERN[start..start + length as usize]);
        at += length;
    }
    bytes
}

/// What the test holds in its hand.
#[derive(Clone)]
pub struct Torrent(Arc<State>);

struct State {
    files: Arc<Files>,
    come: watch::Sender<Vec<Come>>,
    waiting: watch::Sender<Waiting>,
    /// Readers that there are now.
    readers: watch::Sender<usize>,
    /// How far readers were told to read ahead: file and end, in the order in which they were told.
    ahead: Mutex<Vec<(usize, u64)>>,
    /// What is in a file, if not what [`bytes`] says.
    texts: Mutex<BTreeMap<usize, Bytes>>,
    last: AtomicU64,
}

/// Reads that wait now: file and offset, by a number.
pub type Waiting = BTreeMap<u64, (usize, u64)>;

/// What has come of a file.
#[derive(Clone, Default)]
struct Come(Vec<Range<u64>>);

impl Come {
    fn end(&self, at: u64) -> u64 {
        let mut end = at;
        while let Some(next) = self.0.iter().find(|range| range.contains(&end)) {
            end = next.end;
        }
        end
    }
}

impl Torrent {
    /// Of these files, paths as a torrent has them; nothing has come.
    pub fn new(files: &[(&str, u64)]) -> Self {
        let come = vec![Come::default(); files.len()];
        let files = files.iter().map(|(path, length)| File { path: (*path).to_owned(), length: *length });
        let mut files = Files::new(INFO_HASH, "Show", files.collect(), vec![0]);
        files.created_at = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(CREATED));
        Torrent(Arc::new(State {
            files: Arc::new(files),
            come: watch::Sender::new(come),
            waiting: watch::Sender::default(),
            readers: watch::Sender::default(),
            ahead: Mutex::default(),
            texts: Mutex::default(),
            last: AtomicU64::new(0),
        }))
    }

    /// Of files with something else in them; all has come.
    pub fn of(files: &[(&str, Bytes)]) -> Self {
        let lengths: Vec<_> = files.iter().map(|(path, bytes)| (*path, bytes.len() as u64)).collect();
        let torrent = Torrent::new(&lengths);
        let texts = files.iter().map(|(_, bytes)| bytes.clone()).enumerate().collect();
        *torrent.0.texts.lock().expect("no test panics with it") = texts;
        torrent.all_comes();
        torrent
    }

    pub fn film(length: u64) -> Self {
        Self::new(&[("film.mkv", length)])
    }

    pub fn comes(&self, index: usize, range: Range<u64>) {
        self.0.come.send_modify(|come| come[index].0.push(range));
    }

    pub fn all_comes(&self) {
        let whole = |file: &File| Come(vec![Range { start: 0, end: file.length }]);
        self.0.come.send_replace(self.0.files.files.iter().map(whole).collect());
    }

    pub fn files(&self) -> Arc<Files> {
        self.0.files.clone()
    }

    pub fn ahead(&self) -> Vec<(usize, u64)> {
        self.0.ahead.lock().expect("no test panics with it").clone()
    }

    pub fn waiting(&self) -> &watch::Sender<Waiting> {
        &self.0.waiting
    }

    /// How it is shown, when its files are known from the beginning.
    pub fn shown(&self) -> Shown {
        let is_folder = self.0.files.files.len() != 1;
        let name = if is_folder { "Show" } else { &self.0.files.files[0].path };
        Shown { name: name.to_owned(), is_folder, files: Some(self.files()) }
    }

    pub fn shelf(&self) -> Shelf {
        let shelf = Shelf::new(vec![self.shown()]);
        shelf.open_torrent(0, Arc::new(self.clone()));
        shelf
    }
}

impl Contents for Torrent {
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
        async { Ok(self.0.files.clone()) }.boxed()
    }

    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        let length = self.0.files.files.get(index)?.length;
        self.0.readers.send_modify(|readers| *readers += 1);
        Some(Box::new(Reader { torrent: self.clone(), index, length }))
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn had(&self, index: usize) -> Option<u64> {
        let come = self.0.come.borrow();
        Some(come.get(index)?.0.iter().map(|range| range.end - range.start).sum())
    }

    fn to_fetch(&self, index: usize, range: Range<u64>) -> u64 {
        let end = self.0.come.borrow().get(index).map_or(0, |come| come.end(range.start));
        range.end.saturating_sub(end.max(range.start))
    }
}

struct Reader {
    torrent: Torrent,
    index: usize,
    length: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.torrent.0.readers.send_modify(|readers| *readers -= 1);
    }
}

/// A read that waits.
struct Wish(Torrent, u64);

impl Wish {
    fn new(torrent: &Torrent, index: usize, offset: u64) -> Self {
        let number = torrent.0.last.fetch_add(1, Ordering::Relaxed);
        torrent.0.waiting.send_modify(|waiting| {
            waiting.insert(number, (index, offset));
        });
        Wish(torrent.clone(), number)
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.0.0.waiting.send_modify(|waiting| {
            waiting.remove(&self.1);
        });
    }
}

impl ReadAt for Reader {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move {
            let state = &self.torrent.0;
            let end = self.length.min(offset.saturating_add((most as u64).min(MOST)));
            if offset >= end {
                return Ok(Bytes::new());
            }
            let come = || state.come.borrow()[self.index].end(offset).min(end);
            if come() <= offset {
                let mut changes = state.come.subscribe();
                let _wish = Wish::new(&self.torrent, self.index, offset);
                while come() <= offset {
                    changes.changed().await.map_err(|_| ReadError::Closed)?;
                }
            }
            let range = offset..come();
            let texts = state.texts.lock().expect("no test panics with it");
            let text =
                texts.get(&self.index).map(|text| text.slice(range.start as usize..range.end as usize));
            Ok(text.unwrap_or_else(|| bytes(self.index, range).into()))
        }
        .boxed()
    }

    fn read_ahead_until(&self, end: u64) {
        self.torrent.0.ahead.lock().expect("no test panics with it").push((self.index, end));
    }
}

/// A shelf of torrents, mounted, with a runtime that has one thread as the program's has.
pub struct World {
    pub shelf: Shelf,
    runtime: Runtime,
    mount: Option<Mount>,
    home: tempfile::TempDir,
}

/// How a test mounts.
pub fn config(at: &Path) -> MountConfig {
    MountConfig { at: at.to_owned(), allow_other: false, read_timeout: None, guard: Guard::off() }
}

pub fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().expect("a thread starts")
}

impl World {
    /// One torrent whose files are known.
    pub fn of(torrent: &Torrent) -> Self {
        Self::with(torrent, |_| ())
    }

    pub fn with(torrent: &Torrent, change: impl FnOnce(&mut MountConfig)) -> Self {
        Self::showing(torrent.shelf(), change).expect("it can be mounted: are fuse3 and /dev/fuse there?")
    }

    pub fn showing(shelf: Shelf, change: impl FnOnce(&mut MountConfig)) -> Result<Self, MountError> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(&home.path().join("mount"));
        change(&mut config);
        let runtime = runtime();
        let mount = {
            let _inside = runtime.enter();
            Mount::start(shelf.clone(), config)?
        };
        Ok(World { shelf, runtime, mount: Some(mount), home })
    }

    pub fn at(&self) -> PathBuf {
        self.mount.as_ref().expect("it is mounted").at().to_owned()
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.at().join(below)
    }

    /// A folder beside the mount.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits for something to become of a torrent.
    pub fn until<T>(&self, watched: &watch::Sender<T>, is_so: impl FnMut(&T) -> bool) {
        let mut watched = watched.subscribe();
        let so = async { watched.wait_for(is_so).await.map(drop) };
        let so = self.runtime.block_on(async { tokio::time::timeout(NEVER, so).await });
        so.expect("this should have happened by now").expect("the torrent is there");
    }

    /// Until a read waits for this byte.
    pub fn until_wanted(&self, torrent: &Torrent, index: usize, offset: u64) {
        self.until(torrent.waiting(), |waiting| waiting.values().any(|wish| *wish == (index, offset)));
    }

    pub fn until_nothing_is_wanted(&self, torrent: &Torrent) {
        self.until(torrent.waiting(), BTreeMap::is_empty);
    }

    pub fn until_readers_are(&self, torrent: &Torrent, count: usize) {
        self.until(&torrent.0.readers, |readers| *readers == count);
    }

    pub fn close(&mut self) {
        let mount = self.mount.take().expect("it is mounted");
        self.runtime.block_on(async { tokio::time::timeout(NEVER, mount.close()).await }).expect("it ends");
    }

    /// Until somebody else has ended the mount.
    pub fn until_ended(&mut self) {
        let mount = self.mount.as_mut().expect("it is mounted");
        self.runtime.block_on(async { tokio::time::timeout(NEVER, mount.ended()).await }).expect("it ends");
    }
}

/// On a thread of its own, since a fault may make it wait for ever, and in a way that nothing ends.
pub fn soon<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    wait_for(begin(what))
}

pub fn begin<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = channel();
    std::thread::spawn(move || done.send(what()));
    result
}

pub fn wait_for<T>(begun: Receiver<T>) -> T {
    begun.recv_timeout(NEVER).expect("this should have ended by now, and well")
}

/// What a program says; it must end well.
pub fn says(program: &str, arguments: &[&str]) -> String {
    let output = output(program, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed: {errors}");
    String::from_utf8(output.stdout).expect("it is text")
}

pub fn output(program: &str, arguments: &[&str]) -> Output {
    ends(start(program, arguments))
}

/// Waits for a program's end, and gives what it said.
pub fn ends(child: Child) -> Output {
    soon(move || child.wait_with_output()).expect("it ends")
}

pub fn start(program: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{program} is needed (tests/install.sh): {error}"))
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("these paths are ASCII")
}
