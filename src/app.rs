//! Which parts a command needs, put together; the one place that sees all of them.

mod cache;
mod config;
mod demo;
mod doctor;
mod ending;
mod exit;
mod folders;
mod hooks;
mod lineup;
mod list;
mod moment;
mod mount;
mod pipe;
mod play;
mod report;
mod scratch;
mod session;
mod side_by_side;
mod telling;
mod view;
mod watch;
mod why;
mod wiki;

use std::io::Write;
use std::path::Path;

use anyhow::Context;

pub use exit::Exit;

use crate::cli::{self, Cli, Command};
use ending::Ending;
use exit::{Failure, OrExit};

/// For the network alone: hashing and the disk have threads of their own. A second one would mostly wake the first.
const WORKERS: usize = 1;

/// Does what the command line says. Errors have been told to standard error when this returns.
pub fn run(cli: Cli) -> Exit {
    if cli.command.is_some() {
        tell(&cli.notes);
    }
    let done = match &cli.command {
        Some(Command::Generate(cli::Generate::Man)) => print(cli::generate::man),
        Some(Command::Completions { shell }) => print(|to| cli::generate::completions(*shell, to)),
        Some(Command::Demo(flags)) => {
            trace_to_stderr(flags.verbose);
            in_runtime(|ending| demo::demo(flags, ending))
        }
        Some(Command::List(flags)) => {
            trace_to_stderr(flags.verbose);
            in_runtime(|ending| list::list(flags, ending))
        }
        Some(Command::Mount(flags)) if flags.place.status => mount::status(flags),
        Some(Command::Mount(flags)) => {
            trace_to_stderr(flags.verbose);
            in_runtime(|ending| mount::mount(flags, ending))
        }
        Some(Command::Wiki(flags)) => {
            trace_to_stderr(flags.verbose);
            in_runtime(|ending| wiki::wiki(flags, ending))
        }
        Some(Command::Doctor(flags)) => {
            trace_to_stderr(flags.verbose);
            in_runtime(|ending| doctor::doctor(flags, ending))
        }
        Some(Command::Cache(flags)) => cache::cache(flags),
        Some(Command::Config(flags)) => in_force(flags, cli.config.as_deref()),
        None => {
            trace_to_stderr(cli.watch.output.verbose);
            in_runtime(|ending| watch::watch(&cli.watch, &cli.notes, ending))
        }
    };
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            crate::tui::to_stderr(&format!("peerflix: {}", sentence(&failure.error)));
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

/// Notes that change nothing, to standard error.
fn tell(notes: &[String]) {
    for note in notes {
        crate::tui::to_stderr(&format!("peerflix: {note}"));
    }
}

fn in_force(flags: &cli::Config, file: Option<&Path>) -> Result<Exit, Failure> {
    let surroundings = crate::config::Surroundings::here();
    let found = crate::config::in_force(file, &surroundings);
    let found = found.map_err(|stop| anyhow::anyhow!("{stop}")).or_exit(Exit::Usage)?;
    tell(&found.notes);
    print(|to| config::write(flags, &found, surroundings.home.as_deref(), to))
}

/// Has something written to standard output. A reader that goes away is a normal end.
fn print(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<Exit, Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
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
