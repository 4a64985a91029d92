//! The four swarms of bench/scenarios, as bench/swarm.py makes them on loopback, measured as bench/compare.py does.

use super::{FILM, MIB, evening, tell};
use crate::report::Limits;
use crate::scenario::{Group, Have, Network, Scenario};

fn bench(piece: u32, groups: Vec<Group>) -> Scenario {
    Scenario { network: Network::Bench, ..Scenario::new("", FILM, piece, groups, evening()) }
}

fn fast_swarm() -> Vec<Group> {
    vec![Group::new(8, 1e6, 0.05)]
}

fn mixed_swarm() -> Vec<Group> {
    vec![Group::new(2, 1.5e6, 0.04), Group::new(6, 4e5, 0.1), Group::new(8, 4e4, 0.2)]
}

fn hostile_swarm() -> Vec<Group> {
    vec![
        Group::new(4, 1e6, 0.06),
        Group { after: Some((3_000_000, 2_000.0)), ..Group::new(6, 1e6, 0.06) },
        Group { after: Some((2_000_000, 0.0)), ..Group::new(4, 1e6, 0.06) },
        Group { lies: 0.05, ..Group::new(2, 5e5, 0.1) },
    ]
}

fn line_swarm() -> Vec<Group> {
    vec![
        Group::new(10, 8e5, 0.08),
        Group { have: Have::Share(0.5), ..Group::new(4, 4e5, 0.15) },
        Group { chokes: Some((8.0, 4.0)), ..Group::new(4, 3e5, 0.1) },
    ]
}

/// The waste that scheduler.md allows in `fast`.
const LITTLE: Limits = Limits { waste: 0.02, ..Limits::GOAL };

fn fast() -> Scenario {
    Scenario { limits: LITTLE, ..bench(MIB, fast_swarm()) }
}

fn fast_in_4_mib_pieces() -> Scenario {
    Scenario { limits: LITTLE, ..bench(4 * MIB, fast_swarm()) }
}

fn mixed() -> Scenario {
    bench(MIB, mixed_swarm())
}

fn mixed_in_4_mib_pieces() -> Scenario {
    bench(4 * MIB, mixed_swarm())
}

fn hostile() -> Scenario {
    bench(MIB, hostile_swarm())
}

fn hostile_in_4_mib_pieces() -> Scenario {
    bench(4 * MIB, hostile_swarm())
}

fn line() -> Scenario {
    Scenario { line: Some(2.5e6), ..bench(MIB, line_swarm()) }
}

fn line_in_4_mib_pieces() -> Scenario {
    Scenario { line: Some(2.5e6), ..bench(4 * MIB, line_swarm()) }
}

tell!(
    fast,
    fast_in_4_mib_pieces,
    hostile,
    hostile_in_4_mib_pieces,
    line,
    line_in_4_mib_pieces,
    mixed,
    mixed_in_4_mib_pieces,
);
