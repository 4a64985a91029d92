use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::{CHUNK, MOST_READS, duration};
use crate::read::{ReadAt, ReadError};

/// A file in memory that keeps count of its reads.
struct Memory {
    bytes: Vec<u8>,
    /// What one read gives at most.
    most: usize,
    reads: Mutex<Vec<(u64, usize)>>,
}

impl Memory {
    fn of(bytes: Vec<u8>) -> Self {
        Memory { bytes, most: usize::MAX, reads: Mutex::default() }
    }

    fn lasts(&self, name: &str) -> Option<Duration> {
        duration(self, name).now_or_never().expect("memory never waits")
    }

    fn reads(&self) -> Vec<(u64, usize)> {
        self.reads.lock().expect("nobody panics").clone()
    }
}

impl ReadAt for Memory {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        self.reads.lock().expect("nobody panics").push((offset, most));
        let rest = usize::try_from(offset).ok().and_then(|from| self.bytes.get(from..)).unwrap_or_default();
        let part = rest.get(..most.min(self.most).min(rest.len())).unwrap_or_default();
        std::future::ready(Ok(Bytes::copy_from_slice(part))).boxed()
    }
}

fn atom(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    [&(contents.len() as u32 + 8).to_be_bytes(), kind.as_slice(), contents].concat()
}

fn large_atom(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    [&1u32.to_be_bytes(), kind.as_slice(), &(contents.len() as u64 + 16).to_be_bytes(), contents].concat()
}

fn mvhd(timescale: u32, units: u32) -> Vec<u8> {
    let mut contents = vec![0; 100];
    contents[12..16].copy_from_slice(&timescale.to_be_bytes());
    contents[16..20].copy_from_slice(&units.to_be_bytes());
    atom(b"mvhd", &contents)
}

fn mvhd_1(timescale: u32, units: u64) -> Vec<u8> {
    let mut contents = vec![0; 112];
    contents[0] = 1;
    contents[20..24].copy_from_slice(&timescale.to_be_bytes());
    contents[24..32].copy_from_slice(&units.to_be_bytes());
    atom(b"mvhd", &contents)
}

fn mp4(parts: &[Vec<u8>]) -> Memory {
    Memory::of([vec![atom(b"ftyp", b"isom\0\0\x02\0isomiso2")], parts.to_vec()].concat().concat())
}

const MINUTE_AND_A_HALF: Duration = Duration::from_millis(90_500);

#[test]
fn a_film_with_its_index_first_needs_one_read() {
    let film = mp4(&[
        atom(b"moov", &[mvhd(1000, 90_500), atom(b"trak", &[0; 500])].concat()),
        atom(b"mdat", &[0; 9000]),
    ]);
    assert_eq!(film.lasts("film.mp4"), Some(MINUTE_AND_A_HALF));
    assert_eq!(film.reads(), [(0, CHUNK as usize)]);
}

#[test]
fn a_film_with_its_index_at_the_end_needs_two() {
    let moov = atom(b"moov", &[mvhd_1(600, 54_300), atom(b"trak", &[0; 500])].concat());
    let film = mp4(&[large_atom(b"mdat", &[0; 1_000_000]), moov]);
    assert_eq!(film.lasts("FILM.M4V"), Some(MINUTE_AND_A_HALF));
    let at = film.reads().iter().map(|&(at, _)| at).collect::<Vec<_>>();
    assert_eq!(at, [0, 24 + 16 + 1_000_000]);
}

#[test]
fn of_a_long_index_only_the_beginning_is_read() {
    let film = mp4(&[atom(b"moov", &[mvhd(1000, 90_500), atom(b"trak", &[0; 200_000])].concat())]);
    assert_eq!(film.lasts("film.mov"), Some(MINUTE_AND_A_HALF));
    assert_eq!(film.reads().len(), 1);
}

