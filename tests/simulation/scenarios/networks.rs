//! What lies between the peers and the viewer.

use super::{BITRATE, FILM, MIB, evening, tell, visit};
use crate::report::Limits;
use crate::scenario::{At, Group, Measure, Scenario, Step};

fn decent(count: usize, rate: f64, rtt: f64) -> Group {
    Group { spread: 0.3, ..Group::new(count, rate, rtt) }
}

fn ordinary_evening() -> Scenario {
    let groups = vec![decent(6, 1e6, 0.05), decent(10, 2e5, 0.12), decent(10, 2e4, 0.2)];
    Scenario::new("", FILM, MIB, groups, evening())
}

/// New connections carry ten segments a round trip and double.
fn slow_start() -> Scenario {
    let groups = vec![Group { slow_start: true, ..decent(8, 1e6, 0.08) }];
    Scenario::new("", FILM, MIB, groups, visit())
}

fn satellite_rtt_400_ms() -> Scenario {
    Scenario::new("", FILM, MIB, vec![Group { spread: 0.1, ..Group::new(8, 1e6, 0.4) }], visit())
}

fn jitter() -> Scenario {
    let groups = vec![Group { jitter: 0.06, ..decent(8, 8e5, 0.06) }];
    Scenario::new("", FILM, MIB, groups, visit())
}

/// Twenty megabytes a second would like to come through a door for 1.5 bitrates.
fn narrow_line() -> Scenario {
    Scenario {
        line: Some(1.5 * BITRATE),
        ..Scenario::new("", FILM, MIB, vec![decent(20, 1e6, 0.06)], visit())
    }
}

fn wide_line_of_slow_peers() -> Scenario {
    // When a seek comes each peer is in the midst of sending a block, and no cancel takes back what is half sent: 0.27 s
    // until the last of them is free, of which the bound (0.7 to 1 s) knows nothing.
    let limits = Limits { seek: 1.45, ..Limits::GOAL };
    let peers = vec![decent(40, 6e4, 0.1)];
    Scenario { line: Some(1e7), limits, ..Scenario::new("", FILM, MIB, peers, visit()) }
}

/// Someone else in the house begins to watch something.
fn line_drops_to_half() -> Scenario {
    let mut steps = visit();
    steps.truncate(7);
    steps.push(Step::Line(1.5e6));
    steps.push(Step::Wait(1.0));
    for _ in 0..3 {
        steps.push(Step::Fetch(Measure::Seek, At::Somewhere(0.15, 0.97)));
        steps.push(Step::Wait(1.0));
    }
    steps.push(Step::Play { at: At::Share(0.5), rate: BITRATE, seconds: 10.0 });
    Scenario { line: Some(3e6), ..Scenario::new("", FILM, MIB, vec![decent(10, 8e5, 0.06)], steps) }
}

fn line_recovers() -> Scenario {
    let mut steps = visit();
    steps.truncate(5);
    steps.push(Step::Line(6e6));
    steps.push(Step::Wait(4.0));
    for _ in 0..4 {
        steps.push(Step::Fetch(Measure::Seek, At::Somewhere(0.15, 0.97)));
        steps.push(Step::Wait(1.0));
    }
    Scenario { line: Some(1e6), ..Scenario::new("", FILM, MIB, vec![decent(10, 8e5, 0.06)], steps) }
}

/// Fibre: 50 MB/s from next door.
fn fast_and_near() -> Scenario {
    Scenario { line: Some(5e7), ..Scenario::new("", FILM, MIB, vec![decent(10, 8e6, 0.01)], visit()) }
}

fn near_and_far() -> Scenario {
    Scenario::new("", FILM, MIB, vec![decent(4, 5e5, 0.02), decent(8, 1e6, 0.3)], visit())
}

tell!(
    ordinary_evening,
    slow_start,
    satellite_rtt_400_ms,
    jitter,
    narrow_line,
    wide_line_of_slow_peers,
    line_drops_to_half,
    line_recovers,
    fast_and_near,
    near_and_far,
);
