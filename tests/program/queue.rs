//! Several files and several torrents: what is played after what, what is kept, and what goes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::events::event_named;
use crate::films::demo;
use crate::run::Peerflix;
use crate::seeds::{Seeds, Torrent};

/// A player by this name that writes down how it was started, and ends.
fn player(folder: &Path, name: &str) {
    let path = folder.join(name);
    std::fs::write(&path, "#!/bin/sh\nprintf '%s\\n' \"$@\" >> \"$TOLD\"\n").expect("writes");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
}

/// What a player of this name was told, an argument a line.
fn told(name: &str, args: impl IntoIterator<Item = String>) -> Vec<String> {
    let folder = TempDir::new().expect("a temporary folder");
    player(folder.path(), name);
    let told = folder.path().join("told");
    let said = Peerflix::new(args.into_iter().chain(["--port=0".into(), format!("--{name}")]))
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("TOLD", &told)
        .env("LC_ALL", "de_DE.UTF-8")
        .said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    std::fs::read_to_string(told).expect("it was started").lines().map(str::to_owned).collect()
}

/// The places of these among the arguments.
#[track_caller]
fn places(told: &[String], parts: &[&str]) -> Vec<usize> {
    let place = |part: &&str| told.iter().position(|argument| argument.contains(part));
    parts.iter().map(|part| place(part).unwrap_or_else(|| panic!("no {part} in {told:?}"))).collect()
}

fn season() -> Torrent {
    Torrent::of_folder(
        "Season",
        &[
            ("S01E10.mkv", b"ten"),
            ("S01E02.mkv", b"two"),
            ("S01E01.mkv", b"one"),
            ("Subs/S01E02/2_English.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"),
            ("Subs/S01E02/3_German.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHallo\n"),
            ("notes.txt", b"notes"),
        ],
    )
}

fn args(torrent: &Torrent, seeds: &Seeds, more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|&flag| flag.to_owned());
    [torrent.typed().to_owned()].into_iter().chain(more).chain(seeds.flags()).collect()
}

#[test]
fn all_episodes_are_one_playlist_in_the_order_in_which_people_count() {
    let torrent = season();
    let seeds = Seeds::of(&torrent, 1);
    let told = told("mpv", args(&torrent, &seeds, &["--all"]));
    let order = places(&told, &["S01E01.mkv", "S01E02.mkv", "S01E10.mkv"]);
    assert!(order.is_sorted(), "{told:?}");
    assert!(!told.iter().any(|argument| argument.contains("notes.txt")), "{told:?}");
}

#[test]
fn subtitles_of_the_users_language_come_with_the_film_from_our_own_server() {
    let torrent = season();
    let seeds = Seeds::of(&torrent, 1);
    let here = told("mpv", args(&torrent, &seeds, &["--file=*E02*"]));
    let [german, english] = places(&here, &["3_German.srt", "2_English.srt"])[..] else { unreachable!() };
    assert!(german < english, "the locale is German: {here:?}");
    assert!(here[german].contains("http://127.0.0.1:"), "{here:?}");
    let asked = told("mpv", args(&torrent, &seeds, &["--file=*E02*", "--sub-lang=en"]));
    let [english] = places(&asked, &["2_English.srt"])[..] else { unreachable!() };
    let german = asked.iter().position(|argument| argument.contains("3_German.srt"));
    assert!(german.is_none_or(|german| english < german), "{asked:?}");
    let none = told("mpv", args(&torrent, &seeds, &["--file=*E02*", "--no-subs"]));
    assert!(!none.iter().any(|argument| argument.contains(".srt")), "{none:?}");
}

#[test]
fn a_range_of_files_is_played_as_it_was_typed() {
    let torrent = season();
    let seeds = Seeds::of(&torrent, 1);
    let listed = Peerflix::new(["list", torrent.typed()]).said().text();
    let number = |name: &str| {
        let line = listed.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{listed}"));
        line.split(':').next().expect("a number").trim().to_owned()
    };
    let index = format!("--index={},{}", number("S01E10"), number("S01E01"));
    let told = told("mpv", args(&torrent, &seeds, &[&index]));
    assert!(places(&told, &["S01E10.mkv", "S01E01.mkv"]).is_sorted(), "{told:?}");
    assert!(!told.iter().any(|argument| argument.contains("S01E02.mkv")), "{told:?}");
}

#[test]
fn a_player_that_takes_one_film_at_a_time_is_started_for_each() {
    let torrent = season();
    let seeds = Seeds::of(&torrent, 1);
    let folder = TempDir::new().expect("a temporary folder");
    player(folder.path(), "fp");
    let (program, told) = (folder.path().join("fp"), folder.path().join("told"));
    let command = format!("--player={}", program.display());
    let said =
        Peerflix::new(args(&torrent, &seeds, &["--all", "--port=0", &command])).env("TOLD", &told).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let told: Vec<String> =
        std::fs::read_to_string(told).expect("it was started").lines().map(str::to_owned).collect();
    assert_eq!(places(&told, &["S01E01.mkv", "S01E02.mkv", "S01E10.mkv"]), [0, 1, 2], "{told:?}");
}

