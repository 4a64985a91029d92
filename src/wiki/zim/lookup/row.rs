//! A search in something that lies in the file in ascending order: the entries themselves, or the places of entries. What is there
//! already is read where it helps; what is not is asked for several guesses at once.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::here::{ask, here_around, is_here};
use super::spans::{Gap, Item, Span, Spans};
use crate::lock::lock;
use crate::wiki::archive::Archive;
use crate::wiki::zim::ZimError;

/// So much is read at once of what is there.
pub(super) const WINDOW: u64 = 16 * 1024;
/// A search that takes more steps than this does not get anywhere: the file is not as it should be.
const MOST_STEPS: usize = 200;
/// The same for steps that ask the swarm.
const MOST_ASKED: usize = 12;

/// With fewer stretches a row is not known at all.
pub(super) const KNOWN: usize = 2;

/// Things in ascending order.
pub(super) trait Row: Sync {
    type Key: Ord + Clone + Send + Sync;

    fn archive(&self) -> &Archive;

    /// Where they lie; all begin before its end.
    fn range(&self) -> Range<u64>;

    fn spans(&self) -> &Mutex<Spans<Self::Key>>;

    /// Those that lie wholly in these bytes, which begin at byte `at` of the file, without a hole between any two. Where one begins is to be found
    /// out, unless `is_start`: one begins at `at`.
    fn items(&self, at: u64, bytes: &Bytes, is_start: bool) -> Vec<Item<Self::Key>>;

    /// About where `wanted` is, in the bytes of the gap.
    fn guess(&self, gap: &Gap<Self::Key>, wanted: &Self::Key) -> u64;

    /// What to ask for at once, of a gap that has bytes which are not there, `guess` among them; `asked` times that was done already in this
    /// search. May name what will be wanted next as well.
    fn places(&self, gap: &Gap<Self::Key>, wanted: &Self::Key, guess: u64, asked: usize) -> Vec<u64>;

    /// One of those places has come that are not of this row.
    fn came_beside(&self, at: u64) -> impl Future<Output = Result<(), ZimError>> + Send;

    /// The key by itself: not a slice of something larger.
    fn alone(&self, key: &Self::Key) -> Self::Key;

    /// The memory that the key takes, about, in bytes.
    fn weight(&self, key: &Self::Key) -> usize;
}

/// The place of a key: its neighbours. `None`: the row is not as it should be, and does not tell.
pub(super) async fn place<R: Row>(row: &R, wanted: &R::Key) -> Result<Option<Gap<R::Key>>, ZimError> {
    let mut gap = lock(row.spans()).gap(wanted, &row.range());
    let mut steps = 0;
    let mut asked = 0;
    let mut halve = false;
    loop {
        steps += 1;
        if steps > MOST_STEPS {
            return Ok(None);
        }
        if gap.below.as_ref().is_some_and(|below| below.key == *wanted) || gap.between.is_empty() {
            return Ok(Some(gap));
        }
        let between = gap.between.clone();
        let archive = row.archive();
        if archive.to_fetch(between.clone()) == 0 {
            let near = match halve {
                true => between.start + (between.end - between.start) / 2,
                false => row.guess(&gap, wanted),
            };
            halve = steps % 2 == 0;
            match read_near(row, &mut gap, wanted, near).await? {
                Read::Found => return Ok(Some(gap)),
                Read::Narrowed => continue,
                Read::Nothing => return Ok(None),
            }
        }
        let guess = row.guess(&gap, wanted).clamp(between.start, between.end - 1);
        let guess = match is_here(archive, guess) {
            false => guess,
            true => {
                let extent = here_around(archive, guess, &row.range());
                if !lock(row.spans()).has(guess) && remember(row, &extent).await? {
                    gap = lock(row.spans()).gap(wanted, &row.range());
                    if gap.between != between {
                        continue;
                    }
                }
                // Less than one of them: the rest of it lies in what is missing.
                match extent.end < between.end {
                    true => extent.end,
                    false => extent.start.saturating_sub(1).max(between.start),
                }
            }
        };
        let mut places = row.places(&gap, wanted, guess, asked);
        if places.is_empty() {
            places.push(guess);
        }
        // The first look at a file is none at a gap.
        let is_known = lock(row.spans()).len() >= KNOWN;
        asked += usize::from(is_known);
        if asked > MOST_ASKED {
            return Ok(None);
        }
        let range = row.range();
        let came = |at: u64| {
            let range = range.clone();
            async move {
                if !is_here(archive, at) {
                    return Ok(());
                }
                if !range.contains(&at) {
                    return row.came_beside(at).await;
                }
                if !lock(row.spans()).has(at) {
                    remember(row, &here_around(archive, at, &range)).await?;
                }
                Ok(())
            }
        };
        let is_wanted = |at: u64| {
            if !is_known {
                return true;
            }
            let now = lock(row.spans()).gap(wanted, &range).between;
            archive.to_fetch(now.clone()) > 0 && (now.contains(&at) || !range.contains(&at))
        };
        let missing = archive.to_fetch(between.clone());
        ask(archive, places.clone(), came, is_wanted).await?;
        for at in places {
            // What was no longer wanted may have come all the same.
            if range.contains(&at) && is_here(archive, at) && !lock(row.spans()).has(at) {
                remember(row, &here_around(archive, at, &range)).await?;
            }
        }
        if archive.to_fetch(between.clone()) == missing {
            return Ok(None);
        }
        gap = lock(row.spans()).gap(wanted, &row.range());
    }
}

