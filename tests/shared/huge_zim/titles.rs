//! The entries of a huge ZIM file, in the order of paths, a group after the other: as uneven as those of a real one. Some first words
//! have hundreds of thousands of titles, others ten; lists and years have long beginnings in common; some begin with no Latin letter.

use std::io;

use super::Place;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Article,
    MainPage,
    Redirect,
    Picture,
    Film(usize),
    Style,
    Script,
    Fact(usize),
    Listing,
}

pub struct Entry {
    pub namespace: u8,
    pub path: String,
    /// Empty where it is the path.
    pub title: String,
    pub kind: Kind,
}

/// Entries whose paths and titles begin alike and unlike all others', in the order of paths.
pub struct Group<'a> {
    pub entries: &'a [Entry],
}

impl Entry {
    fn new(namespace: u8, path: String, kind: Kind) -> Entry {
        let title = match kind {
            Kind::Article | Kind::Redirect | Kind::MainPage if path.contains('_') => path.replace('_', " "),
            _ => String::new(),
        };
        Entry { namespace, path, title, kind }
    }

    /// In the list of titles.
    pub fn is_titled(&self) -> bool {
        matches!(self.kind, Kind::Article | Kind::Redirect | Kind::MainPage)
    }

    pub fn dirent_length(&self) -> u64 {
        let head = if self.kind == Kind::Redirect { 12 } else { 16 };
        (head + self.path.len() + 1 + self.title.len() + 1) as u64
    }

    pub fn content(&self, kind: u16, (cluster, blob): Place) -> Vec<u8> {
        self.dirent(kind, &[cluster.to_le_bytes(), blob.to_le_bytes()].concat())
    }

    pub fn redirect(&self, to: u32) -> Vec<u8> {
        self.dirent(0xffff, &to.to_le_bytes())
    }

    fn dirent(&self, kind: u16, to: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.dirent_length() as usize);
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0, self.namespace, 0, 0, 0, 0]);
        bytes.extend(to);
        bytes.extend(self.path.bytes().chain([0]).chain(self.title.bytes()).chain([0]));
        bytes
    }
}

/// So many pictures have paths, however many entries there are.
pub const PICTURE_PATHS: usize = 4000;

/// The path of a picture, below its folder.
pub fn picture(number: usize) -> String {
    format!("{:08x}/Picture_{number}.jpg", (number as u32).wrapping_mul(0x9e37_79b1))
}

