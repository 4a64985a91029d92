//! The ZIM format (openZIM, versions 5 and 6), read over a file that is far away: pure but for its reads, which go through
//! [`Archive`]. Every length and offset of the file is a stranger's: what is broken is an error, and the rest is served.

mod blob;
mod checksum;
mod cluster;
pub mod dirent;
#[cfg(test)]
mod far;
pub mod header;
mod kinds;
mod lookup;
#[cfg(test)]
mod made_up;
pub mod metadata;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
mod titles;
#[cfg(test)]
#[path = "../../tests/shared/zim_writer.rs"]
pub mod writer;

use std::sync::Arc;

use tokio::sync::OnceCell;

pub use self::blob::Blob;
use self::dirent::{Dirent, Target};
use self::header::Header;
use self::titles::Titles;
use super::archive::Archive;
use crate::read::ReadError;

/// Redirects that are followed one behind the other, as libzim does.
const MOST_REDIRECTS: usize = 50;
/// Read at the start: the header, and the list of types, which stands right behind it.
const BEGINNING: u64 = 4096;

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
    /// A sentence without its end: what is more than can be read.
    #[error("it is too large: {0}")]
    TooLarge(String),
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
    titles: OnceCell<Titles>,
}

impl Zim {
    /// Reads the header and the list of types, and asks for what every lookup begins with. Two dependent trips, in files of usual
    /// writers.
    pub async fn open(archive: Archive) -> Result<Zim, ZimError> {
        let beginning = archive.read(0..archive.length().min(BEGINNING)).await?;
        let header = Header::read(&beginning, archive.length())?;
        let lookup = lookup::Lookup::new(archive.clone(), header.clone());
        // What of the path list is broken shows in lookups, and what is not is served.
        let (kinds, _) =
            futures_util::future::join(kinds::read(&archive, &header, &beginning), lookup.pin()).await;
        let kinds = kinds?;
        let clusters = cluster::Clusters::new(archive.clone(), header.clone());
        let titles = OnceCell::new();
        Ok(Zim(Arc::new(Inner { archive, header, kinds, lookup, clusters, titles })))
    }

    /// Asks for what all lookups need, so that those after it are short: behind the first page, if there is time. May be dropped.
    pub async fn prepare(&self) -> Result<(), ZimError> {
        // What is broken shows where it is needed: the one must not keep the other from its part.
        let prepared = futures_util::future::join3(
            self.0.lookup.prepare(),
            self.0.clusters.prepare(),
            self.all_titles(),
        );
        let (lookup, clusters, titles) = prepared.await;
        lookup.and(clusters).and(titles.map(drop))
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
        match dirent.target {
            Target::Content { kind, .. } => self.0.kinds.get(usize::from(kind)).map(String::as_str),
            Target::Redirect { .. } | Target::Nothing => None,
        }
    }

    /// The entry of this namespace and path, byte by byte; redirects are not followed. `None`: there is none.
    pub async fn find(&self, namespace: u8, path: &[u8]) -> Result<Option<Entry>, ZimError> {
        self.0.lookup.find(namespace, path).await
    }

    /// The entry of this number in the order of paths.
    pub async fn entry(&self, index: u32) -> Result<Entry, ZimError> {
        self.0.lookup.entry(index).await
    }

    /// For a path that is not there: the entries of its namespace just below and above, in their order; at most so many.
    pub async fn near(&self, namespace: u8, path: &[u8], most: usize) -> Result<Vec<Entry>, ZimError> {
        self.0.lookup.near(namespace, path, most).await
    }

    /// Where redirects lead, from this entry: itself, if it is none. A loop and a chain of more than 50 are errors.
    pub async fn follow(&self, entry: Entry) -> Result<Entry, ZimError> {
        let mut entry = entry;
        for _ in 0..=MOST_REDIRECTS {
            let Target::Redirect { entry: next } = entry.dirent.target else { return Ok(entry) };
            entry = self.entry(next).await?;
        }
        let path = String::from_utf8_lossy(&entry.dirent.path).into_owned();
        let what = format!("redirects lead on and on, or in a circle, through \u{201c}{path}\u{201d}");
        Err(ZimError::Broken(what))
    }

    /// Entries that are articles, in the order of titles, whose title begins so (the first letter's case does not matter); at most
    /// so many, redirects among them.
    pub async fn titles(&self, prefix: &str, most: usize) -> Result<Vec<Entry>, ZimError> {
        self.all_titles().await?.starting_with(&self.0.lookup, prefix, most).await
    }

