//! The list to choose a file from: moved in with the arrows, filtered by typing. Knows no terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::PickerEntry;
use super::input::Press;
use super::palette::Palette;
use super::text::{clean, cut, width};
use crate::units::ByteSize;

/// What a viewer has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picked {
    /// The file with this index.
    File(usize),
    Nothing,
    /// Nothing, and no more of anything.
    Quit,
}

/// A longer filter is no filter.
const LONGEST_FILTER: usize = 200;

#[derive(Debug)]
pub(super) struct Picker {
    title: String,
    given: Vec<PickerEntry>,
    /// As drawn.
    entries: Vec<Entry>,
    filter: String,
    rows: Vec<Row>,
    /// Of `rows`: always a file, if there is one.
    cursor: usize,
    /// The first of `rows` that is drawn.
    top: usize,
    /// Rows that were drawn last: what a page is.
    page: usize,
}

#[derive(Debug)]
struct Entry {
    index: usize,
    folder: String,
    name: String,
    size: String,
    /// What the filter is looked for in.
    sought: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Row {
    /// The folder of the files that follow: of this entry.
    Folder(usize),
    File(usize),
}

impl Picker {
    /// Begins at the file with index `at`.
    pub(super) fn new(title: &str, files: &[PickerEntry], at: usize) -> Picker {
        let shared = shared_folders(files);
        let entries = files.iter().map(|file| {
            let path = file.path.get(shared..).unwrap_or(&file.path);
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            Entry {
                index: file.index,
                folder: clean(folder),
                name: clean(name),
                size: ByteSize(file.length).to_string(),
                sought: clean(path).to_lowercase(),
            }
        });
        let mut picker = Picker {
            title: clean(title),
            entries: entries.collect(),
            given: files.to_vec(),
            filter: String::new(),
            rows: Vec::new(),
            cursor: 0,
            top: 0,
            page: 10,
        };
        picker.sift(Some(at));
        picker
    }

    /// Whether it is about these files: then it goes on.
    pub(super) fn is_about(&self, title: &str, files: &[PickerEntry]) -> bool {
        self.title == clean(title) && self.given == files
    }

    fn index_at(&self, row: usize) -> Option<usize> {
        match self.rows.get(row)? {
            Row::File(entry) => Some(self.entries.get(*entry)?.index),
            Row::Folder(_) => None,
        }
    }

    /// Lists what the filter lets through, and stays at the file with index `at`, if that is among it.
    fn sift(&mut self, at: Option<usize>) {
        let filter = self.filter.to_lowercase();
        let lets_through = |entry: &Entry| {
            filter.split_whitespace().all(|word| {
                entry.sought.contains(word) || word.parse().is_ok_and(|index: usize| index == entry.index)
            })
        };
        self.rows.clear();
        let mut folder = "";
        for (place, entry) in self.entries.iter().enumerate().filter(|(_, entry)| lets_through(entry)) {
            if entry.folder != folder {
                self.rows.push(Row::Folder(place));
                folder = &entry.folder;
            }
            self.rows.push(Row::File(place));
        }
        let is_there = |row: &usize| at.is_some() && self.index_at(*row) == at;
        self.cursor = (0..self.rows.len()).find(is_there).unwrap_or(0);
        self.top = 0;
        self.move_by(0);
    }

    /// Moves the cursor, and on to the next file where there is a folder.
    fn move_by(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(1);
        let aimed = self.cursor.saturating_add_signed(rows).min(last);
        let is_file = |row: &usize| matches!(self.rows.get(*row), Some(Row::File(_)));
        let below = || (aimed..self.rows.len()).find(is_file);
        let above = || (0..=aimed).rev().find(is_file);
        let found = if rows < 0 { above().or_else(below) } else { below().or_else(above) };
        self.cursor = found.unwrap_or(0);
    }

    /// Takes in a key. `None`: nothing is decided yet.
    pub(super) fn press(&mut self, press: Press) -> Option<Picked> {
        let page = isize::try_from(self.page.saturating_sub(1)).unwrap_or(1).max(1);
        match press {
            Press::Enter => return self.index_at(self.cursor).map(Picked::File),
            Press::Escape => return Some(Picked::Nothing),
            Press::Control('c' | 'd') => return Some(Picked::Quit),
            Press::Up | Press::Control('p') => self.move_by(-1),
            Press::Down | Press::Control('n') => self.move_by(1),
            Press::PageUp => self.move_by(-page),
            Press::PageDown => self.move_by(page),
            Press::Home => self.move_by(isize::MIN),
            Press::End => self.move_by(isize::MAX),
            Press::Char(letter) => self.type_in(letter.encode_utf8(&mut [0; 4])),
            Press::Paste(text) => self.type_in(&text),
            Press::Backspace => {
                self.filter.pop();
                self.sift(self.index_at(self.cursor));
            }
            Press::Control('u' | 'w') => {
                self.filter.clear();
                self.sift(self.index_at(self.cursor));
            }
            Press::Control(_) => {}
        }
        None
    }

    fn type_in(&mut self, text: &str) {
        let room = LONGEST_FILTER.saturating_sub(self.filter.chars().count());
        self.filter.extend(clean(text).chars().take(room));
        self.sift(self.index_at(self.cursor));
    }

