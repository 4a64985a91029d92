//! What the terminal shows: what is going on now, and what a viewer waits for. Draws; knows nothing of how it came about.

mod bar;
mod books;
mod graph;
mod input;
mod layout;
mod line;
mod live;
mod palette;
mod peers;
mod picker;
mod terminal;
mod text;
mod torrents;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use self::terminal::leave;
pub use self::text::clean;

use self::line::Plain;
use self::live::Live;
pub use crate::playback::Playing;
use crate::read::{FileReport, Statistics};

/// Pictures a second, of a live screen.
const HERTZ: u32 = 4;

/// How the screen is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing but what must be said.
    Quiet,
    /// A line when something has changed, and now and then another: for files and pipes.
    Lines,
    /// Nothing but what must be said, to standard error: standard output is somebody else's, who tells events there.
    Json,
    /// The whole terminal, which changes, and is as it was afterwards.
    Live { colors: bool },
}

impl Style {
    /// `Live` only where both outputs are a terminal that can be drawn on: a player at the other end of a pipe draws on the
    /// same one.
    pub fn of_terminal(quiet: bool) -> Style {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_dumb = set("TERM").is_some_and(|term| term == "dumb");
        if quiet {
            Style::Quiet
        } else if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() && !is_dumb {
            Style::Live { colors: set("NO_COLOR").is_none() }
        } else {
            Style::Lines
        }
    }
}

/// What is going on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// What was typed is being read or fetched.
    #[default]
    Resolving,
    /// Peers are being found and asked what the torrent holds.
    Metadata,
    /// The file is known and wanted.
    Streaming { name: String, length: u64 },
    /// A folder is shown, and nobody has read anything in it.
    Idle,
}

/// One moment of a session. Texts may come from anywhere: what a terminal would obey is taken out before they are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    pub stage: Stage,
    /// Where the file is served.
    pub url: Option<String>,
    /// The player that was started, by its name.
    pub player: Option<String>,
    pub file: Option<FileView>,
    pub statistics: Statistics,
    pub playing: Playing,
    /// The best first, all of them.
    pub peers: Vec<PeerView>,
    /// Why nothing plays, if nothing does: one sentence.
    pub waiting: Option<String>,
    /// When it begins, and whether it will stall.
    pub forecast: Option<String>,
    pub paused: bool,
    /// The folder that is shown, if that is what is done.
    pub mount: Option<MountView>,
    /// The web site that is served, if that is what is done.
    pub site: Option<SiteView>,
    /// Where candidates come from and what became of them, one short phrase each, such as `DHT: 12 peers`.
    pub sources: Vec<String>,
}

/// Torrents as a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MountView {
    /// Where it is mounted.
    pub at: Option<String>,
    pub torrents: Vec<TorrentView>,
}

/// One of its torrents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TorrentView {
    pub name: String,
    pub had: u64,
    /// `None` while its files are not known.
    pub length: Option<u64>,
    /// Connected.
    pub peers: usize,
    /// Bytes a second from them.
    pub rate: u64,
    /// Its files that are being read.
    pub read: Vec<ReadView>,
}

/// A file that is being read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadView {
    pub path: String,
    /// Of it, that is here.
    pub percent: f64,
    pub readers: usize,
    /// Of these, those that stand still.
    pub waiting: usize,
    /// What comes of it, in bytes a second.
    pub rate: u64,
}

/// ZIM files as a web site. Bytes are bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteView {
    /// Of all books.
    pub length: u64,
    /// Of these, that are here.
    pub had: u64,
    /// Reads that stand still, and what they want.
    pub reads: usize,
    pub bytes: u64,
    pub books: Vec<BookView>,
    /// What is not known to have books yet, each with a sentence that says why.
    pub waiting: Vec<(String, String)>,
}

impl SiteView {
    /// With the sums of the books.
    pub fn new(books: Vec<BookView>, waiting: Vec<(String, String)>) -> SiteView {
        let sum = |number: fn(&BookView) -> u64| books.iter().map(number).fold(0, u64::saturating_add);
        SiteView {
            length: sum(|book| book.length),
            had: sum(|book| book.had),
            reads: books.iter().map(|book| book.reads).sum(),
            bytes: sum(|book| book.bytes),
            books,
            waiting,
        }
    }

    /// No book comes from a swarm, nor will one.
    pub fn is_local(&self) -> bool {
        self.waiting.is_empty() && self.books.iter().all(|book| book.is_local)
    }
}

/// One of its books.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BookView {
    pub name: String,
    pub length: u64,
    pub had: u64,
    /// It is a file on this computer: there is no swarm.
    pub is_local: bool,
    /// Reads of it that stand still, and what they want.
    pub reads: usize,
    pub bytes: u64,
    /// Connected.
    pub peers: usize,
    /// Bytes a second from them.
    pub rate: u64,
}

