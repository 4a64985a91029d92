//! A player that is given a path, as from a file manager.

use tempfile::TempDir;

use super::mounted::{Mounted, program};
use crate::films::demo;
use crate::run::wait;
use crate::seeds::{Seeds, Torrent};

/// Tells the subtitles that are shown, a word of them, and how it ended.
const SCRIPT: &str = r#"
local told = io.open(os.getenv("TOLD"), "w")
mp.register_event("file-loaded", function()
    for _, track in ipairs(mp.get_property_native("track-list")) do
        if track.type == "sub" and track.selected then told:write("subtitles from ", track["external-filename"] or "inside", "\n") end
    end
end)
mp.observe_property("sub-text", "string", function(_, text)
    if text and text ~= "" then told:write("they say ", text, "\n") end
end)
mp.register_event("end-file", function(event) told:write("ended by ", event.reason, "\n") told:flush() end)
"#;

#[test]
fn mpv_plays_a_film_and_finds_the_subtitles_beside_it() {
    let subtitles = b"1\n00:00:01,000 --> 00:00:05,000\nHello from the mount\n";
    let torrent = Torrent::of_folder(
        "A Film (2026)",
        &[("A Film.mp4", demo()), ("A Film.srt", subtitles.as_slice()), ("read me.txt", b"hello".as_slice())],
    );
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let folder = TempDir::new().expect("a temporary folder");
    let (script, told) = (folder.path().join("tell.lua"), folder.path().join("told"));
    std::fs::write(&script, SCRIPT).expect("writes");
    let mut player = program("mpv", "mpv")
        .args(["--no-config", "--vo=null", "--ao=null", "--ao-null-untimed", "--untimed", "--really-quiet"])
        .args(["--sub-auto=exact", "--no-terminal"])
        .arg(format!("--script={}", script.display()))
        .arg(mounted.path("A Film (2026)/A Film.mp4"))
        .env("TOLD", &told)
        .env("HOME", folder.path())
        .spawn()
        .expect("mpv runs");
    assert!(wait(&mut player).success());
    let told = std::fs::read_to_string(&told).expect("mpv ran the script");
    for words in ["subtitles from ", "A Film.srt", "they say Hello from the mount", "ended by eof"] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    mounted.ends_well();
}
