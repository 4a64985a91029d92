//! Reads: those that wait, and those that do not.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerflix::mount::shelf::Shelf;

use crate::world::{MIB, Torrent, World, begin, bytes, says, soon, text, wait_for};

#[test]
fn a_read_waits_for_its_bytes_and_holds_up_nobody() {
    let torrent = Torrent::new(&[("Show/a.mkv", 10 * MIB), ("Show/b.mkv", 10 * MIB)]);
    torrent.comes(1, 5 * MIB..6 * MIB);
    let world = World::of(&torrent);
    let read = |path: &str, offset: u64| {
        let path = world.path(path);
        begin(move || {
            let mut some = vec![0; 1000];
            File::open(path).and_then(|film| film.read_exact_at(&mut some, offset)).map(|()| some)
        })
    };
    let first = read("Show/a.mkv", 0);
    world.until_wanted(&torrent, 0, 0);
    // Another place in the same file, and another file.
    let second = read("Show/a.mkv", 5 * MIB);
    world.until_wanted(&torrent, 0, 5 * MIB);
    let there = wait_for(read("Show/b.mkv", 5 * MIB)).expect("it is there");
    assert_eq!(there, bytes(1, 5 * MIB..5 * MIB + 1000));
    assert_eq!(says("ls", &[text(&world.path("Show"))]), "a.mkv\nb.mkv\n");
    says("stat", &[text(&world.path("Show/a.mkv"))]);

    torrent.comes(0, 5 * MIB..6 * MIB);
    assert_eq!(wait_for(second).expect("it has come"), bytes(0, 5 * MIB..5 * MIB + 1000));
    torrent.comes(0, 0..MIB);
    assert_eq!(wait_for(first).expect("it has come"), bytes(0, 0..1000));
    world.until_nothing_is_wanted(&torrent);
    world.until_readers_are(&torrent, 0);
}

#[test]
fn a_whole_file_is_what_it_is_however_it_comes() {
    let length = 3 * MIB + 12_345;
    let torrent = Torrent::film(length);
    let world = World::of(&torrent);
    let film = world.path("film.mkv");
    let whole = begin(move || fs::read(film));
    world.until_wanted(&torrent, 0, 0);
    for piece in (0..length.div_ceil(100_000)).rev() {
        torrent.comes(0, piece * 100_000..((piece + 1) * 100_000).min(length));
    }
    assert!(wait_for(whole).expect("it has come") == bytes(0, 0..length));
}

#[test]
fn who_reads_on_is_read_ahead_for_and_who_jumps_is_not() {
    let length = 1000 * MIB;
    let torrent = Torrent::film(length);
    torrent.all_comes();
    let world = World::of(&torrent);
    let film = world.path("film.mkv");
    soon(move || {
        let film = File::open(film).expect("it is there");
        let mut some = vec![0; 65_536];
        for place in [700, 300, 900, 100, 500] {
            film.read_exact_at(&mut some, place * MIB).expect("it is there");
            assert!(some == bytes(0, place * MIB..place * MIB + 65_536));
        }
    });
    let places: Vec<u64> = torrent.ahead().iter().map(|(_, until)| until % MIB).collect();
    assert!(!places.is_empty() && places.iter().all(|until| *until <= 256 * 1024), "{places:?}");

    let film = world.path("film.mkv");
    soon(move || {
        let mut film = File::open(film).expect("it is there");
        film.seek(SeekFrom::Start(200 * MIB)).expect("it can");
        film.read_exact(&mut vec![0; 8 * MIB as usize]).expect("it is there");
    });
    let ahead = torrent.ahead();
    assert_eq!(ahead.last(), Some(&(0, length)), "{ahead:?}");
}

#[test]
fn a_read_without_peers_fails_in_time_and_the_next_tries_again() {
    let torrent = Torrent::film(10 * MIB);
    let world = World::with(&torrent, |config| config.read_timeout = Some(Duration::from_millis(300)));
    let film = world.path("film.mkv");
    let (film, failed) = soon(move || {
        let film = File::open(film).expect("it is there");
        let failed = film.read_at(&mut [0; 65_536], 0).expect_err("nobody sends it");
        (film, failed)
    });
    assert_eq!(failed.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    world.until_nothing_is_wanted(&torrent);
    torrent.all_comes();
    let read = soon(move || {
        let mut start = vec![0; 65_536];
        film.read_exact_at(&mut start, 0).map(|()| start)
    });
    assert!(read.expect("it has come") == bytes(0, 0..65_536));
}

#[test]
fn a_read_of_a_torrent_that_is_not_open_yet_waits_for_it() {
    let torrent = Torrent::film(MIB);
    torrent.all_comes();
    let world = World::showing(Shelf::new(vec![torrent.shown()]), |_| ()).expect("it can be mounted");
    let film = world.path("film.mkv");
    let whole = begin(move || fs::read(film));
    world.shelf.open_torrent(0, Arc::new(torrent.clone()));
    assert!(wait_for(whole).expect("it has come") == bytes(0, 0..MIB));
}

#[test]
fn a_file_can_be_mapped_into_memory() {
    let end = 300 * MIB;
    let torrent = Torrent::film(end);
    torrent.comes(0, 0..MIB);
    torrent.comes(0, end - MIB..end);
    let world = World::of(&torrent);
    let script = "import mmap, sys\n\
        with open(sys.argv[1], 'rb') as film, mmap.mmap(film.fileno(), 0, prot=mmap.PROT_READ) as map:\n\
        \x20   print(map[:100].hex())\n\
        \x20   print(map[200 * 2**20 + 5:200 * 2**20 + 105].hex())\n\
        \x20   print(map[-100:].hex())\n";
    let film = world.path("film.mkv");
    let mapped = begin(move || says("python3", &["-c", script, text(&film)]));
    let middle = 200 * MIB + 5;
    world.until(torrent.waiting(), |waiting| waiting.values().any(|(_, at)| at.abs_diff(middle) < 2 * MIB));
    torrent.all_comes();
    let hex = |range| bytes(0, range).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected = [hex(0..100), hex(middle..middle + 100), hex(end - 100..end)];
    assert_eq!(wait_for(mapped).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_program_can_be_run_from_the_mount() {
    let program = fs::read("/bin/echo").expect("every system has it");
    let torrent = Torrent::of(&[("Show/echo", program.into()), ("Show/notes.txt", Bytes::from("x"))]);
    let world = World::of(&torrent);
    assert_eq!(says(text(&world.path("Show/echo")), &["from", "a", "torrent"]), "from a torrent\n");
}
