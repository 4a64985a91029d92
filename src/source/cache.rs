//! Metadata kept across runs: `<folder>/<info hash>.torrent`, so that the second start of a magnet asks nobody.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use super::metainfo::parse_torrent;
use super::{InfoHash, Metainfo, Source, SourceError};

/// The longest file that is worth reading: longer ones are not ours.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A folder of .torrent files that are named by their hash.
#[derive(Clone, Debug)]
pub struct MetadataCache {
    folder: PathBuf,
}

/// What the cache has of a torrent.
#[derive(Clone, Debug)]
pub struct Cached {
    pub metainfo: Metainfo,
    /// The trackers that were known when it was saved, in tiers.
    pub trackers: Vec<Vec<String>>,
}

impl MetadataCache {
    /// The folder is made when something is first saved.
    pub fn new(folder: PathBuf) -> Self {
        MetadataCache { folder }
    }

    /// What is there of this torrent; `None` also if it cannot be read, or is not what it says it is. Blocks on the disk.
    pub fn load(&self, info_hash: InfoHash) -> Option<Cached> {
        let path = self.path_of(info_hash);
        if std::fs::metadata(&path).ok()?.len() > LONGEST {
            return None;
        }
        let parts = parse_torrent(&std::fs::read(path).ok()?).ok()?;
        (parts.metainfo.info_hash == info_hash)
            .then_some(Cached { metainfo: parts.metainfo, trackers: parts.trackers })
    }

    /// Keeps the metadata, whole or not at all. Blocks on the disk.
    pub fn save(&self, metainfo: &Metainfo) -> io::Result<()> {
        self.save_with_trackers(metainfo, &[])
    }

    /// Keeps the metadata and where to ask for peers: then a bare hash finds them too. Blocks on the disk.
    pub fn save_with_trackers(&self, metainfo: &Metainfo, trackers: &[Vec<String>]) -> io::Result<()> {
        static SAVES: AtomicU32 = AtomicU32::new(0);
        std::fs::create_dir_all(&self.folder)?;
        let temporary = self.folder.join(format!(
            ".{}.{}.{}.tmp",
            metainfo.info_hash,
            std::process::id(),
            SAVES.fetch_add(1, Ordering::Relaxed)
        ));
        // Not synced: what a power cut leaves half written has not the right hash, and is fetched anew.
        let saved = std::fs::write(&temporary, torrent_bytes(metainfo, trackers))
            .and_then(|()| std::fs::rename(&temporary, self.path_of(metainfo.info_hash)));
        if saved.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        saved
    }

    /// Forgets the metadata. Blocks on the disk.
    pub fn remove(&self, info_hash: InfoHash) -> io::Result<()> {
        match std::fs::remove_file(self.path_of(info_hash)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Adds what the cache has to a source that lacks it.
    pub(super) async fn complete(&self, mut source: Source) -> Result<Source, SourceError> {
        if source.metainfo.is_some() {
            return Ok(source);
        }
        let cache = self.clone();
        let info_hash = source.info_hash;
        // A panic in there would be a bug of ours; then the swarm has the metadata still.
        let cached = tokio::task::spawn_blocking(move || cache.load(info_hash)).await.ok().flatten();
        if let Some(cached) = cached {
            source.name = Some(cached.metainfo.name.clone());
            source.metainfo = Some(cached.metainfo);
            for tier in cached.trackers {
                let new: Vec<_> = tier
                    .into_iter()
                    .filter(|url| !source.trackers.iter().flatten().any(|known| known == url))
                    .collect();
                if !new.is_empty() {
                    source.trackers.push(new);
                }
            }
        }
        Ok(source)
    }

    fn path_of(&self, info_hash: InfoHash) -> PathBuf {
        self.folder.join(format!("{info_hash}.torrent"))
    }
}

/// A .torrent file, its info dictionary byte for byte as it was.
fn torrent_bytes(metainfo: &Metainfo, trackers: &[Vec<String>]) -> Vec<u8> {
    let mut bytes = b"d".to_vec();
    if !trackers.is_empty() {
        bytes.extend_from_slice(b"13:announce-listl");
        for tier in trackers {
            bytes.push(b'l');
            for url in tier {
                bytes.extend_from_slice(format!("{}:{url}", url.len()).as_bytes());
            }
            bytes.push(b'e');
        }
        bytes.push(b'e');
    }
    let since = metainfo.created_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    if let Some(since) = since {
        bytes.extend_from_slice(format!("13:creation datei{}e", since.as_secs()).as_bytes());
    }
    bytes.extend_from_slice(b"4:info");
    bytes.extend_from_slice(&metainfo.info_bytes);
    bytes.push(b'e');
    bytes
}
