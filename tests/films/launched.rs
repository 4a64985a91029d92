//! Players, started by us on what our server gives them.

use std::ffi::OsString;
use std::path::Path;

use peerflix::http::Server;
use peerflix::player::{Choice, Environment, Item, Launch, System, start};
use tempfile::TempDir;

use crate::studio::{film, program};
use crate::world::{Torrent, soon};

const SUBTITLES: &[u8] = b"1\n00:00:00,200 --> 00:00:01,800\nHello\n";

/// Two short films, and subtitles of each.
fn series() -> Torrent {
    let flags = ["-c:v", "libx264", "-c:a", "aac", "-movflags", "+faststart"];
    let film = film("2", "film.mp4", &flags);
    Torrent::of_texts(&[
        ("Show/One.mp4", &film),
        ("Show/Two.mp4", &film),
        ("Show/One.English é [1].srt", SUBTITLES),
        ("Show/One.German.srt", SUBTITLES),
        ("Show/Two.English.srt", SUBTITLES),
    ])
}

fn launch(server: &Server, extra: Vec<OsString>) -> Launch {
    let url = |rest: &str| format!("{}{rest}", server.url());
    Launch {
        url: url("0/One.mp4"),
        title: Some("The First".to_owned()),
        subtitles: vec![url("2/One.English%20%C3%A9%20%5B1%5D.srt"), url("3/One.German.srt")],
        more: vec![Item {
            url: url("1/Two.mp4"),
            title: Some("The Second".to_owned()),
            subtitles: vec![url("4/Two.English.srt")],
        }],
        on_top: false,
        extra,
    }
}

/// Every file of the torrent was asked for.
#[track_caller]
fn asked_for_all(torrent: &Torrent, words: &str) {
    let reads = torrent.reads();
    for index in 0..5 {
        assert!(reads.iter().any(|(read, ..)| *read == index), "nobody asked for file {index}. {words}");
    }
}

/// Writes down the title, and the subtitles with the one that is shown, of each film that begins.
const MPV_SCRIPT: &str = r#"
local told = io.open("TOLD", "w")
local begun = nil
mp.register_event("playback-restart", function()
    local title = mp.get_property("media-title")
    if title == begun then return end
    begun = title
    told:write(title)
    for _, track in ipairs(mp.get_property_native("track-list")) do
        if track.type == "sub" then told:write(", ", track.selected and "*" or "", track.title) end
    end
    told:write("\n")
    told:flush()
end)
"#;

#[tokio::test]
async fn mpv_plays_one_after_the_other_with_title_and_subtitles() {
    program("mpv", "mpv");
    let torrent = series();
    let server = torrent.serve().await;
    let folder = TempDir::new().expect("a temporary folder");
    let (script, told) = (folder.path().join("tell.lua"), folder.path().join("told"));
    std::fs::write(&script, MPV_SCRIPT.replace("TOLD", &told.display().to_string())).expect("writes");
    let extra = ["--no-config", "--vo=null", "--ao=null", "--ao-null-untimed", "--untimed"];
    let mut extra: Vec<OsString> = extra.map(OsString::from).to_vec();
    extra.push(format!("--script={}", script.display()).into());
    let mut player =
        start(&Choice::Mpv, &launch(&server, extra), &Environment::here()).await.expect("mpv starts");
    assert!(soon(player.wait()).await.expect("it ends").success(), "{}", player.last_words().await);
    let told = std::fs::read_to_string(&told).expect("mpv ran the script");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines, ["The First, *One.English é [1].srt, One.German.srt", "The Second, *Two.English.srt"]);
    asked_for_all(&torrent, &told);
}

/// VLC, that refuses to run as root, as nobody; found where the player is looked for.
fn vlc(folder: &Path) -> Environment {
    program("cvlc", "vlc-bin vlc-plugin-base");
    let vlc = std::process::Command::new("sh").args(["-c", "command -v vlc"]).output().expect("a shell");
    let vlc = String::from_utf8_lossy(&vlc.stdout).trim().to_owned();
    let script = if rustix::process::geteuid().is_root() {
        program("setpriv", "util-linux");
        std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may");
        format!(
            "#!/bin/sh\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups env HOME={} {vlc} \"$@\"\n",
            folder.display()
        )
    } else {
        format!("#!/bin/sh\nexec env HOME={} {vlc} \"$@\"\n", folder.display())
    };
    let path = folder.join("vlc");
    std::fs::write(&path, script).expect("writes");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("permissions");
    Environment::of(System::Unix, [folder])
}

const NOBODY: u32 = 65534;

#[tokio::test]
async fn vlc_plays_one_after_the_other_and_reads_the_subtitles_of_each() {
    let torrent = series();
    let server = torrent.serve().await;
    let folder = TempDir::new().expect("a temporary folder");
    let log = folder.path().join("log");
    let extra = ["--intf=dummy", "--vout=dummy", "--aout=dummy", "--no-one-instance", "--file-logging"];
    let mut extra: Vec<OsString> = extra.map(OsString::from).to_vec();
    // 3: all that it has to tell.
    extra.extend(["--log-verbose=3".into(), format!("--logfile={}", log.display()).into()]);
    let environment = vlc(folder.path());
    let mut player = start(&Choice::Vlc, &launch(&server, extra), &environment).await.expect("VLC starts");
    assert!(soon(player.wait()).await.expect("it ends").success(), "{}", player.last_words().await);
    let log = std::fs::read(&log).expect("VLC kept a log");
    let log = String::from_utf8_lossy(&log);
    asked_for_all(&torrent, &log);
    assert!(!log.contains("failed to add"), "{log}");
}
