//! The demo's folder: gone when the demo is; and if the demo was killed, when the next one begins.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

const PREFIX: &str = "peerflix-demo-";
const LOCK: &str = "lock";
/// Between the making of a folder and of its lock there is far less time than this.
const NEWBORN: Duration = Duration::from_secs(60);

/// A folder of this process alone. Removed when it is dropped.
pub(super) struct Scratch {
    /// Held as long as the folder is used; the system lets go of it however the process ends. It goes first: some systems
    /// remove no file that is open.
    _lock: File,
    folder: TempDir,
}

impl Scratch {
    /// Makes one where temporary things are kept, and removes those whose owner was killed.
    pub(super) fn new() -> io::Result<Scratch> {
        Scratch::below(&std::env::temp_dir())
    }

    fn below(place: &Path) -> io::Result<Scratch> {
        sweep(place);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        let lock = lock(&folder.path().join(LOCK), true)?;
        Ok(Scratch { _lock: lock, folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What cannot be read or removed is somebody else's.
fn sweep(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for folder in ours.map(|entry| entry.path()).filter(|folder| is_left(folder)) {
        tracing::debug!(folder = %folder.display(), "removing what a demo that was killed has left");
        let _ = fs::remove_dir_all(folder);
    }
}

/// True for a real folder, whose owner is gone.
fn is_left(folder: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(folder) else { return false };
    if !found.is_dir() {
        return false;
    }
    match lock(&folder.join(LOCK), false) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > NEWBORN)
        }
        Err(_) => false,
    }
}

/// Fails if somebody else holds it.
fn lock(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(create);
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0);
    let file = options.open(path)?;
    #[cfg(unix)]
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_demo_that_was_killed_is_removed_and_no_other() {
        let place = tempfile::tempdir().expect("a folder");
        let killed = Scratch::below(place.path()).expect("a folder");
        fs::create_dir(killed.path().join("cache")).expect("a folder");
        let Scratch { folder, _lock: lock } = killed;
        let left = folder.keep();
        drop(lock);
        let living = Scratch::below(place.path()).expect("a folder");
        assert!(!left.exists(), "its owner is gone");

        let newborn = place.path().join("peerflix-demo-newborn");
        fs::create_dir(&newborn).expect("a folder");
        let other = place.path().join("peerflix-demons");
        fs::create_dir(&other).expect("a folder");
        drop(Scratch::below(place.path()).expect("a folder"));
        assert!(living.path().exists() && newborn.exists() && other.exists());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let place = tempfile::tempdir().expect("a folder");
        let target = tempfile::tempdir().expect("a folder");
        fs::write(target.path().join(LOCK), "").expect("a file");
        let link = place.path().join("peerflix-demo-link");
        std::os::unix::fs::symlink(target.path(), &link).expect("a link");
        sweep(place.path());
        assert!(target.path().join(LOCK).exists());
    }
}
