//! What options there are, as the flags themselves tell: for everything that reads options elsewhere than clap does.

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};

use super::Cli;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: it is set, or it is not.
    Switch,
    /// Nothing: it counts how often it is set.
    Count,
    /// One value.
    One,
    /// Values.
    Many,
}

/// One option of a command.
#[derive(Clone, Debug)]
pub(crate) struct Opt {
    /// Its long name, which is its key in a configuration too.
    pub(crate) key: String,
    /// Other long names that mean the same.
    pub(crate) aliases: Vec<String>,
    pub(crate) letter: Option<char>,
    pub(crate) kind: Kind,
    /// Of options in one group, one can be set.
    pub(crate) group: Option<String>,
    /// Whether its value is the path of something.
    pub(crate) is_path: bool,
    /// What stands between several values in one text.
    pub(crate) delimiter: Option<char>,
    pub(crate) value_name: String,
    /// Its heading in the help.
    pub(crate) heading: String,
    /// The first line of its help.
    pub(crate) help: String,
}

impl Opt {
    /// Whether it is called this (`_` being as good as `-`).
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.key == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// What holds while nobody sets it, as its help says.
    pub(crate) fn default(&self) -> Option<&str> {
        self.help.split_once("[default: ")?.1.strip_suffix(']')
    }
}

/// The command line's grammar, whole.
pub(crate) fn grammar() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The options of one command (of `peerflix TORRENT`, if it is the whole grammar that is given), in the order of the help.
pub(crate) fn of(command: &Command) -> Vec<Opt> {
    command.get_arguments().filter_map(|arg| of_arg(command, arg)).collect()
}

/// What can stand in a configuration: all options of `peerflix TORRENT`, and those that say how a mount or a wiki is to be.
pub(crate) fn settings(grammar: &Command) -> Vec<Opt> {
    let mut found = of(grammar);
    found.retain(|option| option.key != "config");
    for (command, heading, of_one_time) in WITH_SETTINGS {
        let more = grammar.find_subcommand(command).map(of).unwrap_or_default();
        for option in more {
            let stays = option.heading == heading && !of_one_time.contains(&option.key.as_str());
            if stays && found.iter().all(|known| known.key != option.key) {
                found.push(option);
            }
        }
    }
    found
}

/// The beginning of a command line for which an option would be understood, and whose torrent is a matter of form.
pub(crate) fn line_with(grammar: &Command, key: &str) -> Vec<&'static str> {
    let has_it = |command: &Command| of(command).iter().any(|option| option.key == key);
    let other = WITH_SETTINGS
        .iter()
        .map(|(name, ..)| *name)
        .find(|name| grammar.find_subcommand(name).is_some_and(has_it));
    match other.filter(|_| !has_it(grammar)) {
        None => vec!["peerflix", "x"],
        Some(command) => vec!["peerflix", command, "x"],
    }
}

/// The commands that have settings of their own, below which heading of their help these are, and those below it that are flags
/// only: where it is, what is asked of it and what is kept is of one time.
const WITH_SETTINGS: [(&str, &str, &[&str]); 2] =
    [("mount", "Mount", &["at", "status"]), ("wiki", "Wiki", &["pin"])];

fn of_arg(command: &Command, arg: &Arg) -> Option<Opt> {
    let key = arg.get_long()?.to_owned();
    let kind = match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
        ArgAction::Count => Kind::Count,
        ArgAction::Append => Kind::Many,
        ArgAction::Set => Kind::One,
        // Help and version are answered, not set.
        _ => return None,
    };
    let group = command
        .get_groups()
        .find(|group| !(*group).clone().is_multiple() && group.get_args().any(|id| id == arg.get_id()));
    Some(Opt {
        aliases: arg.get_all_aliases().unwrap_or_default().into_iter().map(str::to_owned).collect(),
        letter: arg.get_short(),
        kind,
        group: group.map(|group| group.get_id().to_string()),
        is_path: matches!(
            arg.get_value_hint(),
            ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath
        ),
        delimiter: arg.get_value_delimiter(),
        value_name: match kind {
            Kind::Switch | Kind::Count => String::new(),
            Kind::One | Kind::Many => arg
                .get_value_names()
                .and_then(|names| names.first())
                .map(ToString::to_string)
                .unwrap_or_default(),
        },
        heading: arg.get_help_heading().unwrap_or("Options").to_owned(),
        help: arg.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " "),
        key,
    })
}

/// The one of these names that was probably meant, if any is like it.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| {
        let by_edits = strsim::normalized_damerau_levenshtein(word, name);
        // Who forgets the end of a long word is not far off.
        by_edits.max(if word.len() >= 4 && name.starts_with(word) { 0.75 } else { 0.0 })
    };
    names
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_tell_what_they_take() {
        let found = settings(&grammar());
        let option = |key: &str| found.iter().find(|option| option.key == key).expect(key).clone();
        assert_eq!(option("vlc").kind, Kind::Switch);
        assert_eq!(option("verbose").kind, Kind::Count);
        assert_eq!(option("port").kind, Kind::One);
        assert_eq!(option("trackers").kind, Kind::Many);
        assert_eq!(option("vlc").group, option("player").group);
        assert!(option("vlc").group.is_some());
        assert_eq!(option("port").group, None);
        assert!(option("path").is_path && option("subtitles").is_path && !option("port").is_path);
        assert!(option("cache").is_called("tmp"));
        assert_eq!(option("connections").default(), Some("100"));
        assert_eq!((option("guard").kind, option("read-timeout").default()), (Kind::Many, Some("60")));
        assert_eq!(line_with(&grammar(), "guard"), ["peerflix", "mount", "x"]);
        assert_eq!(line_with(&grammar(), "port"), ["peerflix", "x"]);
        assert_eq!(line_with(&grammar(), "no-bar"), ["peerflix", "wiki", "x"]);
        assert!(!found.iter().any(|option| {
            ["help", "version", "config", "at", "status", "pin"].contains(&option.key.as_str())
        }));
    }

    #[test]
    fn a_slip_finds_what_was_meant() {
        let names = ["vlc", "mpv", "port", "peer-port", "not-on-top", "only-watched", "trackers"];
        for (typed, meant) in [
            ("vcl", Some("vlc")),
            ("prot", Some("port")),
            ("tracker", Some("trackers")),
            ("only", Some("only-watched")),
            ("nonsense", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }
}
