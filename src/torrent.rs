//! A torrent that is being streamed: opens it, says what is in it, gives readers of its files, and closes it. Drives the
//! scheduler with the swarm, the store and a clock; which block comes from whom is the scheduler's.
//!
//! # Where things are kept
//!
//! Without [`Options::path`], a torrent's files lie in `<cache>/<info hash>/`, and what is known of them (the journal of verified
//! pieces, the lock that keeps other processes out) beside it, in `<cache>/<info hash>.state/`. With a path, the files lie there under
//! the torrent's own names, and the journal in `<path>/.peerflix-<info hash>/`: so each folder tells for itself what is in
//! it, and one torrent may be kept in several. Metadata of magnets is kept in `<cache>/metadata/`.

mod choose;
mod door;
mod driver;
pub mod kept;
mod look;
mod meter;
mod open;
mod orders;
mod reader;
mod recording;
mod removal;
mod session;
pub mod trace;
mod uploads;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub use self::choose::{Choice, ChoiceError};
pub use self::reader::FileReader;
pub use self::session::Phase;

use self::removal::Keeps;
use self::session::Session;
use crate::choker;
use crate::lock::lock;
use crate::net::Network;
use crate::read::{Contents, FileReport, Files, ReadAt, ReadError, Statistics};
use crate::source::{InfoHash, MetadataCache, Source, SourceError};
use crate::store::{StoreConfig, StoreError};
use crate::swarm::discovery::{Discovery, SourceReport};
use crate::swarm::{Blocklist, Ending, PeerReport, SwarmCounts, SwarmHandle};

/// How long [`Torrent::close`] takes at most.
const CLOSING: Duration = Duration::from_millis(950);

/// Beside the journal.
const NOTES: &str = "notes.json";

/// How a torrent is opened. The default streams the largest video into the user's cache folder, finds peers in every
/// way there is, and feeds others.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for the torrent's files, under its own names. `None`: one below [`cache`](Self::cache).
    pub path: Option<PathBuf>,
    /// The folder for what is kept across runs: `peerflix` in the user's cache folder (`$XDG_CACHE_HOME`).
    pub cache: PathBuf,
    /// Announce URLs besides the source's own. A private torrent with trackers of its own does not use them.
    pub trackers: Vec<String>,
    /// Peers to begin with, besides the source's own.
    pub peers: Vec<SocketAddr>,
    /// Peers connected at a time.
    pub most_peers: usize,
    /// The port for incoming peers; `None`: any that is free.
    pub port: Option<u16>,
    /// Whether to ask the distributed hash table, and to be in it. Never for a private torrent.
    pub dht: bool,
    /// Nodes of the table to begin with, as `HOST:PORT`; none: the well-known ones.
    pub dht_bootstrap: Vec<String>,
    /// Whether to look for peers in the local network (BEP 14). Never for a private torrent.
    pub lsd: bool,
    /// Whether to ask the torrent's own trackers; if not, [`trackers`](Self::trackers) alone.
    pub own_trackers: bool,
    /// Who is neither dialled nor let in, whoever named him.
    pub blocklist: Option<Arc<Blocklist>>,
    /// A peer that owes blocks and sends nothing for so long is dropped; `None`: the scheduler's own measure.
    pub peer_timeout: Option<Duration>,
    /// Which files are meant.
    pub choice: Choice,
    /// Whether the chosen files are fetched to their end although nobody reads that far, one after the other: see
    /// [`Torrent::fetch`].
    pub background: bool,
    /// Whether other peers may download from us.
    pub upload: bool,
    /// Peers that may download at a time.
    pub upload_slots: usize,
    /// A file for the scheduler's inputs (see [`trace`]). One that is there is overwritten.
    pub trace: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let cache =
            directories::BaseDirs::new().map_or_else(std::env::temp_dir, |dirs| dirs.cache_dir().to_owned());
        Options {
            path: None,
            cache: cache.join("peerflix"),
            trackers: Vec::new(),
            own_trackers: true,
            blocklist: None,
            peer_timeout: None,
            peers: Vec::new(),
            most_peers: 100,
            port: None,
            dht: true,
            dht_bootstrap: Vec::new(),
            lsd: true,
            choice: Choice::default(),
            background: true,
            upload: true,
            upload_slots: choker::Config::default().slots,
            trace: None,
        }
    }
}

impl Options {
    /// Where metadata is kept: for [`resolve`](crate::source::resolve), so that a magnet's second start needs no swarm.
    pub fn metadata_cache(&self) -> MetadataCache {
        MetadataCache::new(self.cache.join("metadata"))
    }

