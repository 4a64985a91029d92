//! The screen in a real terminal, with real keys: start, resize, pause, pick, suspend, quit, and a terminal that goes.

use std::path::Path;

use unicode_width::UnicodeWidthStr;

use crate::films::{demo, films};
use crate::run::until;
use crate::scripted::{Manner, peer};
use crate::seeds::{Seeds, Torrent};
use crate::tmux::Terminal;

const PIECE: usize = 64 * 1024;

/// Two films of about the same length, and something small; the second with wide letters in its name.
fn series() -> Torrent {
    let mkv = films().mkv();
    Torrent::of_folder(
        "Series",
        &[("Series S01E10.mp4", demo()), ("Series S01E02 映画の時間.mkv", &mkv), ("notes.txt", b"small")],
    )
}

/// A terminal of 100 by 30 in which one film comes from one seed at so many bytes a second.
fn streaming(rate: u64) -> (Torrent, Terminal) {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seed = peer(Manner::Sends { rate }, demo(), PIECE, torrent.info_hash);
    let terminal = Terminal::new(100, 30);
    terminal.peerflix(&[torrent.typed(), "--port=0", "--no-dht", "--no-lsd", &format!("--peer={seed}")]);
    (torrent, terminal)
}

fn is_alive(process: u32) -> bool {
    // A zombie is a process that has ended.
    std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

#[track_caller]
fn fits(screen: &str, columns: usize) {
    for line in screen.lines() {
        assert!(line.width() <= columns, "{} columns: {line}", line.width());
    }
}

#[test]
fn a_film_on_the_screen_through_resizes_a_pause_and_its_end() {
    let (_film, terminal) = streaming(100_000);
    let screen = terminal.shows("no stall expected");
    for words in ["http://127.0.0.1:", "film.mp4", "1 connected", "needs 0.36 Mbit/s", "127.0.0.1:", "TCP"] {
        assert!(screen.contains(words), "no {words:?} on:\n{screen}");
    }

    for (columns, rows) in [(60, 16), (200, 50), (40, 10), (100, 30)] {
        terminal.resize(columns, rows);
        // Drawn anew for this width: the footer of keys or the name is somewhere on every one.
        let screen = terminal.shows("film.mp4");
        fits(&screen, columns as usize);
        assert!(screen.matches("film.mp4").count() <= 2, "something stale is left on:\n{screen}");
    }

    terminal.key("Space");
    terminal.shows("PAUSED");
    terminal.key("Space");
    terminal.hides("PAUSED");

    terminal.key("?");
    terminal.shows("copy the URL");
    terminal.key("?");
    terminal.hides("copy the URL");

    terminal.key("q");
    let screen = terminal.shows("ended with 0");
    assert!(screen.contains("film.mp4:") && screen.contains("http://127.0.0.1:"), "what stays:\n{screen}");
}

#[test]
fn one_of_several_films_is_picked_and_another_one_later() {
    let torrent = series();
    let seeds = Seeds::of(&torrent, 1);
    let flags = seeds.flags();
    let mut args = vec![torrent.typed(), "--port=0"];
    args.extend(flags.iter().map(String::as_str));
    let terminal = Terminal::new(90, 24);
    terminal.peerflix(&args);
    let screen = terminal.shows("notes.txt");
    assert!(screen.contains("映画の時間") && screen.contains("S01E10"), "{screen}");
    fits(&screen, 90);

    for letter in ["e", "0", "2"] {
        terminal.key(letter);
    }
    terminal.hides("notes.txt");
    terminal.key("Enter");
    let screen = terminal.shows("映画の時間.mkv  in Series");
    assert!(screen.contains("http://127.0.0.1:"), "{screen}");

    terminal.key("p");
    terminal.shows("notes.txt");
    terminal.key("Escape");
    terminal.hides("notes.txt");
    terminal.key("p");
    terminal.shows("notes.txt");
    for letter in ["E", "1", "0"] {
        terminal.key(letter);
    }
    terminal.hides("notes.txt");
    terminal.key("Enter");
    terminal.shows("S01E10.mp4  in Series");
    terminal.key("C-c");
    terminal.shows("ended with 0");
}

#[test]
fn a_list_is_left_with_escape_and_nothing_is_played() {
    let torrent = series();
    let terminal = Terminal::new(80, 24);
    terminal.peerflix(&[torrent.typed(), "--list", "--port=0", "--no-dht", "--no-lsd"]);
    terminal.shows("notes.txt");
    terminal.key("Escape");
    let screen = terminal.shows("ended with 0");
    assert!(!screen.contains("http://"), "{screen}");
}

#[test]
fn who_suspends_it_has_the_shell_and_comes_back_to_the_film() {
    let (_film, terminal) = streaming(50_000);
    terminal.shows("1 connected");
    let process = terminal.process();
    terminal.key("C-z");
    terminal.hides("1 connected");
    terminal.line("echo the shell is $((40+2))");
    terminal.shows("the shell is 42");
    terminal.line("fg");
    terminal.shows("1 connected");

    // From outside too.
    let pid = rustix::process::Pid::from_raw(process.try_into().expect("a number")).expect("not zero");
    rustix::process::kill_process(pid, rustix::process::Signal::TSTP).expect("it is there");
    terminal.hides("1 connected");
    terminal.line("fg");
    terminal.shows("1 connected");
    terminal.key("q");
    until(|| (!is_alive(process)).then_some(()));
    terminal.line("stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e icanon | tr '\\n' '+'");
    terminal.shows("icanon+echo+");
}

#[test]
fn when_the_terminal_goes_so_does_it() {
    let (_film, terminal) = streaming(50_000);
    terminal.shows("1 connected");
    let process = terminal.process();
    terminal.close();
    until(|| (!is_alive(process)).then_some(()));
}
