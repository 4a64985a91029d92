//! Names from strangers, made into names of files: safe on every system, always the same way, and no two alike.
//! Pure; nothing here looks at a disk.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use encoding_rs::Encoding;
use icu_normalizer::DecomposingNormalizerBorrowed;

/// The longest name of a file that all file systems of note take, in bytes.
const LONGEST: usize = 255;
/// What is after the last dot counts as an extension up to this many bytes, and survives shortening.
const LONGEST_EXTENSION: usize = 16;
/// What the names of our own folders and locks begin with, beside a torrent's files: no name from a torrent does.
pub const OURS: &str = ".peerflix-";
/// Names look alike within one torrent, so this much of them tells the encoding.
const ENOUGH_TO_DETECT: usize = 64 * 1024;

/// Reads bytes as text: UTF-8 where they are, else in the one encoding that all such names of the torrent seem to be in.
/// The torrent's own `encoding` key is of no use: a magnet's metadata does not have it, and the names must be the same.
pub struct Decoder {
    fallback: &'static Encoding,
}

impl Decoder {
    pub fn detect<'a>(names: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
        let mut rest = ENOUGH_TO_DETECT;
        for name in names.filter(|name| std::str::from_utf8(name).is_err()) {
            detector.feed(name, false);
            rest = rest.saturating_sub(name.len());
            if rest == 0 {
                break;
            }
        }
        Decoder { fallback: detector.guess(None, chardetng::Utf8Detection::Deny) }
    }

    pub fn decode<'a>(&self, name: &'a [u8]) -> Cow<'a, str> {
        match std::str::from_utf8(name) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => self.fallback.decode_without_bom_handling(name).0,
        }
    }
}

/// One component of a path, made safe: no separator, no `..`, nothing that a terminal or a file system takes amiss,
/// at most 255 bytes, never empty, and none that is ours (see [`OURS`]). A safe one stays as it is, so names on disk are the torrent's own wherever they can be.
pub fn safe_component(name: &str) -> String {
    safe_on(name, cfg!(windows))
}

fn safe_on(name: &str, windows: bool) -> String {
    let replaced: String = name.chars().map(|c| if is_unsafe(c, windows) { '_' } else { c }).collect();
    // Windows drops dots and spaces at the end, so that `..` and `CON.` hide there; `.` and `..` go the same way.
    let trimmed = replaced.trim_end_matches(['.', ' ']);
    if trimmed.is_empty() {
        return "_".to_owned();
    }
    let trimmed =
        if windows && is_short_for_another(trimmed) { trimmed.replace('~', "_") } else { trimmed.to_owned() };
    // Once more after shortening, which may leave of a long name just the device's.
    not_reserved(shortened(&not_reserved(trimmed), ""))
}

fn not_reserved(mut name: String) -> String {
    if is_device(&name) || folded(&name).starts_with(OURS) {
        name.insert(0, '_');
    }
    name
}

/// `PEERFL~1`: to Windows such a name may be a second one of some other file, one of ours for instance.
fn is_short_for_another(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let number = stem.rsplit_once('~').map_or("", |(_, number)| number);
    stem.chars().count() <= 8 && !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// Text from a stranger, for the screen: no control characters, not long.
pub fn for_the_screen(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() || reorders(c) { '_' } else { c }).collect()
}

fn is_unsafe(c: char, windows: bool) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\')
        || reorders(c)
        || windows && matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// Characters that make `gpj.exe` look like `exe.jpg`, or break a line.
fn reorders(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Names that Windows takes for devices, with whatever extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ').to_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).unwrap_or("");
    let mut digits = port.chars();
    matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
}

/// `name` with `mark` before its extension, the stem cut so that all of it fits.
fn shortened(name: &str, mark: &str) -> String {
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= LONGEST_EXTENSION);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let room = LONGEST.saturating_sub(mark.len() + extension.len());
    let stem = if stem.len() > room {
        let cut = (0..=room).rev().find(|&at| stem.is_char_boundary(at)).unwrap_or(0);
        stem.get(..cut).unwrap_or("").trim_end_matches(['.', ' '])
    } else {
        stem
    };
    format!("{stem}{mark}{extension}")
}

