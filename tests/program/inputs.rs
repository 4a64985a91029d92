//! Bad input, bad luck: a clear sentence on standard error and the right number.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::films::demo;
use crate::run::Peerflix;
use crate::seeds::{Seeds, Torrent};

fn quiet(typed: &str) -> Peerflix {
    Peerflix::new([typed, "--quiet", "--port=0", "--no-dht", "--no-lsd"])
}

/// Answers every request with this. Gives the URL.
fn web_server(answer: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    format!("http://{address}/film.torrent")
}

#[test]
fn nothing_at_all_and_flags_that_do_not_exist_are_wrong_usage() {
    Peerflix::new([] as [&str; 0]).said().failed_with(2, &["usage"]);
    Peerflix::new(["x", "--nonsense"]).said().failed_with(2, &["--nonsense"]);
    Peerflix::new(["x", "--vlc", "--stdout"]).said().failed_with(2, &["exclude each other"]);
}

#[test]
fn a_file_that_is_not_there() {
    quiet("no-such.torrent").said().failed_with(3, &["no-such.torrent"]);
}

#[test]
fn a_file_that_is_no_torrent_or_half_of_one() {
    let folder = TempDir::new().expect("a temporary folder");
    let whole = Torrent::of_file("film.mp4", demo()).bytes;
    for (name, bytes) in [
        ("text.torrent", b"hello".as_slice()),
        ("half.torrent", &whole[..whole.len() / 2]),
        ("empty.torrent", b""),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        let said = quiet(path.to_str().expect("plain")).said();
        said.failed_with(3, &["torrent"]);
        assert!(said.out.is_empty(), "a URL was told for {name}: {}", said.text());
    }
}

#[test]
fn a_magnet_without_a_hash_or_with_the_new_kind_only() {
    quiet("magnet:?dn=film").said().failed_with(3, &["magnet"]);
    let v2 = format!("magnet:?xt=urn:btmh:1220{}", "ab".repeat(32));
    quiet(&v2).said().failed_with(3, &["v2"]);
}

#[test]
fn a_url_that_has_no_torrent() {
    quiet(&web_server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
        .said()
        .failed_with(3, &["404"]);
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<html>no</html>";
    quiet(&web_server(page)).said().failed_with(3, &["torrent"]);
}

#[test]
fn a_file_that_the_torrent_does_not_have() {
    let torrent = Torrent::of_file("film.mp4", demo());
    for choice in ["--index=99", "--file=*.zim"] {
        let said =
            Peerflix::new([torrent.typed(), choice, "--quiet", "--port=0", "--no-dht", "--no-lsd"]).said();
        said.failed_with(4, &["--list"]);
    }
}

#[test]
fn a_file_that_the_torrent_of_a_magnet_does_not_have() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let args = [torrent.hex(), "--index=1".into(), "--quiet".into(), "--port=0".into()];
    let said = Peerflix::new(args.into_iter().chain(seeds.flags())).said();
    said.failed_with(4, &["no file 1"]);
}

#[test]
fn a_player_that_is_not_installed_names_those_that_are() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let path = TempDir::new().expect("a temporary folder");
    let mpv = path.path().join("mpv");
    std::fs::write(&mpv, "#!/bin/sh\n").expect("writes");
    std::fs::set_permissions(&mpv, std::fs::Permissions::from_mode(0o755)).expect("ours");
    for flag in ["--smplayer", "--player=no-such-player --now"] {
        let said = Peerflix::new([torrent.typed(), flag, "--port=0"]).env("PATH", path.path()).said();
        said.failed_with(5, &["mpv"]);
    }
}

#[test]
fn a_player_that_fails_is_quoted() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let folder = TempDir::new().expect("a temporary folder");
    let player = folder.path().join("player");
    std::fs::write(&player, "#!/bin/sh\necho not before noon >&2\nexit 3\n").expect("writes");
    std::fs::set_permissions(&player, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let flag = format!("--player={}", player.display());
    let said = Peerflix::new([torrent.typed(), &flag, "--port=0", "--no-dht", "--no-lsd"]).said();
    said.failed_with(5, &["not before noon"]);
}

#[test]
fn arguments_for_a_player_without_a_player() {
    let torrent = Torrent::of_file("film.mp4", demo());
    Peerflix::new([torrent.typed(), "--", "--fullscreen"]).said().failed_with(2, &["--fullscreen", "--mpv"]);
}

#[test]
fn a_torrent_that_another_peerflix_has_gets_no_second_url() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let cache = TempDir::new().expect("a temporary folder");
    let peerflix = || {
        Peerflix::new([torrent.typed(), "--quiet", "--port=0", "--no-dht", "--no-lsd"])
            .env("PEERFLIX_CACHE", cache.path())
    };
    let mut first = peerflix().start();
    first.line();
    let second = peerflix().said();
    second.failed_with(7, &["another peerflix"]);
    assert_eq!(second.text(), "");
    first.interrupt();
    assert_eq!(first.ended().code, Some(0));
}

#[test]
fn a_folder_that_is_none() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let args = [
        torrent.typed().to_owned(),
        format!("--path={}", torrent.path.display()),
        "--quiet".into(),
        "--port=0".into(),
    ];
    let said = Peerflix::new(args.into_iter().chain(seeds.flags())).said();
    said.failed_with(7, &["film.torrent"]);
}

#[test]
fn an_address_that_is_not_ours() {
    let torrent = Torrent::of_file("film.mp4", demo());
    // TEST-NET-1 (RFC 5737): no computer has it.
    let said =
        Peerflix::new([torrent.typed(), "--hostname=192.0.2.1", "--port=0", "--no-dht", "--no-lsd"]).said();
    said.failed_with(6, &["192.0.2.1"]);
}

#[test]
fn a_port_in_use_is_passed_over() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let port = taken.local_addr().expect("bound").port();
    let args = [torrent.typed().to_owned(), format!("--port={port}"), "--no-dht".into(), "--no-lsd".into()];
    let mut running = Peerflix::new(args).start();
    let url = running.line();
    assert!(url.starts_with("http://127.0.0.1:") && !url.contains(&format!(":{port}/")), "{url}");
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn what_would_end_in_a_mess_is_said_before_anything_is_begun() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let both = [torrent.typed(), "--stdout", "--json", "--no-dht", "--no-lsd"];
    Peerflix::new(both).said().failed_with(2, &["--stdout", "--json"]);
    let lost = [torrent.typed(), "--subtitles=/nowhere/film.srt", "--no-dht", "--no-lsd", "--port=0"];
    Peerflix::new(lost).said().failed_with(2, &["/nowhere/film.srt"]);
}
