//! A real terminal: tmux, with real keys, whose screen can be read.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::films::on_path;
use crate::run::until;

/// A terminal in which a shell runs.
pub struct Terminal {
    socket: String,
    /// Everything that peerflix keeps, its configuration included.
    home: TempDir,
}

impl Terminal {
    /// Of so many columns and rows.
    pub fn new(columns: u32, rows: u32) -> Terminal {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        assert!(on_path("tmux").is_some(), "tmux is not installed: sh tests/install.sh programs");
        let socket = format!("peerflix-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let home = TempDir::new().expect("a temporary folder");
        let terminal = Terminal { socket, home };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        // No configuration of anybody's, and a prompt that no program prints.
        let new =
            ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows, "env PS1=READY- /bin/sh"];
        terminal.tmux(&new);
        terminal.shows("READY-");
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(args).env("HOME", self.home.path()).env("LC_ALL", "C.UTF-8");
        command.env_remove("TMUX").env_remove("NO_COLOR");
        let out = command.output().expect("tmux runs");
        assert!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Types a command line for peerflix, which keeps to this terminal's own folders.
    pub fn peerflix(&self, args: &[&str]) {
        let home = self.home.path().display();
        let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        self.line(&format!(
            "clear; XDG_CONFIG_HOME={home} XDG_CACHE_HOME={home} HOME={home} PEERFLIX_CACHE={home}/cache {} {}; echo ended with $?",
            env!("CARGO_BIN_EXE_peerflix"),
            quoted.join(" ")
        ));
    }

    /// Types a line.
    pub fn line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.key("Enter");
    }

    /// Presses a key, by tmux's name of it.
    pub fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub fn resize(&self, columns: u32, rows: u32) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What is on the screen now, its lines without the blanks at their ends.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until this is on the screen; gives all of it.
    #[track_caller]
    pub fn shows(&self, words: &str) -> String {
        self.becomes(words, |screen| screen.contains(words))
    }

    /// Waits until this is no longer on the screen; gives all of it.
    #[track_caller]
    pub fn hides(&self, words: &str) -> String {
        self.becomes(words, |screen| !screen.contains(words))
    }

    #[track_caller]
    fn becomes(&self, words: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(|| {
                last = self.screen();
                is_so(&last).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("{words:?} is not as it should be on:\n{last}"))
    }

    /// The process that runs in the terminal beside its shell.
    pub fn process(&self) -> u32 {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        until(|| {
            let out = Command::new("ps").args(["--ppid", shell, "-o", "pid="]).output().ok()?;
            String::from_utf8_lossy(&out.stdout).split_whitespace().next()?.parse().ok()
        })
    }

    /// The terminal goes, as when its window is closed.
    pub fn close(self) {
        self.tmux(&["kill-server"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}
