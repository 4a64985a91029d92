//! Standard output: the film, the list, and whoever closes it early.

use std::io::Read;

use crate::films::demo;
use crate::run::Peerflix;
use crate::seeds::{Seeds, Torrent};

#[test]
fn the_film_and_nothing_else_goes_to_the_pipe() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 2);
    for flag in ["--stdout", "--output=-"] {
        let said =
            Peerflix::new([torrent.typed().to_owned(), flag.into()].into_iter().chain(seeds.flags())).said();
        assert_eq!(said.code, Some(0), "{}", said.errors);
        assert!(said.out == demo(), "{} bytes", said.out.len());
    }
}

#[test]
fn a_pipe_closed_in_the_middle_is_a_normal_end() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 2);
    let args = [torrent.typed().to_owned(), "--stdout".into()].into_iter().chain(seeds.flags());
    let (running, mut out) = Peerflix::new(args).piped();
    let mut first = [0; 4096];
    out.read_exact(&mut first).expect("the film begins");
    drop(out);
    assert!(first == demo()[..4096]);
    let said = running.ended();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert!(!said.errors.contains("panicked"), "{}", said.errors);
}

#[test]
fn a_pipe_closed_while_nothing_comes_is_a_normal_end_too() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let (running, out) = Peerflix::new([torrent.typed(), "--stdout", "--no-dht", "--no-lsd"]).piped();
    drop(out);
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn the_list_is_numbers_names_and_sizes() {
    let torrent = Torrent::of_folder("season", &[("e1.mkv", [0; 3000].as_slice()), ("e2.mkv", &[1; 20])]);
    let expected = ["season/e1.mkv : 3.0 kB", "season/e2.mkv : 20 B"];
    let typed = Peerflix::new([torrent.typed(), "--list"]).said();
    let piped =
        Peerflix::new(["-", "--list"]).stdin(std::fs::File::open(&torrent.path).expect("opens")).said();
    for said in [typed, piped] {
        assert_eq!(said.code, Some(0), "{}", said.errors);
        let text = said.text();
        assert_eq!(text.lines().count(), 2, "{text}");
        for (index, line) in text.lines().enumerate() {
            assert!(line.starts_with(&format!("{index:>3} : ")), "{text}");
        }
        assert!(expected.iter().all(|file| text.contains(file)), "{text}");
    }
}

#[test]
fn a_magnet_is_listed_from_the_swarm() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let said =
        Peerflix::new([torrent.hex().to_uppercase(), "--list".into()].into_iter().chain(seeds.flags()))
            .said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert_eq!(said.text(), "  0 : film.mp4 : 2.7 MB\n");
}

#[test]
fn a_name_or_a_number_chooses_another_file() {
    let torrent = Torrent::of_folder(
        "season",
        &[("e1.mkv", [7; 100_000].as_slice()), ("e2.mkv", b"the second episode")],
    );
    let seeds = Seeds::of(&torrent, 1);
    let list = Peerflix::new([torrent.typed(), "--list"]).said().text();
    let index = list.lines().position(|line| line.contains("e2.mkv")).expect("it is listed");
    for choice in ["--file=e2.mkv".to_owned(), "--file=*E2*".into(), format!("--index={index}")] {
        let args = [torrent.typed().to_owned(), "--stdout".into(), choice.clone()];
        let said = Peerflix::new(args.into_iter().chain(seeds.flags())).said();
        assert_eq!(said.code, Some(0), "{choice}: {}", said.errors);
        assert_eq!(said.text(), "the second episode", "{choice}");
    }
}
