//! A ZIM file of millions of entries that nobody has written, for tests of searches: its bytes are made up as they are read. Its paths are as
//! uneven as those of a Wikipedia: many begin alike (`List_of_...`), some letters are rare, some are not ASCII, and no two places are alike.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::far::Source;
use crate::lock::lock;

/// So many entries are made at a time, and take bytes of their own.
const GROUP: u32 = 64;
/// Of the header and the list of types.
const HEAD: u64 = 4096;
/// The bytes of each cluster, all of them behind the head: four articles, not compressed.
const CLUSTER: u64 = 64 * 1024;
const ARTICLE: u64 = (CLUSTER - 1 - 5 * 4) / 4;
/// There is one for so many entries, wherever in the file: writers fill them as articles come.
const ENTRIES_OF_CLUSTER: u32 = 256;
/// What many paths begin with.
const PHRASES: [&str; 10] = [
    "List_of_minor_planets_",
    "List_of_",
    "The_",
    "History_of_",
    "National_Register_of_",
    "Battle_of_",
    "1998_in_",
    "United_States_",
    "Saint-",
    "2016_",
];
/// What may come next in a path, in ascending order, with how often it does: at the beginning of a word, and within one.
const NEXT: [(&str, u32, u32); 52] = [
    ("!", 1, 1),
    ("\"", 2, 1),
    ("'", 2, 8),
    ("(", 14, 0),
    (",", 0, 12),
    ("-", 0, 20),
    (".", 1, 18),
    ("0", 4, 10),
    ("1", 60, 20),
    ("2", 50, 16),
    ("3", 8, 8),
    ("5", 6, 6),
    ("7", 5, 5),
    ("9", 5, 9),
    ("A", 320, 2),
    ("B", 330, 1),
    ("C", 400, 2),
    ("D", 250, 1),
    ("E", 180, 1),
    ("F", 190, 1),
    ("G", 220, 1),
    ("H", 240, 1),
    ("J", 200, 1),
    ("K", 170, 1),
    ("L", 280, 1),
    ("M", 370, 2),
    ("N", 200, 1),
    ("P", 330, 1),
    ("Q", 16, 0),
    ("R", 250, 1),
    ("S", 460, 2),
    ("T", 280, 1),
    ("V", 90, 1),
    ("W", 190, 1),
    ("X", 9, 1),
    ("Z", 40, 1),
    ("_", 0, 210),
    ("a", 60, 900),
    ("c", 20, 300),
    ("e", 12, 1100),
    ("i", 70, 800),
    ("l", 20, 480),
    ("n", 10, 700),
    ("o", 90, 700),
    ("r", 10, 680),
    ("s", 20, 500),
    ("t", 90, 560),
    ("u", 10, 330),
    ("y", 4, 140),
    ("É", 9, 5),
    ("é", 1, 40),
    ("日", 3, 1),
];

/// The file.
pub struct MadeUp {
    entries: u32,
    /// Where each group begins, and where the last ends.
    groups: Vec<u64>,
    /// The group that was last made: most are read again and again.
    last: Mutex<Option<(u32, Bytes)>>,
}

/// Behind all articles; their paths, in ascending order.
const REST: [(u8, &str); 8] = [
    (b'M', "Counter"),
    (b'M', "Illustration_48x48@1"),
    (b'M', "Language"),
    (b'M', "Title"),
    (b'W', "mainPage"),
    (b'X', "fulltext/xapian"),
    (b'X', "listing/titleOrdered/v1"),
    (b'X', "title/xapian"),
];

impl MadeUp {
    /// With so many entries, 100 at least.
    pub fn new(entries: u32) -> MadeUp {
        let mut at = HEAD + u64::from(clusters(entries)) * CLUSTER;
        let mut groups = vec![at];
        for group in 0..entries.div_ceil(GROUP) {
            let numbers = group * GROUP..((group + 1) * GROUP).min(entries);
            at += numbers.map(size).sum::<u64>();
            groups.push(at);
        }
        MadeUp { entries, groups, last: Mutex::new(None) }
    }

    pub fn entries(&self) -> u32 {
        self.entries
    }

    fn path_pointers_at(&self) -> u64 {
        self.groups.last().copied().unwrap_or(HEAD)
    }

    fn articles(&self) -> u32 {
        self.entries - REST.len() as u32
    }

    /// The bytes of an article.
    pub fn article(&self) -> u64 {
        ARTICLE
    }

