//! What viewers do.

use super::{BITRATE, FILM, MIB, tell};
use crate::scenario::{At, Group, Measure, Scenario, Step};

fn swarm() -> Vec<Group> {
    vec![Group { spread: 0.3, ..Group::new(8, 6e5, 0.06) }]
}

fn watches(steps: Vec<Step>) -> Scenario {
    Scenario::new("", FILM, MIB, swarm(), steps)
}

fn open(player: usize, share: f64) -> Step {
    Step::Open { player, at: At::Share(share), rate: BITRATE, ahead: 1.0 }
}

/// A swarm that carries half the bitrate: the film stands still, and the viewer goes looking for something better.
fn seek_while_stalled() -> Scenario {
    let mut steps = vec![Step::Background(true), open(0, 0.0), Step::Ready(Measure::Start, 0)];
    for _ in 0..4 {
        steps.push(Step::Wait(6.0));
        steps.push(Step::Seek { player: 0, at: At::Somewhere(0.2, 0.9) });
        steps.push(Step::Ready(Measure::Seek, 0));
    }
    let groups = vec![Group { spread: 0.2, ..Group::new(5, BITRATE / 10.0, 0.08) }];
    Scenario::new("", FILM, 256 * 1024, groups, steps)
}

/// As players open an MP4: the head, the index at the end, the head again.
fn moov_at_the_end() -> Scenario {
    watches(vec![
        Step::Background(true),
        Step::FetchBytes(Measure::Start, At::Share(0.0), 64 * 1024),
        Step::FetchBytes(Measure::Seek, At::End(700_000), 700_000),
        Step::Play { at: At::Share(0.0), rate: BITRATE, seconds: 15.0 },
    ])
}

fn two_readers() -> Scenario {
    watches(vec![
        Step::Background(true),
        open(0, 0.0),
        Step::Ready(Measure::Start, 0),
        Step::Wait(5.0),
        open(1, 0.5),
        Step::Ready(Measure::Seek, 1),
        Step::Wait(5.0),
        Step::Seek { player: 0, at: At::Share(0.8) },
        Step::Ready(Measure::Seek, 0),
        Step::Wait(5.0),
        Step::Seek { player: 1, at: At::Share(0.3) },
        Step::Ready(Measure::Seek, 1),
        Step::Wait(10.0),
    ])
}

/// Whoever pauses has a window full of film, and then nothing more comes.
fn reader_pauses() -> Scenario {
    watches(vec![
        open(0, 0.0),
        Step::Ready(Measure::Start, 0),
        Step::Wait(5.0),
        Step::Pause(0),
        Step::Wait(30.0),
        Step::Mark,
        Step::Wait(60.0),
        Step::CameAtMost(2_000_000),
        Step::Resume(0),
        Step::Wait(10.0),
        Step::Seek { player: 0, at: At::Share(0.6) },
        Step::Ready(Measure::Seek, 0),
    ])
}

fn nobody_reads_and_nothing_comes() -> Scenario {
    watches(vec![
        open(0, 0.0),
        Step::Ready(Measure::Start, 0),
        Step::Wait(3.0),
        Step::Close(0),
        // What was on the wires at that moment.
        Step::Wait(1.0),
        Step::Mark,
        Step::Wait(30.0),
        Step::CameAtMost(0),
        open(0, 0.5),
        Step::Ready(Measure::Seek, 0),
    ])
}

fn background_unwanted() -> Scenario {
    watches(vec![
        Step::Background(true),
        Step::Wait(5.0),
        Step::Background(false),
        Step::Wait(1.0),
        Step::Mark,
        Step::Wait(20.0),
        Step::CameAtMost(0),
        Step::Fetch(Measure::Seek, At::Share(0.9)),
    ])
}

/// Only what is watched: seeks find the swarm idle.
fn without_background() -> Scenario {
    let mut steps = vec![open(0, 0.0), Step::Ready(Measure::Start, 0)];
    for _ in 0..5 {
        steps.push(Step::Wait(4.0));
        steps.push(Step::Seek { player: 0, at: At::Somewhere(0.1, 0.9) });
        steps.push(Step::Ready(Measure::Seek, 0));
    }
    steps.push(Step::Wait(10.0));
    watches(steps)
}

/// Ten places in two seconds; only the last one matters.
fn scrubbing() -> Scenario {
    let mut steps =
        vec![Step::Background(true), open(0, 0.0), Step::Ready(Measure::Start, 0), Step::Wait(3.0)];
    for _ in 0..4 {
        for _ in 0..10 {
            steps.push(Step::Wait(0.2));
            steps.push(Step::Seek { player: 0, at: At::Somewhere(0.1, 0.9) });
        }
        steps.push(Step::Ready(Measure::Seek, 0));
        steps.push(Step::Wait(3.0));
    }
    watches(steps)
}

/// A player that reads half a minute ahead, as mpv does over HTTP.
fn a_player_with_a_large_buffer() -> Scenario {
    watches(vec![
        Step::Background(true),
        Step::Open { player: 0, at: At::Share(0.0), rate: BITRATE, ahead: 30.0 },
        Step::Ready(Measure::Start, 0),
        Step::Wait(10.0),
        Step::Seek { player: 0, at: At::Share(0.4) },
        Step::Ready(Measure::Seek, 0),
        Step::Wait(10.0),
        Step::Seek { player: 0, at: At::Share(0.7) },
        Step::Ready(Measure::Seek, 0),
        Step::Wait(10.0),
    ])
}

/// 2.8 MB/s of film out of 4.8 MB/s of swarm.
fn a_film_of_high_bitrate() -> Scenario {
    watches(vec![
        Step::Background(true),
        Step::Open { player: 0, at: At::Share(0.0), rate: 2.8e6, ahead: 1.0 },
        Step::Ready(Measure::Start, 0),
        Step::Wait(15.0),
        Step::Seek { player: 0, at: At::Share(0.6) },
        Step::Ready(Measure::Seek, 0),
        Step::Wait(15.0),
    ])
}

/// Ten connections, all of them forgotten, as some players leave them.
fn forgotten_readers() -> Scenario {
    let mut steps = vec![Step::Background(true)];
    for player in 0..10 {
        steps.push(Step::Open { player, at: At::Somewhere(0.0, 0.9), rate: BITRATE, ahead: 1.0 });
        steps.push(Step::Wait(0.2));
        steps.push(Step::Pause(player));
    }
    steps.push(Step::Wait(3.0));
    for _ in 0..4 {
        steps.push(Step::Fetch(Measure::Seek, At::Somewhere(0.1, 0.9)));
        steps.push(Step::Wait(1.0));
    }
    watches(steps)
}

/// A little back, a little forward, as with the arrow keys.
fn small_steps() -> Scenario {
    let mut steps =
        vec![Step::Background(true), open(0, 0.3), Step::Ready(Measure::Start, 0), Step::Wait(2.0)];
    for step in 1..=12 {
        let share = 0.3 + f64::from(step) * 0.05 - if step % 3 == 0 { 0.07 } else { 0.0 };
        steps.push(Step::Seek { player: 0, at: At::Share(share) });
        steps.push(Step::Ready(Measure::Seek, 0));
        steps.push(Step::Wait(1.5));
    }
    watches(steps)
}

tell!(
    seek_while_stalled,
    moov_at_the_end,
    two_readers,
    reader_pauses,
    nobody_reads_and_nothing_comes,
    background_unwanted,
    without_background,
    scrubbing,
    a_player_with_a_large_buffer,
    a_film_of_high_bitrate,
    forgotten_readers,
    small_steps,
);
