//! Which parts a command needs, put together; the one place that sees all of them.

mod demo;
mod ending;
mod exit;
mod folders;
mod late;
mod pipe;
mod report;
mod scratch;
mod session;
mod watch;
#[allow(dead_code, reason = "shown by the screen, once it has a place for it")]
mod why;

use std::io::Write;

use anyhow::Context;

pub use exit::Exit;
pub use late::Late;

use crate::cli::{self, Cli, Command};
use ending::Ending;
use exit::{Failure, OrExit};

/// For the network alone: hashing and the disk have threads of their own. A second one would mostly wake the first.
const WORKERS: usize = 1;

/// Does what the command line says. Errors have been told to standard error when this returns.
pub fn run(cli: Cli) -> Exit {
    let done = match &cli.command {
        Some(Command::Generate { what }) => generate(what),
        Some(Command::Demo(flags)) => {
            trace_to_stderr(flags.verbose);
            in_runtime(|ending| demo::demo(flags, ending))
        }
        None => {
            trace_to_stderr(cli.watch.verbose);
            in_runtime(|ending| watch::watch(&cli.watch, ending))
        }
    };
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            let _ = writeln!(std::io::stderr().lock(), "peerflix: {}", sentence(&failure.error));
            failure.exit
        }
    }
}

/// The error with its causes, less those that it tells already.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn generate(what: &cli::Generate) -> Result<Exit, Failure> {
    match cli::generate::generate(what, &mut std::io::stdout().lock()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output failed").or_exit(Exit::Failure)
        }
        _ => Ok(Exit::Success),
    }
}

/// Runs one command in a runtime of its own. Does not wait for what still blocks a thread at the end (a write to a pipe
/// that nobody reads): the process ends all the same.
fn in_runtime<F>(command: impl FnOnce(Ending) -> F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .context("the program could not start its threads")
        .or_exit(Exit::Failure)?;
    let done = runtime.block_on(async {
        let ending = Ending::listen().context("signals cannot be listened for").or_exit(Exit::Failure)?;
        command(ending).await
    });
    runtime.shutdown_background();
    done
}

/// `--verbose` writes what happens to standard error; without it not even the subscriber is made.
fn trace_to_stderr(verbose: u8) {
    if verbose == 0 {
        return;
    }
    let otherwise = if verbose == 1 { "info,peerflix=debug" } else { "debug,peerflix=trace" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(otherwise));
    // Fails only where an embedding program has a subscriber already; then that one is used.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || std::io::Error::other("no such device");
        let told = anyhow::Error::new(cause()).context("cannot listen: no such device");
        assert_eq!(sentence(&told), "cannot listen: no such device");
        let untold = anyhow::Error::new(cause()).context("cannot listen");
        assert_eq!(sentence(&untold), "cannot listen: no such device");
    }
}
