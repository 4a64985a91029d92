//! `--on-listening` and `--on-downloaded`: the user's own commands, run at their time. The facts are in environment variables, never
//! in the text that the shell reads: a torrent's name is a stranger's.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

/// What a command is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) event: &'static str,
    pub(super) info_hash: String,
    /// The torrent's name.
    pub(super) name: String,
    pub(super) index: usize,
    /// The file's path within the torrent.
    pub(super) file: String,
    pub(super) length: u64,
    /// Where the file lies on the disk.
    pub(super) path: PathBuf,
    /// Of the file, and of the playlist of all files; empty where nothing is served.
    pub(super) url: String,
    pub(super) playlist: String,
}

/// Runs the command to its end. An error is a sentence for the user.
///
/// It has no input, and shares the program's standard error unless that is a screen. It lives on when peerflix ends.
pub(super) async fn run(
    flag: &'static str,
    command: String,
    facts: Facts,
    has_screen: bool,
) -> Result<(), String> {
    let status = prepared(&command, &facts, has_screen).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the command of {flag} ended with an error ({status}): {command}")),
        Err(error) => Err(format!("the command of {flag} could not be started ({error}): {command}")),
    }
}

fn prepared(command: &str, facts: &Facts, has_screen: bool) -> Command {
    let mut shell = if cfg!(windows) {
        let mut shell = Command::new("cmd");
        shell.arg("/C");
        shell
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c");
        shell
    };
    let errors = if has_screen { Stdio::null() } else { Stdio::inherit() };
    shell.arg(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    for (name, value) in variables(facts) {
        shell.env(name, value);
    }
    shell
}

/// Names that no option has: these are read by a peerflix that the command starts, too.
fn variables(facts: &Facts) -> [(&'static str, std::ffi::OsString); 9] {
    // A variable cannot hold a zero byte; a name with one would keep the command from being run at all.
    let text = |text: &str| text.replace('\0', "").into();
    [
        ("PEERFLIX_HOOK_EVENT", facts.event.into()),
        ("PEERFLIX_HOOK_INFO_HASH", text(&facts.info_hash)),
        ("PEERFLIX_HOOK_NAME", text(&facts.name)),
        ("PEERFLIX_HOOK_INDEX", facts.index.to_string().into()),
        ("PEERFLIX_HOOK_FILE", text(&facts.file)),
        ("PEERFLIX_HOOK_LENGTH", facts.length.to_string().into()),
        ("PEERFLIX_HOOK_PATH", facts.path.clone().into_os_string()),
        ("PEERFLIX_HOOK_URL", text(&facts.url)),
        ("PEERFLIX_HOOK_PLAYLIST", text(&facts.playlist)),
    ]
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_a_fact_and_never_a_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let (out, trap) = (folder.path().join("out"), folder.path().join("trap"));
        let evil = format!("$(touch {0}) `touch {0}`; touch {0} #\n\"'", trap.display());
        let facts = Facts { event: "listening", name: evil.clone(), index: 3, ..Facts::default() };
        let command = format!("printf %s \"$PEERFLIX_HOOK_NAME\" > {}", out.display());
        run("--on-listening", command, facts, false).await.expect("it runs");
        assert_eq!(std::fs::read_to_string(out).expect("written"), evil);
        assert!(!trap.exists());
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_with_its_flag() {
        let said =
            run("--on-downloaded", "exit 3".into(), Facts::default(), true).await.expect_err("it fails");
        assert!(said.contains("--on-downloaded") && said.contains('3') && said.contains("exit 3"), "{said}");
        let facts = Facts { name: "a\0b".into(), ..Facts::default() };
        run("--on-listening", "test \"$PEERFLIX_HOOK_NAME\" = ab".into(), facts, true)
            .await
            .expect("it runs");
    }
}