/// What a name is to a file system that tells it from others as loosely as any does: neither the case of letters counts
/// (macOS, Windows), nor whether `é` is one character or two (macOS), nor what is not seen (HFS+, ext4 with `casefold`).
pub fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let decomposing = DecomposingNormalizerBorrowed::new_nfd();
    let folded: String = decomposing
        .normalize_iter(name.chars())
        .filter(|&c| !is_ignorable(c))
        // By way of the upper case, as full case folding does: `ſ` is an s, `ς` a σ, `ß` two s.
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    decomposing.normalize(&folded).into_owned()
}

/// The more usual ones of Unicode's `Default_Ignorable_Code_Point`.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Makes the paths of one torrent distinct, even [`folded`], and no file a folder at the same time.
///
/// Paths are known by 64 bits of hash: a torrent can name more folders than fit in memory. Should two differ and yet
/// have the same hash, one is renamed without need.
pub struct Distinct {
    folders: HashSet<u64>,
    taken: HashSet<u64>,
    /// The number to try next for a path that is taken.
    next: HashMap<u64, u32>,
    /// The number for those that have tried too many.
    last_resort: u32,
}

/// Numbers to try for one name before taking one that only goes up: so that the work grows with the files only.
const TRIES: u32 = 20;

impl Distinct {
    /// `paths`: all that will be placed.
    pub fn new<'a>(paths: impl Iterator<Item = &'a [String]>) -> Self {
        let mut folders = HashSet::new();
        for path in paths {
            let mut hasher = DefaultHasher::new();
            for folder in path.split_last().map_or(&[][..], |(_, folders)| folders) {
                hash_component(&mut hasher, folder);
                folders.insert(hasher.finish());
            }
        }
        Distinct { folders, taken: HashSet::new(), next: HashMap::new(), last_resort: 1000 }
    }

    /// The path, or one like it that is free: `film.mkv`, `film (2).mkv`, ...
    pub fn place(&mut self, mut path: Vec<String>) -> Vec<String> {
        let wanted = key_of(&path);
        if self.take(wanted) {
            return path;
        }
        let Some(name) = path.pop() else { return path };
        let mut number = self.next.get(&wanted).copied().unwrap_or(2);
        loop {
            if number > TRIES {
                self.last_resort = self.last_resort.saturating_add(1);
                number = self.last_resort;
            }
            path.push(shortened(&name, &format!(" ({number})")));
            if self.take(key_of(&path)) {
                self.next.insert(wanted, number.saturating_add(1));
                return path;
            }
            path.pop();
            number = number.saturating_add(1);
        }
    }

    fn take(&mut self, key: u64) -> bool {
        !self.folders.contains(&key) && self.taken.insert(key)
    }
}

fn key_of(path: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.iter().for_each(|component| hash_component(&mut hasher, component));
    hasher.finish()
}

