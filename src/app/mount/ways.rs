//! The ways in which the folder is shown: mounted with FUSE, served over WebDAV, or both.

use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::place_of;
use crate::app::ending::Ending;
use crate::app::exit::{Exit, Failure};
use crate::app::session::Session;
use crate::cli::Mount;
use crate::http;
use crate::mount::dav::Dav;
use crate::mount::shelf::Shelf;

/// A read for which nothing comes fails after so many seconds, if nobody says otherwise.
const READ_TIMEOUT: u64 = 60;

/// The folder, shown.
pub(super) struct Ways {
    #[cfg(unix)]
    mount: Option<crate::mount::fuse::Mount>,
    url: Option<String>,
}

/// The folder that is to be mounted, if one is.
pub(super) fn folder(flags: &Mount) -> Option<&Path> {
    (!flags.place.webdav || flags.place.at.is_some()).then(|| place_of(flags))
}

impl Ways {
    pub(super) async fn open(
        session: &mut Session,
        flags: &Mount,
        shelf: &Shelf,
        ending: &Ending,
    ) -> Result<Ways, Failure> {
        let url = match flags.place.webdav {
            true => {
                let dav = Arc::new(Dav::new(shelf.clone(), "", read_timeout(flags)));
                let net = session.net.clone();
                let serve = |config| http::serve_extended(None, dav, config, |at| net.tcp_listen(at));
                Some(session.listen_with(&flags.server, serve).await?)
            }
            false => None,
        };
        Ways::mount(flags, shelf, ending, url)
    }

    #[cfg(unix)]
    fn mount(flags: &Mount, shelf: &Shelf, ending: &Ending, url: Option<String>) -> Result<Ways, Failure> {
        use std::io::ErrorKind::NotFound;

        use crate::mount::fuse::{Mount, MountConfig, MountError};
        use crate::mount::guard::Guard;

        let Some(at) = folder(flags) else { return Ok(Ways { mount: None, url }) };
        // A folder with a dead mount on it is there as well, though it answers with an error.
        let is_there = !matches!(std::fs::symlink_metadata(at), Err(error) if error.kind() == NotFound);
        let config = MountConfig {
            at: at.to_owned(),
            allow_other: flags.place.allow_other,
            read_timeout: read_timeout(flags),
            guard: if flags.place.no_guard { Guard::off() } else { Guard::new(&flags.place.guard) },
        };
        let mount = Mount::start(shelf.clone(), config).map_err(|error| {
            let exit = match &error {
                MountError::Folder { .. } => Exit::Disk,
                _ => Exit::Failure,
            };
            let hint = match &error {
                MountError::InUse { .. } => "; or mount this somewhere else, with --at DIR",
                _ => "",
            };
            Failure { exit, error: anyhow::anyhow!("{error}{hint}") }
        })?;
        ending.at_exit(leaving(mount.at().to_owned(), !is_there));
        Ok(Ways { mount: Some(mount), url })
    }

    #[cfg(not(unix))]
    fn mount(flags: &Mount, _: &Shelf, _: &Ending, url: Option<String>) -> Result<Ways, Failure> {
        match folder(flags) {
            None => Ok(Ways { url }),
            Some(_) => Err(Failure {
                exit: Exit::Failure,
                error: anyhow::anyhow!(
                    "this system has no FUSE to mount a folder with: peerflix mount TORRENT --webdav serves it, and \
                     Windows shows that as a drive"
                ),
            }),
        }
    }

    /// Where it is mounted, from the root.
    #[cfg(unix)]
    pub(super) fn at(&self) -> Option<&Path> {
        self.mount.as_ref().map(crate::mount::fuse::Mount::at)
    }

    #[cfg(not(unix))]
    pub(super) fn at(&self) -> Option<&Path> {
        None
    }

    /// Where it is served.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Returns when somebody else has unmounted it.
    pub(super) async fn ended(&mut self) {
        #[cfg(unix)]
        if let Some(mount) = &mut self.mount {
            return mount.ended().await;
        }
        std::future::pending().await
    }

    /// Unmounts it. The server is the session's, and ends with that.
    pub(super) async fn close(self) {
        #[cfg(unix)]
        if let Some(mount) = self.mount {
            mount.close().await;
        }
    }
}

/// For a user who asks twice: no more than must be, so that no dead mount stays.
#[cfg(unix)]
fn leaving(at: PathBuf, is_made: bool) -> impl FnOnce() + Send + 'static {
    move || {
        crate::mount::place::unmount(&at);
        if is_made {
            // What is not empty is somebody's.
            let _ = std::fs::remove_dir(&at);
        }
    }
}

fn read_timeout(flags: &Mount) -> Option<Duration> {
    match flags.place.read_timeout.unwrap_or(READ_TIMEOUT) {
        0 => None,
        seconds => Some(Duration::from_secs(seconds)),
    }
}

/// What unmounts it from elsewhere.
pub(super) fn unmounting(at: &Path) -> String {
    let program = if cfg!(target_os = "linux") { "fusermount3 -u" } else { "umount" };
    let at = at.display().to_string();
    let is_plain = at.chars().all(|character| character.is_alphanumeric() || "/._-+".contains(character));
    match is_plain {
        true => format!("{program} {at}"),
        false => format!("{program} '{}'", at.replace('\'', "'\\''")),
    }
}

/// How other systems get at it.
pub(super) fn mounting(url: &str) -> String {
    let dav = url.replacen("http://", "dav://", 1);
    format!("Windows: net use * {url}, macOS: Finder, Cmd-K, {url}, Linux: any file manager, {dav}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_can_be_pasted_into_a_shell() {
        assert!(unmounting(Path::new("/home/a/peerflix")).ends_with(" /home/a/peerflix"));
        assert!(unmounting(Path::new("/tmp/it's here")).ends_with(" '/tmp/it'\\''s here'"));
        assert!(mounting("http://127.0.0.1:8888/").contains("dav://127.0.0.1:8888/"));
    }
}
