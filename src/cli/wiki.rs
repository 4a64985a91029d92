//! The flags of `peerflix wiki`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

use super::{ServerFlags, StorageFlags, SwarmFlags, value};

/// One line each: what is typed, what it does.
pub(super) const EXAMPLES: &str =
    "  peerflix wiki wikipedia.zim.torrent --open         in the browser, without downloading it
  peerflix wiki 'magnet:?…'                          print its URL, until q or Ctrl-C
  peerflix wiki en.zim.torrent fr.zim.torrent        several, with a page to choose from
  peerflix wiki w.zim.torrent --pin 'List of *'      keep these for when nobody is there
  peerflix wiki w.zim.torrent --all                  and fetch all of it meanwhile
  peerflix wiki wikipedia.zim                        a file on this computer";

/// `peerflix wiki`: ZIM files as a web site.
#[derive(Args, Clone, Debug)]
pub struct Wiki {
    /// Magnet links, info hashes, .torrent files, URLs of them, or - to read one from standard input; or ZIM files
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::AnyPath)]
    pub torrents: Vec<String>,
    #[command(flatten)]
    pub site: WikiFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    #[command(flatten)]
    pub swarm: SwarmFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
    /// Print one line, its URL, and no progress
    #[arg(short, long, group = "style", help_heading = "Output")]
    pub quiet: bool,
    /// Print what happens as one JSON object a line, for scripts
    #[arg(long, group = "style", help_heading = "Output")]
    pub json: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = ArgAction::Count, help_heading = "Output", hide_short_help = true)]
    pub verbose: u8,
    /// Write everything that the scheduler is told to this file, so that a bad evening can be replayed
    #[arg(long, value_name = "FILE", help_heading = "Output", hide_short_help = true)]
    pub trace: Option<PathBuf>,
}

/// How the site looks, and what is fetched that nobody reads.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Wiki")]
pub struct WikiFlags {
    /// Open it in the browser
    #[arg(long)]
    pub open: bool,
    /// Keep the articles of this title, path, or pattern such as 'List of *', with all that they show (again for more)
    ///
    /// They can be read later without a peer. A pattern whose beginning is no pattern is found in the list of titles; for one that
    /// begins with a * all titles have to be fetched.
    #[arg(long, value_name = "PATTERN", value_parser = value::pin, conflicts_with = "remove")]
    pub pin: Vec<String>,
    /// Fetch everything in the background, what is read first; else nothing that nobody reads
    #[arg(short, long)]
    pub all: bool,
    /// Leave pages as they are, without the bar on top
    #[arg(long)]
    pub no_bar: bool,
}
