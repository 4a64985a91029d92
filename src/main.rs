//! Parse, run, report, exit.

use clap::Parser;
use peerflix::app::{self, Exit};
use peerflix::cli::Cli;

fn main() -> Exit {
    app::run(Cli::parse())
}
