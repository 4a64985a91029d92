//! A search in something that lies in the file in ascending order: the entries themselves, or the places of entries. What is there
//! already is read where it helps; what is not is asked for several guesses at once.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::here::{ask, grain, here_around, is_here};
use super::spans::{Gap, Item, Span, Spans};
use crate::lock::lock;
use crate::wiki::archive::Archive;
use crate::wiki::zim::ZimError;

/// So much is read at once of what is there.
pub(super) const WINDOW: u64 = 16 * 1024;
/// A search that takes more steps than this does not get anywhere: the file is not as it should be.
const MOST_STEPS: usize = 200;

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

    /// What is best asked for together with these places, since it will be wanted next.
    fn beside(&self, gap: &Gap<Self::Key>, guess: u64) -> Vec<u64>;

    /// One of those places has come.
    fn came_beside(&self, at: u64) -> impl Future<Output = Result<(), ZimError>> + Send;

    /// The key by itself: not a slice of something larger.
    fn alone(&self, key: &Self::Key) -> Self::Key;

    /// How many guesses are asked for at once where so many bytes come at once, of so many that the gap has.
    fn guesses(&self, grain: u64, missing: u64) -> Guesses;
}

/// What to ask for.
pub(super) enum Guesses {
    /// All that is not there.
    All,
    /// So many, so far from each other in bytes, around the guess.
    Around(u64, u64),
    /// So many, all over the gap.
    Spread(u64),
}

/// The place of a key: its neighbours. `None`: the row is not as it should be, and does not tell.
pub(super) async fn place<R: Row>(row: &R, wanted: &R::Key) -> Result<Option<Gap<R::Key>>, ZimError> {
    let mut gap = lock(row.spans()).gap(wanted, &row.range());
    let mut steps = 0;
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
        let places = places(row, &gap, guess);
        let came = |at: u64| {
            let gap = gap.between.clone();
            async move {
                if !is_here(archive, at) {
                    return Ok(true);
                }
                if at < gap.start || at >= gap.end {
                    return row.came_beside(at).await.map(|()| true);
                }
                let extent = here_around(archive, at, &row.range());
                if lock(row.spans()).has(at) || !remember(row, &extent).await? {
                    return Ok(true);
                }
                let now = lock(row.spans()).gap(wanted, &row.range());
                Ok(archive.to_fetch(now.between) > 0)
            }
        };
        let missing = archive.to_fetch(between.clone());
        ask(archive, places, came).await?;
        if archive.to_fetch(between.clone()) == missing {
            return Ok(None);
        }
        gap = lock(row.spans()).gap(wanted, &row.range());
    }
}

/// What to ask for, of a gap that has bytes which are not there; `guess` is one of those.
fn places<R: Row>(row: &R, gap: &Gap<R::Key>, guess: u64) -> Vec<u64> {
    let archive = row.archive();
    let between = &gap.between;
    let grain = grain(archive, guess);
    let missing = archive.to_fetch(between.clone()).div_ceil(grain);
    let last = between.end - 1;
    let mut places: Vec<u64> = match row.guesses(grain, missing) {
        Guesses::All => {
            let steps = (between.end - between.start).div_ceil(grain).min(64);
            (0..steps).map(|step| between.start + step * grain).chain([last]).collect()
        }
        Guesses::Around(most, apart) => {
            let first = guess.saturating_sub(most / 2 * apart);
            (0..most).map(|step| first + step * apart).chain([guess]).collect()
        }
        Guesses::Spread(most) => spread(between, most),
    };
    places.iter_mut().for_each(|place| *place = (*place).clamp(between.start, last));
    places.push(guess);
    places.retain(|&place| !is_here(archive, place));
    places.sort_unstable();
    // Of two that come together one is enough.
    places.dedup_by(|b, a| archive.to_fetch(*a..*b + 1) <= archive.to_fetch(*a..*a + 1));
    places.extend(row.beside(gap, guess));
    places
}

/// So many places (at least two) from the first byte to the last.
pub(super) fn spread(range: &Range<u64>, most: u64) -> Vec<u64> {
    let (length, last) = (range.end.saturating_sub(range.start), most.max(2) - 1);
    let one =
        |number: u64| (u128::from(length.saturating_sub(1)) * u128::from(number) / u128::from(last)) as u64;
    (0..=last).map(|number| range.start + one(number)).collect()
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
    let span = Span { extent: extent.clone(), first: alone(first), last: alone(last), size };
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