#[test]
fn two_torrents_are_played_one_after_the_other() {
    let (one, two) = (Torrent::of_file("one.mkv", b"one"), Torrent::of_file("two.mkv", b"two"));
    let (first, second) = (Seeds::of(&one, 1), Seeds::of(&two, 1));
    let mut args = args(&one, &first, &[two.typed()]);
    args.extend(second.addresses().iter().map(|address| format!("--peer={address}")));
    let told = told("mpv", args);
    assert!(places(&told, &["one.mkv"]) < places(&told, &["two.mkv"]), "{told:?}");
}

#[test]
fn of_two_torrents_one_that_is_none_is_told_and_the_other_is_played() {
    let two = Torrent::of_file("two.mkv", b"two");
    let seeds = Seeds::of(&two, 1);
    let mut args = vec!["/nowhere/one.torrent".to_owned()];
    args.extend(self::args(&two, &seeds, &[]));
    let told = told("mpv", args);
    places(&told, &["two.mkv"]);
}

#[test]
fn the_film_of_a_torrent_that_waits_its_turn_comes_when_the_first_is_whole() {
    let (one, two) = (Torrent::of_file("one.mp4", demo()), Torrent::of_file("two.mkv", b"two"));
    let (first, second) = (Seeds::of(&one, 1), Seeds::of(&two, 1));
    let mut args = args(&one, &first, &[two.typed(), "--json", "--port=0"]);
    args.extend(second.addresses().iter().map(|address| format!("--peer={address}")));
    let mut running = Peerflix::new(args).start();
    let finished: Vec<_> = [0, 1].map(|_| event_named(&mut running, "finished")["path"].clone()).into();
    assert_eq!(finished, ["one.mp4", "two.mkv"]);
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn what_is_to_be_removed_is_gone_however_it_ends() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    for ends_by_itself in [true, false] {
        let cache = TempDir::new().expect("a temporary folder");
        let mut flags = args(&torrent, &seeds, &["--remove", "--json", "--port=0"]);
        flags.push(format!("--cache={}", cache.path().display()));
        if ends_by_itself {
            flags.push("--player=true".into());
        }
        let mut running = Peerflix::new(flags).start();
        if !ends_by_itself {
            event_named(&mut running, "finished");
            running.interrupt();
        }
        assert_eq!(running.ended().code, Some(0));
        let left: Vec<_> =
            std::fs::read_dir(cache.path().join(torrent.hex())).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn the_cache_is_listed_and_cleared_but_not_of_what_is_in_use() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let cache = TempDir::new().expect("a temporary folder");
    let here = format!("--cache={}", cache.path().display());
    let cache_says = |more: &[&str]| {
        let args = ["cache", here.as_str()].into_iter().chain(more.iter().copied());
        let said = Peerflix::new(args).said();
        assert_eq!(said.code, Some(0), "{}", said.errors);
        said.text()
    };
    assert!(cache_says(&[]).starts_with("nothing is kept"));
    let mut running = Peerflix::new(args(&torrent, &seeds, &["--json", "--port=0", &here])).start();
    event_named(&mut running, "finished");
    let listed = cache_says(&[]);
    assert!(
        listed.contains("in use") && listed.contains(&torrent.hex()) && listed.contains("film.mp4"),
        "{listed}"
    );
    assert!(cache_says(&["clear"]).contains("left film.mp4"));
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
    assert!(cache_says(&["clear", "--older-than=1"]).contains("nothing to remove"));
    assert!(cache_says(&["clear", "--dry-run"]).contains("would remove film.mp4"));
    let json: serde_json::Value = serde_json::from_str(&cache_says(&["--json"])).expect("JSON");
    assert_eq!(json["kept"][0]["info_hash"], torrent.hex());
    assert!(cache_says(&["clear", "film"]).contains("removed film.mp4"));
    assert!(cache_says(&[]).starts_with("nothing is kept"));
    Peerflix::new(["cache", &here, "clear", "film"]).said().failed_with(4, &["film", "peerflix cache"]);
}

#[test]
fn who_is_on_the_blocklist_is_not_dialled() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let folder = TempDir::new().expect("a temporary folder");
    let list = folder.path().join("blocked.p2p");
    std::fs::write(&list, "# nobody\nall of loopback:127.0.0.0-127.255.255.255\n").expect("writes");
    let blocks = format!("--blocklist={}", list.display());
    let mut running = Peerflix::new(args(&torrent, &seeds, &["--json", "--port=0", &blocks])).start();
    let why = event_named(&mut running, "waiting");
    assert!(why["why"].as_str().is_some_and(|why| why.contains("1 on the blocklist")), "{why}");
    running.interrupt();
    let said = running.ended();
    assert_eq!(said.code, Some(0));
    assert!(!said.text().contains("\"connected\":1"), "{}", said.text());

    std::fs::write(&list, "fine:1.2.3.4-1.2.3.5\nnot a range\n").expect("writes");
    let broken = Peerflix::new(args(&torrent, &seeds, &["--port=0", &blocks])).said();
    broken.failed_with(2, &["blocked.p2p", "line 2"]);
}
