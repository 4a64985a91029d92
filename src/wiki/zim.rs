//! The ZIM format (openZIM, versions 5 and 6), read over a file that is far away: pure but for its reads, which go through
//! [`Archive`]. Every length and offset of the file is a stranger's: what is broken is an error, and the rest is served.

mod cluster;
pub mod dirent;
pub mod header;
#[cfg(test)]
mod far;
#[cfg(test)]
mod made_up;
mod lookup;
mod titles;
#[cfg(test)]
#[path = "../../tests/shared/zim_writer.rs"]
pub mod writer;

use std::sync::Arc;

use bytes::Bytes;

use self::dirent::Dirent;
use self::header::Header;
use super::archive::Archive;
use crate::read::{ReadAt, ReadError};

/// Why something of a ZIM file cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ZimError {
    #[error("it is no ZIM file: {0}")]
    NotZim(String),
    /// A sentence without its end: what is broken, and where.
    #[error("the ZIM file is broken: {0}")]
    Broken(String),
    #[error("the ZIM file uses {0}, which was given up long ago and cannot be read")]
    Obsolete(&'static str),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// An entry with its number in the order of paths, where that is known (a search by path need not know it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub dirent: Dirent,
    pub index: Option<u32>,
}

/// A ZIM file. Cheap to clone; all clones are one, with its caches.
#[derive(Clone)]
pub struct Zim(Arc<Inner>);

struct Inner {
    archive: Archive,
    header: Header,
    /// As they stand in the file.
    kinds: Vec<String>,
    lookup: lookup::Lookup,
    clusters: cluster::Clusters,
}

impl Zim {
    /// Reads the header and the list of types, and asks for what lookups need first. Two dependent trips at most.
    pub async fn open(archive: Archive) -> Result<Zim, ZimError> {
        let _ = archive;
        todo!()
    }

    pub fn archive(&self) -> &Archive {
        &self.0.archive
    }

    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The type of a content entry, as the file says it (`text/html`, or with parameters); `None` for others, and where the
    /// file names none.
    pub fn kind(&self, dirent: &Dirent) -> Option<&str> {
        let _ = dirent;
        todo!()
    }

    /// The entry of this namespace and path, byte by byte; redirects are not followed. `None`: there is none.
    pub async fn find(&self, namespace: u8, path: &[u8]) -> Result<Option<Entry>, ZimError> {
        let _ = (namespace, path);
        todo!()
    }

    /// The entry of this number in the order of paths.
    pub async fn entry(&self, index: u32) -> Result<Entry, ZimError> {
        let _ = index;
        todo!()
    }

    /// Where redirects lead, from this entry: itself, if it is none. A loop and a chain of more than 50 are errors.
    pub async fn follow(&self, entry: Entry) -> Result<Entry, ZimError> {
        let _ = entry;
        todo!()
    }

    /// Entries that are articles, in the order of titles, whose title begins so (the first letter's case does not matter); at most so many, redirects
    /// among them.
    pub async fn titles(&self, prefix: &str, most: usize) -> Result<Vec<Entry>, ZimError> {
        let _ = (prefix, most);
        todo!()
    }

    /// An article, any: `random` is a number from 0 to (not including) 1.
    pub async fn any(&self, random: f64) -> Result<Option<Entry>, ZimError> {
        let _ = random;
        todo!()
    }

    /// How many articles [`titles`](Self::titles) chooses from; asks the swarm for nothing.
    pub fn articles(&self) -> Option<u32> {
        todo!()
    }

    /// The first page, redirects followed; `None`: the file names none.
    pub async fn main_page(&self) -> Result<Option<Entry>, ZimError> {
        todo!()
    }

    /// Metadata by name (`Title`, `Language`, `Counter`, ...), at most 1 MiB of it.
    pub async fn metadata(&self, name: &str) -> Result<Option<Bytes>, ZimError> {
        let _ = name;
        todo!()
    }

    /// A picture of so many pixels (48), with its type: the illustration, or the favicon of older files.
    pub async fn illustration(&self, size: u32) -> Result<Option<(Bytes, String)>, ZimError> {
        let _ = size;
        todo!()
    }

    /// What an entry contains. Redirects are not followed; an entry without content is an error.
    pub async fn blob(&self, dirent: &Dirent) -> Result<Blob, ZimError> {
        let _ = dirent;
        todo!()
    }

    /// Asks the swarm for what [`blob`](Self::blob) and a read of it need, and waits until it is there; decodes nothing.
    pub async fn fetch(&self, dirent: &Dirent) -> Result<(), ZimError> {
        let _ = dirent;
        todo!()
    }

    /// True if [`blob`](Self::blob) and a read of it would wait for nobody.
    pub fn is_here(&self, dirent: &Dirent) -> bool {
        let _ = dirent;
        todo!()
    }

    /// Compares the MD5 of the whole file with the one at its end, which fetches all of it. `progress` is told how many bytes
    /// have been read. `None`: the file has no checksum.
    pub async fn verify(&self, progress: impl Fn(u64) + Send) -> Result<Option<bool>, ZimError> {
        let _ = &progress;
        todo!()
    }

    /// Where the entries are that were looked up, as bytes of the file: for [`recall`](Self::recall) in another run.
    pub fn known(&self, dirents: &[Dirent]) -> Vec<u64> {
        let _ = dirents;
        todo!()
    }

    /// Entries of an earlier run, by their places: those that are there and right are known from now on without a trip. The file
    /// is asked for nothing that is not there.
    pub async fn recall(&self, places: &[u64]) {
        let _ = places;
        todo!()
    }
}

/// What an entry contains: bytes that are decoded in memory, or a stretch of the archive.
#[derive(Clone)]
pub enum Blob {
    Decoded(Bytes),
    Stretch { archive: Archive, range: std::ops::Range<u64> },
}

impl Blob {
    /// In bytes.
    pub fn length(&self) -> u64 {
        todo!()
    }

    /// A reader of it alone.
    pub fn reader(&self) -> Box<dyn ReadAt> {
        todo!()
    }

    /// All of it, if it has no more than `most` bytes; else an error that says so.
    pub async fn bytes(&self, most: u64) -> Result<Bytes, ZimError> {
        let _ = most;
        todo!()
    }

    /// These bytes of it, fewer where it ends.
    pub async fn read(&self, range: std::ops::Range<u64>) -> Result<Bytes, ZimError> {
        let _ = range;
        todo!()
    }
}
