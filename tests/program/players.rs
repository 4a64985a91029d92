//! Real players on a real swarm.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::films::{demo, films, on_path, program};
use crate::peer::first_piece_last;
use crate::run::{Peerflix, Running};
use crate::seeds::{Seeds, Torrent};

/// A peerflix that serves the torrent, and its URL.
fn served(torrent: &Torrent, flags: Vec<String>) -> (Running, String) {
    let args = [torrent.typed().to_owned(), "--port=0".into()].into_iter().chain(flags);
    let mut running = Peerflix::new(args).start();
    let url = running.line();
    assert!(url.starts_with("http://127.0.0.1:"), "the first line is the URL, not {url:?}");
    (running, url)
}

/// FFmpeg decodes every frame and every sample of what is at the URL, without one complaint.
#[track_caller]
fn decodes(url: &str) {
    let out = program("ffmpeg", "ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-i", url, "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && complaints.is_empty(), "ffmpeg: {complaints}");
}

#[track_caller]
fn ends_well(running: Running) {
    running.interrupt();
    let said = running.ended();
    assert_eq!(said.code, Some(0), "{}", said.errors);
}

#[test]
fn ffmpeg_decodes_the_whole_film() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 3);
    let (running, url) = served(&torrent, seeds.flags());
    decodes(&url);
    ends_well(running);
}

#[test]
fn a_film_whose_index_is_at_the_end() {
    let torrent = Torrent::of_file("careless.mp4", &films().moov_last());
    let seeds = Seeds::of(&torrent, 2);
    let (running, url) = served(&torrent, seeds.flags());
    decodes(&url);
    ends_well(running);
}

#[test]
fn a_matroska_film_in_a_folder_with_smaller_things() {
    let mkv = films().mkv();
    let torrent = Torrent::of_folder(
        "A Film (2026) — ça",
        &[("read me.txt", b"hello".as_slice()), ("A Film.mkv", &mkv), ("samples/sample.mp4", b"not this")],
    );
    let seeds = Seeds::of(&torrent, 2);
    let (running, url) = served(&torrent, seeds.flags());
    decodes(&url);
    ends_well(running);
}

#[test]
fn a_film_whose_first_piece_comes_last() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seed = first_piece_last(demo().to_vec(), 64 * 1024, torrent.info_hash);
    let flags = vec![format!("--peer={seed}"), "--no-dht".into(), "--no-lsd".into()];
    let (running, url) = served(&torrent, flags);
    decodes(&url);
    ends_well(running);
}

/// Seeks once, three quarters in, as soon as it plays; tells what it saw in a file.
const MPV_SCRIPT: &str = r#"
local told = io.open(os.getenv("TOLD"), "w")
local sought = false
mp.register_event("playback-restart", function()
    if sought then told:write("after the seek at ", mp.get_property("time-pos"), "\n") return end
    sought = true
    mp.commandv("seek", "45", "absolute+exact")
end)
mp.register_event("end-file", function(event) told:write("ended by ", event.reason, "\n") told:flush() end)
"#;

#[test]
fn mpv_plays_seeks_and_its_end_is_ours() {
    program("mpv", "mpv");
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 3);
    let folder = TempDir::new().expect("a temporary folder");
    let script = folder.path().join("seek.lua");
    let told = folder.path().join("told");
    std::fs::write(&script, MPV_SCRIPT).expect("writes");
    let mut args = vec![torrent.typed().to_owned(), "--port=0".into(), "--mpv".into()];
    args.extend(seeds.flags());
    args.extend(
        ["--", "--no-config", "--vo=null", "--ao=null", "--ao-null-untimed", "--untimed"].map(String::from),
    );
    args.push(format!("--script={}", script.display()));
    let said = Peerflix::new(args).env("TOLD", &told).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let told = std::fs::read_to_string(&told).expect("mpv ran the script");
    assert!(told.contains("after the seek at 4"), "{told}");
    assert!(told.contains("ended by eof"), "{told}");
}

/// VLC refuses to run as root.
fn as_somebody(home: &Path) -> Vec<String> {
    let mut words = Vec::new();
    if rustix::process::geteuid().is_root() {
        on_path("setpriv").expect("setpriv is not installed: apt-get install util-linux");
        std::os::unix::fs::chown(home, Some(NOBODY), Some(NOBODY)).expect("root may");
        words.extend([
            "setpriv".into(),
            format!("--reuid={NOBODY}"),
            format!("--regid={NOBODY}"),
            "--clear-groups".into(),
        ]);
    }
    words.extend(["env".into(), format!("HOME={}", home.display())]);
    words
}

const NOBODY: u32 = 65534;

/// How much film VLC got, in seconds, when it wrote what it played to a file.
fn vlc_plays(torrent: &Torrent, seeds: &Seeds, more: &[&str]) -> f64 {
    program("cvlc", "vlc-bin vlc-plugin-base");
    let home = TempDir::new().expect("a temporary folder");
    let copy = home.path().join("copy.ts");
    let mut player = as_somebody(home.path());
    player.extend(["cvlc", "--intf=dummy", "--no-one-instance", "--play-and-exit"].map(String::from));
    player.push(format!("--sout=#std{{access=file,mux=ts,dst={}}}", copy.display()));
    player.extend(more.iter().map(|word| (*word).to_owned()));
    let mut args =
        vec![torrent.typed().to_owned(), "--port=0".into(), format!("--player={}", player.join(" "))];
    args.extend(seeds.flags());
    let said = Peerflix::new(args).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    assert!(copy.is_file(), "VLC wrote nothing: {}", said.errors);
    seconds_of(&copy)
}

fn seconds_of(film: &Path) -> f64 {
    let mut probe: Command = program("ffprobe", "ffmpeg");
    let out = probe
        .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(film)
        .output()
        .expect("ffprobe runs");
    String::from_utf8_lossy(&out.stdout).trim().parse().expect("a film has a duration")
}

#[test]
fn vlc_plays_to_the_end() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 3);
    let seconds = vlc_plays(&torrent, &seeds, &[]);
    assert!((58.0..62.0).contains(&seconds), "{seconds} s of 60");
}

#[test]
fn vlc_seeks() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 3);
    let seconds = vlc_plays(&torrent, &seeds, &["--start-time=40"]);
    assert!((18.0..23.0).contains(&seconds), "{seconds} s of the last 20");
}
