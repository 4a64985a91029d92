//! Folders whose files are not known yet, and files that come by themselves.

use super::mounted::{Mounted, nobody};
use super::noise::noise;
use crate::run::until;
use crate::seeds::{Seeds, Torrent};

#[test]
fn the_folder_of_a_magnet_that_nobody_knows_is_there_with_a_note_in_it() {
    let magnet = format!("magnet:?xt=urn:btih:{}&dn=Some%20Film", "1".repeat(40));
    let mounted = Mounted::of_words(&[&magnet], &nobody());
    assert_eq!(mounted.runs("coreutils", &["ls", "-A"]), "Some Film\n");
    assert_eq!(mounted.runs("coreutils", &["ls", "-A", "Some Film"]), ".waiting\n");
    assert!(!mounted.runs("coreutils", &["cat", "Some Film/.waiting"]).is_empty());
    assert_eq!(mounted.told("Some Film", "state"), "waiting");
    // Nothing was seen: the code says so.
    let mut mounted = mounted;
    let running = mounted.running_alone();
    running.interrupt();
    let said = running.ended();
    assert!(!said.errors.contains("panicked"), "{}", said.errors);
}

#[test]
fn the_files_of_a_magnet_come_into_its_folder() {
    let film = noise(51, 500_000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 2);
    let magnet = format!("magnet:?xt=urn:btih:{}&dn=A%20Film", torrent.hex());
    let mounted = Mounted::of_words(&[&magnet], &seeds.flags());
    let path = mounted.path("A Film/film.bin");
    until(|| path.exists().then_some(()));
    assert_eq!(mounted.runs("coreutils", &["ls", "-A", "A Film"]), "film.bin\n");
    assert!(std::fs::read(&path).expect("reads") == film);
    mounted.ends_well();
}

#[test]
fn with_all_everything_comes_and_without_it_nothing() {
    let contents = [("a.bin", noise(52, 400_000)), ("b/c.bin", noise(53, 900_000))];
    let contents = contents.each_ref().map(|(name, bytes)| (*name, bytes.as_slice()));
    let torrent = Torrent::of_folder("Two", &contents);
    let seeds = Seeds::of(&torrent, 2);
    let lazy = Mounted::of(&[&torrent], &seeds.flags());
    let eager = Mounted::of(&[&torrent], &[seeds.flags(), vec!["--all".into()]].concat());
    until(|| (eager.told("Two/a.bin", "state") == "complete").then_some(()));
    until(|| (eager.told("Two/b/c.bin", "state") == "complete").then_some(()));
    assert_eq!(lazy.told("Two/a.bin", "state"), "empty");
    assert_eq!(lazy.told("Two/b/c.bin", "percent"), "0");
    eager.ends_well();
    lazy.ends_well();
}
