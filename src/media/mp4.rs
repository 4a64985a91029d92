//! MP4 and QuickTime: boxes within boxes (ISO/IEC 14496-12, section 4.2).

use std::ops::Range;
use std::time::Duration;

use super::Glass;

/// What a file of this kind may begin with. A file that begins with anything else is of another kind, and its bytes are
/// not to be taken for the lengths of boxes.
const FIRST: [&[u8; 4]; 12] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"moof", b"uuid",
    b"udta",
];

/// Of a segment index, so much of the file must be told of: else it is one of many, each for its own part.
const MOST_OF_IT: f64 = 0.9;
/// A `moov` that is larger has tables of samples.
const MOST_WITHOUT_TABLES: u64 = 64 * 1024;
/// References of a segment index that are read; one a few seconds is usual, so that is some hours.
const MOST_REFERENCES: u64 = 4096;

/// A box (an atom, in QuickTime's word): its kind, and where its contents lie.
struct Atom {
    kind: [u8; 4],
    contents: Range<u64>,
}

pub(super) async fn duration(glass: &mut Glass<'_>) -> Option<Duration> {
    let mut place = 0;
    let mut is_first = true;
    let mut in_fragments = false;
    while let Some(found) = read_atom(glass, place..glass.length()).await {
        if std::mem::take(&mut is_first) && !FIRST.contains(&&found.kind) {
            return None;
        }
        place = found.contents.end;
        match &found.kind {
            b"moov" => match movie(glass, found.contents).await? {
                Movie::Lasts(duration) => return Some(duration),
                // There may be an index of them.
                Movie::InFragments => in_fragments = true,
            },
            b"sidx" => return segments(glass, found.contents).await,
            b"moof" if in_fragments => return None,
            _ => {}
        }
    }
    None
}

enum Movie {
    Lasts(Duration),
    /// And does not tell how long they are together.
    InFragments,
}

/// `moov`: the duration is in `mvhd`; where the film is in fragments, which `mvex` tells, in `mvex`/`mehd`, by the clock of
/// `mvhd` (section 8.8.2), for `mvhd` then tells of the first fragment at most.
async fn movie(glass: &mut Glass<'_>, contents: Range<u64>) -> Option<Movie> {
    let mut place = contents.start;
    let mut header = None;
    while let Some(found) = read_atom(glass, place..contents.end).await {
        place = found.contents.end;
        match &found.kind {
            b"mvhd" => {
                let read = movie_header(glass, found.contents.start).await?;
                // Tables of samples, which a film in fragments does not have: no need to look for more.
                if read.units.is_some() && contents.end - contents.start > MOST_WITHOUT_TABLES {
                    return Some(Movie::Lasts(units_of(read.units?, read.timescale)?));
                }
                header = Some(read);
            }
            b"mvex" => {
                let first = read_atom(glass, found.contents).await.filter(|first| &first.kind == b"mehd");
                let Some(mehd) = first else { return Some(Movie::InFragments) };
                let at = mehd.contents.start;
                let size = if glass.number(at, 1).await? == 0 { 4 } else { 8 };
                let units = glass.number(at + 4, size).await?;
                return Some(match (units, header) {
                    (1.., Some(header)) => Movie::Lasts(units_of(units, header.timescale)?),
                    _ => Movie::InFragments,
                });
            }
            _ => {}
        }
    }
    let header = header?;
    Some(Movie::Lasts(units_of(header.units?, header.timescale)?))
}

struct MovieHeader {
    timescale: u64,
    units: Option<u64>,
}

/// `mvhd` (section 8.2.2).
async fn movie_header(glass: &mut Glass<'_>, at: u64) -> Option<MovieHeader> {
    let (timescale, units, unknown) = match glass.number(at, 1).await? {
        0 => (glass.number(at + 12, 4).await?, glass.number(at + 16, 4).await?, u64::from(u32::MAX)),
        1 => (glass.number(at + 20, 4).await?, glass.number(at + 24, 8).await?, u64::MAX),
        _ => return None,
    };
    Some(MovieHeader { timescale, units: Some(units).filter(|&units| units != 0 && units != unknown) })
}

/// `sidx` (section 8.16.3), if it is one for the whole file.
async fn segments(glass: &mut Glass<'_>, contents: Range<u64>) -> Option<Duration> {
    let at = contents.start;
    let version = glass.number(at, 1).await?;
    let timescale = glass.number(at + 8, 4).await?;
    let times = at + if version == 0 { 20 } else { 28 };
    let count = glass.number(times + 2, 2).await?;
    let (mut bytes, mut units) = (0u64, 0u64);
    for reference in 0..count.min(MOST_REFERENCES) {
        let at = times + 4 + reference * 12;
        // The highest bit tells what is referred to: an index of its own, or media.
        bytes += glass.number(at, 4).await? & 0x7fff_ffff;
        units += glass.number(at + 4, 4).await?;
    }
    let is_whole = count <= MOST_REFERENCES && bytes as f64 >= glass.length() as f64 * MOST_OF_IT;
    if is_whole { units_of(units, timescale) } else { None }
}

fn units_of(units: u64, timescale: u64) -> Option<Duration> {
    let seconds = units.checked_div(timescale)?;
    // A timescale has 32 bits, so this has less than 62.
    let nanos = (units % timescale) * 1_000_000_000 / timescale;
    Some(Duration::new(seconds, u32::try_from(nanos).ok()?))
}

/// The box at the beginning of `within`; `None` where there is none that has an end there.
async fn read_atom(glass: &mut Glass<'_>, within: Range<u64>) -> Option<Atom> {
    let header = glass.look(within.start, 8).await?;
    let (size, kind) = header.split_at_checked(4)?;
    let kind: [u8; 4] = kind.try_into().ok()?;
    let (header, size) = match super::big_endian(size) {
        // To the end.
        0 => (8, within.end.checked_sub(within.start)?),
        1 => (16, glass.number(within.start + 8, 8).await?),
        size => (8, size),
    };
    let end = within.start.checked_add(size).filter(|_| size >= header)?;
    let contents = within.start + header..end.min(within.end);
    (contents.start <= contents.end && within.start < within.end).then_some(Atom { kind, contents })
}
