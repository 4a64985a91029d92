//! Many readers, and many files.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::world::{MIB, Torrent, World, begin, bytes, says, text, wait_for};

/// Places that look as if by chance, and are the same each time (Knuth's multiplier).
fn places(seed: u64) -> impl Iterator<Item = u64> {
    let next = move |last: &u64| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1));
    std::iter::successors(Some(seed), next).skip(1).map(|number| number >> 20)
}

#[test]
fn sixteen_read_at_random_places_at_once_and_each_gets_its_own() {
    let length = 64 << 30;
    let torrent = Torrent::film(length);
    torrent.all_comes();
    let world = World::of(&torrent);
    let one = File::open(world.path("film.mkv")).expect("it is there");
    let readers = (0..16).map(|reader| {
        // Some through one open file, some each through their own.
        let film = if reader % 2 == 0 { one.try_clone() } else { File::open(world.path("film.mkv")) };
        let film = film.expect("it is there");
        begin(move || {
            for place in places(reader).take(100) {
                let size = place % 200_000;
                let at = place % (length - size);
                let mut read = vec![0; size as usize];
                film.read_exact_at(&mut read, at).expect("it is there");
                assert!(read == bytes(0, at..at + size), "{size} bytes at {at}");
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    readers.into_iter().for_each(wait_for);
    drop(one);
    world.until_readers_are(&torrent, 0);
}

#[test]
fn sixteen_who_wait_at_once_all_get_theirs() {
    let torrent = Torrent::film(1024 * MIB);
    let world = World::of(&torrent);
    let place = |reader: u64| reader * 50 * MIB;
    let readers = (0..16).map(|reader| {
        let film = world.path("film.mkv");
        begin(move || {
            let film = File::open(film).expect("it is there");
            let mut read = vec![0; 100_000];
            film.read_exact_at(&mut read, place(reader)).expect("it comes");
            assert!(read == bytes(0, place(reader)..place(reader) + 100_000));
        })
    });
    let readers: Vec<_> = readers.collect();
    for reader in 0..16 {
        world.until_wanted(&torrent, 0, place(reader));
    }
    says("ls", &["-l", text(&world.at())]);
    for reader in (0..16).rev() {
        torrent.comes(0, place(reader)..place(reader) + MIB);
    }
    readers.into_iter().for_each(wait_for);
}

#[test]
fn a_torrent_of_ten_thousand_files_is_listed_and_copied() {
    let paths: Vec<String> = (0..10_000).map(|file| format!("Show/{:02}/{file:05}.txt", file % 7)).collect();
    let files: Vec<_> = paths.iter().map(|path| (path.as_str(), 100)).collect();
    let torrent = Torrent::new(&files);
    let world = World::of(&torrent);
    let listing = says("ls", &["-lR", text(&world.at())]);
    assert_eq!(listing.lines().filter(|line| line.ends_with(".txt")).count(), 10_000);
    torrent.all_comes();
    let copy = world.home().join("copy");
    says("cp", &["-r", text(&world.at()), text(&copy)]);
    for (index, path) in paths.iter().enumerate().step_by(97) {
        assert_eq!(fs::read(copy.join(path)).expect("it was copied"), bytes(index, 0..100));
    }
    says("diff", &["-r", text(&world.at()), text(&copy)]);
}

#[test]
fn a_folder_of_ten_thousand_files_is_listed_in_its_order() {
    let paths: Vec<String> = (0..10_000).map(|file| format!("Show/{file:05}.txt")).collect();
    let files: Vec<_> = paths.iter().map(|path| (path.as_str(), 100)).collect();
    let world = World::of(&Torrent::new(&files));
    let listed = says("ls", &["-U", text(&world.path("Show"))]);
    assert!(listed.lines().eq(paths.iter().map(|path| path.trim_start_matches("Show/"))));
}

#[test]
fn programs_that_copy_and_compare_see_no_difference() {
    let torrent = Torrent::new(&[("Show/a/film.mkv", 5 * MIB + 17), ("Show/b.srt", 1234), ("Show/empty", 0)]);
    torrent.all_comes();
    let world = World::of(&torrent);
    let (from, copy) = (world.path("Show"), world.home().join("copy"));
    fs::create_dir(&copy).expect("there is room");
    let archive = world.home().join("show.tar");
    says("tar", &["-C", text(&from), "-cf", text(&archive), "."]);
    says("tar", &["-C", text(&copy), "-xf", text(&archive)]);
    says("diff", &["-r", text(&from), text(&copy)]);
    let source = format!("{}/", text(&from));
    let changed = says("rsync", &["-a", "--checksum", "--itemize-changes", &source, text(&copy)]);
    assert!(!changed.lines().any(|line| line.starts_with(">f")), "{changed}");
    let film = fs::read(copy.join("a/film.mkv")).expect("it was copied");
    assert!(film == bytes(0, 0..5 * MIB + 17));
}
