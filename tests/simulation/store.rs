//! The disk: keeps which version of each block came, hashes pieces, and knows afterwards who lied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, Layout, PieceIndex};

/// What a block holds: 0 is right, every other number is a wrong content of its own.
pub type Content = u32;
pub const RIGHT: Content = 0;

pub struct Store {
    layout: Layout,
    verified: Bitfield,
    blocks: BTreeMap<BlockId, Content>,
    /// Of pieces that failed: each block's contents in order of arrival. The last one is on disk.
    versions: BTreeMap<PieceIndex, BTreeMap<u32, Vec<Content>>>,
    /// Distinct blocks that came and were not here.
    pub first_time: u64,
}

pub enum Hash {
    /// Not all of it is there: the disk has refused some, and that has been told.
    Incomplete,
    Right {
        lies: Vec<(u32, u32)>,
    },
    Wrong,
}

impl Store {
    pub fn new(layout: Layout, had: Bitfield) -> Self {
        Store { layout, verified: had, blocks: BTreeMap::new(), versions: BTreeMap::new(), first_time: 0 }
    }

    pub fn verified(&self) -> &Bitfield {
        &self.verified
    }

    pub fn has_block(&self, block: BlockId) -> bool {
        self.verified.has(block.piece) || self.blocks.contains_key(&block) || self.layout.is_padding(block)
    }

    /// `Some(differs)` if the block's piece has failed before, so that there is something to compare with.
    pub fn write(&mut self, block: BlockId, content: Content) -> Option<bool> {
        if self.verified.has(block.piece) {
            return None;
        }
        if let Some(versions) = self.versions.get_mut(&block.piece) {
            let versions = versions.entry(block.block).or_default();
            let differs = versions.last() != Some(&content);
            versions.push(content);
            self.blocks.insert(block, content);
            return Some(differs);
        }
        // A block that comes twice before the piece is hashed stays what it was.
        if !self.blocks.contains_key(&block) {
            self.first_time += u64::from(self.layout.block_size(block));
            self.blocks.insert(block, content);
        }
        None
    }

    /// A millisecond for each MiB, and a little for asking.
    pub fn time_to_hash(&self, piece: PieceIndex) -> Duration {
        Duration::from_micros(100)
            + Duration::from_nanos(u64::from(self.layout.piece_size(piece)) * 1_000_000 / (1 << 20))
    }

    pub fn hash(&mut self, piece: PieceIndex) -> Hash {
        let blocks: Vec<_> =
            (0..self.layout.blocks_in(piece)).map(|block| BlockId { piece, block }).collect();
        if !blocks.iter().all(|block| self.has_block(*block)) {
            return Hash::Incomplete;
        }
        let wrong: BTreeSet<u32> = blocks
            .iter()
            .filter(|block| self.blocks.get(block).is_some_and(|content| *content != RIGHT))
            .map(|block| block.block)
            .collect();
        if wrong.is_empty() {
            self.verified.insert(piece);
            for block in &blocks {
                self.blocks.remove(block);
            }
            let versions = self.versions.remove(&piece).unwrap_or_default();
            let lies = versions
                .iter()
                .flat_map(|(block, contents)| {
                    let wrong = contents.iter().enumerate().filter(|(_, content)| **content != RIGHT);
                    wrong.map(|(version, _)| (*block, version as u32))
                })
                .collect();
            return Hash::Right { lies };
        }
        if !self.versions.contains_key(&piece) {
            let first = blocks.iter().filter_map(|block| Some((block.block, vec![*self.blocks.get(block)?])));
            let first = first.collect();
            self.versions.insert(piece, first);
        }
        Hash::Wrong
    }
}
