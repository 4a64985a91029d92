//! What can be seen of a torrent at work: a snapshot that the driver makes while somebody looks, and what follows from it
//! for one file.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::door::{Door, overlap};
use super::session::Opened;
use crate::layout::FileSpan;
use crate::lock::lock;
use crate::read::{Cell, FileReport, ReaderReport};
use crate::scheduler::PeerPace;
use crate::swarm::PeerReport;

/// Snapshots are made no more often than this: nobody sees more.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The newest snapshot, and whether anybody wants another.
#[derive(Debug, Default)]
pub(super) struct Looks {
    wanted: AtomicBool,
    newest: Mutex<Arc<Look>>,
}

/// A snapshot.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Ascending by peer.
    pub(super) paces: Vec<PeerPace>,
    /// Bytes of the torrent in flight, or come and not verified: ascending, none of more than one piece.
    pub(super) coming: Vec<Range<u64>>,
}

impl Looks {
    /// The newest snapshot; and one more is wanted. `ring` is called if the driver is to be told so: not each time, for
    /// whoever looks on and on must not keep it from its work.
    pub(super) fn take_one(&self, ring: impl FnOnce()) -> Arc<Look> {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            ring();
        }
        Arc::clone(&lock(&self.newest))
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn publish(&self, look: Look) {
        self.wanted.store(false, Ordering::Release);
        *lock(&self.newest) = Arc::new(look);
    }
}

impl Look {
    /// Adds to each peer what the scheduler believes of it.
    pub(super) fn complete(&self, peers: &mut [PeerReport]) {
        for peer in peers {
            let at = self.paces.binary_search_by_key(&peer.peer, |pace| pace.peer);
            let Some(pace) = at.ok().and_then(|at| self.paces.get(at)) else { continue };
            peer.rate = pace.rate.bytes_per_second() as u64;
            peer.latency = pace.latency;
            peer.in_flight = pace.in_flight;
        }
    }

    pub(super) fn file_report(&self, opened: &Opened, span: FileSpan, cells: usize) -> FileReport {
        let door = &opened.door;
        let readers =
            door.readers().into_iter().filter(|reader| reader.is_seen && reader.span == span).map(|reader| {
                let (head, waiting) = reader.head.load();
                let head = head.clamp(span.offset, span.end());
                ReaderReport {
                    id: reader.id.0,
                    start: reader.start.clamp(span.offset, span.end()) - span.offset,
                    head: head - span.offset,
                    waiting,
                    buffered: door.end_of_had(head, span.end()) - head,
                }
            });
        FileReport {
            length: span.length,
            had: door.had_of(span.range()),
            cells: self.cells(door, span, cells),
            readers: readers.collect(),
        }
    }

    fn cells(&self, door: &Door, span: FileSpan, cells: usize) -> Vec<Cell> {
        let ranges: Vec<Range<u64>> = (0..cells).map(|at| cell(span, at, cells)).collect();
        let mut coming = vec![0; cells];
        let from = self.coming.partition_point(|range| range.end <= span.offset);
        // What was verified since the snapshot was made is had.
        let news = |range: &&Range<u64>| !door.has(door.layout().piece_at(range.start));
        for range in self.coming.iter().skip(from).take_while(|range| range.start < span.end()).filter(news) {
            let first = ranges.partition_point(|cell| cell.end <= range.start);
            let touched = ranges.iter().zip(&mut coming).skip(first);
            for (cell, bytes) in touched.take_while(|(cell, _)| cell.start < range.end) {
                *bytes += overlap(cell, range);
            }
        }
        let share = |bytes: u64, of: &Range<u64>| match of.end - of.start {
            // Of a file without a byte nothing is missing.
            0 => 1.0,
            length => (bytes as f64 / length as f64).min(1.0) as f32,
        };
        ranges
            .iter()
            .zip(coming)
            .map(|(range, coming)| Cell {
                had: share(door.had_of(range.clone()), range),
                coming: if range.is_empty() { 0.0 } else { share(coming, range) },
            })
            .collect()
    }
}

/// The bytes of the torrent that cell `at` of so many shows: at least one, if the file has one.
fn cell(span: FileSpan, at: usize, cells: usize) -> Range<u64> {
    let edge = |at: usize| {
        // Less than the length, so that it fits.
        (u128::from(span.length) * at as u128 / cells.max(1) as u128) as u64
    };
    let (start, end) = (edge(at), edge(at + 1));
    span.offset + start..(span.offset + end.max(start + 1)).min(span.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitfield::Bitfield;
    use crate::layout::{Layout, PieceIndex};

    fn door(had: &[u32]) -> Door {
        let layout = Layout::new(1000, 100).expect("fair");
        let mut field = Bitfield::none(layout.pieces());
        had.iter().for_each(|&piece| {
            field.insert(PieceIndex(piece));
        });
        Door::new(layout, &field)
    }

    fn cells(coming: &[Range<u64>], had: &[u32], span: FileSpan, count: usize) -> Vec<(f32, f32)> {
        let look = Look { paces: Vec::new(), coming: coming.to_vec() };
        look.cells(&door(had), span, count).iter().map(|cell| (cell.had, cell.coming)).collect()
    }

    #[test]
    fn cells_show_the_shares_of_their_bytes() {
        let span = FileSpan { offset: 150, length: 400 };
        // Cells of 100 bytes from 150 on; pieces from 100, 200, and so on.
        let seen = cells(&[100..200, 300..350, 400..500, 900..1000], &[1, 2], span, 4);
        assert_eq!(seen, [(1.0, 0.0), (0.5, 0.5), (0.0, 0.5), (0.0, 0.5)]);
        assert_eq!(cells(&[], &[1, 2], span, 0), []);
        assert_eq!(cells(&[], &(0..10).collect::<Vec<_>>(), span, 3), [(1.0, 0.0); 3]);
    }

    #[test]
    fn a_file_with_fewer_bytes_than_cells_shows_them_several_times() {
        let span = FileSpan { offset: 199, length: 2 };
        assert_eq!(
            cells(&[200..208, 208..216], &[1], span, 4),
            [(1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 1.0)]
        );
        assert_eq!(cells(&[], &[], FileSpan { offset: 500, length: 0 }, 2), [(1.0, 0.0); 2]);
    }

    #[test]
    fn no_byte_is_lost_between_cells() {
        for (length, count) in [(1, 1), (7, 3), (1_000_003, 64), (u64::MAX / 2, 1000)] {
            let span = FileSpan { offset: 5, length };
            assert_eq!(cell(span, 0, count).start, 5);
            assert_eq!(cell(span, count - 1, count).end, span.end());
            for at in 1..count {
                assert_eq!(cell(span, at - 1, count).end, cell(span, at, count).start);
            }
        }
    }
}
