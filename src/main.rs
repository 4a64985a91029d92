//! Parse, run, report, exit.

use peerflix::app::{self, Exit};
use peerflix::config;

fn main() -> Exit {
    match config::read(std::env::args_os()) {
        Ok(cli) => app::run(cli),
        Err(stop) => {
            stop.tell();
            if stop.is_error() { Exit::Usage } else { Exit::Success }
        }
    }
}
