//! Makes films.

use std::path::PathBuf;
use std::process::Command;

/// A film of so many seconds, in the shape that the name and the flags say.
pub fn film(seconds: &str, name: &str, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    let made = program("ffmpeg", "ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10"])
        .args(["-f", "lavfi", "-i", "sine", "-t", seconds, "-g", "10"])
        .args(flags)
        .arg(&path)
        .output()
        .expect("ffmpeg runs");
    assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(&path).expect("made before")
}

/// The same, as it comes out of a pipe: nothing can be mended in it afterwards.
pub fn live(seconds: &str, format: &str, flags: &[&str]) -> Vec<u8> {
    let made = program("ffmpeg", "ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10"])
        .args(["-f", "lavfi", "-i", "sine", "-t", seconds, "-g", "10", "-f", format])
        .args(flags)
        .arg("pipe:1")
        .output()
        .expect("ffmpeg runs");
    assert!(made.status.success(), "{format}: {}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// A program that a test cannot do without.
pub fn program(name: &str, package: &str) -> Command {
    match on_path(name) {
        Some(path) => Command::new(path),
        None => panic!("{name} is not installed: `make test` installs it, or apt-get install {package}"),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
