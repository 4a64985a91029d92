//! What kinds of peers there are.

use super::{BITRATE, FILM, MIB, evening, tell, visit};
use crate::report::Limits;
use crate::scenario::{At, Group, Have, Leaves, Measure, Scenario, Step};

fn with(groups: Vec<Group>) -> Scenario {
    Scenario::new("", FILM, MIB, groups, visit())
}

/// So many decent peers, each a little different from the others.
fn decent(count: usize, rate: f64, rtt: f64) -> Group {
    Group { spread: 0.3, ..Group::new(count, rate, rtt) }
}

/// The one everybody leans on goes 50 ms after a seek has begun, each time.
fn fast_peer_leaves_at_the_head() -> Scenario {
    let leaver = |wait| Group { leaves: Leaves::During(wait, 0.05), ..Group::new(1, 4e6, 0.03) };
    let mut groups: Vec<Group> = (2..=5).map(leaver).collect();
    groups.push(decent(6, 5e5, 0.08));
    with(groups)
}

fn all_but_two_leave() -> Scenario {
    let leaver = |at| Group { leaves: Leaves::At(at), ..decent(2, 6e5, 0.06) };
    let mut groups: Vec<Group> = (2..8).map(|at| leaver(f64::from(at))).collect();
    groups.push(decent(2, 6e5, 0.06));
    with(groups)
}

fn peers_come_and_go() -> Scenario {
    let guest = |at: u32| Group {
        joins: f64::from(at),
        leaves: Leaves::At(f64::from(at) + 6.0),
        ..decent(2, 5e5, 0.08)
    };
    let mut groups: Vec<Group> = (0..20).map(guest).collect();
    groups.push(decent(4, 5e5, 0.08));
    with(groups)
}

fn late_joiners() -> Scenario {
    with(vec![decent(2, 4e5, 0.1), Group { joins: 4.5, ..decent(6, 1e6, 0.05) }])
}

/// The whole swarm closes for three seconds of every twelve, at once.
fn everyone_chokes() -> Scenario {
    let groups = vec![Group { chokes: Some((12.0, 3.0)), together: true, ..decent(8, 8e5, 0.07) }];
    // The bound knows when the door will close. Whoever misses it by a millisecond stands before it for three seconds.
    let limits = Limits { worst: 15.0, stall: 3.0, ..Limits::GOAL };
    Scenario { limits, ..with(groups) }
}

fn everyone_chokes_in_turn() -> Scenario {
    with(vec![Group { chokes: Some((10.0, 4.0)), ..decent(10, 6e5, 0.07) }])
}

fn most_never_unchoke() -> Scenario {
    with(vec![Group { unchokes: false, ..decent(20, 1e6, 0.05) }, decent(4, 6e5, 0.08)])
}

fn one_peer_lies() -> Scenario {
    // The first piece comes from strangers, and is wrong in two evenings of three. Then a round trip and a second copy of
    // up to all of it are needed to tell who lied; whoever could know would have asked nothing of the liar.
    let limits = Limits { start: 1.75, ..Limits::GOAL };
    let groups = vec![Group { lies: 0.1, ..decent(1, 1e6, 0.05) }, decent(6, 8e5, 0.08)];
    Scenario { limits, ..with(groups) }
}

fn two_peers_lie() -> Scenario {
    with(vec![Group { lies: 0.05, ..decent(2, 1e6, 0.05) }, decent(8, 6e5, 0.08)])
}

/// Nothing but lies for six seconds, and then one honest peer.
fn a_liar_alone_until_another_comes() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Fetch(Measure::Start, At::Share(0.0)),
        Step::Wait(1.0),
        Step::Play { at: At::Share(0.0), rate: BITRATE, seconds: 10.0 },
    ];
    // Of all that the liar sent until then, some is of use and most has to come again; nobody could have known.
    let limits = Limits { waste: 0.15, ..Limits::GOAL };
    let groups = vec![
        Group { lies: 0.5, ..Group::new(1, 5e5, 0.05) },
        Group { joins: 6.0, ..Group::new(1, 1.5e6, 0.05) },
    ];
    Scenario { limits, ..Scenario::new("", FILM, MIB, groups, steps) }
}

fn all_but_one_silent() -> Scenario {
    with(vec![Group { after: Some((0, 0.0)), ..decent(9, 1e6, 0.05) }, Group::new(1, 1.2e6, 0.06)])
}

/// One after another, each in the middle of something.
fn they_fall_silent_one_by_one() -> Scenario {
    let silent = |number: u64| Group { after: Some((number * 1_500_000, 0.0)), ..decent(1, 8e5, 0.06) };
    let mut groups: Vec<Group> = (1..=8).map(silent).collect();
    groups.push(decent(4, 6e5, 0.08));
    with(groups)
}

/// Fine at first, and then a trickle: a seed whose owner has set a limit.
fn they_slow_to_a_crawl() -> Scenario {
    with(vec![Group { after: Some((2_000_000, 3_000.0)), ..decent(8, 8e5, 0.05) }, decent(4, 7e5, 0.08)])
}

