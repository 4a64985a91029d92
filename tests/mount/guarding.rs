//! Programs that read whatever they see.

use std::fs;
use std::path::PathBuf;

use peerflix::mount::guard::Guard;

use crate::world::{MIB, Torrent, World, bytes, ends, output, start, text};

/// A program that copies what it reads, under a name that the guard knows.
fn scanner(world: &World) -> PathBuf {
    let path = world.home().join("tumblerd");
    fs::copy("/bin/dd", &path).expect("there is room");
    path
}

fn guarded(torrent: &Torrent) -> World {
    World::with(torrent, |config| config.guard = Guard::new(&[]))
}

#[test]
fn a_scanner_is_refused_the_middle_and_given_both_ends() {
    let torrent = Torrent::film(100 * MIB);
    let world = guarded(&torrent);
    let scanner = scanner(&world);
    let film = format!("if={}", text(&world.path("film.mkv")));
    let of = |skip: &str| output(text(&scanner), &[&film, "bs=64k", "count=1", "status=none", skip]);
    let middle = of("skip=800");
    assert!(!middle.status.success() && middle.stdout.is_empty());
    assert!(String::from_utf8_lossy(&middle.stderr).contains("Input/output error"));
    assert_eq!(torrent.ahead(), [], "nobody was asked for it");

    torrent.comes(0, 0..MIB);
    torrent.comes(0, 99 * MIB..100 * MIB);
    let (head, tail) = (of("skip=0"), of("skip=1599"));
    assert!(head.stdout == bytes(0, 0..65_536));
    assert!(tail.stdout == bytes(0, 1599 * 65_536..1600 * 65_536));
    torrent.all_comes();
    assert!(of("skip=800").stdout == bytes(0, 800 * 65_536..801 * 65_536), "what is there anybody may read");
}

#[test]
fn a_scanner_waits_for_the_head_and_nothing_is_read_ahead_for_it() {
    let torrent = Torrent::film(100 * MIB);
    let world = guarded(&torrent);
    let film = format!("if={}", text(&world.path("film.mkv")));
    let reading = start(text(&scanner(&world)), &[&film, "bs=64k", "count=4", "status=none"]);
    world.until_wanted(&torrent, 0, 0);
    torrent.comes(0, 0..MIB);
    assert!(ends(reading).stdout == bytes(0, 0..4 * 65_536));
    assert!(torrent.ahead().iter().all(|(_, until)| *until <= MIB), "{:?}", torrent.ahead());
}

#[test]
fn others_read_what_they_like_and_with_the_guard_off_all_do() {
    let torrent = Torrent::film(100 * MIB);
    let worlds = [guarded(&torrent), World::of(&torrent)];
    let programs = [PathBuf::from("dd"), scanner(&worlds[1])];
    for (world, program) in worlds.iter().zip(programs) {
        let film = format!("if={}", text(&world.path("film.mkv")));
        let arguments = ["bs=64k", "count=1", "status=none", "skip=800", &film];
        let mut reading = start(text(&program), &arguments);
        world.until_wanted(&torrent, 0, 50 * MIB);
        reading.kill().expect("it is ours");
        ends(reading);
        world.until_nothing_is_wanted(&torrent);
    }
}