    /// An article, any: `random` is a number from 0 to (not including) 1.
    pub async fn any(&self, random: f64) -> Result<Option<Entry>, ZimError> {
        /// Where the list has more than articles, the next number is taken, so often.
        const TRIES: u32 = 16;
        /// Its multiples are spread evenly over 0 to 1.
        const GOLDEN: f64 = 0.618_033_988_749_895;
        let titles = self.all_titles().await?;
        let count = titles.count();
        for number in (0..TRIES.min(count)).map(|turn| (random + f64::from(turn) * GOLDEN).fract()) {
            let number = (number * f64::from(count)) as u32;
            let entry = match titles.at(&self.0.lookup, number.min(count - 1)).await {
                Ok(entry) => self.follow(entry).await,
                Err(why) => Err(why),
            };
            match entry {
                Ok(entry) if self.is_article(&entry.dirent) => return Ok(Some(entry)),
                // One broken entry is no reason to show none.
                Ok(_) | Err(ZimError::Broken(_)) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(None)
    }

    /// How many articles [`titles`](Self::titles) chooses from; asks the swarm for nothing, so that it is unknown at first.
    pub fn articles(&self) -> Option<u32> {
        self.0.titles.get().map(Titles::count)
    }

    /// The first page, redirects followed; `None`: the file names none.
    pub async fn main_page(&self) -> Result<Option<Entry>, ZimError> {
        let named = match self.0.header.main_page {
            Some(index) => self.entry(index).await.map(Some),
            None => Ok(None),
        };
        let named = match named {
            Ok(None) | Err(ZimError::Broken(_)) => self.find(b'W', b"mainPage").await,
            named => named,
        };
        match named? {
            Some(entry) => self.follow(entry).await.map(Some),
            None => Ok(None),
        }
    }

    /// What an entry contains. Redirects are not followed; an entry without content is an error.
    pub async fn blob(&self, dirent: &Dirent) -> Result<Blob, ZimError> {
        let (cluster, blob) = place(dirent)?;
        self.0.clusters.blob(cluster, blob, self.is_text(dirent)).await
    }

    /// Asks the swarm for what [`blob`](Self::blob) and a read of it need, and waits until it is there; decodes nothing, where
    /// that can be avoided.
    pub async fn fetch(&self, dirent: &Dirent) -> Result<(), ZimError> {
        let (cluster, blob) = place(dirent)?;
        self.0.clusters.fetch(cluster, blob, self.is_text(dirent)).await
    }

    /// True if [`blob`](Self::blob) and a read of it would wait for nobody. Where that is not known in this run, false: what was
    /// fetched in another run is known after [`prepare`](Self::prepare), or a first look.
    pub fn is_here(&self, dirent: &Dirent) -> bool {
        place(dirent).is_ok_and(|(cluster, blob)| self.0.clusters.is_here(cluster, blob))
    }

    /// Compares the MD5 of the whole file with the one at its end, which fetches all of it. `progress` is told how many bytes
    /// have been read. `None`: the file has no checksum.
    pub async fn verify(&self, progress: impl Fn(u64) + Send) -> Result<Option<bool>, ZimError> {
        checksum::verify(&self.0.archive, &self.0.header, progress).await
    }

    /// Where the entries are that were looked up, as bytes of the file: for [`recall`](Self::recall) in another run.
    pub fn known(&self, dirents: &[Dirent]) -> Vec<u64> {
        self.0.lookup.known(dirents)
    }

    /// Entries of an earlier run, by their places: those that are there and right are known from now on without a trip. The file
    /// is asked for nothing that is not there.
    pub async fn recall(&self, places: &[u64]) {
        self.0.lookup.recall(places).await;
    }

    /// The order of titles: the list of articles, else that of all entries, else the header's, else the order of paths.
    async fn all_titles(&self) -> Result<&Titles, ZimError> {
        let find = async {
            for path in ["listing/titleOrdered/v1", "listing/titleOrdered/v0"] {
                let blob = match self.find(b'X', path.as_bytes()).await {
                    Ok(Some(entry)) => self.blob(&entry.dirent).await,
                    Ok(None) => continue,
                    Err(why) => Err(why),
                };
                match blob {
                    Ok(list) => return Ok(Titles::of_blob(list)),
                    Err(why @ ZimError::Read(_)) => return Err(why),
                    // One that is broken is as none.
                    Err(_) => {}
                }
            }
            Ok(match self.0.header.title_pointers_at {
                Some(_) => Titles::of_header(self.0.archive.clone(), &self.0.header),
                None => Titles::of_paths(&self.0.header),
            })
        };
        self.0.titles.get_or_try_init(|| find).await
    }

    /// Whether it is a page for people, in the namespace of content.
    fn is_article(&self, dirent: &Dirent) -> bool {
        let namespace = if self.0.header.has_new_namespaces() { b'C' } else { b'A' };
        dirent.namespace == namespace && self.kind(dirent).is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// Whether its cluster is likely to be compressed: writers compress what is made of letters.
    fn is_text(&self, dirent: &Dirent) -> bool {
        self.kind(dirent).is_some_and(|kind| {
            let letters = ["javascript", "json", "xml", "svg", "html"];
            kind.starts_with("text/") || letters.iter().any(|letters| kind.contains(letters))
        })
    }
}

/// The cluster and the blob of an entry with content.
fn place(dirent: &Dirent) -> Result<(u32, u32), ZimError> {
    match dirent.target {
        Target::Content { cluster, blob, .. } => Ok((cluster, blob)),
        Target::Redirect { .. } | Target::Nothing => {
            let path = String::from_utf8_lossy(&dirent.path).into_owned();
            Err(ZimError::Broken(format!("\u{201c}{path}\u{201d} is read, and has no content")))
        }
    }
}
