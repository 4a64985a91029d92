//! What the user typed -> a torrent's description, or the hash to fetch it by.

mod bencode;
mod cache;
mod fetch;
mod magnet;
mod metainfo;
pub(crate) mod names;

use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;

pub use self::bencode::{Dict, Fault, List, Value, parse as parse_bencode};
pub use self::cache::{Cached, MetadataCache};
pub use self::fetch::Limits;
use crate::layout::{FileSpan, Layout};
use crate::net::{FetchError, Network};

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
    /// `None` for a .torrent.
    pub link: Option<Link>,
}

/// What a magnet link or an info hash says by itself: the same each time, whatever a cache knows besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// `dn`, as anybody may have written it: fit for the screen, not for a path.
    pub name: Option<String>,
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
    /// The bencoded info dictionary, as it was: served to peers (BEP 9), cached.
    pub info_bytes: Bytes,
    /// When the torrent was made, as its .torrent file says; the info dictionary does not.
    pub created_at: Option<SystemTime>,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorrentFile {
    /// Path components below the download folder, each made safe; the torrent's name first where it has several files.
    /// No two files of a torrent have the same path, whatever the case of letters.
    pub path: Vec<String>,
    pub span: FileSpan,
}

/// More files than any torrent seen: one with more is refused, and so is an index beyond.
pub const MOST_FILES: usize = 250_000;
/// More trackers than this are not asked.
const MOST_TRACKERS: usize = 200;

/// What the user typed -> what is to be streamed. Fills in the metadata where the cache has it.
///
/// `typed` is a `magnet:` (or `stream-magnet:`) link, an info hash (40 hexadecimal or 32 base32 digits), `-` for a
/// .torrent on standard input, an `http(s)://` URL of one, or a path (or `file://` URL) of one. A .torrent may be up to
/// 64 MiB long and, from a URL, take up to 30 seconds ([`Limits::default`]).
pub async fn resolve(typed: &str, net: &Network, cache: &MetadataCache) -> Result<Source, SourceError> {
    resolve_within(typed, net, cache, Limits::default()).await
}

/// [`resolve`], with limits of one's own.
pub async fn resolve_within(
    typed: &str,
    net: &Network,
    cache: &MetadataCache,
    limits: Limits,
) -> Result<Source, SourceError> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(SourceError::Empty);
    }
    if let Some(source) = by_name(typed) {
        return cache.complete(source?).await;
    }
    let source = if typed == "-" {
        from_bytes("standard input", &fetch::read_stdin(limits).await?)?
    } else if let Ok(url) = url::Url::parse(typed)
        && typed.contains("://")
    {
        match url.scheme() {
            "http" | "https" => match fetch::fetch(url, net, limits).await? {
                fetch::Fetched::Body(body) => from_bytes(typed, &body)?,
                fetch::Fetched::Magnet(link) => by_name(&link).ok_or(SourceError::MagnetWithoutHash)??,
            },
            "file" => {
                let path = url.to_file_path().map_err(|()| SourceError::NoSuchFile { path: typed.into() })?;
                from_bytes(typed, &fetch::read_file(&path, limits).await?)?
            }
            scheme => return Err(SourceError::UnknownScheme { scheme: scheme.to_owned() }),
        }
    } else {
        from_bytes(typed, &fetch::read_file(typed.as_ref(), limits).await?)?
    };
    cache.complete(source).await
}

/// A link or a hash: nothing to be read from anywhere.
fn by_name(typed: &str) -> Option<Result<Source, SourceError>> {
    if let Some(source) = magnet::parse(typed) {
        return Some(source);
    }
    Some(magnet::parse_hash(typed)?.map(Source::of_hash))
}

/// A .torrent, or a file that holds a link. `what` says where it is from.
fn from_bytes(what: &str, bytes: &[u8]) -> Result<Source, SourceError> {
    if bytes.len() < 64 * 1024
        && let Ok(text) = std::str::from_utf8(bytes)
        && let Some(source) = magnet::parse(text.trim())
    {
        return source;
    }
    let parts = metainfo::parse_torrent(bytes).map_err(|fault| SourceError::of(what, fault))?;
    Ok(Source {
        info_hash: parts.metainfo.info_hash,
        name: Some(parts.metainfo.name.clone()),
        trackers: parts.trackers,
        peers: Vec::new(),
        select_only: Vec::new(),
        metainfo: Some(parts.metainfo),
        link: None,
    })
}

impl Source {
    /// A torrent of which nothing but the hash is known.
    pub fn of_hash(info_hash: InfoHash) -> Self {
        Source {
            info_hash,
            name: None,
            trackers: Vec::new(),
            peers: Vec::new(),
            select_only: Vec::new(),
            metainfo: None,
            link: Some(Link::default()),
        }
    }
}

