//! A ZIM file as large as all of Wikipedia, with as many entries, whose pages nobody wrote: little of it is on the disk, the rest
//! is holes. Everything in it is where openZIM's writers put it today (clusters, entries, path pointers, cluster pointers), and
//! whatever an entry points to is there; only the checksum is none.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

#[path = "huge_zim/titles.rs"]
mod titles;
use titles::{Kind, each_entry};

/// What is made.
pub struct Plan {
    /// About so many entries.
    pub entries: u32,
    /// In bytes, exactly.
    pub length: u64,
    /// So many different pages, which the articles share.
    pub pages: usize,
    /// So many different pictures.
    pub pictures: usize,
    /// So many films, of zeros, which make it as large as it is.
    pub films: usize,
}

impl Plan {
    /// As many bytes as the Wikipedia of 2014 that peerwiki streamed: 61,559 pieces of 1 MiB.
    pub const LENGTH: u64 = 61_559 << 20;
}

/// What was made.
pub struct Made {
    /// Exactly.
    pub entries: u32,
    /// Some articles, from all over the file.
    pub articles: Vec<String>,
    /// A path for each film, in the order in which they lie.
    pub films: Vec<String>,
    /// Of a film.
    pub film_length: u64,
    /// Where there are no holes; in order.
    written: Vec<Range<u64>>,
    length: u64,
}

const CLUSTERS_AT: u64 = 2048;
const KINDS: &[&str] = &[
    "text/html",
    "image/jpeg",
    "text/css",
    "application/javascript",
    "video/webm",
    "application/octet-stream+zimlisting",
    "text/plain",
    "image/png",
];
const HTML: u16 = 0;
const JPEG: u16 = 1;
const CSS: u16 = 2;
const SCRIPT: u16 = 3;
const WEBM: u16 = 4;
const LISTING: u16 = 5;
const PLAIN: u16 = 6;
const PNG: u16 = 7;
/// A cluster gets no more pages once it has so many bytes, as openZIM's writers have it.
const CLUSTER: usize = 2 << 20;

/// Where the bytes of an entry are.
type Place = (u32, u32);

