//! Bytes of the torrent <-> bytes of its files, of which only a few are open at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::claims::{Permit, Refused, is_same};
use super::folder::{Access, File, Folder, Identity};
use crate::lock::lock;
use crate::source::Metainfo;

/// Files open at once. Far below the 256 descriptors that macOS gives a program, which sockets need too.
const MOST_OPEN: usize = 48;

/// Bytes read at once to see whether there is anything in them.
const STEP: usize = 128 * 1024;

/// Where some bytes of the torrent lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) bytes: Range<u64>,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In this file, from this byte of it on.
    File(u32, u64),
    /// In no file: zeros.
    Padding,
}

pub(super) struct Files {
    folder: Arc<dyn Folder>,
    entries: Vec<Entry>,
    total: u64,
    /// The one used last at the end.
    open: Mutex<Vec<Open>>,
    /// Their names survive a power loss: synced in this run. (One that made a file may have been killed before it did so.)
    named: Mutex<BTreeSet<u32>>,
    /// Opened for writing in this run.
    written: Mutex<BTreeMap<u32, Written>>,
}

struct Entry {
    offset: u64,
    length: u64,
    path: Box<Path>,
}

struct Written {
    inode: u64,
    /// Somebody may still be at work with it although it is no longer among the open ones: it must not be opened a second
    /// time, since it is locked.
    file: Weak<dyn File>,
}

struct Open {
    index: u32,
    access: Access,
    file: Arc<dyn File>,
}