/// One byte of all that is not there of a gap and comes at once, if that is so many times at most.
pub(super) fn all(archive: &Archive, between: &Range<u64>, grain: u64, most: u64) -> Option<Vec<u64>> {
    let missing = archive.to_fetch(between.clone()).div_ceil(grain);
    let steps = (between.end - between.start).div_ceil(grain);
    // Where much is there already, what is not lies in a few holes.
    (missing <= most && steps <= 64 * most).then(|| {
        let places = (0..steps).map(|step| between.start + step * grain).chain([between.end - 1]);
        once(archive, places.collect())
    })
}

/// So many places in a gap, the closer together the nearer to the guess: half of them as if nothing was known, half as if guesses were wrong by an
/// eighth of the gap, which they are in lists of words, of files and of packages.
pub(super) fn likely(between: &Range<u64>, guess: u64, most: u64) -> Vec<u64> {
    const WRONG: f64 = 0.125;
    let length = (between.end - between.start) as f64;
    let middle = guess.saturating_sub(between.start) as f64 / length;
    let below = |x: f64| match x < middle {
        true => 0.5 * ((x - middle) / WRONG).exp(),
        false => 1.0 - 0.5 * ((middle - x) / WRONG).exp(),
    };
    let (first, last) = (below(0.0), below(1.0));
    let share = |x: f64| 0.5 * x + 0.5 * (below(x) - first) / (last - first);
    let place = |number: u64| {
        let wanted = (number + 1) as f64 / (most + 1) as f64;
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..30 {
            let middle = (low + high) / 2.0;
            if share(middle) < wanted { low = middle } else { high = middle }
        }
        between.start + ((low * length) as u64).min(between.end - between.start - 1)
    };
    (0..most).map(place).collect()
}

/// Without those that are there, and of those that come together one.
pub(super) fn once(archive: &Archive, mut places: Vec<u64>) -> Vec<u64> {
    places.retain(|&place| !is_here(archive, place));
    places.sort_unstable();
    places.dedup_by(|b, a| archive.to_fetch(*a..*b + 1) <= archive.to_fetch(*a..*a + 1));
    places
}

/// So many places, the last byte among them, as far from each other as the first is from the beginning.
pub(super) fn spread(range: &Range<u64>, most: u64) -> Vec<u64> {
    let (last, most) = (range.end.saturating_sub(range.start).saturating_sub(1), most.max(1));
    let one = |number: u64| (u128::from(last) * u128::from(number) / u128::from(most)) as u64;
    (1..=most).map(|number| range.start + one(number)).collect()
}

/// Reads both ends of a stretch that is there, and remembers it. False if there is nothing whole in it.
pub(super) async fn remember<R: Row>(row: &R, extent: &Range<u64>) -> Result<bool, ZimError> {
    let archive = row.archive();
    let range = row.range();
    let end = extent.end.min(extent.start.saturating_add(WINDOW));
    let bytes = archive.read(extent.start..end).await?;
    let head = row.items(extent.start, &bytes, extent.start == range.start);
    let tail = match extent.end > end {
        true => {
            let start = extent.end.saturating_sub(WINDOW).max(extent.start);
            let bytes = archive.read(start..extent.end).await?;
            row.items(start, &bytes, false)
        }
        false => Vec::new(),
    };
    let of_head = head.first().zip(head.last());
    let of_tail = tail.first().zip(tail.last());
    let (Some((first, first_last)), Some((_, last))) = (of_head, of_tail.or(of_head)) else {
        return Ok(false);
    };
    let size = (first_last.end - first.at) as f64 / head.len() as f64;
    let size = match of_tail {
        Some((from, to)) => (size + (to.end - from.at) as f64 / tail.len() as f64) / 2.0,
        None => size,
    };
    let alone = |item: &Item<R::Key>| Item { at: item.at, end: item.end, key: row.alone(&item.key) };
    let weight = row.weight(&first.key) + row.weight(&last.key);
    let span = Span { extent: extent.clone(), first: alone(first), last: alone(last), size, weight };
    Ok(lock(row.spans()).add(span))
}

enum Read {
    /// The place of the key is known.
    Found,
    Narrowed,
    /// There was nothing to be read.
    Nothing,
}

/// Reads a window of a gap that is there.
async fn read_near<R: Row>(
    row: &R,
    gap: &mut Gap<R::Key>,
    wanted: &R::Key,
    near: u64,
) -> Result<Read, ZimError> {
    let between = gap.between.clone();
    let is_all = between.end - between.start <= WINDOW;
    let start = match is_all {
        true => between.start,
        false => near.saturating_sub(WINDOW / 2).max(between.start),
    };
    let end = between.end.min(start.saturating_add(WINDOW));
    let bytes = row.archive().read(start..end).await?;
    let mut items = row.items(start, &bytes, start == between.start);
    if items.is_empty() && start == between.start {
        items = row.items(start, &bytes, false);
    }
    if gap.narrow_by(wanted, &items) || (is_all && !items.is_empty()) {
        return Ok(Read::Found);
    }
    Ok(if gap.between == between { Read::Nothing } else { Read::Narrowed })
}
