//! From a path to its entry: by plain bisection.

use bytes::Bytes;

use super::super::archive::Archive;
use super::dirent::{Dirent, LONGEST};
use super::header::Header;
use super::{Entry, ZimError};

/// Most entries are shorter.
const USUAL: u64 = 256;

/// Finds entries.
pub struct Lookup {
    archive: Archive,
    header: Header,
}

impl Lookup {
    /// `header` has been checked. Asks for nothing yet.
    pub fn new(archive: Archive, header: Header) -> Lookup {
        Lookup { archive, header }
    }

    pub async fn prepare(&self) -> Result<(), ZimError> {
        Ok(())
    }

    pub async fn find(&self, namespace: u8, path: &[u8]) -> Result<Option<Entry>, ZimError> {
        let index = self.first_not_below((namespace, path)).await?;
        if index >= self.header.entries {
            return Ok(None);
        }
        let entry = self.entry(index).await?;
        Ok(Some(entry).filter(|entry| entry.dirent.key() == (namespace, path)))
    }

    pub async fn entry(&self, index: u32) -> Result<Entry, ZimError> {
        if index >= self.header.entries {
            let what = format!("entry {index} is asked for, and there are {} of them", self.header.entries);
            return Err(ZimError::Broken(what));
        }
        let at = self.header.path_pointers_at.saturating_add(8 * u64::from(index));
        let pointer = self.archive.read(at..at.saturating_add(8)).await?;
        let start = pointer.first_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
        for most in [USUAL, LONGEST as u64] {
            let end = start.saturating_add(most).min(self.archive.length());
            if start >= end {
                break;
            }
            let bytes = self.archive.read(start..end).await?;
            if let Some((dirent, _)) = Dirent::read(&Bytes::copy_from_slice(&bytes))? {
                return Ok(Entry { dirent, index: Some(index) });
            }
        }
        Err(ZimError::Broken(format!("entry {index} does not lie within the file")))
    }

    pub async fn near(&self, namespace: u8, path: &[u8], most: usize) -> Result<Vec<Entry>, ZimError> {
        let index = self.first_not_below((namespace, path)).await?;
        let half = u32::try_from(most / 2).unwrap_or(u32::MAX);
        let mut near = Vec::new();
        for index in index.saturating_sub(half)..index.saturating_add(half).min(self.header.entries) {
            let entry = self.entry(index).await?;
            if entry.dirent.namespace == namespace {
                near.push(entry);
            }
        }
        Ok(near)
    }

    pub fn known(&self, _dirents: &[Dirent]) -> Vec<u64> {
        Vec::new()
    }

    pub async fn recall(&self, _places: &[u64]) {}

    async fn first_not_below(&self, key: (u8, &[u8])) -> Result<u32, ZimError> {
        let (mut from, mut to) = (0, self.header.entries);
        while from < to {
            let middle = from + (to - from) / 2;
            if self.entry(middle).await?.dirent.key() < key { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }
}
