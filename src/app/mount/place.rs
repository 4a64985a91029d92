//! Whether torrents may be mounted at a folder: not where they keep their own files.

use std::path::{Path, PathBuf};

use crate::mount::tree::Shown;
use crate::torrent::Torrent;

/// Folders that a torrent writes into.
pub(super) struct Taken {
    /// In which they lie.
    folder: PathBuf,
    /// Those that are its own. Nothing else in `folder` is.
    own: Vec<PathBuf>,
}

impl Taken {
    /// `is_shared`: the folder that it is kept in is the user's, and not all of it the torrent's.
    pub(super) fn of(torrent: &Torrent, shown: &Shown, is_shared: bool) -> Taken {
        let folder = whole(torrent.folder());
        if !is_shared {
            return Taken { own: vec![folder.clone()], folder };
        }
        let mut own =
            vec![folder.join(format!(".peerflix-{}", torrent.info_hash())), folder.join(&shown.name)];
        let paths = shown.files.iter().flat_map(|files| &files.files);
        own.extend(paths.filter_map(|file| Some(folder.join(file.path.split('/').next()?))));
        own.dedup();
        Taken { folder, own }
    }
}

/// Why it must not be: a sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlaceError {
    #[error(
        "{} is where the torrent keeps what it fetches: mount it somewhere else, with --at DIR",
        at.display()
    )]
    Inside { at: PathBuf },
    #[error(
        "what the torrent fetches is kept in {}, which would be hidden behind a mount at {}: mount it somewhere \
         else, with --at DIR",
        folder.display(),
        at.display()
    )]
    Over { at: PathBuf, folder: PathBuf },
}

pub(super) fn check(at: &Path, taken: impl Iterator<Item = Taken>) -> Result<(), PlaceError> {
    let at = whole(at);
    for taken in taken {
        if taken.own.iter().any(|own| at.starts_with(own)) {
            return Err(PlaceError::Inside { at });
        }
        if taken.folder.starts_with(&at) {
            return Err(PlaceError::Over { at, folder: taken.folder });
        }
    }
    Ok(())
}

/// From the root and without links, as far as it is there.
fn whole(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = path.ancestors().find_map(|ancestor| {
        // What is mounted at the last part may be dead, or may not answer: it is not looked into.
        if ancestor == path && ancestor.file_name().is_some() && !ancestor.is_symlink() {
            return None;
        }
        let real = ancestor.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(ancestor).ok()?))
    });
    found.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(folder: &Path, own: &[&str]) -> Taken {
        let folder = whole(folder);
        Taken { own: own.iter().map(|own| folder.join(own)).collect(), folder }
    }

    #[test]
    fn a_mount_neither_hides_what_is_fetched_nor_stands_in_it() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let films = home.path().join("films");
        std::fs::create_dir(&films).expect("ours");
        let ask = |at: &str| check(&films.join(at), std::iter::once(taken(&films, &["Show"])));
        assert_eq!(ask("peerflix"), Ok(()));
        assert_eq!(ask("Show 2"), Ok(()), "another name that begins so");
        assert!(matches!(ask("Show"), Err(PlaceError::Inside { .. })));
        assert!(matches!(ask("Show/more/of it"), Err(PlaceError::Inside { .. })));
        assert!(matches!(ask(""), Err(PlaceError::Over { .. })));
        assert!(matches!(ask(".."), Err(PlaceError::Over { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn a_link_leads_where_it_leads() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let films = home.path().join("films");
        std::fs::create_dir(&films).expect("ours");
        std::os::unix::fs::symlink(&films, home.path().join("link")).expect("ours");
        let at = home.path().join("link/Show/here");
        assert!(check(&at, std::iter::once(taken(&films, &["Show"]))).is_err());
        assert!(check(&home.path().join("link"), std::iter::once(taken(&films, &["Show"]))).is_err());
    }
}
