//! The terminal as a thing that is borrowed: its modes, its other screen, and giving them back whatever happens.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::lock::lock;

/// Whether the terminal is ours now. For the whole process, since there is one terminal, and since a panic and a second
/// Ctrl-C end the process from anywhere.
static ENTERED: AtomicBool = AtomicBool::new(false);

pub(super) fn is_entered() -> bool {
    ENTERED.load(Ordering::SeqCst)
}

/// Takes the terminal, or takes it again after somebody else has had it.
pub(super) fn enter() -> io::Result<()> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
    // Without modes of a terminal there are no keys, but there can be a screen.
    if let Err(error) = modes::take() {
        tracing::debug!("the terminal's modes cannot be set: {error}");
    }
    ENTERED.store(true, Ordering::SeqCst);
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, EnableBracketedPaste, Hide, Clear(ClearType::All))?;
    send(&bytes)
}

/// Gives the terminal back as it was; nothing if it is not ours. For whoever ends the process without closing the
/// [`Screen`](super::Screen).
pub fn leave() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    if !is_ours() {
        // A shell has taken it, and has put it right; touching it from the background would stop us.
        return modes::forget();
    }
    let mut bytes = Vec::new();
    let _ = queue!(bytes, EndSynchronizedUpdate, DisableBracketedPaste, Show, LeaveAlternateScreen);
    let _ = send(&bytes);
    modes::give_back();
}

