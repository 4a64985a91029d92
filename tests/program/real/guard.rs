//! Programs that read whatever they see, and must not have it all fetched by that.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::mounted::{Mounted, says_input_output_error};
use super::noise::noise;
use crate::seeds::{Seeds, Torrent};

const MIB: usize = 1024 * 1024;

/// Reads a whole file, under a name of its own: a copy of cat(1) that is called so.
fn read_by(name: &str, path: &Path) -> Output {
    let folder = TempDir::new().expect("a temporary folder");
    let program = folder.path().join(name);
    std::fs::copy(crate::films::on_path("cat").expect("coreutils"), &program).expect("copies");
    Command::new(program).arg(path).output().expect("it runs")
}

#[test]
fn a_thumbnailer_gets_a_little_and_a_player_everything() {
    let film = noise(41, 100 * MIB + 1000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let out = read_by("tumblerd", &mounted.path("film.bin"));
    assert!(!out.status.success() && says_input_output_error(&out), "{} bytes", out.stdout.len());
    assert!(film.starts_with(&out.stdout));
    let there = mounted.bytes_there("film.bin");
    assert!(there <= 2 * MIB as u64, "{there} bytes for a thumbnail");
    let out = read_by("player", &mounted.path("film.bin"));
    assert!(out.stdout == film, "{} bytes", out.stdout.len());
    // What is there is anybody's.
    let out = read_by("tumblerd", &mounted.path("film.bin"));
    assert!(out.stdout == film, "{} bytes", out.stdout.len());
    mounted.ends_well();
}

#[test]
fn whom_to_guard_against_can_be_said() {
    let film = noise(42, 70 * MIB + 1000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 2);
    let flags = [seeds.flags(), vec!["--guard=my-indexer".into(), "--guard=-tumblerd".into()]].concat();
    let mounted = Mounted::of(&[&torrent], &flags);
    let out = read_by("my-indexer", &mounted.path("film.bin"));
    assert!(!out.status.success() && says_input_output_error(&out), "{} bytes", out.stdout.len());
    let out = read_by("tumblerd", &mounted.path("film.bin"));
    assert!(out.stdout == film, "{} bytes", out.stdout.len());
    mounted.ends_well();
}

#[test]
fn without_a_guard_everybody_gets_everything() {
    let film = noise(43, 70 * MIB + 1000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 2);
    let flags = [seeds.flags(), vec!["--no-guard".into()]].concat();
    let mounted = Mounted::of(&[&torrent], &flags);
    let out = read_by("tumblerd", &mounted.path("film.bin"));
    assert!(out.stdout == film, "{} bytes", out.stdout.len());
    mounted.ends_well();
}
