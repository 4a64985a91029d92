//! A table of a Xapian database: a B-tree whose blocks are read as they are needed, those of one level all at once. Each step
//! down has to come to the level below, so nothing goes round in circles; and how much one question may read is bounded.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use moka::future::Cache;

use super::FullTextError;
use super::block::{Block, order};
use super::header::Root;
use crate::wiki::zim::Blob;

/// Blocks that are kept, in bytes.
const KEPT: u64 = 4 * 1024 * 1024;
/// Blocks that are asked for at the same time by one reader of a table.
const AT_ONCE: usize = 256;
/// Leaves that one question may go through in one table: half a gigabyte, of the usual size.
const MOST_LEAVES: usize = 65_536;
/// Of one tag, in bytes, decompressed.
const MOST_OF_A_TAG: usize = 4 * 1024 * 1024;

/// How many blocks one question has had read; more than enough is an error.
#[derive(Debug, Default)]
pub(super) struct Work(AtomicUsize);

impl Work {
    /// Of one question: one gigabyte of blocks of the usual size. Questions end long before that, in a whole index.
    const MOST: usize = 131_072;

    pub fn blocks(&self) -> usize {
        self.0.load(Memory::Relaxed)
    }

    fn add(&self) -> Result<(), FullTextError> {
        if self.0.fetch_add(1, Memory::Relaxed) >= Self::MOST {
            return Err(FullTextError::Broken(
                "it sends its reader from block to block without end".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Where all tables are, with the blocks that were read last. Cheap to clone.
#[derive(Clone)]
pub(super) struct Blocks {
    index: Blob,
    kept: Cache<u64, Arc<Block>>,
}

impl Blocks {
    pub fn new(index: Blob) -> Blocks {
        let kept = Cache::builder()
            .weigher(|_, block: &Arc<Block>| u32::try_from(block.size()).unwrap_or(u32::MAX))
            .max_capacity(KEPT)
            .build();
        Blocks { index, kept }
    }

    async fn read(&self, at: u64, size: u32, level: u8) -> Result<Arc<Block>, FullTextError> {
        let block = self.kept.try_get_with(at, async {
            let end = at.saturating_add(u64::from(size));
            if end > self.index.length() {
                return Err(FullTextError::Broken(format!("a block at byte {at} is beyond its end")));
            }
            let read = self.index.read(at..end).await?;
            if read.len() as u64 != end - at {
                return Err(FullTextError::Broken("it ends too early".to_owned()));
            }
            // A copy, for what was read may be a small part of something large.
            Ok(Arc::new(Block::parse(Bytes::copy_from_slice(&read), at, level)?))
        });
        let block = block.await.map_err(|error: Arc<FullTextError>| (*error).clone())?;
        // Somebody else may have read it as one of another level.
        if block.level() != level {
            return Err(block.broken("is at two levels"));
        }
        Ok(block)
    }
}

/// One table.
#[derive(Clone)]
pub(super) struct Tree {
    blocks: Blocks,
    root: Root,
}

/// A leaf: nothing in it stands before this key and component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub key: Vec<u8>,
    pub component: u16,
    pub block: u32,
}

/// A tag with its key.
pub(super) struct Entry<'a> {
    pub key: &'a [u8],
    pub tag: &'a [u8],
}

impl Tree {
    pub fn new(blocks: Blocks, root: Root) -> Tree {
        Tree { blocks, root }
    }

    /// How many blocks have so many bytes; at least one.
    pub fn leaves_in(&self, bytes: usize) -> usize {
        (bytes / (self.root.block_size as usize).max(1)).max(1)
    }

    async fn block(&self, number: u32, level: u8, work: &Work) -> Result<Arc<Block>, FullTextError> {
        work.add()?;
        let size = self.root.block_size;
        self.blocks.read(u64::from(number) * u64::from(size), size, level).await
    }

    /// The leaves in which keys from `from` up to, and without, `until` are. As many dependent reads as the tree has levels above
    /// its leaves.
    pub async fn leaves(&self, from: &[u8], until: &[u8], work: &Work) -> Result<Vec<Place>, FullTextError> {
        if self.root.is_empty {
            return Ok(Vec::new());
        }
        let mut places = vec![Place { key: Vec::new(), component: 0, block: self.root.block }];
        for level in (1..=self.root.level).rev() {
            let mut below = self.below(&places, level, from, until, work).await?;
            below.truncate(MOST_LEAVES);
            if let Some(pair) = below.windows(2).find(|pair| !is_ascending(pair)) {
                let at = pair.first().map_or(0, |place| place.block);
                return Err(FullTextError::Broken(format!("its keys are out of order around block {at}")));
            }
            places = below;
        }
        Ok(places)
    }

    /// The children of these branches in which such keys may be.
    async fn below(
        &self,
        places: &[Place],
        level: u8,
        from: &[u8],
        until: &[u8],
        work: &Work,
    ) -> Result<Vec<Place>, FullTextError> {
        let mut below = Vec::new();
        let mut blocks =
            std::pin::pin!(self.read_level(places.iter(), level, work).zip(stream::iter(places)));
        while let Some((block, above)) = blocks.next().await {
            choose(&*block?, above, from, until, &mut below)?;
            if below.len() > MOST_LEAVES {
                break;
            }
        }
        Ok(below)
    }

    /// These leaves, in this order, all asked for at once (if there are many, so many at a time).
    pub fn read<'a>(
        &'a self,
        places: impl Iterator<Item = &'a Place> + Send + 'a,
        work: &'a Work,
    ) -> impl Stream<Item = Result<Arc<Block>, FullTextError>> + Send + 'a {
        self.read_level(places, 0, work)
    }

    fn read_level<'a>(
        &'a self,
        places: impl Iterator<Item = &'a Place> + Send + 'a,
        level: u8,
        work: &'a Work,
    ) -> impl Stream<Item = Result<Arc<Block>, FullTextError>> + Send + 'a {
        stream::iter(places.map(move |place| self.block(place.block, level, work))).buffered(AT_ONCE)
    }

    /// The tag of this very key.
    pub async fn value(&self, key: &[u8], work: &Work) -> Result<Option<Vec<u8>>, FullTextError> {
        let mut until = key.to_vec();
        until.push(0);
        let places = self.leaves(key, &until, work).await?;
        let blocks: Vec<_> = self.read(places.iter(), work).try_collect().await?;
        let mut found = None;
        let mut tags = Tags::default();
        for block in blocks {
            tags.feed(&block, &mut |entry| {
                if entry.key == key {
                    found = Some(entry.tag.to_vec());
                }
                Ok(())
            })?;
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }
}

