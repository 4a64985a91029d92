//! What counts, in surroundings that are made up.

use std::fs;

use tempfile::TempDir;

use super::*;

const MAGNET: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a";

/// A home with files in it, and variables.
struct Home {
    folder: TempDir,
    variables: Vec<(OsString, OsString)>,
}

impl Home {
    fn with(files: &[(&str, &str)]) -> Home {
        let folder = TempDir::new().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it is below the home")).expect("ours");
            fs::write(path, text).expect("ours");
        }
        Home { folder, variables: Vec::new() }
    }

    fn config(text: &str) -> Home {
        Home::with(&[(".config/peerflix/config.toml", text)])
    }

    fn variable(mut self, name: &str, value: &str) -> Home {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn surroundings(&self) -> Surroundings {
        let home = self.folder.path();
        Surroundings {
            variables: self.variables.clone(),
            folder: home.join("here"),
            home: Some(home.to_owned()),
            configurations: Some(home.join(".config")),
            etc: Some(home.join("etc")),
            is_waited_for: Some(true),
        }
    }

    fn read(&self, line: &[&str]) -> Result<Cli, Stop> {
        let typed = std::iter::once("peerflix").chain(line.iter().copied()).map(OsString::from);
        read_in(typed, &self.surroundings())
    }

    fn cli(&self, line: &[&str]) -> Cli {
        self.read(line).expect("can be understood")
    }

    /// What is said of a wrong one; with the home as `~`.
    fn wrong(&self, line: &[&str]) -> String {
        let stop = self.read(line).expect_err("it is wrong");
        assert!(stop.is_error());
        stop.to_string().replace(&self.folder.path().display().to_string(), "~")
    }
}

#[test]
fn what_was_typed_counts_more_than_the_environment_and_that_more_than_files() {
    let home = Home::with(&[
        (".config/peerflix/config.toml", "port = 3\nhostname = 'b'\nconnections = 30\npeer-port = 7000\n"),
        (
            ".peerflixrc",
            "{ \"port\": 4, \"hostname\": \"c\", \"connections\": 40, \"quiet\": true, \"peer-port\": 7001 }",
        ),
        ("etc/peerflixrc", "quiet = false\nremove = true\n"),
        ("more.toml", "peer_port = 7002\n"),
    ])
    .variable("PEERFLIX_PORT", "2")
    .variable("peerflix_connections", "20");
    let cli = home.cli(&[MAGNET, "--port=1"]);
    assert_eq!(cli.watch.server.port, Some(1));
    assert_eq!(cli.watch.swarm.connections, Some(20));
    assert_eq!(cli.watch.server.hostname.as_deref(), Some("b"));
    assert!(cli.watch.output.quiet && cli.watch.storage.remove);
    assert_eq!(cli.watch.swarm.peer_port, Some(7000));
    let more = home.folder.path().join("more.toml");
    let cli = home.cli(&[MAGNET, "--config", more.to_str().expect("plain")]);
    assert_eq!(cli.watch.swarm.peer_port, Some(7002), "a file that is named counts more");
}

#[test]
fn every_option_can_be_set_everywhere() {
    let grammar = options::grammar();
    for option in options::settings(&grammar) {
        let value = match option.key.as_str() {
            "output" => "-",
            "index" => "3",
            "trackers" => "udp://t.example:1/announce",
            "peer" => "127.0.0.1:1",
            "dht-node" => "r.example:1",
            _ if matches!(option.kind, Kind::Switch | Kind::Count) => "true",
            _ => "1",
        };
        let line = if value == "true" { "true".to_owned() } else { format!("'{value}'") };
        let home = Home::config(&format!("{} = {line}\n", option.key));
        home.cli(&[MAGNET]);
        let found = in_force(None, &home.surroundings()).expect("can be read");
        let setting = found.settings.iter().find(|setting| setting.key == option.key).expect("it is there");
        assert!(matches!(setting.origin, Origin::File { line: Some(1), .. }), "{setting:?}");
        let home = Home::with(&[])
            .variable(&format!("PEERFLIX_{}", option.key.replace('-', "_").to_uppercase()), value);
        home.cli(&[MAGNET]);
        let found = in_force(None, &home.surroundings()).expect("can be read");
        let setting = found.settings.iter().find(|setting| setting.key == option.key).expect("it is there");
        assert!(matches!(setting.origin, Origin::Variable(_)), "{setting:?}");
    }
}

