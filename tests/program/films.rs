//! The demo's film in the shapes that players find hard; made by ffmpeg once for all tests.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

pub struct Films {
    moov_last: Vec<u8>,
    mkv: Vec<u8>,
}

/// The films, made at the first call.
pub fn films() -> &'static Films {
    static FILMS: OnceLock<Films> = OnceLock::new();
    FILMS.get_or_init(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let [moov_last, mkv] = ["moov-last.mp4", "film.mkv"].map(|name| {
            let made = program("ffmpeg", "ffmpeg")
                .args([
                    "-v",
                    "error",
                    "-y",
                    "-i",
                    concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4"),
                    "-c",
                    "copy",
                ])
                .arg(folder.path().join(name))
                .status()
                .expect("ffmpeg runs");
            assert!(made.success(), "ffmpeg did not make {name}");
            std::fs::read(folder.path().join(name)).expect("made before")
        });
        Films { moov_last, mkv }
    })
}

impl Films {
    /// MP4 as a careless program writes it: a player must read its end before it can show its beginning.
    pub fn moov_last(&self) -> Vec<u8> {
        let film = self.moov_last.clone();
        let place = |word: &[u8]| film.windows(4).position(|four| four == word).expect("an MP4");
        assert!(place(b"moov") > place(b"mdat"), "the index must stand at the end");
        film
    }

    pub fn mkv(&self) -> Vec<u8> {
        self.mkv.clone()
    }
}

/// The film as it is in the program: `moov` first.
pub fn demo() -> &'static [u8] {
    peerflix::demo::CLIP
}

/// A program that a test cannot do without.
pub fn program(name: &str, package: &str) -> Command {
    match on_path(name) {
        Some(path) => Command::new(path),
        None => panic!("{name} is not installed: `make test` installs it, or apt-get install {package}"),
    }
}

pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
