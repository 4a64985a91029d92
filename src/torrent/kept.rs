//! What earlier runs have left in the cache folder: to be listed, and removed. What [`Options::path`](super::Options::path) named is not
//! there, and not looked at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::source::{InfoHash, MetadataCache};
use crate::store;

/// A torrent that takes room in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// What it is called, if that is known.
    pub name: Option<String>,
    /// Bytes on the disk: of a film of which half is there, half.
    pub bytes: u64,
    /// When something of it was last written or a run of it began.
    pub used_at: Option<SystemTime>,
    /// A peerflix is at work on it.
    pub is_open: bool,
    folders: Vec<PathBuf>,
    state: PathBuf,
    metadata: PathBuf,
}

/// Everything in the cache, the longest unused first. No folder: nothing. Blocks on the disk.
pub fn kept(cache: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(cache) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut hashes: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|name| name.strip_suffix(".state").unwrap_or(&name).to_owned())
        .filter(|name| is_info_hash(name))
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut kept: Vec<Kept> = hashes.into_iter().map(|info_hash| Kept::look(cache, info_hash)).collect();
    kept.sort_by_key(|kept| kept.used_at);
    Ok(kept)
}

impl Kept {
    fn look(cache: &Path, info_hash: String) -> Kept {
        let folder = cache.join(&info_hash);
        let state = cache.join(format!("{info_hash}.state"));
        let metadata = cache.join("metadata").join(format!("{info_hash}.torrent"));
        let (mut bytes, mut used_at) = (0, None);
        for place in [&folder, &state] {
            measure(place, &mut bytes, &mut used_at);
        }
        Kept {
            name: name_of(cache, &info_hash).or_else(|| first_name(&folder)),
            bytes,
            used_at,
            is_open: state.exists() && matches!(store::lock_state(&state), Ok(None)),
            folders: vec![folder, state.clone()],
            state,
            metadata,
            info_hash,
        }
    }

    /// Removes it, with what is known of it. False, and nothing is removed, while a peerflix is at work on it. Blocks on the
    /// disk.
    pub fn remove(&self) -> io::Result<bool> {
        let Some(lock) = store::lock_state(&self.state)? else { return Ok(false) };
        for folder in &self.folders {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // Last: without it a magnet must ask the swarm again, and no more.
        let _ = fs::remove_file(&self.metadata);
        drop(lock);
        Ok(true)
    }
}

fn is_info_hash(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn name_of(cache: &Path, info_hash: &str) -> Option<String> {
    let hash = data_encoding::HEXLOWER.decode(info_hash.as_bytes()).ok()?;
    let cached = MetadataCache::new(cache.join("metadata")).load(InfoHash(hash.try_into().ok()?))?;
    Some(cached.metainfo.name)
}

fn first_name(folder: &Path) -> Option<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    names.into_iter().next()
}

/// Adds up what is below a folder. Symbolic links are not followed: nothing of ours is one.
fn measure(folder: &Path, bytes: &mut u64, used_at: &mut Option<SystemTime>) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                *bytes += on_disk(&found);
                *used_at = (*used_at).max(found.modified().ok());
            }
        }
    }
}

/// Films are sparse files while they are on their way.
#[cfg(unix)]
fn on_disk(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(found) * 512
}

#[cfg(not(unix))]
fn on_disk(found: &fs::Metadata) -> u64 {
    found.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    fn cache() -> tempfile::TempDir {
        let cache = tempfile::tempdir().expect("a folder");
        let film = cache.path().join(HASH).join("Film");
        fs::create_dir_all(&film).expect("folders");
        fs::write(film.join("film.mkv"), vec![1; 50_000]).expect("a file");
        fs::create_dir(cache.path().join(format!("{HASH}.state"))).expect("a folder");
        fs::create_dir(cache.path().join("dht")).expect("a folder");
        fs::write(cache.path().join("notes.txt"), "mine").expect("a file");
        cache
    }

    #[test]
    fn what_is_kept_is_listed_and_removed_and_nothing_else_is_touched() {
        let cache = cache();
        let all = kept(cache.path()).expect("readable");
        assert_eq!(all.len(), 1);
        let film = &all[0];
        assert_eq!(
            (film.info_hash.as_str(), film.name.as_deref(), film.is_open),
            (HASH, Some("Film"), false)
        );
        assert!((50_000..200_000).contains(&film.bytes), "{}", film.bytes);
        assert!(film.remove().expect("removable"));
        assert!(kept(cache.path()).expect("readable").is_empty());
        assert!(cache.path().join("notes.txt").exists() && cache.path().join("dht").exists());
    }

    #[test]
    fn what_is_at_work_is_not_removed() {
        let cache = cache();
        let _lock =
            store::lock_state(&cache.path().join(format!("{HASH}.state"))).expect("lockable").expect("free");
        let all = kept(cache.path()).expect("readable");
        assert!(all[0].is_open);
        assert!(!all[0].remove().expect("no error"));
        assert!(cache.path().join(HASH).exists());
    }

    #[test]
    fn no_folder_is_nothing_kept() {
        let cache = tempfile::tempdir().expect("a folder");
        assert_eq!(kept(&cache.path().join("none")).expect("no error"), Vec::new());
    }
}
