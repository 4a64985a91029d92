//! From the beginning of a title to articles: by plain bisection.

use super::super::archive::Archive;
use super::blob::Blob;
use super::header::Header;
use super::lookup::Lookup;
use super::{Entry, ZimError};

/// Entries in the order of their titles.
pub struct Titles {
    /// `None`: the order of paths stands in for it.
    list: Option<Blob>,
    count: u32,
    /// Of the entries that are meant.
    namespace: Option<u8>,
}

impl Titles {
    pub fn of_blob(list: Blob) -> Titles {
        let count = u32::try_from(list.length() / 4).unwrap_or(u32::MAX);
        Titles { list: Some(list), count, namespace: None }
    }

    pub fn of_header(archive: Archive, header: &Header) -> Titles {
        let start = header.title_pointers_at.unwrap_or_default();
        let range = start..start.saturating_add(4 * u64::from(header.entries));
        let list = Some(Blob::Stretch { archive, range });
        Titles { list, count: header.entries, namespace: Some(content(header)) }
    }

    pub fn of_paths(header: &Header) -> Titles {
        Titles { list: None, count: header.entries, namespace: Some(content(header)) }
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub async fn starting_with(
        &self,
        lookup: &Lookup,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<Entry>, ZimError> {
        let (mut from, mut to) = (0, self.count);
        let key =
            |entry: &Entry| (self.namespace.map(|_| entry.dirent.namespace), entry.dirent.title().clone());
        let wanted = (self.namespace, bytes::Bytes::copy_from_slice(prefix.as_bytes()));
        while from < to {
            let middle = from + (to - from) / 2;
            if key(&self.at(lookup, middle).await?) < wanted { from = middle + 1 } else { to = middle }
        }
        let mut found = Vec::new();
        while found.len() < most && from < self.count {
            let entry = self.at(lookup, from).await?;
            if key(&entry).0 != self.namespace || !entry.dirent.title().starts_with(prefix.as_bytes()) {
                break;
            }
            found.push(entry);
            from += 1;
        }
        Ok(found)
    }

    pub async fn at(&self, lookup: &Lookup, number: u32) -> Result<Entry, ZimError> {
        let Some(list) = &self.list else { return lookup.entry(number).await };
        let at = 4 * u64::from(number);
        let index = list.read(at..at + 4).await?;
        let index = index.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
        lookup.entry(index).await
    }
}

fn content(header: &Header) -> u8 {
    if header.has_new_namespaces() { b'C' } else { b'A' }
}
