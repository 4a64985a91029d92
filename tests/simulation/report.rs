//! What a scenario's runs came to, as ratios of what was possible, and whether that is good enough.

use crate::brain::Mind;
use crate::scenario::Scenario;
use crate::world::{self, Run, Wait};

/// What a viewer may expect in one scenario. The defaults are the numbers of docs/scheduler.md; a scenario in which
/// they are not possible says why beside its own.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Median of all starts, as a multiple of the bound.
    pub start: f64,
    /// Median and worst of all seeks, as multiples of their bounds.
    pub seek: f64,
    pub worst: f64,
    /// Seconds of standing still beyond what physics cannot avoid (`World::due`), in any run.
    pub stall: f64,
    /// Bytes that came and were of no use, as a share of all that came, over all runs.
    pub waste: f64,
    /// The whole file, median.
    pub whole: f64,
    /// Innocent peers dropped in all runs.
    pub wronged: usize,
}

impl Limits {
    /// docs/scheduler.md, "Numbers to reach".
    pub const GOAL: Limits =
        Limits { start: 1.5, seek: 1.3, worst: 2.5, stall: 0.0, waste: 0.05, whole: 1.3, wronged: 0 };
}

/// The numbers of one scenario over its seeds.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub start: Option<f64>,
    pub start_worst: Option<f64>,
    pub seek: Option<f64>,
    pub worst: Option<f64>,
    /// Of the worst seek: which seed, and its seconds.
    pub worst_of: Option<(u64, f64)>,
    pub stall: f64,
    pub stall_of: Option<u64>,
    pub waste: f64,
    pub whole: Option<f64>,
    pub wronged: usize,
    pub excess: u64,
    pub real_time: f64,
}

pub const HEAD: &str = "scenario                                  |  start worst |   seek worst (seconds, seed) |  stall (seed) |  waste |  whole | wronged | took";

impl Row {
    pub fn of(scenario: &Scenario, mind: Mind, seeds: impl Iterator<Item = u64>) -> Row {
        let began = std::time::Instant::now();
        let runs: Vec<(u64, Run)> =
            seeds.map(|seed| (seed, world::run(scenario, mind, seed, false))).collect();
        let ratios = |of: fn(&Run) -> &Vec<Wait>| {
            let mut ratios: Vec<f64> =
                runs.iter().flat_map(|(_, run)| of(run)).map(|wait| wait.seconds / wait.bound).collect();
            ratios.sort_by(f64::total_cmp);
            ratios
        };
        let median = |ratios: &[f64]| ratios.get(ratios.len() / 2).copied();
        let (starts, seeks, wholes) =
            (ratios(|run| &run.starts), ratios(|run| &run.seeks), ratios(|run| &run.whole));
        let worst_of = runs
            .iter()
            .flat_map(|(seed, run)| run.seeks.iter().map(move |wait| (*seed, wait)))
            .max_by(|a, b| (a.1.seconds / a.1.bound).total_cmp(&(b.1.seconds / b.1.bound)))
            .map(|(seed, wait)| (seed, wait.seconds));
        let stalled = runs.iter().max_by(|a, b| a.1.stalled.total_cmp(&b.1.stalled));
        let came: u64 = runs.iter().map(|(_, run)| run.came).sum();
        let wasted: u64 = runs.iter().map(|(_, run)| run.wasted).sum();
        Row {
            start: median(&starts),
            start_worst: starts.last().copied(),
            seek: median(&seeks),
            worst: seeks.last().copied(),
            worst_of,
            stall: stalled.map_or(0.0, |(_, run)| run.stalled),
            stall_of: stalled.filter(|(_, run)| run.stalled > 0.0).map(|(seed, _)| *seed),
            waste: wasted as f64 / came.max(1) as f64,
            whole: median(&wholes),
            wronged: runs.iter().map(|(_, run)| run.wronged).sum(),
            excess: runs.iter().map(|(_, run)| run.excess).max().unwrap_or(0),
            real_time: began.elapsed().as_secs_f64(),
        }
    }

    /// One line of the table; a number beyond its limit is marked.
    pub fn line(&self, scenario: &Scenario) -> String {
        let limits = &scenario.limits;
        let show = |ratio: Option<f64>, limit: f64| match ratio {
            None => "     - ".to_string(),
            Some(ratio) => format!("{ratio:6.2}{}", if ratio > limit { "!" } else { " " }),
        };
        let worst_of =
            self.worst_of.map_or(String::new(), |(seed, seconds)| format!("({seconds:.2} s, {seed})"));
        let stall_of = self.stall_of.map_or(String::new(), |seed| format!("({seed})"));
        format!(
            "{:41} |{}{:5.1} |{}{}{:15} |{}s {:5} |{} |{} | {:7} | {:.1} s{}",
            scenario.story,
            show(self.start, limits.start),
            self.start_worst.unwrap_or(f64::NAN),
            show(self.seek, limits.seek),
            show(self.worst, limits.worst),
            worst_of,
            show(Some(self.stall), limits.stall + 0.005),
            stall_of,
            show(Some(self.waste * 100.0), limits.waste * 100.0),
            show(self.whole, limits.whole),
            self.wronged,
            self.real_time,
            if self.excess > 0 { format!(" {} bytes too many!", self.excess) } else { String::new() },
        )
    }

    /// What is not as the viewer may expect it.
    pub fn breaches(&self, limits: &Limits) -> Vec<String> {
        let ratios = [
            ("start", self.start, limits.start),
            ("seek, median", self.seek, limits.seek),
            ("seek, worst", self.worst, limits.worst),
            ("stall, seconds", Some(self.stall), limits.stall + 0.005),
            ("waste", Some(self.waste), limits.waste),
            ("whole file", self.whole, limits.whole),
            ("innocent peers dropped", Some(self.wronged as f64), limits.wronged as f64),
            ("bytes beyond what was enough", Some(self.excess as f64), 0.0),
        ];
        let beyond = |(name, value, limit): (&str, Option<f64>, f64)| {
            let value = value?;
            (value > limit).then(|| format!("{name}: {value:.3}, more than {limit:.3}"))
        };
        let mut breaches: Vec<String> = ratios.into_iter().filter_map(beyond).collect();
        if let (false, Some((seed, seconds))) = (breaches.is_empty(), self.worst_of) {
            breaches.push(format!(
                "(worst seek: {seconds:.2} s, seed {seed}; worst stall: seed {:?})",
                self.stall_of
            ));
        }
        breaches
    }
}
