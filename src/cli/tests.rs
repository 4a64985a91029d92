//! The flags as clap reads them.

use clap::{CommandFactory, Parser};

use super::*;

const MAGNET: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a=b,c&tr=udp://t:1";

fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("peerflix").chain(line.iter().copied()))
}

fn watch(line: &[&str]) -> Watch {
    let line: Vec<&str> = line.iter().copied().chain([MAGNET]).collect();
    parse(&line).expect("parses").watch
}

#[test]
fn the_flags_do_not_contradict_each_other() {
    Cli::command().debug_assert();
}

#[test]
fn a_magnet_needs_no_command_wherever_it_stands() {
    for line in [vec![MAGNET, "--vlc"], vec!["--vlc", MAGNET], vec!["-q", MAGNET, "-p", "9000"]] {
        let cli = parse(&line).expect("parses");
        assert_eq!(cli.watch.torrents, [MAGNET]);
        assert!(cli.command.is_none());
    }
}

#[test]
fn several_torrents_are_a_queue() {
    let cli = parse(&["a.torrent", "--mpv", "b.torrent", "-"]).expect("parses");
    assert_eq!(cli.watch.torrents, ["a.torrent", "b.torrent", "-"]);
}

#[test]
fn what_follows_two_dashes_is_the_players() {
    let cli = parse(&[MAGNET, "--mpv", "--", "--fullscreen", "--vlc"]).expect("parses");
    assert!(cli.watch.playback.players.mpv && !cli.watch.playback.players.vlc);
    assert_eq!(cli.watch.extra, ["--fullscreen", "--vlc"]);
}

#[test]
fn a_film_goes_to_one_place_only_and_one_choice_is_made() {
    for line in [
        ["--vlc", "--mpv"],
        ["--stdout", "--vlc"],
        ["--open", "--stdout"],
        ["--all", "--index=1"],
        ["--file=a", "--all"],
        ["--list", "--all"],
        ["--uploads=3", "--no-upload"],
        ["--subtitles=a.srt", "--no-subs"],
        ["--quiet", "--json"],
    ] {
        assert!(parse(&[MAGNET, line[0], line[1]]).is_err(), "{line:?}");
    }
    assert!(watch(&["-o", "-"]).playback.to_stdout());
    assert!(parse(&[MAGNET, "-o", "film.mkv"]).is_err());
}

#[test]
fn lists_are_repeated_or_have_commas() {
    assert_eq!(watch(&["-e", "127.0.0.1:1,[::1]:2", "--peer", "127.0.0.1:3"]).swarm.peer.len(), 3);
    assert!(parse(&[MAGNET, "--peer", "example"]).is_err());
    assert_eq!(watch(&["-i", "1,4-6", "--index=9"]).choose.index, [1..=1, 4..=6, 9..=9]);
    for wrong in ["x", "7-3", "1-", "-1", "1,,2", ""] {
        assert!(parse(&[MAGNET, &format!("--index={wrong}")]).is_err(), "{wrong}");
    }
    assert_eq!(watch(&["--file", "a,b*", "--file", "c"]).choose.file, ["a,b*", "c"]);
    assert_eq!(watch(&["--sub-lang", "en,de"]).subtitles.sub_lang, ["en", "de"]);
}

#[test]
fn trackers_and_nodes_are_looked_at_before_they_are_asked() {
    let flags =
        ["--trackers=udp://t.example:1/announce,https://u.example/announce", "--dht-node=r.example:6881"];
    assert_eq!(watch(&flags).swarm.trackers.len(), 2);
    for wrong in ["tracker.example:80", "wss://t.example", "file:///etc", "udp://", ""] {
        assert!(parse(&[MAGNET, &format!("--trackers={wrong}")]).is_err(), "{wrong}");
    }
    for wrong in ["r.example", "r.example:0", ":6881", "r.example:port"] {
        assert!(parse(&[MAGNET, &format!("--dht-node={wrong}")]).is_err(), "{wrong}");
    }
}

#[test]
fn no_uploads_can_be_said_in_three_ways() {
    for line in [["--uploads", "0"], ["--uploads", "false"], ["--no-upload", "-q"]] {
        assert_eq!(watch(&line).swarm.upload_slots(), Some(0), "{line:?}");
    }
    assert_eq!(watch(&["--uploads=4"]).swarm.upload_slots(), Some(4));
    assert_eq!(watch(&[]).swarm.upload_slots(), None);
}

#[test]
fn an_option_that_is_given_again_counts_as_it_was_given_last() {
    let watch = watch(&["-p", "1", "--port=2", "-q", "-q"]);
    assert_eq!(watch.server.port, Some(2));
    assert!(watch.output.quiet);
}

#[test]
fn commands_have_what_they_need() {
    let command = |line: &[&str]| parse(line).expect("parses").command;
    assert!(matches!(command(&["demo", "--once"]), Some(Command::Demo(demo)) if demo.once));
    assert!(matches!(command(&["list", MAGNET, "--json", "--no-dht"]), Some(Command::List(list))
        if list.json && list.swarm.no_dht && list.torrent == MAGNET));
    assert!(matches!(command(&["doctor", MAGNET]), Some(Command::Doctor(doctor)) if doctor.seconds == 20));
    let mount = command(&["mount", MAGNET, "--at=/mnt", "--guard=a,-b", "--read-timeout=0"]);
    let Some(Command::Mount(mount)) = mount else { panic!("{mount:?}") };
    assert_eq!((mount.place.at, mount.place.read_timeout), (Some("/mnt".into()), Some(0)));
    assert_eq!((mount.place.guard, mount.torrents.len()), (vec!["a".to_owned(), "-b".to_owned()], 1));
    assert!(matches!(command(&["mount", "--status"]), Some(Command::Mount(mount)) if mount.place.status));
    assert!(parse(&["mount"]).is_err() && parse(&["mount", MAGNET, "--status"]).is_err());
    assert!(parse(&["mount", MAGNET, "--guard=a", "--no-guard"]).is_err());
    let wiki = command(&["wiki", MAGNET, "a.zim", "--pin=Paris", "--pin", "List of *", "--open", "-a"]);
    let Some(Command::Wiki(wiki)) = wiki else { panic!("{wiki:?}") };
    assert_eq!(wiki.site.pin, ["Paris", "List of *"]);
    assert_eq!(
        (wiki.torrents.len(), wiki.site.open, wiki.site.all, wiki.site.no_bar),
        (2, true, true, false)
    );
    assert!(parse(&["wiki"]).is_err() && parse(&["wiki", MAGNET, "--pin=Paris", "--remove"]).is_err());
    let clear = command(&["cache", "clear", "--older-than=2w", "--dry-run", "--cache", "/tmp/x"]);
    let Some(Command::Cache(Cache { command: Some(CacheCommand::Clear(clear)), cache, .. })) = clear else {
        panic!("{clear:?}")
    };
    assert_eq!((clear.older_than, clear.dry_run, cache), (Some(14), true, Some("/tmp/x".into())));
    assert!(matches!(
        command(&["completions", "powershell"]),
        Some(Command::Completions { shell: Shell::PowerShell })
    ));
    assert!(parse(&["completions", "tcsh"]).is_err());
    assert!(parse(&["list"]).is_err());
}

#[test]
fn nothing_at_all_is_wrong_usage() {
    assert!(parse(&[]).is_err());
}

#[test]
fn help_fits_98_columns() {
    let mut command = Cli::command();
    for help in [command.render_help(), command.render_long_help()] {
        let text = help.to_string();
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 98).collect();
        assert!(long.is_empty(), "{long:?}");
    }
}
