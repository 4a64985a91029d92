//! From the beginning of a title to articles, in few trips: titles are nearly in the order of paths, so the place of a path tells about where in the
//! list of titles to look. Titles themselves decide.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::super::archive::Archive;
use super::blob::Blob;
use super::header::Header;
use super::lookup::Lookup;
use super::{Entry, ZimError};
use crate::lock::lock;

/// One of the list: the number of an entry in the order of paths.
const NUMBER: u64 = 4;
/// So many numbers of the list are read at once, around a guess.
const WINDOW: u32 = 4096;
/// A guess is made better so often.
const GUESSES: usize = 8;
/// So many entries before the place that was guessed are looked at with those behind it.
const BEFORE: u32 = 4;
/// At most so many entries are read for one question.
const MOST: usize = 1000;
/// So many places of the list are remembered.
const MOST_KNOWN: usize = 4096;

/// Entries in the order of their titles.
pub struct Titles {
    /// `None`: the order of paths stands in for it.
    list: Option<Blob>,
    count: u32,
    /// Numbers of the list that were read, with their places in it.
    known: Mutex<BTreeMap<u32, u32>>,
}

impl Titles {
    /// The content of `X/listing/titleOrdered/v1` or `v0`.
    pub fn of_blob(list: Blob) -> Titles {
        let count = u32::try_from(list.length() / NUMBER).unwrap_or(u32::MAX);
        Titles { list: Some(list), count, known: Mutex::default() }
    }

    /// The list that the header names.
    pub fn of_header(archive: Archive, header: &Header) -> Titles {
        let start = header.title_pointers_at.unwrap_or_default();
        let range = start..start.saturating_add(NUMBER * u64::from(header.entries));
        let list = Some(Blob::Stretch { archive, range });
        Titles { list, count: header.entries, known: Mutex::default() }
    }

    /// The order of paths, for a file without any list.
    pub fn of_paths(header: &Header) -> Titles {
        Titles { list: None, count: header.entries, known: Mutex::default() }
    }