    pub(super) fn draw(&mut self, palette: Palette, area: Rect, buffer: &mut Buffer) {
        let margin = u16::from(area.width >= 40);
        let area = Rect { x: area.x + margin, width: area.width - 2 * margin, ..area };
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width);
        let shown = self.rows.iter().filter(|row| matches!(row, Row::File(_))).count();
        let counted = if self.filter.is_empty() {
            format!("{shown} {}", if shown == 1 { "file" } else { "files" })
        } else {
            format!("{shown} of {} files", self.entries.len())
        };
        let (left, mut y) = (area.left(), area.top());
        let title = cut(&self.title, room.saturating_sub(counted.len() + 2));
        buffer.set_stringn(left, y, title, room, palette.strong());
        let right = area.right().saturating_sub(counted.len() as u16).max(left);
        buffer.set_stringn(right, y, &counted, room, palette.dim());
        y += 1;
        if y < area.bottom() {
            let filter = if self.filter.is_empty() {
                Line::styled("type to filter", palette.dim())
            } else {
                let typed = cut_front(&self.filter, room.saturating_sub(9));
                let typed = Span::styled(typed, palette.strong());
                Line::from(vec![Span::styled("filter: ", palette.dim()), typed, Span::raw("▏")])
            };
            buffer.set_line(left, y, &filter, area.width);
            y += 1;
        }
        // A blank line above and below, and the keys, where that leaves a list.
        let is_tall = area.bottom().saturating_sub(y) >= 8;
        let list = if is_tall {
            Rect { y: y + 1, height: area.bottom() - y - 3, ..area }
        } else {
            Rect { y, height: area.bottom().saturating_sub(y), ..area }
        };
        if is_tall {
            let mut keys = Vec::new();
            for (key, word) in [("↑↓", "move"), ("Enter", "play"), ("Esc", "leave")] {
                keys.push(Span::styled(key, palette.strong()));
                keys.push(Span::styled(format!(" {word}   "), palette.dim()));
            }
            buffer.set_line(left, area.bottom() - 1, &Line::from(keys), area.width);
        }
        self.draw_list(palette, list, buffer);
    }

    fn draw_list(&mut self, palette: Palette, area: Rect, buffer: &mut Buffer) {
        let height = usize::from(area.height);
        self.page = height;
        if height == 0 {
            return;
        }
        // The folder's name stays with its first file.
        let above = self.cursor.saturating_sub(1);
        let wanted = match self.rows.get(above) {
            Some(Row::Folder(_)) if height > 1 => above,
            _ => self.cursor,
        };
        self.top = self.top.min(wanted).max((self.cursor + 1).saturating_sub(height));
        self.top = self.top.min(self.rows.len().saturating_sub(height));
        if self.rows.is_empty() {
            let text = "nothing matches: Backspace takes a letter back";
            buffer.set_stringn(area.left(), area.top(), text, usize::from(area.width), palette.dim());
            return;
        }

        let room = usize::from(area.width);
        let most = self.entries.iter().map(|entry| entry.index).max().unwrap_or(0);
        let digits = most.to_string().len().max(2);
        let sizes = self.entries.iter().map(|entry| entry.size.len()).max().unwrap_or(0);
        let longest = self.entries.iter().map(|entry| width(&entry.name)).max().unwrap_or(0);
        // Two for the cursor, two between the columns; in a wide terminal, sizes stay near their names.
        let names = longest.min(room.saturating_sub(2 + digits + 2 + 2 + sizes));
        let rows = self.rows.iter().enumerate().skip(self.top);
        for ((place, row), y) in rows.zip(area.top()..area.bottom()) {
            let is_here = place == self.cursor;
            match row {
                Row::Folder(entry) => {
                    let folder = self.entries.get(*entry).map(|entry| entry.folder.as_str());
                    let folder = match folder.unwrap_or_default() {
                        "" => "not in a folder".to_owned(),
                        folder => format!("{folder}/"),
                    };
                    let text = format!("{:>1$}", "", digits + 4) + &folder;
                    buffer.set_stringn(area.left(), y, cut(&text, room), room, palette.dim());
                }
                Row::File(entry) => {
                    let Some(entry) = self.entries.get(*entry) else { continue };
                    let name = cut(&entry.name, names);
                    let space = " ".repeat(names.saturating_sub(width(&name)));
                    let mark = if is_here { "▸" } else { " " };
                    let style = if is_here { palette.turned() } else { Style::new() };
                    let text =
                        format!("{mark} {:>digits$}  {name}{space}  {:>sizes$}", entry.index, entry.size);
                    buffer.set_stringn(area.left(), y, text, room, style);
                }
            }
        }
    }
}

/// The end of a text that is too long: what is being typed is seen.
fn cut_front(text: &str, most: usize) -> String {
    let mut rest = text;
    while width(rest) > most {
        let Some(letter) = rest.chars().next() else { break };
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    rest.to_owned()
}

/// Bytes of the folders that all paths begin with.
fn shared_folders(files: &[PickerEntry]) -> usize {
    let Some((first, others)) = files.split_first() else { return 0 };
    let folders = first.path.rfind('/').map_or(0, |slash| slash + 1);
    others.iter().fold(folders, |shared, file| {
        let same = first.path.bytes().zip(file.path.bytes()).take(shared);
        let same = same.take_while(|(one, other)| one == other).count();
        first
            .path
            .as_bytes()
            .get(..same)
            .unwrap_or_default()
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(0, |slash| slash + 1)
    })
}

#[cfg(test)]
mod tests;
