//! The path pointers as a row: the places of entries, in the order of paths, which is that of the places too in most files.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::row::{Guesses, Row, place};
use super::spans::{Gap, Item, Spans};
use super::{Ends, Lookup};
use crate::lock::lock;
use crate::wiki::archive::Archive;
use crate::wiki::zim::ZimError;

/// The bytes of one.
pub(super) const POINTER: u64 = 8;

pub(super) struct Pointers<'a> {
    pub lookup: &'a Lookup,
    pub ends: Ends,
}

impl Row for Pointers<'_> {
    type Key = u64;

    fn archive(&self) -> &Archive {
        &self.lookup.archive
    }

    fn range(&self) -> Range<u64> {
        let start = self.lookup.header.path_pointers_at;
        start..start + u64::from(self.lookup.header.entries) * POINTER
    }

    fn spans(&self) -> &Mutex<Spans<u64>> {
        &self.lookup.pointers
    }

    fn items(&self, at: u64, bytes: &Bytes, _is_start: bool) -> Vec<Item<u64>> {
        let start = self.range().start;
        let skip = (POINTER - at.saturating_sub(start) % POINTER) % POINTER;
        let whole = bytes.get(skip as usize..).unwrap_or_default();
        let places = whole.chunks_exact(POINTER as usize).filter_map(|eight| eight.try_into().ok());
        let mut at = at + skip;
        let mut items: Vec<Item<u64>> = Vec::new();
        for eight in places {
            let key = u64::from_le_bytes(eight);
            if items.last().is_some_and(|last| last.key >= key) {
                break;
            }
            items.push(Item { at, end: at + POINTER, key });
            at += POINTER;
        }
        items
    }

    fn guess(&self, gap: &Gap<u64>, wanted: &u64) -> u64 {
        let last = self.range().end.saturating_sub(POINTER);
        let low =
            gap.below.as_ref().map_or((self.range().start, self.ends.first), |item| (item.at, item.key));
        let high = gap.above.as_ref().map_or((last, self.ends.last), |item| (item.at, item.key));
        let (wanted, top) = (self.weigh(low.1, *wanted, high.1), self.weigh(low.1, high.1, high.1));
        let fraction = if top > 0.0 { wanted / top } else { 0.5 };
        low.0 + ((high.0.saturating_sub(low.0) as f64 * fraction) as u64) / POINTER * POINTER
    }

    fn beside(&self, _gap: &Gap<u64>, _guess: u64) -> Vec<u64> {
        Vec::new()
    }

    async fn came_beside(&self, _at: u64) -> Result<(), ZimError> {
        Ok(())
    }

    fn alone(&self, key: &u64) -> u64 {
        *key
    }

    fn guesses(&self, grain: u64, missing: u64) -> Guesses {
        if missing <= 2 { Guesses::All } else { Guesses::Around(2, grain) }
    }
}

impl Pointers<'_> {
    /// The neighbours of an entry's place.
    pub(super) async fn place(&self, at: u64) -> Result<Option<Gap<u64>>, ZimError> {
        place(self, &at).await
    }

    /// Where the pointer to the entry at byte `place` is, about.
    pub(super) fn about(&self, place: u64) -> u64 {
        let gap = lock(self.spans()).gap(&place, &self.range());
        if gap.between.is_empty() || gap.below.as_ref().is_some_and(|below| below.key == place) {
            return gap.between.start.saturating_sub(POINTER).max(self.range().start);
        }
        self.guess(&gap, &place)
    }

    /// How many entries there are from byte `low` to byte `to`, about, where entries are known up to `high`: by what one takes in the known
    /// stretches between.
    fn weigh(&self, low: u64, to: u64, high: u64) -> f64 {
        let spans = lock(&self.lookup.entries);
        let known = spans.within(low..high);
        let (mut sum, mut at) = (0.0, low);
        let mut density = known.first().map_or(1.0, |span| 1.0 / span.size.max(1.0));
        for span in known {
            let (middle, next) = (span.extent.start.midpoint(span.extent.end), 1.0 / span.size.max(1.0));
            if middle <= at {
                density = next;
                continue;
            }
            let end = middle.min(to);
            let part = end.saturating_sub(at) as f64 / (middle - at) as f64;
            let there = density + (next - density) * part;
            sum += end.saturating_sub(at) as f64 * (density + there) / 2.0;
            if middle >= to {
                return sum;
            }
            (at, density) = (middle, next);
        }
        sum + to.saturating_sub(at) as f64 * density
    }
}
