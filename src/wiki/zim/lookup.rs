//! From a path to its entry, in few trips. How is told in docs/wiki.md, "How a path is found".
//!
//! Nothing here relies on how a file was written but the number of trips. An answer is given only when the path pointers prove it: an entry is
//! where its pointer says, or nothing is between two neighbours. Where the quick way proves nothing, plain bisection decides.

mod entries;
mod here;
mod kept;
mod model;
mod pointers;
mod row;
mod spans;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use self::entries::{Entries, Key};
use self::here::{ask, grain, here_around, is_here};
use self::kept::Kept;
use self::model::Model;
use self::pointers::{POINTER, Pointers};
use self::row::{Row, remember, spread};
use self::spans::{Item, Spans};
use super::super::archive::Archive;
use super::dirent::{Dirent, LONGEST};
use super::header::Header;
use super::{Entry, ZimError};
use crate::lock::lock;

/// What is fetched in advance, at most, in bytes.
const SKELETON: u64 = 16 * 1024 * 1024;
/// So much of an entry is asked for first: nearly all have less.
const USUAL: u64 = 256;
/// So many entries are read at the same time.
const AT_ONCE: usize = 16;

/// Where the first and the last entry begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
}

/// Finds entries.
pub struct Lookup {
    archive: Archive,
    header: Header,
    ends: Mutex<Option<Ends>>,
    /// What is known of the entries, by their bytes.
    spans: Mutex<Spans<Key>>,
    /// What is known of the path pointers.
    pointers: Mutex<Spans<u64>>,
    model: Mutex<Model>,
    kept: Mutex<Kept>,
    /// The places of entries are not in the order of paths.
    is_scattered: AtomicBool,
}

impl Lookup {
    /// `header` has been checked. Asks nothing yet.
    pub fn new(archive: Archive, header: Header) -> Lookup {
        Lookup {
            archive,
            header,
            ends: Mutex::new(None),
            spans: Mutex::new(Spans::new()),
            pointers: Mutex::new(Spans::new()),
            model: Mutex::new(Model::new()),
            kept: Mutex::new(Kept::new()),
            is_scattered: AtomicBool::new(false),
        }
    }

    /// Fetches the first and the last path pointer, which every search begins with: one trip, and the one thing that is worth asking for
    /// together with what a file is opened by.
    pub async fn pin(&self) -> Result<(), ZimError> {
        if self.header.entries > 0 && !self.is_scattered.load(Ordering::Relaxed) {
            self.ends().await?;
        }
        Ok(())
    }

    /// Fetches what every search is the quicker for: the ends of the path pointers, and entries here and there between the first and the
    /// last, 16 MiB at most. May be dropped at any time.
    pub async fn prepare(&self) -> Result<(), ZimError> {
        if self.header.entries < 2 {
            return Ok(());
        }
        let ends = self.ends().await?;
        let Some(entries) = self.row(ends) else { return Ok(()) };
        let range = entries.range();
        let missing = spread(&range, 64).into_iter().find(|&at| !is_here(&self.archive, at));
        let Some(missing) = missing else { return Ok(()) };
        let most = self.skeleton_size(ends, grain(&self.archive, missing));
        let came = |at: u64| {
            let (entries, range) = (&entries, &range);
            async move {
                if is_here(&self.archive, at) {
                    remember(entries, &here_around(&self.archive, at, range)).await?;
                }
                Ok(())
            }
        };
        ask(&self.archive, spread(&range, most), came, |_| true).await
    }

    /// So many places are read in advance.
    fn skeleton_size(&self, ends: Ends, grain: u64) -> u64 {
        let all = ends.last.saturating_sub(ends.first).div_ceil(grain);
        (SKELETON / grain).min(all / 4).clamp(2, 64)
    }

    /// The entry of this namespace and path, byte by byte. Redirects are not followed.
    pub async fn find(&self, namespace: u8, path: &[u8]) -> Result<Option<Entry>, ZimError> {
        let number = lock(&self.kept).number(namespace, path);
        if let Some(number) = number {
            let entry = self.entry(number).await?;
            if entry.dirent.key() == (namespace, path) {
                return Ok(Some(entry));
            }
        }
        match self.place(namespace, path).await? {
            Place::At(entry) => Ok(Some(entry)),
            Place::Before(_) => Ok(None),
        }
    }

    /// The entry of this number in the order of paths.
    pub async fn entry(&self, index: u32) -> Result<Entry, ZimError> {
        if let Some(entry) = lock(&self.kept).entry(index) {
            return Ok(entry);
        }
        let at = self.pointer(index).await?;
        let dirent = self.dirent(at).await?;
        let entry = Entry { dirent, index: Some(index) };
        lock(&self.kept).add(index, entry.clone());
        Ok(entry)
    }