fn hash_component(hasher: &mut DefaultHasher, component: &str) {
    folded(component).hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    fn placed(paths: &[&str]) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|text| path(text)).collect();
        let mut distinct = Distinct::new(paths.iter().map(Vec::as_slice));
        paths.into_iter().map(|path| distinct.place(path).join("/")).collect()
    }

    #[test]
    fn names_that_would_leave_the_folder_stay_in_it() {
        for (given, safe) in [
            ("", "_"),
            (".", "_"),
            ("..", "_"),
            (". .", "_"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("..\\x", ".._x"),
            ("nul\0byte", "nul_byte"),
            ("bell\u{7}", "bell_"),
            ("\u{202e}gpj.exe", "_gpj.exe"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1.tar.gz", "_Com1.tar.gz"),
            ("COM10", "COM10"),
            ("aux .c", "_aux .c"),
            ("console", "console"),
            ("What If...", "What If"),
            ("space ", "space"),
            (".hidden", ".hidden"),
            (".peerflix", ".peerflix"),
            (".peerflix-0123", "_.peerflix-0123"),
            (".PeerFlix-0123", "_.PeerFlix-0123"),
            (".peer\u{200d}flix-", "_.peer\u{200d}flix-"),
            ("PEERFL~1", "PEERFL~1"),
            ("Ünïcode — 日本.mkv", "Ünïcode — 日本.mkv"),
            ("What: a \"film\"?.mkv", "What: a \"film\"?.mkv"),
        ] {
            assert_eq!(safe_on(given, false), safe, "{given:?}");
        }
        assert_eq!(safe_on("C:\\x|y?", true), "C__x_y_");
        assert_eq!(safe_on("PEERFL~1", true), "PEERFL_1");
        assert_eq!(safe_on("~1~2.mkv", true), "_1_2.mkv");
        assert_eq!(safe_on("1999~2001.mkv", true), "1999~2001.mkv");
    }

    #[test]
    fn a_long_name_keeps_its_extension_and_its_letters_whole() {
        let safe = safe_component(&format!("{}.mkv", "é".repeat(300)));
        assert!(safe.len() <= LONGEST && safe.ends_with("é.mkv"), "{safe}");
        let safe = safe_component(&"a".repeat(1000));
        assert_eq!(safe.len(), LONGEST);
    }

    #[test]
    fn no_two_paths_are_alike_whatever_the_case() {
        assert_eq!(
            placed(&["t/a.mkv", "t/A.MKV", "t/a.mkv", "t/a (2).mkv", "t/b"]),
            ["t/a.mkv", "t/A (2).MKV", "t/a (3).mkv", "t/a (2) (2).mkv", "t/b"]
        );
        assert_eq!(placed(&["t/a", "t/a/b", "t/A/c"]), ["t/a (2)", "t/a/b", "t/A/c"]);
    }

    #[test]
    fn no_two_paths_are_alike_on_a_disk_that_composes_or_overlooks_characters() {
        assert_eq!(
            placed(&["é.mkv", "e\u{301}.mkv", "É.mkv", "E\u{301}.MKV"]),
            ["é.mkv", "e\u{301} (2).mkv", "É (3).mkv", "E\u{301} (4).MKV"]
        );
        assert_eq!(placed(&["ﬁn/a", "FIN/A", "fin"]), ["ﬁn/a", "FIN/A (2)", "fin (2)"]);
        assert_eq!(placed(&["ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς"]), ["ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς (2)"]);
        assert_eq!(placed(&["❤\u{fe0f}.mkv", "❤.mkv"]), ["❤\u{fe0f}.mkv", "❤ (2).mkv"]);
        assert_eq!(placed(&["日本", "日本語"]), ["日本", "日本語"]);
    }

    #[test]
    fn many_of_one_name_are_still_quickly_placed() {
        let all = placed(&vec!["t/a.mkv"; 5000]);
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 5000);
    }

    #[test]
    fn names_in_an_old_encoding_are_read_as_they_were_meant() {
        let cyrillic = encoding_rs::WINDOWS_1251.encode("Бриллиантовая рука Комедия Гайдая").0.into_owned();
        let decoder = Decoder::detect([&cyrillic[..], b"plain"].into_iter());
        assert_eq!(decoder.decode(&cyrillic), "Бриллиантовая рука Комедия Гайдая");
        assert_eq!(decoder.decode("日本".as_bytes()), "日本");
    }

    proptest! {
        #[test]
        fn a_safe_name_is_one_component_and_stays_as_it_is(name in any::<String>(), windows in any::<bool>()) {
            let safe = safe_on(&name, windows);
            prop_assert!(!safe.is_empty() && safe.len() <= LONGEST);
            prop_assert!(safe != "." && safe != ".." && !safe.contains(['/', '\\', '\0']));
            prop_assert!(!folded(&safe).starts_with(OURS));
            prop_assert_eq!(safe_on(&safe, windows), safe);
        }

        #[test]
        fn what_is_folded_stays_as_it_is(name in any::<String>()) {
            prop_assert_eq!(folded(&folded(&name)), folded(&name));
        }

        #[test]
        fn paths_are_distinct_and_no_file_is_a_folder(
            names in proptest::collection::vec("[aAbB]{1,2}(/[aAbB]( \\(2\\))?){0,2}", 1..40),
        ) {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let all: Vec<_> = placed(&names).iter().map(|name| name.to_lowercase()).collect();
            let distinct: HashSet<_> = all.iter().cloned().collect();
            prop_assert_eq!(distinct.len(), all.len());
            for name in &all {
                for (slash, _) in name.match_indices('/') {
                    prop_assert!(!distinct.contains(&name[..slash]));
                }
            }
        }
    }
}
