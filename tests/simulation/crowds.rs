//! Flash crowds of all sizes: the more viewers there are, the longer it takes until the first piece has come to the last
//! of them; that they stand still for much longer afterwards is not allowed.

use std::ops::Range;

use crate::brain::Mind;
use crate::crowd::{self, Crowd, Outcome};

/// Two megabits a second of film, half a minute of it; everybody comes within five seconds.
pub fn evening(viewers: usize) -> Crowd {
    Crowd {
        viewers,
        film: 30.0,
        bitrate: 262_144.0,
        piece: 256 * 1024,
        seed: 4.0,
        up: (1.0, 2.0),
        down: 8.0,
        dials: 12,
        within: 5.0,
    }
}

/// Nor is that one viewer's luck and another's misfortune: nine of ten stand still for not much longer than the average.
const BEYOND_THE_MEAN: f64 = 3.0;
/// The start may take longer with each doubling, since a piece goes from hand to hand; seconds for each.
const START_A_DOUBLING: f64 = 1.5;
/// What the seed may send, in films, however many there are that want it.
const MOST_SEEDED: f64 = 7.0;
const MOST_WASTE: f64 = 0.02;

/// `most_stall`: seconds that a viewer may stand still, on average. Beyond the seed's four bitrates there is, from the
/// first second on, only what viewers have already.
fn keep(viewers: usize, seeds: Range<u64>, most_stall: f64) {
    let count = seeds.clone().count() as f64;
    let runs: Vec<Outcome> = seeds.map(|seed| crowd::run(&evening(viewers), Mind::Scheduler, seed)).collect();
    let story: String = runs.iter().map(|run| format!("{}\n", run.line())).collect();
    let mean = |of: fn(&Outcome) -> f64| runs.iter().map(of).sum::<f64>() / count;
    let most_start = START_A_DOUBLING * (viewers as f64).log2();
    let figures = [
        ("viewers that did not see the end", mean(|run| run.unhappy as f64), 0.0),
        ("peers dropped, all innocent", mean(|run| run.wronged as f64), 0.0),
        ("seconds to the start, median", mean(|run| run.start(0.5)), most_start),
        ("seconds of standing still, mean", mean(Outcome::stall_mean), most_stall),
        ("seconds of standing still, nine of ten", mean(|run| run.stall(0.9)), most_stall + BEYOND_THE_MEAN),
        ("films sent by the seed", mean(|run| run.seeded), MOST_SEEDED),
        ("waste", mean(|run| run.waste), MOST_WASTE),
    ];
    for (name, figure, limit) in figures {
        assert!(figure <= limit, "{name}: {figure:.2}, more than {limit:.2}\n{}\n{story}", crowd::HEAD);
    }
}

#[test]
fn crowd_of_10() {
    keep(10, 0..20, 4.0);
}

#[test]
fn crowd_of_100() {
    keep(100, 0..4, 6.5);
}

/// One run is half a minute of work: this one's average is 7 s, others' are from 6 to 9.
#[test]
fn crowd_of_1000() {
    keep(1000, 1..2, 9.0);
}

#[test]
fn the_same_crowd_goes_the_same_way_twice() {
    let traces = [7, 7, 8].map(|seed| crowd::run(&evening(30), Mind::Scheduler, seed).trace);
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0], traces[2]);
}
