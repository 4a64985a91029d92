//! Flags, and nothing else: what each means to the parts is `app`'s, and where else it can be set is `config`'s.

pub mod generate;
pub(crate) mod line;
mod mount;
pub(crate) mod old;
pub(crate) mod options;
mod value;
mod wiki;
pub(crate) mod wrong;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub use self::mount::{Mount, MountFlags};
pub use self::wiki::{Wiki, WikiFlags};

/// One line each: what is typed, what it does.
pub(crate) const EXAMPLES: &str = "  peerflix 'magnet:?xt=urn:btih:…' --vlc        watch in VLC
  peerflix film.torrent                         print a URL that any player opens
  peerflix series.torrent --list                choose a file from a list
  peerflix series.torrent --all --mpv           all episodes, one after the other
  peerflix film.torrent --file '*trailer*'      another file than the largest
  peerflix 'magnet:?…' --mpv -- --fullscreen    what follows -- goes to the player
  peerflix 'magnet:?…' --stdout | mpv -         through a pipe
  peerflix mount 'magnet:?…'                    as a folder, for any program
  peerflix wiki wikipedia.zim.torrent           Wikipedia, without downloading it
  peerflix doctor 'magnet:?…'                   why does it not play?
  peerflix demo                                 see it work, without any network";

const MORE: &str = "All options: peerflix --help. Those of a command: peerflix COMMAND --help.";

const LATER: &str = "\
Every option can also stand in ~/.config/peerflix/config.toml (port = 9000) or in the environment
(PEERFLIX_PORT=9000); `peerflix config` shows what is in force, and where it comes from. A switch
that is set there is unset with =false, as in --vlc=false.

Exit codes: 0 ended as asked, 1 failed, 2 wrong usage, 3 not a torrent, 4 no such file in it,
5 no player, or it failed, 6 cannot listen, 7 disk trouble, 130 interrupted before it could be played.";

/// Type a magnet link, watch the film.
///
/// Streams a torrent: finds peers, fetches first what the player needs next, and serves it over HTTP while it
/// downloads, so that any player can watch and seek at once.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "peerflix",
    version,
    override_usage = "peerflix [OPTIONS] TORRENT... [-- PLAYER ARGS...]\n       peerflix COMMAND [OPTIONS]",
    after_help = format!("Examples:\n{EXAMPLES}\n\n{MORE}"),
    after_long_help = format!("Examples:\n{EXAMPLES}\n\n{LATER}"),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    args_override_self = true,
    disable_help_subcommand = true,
    max_term_width = 98
)]
pub struct Cli {
    #[command(flatten)]
    pub watch: Watch,
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Read this configuration too; what it says counts more than config.toml
    #[arg(long, value_name = "FILE", global = true, help_heading = "Output", hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// What the user should be told before anything else happens, a sentence each: of flags that do nothing any more, and
    /// of a magnet link that looks cut. Not for `--quiet`.
    #[arg(skip)]
    pub notes: Vec<String>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Print the files of a torrent, with the number of each
    #[command(mut_arg("remove", |arg| arg.hide(true)), mut_arg("only_watched", |arg| arg.hide(true)))]
    List(List),
    /// Show torrents as a folder that any program reads; what is read is fetched
    #[command(
        after_help = format!("Examples:\n{}", mount::EXAMPLES),
        override_usage = "peerflix mount [OPTIONS] TORRENT...\n       peerflix mount --status [--at DIR]",
        mut_arg("only_watched", |arg| arg.hide(true))
    )]
    Mount(Mount),
    /// Show ZIM files, such as Wikipedia, as a web site; what is read is fetched
    #[command(
        after_help = format!("Examples:\n{}", wiki::EXAMPLES),
        override_usage = "peerflix wiki [OPTIONS] TORRENT|FILE.zim...",
        mut_arg("only_watched", |arg| arg.hide(true))
    )]
    Wiki(Wiki),
    /// See it work: stream a small film inside the program from seeds on this computer
    Demo(Demo),
    /// Say why a torrent does not play: trackers, DHT, peers, disk, players
    #[command(mut_arg("remove", |arg| arg.hide(true)), mut_arg("only_watched", |arg| arg.hide(true)))]
    Doctor(Doctor),
    /// Show what is kept on the disk, or remove it
    Cache(Cache),
    /// Show every option that is in force, and where it comes from
    Config(Config),
    /// Print a shell's completions
    Completions {
        /// The shell
        #[arg(value_parser = shells())]
        shell: Shell,
    },
    /// Print the man page
    #[command(hide = true, subcommand)]
    Generate(Generate),
}

