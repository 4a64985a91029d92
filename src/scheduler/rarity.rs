//! How many peers have each piece, and which of the missing pieces to begin next when none is urgent: rarest first, so
//! that viewers of one film hold different pieces and feed each other.

use std::ops::Range;

use crate::bitfield::Bitfield;
use crate::layout::PieceIndex;
use crate::random::Random;

/// How many missing pieces are looked at, at random, for the rarest among them. With sixty looks the choice is almost
/// surely among the rarest twentieth, and costs the same whatever the torrent's size.
const LOOKS: u32 = 60;

/// Availability of pieces, and a small random number generator of its own (the scheduler's seed).
#[derive(Debug)]
pub(super) struct Rarity {
    /// Peers that have the piece, those that have every piece left out.
    partial: Vec<u16>,
    /// What tells this viewer's lots from another's.
    salt: u64,
    pub(super) random: Random,
}

impl Rarity {
    pub(super) fn new(pieces: u32, seed: u64) -> Self {
        Rarity { partial: vec![0; pieces as usize], salt: seed.rotate_left(32), random: Random::new(seed) }
    }

    pub(super) fn on_have(&mut self, piece: PieceIndex) {
        if let Some(count) = self.partial.get_mut(piece.0 as usize) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn on_bitfield(&mut self, have: &Bitfield) {
        if !have.is_all() {
            have.iter().for_each(|piece| self.on_have(piece));
        }
    }

    pub(super) fn on_gone(&mut self, have: &Bitfield) {
        if have.is_all() {
            return;
        }
        for piece in have.iter() {
            if let Some(count) = self.partial.get_mut(piece.0 as usize) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// This viewer's own draw for the piece, between 0 and 1: always the same, another for each viewer.
    pub(super) fn lot(&self, piece: PieceIndex) -> f64 {
        f64::from(Random::new(self.salt ^ u64::from(piece.0)).below(u32::MAX)) / f64::from(u32::MAX)
    }

    pub(super) fn rank(&self, piece: PieceIndex) -> u16 {
        self.partial.get(piece.0 as usize).copied().unwrap_or(u16::MAX)
    }

    /// The rarest of the first few eligible pieces in `range` from `from` on, and of some at random. Equally rare ones
    /// are taken in order, so that a lone viewer's film fills from the head on. `next` gives the first candidate at or
    /// after a number, if there is one; `eligible` has the last word, and says which piece the number stands for.
    pub(super) fn rarest(
        &mut self,
        range: Range<u32>,
        from: u32,
        next: impl Fn(u32) -> Option<u32>,
        eligible: impl Fn(u32) -> Option<PieceIndex>,
    ) -> Option<PieceIndex> {
        if range.is_empty() {
            return None;
        }
        let next = |at: u32| next(at).filter(|found| range.contains(found));
        let mut best: Option<(u16, PieceIndex)> = None;
        let mut at = from.clamp(range.start, range.end - 1);
        for _ in 0..LOOKS {
            let found = next(at).or_else(|| next(range.start))?;
            if let Some(piece) = eligible(found) {
                best = Some((self.rank(piece), piece));
                break;
            }
            at = if found + 1 < range.end { found + 1 } else { range.start };
        }
        for _ in 0..LOOKS {
            if best.is_some_and(|(rank, _)| rank == 0) {
                break;
            }
            let at = range.start + self.random.below(range.end - range.start);
            let found = next(at).or_else(|| next(range.start));
            if let Some(piece) = found.and_then(&eligible)
                && best.is_none_or(|(rank, _)| self.rank(piece) < rank)
            {
                best = Some((self.rank(piece), piece));
            }
        }
        best.map(|(_, piece)| piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equally_rare_pieces_are_taken_in_order() {
        let mut rarity = Rarity::new(100, 7);
        assert_eq!(
            rarity.rarest(0..100, 40, Some, |at| (at != 40).then_some(PieceIndex(at))),
            Some(PieceIndex(41))
        );
    }

    #[test]
    fn the_rarest_piece_is_found() {
        let mut rarity = Rarity::new(50, 7);
        for piece in (0..50).filter(|&piece| piece != 33) {
            rarity.on_have(PieceIndex(piece));
        }
        assert_eq!(rarity.rarest(0..50, 0, Some, |at| Some(PieceIndex(at))), Some(PieceIndex(33)));
    }

    #[test]
    fn nothing_eligible_is_nothing() {
        let mut rarity = Rarity::new(50, 7);
        assert_eq!(rarity.rarest(0..50, 10, Some, |_| None), None);
        assert_eq!(rarity.rarest(5..5, 10, Some, |at| Some(PieceIndex(at))), None);
    }
}