impl Metainfo {
    /// Reads an info dictionary alone: from a peer (BEP 9; its hash is the caller's to compare), or a cache.
    pub fn from_info_bytes(info: Bytes) -> Result<Metainfo, SourceError> {
        metainfo::parse_info(info).map_err(|fault| SourceError::of("the torrent's metadata", fault))
    }
}

/// Why what was typed cannot be streamed. Each message is for the one who typed it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(
        "nothing was given to stream: give a magnet link, an info hash, a .torrent file, or the URL of one"
    )]
    Empty,
    #[error(
        "there is no file {}, and it is no magnet link, info hash or URL either \
         (a magnet link needs quotes around it, or the shell cuts it at the first &)",
        path.display()
    )]
    NoSuchFile { path: PathBuf },
    #[error("{} is a folder: give the .torrent file itself", path.display())]
    IsFolder { path: PathBuf },
    #[error("{what} cannot be read: {source}")]
    Unreadable { what: String, source: std::io::Error },
    #[error("{what} is longer than {} MiB: no torrent is", limit / (1024 * 1024))]
    TooLong { what: String, limit: usize },
    #[error(
        "{scheme}:// cannot be streamed from: give a magnet link, an info hash, a .torrent file, or its http URL"
    )]
    UnknownScheme { scheme: String },
    #[error("the magnet link has no info hash (xt=urn:btih:...): was it copied whole?")]
    MagnetWithoutHash,
    #[error("\u{201c}{given}\u{201d} is no info hash: 40 hexadecimal digits are one, or 32 digits of base32")]
    BadInfoHash { given: String },
    #[error(
        "this is a BitTorrent v2 torrent (BEP 52), which is not supported yet: \
         look for a v1 or hybrid torrent, or a magnet link with urn:btih"
    )]
    V2Only,
    #[error("{what} is not a torrent that can be streamed: {fault}")]
    Torrent { what: String, fault: TorrentFault },
    #[error("{url} answers with HTTP status {status}{}", match status {
        401 | 403 => ": it wants you to log in, so download the .torrent in the browser",
        404 | 410 => ": there is nothing there (any more)",
        429 => ": too many requests, try again later",
        500.. => ": the server is in trouble, try again later",
        _ => "",
    })]
    UrlStatus { url: String, status: u16 },
    #[error("{url} has not been read within {seconds} s: try again, or download it in the browser")]
    UrlTooSlow { url: String, seconds: u64 },
    #[error("{url} cannot be read: {cause}")]
    Url { url: String, cause: FetchError },
}

impl SourceError {
    fn of(what: &str, fault: TorrentFault) -> Self {
        match fault {
            TorrentFault::V2Only => SourceError::V2Only,
            fault => SourceError::Torrent { what: what.to_owned(), fault },
        }
    }
}

/// What is wrong with a torrent. Told in a sentence that begins "... is not a torrent that can be streamed: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TorrentFault {
    #[error(
        "it is a web page, so perhaps a download page or one to log in: download the .torrent in the browser"
    )]
    WebPage,
    #[error("it has been cut short: download it again")]
    Truncated,
    #[error("it is something else altogether")]
    NotBencode,
    #[error("it is nested too deeply")]
    TooDeep,
    #[error("it is not a dictionary")]
    NotADictionary,
    #[error("it has no info dictionary")]
    NoInfo,
    #[error("it has no hashes of pieces")]
    NoPieces,
    #[error("it is of version 2 only")]
    V2Only,
    #[error("its pieces are said to be {length} bytes long, and no more than 128 MiB make sense")]
    PieceLength { length: i64 },
    #[error("it has hashes of {found} pieces, where its sizes need {expected}")]
    PieceCount { found: u64, expected: u64 },
    #[error("it has more pieces than can be counted")]
    TooManyPieces,
    #[error("it has more than {MOST_FILES} files")]
    TooManyFiles,
    #[error("it has no files")]
    NoFiles,
    #[error("its list of files is damaged")]
    BadFile,
    #[error("a file in it has no name, or one that cannot be used")]
    BadPath,
    #[error("a file in it is said to be {length} bytes long")]
    NegativeLength { length: i64 },
    #[error("it is larger than any disk")]
    TooLong,
}

impl From<Fault> for TorrentFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Truncated => TorrentFault::Truncated,
            Fault::Syntax => TorrentFault::NotBencode,
            Fault::TooDeep => TorrentFault::TooDeep,
        }
    }
}

#[cfg(test)]
mod tests;
