//! Where options come from: what was typed, over the environment, over files, over what the parts do by themselves.
//! What an option means is not known here.
//!
//! There is one mechanism for all of them. What was typed is read as it is, so that what is wrong with it is said of it alone.
//! Then every option that was not typed, and excludes none that was, and is set in the environment or in a file, is put before
//! the others as the flag that it is, and the line is read again.

mod file;
mod places;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::cli::line::{self, Line, Shell};
use crate::cli::options::{self, Kind, Opt};
use crate::cli::{Cli, Command as Given, wrong};

pub use self::places::{Fate, Place};
pub use self::settings::{Origin, Setting};

use self::settings::{Layer, Set};

/// What the process finds around it. A value, so that tests can make one up.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// All environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// Where it was started.
    pub folder: PathBuf,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The folder of the user's configurations (`$XDG_CONFIG_HOME`).
    pub configurations: Option<PathBuf>,
    /// The folder of the computer's configurations.
    pub etc: Option<PathBuf>,
    /// Whether the shell that has started it waits for it: `None` if that cannot be told.
    pub is_waited_for: Option<bool>,
}

/// Why there is nothing to run: help was asked for, or what was asked for cannot be understood.
#[derive(Debug)]
pub struct Stop(Why);

#[derive(Debug)]
enum Why {
    /// Help, or the version, for standard output.
    Asked(Box<clap::Error>),
    /// Nothing was typed.
    Nothing(clap::builder::StyledStr),
    Wrong(String),
}

impl Stop {
    fn wrong(sentence: impl Into<String>) -> Stop {
        Stop(Why::Wrong(sentence.into()))
    }

    /// Whether the command line, or a configuration, is wrong; else the user has what was asked for.
    pub fn is_error(&self) -> bool {
        !matches!(self.0, Why::Asked(_))
    }

    /// Tells the user: help on standard output, all the rest on standard error.
    pub fn tell(&self) {
        use std::io::Write;
        // A reader that has gone away is a normal end.
        let _ = match &self.0 {
            Why::Asked(help) => help.print(),
            Why::Nothing(help) => write!(std::io::stderr(), "{help}"),
            Why::Wrong(sentence) => writeln!(std::io::stderr(), "peerflix: {sentence}"),
        };
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Why::Asked(help) => help.fmt(f),
            Why::Nothing(help) => help.fmt(f),
            Why::Wrong(sentence) => f.write_str(sentence),
        }
    }
}

/// Every option of `peerflix TORRENT` with what it is set to, and where that was found.
#[derive(Clone, Debug)]
pub struct InForce {
    /// In the order of the help.
    pub settings: Vec<Setting>,
    /// What was looked at; what stands first counts most.
    pub places: Vec<Place>,
    /// What was found and has no effect, a sentence each.
    pub notes: Vec<String>,
}

/// Reads a command line (with the program's name), and what is configured around it.
pub fn read(typed: impl IntoIterator<Item = OsString>) -> Result<Cli, Stop> {
    read_in(typed, &Surroundings::here())
}

/// [`read`], in surroundings of one's own.
pub fn read_in(typed: impl IntoIterator<Item = OsString>, surroundings: &Surroundings) -> Result<Cli, Stop> {
    let grammar = options::grammar();
    let shell = match surroundings.is_waited_for {
        Some(true) => Shell::Waits,
        Some(false) => Shell::WentOn,
        None => Shell::Unknown,
    };
    let Line { args, unset, mut notes } = line::read(typed, &grammar, shell).map_err(Stop::wrong)?;
    if args.len() < 2 {
        return Err(Stop(Why::Nothing(Cli::command().render_help())));
    }
    let (matches, mut cli) = parse(&args, &grammar)?;
    // These must work however wrong a configuration is.
    if let Some(Given::Completions { .. } | Given::Generate(_) | Given::Config(_)) = cli.command {
        return Ok(Cli { notes, ..cli });
    }
    if let (None, Some(first)) = (&cli.command, cli.watch.torrents.first())
        && let Some(sentence) =
            line::misspelt_command(first, &grammar, |name| surroundings.folder.join(name).exists())
    {
        return Err(Stop::wrong(sentence));
    }

    let found = places::find(surroundings, cli.config.as_deref())?;
    let (layers, told) = settings::read(found.layers, &grammar, surroundings.home.as_deref())?;
    notes.extend(told);
    let (command, matches) = innermost(&grammar, &matches);
    let here = options::of(command);
    let typed = of_line(&here, matches, unset);
    let chosen = settings::choose(&here, std::iter::once(&typed).chain(&layers));
    let flags: Vec<OsString> = chosen
        .into_iter()
        .filter(|chosen| !matches!(chosen.origin, Origin::Typed))
        .flat_map(|chosen| chosen.flags())
        .collect();
    if !flags.is_empty() {
        let depth = 1 + depth_of(&cli);
        let all = args.iter().take(depth).cloned().chain(flags).chain(args.iter().skip(depth).cloned());
        (_, cli) = parse(&all.collect::<Vec<_>>(), &grammar)?;
    }
    Ok(Cli { notes, ..cli })
}

