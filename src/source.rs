//! What the user typed -> a torrent's description, or the hash to fetch it by.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::layout::{FileSpan, Layout};

/// The 20 bytes that name a torrent: SHA-1 of its info dictionary (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InfoHash(pub [u8; 20]);

impl std::fmt::Display for InfoHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What a source says before any peer has been asked.
#[derive(Clone, Debug)]
pub struct Source {
    pub info_hash: InfoHash,
    /// `dn` of a magnet, or the torrent's name: for the screen only.
    pub name: Option<String>,
    /// Announce URLs in tiers (BEP 12); `tr` of a magnet, one a tier.
    pub trackers: Vec<Vec<String>>,
    /// `x.pe` of a magnet: `host:port` not looked up yet, or an address.
    pub peers: Vec<String>,
    /// `so` of a magnet (BEP 53): file indices, ascending.
    pub select_only: Vec<usize>,
    /// Known at once for a .torrent, or when the cache has it.
    pub metainfo: Option<Metainfo>,
}

/// A torrent's info dictionary, read and made safe.
#[derive(Clone, Debug)]
pub struct Metainfo {
    pub info_hash: InfoHash,
    /// Made safe as one path component.
    pub name: String,
    pub private: bool,
    pub layout: Layout,
    /// SHA-1 of each piece, 20 bytes each, in order.
    pub piece_hashes: Bytes,
    /// In the torrent's order, padding files (BEP 47) left out.
    pub files: Vec<TorrentFile>,
    /// True if the torrent has the single-file form: `files[0].path` is `[name]`.
    pub single_file: bool,
    /// The bencoded info dictionary, as it was: served to peers (BEP 9), cached.
    pub info_bytes: Bytes,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorrentFile {
    /// Path components below the download folder, each made safe; the torrent's name first where it has several files.
    /// No two files of a torrent have the same path, whatever the case of letters.
    pub path: Vec<String>,
    pub span: FileSpan,
}

/// A peer to begin with: `IP:PORT`.
pub type GivenPeer = SocketAddr;
