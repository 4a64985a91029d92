//! Flags, and nothing else: what each means to the parts is `app`'s.

pub mod generate;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// One line each: what is typed, what it does.
pub(crate) const EXAMPLES: &str = "  peerflix 'magnet:?xt=urn:btih:…' --vlc        watch in VLC
  peerflix film.torrent                         print a URL that any player opens
  peerflix film.torrent --list                  what is in it
  peerflix film.torrent --file '*trailer*'      another file than the largest
  peerflix 'magnet:?…' --mpv -- --fullscreen    what follows -- goes to the player
  peerflix 'magnet:?…' --stdout | mpv -         through a pipe
  peerflix demo                                 see it work, without any network";

const EXIT_CODES: &str = "\
Exit codes: 0 ended as asked, 1 failed, 2 wrong usage, 3 not a torrent, 4 no such file in it,
5 no player, or it failed, 6 cannot listen, 7 disk trouble, 130 interrupted before it was done.";

/// Type a magnet link, watch the film.
///
/// Streams a torrent: finds peers, fetches first what the player needs next, and serves it over HTTP while it
/// downloads, so that any player can watch and seek at once.
#[derive(Parser, Debug)]
#[command(
    name = "peerflix",
    version,
    after_help = format!("Examples:\n{EXAMPLES}\n\n{EXIT_CODES}"),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Cli {
    #[command(flatten)]
    pub watch: Watch,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show that everything works: stream a small film inside the program from seeds on this computer
    Demo(Demo),
    /// Print the man page or a shell's completions
    #[command(hide = true)]
    Generate {
        #[command(subcommand)]
        what: Generate,
    },
}

/// What `make install` installs beside the binary.
#[derive(Subcommand, Debug)]
pub enum Generate {
    /// The man page
    Man,
    /// Completions
    Completions { shell: clap_complete::Shell },
}

#[derive(Args, Debug)]
pub struct Demo {
    /// Fetch the whole film over HTTP, compare each byte, report the times, and end (for scripts)
    #[arg(long, conflicts_with_all = ["vlc", "mpv", "mplayer", "smplayer", "player", "open"])]
    pub once: bool,
    #[command(flatten)]
    pub player: PlayerFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    /// Print one line, `server is listening on URL`, and no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Args, Debug)]
pub struct Watch {
    /// A magnet link, an info hash, a .torrent file, the URL of one, or - to read one from standard input
    #[arg(required = true)]
    pub torrent: Option<String>,

    #[command(flatten)]
    pub player: PlayerFlags,

    /// Write the file to standard output, and nothing else there
    #[arg(long, help_heading = "Player", group = "destination")]
    pub stdout: bool,
    /// The same as --stdout
    #[arg(short, long, value_name = "-", value_parser = ["-"], help_heading = "Player", group = "destination")]
    pub output: Option<String>,

    #[command(flatten)]
    pub choose: ChooseFlags,

    #[command(flatten)]
    pub server: ServerFlags,

    #[command(flatten)]
    pub swarm: SwarmFlags,

    /// Keep the film in this folder, under the torrent's own names [default: the user's cache folder]
    ///
    /// Pieces do not end where files do: the beginning or the end of a neighbouring file comes along, under its own name
    /// too. What peerflix must remember is beside it, in a folder whose name begins with .peerflix.
    #[arg(short = 'f', long, value_name = "DIR", help_heading = "Disk")]
    pub path: Option<PathBuf>,
    /// Fetch only what is watched, not the rest of the file in the background
    #[arg(long, help_heading = "Disk")]
    pub only_watched: bool,

