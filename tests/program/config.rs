//! Options from files and from the environment, as the program meets them.

use std::fs;

use crate::films::demo;
use crate::run::Peerflix;
use crate::seeds::Torrent;

/// A peerflix in whose home are these files.
fn with_files(line: &[&str], files: &[(&str, &str)]) -> Peerflix {
    let peerflix = Peerflix::new(line).env_remove("PEERFLIX_CACHE");
    for (name, text) in files {
        let path = peerflix.home().join(name);
        fs::create_dir_all(path.parent().expect("it is below the home")).expect("ours");
        fs::write(path, text).expect("ours");
    }
    peerflix
}

const CONFIG: &str = "config/peerflix/config.toml";

#[test]
fn what_is_in_force_and_where_it_came_from() {
    let peerflix = with_files(
        &["config"],
        &[
            (CONFIG, "# mine\nvlc = true\nport = 9000\ntrackers = [\"udp://a.example:1\", \"udp://b.example:1\"]\n"),
            (".peerflixrc", "{ \"connections\": 50, \"port\": 9001, \"omx\": true }"),
        ],
    )
    .env("PEERFLIX_NO_DHT", "1")
    .env("peerflix_sub_lang", "en,de");
    let said = peerflix.said();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.errors.contains("omxplayer"), "{}", said.errors);
    insta::assert_snapshot!(said.text());
}

#[test]
fn what_it_prints_is_a_configuration_that_sets_the_same() {
    let lines = |text: &str| {
        let set = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        set.map(|line| line.split('#').next().unwrap_or_default().trim().to_owned()).collect::<Vec<_>>()
    };
    let config =
        "vlc = true\nport = 9000\nverbose = 2\nfile = [\"a*\", \"b*\"]\npath = \"/films\"\nno-dht = false\n";
    let first = with_files(&["config"], &[(CONFIG, config)]).said().text();
    let second = with_files(&["config"], &[(CONFIG, &first)]).said();
    assert_eq!(lines(&first), lines(&second.text()), "{second:?}");
    assert_eq!(lines(&first).len(), 5);
}

#[test]
fn scripts_get_it_as_json() {
    let said = with_files(&["config", "--json"], &[(CONFIG, "port = 9000\n")]).said();
    let all: serde_json::Value = serde_json::from_str(&said.text()).expect("JSON");
    let settings = all["settings"].as_array().expect("a list");
    let port = settings.iter().find(|setting| setting["key"] == "port").expect("it is there");
    assert_eq!((&port["value"], &port["origin"]["kind"]), (&9000.into(), &"file".into()));
    assert_eq!(port["origin"]["line"], 1);
    assert!(settings.iter().any(|setting| setting["key"] == "vlc" && setting["origin"]["kind"] == "default"));
}

#[test]
fn a_wrong_configuration_is_told_with_its_line_and_what_was_meant() {
    for (text, said) in [
        ("\nprot = 9000\n", "/config.toml, line 2: there is no option prot: did you mean port?"),
        ("port = 'abc'\n", "/config.toml, line 1: port cannot be abc"),
        ("vlc = true\nmpv = true\n", "/config.toml, line 2: mpv and vlc exclude each other"),
        ("port = = 1\n", "/config.toml, line 1: "),
    ] {
        for line in [&["film.torrent"][..], &["config"], &["list", "film.torrent"]] {
            with_files(line, &[(CONFIG, text)]).said().failed_with(2, &[said]);
        }
        with_files(&["completions", "bash"], &[(CONFIG, text)]).said().text();
    }
    Peerflix::new(["film.torrent"])
        .env("PEERFLIX_PROT", "1")
        .said()
        .failed_with(2, &["PEERFLIX_PROT", "did you mean PEERFLIX_PORT?"]);
}

#[test]
fn a_configuration_is_obeyed() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let config = "quiet = true\nport = 0\nno-dht = true\nno-lsd = true\nvlc = true\n";
    // As typed: no player is started that the user has taken back.
    let mut running = with_files(&[torrent.typed(), "--vlc=false"], &[(CONFIG, config)]).start();
    let line = running.line();
    assert!(line.starts_with("server is listening on http://127.0.0.1:"), "{line}");
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn the_cache_is_where_the_environment_says() {
    let torrent = Torrent::of_file("film.mp4", demo());
    let peerflix = Peerflix::new([torrent.typed(), "-q", "--port=0", "--no-dht", "--no-lsd"]);
    let cache = peerflix.home().join("elsewhere");
    let mut running = peerflix.env("PEERFLIX_CACHE", &cache).start();
    running.line();
    assert!(cache.is_dir());
    running.interrupt();
    assert_eq!(running.ended().code, Some(0));
}

#[test]
fn a_file_in_the_folder_where_it_is_started_runs_nothing() {
    let peerflix = with_files(
        &["config"],
        &[("downloads/.peerflixrc", "player = \"sh -c evil\"\nhostname = localhost\n")],
    );
    let folder = peerflix.home().join("downloads");
    let said = peerflix.current_dir(folder).said();
    assert!(
        said.text().contains("#player") && said.text().contains("hostname = \"localhost\""),
        "{}",
        said.text()
    );
    assert!(said.errors.contains("player is not taken"), "{}", said.errors);
}
