//! What a test of the engine needs: films, torrents of them, seeds that are not ours, and folders that go away.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use librqbit::Session;
use peerflix::net::{Network, NetworkConfig};
use peerflix::read::{ReadAt, ReadError};
use peerflix::source::{self, InfoHash, Metainfo, Source};
use peerflix::torrent::{Options, Torrent};

use crate::librqbit_seed;

pub const PIECE_LENGTH: usize = 64 * 1024;

/// Nothing here takes a hundredth of it; without it, what hangs would hang for ever.
const LONG: Duration = Duration::from_secs(60);

pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, what).await.expect("it should have ended long ago")
}

/// Waits until it is so.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    soon(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The whole file by `read_at`, from `from` on.
pub async fn read_all(reader: &dyn ReadAt, from: u64) -> Result<Vec<u8>, ReadError> {
    let mut all = Vec::new();
    loop {
        let bytes = reader.read_at(from + all.len() as u64, 100_000).await?;
        if bytes.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&bytes);
    }
}

pub async fn whole(torrent: &Torrent, index: usize) -> Vec<u8> {
    let reader = torrent.reader(index).expect("such a file");
    soon(read_all(&reader, 0)).await.expect("all bytes")
}

pub fn is_same(a: &[u8], b: &[u8]) {
    // Not assert_eq: nobody reads megabytes.
    assert!(a == b, "{} bytes, not the {} expected, or others", a.len(), b.len());
}

/// Bytes that nobody could guess, always the same for one `seed`.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// A torrent's content.
pub struct Film {
    name: String,
    is_single: bool,
    files: Vec<(String, Vec<u8>)>,
    private: bool,
}

impl Film {
    pub fn single(name: &str, bytes: Vec<u8>) -> Self {
        Film { name: name.to_owned(), is_single: true, files: vec![(name.to_owned(), bytes)], private: false }
    }

    pub fn several<const N: usize>(name: &str, files: [(&str, Vec<u8>); N]) -> Self {
        let files = files.map(|(path, bytes)| (path.to_owned(), bytes)).into();
        Film { name: name.to_owned(), is_single: false, files, private: false }
    }

    /// For a long info dictionary.
    pub fn with_empty_files(mut self, count: usize) -> Self {
        self.files.extend((0..count).map(|number| (format!("empty {number}"), Vec::new())));
        self
    }

    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    pub fn bytes(&self, index: usize) -> &[u8] {
        &self.files[index].1
    }

    pub fn info(&self) -> Vec<u8> {
        fn string(to: &mut Vec<u8>, bytes: &[u8]) {
            to.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
            to.extend_from_slice(bytes);
        }
        fn number(to: &mut Vec<u8>, number: usize) {
            to.extend_from_slice(format!("i{number}e").as_bytes());
        }
        let mut info = b"d".to_vec();
        if self.is_single {
            string(&mut info, b"length");
            number(&mut info, self.files[0].1.len());
        } else {
            string(&mut info, b"files");
            info.push(b'l');
            for (path, bytes) in &self.files {
                info.push(b'd');
                string(&mut info, b"length");
                number(&mut info, bytes.len());
                string(&mut info, b"path");
                info.push(b'l');
                path.split('/').for_each(|part| string(&mut info, part.as_bytes()));
                info.extend_from_slice(b"ee");
            }
            info.push(b'e');
        }
        string(&mut info, b"name");
        string(&mut info, self.name.as_bytes());
        string(&mut info, b"piece length");
        number(&mut info, PIECE_LENGTH);
        let hashes: Vec<u8> = self.all().chunks(PIECE_LENGTH).flat_map(sha1).collect();
        string(&mut info, b"pieces");
        string(&mut info, &hashes);
        if self.private {
            string(&mut info, b"private");
            number(&mut info, 1);
        }
        info.push(b'e');
        info
    }

    pub fn info_hash(&self) -> InfoHash {
        InfoHash(sha1(&self.info()))
    }

    /// The content of all files, one behind the other.
    pub fn all(&self) -> Vec<u8> {
        self.files.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    pub fn magnet(&self) -> String {
        format!("magnet:?xt=urn:btih:{}", self.info_hash())
    }

    pub fn torrent(&self) -> Vec<u8> {
        [b"d4:info".as_slice(), &self.info(), b"e"].concat()
    }

    /// What a .torrent file of it is resolved to.
    pub fn source(&self) -> Source {
        let metainfo = Metainfo::from_info_bytes(Bytes::from(self.info())).expect("a fair torrent");
        Source {
            metainfo: Some(metainfo),
            name: Some(self.name.clone()),
            ..Source::of_hash(self.info_hash())
        }
    }

    fn write_to(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("a file");
        }
    }
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    digest.as_ref().try_into().expect("20 bytes")
}

/// Folders that go away, and a network.
pub struct World {
    folder: tempfile::TempDir,
    net: Arc<Network>,
}

impl World {
    pub fn new() -> Self {
        World {
            folder: tempfile::tempdir().expect("a folder"),
            net: Arc::new(Network::new(NetworkConfig::default()).expect("a network")),
        }
    }

    pub fn net(&self) -> Arc<Network> {
        Arc::clone(&self.net)
    }

    /// A folder of this world; it is there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Of a session that keeps its things under `name`, and knows nobody but `peers`.
    pub fn options(&self, name: &str, peers: impl IntoIterator<Item = SocketAddr>) -> Options {
        Options {
            cache: self.folder.path().join("caches").join(name),
            peers: peers.into_iter().collect(),
            dht: false,
            lsd: false,
            ..Options::default()
        }
    }

    pub async fn open(&self, film: &Film, options: Options) -> Torrent {
        Torrent::open(film.source(), options, self.net()).await.expect("it opens")
    }

    pub async fn resolve(&self, typed: &str, options: &Options) -> Source {
        source::resolve(typed, &self.net, &options.metadata_cache()).await.expect("it resolves")
    }

    /// Where a session of this world is dialled.
    pub fn address(&self, torrent: &Torrent) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, torrent.port()).into()
    }
}

/// A seed of a film, by librqbit.
pub struct Seed {
    pub address: SocketAddr,
    session: Arc<Session>,
}

impl Seed {
    pub async fn start(world: &World, film: &Film) -> Seed {
        let folder = world.folder(&format!("seed of {}", film.info_hash()));
        film.write_to(&folder);
        let session = librqbit_seed::start(&folder, film.torrent().into()).await;
        Seed { address: librqbit_seed::address(&session), session }
    }

    /// Its connections end. (Its own `stop` does the same, and then sleeps for a second.)
    pub async fn stop(self) {
        self.session.cancellation_token().cancel();
    }
}
