//! What peers want of us, in a fair order. Pure: who is unchoked is the choker's, reading is the store's.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use crate::layout::{Layout, PieceIndex};
use crate::scheduler::PeerId;

/// A request: bytes of a piece, as the peer said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) piece: PieceIndex,
    pub(super) begin: u32,
    pub(super) length: u32,
}

impl Wanted {
    /// The bytes of the torrent; `None` if the piece does not have them.
    pub(super) fn range(self, layout: &Layout) -> Option<Range<u64>> {
        let end = self.begin.checked_add(self.length)?;
        let is_fair = self.length > 0 && end <= layout.piece_size(self.piece);
        let start = layout.piece_start(self.piece) + u64::from(self.begin);
        is_fair.then_some(start..start + u64::from(self.length))
    }
}

/// Requests that wait to be answered.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// No empty queues.
    queues: BTreeMap<PeerId, VecDeque<Wanted>>,
    /// Who was answered last: the next one is answered next.
    last: Option<PeerId>,
}

impl Uploads {
    /// What waits already is ignored. How much may wait is for the swarm to see to, which tells of no more.
    pub(super) fn add(&mut self, peer: PeerId, wanted: Wanted) {
        let queue = self.queues.entry(peer).or_default();
        if !queue.contains(&wanted) {
            queue.push_back(wanted);
        }
    }

    pub(super) fn remove(&mut self, peer: PeerId, wanted: Wanted) {
        if let Some(queue) = self.queues.get_mut(&peer) {
            queue.retain(|other| *other != wanted);
            if queue.is_empty() {
                self.queues.remove(&peer);
            }
        }
    }

    /// The peer is choked, or gone.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.queues.remove(&peer);
    }

    /// The next request to answer: each peer in its turn, one request a turn.
    pub(super) fn next(&mut self) -> Option<(PeerId, Wanted)> {
        let after = self.last.map_or(0, |last| last.0.saturating_add(1));
        let peer = self.queues.range(PeerId(after)..).chain(&self.queues).map(|(&peer, _)| peer).next()?;
        let queue = self.queues.get_mut(&peer)?;
        let wanted = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&peer);
        }
        self.last = Some(peer);
        Some((peer, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::BLOCK;

    fn wanted(piece: u32) -> Wanted {
        Wanted { piece: PieceIndex(piece), begin: 0, length: BLOCK }
    }

    #[test]
    fn who_asks_for_much_does_not_keep_others_waiting() {
        let mut uploads = Uploads::default();
        (0..3).for_each(|piece| uploads.add(PeerId(1), wanted(piece)));
        uploads.add(PeerId(7), wanted(9));
        let order: Vec<_> =
            std::iter::from_fn(|| uploads.next()).map(|(peer, w)| (peer.0, w.piece.0)).collect();
        assert_eq!(order, [(1, 0), (7, 9), (1, 1), (1, 2)]);
        assert!(uploads.queues.is_empty());
    }

    #[test]
    fn what_is_unwanted_again_or_asked_twice_is_not_sent() {
        let mut uploads = Uploads::default();
        uploads.add(PeerId(1), wanted(0));
        uploads.add(PeerId(1), wanted(1));
        uploads.add(PeerId(1), wanted(1));
        uploads.remove(PeerId(1), wanted(0));
        assert_eq!(uploads.next(), Some((PeerId(1), wanted(1))));
        assert_eq!(uploads.next(), None);
    }

    #[test]
    fn requests_beyond_the_piece_have_no_bytes() {
        let layout = Layout::new(1_000_000, 400_000).expect("fair");
        let range = |piece, begin, length| Wanted { piece: PieceIndex(piece), begin, length }.range(&layout);
        assert_eq!(range(1, 10, 100), Some(400_010..400_110));
        assert_eq!(range(2, 199_990, 10), Some(999_990..1_000_000));
        assert_eq!(range(2, 199_990, 11), None);
        assert_eq!(range(0, 0, 0), None);
        assert_eq!(range(0, u32::MAX, 2), None);
        assert_eq!(range(3, 0, 1), None);
    }
}
