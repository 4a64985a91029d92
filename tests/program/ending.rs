//! How it ends: at once, saying nothing, leaving nothing locked.

use crate::films::demo;
use crate::run::Peerflix;
use crate::seeds::{Seeds, Torrent};

#[test]
fn quiet_says_one_line_and_ctrl_c_is_how_one_stops_watching() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 2);
    let args =
        [torrent.typed().to_owned(), "--quiet".into(), "--port=0".into()].into_iter().chain(seeds.flags());
    let mut running = Peerflix::new(args).start();
    let line = running.line();
    assert!(line.starts_with("server is listening on http://127.0.0.1:"), "{line}");
    running.interrupt();
    let said = running.ended();
    assert_eq!((said.code, said.errors.as_str(), said.text().as_str()), (Some(0), "", ""));
}

#[test]
fn it_can_be_ended_while_nobody_knows_the_torrent() {
    let magnet = format!("magnet:?xt=urn:btih:{}", "0".repeat(40));
    let mut running = Peerflix::new([magnet.as_str(), "--port=0", "--no-dht", "--no-lsd"]).start();
    running.line();
    running.terminate();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn a_list_that_was_cut_short_is_not_a_success() {
    let magnet = format!("magnet:?xt=urn:btih:{}", "0".repeat(40));
    let running = Peerflix::new([magnet.as_str(), "--list", "--no-dht", "--no-lsd"]);
    let (running, _stdout) = running.piped();
    // It says what it does before it can be interrupted at all.
    running.wait_for_an_error();
    running.interrupt();
    assert_eq!(running.ended().code, Some(130));
}

#[test]
fn the_next_run_finds_what_the_last_one_fetched() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let cache = tempfile::TempDir::new().expect("a temporary folder");
    let first = {
        let seeds = Seeds::of(&torrent, 2);
        let args = [torrent.hex(), "--stdout".into()].into_iter().chain(seeds.flags());
        Peerflix::new(args).env("PEERFLIX_CACHE", cache.path()).said()
    };
    assert_eq!(first.code, Some(0), "{}", first.errors);
    // No seed is left: metadata and film come from the disk.
    let args = [torrent.hex(), "--stdout".into(), "--no-dht".into(), "--no-lsd".into()];
    let second = Peerflix::new(args).env("PEERFLIX_CACHE", cache.path()).said();
    assert_eq!(second.code, Some(0), "{}", second.errors);
    assert!(second.out == demo());
}

#[test]
fn the_demo_runs_without_a_network_and_leaves_nothing() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let said = Peerflix::new(["demo", "--once", "--port=0"]).env("TMPDIR", folder.path()).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    for word in ["listening", "metadata", "first byte", "each as it should be"] {
        assert!(said.text().contains(word), "{}", said.text());
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0, "something temporary was left");
}
