//! A simulated world for the scheduler: virtual time, peers with a character, players; asserted on start-up, seeks,
//! stalls and waste as ratios of what that world allows. docs/simulation.md is its manual.

mod agenda;
mod bound;
mod brain;
mod contract;
mod crowd;
mod crowds;
mod promises;
mod random;
mod report;
mod scenario;
mod scenarios;
mod seed;
mod store;
mod traces;
mod viewer;
mod world;

use brain::Mind;
use report::Row;

/// `SIM_TABLE=20 cargo test --test simulation table -- --nocapture`: every scenario's numbers over so many seeds.
/// `SIM_ONLY=line` only those with that in their name; `SIM_MIND=baseline` with the baseline instead.
#[test]
fn table() {
    let Some(seeds) = std::env::var("SIM_TABLE").ok().and_then(|seeds| seeds.parse().ok()) else { return };
    let only = std::env::var("SIM_ONLY").unwrap_or_default();
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    println!("{}", report::HEAD);
    for scenario in scenarios::all().iter().filter(|scenario| scenario.story.contains(&only)) {
        // A breach of the contract ends the run, but not the table.
        match std::panic::catch_unwind(|| Row::of(scenario, mind(), 0..seeds)) {
            Ok(row) => println!("{}", row.line(scenario)),
            Err(_) => println!("{:41} | BROKEN: the contract, see above", scenario.story),
        }
    }
}

/// `SIM_CROWD=10,100,1000 cargo test --test simulation crowd_table -- --nocapture`: flash crowds; `SIM_SEED=3` another one.
#[test]
fn crowd_table() {
    let Ok(sizes) = std::env::var("SIM_CROWD") else { return };
    let seed = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("{}", crowd::HEAD);
    for viewers in sizes.split(',').filter_map(|size| size.parse().ok()) {
        println!("{}", crowd::run(&crowds::evening(viewers), mind(), seed).line());
    }
}

/// `SIM_LOG=mixed SIM_SEED=3 cargo test --test simulation log -- --nocapture`: all that happens in one run.
#[test]
fn log() {
    let Ok(story) = std::env::var("SIM_LOG") else { return };
    let seed = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let scenarios = scenarios::all();
    let scenario =
        scenarios.iter().find(|scenario| scenario.story == story).expect("a scenario of that name");
    let run = world::run(scenario, mind(), seed, true);
    for (what, waits) in [("start", &run.starts), ("seek", &run.seeks), ("whole", &run.whole)] {
        for wait in waits {
            println!("{what}: {:.3} s, {:.2} x {:.3}", wait.seconds, wait.seconds / wait.bound, wait.bound);
        }
    }
    println!("stalled {:.3} s, came {}, wasted {}", run.stalled, run.came, run.wasted);
}

fn mind() -> Mind {
    match std::env::var("SIM_MIND").as_deref() {
        Ok("baseline") => Mind::Baseline,
        _ => Mind::Scheduler,
    }
}
