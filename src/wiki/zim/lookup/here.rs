//! Which bytes are there already: reading those costs no trip.

use std::ops::Range;

use futures_util::future::select_all;

use crate::wiki::archive::Archive;
use crate::wiki::zim::ZimError;

/// What comes from the swarm at once is taken to be at least so large, where nobody can tell.
const LEAST: u64 = 16 * 1024;

/// True if this byte can be read without waiting.
pub(super) fn is_here(archive: &Archive, at: u64) -> bool {
    archive.to_fetch(at..at.saturating_add(1)) == 0
}

/// How many bytes come at once with this one, which is not there: the torrent's pieces.
pub(super) fn grain(archive: &Archive, at: u64) -> u64 {
    archive.to_fetch(at..at.saturating_add(1)).max(LEAST)
}

/// All that is there around byte `at`, which is there, and lies in `within`.
pub(super) fn here_around(archive: &Archive, at: u64, within: &Range<u64>) -> Range<u64> {
    let is_here = |from: u64, to: u64| archive.to_fetch(from..to) == 0;
    let forward = reach(within.end.saturating_sub(at), |far| is_here(at, at + far));
    let back = reach(at.saturating_sub(within.start), |far| is_here(at - far, at));
    at - back..at + forward
}

/// The largest number up to `most` for which `holds`, which holds for all below some number, and for none from there on.
fn reach(most: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut step) = (0, LEAST);
    let mut high = most + 1;
    while low < most {
        let next = (low + step).min(most);
        if holds(next) {
            low = next;
            step = step.saturating_mul(2);
        } else {
            high = next;
            break;
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

/// Asks for what these bytes come with, all at once, and tells `came` of each as it comes. What `is_wanted` no longer then is not wished for any
/// more.
pub(super) async fn ask<F>(
    archive: &Archive,
    places: Vec<u64>,
    mut came: impl FnMut(u64) -> F,
    is_wanted: impl Fn(u64) -> bool,
) -> Result<(), ZimError>
where
    F: Future<Output = Result<(), ZimError>>,
{
    let read = |at: u64| Box::pin(async move { archive.read(at..at.saturating_add(1)).await.map(|_| at) });
    let mut asked: Vec<_> = places.into_iter().map(|at| (at, read(at))).collect();
    while !asked.is_empty() {
        let first = asked.iter_mut().map(|(_, read)| read);
        let (at, _, _) = select_all(first).await;
        let at = at?;
        came(at).await?;
        asked.retain(|(place, _)| *place != at && is_wanted(*place));
    }
    Ok(())
}