impl Files {
    pub(super) fn new(metainfo: &Metainfo, folder: Arc<dyn Folder>) -> Self {
        let entries = metainfo
            .files
            .iter()
            .map(|file| Entry {
                offset: file.span.offset,
                length: file.span.length,
                path: file.path.iter().collect::<PathBuf>().into_boxed_path(),
            })
            .collect();
        Files {
            folder,
            entries,
            total: metainfo.layout.total(),
            open: Mutex::default(),
            named: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// Every file with the bytes of the torrent that it holds.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u32, Range<u64>)> + '_ {
        (0..).zip(self.entries.iter().map(|entry| entry.offset..entry.offset.saturating_add(entry.length)))
    }

    /// Where these bytes of the torrent lie, in order and without a gap.
    pub(super) fn segments(&self, bytes: Range<u64>) -> impl Iterator<Item = Segment> + '_ {
        let end = bytes.end.min(self.total);
        let mut at = bytes.start;
        let mut next = self.entries.partition_point(|file| file.offset.saturating_add(file.length) <= at);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let passed = |file: &Entry| file.offset.saturating_add(file.length) <= at;
            while self.entries.get(next).is_some_and(passed) {
                next += 1;
            }
            let (until, place) = match self.entries.get(next) {
                Some(file) if file.offset <= at => {
                    (file.offset.saturating_add(file.length), Place::File(next as u32, at - file.offset))
                }
                Some(file) => (file.offset, Place::Padding),
                None => (end, Place::Padding),
            };
            let segment = Segment { bytes: at..until.min(end), place };
            at = segment.bytes.end;
            Some(segment)
        })
    }

    /// Writes `parts`, one behind the other, from byte `at` of the torrent on, into the files that `permit` allows. What
    /// falls on padding is left out.
    pub(super) fn write(
        &self,
        at: u64,
        parts: &[Bytes],
        mut permit: impl FnMut(u32) -> Result<Permit, Refused>,
    ) -> Result<(), Refused> {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut slices = Vec::with_capacity(parts.len());
        for segment in self.segments(at..at.saturating_add(length)) {
            let Place::File(index, offset) = segment.place else { continue };
            let permit = permit(index)?;
            slices.clear();
            let mut start = at;
            for part in parts {
                let end = start + part.len() as u64;
                let from = segment.bytes.start.clamp(start, end) - start;
                let to = segment.bytes.end.clamp(start, end) - start;
                if let Some(piece) = part.get(from as usize..to as usize).filter(|piece| !piece.is_empty()) {
                    slices.push(IoSlice::new(piece));
                }
                start = end;
            }
            match permit {
                Permit::Write => self.with(index, Access::Write, |file| file.write(&mut slices, offset)),
                Permit::SameOnly if self.holds(&segment.bytes, &slices) => Ok(Ok(())),
                Permit::SameOnly => return Err(Refused::Occupied(index)),
            }
            .map_err(|error| Refused::of(error, index))??;
        }
        Ok(())
    }

    /// Whether exactly this is there already.
    fn holds(&self, bytes: &Range<u64>, parts: &[IoSlice<'_>]) -> bool {
        let mut there = vec![0; (bytes.end - bytes.start) as usize];
        self.read(bytes.start, &mut there).is_ok() && is_same(&there, parts)
    }

    /// Fills `into` from byte `at` of the torrent on. Bytes beyond its end are not there: an error.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        for segment in self.segments(at..at.saturating_add(into.len() as u64)) {
            let length = (segment.bytes.end - segment.bytes.start) as usize;
            let Some(part) = into.get_mut(filled..filled + length) else { break };
            match segment.place {
                Place::File(index, offset) => {
                    self.with(index, Access::Read, |file| file.read(part, offset))??;
                }
                Place::Padding => part.fill(0),
            }
            filled += length;
        }
        if filled == into.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// True if some of these bytes have certainly never been written.
    pub(super) fn has_hole(&self, bytes: Range<u64>) -> bool {
        self.segments(bytes).any(|segment| match segment.place {
            Place::File(index, offset) => {
                let end = offset + (segment.bytes.end - segment.bytes.start);
                self.with(index, Access::Read, |file| file.has_hole(offset, end)).unwrap_or(true)
            }
            Place::Padding => false,
        })
    }

    /// True if this file holds nothing but zeros; false also if it is no longer worth knowing.
    pub(super) fn is_blank(&self, index: u32, given_up: impl Fn() -> bool) -> io::Result<bool> {
        let size = self.identity(index)?.map_or(0, |found| found.size);
        let mut buffer = vec![0; STEP];
        let mut at = 0;
        while at < size {
            at = self.with(index, Access::Read, |file| file.next_data(at))?;
            let length = size.saturating_sub(at).min(STEP as u64);
            let Some(step) = buffer.get_mut(..length as usize) else { break };
            self.with(index, Access::Read, |file| file.read(step, at))??;
            if given_up() || step.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            at += length;
        }
        Ok(true)
    }

    /// Where this file lies, below the torrent's folder.
    pub(super) fn path(&self, index: u32) -> &Path {
        self.entries.get(index as usize).map_or(Path::new(""), |entry| &entry.path)
    }

    /// The bytes of the torrent that this file holds.
    pub(super) fn range(&self, index: u32) -> Range<u64> {
        self.entries
            .get(index as usize)
            .map_or(0..0, |entry| entry.offset..entry.offset.saturating_add(entry.length))
    }

    /// What is there of this file now.
    pub(super) fn identity(&self, index: u32) -> io::Result<Option<Identity>> {
        self.entries.get(index as usize).map_or(Ok(None), |entry| self.folder.identity(&entry.path))
    }

    /// Makes what was written to this file so far, and its name, survive a power loss.
    /// Answers with what it was then. `synced` are the folders that need no further sync in this round.
    pub(super) fn sync(&self, index: u32, synced: &mut BTreeSet<PathBuf>) -> io::Result<Identity> {
        // Taken before the sync: a write that comes while it goes on must not be taken for one that is done.
        let named = self.identity(index)?.ok_or(io::ErrorKind::NotFound)?;
        let identity = self.with(index, Access::Write, |file| {
            let identity = file.identity()?;
            if identity.inode != named.inode {
                return Err(was_replaced());
            }
            file.sync()?;
            Ok(identity)
        })??;
        if !lock(&self.named).contains(&index) {
            let path = self.entries.get(index as usize).map(|entry| entry.path.as_ref());
            for folder in path.into_iter().flat_map(Path::ancestors).skip(1) {
                if synced.insert(folder.to_path_buf()) {
                    self.folder.sync(folder)?;
                }
            }
            lock(&self.named).insert(index);
        }
        Ok(identity)
    }

    /// The files that were opened for writing in this run.
    pub(super) fn written(&self) -> Vec<u32> {
        lock(&self.written).keys().copied().collect()
    }

    /// Makes the files without a byte: no block will ever come for them. Answers with those that were not there.
    pub(super) fn create_empty(&self) -> BTreeSet<u32> {
        let mut made = BTreeSet::new();
        for (index, entry) in (0..).zip(&self.entries).filter(|(_, entry)| entry.length == 0) {
            if !matches!(self.folder.identity(&entry.path), Ok(None)) {
                continue;
            }
            match self.folder.open(&entry.path, Access::Make) {
                Ok(_) => {
                    made.insert(index);
                }
                Err(error) => {
                    tracing::warn!(path = %entry.path.display(), %error, "an empty file could not be made");
                }
            }
        }
        made
    }

    /// Whether the file that is there is not the one that was written in this run.
    pub(super) fn is_replaced(&self, index: u32) -> bool {
        let written = lock(&self.written).get(&index).map(|written| written.inode);
        let there = self.identity(index).ok().flatten().map(|found| found.inode);
        written.is_some_and(|written| there.is_some_and(|there| there != written))
    }

    /// Makes the file if it is not there, to be written.
    pub(super) fn make(&self, index: u32) -> Result<(), Refused> {
        // What was there before under this name is none of our business any more.
        lock(&self.open).retain(|open| open.index != index);
        lock(&self.written).remove(&index);
        self.with(index, Access::Make, |_| ()).map_err(|error| match error.kind() {
            // A link that leads nowhere, say.
            io::ErrorKind::NotFound => Refused::Disk(error),
            _ => Refused::of(error, index),
        })
    }

    /// What the file is that is being written.
    pub(super) fn written_identity(&self, index: u32) -> Result<Identity, Refused> {
        let identity = self.with(index, Access::Write, |file| file.identity());
        Ok(identity.map_err(|error| Refused::of(error, index))??)
    }

    /// Closes all, and with that gives up their locks.
    pub(super) fn close(&self) {
        lock(&self.open).clear();
    }

    /// Does something with a file. It is closed, if nobody needs it any more, while nobody can open it: else it could be
    /// found locked by ourselves.
    fn with<T>(&self, index: u32, access: Access, act: impl FnOnce(&dyn File) -> T) -> io::Result<T> {
        let file = self.file(index, access)?;
        let done = act(&*file);
        let open = lock(&self.open);
        drop(file);
        drop(open);
        Ok(done)
    }

    fn file(&self, index: u32, access: Access) -> io::Result<Arc<dyn File>> {
        let mut open = lock(&self.open);
        if let Some(found) = open.iter().rposition(|file| file.index == index) {
            if access == Access::Read || open[found].access != Access::Read {
                let file = open[found].file.clone();
                if found + 1 < open.len() {
                    let used = open.remove(found);
                    open.push(used);
                }
                return Ok(file);
            }
            open.remove(found);
        }
        let file =
            if access == Access::Read { self.open(index, access)? } else { self.writable(index, access)? };
        if open.len() >= MOST_OPEN {
            open.remove(0);
        }
        open.push(Open { index, access, file: file.clone() });
        Ok(file)
    }

    fn open(&self, index: u32, access: Access) -> io::Result<Arc<dyn File>> {
        let entry = self.entries.get(index as usize).ok_or(io::ErrorKind::NotFound)?;
        self.folder.open(&entry.path, access)
    }

    fn writable(&self, index: u32, access: Access) -> io::Result<Arc<dyn File>> {
        let mut written = lock(&self.written);
        if let Some(file) = written.get(&index).and_then(|written| written.file.upgrade()) {
            return Ok(file);
        }
        let file = self.open(index, access)?;
        let inode = file.identity()?.inode;
        if written.get(&index).is_some_and(|before| before.inode != inode) {
            return Err(was_replaced());
        }
        written.insert(index, Written { inode, file: Arc::downgrade(&file) });
        Ok(file)
    }
}