#[test]
fn lists_replace_what_stands_below_them() {
    let home = Home::config(
        "trackers = ['udp://a.example:1', 'udp://b.example:1']\nfile = ['a*', 'b*']\nverbose = 2\n",
    );
    let cli = home.cli(&[MAGNET]);
    assert_eq!(cli.watch.swarm.trackers, ["udp://a.example:1", "udp://b.example:1"]);
    assert_eq!(cli.watch.choose.file, ["a*", "b*"]);
    assert_eq!(cli.watch.output.verbose, 2);
    let cli = home.cli(&[MAGNET, "--trackers=udp://c.example:1", "--file", "c", "--verbose"]);
    assert_eq!(cli.watch.swarm.trackers, ["udp://c.example:1"]);
    assert_eq!(cli.watch.choose.file, ["c"]);
    assert_eq!(cli.watch.output.verbose, 1);
    let none = home.cli(&[MAGNET, "--trackers="]);
    assert_eq!(none.watch.swarm.trackers, [""; 0]);
}

#[test]
fn a_switch_can_be_unset_above() {
    let home = Home::config("vlc = true\nno-dht = true\nquiet = true\n");
    let players = |line: &[&str]| home.cli(line).watch.playback.players;
    assert!(players(&[MAGNET]).vlc);
    assert!(!players(&[MAGNET, "--vlc=false"]).vlc);
    assert!(!players(&[MAGNET, "--no-vlc"]).vlc);
    assert!(!home.cli(&[MAGNET, "--dht"]).watch.swarm.no_dht);
    let home = Home::config("vlc = true\n").variable("PEERFLIX_VLC", "false");
    assert!(!home.cli(&[MAGNET]).watch.playback.players.vlc);
}

#[test]
fn one_of_a_group_displaces_the_others_below_it() {
    let home = Home::config("vlc = true\nlist = true\nno-upload = true\n").variable("PEERFLIX_UPLOADS", "3");
    let watch = home.cli(&[MAGNET, "--mpv", "--index=1"]).watch;
    assert!(watch.playback.players.mpv && !watch.playback.players.vlc && !watch.choose.list);
    assert_eq!(watch.swarm.upload_slots(), Some(3));
    let watch = home.cli(&[MAGNET, "--stdout"]).watch;
    assert!(watch.playback.stdout && !watch.playback.players.vlc);
    assert!(home.cli(&["demo", "--once"]).command.is_some());
    let wrong = Home::config("vlc = true\nmpv = true\n").wrong(&[MAGNET]);
    assert_eq!(
        wrong,
        "~/.config/peerflix/config.toml, line 2: mpv and vlc exclude each other: leave one out"
    );
    assert!(Home::config("vlc = true\nmpv = false\n").cli(&[MAGNET]).watch.playback.players.vlc);
}

#[test]
fn a_command_takes_of_it_what_it_knows() {
    let home = Home::config("vlc = true\nno-dht = true\ncache = '/tmp/films'\njson = true\n");
    let Some(Given::List(list)) = home.cli(&["list", MAGNET]).command else { panic!("it is a list") };
    assert!(list.swarm.no_dht && list.json);
    assert_eq!(list.storage.cache, Some("/tmp/films".into()));
    let Some(Given::Cache(cache)) = home.cli(&["cache", "clear", "--dry-run"]).command else {
        panic!("it is a cache")
    };
    assert_eq!(cache.cache, Some("/tmp/films".into()));
    let Some(Given::Cache(cache)) = home.cli(&["cache", "--cache=/x", "clear"]).command else {
        panic!("a cache")
    };
    assert_eq!(cache.cache, Some("/x".into()));
}

#[test]
fn what_is_settled_for_mounts_can_be_configured() {
    let home = Home::config("read-timeout = 5\nguard = ['mc', '-Finder']\nlist = true\n");
    let Some(Given::Mount(mount)) = home.cli(&["mount", MAGNET]).command else { panic!("it is a mount") };
    assert_eq!((mount.place.read_timeout, mount.place.guard.len()), (Some(5), 2));
    assert!(home.cli(&[MAGNET]).command.is_none(), "what only a mount has is no harm elsewhere");
    let home = Home::config("guard = false\n");
    let Some(Given::Mount(mount)) = home.cli(&["mount", MAGNET]).command else { panic!("it is a mount") };
    assert!(mount.place.no_guard && mount.place.guard.is_empty());
}

