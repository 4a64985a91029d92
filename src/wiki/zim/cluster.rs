//! Clusters: where they are, how they are compressed, and which of them are kept decoded (openZIM, "ZIM file format", clusters).

mod chunks;
mod decoder;
mod offsets;
mod places;
mod recent;
mod unpack;

use std::ops::Range;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use self::chunks::Chunks;
use self::offsets::Offsets;
use self::places::{Place, Places};
use self::recent::Recent;
use self::unpack::{Packed, Unpacked};
use super::super::archive::Archive;
use super::ZimError;
use super::blob::Blob;
use super::header::Header;

/// Decoded clusters that are kept, in bytes.
const KEPT: u64 = 16 * 1024 * 1024;
/// Clusters of which the shape is kept, and entries of which the place is; each takes some dozen bytes.
const KEPT_SHAPES: usize = 4096;
/// A cluster of no more bytes is asked for whole where it is likely to be compressed, before that is known.
const ASKED_WHOLE: u64 = 4 * 1024 * 1024;
/// So much of a cluster is read to see how it is made.
const HEAD: u64 = 4096;
/// So many clusters are decoded at the same time: of those that are there (more would be no faster), and of those whose bytes
/// are still coming. Each takes twice its decoded bytes.
const DECODING: usize = 2;
const COMING: usize = 6;

/// The clusters of a file.
pub struct Clusters {
    archive: Archive,
    places: Places,
    shapes: Recent<u32, Shape>,
    /// Blobs that are not compressed, and where in the file they are.
    stretches: Recent<(u32, u32), (u64, u64)>,
    /// A cluster, or one blob of a cluster that is too large to be kept.
    kept: moka::future::Cache<(u32, Option<u32>), Kept>,
    decoding: Semaphore,
    coming: Semaphore,
}

/// How a cluster is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain {
        offsets: Offsets,
        /// Bytes of all offsets.
        length: u64,
    },
    Packed(Packed),
}

#[derive(Clone)]
enum Kept {
    /// There is nothing to decode.
    Plain,
    Cluster(Packed, Unpacked),
    Blob(Bytes),
}

impl Clusters {
    /// `header` has been checked. Asks for nothing.
    pub fn new(archive: Archive, header: Header) -> Clusters {
        let kept = moka::future::Cache::builder().max_capacity(KEPT).weigher(|_, kept: &Kept| {
            let length = match kept {
                Kept::Plain => 0,
                Kept::Cluster(_, Unpacked::Whole(bytes) | Unpacked::Offsets(bytes)) => bytes.len(),
                Kept::Blob(bytes) => bytes.len(),
            };
            u32::try_from(length + 256).unwrap_or(u32::MAX)
        });
        Clusters {
            places: Places::new(archive.clone(), header),
            archive,
            shapes: Recent::new(KEPT_SHAPES),
            stretches: Recent::new(KEPT_SHAPES),
            kept: kept.build(),
            decoding: Semaphore::new(DECODING),
            coming: Semaphore::new(COMING),
        }
    }

    /// Reads the list of clusters, if it is of a usual size: from then on, a cluster is one trip.
    pub async fn prepare(&self) -> Result<(), ZimError> {
        self.places.prepare().await
    }

