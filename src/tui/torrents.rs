//! The torrents of a folder: how each fares, and which of their files are read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::palette::Palette;
use super::text::{clean, counted, cut, width};
use super::{MountView, ReadView, TorrentView, bar};
use crate::units::ByteSize;

/// A line for each torrent, and one for each of its files that is read.
pub(super) fn rows(mount: &MountView) -> u16 {
    let rows = mount.torrents.iter().map(|torrent| 1 + torrent.read.len()).sum::<usize>();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

pub(super) fn draw(mount: &MountView, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width);
    let lines = mount.torrents.iter().flat_map(|torrent| {
        let own = (torrent.name.as_str(), of_torrent(torrent), palette.strong(), 0);
        let read = torrent.read.iter().map(|file| (file.path.as_str(), of_file(file), palette.here(), 2));
        std::iter::once(own).chain(read)
    });
    for ((name, facts, style, indent), y) in lines.zip(area.top()..area.bottom()) {
        let name = cut(&clean(name), room.saturating_sub(indent + width(&facts) + 2).max(8));
        let (end, _) =
            buffer.set_stringn(area.left() + indent as u16, y, &name, room - indent.min(room), style);
        let left = usize::from(area.right().saturating_sub(end));
        if left > 2 {
            buffer.set_stringn(end + 2, y, &facts, left - 2, palette.dim());
        }
    }
}

fn of_torrent(torrent: &TorrentView) -> String {
    let peers = counted(torrent.peers, "peer");
    match torrent.length {
        None => format!("its files are not known yet · {peers}"),
        Some(length) => format!(
            "{} % of {} · {peers} · {}/s",
            bar::share(torrent.had, length, 100),
            ByteSize(length),
            ByteSize(torrent.rate)
        ),
    }
}

fn of_file(file: &ReadView) -> String {
    let waits = match (file.readers, file.waiting) {
        (_, 0) => String::new(),
        (1, _) => ", waits".to_owned(),
        (_, waiting) => format!(", {waiting} waiting"),
    };
    let rate = match file.rate {
        0 => String::new(),
        rate => format!(" · {}/s", ByteSize(rate)),
    };
    format!("{:.1} % · {}{waits}{rate}", file.percent, counted(file.readers, "reader"))
}
