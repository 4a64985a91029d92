//! Where clusters begin, and where they end at the latest: the list of cluster pointers, read in pages that are kept.

use std::ops::Range;

use bytes::Bytes;

use super::super::super::archive::Archive;
use super::super::ZimError;
use super::super::header::Header;
use super::recent::Recent;

/// Pointers of a page: 8 KiB.
const PAGE: u32 = 1024;
/// At least so many pages are kept: 2 MiB, which is more than the largest Wikipedia has.
const KEPT: usize = 256;

/// Where a cluster lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From the byte that says how it is compressed. What follows the cluster begins at its end, or before.
    pub range: Range<u64>,
    /// The end is that of the cluster, if all is well; else it is only where something else begins.
    pub is_end_known: bool,
}

/// The list of cluster pointers. Nothing of it is believed before it is asked for: a file with a broken list has all but contents.
pub struct Places {
    archive: Archive,
    header: Header,
    pages: Recent<u32, Bytes>,
}

impl Places {
    pub fn new(archive: Archive, header: Header) -> Places {
        Places { archive, header, pages: Recent::new(KEPT) }
    }

    /// Reads the whole list, if it is of a usual size.
    pub async fn prepare(&self) -> Result<(), ZimError> {
        let pages = self.header.clusters.div_ceil(PAGE);
        if pages as usize > KEPT {
            return Ok(());
        }
        futures_util::future::try_join_all((0..pages).map(|page| self.page(page))).await.map(drop)
    }

    pub async fn of(&self, cluster: u32) -> Result<Place, ZimError> {
        let pages = self.pages_of(cluster)?;
        let (start, next) = futures_util::future::try_join(self.page(pages[0]), self.page(pages[1])).await?;
        self.place(cluster, &start, &next)
    }

    /// If it is known without asking for anything.
    pub fn known(&self, cluster: u32) -> Option<Place> {
        let pages = self.pages_of(cluster).ok()?;
        self.place(cluster, &self.pages.find(pages[0])?, &self.pages.find(pages[1])?).ok()
    }

    /// The pages with this pointer and the next; the same, if there is no next.
    fn pages_of(&self, cluster: u32) -> Result<[u32; 2], ZimError> {
        match self.header.clusters {
            clusters if cluster < clusters => Ok([cluster / PAGE, (cluster + 1).min(clusters - 1) / PAGE]),
            clusters => Err(ZimError::Broken(format!(
                "an entry lies in cluster {cluster}, and there are {clusters} of them"
            ))),
        }
    }

    fn place(&self, cluster: u32, page: &Bytes, next_page: &Bytes) -> Result<Place, ZimError> {
        let pointer = |page: &Bytes, cluster: u32| {
            let at = (cluster % PAGE) as usize * 8;
            page.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
        };
        let end_of_file = self.header.checksum_at.unwrap_or(self.archive.length());
        let start = pointer(page, cluster).filter(|&start| start > 0 && start < end_of_file);
        let Some(start) = start else {
            let what = format!("cluster {cluster} would not lie within the file");
            return Err(ZimError::Broken(what));
        };
        let next = (cluster + 1 < self.header.clusters).then(|| pointer(next_page, cluster + 1)).flatten();
        let next = next.filter(|&next| next > start && next <= end_of_file);
        // Not the title list: newer writers have it within a cluster.
        let lists = [self.header.path_pointers_at, self.header.cluster_pointers_at, self.header.mime_list_at];
        let lists = lists.into_iter().filter(|&at| at > start);
        let end = lists.chain(next).fold(end_of_file, u64::min);
        Ok(Place { range: start..end, is_end_known: next == Some(end) })
    }

    async fn page(&self, number: u32) -> Result<Bytes, ZimError> {
        if let Some(page) = self.pages.find(number) {
            return Ok(page);
        }
        let first = u64::from(number) * u64::from(PAGE);
        let last = (first + u64::from(PAGE)).min(u64::from(self.header.clusters));
        let at = |pointer: u64| self.header.cluster_pointers_at.checked_add(8 * pointer);
        let range = at(first).zip(at(last)).filter(|(_, end)| *end <= self.archive.length());
        let Some((start, end)) = range else {
            return Err(ZimError::Broken("its list of clusters goes on beyond its end".to_owned()));
        };
        // A copy, so that nothing larger is held by it.
        let page = Bytes::copy_from_slice(&self.archive.read(start..end).await?);
        self.pages.keep(number, page.clone());
        Ok(page)
    }
}