    /// A blob of a cluster. `is_text`: it is likely to be compressed, so that all of its cluster is asked for at once.
    pub async fn blob(&self, cluster: u32, blob: u32, is_text: bool) -> Result<Blob, ZimError> {
        if let Some((start, end)) = self.stretches.find((cluster, blob)) {
            return Ok(Blob::Stretch { archive: self.archive.clone(), range: start..end });
        }
        let kept = match self.shapes.find(cluster) {
            Some(Shape::Plain { .. }) => Kept::Plain,
            _ => self.keep((cluster, None), self.unpack(cluster, is_text)).await?,
        };
        match kept {
            Kept::Plain => {
                let range = self.stretch(cluster, blob).await?;
                Ok(Blob::Stretch { archive: self.archive.clone(), range })
            }
            Kept::Cluster(packed, Unpacked::Whole(bytes)) => {
                let range = packed.offsets().of(&bytes, blob)?;
                match (usize::try_from(range.start), usize::try_from(range.end)) {
                    (Ok(start), Ok(end)) if end <= bytes.len() => Ok(Blob::Decoded(bytes.slice(start..end))),
                    _ => Err(beyond(cluster, blob)),
                }
            }
            Kept::Cluster(packed, Unpacked::Offsets(offsets)) => {
                let range = packed.offsets().of(&offsets, blob)?;
                match self.keep((cluster, Some(blob)), self.unpack_part(cluster, packed, range)).await? {
                    Kept::Blob(bytes) => Ok(Blob::Decoded(bytes)),
                    _ => Err(beyond(cluster, blob)),
                }
            }
            Kept::Blob(bytes) => Ok(Blob::Decoded(bytes)),
        }
    }

    /// Waits until everything that [`blob`](Self::blob) and a read of it need is there; decodes nothing that it need not.
    pub async fn fetch(&self, cluster: u32, blob: u32, is_text: bool) -> Result<(), ZimError> {
        let place = self.places.of(cluster).await?;
        let shape = match self.shapes.find(cluster) {
            None if is_text && is_asked_whole(&place) => {
                chunks::fetch(&self.archive, place.range.clone()).await?;
                self.shape(cluster, &place).await?
            }
            None => self.shape(cluster, &place).await?,
            Some(shape) => shape,
        };
        match shape {
            Shape::Plain { .. } => chunks::fetch(&self.archive, self.stretch(cluster, blob).await?).await,
            Shape::Packed(_) if place.is_end_known => chunks::fetch(&self.archive, place.range).await,
            // Where it ends shows in decoding it.
            Shape::Packed(_) => self.blob(cluster, blob, is_text).await.map(drop),
        }
    }

    /// True if [`blob`](Self::blob) and a read of it would wait for nobody. False as well where that is not known: what is there
    /// on the disk, but was never looked at.
    pub fn is_here(&self, cluster: u32, blob: u32) -> bool {
        if self.kept.contains_key(&(cluster, Some(blob))) {
            return true;
        }
        if let Some((start, end)) = self.stretches.find((cluster, blob)) {
            return self.archive.to_fetch(start..end) == 0;
        }
        // It is asked only for what it has at hand: where it would wait for that, the answer is "not known".
        if let Some(Some(Kept::Cluster(_, Unpacked::Whole(_)))) =
            self.kept.get(&(cluster, None)).now_or_never()
        {
            return true;
        }
        self.places.known(cluster).is_some_and(|place| self.archive.to_fetch(place.range) == 0)
    }

    async fn keep(
        &self,
        key: (u32, Option<u32>),
        make: impl Future<Output = Result<Kept, ZimError>>,
    ) -> Result<Kept, ZimError> {
        self.kept.try_get_with(key, make).await.map_err(|why| ZimError::clone(&why))
    }

    /// Looks how a cluster is made, and decodes it if it is compressed.
    async fn unpack(&self, cluster: u32, is_text: bool) -> Result<Kept, ZimError> {
        let place = self.places.of(cluster).await?;
        if !is_text || !is_asked_whole(&place) {
            let Shape::Packed(packed) = self.shape(cluster, &place).await? else { return Ok(Kept::Plain) };
            let _turn = self.turn(&place.range).await;
            let input =
                Chunks::new(&self.archive, place.range.start + 1..place.range.end, place.is_end_known);
            return Ok(Kept::Cluster(packed, unpack::whole(packed, input).await?));
        }
        let _turn = self.turn(&place.range).await;
        let mut input = Chunks::new(&self.archive, place.range.clone(), true);
        let head = input.next().await?.unwrap_or_default();
        match self.shape_of(cluster, &place, &head)? {
            Shape::Plain { .. } => Ok(Kept::Plain),
            Shape::Packed(packed) => {
                input.put_back(head.slice(1..));
                Ok(Kept::Cluster(packed, unpack::whole(packed, input).await?))
            }
        }
    }

