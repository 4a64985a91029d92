//! Bad luck that comes while it runs, or that takes its time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::films::demo;
use crate::run::{PATIENCE, Peerflix};
use crate::seeds::{Seeds, Torrent};

/// A disk that takes no more than half of the film: a limit that needs no privilege, and that can be lifted. The system's
/// answer is another one than that of a full disk ("file too large"); all that follows from it is the same.
#[test]
fn a_disk_that_takes_no_more_is_told_and_when_it_does_again_the_film_goes_on() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 2);
    let args = [torrent.typed().to_owned(), "--stdout".into()].into_iter().chain(seeds.flags());
    // In blocks of 512 bytes. Without the trap, the signal that goes with it ends the process.
    let (running, mut out) = Peerflix::new(args).after("trap '' XFSZ; ulimit -S -f 2700").piped();
    running.wait_for_words(&["failed", "too large"]);
    let pid = Pid::from_raw(i32::try_from(running.id()).expect("a process's number")).expect("not zero");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: None, maximum: None }).expect("it is ours");
    let mut film = Vec::new();
    out.read_to_end(&mut film).expect("reads");
    let said = running.ended();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert!(film == demo(), "{} bytes came, or wrong ones", film.len());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let folder = TempDir::new().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).expect("ours");
    let args = [
        torrent.typed().to_owned(),
        format!("--path={}", folder.path().display()),
        "--quiet".into(),
        "--port=0".into(),
        "--no-dht".into(),
        "--no-lsd".into(),
    ];
    // Root may write everywhere, unless it gives that up.
    let as_anybody = match rustix::process::geteuid().is_root() {
        true => r#"set -- setpriv --bounding-set=-dac_override,-dac_read_search "$@""#,
        false => ":",
    };
    let said = Peerflix::new(args).after(as_anybody).said();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    said.failed_with(7, &[folder.path().to_str().expect("a plain name"), "--path", "denied"]);
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0);
}

/// Answers with this, and then goes on with what is to follow, for ever, with a pause before each.
fn endless_server(head: &'static str, more: &'static [u8], pause: Duration) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || -> std::io::Result<()> {
                let _ = stream.read(&mut [0; 4096])?;
                stream.write_all(head.as_bytes())?;
                loop {
                    std::thread::park_timeout(pause);
                    stream.write_all(more)?;
                }
            });
        }
    });
    format!("http://{address}/film.torrent")
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-bittorrent\r\n\r\n";

#[test]
fn a_url_without_an_end_is_given_up_for_its_length() {
    static ZEROS: [u8; 64 * 1024] = [b'0'; 64 * 1024];
    let url = endless_server(HEAD, &ZEROS, Duration::ZERO);
    Peerflix::new([url.as_str(), "--quiet", "--port=0"]).said().failed_with(3, &["longer than", &url]);
}

#[test]
fn a_url_that_trickles_is_given_up_for_its_slowness() {
    let url = endless_server(HEAD, b"d", Duration::from_secs(1));
    Peerflix::new([url.as_str(), "--quiet", "--port=0"]).said().failed_with(3, &["30 s", &url]);
}

/// A tracker that has no time for the first who ask, and then names the seed.
fn busy_tracker(refusals: usize, seed: SocketAddr) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for (asked, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut peers = vec![127, 0, 0, 1];
            peers.extend_from_slice(&seed.port().to_be_bytes());
            let body = [b"d8:intervali1800e5:peers6:", peers.as_slice(), b"e"].concat();
            let head = match asked < refusals {
                true => "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n".to_owned(),
                false => {
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
                }
            };
            let _ = stream
                .read(&mut [0; 4096])
                .and_then(|_| stream.write_all(&[head.as_bytes(), &body].concat()));
        }
    });
    format!("http://{address}/announce")
}

#[test]
fn while_nobody_is_found_it_says_who_was_asked_and_goes_on_asking() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let tracker = busy_tracker(2, seeds.addresses()[0]);
    let args = [torrent.hex(), "--stdout".into(), "--no-dht".into(), "--no-lsd".into()];
    let trackers = [format!("--trackers={tracker}"), "--trackers=http://127.0.0.1:1/announce".into()];
    let said = Peerflix::new(args.into_iter().chain(trackers)).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert!(said.out == demo(), "{} bytes", said.out.len());
    for words in ["503", "http://127.0.0.1:1 ", "refused the connection"] {
        assert!(said.errors.contains(words), "no {words:?} in {}", said.errors);
    }
}

/// Waits for a file that somebody else writes a line to.
fn line_of(path: &Path) -> String {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim_end().to_owned(),
            _ => std::thread::park_timeout(Duration::from_millis(10)),
        }
    }
    panic!("nobody wrote to {}", path.display());
}

#[test]
fn the_desktop_is_asked_to_open_the_url_and_the_film_is_there() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let folder = TempDir::new().expect("a temporary folder");
    let (opener, told) = (folder.path().join("xdg-open"), folder.path().join("told"));
    std::fs::write(&opener, "#!/bin/sh\necho \"$1\" > \"$TOLD\"\n").expect("writes");
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let args = [torrent.typed().to_owned(), "--open".into(), "--port=0".into()];
    let running = Peerflix::new(args.into_iter().chain(seeds.flags()))
        .env("PATH", folder.path())
        .env("TOLD", &told)
        .start();
    let url = line_of(&told);
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("a URL");
    // What the desktop has opened is not ours to wait for: it is served until somebody says that it is enough.
    let mut stream = TcpStream::connect(address).expect("it listens");
    let path = &url["http://".len() + address.len()..];
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("asks");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("reads");
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(demo()), "{} bytes", answer.len());
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn a_desktop_that_opens_nothing_is_told() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let folder = TempDir::new().expect("a temporary folder");
    let args = [torrent.typed().to_owned(), "--open".into(), "--port=0".into()];
    let said = Peerflix::new(args.into_iter().chain(seeds.flags())).env("PATH", folder.path()).said();
    said.failed_with(5, &["nothing on this desktop opens", "http://127.0.0.1:"]);
}
