//! Finds a player and starts it on a URL: with a vector of arguments, never through a shell.
//! It knows nothing of what is played, nor what to do when the player has ended.

mod command;
mod find;
mod items;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

pub use self::command::{CommandLine, command_line};
pub use self::find::{Environment, System, installed};

/// How long a player that was asked to end may take before it is made to.
const PATIENCE: Duration = Duration::from_millis(300);
/// How much of what a player complains of is kept: its end.
const WORDS: usize = 2048;
/// How long its last words are waited for: what it has started itself may hold the pipe open.
const WORDS_PATIENCE: Duration = Duration::from_millis(100);

/// Which player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    Vlc,
    Mpv,
    Mplayer,
    Smplayer,
    /// MPC-HC, on Windows.
    Mpchc,
    /// PotPlayer, on Windows.
    Potplayer,
    /// A program and its arguments in words, as one would type them, with quotes where a word has blanks. The URL takes
    /// the place of `{}`, or comes last. Where the program is one that we know, it is told of subtitles as well, and, without
    /// a `{}`, of several items.
    Command(String),
    /// Whatever the desktop opens a URL with. It cannot be waited for, given arguments, or ended.
    Open,
}

/// What to play, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    pub url: String,
    /// For the player's window, where the player can be told.
    pub title: Option<String>,
    /// Paths or URLs of subtitles, for the first item; the first of them is shown. Some players take only that one.
    pub subtitles: Vec<String>,
    /// What to play afterwards, where the player [takes several](Choice::takes_playlist).
    pub more: Vec<Item>,
    /// Keep the window above others, where the player can.
    pub on_top: bool,
    /// What the user wants the player to be told beside that.
    pub extra: Vec<OsString>,
}

/// One thing to play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub url: String,
    pub title: Option<String>,
    /// As in [`Launch`]; SMPlayer, MPC-HC and PotPlayer cannot be told those of any but the first item.
    pub subtitles: Vec<String>,
}

impl Launch {
    /// All that is to be played, in its order.
    fn items(&self) -> impl Iterator<Item = Item> {
        let first =
            Item { url: self.url.clone(), title: self.title.clone(), subtitles: self.subtitles.clone() };
        std::iter::once(first).chain(self.more.iter().cloned())
    }
}

/// Why there is no player.
#[derive(Debug, thiserror::Error)]
pub enum PlayerError {
    #[error("{wanted} is not installed. {}", these_are(.found))]
    NotInstalled { wanted: String, found: Vec<Choice> },
    #[error("{} could not be started: {source}", program.display())]
    NotStarted { program: PathBuf, source: io::Error },
    #[error("a quote is not closed in the player's command: {0}")]
    OpenQuote(String),
    #[error("the player's command is empty; it should be a program and its arguments, like 'mpv --fs'")]
    NoCommand,
    #[error("nothing on this desktop opens {url}")]
    NotOpened { url: String, source: io::Error },
}

fn these_are(found: &[Choice]) -> String {
    if found.is_empty() {
        return "Nor is any other player that we know: open the URL in one, or name one with --player 'CMD ARGS'.".to_owned();
    }
    let names: Vec<_> =
        found.iter().map(|choice| format!("{} (--{})", choice.name(), choice.flag())).collect();
    format!("Installed: {}.", names.join(", "))
}

impl Choice {
    /// The players that we know, the ones that stream best first.
    pub const KNOWN: [Choice; 6] =
        [Choice::Mpv, Choice::Vlc, Choice::Smplayer, Choice::Mplayer, Choice::Mpchc, Choice::Potplayer];

    /// As people call it.
    pub fn name(&self) -> &str {
        match self {
            Choice::Vlc => "VLC",
            Choice::Mpv => "mpv",
            Choice::Mplayer => "MPlayer",
            Choice::Smplayer => "SMPlayer",
            Choice::Mpchc => "MPC-HC",
            Choice::Potplayer => "PotPlayer",
            Choice::Command(command) => command,
            Choice::Open => "the desktop",
        }
    }

