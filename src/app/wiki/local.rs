//! ZIM files on this computer: found by what was typed, and read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::zims::{Ending, ending, part_name};
use crate::read::{ReadAt, ReadError, Statistics};
use crate::wiki::archive::{Archive, Part};
use crate::wiki::library::Activity;

/// How a ZIM file begins.
const MAGIC: [u8; 4] = *b"ZIM\x04";
/// What one read gives at most.
const MOST: usize = 1024 * 1024;

/// A ZIM file on this computer.
pub(super) struct Local {
    /// Of its first part.
    pub(super) path: PathBuf,
    parts: Vec<LocalPart>,
}

/// Why what was typed cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalError {
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error(
        "ZIM files are not read over HTTP: give its torrent, {0}.torrent if it is from Kiwix, or a copy of it"
    )]
    OnTheWeb(String),
}

impl Local {
    /// What was typed, if it is a ZIM file; `Ok(None)`: it is a torrent, or nothing that is known here. Blocks on the disk.
    pub(super) fn find(typed: &str) -> Result<Option<Local>, LocalError> {
        if let Ok(url) = url::Url::parse(typed)
            && ["http", "https"].contains(&url.scheme())
        {
            return match ending(url.path()) {
                Some(_) => Err(LocalError::OnTheWeb(typed.to_owned())),
                None => Ok(None),
            };
        }
        match ending(typed) {
            Some(Ending::Whole) if !Path::new(typed).exists() => {
                // Too large for the disk that it once was on, it is in parts, and called what it was.
                let stem = &typed[..typed.len() - ".zim".len()];
                match Path::new(&part_name(stem, 0)).exists() {
                    true => Local::split(stem).map(Some),
                    false => Err(LocalError::Missing(typed.into())),
                }
            }
            Some(Ending::Whole) => Local::of(vec![typed.into()]).map(Some),
            Some(Ending::Part { stem, .. }) => Local::split(stem).map(Some),
            None if begins_as_one(Path::new(typed)) => Local::of(vec![typed.into()]).map(Some),
            None => Ok(None),
        }
    }

    /// From its first part to the last one that is there.
    fn split(stem: &str) -> Result<Local, LocalError> {
        let paths = (0..26 * 26).map(|number| PathBuf::from(part_name(stem, number)));
        let there: Vec<PathBuf> = paths.take_while(|path| path.exists()).collect();
        match there.is_empty() {
            true => Err(LocalError::Missing(part_name(stem, 0).into())),
            false => Local::of(there),
        }
    }

    fn of(paths: Vec<PathBuf>) -> Result<Local, LocalError> {
        let path = paths.first().cloned().unwrap_or_default();
        let open = |path: &PathBuf| {
            LocalPart::open(path).map_err(|cause| LocalError::Unreadable { path: path.clone(), cause })
        };
        Ok(Local { parts: paths.iter().map(open).collect::<Result<_, _>>()?, path })
    }

    /// What it is called, with its ending.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(super) fn archive(self) -> Archive {
        Archive::new(self.parts.into_iter().map(|part| Box::new(part) as Box<dyn Part>).collect())
    }
}

fn begins_as_one(path: &Path) -> bool {
    let mut begins = [0; MAGIC.len()];
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == MAGIC
}

/// A file, or a part of one.
#[derive(Clone)]
struct LocalPart {
    file: Arc<File>,
    length: u64,
}

impl LocalPart {
    fn open(path: &Path) -> io::Result<LocalPart> {
        let file = File::open(path)?;
        let found = file.metadata()?;
        match found.is_dir() {
            true => Err(io::Error::from(ErrorKind::IsADirectory)),
            false => Ok(LocalPart { file: Arc::new(file), length: found.len() }),
        }
    }
}

impl Part for LocalPart {
    fn length(&self) -> u64 {
        self.length
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.clone()))
    }

    fn to_fetch(&self, _: Range<u64>) -> u64 {
        0
    }
}

impl ReadAt for LocalPart {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let size = most.min(left).min(MOST);
        let file = self.file.clone();
        Box::pin(async move {
            if size == 0 {
                return Ok(Bytes::new());
            }
            let reading = tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; size];
                let count = read_some(&file, &mut bytes, offset)?;
                bytes.truncate(count);
                Ok::<_, io::Error>(bytes)
            });
            match reading.await {
                Ok(Ok(bytes)) if !bytes.is_empty() => Ok(bytes.into()),
                Ok(Ok(_)) => Err(ReadError::Disk("the file has become shorter".to_owned())),
                Ok(Err(cause)) => Err(ReadError::Disk(cause.to_string())),
                // The program ends.
                Err(_) => Err(ReadError::Closed),
            }
        })
    }
}

#[cfg(unix)]
fn read_some(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_some(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset)
}

/// Nothing is going on.
pub(super) struct OnDisk;

impl Activity for OnDisk {
    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn sentence(&self) -> String {
        "It is a file on this computer.".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> &str {
        path.to_str().expect("a temporary folder has a plain name")
    }

    #[tokio::test]
    async fn parts_of_a_file_are_one_archive_whichever_of_them_was_typed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in
            [("a.zimaa", "abc"), ("a.zimab", ""), ("a.zimac", "defg"), ("a.zimae", "not this")]
        {
            std::fs::write(folder.path().join(name), bytes).expect("ours");
        }
        for typed in ["a.zim", "a.zimaa", "a.zimac"] {
            let found = Local::find(text(&folder.path().join(typed))).expect("readable").expect("a ZIM file");
            assert_eq!(found.name(), "a.zimaa");
            let archive = found.archive();
            assert_eq!((archive.length(), archive.to_fetch(0..7)), (7, 0));
            assert_eq!(archive.read(1..6).await.expect("reads"), &b"bcdef"[..]);
        }
    }

    #[test]
    fn a_zim_file_is_known_by_its_name_or_its_first_bytes_and_the_rest_may_be_torrents() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("download"), b"ZIM\x04and more").expect("ours");
        std::fs::write(at("film.torrent"), b"d4:infod").expect("ours");
        assert!(Local::find(text(&at("download"))).expect("readable").is_some());
        for torrent in
            [text(&at("film.torrent")), "magnet:?xt=urn:btih:abc", "https://e.org/w.zim.torrent", "-"]
        {
            assert!(Local::find(torrent).expect("no error").is_none(), "{torrent}");
        }
        assert!(matches!(Local::find(text(&at("none.zim"))), Err(LocalError::Missing(_))));
        assert!(matches!(Local::find("https://e.org/w.zim?mirror=1"), Err(LocalError::OnTheWeb(_))));
        std::fs::create_dir(at("folder.zim")).expect("ours");
        assert!(matches!(Local::find(text(&at("folder.zim"))), Err(LocalError::Unreadable { .. })));
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error_and_no_end_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.zim");
        std::fs::write(&path, [7; 100]).expect("ours");
        let archive = Local::find(text(&path)).expect("readable").expect("a ZIM file").archive();
        std::fs::write(&path, [7; 10]).expect("ours");
        assert!(matches!(archive.read(50..60).await, Err(ReadError::Disk(_))));
    }
}
