//! What peerflix says of itself, and of what cannot be meant: word by word.

use std::fmt::Write;

use crate::run::Peerflix;

const HASH: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";

fn help(line: &[&str]) -> String {
    let said = Peerflix::new(line).env_remove("COLUMNS").said();
    assert_eq!((said.code, said.errors.as_str()), (Some(0), ""), "{line:?}");
    let text = said.text();
    assert!(text.lines().all(|line| line.chars().count() <= 98), "{text}");
    // Editors take blanks at the end of a line away.
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_short_help() {
    insta::assert_snapshot!(help(&["-h"]));
}

#[test]
fn the_whole_help() {
    let whole = help(&["--help"]);
    for heading in ["Playback:", "Server:", "Swarm:", "Storage:", "Output:", "Examples:"] {
        assert!(whole.contains(heading), "{heading} is missing");
    }
    insta::assert_snapshot!(whole);
    assert_eq!(help(&["help"]), whole);
}

#[test]
fn the_help_of_each_command() {
    let mut all = String::new();
    for command in [
        &["list"][..],
        &["mount"],
        &["wiki"],
        &["demo"],
        &["doctor"],
        &["cache"],
        &["cache", "clear"],
        &["config"],
        &["completions"],
    ] {
        let line = [command, &["-h"]].concat();
        let _ = writeln!(all, "$ peerflix {}\n{}", line.join(" "), help(&line));
    }
    insta::assert_snapshot!(all);
    assert!(help(&["help", "doctor"]).contains("--seconds"));
}

#[test]
fn nothing_typed_is_the_short_help_on_standard_error() {
    let said = Peerflix::new([] as [&str; 0]).env_remove("COLUMNS").said();
    assert_eq!((said.code, said.text().as_str()), (Some(2), ""));
    assert!(said.errors.contains("Usage: peerflix") && said.errors.contains("Examples:"), "{}", said.errors);
}

/// Each is one sentence on one line, and the exit code is 2.
#[test]
fn every_usage_error() {
    let lines: &[&[&str]] = &[
        &["x", "--vcl"],
        &["x", "--tracker", "udp://t.example:1"],
        &["x", "--nonsense"],
        &["x", "-z"],
        &["x", "-vlc"],
        &["x", "--vlc=maybe"],
        &["x", "--vlc", "--mpv"],
        &["x", "--stdout", "--open"],
        &["x", "--all", "--index=3"],
        &["x", "--uploads=3", "--no-upload"],
        &["x", "--quiet", "--json"],
        &["x", "--port"],
        &["x", "--port", "--quiet"],
        &["x", "--port=abc"],
        &["x", "--peer=example"],
        &["x", "--index=first"],
        &["x", "--index=7-3"],
        &["x", "--trackers=example"],
        &["x", "--trackers=wss://t.example"],
        &["x", "--dht-node=example"],
        &["x", "--connections=0"],
        &["x", "--uploads=many"],
        &["x", "--timeout=soon"],
        &["x", "-o", "film.mkv"],
        &["x", "--output=film.mkv"],
        &["x", "-h", "0.0.0.0"],
        &["x", "--airplay"],
        &["x", "-s"],
        &["x", "--omx"],
        &["x", "-o"],
        &["x", "-j"],
        &["x", "--webplay"],
        &["x", "--name=films"],
        &["x", "--pulse=1000"],
        &["--path", HASH],
        &["-t", HASH],
        &["magnet:?dn=film"],
        &["lits", "film.torrent"],
        &["mont", "film.torrent"],
        &["list"],
        &["list", "--vlc", "x"],
        &["list", "--seconds=3", "x"],
        &["doctor"],
        &["doctor", "x", "--seconds=0"],
        &["mount"],
        &["mount", "x", "--status"],
        &["mount", "x", "--guard=/usr/bin/mc"],
        &["mount", "x", "--read-timeout=soon"],
        &["mount", "x", "--vlc"],
        &["x", "--read-timeout=3"],
        &["wiki"],
        &["wiki", "x", "--pin=Paris", "--remove"],
        &["wiki", "x", "--webdav"],
        &["x", "--no-bar"],
        &["demo", "film.torrent"],
        &["cache", "claer"],
        &["cache", "clear", "--older-than=yesterday"],
        &["completions"],
        &["completions", "bsh"],
        &["completions", "tcsh"],
        &["x", "--config=no-such.toml"],
    ];
    let mut all = String::new();
    for line in lines {
        let peerflix = Peerflix::new(*line);
        let home = peerflix.home().display().to_string();
        let said = peerflix.said();
        assert_eq!((said.code, said.text().as_str()), (Some(2), ""), "{line:?}: {said:?}");
        assert_eq!(said.errors.lines().count(), 1, "{line:?}: {said:?}");
        assert!(said.errors.starts_with("peerflix: "), "{line:?}: {said:?}");
        let _ = writeln!(all, "$ peerflix {}\n{}", line.join(" "), said.errors.replace(&home, "~"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn notes_are_told_and_change_nothing() {
    let mut all = String::new();
    for line in [&["--no-hotswap", "--id=x", "no-such.torrent"][..], &["no-such.torrent", "--no-verify"]] {
        let said = Peerflix::new(line.iter().chain(&["--port=0", "--no-dht", "--no-lsd"])).said();
        said.failed_with(3, &["no-such.torrent"]);
        let _ = writeln!(all, "$ peerflix {}\n{}", line.join(" "), said.errors);
    }
    insta::assert_snapshot!(all);
    let quiet = Peerflix::new(["no-such.torrent", "--no-verify", "-q", "--port=0"]).said();
    assert_eq!(quiet.errors.lines().count(), 1, "{}", quiet.errors);
}

#[test]
fn the_man_page_and_all_completions_can_be_printed() {
    for (line, word) in [
        (&["generate", "man"][..], ".SH COMMANDS"),
        (&["completions", "bash"], "--only-watched"),
        (&["completions", "zsh"], "#compdef peerflix"),
        (&["completions", "fish"], "only-watched"),
        (&["completions", "powershell"], "Register-ArgumentCompleter"),
    ] {
        let said = Peerflix::new(line).said();
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""));
        assert!(said.text().contains(word), "{line:?}");
    }
}