/// Tells of about `count` entries, the same each time.
pub fn each_entry(
    count: u32,
    films: usize,
    mut tell: impl FnMut(Group<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let words = first_words();
    let sum: f64 = words.iter().map(|(_, weight)| weight).sum();
    // Articles and what leads to them; the rest is pictures.
    let titled = f64::from(count) * 0.85;
    let mut chance = Chance::new(20_000_000);
    let mut told = 0;
    let mut tell_of = |words: &[(String, f64)], tell: &mut dyn FnMut(Group<'_>) -> io::Result<()>| {
        words.iter().try_for_each(|(word, weight)| {
            let paths = titles(word, (titled * weight / sum) as usize, &mut chance);
            let entries = paths.into_iter().map(|path| {
                told += 1;
                let kind = match (path.as_str(), chance.below(100)) {
                    ("Main_Page", _) => Kind::MainPage,
                    // A redirect leads to an article that came before.
                    (_, 0..42) => Kind::Article,
                    _ if told == 1 => Kind::Article,
                    _ => Kind::Redirect,
                };
                Entry::new(b'C', path, kind)
            });
            tell(Group { entries: &entries.collect::<Vec<_>>() })
        })
    };
    let after = words.partition_point(|(word, _)| word.as_str() < "_");
    tell_of(&words[..after], &mut tell)?;

    let mut chance = Chance::new(3_000_000);
    let linked: Vec<_> = (0..PICTURE_PATHS).map(picture).collect();
    for byte in 0..=255u8 {
        let begins = format!("{byte:02x}");
        let some = (f64::from(count) * 0.15 / 256.0) as usize;
        let mut paths: Vec<_> = (0..some)
            .map(|_| {
                format!("{begins}{:06x}/{}_{}.jpg", chance.next() & 0xff_ffff, chance.name(), chance.name())
            })
            .chain(linked.iter().filter(|path| path.starts_with(&begins)).cloned())
            .map(|path| format!("_assets_/{path}"))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let entries: Vec<_> = paths.into_iter().map(|path| Entry::new(b'C', path, Kind::Picture)).collect();
        tell(Group { entries: &entries })?;
    }
    let films =
        (0..films).map(|number| Entry::new(b'C', format!("_films_/{number:04}.webm"), Kind::Film(number)));
    let mw = [("_mw_/script.js", Kind::Script), ("_mw_/style.css", Kind::Style)];
    let more: Vec<_> = films.chain(mw.map(|(path, kind)| Entry::new(b'C', path.into(), kind))).collect();
    tell(Group { entries: &more })?;

    tell_of(&words[after..], &mut tell)?;

    let facts = super::FACTS.iter().enumerate().map(|(number, (name, _))| ((*name).to_owned(), number));
    let facts = facts.chain([("Illustration_48x48@1".to_owned(), super::FACTS.len())]);
    let mut facts: Vec<_> = facts.map(|(name, number)| Entry::new(b'M', name, Kind::Fact(number))).collect();
    facts.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    facts.push(Entry::new(b'X', "listing/titleOrdered/v1".into(), Kind::Listing));
    tell(Group { entries: &facts })
}

/// Words with which titles begin, and how many: in order. None is another with something behind that sorts before `_`.
fn first_words() -> Vec<(String, f64)> {
    let mut chance = Chance::new(26);
    let mut words = Vec::new();
    // How many of a thousand titles of the English Wikipedia begin with each letter, about.
    let letters = [
        ('A', 74),
        ('B', 66),
        ('C', 83),
        ('D', 48),
        ('E', 36),
        ('F', 36),
        ('G', 42),
        ('H', 45),
        ('I', 32),
        ('J', 45),
        ('K', 38),
        ('L', 48),
        ('M', 73),
        ('N', 39),
        ('O', 22),
        ('P', 61),
        ('Q', 4),
        ('R', 45),
        ('S', 91),
        ('T', 57),
        ('U', 20),
        ('V', 21),
        ('W', 39),
        ('X', 3),
        ('Y', 10),
        ('Z', 11),
        ('É', 2),
        ('Ö', 1),
        ('Č', 1),
        ('Ш', 1),
        ('東', 1),
        ('ا', 1),
    ];
    for (letter, weight) in letters {
        // A few of them have most of the titles.
        let mut rank = 0.0;
        for _ in 0..=weight * 3 {
            rank += 1.0;
            words.push((format!("{letter}{}", chance.word()), f64::from(weight) / (rank + 2.0)));
        }
    }
    for (word, weight) in
        [("List", 60.0), ("The", 70.0), ("Main", 0.01), ("Battle", 9.0), ("Saint", 20.0), ("United", 25.0)]
    {
        words.push((word.to_owned(), weight));
    }
    words.extend((1700..2030).map(|year| (year.to_string(), 0.25)));
    words.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    words.dedup_by(|a, b| a.0 == b.0);
    words
}

/// About so many paths that begin with a word, in order.
fn titles(word: &str, count: usize, chance: &mut Chance) -> Vec<String> {
    let mut paths: Vec<String> = (0..count.max(1))
        .map(|number| match (word, number, chance.below(8)) {
            ("List", _, _) => format!("List_of_{}s_in_{}_{}", chance.word(), chance.name(), chance.name()),
            ("Battle", _, _) => format!("Battle_of_{}_{}", chance.name(), chance.below(1000)),
            ("Main", _, _) => "Main_Page".to_owned(),
            (_, 0, _) => word.to_owned(),
            (_, _, 0) => format!("{word},_{}", chance.name()),
            (_, _, 1) => format!("{word}_{}_({})", chance.name(), chance.word()),
            (_, _, 2) => format!("{word}_{}_of_{}_{}", chance.word(), chance.name(), chance.name()),
            (_, _, 3) => format!("{word}_{}'s_{}", chance.name(), chance.word()),
            _ => format!("{word}_{}_{}", chance.name(), chance.name()),
        })
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The same numbers each time (splitmix).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A word of small letters.
    pub fn word(&mut self) -> String {
        const SYLLABLES: &[&str] = &[
            "ba", "cor", "den", "el", "fi", "gar", "hul", "in", "ja", "ken", "lo", "mar", "nu", "or", "pel",
            "qui", "ra", "sto", "tan", "ur", "vel", "wi", "xo", "yar", "zen", "che", "shi", "bro", "ste",
            "lé", "mün", "ño",
        ];
        let count = 1 + self.below(3);
        (0..count).map(|_| SYLLABLES[self.below(SYLLABLES.len())]).collect()
    }

    /// A word with a capital.
    pub fn name(&mut self) -> String {
        let word = self.word();
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    }
}
