//! Reads .torrent files and info dictionaries (BEP 3, 12, 27, 47), and refuses what is none, or meant to do harm. Pure.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use bytes::Bytes;

use super::bencode::{self, Dict, Value};
use super::names::{Decoder, Distinct, safe_component};
use super::{InfoHash, MOST_FILES, MOST_TRACKERS, Metainfo, TorrentFault, TorrentFile, magnet};
use crate::layout::{FileSpan, Layout};

/// The longest piece that makes any sense: libtorrent makes none longer. Nothing of a piece can be watched before all of
/// it is there.
const LONGEST_PIECE: i64 = 128 << 20;
/// Folders within folders. No file system takes a path of more than 4,096 bytes anyway.
const DEEPEST_FOLDER: usize = 100;
/// The last second of the year 9999.
const LATEST_DATE: u64 = 253_402_300_799;

/// What a .torrent file says: its info dictionary and its trackers, in tiers.
pub(super) struct TorrentParts {
    pub metainfo: Metainfo,
    pub trackers: Vec<Vec<String>>,
}

/// Reads a .torrent file.
pub(super) fn parse_torrent(bytes: &[u8]) -> Result<TorrentParts, TorrentFault> {
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(TorrentFault::WebPage);
    }
    // What comes after the torrent (a line feed, some say an advertisement) does no harm.
    let (value, _) = bencode::parse(bytes)?;
    let torrent = value.dict().ok_or(TorrentFault::NotADictionary)?;
    let info = torrent.raw("info").ok_or(TorrentFault::NoInfo)?;
    let trackers = announce_tiers(torrent);
    let created_at = created_at(torrent);
    Ok(TorrentParts {
        metainfo: Metainfo { created_at, ..parse_info(Bytes::copy_from_slice(info))? },
        trackers,
    })
}

/// `creation date`: seconds since 1970. One beyond what any calendar shows is none.
fn created_at(torrent: Dict<'_>) -> Option<SystemTime> {
    let seconds = torrent.value("creation date").and_then(Value::integer)?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| (1..=LATEST_DATE).contains(seconds))?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// `announce-list` (BEP 12) where there is one, else `announce`.
fn announce_tiers(torrent: Dict<'_>) -> Vec<Vec<String>> {
    let mut seen = std::collections::HashSet::new();
    let mut url = |value: Value<'_>| -> Option<String> {
        let url = std::str::from_utf8(value.bytes()?).ok()?.trim();
        (magnet::is_fair_url(url) && seen.len() < MOST_TRACKERS && seen.insert(url.to_owned()))
            .then(|| url.to_owned())
    };
    let mut tiers: Vec<Vec<String>> = Vec::new();
    for tier in torrent.value("announce-list").and_then(Value::list).into_iter().flatten() {
        // Some write a plain list of URLs.
        let urls: Vec<_> = match tier {
            Value::List(urls) => urls.filter_map(&mut url).collect(),
            single => url(single).into_iter().collect(),
        };
        if !urls.is_empty() {
            tiers.push(urls);
        }
    }
    if tiers.is_empty()
        && let Some(single) = torrent.value("announce").and_then(url)
    {
        tiers.push(vec![single]);
    }
    tiers
}

/// Reads an info dictionary. Its hash is that of exactly these bytes.
pub(super) fn parse_info(info_bytes: Bytes) -> Result<Metainfo, TorrentFault> {
    let info_hash = hash_of(&info_bytes);
    let (value, rest) = bencode::parse(&info_bytes)?;
    let info = value.dict().ok_or(TorrentFault::NotADictionary)?;
    if !rest.is_empty() {
        return Err(TorrentFault::NoInfo);
    }
    let Some(pieces) = info.value("pieces") else {
        return Err(if is_v2(info) { TorrentFault::V2Only } else { TorrentFault::NoPieces });
    };
    let pieces = pieces.bytes().ok_or(TorrentFault::NoPieces)?;
    let piece_length = info.value("piece length").and_then(Value::integer).unwrap_or(0);
    if !(1..=LONGEST_PIECE).contains(&piece_length) {
        return Err(TorrentFault::PieceLength { length: piece_length });
    }

    let raw = RawFiles::read(info)?;
    let total = raw.files.last().map_or(0, |file| file.span.end());
    let layout = u32::try_from(piece_length)
        .ok()
        .and_then(|piece_length| Layout::new(total, piece_length))
        .ok_or(TorrentFault::TooManyPieces)?;
    let expected = u64::from(layout.pieces()) * 20;
    if pieces.len() as u64 != expected {
        return Err(TorrentFault::PieceCount { found: pieces.len() as u64 / 20, expected: expected / 20 });
    }

    let decoder = Decoder::detect(raw.name.into_iter().chain(raw.files.iter().flat_map(RawFile::components)));
    let name = raw.name.filter(|name| !name.is_empty()).map(|name| decoder.decode(name));
    let name = name.map_or_else(|| info_hash.to_string(), |name| safe_component(&name));
    let padding: Vec<Range<u64>> =
        raw.files.iter().filter(|file| file.padding).map(|file| file.span.range()).collect();
    let paths: Vec<_> = raw
        .files
        .iter()
        .filter(|file| !file.padding)
        .map(|file| {
            let mut path = vec![name.clone()];
            path.extend(file.components().map(|component| safe_component(&decoder.decode(component))));
            (path, file.span)
        })
        .collect();
    if paths.is_empty() {
        return Err(TorrentFault::NoFiles);
    }
    let mut distinct = Distinct::new(paths.iter().map(|(path, _)| path.as_slice()));
    let files =
        paths.into_iter().map(|(path, span)| TorrentFile { path: distinct.place(path), span }).collect();

    Ok(Metainfo {
        info_hash,
        name,
        private: info.value("private").and_then(Value::integer) == Some(1),
        layout: layout.with_padding(padding),
        piece_hashes: info_bytes.slice_ref(pieces),
        files,
        info_bytes: info_bytes.clone(),
        created_at: None,
    })
}