/// What `make install` installs beside the binary and the completions.
#[derive(Subcommand, Clone, Debug)]
pub enum Generate {
    /// The man page
    Man,
}

/// `peerflix TORRENT`: what there is no word for, because everybody comes for it.
#[derive(Args, Clone, Debug)]
pub struct Watch {
    /// Magnet links, info hashes, .torrent files, URLs of them, or - to read one from standard input
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::AnyPath)]
    pub torrents: Vec<String>,
    /// Arguments for the player
    #[arg(last = true, value_name = "PLAYER ARGS")]
    pub extra: Vec<OsString>,
    #[command(flatten)]
    pub playback: PlaybackFlags,
    #[command(flatten)]
    pub choose: ChooseFlags,
    #[command(flatten)]
    pub subtitles: SubtitleFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    #[command(flatten)]
    pub swarm: SwarmFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub output: OutputFlags,
}

/// Where the film goes. At most one of the players and of `stdout` and `output` is set.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Playback")]
pub struct PlaybackFlags {
    #[command(flatten)]
    pub players: PlayerFlags,
    /// Write the file to standard output, and nothing else there
    #[arg(long, group = "destination")]
    pub stdout: bool,
    /// The same as --stdout
    #[arg(short, long, value_name = "-", value_parser = value::dash, group = "destination", hide_short_help = true)]
    pub output: Option<String>,
    /// Start the player only when it can play to the end without a stall
    #[arg(long)]
    pub wait: bool,
}

impl PlaybackFlags {
    /// True if the file goes to standard output.
    pub fn to_stdout(&self) -> bool {
        self.stdout || self.output.is_some()
    }
}

/// Which player, and how. At most one of them is set.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Playback")]
pub struct PlayerFlags {
    /// Watch in VLC
    #[arg(short = 'v', long, group = "destination")]
    pub vlc: bool,
    /// Watch in mpv
    #[arg(short = 'k', long, group = "destination")]
    pub mpv: bool,
    /// Watch in MPlayer
    #[arg(short, long, group = "destination", hide_short_help = true)]
    pub mplayer: bool,
    /// Watch in SMPlayer
    #[arg(short = 'g', long, group = "destination", hide_short_help = true)]
    pub smplayer: bool,
    /// Watch in MPC-HC (Windows)
    #[arg(long, group = "destination", hide_short_help = true)]
    pub mpchc: bool,
    /// Watch in PotPlayer (Windows)
    #[arg(long, group = "destination", hide_short_help = true)]
    pub potplayer: bool,
    /// Watch in whatever the desktop opens films with
    #[arg(long, group = "destination")]
    pub open: bool,
    /// Watch in another player: a program and its arguments; the URL takes the place of {} or comes last
    #[arg(long, value_name = "CMD ARGS", group = "destination")]
    pub player: Option<String>,
    /// Do not keep the player's window above the others
    #[arg(short = 'd', long, hide_short_help = true)]
    pub not_on_top: bool,
    /// Go on when the player has ended
    #[arg(short = 'n', long, hide_short_help = true)]
    pub no_quit: bool,
}

/// Which files. At most one of them is set.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Playback")]
pub struct ChooseFlags {
    /// Choose from a list of the files; not on a terminal: print it and end
    #[arg(short, long, group = "choice")]
    pub list: bool,
    /// Take the files of these numbers: 3, 3-7, or 1,4-6 [default: the largest film, else the largest file; of several
    /// films on a terminal, the one that is chosen from a list]
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = value::indices, group = "choice")]
    pub index: Vec<RangeInclusive<usize>>,
    /// Take the files of this name, path, or pattern such as '*s01e0[1-5]*' (again for more)
    #[arg(long, value_name = "GLOB", group = "choice")]
    pub file: Vec<String>,
    /// Take all films and songs, one after the other
    #[arg(short, long, group = "choice")]
    pub all: bool,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Playback")]
