//! The list of the documents of a term, with how often it is in each; and, in the same shape, that of the lengths of all
//! documents. A list is cut into chunks; the key of a chunk is the term and its first document.

use futures_util::StreamExt;

use super::FullTextError;
use super::pack::{Unpacker, key_of_term, prefix_of_chunks};
use super::tree::{Entry, Place, Tags, Tree, Work};

/// A list of so few leaves is read whole when it is opened.
const SHORT: usize = 16;

/// Documents that are read at once: more do not fit into the leaves that are read at once, in a whole index.
const MOST: usize = 1 << 20;

/// A document of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Posting {
    pub document: u32,
    /// How often the term is in it; in the list of lengths, how many words it has.
    pub count: u32,
}

/// Where the list of a term is.
pub(super) struct List {
    tree: Tree,
    first_key: Vec<u8>,
    prefix: Vec<u8>,
    leaves: Vec<Place>,
    /// How many documents are in it, as it says itself.
    pub documents: u32,
}

/// A chunk without its postings.
struct Chunk<'a> {
    first: u32,
    last: u32,
    rest: Unpacker<'a>,
}

impl List {
    /// The list of `term`, that of lengths for the empty one; `None`: no document has it. One dependent read more than the tree has
    /// levels above its leaves.
    pub async fn open(tree: &Tree, term: &[u8], work: &Work) -> Result<Option<List>, FullTextError> {
        let (first_key, prefix) = (key_of_term(term), prefix_of_chunks(term));
        let mut until = prefix.clone();
        // No number begins with this byte.
        until.push(0xff);
        let leaves = tree.leaves(&first_key, &until, work).await?;
        let mut list = List { tree: tree.clone(), first_key, prefix, leaves, documents: 0 };
        let read = if list.leaves.len() <= SHORT { list.leaves.len() } else { list.whole(0..1).end };
        let mut entries = None;
        list.entries(0..read, work, |list, entry| {
            if entry.key == list.first_key {
                entries = Some(Unpacker::new(entry.tag).uint32().ok_or_else(broken)?);
            }
            Ok(())
        })
        .await?;
        let Some(documents) = entries else { return Ok(None) };
        list.documents = documents;
        Ok(Some(list))
    }

    /// How many leaves it lies in.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// How many leaves have so many bytes; at least one.
    pub fn leaves_in(&self, bytes: usize) -> usize {
        self.tree.leaves_in(bytes)
    }

    /// These leaves, and those behind that have the rest of what begins in them.
    fn whole(&self, leaves: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let behind = self.leaves.get(leaves.end..).unwrap_or_default();
        let more = behind.iter().take_while(|place| place.component > 1).count();
        leaves.start..leaves.end.saturating_add(more)
    }