    /// How many entries the list has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The entries of content whose title begins so, whatever the case of its first letter, in the order of titles; `most` at most. Where there is
    /// no list, the path has to begin so.
    pub async fn starting_with(
        &self,
        lookup: &Lookup,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<Entry>, ZimError> {
        let most = most.min(MOST);
        let each = either_case(prefix).into_iter().map(|prefix| async move {
            match &self.list {
                Some(list) => self.in_list(lookup, list, prefix.as_bytes(), most).await,
                None => in_paths(lookup, prefix.replace(' ', "_").as_bytes(), most).await,
            }
        });
        let mut found = try_join_all(each).await?.concat();
        found.truncate(most);
        Ok(found)
    }

    /// The entry that is number `number` in the order of titles, counted from 0.
    pub async fn at(&self, lookup: &Lookup, number: u32) -> Result<Entry, ZimError> {
        let Some(list) = &self.list else { return lookup.entry(number).await };
        match self.numbers(list, number..number.saturating_add(1)).await?.first() {
            Some(&index) => lookup.entry(index).await,
            None => Err(ZimError::Broken(format!("the list of titles ends before number {number}"))),
        }
    }

    async fn in_list(
        &self,
        lookup: &Lookup,
        list: &Blob,
        prefix: &[u8],
        most: usize,
    ) -> Result<Vec<Entry>, ZimError> {
        let first = self.first_from(lookup, list, prefix, most).await?;
        let last = first.saturating_add(u32::try_from(most).unwrap_or(u32::MAX)).min(self.count);
        let mut found = self.entries(lookup, list, first..last).await?;
        let begins_so = |entry: &Entry| {
            entry.dirent.namespace == lookup.content_namespace() && entry.dirent.title().starts_with(prefix)
        };
        let other = found.iter().position(|entry| !begins_so(entry)).unwrap_or(found.len());
        found.truncate(other);
        Ok(found)
    }

    /// The place in the list of the first entry whose title is not below `prefix`.
    async fn first_from(
        &self,
        lookup: &Lookup,
        list: &Blob,
        prefix: &[u8],
        most: usize,
    ) -> Result<u32, ZimError> {
        let wanted = (lookup.content_namespace(), prefix);
        let is_below = |entry: &Entry| (entry.dirent.namespace, &entry.dirent.title()[..]) < wanted;
        let path: Vec<u8> = prefix.iter().map(|&byte| if byte == b' ' { b'_' } else { byte }).collect();
        let index = lookup.first_from(wanted.0, &path).await?;
        let guess = self.place_of(lookup, list, index).await?;
        // All before `from` are below, none from `to` on is.
        let (mut from, mut to) = (0, self.count);
        let mut window = {
            let behind = u32::try_from(most).unwrap_or(u32::MAX).clamp(BEFORE, 32);
            guess.saturating_sub(BEFORE)..guess.saturating_add(behind)
        };
        let mut step = 64u32;
        while from < to {
            window = window.start.clamp(from, to - 1)..window.end.clamp(from + 1, to);
            if window.is_empty() {
                window = from..from + 1;
            }
            let entries = self.entries(lookup, list, window.clone()).await?;
            let below = entries.partition_point(is_below) as u32;
            let place = window.start + below;
            if below > 0 {
                from = place;
            }
            if place < window.end {
                to = place;
            }
            // The guess was wrong: further away at every step, then from both sides.
            let middle = match (place == window.end, place == window.start) {
                (true, _) if from.saturating_add(step) < to => from + step,
                (_, true) if from.saturating_add(step) < to => to - step,
                _ => from + to.saturating_sub(from) / 2,
            };
            window = middle..middle.saturating_add(1);
            step = step.saturating_mul(8);
        }
        Ok(from)
    }

    /// Where in the list entry `index` is, about: in most files numbers ascend there nearly all the time.
    async fn place_of(&self, lookup: &Lookup, list: &Blob, index: u32) -> Result<u32, ZimError> {
        let mut guess = 0;
        for _ in 0..GUESSES {
            let (low, high) = {
                let known = lock(&self.known);
                let low = known.range(..=index).next_back().map_or((0, 0), |(&key, &place)| (key, place));
                let high = known.range(index..).next().map(|(&key, &place)| (key, place));
                (low, high.unwrap_or((lookup.entries_count(), self.count)))
            };
            if low.1 >= high.1 {
                return Ok(low.1);
            }
            let (way, far) = (u64::from(index - low.0), u64::from(high.0.saturating_sub(low.0)).max(1));
            guess = low.1 + (u64::from(high.1 - low.1) * way.min(far) / far) as u32;
            let first = guess.saturating_sub(WINDOW / 2).max(low.1);
            let window = first..first.saturating_add(WINDOW).min(high.1);
            let numbers = self.numbers(list, window.clone()).await?;
            let (Some(&lowest), Some(&highest)) = (numbers.first(), numbers.last()) else { return Ok(guess) };
            self.remember([(lowest, window.start), (highest, window.end - 1)]);
            let is_all = window.start == low.1 && window.end == high.1;
            if is_all || (lowest <= index && index <= highest) {
                let below = numbers.iter().filter(|&&number| number < index).count() as u32;
                return Ok(window.start + below);
            }
        }
        Ok(guess)
    }

    fn remember(&self, known: [(u32, u32); 2]) {
        let mut all = lock(&self.known);
        if all.len() > MOST_KNOWN {
            let mut number = 0usize;
            all.retain(|_, _| {
                number += 1;
                number.is_multiple_of(2)
            });
        }
        all.extend(known);
    }

    /// The entries at these places of the list.
    async fn entries(
        &self,
        lookup: &Lookup,
        list: &Blob,
        places: Range<u32>,
    ) -> Result<Vec<Entry>, ZimError> {
        let numbers = self.numbers(list, places).await?;
        lookup.entries(numbers).await
    }

    /// What the list has at these places.
    async fn numbers(&self, list: &Blob, places: Range<u32>) -> Result<Vec<u32>, ZimError> {
        let range = u64::from(places.start) * NUMBER..u64::from(places.end) * NUMBER;
        let bytes: Bytes = list.read(range).await?;
        let four = bytes.chunks_exact(NUMBER as usize).filter_map(|four| four.try_into().ok());
        Ok(four.map(u32::from_le_bytes).collect())
    }
}

/// The entries of content whose path begins so.
async fn in_paths(lookup: &Lookup, prefix: &[u8], most: usize) -> Result<Vec<Entry>, ZimError> {
    let namespace = lookup.content_namespace();
    let first = lookup.first_from(namespace, prefix).await?;
    let last = first.saturating_add(u32::try_from(most).unwrap_or(u32::MAX)).min(lookup.entries_count());
    let mut found = lookup.entries((first..last).collect()).await?;
    let begins_so =
        |entry: &Entry| entry.dirent.namespace == namespace && entry.dirent.path.starts_with(prefix);
    let other = found.iter().position(|entry| !begins_so(entry)).unwrap_or(found.len());
    found.truncate(other);
    Ok(found)
}

/// With a large first letter and with a small one, in the order of bytes; once if there is no difference.
fn either_case(prefix: &str) -> Vec<String> {
    let mut letters = prefix.chars();
    let Some(first) = letters.next() else { return vec![String::new()] };
    let rest = letters.as_str();
    let large = first.to_uppercase().chain(rest.chars()).collect();
    let small = first.to_lowercase().chain(rest.chars()).collect();
    let mut both: Vec<String> = vec![large, small, prefix.to_owned()];
    both.sort();
    both.dedup();
    both
}
