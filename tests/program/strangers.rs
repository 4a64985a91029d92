//! Seeds that are other people's programs: what runs on the real Internet.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::films::{demo, program};
use crate::peer::wait_until_it_seeds;
use crate::run::Peerflix;
use crate::seeds::Torrent;

/// A program that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fetches_all_from(torrent: &Torrent, seed: SocketAddr, typed: &str) {
    wait_until_it_seeds(seed, torrent.info_hash);
    let said = Peerflix::new([typed, "--stdout", "--no-dht", "--no-lsd", &format!("--peer={seed}")]).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert!(said.out == demo(), "{} bytes came, or wrong ones", said.out.len());
}

#[test]
fn transmission_seeds_and_we_stream() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let home = TempDir::new().expect("a temporary folder");
    let watched = home.path().join("watched");
    std::fs::create_dir(&watched).expect("creates");
    // Transmission takes no "any free port": one that was free a moment ago is the best there is.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port();
    let settings = format!(
        r#"{{"bind-address-ipv4": "127.0.0.1", "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false,
            "utp-enabled": false, "port-forwarding-enabled": false, "rpc-enabled": false, "peer-port": {port},
            "peer-port-random-on-start": false, "watch-dir-enabled": true, "start-added-torrents": true,
            "watch-dir": {watched:?}, "download-dir": {data:?}, "incomplete-dir-enabled": false, "encryption": 1}}"#,
        data = torrent.folder,
    );
    std::fs::write(home.path().join("settings.json"), settings).expect("writes");
    std::fs::copy(&torrent.path, watched.join("film.torrent")).expect("copies");
    let daemon = program("transmission-daemon", "transmission-daemon")
        .arg("--foreground")
        .arg("--config-dir")
        .arg(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("transmission starts");
    let _daemon = Killed(daemon);
    fetches_all_from(&torrent, (Ipv4Addr::LOCALHOST, port).into(), torrent.typed());
}

const LIBTORRENT: &str = r"
import libtorrent as lt, sys
session = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
                      'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False})
session.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2], 'flags': lt.torrent_flags.seed_mode})
while session.listen_port() == 0:
    session.wait_for_alert(100)
    session.pop_alerts()
print(session.listen_port(), flush=True)
sys.stdin.read()
";

#[test]
fn libtorrent_seeds_and_we_stream_from_a_magnet() {
    let torrent = Torrent::of_file("film.mp4", demo());
    // Debian's own Python has Debian's libtorrent, whatever else is on PATH.
    let mut child = std::process::Command::new("/usr/bin/python3")
        .args(["-c", LIBTORRENT])
        .arg(&torrent.path)
        .arg(&torrent.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect(
            "/usr/bin/python3 is not there: `make test` installs it, or apt-get install python3-libtorrent",
        );
    let mut line = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    let _child = Killed(child);
    BufReader::new(stdout).read_line(&mut line).expect("reads");
    let port: u16 = line.trim().parse().expect(
        "libtorrent did not say its port: `make test` installs it, or apt-get install python3-libtorrent",
    );
    let magnet = format!("magnet:?xt=urn:btih:{}", torrent.hex());
    fetches_all_from(&torrent, (Ipv4Addr::LOCALHOST, port).into(), &magnet);
}
