//! The live screen: a terminal, what is drawn on it, and what was said meanwhile.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::graph::History;
use super::input::{self, Input, Press};
use super::layout::{self, Scene};
use super::palette::Palette;
use super::picker::{Picked, Picker};
use super::terminal::{self, Canvas, Signals, Told};
use super::{Key, PickerEntry, View};

/// A resize is drawn no sooner after the last picture: dragging a window's edge sends very many.
const LEAST_BETWEEN: Duration = Duration::from_millis(100);
/// What was said stays for so long; a hint is shorter of interest.
const SAID_STAYS: Duration = Duration::from_secs(120);
const HINT_STAYS: Duration = Duration::from_secs(15);
/// Messages that are kept for afterwards: the latest ones.
const KEPT: usize = 100;
/// In the background, to see whether it still is that.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
enum Kept {
    /// For standard error.
    Said(String),
    /// For standard output.
    Answered(String),
}

struct Message {
    text: String,
    until: Instant,
}

pub(super) struct Live {
    palette: Palette,
    view: View,
    history: History,
    messages: VecDeque<Message>,
    kept: VecDeque<Kept>,
    canvas: Option<Canvas>,
    input: Option<Input>,
    signals: Option<Signals>,
    picker: Option<Picker>,
    shows_help: bool,
    pub(super) cells: usize,
    drawn_at: Option<Instant>,
    /// The end was asked for where it could not be answered.
    quits: bool,
    /// Nobody sees anything any more.
    is_gone: bool,
}

enum Event {
    Pressed(Press),
    Told(Told),
    LookAgain,
}

impl Live {
    pub(super) fn new(colors: bool) -> Live {
        Live {
            palette: Palette { colors },
            view: View::default(),
            history: History::default(),
            messages: VecDeque::new(),
            kept: VecDeque::new(),
            canvas: None,
            input: None,
            signals: None,
            picker: None,
            shows_help: false,
            cells: 80,
            drawn_at: None,
            quits: false,
            is_gone: false,
        }
    }

    /// Whether what is written now would be written over the picture.
    fn is_drawn(&self) -> bool {
        self.canvas.is_some() && terminal::is_entered()
    }

    /// Known once it is drawn.
    pub(super) fn has_keys(&self) -> bool {
        self.input.is_some()
    }

    pub(super) fn say(&mut self, text: &str) {
        if !self.is_drawn() {
            return super::to_stderr(text);
        }
        self.announce(text, SAID_STAYS);
        self.keep(Kept::Said(text.to_owned()));
    }

    pub(super) fn hint(&mut self, text: &str) {
        if !self.is_drawn() {
            return super::to_stderr(text);
        }
        self.announce(text, HINT_STAYS);
    }

    pub(super) fn answer(&mut self, text: &str) -> bool {
        if !self.is_drawn() {
            return super::to_stdout(text);
        }
        self.keep(Kept::Answered(text.to_owned()));
        true
    }

    fn announce(&mut self, text: &str, stays: Duration) {
        let until = Instant::now() + stays;
        self.messages.extend(text.lines().map(|line| Message { text: line.to_owned(), until }));
        while self.messages.len() > KEPT {
            self.messages.pop_front();
        }
        self.draw();
    }

    fn keep(&mut self, kept: Kept) {
        self.kept.push_back(kept);
        if self.kept.len() > KEPT {
            // An answer was asked for: it outlives what was merely said.
            let oldest = self.kept.iter().position(|kept| matches!(kept, Kept::Said(_))).unwrap_or(0);
            self.kept.remove(oldest);
        }
    }

    pub(super) fn show(&mut self, view: &View) {
        self.history.sample(Instant::now(), view.statistics.download_rate, view.statistics.upload_rate);
        self.view = view.clone();
        self.draw();
    }

    /// Draws the moment, on a terminal that is taken first if it is not ours and may be.
    fn draw(&mut self) {
        if !self.enter() {
            return;
        }
        let now = Instant::now();
        self.messages.retain(|message| message.until > now);
        let messages: Vec<String> = self.messages.iter().map(|message| message.text.clone()).collect();
        let Some(canvas) = &mut self.canvas else { return };
        let (picker, cells) = (&mut self.picker, &mut self.cells);
        let scene = Scene {
            view: &self.view,
            history: &self.history,
            messages: &messages,
            has_keys: self.input.is_some(),
            shows_help: self.shows_help,
            palette: self.palette,
        };
        let drawn = canvas.draw(|area, buffer| {
            *cells = usize::from(layout::bar_cells(area.width)).max(1);
            match picker {
                Some(picker) => picker.draw(scene.palette, area, buffer),
                None => layout::draw(&scene, area, buffer),
            }
        });
        self.drawn_at = Some(now);
        if drawn.is_err() {
            self.give_up();
        }
    }

    /// Takes the terminal. False: it cannot be had, or not now.
    fn enter(&mut self) -> bool {
        if self.is_gone || !terminal::is_ours() {
            return false;
        }
        if self.is_drawn() {
            return true;
        }
        self.listen();
        self.canvas = terminal::enter().and_then(|()| Canvas::new()).ok();
        self.input = Input::open().ok();
        if self.canvas.is_none() {
            self.give_up();
        }
        self.canvas.is_some()
    }