    /// The folders of this torrent: see the module's documentation.
    fn folders(&self, info_hash: InfoHash) -> StoreConfig {
        match &self.path {
            Some(path) => {
                StoreConfig { folder: path.clone(), state: path.join(format!(".peerflix-{info_hash}")) }
            }
            None => StoreConfig {
                folder: self.cache.join(info_hash.to_string()),
                state: self.cache.join(format!("{info_hash}.state")),
            },
        }
    }
}

/// Why a torrent cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TorrentError {
    #[error("cannot listen for peers on port {port}: {cause}")]
    Listen { port: u16, cause: std::io::Error },
    #[error("cannot listen for peers: {0}")]
    ListenAnywhere(std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    #[error("the trace cannot be written to {path}: {cause}")]
    Trace { path: PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Metadata(#[from] SourceError),
    #[error("opening the torrent was cut short")]
    Interrupted,
}

/// A torrent that is open. Cheap to clone: all clones, and all its readers, are one torrent. It ends when it is
/// [closed](Self::close), or when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Torrent {
    shared: Arc<Shared>,
}

struct Shared {
    info_hash: InfoHash,
    session: Arc<Session>,
    swarm: SwarmHandle,
    discovery: Arc<Discovery>,
    keeps: Keeps,
    /// Says when to end; so does dropping it.
    ending: watch::Sender<bool>,
}

/// What there is to say to somebody who waits.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    pub phase: Phase,
    /// What each tracker, the DHT and the local network have answered.
    pub sources: Vec<SourceReport>,
    pub counts: SwarmCounts,
    /// Addresses that are not connected, by how the last try of each ended.
    pub failed: BTreeMap<Ending, usize>,
    pub peers: Vec<PeerReport>,
    /// What the disk refuses, while it does.
    pub trouble: Option<String>,
}

impl Torrent {
    /// Opens what [`resolve`](crate::source::resolve) found, and returns at once: where the metadata is still to come from peers,
    /// [`files`](Self::files) waits for it. Must be called within a tokio runtime.
    pub async fn open(source: Source, options: Options, net: Arc<Network>) -> Result<Torrent, TorrentError> {
        open::open(source, options, net).await
    }

    pub fn info_hash(&self) -> InfoHash {
        self.shared.info_hash
    }

    /// Waits until the files are known, then gives them.
    pub async fn files(&self) -> Result<Arc<Files>, ReadError> {
        let mut phase = self.shared.session.phase.subscribe();
        let phase = phase.wait_for(|phase| *phase != Phase::Metadata).await.map(|phase| phase.clone());
        match (phase, self.shared.session.opened.get()) {
            (Ok(Phase::Failed(why)), _) => Err(ReadError::NotOpened(why)),
            (Ok(_), Some(opened)) => Ok(Arc::clone(&opened.files)),
            _ => Err(ReadError::Closed),
        }
    }

    /// Why the torrent could not be opened when its metadata came, if so: the cause of [`ReadError::NotOpened`].
    pub fn failure(&self) -> Option<&TorrentError> {
        self.shared.session.failure.get()
    }

    /// A new reader of file `index` of [`Files::files`]; `None` if there is no such file, or the files are not known yet.
    pub fn reader(&self, index: usize) -> Option<FileReader> {
        self.new_reader(index, true)
    }

    /// The same for a reader that is nobody's player: what peerflix itself wants to know of a file. It is left out where readers
    /// are shown or counted.
    pub fn unseen_reader(&self, index: usize) -> Option<FileReader> {
        self.new_reader(index, false)
    }

    fn new_reader(&self, index: usize, is_seen: bool) -> Option<FileReader> {
        let opened = self.shared.session.opened.get()?;
        let span = opened.spans.get(index).copied()?;
        Some(FileReader::new(self.clone(), Arc::clone(&opened.door), opened.store.clone(), span, is_seen))
    }

    /// The file that somebody began to read last, and when: of two torrents, the greater number began later.
    pub fn last_read(&self) -> Option<(usize, u64)> {
        let opened = self.shared.session.opened.get()?;
        let (span, count) = opened.door.last_read()?;
        Some((opened.spans.iter().position(|other| *other == span)?, count))
    }

    /// The length of the pieces in bytes, and whether the torrent is private (BEP 27); `None` while its metadata is not known.
    pub fn layout(&self) -> Option<(u32, bool)> {
        let opened = self.shared.session.opened.get()?;
        Some((opened.door.layout().piece_length(), opened.private))
    }

    /// The folder in which its files lie, or will, at their paths.
    pub fn folder(&self) -> &Path {
        &self.shared.keeps.folder
    }

    /// A file that peerflix's faces may keep beside the journal, for what they remember of this torrent between runs. It is removed
    /// with the torrent. Its folder is there once the files are known.
    pub fn notes(&self) -> &Path {
        &self.shared.keeps.notes
    }

