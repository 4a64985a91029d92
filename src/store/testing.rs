//! A disk in memory that forgets what was not synced, and torrents to put on it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use bytes::Bytes;

use super::folder::{Access, File, Folder, Identity, Lock};
use crate::layout::{FileSpan, Layout};
use crate::lock::lock;
use crate::source::{InfoHash, Metainfo, TorrentFile};

/// A torrent of these files with made-up contents; those called `.pad` are padding.
pub(super) fn torrent(list: &[(&str, u64)], piece_length: u32) -> (Metainfo, Bytes) {
    let mut bytes = Vec::new();
    let mut files = Vec::new();
    let mut padding = Vec::new();
    for &(name, length) in list {
        let span = FileSpan { offset: bytes.len() as u64, length };
        if name == ".pad" {
            padding.push(span.range());
            bytes.extend((0..length).map(|_| 0));
        } else {
            bytes.extend(
                (span.offset..span.end()).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 | 1),
            );
            files.push(TorrentFile { path: name.split('/').map(str::to_owned).collect(), span });
        }
    }
    let layout = Layout::new(bytes.len() as u64, piece_length).expect("a fair layout").with_padding(padding);
    let sha1 = |bytes: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let hashes: Vec<u8> =
        bytes.chunks(piece_length as usize).flat_map(|piece| sha1(piece).as_ref().to_vec()).collect();
    let metainfo = Metainfo {
        info_hash: InfoHash([7; 20]),
        name: "torrent".into(),
        private: false,
        layout,
        piece_hashes: hashes.into(),
        files,
        info_bytes: Bytes::new(),
        created_at: None,
    };
    (metainfo, bytes.into())
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Whoever was started in an earlier life can do nothing any more.
    life: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    folders: BTreeSet<PathBuf>,
    durable_folders: BTreeSet<PathBuf>,
    nodes: BTreeMap<u64, Node>,
    locks: BTreeSet<(u64, PathBuf)>,
    clock: i64,
    next_inode: u64,
    open: u64,
    most_open: u64,
    /// Bytes that may still be written.
    room: Option<u64>,
    /// Syncs of files whose path contains this fail.
    broken_sync: Option<&'static str>,
    reads: u64,
}

#[derive(Clone, Default)]
struct Node {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Not synced.
    pending: Vec<Change>,
    modified: i64,
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, share: u64) {
        match self {
            Change::Write(at, data) => {
                let at = *at as usize;
                let data = &data[..(data.len() as u64 * share / 4) as usize];
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[at..at + data.len()].copy_from_slice(data);
            }
            Change::Length(length) => bytes.resize(*length as usize, 0),
        }
    }
}

impl World {
    pub(super) fn new() -> Self {
        World(Arc::default())
    }

    pub(super) fn folder(&self, name: &str) -> Arc<dyn Folder> {
        Arc::new(MemoryFolder { world: self.clone(), life: lock(&self.0).life, path: name.into() })
    }

    /// Most files open at once so far.
    pub(super) fn most_open(&self) -> u64 {
        lock(&self.0).most_open
    }

    /// Reads of files so far.
    pub(super) fn reads(&self) -> u64 {
        lock(&self.0).reads
    }

    pub(super) fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let state = lock(&self.0);
        Some(state.nodes.get(state.names.get(Path::new(path))?)?.now.clone())
    }

    /// All files below this folder.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let state = lock(&self.0);
        let below = state.names.keys().filter_map(|path| path.strip_prefix(folder).ok());
        below.map(|path| path.display().to_string()).collect()
    }

    /// Somebody else writes a file.
    pub(super) fn put(&self, path: &str, bytes: Vec<u8>) {
        let mut state = lock(&self.0);
        state.clock += 3_600_000_000_000;
        let inode = state.node(Path::new(path));
        let modified = state.clock;
        state.nodes.insert(inode, Node { durable: bytes.clone(), now: bytes, pending: Vec::new(), modified });
        state.durable_names.insert(path.into(), inode);
    }

    pub(super) fn remove(&self, path: &str) {
        let mut state = lock(&self.0);
        state.names.remove(Path::new(path));
        state.durable_names.remove(Path::new(path));
    }

    pub(super) fn set_room(&self, bytes: Option<u64>) {
        lock(&self.0).room = bytes;
    }

    pub(super) fn break_sync(&self, path: Option<&'static str>) {
        lock(&self.0).broken_sync = path;
    }

    /// `kill -9`: whoever has something open can do no more; the disk keeps everything.
    pub(super) fn kill(&self) {
        lock(&self.0).life += 1;
    }

    /// As `kill`, and of what was not synced the disk keeps what chance will have.
    pub(super) fn power_loss(&self, seed: u64) {
        let mut state = lock(&self.0);
        state.life += 1;
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut chance = move |of: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 20) % of
        };
        for node in state.nodes.values_mut() {
            let mut bytes = std::mem::take(&mut node.durable);
            for change in std::mem::take(&mut node.pending) {
                match chance(3) {
                    0 => {}
                    1 => change.apply(&mut bytes, 4),
                    _ => change.apply(&mut bytes, chance(5)),
                }
            }
            node.now.clone_from(&bytes);
            node.durable = bytes;
        }
        let all: BTreeSet<PathBuf> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        let mut names = BTreeMap::new();
        for path in all {
            let is_lost = path.ancestors().skip(1).any(|folder| {
                folder.components().count() > 1 && !state.durable_folders.contains(folder) && chance(2) == 0
            });
            let from = if chance(2) == 0 { &state.names } else { &state.durable_names };
            if let Some(&inode) = from.get(&path).filter(|_| !is_lost) {
                names.insert(path, inode);
            }
        }
        state.durable_names.clone_from(&names);
        state.names = names;
        state.durable_folders = state.folders.clone();
    }
}