/// Writes all of it to an empty file.
pub fn write(file: &File, plan: &Plan) -> io::Result<Made> {
    // What is there, first: how long everything is, and what pages may link to.
    let (mut entries, mut titled, mut dirents_length) = (0u32, 0u64, 0u64);
    let mut articles = Sample::new(4096);
    let mut films = Vec::new();
    each_entry(plan.entries, plan.films, |group| {
        for entry in group.entries {
            dirents_length += entry.dirent_length();
            entries += 1;
            match entry.kind {
                Kind::Article => articles.offer(&entry.path),
                Kind::Film(_) => films.push(entry.path.clone()),
                _ => {}
            }
            titled += u64::from(entry.is_titled());
        }
        Ok(())
    })?;

    let mut clusters = Clusters::new(file);
    let pages: Vec<_> = (0..plan.pages).map(|number| page(number, &articles.0)).collect();
    let mut page_clusters = packed(&pages);
    // The last one stands before the entries, with nothing to say where it ends but what is in it.
    let last = page_clusters.pop();
    let pictures: Vec<_> =
        (0..plan.pictures).map(|number| noise(number as u64, 4_000 + number * 7919 % 50_000)).collect();
    let small: Vec<Vec<u8>> = vec![STYLE.into(), SCRIPT_TEXT.into()];
    let facts: Vec<Vec<u8>> =
        FACTS.iter().map(|(_, fact)| fact.as_bytes().to_vec()).chain([illustration()]).collect();
    let counts = (page_clusters.len() + 1, pictures.len().div_ceil(64));
    let pointers = counts.0 + counts.1 + 3 + plan.films;
    let lists_length = dirents_length + 8 * u64::from(entries) + 8 * pointers as u64 + 16;
    let rest: u64 = page_clusters.iter().chain(&last).map(|(bytes, _)| bytes.len() as u64).sum::<u64>()
        + pictures.chunks(64).map(|some| plain(some).len() as u64).sum::<u64>()
        + zstd_cluster(&small)?.len() as u64
        + zstd_cluster(&facts)?.len() as u64
        + 9
        + 4 * titled;
    let room = plan.length.checked_sub(CLUSTERS_AT + rest + lists_length + 9 * plan.films as u64);
    let room = room.ok_or_else(|| io::Error::other("more entries than room"))?;
    let film_length = room / plan.films as u64;

    let mut places = Places::default();
    let mut left = room;
    let per_film = page_clusters.len().div_ceil(plan.films);
    let mut waiting = page_clusters.into_iter();
    let mut pictures = pictures.chunks(64);
    for film in 0..plan.films {
        for (bytes, blobs) in waiting.by_ref().take(per_film) {
            places.pages.extend(clusters.put(&bytes, blobs)?);
        }
        let length = if film + 1 == plan.films { left } else { film_length };
        left -= length;
        places.films.push(clusters.put_hole(length)?);
        for some in pictures.by_ref().take(1 + plan.pictures / 64 / plan.films) {
            places.pictures.extend(clusters.put(&plain(some), some.len())?);
        }
    }
    places.small = clusters.put(&zstd_cluster(&small)?, small.len())?;
    places.facts = clusters.put(&zstd_cluster(&facts)?, facts.len())?;
    let listing_at = clusters.put_listing(4 * titled)?;
    places.listing = clusters.last_place();
    if let Some((bytes, blobs)) = last {
        places.pages.extend(clusters.put(&bytes, blobs)?);
    }
    assert_eq!(clusters.pointers.len(), pointers, "as many clusters as were counted");

    let dirents_at = clusters.at;
    let paths_at = dirents_at + dirents_length;
    let mut dirents = Run::new(file, dirents_at);
    let mut paths = Run::new(file, paths_at);
    let mut listing = Run::new(file, listing_at);
    let mut index = 0u32;
    let mut main_page = u32::MAX;
    let mut targets = Sample::new(512);
    each_entry(plan.entries, plan.films, |group| {
        let mut titles = Vec::new();
        for entry in group.entries {
            paths.put(&dirents.at().to_le_bytes())?;
            let dirent = match entry.kind {
                Kind::Article | Kind::MainPage => {
                    if entry.kind == Kind::MainPage {
                        main_page = index;
                    }
                    targets.offer(&index);
                    entry.content(HTML, places.pages[scattered(index, places.pages.len())])
                }
                // An article must have come before.
                Kind::Redirect => entry.redirect(*targets.any(index).unwrap_or(&0)),
                Kind::Picture => {
                    entry.content(JPEG, places.pictures[scattered(index, places.pictures.len())])
                }
                Kind::Film(number) => entry.content(WEBM, places.films[number]),
                Kind::Style => entry.content(CSS, places.small[0]),
                Kind::Script => entry.content(SCRIPT, places.small[1]),
                Kind::Fact(number) => {
                    entry.content(if number < FACTS.len() { PLAIN } else { PNG }, places.facts[number])
                }
                Kind::Listing => entry.content(LISTING, places.listing),
            };
            dirents.put(&dirent)?;
            if entry.is_titled() {
                titles.push((entry.title.as_str(), index));
            }
            index += 1;
        }
        titles.sort_unstable();
        titles.iter().try_for_each(|(_, index)| listing.put(&index.to_le_bytes()))
    })?;
    assert_eq!(dirents.at(), paths_at, "as many bytes as were counted");
    let clusters_at = paths.at();
    for pointer in &clusters.pointers {
        paths.put(&pointer.to_le_bytes())?;
    }
    let checksum_at = paths.at();
    paths.put(&[0; 16])?;
    assert_eq!(paths.at(), plan.length, "as long as was planned");

    let mut head = [
        72_173_914u32.to_le_bytes().as_slice(),
        &6u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        b"as large as all.",
        &entries.to_le_bytes(),
        &(clusters.pointers.len() as u32).to_le_bytes(),
        &paths_at.to_le_bytes(),
        // No list of titles of all entries.
        &u64::MAX.to_le_bytes(),
        &clusters_at.to_le_bytes(),
        &80u64.to_le_bytes(),
        &main_page.to_le_bytes(),
        &u32::MAX.to_le_bytes(),
        &checksum_at.to_le_bytes(),
    ]
    .concat();
    head.extend(KINDS.iter().flat_map(|kind| kind.bytes().chain([0])).chain([0]));
    file.write_all_at(&head, 0)?;
    let mut written = clusters.written;
    written.push(0..head.len() as u64);
    written.extend([dirents.finish()?, paths.finish()?, listing.finish()?]);
    written.sort_by_key(|range| range.start);
    Ok(Made { entries, articles: articles.0, films, film_length, written, length: plan.length })
}

