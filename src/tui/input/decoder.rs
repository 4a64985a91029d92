//! Keys of bytes, as terminals send them. Pure.

use std::collections::VecDeque;

use super::Press;

/// The longest sequence that a key may send, and the most of a paste that is kept.
const LONGEST: usize = 64;
const PASTE: usize = 1000;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Makes keys of bytes, whatever bytes. Sequences that mean nothing here are passed over.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
    pasting: Option<Vec<u8>>,
    pressed: VecDeque<Press>,
}

impl Decoder {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
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

    pub(super) fn next(&mut self) -> Option<Press> {
        self.pressed.pop_front()
    }

    /// Whether more bytes would tell what an escape was meant for.
    pub(super) fn is_undecided(&self) -> bool {
        self.pending.first() == Some(&0x1b) && self.pasting.is_none()
    }

    /// Nothing more comes.
    pub(super) fn settle(&mut self) {
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
