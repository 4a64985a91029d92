//! The command line of each player. Pure, but for the look-up of the program.

use std::ffi::OsString;
use std::path::PathBuf;

use super::find::{Environment, Found, System, find, find_program, installed};
use super::items::{global_subtitles, items, of_item};
use super::{Choice, Launch, PlayerError};

/// A program and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// The command line that plays `launch` in the player chosen. [`Choice::Open`] has none: it counts as not installed.
pub fn command_line(
    choice: &Choice,
    launch: &Launch,
    environment: &Environment,
) -> Result<CommandLine, PlayerError> {
    if let Choice::Command(command) = choice {
        return typed(command, launch, environment);
    }
    let Some(Found { program, before }) = find(choice, environment) else {
        return Err(not_installed(choice.name(), environment));
    };
    let arguments = before.into_iter().map(OsString::from).chain(arguments(choice, launch)).collect();
    Ok(CommandLine { program, arguments })
}

fn not_installed(wanted: &str, environment: &Environment) -> PlayerError {
    PlayerError::NotInstalled { wanted: wanted.to_owned(), found: installed(environment) }
}

/// What a player that we know is told.
fn arguments(kind: &Choice, launch: &Launch) -> Vec<OsString> {
    let on_top = |flag: &'static str| Some(flag).filter(|_| launch.on_top);
    let flags: Vec<&str> = match kind {
        Choice::Vlc => {
            [Some("-q"), on_top("--video-on-top"), Some("--play-and-exit")].into_iter().flatten().collect()
        }
        Choice::Mpv => on_top("--ontop").into_iter().chain(["--msg-level=all=error", "--loop=no"]).collect(),
        Choice::Mplayer => on_top("-ontop").into_iter().chain(["-really-quiet", "-noidx"]).collect(),
        Choice::Smplayer => on_top("-ontop").into_iter().chain(["-close-at-end"]).collect(),
        // Its end is to be ours: not one more film in a window that is open already, and none that stays open.
        Choice::Mpchc => vec!["/new", "/play", "/close"],
        Choice::Potplayer => vec!["/new"],
        Choice::Command(_) | Choice::Open => Vec::new(),
    };
    flags.into_iter().map(OsString::from).chain(told(kind, launch, true)).collect()
}

/// What the user wants the player to be told, and what is to be played. Of one item, the user's word comes after ours, so
/// that it counts.
fn told(kind: &Choice, launch: &Launch, with_titles: bool) -> Vec<OsString> {
    let mut told = extra(kind, launch);
    let mut items = items(kind, launch, with_titles);
    let url_is_last = matches!(kind, Choice::Mpv | Choice::Mplayer | Choice::Smplayer);
    if launch.more.is_empty() && url_is_last {
        let url = items.pop();
        items.append(&mut told);
        items.extend(url);
        items
    } else {
        told.append(&mut items);
        told
    }
}

/// What the user wants the player to be told, but for what is about an item and stands behind it.
fn extra(kind: &Choice, launch: &Launch) -> Vec<OsString> {
    if *kind == Choice::Vlc { of_item(&launch.extra).1 } else { launch.extra.clone() }
}

/// A command as the user typed it.
fn typed(command: &str, launch: &Launch, environment: &Environment) -> Result<CommandLine, PlayerError> {
    let mut words = words(command, environment.system)?.into_iter();
    let program = words.next().filter(|program| !program.is_empty()).ok_or(PlayerError::NoCommand)?;
    let found = find_program(&program, environment).ok_or_else(|| not_installed(&program, environment))?;
    let kind = kind_of_program(&program).unwrap_or(Choice::Open);
    let words: Vec<_> = words.collect();
    let has_place = words.iter().any(|word| word.contains("{}"));
    let mut arguments: Vec<OsString> =
        words.into_iter().map(|word| word.replace("{}", &launch.url).into()).collect();
    if has_place {
        arguments.extend(launch.extra.iter().cloned());
        arguments.extend(global_subtitles(&kind, &launch.subtitles).into_iter().map(OsString::from));
    } else if kind == Choice::Open {
        arguments.extend(launch.extra.iter().cloned());
        arguments.push(launch.url.clone().into());
    } else {
        // The user may have named the one film; what nobody but we know of needs names.
        arguments.extend(told(&kind, launch, !launch.more.is_empty()));
    }
    Ok(CommandLine { program: found, arguments })
}

/// The player that a command starts, if it is one that we know.
pub(super) fn kind_of(command: &str) -> Option<Choice> {
    let system = if cfg!(windows) { System::Windows } else { System::Unix };
    kind_of_program(words(command, system).ok()?.first()?)
}

