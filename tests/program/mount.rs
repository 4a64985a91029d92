//! `peerflix mount`: real mounts, of torrents that real or scripted peers have.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::films::{demo, program};
use crate::run::{Peerflix, Running, until};
use crate::scripted::{self, Manner};
use crate::seeds::{Seeds, Torrent};
use crate::tmux::Terminal;

/// A peerflix that mounts, at a folder in a temporary one. Whatever becomes of the test, the mount does not stay.
struct Mounted {
    running: Option<Running>,
    at: PathBuf,
    _parent: tempfile::TempDir,
}

impl Mounted {
    fn new(typed: &[&str], flags: &[String]) -> Mounted {
        program("fusermount3", "fuse3");
        let parent = tempfile::tempdir().expect("a temporary folder");
        let at = parent.path().canonicalize().expect("it is there").join("here");
        Mounted { running: Some(start(&at, typed, flags)), at, _parent: parent }
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it runs")
    }

    /// Waits for the end that was asked for: the folder is gone, and no mount is left.
    fn ends(mut self) {
        let said = self.running.take().expect("it runs").ended();
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!self.at.exists(), "{said:?}");
        assert!(!is_mounted(&self.at), "{said:?}");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.at.join(path)
    }

    fn status(&self) -> Value {
        let said = Peerflix::new(["mount", "--status", "--json", "--at", text(&self.at)]).said();
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_slice(&said.out).expect("JSON")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.running.take());
        while is_mounted(&self.at) {
            let done = program("fusermount3", "fuse3").arg("-uz").arg(&self.at).status();
            if !done.is_ok_and(|done| done.success()) {
                return;
            }
        }
    }
}

fn start(at: &Path, typed: &[&str], flags: &[String]) -> Running {
    let line = ["mount", "--at", text(at)].into_iter().chain(typed.iter().copied()).map(str::to_owned);
    let mut running = Peerflix::new(line.chain(flags.iter().cloned())).start();
    assert_eq!(running.line(), text(at), "the first line is where it is");
    running
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("Linux tells what is mounted");
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(text(at)))
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn nowhere() -> Vec<String> {
    ["--no-dht", "--no-lsd"].map(str::to_owned).to_vec()
}

/// Bytes that no other place has.
fn film(length: usize) -> Vec<u8> {
    let word = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    (0..length.div_ceil(8)).flat_map(word).take(length).collect()
}

#[test]
fn any_program_reads_a_torrent_that_is_not_there_yet_and_at_the_end_the_folder_is_gone() {
    let files = [("film.mp4", demo()), ("subtitles/film.en.srt", b"1\n".as_slice())];
    let torrent = Torrent::of_folder("Show", &files);
    let seeds = Seeds::of(&torrent, 2);
    let mut mounted = Mounted::new(&[torrent.typed()], &seeds.flags());
    assert_eq!(names(&mounted.at), ["Show"]);
    assert_eq!(names(&mounted.path("Show")), ["film.mp4", "subtitles"]);
    let cat = Command::new("cat").arg(mounted.path("Show/film.mp4")).output().expect("cat runs");
    assert!(cat.status.success() && cat.stdout == demo(), "{}", String::from_utf8_lossy(&cat.stderr));
    assert_eq!(fs::read(mounted.path("Show/subtitles/film.en.srt")).expect("reads"), b"1\n");
    let error = fs::write(mounted.path("Show/more"), "x").expect_err("it is read-only");
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);

    let status = mounted.status();
    let show = &status["torrents"][0];
    assert_eq!(
        (&status["v"], &show["state"], &show["had"]),
        (&1.into(), &"complete".into(), &show["length"])
    );
    assert_eq!(show["files"][0]["path"], "Show/film.mp4");
    let said = Peerflix::new(["mount", "--status", "--at", text(&mounted.at)]).said();
    assert!(said.text().contains("100.0 %") && said.text().contains("Show/film.mp4"), "{said:?}");

    mounted.running().interrupt();
    mounted.ends();
}

#[test]
fn several_torrents_lie_side_by_side_and_one_that_cannot_be_had_is_left_out() {
    let show = Torrent::of_folder("Show", &[("1.mp4", demo()), ("2.mp4", b"two".as_slice())]);
    let film = Torrent::of_file("film.mp4", demo());
    let mut mounted = Mounted::new(&[show.typed(), "no-such.torrent", film.typed()], &nowhere());
    assert_eq!(names(&mounted.at), ["Show", "film.mp4"]);
    assert_eq!(fs::metadata(mounted.path("film.mp4")).expect("a file").len(), demo().len() as u64);
    mounted.running().wait_for_words(&["going on without no-such.torrent"]);
    mounted.running().terminate();
    mounted.ends();
}

