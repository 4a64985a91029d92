//! What the terminal shows: what is going on now, and what a viewer waits for. Draws; knows nothing of how it came about.

pub mod line;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::read::{FileReport, Statistics};

/// Redraws a second, at most.
const HERTZ: u8 = 4;

/// How often a screen that is a log file is told how far we are.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// After this long without a peer, a viewer is told what has been tried; and again, with what has changed, after that.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_AGAIN: Duration = Duration::from_secs(60);

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
    /// Where candidates come from and what became of them, one short phrase each, such as `DHT: 12 peers`.
    pub sources: Vec<String>,
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

/// What the player does, as far as can be told from what it reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playing {
    /// Where it reads, as time of the film.
    pub head: Option<Duration>,
    /// Of the whole film.
    pub duration: Option<Duration>,
    /// What is here from the head on, as time of the film and in bytes.
    pub ahead: Option<Duration>,
    pub ahead_bytes: u64,
    /// How often it has stood still so far.
    pub stalls: u32,
    /// For how long it has stood still now.
    pub stalled: Option<Duration>,
    /// Whether anybody reads at all.
    pub reading: bool,
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
pub struct Screen {
    style: Style,
    bar: Option<ProgressBar>,
    said: Option<(Stage, Instant)>,
    /// Since when there is no peer, and when to say next what has been tried.
    alone: Option<(Instant, Duration)>,
}

impl Screen {
    pub fn new(style: Style) -> Screen {
        let bar = match style {
            Style::Live { .. } => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(HERTZ));
                bar.set_style(
                    ProgressStyle::with_template("{wide_msg}")
                        .unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                Some(bar)
            }
            Style::Quiet | Style::Lines | Style::Json => None,
        };
        Screen { style, bar, said: None, alone: None }
    }

    /// How often `show` is worth calling.
    pub fn interval(&self) -> Duration {
        match self.style {
            Style::Live { .. } => Duration::from_secs(1) / u32::from(HERTZ),
            Style::Quiet | Style::Lines | Style::Json => Duration::from_secs(1),
        }
    }

    /// Says something that stays, to standard error. Also said when quiet: it is for troubles and for what was asked.
    pub fn say(&mut self, text: &str) {
        let write = || {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Says something that only a person at a terminal has a use for.
    pub fn hint(&mut self, text: &str) {
        if self.bar.is_some() {
            self.say(text);
        }
    }

    /// Says something on standard output that stays: the URL. False if nobody reads there any more.
    pub fn answer(&mut self, text: &str) -> bool {
        let write = || {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Cells of the file's bar, as it was drawn last: what a [`FileReport`] is best made for.
    pub fn cells(&self) -> usize {
        80
    }

    /// Waits for the next key. Dropping the future loses none. Never returns where there are no keys.
    pub async fn key(&mut self) -> Key {
        std::future::pending().await
    }

    /// Has one of the files chosen, beginning at the one with index `at`, and gives its index; `None` if the viewer left
    /// without. Dropping the future loses nothing: the same call goes on where it was.
    pub async fn pick(&mut self, _title: &str, _files: &[PickerEntry], _at: usize) -> Option<usize> {
        None
    }

    /// Puts the text into the clipboard of the terminal, which may be far away (OSC 52). Not all terminals allow it, and
    /// none tells.
    pub fn copy(&mut self, _text: &str) {}

    /// Draws the moment.
    pub fn show(&mut self, view: &View) {
        if matches!(self.style, Style::Quiet | Style::Json) {
            return;
        }
        self.explain_waiting(view);
        match (&self.bar, self.style) {
            (Some(bar), Style::Live { colors }) => bar.set_message(line::with_bar(view, colors)),
            _ => {
                let news = match &self.said {
                    None => true,
                    Some((stage, at)) => *stage != view.stage || at.elapsed() >= LINE_EVERY,
                };
                if news {
                    self.say(&line::progress(view));
                    self.said = Some((view.stage.clone(), Instant::now()));
                }
            }
        }
    }

    /// Somebody who waits in vain is told who has been asked, and what they said.
    fn explain_waiting(&mut self, view: &View) {
        if view.stage == Stage::Resolving || view.statistics.peers > 0 || line::is_complete(view) {
            self.alone = None;
            return;
        }
        let (since, patience) = *self.alone.get_or_insert_with(|| (Instant::now(), PATIENCE));
        let waited = since.elapsed();
        if waited >= patience {
            self.say(&line::tried(view, waited));
            self.alone = Some((since, patience + PATIENCE_AGAIN));
        }
    }

    /// Leaves the terminal as it was.
    pub fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}