    /// Print one line, `server is listening on URL`, and no progress
    #[arg(short, long, help_heading = "Terminal")]
    pub quiet: bool,
    /// Write what happens inside to standard error; twice for more
    #[arg(long, action = clap::ArgAction::Count, help_heading = "Terminal")]
    pub verbose: u8,
    /// Write everything that the scheduler is told to this file, so that a bad evening can be replayed
    #[arg(long, value_name = "FILE", help_heading = "Terminal")]
    pub trace: Option<PathBuf>,
}

impl Watch {
    /// True if the file goes to standard output.
    pub fn to_stdout(&self) -> bool {
        self.stdout || self.output.is_some()
    }
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Player")]
pub struct PlayerFlags {
    /// Watch in VLC
    #[arg(short = 'v', long, group = "destination")]
    pub vlc: bool,
    /// Watch in mpv
    #[arg(short = 'k', long, group = "destination")]
    pub mpv: bool,
    /// Watch in MPlayer
    #[arg(short, long, group = "destination")]
    pub mplayer: bool,
    /// Watch in SMPlayer
    #[arg(short = 'g', long, group = "destination")]
    pub smplayer: bool,
    /// Watch in another player; the URL is added at the end
    #[arg(long, value_name = "CMD ARGS", group = "destination")]
    pub player: Option<String>,
    /// Open in whatever the desktop opens films with
    #[arg(long, group = "destination")]
    pub open: bool,
    /// Do not keep the player's window above the others
    #[arg(short = 'd', long)]
    pub not_on_top: bool,
    /// Go on when the player has ended
    #[arg(short = 'n', long)]
    pub no_quit: bool,
    /// Arguments for the player
    #[arg(last = true, value_name = "PLAYER ARGS")]
    pub extra: Vec<OsString>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Choosing")]
pub struct ChooseFlags {
    /// Print the files and end
    #[arg(short, long, conflicts_with_all = ["index", "file"])]
    pub list: bool,
    /// Take this file, by its number in --list [default: the largest film, else the largest file]
    #[arg(short, long, value_name = "N", conflicts_with = "file")]
    pub index: Option<usize>,
    /// Take this file, by its name, its path, or a pattern such as '*s01e02*'
    #[arg(long, value_name = "GLOB")]
    pub file: Option<String>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Server")]
pub struct ServerFlags {
    /// Serve HTTP on this port [default: 8888, or the next free one]
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Serve on this address or name instead of to this computer only
    #[arg(long, value_name = "HOST")]
    pub hostname: Option<String>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Swarm")]
pub struct SwarmFlags {
    /// Ask these trackers too (again, or with commas, for more)
    ///
    /// They may be anywhere. Those that a magnet or a torrent names may be on this computer or its network only if they
    /// are udp, or the last part of their path begins with announce.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub trackers: Vec<String>,
    /// Begin with this peer (again, or with commas, for more)
    #[arg(short = 'e', long, value_name = "IP:PORT", value_delimiter = ',')]
    pub peer: Vec<SocketAddr>,
    /// Listen for peers on this port [default: any free one]
    #[arg(short = 'x', long, value_name = "PORT")]
    pub peer_port: Option<u16>,
    /// Connect to this many peers at most
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub connections: Option<u16>,
    /// Do not use the DHT
    #[arg(long)]
    pub no_dht: bool,
    /// Do not look for peers in the local network
    #[arg(long)]
    pub no_lsd: bool,
    /// Send nothing to other peers (they will send you less)
    #[arg(long)]
    pub no_upload: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("peerflix").chain(line.iter().copied()))
    }

    const MAGNET: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a=b,c&tr=udp://t:1";

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_magnet_needs_no_subcommand_wherever_it_stands() {
        for line in [vec![MAGNET, "--vlc"], vec!["--vlc", MAGNET], vec!["-q", MAGNET, "-p", "9000"]] {
            let cli = parse(&line).expect("parses");
            assert_eq!(cli.watch.torrent.as_deref(), Some(MAGNET));
            assert!(cli.command.is_none());
        }
    }

    #[test]
    fn what_follows_two_dashes_is_the_players() {
        let cli = parse(&[MAGNET, "--mpv", "--", "--fullscreen", "--vlc"]).expect("parses");
        assert!(cli.watch.player.mpv && !cli.watch.player.vlc);
        assert_eq!(cli.watch.player.extra, ["--fullscreen", "--vlc"]);
    }

    #[test]
    fn a_film_goes_to_one_place_only() {
        for line in [["--vlc", "--mpv"], ["--stdout", "--vlc"], ["--open", "--stdout"]] {
            assert!(parse(&[MAGNET, line[0], line[1]]).is_err(), "{line:?}");
        }
        assert!(parse(&[MAGNET, "-o", "-"]).expect("parses").watch.to_stdout());
        assert!(parse(&[MAGNET, "-o", "film.mkv"]).is_err());
    }

    #[test]
    fn lists_are_repeated_or_have_commas() {
        let cli = parse(&[MAGNET, "-e", "127.0.0.1:1,[::1]:2", "--peer", "127.0.0.1:3"]).expect("parses");
        assert_eq!(cli.watch.swarm.peer.len(), 3);
        assert!(parse(&[MAGNET, "--peer", "example"]).is_err());
    }

    #[test]
    fn nothing_at_all_is_wrong_usage() {
        assert!(parse(&[]).is_err());
        assert!(
            matches!(parse(&["demo", "--once"]).expect("parses").command, Some(Command::Demo(d)) if d.once)
        );
    }
}
