//! How paths are spread between two paths: what tells where to look first.
//!
//! Letters are not spread evenly, and no two languages have them alike. So what follows what is counted in the paths that were read: a
//! path is then a number from 0 to 1, and the numbers of all paths lie about evenly.

use super::entries::Key;

/// Behind the namespace's letter the first letter of a path comes, which no letter tells.
const NOTHING: usize = 0;
/// Further into what two paths do not share nobody has to look.
const DEEP: usize = 24;
/// What was counted is halved before a count could overflow.
const MOST: u16 = 40_000;
/// A count weighs so much more than what was believed before.
const WEIGHT: u32 = 24;

/// What follows what.
pub(super) struct Model {
    /// Of each byte (row) and the one behind it.
    counts: Box<[u16]>,
}

impl Model {
    pub(super) fn new() -> Model {
        Model { counts: vec![0; 256 * 256].into() }
    }

    /// Takes in a path (with its namespace before it), the one before which was `previous`: what they share was counted already.
    pub(super) fn learn(&mut self, previous: &Key, key: &Key) {
        let shared = previous.shared(key);
        for at in shared.max(1)..shared + DEEP {
            let Some(next) = key.byte(at) else { return };
            let cell = before(key, at) * 256 + usize::from(next);
            let Some(count) = self.counts.get_mut(cell) else { return };
            *count += 1;
            if *count > MOST {
                self.counts.iter_mut().for_each(|count| *count /= 2);
            }
        }
    }

    /// How far `wanted` is from `low` to `high`, from 0 to 1, where `low` <= `wanted` <= `high`. `None` above is the
    /// end of all.
    pub(super) fn fraction(&self, low: &Key, high: Option<&Key>, wanted: &Key) -> f64 {
        let from = high.map_or(0, |high| low.shared(high));
        let low = self.number(low, from);
        let high = high.map_or(1.0, |high| self.number(high, from));
        let wanted = self.number(wanted, from);
        let fraction = (wanted - low) / (high - low);
        if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.5 }
    }

    /// What is behind byte `from`, as a number from 0 to 1.
    fn number(&self, key: &Key, from: usize) -> f64 {
        let (mut low, mut width) = (0.0, 1.0);
        for at in from..from + DEEP {
            let Some(byte) = key.byte(at) else { break };
            let row = before(key, at) * 256;
            let Some(counts) = self.counts.get(row..row + 256) else { break };
            let (mut below, mut own, mut all) = (0, 0, 0);
            for (next, &count) in (0u8..=255).zip(counts) {
                let weight = u32::from(count) * WEIGHT + believed(next);
                all += weight;
                match next.cmp(&byte) {
                    std::cmp::Ordering::Less => below += weight,
                    std::cmp::Ordering::Equal => own = weight,
                    std::cmp::Ordering::Greater => {}
                }
            }
            low += width * f64::from(below) / f64::from(all);
            width *= f64::from(own) / f64::from(all);
        }
        low
    }
}

/// What stands before byte `at`, as a small letter: behind a large one comes what comes behind a small one.
fn before(key: &Key, at: usize) -> usize {
    match at.checked_sub(1) {
        Some(previous @ 1..) => {
            key.byte(previous).map_or(NOTHING, |byte| usize::from(byte.to_ascii_lowercase()))
        }
        _ => NOTHING,
    }
}

/// Before anything was counted: text has letters, and few of what is beyond ASCII.
fn believed(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => 16,
        b'0'..=b'9' | b'_' | b' ' => 8,
        b'!'..=b'/' | b':'..=b'@' => 2,
        0xc3..=0xf4 => 4,
        _ => 1,
    }
}
