//! Replays a trace (`peerflix --trace FILE`) into a new scheduler, and says what it would do today.
//!
//! The hash covers every output with its time: two versions of the scheduler that decide alike show the same one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use peerflix::scheduler::{Config, Input, Output, Scheduler};
use peerflix::torrent::trace;

fn main() -> anyhow::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else { anyhow::bail!("usage: replay TRACE") };
    let (head, inputs) = trace::parse(&std::fs::read_to_string(path)?)?;
    let layout = head.layout;
    println!("{} in {} pieces", peerflix::units::ByteSize(layout.total()), layout.pieces());

    let mut scheduler = Scheduler::new(layout, Config::default(), head.seed);
    let (mut requests, mut cancels, mut drops, mut verifies) = (0u64, 0u64, 0u64, 0u64);
    let mut peers = BTreeSet::new();
    let mut outputs = Vec::new();
    let begun = std::time::Instant::now();
    for (now, input) in &inputs {
        if let Input::PeerConnected { peer, .. } = input {
            peers.insert(*peer);
        }
        scheduler.handle_input(*now, input.clone());
        loop {
            let output = scheduler.poll_output(*now);
            let is_last = matches!(output, Output::Timeout(_));
            outputs.push((*now, output));
            if is_last {
                break;
            }
        }
    }
    let took = begun.elapsed();

    let mut hasher = DefaultHasher::new();
    for (now, output) in &outputs {
        format!("{now:?} {output:?}").hash(&mut hasher);
        match output {
            Output::Request { .. } => requests += 1,
            Output::Cancel { .. } => cancels += 1,
            Output::Drop { .. } => drops += 1,
            Output::Verify { .. } => verifies += 1,
            Output::Interest { .. } | Output::Timeout(_) => {}
        }
    }
    let lasted = inputs.last().map_or(0.0, |(at, _)| at.elapsed().as_secs_f64());
    println!("{} inputs over {lasted:.1} s, {} peers", inputs.len(), peers.len());
    println!("{requests} requests, {cancels} cancelled, {verifies} pieces verified, {drops} peers dropped");
    println!("{:?}", scheduler.counts());
    println!("replayed in {took:.1?}; outputs' hash {:016x}", hasher.finish());
    Ok(())
}
