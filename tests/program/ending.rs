//! How it ends: at once, saying nothing, leaving nothing locked.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use crate::films::{demo, program};
use crate::run::{PATIENCE, Peerflix, Running};
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
    assert_eq!(running.ended().code, Some(130), "nothing was seen: whatever comes after it should know");
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

/// A demo that waits to be watched.
fn waiting_demo(temporary: &Path) -> (Running, String) {
    let mut running = Peerflix::new(["demo", "--port=0"])
        .env("TMPDIR", temporary)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .start();
    let url = running.line();
    (running, url)
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("reads").count()
}

#[test]
fn a_demo_that_is_ended_twice_leaves_nothing() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let (running, _) = waiting_demo(folder.path());
    assert_eq!(count(folder.path()), 1);
    running.interrupt();
    // Whether it is still at it, or has just ended: nothing is left.
    running.interrupt();
    let code = running.ended().code;
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
    assert_eq!(count(folder.path()), 0, "something temporary was left");
}

#[test]
fn what_a_killed_demo_leaves_the_next_one_removes_and_not_what_another_needs() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let (killed, _) = waiting_demo(folder.path());
    killed.kill();
    killed.ended();
    assert_eq!(count(folder.path()), 1);
    let (running, url) = waiting_demo(folder.path());
    assert_eq!(count(folder.path()), 1, "the killed one's is gone, the new one's there");
    let said = Peerflix::new(["demo", "--once", "--port=0"]).env("TMPDIR", folder.path()).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert_eq!(count(folder.path()), 1);
    // The film of the one that runs is all there.
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("a URL");
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("asks");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("reads");
    assert!(answer.ends_with(demo()), "{} bytes", answer.len());
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
    assert_eq!(count(folder.path()), 0);
}

/// Takes connections, and tells the first line of each request; answers only if it has something to say.
fn tracker(answer: Option<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let url = format!("http://{}/announce", listener.local_addr().expect("bound"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let _ = tell.send(request.lines().next().unwrap_or_default().to_owned());
            match answer {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => hanging.push(stream),
            }
        }
    });
    (url, told)
}

/// The next announce of this kind.
fn heard(told: &Receiver<String>, event: &str) {
    loop {
        let line = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no announce with {event}"));
        if line.contains(event) {
            return;
        }
    }
}

#[test]
fn trackers_are_told_of_the_end_and_one_that_hangs_does_not_keep_us() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 5);
    let (hanging, hangs) = tracker(None);
    let (polite, hears) = tracker(Some(
        "HTTP/1.1 200 OK\r\nContent-Length: 33\r\nConnection: close\r\n\r\nd8:intervali1800e5:peers6:\x7f\0\0\x01\0\x01e",
    ));
    for end in [Running::interrupt, Running::terminate] {
        let args = [
            torrent.hex(),
            "--port=0".into(),
            format!("--trackers={hanging}"),
            format!("--trackers={polite}"),
        ];
        let mut running = Peerflix::new(args.into_iter().chain(seeds.flags())).start();
        running.line();
        heard(&hangs, "event=started");
        heard(&hears, "event=started");
        end(&running);
        // The trackers may have heard of us before the torrent was known.
        assert!(matches!(running.ended().code, Some(0 | 130)));
        heard(&hears, "event=stopped");
    }
}

#[test]
fn a_player_that_ends_at_once_ends_us_and_what_came_is_kept() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let cache = tempfile::TempDir::new().expect("a temporary folder");
    let seeds = Seeds::of(&torrent, 2);
    // This player watches the whole film, and leaves.
    program("ffmpeg", "ffmpeg");
    let player = "--player=ffmpeg -nostdin -v error -xerror -i {} -f null -";
    let args = [torrent.typed().to_owned(), "--port=0".into(), player.into()];
    let said =
        Peerflix::new(args.into_iter().chain(seeds.flags())).env("PEERFLIX_CACHE", cache.path()).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    drop(seeds);
    let args = [torrent.typed().to_owned(), "--stdout".into(), "--no-dht".into(), "--no-lsd".into()];
    let second = Peerflix::new(args).env("PEERFLIX_CACHE", cache.path()).said();
    assert!(second.code == Some(0) && second.out == demo(), "{}", second.errors);
}
