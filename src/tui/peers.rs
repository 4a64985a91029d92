//! The table of the best peers: as many as fit, and how many do not.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::PeerView;
use super::palette::Palette;
use super::text::{clean, cut, latency, width};
use crate::units::ByteSize;

/// What is known of a peer, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Address,
    Client,
    Via,
    Rate,
    Latency,
    Owes,
    Got,
    Given,
}

use Column::{Address, Client, Given, Got, Latency, Owes, Rate, Via};

/// Left to right.
const ORDER: [Column; 8] = [Address, Client, Via, Rate, Latency, Owes, Got, Given];
/// The first ones are kept when there is little room.
const RANKS: [Column; 8] = [Address, Rate, Client, Latency, Owes, Via, Got, Given];

const GAP: usize = 2;
const WIDEST_CLIENT: usize = 28;

/// Rows that a table needs to be worth its heading, and those that are worth more than air between other things.
pub(super) const LEAST: u16 = 3;
pub(super) const ENOUGH: u16 = 5;

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Address => "peer",
            Client => "client",
            Via => "via",
            Rate => "rate",
            Latency => "latency",
            Owes => "owes",
            Got => "got",
            Given => "given",
        }
    }

    /// Columns that it takes at least.
    fn least(self) -> usize {
        match self {
            Address => 21,
            Client => 8,
            Via => 6,
            Rate => 10,
            Latency => 7,
            Owes => 4,
            Got | Given => 8,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Rate | Latency | Owes | Got | Given)
    }

    fn text(self, peer: &PeerView) -> String {
        match self {
            Address => peer.address.to_string(),
            Client => peer.client.as_deref().map(clean).unwrap_or_default(),
            Via if peer.incoming => format!("{} in", peer.transport),
            Via => peer.transport.to_owned(),
            Rate if peer.choking && peer.rate == 0 => "chokes us".to_owned(),
            Rate => format!("{}/s", ByteSize(peer.rate)),
            Latency => peer.latency.map_or_else(|| "–".to_owned(), latency),
            Owes => peer.owes.to_string(),
            Got => ByteSize(peer.downloaded).to_string(),
            Given => ByteSize(peer.uploaded).to_string(),
        }
    }
}

/// The columns that fit, and how wide each is drawn. `address`: how wide the widest address is.
fn columns(room: usize, address: usize) -> Vec<(Column, usize)> {
    let mut kept: Vec<Column> = Vec::new();
    let mut taken = 0;
    for column in RANKS {
        let needs = column.least() + if kept.is_empty() { 0 } else { GAP };
        if taken + needs <= room || kept.is_empty() {
            kept.push(column);
            taken += needs;
        }
    }
    let mut rest = room.saturating_sub(taken);
    let mut widen = |column: Column, most: usize| {
        let more = rest.min(most.saturating_sub(column.least()));
        rest -= more;
        column.least() + more
    };
    // The client first: an address of IPv6 is long, and its beginning tells most of it.
    let client = if kept.contains(&Client) { widen(Client, WIDEST_CLIENT) } else { 0 };
    let address = widen(Address, address);
    let width = |column| match column {
        Address => address,
        Client => client,
        column => column.least(),
    };
    ORDER.into_iter().filter(|column| kept.contains(column)).map(|column| (column, width(column))).collect()
}

/// Rows that all peers take.
pub(super) fn rows(peers: &[PeerView]) -> u16 {
    u16::try_from(peers.len() + 1).unwrap_or(u16::MAX)
}

pub(super) fn draw(peers: &[PeerView], palette: Palette, area: Rect, buffer: &mut Buffer) {
    let address = peers.iter().map(|peer| Address.text(peer).len()).max().unwrap_or(0);
    let columns = columns(usize::from(area.width), address);
    let line = |text: &dyn Fn(Column) -> String| {
        let cells = columns.iter().map(|&(column, wide)| {
            let text = cut(&text(column), wide);
            let space = " ".repeat(wide.saturating_sub(width(&text)));
            if column.is_number() { space + &text } else { text + &space }
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP))
    };
    let room = usize::from(area.height).saturating_sub(1);
    let shown = if peers.len() > room { room.saturating_sub(1) } else { peers.len() };
    let heading = [(line(&|column| column.heading().to_owned()), palette.dim())];
    let best = peers.iter().take(shown).map(|peer| {
        let style = if peer.choking { palette.dim() } else { ratatui::style::Style::new() };
        (line(&|column| column.text(peer)), style)
    });
    let more = peers.len() - shown;
    let rest = (more > 0).then(|| (format!("... and {more} more"), palette.dim()));
    for ((text, style), y) in heading.into_iter().chain(best).chain(rest).zip(area.top()..area.bottom()) {
        buffer.set_stringn(area.left(), y, text, usize::from(area.width), style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_is_kept_when_there_is_little_room() {
        let kept = |room| columns(room, 21).into_iter().map(|(column, _)| column).collect::<Vec<_>>();
        assert_eq!(kept(10), [Address]);
        assert_eq!(kept(40), [Address, Rate, Owes]);
        assert_eq!(kept(58), [Address, Client, Rate, Latency, Owes]);
        assert_eq!(kept(98), ORDER);
    }

    #[test]
    fn no_table_is_wider_than_its_room() {
        for room in 21..250 {
            let columns = columns(room, 47);
            let taken = columns.iter().map(|&(_, wide)| wide).sum::<usize>() + GAP * (columns.len() - 1);
            assert!(taken <= room, "{taken} > {room}");
        }
    }
}
