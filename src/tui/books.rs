//! The books of a site: how much of each is here, and whether somebody waits for more.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::palette::Palette;
use super::text::{clean, counted, cut, width};
use super::{BookView, SiteView, bar};
use crate::units::ByteSize;

/// A line for each book, and one for each torrent of which that is not known.
pub(super) fn rows(site: &SiteView) -> u16 {
    u16::try_from(site.books.len() + site.waiting.len()).unwrap_or(u16::MAX)
}

pub(super) fn draw(site: &SiteView, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width);
    let books = site.books.iter().map(|book| (book.name.as_str(), of_book(book)));
    let waiting = site.waiting.iter().map(|(name, why)| (name.as_str(), vec![clean(why)]));
    for ((name, facts), y) in books.chain(waiting).zip(area.top()..area.bottom()) {
        let name = clean(name);
        // Books differ at the end of their names: these are worth more than what stands elsewhere too.
        let fits = |facts: &&String| width(&name) + 2 + width(facts) <= room;
        let Some(facts) = facts.iter().find(fits).or(facts.last()) else { continue };
        let name = cut(&name, room.saturating_sub(width(facts) + 2).max(16));
        let (end, _) = buffer.set_stringn(area.left(), y, &name, room, palette.strong());
        let left = usize::from(area.right().saturating_sub(end));
        if left > 2 {
            buffer.set_stringn(end + 2, y, cut(facts, left - 2), left - 2, palette.dim());
        }
    }
}

/// What readers wait for, of one book or of all.
pub(super) fn waits(reads: usize, bytes: u64) -> String {
    if reads == 0 {
        return "nobody waits for anything".to_owned();
    }
    let wait = if reads == 1 { "waits" } else { "wait" };
    format!("{} {wait} for {}", counted(reads, "read"), ByteSize(bytes))
}

/// In all words, and in fewer and fewer.
fn of_book(book: &BookView) -> Vec<String> {
    let length = ByteSize(book.length);
    if book.is_local {
        return vec![format!("{length} on this computer")];
    }
    let mut facts = vec![
        format!("{} of {length}", share(book.had, book.length)),
        counted(book.peers, "peer"),
        format!("{}/s", ByteSize(book.rate)),
    ];
    facts.extend((book.reads > 0).then(|| waits(book.reads, book.bytes)));
    (1..=facts.len()).rev().filter_map(|count| Some(facts.get(..count)?.join(" · "))).collect()
}

/// Of a large book little is ever here: a share that would be nothing is told in bytes.
pub(super) fn share(had: u64, length: u64) -> String {
    match bar::share(had, length, 100) {
        0 => ByteSize(had).to_string(),
        percent => format!("{percent} %"),
    }
}