/// To standard error: standard output is for the URL, the list or the film. All at once, so that a terminal has a whole
/// picture or none.
pub(super) fn send(mut bytes: &[u8]) -> io::Result<()> {
    let mut terminal = io::stderr().lock();
    while !bytes.is_empty() {
        match terminal.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another program has made it so: we wait all the same.
            #[cfg(unix)]
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = rustix::event::PollFlags::OUT;
                let mut waits = [rustix::event::PollFd::from_borrowed_fd(rustix::stdio::stderr(), writable)];
                rustix::event::poll(&mut waits, None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Draws pictures, of which only what has changed is sent.
pub(super) struct Canvas {
    terminal: Terminal<CrosstermBackend<Picture>>,
    picture: Picture,
}

/// What ratatui has to send for one picture.
#[derive(Clone, Debug, Default)]
struct Picture(Arc<Mutex<Vec<u8>>>);

impl Write for Picture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Not yet: the picture is not finished.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Canvas {
    pub(super) fn new() -> io::Result<Canvas> {
        let picture = Picture::default();
        let terminal = Terminal::new(CrosstermBackend::new(picture.clone()))?;
        Ok(Canvas { terminal, picture })
    }

    /// Draws all of the terminal, in the size that it has now.
    pub(super) fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        let mut bytes = Vec::new();
        queue!(bytes, BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| draw(frame.area(), frame.buffer_mut()))?;
        bytes.append(&mut lock(&self.picture.0));
        queue!(bytes, EndSynchronizedUpdate)?;
        send(&bytes)
    }
}

#[cfg(unix)]
pub(super) use unix::{Signals, is_ours, stop};

#[cfg(unix)]
use unix::modes;

#[cfg(not(unix))]
pub(super) use elsewhere::{Signals, is_ours, stop};

#[cfg(not(unix))]
use elsewhere::modes;

/// What the terminal, or the shell, tells.
#[cfg_attr(not(unix), expect(dead_code, reason = "nothing tells elsewhere: see `elsewhere::Signals`"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Resized,
    /// Ctrl-Z, from here or from elsewhere.
    Stop,
    /// In the foreground or not.
    Continued,
}

#[cfg(unix)]
mod unix {
    use std::io;

    use rustix::process::{Signal as Kind, getpgrp, getpid, getsid, kill_process};
    use rustix::termios::tcgetpgrp;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Told;

    /// Whether this process may draw: a shell's job in the background may not. Where there are no jobs, anybody may.
    pub(in crate::tui) fn is_ours() -> bool {
        tcgetpgrp(rustix::stdio::stderr()).map_or(true, |foreground| foreground == getpgrp())
    }

    /// Stops this process until a shell has it continue. Not where no shell could: a group that holds its session's leader is
    /// no shell's job.
    pub(in crate::tui) fn stop() {
        if getsid(None).is_ok_and(|session| session != getpgrp()) {
            super::leave();
            let _ = kill_process(getpid(), Kind::STOP);
        }
    }

    pub(in crate::tui) struct Signals {
        resized: Signal,
        stop: Signal,
        continued: Signal,
    }

    impl Signals {
        /// Must be called within a tokio runtime. From here on, Ctrl-Z stops nothing by itself.
        pub(in crate::tui) fn listen() -> io::Result<Signals> {
            Ok(Signals {
                resized: signal(SignalKind::window_change())?,
                stop: signal(SignalKind::from_raw(Kind::TSTP.as_raw()))?,
                continued: signal(SignalKind::from_raw(Kind::CONT.as_raw()))?,
            })
        }

        pub(in crate::tui) async fn next(&mut self) -> Told {
            tokio::select! {
                Some(()) = self.resized.recv() => Told::Resized,
                Some(()) = self.stop.recv() => Told::Stop,
                Some(()) = self.continued.recv() => Told::Continued,
                else => std::future::pending().await,
            }
        }
    }

    pub(super) mod modes {
        use std::io;
        use std::os::fd::{AsFd, OwnedFd};
        use std::sync::Mutex;

        use rustix::fs::{Mode, OFlags, open};
        use rustix::termios::{
            LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr,
        };

        use crate::lock::lock;

        static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

        /// Keys come one by one and are not shown. Ctrl-C and Ctrl-Z stay signals: they work also where nobody reads keys.
        pub(in crate::tui::terminal) fn take() -> io::Result<()> {
            with_terminal(|terminal| {
                let mut before = lock(&BEFORE);
                let now = tcgetattr(terminal)?;
                let mut modes = before.get_or_insert(now).clone();
                modes.make_raw();
                modes.local_modes |= LocalModes::ISIG;
                // Would end us without a chance to give the terminal back. Zero is no character (`_POSIX_VDISABLE`) on Linux,
                // and one that no keyboard sends elsewhere.
                modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
                Ok(tcsetattr(terminal, OptionalActions::Now, &modes)?)
            })
        }

        pub(in crate::tui::terminal) fn forget() {
            lock(&BEFORE).take();
        }

        pub(in crate::tui::terminal) fn give_back() {
            if let Some(modes) = lock(&BEFORE).take() {
                let _ = with_terminal(|terminal| Ok(tcsetattr(terminal, OptionalActions::Now, &modes)?));
            }
        }

        /// The terminal that keys come from.
        fn with_terminal(act: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> io::Result<()>) -> io::Result<()> {
            let stdin = rustix::stdio::stdin();
            if isatty(stdin) {
                return act(stdin);
            }
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            let terminal: OwnedFd = open("/dev/tty", flags, Mode::empty())?;
            act(terminal.as_fd())
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    use super::Told;

    pub(in crate::tui) fn is_ours() -> bool {
        true
    }

    pub(in crate::tui) fn stop() {}

    pub(in crate::tui) struct Signals;

    impl Signals {
        pub(in crate::tui) fn listen() -> io::Result<Signals> {
            Ok(Signals)
        }

        /// Never: there are none, and a new size is seen when the next picture is drawn.
        pub(in crate::tui) async fn next(&mut self) -> Told {
            std::future::pending().await
        }
    }

    pub(super) mod modes {
        use std::io;

        pub(in crate::tui::terminal) fn take() -> io::Result<()> {
            crossterm::terminal::enable_raw_mode()
        }

        pub(in crate::tui::terminal) fn forget() {}

        pub(in crate::tui::terminal) fn give_back() {
            let _ = crossterm::terminal::disable_raw_mode();
        }
    }
}
