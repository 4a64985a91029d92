//! What the scenarios' own tests are worth: the obvious scheduler breaks their limits where it must, and the contract's
//! keeper sees what is wrong.

use peerflix::layout::{BlockId, Layout, PieceIndex};
use peerflix::scheduler::{Input, Output};
use peerflix::units::Timestamp;

use crate::brain::{Brain, Mind};
use crate::contract::Checked;
use crate::report::Row;
use crate::scenarios;

/// Where the baseline must fail, and by which of the limits: whoever never cancels waits behind what was asked for
/// before, whoever asks everyone alike waits for the slowest, whoever asks once waits for the silent.
const IT_MUST_BREAK: &[(&str, &[&str])] = &[
    ("mixed", &["seek, median", "seek, worst"]),
    ("line", &["seek, median"]),
    ("hostile", &["seek, median", "seek, worst", "waste"]),
    ("hostile_in_4_mib_pieces", &["seek, median", "stall, seconds", "waste"]),
    ("ordinary_evening", &["seek, median", "seek, worst"]),
    ("crawlers_everywhere", &["start", "seek, median", "stall, seconds"]),
    ("from_ten_kilobytes_to_ten_megabytes_a_second", &["start", "seek, median"]),
    ("all_but_one_silent", &["start"]),
    ("they_fall_silent_one_by_one", &["seek, worst", "stall, seconds"]),
    ("they_slow_to_a_crawl", &["seek, worst"]),
    ("a_liar_alone_until_another_comes", &["start", "stall, seconds", "waste"]),
    ("one_peer_lies", &["seek, median", "waste"]),
    ("narrow_line", &["seek, median"]),
    ("near_and_far", &["seek, median"]),
    ("satellite_rtt_400_ms", &["seek, median"]),
    ("wide_line_of_slow_peers", &["start", "seek, median", "seek, worst"]),
    ("whole_film_with_crawlers", &["whole file"]),
    ("reader_pauses", &["bytes beyond what was enough"]),
];

#[test]
fn the_obvious_scheduler_breaks_them_where_it_must() {
    let scenarios = scenarios::all();
    let mut kept = Vec::new();
    for (story, expected) in IT_MUST_BREAK {
        let scenario = scenarios.iter().find(|scenario| scenario.story == *story).expect("a scenario");
        let breaches = Row::of(scenario, Mind::Baseline, 0..3).breaches(&scenario.limits);
        for limit in *expected {
            if !breaches.iter().any(|breach| breach.starts_with(&format!("{limit}:"))) {
                kept.push(format!("{story}: {limit}"));
            }
        }
    }
    assert!(kept.is_empty(), "the baseline keeps what only the scheduler should:\n{}", kept.join("\n"));
}

/// It asks for five at once whatever the peer says of itself.
#[test]
#[should_panic(expected = "but queues no more")]
fn the_contract_is_looked_at_at_every_step() {
    let scenarios = scenarios::all();
    let scenario =
        scenarios.iter().find(|scenario| scenario.story == "they_queue_four_requests").expect("a scenario");
    crate::world::run(scenario, Mind::Baseline, 0, false);
}

/// Answers the first input with the outputs it was given.
struct Puppet(Vec<Output>);

impl Brain for Puppet {
    fn handle_input(&mut self, _now: Timestamp, _input: Input) {}

    fn poll_output(&mut self, now: Timestamp) -> Output {
        if self.0.is_empty() { Output::Timeout(now) } else { self.0.remove(0) }
    }

    fn wants(&self, _block: BlockId) -> bool {
        true
    }
}

fn told_nothing(outputs: Vec<Output>) -> Checked {
    let layout = Layout::new(100_000, 32 * 1024).expect("a fair layout");
    Checked::new(Box::new(Puppet(outputs)), layout, "a puppet".to_string(), false)
}

#[test]
#[should_panic(expected = "is to be verified without")]
fn a_piece_that_is_not_here_is_not_hashed() {
    told_nothing(vec![Output::Verify { piece: PieceIndex(0) }]).tell(Timestamp::ZERO, Input::TimeoutReached);
}

#[test]
#[should_panic(expected = "nobody wants")]
fn nobody_is_asked_for_what_nobody_wants() {
    let block = BlockId { piece: PieceIndex(0), block: 0 };
    let request = Output::Request { peer: peerflix::scheduler::PeerId(0), block };
    told_nothing(vec![request]).tell(Timestamp::ZERO, Input::TimeoutReached);
}

#[test]
#[should_panic(expected = "it never waits")]
fn whoever_never_waits_is_found_out() {
    let mut checked = told_nothing(Vec::new());
    for _ in 0..100 {
        checked.tell(Timestamp::ZERO, Input::TimeoutReached);
    }
}