impl State {
    fn node(&mut self, path: &Path) -> u64 {
        if let Some(&inode) = self.names.get(path) {
            return inode;
        }
        self.next_inode += 1;
        self.names.insert(path.into(), self.next_inode);
        self.folders.extend(path.ancestors().skip(1).map(Path::to_path_buf));
        self.nodes.insert(self.next_inode, Node { modified: self.clock, ..Node::default() });
        self.next_inode
    }

    fn change(&mut self, inode: u64, change: Change) -> io::Result<()> {
        if let (Change::Write(_, data), Some(room)) = (&change, &mut self.room) {
            *room = room.checked_sub(data.len() as u64).ok_or(io::ErrorKind::StorageFull)?;
        }
        self.clock += 1_000_000;
        let modified = self.clock;
        let node = self.nodes.get_mut(&inode).expect("an open file is there");
        change.apply(&mut node.now, 4);
        node.pending.push(change);
        node.modified = modified;
        Ok(())
    }
}

struct MemoryFolder {
    world: World,
    life: u64,
    path: PathBuf,
}

impl MemoryFolder {
    fn state(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        alive(&self.world, self.life)
    }
}

fn alive(world: &World, life: u64) -> io::Result<std::sync::MutexGuard<'_, State>> {
    let state = lock(&world.0);
    if state.life == life { Ok(state) } else { Err(io::Error::other("killed")) }
}

impl Folder for MemoryFolder {
    fn create(&self) -> io::Result<bool> {
        Ok(self.state()?.folders.insert(self.path.clone()))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let mut state = self.state()?;
        let path = self.path.join(path);
        if !state.names.contains_key(&path) && access != Access::Make {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = state.node(&path);
        state.open += 1;
        state.most_open = state.most_open.max(state.open);
        Ok(Arc::new(MemoryFile { world: self.world.clone(), life: self.life, inode, path }))
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        let state = self.state()?;
        Ok(state.names.get(&self.path.join(path)).map(|&inode| state.identity(inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        let inode = state.names.remove(&self.path.join(from)).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(self.path.join(to), inode);
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        let folder = if path == Path::new("") { self.path.clone() } else { self.path.join(path) };
        let State { names, durable_names, folders, durable_folders, .. } = &mut *state;
        durable_names.retain(|path, _| path.parent() != Some(&folder));
        let in_it = |path: &&PathBuf| path.parent() == Some(&folder);
        durable_names
            .extend(names.iter().filter(|(path, _)| in_it(path)).map(|(path, &inode)| (path.clone(), inode)));
        durable_folders.extend(folders.iter().filter(in_it).cloned());
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.state()?.names.remove(&self.path.join(path));
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        let folder = if path == Path::new("") { self.path.clone() } else { self.path.join(path) };
        if !state.names.keys().any(|name| name.starts_with(&folder)) {
            state.folders.remove(&folder);
        }
        Ok(())
    }

    fn remove_all(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.names.retain(|name, _| !name.starts_with(&self.path));
        state.folders.retain(|folder| !folder.starts_with(&self.path));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let key = (self.life, self.path.join(path));
        let taken = !self.state()?.locks.insert(key.clone());
        Ok((!taken).then(|| Box::new(MemoryLock { world: self.world.clone(), key }) as Lock))
    }
}

impl State {
    fn identity(&self, inode: u64) -> Identity {
        let node = &self.nodes[&inode];
        Identity { size: node.now.len() as u64, inode, modified: node.modified }
    }
}

struct MemoryLock {
    world: World,
    key: (u64, PathBuf),
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        lock(&self.world.0).locks.remove(&self.key);
    }
}

struct MemoryFile {
    world: World,
    life: u64,
    inode: u64,
    path: PathBuf,
}

impl File for MemoryFile {
    fn write(&self, parts: &mut [IoSlice<'_>], at: u64) -> io::Result<()> {
        let data: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        alive(&self.world, self.life)?.change(self.inode, Change::Write(at, data))
    }

    fn read(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let mut state = alive(&self.world, self.life)?;
        state.reads += 1;
        let at = at as usize;
        let found =
            state.nodes[&self.inode].now.get(at..at + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(found);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = alive(&self.world, self.life)?;
        let is_broken = state.broken_sync.is_some_and(|part| self.path.to_string_lossy().contains(part));
        let node = state.nodes.get_mut(&self.inode).expect("an open file is there");
        if is_broken {
            // As Linux does: what could not be written back is no longer tried.
            node.pending.clear();
            return Err(io::Error::other("the disk is broken"));
        }
        node.pending.clear();
        node.durable.clone_from(&node.now);
        Ok(())
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(alive(&self.world, self.life)?.identity(self.inode))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        alive(&self.world, self.life)?.change(self.inode, Change::Length(length))
    }

    fn has_hole(&self, _start: u64, _end: u64) -> bool {
        false
    }

    fn next_data(&self, from: u64) -> u64 {
        from
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        lock(&self.world.0).open -= 1;
    }
}
