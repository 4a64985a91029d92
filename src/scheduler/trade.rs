//! In a crowd: many watch the same film at the same time, and the seeds cannot feed each of them. If every viewer asked
//! for its own head first, all would hold the same pieces at the same moment and have nothing to give each other.

use super::Scheduler;
use super::peer::Peer;
use crate::layout::{BlockId, PieceIndex};
use crate::units::Timestamp;

/// The window that viewers trade in: a piece must have gone through the whole crowd before it is due, and what is traded
/// further ahead delays what is due sooner. In pieces, since a piece is what goes from hand to hand, and in bytes.
const TRADED: usize = 12;
const TRADED_BYTES: u64 = 3 << 20;
/// A piece that has been begun counts as so many times as urgent: a half piece is of use to nobody.
const BEGUN: f64 = 4.0;
/// Peers that bring so many times what we consume feed us without any trade.
const PLENTY: f64 = 3.0;

impl Scheduler {
    /// What to ask peer number `at` for, if this is a crowd: the rarest of what is due next; of equally rare pieces the
    /// sooner the likelier, each viewer drawing its own lot. So a seed sends each piece a few times, to different
    /// viewers, who feed the others.
    pub(super) fn pick_for_trade(&mut self, now: Timestamp, at: usize) -> Option<BlockId> {
        if !self.is_crowd(now) {
            return None;
        }
        let peer = &self.peers[at];
        let id = peer.id;
        let bytes = usize::try_from(TRADED_BYTES / self.layout.piece_size(PieceIndex(0)).max(1) as u64);
        let window = self.plan.pieces.iter().take(TRADED.max(bytes.unwrap_or(TRADED)));
        // The lowest is asked for. Only operations that come out the same on every machine: no powers, no logarithms.
        let weight = |place: u32, piece: PieceIndex| {
            let (rank, place) = (f64::from(self.rarity.rank(piece)) + 1.0, f64::from(place));
            let begun = if self.begun.contains_key(&piece) { BEGUN } else { 1.0 };
            rank * rank * rank * rank * place * place.sqrt() * self.rarity.lot(piece) / begun
        };
        let chosen = (1u32..)
            .zip(window)
            .filter(|(_, planned)| peer.have.has(planned.piece) && self.open_blocks(planned.piece) > 0)
            .map(|(place, planned)| (weight(place, planned.piece), planned.piece))
            .min_by(|(a, _), (b, _)| a.total_cmp(b));
        chosen.and_then(|(_, piece)| self.next_open(piece, id))
    }

    /// Others watch as well, the seeds that would serve us bring less than we consume, and all together bring no plenty.
    fn is_crowd(&self, now: Timestamp) -> bool {
        if self.readers.is_empty() || self.peers.iter().filter(|peer| peer.is_viewer()).count() < 2 {
            return false;
        }
        let consumed: f64 = self.readers.iter().map(|reader| reader.rate(now).bytes_per_second()).sum();
        let rate = |peer: &Peer| peer.estimate.rate().bytes_per_second();
        let serving = self.peers.iter().filter(|peer| !peer.choking && !peer.snubbed);
        let (mut of_seeds, mut of_all) = (0.0, 0.0);
        for peer in serving {
            of_seeds += if peer.have.is_all() { rate(peer) } else { 0.0 };
            of_all += if peer.estimate.is_tried() { rate(peer) } else { 0.0 };
        }
        of_seeds < consumed && of_all < PLENTY * consumed
    }
}
