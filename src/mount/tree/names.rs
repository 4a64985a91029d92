//! Names from strangers, made into names of files in a folder: safe, always the same way, and no two alike. (Other
//! than on a disk, the case of letters tells names apart, and nothing is reserved for Windows: a torrent's own
//! names were made so before they come here.)

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The longest name of a file that Linux takes, in bytes (`NAME_MAX`).
const LONGEST: usize = 255;
/// What is after the last dot counts as an ending up to this many bytes, and survives shortening.
const LONGEST_ENDING: usize = 16;
/// The longest mark there is: ` (4294967295)`.
const LONGEST_MARK: usize = 13;

/// `name` as one part of a path that can be shown: without separators, control characters and those that make
/// `gpj.exe` look like `exe.jpg`, not `.` or `..`, 1 to 255 bytes, its ending kept. A safe one stays as it is.
pub(super) fn safe(name: &str) -> Cow<'_, str> {
    let mut safe = Cow::Borrowed(name);
    if name.contains(is_unsafe) {
        safe = Cow::Owned(name.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect());
    }
    match &*safe {
        "" | "." | ".." => Cow::Borrowed("_"),
        long if long.len() > LONGEST => {
            let (stem, ending) = split(long, LONGEST);
            Cow::Owned(format!("{stem}{ending}"))
        }
        _ => safe,
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '/' | '\\' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The name in two, before its ending; the first part cut so that both are no longer than `room`.
fn split(name: &str, room: usize) -> (&str, &str) {
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= LONGEST_ENDING);
    let (stem, ending) = name.split_at(dot.unwrap_or(name.len()));
    let room = room.saturating_sub(ending.len()).min(stem.len());
    let cut = (0..=room).rev().find(|&at| stem.is_char_boundary(at)).unwrap_or_default();
    (stem.get(..cut).unwrap_or_default(), ending)
}

/// The names in folders, which go by numbers of the caller's.
#[derive(Default)]
pub(super) struct Names<'a> {
    taken: HashSet<(usize, Cow<'a, str>)>,
    /// The number to try next for what is before and after the mark: so that a thousand files of one name take a
    /// thousand steps, and not half a million.
    next: HashMap<(usize, String, String), u32>,
}

impl<'a> Names<'a> {
    /// No file in that folder is to have this name, which is safe.
    pub(super) fn reserve(&mut self, folder: usize, name: impl Into<Cow<'a, str>>) {
        self.taken.insert((folder, name.into()));
    }

    /// A name for each of the files, each with its folder: its own made safe, for the first that has it; for
    /// others the same with the first number that is free, in their order.
    pub(super) fn place(&mut self, files: impl Iterator<Item = (usize, &'a str)>) -> Vec<String> {
        let mut late = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (at, (folder, name)) in files.enumerate() {
            let name = safe(name);
            names.push(name.clone().into_owned());
            if !self.taken.insert((folder, name)) {
                late.push((at, folder));
            }
        }
        for (at, folder) in late {
            if let Some(name) = names.get_mut(at) {
                *name = self.numbered(folder, name);
            }
        }
        names
    }

    fn numbered(&mut self, folder: usize, name: &str) -> String {
        let (stem, ending) = split(name, LONGEST - LONGEST_MARK);
        let next = self.next.entry((folder, stem.to_owned(), ending.to_owned())).or_insert(2);
        loop {
            let name = format!("{stem} ({next}){ending}");
            *next = next.saturating_add(1);
            if self.taken.insert((folder, Cow::Owned(name.clone()))) {
                return name;
            }
        }
    }
}