#[test]
fn a_magnet_is_a_folder_at_once_and_its_files_come_when_they_are_known() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let magnet = format!("magnet:?xt=urn:btih:{}&dn=A+Film", torrent.hex());
    // Nobody is there yet: the folder waits, and says why.
    let mut lonely = Mounted::new(&[&magnet], &nowhere());
    assert_eq!(names(&lonely.path("A Film")), [".waiting"]);
    let note = fs::read_to_string(lonely.path("A Film/.waiting")).expect("a note");
    assert!(note.ends_with(".\n"), "{note}");
    assert_eq!(lonely.status()["torrents"][0]["state"], "waiting");
    lonely.running().interrupt();
    lonely.ends();

    let seeds = Seeds::of(&torrent, 1);
    let mut mounted = Mounted::new(&[&magnet], &seeds.flags());
    until(|| (names(&mounted.path("A Film")) == ["film.mp4"]).then_some(()));
    assert!(fs::read(mounted.path("A Film/film.mp4")).expect("reads") == demo());
    mounted.running().interrupt();
    mounted.ends();
}

#[test]
fn what_nobody_reads_is_fetched_only_with_all() {
    let torrent = Torrent::of_folder("Show", &[("a.bin", &film(4_000_000)), ("b.bin", &film(3_000_000))]);
    let seeds = Seeds::of(&torrent, 1);
    let all: Vec<String> = seeds.flags().into_iter().chain(["--all".to_owned()]).collect();
    let mut fetches = Mounted::new(&[torrent.typed()], &all);
    until(|| (fetches.status()["torrents"][0]["state"] == "complete").then_some(()));
    fetches.running().interrupt();
    fetches.ends();

    let mut waits = Mounted::new(&[torrent.typed()], &seeds.flags());
    let mut some = [0; 1000];
    let mut file = fs::File::open(waits.path("Show/b.bin")).expect("opens");
    file.read_exact(&mut some).expect("reads");
    assert_eq!(some[..], film(1000)[..]);
    let status = waits.status();
    let had: Vec<_> = (0..2).map(|file| status["torrents"][0]["files"][file]["had"].as_u64()).collect();
    // Pieces do not end where files do: some of the end of the other one comes along.
    assert!(had[0] < Some(1_000_000), "{status}");
    assert!(had[1] > Some(0), "{status}");
    drop(file);
    waits.running().interrupt();
    waits.ends();
}

#[test]
fn it_ends_while_a_read_waits_for_bytes_that_nobody_sends() {
    let bytes = film(1_000_000);
    let torrent = Torrent::of_file("film.bin", &bytes);
    let peer = scripted::peer(Manner::Chokes, &bytes, 64 * 1024, torrent.info_hash);
    let flags = [nowhere(), vec![format!("--peer={peer}")]].concat();
    let mut mounted = Mounted::new(&[torrent.typed()], &flags);
    let mut cat = Command::new("cat")
        .arg(mounted.path("film.bin"))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("cat runs");
    until(|| (mounted.status()["torrents"][0]["files"][0]["waiting"].as_u64() > Some(0)).then_some(()));
    let said = Peerflix::new(["mount", "--status", "--at", text(&mounted.at)]).said();
    assert!(said.text().contains("which waits") || said.text().contains("waiting"), "{said:?}");
    mounted.running().interrupt();
    mounted.ends();
    assert!(!crate::run::wait(&mut cat).success(), "the read has failed");
}

#[test]
fn asked_twice_it_leaves_no_dead_mount_either() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let mut mounted = Mounted::new(&[torrent.typed()], &nowhere());
    let _held = fs::File::open(mounted.path("film.mp4")).expect("opens");
    let running = mounted.running.take().expect("it runs");
    running.interrupt();
    running.interrupt();
    let said = running.ended();
    assert!([Some(0), Some(130)].contains(&said.code), "{said:?}");
    assert!(!is_mounted(&mounted.at) && !mounted.at.exists(), "{said:?}");
}

#[test]
fn whoever_unmounts_it_from_outside_ends_it() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let mounted = Mounted::new(&[torrent.typed()], &nowhere());
    let done = program("fusermount3", "fuse3").arg("-u").arg(&mounted.at).status().expect("it runs");
    assert!(done.success());
    mounted.ends();
}

#[test]
fn after_a_kill_the_next_one_cleans_up() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let mut mounted = Mounted::new(&[torrent.typed()], &seeds.flags());
    let killed = mounted.running.take().expect("it runs");
    killed.kill();
    killed.ended();
    let error = fs::metadata(&mounted.at).expect_err("nobody answers");
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    Peerflix::new(["mount", "--status", "--at", text(&mounted.at)]).said().failed_with(1, &["is dead"]);

    mounted.running = Some(start(&mounted.at, &[torrent.typed()], &seeds.flags()));
    assert!(fs::read(mounted.path("film.mp4")).expect("reads") == demo());
    mounted.running().interrupt();
    let said = mounted.running.take().expect("it runs").ended();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!is_mounted(&mounted.at));
}