fn was_replaced() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the file was replaced while it was written")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{World, torrent};
    use super::*;

    #[test]
    fn bytes_between_files_are_padding_and_empty_files_hold_none() {
        let (metainfo, _) = torrent(&[("a", 100), ("empty", 0), (".pad", 28), ("b", 50), (".pad", 10)], 64);
        let files = Files::new(&metainfo, World::new().folder("data"));
        let all: Vec<_> = files.segments(90..188).map(|s| (s.bytes, s.place)).collect();
        assert_eq!(
            all,
            [
                (90..100, Place::File(0, 90)),
                (100..128, Place::Padding),
                (128..178, Place::File(2, 0)),
                (178..188, Place::Padding)
            ]
        );
        assert_eq!(files.segments(188..u64::MAX).count(), 0);
        assert_eq!(files.segments(5..5).count(), 0);
    }

    #[test]
    fn never_more_than_a_few_files_are_open() {
        let names: Vec<String> = (0..500).map(|n| format!("{n}")).collect();
        let list: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 3)).collect();
        let (metainfo, bytes) = torrent(&list, 64);
        let world = World::new();
        let files = Files::new(&metainfo, world.folder("data"));
        let permit = |file| files.make(file).map(|()| Permit::Write);
        files.write(0, std::slice::from_ref(&bytes), permit).expect("a disk that works");
        let mut back = vec![0; bytes.len()];
        files.read(0, &mut back).expect("what was written");
        assert_eq!(back, bytes);
        assert!(world.most_open() <= MOST_OPEN as u64 + 1, "{} were open", world.most_open());
    }
}