    async fn unpack_part(&self, cluster: u32, packed: Packed, range: Range<u64>) -> Result<Kept, ZimError> {
        let place = self.places.of(cluster).await?;
        let _turn = self.turn(&place.range).await;
        let input = Chunks::new(&self.archive, place.range.start + 1..place.range.end, place.is_end_known);
        unpack::part(packed, input, range).await.map(Kept::Blob)
    }

    /// Waits for one's turn to decode. What is there does not wait for what is not.
    async fn turn(&self, range: &Range<u64>) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let turns = if self.archive.to_fetch(range.clone()) == 0 { &self.decoding } else { &self.coming };
        turns.acquire().await.ok()
    }

    /// Where in the file a blob is that is not compressed.
    async fn stretch(&self, cluster: u32, blob: u32) -> Result<Range<u64>, ZimError> {
        if let Some((start, end)) = self.stretches.find((cluster, blob)) {
            return Ok(start..end);
        }
        let place = self.places.of(cluster).await?;
        let Shape::Plain { offsets, length } = self.shape(cluster, &place).await? else {
            return Err(beyond(cluster, blob));
        };
        let data = place.range.start + 1;
        let pair = offsets.place(blob);
        let pair = data + pair.start..data + pair.end.min(length).max(pair.start);
        if pair.end > place.range.end {
            return Err(beyond(cluster, blob));
        }
        let pair = self.archive.read(pair).await?;
        let range = offsets.pair(&pair, length, blob)?;
        match (data.checked_add(range.start), data.checked_add(range.end)) {
            (Some(start), Some(end)) if end <= place.range.end => {
                self.stretches.keep((cluster, blob), (start, end));
                Ok(start..end)
            }
            _ => Err(beyond(cluster, blob)),
        }
    }

    async fn shape(&self, cluster: u32, place: &Place) -> Result<Shape, ZimError> {
        if let Some(shape) = self.shapes.find(cluster) {
            return Ok(shape);
        }
        let end = place.range.end.min(place.range.start.saturating_add(HEAD));
        let head = self.archive.read(place.range.start..end).await?;
        self.shape_of(cluster, place, &head)
    }

    /// From the first bytes of a cluster. Of one that is not compressed, they are remembered only as a shape.
    fn shape_of(&self, cluster: u32, place: &Place, head: &[u8]) -> Result<Shape, ZimError> {
        let Some((&info, data)) = head.split_first() else { return Err(beyond(cluster, 0)) };
        let offsets = Offsets { is_extended: info & 0x10 != 0 };
        let shape = match info & 0x0f {
            0 | 1 => {
                let length = offsets.length(data)?;
                if length > place.range.end - place.range.start - 1 {
                    return Err(beyond(cluster, 0));
                }
                Shape::Plain { offsets, length }
            }
            2 => return Err(ZimError::Obsolete("zlib")),
            3 => return Err(ZimError::Obsolete("bzip2")),
            4 => Shape::Packed(Packed { is_zstd: false, is_extended: offsets.is_extended }),
            5 => Shape::Packed(Packed { is_zstd: true, is_extended: offsets.is_extended }),
            other => {
                let what = format!("cluster {cluster} is compressed in a way that nobody knows ({other})");
                return Err(ZimError::Broken(what));
            }
        };
        self.shapes.keep(cluster, shape);
        Ok(shape)
    }
}

fn is_asked_whole(place: &Place) -> bool {
    place.is_end_known && place.range.end - place.range.start <= ASKED_WHOLE
}

fn beyond(cluster: u32, blob: u32) -> ZimError {
    ZimError::Broken(format!("blob {blob} of cluster {cluster} goes on beyond the end of its cluster"))
}