pub struct SubtitleFlags {
    /// Show the subtitles of this file
    #[arg(short = 't', long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "subtitle")]
    pub subtitles: Option<String>,
    /// Show the torrent's own subtitles in the first of these languages that it has: en,de
    /// [default: the language of this computer]
    #[arg(long, value_name = "LANG", value_delimiter = ',', value_parser = value::language)]
    pub sub_lang: Vec<String>,
    /// Show no subtitles, even if the torrent has some
    #[arg(long, group = "subtitle", hide_short_help = true)]
    pub no_subs: bool,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server")]
pub struct ServerFlags {
    /// Serve HTTP on this port [default: 8888, or the next free one]
    #[arg(short, long, value_name = "PORT", value_parser = value::port)]
    pub port: Option<u16>,
    /// Serve on this address or name instead of to this computer only
    #[arg(long, value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub hostname: Option<String>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Swarm")]
pub struct SwarmFlags {
    /// Ask these trackers too (again, or with commas, for more)
    ///
    /// They may be anywhere. Those that a magnet or a torrent names may be on this computer or its network only if they
    /// are udp, or the last part of their path begins with announce.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = value::tracker)]
    pub trackers: Vec<String>,
    /// Do not ask the torrent's own trackers, only those of --trackers
    #[arg(long, hide_short_help = true)]
    pub no_tracker: bool,
    /// Begin with this peer (again, or with commas, for more)
    #[arg(short = 'e', long, value_name = "IP:PORT", value_delimiter = ',', value_parser = value::peer)]
    pub peer: Vec<SocketAddr>,
    /// Listen for peers on this port [default: any free one]
    #[arg(short = 'x', long, value_name = "PORT", value_parser = value::port)]
    pub peer_port: Option<u16>,
    /// Connect to this many peers at most [default: 100]
    #[arg(short, long, value_name = "N", value_parser = value::connections, alias = "connection")]
    pub connections: Option<u16>,
    /// Send to this many peers at a time; 0 is none, and they will send you less
    #[arg(long, value_name = "N", value_parser = value::uploads, group = "upload")]
    pub uploads: Option<usize>,
    /// The same as --uploads 0
    #[arg(long, group = "upload", hide_short_help = true)]
    pub no_upload: bool,
    /// Do not use the DHT
    #[arg(long, hide_short_help = true)]
    pub no_dht: bool,
    /// Enter the DHT by this node instead of by the well-known ones (again, or with commas, for more)
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = value::node,
        hide_short_help = true
    )]
    pub dht_node: Vec<String>,
    /// Do not look for peers in the local network
    #[arg(long, hide_short_help = true)]
    pub no_lsd: bool,
    /// Neither call nor answer the addresses in this file
    ///
    /// A line each, as DESCRIPTION:FIRST-LAST (the format of eMule and PeerGuardian), FIRST-LAST, ADDRESS/BITS or ADDRESS.
    #[arg(short, long, value_name = "FILE", hide_short_help = true)]
    pub blocklist: Option<PathBuf>,
    /// Drop a peer that owes something and has sent nothing for this long [default: as its pace suggests]
    #[arg(long, value_name = "MS", value_parser = value::timeout, hide_short_help = true)]
    pub timeout: Option<u64>,
}