#[test]
fn a_film_in_fragments_tells_it_elsewhere_or_not_at_all() {
    // What mvhd tells is the first fragment's.
    let mehd = atom(b"mehd", &[&[0; 4], 90_500u32.to_be_bytes().as_slice()].concat());
    let trex = atom(b"trex", &[0; 24]);
    let moov = |mvex: &[u8]| {
        atom(b"moov", &[mvhd(1000, 2000), atom(b"trak", &[0; 300]), atom(b"mvex", mvex)].concat())
    };
    let fragments = [atom(b"moof", &[0; 100]), atom(b"mdat", &[0; 19_900])].concat();
    assert_eq!(
        mp4(&[moov(&[mehd, trex.clone()].concat()), fragments.clone()]).lasts("a.mp4"),
        Some(MINUTE_AND_A_HALF)
    );

    let sidx = |references: &[(u32, u32)]| {
        let mut contents = vec![0, 0, 0, 0, 0, 0, 0, 1];
        contents.extend(1000u32.to_be_bytes());
        contents.extend([0; 8]);
        contents.extend([0, 0]);
        contents.extend((references.len() as u16).to_be_bytes());
        for (bytes, units) in references {
            contents.extend(bytes.to_be_bytes());
            contents.extend(units.to_be_bytes());
            contents.extend([0; 4]);
        }
        atom(b"sidx", &contents)
    };
    let whole = sidx(&[(10_000, 50_000), (10_000, 40_500)]);
    assert_eq!(mp4(&[moov(&trex), whole, fragments.clone()]).lasts("a.mp4"), Some(MINUTE_AND_A_HALF));
    let of_the_first = sidx(&[(1000, 5000)]);
    assert_eq!(mp4(&[moov(&trex), of_the_first, fragments.clone()]).lasts("a.mp4"), None);
    assert_eq!(mp4(&[moov(&trex), fragments]).lasts("a.mp4"), None);
}

#[test]
fn nonsense_has_no_duration() {
    let moov = |mvhd: Vec<u8>| atom(b"moov", &mvhd);
    for film in [
        mp4(&[moov(mvhd(0, 1000))]),
        mp4(&[moov(mvhd(1000, 0))]),
        mp4(&[moov(mvhd(1000, u32::MAX))]),
        mp4(&[moov(mvhd_1(1, u64::MAX - 1))]),
        mp4(&[moov(vec![0, 0, 0, 3, b'm'])]),
        mp4(&[atom(b"moov", b"")]),
        mp4(&[]),
        Memory::of(Vec::new()),
        Memory::of(b"RIFF\0\0\x10\0AVI LIST".to_vec()),
        Memory::of([atom(b"moov", &mvhd(1000, 90_500))].concat().split_off(20)),
    ] {
        assert_eq!(film.lasts("film.mp4"), None);
    }
}

#[test]
fn of_what_is_no_film_not_a_byte_is_asked_for() {
    for name in ["film.srt", "film.avi", "film", "mp4", ""] {
        let film = mp4(&[atom(b"moov", &mvhd(1000, 90_500))]);
        assert_eq!((film.lasts(name), film.reads()), (None, Vec::new()), "{name}");
    }
}

fn element(id: &[u8], contents: &[u8]) -> Vec<u8> {
    [id, &(contents.len() as u64 | 1 << 56).to_be_bytes(), contents].concat()
}

fn unknown_size(id: &[u8], contents: &[u8]) -> Vec<u8> {
    [id, &[0xff], contents].concat()
}

const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];

fn header() -> Vec<u8> {
    element(&[0x1a, 0x45, 0xdf, 0xa3], &[0x42, 0x82, 0x84, b'w', b'e', b'b', b'm'])
}

fn info(parts: &[Vec<u8>]) -> Vec<u8> {
    element(&[0x15, 0x49, 0xa9, 0x66], &parts.concat())
}

fn told(units: f64) -> Vec<u8> {
    element(&[0x44, 0x89], &units.to_bits().to_be_bytes())
}

fn scale(nanoseconds: u32) -> Vec<u8> {
    element(&[0x2a, 0xd7, 0xb1], &nanoseconds.to_be_bytes())
}

fn void(size: usize) -> Vec<u8> {
    element(&[0xec], &vec![0; size])
}

fn cluster(size: usize) -> Vec<u8> {
    element(&[0x1f, 0x43, 0xb6, 0x75], &vec![0; size])
}

fn mkv(parts: &[Vec<u8>]) -> Memory {
    Memory::of([header(), element(&SEGMENT, &parts.concat())].concat())
}

#[test]
fn matroska_tells_it_at_its_beginning() {
    let film = mkv(&[void(100), info(&[told(90_500.0)]), cluster(9000)]);
    assert_eq!(film.lasts("film.mkv"), Some(MINUTE_AND_A_HALF));
    assert_eq!(film.reads().len(), 1);
    // The scale may come after the duration; a float may be short; a segment may go to the end.
    let short = element(&[0x44, 0x89], &905f32.to_bits().to_be_bytes());
    let inside = [info(&[short, scale(100_000_000)]), cluster(50)].concat();
    let film = Memory::of([header(), unknown_size(&SEGMENT, &inside)].concat());
    assert_eq!(film.lasts("film.webm"), Some(MINUTE_AND_A_HALF));
}