    /// Existing entries of the namespace around a path that need not be there, in the order of paths: `most` at most, as many below as above
    /// where there are so many.
    pub async fn near(&self, namespace: u8, path: &[u8], most: usize) -> Result<Vec<Entry>, ZimError> {
        let middle = match self.place(namespace, path).await? {
            Place::At(Entry { index: Some(index), .. }) => index,
            Place::At(_) => return Ok(Vec::new()),
            Place::Before(index) => index,
        };
        let most = u32::try_from(most).unwrap_or(u32::MAX).min(1000);
        let first = middle.saturating_sub(most / 2);
        let last = first.saturating_add(most).min(self.header.entries);
        let mut near = self.entries((first..last).collect()).await?;
        near.retain(|entry| entry.dirent.namespace == namespace);
        Ok(near)
    }

    /// The entries with these numbers, in their order; read at the same time.
    pub async fn entries(&self, numbers: Vec<u32>) -> Result<Vec<Entry>, ZimError> {
        stream::iter(numbers).map(|index| self.entry(index)).buffered(AT_ONCE).try_collect().await
    }

    /// How many entries there are.
    pub fn entries_count(&self) -> u32 {
        self.header.entries
    }

    /// Where articles and all that they need are; before 6.1 only the articles.
    pub fn content_namespace(&self) -> u8 {
        if self.header.has_new_namespaces() { b'C' } else { b'A' }
    }

    /// The number of the first entry that is not below this path: there, or where it would be.
    pub async fn first_from(&self, namespace: u8, path: &[u8]) -> Result<u32, ZimError> {
        Ok(match self.place(namespace, path).await? {
            Place::At(Entry { index, .. }) => index.unwrap_or(0),
            Place::Before(index) => index,
        })
    }

    /// The places of these entries' path pointers, for [`recall`](Self::recall): of those that were looked up not too long ago.
    pub fn known(&self, dirents: &[Dirent]) -> Vec<u64> {
        let mut kept = lock(&self.kept);
        let numbers = dirents.iter().filter_map(|dirent| kept.number(dirent.namespace, &dirent.path));
        numbers.map(|index| self.pointer_at(index)).collect()
    }

    /// Finds again what [`known`](Self::known) told in another run: what is there is known from now on without a trip, whatever else of
    /// the file is missing. Asks the swarm for nothing.
    pub async fn recall(&self, places: &[u64]) {
        for place in places {
            let from_start = place.saturating_sub(self.header.path_pointers_at);
            let Ok(index) = u32::try_from(from_start / POINTER) else { continue };
            if index >= self.header.entries || self.pointer_at(index) != *place {
                continue;
            }
            if self.archive.to_fetch(*place..*place + POINTER) > 0 {
                continue;
            }
            let Ok(at) = self.pointer(index).await else { continue };
            let end = at.saturating_add(USUAL).min(self.archive.length());
            if self.archive.to_fetch(at..end) == 0 {
                // What is broken is told to who asks for it.
                let _ = self.entry(index).await;
            }
        }
    }
}

/// Where a path has its place.
enum Place {
    At(Entry),
    /// Before the entry of this number, or behind all.
    Before(u32),
}

impl Lookup {
    async fn place(&self, namespace: u8, path: &[u8]) -> Result<Place, ZimError> {
        if self.header.entries == 0 {
            return Ok(Place::Before(0));
        }
        let wanted = Key { namespace, path: kept::alone(path) };
        if let Some(place) = self.place_by_bytes(&wanted).await? {
            return Ok(place);
        }
        self.bisect(&wanted).await
    }

    /// By where entries lie, proven by their pointers. `None`: it cannot be told so.
    async fn place_by_bytes(&self, wanted: &Key) -> Result<Option<Place>, ZimError> {
        if self.header.entries < 2 || self.is_scattered.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let ends = self.ends().await?;
        let Some(entries) = self.row(ends) else { return Ok(None) };
        let Some(gap) = entries.place(wanted).await? else { return Ok(None) };
        let last = self.header.entries - 1;
        let above = match gap.above {
            Some(above) => above.at,
            None => ends.last,
        };
        let number = match gap.below {
            None if above == ends.first => return Ok(Some(Place::Before(0))),
            None => return Ok(None),
            Some(Item { at, key, .. }) => {
                let Some(number) = self.number_of(ends, at).await? else { return Ok(None) };
                if key == *wanted {
                    return self.entry(number).await.map(|entry| Some(Place::At(entry)));
                }
                number
            }
        };
        if self.pointer(number.saturating_add(1).min(last)).await? != above {
            return Ok(None);
        }
        if number + 1 != last {
            return Ok(Some(Place::Before(number + 1)));
        }
        let entry = self.entry(last).await?;
        Ok(Some(match Key::of(&entry.dirent).cmp(wanted) {
            std::cmp::Ordering::Less => Place::Before(last + 1),
            std::cmp::Ordering::Equal => Place::At(entry),
            std::cmp::Ordering::Greater => Place::Before(last),
        }))
    }

