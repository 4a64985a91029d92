//! Starts `peerflix mount`, and leaves nothing mounted behind.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::run::{Peerflix, Running, Said, until};
use crate::seeds::Torrent;

/// A `peerflix mount` that runs, in folders of its own.
pub struct Mounted {
    running: Option<Running>,
    folder: TempDir,
}

impl Mounted {
    /// Of these torrents, with these flags; comes back when it is mounted.
    pub fn of(torrents: &[&Torrent], flags: &[String]) -> Mounted {
        let typed: Vec<_> = torrents.iter().map(|torrent| torrent.typed()).collect();
        Mounted::of_words(&typed, flags)
    }

    /// Of what is typed.
    pub fn of_words(words: &[&str], flags: &[String]) -> Mounted {
        let mut mounted = Mounted { running: None, folder: TempDir::new().expect("a temporary folder") };
        mounted.start(words, flags);
        mounted
    }

    /// Starts it at the same place as before.
    pub fn start(&mut self, words: &[&str], flags: &[String]) {
        assert!(Path::new("/dev/fuse").exists(), "there is no /dev/fuse: modprobe fuse");
        assert!(on_path("fusermount3"), "fusermount3 is not installed: sh tests/install.sh programs");
        let args = [
            vec!["mount".to_owned()],
            words.iter().map(|word| (*word).to_owned()).collect(),
            vec![format!("--at={}", self.at().display()), format!("--path={}", self.data().display())],
            flags.to_vec(),
        ];
        let mut running = Peerflix::new(args.concat()).start();
        // A dead mount has a place, but nothing in it. And a torrent that is a file is open before its name is shown.
        until(|| {
            if running.has_ended() {
                return Some(());
            }
            let first = std::fs::read_dir(self.at()).ok().filter(|_| is_mounted(&self.at()))?.next();
            first.is_some_and(|first| first.is_ok()).then_some(())
        });
        if running.has_ended() {
            let said = running.ended();
            panic!("it ended: {} {}", said.text(), said.errors);
        }
        self.running = Some(running);
    }

    /// Where it is mounted.
    pub fn at(&self) -> PathBuf {
        self.folder.path().join("at")
    }

    /// Where it keeps what it has fetched.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn path(&self, of: impl AsRef<Path>) -> PathBuf {
        self.at().join(of)
    }

    /// Runs a program to its end with the mount as its folder; it must be content.
    #[track_caller]
    pub fn runs(&self, package: &str, words: &[&str]) -> String {
        let out = self.tries(package, words);
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{words:?}: {}: {errors}", out.status);
        assert!(errors.is_empty(), "{words:?} complained: {errors}");
        String::from_utf8(out.stdout).expect("what these programs print is text")
    }

    /// Runs a program to its end with the mount as its folder.
    pub fn tries(&self, package: &str, words: &[&str]) -> Output {
        let (name, rest) = words.split_first().expect("a program's name");
        program(name, package).args(rest).current_dir(self.at()).output().expect("it runs")
    }

    /// What is said of a file, by an extended attribute.
    pub fn told(&self, of: &str, name: &str) -> String {
        let mut value = vec![0; 1024];
        let length = rustix::fs::getxattr(self.path(of), format!("user.peerflix.{name}"), &mut value);
        value.truncate(length.unwrap_or_else(|error| panic!("no user.peerflix.{name} of {of}: {error}")));
        String::from_utf8(value).expect("text")
    }

    /// How much of a file is there, as `du` sees it.
    pub fn bytes_there(&self, of: &str) -> u64 {
        std::fs::metadata(self.path(of)).expect("it is there").blocks() * 512
    }

    /// Takes the process away: what is mounted stays.
    pub fn running_alone(&mut self) -> Running {
        self.running.take().expect("it was started")
    }

    /// Ctrl-C, as most will end it: it says goodbye and nothing is mounted.
    #[track_caller]
    pub fn ends_well(mut self) -> Said {
        let running = self.running_alone();
        running.interrupt();
        let said = running.ended();
        assert_eq!(said.code, Some(0), "{}", said.errors);
        assert!(!is_mounted(&self.at()), "it is still mounted: {}", said.errors);
        said
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // First the process, so that whoever waits for it is told.
        self.running = None;
        if is_mounted(&self.at()) {
            let _ = Command::new("fusermount3").arg("-uz").arg(self.at()).output();
        }
    }
}

/// Whether something is mounted there, alive or dead.
pub fn is_mounted(at: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("Linux has it");
    mounts.lines().any(|line| line.split(' ').nth(4).is_some_and(|place| Path::new(place) == at))
}

/// A program that a test cannot do without.
pub fn program(name: impl AsRef<OsStr>, package: &str) -> Command {
    let name = name.as_ref();
    assert!(
        Path::new(name).is_absolute() || on_path(name),
        "{name:?} is not installed: `make test` installs it, or apt-get install {package}"
    );
    Command::new(name)
}

fn on_path(name: impl AsRef<Path>) -> bool {
    crate::films::on_path(&name.as_ref().to_string_lossy()).is_some()
}

/// Flags of a run in which nobody is ever found.
pub fn nobody() -> Vec<String> {
    vec!["--no-dht".into(), "--no-lsd".into()]
}

/// The error that a program's read ended with, as the program says it.
pub fn says_input_output_error(out: &Output) -> bool {
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let error = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()).to_string();
    // "Input/output error (os error 5)": the programs say the first part.
    error.split(" (").next().is_some_and(|words| said.contains(words))
}
