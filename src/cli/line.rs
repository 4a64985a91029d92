//! What was typed -> what clap is to read. It knows what clap cannot: switches that are unset, commands that stand after
//! flags, flags of older days, and magnet links that a shell has cut.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;

use clap::Command;

use super::old::{self, Answer, Old};
use super::options::{self, Kind, Opt, nearest};
use super::wrong;

/// A command line, made plain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// With the program's name; a command, if there is one, comes next.
    pub(crate) args: Vec<OsString>,
    /// The keys of the options that were unset: `--vlc=false`, `--no-vlc`, `--path=`.
    pub(crate) unset: BTreeSet<String>,
    /// What the user should be told.
    pub(crate) notes: Vec<String>,
}

/// Makes a command line plain. `Err`: it cannot be meant, and this sentence says what to do.
pub(crate) fn read(
    typed: impl IntoIterator<Item = OsString>,
    grammar: &Command,
    shell: Shell,
) -> Result<Line, String> {
    let mut typed = typed.into_iter();
    let program = typed.next().unwrap_or_else(|| "peerflix".into());
    let mut reading = Reading {
        options: every_option(grammar),
        commands: grammar.get_subcommands().map(|command| command.get_name().to_owned()).collect(),
        left: typed.collect(),
        at: 0,
        taken: Vec::new(),
        unset: BTreeSet::new(),
        notes: Vec::new(),
        command: None,
        is_help: false,
        words: Vec::new(),
    };
    reading.run()?;
    reading.check_magnets(shell)?;
    let mut args = vec![program];
    args.extend(reading.command.map(OsString::from));
    if reading.is_help {
        args.push("--help".into());
    }
    args.extend(reading.taken.into_iter().map(|(_, arg)| arg));
    Ok(Line { args, unset: reading.unset, notes: reading.notes })
}

/// What is known of the shell that has started us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shell {
    /// It waits for us: nothing can have been cut off by an `&`.
    Waits,
    /// It does not: the command line ended with an `&`.
    WentOn,
    #[default]
    Unknown,
}

/// The options of all commands: which one a flag belongs to is not known before the command is.
fn every_option(grammar: &Command) -> Vec<Opt> {
    let mut found = options::of(grammar);
    for command in grammar.get_subcommands() {
        for command in std::iter::once(command).chain(command.get_subcommands()) {
            for option in options::of(command) {
                if !found.iter().any(|known| known.key == option.key) {
                    found.push(option);
                }
            }
        }
    }
    found
}

struct Reading {
    options: Vec<Opt>,
    commands: Vec<String>,
    left: Vec<OsString>,
    at: usize,
    /// What clap is to read; with the option's key where it is one.
    taken: Vec<(Option<String>, OsString)>,
    unset: BTreeSet<String>,
    notes: Vec<String>,
    command: Option<String>,
    is_help: bool,
    /// What is no flag, with its place in the line.
    words: Vec<(usize, String)>,
}

