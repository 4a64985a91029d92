//! Why a viewer waits, whether the film will play through, and what the doctor says: in swarms where the right answer is known.

use serde_json::Value;

use crate::events::{event, event_named};
use crate::films::demo;
use crate::run::{Peerflix, Running};
use crate::scripted::{Manner, dht, peer, refuses, silent_tracker};
use crate::seeds::Torrent;

const PIECE: usize = 64 * 1024;
/// Bytes a second that the demo's film needs: its length over its minute.
const NEEDS: u64 = 2_722_926 / 60;

fn flags(more: impl IntoIterator<Item = String>) -> Vec<String> {
    ["--no-lsd".to_owned(), "--json".to_owned(), "--port=0".to_owned()].into_iter().chain(more).collect()
}

fn watching(torrent: &Torrent, more: impl IntoIterator<Item = String>) -> Running {
    Peerflix::new([torrent.typed().to_owned()].into_iter().chain(flags(more))).start()
}

#[track_caller]
fn why(running: &mut Running, words: &[&str]) {
    let mut last = Value::Null;
    loop {
        let told = event(running);
        if told["event"] == "waiting" {
            let why = told["why"].as_str().expect("a sentence").to_owned();
            if words.iter().all(|word| why.contains(word)) {
                return;
            }
            last = told;
        }
        assert!(last.is_null() || last["t"].as_f64() < Some(35.0), "not {words:?}, but {last}");
    }
}

#[test]
fn when_all_refuse_it_says_so_with_their_number() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let peers = [refuses(), refuses(), refuses()].map(|address| format!("--peer={address}"));
    let mut running = watching(&torrent, peers.into_iter().chain(["--no-dht".into()]));
    why(&mut running, &["3", "refused"]);
}

#[test]
fn when_all_choke_it_says_so() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let peers = [0, 1].map(|_| format!("--peer={}", peer(Manner::Chokes, demo(), PIECE, torrent.info_hash)));
    let mut running = watching(&torrent, peers.into_iter().chain(["--no-dht".into()]));
    why(&mut running, &["2", "choke"]);
}

#[test]
fn one_slow_seed_will_stall_and_how_long_to_wait_is_told() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let rate = NEEDS / 2;
    let seed = peer(Manner::Sends { rate }, demo(), PIECE, torrent.info_hash);
    let mut running = watching(&torrent, [format!("--peer={seed}"), "--no-dht".into()]);
    let forecast = loop {
        let forecast = event_named(&mut running, "forecast");
        if forecast["needs"].is_u64() {
            break forecast;
        }
    };
    assert_eq!(forecast["safe"], false, "{forecast}");
    let needs = forecast["needs"].as_u64().expect("a rate");
    assert!(needs.abs_diff(NEEDS) <= 1, "{forecast}");
    // Half the rate takes two minutes for one minute of film: a minute to wait, and a margin. Less what is here; and the rate
    // is a measurement.
    let wait = forecast["start_after"].as_f64().expect("a time");
    assert!((20.0..200.0).contains(&wait), "{forecast}");
    let text = forecast["text"].as_str().expect("a sentence");
    assert!(text.contains("will stall; start after") && text.contains("needs"), "{text}");
}

#[test]
fn the_player_is_started_only_when_it_is_safe() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seed = peer(Manner::Sends { rate: NEEDS * 8 }, demo(), PIECE, torrent.info_hash);
    let player = ["--wait".to_owned(), "--player=true".into(), "--no-dht".into(), format!("--peer={seed}")];
    let mut running = watching(&torrent, player);
    let mut is_safe = false;
    loop {
        let told = event(&mut running);
        if told["event"] == "forecast" {
            is_safe = told["safe"] == true;
        }
        if told["event"] == "player" {
            break;
        }
    }
    assert!(is_safe, "it was started before");
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn the_doctor_tells_dead_trackers_from_a_dht_that_lives() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let seed = peer(Manner::Sends { rate: 3_000_000 }, demo(), PIECE, torrent.info_hash);
    let dead = refuses();
    let args = [
        "doctor".to_owned(),
        torrent.typed().to_owned(),
        "--no-lsd".into(),
        "--seconds=30".into(),
        format!("--trackers=http://{dead}/announce,{}", silent_tracker()),
        format!("--dht-node={}", dht(torrent.info_hash, vec![seed])),
    ];
    let said = Peerflix::new(args).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let report = said.text();
    for words in [
        &format!("http://{dead} (IPv4): refused the connection"),
        "no answer yet",
        "DHT        1 peer found",
        "1 connected (1 send",
        "the film is all here",
        "mpv",
    ] {
        assert!(report.contains(words), "no {words:?} in:\n{report}");
    }
    // It is to be pasted where everybody reads it.
    for private in [torrent.hex().as_str(), "film.mp4", &seed.to_string()] {
        assert!(!report.contains(private), "{private:?} in:\n{report}");
    }
}

#[test]
fn the_doctor_tells_who_refuses_and_who_chokes() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let choking = peer(Manner::Chokes, demo(), PIECE, torrent.info_hash);
    let peers = [refuses(), refuses(), choking].map(|address| format!("--peer={address}"));
    let args = [
        "doctor".to_owned(),
        torrent.typed().to_owned(),
        "--no-dht".into(),
        "--no-lsd".into(),
        "--seconds=3".into(),
    ];
    let said = Peerflix::new(args.into_iter().chain(peers)).said();
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let report = said.text();
    for words in
        ["1 connected (0 send, 1 choke us)", "refused the connection", "verdict", "choke", "trackers   none"]
    {
        assert!(report.contains(words), "no {words:?} in:\n{report}");
    }
}

#[test]
fn the_doctor_of_what_is_no_torrent_says_so_without_naming_it() {
    let said = Peerflix::new(["doctor", "/home/somebody/private.torrent", "--no-dht", "--no-lsd"]).said();
    assert_eq!(said.code, Some(3), "{}", said.errors);
    let report = said.text();
    assert!(report.contains("there is no file (what was typed)"), "{report}");
    assert!(!report.contains("somebody") && !report.contains("private"), "{report}");
}
