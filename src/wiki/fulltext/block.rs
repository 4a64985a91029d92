//! A block of a B-tree: a directory of items, in the order of their keys. Leaves have tags (or parts of them), branches the numbers
//! of blocks.

use std::cmp::Ordering;

use bytes::Bytes;

use super::FullTextError;

/// Revision, level, free bytes in one piece and in all, end of the directory.
const DIRECTORY: usize = 11;
/// In the two bytes of a leaf item's size.
const COMPRESSED: u16 = 0x8000;
const LAST: u16 = 0x4000;
const FIRST: u16 = 0x2000;
const SIZE: u16 = 0x1fff;

#[derive(Clone, Debug)]
pub(super) struct Block {
    bytes: Bytes,
    /// Its place in the file, in bytes, for errors.
    at: u64,
    level: u8,
    count: usize,
}

/// An item of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf<'a> {
    pub key: &'a [u8],
    /// 1 for the first part of a tag.
    pub component: u16,
    pub is_last: bool,
    /// All parts of one tag are, or none.
    pub is_compressed: bool,
    pub tag: &'a [u8],
}

/// An item of a branch: from this key and component on, it is in that block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch<'a> {
    pub key: &'a [u8],
    pub component: u16,
    pub block: u32,
}

/// The order of a table.
pub(super) fn order(left: (&[u8], u16), right: (&[u8], u16)) -> Ordering {
    left.0.cmp(right.0).then(left.1.cmp(&right.1))
}

impl Block {
    /// `level`: what it has to be.
    pub fn parse(bytes: Bytes, at: u64, level: u8) -> Result<Block, FullTextError> {
        let mut block = Block { bytes, at, level, count: 0 };
        if block.bytes.get(4) != Some(&level) {
            return Err(block.broken("is not of the level that it should be of"));
        }
        let end = block.u16(9).map_or(0, usize::from);
        if end < DIRECTORY || end > block.bytes.len() || !(end - DIRECTORY).is_multiple_of(2) {
            return Err(block.broken("has an impossible directory"));
        }
        block.count = (end - DIRECTORY) / 2;
        Ok(block)
    }

    /// 0: a leaf.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// How many items it has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// In memory, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of::<Block>()
    }

    pub fn leaf(&self, index: usize) -> Result<Leaf<'_>, FullTextError> {
        self.try_leaf(index).ok_or_else(|| self.broken("has an item that does not fit"))
    }

    fn try_leaf(&self, index: usize) -> Option<Leaf<'_>> {
        let at = self.item(index)?;
        let flags = self.u16(at)?;
        let item = self.bytes.get(at..at.checked_add(usize::from(flags & SIZE) + 3)?)?;
        let key_end = 3 + usize::from(*item.get(2)?);
        let key = item.get(3..key_end)?;
        let (component, tag) = if flags & FIRST != 0 {
            (1, item.get(key_end..)?)
        } else {
            let (component, tag) = item.get(key_end..)?.split_first_chunk::<2>()?;
            (u16::from_be_bytes(*component), tag)
        };
        let is_compressed = flags & COMPRESSED != 0;
        Some(Leaf { key, component, is_last: flags & LAST != 0, is_compressed, tag })
    }

    pub fn branch(&self, index: usize) -> Result<Branch<'_>, FullTextError> {
        self.try_branch(index).ok_or_else(|| self.broken("has an item that does not fit"))
    }

    fn try_branch(&self, index: usize) -> Option<Branch<'_>> {
        let item = self.bytes.get(self.item(index)?..)?;
        let (block, item) = item.split_first_chunk::<4>()?;
        let (length, item) = item.split_first()?;
        let (key, item) = item.split_at_checked(usize::from(*length))?;
        let component = item.first_chunk::<2>()?;
        Some(Branch { key, component: u16::from_be_bytes(*component), block: u32::from_be_bytes(*block) })
    }

    fn item(&self, index: usize) -> Option<usize> {
        let entry = DIRECTORY.checked_add(index.checked_mul(2)?)?;
        (index < self.count).then(|| self.u16(entry)).flatten().map(usize::from)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub fn broken(&self, what: &str) -> FullTextError {
        FullTextError::Broken(format!("the block at byte {} of it {what}", self.at))
    }
}
