//! How the program ends, as a number: documented in the man page (`cli/generate.rs`) and in `--help`.

use std::process::{ExitCode, Termination};

/// The process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Ended as asked: played, listed, the pipe closed, Ctrl-C while it streamed.
    Success = 0,
    /// Failed for a reason without a number of its own.
    Failure = 1,
    /// Wrong usage; clap's number too.
    Usage = 2,
    /// Not a torrent, or not to be had.
    Source = 3,
    /// No such file in the torrent.
    Choice = 4,
    /// Player not installed, not to be started, or ended with an error.
    Player = 5,
    /// The address cannot be listened on.
    Address = 6,
    /// Disk full, folder not writable, torrent used by another process.
    Disk = 7,
    /// Ctrl-C before it was done; a second Ctrl-C.
    Interrupted = 130,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// What went wrong, and the number that says so.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) error: anyhow::Error,
}

pub(super) trait OrExit<T> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}
