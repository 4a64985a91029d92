//! `--json` and the hooks: what scripts and graphical shells are told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tempfile::TempDir;

use crate::films::demo;
use crate::run::{Peerflix, Running, Said};
use crate::seeds::{Seeds, Torrent};

/// The next event; whatever stands there must be one.
pub fn event(running: &mut Running) -> Value {
    let line = running.line();
    let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(event["v"], 1, "{line}");
    assert!(event["t"].as_f64().is_some_and(|t| t >= 0.0), "{line}");
    event
}

/// The next event of this name.
pub fn event_named(running: &mut Running, name: &str) -> Value {
    loop {
        let event = event(running);
        if event["event"] == name {
            return event;
        }
        assert_ne!(event["event"], "end", "it ended without {name}");
    }
}

fn events(said: &Said) -> Vec<Value> {
    said.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_film_from_its_url_to_its_end_as_events() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 2);
    let args = [torrent.typed().to_owned(), "--json".into(), "--port=0".into()];
    let mut running = Peerflix::new(args.into_iter().chain(seeds.flags())).start();
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    let mut order = Vec::new();
    let (mut last, mut finished) = (0.0, false);
    while !finished {
        let event = event(&mut running);
        let t = event["t"].as_f64().expect("a time");
        assert!(t >= last, "time went back");
        last = t;
        let name = event["event"].as_str().expect("a name").to_owned();
        finished = name == "finished";
        if name == "metadata" {
            assert_eq!(event["files"][0]["length"], demo().len());
            assert_eq!(event["queue"], serde_json::json!([0]));
            assert!(
                event["files"][0]["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:"))
            );
        }
        order.push(name.clone());
        seen.entry(name).or_default().extend(event.as_object().expect("an object").keys().cloned());
    }
    running.interrupt();
    let said = running.ended();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let end = events(&said).pop().expect("a last line");
    assert_eq!((&end["event"], &end["code"]), (&"end".into(), &0.into()));
    let first =
        |name: &str| order.iter().position(|other| other == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(first("listening"), 0);
    assert!(first("resolved") < first("metadata") && first("metadata") < first("finished"));
    // Which of these are seen depends on how fast the film came; what is in them does not.
    let fields: Vec<String> = ["listening", "resolved", "metadata", "peers", "finished"]
        .into_iter()
        .map(|name| format!("{name}: {}", seen[name].iter().cloned().collect::<Vec<_>>().join(" ")))
        .collect();
    insta::assert_snapshot!(fields.join("\n"));
}

#[test]
fn what_goes_wrong_is_an_event_with_the_exit_code() {
    let said = Peerflix::new(["/nowhere/film.torrent", "--json", "--port=0"]).said();
    assert_eq!(said.code, Some(3));
    let events = events(&said);
    let [.., error, end] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&error["event"], &error["code"]), (&"error".into(), &3.into()));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("/nowhere/film.torrent")));
    assert_eq!((&end["event"], &end["code"]), (&"end".into(), &3.into()));
}

#[test]
fn who_stops_reading_events_ends_it() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let args = [torrent.typed().to_owned(), "--json".into(), "--port=0".into()];
    let (running, out) = Peerflix::new(args.into_iter().chain(seeds.flags())).piped();
    drop(out);
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn a_list_is_one_event() {
    let torrent =
        Torrent::of_folder("Show", &[("S01E10.mkv", b"ten"), ("S01E02.mkv", b"two"), ("notes.txt", b"n")]);
    let said = Peerflix::new(["list", torrent.typed(), "--json", "--no-dht", "--no-lsd"]).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let events = events(&said);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["event"], events[0]["files"].as_array().map(Vec::len)),
        (&"metadata".into(), Some(3))
    );
}

#[test]
fn hooks_are_told_the_facts_and_the_second_waits_until_the_file_is_whole() {
    let torrent = Torrent::of_file("film; touch trap.mp4", demo());
    let seeds = Seeds::of(&torrent, 2);
    let folder = TempDir::new().expect("a temporary folder");
    let told = folder.path().join("told");
    let hook = |name: &str| {
        format!(
            "--on-{name}=echo \"$PEERFLIX_HOOK_EVENT $PEERFLIX_HOOK_LENGTH $PEERFLIX_HOOK_FILE $PEERFLIX_HOOK_URL $(wc -c < \"$PEERFLIX_HOOK_PATH\")\" >> {}",
            told.display()
        )
    };
    let args = [
        torrent.typed().to_owned(),
        "--json".into(),
        "--port=0".into(),
        hook("downloaded"),
        hook("listening"),
    ];
    let mut running = Peerflix::new(args.into_iter().chain(seeds.flags())).start();
    event_named(&mut running, "finished");
    let lines = crate::run::until(|| {
        let lines: Vec<String> = std::fs::read_to_string(&told).ok()?.lines().map(str::to_owned).collect();
        (lines.len() == 2).then_some(lines)
    });
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
    let length = demo().len();
    let of = |event: &str| {
        lines.iter().find(|line| line.starts_with(event)).unwrap_or_else(|| panic!("{lines:?}"))
    };
    let downloaded = of("downloaded");
    assert!(
        downloaded.starts_with(&format!("downloaded {length} film; touch trap.mp4 http://127.0.0.1:")),
        "{lines:?}"
    );
    assert!(downloaded.ends_with(&format!(" {length}")), "whole on the disk: {lines:?}");
    of("listening");
    assert!(!std::path::Path::new("trap.mp4").exists());
}

#[test]
fn a_hook_that_fails_is_told_and_ends_nothing() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seeds = Seeds::of(&torrent, 1);
    let args =
        [torrent.typed().to_owned(), "--json".into(), "--port=0".into(), "--on-listening=exit 3".into()];
    let mut running = Peerflix::new(args.into_iter().chain(seeds.flags())).start();
    let message = event_named(&mut running, "message");
    assert!(message["text"].as_str().is_some_and(|text| text.contains("--on-listening")), "{message}");
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}