impl Made {
    /// The torrent of it, with pieces of so many bytes: its information, bencoded. Holes are not read.
    pub fn torrent(&self, file: &File, name: &str, piece: u64) -> io::Result<Vec<u8>> {
        let zeros = digest(&SHA1_FOR_LEGACY_USE_ONLY, &vec![0; piece as usize]);
        let mut hashes = Vec::new();
        let mut bytes = vec![0; piece as usize];
        let mut written = self.written.iter().peekable();
        for start in (0..self.length).step_by(piece as usize) {
            let end = (start + piece).min(self.length);
            while written.next_if(|range| range.end <= start).is_some() {}
            let is_hole = written.peek().is_none_or(|range| range.start >= end);
            if is_hole && end - start == piece {
                hashes.extend_from_slice(zeros.as_ref());
                continue;
            }
            let bytes = &mut bytes[..(end - start) as usize];
            file.read_exact_at(bytes, start)?;
            hashes.extend_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
        }
        let head = format!(
            "d6:lengthi{}e4:name{}:{name}12:piece lengthi{piece}e6:pieces{}:",
            self.length,
            name.len(),
            hashes.len()
        );
        Ok([head.as_bytes(), &hashes, b"e"].concat())
    }
}

/// What metadata there is, in the order of names, the picture behind it.
const FACTS: &[(&str, &str)] = &[
    ("Counter", "text/html=8000000;image/jpeg=3000000"),
    ("Creator", "nobody"),
    ("Date", "2014-11-01"),
    ("Description", "As large as all of Wikipedia"),
    ("Language", "eng"),
    ("Name", "huge_en_all"),
    ("Publisher", "peerflix"),
    ("Title", "The Huge Encyclopedia"),
];
const STYLE: &str = "body { font: 16px/1.5 sans-serif; max-width: 60em; margin: auto } h2 { border-bottom: 1px solid #aaa }\n";
const SCRIPT_TEXT: &str = "document.documentElement.dataset.scripts = 'run';\n";

#[derive(Default)]
struct Places {
    pages: Vec<Place>,
    pictures: Vec<Place>,
    films: Vec<Place>,
    small: Vec<Place>,
    facts: Vec<Place>,
    listing: Place,
}

/// Clusters, one behind the other.
struct Clusters<'a> {
    file: &'a File,
    at: u64,
    pointers: Vec<u64>,
    written: Vec<Range<u64>>,
}

impl<'a> Clusters<'a> {
    fn new(file: &'a File) -> Clusters<'a> {
        Clusters { file, at: CLUSTERS_AT, pointers: Vec::new(), written: Vec::new() }
    }

    /// One that is made. Gives the places of its blobs.
    fn put(&mut self, bytes: &[u8], blobs: usize) -> io::Result<Vec<Place>> {
        self.begin(bytes, bytes.len() as u64)?;
        let (cluster, _) = self.last_place();
        Ok((0..blobs as u32).map(|blob| (cluster, blob)).collect())
    }

    /// A plain one of one blob of zeros, which are not written.
    fn put_hole(&mut self, length: u64) -> io::Result<Place> {
        let end = u32::try_from(8 + length).map_err(io::Error::other)?;
        self.begin(&[&[1], 8u32.to_le_bytes().as_slice(), &end.to_le_bytes()].concat(), 9 + length)?;
        Ok(self.last_place())
    }

    /// One for the list of titles, which is written later. Gives the place of the list.
    fn put_listing(&mut self, length: u64) -> io::Result<u64> {
        self.put_hole(length)?;
        Ok(self.at - length)
    }

    fn last_place(&self) -> Place {
        (self.pointers.len() as u32 - 1, 0)
    }

    fn begin(&mut self, bytes: &[u8], length: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, self.at)?;
        self.written.push(self.at..self.at + bytes.len() as u64);
        self.pointers.push(self.at);
        self.at += length;
        Ok(())
    }
}

/// Bytes that are written in a row.
struct Run<'a> {
    file: &'a File,
    start: u64,
    /// Of what waits.
    at: u64,
    waits: Vec<u8>,
}

