//! What is wrong with a command line, in a sentence.

use std::error::Error as _;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::options::{self, nearest};

/// What a source of a torrent may be.
const TORRENTS: &str = "a magnet link in quotes, an info hash, a .torrent file, or the URL of one";

/// The sentence for an error of clap's. `command` is the one that was typed, of the whole `grammar`.
pub(crate) fn sentence(error: &Error, grammar: &Command, command: &Command) -> String {
    let flag = text(error, ContextKind::InvalidArg).map(|arg| first_word(&arg));
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    match (error.kind(), flag) {
        (ErrorKind::UnknownArgument, Some(flag)) => unknown(&flag, grammar, command),
        (ErrorKind::InvalidValue, Some(flag)) if value.is_empty() => needs_value(&flag, command),
        (ErrorKind::InvalidValue, Some(flag)) => {
            let known = strings(error, ContextKind::ValidValue);
            let meant = nearest(&value, known.iter().map(String::as_str));
            match meant {
                Some(meant) => format!("{} cannot be {value}: did you mean {meant}?", plain(&flag)),
                None => format!("{} cannot be {value}: it is one of {}", plain(&flag), known.join(", ")),
            }
        }
        (ErrorKind::ValueValidation, Some(flag)) => match error.source() {
            Some(why) => format!("{} cannot be {value}: {why}", plain(&flag)),
            None => format!("{} cannot be {value}", plain(&flag)),
        },
        (ErrorKind::ArgumentConflict, Some(flag)) => {
            let others = strings(error, ContextKind::PriorArg);
            match others.first().map(|other| first_word(other)) {
                Some(other) if other == flag => format!("{flag} can be given once only"),
                Some(other) => {
                    format!("{} and {} exclude each other: leave one out", plain(&flag), plain(&other))
                }
                None => format!("{flag} cannot be used here"),
            }
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            let missing = strings(error, ContextKind::InvalidArg);
            match missing.first().map(|name| plain(&first_word(name))).as_deref() {
                Some(_) if command.get_name() == "wiki" => {
                    format!("which torrent or ZIM file? Give {TORRENTS}, or a .zim file")
                }
                Some("the shell") => "which shell? bash, zsh, fish, or powershell".to_owned(),
                _ => format!("which torrent? Give {TORRENTS}"),
            }
        }
        (ErrorKind::InvalidSubcommand, _) => {
            let typed = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            let name = path_of(grammar, command);
            match nearest(&typed, names.iter().copied()) {
                Some(meant) => format!("there is no {name} {typed}: did you mean {name} {meant}?"),
                None => format!("there is no {name} {typed}: {name} --help tells what there is"),
            }
        }
        (ErrorKind::InvalidUtf8, _) => {
            "something in the command line is not text (UTF-8): names of torrents must be".to_owned()
        }
        // What is left cannot be typed with the flags that there are; clap's first line says it well enough.
        _ => {
            let rendered = error.render().to_string();
            rendered.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

/// A flag that is none.
fn unknown(flag: &str, grammar: &Command, command: &Command) -> String {
    let name = path_of(grammar, command);
    let word = flag.trim_start_matches('-');
    if !flag.starts_with('-') {
        return format!("{name} has no use for {flag}: {name} --help tells what it takes");
    }
    if flag.starts_with("--") {
        let here = options::of(command);
        let names = || here.iter().map(|option| option.key.as_str()).chain(["help", "version"]);
        if let Some(meant) = nearest(word, names()) {
            return format!("there is no {flag}: did you mean --{meant}?");
        }
    }
    let has_it = |command: &&Command| {
        options::of(command).iter().any(|option| match flag.starts_with("--") {
            true => option.is_called(word),
            false => option.letter.is_some_and(|letter| word.starts_with(letter)),
        })
    };
    let elsewhere = std::iter::once(grammar).chain(grammar.get_subcommands()).find(has_it);
    match elsewhere {
        Some(other) if other.get_name() == grammar.get_name() => {
            format!("{flag} does not go with {name}, only with peerflix TORRENT")
        }
        Some(other) => format!("{flag} goes with {} only", path_of(grammar, other)),
        None => format!("there is no {flag}: {name} --help tells all that there is"),
    }
}

fn needs_value(flag: &str, command: &Command) -> String {
    let option = options::of(command).into_iter().find(|option| format!("--{}", option.key) == flag);
    match option {
        Some(option) => format!("{flag} needs a value after it: {flag} {}", option.value_name),
        None => format!("{} is missing: {}", plain(flag), "see --help"),
    }
}

/// A value option that is followed by what is surely the torrent.
pub(super) fn would_swallow(flag: &str, value_name: &str) -> String {
    format!(
        "{flag} needs a value of its own, and what follows it is the torrent: {flag} {value_name} 'magnet:?…'"
    )
}

/// The command as one would type it.
fn path_of(grammar: &Command, command: &Command) -> String {
    match command.get_name() == grammar.get_name() {
        true => "peerflix".to_owned(),
        false => {
            command.get_bin_name().map_or_else(|| format!("peerflix {}", command.get_name()), str::to_owned)
        }
    }
}

/// `--port` of `--port <PORT>`.
fn first_word(text: &str) -> String {
    text.split(['=', ' ']).next().unwrap_or(text).to_owned()
}

/// `the shell` of `<SHELL>`; a flag stays as it is.
fn plain(name: &str) -> String {
    match name.starts_with('-') {
        true => name.to_owned(),
        false => format!("the {}", name.trim_matches(['<', '>', '[', ']', '.']).to_lowercase()),
    }
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        other => Some(other.to_string()),
    }
}

fn strings(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}
