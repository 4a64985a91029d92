//! What is set, in layers, and which of it counts.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};

use super::{Kind, Opt, Stop, options, places};
use crate::cli::line::truth;
use crate::cli::old::{self, Answer};
use crate::cli::options::nearest;
use crate::cli::{Cli, wrong};

/// Where an option was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// In the command line.
    Typed,
    /// In the environment, by this variable.
    Variable(String),
    /// In a file, in this line, if that is known.
    File { path: PathBuf, line: Option<usize> },
    /// Nowhere: the program's own default.
    #[default]
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Typed => f.write_str("the command line"),
            Origin::Variable(name) => f.write_str(name),
            Origin::File { path, line: Some(line) } => write!(f, "{}, line {line}", path.display()),
            Origin::File { path, line: None } => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// What something is set to, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Truth(bool),
    /// Also a number.
    Text(OsString),
    List(Vec<String>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Raw,
    pub(super) origin: Origin,
}

/// What one place sets, not yet looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) is_environment: bool,
    /// A file that peerflix 0.39 read too: what it ignored is no error.
    pub(super) is_old: bool,
    /// A file that lies around, and is believed less.
    pub(super) is_around: bool,
}

/// What one place sets, each of it possible.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) sets: Vec<Set>,
    /// Keys that it unsets, whatever the layers below say.
    pub(super) unset: BTreeSet<String>,
}

/// An option that is set.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) key: String,
    group: Option<String>,
    value: Value,
    pub(super) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// A switch, so many times.
    Times(u8),
    Texts(Vec<OsString>),
}

impl Set {
    /// One that clap has read already.
    pub(super) fn typed(option: &Opt) -> Set {
        let group = option.group.clone();
        Set { key: option.key.clone(), group, value: Value::Times(0), origin: Origin::Typed }
    }

    /// As one would type it.
    pub(super) fn flags(&self) -> Vec<OsString> {
        match &self.value {
            Value::Times(times) => vec![format!("--{}", self.key).into(); usize::from(*times)],
            Value::Texts(texts) => texts.iter().map(|text| flag(&self.key, text)).collect(),
        }
    }
}

fn flag(key: &str, value: &OsStr) -> OsString {
    let mut flag = OsString::from(format!("--{key}="));
    flag.push(value);
    flag
}

/// One option, and what it is set to.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its long flag, without the dashes.
    pub key: String,
    /// Its heading in the help.
    pub heading: String,
    /// As it would stand in config.toml. `None`: it is not set.
    pub value: Option<toml::Value>,
    /// What holds while it is not set, in words.
    pub otherwise: String,
    pub origin: Origin,
}

impl Setting {
    pub(super) fn of(option: &Opt, set: Option<Set>) -> Setting {
        let one = |text: &str| match text.parse() {
            Ok(number) if !text.starts_with('+') => toml::Value::Integer(number),
            _ => toml::Value::String(text.to_owned()),
        };
        let text = |text: &OsString| one(&text.to_string_lossy());
        let several = |text: &OsString| match option.delimiter {
            Some(delimiter) => text.to_string_lossy().split(delimiter).map(one).collect(),
            None => vec![one(&text.to_string_lossy())],
        };
        let value = set.as_ref().map(|set| match (&set.value, option.kind) {
            (Value::Times(times), Kind::Count) => toml::Value::Integer(i64::from(*times)),
            (Value::Times(times), _) => toml::Value::Boolean(*times > 0),
            (Value::Texts(texts), Kind::Many) => toml::Value::Array(texts.iter().flat_map(several).collect()),
            (Value::Texts(texts), _) => texts.first().map_or(toml::Value::String(String::new()), text),
        });
        let otherwise = match option.kind {
            Kind::Switch => "false",
            Kind::Count => "0",
            Kind::One | Kind::Many => option.default().unwrap_or("not set"),
        };
        Setting {
            key: option.key.clone(),
            heading: option.heading.clone(),
            value,
            otherwise: otherwise.to_owned(),
            origin: set.map(|set| set.origin).unwrap_or_default(),
        }
    }
}

/// Looks at all that was found: what cannot be is an error, or a note where it does no harm.
pub(super) fn read(
    found: Vec<Found>,
    grammar: &Command,
    home: Option<&Path>,
) -> Result<(Vec<Layer>, Vec<String>), Stop> {
    let mut rules = Rules { known: options::settings(grammar), grammar, home, notes: Vec::new() };
    let layers = found.iter().map(|found| rules.layer(found)).collect::<Result<_, _>>()?;
    Ok((layers, rules.notes))
}

