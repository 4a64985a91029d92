//! Keys, from the terminal's bytes. Not what they mean.

use std::collections::VecDeque;
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

    use super::{Decoder, Press};

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

/// The longest sequence that a key may send, and the most of a paste that is kept.
const LONGEST: usize = 64;
const PASTE: usize = 1000;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Makes keys of bytes, whatever bytes. Sequences that mean nothing here are passed over.
#[cfg_attr(not(unix), allow(dead_code))]
#[derive(Debug, Default)]
struct Decoder {
    pending: Vec<u8>,
    pasting: Option<Vec<u8>>,
    pressed: VecDeque<Press>,
}

#[cfg_attr(not(unix), allow(dead_code))]
impl Decoder {
    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.pending.push(byte);
            if self.pasting.is_some() {
                self.paste();
            } else if let Some(press) = self.decide(false) {
                self.pending.clear();
                self.pressed.extend(press);
            }
        }
    }

    fn next(&mut self) -> Option<Press> {
        self.pressed.pop_front()
    }

    /// Whether more bytes would tell what an escape was meant for.
    fn is_undecided(&self) -> bool {
        self.pending.first() == Some(&0x1b) && self.pasting.is_none()
    }

    /// Nothing more comes.
    fn settle(&mut self) {
        let press = self.decide(true).flatten();
        self.pending.clear();
        self.pressed.extend(press);
    }

    /// Takes in pasted bytes until the end is there.
    fn paste(&mut self) {
        if PASTE_ENDS.starts_with(&self.pending) {
            if self.pending.len() == PASTE_ENDS.len() {
                self.pending.clear();
                let pasted = self.pasting.take().unwrap_or_default();
                self.pressed.push_back(Press::Paste(String::from_utf8_lossy(&pasted).into_owned()));
            }
            return;
        }
        if let Some(pasted) = &mut self.pasting {
            let room = PASTE.saturating_sub(pasted.len());
            pasted.extend(self.pending.drain(..).take(room));
        }
        self.pending.clear();
    }

    /// `None`: not yet known. `Some(None)`: nothing that is of use.
    fn decide(&mut self, is_all: bool) -> Option<Option<Press>> {
        let pending = self.pending.as_slice();
        if pending == PASTE_BEGINS {
            self.pasting = Some(Vec::new());
            return Some(None);
        }
        match pending {
            [] => Some(None),
            [b'\r' | b'\n'] => Some(Some(Press::Enter)),
            [0x7f | 0x08] => Some(Some(Press::Backspace)),
            [0x1b] => is_all.then_some(Some(Press::Escape)),
            [byte @ 0x01..=0x1a] => Some(Some(Press::Control(char::from(byte - 1 + b'a')))),
            [0x00..=0x1f] => Some(None),
            // Two escapes: the first was meant as such, and the second may be the same.
            [0x1b, 0x1b] => Some(Some(Press::Escape)),
            [0x1b, b'[' | b'O'] => is_all.then_some(None),
            [0x1b, b'[' | b'O', middle @ .., last] => match last {
                b'@'..=b'~' => Some(sequence(middle, *last)),
                _ if pending.len() >= LONGEST || is_all => Some(None),
                _ => None,
            },
            // With Alt: not ours.
            [0x1b, ..] => Some(None),
            letter => match std::str::from_utf8(letter) {
                Ok(text) => Some(text.chars().next().map(Press::Char)),
                Err(error) if error.error_len().is_none() && !is_all => None,
                Err(_) => Some(None),
            },
        }
    }
}

/// Keys that send `CSI` or `SS3` sequences, as xterm does; with any modifiers.
fn sequence(middle: &[u8], last: u8) -> Option<Press> {
    let number = middle.split(|&byte| byte == b';').next().unwrap_or_default();
    Some(match (last, number) {
        (b'A', _) => Press::Up,
        (b'B', _) => Press::Down,
        (b'H', _) | (b'~', b"1" | b"7") => Press::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Press::End,
        (b'~', b"5") => Press::PageUp,
        (b'~', b"6") => Press::PageDown,
        (b'M', b"") => Press::Enter,
        _ => return None,
    })
}

/// What a `next` that never comes says.
pub(super) async fn next(input: &mut Option<Input>) -> io::Result<Press> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(bytes: &[u8]) -> Vec<Press> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.settle();
        std::iter::from_fn(|| decoder.next()).collect()
    }

    #[test]
    fn keys_are_known_by_what_terminals_send() {
        assert_eq!(typed(b"q \r"), [Press::Char('q'), Press::Char(' '), Press::Enter]);
        assert_eq!(typed("é気".as_bytes()), [Press::Char('é'), Press::Char('気')]);
        assert_eq!(typed(b"\x1b[A\x1bOB\x1b[1;5A"), [Press::Up, Press::Down, Press::Up]);
        assert_eq!(
            typed(b"\x1b[5~\x1b[6~\x1b[H\x1b[4~"),
            [Press::PageUp, Press::PageDown, Press::Home, Press::End]
        );
        assert_eq!(typed(b"\x03\x7f\x15"), [Press::Control('c'), Press::Backspace, Press::Control('u')]);
        assert_eq!(typed(b"\x1b"), [Press::Escape]);
        assert_eq!(typed(b"\x1b[1;2R\x1bxq\xffq"), [Press::Char('q'), Press::Char('q')]);
    }

    #[test]
    fn a_key_cut_in_two_by_the_network_is_one_key() {
        let mut decoder = Decoder::default();
        decoder.feed(b"\x1b");
        assert!(decoder.is_undecided() && decoder.next().is_none());
        decoder.feed(b"[");
        decoder.feed(b"B");
        assert_eq!(decoder.next(), Some(Press::Down));
        assert!(!decoder.is_undecided());
    }

    #[test]
    fn what_is_pasted_is_not_typed() {
        let all = typed(b"\x1b[200~quit \x1b[31m\x1b[201~q");
        assert_eq!(all, [Press::Paste("quit \x1b[31m".into()), Press::Char('q')]);
        let mut endless = Decoder::default();
        endless.feed(PASTE_BEGINS);
        endless.feed(&[b'x'; 100_000]);
        assert!(endless.pasting.is_some_and(|pasted| pasted.len() == PASTE) && endless.pending.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_none_are_hoarded(bytes: Vec<u8>) {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            prop_assert!(decoder.pending.len() <= LONGEST);
            decoder.settle();
            prop_assert!(decoder.pressed.len() <= bytes.len() + 1);
        }
    }
}