impl SwarmFlags {
    /// How many peers may download at a time; 0: none. `None`: as many as are usual.
    pub fn upload_slots(&self) -> Option<usize> {
        if self.no_upload { Some(0) } else { self.uploads }
    }
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Storage")]
pub struct StorageFlags {
    /// Keep the film in this folder, under the torrent's own names [default: the cache]
    ///
    /// Pieces do not end where files do: the beginning or the end of a neighbouring file comes along, under its own name
    /// too. What peerflix must remember is beside it, in a folder whose name begins with .peerflix.
    #[arg(short = 'f', long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub path: Option<PathBuf>,
    /// The cache: the folder for films and for what is remembered between runs
    /// [default: peerflix in the user's cache folder]
    #[arg(long, value_name = "DIR", alias = "tmp", value_hint = ValueHint::DirPath, hide_short_help = true)]
    pub cache: Option<PathBuf>,
    /// Fetch only what is watched, not the rest of the file in the background
    #[arg(long, hide_short_help = true)]
    pub only_watched: bool,
    /// Remove the film from the disk at the end
    #[arg(short, long)]
    pub remove: bool,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// Print one line, `server is listening on URL`, and no progress
    #[arg(short, long, group = "style")]
    pub quiet: bool,
    /// Print what happens as one JSON object a line, for scripts
    #[arg(long, group = "style")]
    pub json: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = ArgAction::Count, hide_short_help = true)]
    pub verbose: u8,
    /// Write everything that the scheduler is told to this file, so that a bad evening can be replayed
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub trace: Option<PathBuf>,
    /// Run this in a shell when the URL is there; the URL and more is in PEERFLIX_HOOK_URL and its like
    #[arg(long, value_name = "CMD", hide_short_help = true)]
    pub on_listening: Option<String>,
    /// Run this in a shell when a file is whole; the file and more is in PEERFLIX_HOOK_PATH and its like
    #[arg(long, value_name = "CMD", hide_short_help = true)]
    pub on_downloaded: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub struct List {
    /// A magnet link, an info hash, a .torrent file, the URL of one, or - to read one from standard input
    #[arg(value_name = "TORRENT", value_hint = ValueHint::AnyPath)]
    pub torrent: String,
    /// Only the files of these numbers: 3, 3-7, or 1,4-6
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = value::indices, group = "choice")]
    pub index: Vec<RangeInclusive<usize>>,
    /// Only the files of this name, path, or pattern (again for more)
    #[arg(long, value_name = "GLOB", group = "choice")]
    pub file: Vec<String>,
    /// Print one JSON object instead, for scripts
    #[arg(long)]
    pub json: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(flatten)]
    pub swarm: SwarmFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
}

#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// Fetch the whole film over HTTP, compare each byte, report the times, and end (for scripts)
    #[arg(long, group = "destination")]
    pub once: bool,
    /// Arguments for the player
    #[arg(last = true, value_name = "PLAYER ARGS")]
    pub extra: Vec<OsString>,
    #[command(flatten)]
    pub players: PlayerFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    /// Print one line, `server is listening on URL`, and no progress
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
}

/// What it reports is meant to be pasted into an issue.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// A magnet link, an info hash, a .torrent file, the URL of one, or - to read one from standard input
    #[arg(value_name = "TORRENT", value_hint = ValueHint::AnyPath)]
    pub torrent: String,
    /// Look for so long
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = value::seconds)]
    pub seconds: u64,
    /// Report as one JSON object instead, for scripts
    #[arg(long)]
    pub json: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(flatten)]
    pub swarm: SwarmFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
}

#[derive(Args, Clone, Debug)]
pub struct Cache {
    #[command(subcommand)]
    pub command: Option<CacheCommand>,
    /// Print one JSON object instead, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// The cache [default: peerflix in the user's cache folder]
    #[arg(long, value_name = "DIR", alias = "tmp", value_hint = ValueHint::DirPath, global = true)]
    pub cache: Option<PathBuf>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum CacheCommand {
    /// Remove films and what is remembered of them; those that another peerflix uses stay
    Clear(Clear),
}

#[derive(Args, Clone, Debug)]
pub struct Clear {
    /// Only these: info hashes, or names as `peerflix cache` shows them [default: all]
    #[arg(value_name = "TORRENT")]
    pub torrents: Vec<String>,
    /// Only what nobody has used for so many days
    #[arg(long, value_name = "DAYS", value_parser = value::days)]
    pub older_than: Option<u64>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Print one JSON object instead, for scripts
    #[arg(long)]
    pub json: bool,
}

fn shells() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish", "powershell"]).map(|name| match name.as_str() {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        _ => Shell::Bash,
    })
}

#[cfg(test)]
mod tests;