/// What is set is held against them.
struct Rules<'a> {
    known: Vec<Opt>,
    grammar: &'a Command,
    home: Option<&'a Path>,
    notes: Vec<String>,
}

impl Rules<'_> {
    fn layer(&mut self, found: &Found) -> Result<Layer, Stop> {
        let mut layer = Layer::default();
        for entry in &found.entries {
            let Some((option, value)) = self.meant(entry) else {
                self.unknown(entry, found)?;
                continue;
            };
            if found.is_around && places::NOT_FROM_A_FOLDER.contains(&option.key.as_str()) {
                self.notes.push(format!(
                "{}: {} is not taken from a file that lies in a folder; it belongs into your own configuration",
                entry.origin, option.key
            ));
                continue;
            }
            match self.check(entry, &option, value)? {
                Some(value) => {
                    let (key, group) = (option.key.clone(), option.group.clone());
                    let taken = layer.sets.iter().find(|set| group.is_some() && set.group == group);
                    if let Some(other) = taken.filter(|other| other.key != key) {
                        let (one, other) = (origin_and(&entry.origin, &key), &other.key);
                        return Err(Stop::wrong(format!(
                            "{one} and {other} exclude each other: leave one out"
                        )));
                    }
                    layer.sets.retain(|set| set.key != key);
                    layer.sets.push(Set { key, group, value, origin: entry.origin.clone() });
                }
                None => {
                    layer.unset.insert(option.key.clone());
                }
            }
        }
        Ok(layer)
    }

    /// The option that a key names. `dht = false` is another way to say `no-dht = true`, and was once the only one.
    fn meant(&self, entry: &Entry) -> Option<(Opt, Raw)> {
        let find = |name: &str| self.known.iter().find(|option| option.is_called(name)).cloned();
        let opposite = find(&format!("no-{}", entry.key));
        // `guard = false` is no name of a program.
        let is_opposed = opposite.is_some() && matches!(entry.value, Raw::Truth(_));
        if let Some(option) = find(&entry.key).filter(|option| option.kind != Kind::Many || !is_opposed) {
            return Some((option, entry.value.clone()));
        }
        let opposite = opposite.or_else(|| find(entry.key.strip_prefix("no-")?))?;
        let is_on = match &entry.value {
            Raw::Truth(is_on) => *is_on,
            Raw::Text(text) => truth(text.to_str()?)?,
            Raw::List(_) => return None,
        };
        (opposite.kind == Kind::Switch).then_some((opposite, Raw::Truth(!is_on)))
    }

    /// A key that nothing is called.
    fn unknown(&mut self, entry: &Entry, found: &Found) -> Result<(), Stop> {
        let key = &entry.key;
        let is_off = match &entry.value {
            Raw::Truth(is_on) => !is_on,
            Raw::Text(text) => text.to_str().and_then(truth) == Some(false),
            Raw::List(_) => false,
        };
        if let Some(old) = old::named(key) {
            let (Answer::Instead(sentence) | Answer::Needless(sentence)) = old.answer;
            if !is_off {
                self.notes.push(format!("{}: {sentence}", origin_and(&entry.origin, key)));
            }
            return Ok(());
        }
        let meant = nearest(key, self.known.iter().map(|option| option.key.as_str()));
        let sentence = |meant: String| match &entry.origin {
            Origin::Variable(name) => format!("the variable {name} sets no option{meant}"),
            origin => format!("{origin}: there is no option {key}{meant}"),
        };
        match meant {
            // Whoever sets other variables of this prefix may know why.
            None if found.is_environment => Ok(()),
            Some(meant) if found.is_environment => {
                let variable = format!("PEERFLIX_{}", meant.to_ascii_uppercase().replace('-', "_"));
                Err(Stop::wrong(sentence(format!(": did you mean {variable}?"))))
            }
            // It was ignored for years.
            meant if found.is_old => {
                let meant = meant.map(|meant| format!(": did you mean {meant}?")).unwrap_or_default();
                self.notes.push(sentence(meant));
                Ok(())
            }
            Some(meant) => Err(Stop::wrong(sentence(format!(": did you mean {meant}?")))),
            None => Err(Stop::wrong(sentence("; `peerflix config` shows all that there are".to_owned()))),
        }
    }

    /// The value that an option is set to; `None`: it is unset.
    fn check(&self, entry: &Entry, option: &Opt, value: Raw) -> Result<Option<Value>, Stop> {
        let what = || origin_and(&entry.origin, &option.key);
        let is_switch = matches!(option.kind, Kind::Switch | Kind::Count);
        let value = match value {
            Raw::Truth(true) if is_switch => Value::Times(1),
            Raw::Truth(false) if is_switch => return Ok(None),
            Raw::Text(text) if is_switch => {
                let text = text.to_string_lossy();
                match (truth(&text), text.parse::<u8>()) {
                    (_, Ok(0)) | (Some(false), _) => return Ok(None),
                    (_, Ok(times)) if option.kind == Kind::Count => Value::Times(times),
                    (Some(true), _) => Value::Times(1),
                    _ => {
                        return Err(Stop::wrong(format!("{} cannot be {text}: it is true or false", what())));
                    }
                }
            }
            Raw::List(_) if is_switch => {
                return Err(Stop::wrong(format!("{} cannot be a list: it is true or false", what())));
            }
            Raw::List(texts) if option.kind == Kind::One && texts.len() != 1 => {
                return Err(Stop::wrong(format!("{} cannot be a list: it is one value", what())));
            }
            Raw::List(texts) if texts.is_empty() => return Ok(None),
            Raw::List(texts) => Value::Texts(texts.into_iter().map(OsString::from).collect()),
            // As if nobody had set it; but no uploads is a number of uploads.
            Raw::Truth(false) if option.key != "uploads" => return Ok(None),
            Raw::Truth(is_on) => Value::Texts(vec![is_on.to_string().into()]),
            Raw::Text(text) if text.is_empty() => return Ok(None),
            Raw::Text(text) => Value::Texts(vec![text]),
        };
        let value = match value {
            Value::Texts(texts) if option.is_path => {
                let at_home = |text: OsString| at_home(&text, self.home).map_or(text, OsString::from);
                Value::Texts(texts.into_iter().map(at_home).collect())
            }
            value => value,
        };
        if let Value::Texts(texts) = &value {
            for text in texts {
                // The flag's own rules are the rules.
                let start = options::line_with(self.grammar, &option.key);
                let args = start.into_iter().map(OsString::from).chain([flag(&option.key, text)]);
                if let Err(error) = Cli::command().try_get_matches_from(args) {
                    let sentence = wrong::sentence(&error, self.grammar, self.grammar);
                    let sentence = sentence.strip_prefix("--").unwrap_or(&sentence);
                    return Err(Stop::wrong(match &entry.origin {
                        Origin::Variable(name) => format!("the variable {name}: {sentence}"),
                        origin => format!("{origin}: {sentence}"),
                    }));
                }
            }
        }
        Ok(Some(value))
    }
}

