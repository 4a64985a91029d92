//! What peerflix 0.39 understood: each flag does what it did, or is answered with a sentence that names the new way.

use std::ffi::OsString;

use peerflix::cli::{Cli, Watch};
use peerflix::config::{Stop, Surroundings, read_in};

use crate::run::Peerflix;

const MAGNET: &str =
    "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film&tr=udp://t.example:1";

fn read(line: &[&str]) -> Result<Cli, Stop> {
    read_in(
        std::iter::once("peerflix").chain(line.iter().copied()).map(OsString::from),
        &Surroundings::default(),
    )
}

/// A flag of 0.39.
struct Flag {
    letter: Option<&'static str>,
    long: &'static str,
    value: Option<&'static str>,
    now: Now,
}

/// What has become of it.
enum Now {
    /// It is there, and this is what it does.
    Does(fn(&Watch) -> bool),
    /// It is gone, and the answer has this word.
    Answered(&'static str),
    /// It is gone, nothing is lost, and a note has this word.
    Noted(&'static str),
}

use Now::{Answered, Does, Noted};

const fn flag(
    letter: Option<&'static str>,
    long: &'static str,
    value: Option<&'static str>,
    now: Now,
) -> Flag {
    Flag { letter, long, value, now }
}

/// All of them, in the order of its help; then those that it handed on to torrent-stream.
const FLAGS: &[Flag] = &[
    flag(Some("-c"), "--connections", Some("7"), Does(|w| w.swarm.connections == Some(7))),
    flag(None, "--connection", Some("7"), Does(|w| w.swarm.connections == Some(7))),
    flag(Some("-p"), "--port", Some("9000"), Does(|w| w.server.port == Some(9000))),
    flag(Some("-i"), "--index", Some("3"), Does(|w| w.choose.index == [3..=3])),
    flag(Some("-l"), "--list", None, Does(|w| w.choose.list)),
    flag(
        Some("-t"),
        "--subtitles",
        Some("a.srt"),
        Does(|w| w.subtitles.subtitles.as_deref() == Some("a.srt")),
    ),
    flag(Some("-q"), "--quiet", None, Does(|w| w.output.quiet)),
    flag(Some("-v"), "--vlc", None, Does(|w| w.playback.players.vlc)),
    flag(Some("-s"), "--airplay", None, Answered("--hostname")),
    flag(Some("-m"), "--mplayer", None, Does(|w| w.playback.players.mplayer)),
    flag(Some("-g"), "--smplayer", None, Does(|w| w.playback.players.smplayer)),
    flag(None, "--mpchc", None, Does(|w| w.playback.players.mpchc)),
    flag(None, "--potplayer", None, Does(|w| w.playback.players.potplayer)),
    flag(Some("-k"), "--mpv", None, Does(|w| w.playback.players.mpv)),
    flag(Some("-o"), "--omx", None, Answered("--mpv")),
    flag(Some("-w"), "--webplay", None, Answered("--open")),
    flag(Some("-j"), "--jack", None, Answered("--mpv")),
    flag(Some("-f"), "--path", Some("/films"), Does(|w| w.storage.path == Some("/films".into()))),
    flag(Some("-b"), "--blocklist", Some("list"), Does(|w| w.swarm.blocklist == Some("list".into()))),
    flag(Some("-n"), "--no-quit", None, Does(|w| w.playback.players.no_quit)),
    flag(Some("-a"), "--all", None, Does(|w| w.choose.all)),
    flag(Some("-r"), "--remove", None, Does(|w| w.storage.remove)),
    flag(None, "--hostname", Some("0.0.0.0"), Does(|w| w.server.hostname.as_deref() == Some("0.0.0.0"))),
    flag(Some("-h"), "--hostname", Some("0.0.0.0"), Answered("--hostname 0.0.0.0")),
    flag(Some("-e"), "--peer", Some("127.0.0.1:1"), Does(|w| w.swarm.peer.len() == 1)),
    flag(Some("-x"), "--peer-port", Some("7000"), Does(|w| w.swarm.peer_port == Some(7000))),
    flag(Some("-d"), "--not-on-top", None, Does(|w| w.playback.players.not_on_top)),
    flag(None, "--on-downloaded", Some("beep"), Does(|w| w.output.on_downloaded.as_deref() == Some("beep"))),
    flag(None, "--on-listening", Some("beep"), Does(|w| w.output.on_listening.as_deref() == Some("beep"))),
    flag(None, "--tmp", Some("/films"), Does(|w| w.storage.cache == Some("/films".into()))),
    flag(None, "--name", Some("films"), Answered("--path")),
    flag(None, "--uploads", Some("5"), Does(|w| w.swarm.upload_slots() == Some(5))),
    flag(None, "--uploads", Some("0"), Does(|w| w.swarm.upload_slots() == Some(0))),
    flag(None, "--uploads", Some("false"), Does(|w| w.swarm.upload_slots() == Some(0))),
    flag(None, "--timeout", Some("5000"), Does(|w| w.swarm.timeout == Some(5000))),
    flag(None, "--no-dht", None, Does(|w| w.swarm.no_dht)),
    flag(None, "--no-tracker", None, Does(|w| w.swarm.no_tracker)),
    flag(None, "--no-verify", None, Noted("remembered")),
    flag(None, "--no-hotswap", None, Noted("faster peer")),
    flag(None, "--trackers", Some("udp://t.example:1"), Does(|w| w.swarm.trackers == ["udp://t.example:1"])),
    flag(None, "--pulse", Some("100000"), Answered("--only-watched")),
    flag(None, "--flood", Some("100000"), Answered("--only-watched")),
    flag(None, "--id", Some("xyz"), Noted("peer id")),
];

impl Flag {
    /// Every way in which it could be typed.
    fn typed(&self) -> Vec<Vec<String>> {
        let mut ways = Vec::new();
        // `-h HOST` is another thing than `--hostname HOST`.
        let longs = (self.letter != Some("-h")).then_some(self.long);
        for name in self.letter.into_iter().chain(longs) {
            match self.value {
                None => ways.push(vec![name.to_owned()]),
                Some(value) => {
                    ways.push(vec![name.to_owned(), value.to_owned()]);
                    if name.starts_with("--") {
                        ways.push(vec![format!("{name}={value}")]);
                    }
                }
            }
        }
        ways
    }
}

#[test]
fn every_flag_of_0_39_does_what_it_did_or_is_answered_and_none_swallows_the_magnet() {
    for flag in FLAGS {
        for way in flag.typed() {
            let way: Vec<&str> = way.iter().map(String::as_str).collect();
            for line in [[&way[..], &[MAGNET]].concat(), [&[MAGNET], &way[..]].concat()] {
                match (&flag.now, read(&line)) {
                    (Does(does), Ok(cli)) => {
                        assert!(does(&cli.watch), "{line:?}: {cli:?}");
                        assert_eq!(cli.watch.torrents, [MAGNET], "{line:?}");
                        assert_eq!(cli.notes, [""; 0], "{line:?}");
                    }
                    (Noted(word), Ok(cli)) => {
                        assert_eq!(cli.watch.torrents, [MAGNET], "{line:?}");
                        assert!(
                            cli.notes.len() == 1 && cli.notes[0].contains(word),
                            "{line:?}: {:?}",
                            cli.notes
                        );
                    }
                    (Answered(word), Err(stop)) => {
                        assert!(stop.is_error() && stop.to_string().contains(word), "{line:?}: {stop}");
                    }
                    (_, other) => panic!("{line:?}: {other:?}"),
                }
            }
        }
    }
}

/// Whatever is typed before a magnet link, it is streamed, or somebody is told; it is never taken for a value.
#[test]
fn a_flag_without_its_value_is_told_and_not_given_the_magnet() {
    for flag in FLAGS.iter().filter(|flag| flag.value.is_some() && matches!(flag.now, Does(_))) {
        for name in flag.letter.into_iter().chain([flag.long]) {
            let stop = read(&[name, MAGNET]).expect_err(name);
            assert!(stop.to_string().contains(&format!("{name} needs a value")), "{name}: {stop}");
        }
    }
}

#[test]
fn help_and_version_are_asked_for_and_given() {
    for line in [["-h"], ["--help"], ["--version"], ["-V"]] {
        let said = Peerflix::new(line).said();
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{line:?}");
        assert!(said.text().contains("peerflix"), "{line:?}");
    }
}

#[test]
fn the_migration_page_tells_of_every_flag() {
    let page = include_str!("../../docs/migration.md");
    for flag in FLAGS {
        for name in flag.letter.into_iter().chain([flag.long]) {
            assert!(page.contains(&format!("`{name}")), "docs/migration.md does not tell of {name}");
        }
    }
}