    fn listen(&mut self) {
        if self.signals.is_none() && tokio::runtime::Handle::try_current().is_ok() {
            self.signals = Signals::listen().ok();
        }
    }

    /// The terminal is gone: nothing is drawn any more, and nothing read.
    fn give_up(&mut self) {
        terminal::leave();
        self.is_gone = true;
        self.canvas = None;
        self.input = None;
    }

    /// Somebody else has the terminal now.
    fn let_go(&mut self) {
        self.canvas = None;
        self.input = None;
    }

    /// Waits for what happens next; dropping the future loses nothing.
    async fn next(&mut self) -> Event {
        self.listen();
        // In the background, or after a panic elsewhere: nobody need draw for it to be seen when that has an end.
        let looks_again = !self.is_drawn() && !self.is_gone;
        let (signals, input) = (&mut self.signals, &mut self.input);
        tokio::select! {
            told = async { match signals { Some(signals) => signals.next().await, None => std::future::pending().await } } => Event::Told(told),
            pressed = input::next(input) => match pressed {
                Ok(press) => Event::Pressed(press),
                // No more keys. Whether there is a terminal yet is seen when it is drawn on.
                Err(error) => {
                    tracing::debug!("no more keys: {error}");
                    self.input = None;
                    Event::LookAgain
                }
            },
            () = tokio::time::sleep(LOOK_AGAIN), if looks_again => Event::LookAgain,
        }
    }

    /// What is the same whatever is drawn. Gives back what is pressed.
    async fn pressed(&mut self) -> Press {
        loop {
            match self.next().await {
                Event::Pressed(press) => return press,
                Event::Told(Told::Resized) => {
                    // The next moment comes soon.
                    if self.drawn_at.is_none_or(|at| at.elapsed() >= LEAST_BETWEEN) {
                        self.draw();
                    }
                }
                Event::Told(Told::Stop) => {
                    terminal::stop();
                    self.let_go();
                    self.draw();
                }
                Event::Told(Told::Continued) => {
                    // A shell has had the terminal, and may have left it in any state; or has it still.
                    if !terminal::is_ours() {
                        terminal::leave();
                    }
                    self.let_go();
                    self.draw();
                }
                Event::LookAgain => self.draw(),
            }
        }
    }

    pub(super) async fn key(&mut self) -> Key {
        self.picker = None;
        if std::mem::take(&mut self.quits) {
            return Key::Quit;
        }
        loop {
            let key = match self.pressed().await {
                Press::Char(' ') => Key::Pause,
                Press::Char('p') => Key::Pick,
                // As the original did with Ctrl-L.
                Press::Char('o') | Press::Control('l') => Key::OpenFolder,
                Press::Char('c') => Key::CopyUrl,
                Press::Char('q') | Press::Control('c') => Key::Quit,
                Press::Char('?' | 'h') => {
                    self.shows_help = !self.shows_help;
                    self.draw();
                    continue;
                }
                Press::Escape => {
                    self.shows_help = false;
                    self.draw();
                    continue;
                }
                _ => continue,
            };
            return key;
        }
    }

    pub(super) async fn pick(&mut self, title: &str, files: &[PickerEntry], at: usize) -> Option<usize> {
        if !self.picker.as_ref().is_some_and(|picker| picker.is_about(title, files)) {
            self.picker = Some(Picker::new(title, files, at));
        }
        self.draw();
        let picked = loop {
            // In the background there are no keys yet; without a terminal there never will be.
            if self.input.is_none() && (self.is_drawn() || self.is_gone) {
                break Picked::Nothing;
            }
            let press = self.pressed().await;
            if let Some(picked) = self.picker.as_mut().and_then(|picker| picker.press(press)) {
                break picked;
            }
            self.draw();
        };
        self.picker = None;
        self.draw();
        self.quits = picked == Picked::Quit;
        match picked {
            Picked::File(index) => Some(index),
            Picked::Nothing | Picked::Quit => None,
        }
    }

    pub(super) fn copy(&mut self, text: &str) {
        if !self.is_drawn() {
            return;
        }
        let code = format!("\x1b]52;c;{}\x07", data_encoding::BASE64.encode(text.as_bytes()));
        let mut sent = terminal::send(code.as_bytes());
        if std::env::var_os("TMUX").is_some() {
            // tmux takes the plain one where its own clipboard is on, and hands on this one where that is allowed.
            let wrapped = format!("\x1bPtmux;{}\x1b\\", code.replace('\x1b', "\x1b\x1b"));
            sent = sent.and_then(|()| terminal::send(wrapped.as_bytes()));
        }
        if sent.is_err() {
            self.give_up();
        }
    }

    /// Gives the terminal back, and writes there what was said meanwhile.
    pub(super) fn close(mut self) {
        terminal::leave();
        self.let_go();
        for kept in self.kept.drain(..) {
            match kept {
                Kept::Said(text) => super::to_stderr(&text),
                Kept::Answered(text) => {
                    super::to_stdout(&text);
                }
            }
        }
        let _ = io::stderr().flush();
    }
}