/// The file that is played.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileView {
    pub name: String,
    /// The folders within the torrent, if there are any.
    pub folder: Option<String>,
    pub length: u64,
    /// Which one in the queue it is, from 1 on, and of how many.
    pub place: usize,
    pub of: usize,
    /// Best with as many cells as [`Screen::cells`] says.
    pub report: FileReport,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    pub address: SocketAddr,
    pub client: Option<String>,
    /// `TCP` or `uTP`.
    pub transport: &'static str,
    /// It dialled us.
    pub incoming: bool,
    /// Bytes a second, now.
    pub rate: u64,
    pub latency: Option<Duration>,
    /// Blocks that were asked of it and have not come.
    pub owes: u32,
    /// It does not send to us.
    pub choking: bool,
    /// Bytes from it, and to it.
    pub downloaded: u64,
    pub uploaded: u64,
}

/// What a viewer asks for with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Pause, or go on.
    Pause,
    /// Choose another file: see [`Screen::pick`].
    Pick,
    OpenFolder,
    CopyUrl,
    Quit,
}

/// A file to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickerEntry {
    /// The number that scripts would use.
    pub index: usize,
    /// Parts joined by `/`.
    pub path: String,
    pub length: u64,
}

/// The terminal, on standard error: standard output is for the URL, the list or the film.
///
/// A live screen takes the whole terminal when it is first [shown](Self::show) something or asks to [pick](Self::pick), and
/// gives it back when it is [closed](Self::close) or dropped. In the background of a shell it leaves the terminal alone.
pub struct Screen {
    style: Style,
    plain: Plain,
    /// Until it is closed.
    live: Option<Box<Live>>,
}

impl Screen {
    pub fn new(style: Style) -> Screen {
        let live = match style {
            Style::Live { colors } => Some(Box::new(Live::new(colors))),
            Style::Quiet | Style::Lines | Style::Json => None,
        };
        Screen { style, plain: Plain::default(), live }
    }

    /// How often `show` is worth calling.
    pub fn interval(&self) -> Duration {
        match self.style {
            Style::Live { .. } => Duration::from_secs(1) / HERTZ,
            Style::Quiet | Style::Lines | Style::Json => Duration::from_secs(1),
        }
    }

    /// Cells of the file's bar, as it was drawn last: what a [`FileReport`] is best made for.
    pub fn cells(&self) -> usize {
        self.live.as_ref().map_or(1, |live| live.cells)
    }

    /// Says something that stays, to standard error. Also said when quiet: it is for troubles and for what was asked. A live
    /// screen shows it for a while, and leaves it behind when it is closed.
    pub fn say(&mut self, text: &str) {
        match &mut self.live {
            Some(live) => live.say(text),
            None => to_stderr(text),
        }
    }

    /// Says something that only a person at a terminal has a use for, and only now.
    pub fn hint(&mut self, text: &str) {
        if let Some(live) = &mut self.live {
            live.hint(text);
        }
    }

    /// Says something on standard output that stays: the URL. False if nobody reads there any more. Where a live screen is
    /// drawn, it is said when that is closed.
    pub fn answer(&mut self, text: &str) -> bool {
        match &mut self.live {
            Some(live) => live.answer(text),
            None => to_stdout(text),
        }
    }

    /// Draws the moment.
    pub fn show(&mut self, view: &View) {
        if let Some(live) = &mut self.live {
            live.show(view);
        } else if self.style == Style::Lines {
            for line in self.plain.lines(view, Instant::now()) {
                to_stderr(&line);
            }
        }
    }

    /// Whether anything can be chosen or asked for with keys, as is known after the first [`show`](Self::show): not without a live
    /// screen, nor where its keyboard cannot be read.
    pub fn has_keys(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.has_keys())
    }

    /// Waits for the next key. Dropping the future loses none. Never returns where there are no keys. To be awaited whenever
    /// nothing else is: this is also where Ctrl-Z, a new size of the terminal and a return to the foreground are seen to.
    pub async fn key(&mut self) -> Key {
        match &mut self.live {
            Some(live) => live.key().await,
            None => std::future::pending().await,
        }
    }

    /// Has one of the files chosen, beginning at the one with index `at`, and gives its index; `None` if the viewer left
    /// without, or if there are no keys. Dropping the future loses nothing: the same call goes on where it was, and meanwhile
    /// the list stays, until the next [`key`](Self::key).
    pub async fn pick(&mut self, title: &str, files: &[PickerEntry], at: usize) -> Option<usize> {
        self.live.as_mut()?.pick(title, files, at).await
    }

    /// Puts the text into the clipboard of the terminal, which may be far away (OSC 52). Not all terminals allow it, and
    /// none tells.
    pub fn copy(&mut self, text: &str) {
        if let Some(live) = &mut self.live {
            live.copy(text);
        }
    }

    /// Leaves the terminal as it was, and says there what was said while it was ours.
    pub fn close(&mut self) {
        if let Some(live) = self.live.take() {
            live.close();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whoever does not read this any more misses it.
/// Says something to standard error; on a terminal, in lines that are broken between words.
pub fn to_stderr(text: &str) {
    let mut out = std::io::stderr().lock();
    let columns = match out.is_terminal() {
        true => ratatui::crossterm::terminal::size().map_or(0, |(columns, _)| usize::from(columns)),
        false => 0,
    };
    let _ = match columns {
        0..20 => writeln!(out, "{text}"),
        _ => writeln!(out, "{}", text::folded(text, columns)),
    };
}

fn to_stdout(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}