#[test]
fn where_matroska_has_its_info_behind_the_film_the_seek_head_says_so() {
    let seek = |position: u64| {
        let id = element(&[0x53, 0xab], &[0x15, 0x49, 0xa9, 0x66]);
        let position = element(&[0x53, 0xac], &position.to_be_bytes());
        element(&[0x11, 0x4d, 0x9b, 0x74], &element(&[0x4d, 0xbb], &[id, position].concat()))
    };
    let before = (seek(0).len() + cluster(100_000).len()) as u64;
    let film = mkv(&[seek(before), cluster(100_000), info(&[told(90_500.0)])]);
    assert_eq!(film.lasts("film.mkv"), Some(MINUTE_AND_A_HALF));
    assert_eq!(film.reads().len(), 2);
    assert_eq!(mkv(&[seek(0), cluster(10), info(&[told(1.0)])]).lasts("film.mkv"), None);
    assert_eq!(mkv(&[seek(u64::MAX), cluster(10)]).lasts("film.mkv"), None);
}

#[test]
fn a_live_stream_has_no_duration() {
    let inside = [info(&[scale(1_000_000)]), unknown_size(&[0x1f, 0x43, 0xb6, 0x75], &[0; 5000])].concat();
    let film = Memory::of([header(), unknown_size(&SEGMENT, &inside)].concat());
    assert_eq!(film.lasts("live.mkv"), None);
    for units in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(mkv(&[info(&[told(units)])]).lasts("film.mkv"), None, "{units}");
    }
}

#[test]
fn the_bytes_say_what_a_file_is_and_a_name_may_lie() {
    assert_eq!(mkv(&[info(&[told(90_500.0)])]).lasts("film.mp4"), Some(MINUTE_AND_A_HALF));
    let film = mp4(&[atom(b"moov", &mvhd(1000, 90_500))]);
    assert_eq!(film.lasts("film.mkv"), Some(MINUTE_AND_A_HALF));
}

#[test]
fn bytes_that_come_a_few_at_a_time_are_put_together() {
    let film = mp4(&[atom(b"moov", &mvhd(1000, 90_500))]);
    let film = Memory { most: 10, ..film };
    assert_eq!(film.lasts("film.mp4"), Some(MINUTE_AND_A_HALF));
}

/// A film, with some of its bytes changed and some gone.
fn torn() -> impl Strategy<Value = Vec<u8>> {
    let films = prop_oneof![
        Just(mp4(&[void(10), atom(b"moov", &[mvhd(1000, 2000), atom(b"mvex", &[0; 40])].concat())]).bytes),
        Just(mp4(&[atom(b"moov", &mvhd(1000, 2000)), atom(b"mdat", &[0; 10_000])]).bytes),
        Just(mkv(&[void(5000), info(&[told(90_500.0), scale(1)]), cluster(5000)]).bytes),
        proptest::collection::vec(any::<u8>(), 0..20_000),
        // Many small things.
        Just([header(), unknown_size(&SEGMENT, &[0xec, 0x80].repeat(60_000))].concat()),
        Just([atom(b"ftyp", b""), atom(b"free", b"").repeat(30_000)].concat()),
    ];
    (films, proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), any::<u16>())
        .prop_map(|(mut film, changes, cut)| {
            for (place, byte) in changes {
                let place = place.index(film.len().max(1));
                if let Some(there) = film.get_mut(place) {
                    *there = byte;
                }
            }
            if cut % 3 == 0 {
                film.truncate(usize::from(cut));
            }
            film
        })
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_the_reads_are_few_and_small(
        bytes in torn(), most in prop_oneof![Just(usize::MAX), 1usize..500], is_mkv: bool,
    ) {
        let film = Memory { most, ..Memory::of(bytes) };
        let found = film.lasts(if is_mkv { "film.mkv" } else { "film.mp4" });
        prop_assert!(found.is_none_or(|found| found > Duration::ZERO));
        let reads = film.reads();
        prop_assert!(reads.len() <= MOST_READS as usize);
        prop_assert!(reads.iter().all(|&(_, most)| most <= CHUNK as usize));
    }
}
