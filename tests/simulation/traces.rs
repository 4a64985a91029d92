//! One number a scenario for all that the scheduler decided in it, and when: a refactoring that changes a decision
//! changes a number. `BLESS=1 cargo test --test simulation traces` writes them anew, once the change is meant.

use std::fmt::Write as _;
use std::path::Path;

use crate::brain::Mind;
use crate::{scenarios, world};

fn traces() -> String {
    let mut lines = String::new();
    for scenario in scenarios::all() {
        let run = world::run(&scenario, Mind::Scheduler, 0, false);
        let _ = writeln!(lines, "{} {:016x}", scenario.story, run.trace);
    }
    lines
}

#[test]
fn traces_are_as_they_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/traces.txt");
    let now = traces();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, now).expect("traces.txt can be written");
        return;
    }
    let before = std::fs::read_to_string(&path).expect("traces.txt can be read");
    let changed: Vec<&str> = now.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    let gone = before.lines().filter(|line| !now.lines().any(|other| same_story(line, other))).count();
    assert!(
        changed.is_empty() && gone == 0,
        "the scheduler decides otherwise in {} scenarios, and {gone} are gone:\n{}\n\
         If that is meant: BLESS=1 cargo test --test simulation traces",
        changed.len(),
        changed.join("\n")
    );
}

fn same_story(a: &str, b: &str) -> bool {
    a.split(' ').next() == b.split(' ').next()
}
