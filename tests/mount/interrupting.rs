//! Programs that are stopped while they wait.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{MIB, Torrent, World, bytes, ends, start, text};

fn send(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
    kill_process(id, signal).expect("it is ours");
}

/// Starts a program that reads what is not there, stops it, and sees it and its wish go.
fn stops(signal: Signal, program: &str, arguments: &[&str]) {
    let torrent = Torrent::film(100 * MIB);
    let world = World::of(&torrent);
    let film = world.path("film.mkv");
    let arguments: Vec<_> = arguments.iter().map(|word| word.replace("FILM", text(&film))).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let child = start(program, &arguments);
    world.until_wanted(&torrent, 0, 0);
    send(&child, signal);
    ends(child);
    world.until_nothing_is_wanted(&torrent);
    world.until_readers_are(&torrent, 0);
}

#[test]
fn cat_that_is_interrupted_ends_at_once_and_wants_nothing_more() {
    stops(Signal::INT, "cat", &["FILM"]);
}

#[test]
fn cat_that_is_killed_ends_at_once_and_wants_nothing_more() {
    stops(Signal::KILL, "cat", &["FILM"]);
}

#[test]
fn a_read_past_the_kernels_cache_ends_when_its_program_is_killed() {
    stops(Signal::KILL, "dd", &["if=FILM", "of=/dev/null", "bs=64k", "iflag=direct", "status=none"]);
}

#[test]
fn a_program_that_catches_the_interrupt_is_told_of_it() {
    // dd does, to say how far it got.
    stops(Signal::INT, "dd", &["if=FILM", "of=/dev/null", "bs=64k", "iflag=direct"]);
    stops(Signal::INT, "dd", &["if=FILM", "of=/dev/null", "bs=64k"]);
}

#[test]
fn a_mapped_file_is_let_go_of_when_its_program_is_killed() {
    let script = "import mmap, sys\n\
        film = open(sys.argv[1], 'rb')\n\
        map = mmap.mmap(film.fileno(), 0, prot=mmap.PROT_READ)\n\
        film.close()\n\
        print(map[0])\n";
    stops(Signal::KILL, "python3", &["-c", script, "FILM"]);
}

#[test]
fn others_who_wait_for_the_same_bytes_go_on_waiting() {
    let torrent = Torrent::film(100 * MIB);
    let world = World::of(&torrent);
    let film = world.path("film.mkv");
    let first = start("head", &["-c", "1000", text(&film)]);
    world.until_wanted(&torrent, 0, 0);
    // Whether it waits already when the first is gone makes no difference to what it reads.
    let second = start("head", &["-c", "1000", text(&film)]);
    send(&first, Signal::KILL);
    ends(first);
    world.until_wanted(&torrent, 0, 0);
    torrent.all_comes();
    assert_eq!(ends(second).stdout, bytes(0, 0..1000));
}
