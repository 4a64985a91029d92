//! The scenarios, each with the story it tells.

use crate::scenario::{At, Group, Have, Measure, Network, Scenario, Step};

/// The file of bench/compare.py: 600 s of film at 510 kB/s.
const FILM: u64 = 306_000_000;
const BITRATE: f64 = 510_000.0;
const MIB: u32 = 1 << 20;

/// What bench/compare.py does: start, settle, six seeks with a second between, fifteen seconds of film.
fn evening() -> Vec<Step> {
    let mut steps =
        vec![Step::Background(true), Step::Fetch(Measure::Start, At::Share(0.0)), Step::Wait(3.0)];
    for _ in 0..6 {
        steps.push(Step::Fetch(Measure::Seek, At::Somewhere(0.15, 0.97)));
        steps.push(Step::Wait(1.0));
    }
    steps.push(Step::Play { at: At::Share(0.5), rate: BITRATE, seconds: 15.0 });
    steps
}

fn bench(story: &'static str, piece: u32, groups: Vec<Group>) -> Scenario {
    Scenario { network: Network::Bench, ..Scenario::new(story, FILM, piece, groups, evening()) }
}

fn fast() -> Vec<Group> {
    vec![Group::new(8, 1e6, 0.05)]
}

fn mixed() -> Vec<Group> {
    vec![Group::new(2, 1.5e6, 0.04), Group::new(6, 4e5, 0.1), Group::new(8, 4e4, 0.2)]
}

fn hostile() -> Vec<Group> {
    vec![
        Group::new(4, 1e6, 0.06),
        Group { after: Some((3_000_000, 2_000.0)), ..Group::new(6, 1e6, 0.06) },
        Group { after: Some((2_000_000, 0.0)), ..Group::new(4, 1e6, 0.06) },
        Group { lies: 0.05, ..Group::new(2, 5e5, 0.1) },
    ]
}

fn line() -> Vec<Group> {
    vec![
        Group::new(10, 8e5, 0.08),
        Group { have: Have::Share(0.5), ..Group::new(4, 4e5, 0.15) },
        Group { chokes: Some((8.0, 4.0)), ..Group::new(4, 3e5, 0.1) },
    ]
}

pub fn all() -> Vec<Scenario> {
    let mut all = vec![
        bench("fast", MIB, fast()),
        bench("fast_in_4_mib_pieces", 4 * MIB, fast()),
        bench("mixed", MIB, mixed()),
        bench("mixed_in_4_mib_pieces", 4 * MIB, mixed()),
        bench("hostile", MIB, hostile()),
        bench("hostile_in_4_mib_pieces", 4 * MIB, hostile()),
        Scenario { line: Some(2.5e6), ..bench("line", MIB, line()) },
        Scenario { line: Some(2.5e6), ..bench("line_in_4_mib_pieces", 4 * MIB, line()) },
    ];
    all.sort_by_key(|scenario| scenario.story);
    all
}
