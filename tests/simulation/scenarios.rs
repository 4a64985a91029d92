//! The scenarios: worlds as data, each with the story it tells. Each is a test of its own over twenty seeds.

mod bench;
mod networks;
mod swarms;
mod torrents;
mod viewers;

use crate::brain::Mind;
use crate::report::Row;
use crate::scenario::{At, Measure, Scenario, Step};

/// The file of bench/compare.py: 600 s of film at 510 kB/s.
const FILM: u64 = 306_000_000;
const BITRATE: f64 = 510_000.0;
const MIB: u32 = 1 << 20;

const SEEDS: std::ops::Range<u64> = 0..20;

/// Makes a scenario of each function, named after it, and a test of each.
macro_rules! tell {
    ($($story:ident),+ $(,)?) => {
        pub fn all() -> Vec<$crate::scenario::Scenario> {
            vec![$($crate::scenario::Scenario { story: stringify!($story), ..$story() }),+]
        }

        mod is_kept {
            $(
                #[test]
                fn $story() {
                    let story = stringify!($story);
                    crate::scenarios::keep($crate::scenario::Scenario { story, ..super::$story() });
                }
            )+
        }
    };
}
use tell;

pub fn all() -> Vec<Scenario> {
    let mut all = [bench::all(), networks::all(), swarms::all(), torrents::all(), viewers::all()].concat();
    all.sort_by_key(|scenario| scenario.story);
    all
}

/// The promise, with the scheduler that is to keep it.
fn keep(scenario: Scenario) {
    let row = Row::of(&scenario, Mind::Scheduler, SEEDS);
    let breaches = row.breaches(&scenario.limits);
    assert!(breaches.is_empty(), "{}:\n{}", scenario.story, breaches.join("\n"));
}

/// What bench/compare.py does: start, settle, six seeks with a second between, fifteen seconds of film.
fn evening() -> Vec<Step> {
    watched(6, 15.0)
}

/// The same, shorter.
fn visit() -> Vec<Step> {
    watched(4, 8.0)
}

fn watched(seeks: usize, seconds: f64) -> Vec<Step> {
    let mut steps =
        vec![Step::Background(true), Step::Fetch(Measure::Start, At::Share(0.0)), Step::Wait(3.0)];
    for _ in 0..seeks {
        steps.push(Step::Fetch(Measure::Seek, At::Somewhere(0.15, 0.97)));
        steps.push(Step::Wait(1.0));
    }
    steps.push(Step::Play { at: At::Share(0.5), rate: BITRATE, seconds });
    steps
}
