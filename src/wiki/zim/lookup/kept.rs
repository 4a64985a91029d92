//! What was found is kept: entries by their number, and the numbers of paths. Both are bounded.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use crate::wiki::zim::Entry;

/// In bytes, about, in each of two generations.
const ENTRIES: usize = 1024 * 1024;
/// So many in each of two generations; one is 16 bytes.
const NUMBERS: usize = 32 * 1024;
/// What an entry takes besides its path and title, in bytes.
const BESIDES: usize = 200;

/// What was found. When the young are too many they become the old, and the old are forgotten; what is asked for becomes young again.
pub(super) struct Kept {
    hash: RandomState,
    young: HashMap<u32, Entry>,
    old: HashMap<u32, Entry>,
    size: usize,
    young_numbers: HashMap<u64, u32>,
    old_numbers: HashMap<u64, u32>,
}

impl Kept {
    pub(super) fn new() -> Kept {
        Kept {
            hash: RandomState::new(),
            young: HashMap::new(),
            old: HashMap::new(),
            size: 0,
            young_numbers: HashMap::new(),
            old_numbers: HashMap::new(),
        }
    }

    pub(super) fn entry(&mut self, index: u32) -> Option<Entry> {
        if let Some(entry) = self.young.get(&index) {
            return Some(entry.clone());
        }
        let entry = self.old.remove(&index)?;
        self.keep(index, entry.clone());
        Some(entry)
    }

    /// The number that this path had when it was last seen, or that of another with the same hash.
    pub(super) fn number(&mut self, namespace: u8, path: &[u8]) -> Option<u32> {
        let hash = self.hash.hash_one((namespace, path));
        self.young_numbers.get(&hash).or_else(|| self.old_numbers.get(&hash)).copied()
    }

    pub(super) fn add(&mut self, index: u32, entry: Entry) {
        let number = self.hash.hash_one((entry.dirent.namespace, &entry.dirent.path[..]));
        if self.young_numbers.len() >= NUMBERS {
            self.old_numbers = std::mem::take(&mut self.young_numbers);
        }
        self.young_numbers.insert(number, index);
        self.keep(index, entry);
    }

    fn keep(&mut self, index: u32, entry: Entry) {
        self.size += BESIDES + entry.dirent.path.len() + entry.dirent.title().len();
        if self.size > ENTRIES {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.young.insert(index, entry);
    }
}

/// The same in memory of its own: `bytes` are a slice of something larger.
pub(super) fn alone(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
