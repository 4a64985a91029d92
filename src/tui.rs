//! What the terminal shows: what is going on now, and what a viewer waits for. Draws; knows nothing of how it came about.

pub mod line;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::read::Statistics;

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
    /// A line when something has changed, another every ten seconds: for files and pipes.
    Lines,
    /// One line that changes.
    Live { colors: bool },
}

impl Style {
    /// `Live` only where both outputs are a terminal: a player at the other end of a pipe draws on the same one.
    pub fn of_terminal(quiet: bool) -> Style {
        if quiet {
            Style::Quiet
        } else if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
            Style::Live { colors: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
        } else {
            Style::Lines
        }
    }
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What was typed is being read or fetched.
    Resolving,
    /// Peers are being found and asked what the torrent holds.
    Metadata,
    /// The file is known and wanted.
    Streaming { name: String, length: u64 },
}

/// One moment of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub stage: Stage,
    pub statistics: Statistics,
    /// Where candidates come from and what became of them, one short phrase each, such as `DHT: 12 peers`.
    pub sources: Vec<String>,
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
            Style::Quiet | Style::Lines => None,
        };
        Screen { style, bar, said: None, alone: None }
    }

    /// How often `show` is worth calling.
    pub fn interval(&self) -> Duration {
        match self.style {
            Style::Live { .. } => Duration::from_secs(1) / u32::from(HERTZ),
            Style::Quiet | Style::Lines => Duration::from_secs(1),
        }
    }

    /// Says something that stays, to standard error. Also said when quiet: it is for troubles and for what was asked.
    pub fn say(&self, text: &str) {
        let write = || {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Says something that only a person at a terminal has a use for.
    pub fn hint(&self, text: &str) {
        if self.bar.is_some() {
            self.say(text);
        }
    }

    /// Says something on standard output that stays: the URL. False if nobody reads there any more.
    pub fn answer(&self, text: &str) -> bool {
        let write = || {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Draws the moment.
    pub fn show(&mut self, view: &View) {
        if self.style == Style::Quiet {
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