    /// Where an entry begins.
    pub fn place(&self, number: u32) -> u64 {
        let group = number / GROUP;
        self.groups[group as usize] + (group * GROUP..number).map(size).sum::<u64>()
    }

    /// The namespace and path of an entry.
    pub fn path(&self, number: u32) -> (u8, String) {
        match number.checked_sub(self.articles()) {
            Some(rest) => (REST[rest as usize].0, REST[rest as usize].1.to_owned()),
            None => {
                let mut found = String::new();
                paths(0..self.articles(), number..number + 1, &mut String::new(), &mut |path| found = path);
                (b'C', found)
            }
        }
    }

    fn group(&self, group: u32) -> Bytes {
        let mut last = lock(&self.last);
        if let Some((_, bytes)) = last.as_ref().filter(|(number, _)| *number == group) {
            return bytes.clone();
        }
        let numbers = group * GROUP..((group + 1) * GROUP).min(self.entries);
        let articles = numbers.start.min(self.articles())..numbers.end.min(self.articles());
        let mut bytes = Vec::new();
        let mut number = articles.start;
        paths(0..self.articles(), articles, &mut String::new(), &mut |path| {
            write_entry(number, self.entries, b'C', &path, &mut bytes);
            number += 1;
        });
        for number in numbers.start.max(self.articles())..numbers.end {
            let (namespace, path) = self.path(number);
            write_entry(number, self.entries, namespace, &path, &mut bytes);
        }
        let bytes = Bytes::from(bytes);
        assert_eq!(bytes.len() as u64, self.groups[group as usize + 1] - self.groups[group as usize]);
        *last = Some((group, bytes.clone()));
        bytes
    }

    fn head(&self) -> Vec<u8> {
        let pointers = self.path_pointers_at();
        let titles = pointers + u64::from(self.entries) * 8;
        let mut head = [
            72_173_914u32.to_le_bytes().as_slice(),
            &6u16.to_le_bytes(),
            &1u16.to_le_bytes(),
            &[9; 16],
            &self.entries.to_le_bytes(),
            &clusters(self.entries).to_le_bytes(),
            &pointers.to_le_bytes(),
            &titles.to_le_bytes(),
            &(titles + u64::from(self.entries) * 4).to_le_bytes(),
            &80u64.to_le_bytes(),
            &0u32.to_le_bytes(),
            &u32::MAX.to_le_bytes(),
            &0u64.to_le_bytes(),
            b"text/html\0\0",
        ]
        .concat();
        head.resize(HEAD as usize, 0);
        head
    }

    /// The bytes from `at` on to some end.
    fn from(&self, at: u64) -> Bytes {
        let pointers = self.path_pointers_at();
        let titles = pointers + u64::from(self.entries) * 8;
        let rest = titles + u64::from(self.entries) * 4;
        if at < HEAD {
            return Bytes::from(self.head()).slice(at as usize..);
        }
        let entries = self.groups.first().copied().unwrap_or(HEAD);
        if at < entries {
            let within = (at - HEAD) % CLUSTER;
            let offsets = (0..5u64).flat_map(|number| ((20 + number * ARTICLE) as u32).to_le_bytes());
            let head: Vec<u8> = [1].into_iter().chain(offsets).collect();
            let mut cluster = head;
            cluster.resize(CLUSTER as usize, b'.');
            return Bytes::from(cluster).slice(within as usize..);
        }
        if at < pointers {
            let group = self.groups.partition_point(|&start| start <= at) - 1;
            return self.group(group as u32).slice((at - self.groups[group]) as usize..);
        }
        if at < titles {
            let first = ((at - pointers) / 8) as u32 / GROUP * GROUP;
            let mut place = self.groups[(first / GROUP) as usize];
            let mut bytes = Vec::new();
            for number in first..(first + GROUP).min(self.entries) {
                bytes.extend(place.to_le_bytes());
                place += size(number);
            }
            return Bytes::from(bytes).slice((at - pointers - u64::from(first) * 8) as usize..);
        }
        if at < rest {
            let first = ((at - titles) / 4) as u32;
            let bytes = (first..self.entries.min(first + 4096)).flat_map(|number| number.to_le_bytes());
            return Bytes::from(bytes.collect::<Vec<_>>()).slice(((at - titles) % 4) as usize..);
        }
        let first = ((at - rest) / 8) as u32;
        let place = |cluster: u32| HEAD + u64::from(cluster) * CLUSTER;
        let bytes = (first..clusters(self.entries)).flat_map(|cluster| place(cluster).to_le_bytes());
        Bytes::from(bytes.collect::<Vec<_>>()).slice(((at - rest) % 8) as usize..)
    }
}

