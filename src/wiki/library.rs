//! The books that are shown: each a ZIM file, opened when it is there.

use std::sync::{Arc, Mutex};

use super::archive::Archive;
use super::fulltext::FullText;
use super::zim::{Zim, ZimError};
use crate::lock::lock;
use crate::read::Statistics;

/// What is known of a swarm, for those who wait.
pub trait Activity: Send + Sync {
    /// As it is now; all zero for a file on the disk.
    fn statistics(&self) -> Statistics;

    /// What is going on, in a sentence: "Looking for peers.", "8 peers send 3.1 MB/s.".
    fn sentence(&self) -> String;
}

/// All books. Cheap to clone; all clones are one library.
#[derive(Clone, Default)]
pub struct Library(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    books: Vec<Arc<Book>>,
    /// What has no books yet, each with what it waits for.
    waiting: Vec<(String, Arc<dyn Activity>)>,
}

impl Library {
    /// Something that was asked for and whose files are not known yet, with the name to show for it.
    pub fn wait_for(&self, name: String, activity: Arc<dyn Activity>) {
        lock(&self.0).waiting.push((name, activity));
    }

    /// Its files are known: it is waited for no more.
    pub fn waited(&self, name: &str) {
        lock(&self.0).waiting.retain(|(waiting, _)| waiting != name);
    }

    /// Adds a ZIM file; `file_name` is what it is called in its torrent (`wikipedia_en_all_2024-01.zim`, or `...zimaa`). Gives the book, whose name
    /// is unlike those of all others.
    pub fn add(&self, file_name: &str, archive: Archive, activity: Arc<dyn Activity>) -> Arc<Book> {
        let _ = file_name;
        let book = Arc::new(Book { name: String::new(), archive, activity });
        lock(&self.0).books.push(book.clone());
        book
    }

    pub fn books(&self) -> Vec<Arc<Book>> {
        lock(&self.0).books.clone()
    }

    pub fn book(&self, name: &str) -> Option<Arc<Book>> {
        self.books().into_iter().find(|book| book.name == name)
    }

    /// What is still waited for: its name and how it stands, a sentence.
    pub fn waiting(&self) -> Vec<(String, String)> {
        lock(&self.0).waiting.iter().map(|(name, activity)| (name.clone(), activity.sentence())).collect()
    }
}

/// One ZIM file, by its name in URLs.
pub struct Book {
    /// As kiwix-serve makes it of a file's name: without `.zim`, blanks as `_`, `+` as `plus`.
    pub name: String,
    pub archive: Archive,
    pub activity: Arc<dyn Activity>,
}

impl Book {
    /// The ZIM file, opened at the first call; all who ask meanwhile wait for the same. An error that may pass (a torrent that was closed) is not kept.
    pub async fn zim(&self) -> Result<Zim, ZimError> {
        todo!()
    }

    /// Its full-text index, opened at the first call; `None`: it has none that can be read.
    pub async fn full_text(&self) -> Option<FullText> {
        todo!()
    }
}