/// SHA-1 of the bytes.
pub(super) fn hash_of(info_bytes: &[u8]) -> InfoHash {
    let mut hash = InfoHash([0; 20]);
    for (to, from) in hash.0.iter_mut().zip(digest(&SHA1_FOR_LEGACY_USE_ONLY, info_bytes).as_ref()) {
        *to = *from;
    }
    hash
}

fn is_v2(info: Dict<'_>) -> bool {
    info.value("meta version").and_then(Value::integer) == Some(2) || info.value("file tree").is_some()
}

/// The files as they are written, before their names are made safe.
struct RawFiles<'a> {
    name: Option<&'a [u8]>,
    files: Vec<RawFile<'a>>,
}

struct RawFile<'a> {
    path: Option<bencode::List<'a>>,
    span: FileSpan,
    padding: bool,
}

impl<'a> RawFile<'a> {
    fn components(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.path.into_iter().flatten().filter_map(Value::bytes)
    }
}

impl<'a> RawFiles<'a> {
    fn read(info: Dict<'a>) -> Result<Self, TorrentFault> {
        let name = info.value("name.utf-8").or_else(|| info.value("name")).and_then(Value::bytes);
        let Some(list) = info.value("files") else {
            let span = FileSpan { offset: 0, length: length_of(info)? };
            return Ok(RawFiles { name, files: vec![RawFile { path: None, span, padding: false }] });
        };
        let mut files = Vec::new();
        let mut offset = 0;
        for file in list.list().ok_or(TorrentFault::BadFile)? {
            if files.len() >= MOST_FILES {
                return Err(TorrentFault::TooManyFiles);
            }
            let file = file.dict().ok_or(TorrentFault::BadFile)?;
            let path = file.value("path.utf-8").or_else(|| file.value("path")).and_then(Value::list);
            let path = path
                .filter(|path| (1..=DEEPEST_FOLDER).contains(&path.count()))
                .ok_or(TorrentFault::BadPath)?;
            if path.into_iter().any(|component| component.bytes().is_none()) {
                return Err(TorrentFault::BadPath);
            }
            let span = FileSpan { offset, length: length_of(file)? };
            offset = span
                .offset
                .checked_add(span.length)
                .filter(|&end| end <= i64::MAX as u64)
                .ok_or(TorrentFault::TooLong)?;
            files.push(RawFile { path: Some(path), span, padding: is_padding(file, path) });
        }
        Ok(RawFiles { name, files })
    }
}

/// Marked as BEP 47 says, or named as BitComet and those before it did.
fn is_padding(file: Dict<'_>, path: bencode::List<'_>) -> bool {
    let mut components = path;
    let first = components.next().and_then(Value::bytes);
    let last = path.last().and_then(Value::bytes);
    file.value("attr").and_then(Value::bytes).is_some_and(|attributes| attributes.contains(&b'p'))
        || first == Some(b".pad") && components.next().is_some()
        || last.is_some_and(|name| name.starts_with(b"_____padding_file_"))
}

fn length_of(file: Dict<'_>) -> Result<u64, TorrentFault> {
    let length = file.value("length").and_then(Value::integer).ok_or(TorrentFault::BadFile)?;
    // The largest number is what every larger one is read as.
    if length == i64::MAX {
        return Err(TorrentFault::TooLong);
    }
    u64::try_from(length).map_err(|_| TorrentFault::NegativeLength { length })
}

#[cfg(test)]
mod tests;