impl Source for MadeUp {
    fn length(&self) -> u64 {
        self.path_pointers_at() + u64::from(self.entries) * 12 + u64::from(clusters(self.entries)) * 8
    }

    fn read(&self, range: Range<u64>) -> Bytes {
        let mut bytes = Vec::new();
        let wanted = (range.end - range.start) as usize;
        while bytes.len() < wanted {
            let more = self.from(range.start + bytes.len() as u64);
            bytes.extend_from_slice(&more[..more.len().min(wanted - bytes.len())]);
        }
        Bytes::from(bytes)
    }
}

fn clusters(entries: u32) -> u32 {
    entries.div_ceil(ENTRIES_OF_CLUSTER)
}

/// The bytes of an entry: 80 on the average in one region, 92 in another, and no two neighbours alike.
fn size(number: u32) -> u64 {
    let region = u64::from(mixed(u64::from(number / 40_000)) % 12);
    64 + region + u64::from(number.wrapping_mul(2_654_435_761) >> 27)
}

fn write_entry(number: u32, entries: u32, namespace: u8, path: &str, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    if mixed(u64::from(number)).is_multiple_of(3) {
        bytes.extend([0xff, 0xff, 0, namespace, 0, 0, 0, 0]);
        bytes.extend((number / 2).to_le_bytes());
    } else {
        bytes.extend([0, 0, 0, namespace, 0, 0, 0, 0]);
        let cluster = mixed(u64::from(number) + 7) % clusters(entries);
        bytes.extend(cluster.to_le_bytes().into_iter().chain((number % 4).to_le_bytes()));
    }
    bytes.extend(path.bytes().chain([0]));
    let end = start + size(number) as usize;
    assert!(bytes.len() < end, "{path} is too long");
    // What is left has the title.
    let title = path.replace('_', " ");
    let left = end - 1 - bytes.len();
    bytes.extend(title.bytes().cycle().take(left));
    bytes.push(0);
}

/// Tells the paths `wanted` of `all`, all of which begin with `prefix`.
fn paths(all: Range<u32>, wanted: Range<u32>, prefix: &mut String, tell: &mut impl FnMut(String)) {
    let wanted = wanted.start.max(all.start)..wanted.end.min(all.end);
    if wanted.is_empty() {
        return;
    }
    if all.len() == 1 {
        let most = (size(all.start) as usize - 18).saturating_sub(prefix.len());
        let tail = mixed(u64::from(all.start)) as usize % 12;
        let word = "abalone_reef"[..tail.min(most)].trim_end_matches('_');
        return tell(format!("{prefix}{word}"));
    }
    let mut start = all.start;
    if prefix.len() > 3 && mixed(hash(prefix)).is_multiple_of(3) {
        // A path that is the beginning of others.
        if wanted.start == start {
            tell(prefix.clone());
        }
        start += 1;
    }
    let weights = NEXT.map(|next| weight(prefix, next));
    let total: u64 = weights.iter().sum();
    let count = u64::from(all.end - start);
    let (mut sum, first) = (0, start);
    for ((next, ..), weight) in NEXT.iter().zip(weights) {
        sum += weight;
        let end = first + (u128::from(count) * u128::from(sum) / u128::from(total)) as u32;
        let own = start..end;
        start = end;
        if own.start < wanted.end && own.end > wanted.start {
            prefix.push_str(next);
            paths(own, wanted.clone(), prefix, tell);
            prefix.truncate(prefix.len() - next.len());
        }
    }
}

/// How often this comes next, behind this: as often as it does anywhere, and yet not at any two places the same.
fn weight(prefix: &str, (next, at_start, within): (&str, u32, u32)) -> u64 {
    let is_start = prefix.is_empty() || prefix.ends_with(['_', '(', '-']);
    let base = if is_start { at_start } else { within };
    // Words end.
    let word = prefix.rsplit('_').next().map_or(0, str::len) as u32;
    let base = if next == "_" { base * (word * word) / 16 } else { base };
    let skew = 1 << (mixed(hash(prefix) ^ hash(next)) % 6);
    let is_on_the_way =
        |phrase: &&str| phrase.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(next));
    let boost = if PHRASES.iter().any(is_on_the_way) { 1 + prefix.len() as u64 * 400 } else { 0 };
    u64::from(base) * skew + boost * 30
}

fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn mixed(number: u64) -> u32 {
    let number = (number ^ number >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((number ^ number >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as u32
}
