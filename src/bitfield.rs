//! Which pieces someone has: one bit a piece.

use crate::layout::PieceIndex;

/// A set of pieces of a torrent with a known number of them. Bits beyond that number do not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitfield {
    words: Vec<u64>,
    pieces: u32,
    count: u32,
}

impl Bitfield {
    pub fn none(pieces: u32) -> Self {
        Bitfield { words: vec![0; (pieces as usize).div_ceil(64)], pieces, count: 0 }
    }

    pub fn all(pieces: u32) -> Self {
        let mut field = Self::none(pieces);
        field.words.fill(u64::MAX);
        if let (Some(last), rest @ 1..) = (field.words.last_mut(), pieces % 64) {
            *last = (1 << rest) - 1;
        }
        field.count = pieces;
        field
    }

    /// Reads BEP 3's bitfield message: the highest bit of the first byte is piece 0. `None` unless it has exactly
    /// the bytes that `pieces` need; spare bits at the end are cleared (some clients set them).
    pub fn from_wire(bytes: &[u8], pieces: u32) -> Option<Self> {
        if bytes.len() != (pieces as usize).div_ceil(8) {
            return None;
        }
        let mut field = Self::none(pieces);
        for (i, byte) in bytes.iter().enumerate() {
            field.words[i / 8] |= u64::from(byte.reverse_bits()) << (i % 8 * 8);
        }
        if let (Some(last), rest @ 1..) = (field.words.last_mut(), pieces % 64) {
            *last &= (1 << rest) - 1;
        }
        field.count = field.words.iter().map(|word| word.count_ones()).sum();
        Some(field)
    }

    /// BEP 3's form of it.
    pub fn to_wire(&self) -> Vec<u8> {
        (0..(self.pieces as usize).div_ceil(8))
            .map(|i| ((self.words[i / 8] >> (i % 8 * 8)) as u8).reverse_bits())
            .collect()
    }

    /// Number of pieces that the torrent has.
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// Number of pieces in the set.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Number of pieces of this range in the set, without looking at each.
    pub fn count_in(&self, range: std::ops::Range<u32>) -> u32 {
        let (start, end) = (range.start, range.end.min(self.pieces));
        if start >= end {
            return 0;
        }
        let (first, last) = (start as usize / 64, (end - 1) as usize / 64);
        let words = self.words.get(first..=last).unwrap_or_default();
        (first..)
            .zip(words)
            .map(|(at, word)| {
                let from = if at == first { u64::MAX << (start % 64) } else { u64::MAX };
                let to = if at == last { u64::MAX >> (63 - (end - 1) % 64) } else { u64::MAX };
                (word & from & to).count_ones()
            })
            .sum()
    }

    pub fn is_all(&self) -> bool {
        self.count == self.pieces
    }

    pub fn is_none(&self) -> bool {
        self.count == 0
    }

    /// A piece that the torrent does not have is never in the set.
    pub fn has(&self, piece: PieceIndex) -> bool {
        self.words.get(piece.0 as usize / 64).is_some_and(|word| word >> (piece.0 % 64) & 1 == 1)
    }

    /// True if it was not there before. A piece that the torrent does not have is ignored.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        if piece.0 >= self.pieces || self.has(piece) {
            return false;
        }
        self.words[piece.0 as usize / 64] |= 1 << (piece.0 % 64);
        self.count += 1;
        true
    }

    /// True if it was there before.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        if !self.has(piece) {
            return false;
        }
        self.words[piece.0 as usize / 64] &= !(1 << (piece.0 % 64));
        self.count -= 1;
        true
    }

    /// The pieces in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(PieceIndex(i as u32 * 64 + bit))
            })
        })
    }

    /// The first piece from `from` on that is not in the set.
    pub fn next_absent(&self, from: PieceIndex) -> Option<PieceIndex> {
        let first = from.0 as usize / 64;
        let found = self.words.iter().enumerate().skip(first).find_map(|(i, &word)| {
            let skipped = if i == first { (1u64 << (from.0 % 64)) - 1 } else { 0 };
            let absent = !(word | skipped);
            (absent != 0).then(|| i as u32 * 64 + absent.trailing_zeros())
        })?;
        (found < self.pieces).then_some(PieceIndex(found))
    }

    /// The 64 bits that hold pieces `64 * index ..`, lowest first; zero beyond the end.
    pub fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn piece_zero_is_the_highest_bit_of_the_first_byte() {
        let field = Bitfield::from_wire(&[0b1000_0001, 0b0100_0000], 10).expect("two bytes for ten pieces");
        assert_eq!(field.iter().map(|p| p.0).collect::<Vec<_>>(), [0, 7, 9]);
        assert_eq!(field.to_wire(), [0b1000_0001, 0b0100_0000]);
    }

    #[test]
    fn spare_bits_are_cleared_and_wrong_lengths_refused() {
        assert_eq!(Bitfield::from_wire(&[0xff, 0xff], 9).map(|f| f.count()), Some(9));
        assert_eq!(Bitfield::from_wire(&[0xff], 9), None);
        assert_eq!(Bitfield::from_wire(&[0xff, 0xff, 0], 9), None);
    }

    #[test]
    fn all_of_any_number_is_all() {
        for pieces in [0, 1, 63, 64, 65, 130] {
            let field = Bitfield::all(pieces);
            assert!(field.is_all());
            assert_eq!(field.iter().count() as u32, pieces);
        }
    }

    proptest! {
        #[test]
        fn the_next_absent_piece_is_the_first_that_is_not_there(
            set in proptest::collection::btree_set(0u32..130, 0..130), from in 0u32..140,
        ) {
            let mut field = Bitfield::none(130);
            set.iter().for_each(|&piece| { field.insert(PieceIndex(piece)); });
            let expected = (from..130).find(|piece| !set.contains(piece)).map(PieceIndex);
            prop_assert_eq!(field.next_absent(PieceIndex(from)), expected);
        }

        #[test]
        fn those_in_a_range_are_counted(
            set in proptest::collection::btree_set(0u32..200, 0..200), from in 0u32..210, to in 0u32..210,
        ) {
            let mut field = Bitfield::none(200);
            set.iter().for_each(|&piece| { field.insert(PieceIndex(piece)); });
            let expected = set.iter().filter(|&&piece| (from..to).contains(&piece)).count() as u32;
            prop_assert_eq!(field.count_in(from..to), expected);
        }

        #[test]
        fn the_wire_form_comes_back(set in proptest::collection::btree_set(0u32..300, 0..100)) {
            let mut field = Bitfield::none(300);
            for &piece in &set {
                prop_assert!(field.insert(PieceIndex(piece)));
            }
            prop_assert_eq!(field.count() as usize, set.len());
            prop_assert_eq!(Bitfield::from_wire(&field.to_wire(), 300), Some(field));
        }
    }
}
