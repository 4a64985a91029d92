//! How it ends while reads wait, and how it begins again after a crash.

use std::process::{Child, Stdio};

use super::mounted::{Mounted, is_mounted, nobody, program, says_input_output_error};
use super::noise::noise;
use crate::run::{until, wait};
use crate::seeds::{Seeds, Torrent};

/// A torrent that nobody has.
fn unseeded() -> Torrent {
    Torrent::of_file("film.bin", &noise(30, 1_000_000))
}

/// `cat` of a file that does not come, and waits in its read.
fn cat(mounted: &Mounted) -> Child {
    let cat = program("cat", "coreutils")
        .arg(mounted.path("film.bin"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cat runs");
    // The control file says that somebody waits.
    until(|| {
        let status = std::fs::read_to_string(mounted.path(".peerflix-status")).ok()?;
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        let file = &status["torrents"][0]["files"][0];
        (file["waiting"].as_u64()? > 0).then_some(())
    });
    cat
}

#[test]
fn ctrl_c_ends_a_cat_that_waits_and_the_mount_lives_on() {
    let torrent = unseeded();
    let mounted = Mounted::of(&[&torrent], &nobody());
    let mut cat = cat(&mounted);
    rustix::process::kill_process(rustix::process::Pid::from_child(&cat), rustix::process::Signal::INT)
        .expect("it runs");
    let status = wait(&mut cat);
    assert!(!status.success(), "{status}");
    assert_eq!(mounted.runs("coreutils", &["ls"]), "film.bin\n");
    mounted.ends_well();
}

#[test]
fn it_ends_while_a_read_waits() {
    let torrent = unseeded();
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut mounted = Mounted::of(&[&torrent], &nobody());
        let cat = cat(&mounted);
        let running = mounted.running_alone();
        match signal {
            rustix::process::Signal::TERM => running.terminate(),
            _ => running.interrupt(),
        }
        let said = running.ended();
        assert!(!said.errors.contains("panicked"), "{}", said.errors);
        assert!(!is_mounted(&mounted.at()), "{}", said.errors);
        let out = cat.wait_with_output().expect("cat has ended");
        assert!(!out.status.success(), "{out:?}");
    }
}

#[test]
fn somebody_else_unmounts_it_while_a_read_waits() {
    let torrent = unseeded();
    let mut mounted = Mounted::of(&[&torrent], &nobody());
    let cat = cat(&mounted);
    let out = program("fusermount3", "fuse3").arg("-uz").arg(mounted.at()).output().expect("it runs");
    assert!(out.status.success(), "{out:?}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&cat), rustix::process::Signal::KILL)
        .expect("it runs");
    let said = mounted.running_alone().ended();
    assert!(!said.errors.contains("panicked"), "{}", said.errors);
    let out = cat.wait_with_output().expect("cat has ended");
    assert!(!out.status.success(), "{out:?}");
}

#[test]
fn a_read_that_nobody_answers_fails_in_time_and_a_later_one_tries_again() {
    let film = noise(31, 1_000_000);
    let torrent = Torrent::of_file("film.bin", &film);
    let flags = [nobody(), vec!["--read-timeout=1".into()]].concat();
    let mut mounted = Mounted::of(&[&torrent], &flags);
    for _ in 0..2 {
        let out = mounted.tries("coreutils", &["cat", "film.bin"]);
        assert!(!out.status.success() && says_input_output_error(&out), "{out:?}");
    }
    let running = mounted.running_alone();
    running.interrupt();
    running.ended();
    // The same place, now with somebody who has it.
    let seeds = Seeds::of(&torrent, 1);
    mounted.start(&[torrent.typed()], &seeds.flags());
    assert!(std::fs::read(mounted.path("film.bin")).expect("reads") == film);
    mounted.ends_well();
}

#[test]
fn after_a_crash_it_is_mounted_at_the_same_place_and_has_what_it_had() {
    let film = noise(32, 3_000_000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 2);
    let mut mounted = Mounted::of(&[&torrent], &seeds.flags());
    assert!(std::fs::read(mounted.path("film.bin")).expect("reads") == film);
    let running = mounted.running_alone();
    running.kill();
    drop(running.ended());
    // What every program is told there now.
    assert!(is_mounted(&mounted.at()));
    let error = std::fs::read_dir(mounted.at()).expect_err("nobody is there");
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOTCONN.raw_os_error()));
    drop(seeds);
    // Nobody else has it any more.
    mounted.start(&[torrent.typed()], &nobody());
    assert!(std::fs::read(mounted.path("film.bin")).expect("reads") == film);
    mounted.ends_well();
}
