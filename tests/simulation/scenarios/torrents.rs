//! Torrents of all shapes.

use super::{BITRATE, FILM, MIB, tell, visit};
use crate::scenario::{At, Group, Measure, Scenario, Step};

fn swarm() -> Vec<Group> {
    vec![Group { spread: 0.3, ..Group::new(8, 8e5, 0.06) }]
}

fn all_of_it() -> Vec<Step> {
    vec![Step::Background(true), Step::Fetch(Measure::Start, At::Share(0.0)), Step::Whole]
}

fn tiny_torrent() -> Scenario {
    Scenario::new("", 100_000, 32 * 1024, swarm(), all_of_it())
}

fn a_torrent_of_one_block() -> Scenario {
    Scenario::new("", 5_000, 16 * 1024, swarm(), all_of_it())
}

fn a_torrent_of_one_piece() -> Scenario {
    Scenario::new("", 3_000_000, 4 * MIB, swarm(), all_of_it())
}

/// The end of the film is a piece of a thousand bytes.
fn last_piece_short() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Fetch(Measure::Start, At::Share(0.0)),
        Step::Wait(1.0),
        Step::Fetch(Measure::Seek, At::End(500)),
        Step::Wait(1.0),
        Step::Fetch(Measure::Seek, At::Share(0.5)),
    ];
    Scenario::new("", 200 * u64::from(MIB) + 1_000, MIB, swarm(), steps)
}

fn pieces_of_16_kib() -> Scenario {
    Scenario::new("", 60_000_000, 16 * 1024, swarm(), visit())
}

fn pieces_of_256_kib() -> Scenario {
    Scenario::new("", FILM, 256 * 1024, swarm(), visit())
}

/// A seek costs a whole piece: two and a half seconds at best.
fn pieces_of_16_mib() -> Scenario {
    Scenario::new("", FILM, 16 * MIB, swarm(), visit())
}

/// The last piece of the film is mostly padding (BEP 47), which nobody is asked for.
fn padding() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Fetch(Measure::Start, At::Share(0.0)),
        Step::Wait(1.0),
        Step::Fetch(Measure::Seek, At::End(100_000)),
        Step::Wait(1.0),
        Step::Fetch(Measure::Seek, At::Somewhere(0.3, 0.9)),
        Step::Whole,
    ];
    Scenario {
        files: vec![30 * u64::from(MIB) + 120_000, 5_000, 12_000_000, 100],
        padded: true,
        ..Scenario::new("", 0, MIB, swarm(), steps)
    }
}

/// The film shares its last piece with the next file.
fn many_files_in_one_piece() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Fetch(Measure::Start, At::Share(0.0)),
        Step::Wait(1.0),
        Step::Fetch(Measure::Seek, At::End(100_000)),
        Step::Whole,
    ];
    let files = vec![10_300_000, 20_000, 1, 0, 400_000, 3_000_000];
    Scenario { files, ..Scenario::new("", 0, MIB, swarm(), steps) }
}

/// A torrent of which the film is a twentieth.
fn the_rest_of_the_torrent_is_not_wanted() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Fetch(Measure::Start, At::Share(0.0)),
        Step::Whole,
        Step::Wait(1.0),
        Step::Mark,
        Step::Wait(10.0),
        Step::CameAtMost(0),
    ];
    Scenario { files: vec![15_000_000, 300_000_000], ..Scenario::new("", 0, MIB, swarm(), steps) }
}

fn resume_with_most_pieces_had() -> Scenario {
    Scenario { had: 0.8, ..Scenario::new("", FILM, MIB, swarm(), visit()) }
}

fn resume_with_everything_had() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Mark,
        Step::Play { at: At::Share(0.2), rate: BITRATE, seconds: 10.0 },
        Step::CameAtMost(0),
    ];
    Scenario { had: 1.0, ..Scenario::new("", FILM, MIB, swarm(), steps) }
}

/// One block in a thousand never gets there: it is asked for again, and nobody is blamed.
fn the_disk_refuses_blocks() -> Scenario {
    Scenario { loses: 0.001, ..Scenario::new("", FILM, MIB, swarm(), visit()) }
}

/// 64 GB, as large as a Blu-ray.
fn a_torrent_of_64_gb() -> Scenario {
    Scenario::new("", 64_000_000_000, MIB, swarm(), visit())
}

tell!(
    tiny_torrent,
    a_torrent_of_one_block,
    a_torrent_of_one_piece,
    last_piece_short,
    pieces_of_16_kib,
    pieces_of_256_kib,
    pieces_of_16_mib,
    padding,
    many_files_in_one_piece,
    the_rest_of_the_torrent_is_not_wanted,
    resume_with_most_pieces_had,
    resume_with_everything_had,
    the_disk_refuses_blocks,
    a_torrent_of_64_gb,
);