#[test]
fn a_home_is_meant_by_its_sign() {
    let home = Home::config("path = '~/Films'\nhostname = '~/x'\n");
    let watch = home.cli(&[MAGNET]).watch;
    assert_eq!(watch.storage.path, Some(home.folder.path().join("Films")));
    assert_eq!(watch.server.hostname.as_deref(), Some("~/x"), "no path");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_was_meant() {
    for (text, said) in [
        ("# x\nprot = 1\n", "line 2: there is no option prot: did you mean port?"),
        (
            "port = 'abc'\n",
            "line 1: port cannot be abc: a port is a number from 0 to 65535, and 0 means any that is free",
        ),
        ("vlc = 'maybe'\n", "line 1: vlc cannot be maybe: it is true or false"),
        ("port = [1, 2]\n", "line 1: port cannot be a list: it is one value"),
        (
            "frobnicate = 1\n",
            "line 1: there is no option frobnicate; `peerflix config` shows all that there are",
        ),
        (
            "[swarm]\nport = 1\n",
            "line 1: swarm is no option: they are set to a value or a list of values, and stand in no section",
        ),
    ] {
        assert_eq!(Home::config(text).wrong(&[MAGNET]), format!("~/.config/peerflix/config.toml, {said}"));
    }
    let wrong = |name, value| Home::with(&[]).variable(name, value).wrong(&[MAGNET]);
    assert_eq!(
        wrong("PEERFLIX_PROT", "1"),
        "the variable PEERFLIX_PROT sets no option: did you mean PEERFLIX_PORT?"
    );
    assert!(wrong("PEERFLIX_PORT", "x").starts_with("the variable PEERFLIX_PORT: port cannot be x"));
    let missing = Home::with(&[]).wrong(&[MAGNET, "--config=none.toml"]);
    assert!(missing.starts_with("~/here/none.toml cannot be read"), "{missing}");
}

#[test]
fn variables_of_others_are_left_alone() {
    let home = Home::with(&[])
        .variable("PEERFLIX_IMAGE_BUILD", "7")
        .variable("PEERFLIX_HOOK_PATH", "/x")
        .variable("PEERFLIX_PATH", "");
    let cli = home.cli(&[MAGNET]);
    assert_eq!(cli.watch.storage.path, None);
}

#[test]
fn old_files_set_what_they_could_and_more_and_never_stop_anything() {
    let home = Home::with(&[(
        ".config/peerflix",
        "dht = false\nverify = false\nomx = true\ntmp = /tmp/films\nno-quit = true\ncolour = red\n",
    )]);
    let cli = home.cli(&[MAGNET]);
    assert!(cli.watch.swarm.no_dht && cli.watch.playback.players.no_quit);
    assert_eq!(cli.watch.storage.cache, Some("/tmp/films".into()));
    assert_eq!(cli.notes.len(), 2, "{:?}", cli.notes);
    assert!(cli.notes[0].contains("omxplayer") && cli.notes[1].contains("colour"), "{:?}", cli.notes);
}

#[test]
fn a_file_that_lies_around_runs_nothing() {
    let home = Home::with(&[(
        "here/.peerflixrc",
        "port = 5\non-listening = evil\nplayer = evil\ntrace = /etc/passwd\n",
    )]);
    let cli = home.cli(&[MAGNET]);
    assert_eq!(cli.watch.server.port, Some(5));
    assert_eq!(
        (cli.watch.output.on_listening, cli.watch.playback.players.player, cli.watch.output.trace),
        (None, None, None)
    );
    assert_eq!(cli.notes.len(), 3);
    let own = Home::with(&[(".peerflixrc", "on-listening = mine\n")]);
    assert_eq!(own.cli(&[MAGNET]).watch.output.on_listening.as_deref(), Some("mine"));
}

#[test]
fn help_and_completions_need_no_configuration() {
    let home = Home::config("prot = 1\n");
    for line in [&["--help"][..], &["-h"], &["list", "--help"], &["--version"], &["help"]] {
        assert!(!home.read(line).expect_err("nothing to run").is_error(), "{line:?}");
    }
    for line in [&["completions", "bash"][..], &["generate", "man"]] {
        assert!(home.read(line).is_ok());
    }
}

#[test]
fn a_line_that_is_wrong_by_itself_is_told_before_a_configuration_that_is() {
    assert_eq!(
        Home::config("prot = 1\n").wrong(&[MAGNET, "--vcl"]),
        "there is no --vcl: did you mean --vlc?"
    );
}
