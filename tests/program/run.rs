//! Starts peerflix as a process and listens to what it says.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// When something that must happen has not happened after this long, it never will.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A command line that touches nothing of the user's: its home, with the cache in it, is a folder of its own.
pub struct Peerflix {
    command: Command,
    home: TempDir,
}

/// A peerflix that runs.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    error_said: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    _home: TempDir,
}

/// What a peerflix that ran has said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub errors: String,
}

impl Peerflix {
    pub fn new(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Peerflix {
        let home = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerflix"));
        command
            .args(args)
            .env("PEERFLIX_CACHE", home.path().join("cache"))
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .current_dir(home.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Peerflix { command, home }
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The user's home: configurations are read from `config/peerflix` in it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where it is started, if not at home.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Started by a shell that does this first: what this process cannot do to itself, or to others, safely.
    pub fn after(mut self, shell: &str) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{shell}; exec \"$@\""), "sh"]);
        command.arg(self.command.get_program()).args(self.command.get_args());
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command = command;
        self
    }

    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.command.stdin(from);
        self
    }

    /// Runs it to its end.
    pub fn said(mut self) -> Said {
        let mut child = self.command.spawn().expect("peerflix starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        let (errors, _) = read_all(child.stderr.take().expect("a pipe"));
        let out = std::thread::spawn(move || {
            let mut out = Vec::new();
            stdout.read_to_end(&mut out).map(|_| out)
        });
        let status = wait(&mut child);
        Said {
            code: status.code(),
            out: out.join().expect("reads").expect("reads"),
            errors: errors.join().expect("reads"),
        }
    }

    /// Starts it and leaves standard output to the caller.
    pub fn piped(mut self) -> (Running, std::process::ChildStdout) {
        let mut child = self.command.spawn().expect("peerflix starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (errors, error_said) = read_all(child.stderr.take().expect("a pipe"));
        let (_, lines) = channel();
        (Running { child, lines, error_said, errors: Some(errors), _home: self.home }, stdout)
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let (mut running, stdout) = self.piped();
        let (send, lines) = channel();
        running.lines = lines;
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        running
    }
}

impl Running {
    /// The next line of standard output.
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => {
                let _ = self.child.kill();
                let errors = self.errors.take().map(|errors| errors.join().expect("reads"));
                panic!("peerflix said nothing on standard output; on standard error: {errors:?}")
            }
        }
    }

    /// Waits until it has said something on standard error.
    pub fn wait_for_an_error(&self) {
        self.error_said.recv_timeout(PATIENCE).expect("peerflix says something on standard error");
    }

    /// Waits until it has said all of these words on standard error.
    pub fn wait_for_words(&self, words: &[&str]) {
        let mut said = String::new();
        while !words.iter().all(|word| said.contains(word)) {
            match self.error_said.recv_timeout(PATIENCE) {
                Ok(more) => said.push_str(&more),
                Err(_) => panic!("not all of {words:?} was said: {said}"),
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs no more.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    pub fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    pub fn kill(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Said {
        let status = wait(&mut self.child);
        let errors = self.errors.take().map(|errors| errors.join().expect("reads")).unwrap_or_default();
        let out = self.lines.iter().collect::<Vec<_>>().join("\n").into_bytes();
        Said { code: status.code(), out, errors }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// It must have ended with this code, and said all of these words on standard error in one line of prose.
    #[track_caller]
    pub fn failed_with(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(
                self.errors.to_lowercase().contains(&word.to_lowercase()),
                "no {word:?} in {:?}",
                self.errors
            );
        }
        assert!(!self.errors.contains("panicked"), "{}", self.errors);
    }
}

/// Reads to the end in a thread, and tells when something has come.
fn read_all(mut from: impl Read + Send + 'static) -> (JoinHandle<String>, Receiver<String>) {
    let (send, said) = channel();
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut some = [0; 1024];
        while let Ok(count @ 1..) = from.read(&mut some) {
            all.extend_from_slice(&some[..count]);
            let _ = send.send(String::from_utf8_lossy(&some[..count]).into_owned());
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    (reading, said)
}

/// Waits until there is something.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it did not happen within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits for a process; one that does not end is killed, and the test fails.
pub fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process did not end within {PATIENCE:?}");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