    /// As it is called on PATH, for those that we know.
    fn program(&self) -> &'static str {
        match self {
            Choice::Vlc => "vlc",
            Choice::Mpv => "mpv",
            Choice::Mplayer => "mplayer",
            Choice::Smplayer => "smplayer",
            Choice::Mpchc => "mpc-hc64",
            Choice::Potplayer => "PotPlayerMini64",
            Choice::Command(_) | Choice::Open => "",
        }
    }

    /// The long flag that chooses it.
    fn flag(&self) -> &'static str {
        match self {
            Choice::Mpchc => "mpchc",
            Choice::Potplayer => "potplayer",
            Choice::Open => "open",
            Choice::Command(_) => "player",
            known => known.program(),
        }
    }

    /// Whether it plays [`Launch::more`]. One that does not is given the first item only: an M3U playlist of the server's
    /// own may serve it better.
    pub fn takes_playlist(&self) -> bool {
        match self {
            Choice::Open => false,
            Choice::Command(command) => command::kind_of(command).is_some() && !command.contains("{}"),
            _ => true,
        }
    }

    /// Whether it can be told of subtitles.
    pub fn takes_subtitles(&self) -> bool {
        match self {
            Choice::Open => false,
            Choice::Command(command) => command::kind_of(command).is_some(),
            _ => true,
        }
    }
}

/// A player that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Player {
    name: String,
    /// `None` for the desktop's: it is not ours.
    child: Option<Child>,
    /// What it writes to standard error, and to standard output.
    words: Vec<JoinHandle<String>>,
}

/// Starts a player. Its input and output are nothing, so that it neither takes the keys nor draws over the screen; the end of
/// what it complains of is kept.
///
/// To be called within a tokio runtime.
pub async fn start(
    choice: &Choice,
    launch: &Launch,
    environment: &Environment,
) -> Result<Player, PlayerError> {
    let name = choice.name().to_owned();
    if *choice == Choice::Open {
        open_on_desktop(launch.url.clone().into()).await?;
        return Ok(Player { name, child: None, words: Vec::new() });
    }
    let CommandLine { program, arguments } = command_line(choice, launch, environment)?;
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|source| PlayerError::NotStarted { program, source })?;
    let words = [
        child.stderr.take().map(|stderr| tokio::spawn(listen(stderr))),
        // mpv complains there.
        child.stdout.take().map(|stdout| tokio::spawn(listen(stdout))),
    ];
    let words = words.into_iter().flatten().collect();
    Ok(Player { name, child: Some(child), words })
}

/// Reads all there is, and gives the last line of it.
async fn listen(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut end = Vec::new();
    let mut some = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut some).await {
        keep_end(&mut end, some.get(..length).unwrap_or_default());
    }
    last_line(&String::from_utf8_lossy(&end))
}

fn keep_end(end: &mut Vec<u8>, more: &[u8]) {
    end.extend_from_slice(more);
    end.drain(..end.len().saturating_sub(WORDS));
}

/// The end of it, without what would move a terminal's cursor or turn its text around.
fn last_line(text: &str) -> String {
    let last = text.split(['\n', '\r']).map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown: Vec<char> = last.chars().filter(|&c| !c.is_control() && !turns(c)).collect();
    shown.iter().skip(shown.len().saturating_sub(200)).collect()
}

/// Has the desktop open a URL, a file or a folder, in whatever it opens such things with. It is asked on another thread: it
/// takes its time to say no.
pub async fn open_on_desktop(what: OsString) -> Result<(), PlayerError> {
    let url = what.to_string_lossy().into_owned();
    let result = tokio::task::spawn_blocking(move || open::that_detached(what)).await;
    let result = result.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
    result.map_err(|source| PlayerError::NotOpened { url, source })
}

impl Player {
    /// As people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the player has ended. May be dropped and called again. What the desktop opened never ends.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.child {
            Some(child) => child.wait().await,
            None => std::future::pending().await,
        }
    }

    /// The last line that it wrote to standard error, else to standard output; nothing if there was none. To be called once it has ended.
    pub async fn last_words(&mut self) -> String {
        for words in self.words.drain(..) {
            match tokio::time::timeout(WORDS_PATIENCE, words).await {
                Ok(Ok(words)) if !words.is_empty() => return words,
                _ => {}
            }
        }
        String::new()
    }

    /// Asks the player to end, and after a moment ends it. Returns when it has ended; at once if it had, or is not ours.
    pub async fn end(mut self) {
        let Some(child) = &mut self.child else { return };
        // `id` is `None` once the child has been waited for, so that no other process can be meant.
        if let Some(id) = child.id() {
            ask_to_end(id);
            if tokio::time::timeout(PATIENCE, child.wait()).await.is_ok() {
                return;
            }
            let _ = child.kill().await;
        }
    }
}

