//! Pieces whose hash was wrong: a digest of every version of each of their blocks, so that a liar can be named.
//! Bounded: a piece that does not fit is watched without memory; nothing is then said about who lied.

use std::collections::{BTreeMap, VecDeque};

use crate::layout::{BlockId, PieceIndex};

/// SHA-1 of a block, as it would lie on disk (padding as zeros).
pub(super) type Digest = [u8; 20];

/// Digests kept in all: 640 KiB.
const MOST_DIGESTS: usize = 32 * 1024;
/// Versions of one block that are kept.
const MOST_VERSIONS: usize = 8;

#[derive(Default)]
pub(super) struct Versions {
    pieces: BTreeMap<PieceIndex, Watched>,
    /// Pieces with digests, the one that failed first at the front.
    order: VecDeque<PieceIndex>,
    digests: usize,
}

#[derive(Default)]
struct Watched {
    /// Of each block, the versions in order of arrival; empty for a piece whose digests were given up.
    blocks: Vec<Vec<Digest>>,
}

impl Versions {
    pub(super) fn is_watched(&self, piece: PieceIndex) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// The number of pieces that have failed and not been right since.
    pub(super) fn count(&self) -> usize {
        self.pieces.len()
    }

    /// The piece has failed for the first time, with these blocks.
    pub(super) fn watch(&mut self, piece: PieceIndex, blocks: Vec<Digest>) {
        let count = blocks.len();
        self.forget(piece);
        if count > MOST_DIGESTS {
            self.pieces.insert(piece, Watched::default());
            return;
        }
        self.make_room(count, None);
        self.pieces
            .insert(piece, Watched { blocks: blocks.into_iter().map(|digest| vec![digest]).collect() });
        self.order.push_back(piece);
        self.digests += count;
    }

    /// A block of a watched piece has come again. True if it differs from the version before it; if that is not known, true
    /// too, since then only hashing can tell.
    pub(super) fn add(&mut self, block: BlockId, digest: Digest) -> bool {
        let has_digests = self.pieces.get(&block.piece).is_some_and(|watched| !watched.blocks.is_empty());
        if !has_digests || !self.make_room(1, Some(block.piece)) {
            self.give_up(block.piece);
            return true;
        }
        let Some(versions) = self
            .pieces
            .get_mut(&block.piece)
            .and_then(|watched| watched.blocks.get_mut(block.block as usize))
        else {
            return true;
        };
        let differs = versions.last() != Some(&digest);
        if versions.len() < MOST_VERSIONS {
            versions.push(digest);
            self.digests += 1;
            return differs;
        }
        // From here on versions could no longer be told apart by their numbers.
        self.give_up(block.piece);
        differs
    }

    /// The piece is right, with these blocks: each version of a block that was not, as (block, version).
    pub(super) fn settle(&mut self, piece: PieceIndex, right: &[Digest]) -> Vec<(u32, u32)> {
        let Some(watched) = self.forget(piece) else { return Vec::new() };
        let blocks = (0..).zip(watched.blocks.iter().zip(right));
        blocks
            .flat_map(|(block, (versions, right))| {
                (0..)
                    .zip(versions)
                    .filter(move |&(_, digest)| digest != right)
                    .map(move |(version, _)| (block, version))
            })
            .collect()
    }

    /// What is known of the piece's versions is no longer true; it stays watched.
    pub(super) fn give_up(&mut self, piece: PieceIndex) {
        if self.forget(piece).is_some() {
            self.pieces.insert(piece, Watched::default());
        }
    }

    fn forget(&mut self, piece: PieceIndex) -> Option<Watched> {
        let watched = self.pieces.remove(&piece)?;
        self.digests -= watched.blocks.iter().map(Vec::len).sum::<usize>();
        self.order.retain(|&other| other != piece);
        Some(watched)
    }

    /// Gives up the oldest pieces until there is room; never `except`. False if there is none all the same.
    fn make_room(&mut self, count: usize, except: Option<PieceIndex>) -> bool {
        while self.digests + count > MOST_DIGESTS {
            let Some(&oldest) = self.order.iter().find(|&&piece| Some(piece) != except) else { return false };
            self.give_up(oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: PieceIndex = PieceIndex(4);

    fn digest(of: u8) -> Digest {
        [of; 20]
    }

    fn block(block: u32) -> BlockId {
        BlockId { piece: PIECE, block }
    }

    #[test]
    fn every_version_that_was_wrong_is_named() {
        let mut versions = Versions::default();
        versions.watch(PIECE, vec![digest(1), digest(2)]);
        assert!(!versions.add(block(0), digest(1)));
        assert!(versions.add(block(1), digest(9)));
        assert!(versions.add(block(1), digest(3)));
        assert_eq!(versions.settle(PIECE, &[digest(1), digest(3)]), [(1, 0), (1, 1)]);
        assert!(!versions.is_watched(PIECE));
        assert_eq!(versions.digests, 0);
    }

    #[test]
    fn memory_is_bounded_and_what_is_given_up_accuses_nobody() {
        let mut versions = Versions::default();
        for piece in 0..200 {
            versions.watch(PieceIndex(piece), vec![digest(piece as u8); 1024]);
        }
        assert!(versions.digests <= MOST_DIGESTS);
        assert_eq!(versions.count(), 200);
        assert!(
            versions.add(BlockId { piece: PieceIndex(0), block: 0 }, digest(0)),
            "not known: only a hash can tell"
        );
        assert!(!versions.add(BlockId { piece: PieceIndex(199), block: 0 }, digest(199)));
        assert_eq!(versions.settle(PieceIndex(0), &[digest(7); 1024]), []);
        versions.watch(PIECE, vec![digest(1); MOST_DIGESTS + 1]);
        assert!(versions.is_watched(PIECE));
        assert_eq!(versions.settle(PIECE, &[digest(7); 10]), []);
    }

    #[test]
    fn a_block_that_comes_without_end_is_no_longer_counted() {
        let mut versions = Versions::default();
        versions.watch(PIECE, vec![digest(0)]);
        (1..=50).for_each(|n| assert!(versions.add(block(0), digest(n))));
        assert!(versions.digests <= MOST_VERSIONS);
        assert_eq!(versions.settle(PIECE, &[digest(50)]), []);
    }
}