impl Reading {
    fn run(&mut self) -> Result<(), String> {
        while let Some(token) = self.next() {
            // What is not text cannot be a flag of ours; clap says so where it matters.
            let text = token.to_string_lossy().into_owned();
            if text == "--" {
                self.taken.push((None, token));
                self.taken.extend(self.left.drain(self.at..).map(|rest| (None, rest)));
            } else if let Some(long) = text.strip_prefix("--") {
                self.long(long, token)?;
            } else if text.len() > 1 && text.starts_with('-') {
                self.letters(&text, token)?;
            } else {
                self.word(text, token);
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<OsString> {
        let token = self.left.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    fn peek(&self) -> Option<&OsStr> {
        self.left.get(self.at).map(OsString::as_os_str)
    }

    fn word(&mut self, text: String, token: OsString) {
        if self.words.is_empty() && self.command.is_none() {
            if self.commands.contains(&text) {
                self.command = Some(text);
                return;
            }
            if text == "help" {
                self.is_help = true;
                return;
            }
        }
        self.words.push((self.at - 1, text));
        self.taken.push((None, token));
    }

    fn long(&mut self, long: &str, token: OsString) -> Result<(), String> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let find = |name: &str| self.options.iter().find(|option| option.is_called(name)).cloned();
        if let Some(option) = find(name) {
            return match option.kind {
                Kind::Switch | Kind::Count => self.switch(&option, name, value),
                Kind::One | Kind::Many => {
                    if value == Some("") {
                        self.take_off(&option.key);
                        return Ok(());
                    }
                    self.valued(&option, &format!("--{name}"), token, value.is_none())
                }
            };
        }
        if let Some(old) = old::named(name).filter(|old| old.name == name) {
            return self.old(old, &format!("--{name}"), value.is_some());
        }
        // As it always was: --no-vlc says what --vlc=false says, and --dht takes --no-dht back.
        let is_on = value.map_or(Some(true), truth);
        if let (Some(option), Some(true)) = (name.strip_prefix("no-").and_then(find), is_on) {
            self.take_off(&option.key);
            return Ok(());
        }
        let is_before_url = self.peek().is_some_and(|next| next.to_string_lossy().contains("://"));
        if let (Some(option), Some(is_on)) = (find(&format!("no-{name}")), is_on)
            && !(name == "tracker" && is_before_url)
        {
            return self.switch(&option, name, Some(if is_on { "false" } else { "true" }));
        }
        self.taken.push((None, token));
        Ok(())
    }

    /// Letters after one dash. Each becomes a flag of its own.
    fn letters(&mut self, text: &str, token: OsString) -> Result<(), String> {
        let word = &text[1..];
        let name = word.split('=').next().unwrap_or(word);
        if name.len() > 2 && self.options.iter().any(|option| option.key == name) {
            return Err(format!(
                "-{name} is read as the letters {}: did you mean --{name}, with two dashes?",
                {
                    let letters: Vec<_> = name.chars().map(|letter| format!("-{letter}")).collect();
                    letters.join(" ")
                }
            ));
        }
        for (at, letter) in word.char_indices() {
            let rest = &word[at + letter.len_utf8()..];
            let flag = format!("-{letter}");
            if letter == 'h' && at == 0 && rest.is_empty() {
                self.help_or_host()?;
                continue;
            }
            let option = self.options.iter().find(|option| option.letter == Some(letter)).cloned();
            if letter == 'o' {
                let value = if rest.is_empty() { self.peek() } else { Some(OsStr::new(rest)) };
                if !value.is_some_and(|value| value == "-" || value == "=-")
                    && let Some(old) = old::lettered('o')
                {
                    return self.old(old, "-o", true);
                }
            }
            match option {
                Some(option) if matches!(option.kind, Kind::Switch | Kind::Count) => {
                    self.put(&option, flag.into());
                }
                Some(option) if rest.is_empty() => {
                    return self.valued(&option, &flag, flag.clone().into(), true);
                }
                Some(option) => {
                    // All that is left is its value.
                    let whole = if at == 0 { token } else { format!("{flag}{rest}").into() };
                    self.put(&option, whole);
                    return Ok(());
                }
                None => match old::lettered(letter) {
                    Some(old) => self.old(old, &flag, true)?,
                    None => {
                        // Not ours, and so is what follows it: clap says so.
                        self.taken.push((None, format!("{flag}{rest}").into()));
                        return Ok(());
                    }
                },
            }
        }
        Ok(())
    }

    /// `-h` asks for help; before something that can only be a host, it is the `-h` of older days.
    fn help_or_host(&mut self) -> Result<(), String> {
        if let Some(next) = self.peek().and_then(OsStr::to_str)
            && is_host(next)
        {
            return Err(format!("{} {next}", old::HOST));
        }
        self.taken.push((None, "-h".into()));
        Ok(())
    }

    fn switch(&mut self, option: &Opt, name: &str, value: Option<&str>) -> Result<(), String> {
        let times = match (value.map_or(Some(true), truth), value.and_then(|value| value.parse::<u8>().ok()))
        {
            (_, Some(times)) if option.kind == Kind::Count => usize::from(times),
            (Some(is_on), _) => usize::from(is_on),
            (None, _) => {
                return Err(format!(
                    "--{name} takes no value: it is --{name}, or --{name}=false to unset it"
                ));
            }
        };
        if value.is_some() {
            self.take_off(&option.key);
        }
        for _ in 0..times {
            self.put(option, format!("--{}", option.key).into());
        }
        Ok(())
    }

    /// An option with a value: in the token itself, or in the one that follows.
    fn valued(&mut self, option: &Opt, flag: &str, token: OsString, follows: bool) -> Result<(), String> {
        self.put(option, token);
        if follows && let Some(value) = self.peek() {
            let value = value.to_string_lossy();
            if is_magnet(&value) {
                return Err(wrong::would_swallow(flag, &option.value_name));
            }
            // Else it is missing: clap says so.
            if value == "-" || !value.starts_with('-') {
                let value = self.next().unwrap_or_default();
                self.taken.push((Some(option.key.clone()), value));
            }
        }
        Ok(())
    }

    fn put(&mut self, option: &Opt, arg: OsString) {
        self.unset.remove(&option.key);
        self.taken.push((Some(option.key.clone()), arg));
    }

    fn take_off(&mut self, key: &str) {
        self.taken.retain(|(taken, _)| taken.as_deref() != Some(key));
        self.unset.insert(key.to_owned());
    }

    fn old(&mut self, old: &Old, flag: &str, has_its_value: bool) -> Result<(), String> {
        match old.answer {
            Answer::Instead(sentence) if flag == "-o" => {
                Err(format!("-o chose omxplayer once, and -o - is standard output now: {sentence}"))
            }
            Answer::Instead(sentence) if flag.starts_with("--") => {
                Err(format!("there is no {flag} any more: {sentence}"))
            }
            Answer::Instead(sentence) => {
                Err(format!("there is no {flag} (--{}) any more: {sentence}", old.name))
            }
            Answer::Needless(sentence) => {
                self.notes.push(sentence.to_owned());
                // Its value goes with it, and never the torrent.
                let is_value = |next: &OsStr| {
                    let next = next.to_string_lossy();
                    let is_torrent = self.at + 1 == self.left.len() && self.words.is_empty();
                    !next.starts_with('-') && !is_magnet(&next) && !is_torrent
                };
                if old.has_value && !has_its_value && self.peek().is_some_and(is_value) {
                    self.next();
                }
                Ok(())
            }
        }
    }

    /// A shell that meets an `&` outside quotes starts what stands before it, and forgets the rest.
    fn check_magnets(&mut self, shell: Shell) -> Result<(), String> {
        const QUOTES: &str = "the shell cuts a link at the first & that is not in quotes; put quotes around all of it: \
                              peerflix 'magnet:?xt=urn:btih:…&tr=…'";
        // What was cut off took everything with it that came after.
        let last = self.left.len().checked_sub(1);
        let Some((_, link)) = self.words.iter().find(|(at, word)| Some(*at) == last && is_magnet(word))
        else {
            return Ok(());
        };
        let mut parameters = link.split_once('?').map(|(_, rest)| rest.split('&')).into_iter().flatten();
        let is_hash = |parameter: &str| {
            let parameter = parameter.to_ascii_lowercase();
            parameter.starts_with("xt=") || parameter.starts_with("xt.")
        };
        let has_hash = parameters.clone().any(is_hash);
        let is_alone = parameters.next().is_some() && parameters.next().is_none();
        match (has_hash, shell) {
            (false, _) => Err(format!("this magnet link has no hash (xt=urn:btih:…). {}", capital(QUOTES))),
            (true, Shell::Unknown) if is_alone => {
                self.notes
                    .push(format!("this magnet link is a hash and nothing else. If it was longer: {QUOTES}"));
                Ok(())
            }
            (true, Shell::WentOn) if is_alone => {
                self.notes.push(format!("this magnet link was probably cut: {QUOTES}"));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A word that was to be a command, and is none. `is_there` says whether a file has this name.
pub(crate) fn misspelt_command(
    word: &str,
    grammar: &Command,
    is_there: impl Fn(&str) -> bool,
) -> Option<String> {
    let is_word = word.len() > 1 && word.chars().all(|character| character.is_ascii_lowercase());
    if !is_word || is_there(word) {
        return None;
    }
    let names = || grammar.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    Some(match nearest(word, names().chain(["help"])) {
        Some(meant) => format!("there is no command and no file {word}: did you mean peerflix {meant}?"),
        None => {
            let names: Vec<&str> = names().collect();
            format!(
                "there is no command and no file {word}: give a magnet link, an info hash, a .torrent file or its URL, or \
                 one of the commands {}",
                names.join(", ")
            )
        }
    })
}

/// What a switch may be set to, in all the ways there are.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn is_magnet(text: &str) -> bool {
    let start: String = text.chars().take(14).collect::<String>().to_ascii_lowercase();
    start.starts_with("magnet:") || start.starts_with("stream-magnet:")
}

/// Certainly a host, and no torrent.
fn is_host(text: &str) -> bool {
    let is_name = || {
        let labels: Vec<&str> = text.split('.').collect();
        let is_label = |label: &&str| {
            !label.is_empty()
                && label.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        };
        (labels.len() > 1 || text == "localhost")
            && labels.iter().all(is_label)
            && labels.last() != Some(&"torrent")
    };
    text.parse::<IpAddr>().is_ok() || is_name()
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGNET: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a";

    fn line(typed: &[&str]) -> Result<Line, String> {
        let typed = std::iter::once("peerflix").chain(typed.iter().copied()).map(OsString::from);
        read(typed, &options::grammar(), Shell::Unknown)
    }

    fn args(typed: &[&str]) -> Vec<String> {
        let line = line(typed).expect("can be meant");
        line.args[1..].iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_plain_stays_as_it_is() {
        for typed in [
            &[MAGNET, "--vlc", "-p", "9000", "--path=/tmp"][..],
            &["list", "film.torrent"],
            &["-", "-o", "-"],
            &[MAGNET, "--mpv", "--", "--vlc=false", "-h", "0.0.0.0"],
            &["--unknown", "value"],
            &[],
        ] {
            assert_eq!(args(typed), typed);
        }
    }

    #[test]
    fn letters_in_a_row_are_flags_of_their_own() {
        assert_eq!(args(&["-qvp9000", MAGNET]), ["-q", "-v", "-p9000", MAGNET]);
        assert_eq!(args(&["-dp", "9000", MAGNET]), ["-d", "-p", "9000", MAGNET]);
        assert_eq!(args(&["-qz-v", MAGNET]), ["-q", "-z-v", MAGNET]);
    }

    #[test]
    fn a_switch_can_be_unset_and_the_last_word_counts() {
        let unset = |typed: &[&str]| {
            let line = line(typed).expect("can be meant");
            (line.args.len() - 1, line.unset.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(unset(&["--vlc=false"]), (0, vec!["vlc".into()]));
        assert_eq!(unset(&["-v", "--no-vlc"]), (0, vec!["vlc".into()]));
        assert_eq!(unset(&["--no-vlc", "-v"]), (1, vec![]));
        assert_eq!(unset(&["--dht"]), (0, vec!["no-dht".into()]));
        assert_eq!(unset(&["--dht=false"]), (1, vec![]));
        assert_eq!(unset(&["--path=/tmp", "--path="]), (0, vec!["path".into()]));
        assert_eq!(unset(&["--path", "/tmp", "--path="]), (0, vec!["path".into()]));
        assert_eq!(unset(&["--verbose=2"]), (2, vec![]));
        assert!(line(&["--vlc=perhaps"]).expect_err("no value").contains("--vlc=false"));
    }

    #[test]
    fn a_command_may_stand_after_flags() {
        assert_eq!(args(&["--json", "-x", "7000", "list", "a.torrent"])[0], "list");
        assert_eq!(args(&["help"]), ["--help"]);
        assert_eq!(args(&["help", "list"]), ["list", "--help"]);
        assert_eq!(args(&["film.torrent", "list"]), ["film.torrent", "list"]);
    }

    #[test]
    fn a_flag_without_its_value_does_not_swallow_the_magnet() {
        for flag in ["-t", "--subtitles", "--path", "-b", "-p", "--on-listening"] {
            assert!(line(&[flag, MAGNET]).expect_err(flag).contains("needs a value"), "{flag}");
        }
        assert_eq!(args(&["--id", MAGNET]), [MAGNET]);
        assert_eq!(args(&["--id", "film.torrent"]), ["film.torrent"]);
        assert_eq!(args(&["--id=x", "--id", "y", MAGNET, "--id", "z", "-q"]), [MAGNET, "-q"]);
    }

    #[test]
    fn h_is_a_host_only_before_one() {
        for host in ["0.0.0.0", "::1", "localhost", "nas.local"] {
            assert!(line(&[MAGNET, "-h", host]).expect_err(host).contains(&format!("--hostname {host}")));
        }
        for typed in [&["-h"][..], &["-h", MAGNET], &["-h", "film.torrent"], &["list", "-h"]] {
            assert!(args(typed).contains(&"-h".to_owned()), "{typed:?}");
        }
    }

    #[test]
    fn one_dash_before_a_word_is_one_too_few() {
        for typed in ["-vlc", "-mpv", "-list", "-all"] {
            assert!(line(&[MAGNET, typed]).expect_err(typed).contains(&format!("did you mean -{typed}")));
        }
    }

    #[test]
    fn a_magnet_that_the_shell_has_cut_is_known() {
        const BARE: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
        let with = |shell, typed: &[&str]| {
            read(
                std::iter::once("peerflix").chain(typed.iter().copied()).map(OsString::from),
                &options::grammar(),
                shell,
            )
        };
        let notes = |shell, typed: &[&str]| with(shell, typed).expect("can be meant").notes.len();
        assert_eq!(notes(Shell::WentOn, &["--vlc", BARE]), 1);
        assert_eq!(notes(Shell::Unknown, &[BARE]), 1);
        assert_eq!(notes(Shell::Waits, &[BARE]), 0);
        assert_eq!(notes(Shell::WentOn, &[MAGNET]), 0, "it has more than its hash");
        assert_eq!(notes(Shell::WentOn, &[BARE, "--vlc"]), 0, "something has come after it");
        assert!(with(Shell::Waits, &["magnet:?dn=film"]).expect_err("no hash").contains("quotes"));
        assert!(with(Shell::Waits, &["magnet:?dn=film", "-q"]).is_ok(), "not the shell's doing");
    }

    #[test]
    fn a_word_that_is_nearly_a_command() {
        let said = |word: &str| misspelt_command(word, &options::grammar(), |name| name == "film");
        assert!(said("lits").expect("is told").contains("peerflix list"));
        assert!(said("docter").expect("is told").contains("peerflix doctor"));
        assert!(said("rubbish").expect("is told").contains("completions"));
        for fine in ["film", "film.torrent", "-", "0123456789abcdef0123456789abcdef01234567"] {
            assert_eq!(said(fine), None);
        }
    }
}