    /// The numbers as they are now.
    pub fn statistics(&self) -> Statistics {
        let counts = self.shared.swarm.counts();
        Statistics { peers: counts.connected, candidates: counts.known, ..self.shared.session.statistics() }
    }

    /// These files are fetched though nobody reads them, in this order, the next when the one before is all here: in place
    /// of what was wanted so before. Indices of [`Files::files`]; one that does not exist is passed over. At the start,
    /// with [`Options::background`], it is [`Files::queue`]; and for [`Choice::All`] all other files after that.
    pub fn fetch(&self, files: &[usize]) {
        self.shared.session.orders.fetch(files.to_vec());
        self.shared.session.ring();
    }

    /// Paused, nothing is asked for and nothing is sent; what is in flight is taken back. Connections stay, what has come is
    /// read, and who reads what has not, waits. A magnet's metadata is asked for all the same.
    pub fn set_paused(&self, paused: bool) {
        self.shared.session.orders.set_paused(paused);
        self.shared.session.ring();
    }

    pub fn is_paused(&self) -> bool {
        self.shared.session.orders.is_paused()
    }

    /// File `index` of [`Files::files`] as it is now, for a bar of so many cells; `None` if there is no such file, or the
    /// files are not known yet. What is on its way is as of the last call of this or of [`why`](Self::why), at most five times
    /// a second.
    pub fn file_report(&self, index: usize, cells: usize) -> Option<FileReport> {
        let session = &self.shared.session;
        let opened = session.opened.get()?;
        let span = opened.spans.get(index).copied()?;
        let look = session.looks.take_one(|| session.ring());
        Some(look.file_report(opened, span, cells))
    }

    /// All of file `index` is there. False also if there is no such file, or the files are not known yet.
    pub fn is_whole(&self, index: usize) -> bool {
        let opened = self.shared.session.opened.get();
        opened.is_some_and(|opened| opened.spans.get(index).is_some_and(|&span| opened.has(span)))
    }

    /// What is going on, as data for the screen. Peers' paces are as of the last call, at most five times a second.
    pub fn why(&self) -> Whereabouts {
        let session = &self.shared.session;
        let mut peers = self.shared.swarm.peers();
        session.looks.take_one(|| session.ring()).complete(&mut peers);
        Whereabouts {
            phase: session.phase.borrow().clone(),
            sources: self.shared.discovery.reports(),
            counts: self.shared.swarm.counts(),
            failed: self.shared.swarm.failed(),
            peers,
            trouble: lock(&session.trouble).clone(),
        }
    }

    /// The port where peers may dial us.
    pub fn port(&self) -> u16 {
        self.shared.swarm.port()
    }

    /// Tells peers and trackers, saves what is to be kept, and ends all readers; in less than a second. Closing again
    /// waits for the same end.
    pub async fn close(&self) {
        let mut phase = self.shared.session.phase.subscribe();
        self.shared.ending.send_replace(true);
        let _ = tokio::time::timeout(CLOSING, phase.wait_for(|phase| *phase == Phase::Closed)).await;
    }

    /// Closes the torrent, then deletes what it keeps. In the cache that is its folder, its state, and its metadata. With
    /// [`Options::path`] it is its state, its metadata, and its files; but no file that was whole before it was opened, none
    /// that somebody else has put there, and no folder with anything else in it. What cannot be deleted is logged, and left.
    pub async fn remove(self) {
        self.close().await;
        removal::remove(&self.shared).await;
    }
}

impl Contents for Torrent {
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
        Box::pin(Torrent::files(self))
    }

    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.reader(index)?))
    }

    fn open_unseen(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.unseen_reader(index)?))
    }

    fn statistics(&self) -> Statistics {
        Torrent::statistics(self)
    }

    fn file_report(&self, index: usize, cells: usize) -> Option<FileReport> {
        Torrent::file_report(self, index, cells)
    }

    fn had(&self, index: usize) -> Option<u64> {
        let opened = self.shared.session.opened.get()?;
        let span = opened.spans.get(index)?;
        Some(opened.door.had_of(span.offset..span.end()))
    }

    fn to_fetch(&self, index: usize, range: Range<u64>) -> u64 {
        let Some(opened) = self.shared.session.opened.get() else {
            return range.end.saturating_sub(range.start);
        };
        let Some(span) = opened.spans.get(index) else { return 0 };
        let at = |offset: u64| span.offset.saturating_add(offset).min(span.end());
        opened.door.to_fetch(at(range.start)..at(range.end))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Torrent").field("info_hash", &self.info_hash).finish_non_exhaustive()
    }
}