/// What is configured, for `peerflix config`. `file` is the one of `--config`.
pub fn in_force(file: Option<&Path>, surroundings: &Surroundings) -> Result<InForce, Stop> {
    let grammar = options::grammar();
    let found = places::find(surroundings, file)?;
    let (layers, notes) = settings::read(found.layers, &grammar, surroundings.home.as_deref())?;
    let known = options::settings(&grammar);
    let mut chosen: BTreeMap<String, Set> =
        settings::choose(&known, &layers).into_iter().map(|set| (set.key.clone(), set)).collect();
    let settings = known.iter().map(|option| Setting::of(option, chosen.remove(&option.key))).collect();
    Ok(InForce { settings, places: found.places, notes })
}

fn parse(args: &[OsString], grammar: &Command) -> Result<(ArgMatches, Cli), Stop> {
    let stop = |error: clap::Error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop(Why::Asked(Box::new(error))),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Stop::wrong("which one? --help tells what there is")
        }
        _ => Stop::wrong(wrong::sentence(&error, grammar, typed_command(args, grammar))),
    };
    let matches = Cli::command().try_get_matches_from(args).map_err(stop)?;
    let cli = Cli::from_arg_matches(&matches).map_err(stop)?;
    Ok((matches, cli))
}

/// The command that these arguments begin with.
fn typed_command<'a>(args: &[OsString], grammar: &'a Command) -> &'a Command {
    let mut command = grammar;
    for arg in args.iter().skip(1) {
        match arg.to_str().and_then(|name| command.find_subcommand(name)) {
            Some(next) => command = next,
            None => break,
        }
    }
    command
}

/// The command that was found, and what was typed of its own.
fn innermost<'a>(grammar: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let (mut command, mut matches) = (grammar, matches);
    while let Some((name, inner)) = matches.subcommand()
        && let Some(found) = command.find_subcommand(name)
    {
        (command, matches) = (found, inner);
    }
    (command, matches)
}

/// How many words of the line are the command. (Those of `cache` may have flags between them; its own flags come first.)
fn depth_of(cli: &Cli) -> usize {
    usize::from(cli.command.is_some())
}

/// What was typed, as the layer above all others.
fn of_line(options: &[Opt], matches: &ArgMatches, unset: BTreeSet<String>) -> Layer {
    let is_typed = |option: &&Opt| {
        let id = option.key.replace('-', "_");
        matches.try_contains_id(&id).unwrap_or(false)
            && matches.value_source(&id) == Some(ValueSource::CommandLine)
    };
    let mut layer = Layer::default();
    for option in options.iter().filter(is_typed) {
        layer.sets.push(Set::typed(option));
    }
    layer.unset = unset;
    layer
}

impl Surroundings {
    /// Those of this process.
    pub fn here() -> Surroundings {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folders = directories::BaseDirs::new();
        let home = folders.as_ref().map(|folders| folders.home_dir().to_owned());
        let configurations = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| {
            if cfg!(windows) {
                return folders.as_ref().map(|folders| folders.config_dir().to_owned());
            }
            // Also on a Mac: its own place is for what programs write, and is out of sight.
            home.as_ref().map(|home| home.join(".config"))
        });
        Surroundings {
            variables: std::env::vars_os().collect(),
            folder: std::env::current_dir().unwrap_or_default(),
            home,
            configurations,
            etc: cfg!(unix).then(|| PathBuf::from("/etc")),
            is_waited_for: is_waited_for(),
        }
    }
}

/// Whether we are what the terminal's shell waits for. `None` without a terminal, where nobody types either.
#[cfg(unix)]
fn is_waited_for() -> Option<bool> {
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    let in_front =
        rustix::termios::tcgetpgrp(&stdin).or_else(|_| rustix::termios::tcgetpgrp(&stderr)).ok()?;
    Some(in_front == rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn is_waited_for() -> Option<bool> {
    None
}

#[cfg(test)]
mod tests;