fn one_seed_only() -> Scenario {
    with(vec![Group::new(1, 1.5e6, 0.06)])
}

/// Just what a film needs, and half as much again: no stall is owed.
fn one_seed_at_one_and_a_half_bitrates() -> Scenario {
    let steps = vec![
        Step::Background(true),
        Step::Open { player: 0, at: At::Share(0.0), rate: BITRATE, ahead: 1.0 },
        Step::Ready(Measure::Start, 0),
        Step::Wait(20.0),
        Step::Seek { player: 0, at: At::Share(0.7) },
        Step::Ready(Measure::Seek, 0),
        Step::Wait(20.0),
    ];
    Scenario::new("", FILM, MIB, vec![Group::new(1, 1.5 * BITRATE, 0.06)], steps)
}

fn two_hundred_peers_mostly_useless() -> Scenario {
    let groups = vec![
        decent(8, 6e5, 0.08),
        Group { spread: 0.8, ..Group::new(92, 8e3, 0.2) },
        Group { unchokes: false, ..decent(50, 1e6, 0.1) },
        Group { have: Have::Share(0.02), ..decent(50, 1e5, 0.15) },
    ];
    with(groups)
}

fn partial_seeds_only_jointly_complete() -> Scenario {
    with(vec![Group { have: Have::Copies(4), ..decent(12, 6e5, 0.08) }])
}

fn leeches_gain_pieces() -> Scenario {
    let groups = vec![
        Group { have: Have::Growing { first: 0.3, seconds: 0.5 }, ..decent(8, 6e5, 0.08) },
        decent(2, 8e5, 0.08),
    ];
    with(groups)
}

fn they_ignore_cancels() -> Scenario {
    with(vec![Group { deaf: true, ..decent(8, 8e5, 0.07) }])
}

fn they_reject_a_third() -> Scenario {
    // Each no costs a round trip of 70 ms, and the bound (0.23 s) knows nothing of that. Of a piece's 64 blocks two hear
    // it three times running; of the five thousand blocks that are waited for here, four hear it six times.
    let limits = Limits { seek: 1.8, worst: 3.2, stall: 0.25, ..Limits::GOAL };
    Scenario { limits, ..with(vec![Group { rejects: Some(0.3), ..decent(8, 8e5, 0.07) }]) }
}

fn they_queue_four_requests() -> Scenario {
    // Four blocks a round trip is all that such a peer can be asked for; 6e5 at 70 ms needs less.
    with(vec![Group { queues: Some(4), ..decent(10, 6e5, 0.07) }])
}

fn crawlers_everywhere() -> Scenario {
    with(vec![decent(3, 1e6, 0.05), decent(30, 5e3, 0.1)])
}

/// The last pieces must not wait for the slowest.
fn whole_film_with_crawlers() -> Scenario {
    let steps = vec![Step::Background(true), Step::Whole];
    let groups = vec![decent(4, 1e6, 0.05), decent(4, 1e4, 0.2)];
    Scenario::new("", 40_000_000, MIB, groups, steps)
}

fn whole_film_at_full_speed() -> Scenario {
    let steps = vec![Step::Background(true), Step::Whole];
    let limits = Limits { waste: 0.02, whole: 1.15, ..Limits::GOAL };
    Scenario { limits, ..Scenario::new("", 60_000_000, MIB, vec![decent(8, 1e6, 0.05)], steps) }
}

fn from_ten_kilobytes_to_ten_megabytes_a_second() -> Scenario {
    let groups = [1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7].into_iter().map(|rate| decent(2, rate, 0.06)).collect();
    // Fourteen strangers, a thousand times as fast as one another. The bound asks each for what it can bring; we learn that
    // from their first answers, and ask again for what the slow ones were given: two round trips, of a bound of four.
    let limits = Limits { start: 1.75, ..Limits::GOAL };
    Scenario { steps: evening(), limits, ..with(groups) }
}

tell!(
    fast_peer_leaves_at_the_head,
    all_but_two_leave,
    peers_come_and_go,
    late_joiners,
    everyone_chokes,
    everyone_chokes_in_turn,
    most_never_unchoke,
    one_peer_lies,
    two_peers_lie,
    a_liar_alone_until_another_comes,
    all_but_one_silent,
    they_fall_silent_one_by_one,
    they_slow_to_a_crawl,
    one_seed_only,
    one_seed_at_one_and_a_half_bitrates,
    two_hundred_peers_mostly_useless,
    partial_seeds_only_jointly_complete,
    leeches_gain_pieces,
    they_ignore_cancels,
    they_reject_a_third,
    they_queue_four_requests,
    crawlers_everywhere,
    whole_film_with_crawlers,
    whole_film_at_full_speed,
    from_ten_kilobytes_to_ten_megabytes_a_second,
);