fn kind_of_program(program: &str) -> Option<Choice> {
    let name = program.rsplit(['/', '\\']).next()?.to_lowercase();
    match name.strip_suffix(".exe").unwrap_or(&name) {
        "vlc" | "cvlc" | "qvlc" | "nvlc" => Some(Choice::Vlc),
        "mpv" => Some(Choice::Mpv),
        "mplayer" => Some(Choice::Mplayer),
        "smplayer" => Some(Choice::Smplayer),
        "mpc-hc" | "mpc-hc64" => Some(Choice::Mpchc),
        "potplayer" | "potplayermini" | "potplayermini64" => Some(Choice::Potplayer),
        _ => None,
    }
}

/// Splits words as a shell does, and does nothing else that a shell does: `'` quotes all, `"` all but `\"` and `\\`,
/// `\` the next character. On Windows, where `\` is in every path, it only ever quotes a `"`.
fn words(text: &str, system: System) -> Result<Vec<String>, PlayerError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let escapes = |next: char| match (system, quote) {
            (_, Some('\'')) => false,
            (System::Windows, _) => next == '"',
            (_, Some(_)) => matches!(next, '"' | '\\'),
            (_, None) => true,
        };
        match c {
            '\\' if characters.peek().is_some_and(|&next| escapes(next)) => {
                word.get_or_insert_default().extend(characters.next());
            }
            _ if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            _ if c.is_whitespace() && quote.is_none() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(PlayerError::OpenQuote(text.to_owned()));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::Item;

    const URL: &str = "http://127.0.0.1:8888/0/film.mkv";

    fn launch(title: Option<&str>, on_top: bool, extra: &[&str]) -> Launch {
        let extra = extra.iter().map(OsString::from).collect();
        Launch { url: URL.to_owned(), title: title.map(str::to_owned), on_top, extra, ..Launch::default() }
    }

    #[test]
    fn each_player_is_told_in_its_own_way() {
        let titled = launch(Some("A {film}\n2"), true, &["--fullscreen", ":start-time=30"]);
        let plain = launch(None, false, &[]);
        let cases: [(Choice, &Launch, &[&str]); 10] = [
            (
                Choice::Vlc,
                &titled,
                &[
                    "-q",
                    "--video-on-top",
                    "--play-and-exit",
                    "--fullscreen",
                    URL,
                    ":meta-title=A film 2",
                    ":start-time=30",
                ],
            ),
            (Choice::Vlc, &plain, &["-q", "--play-and-exit", URL]),
            (
                Choice::Mpv,
                &titled,
                &[
                    "--ontop",
                    "--msg-level=all=error",
                    "--loop=no",
                    "--force-media-title=A {film} 2",
                    "--fullscreen",
                    ":start-time=30",
                    URL,
                ],
            ),
            (Choice::Mpv, &plain, &["--msg-level=all=error", "--loop=no", URL]),
            (
                Choice::Mplayer,
                &titled,
                &[
                    "-ontop",
                    "-really-quiet",
                    "-noidx",
                    "-title",
                    "A {film} 2",
                    "--fullscreen",
                    ":start-time=30",
                    URL,
                ],
            ),
            (Choice::Mplayer, &plain, &["-really-quiet", "-noidx", URL]),
            (
                Choice::Smplayer,
                &titled,
                &[
                    "-ontop",
                    "-close-at-end",
                    "-media-title",
                    "A {film} 2",
                    "--fullscreen",
                    ":start-time=30",
                    URL,
                ],
            ),
            (Choice::Smplayer, &plain, &["-close-at-end", URL]),
            (Choice::Mpchc, &plain, &["/new", "/play", "/close", URL]),
            (Choice::Potplayer, &plain, &["/new", URL]),
        ];
        for (choice, launch, expected) in cases {
            assert_eq!(arguments(&choice, launch), expected, "{choice:?}");
        }
    }

    #[test]
    fn a_title_is_an_argument_whatever_is_in_it() {
        let launch = launch(Some("$(reboot) `x` \" ' ; -- é"), false, &[]);
        assert_eq!(arguments(&Choice::Mpv, &launch)[2], "--force-media-title=$(reboot) `x` \" ' ; -- é");
    }

    #[test]
    fn words_are_split_as_in_a_shell() {
        let cases: [(&str, &[&str]); 9] = [
            ("mpv", &["mpv"]),
            ("  mpv \t --fs  ", &["mpv", "--fs"]),
            ("mpv --title='a b'c", &["mpv", "--title=a bc"]),
            (r#"mpv "a \"b\" \n" 'c\'"#, &["mpv", "a \"b\" \\n", "c\\"]),
            (r"/opt/my\ player/run x", &["/opt/my player/run", "x"]),
            ("mpv '' \"\"", &["mpv", "", ""]),
            ("mpv $HOME `x` ; & | > *", &["mpv", "$HOME", "`x`", ";", "&", "|", ">", "*"]),
            (r"mpv \", &["mpv", "\\"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, System::Unix).expect(text), expected, "{text}");
        }
        assert!(matches!(words("mpv 'a", System::Unix), Err(PlayerError::OpenQuote(_))));
        assert!(matches!(words("mpv \"a'", System::Unix), Err(PlayerError::OpenQuote(_))));
    }

    #[test]
    fn words_on_windows_keep_their_backslashes() {
        let text = r#""C:\Program Files\mpv\mpv.exe" C:\x\y "a \"b\"""#;
        let expected = [r"C:\Program Files\mpv\mpv.exe", r"C:\x\y", "a \"b\""];
        assert_eq!(words(text, System::Windows).expect(text), expected);
    }

    #[test]
    fn a_typed_command_has_the_url_in_its_place_or_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = crate::player::find::tests::put(folder.path(), "my player");
        let environment = Environment::of(System::Unix, [folder.path()]);
        let line = |command: &str| {
            let choice = Choice::Command(command.to_owned());
            let line = command_line(&choice, &launch(Some("title"), true, &["--extra"]), &environment);
            line.map(|line| {
                assert_eq!(line.program, program);
                line.arguments
            })
        };
        assert_eq!(line("'my player' --fs").expect("found"), ["--fs", "--extra", URL]);
        let in_place = format!("--url={URL}");
        assert_eq!(line("'my player' --url={} b").expect("found"), [in_place.as_str(), "b", "--extra"]);
        assert!(
            matches!(line("other --fs"), Err(PlayerError::NotInstalled { wanted, .. }) if wanted == "other")
        );
        assert!(matches!(line("  "), Err(PlayerError::NoCommand)));
        assert!(matches!(line("''"), Err(PlayerError::NoCommand)));
        let by_path = format!("'{}'", program.display());
        assert_eq!(line(&by_path).expect("found"), ["--extra", URL]);
    }

    #[test]
    fn a_typed_command_of_a_player_that_we_know_is_told_more() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["mpv", "cvlc", "my player"] {
            crate::player::find::tests::put(folder.path(), name);
        }
        let environment = Environment::of(System::Unix, [folder.path()]);
        let more = vec![Item { url: "http://h/1".to_owned(), ..Item::default() }];
        let subtitles = vec!["http://h/2.srt".to_owned()];
        let launch = Launch { subtitles, more, ..launch(None, false, &[":a", "--b"]) };
        let line = |command: &str| {
            let choice = Choice::Command(command.to_owned());
            (
                command_line(&choice, &launch, &environment).expect("found").arguments,
                choice.takes_playlist(),
                choice.takes_subtitles(),
            )
        };
        let told = |told: &[&str]| told.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            line("mpv --fs"),
            (
                told(&[
                    "--fs",
                    ":a",
                    "--b",
                    "--{",
                    "--sub-file=http://h/2.srt",
                    URL,
                    "--}",
                    "--{",
                    "http://h/1",
                    "--}"
                ]),
                true,
                true
            )
        );
        assert_eq!(
            line("cvlc"),
            (
                told(&[
                    "--b",
                    URL,
                    ":input-slave=http://h/2.srt",
                    ":sub-description=2.srt",
                    ":a",
                    "http://h/1"
                ]),
                true,
                true
            )
        );
        assert_eq!(
            line("cvlc {} x"),
            (told(&[URL, "x", ":a", "--b", "--input-slave=http://h/2.srt"]), false, true)
        );
        assert_eq!(line("'my player'"), (told(&[":a", "--b", URL]), false, false));
    }

    #[test]
    fn a_player_that_is_not_there_is_told_beside_those_that_are() {
        let folder = tempfile::tempdir().expect("a folder");
        crate::player::find::tests::put(folder.path(), "mpv");
        let environment = Environment::of(System::Unix, [folder.path()]);
        let result = command_line(&Choice::Vlc, &launch(None, true, &[]), &environment);
        let Err(PlayerError::NotInstalled { wanted, found }) = result else { panic!("{result:?}") };
        assert_eq!((wanted.as_str(), found), ("VLC", vec![Choice::Mpv]));
    }
}
