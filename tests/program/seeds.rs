//! Torrents, and librqbit's sessions that seed them in this process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use librqbit::spawn_utils::BlockingSpawner;
use librqbit::{CreateTorrentOptions, Session, create_torrent};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::librqbit_seed;

/// A torrent of what lies in a folder of its own.
pub struct Torrent {
    pub info_hash: [u8; 20],
    /// The .torrent file.
    pub path: PathBuf,
    pub bytes: bytes::Bytes,
    /// Where the data lies.
    pub folder: PathBuf,
    _files: TempDir,
}

impl Torrent {
    /// Of one file: its name and its bytes.
    pub fn of_file(name: &str, bytes: &[u8]) -> Torrent {
        let files = TempDir::new().expect("a temporary folder");
        let folder = files.path().join("data");
        std::fs::create_dir(&folder).expect("creates");
        std::fs::write(folder.join(name), bytes).expect("writes");
        let whole = folder.join(name);
        Torrent::made(files, folder, &whole)
    }

    /// Of a folder with these files.
    pub fn of_folder(name: &str, contents: &[(&str, &[u8])]) -> Torrent {
        let files = TempDir::new().expect("a temporary folder");
        let folder = files.path().join("data").join(name);
        for (path, bytes) in contents {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("below the folder")).expect("creates");
            std::fs::write(path, bytes).expect("writes");
        }
        let whole = folder.clone();
        Torrent::made(files, folder, &whole)
    }

    /// (librqbit makes a piece too many of what is as long as so many whole pieces: no test has such a length.)
    fn made(files: TempDir, folder: PathBuf, whole: &Path) -> Torrent {
        let runtime = runtime();
        let options = CreateTorrentOptions { piece_length: Some(64 * 1024), ..Default::default() };
        let made = runtime.block_on(async { create_torrent(whole, options, &BlockingSpawner::new(1)).await });
        let made = made.expect("a torrent");
        let bytes = made.as_bytes().expect("bencodes");
        let path = files.path().join("film.torrent");
        std::fs::write(&path, &bytes).expect("writes");
        // Others who run as another user read it too.
        open_to_all(files.path());
        Torrent { info_hash: made.info_hash().0, path, bytes, folder, _files: files }
    }

    pub fn hex(&self) -> String {
        self.info_hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The command line's word for it.
    pub fn typed(&self) -> &str {
        self.path.to_str().expect("a temporary folder has a plain name")
    }
}

/// Sessions that have all of a torrent.
pub struct Seeds {
    sessions: Vec<Arc<Session>>,
    runtime: Runtime,
}

impl Seeds {
    pub fn of(torrent: &Torrent, count: usize) -> Seeds {
        let runtime = runtime();
        let sessions = runtime.block_on(async {
            let seeds = (0..count).map(|_| librqbit_seed::start(&torrent.folder, torrent.bytes.clone()));
            futures_util::future::join_all(seeds).await
        });
        Seeds { sessions, runtime }
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sessions.iter().map(|seed| librqbit_seed::address(seed)).collect()
    }

    /// `--peer` for each.
    pub fn flags(&self) -> Vec<String> {
        let peers = self.addresses().into_iter().map(|address| format!("--peer={address}"));
        // Nothing of a test leaves this computer.
        peers.chain(["--no-dht".into(), "--no-lsd".into()]).collect()
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        for seed in &self.sessions {
            self.runtime.block_on(seed.stop());
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("ours to open");
}