    /// The number of the entry that begins at this byte, if one does.
    async fn number_of(&self, ends: Ends, at: u64) -> Result<Option<u32>, ZimError> {
        let pointers = Pointers { lookup: self, ends };
        let below = pointers.place(at).await?.and_then(|gap| gap.below).filter(|below| below.key == at);
        let number =
            |below: Item<u64>| below.at.checked_sub(self.header.path_pointers_at).map(|at| at / POINTER);
        Ok(below.and_then(number).and_then(|number| u32::try_from(number).ok()))
    }

    /// By the path pointers alone: right for every file whose entries are in order, wherever they lie. Three are read at once, for two steps.
    async fn bisect(&self, wanted: &Key) -> Result<Place, ZimError> {
        let (mut low, mut high) = (0, self.header.entries);
        while low < high {
            let middle = low + (high - low) / 2;
            let lower = low + (middle - low) / 2;
            let upper = (middle + 1 + (high - middle - 1) / 2).min(high - 1);
            let probes = [lower, middle, upper];
            let found = try_join_all(probes.map(|index| self.entry(index))).await?;
            for (index, entry) in probes.into_iter().zip(found) {
                match Key::of(&entry.dirent).cmp(wanted) {
                    std::cmp::Ordering::Equal => return Ok(Place::At(entry)),
                    std::cmp::Ordering::Less => low = low.max(index + 1),
                    std::cmp::Ordering::Greater => high = high.min(index),
                }
            }
        }
        Ok(Place::Before(low))
    }

    /// Reads the ends of the path pointers, and whatever comes with them.
    async fn ends(&self) -> Result<Ends, ZimError> {
        let known = *lock(&self.ends);
        if let Some(ends) = known {
            return Ok(ends);
        }
        let (first, last) = try_join(self.pointer(0), self.pointer(self.header.entries - 1)).await?;
        let ends = Ends { first, last };
        *lock(&self.ends) = Some(ends);
        let pointers = Pointers { lookup: self, ends };
        for index in [0, self.header.entries - 1] {
            let at = self.pointer_at(index);
            if is_here(&self.archive, at) {
                remember(&pointers, &here_around(&self.archive, at, &pointers.range())).await?;
            }
        }
        Ok(ends)
    }

    /// The entries as they lie in the file; `None` if they do not lie in the order of paths.
    fn row(&self, ends: Ends) -> Option<Entries<'_>> {
        let enough = ends.last.checked_sub(ends.first)? >= u64::from(self.header.entries - 1) * 8;
        enough.then_some(Entries { lookup: self, ends })
    }

    fn pointer_at(&self, index: u32) -> u64 {
        self.header.path_pointers_at + u64::from(index) * POINTER
    }

    /// Where the entry of this number begins.
    async fn pointer(&self, index: u32) -> Result<u64, ZimError> {
        if index >= self.header.entries {
            let entries = self.header.entries;
            return Err(ZimError::Broken(format!("entry {index} is referred to, and there are {entries}")));
        }
        let at = self.pointer_at(index);
        let bytes = self.archive.read(at..at + POINTER).await?;
        let place = bytes.first_chunk().map_or(u64::MAX, |&eight| u64::from_le_bytes(eight));
        if place >= self.archive.length() {
            return Err(ZimError::Broken(format!("entry {index} would be at byte {place}, beyond the end")));
        }
        Ok(place)
    }

    /// The entry that begins at this byte, in memory of its own.
    async fn dirent(&self, at: u64) -> Result<Dirent, ZimError> {
        for most in [USUAL, LONGEST as u64] {
            let end = at.saturating_add(most).min(self.archive.length());
            let bytes = self.archive.read(at..end).await?;
            if let Some((_, length)) = Dirent::read(&bytes)? {
                let own = Bytes::copy_from_slice(bytes.get(..length.min(bytes.len())).unwrap_or(&bytes));
                if let Some((dirent, _)) = Dirent::read(&own)? {
                    return Ok(dirent);
                }
            }
        }
        Err(ZimError::Broken(format!("the entry at byte {at} does not end")))
    }
}
