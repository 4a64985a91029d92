//! The files of the folder, and how they are opened.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use peerflix::read::{ReadAt, ReadError};
use peerflix::wiki::archive::{Archive, Part};
use peerflix::wiki::zim::dirent::{Dirent, Target};
use peerflix::wiki::zim::{Zim, ZimError};

/// A file on the disk.
#[derive(Clone)]
struct OnDisk(Arc<Mutex<File>>, u64);

impl Part for OnDisk {
    fn length(&self) -> u64 {
        self.1
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.clone()))
    }

    fn to_fetch(&self, _range: Range<u64>) -> u64 {
        0
    }
}

impl ReadAt for OnDisk {
    fn length(&self) -> u64 {
        self.1
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        Box::pin(async move {
            let mut file = self.0.lock().expect("nobody panicked");
            let mut bytes = Vec::new();
            let read = file.seek(SeekFrom::Start(offset)).and_then(|_| {
                let mut some = (&mut *file).take(most as u64);
                some.read_to_end(&mut bytes)
            });
            read.map(|_| bytes.into()).map_err(|error| ReadError::Disk(error.to_string()))
        })
    }
}

/// Files with this beginning or without it, in `DATA/zim`; at least one.
fn files(is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let data = std::env::var_os("DATA").expect("say where the data is: make conformance DATA=FOLDER");
    let folder = Path::new(&data).join("zim");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "zim"))
        .filter(|path| path.file_name().is_some_and(|name| is_wanted(&name.to_string_lossy())))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there is none of the wanted ZIM files in {}", folder.display());
    paths
}

pub fn sound_files() -> Vec<PathBuf> {
    files(|name| !name.starts_with("invalid-"))
}

pub fn broken_files() -> Vec<PathBuf> {
    files(|name| name.starts_with("invalid-"))
}

/// What `invalid-HOW-KIND.zim` was before it was broken: `small-KIND.zim`.
pub fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let kind = name.rsplit_once('-').expect("invalid-HOW-KIND.zim").1;
    path.with_file_name(format!("small-{kind}"))
}

pub async fn open(path: &Path) -> Result<Zim, ZimError> {
    let file = File::open(path).expect("it can be opened");
    let length = file.metadata().expect("it is there").len();
    Zim::open(Archive::new(vec![Box::new(OnDisk(Arc::new(Mutex::new(file)), length))])).await
}

pub async fn dirents(zim: &Zim) -> Vec<Dirent> {
    let mut dirents = Vec::new();
    for index in 0..zim.header().entries {
        dirents.push(zim.entry(index).await.expect("an entry").dirent);
    }
    dirents
}

/// What is in each entry that can be read.
pub async fn contents(zim: &Zim, dirents: &[Dirent]) -> Vec<Option<Bytes>> {
    let mut contents = Vec::new();
    for dirent in dirents {
        contents.push(match (dirent.target, zim.blob(dirent).await) {
            (Target::Content { .. }, Ok(blob)) => blob.bytes(u64::MAX).await.ok(),
            _ => None,
        });
    }
    contents
}