/// `~/` at the beginning is the home folder: no shell has seen it.
fn at_home(value: &OsStr, home: Option<&Path>) -> Option<PathBuf> {
    Some(home?.join(value.to_str()?.strip_prefix("~/")?))
}

fn origin_and(origin: &Origin, key: &str) -> String {
    match origin {
        Origin::Variable(name) => format!("the variable {name}"),
        origin => format!("{origin}: {key}"),
    }
}

/// Of each of these options, what counts: what the highest layer says that says anything. An option whose group a higher layer
/// has decided is not set by a lower one.
pub(super) fn choose<'a>(options: &[Opt], layers: impl IntoIterator<Item = &'a Layer>) -> Vec<Set> {
    let mut chosen: Vec<Set> = Vec::new();
    let mut decided = BTreeSet::new();
    let mut groups: BTreeSet<String> = BTreeSet::new();
    for layer in layers {
        let mut taken = Vec::new();
        for set in &layer.sets {
            // A command has not all options, and its groups are its own.
            let Some(option) = options.iter().find(|option| option.key == set.key) else { continue };
            let is_free = option.group.as_ref().is_none_or(|group| !groups.contains(group));
            if is_free && !decided.contains(&set.key) {
                chosen.push(set.clone());
                taken.extend(option.group.clone());
            }
            decided.insert(set.key.clone());
        }
        groups.extend(taken);
        decided.extend(layer.unset.iter().cloned());
    }
    chosen
}
