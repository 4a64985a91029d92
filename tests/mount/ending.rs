//! Mounts that end, as they should and otherwise.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use peerflix::mount::fuse::{Mount, MountError};
use peerflix::mount::place;

use crate::world::{MIB, Torrent, World, begin, config, runtime, says, soon, text, wait_for};

/// Where a child is to mount.
const AT: &str = "PEERFLIX_TEST_MOUNTS_AT";

fn is_mounted(at: &Path) -> bool {
    says("findmnt", &["--noheadings", "--output", "TARGET"]).lines().any(|line| line.ends_with(text(at)))
}

#[test]
fn a_mount_ends_while_reads_wait_and_leaves_nothing() {
    let torrent = Torrent::film(100 * MIB);
    let mut world = World::of(&torrent);
    let at = world.at();
    let film = world.path("film.mkv");
    let waiting = begin(move || {
        let film = File::open(film).expect("it is there");
        film.read_at(&mut [0; 1000], 0)
    });
    world.until_wanted(&torrent, 0, 0);
    assert!(is_mounted(&at));
    world.close();
    assert!(!is_mounted(&at) && !at.exists());
    wait_for(waiting).expect_err("there is nobody left to read it");
    world.until_nothing_is_wanted(&torrent);
    world.until_readers_are(&torrent, 0);
}

#[test]
fn a_mount_ends_while_somebody_has_a_file_of_it_open() {
    let torrent = Torrent::film(100 * MIB);
    let mut world = World::of(&torrent);
    let at = world.at();
    let held = File::open(world.path("film.mkv")).expect("it is there");
    world.close();
    assert!(!is_mounted(&at) && !at.exists());
    let read = soon(move || held.read_at(&mut [0; 1000], 0));
    read.expect_err("there is nobody left to read it");
}

#[test]
fn a_mount_that_is_dropped_is_unmounted() {
    let world = World::of(&Torrent::film(1000));
    let at = world.at();
    drop(world);
    assert!(!is_mounted(&at));
}

#[test]
fn somebody_elses_unmounting_is_noticed() {
    let mut world = World::of(&Torrent::film(1000));
    let at = world.at();
    says("fusermount3", &["-u", text(&at)]);
    world.until_ended();
    world.close();
    assert!(!is_mounted(&at) && !at.exists());
}

#[test]
fn two_do_not_mount_at_the_same_place() {
    let world = World::of(&Torrent::film(1000));
    assert!(matches!(place::prepare(&world.at()), Err(MountError::InUse { .. })));
    assert!(matches!(place::prepare(&world.path("film.mkv")), Err(MountError::NotAFolder { .. })));
    assert!(is_mounted(&world.at()));
}

#[test]
fn a_mount_whose_program_was_killed_is_cleaned_away() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let at = home.path().canonicalize().expect("it is there").join("mount");
    let mut child = Command::new(std::env::current_exe().expect("this program has a file"))
        .args(["--exact", "ending::a_child_mounts_until_it_is_killed", "--nocapture"])
        .env(AT, &at)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts again");
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let said = soon(move || lines.find(|line| line.as_ref().is_ok_and(|line| line == "mounted")).is_some());
    assert!(said && is_mounted(&at));
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let dead = fs::read_dir(&at).expect_err("nobody answers any more");
    assert_eq!(dead.raw_os_error(), Some(rustix::io::Errno::NOTCONN.raw_os_error()));

    let runtime = runtime();
    let _inside = runtime.enter();
    let mount = Mount::start(Torrent::film(1000).shelf(), config(&at)).expect("the dead one is cleaned away");
    assert_eq!(says("ls", &[text(&at)]), "film.mkv\n");
    runtime.block_on(mount.close());
    assert!(!is_mounted(&at));
}

/// By itself it has nothing to do: it is the program that the test above kills.
#[test]
fn a_child_mounts_until_it_is_killed() {
    let Some(at) = std::env::var_os(AT) else { return };
    let runtime = runtime();
    let _inside = runtime.enter();
    let mount = Mount::start(Torrent::film(1000).shelf(), config(at.as_ref())).expect("it can be mounted");
    println!("\nmounted");
    // Until the test ends, should it never come to the killing.
    let _ = std::io::stdin().lines().next();
    drop(mount);
}