/// The children of a branch in which keys from `from` up to `until` may be.
fn choose(
    block: &Block,
    above: &Place,
    from: &[u8],
    until: &[u8],
    below: &mut Vec<Place>,
) -> Result<(), FullTextError> {
    // The last child that begins at `from` or before is the first that can have it; the first child has whatever is before the
    // second, its own key means nothing.
    let (mut low, mut high) = (0, block.count());
    while high.saturating_sub(low) > 1 {
        let middle = low + (high - low) / 2;
        let item = block.branch(middle)?;
        match order((item.key, item.component), (from, 1)) {
            Ordering::Greater => high = middle,
            Ordering::Less | Ordering::Equal => low = middle,
        }
    }
    for index in low..block.count() {
        let item = block.branch(index)?;
        if index > low && item.key >= until {
            break;
        }
        let place = if index == 0 {
            Place { block: item.block, ..above.clone() }
        } else {
            Place { key: item.key.to_vec(), component: item.component, block: item.block }
        };
        below.push(place);
        if below.len() > MOST_LEAVES {
            break;
        }
    }
    Ok(())
}

fn is_ascending(pair: &[Place]) -> bool {
    match pair {
        [left, right] => order((&left.key, left.component), (&right.key, right.component)).is_lt(),
        _ => true,
    }
}

/// Puts tags together from leaves that are fed in order: a tag may begin in one and end in another.
#[derive(Default)]
pub(super) struct Tags {
    /// A tag that has begun: its key, its parts so far, their number, and whether they are compressed.
    begun: Option<(Vec<u8>, Vec<u8>, u16, bool)>,
}

impl Tags {
    /// The next leaf does not follow the last: what has begun is given up.
    pub fn skip(&mut self) {
        self.begun = None;
    }

    /// Tells `take` of each tag that ends in this leaf. Parts whose beginning was not fed are left out.
    pub fn feed(
        &mut self,
        block: &Block,
        take: &mut (dyn FnMut(Entry<'_>) -> Result<(), FullTextError> + Send),
    ) -> Result<(), FullTextError> {
        for index in 0..block.count() {
            let item = block.leaf(index)?;
            if item.component == 1 {
                self.begun = None;
                if item.is_last && !item.is_compressed {
                    take(Entry { key: item.key, tag: item.tag })?;
                    continue;
                }
                self.begun = Some((item.key.to_vec(), item.tag.to_vec(), 1, item.is_compressed));
            } else if let Some((key, tag, component, _)) = &mut self.begun {
                if key != item.key || component.checked_add(1) != Some(item.component) {
                    return Err(block.broken("does not continue what the one before began"));
                }
                if tag.len().saturating_add(item.tag.len()) > MOST_OF_A_TAG {
                    return Err(block.broken("has a part of something that is too large"));
                }
                tag.extend_from_slice(item.tag);
                *component = item.component;
            }
            if item.is_last
                && let Some((key, tag, _, is_compressed)) = self.begun.take()
            {
                let tag = if is_compressed { inflate(&tag, block)? } else { tag };
                take(Entry { key: &key, tag: &tag })?;
            }
        }
        Ok(())
    }
}

fn inflate(tag: &[u8], block: &Block) -> Result<Vec<u8>, FullTextError> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(tag, MOST_OF_A_TAG)
        .map_err(|_| block.broken("has something that cannot be decompressed"))
}
