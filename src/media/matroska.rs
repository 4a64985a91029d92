//! Matroska and WebM: elements within elements (RFC 8794), of which only the first few are looked at (RFC 9559).

use std::ops::Range;
use std::time::Duration;

use super::Glass;

/// The ID of the header that every such file begins with.
pub(super) const MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

const HEADER: u64 = 0x1a45_dfa3;
const SEGMENT: u64 = 0x1853_8067;
const SEEK_HEAD: u64 = 0x114d_9b74;
const SEEK: u64 = 0x4dbb;
const SEEK_ID: u64 = 0x53ab;
const SEEK_POSITION: u64 = 0x53ac;
const INFO: u64 = 0x1549_a966;
const TIMESTAMP_SCALE: u64 = 0x2a_d7b1;
const DURATION: u64 = 0x4489;
const CLUSTER: u64 = 0x1f43_b675;

/// An element: its ID, and where its contents lie.
struct Element {
    id: u64,
    contents: Range<u64>,
}

pub(super) async fn duration(glass: &mut Glass<'_>) -> Option<Duration> {
    let header = element(glass, 0..glass.length()).await.filter(|header| header.id == HEADER)?;
    let mut place = header.contents.end;
    let segment = loop {
        let found = element(glass, place..glass.length()).await?;
        if found.id == SEGMENT {
            break found.contents;
        }
        place = found.contents.end;
    };
    // Info should come before the film, but it may stand behind it, and the seek head may say where.
    let mut pointed = None;
    let mut place = segment.start;
    loop {
        let found = element(glass, place..segment.end).await?;
        match found.id {
            INFO => return info(glass, found.contents).await,
            SEEK_HEAD => pointed = pointed.or(seek_head(glass, found.contents.clone(), &segment).await),
            CLUSTER => break,
            _ => {}
        }
        place = found.contents.end;
    }
    let found = element(glass, pointed?..segment.end).await.filter(|found| found.id == INFO)?;
    info(glass, found.contents).await
}

/// Where Info is, by the account of the seek head.
async fn seek_head(glass: &mut Glass<'_>, contents: Range<u64>, segment: &Range<u64>) -> Option<u64> {
    let mut place = contents.start;
    while let Some(seek) = element(glass, place..contents.end).await {
        place = seek.contents.end;
        if seek.id != SEEK {
            continue;
        }
        let (mut id, mut position) = (None, None);
        let mut inside = seek.contents.start;
        while let Some(found) = element(glass, inside..seek.contents.end).await {
            inside = found.contents.end;
            match found.id {
                SEEK_ID => id = Some(unsigned(glass, found.contents).await?),
                SEEK_POSITION => position = Some(unsigned(glass, found.contents).await?),
                _ => {}
            }
        }
        if id == Some(INFO) {
            return segment.start.checked_add(position?);
        }
    }
    None
}

/// The duration is in units of the timestamp scale, which is in nanoseconds, and may come after it.
async fn info(glass: &mut Glass<'_>, contents: Range<u64>) -> Option<Duration> {
    let (mut scale, mut units) = (1_000_000, None);
    let mut place = contents.start;
    while let Some(found) = element(glass, place..contents.end).await {
        place = found.contents.end;
        match found.id {
            TIMESTAMP_SCALE => scale = unsigned(glass, found.contents).await?,
            DURATION => units = float(glass, found.contents).await,
            _ => {}
        }
    }
    let seconds = units? * scale as f64 / 1e9;
    Duration::try_from_secs_f64(seconds).ok()
}

async fn unsigned(glass: &mut Glass<'_>, contents: Range<u64>) -> Option<u64> {
    let size = usize::try_from(contents.end - contents.start).ok().filter(|&size| size <= 8)?;
    glass.number(contents.start, size).await
}

async fn float(glass: &mut Glass<'_>, contents: Range<u64>) -> Option<f64> {
    let bits = unsigned(glass, contents.clone()).await?;
    match contents.end - contents.start {
        4 => Some(f64::from(f32::from_bits(u32::try_from(bits).ok()?))),
        8 => Some(f64::from_bits(bits)),
        _ => None,
    }
}

/// The element at the beginning of `within`. One of unknown size, as a live stream has them, goes to the end.
async fn element(glass: &mut Glass<'_>, within: Range<u64>) -> Option<Element> {
    if within.start >= within.end {
        return None;
    }
    let (id, size_at) = variable(glass, within.start, 4).await?;
    let (size, start) = variable(glass, size_at, 8).await?;
    let width = start - size_at;
    // The bit that tells the width is part of an ID, and not of a size.
    let marker = 1u64 << (7 * width);
    let size = size & (marker - 1);
    let end = if size == marker - 1 { within.end } else { start.checked_add(size)?.min(within.end) };
    (start <= end).then_some(Element { id, contents: start..end })
}

/// A number of variable width, its marker included, and where it ends (RFC 8794, section 4).
async fn variable(glass: &mut Glass<'_>, at: u64, widest: u32) -> Option<(u64, u64)> {
    let first = *glass.look(at, 1).await?.first()?;
    let width = first.leading_zeros() + 1;
    if width > widest {
        return None;
    }
    let number = glass.number(at, width as usize).await?;
    Some((number, at + u64::from(width)))
}
