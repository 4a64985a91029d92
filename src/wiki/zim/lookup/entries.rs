//! The entries as a row: openZIM's writers put them one behind the other, in the order of their paths. Nothing relies on that but the number of
//! trips: what is found so is believed only when the path pointers say the same.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::here::grain;
use super::model::Model;
use super::pointers::Pointers;
use super::row::{KNOWN, Row, all, likely, once, place, remember, spread};
use super::spans::{Gap, Item, Spans};
use super::{Ends, Lookup, here};
use crate::lock::lock;
use crate::wiki::archive::Archive;
use crate::wiki::zim::ZimError;
use crate::wiki::zim::dirent::Dirent;

/// So many entries one behind the other, where none was known to begin, are no accident.
const NO_ACCIDENT: usize = 4;
/// If no more than this is missing where a path must be, all of it is asked for at once.
const FEW: u64 = 3;
/// The same when it is time to find it; and never more guesses than this.
const MANY: u64 = 20;
/// What a gap misses is taken to be no more, when guesses are counted.
const MOST_MISSING: u64 = 512;
/// Pieces of so many bytes are small: more of them are asked for at once, rather than one after the other.
const SMALL: u64 = 512 * 1024;

/// What entries are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub namespace: u8,
    pub path: Bytes,
}

impl Key {
    pub(super) fn of(dirent: &Dirent) -> Key {
        Key { namespace: dirent.namespace, path: dirent.path.clone() }
    }

    /// Byte 0 is the namespace.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        match at.checked_sub(1) {
            None => Some(self.namespace),
            Some(at) => self.path.get(at).copied(),
        }
    }

    /// How many bytes both begin with.
    pub(super) fn shared(&self, other: &Key) -> usize {
        if self.namespace != other.namespace {
            return 0;
        }
        1 + self.path.iter().zip(&other.path).take_while(|(a, b)| a == b).count()
    }
}

/// The entries between two known ends.
pub(super) struct Entries<'a> {
    pub lookup: &'a Lookup,
    pub ends: Ends,
}

impl Row for Entries<'_> {
    type Key = Key;

    fn archive(&self) -> &Archive {
        &self.lookup.archive
    }

    fn range(&self) -> Range<u64> {
        self.ends.first..self.ends.last
    }

    fn spans(&self) -> &Mutex<Spans<Key>> {
        &self.lookup.spans
    }

    fn items(&self, at: u64, bytes: &Bytes, is_start: bool) -> Vec<Item<Key>> {
        let items = if is_start { chain(at, bytes, 0) } else { find_start(at, bytes) };
        self.learn(&items);
        items
    }

    fn guess(&self, gap: &Gap<Key>, wanted: &Key) -> u64 {
        let first =
            Key { namespace: gap.above.as_ref().map_or(0, |above| above.key.namespace), path: Bytes::new() };
        let below = gap.below.as_ref().map_or(&first, |below| &below.key);
        let fraction =
            lock(&self.lookup.model).fraction(below, gap.above.as_ref().map(|above| &above.key), wanted);
        let length = gap.between.end.saturating_sub(gap.between.start);
        gap.between.start + ((length as f64 * fraction) as u64).min(length.saturating_sub(1))
    }

    fn places(&self, gap: &Gap<Key>, _wanted: &Key, guess: u64, asked: usize) -> Vec<u64> {
        let archive = self.archive();
        let grain = grain(archive, guess);
        let missing = archive.to_fetch(gap.between.clone()).div_ceil(grain);
        // After this step there are so many: they have to get through what is missing, the last of them through all that is left.
        let most = missing.min(MOST_MISSING) as f64;
        let steps: usize = if grain <= SMALL { 2 } else { 3 };
        let guesses = match steps.saturating_sub(asked) {
            3.. => most.cbrt(),
            2 => most.sqrt(),
            _ => most,
        };
        let is_unknown = lock(&self.lookup.spans).len() < KNOWN;
        let at_once = if asked + 1 < steps { FEW } else { MANY };
        let mut places = match all(archive, &gap.between, grain, at_once) {
            Some(all) => all,
            None if is_unknown => {
                spread(&gap.between, self.lookup.skeleton_size(self.ends, grain).div_ceil(2).max(4))
            }
            None => likely(&gap.between, guess, (guesses.ceil() as u64).min(MANY)),
        };
        places = once(archive, places);
        let pointers = Pointers { lookup: self.lookup, ends: self.ends };
        places.extend(pointers.beside(&gap.between, guess));
        places
    }

    async fn came_beside(&self, at: u64) -> Result<(), ZimError> {
        let pointers = Pointers { lookup: self.lookup, ends: self.ends };
        let extent = here::here_around(self.archive(), at, &pointers.range());
        remember(&pointers, &extent).await.map(|_| ())
    }

    fn alone(&self, key: &Key) -> Key {
        Key { namespace: key.namespace, path: Bytes::copy_from_slice(&key.path) }
    }

    fn weight(&self, key: &Key) -> usize {
        key.path.len()
    }
}

impl Entries<'_> {
    /// The place of a path, by where entries lie.
    pub(super) async fn place(&self, wanted: &Key) -> Result<Option<Gap<Key>>, ZimError> {
        place(self, wanted).await
    }

    fn learn(&self, items: &[Item<Key>]) {
        let mut model = lock(&self.lookup.model);
        for pair in items.windows(2) {
            if let [previous, item] = pair {
                Model::learn(&mut model, &previous.key, &item.key);
            }
        }
    }
}

/// The entries from byte `from` of `bytes` on, as long as they are whole and in ascending order.
fn chain(at: u64, bytes: &Bytes, from: usize) -> Vec<Item<Key>> {
    let mut items: Vec<Item<Key>> = Vec::new();
    let mut from = from;
    while let Ok(Some((dirent, length))) = Dirent::read(&bytes.slice(from.min(bytes.len())..)) {
        let start = at + from as u64;
        let item = Item { at: start, end: start + length as u64, key: Key::of(&dirent) };
        if item.key.path.is_empty() || items.last().is_some_and(|last| last.key >= item.key) {
            break;
        }
        from += length;
        if from > bytes.len() {
            break;
        }
        items.push(item);
    }
    items
}

/// The same from the first byte on where an entry seems to begin: it has no parameters, revision 0, and others behind it.
fn find_start(at: u64, bytes: &Bytes) -> Vec<Item<Key>> {
    let could_be =
        |head: &[u8]| matches!(head, [_, _, 0, namespace, 0, 0, 0, 0] if namespace.is_ascii_graphic());
    for (from, _) in bytes.windows(8).enumerate().filter(|(_, head)| could_be(head)) {
        let items = chain(at, bytes, from);
        let reached_end = items.last().is_some_and(|last| bytes.len() as u64 - (last.end - at) < 512);
        if items.len() >= NO_ACCIDENT || (items.len() >= 2 && reached_end) {
            return items;
        }
    }
    Vec::new()
}