#[cfg(unix)]
fn ask_to_end(id: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // If it has just ended by itself, that is what was wanted.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Windows has no way to ask a program without a console.
#[cfg(not(unix))]
fn ask_to_end(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_another_player_is_told_so() {
        let error = |found| PlayerError::NotInstalled { wanted: "VLC".to_owned(), found }.to_string();
        assert_eq!(
            error(vec![Choice::Mpv, Choice::Smplayer]),
            "VLC is not installed. Installed: mpv (--mpv), SMPlayer (--smplayer)."
        );
        assert!(error(Vec::new()).contains("--player"));
    }

    #[test]
    fn of_what_a_player_complains_of_only_the_end_is_kept() {
        let mut end = Vec::new();
        for _ in 0..100 {
            keep_end(&mut end, &[b'a'; 1000]);
            keep_end(&mut end, b"z");
            assert!(end.len() <= WORDS);
        }
        assert_eq!(end.last(), Some(&b'z'));
    }

    #[test]
    fn the_last_line_of_a_player_is_harmless() {
        assert_eq!(last_line("V: 00:01\rV: 00:02\rnot as root\n\n"), "not as root");
        assert_eq!(last_line("\x1b[2J\u{202e}abc"), "[2Jabc");
        assert_eq!(last_line(&format!("{}end", "x".repeat(1000))).len(), 200);
        assert_eq!(last_line(""), "");
    }

    #[cfg(unix)]
    mod started {
        use super::*;

        fn launch() -> Launch {
            Launch { url: "http://127.0.0.1:8888/".to_owned(), ..Launch::default() }
        }

        async fn shell(script: &str) -> Player {
            let environment = Environment::of(System::Unix, ["/bin", "/usr/bin"]);
            let command = Choice::Command(format!("sh -c '{script}' sh"));
            start(&command, &launch(), &environment).await.expect("every unix has a shell")
        }

        #[tokio::test]
        async fn a_player_is_given_the_url_and_its_end_is_told() {
            let mut player = shell(r#"test "$1" = http://127.0.0.1:8888/ && exit 7"#).await;
            assert_eq!(player.wait().await.expect("it can be waited for").code(), Some(7));
            player.end().await;
        }

        #[tokio::test]
        async fn a_player_has_no_keys_and_no_screen() {
            let mut player = shell("read line || test ! -t 1 -a ! -t 2").await;
            assert!(player.wait().await.expect("it can be waited for").success());
        }

        #[tokio::test]
        async fn the_last_words_of_a_player_are_kept() {
            let mut player =
                shell(r#"yes first | head -c 1000000 >&2; echo >&2; echo not as root >&2; exit 1"#).await;
            assert!(!player.wait().await.expect("it can be waited for").success());
            assert_eq!(player.last_words().await, "not as root");
            assert_eq!(player.last_words().await, "");
        }

        #[tokio::test]
        async fn a_player_is_asked_to_end() {
            let folder = tempfile::tempdir().expect("a folder");
            let (ready, asked) = (folder.path().join("ready"), folder.path().join("asked"));
            let script = format!(
                r#"trap "touch {}; exit 0" TERM; touch {}; while :; do sleep 0.01; done"#,
                asked.display(),
                ready.display()
            );
            let player = shell(&script).await;
            while !ready.exists() {
                tokio::task::yield_now().await;
            }
            player.end().await;
            assert!(asked.exists());
        }

        #[tokio::test]
        async fn a_player_that_does_not_listen_is_ended_all_the_same() {
            let folder = tempfile::tempdir().expect("a folder");
            let ready = folder.path().join("ready");
            let player =
                shell(&format!(r#"trap "" TERM; touch {}; while :; do sleep 0.01; done"#, ready.display()))
                    .await;
            while !ready.exists() {
                tokio::task::yield_now().await;
            }
            player.end().await;
        }

        #[tokio::test]
        async fn a_player_that_is_no_program_is_an_error() {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("mpv");
            std::fs::write(&path, "neither a script nor a program").expect("a file");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("permissions");
            let environment = Environment::of(System::Unix, [folder.path()]);
            let result = start(&Choice::Mpv, &launch(), &environment).await;
            assert!(matches!(result, Err(PlayerError::NotStarted { program, .. }) if program == path));
        }
    }
}