impl<'a> Run<'a> {
    fn new(file: &'a File, at: u64) -> Run<'a> {
        Run { file, start: at, at, waits: Vec::new() }
    }

    fn at(&self) -> u64 {
        self.at + self.waits.len() as u64
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waits.extend_from_slice(bytes);
        if self.waits.len() >= 1 << 20 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.waits, self.at)?;
        self.at += self.waits.len() as u64;
        self.waits.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Range<u64>> {
        self.flush()?;
        Ok(self.start..self.at)
    }
}

/// At most so many of a long row, from all over it.
struct Sample<T>(Vec<T>, usize, u32);

impl<T: ToOwned<Owned = T>> Sample<T> {
    fn new(most: usize) -> Sample<T> {
        Sample(Vec::new(), most, 0)
    }

    fn offer(&mut self, one: &T) {
        self.2 += 1;
        if self.0.len() < self.1 {
            self.0.push(one.to_owned());
            return;
        }
        let at = scattered(self.2, self.2 as usize);
        if let Some(place) = self.0.get_mut(at) {
            *place = one.to_owned();
        }
    }

    fn any(&self, by: u32) -> Option<&T> {
        self.0.get(scattered(by, self.0.len().max(1)))
    }
}

/// A number below `end` that has nothing to do with `number`, but is the same each time.
fn scattered(number: u32, end: usize) -> usize {
    let mixed = (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize % end
}

/// Pages in clusters: the bytes of each, and how many pages it has.
fn packed(pages: &[Vec<u8>]) -> Vec<(Vec<u8>, usize)> {
    let mut clusters = Vec::new();
    let mut start = 0;
    while start < pages.len() {
        let mut size = 0;
        let some = pages[start..].iter().take_while(|page| {
            let fits = size < CLUSTER;
            size += page.len();
            fits
        });
        let count = some.count();
        let bytes = zstd_cluster(&pages[start..start + count]).expect("it is in memory");
        clusters.push((bytes, count));
        start += count;
    }
    clusters
}

fn plain(blobs: &[Vec<u8>]) -> Vec<u8> {
    let mut offset = 4 * (blobs.len() + 1);
    let mut bytes = vec![1];
    for length in blobs.iter().map(Vec::len).chain([0]) {
        bytes.extend((offset as u32).to_le_bytes());
        offset += length;
    }
    bytes.extend(blobs.concat());
    bytes
}

fn zstd_cluster(blobs: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let bytes = plain(blobs);
    Ok([vec![5], zstd::encode_all(&bytes[1..], 1)?].concat())
}

/// An article without a name, which links to others and has pictures.
fn page(number: usize, articles: &[String]) -> Vec<u8> {
    let mut chance = titles::Chance::new(number as u64 + 77);
    let mut html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Page {number}</title>\
         <link rel=\"stylesheet\" href=\"./_mw_/style.css\"><script src=\"./_mw_/script.js\" defer></script></head>\
         <body><h1>Page {number}</h1>\n"
    );
    for _ in 0..2 + chance.below(5) {
        html.push_str(&format!(
            "<img src=\"./_assets_/{}\" alt=\"\">\n",
            titles::picture(chance.below(titles::PICTURE_PATHS))
        ));
    }
    for section in 0..2 + chance.below(12) {
        html.push_str(&format!("<h2>Section {section}</h2><p>"));
        for _ in 0..100 + chance.below(300) {
            if chance.below(20) == 0 && !articles.is_empty() {
                let to = &articles[chance.below(articles.len())];
                html.push_str(&format!(
                    "<a href=\"./{}\">{}</a> ",
                    to.replace('"', "%22"),
                    to.replace('_', " ")
                ));
            } else {
                html.push_str(&chance.word());
                html.push(' ');
            }
        }
        html.push_str("</p>\n");
    }
    html.push_str("</body></html>\n");
    html.into_bytes()
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut chance = titles::Chance::new(seed + 1);
    (0..length.div_ceil(8)).flat_map(|_| chance.next().to_le_bytes()).take(length).collect()
}

/// A PNG of one point: nobody looks at it closely.
fn illustration() -> Vec<u8> {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\
      \0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82"
        .to_vec()
}
