//! Where pieces, blocks and bytes of a torrent lie. Numbers only: names and folders are `source`'s and `store`'s.

use std::ops::Range;

/// What a request asks for: 16 KiB, the size that every client serves (BEP 3).
pub const BLOCK: u32 = 16 * 1024;

/// A piece, counted from 0. A piece has a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(pub u32);

/// A block of a piece: the unit of a request. `block` counts from 0 within the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    pub piece: PieceIndex,
    pub block: u32,
}

/// Where a file lies in the torrent's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileSpan {
    pub offset: u64,
    pub length: u64,
}

impl FileSpan {
    pub fn end(self) -> u64 {
        self.offset + self.length
    }

    pub fn range(self) -> Range<u64> {
        self.offset..self.end()
    }
}

/// The sizes of a torrent: how many bytes, in pieces of which length, and which bytes are padding (BEP 47).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    total: u64,
    piece_length: u32,
    /// Ascending, not touching, not empty.
    padding: Vec<Range<u64>>,
}

impl Layout {
    /// `None` if the piece length is zero, or there would be more pieces than a `u32` counts.
    pub fn new(total: u64, piece_length: u32) -> Option<Self> {
        let fits = piece_length > 0 && total.div_ceil(u64::from(piece_length)) <= u64::from(u32::MAX);
        fits.then_some(Layout { total, piece_length, padding: Vec::new() })
    }

    /// With these bytes known to be zeros that no peer need send. Ranges beyond the end are cut.
    pub fn with_padding(mut self, ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut sorted: Vec<_> =
            ranges.into_iter().map(|r| r.start..r.end.min(self.total)).filter(|r| r.start < r.end).collect();
        sorted.sort_by_key(|r| r.start);
        self.padding.clear();
        for range in sorted {
            match self.padding.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => self.padding.push(range),
            }
        }
        self
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// The length of every piece but the last.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    pub fn pieces(&self) -> u32 {
        self.total.div_ceil(u64::from(self.piece_length)) as u32
    }

    pub fn piece_start(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_length)
    }

    /// The length of this piece: shorter for the last one, 0 for one that does not exist.
    pub fn piece_size(&self, piece: PieceIndex) -> u32 {
        self.total.saturating_sub(self.piece_start(piece)).min(u64::from(self.piece_length)) as u32
    }

    pub fn piece_range(&self, piece: PieceIndex) -> Range<u64> {
        let start = self.piece_start(piece);
        start..start + u64::from(self.piece_size(piece))
    }

    /// The piece that holds byte `at` of the torrent. `at` must be less than `total`.
    pub fn piece_at(&self, at: u64) -> PieceIndex {
        PieceIndex((at / u64::from(self.piece_length)) as u32)
    }

    /// The pieces that hold any of these bytes of the torrent.
    pub fn pieces_of(&self, bytes: Range<u64>) -> Range<u32> {
        let end = bytes.end.min(self.total);
        if bytes.start >= end {
            return 0..0;
        }
        self.piece_at(bytes.start).0..self.piece_at(end - 1).0 + 1
    }

    pub fn blocks_in(&self, piece: PieceIndex) -> u32 {
        self.piece_size(piece).div_ceil(BLOCK)
    }

    /// The length of this block: shorter for the last of a piece, 0 for one that does not exist.
    pub fn block_size(&self, id: BlockId) -> u32 {
        u64::from(self.piece_size(id.piece))
            .saturating_sub(u64::from(id.block) * u64::from(BLOCK))
            .min(u64::from(BLOCK)) as u32
    }

    /// Where the block begins in the torrent.
    pub fn block_start(&self, id: BlockId) -> u64 {
        self.piece_start(id.piece) + u64::from(id.block) * u64::from(BLOCK)
    }

    /// The block that a message's (index, begin, length) names, if it names exactly one of ours.
    pub fn block(&self, index: u32, begin: u32, length: u32) -> Option<BlockId> {
        let id = BlockId { piece: PieceIndex(index), block: begin / BLOCK };
        (begin.is_multiple_of(BLOCK) && length > 0 && self.block_size(id) == length).then_some(id)
    }

    /// True if every byte of the block is padding: nobody need be asked for it.
    pub fn is_padding(&self, id: BlockId) -> bool {
        let start = self.block_start(id);
        let end = start + u64::from(self.block_size(id));
        let after = self.padding.partition_point(|r| r.start <= start);
        after > 0 && start < end && self.padding[after - 1].end >= end
    }

    /// The ranges of padding, ascending.
    pub fn padding(&self) -> &[Range<u64>] {
        &self.padding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(100_000, 40_000).expect("a fair layout")
    }

    #[test]
    fn the_last_piece_and_its_last_block_are_short() {
        let layout = layout();
        assert_eq!(layout.pieces(), 3);
        assert_eq!(layout.piece_size(PieceIndex(2)), 20_000);
        assert_eq!(layout.piece_size(PieceIndex(3)), 0);
        assert_eq!(layout.blocks_in(PieceIndex(0)), 3);
        assert_eq!(layout.block_size(BlockId { piece: PieceIndex(2), block: 1 }), 20_000 - BLOCK);
        assert_eq!(layout.block_size(BlockId { piece: PieceIndex(2), block: 2 }), 0);
    }

    #[test]
    fn a_message_names_a_block_exactly_or_not_at_all() {
        let layout = layout();
        assert_eq!(layout.block(2, BLOCK, 20_000 - BLOCK), Some(BlockId { piece: PieceIndex(2), block: 1 }));
        assert_eq!(layout.block(2, BLOCK, BLOCK), None);
        assert_eq!(layout.block(2, 1, BLOCK), None);
        assert_eq!(layout.block(u32::MAX, 0, BLOCK), None);
        assert_eq!(layout.block(0, u32::MAX - u32::MAX % BLOCK, BLOCK), None);
    }

    #[test]
    fn pieces_of_bytes_are_those_that_hold_any_of_them() {
        let layout = layout();
        assert_eq!(layout.pieces_of(39_999..40_001), 0..2);
        assert_eq!(layout.pieces_of(40_000..40_000), 0..0);
        assert_eq!(layout.pieces_of(90_000..u64::MAX), 2..3);
    }

    #[test]
    fn a_block_is_padding_only_when_all_of_it_is() {
        let layout =
            Layout::new(10 * 65_536, 65_536).expect("fair").with_padding([70_000..131_072, 65_000..70_000]);
        assert!(!layout.is_padding(BlockId { piece: PieceIndex(0), block: 3 }));
        assert!(layout.is_padding(BlockId { piece: PieceIndex(1), block: 0 }));
        assert!(layout.is_padding(BlockId { piece: PieceIndex(1), block: 3 }));
        assert!(!layout.is_padding(BlockId { piece: PieceIndex(2), block: 0 }));
        assert_eq!(layout.padding().len(), 1, "touching ranges are one");
        assert_eq!(layout.padding()[0], 65_000..131_072);
    }

    #[test]
    fn impossible_layouts_are_refused() {
        assert_eq!(Layout::new(1, 0), None);
        assert_eq!(Layout::new(u64::MAX, 1), None);
        assert_eq!(Layout::new(0, 1).map(|l| l.pieces()), Some(0));
    }
}
