//! The flags of `peerflix mount`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

use super::{ServerFlags, StorageFlags, SwarmFlags, value};

/// One line each: what is typed, what it does.
pub(super) const EXAMPLES: &str =
    "  peerflix mount 'magnet:?…'                    at ./peerflix, until q or Ctrl-C
  peerflix mount series.torrent --at ~/series   somewhere else
  peerflix mount one.torrent two.torrent        side by side
  peerflix mount disk.iso.torrent --all         and fetch all of it meanwhile
  peerflix mount film.torrent --webdav          for Windows, macOS and phones: no driver needed
  peerflix mount film.torrent --guard=mc        not to be downloaded by browsing in mc
  peerflix mount --status                       what is there, and who reads it";

/// `peerflix mount`: torrents as a folder.
#[derive(Args, Clone, Debug)]
pub struct Mount {
    /// Magnet links, info hashes, .torrent files, URLs of them, or - to read one from standard input
    #[arg(required_unless_present = "status", value_name = "TORRENT", value_hint = ValueHint::AnyPath)]
    pub torrents: Vec<String>,
    #[command(flatten)]
    pub place: MountFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    #[command(flatten)]
    pub swarm: SwarmFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
    /// Print one line, where it is, and no progress
    #[arg(short, long, group = "style", help_heading = "Output")]
    pub quiet: bool,
    /// Print what happens as one JSON object a line, for scripts; with --status, that as one
    #[arg(long, group = "style", help_heading = "Output")]
    pub json: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = ArgAction::Count, help_heading = "Output", hide_short_help = true)]
    pub verbose: u8,
    /// Write everything that the scheduler is told to this file, so that a bad evening can be replayed
    #[arg(long, value_name = "FILE", help_heading = "Output", hide_short_help = true)]
    pub trace: Option<PathBuf>,
}

/// How the folder is shown, and to whom.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mount")]
pub struct MountFlags {
    /// Mount at this folder, which is made if it is not there [default: ./peerflix]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub at: Option<PathBuf>,
    /// Fetch everything in the background, what is read first; else nothing that nobody reads
    #[arg(short, long)]
    pub all: bool,
    /// Serve the folder over WebDAV instead, which needs no driver; with --at, besides
    #[arg(long)]
    pub webdav: bool,
    /// Print what is mounted at the folder, how much of it is there, and who reads it
    #[arg(long, conflicts_with = "torrents")]
    pub status: bool,
    /// Let other users of this computer read it too
    #[arg(long)]
    pub allow_other: bool,
    /// A read for which nothing comes for so many seconds fails; 0: never [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = value::patience)]
    pub read_timeout: Option<u64>,
    /// Take this program for one that looks into every file, such as an indexer (again, or with commas, for more)
    ///
    /// It gets the beginning and the end of each file, and little else that is not there yet. Names of programs, with a *
    /// at the end if it is the beginning of several; -NAME takes one off the list: --guard=-NAME.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = value::program, group = "guarding")]
    pub guard: Vec<String>,
    /// Let every program have what it reads, indexers and thumbnailers too
    #[arg(long, group = "guarding")]
    pub no_guard: bool,
}
