//! What will happen, in order of time; of one moment, in order of being planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use peerflix::units::Timestamp;

pub struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    planned: u64,
}

struct Entry<E> {
    at: Timestamp,
    sequence: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub fn new() -> Self {
        Agenda { heap: BinaryHeap::new(), planned: 0 }
    }

    pub fn plan(&mut self, at: Timestamp, event: E) {
        self.heap.push(Entry { at, sequence: self.planned, event });
        self.planned += 1;
    }

    pub fn next(&mut self) -> Option<(Timestamp, E)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> Ord for Entry<E> {
    /// The earliest is the greatest: `BinaryHeap` gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}
