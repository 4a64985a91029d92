//! What is known of a row of things in ascending order that lies in the file: stretches of it that are there, each with its first and last.

use std::ops::Range;

/// What all stretches may take, in bytes.
const MOST: usize = 2 * 1024 * 1024;
/// What one takes besides its keys.
const BESIDES: usize = 200;

/// One of a row, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item<K> {
    pub at: u64,
    pub end: u64,
    pub key: K,
}

/// A stretch of the file that is there.
#[derive(Clone, Debug)]
pub(super) struct Span<K> {
    pub extent: Range<u64>,
    /// The first that lies wholly within it.
    pub first: Item<K>,
    pub last: Item<K>,
    /// How many bytes one takes there, about.
    pub size: f64,
    /// What both keys take in memory, in bytes.
    pub weight: usize,
}

/// What was found of the place of a key: the known ones just below and above it, and where nothing is known in between.
#[derive(Clone, Debug)]
pub(super) struct Gap<K> {
    /// The last known one that is not above the key.
    pub below: Option<Item<K>>,
    /// The first known one above it.
    pub above: Option<Item<K>>,
    pub between: Range<u64>,
}

/// In the order of their places, none of them touching another.
pub(super) struct Spans<K> {
    spans: Vec<Span<K>>,
    weight: usize,
}

impl<K: Ord + Clone> Spans<K> {
    pub(super) fn new() -> Spans<K> {
        Spans { spans: Vec::new(), weight: 0 }
    }

    /// Adds a stretch, in the place of what lies in it. False if the order of its things is not that of their places.
    pub(super) fn add(&mut self, span: Span<K>) -> bool {
        let from = self.spans.partition_point(|one| one.extent.end <= span.extent.start);
        let to = self.spans.partition_point(|one| one.extent.start < span.extent.end).max(from);
        let is_above = |one: &Span<K>| one.last.key < span.first.key;
        let is_below = |one: &Span<K>| span.last.key < one.first.key;
        let in_order = from.checked_sub(1).and_then(|at| self.spans.get(at)).is_none_or(is_above)
            && self.spans.get(to).is_none_or(is_below)
            && span.first.key <= span.last.key;
        if in_order {
            self.weight += span.weight + BESIDES;
            let replaced = self.spans.splice(from..to, [span]);
            self.weight -= replaced.map(|one| one.weight + BESIDES).sum::<usize>();
            while self.weight > MOST && self.spans.len() > 1 {
                self.thin_out();
            }
        }
        in_order
    }

    /// Forgets every other one.
    fn thin_out(&mut self) {
        let mut number = 0usize;
        self.spans.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        self.weight = self.spans.iter().map(|one| one.weight + BESIDES).sum();
    }

    /// True if a stretch is known that has this byte.
    pub(super) fn has(&self, at: u64) -> bool {
        let after = self.spans.partition_point(|one| one.extent.start <= at);
        after.checked_sub(1).and_then(|before| self.spans.get(before)).is_some_and(|one| one.extent.end > at)
    }

    /// Where `key` has its place, in a row that begins and ends so.
    pub(super) fn gap(&self, key: &K, row: &Range<u64>) -> Gap<K> {
        let mut gap = Gap { below: None, above: None, between: row.clone() };
        let after = self.spans.partition_point(|one| one.first.key <= *key);
        if let Some(before) = after.checked_sub(1).and_then(|at| self.spans.get(at)) {
            gap.narrow(key, &before.first, &before.last);
        }
        if let Some(next) = self.spans.get(after) {
            gap.narrow(key, &next.first, &next.last);
        }
        gap
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The stretches that begin within these bytes.
    pub(super) fn within(&self, range: Range<u64>) -> &[Span<K>] {
        let from = self.spans.partition_point(|one| one.extent.start < range.start);
        let to = self.spans.partition_point(|one| one.extent.start < range.end).max(from);
        self.spans.get(from..to).unwrap_or_default()
    }
}

impl<K: Ord + Clone> Gap<K> {
    /// Takes in the first and the last of some that lie side by side.
    pub(super) fn narrow(&mut self, key: &K, first: &Item<K>, last: &Item<K>) {
        for one in [first, last] {
            if one.key <= *key {
                self.set_below(one);
            } else {
                self.set_above(one);
            }
        }
    }

    fn set_below(&mut self, one: &Item<K>) {
        if one.end > self.between.start && one.end <= self.between.end {
            self.between.start = one.end;
            self.below = Some(one.clone());
        }
    }

    fn set_above(&mut self, one: &Item<K>) {
        if one.at < self.between.end && one.at >= self.between.start {
            self.between.end = one.at;
            self.above = Some(one.clone());
        }
    }

    /// Takes in neighbours, without a hole between any two of them. True if the place of the key is among them.
    pub(super) fn narrow_by(&mut self, key: &K, row: &[Item<K>]) -> bool {
        let above = row.partition_point(|one| one.key <= *key);
        let below = above.checked_sub(1).and_then(|at| row.get(at));
        if let Some(below) = below {
            self.set_below(below);
        }
        if let Some(above) = row.get(above) {
            self.set_above(above);
        }
        below.is_some_and(|one| one.key == *key) || self.between.is_empty()
    }
}