#[test]
fn a_folder_that_is_taken_is_refused_and_another_suggested() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let mut mounted = Mounted::new(&[torrent.typed()], &nowhere());
    let second = ["mount", torrent.typed(), "--at", text(&mounted.at), "--no-dht", "--no-lsd"];
    Peerflix::new(second).said().failed_with(1, &["mounted", "--at DIR"]);
    assert_eq!(names(&mounted.at), ["film.mp4"], "the first one is left alone");
    mounted.running().interrupt();
    mounted.ends();

    let full = tempfile::tempdir().expect("a temporary folder");
    fs::write(full.path().join("mine"), "x").expect("ours");
    let line = ["mount", torrent.typed(), "--at", text(full.path()), "--no-dht", "--no-lsd"];
    Peerflix::new(line).said().failed_with(1, &["not empty"]);
    let at = full.path().join("Film/here");
    let line = ["mount", torrent.typed(), "--path", text(full.path()), "--at", text(full.path())];
    Peerflix::new(line).said().failed_with(2, &["--at DIR"]);
    let show = Torrent::of_folder("Film", &[("1", demo()), ("2", b"2".as_slice())]);
    let line =
        ["mount", show.typed(), "--path", text(full.path()), "--at", text(&at), "--no-dht", "--no-lsd"];
    Peerflix::new(line).said().failed_with(2, &["keeps what it fetches"]);
}

#[test]
fn the_screen_tells_where_it_is_and_who_reads_and_q_unmounts_it() {
    let bytes = film(1_000_000);
    let torrent = Torrent::of_folder("Show", &[("a.bin", &bytes), ("b.bin", b"small".as_slice())]);
    let all = [bytes.as_slice(), b"small"].concat();
    let peer = scripted::peer(Manner::Chokes, &all, 64 * 1024, torrent.info_hash);
    let parent = tempfile::tempdir().expect("a temporary folder");
    let at = parent.path().canonicalize().expect("it is there").join("here");
    let terminal = Terminal::new(110, 30);
    let peer = format!("--peer={peer}");
    terminal.peerflix(&["mount", torrent.typed(), "--at", text(&at), "--no-dht", "--no-lsd", &peer]);
    terminal.shows("unmounts it");
    let screen = terminal.shows("nobody reads anything");
    assert!(screen.contains(text(&at)), "{screen}");
    terminal.shows("1 peer");
    let mut cat = Command::new("cat")
        .arg(at.join("Show/a.bin"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("cat runs");
    terminal.shows("waits for what comes");
    terminal.shows("Show/a.bin");
    terminal.shows("chokes us");
    terminal.key("q");
    terminal.shows("ended with 0");
    assert!(!crate::run::wait(&mut cat).success() && !at.exists());
}

#[test]
fn events_say_where_it_is_and_when_it_is_gone() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let parent = tempfile::tempdir().expect("a temporary folder");
    let at = parent.path().canonicalize().expect("it is there").join("here");
    let line = ["mount", torrent.typed(), "--json", "--webdav", "--port=0", "--at", text(&at)];
    let mut running = Peerflix::new(line.iter().copied().chain(["--no-dht", "--no-lsd"])).start();
    let mounted = loop {
        let event: Value = serde_json::from_str(&running.line()).expect("JSON");
        if event["event"] == "mounted" {
            break event;
        }
    };
    assert_eq!(mounted["at"], text(&at));
    let url = mounted["url"].as_str().expect("a URL").to_owned();
    let options = ["-sS", "-X", "PROPFIND", "-H", "Depth: 1", &url];
    let listed = program("curl", "curl").args(options).output().expect("curl runs");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("film.mp4"), "{listed:?}");
    running.interrupt();
    let said = running.ended();
    assert_eq!(said.code, Some(0), "{said:?}");
    let last: Vec<Value> =
        said.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let unmounted = last.iter().find(|event| event["event"] == "unmounted").expect("it says so");
    assert_eq!((&unmounted["at"], &unmounted["by_others"]), (&text(&at).into(), &false.into()));
    assert!(!at.exists());
}

#[test]
fn over_webdav_alone_nothing_is_mounted() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let line = ["mount", torrent.typed(), "--webdav", "--port=0", "--quiet"].map(str::to_owned);
    let peerflix = Peerflix::new(line.into_iter().chain(seeds.flags()));
    let folder = peerflix.home().join("peerflix");
    let mut running = peerflix.start();
    let line = running.line();
    let url = line;
    assert!(!folder.exists());
    let film = program("curl", "curl").args(["-sS", &format!("{url}film.mp4")]).output().expect("curl runs");
    assert!(film.stdout == demo(), "{film:?}");
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}