    async fn entries(
        &self,
        leaves: std::ops::Range<usize>,
        work: &Work,
        mut take: impl FnMut(&List, Entry<'_>) -> Result<(), FullTextError> + Send,
    ) -> Result<(), FullTextError> {
        let places = self.leaves.get(leaves).unwrap_or_default();
        let mut blocks = std::pin::pin!(self.tree.read(places.iter(), work));
        let mut tags = Tags::default();
        while let Some(block) = blocks.next().await {
            tags.feed(&*block?, &mut |entry| take(self, entry))?;
        }
        Ok(())
    }

    /// The chunk that this entry is; `None`: it is no part of this list.
    fn chunk<'a>(&self, entry: &Entry<'a>) -> Result<Option<Chunk<'a>>, FullTextError> {
        let mut rest = Unpacker::new(entry.tag);
        let first = if entry.key == self.first_key {
            let _documents_and_occurrences =
                (rest.uint().ok_or_else(broken)?, rest.uint().ok_or_else(broken)?);
            rest.uint32().and_then(|before| before.checked_add(1)).ok_or_else(broken)?
        } else {
            match self.document(entry.key) {
                Some(first) => first,
                None => return Ok(None),
            }
        };
        let _is_last_chunk = rest.boolean().ok_or_else(broken)?;
        let last = rest.uint32().and_then(|more| first.checked_add(more)).ok_or_else(broken)?;
        Ok(Some(Chunk { first, last, rest }))
    }

    /// The document in the key of a chunk of this list, but for the first chunk.
    fn document(&self, key: &[u8]) -> Option<u32> {
        let mut number = Unpacker::new(key.strip_prefix(self.prefix.as_slice())?);
        number.sortable().filter(|_| number.is_empty())
    }

    /// All documents whose chunks begin in these leaves, in order.
    pub async fn read(
        &self,
        leaves: std::ops::Range<usize>,
        work: &Work,
    ) -> Result<Vec<Posting>, FullTextError> {
        let first_not = self.leaves.get(leaves.end).cloned();
        let mut postings: Vec<Posting> = Vec::new();
        self.entries(self.whole(leaves), work, |list, entry| {
            // What follows the rest of a chunk in the leaf behind is for whoever reads that leaf.
            let begins_behind = first_not.as_ref().is_some_and(|place| match place.component {
                0 | 1 => entry.key >= place.key.as_slice(),
                _ => entry.key > place.key.as_slice(),
            });
            if begins_behind {
                return Ok(());
            }
            let Some(chunk) = list.chunk(&entry)? else { return Ok(()) };
            for posting in chunk {
                let posting = posting?;
                let is_behind = postings.last().is_none_or(|before| before.document < posting.document);
                if !is_behind || postings.len() >= MOST {
                    return Err(broken());
                }
                postings.push(posting);
            }
            Ok(())
        })
        .await?;
        Ok(postings)
    }

    /// Those of these documents (in order) that are in the list. Only leaves where one of them can be are read.
    pub async fn find(&self, documents: &[u32], work: &Work) -> Result<Vec<Posting>, FullTextError> {
        let chosen = self.leaves_of(documents);
        let places: Vec<&Place> = chosen.iter().filter_map(|index| self.leaves.get(*index)).collect();
        let mut blocks = std::pin::pin!(self.tree.read(places.into_iter(), work));
        let mut tags = Tags::default();
        let mut found: Vec<Posting> = Vec::new();
        let mut wanted = documents;
        for (index, number) in chosen.iter().enumerate() {
            let Some(block) = blocks.next().await else { break };
            if index
                .checked_sub(1)
                .and_then(|before| chosen.get(before))
                .is_none_or(|before| before + 1 != *number)
            {
                tags.skip();
            }
            tags.feed(&*block?, &mut |entry| {
                let Some(chunk) = self.chunk(&entry)? else { return Ok(()) };
                wanted = wanted
                    .get(wanted.partition_point(|document| *document < chunk.first)..)
                    .unwrap_or_default();
                if wanted.first().is_none_or(|document| *document > chunk.last) {
                    return Ok(());
                }
                for posting in chunk {
                    let posting = posting?;
                    while let [first, rest @ ..] = wanted
                        && *first <= posting.document
                    {
                        if *first == posting.document {
                            found.push(posting);
                        }
                        wanted = rest;
                    }
                    if wanted.is_empty() {
                        break;
                    }
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// The leaves where these documents can be, in order.
    fn leaves_of(&self, documents: &[u32]) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        let mut key = self.prefix.clone();
        for document in documents {
            key.truncate(self.prefix.len());
            super::pack::push_sortable(&mut key, *document);
            let after = self.leaves.partition_point(|place| {
                super::block::order((&place.key, place.component), (&key, 1)).is_le()
            });
            let at = after.saturating_sub(1);
            let mut from = at;
            // A leaf that begins with a chunk has all that comes from there on. One that begins with the rest of a chunk, or of which
            // only the beginning of a key is known, may lack it.
            while from > 0
                && self
                    .leaves
                    .get(from)
                    .is_some_and(|place| place.component > 1 || self.document(&place.key).is_none())
            {
                from -= 1;
                if self.leaves.get(from).is_some_and(|place| place.component == 1) {
                    break;
                }
            }
            let whole = self.whole(from..at + 1);
            let next = chosen.last().map_or(0, |last| last + 1);
            chosen.extend(whole.start.max(next)..whole.end.min(self.leaves.len()));
        }
        chosen
    }
}

impl Iterator for Chunk<'_> {
    type Item = Result<Posting, FullTextError>;

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.first;
        if self.rest.is_empty() || document > self.last {
            return None;
        }
        let Some(count) = self.rest.uint32() else {
            self.rest = Unpacker::new(&[]);
            return Some(Err(broken()));
        };
        if !self.rest.is_empty() {
            let Some(next) = self
                .rest
                .uint32()
                .and_then(|more| document.checked_add(more))
                .and_then(|next| next.checked_add(1))
            else {
                self.rest = Unpacker::new(&[]);
                return Some(Err(broken()));
            };
            self.first = next;
        }
        Some(Ok(Posting { document, count }))
    }
}

fn broken() -> FullTextError {
    FullTextError::Broken("a list of documents in it is no list".to_owned())
}
