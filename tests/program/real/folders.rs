//! What people do with folders: list, search, copy, pack.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

use super::mounted::Mounted;
use super::noise::noise;
use crate::run::until;
use crate::seeds::{Seeds, Torrent};

const NEEDLE: &str = "the needle is here";

/// A folder with all sorts of files, and each file's bytes by its path.
fn library() -> (Torrent, BTreeMap<String, Vec<u8>>) {
    let mut letters = BTreeMap::new();
    let mut put = |path: &str, bytes: Vec<u8>| letters.insert(path.to_owned(), bytes);
    put("read me.txt", b"hello\n".to_vec());
    put("empty", Vec::new());
    put("one byte", vec![7]);
    // As long as a piece, a byte shorter and a byte longer.
    put("edges/piece", noise(1, 64 * 1024));
    put("edges/less", noise(2, 64 * 1024 - 1));
    put("edges/more", noise(3, 64 * 1024 + 1));
    put("A Film (2026) — ça/film.bin", noise(4, 5_000_000));
    put("A Film (2026) — ça/日本語.txt", "こんにちは\n".into());
    put("deep/1/2/3/4/5/6/7/8/9/at the bottom.txt", format!("{NEEDLE}\n").into_bytes());
    for number in 0..60_u32 {
        let text = format!("line of {number}\n").repeat(number as usize * 10);
        put(&format!("texts/{number:02}.txt"), text.into_bytes());
    }
    let contents: Vec<_> = letters.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    (Torrent::of_folder("Library", &contents), letters)
}

/// Every file below a folder with its bytes.
fn read_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("reads").map(|entry| entry.expect("reads").path()) {
            match entry.is_dir() {
                true => folders.push(entry),
                false => {
                    let path = entry.strip_prefix(folder).expect("below it").to_string_lossy().into_owned();
                    found.insert(path, std::fs::read(&entry).expect("reads"));
                }
            }
        }
    }
    found
}

#[test]
fn it_is_listed_with_the_right_names_and_sizes_and_nothing_is_fetched_for_that() {
    let (torrent, letters) = library();
    let seeds = Seeds::of(&torrent, 1);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let long = mounted.runs("coreutils", &["ls", "-lR"]);
    assert_eq!(long.lines().filter(|line| line.starts_with('-')).count(), letters.len(), "{long}");
    let found = mounted.runs("findutils", &["find", "Library", "-type", "f", "-printf", "%P\\t%s\\t%m\\n"]);
    let found: BTreeMap<_, _> = found.lines().filter_map(|line| line.split_once('\t')).collect();
    for (path, bytes) in &letters {
        let told = found.get(path.as_str()).copied();
        assert!(told.is_some_and(|told| told.starts_with(&format!("{}\t", bytes.len()))), "{path}: {told:?}");
    }
    assert_eq!(found.len(), letters.len());
    let used = mounted.runs("coreutils", &["du", "-s", "--block-size=1", "Library"]);
    assert!(used.starts_with("0\t"), "listing is not reading: {used}");
    mounted.ends_well();
}

#[test]
fn a_copy_is_the_same_byte_for_byte() {
    let (torrent, letters) = library();
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let there = TempDir::new().expect("a temporary folder");
    let copy = there.path().join("copy");
    mounted.runs("coreutils", &["cp", "-r", "Library", &copy.to_string_lossy()]);
    assert!(read_below(&copy) == letters, "the copy is another");
    // What has been read is told to be there.
    assert_eq!(mounted.told("Library/A Film (2026) — ça/film.bin", "state"), "complete");
    // The kernel may believe for a moment what it was told of a file that is not complete.
    until(|| (mounted.bytes_there("Library/A Film (2026) — ça/film.bin") >= 5_000_000).then_some(()));
    mounted.ends_well();
}

#[test]
fn tar_packs_it_and_what_is_unpacked_is_the_same() {
    let (torrent, letters) = library();
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let there = TempDir::new().expect("a temporary folder");
    let (archive, copy) = (there.path().join("library.tar"), there.path().join("copy"));
    std::fs::create_dir(&copy).expect("creates");
    mounted.runs("tar", &["tar", "-cf", &archive.to_string_lossy(), "Library"]);
    // tar says so when a file changes while it is read, or has another size than it said.
    mounted.runs("tar", &["tar", "-xf", &archive.to_string_lossy(), "-C", &copy.to_string_lossy()]);
    assert!(read_below(&copy.join("Library")) == letters, "what is unpacked is another");
    mounted.ends_well();
}

#[test]
fn rsync_finds_by_checksum_that_nothing_is_to_be_copied() {
    let (torrent, letters) = library();
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let to = format!("{}/", torrent.folder.display());
    let words = ["rsync", "--recursive", "--checksum", "--dry-run", "--itemize-changes", "Library/", &to];
    let said = mounted.runs("rsync", &words);
    let differing: Vec<_> = said.lines().filter(|line| line.starts_with('>')).collect();
    assert!(differing.is_empty(), "{differing:?}");
    // And where there is nothing yet, all of it.
    let there = TempDir::new().expect("a temporary folder");
    let to = format!("{}/", there.path().display());
    mounted.runs("rsync", &["rsync", "--archive", "Library/", &to]);
    assert!(read_below(there.path()) == letters, "the copy is another");
    mounted.ends_well();
}

#[test]
fn grep_finds_the_needle() {
    let (torrent, _) = library();
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let found = mounted.runs("grep", &["grep", "-rl", NEEDLE, "."]);
    assert_eq!(found, "./Library/deep/1/2/3/4/5/6/7/8/9/at the bottom.txt\n");
    mounted.ends_well();
}

#[test]
fn nothing_can_be_changed() {
    let (torrent, _) = library();
    let seeds = Seeds::of(&torrent, 1);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let attempts: [&[&str]; 9] = [
        &["touch", "new"],
        &["touch", "Library/read me.txt"],
        &["mkdir", "Library/new"],
        &["rm", "Library/empty"],
        &["rmdir", "Library/texts"],
        &["mv", "Library/empty", "Library/full"],
        &["ln", "-s", "empty", "Library/link"],
        &["chmod", "600", "Library/empty"],
        &["truncate", "--size=0", "Library/one byte"],
    ];
    for words in attempts {
        let out = mounted.tries("coreutils", words);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && said.contains("Read-only file system"), "{words:?}: {said}");
    }
    mounted.ends_well();
}

#[test]
fn torrents_lie_side_by_side() {
    let (library, letters) = library();
    let film = noise(9, 300_000);
    let single = Torrent::of_file("film.bin", &film);
    let (some, others) = (Seeds::of(&library, 1), Seeds::of(&single, 1));
    let flags = [some.flags(), others.flags()].concat();
    let mounted = Mounted::of(&[&library, &single], &flags);
    assert_eq!(mounted.runs("coreutils", &["ls"]), "Library\nfilm.bin\n");
    assert!(std::fs::read(mounted.path("film.bin")).expect("reads") == film);
    assert!(std::fs::read(mounted.path("Library/edges/more")).expect("reads") == letters["edges/more"]);
    assert_eq!(mounted.told("film.bin", "info_hash"), single.hex());
    assert_eq!(mounted.told("Library", "info_hash"), library.hex());
    mounted.ends_well();
}
