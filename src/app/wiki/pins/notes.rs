//! Where the entries of pinned articles are, in a file beside the torrent's journal: what was searched for once, in a list that is
//! mostly far away, is found again without a swarm.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::lock::lock;

/// Of the file's schema.
const VERSION: u32 = 1;
/// More places than this of one book are not remembered: what has so many is found again by what came with the search.
const MOST_PLACES: usize = 50_000;
/// A longer file is not ours.
const MOST: u64 = 32 * 1024 * 1024;

/// The notes of one torrent. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(in crate::app::wiki) struct Notes(Arc<Inner>);

struct Inner {
    path: PathBuf,
    places: Mutex<Places>,
}

/// By the path of the book in the torrent; bytes of the book.
type Places = BTreeMap<String, BTreeSet<u64>>;

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    books: Places,
}

impl Notes {
    /// Reads what an earlier run has left; what cannot be read is as good as nothing. Blocks on the disk.
    pub(in crate::app::wiki) fn load(path: &Path) -> Notes {
        let mut json = String::new();
        let read = fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut json));
        let saved = match read {
            Ok(_) => serde_json::from_str::<Saved>(&json).ok().filter(|saved| saved.v == VERSION),
            Err(_) => None,
        };
        let places = Mutex::new(saved.map(|saved| saved.books).unwrap_or_default());
        Notes(Arc::new(Inner { path: path.to_owned(), places }))
    }

    /// The places in this book.
    pub(in crate::app::wiki) fn places(&self, book: &str) -> Vec<u64> {
        lock(&self.0.places).get(book).into_iter().flatten().copied().collect()
    }

    /// Remembers more of them, as far as there is room.
    pub(super) fn add(&self, book: &str, more: Vec<u64>) {
        let mut places = lock(&self.0.places);
        let places = places.entry(book.to_owned()).or_default();
        let room = MOST_PLACES.saturating_sub(places.len());
        let new: Vec<u64> = more.into_iter().filter(|place| !places.contains(place)).take(room).collect();
        places.extend(new);
    }

    /// Writes them to the disk, whole or not at all.
    pub(super) async fn save(&self) -> io::Result<()> {
        let inner = self.0.clone();
        let saving = tokio::task::spawn_blocking(move || {
            let saved = Saved { v: VERSION, books: lock(&inner.places).clone() };
            let json = serde_json::to_vec(&saved)?;
            let new = inner.path.with_extension("json.new");
            fs::write(&new, json)?;
            fs::rename(&new, &inner.path)
        });
        saving.await.unwrap_or_else(|_| Err(io::Error::from(ErrorKind::Interrupted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_remembered_is_there_in_the_next_run_and_nonsense_is_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("notes.json");
        let notes = Notes::load(&path);
        assert!(notes.places("a.zim").is_empty());
        notes.add("a.zim", vec![7, 3, 7]);
        notes.add("b.zim", vec![1]);
        notes.add("a.zim", vec![9]);
        notes.save().await.expect("saves");
        let next = Notes::load(&path);
        assert_eq!((next.places("a.zim"), next.places("b.zim")), (vec![3, 7, 9], vec![1]));
        assert_eq!(fs::read_dir(folder.path()).expect("reads").count(), 1);
        for nonsense in ["", "{}", "{\"v\":2,\"books\":{}}", "{\"v\":1,\"books\":{\"a.zim\":[-1]}}"] {
            fs::write(&path, nonsense).expect("ours");
            assert!(Notes::load(&path).places("a.zim").is_empty(), "{nonsense}");
        }
    }

    #[test]
    fn they_do_not_grow_without_bound() {
        let notes = Notes::load(Path::new("none"));
        notes.add("a.zim", (0..MOST_PLACES as u64 + 10).collect());
        notes.add("a.zim", vec![u64::MAX]);
        assert_eq!(notes.places("a.zim").len(), MOST_PLACES);
    }
}
