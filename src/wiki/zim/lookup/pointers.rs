//! The path pointers as a row: the places of entries, in the order of paths, which is that of the places too in most files.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::here::{grain, is_here};
use super::row::{Row, all, once, place};
use super::spans::{Gap, Item, Spans};
use super::{Ends, Lookup};
use crate::lock::lock;
use crate::wiki::archive::Archive;
use crate::wiki::zim::ZimError;

/// The bytes of one.
pub(super) const POINTER: u64 = 8;
/// A guess from a known pointer on is wrong by this part of the way, or less.
const WRONG: u64 = 32;

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

    fn places(&self, gap: &Gap<u64>, wanted: &u64, guess: u64, _asked: usize) -> Vec<u64> {
        let archive = self.archive();
        let grain = grain(archive, guess);
        match all(archive, &gap.between, grain, 2) {
            Some(all) => all,
            None => self.about(*wanted..*wanted, 3),
        }
    }

    async fn came_beside(&self, _at: u64) -> Result<(), ZimError> {
        Ok(())
    }

    fn alone(&self, key: &u64) -> u64 {
        *key
    }

    fn weight(&self, key: &u64) -> usize {
        size_of_val(key)
    }
}

impl Pointers<'_> {
    /// The neighbours of an entry's place.
    pub(super) async fn place(&self, at: u64) -> Result<Option<Gap<u64>>, ZimError> {
        place(self, &at).await
    }

    /// What to ask for when entries between these bytes are asked for: the pointers to all of them, if those are few, or to the guess.
    pub(super) fn beside(&self, between: &Range<u64>, guess: u64) -> Vec<u64> {
        let (all, one) = (self.about(between.clone(), 4), self.about(guess..guess, 3));
        if all.len() <= 3 { all } else { one }
    }

    /// What to ask for, to have the pointers to entries between these bytes: none of it is there. No more than `most` places are of use.
    fn about(&self, entries: Range<u64>, most: u64) -> Vec<u64> {
        let (low, high) = (self.guess_about(entries.start), self.guess_about(entries.end));
        let from = low.0.saturating_sub(low.1).max(self.range().start);
        let to = (high.0 + high.1).min(self.range().end - 1).max(from);
        let Some(missing) = [low.0, high.0, from, to].into_iter().find(|&at| !is_here(self.archive(), at))
        else {
            return Vec::new();
        };
        let steps = ((to - from) / grain(self.archive(), missing) + 1).min(most);
        let places = (0..=steps).map(|step| from + (to - from) * step / steps);
        once(self.archive(), places.chain([low.0, high.0]).collect())
    }

    /// Where the pointer to the entry at byte `place` is, about, and how wrong that may be, in bytes.
    pub(super) fn guess_about(&self, place: u64) -> (u64, u64) {
        let gap = lock(self.spans()).gap(&place, &self.range());
        if gap.between.is_empty() || gap.below.as_ref().is_some_and(|below| below.key == place) {
            return (gap.between.start.saturating_sub(POINTER).max(self.range().start), 0);
        }
        let guess = self.guess(&gap, &place);
        let far = guess.saturating_sub(gap.between.start).min(gap.between.end.saturating_sub(guess));
        (guess, far / WRONG)
    }

    /// How many entries there are from byte `low` to byte `to`, about, where entries are known up to `high`: by what one takes in the known
    /// stretches between.
    fn weigh(&self, low: u64, to: u64, high: u64) -> f64 {
        let spans = lock(&self.lookup.spans);
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
