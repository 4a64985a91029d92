//! Keys, from the terminal's bytes. Not what they mean.

// Elsewhere crossterm knows the keys.
#[cfg(any(unix, test))]
mod decoder;

use std::io;

/// What was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Press {
    Char(char),
    /// With the control key, and the letter in lower case.
    Control(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// Pasted, not typed.
    Paste(String),
}

#[cfg(unix)]
pub(super) use unix::Input;

#[cfg(not(unix))]
pub(super) use elsewhere::Input;

/// The terminal's keyboard. Opened anew and not shared: a player, a shell or another program may have the same one as its
/// standard input, and is not to find it non-blocking. crossterm's own reader is not used here, since it reads on and on
/// where the terminal is gone, and blocks in the middle of a key (crossterm 0.29, `event/source/unix/mio.rs`).
#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::fs::{Mode, OFlags, open};
    use tokio::io::unix::AsyncFd;

    use super::Press;
    use super::decoder::Decoder;

    /// An escape that nothing follows for so long is the key of that name: a terminal sends the rest of a key at once, but a
    /// network may cut in between.
    const DECIDED: Duration = Duration::from_millis(50);

    pub(in crate::tui) struct Input {
        terminal: AsyncFd<OwnedFd>,
        decoder: Decoder,
    }

    impl Input {
        /// Must be called within a tokio runtime.
        pub(in crate::tui) fn open() -> io::Result<Input> {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            // By its own name where it has one: not every system can wait on /dev/tty.
            let terminal = match rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()) {
                Ok(name) => open(name, flags, Mode::empty())?,
                Err(_) => open("/dev/tty", flags, Mode::empty())?,
            };
            tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
            #[expect(deprecated, reason = "unsound for what does not own its descriptor; this does")]
            let terminal = AsyncFd::new(terminal)?;
            Ok(Input { terminal, decoder: Decoder::default() })
        }

        /// Waits for the next key; dropping the future loses none. An error is the end of it: the terminal is gone.
        pub(in crate::tui) async fn next(&mut self) -> io::Result<Press> {
            loop {
                if let Some(press) = self.decoder.next() {
                    return Ok(press);
                }
                let mut ready = if self.decoder.is_undecided() {
                    match tokio::time::timeout(DECIDED, self.terminal.readable()).await {
                        Ok(ready) => ready?,
                        Err(_) => {
                            self.decoder.settle();
                            continue;
                        }
                    }
                } else {
                    self.terminal.readable().await?
                };
                let mut bytes = [0; 1024];
                match ready.try_io(|terminal| Ok(rustix::io::read(terminal, &mut bytes)?)) {
                    Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(Ok(n)) => self.decoder.feed(bytes.get(..n).unwrap_or_default()),
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(error)) => return Err(error),
                    Err(_would_block) => {}
                }
            }
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
    use futures_util::StreamExt;

    use super::Press;

    pub(in crate::tui) struct Input(EventStream);

    impl Input {
        pub(in crate::tui) fn open() -> io::Result<Input> {
            Ok(Input(EventStream::new()))
        }

        pub(in crate::tui) async fn next(&mut self) -> io::Result<Press> {
            loop {
                let event = self.0.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
                let Event::Key(key) = event else { continue };
                if key.kind == KeyEventKind::Release {
                    continue;
                }
                return Ok(match key.code {
                    KeyCode::Char(letter) if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        Press::Control(letter.to_ascii_lowercase())
                    }
                    KeyCode::Char(letter) => Press::Char(letter),
                    KeyCode::Enter => Press::Enter,
                    KeyCode::Esc => Press::Escape,
                    KeyCode::Backspace => Press::Backspace,
                    KeyCode::Up => Press::Up,
                    KeyCode::Down => Press::Down,
                    KeyCode::PageUp => Press::PageUp,
                    KeyCode::PageDown => Press::PageDown,
                    KeyCode::Home => Press::Home,
                    KeyCode::End => Press::End,
                    _ => continue,
                });
            }
        }
    }
}

/// What a `next` that never comes says.
pub(super) async fn next(input: &mut Option<Input>) -> io::Result<Press> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}
