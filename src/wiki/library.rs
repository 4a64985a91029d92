//! The books that are shown: each a ZIM file, opened when it is there.

mod about;
mod names;

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tokio::sync::{OnceCell, watch};

pub use self::about::About;
use self::names::{another, name_of};
use super::archive::Archive;
use super::fulltext::{FullText, FullTextError};
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
pub struct Library(Arc<Inner>);

#[derive(Default)]
struct Inner {
    shelf: Mutex<Shelf>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Shelf {
    books: Vec<Arc<Book>>,
    /// What has no books yet, each with what it waits for.
    waiting: Vec<(String, Arc<dyn Activity>)>,
}

impl Library {
    /// Something that was asked for and whose files are not known yet, with the name to show for it.
    pub fn wait_for(&self, name: String, activity: Arc<dyn Activity>) {
        lock(&self.0.shelf).waiting.push((name, activity));
        self.0.changes.send_replace(());
    }

    /// Its files are known: it is waited for no more.
    pub fn waited(&self, name: &str) {
        lock(&self.0.shelf).waiting.retain(|(waiting, _)| waiting != name);
        self.0.changes.send_replace(());
    }

    /// Adds a ZIM file; `file_name` is what it is called in its torrent (`wikipedia_en_all_2024-01.zim`, or `...zimaa`). Gives the book, whose name
    /// is unlike those of all others.
    pub fn add(&self, file_name: &str, archive: Archive, activity: Arc<dyn Activity>) -> Arc<Book> {
        let mut shelf = lock(&self.0.shelf);
        let name = another(name_of(file_name), |name| shelf.books.iter().any(|book| book.name == name));
        let book = Arc::new(Book {
            name,
            archive,
            activity,
            zim: OnceCell::new(),
            full_text: OnceCell::new(),
            about: OnceCell::new(),
        });
        shelf.books.push(book.clone());
        drop(shelf);
        self.0.changes.send_replace(());
        book
    }

    pub fn books(&self) -> Vec<Arc<Book>> {
        lock(&self.0.shelf).books.clone()
    }

    pub fn book(&self, name: &str) -> Option<Arc<Book>> {
        self.books().into_iter().find(|book| book.name == name)
    }

    /// What is still waited for: its name and how it stands, a sentence.
    pub fn waiting(&self) -> Vec<(String, String)> {
        lock(&self.0.shelf)
            .waiting
            .iter()
            .map(|(name, activity)| (name.clone(), activity.sentence()))
            .collect()
    }

    /// Told of every book that comes, and of all that is waited for or no more.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }
}

/// One ZIM file, by its name in URLs.
pub struct Book {
    /// As kiwix-serve makes it of a file's name: lower case, without accents and `.zim`, blanks as `_`, `+` as `plus`.
    pub name: String,
    pub archive: Archive,
    pub activity: Arc<dyn Activity>,
    /// What is wrong with the file itself stays wrong.
    zim: OnceCell<Result<Zim, ZimError>>,
    full_text: OnceCell<Option<FullText>>,
    about: OnceCell<About>,
}

impl Book {
    /// The ZIM file, opened at the first call; all who ask meanwhile wait for the same. An error that may pass (a torrent that was closed) is not kept.
    pub async fn zim(&self) -> Result<Zim, ZimError> {
        let opened = self.zim.get_or_try_init(|| async {
            match Zim::open(self.archive.clone()).await {
                Err(why @ ZimError::Read(_)) => Err(why),
                opened => Ok(opened),
            }
        });
        opened.await?.clone()
    }

    /// Its full-text index, opened at the first call; `None`: it has none that can be read.
    pub async fn full_text(&self) -> Option<FullText> {
        let opened = self.full_text.get_or_try_init(|| async {
            match self.open_full_text().await {
                Ok(index) => Ok(index),
                // That may pass.
                Err(FullTextError::Zim(ZimError::Read(error))) => Err(error),
                Err(error) => {
                    tracing::debug!(%error, book = self.name, "the full-text index is not read");
                    Ok(None)
                }
            }
        });
        opened.await.ok()?.clone()
    }

    async fn open_full_text(&self) -> Result<Option<FullText>, FullTextError> {
        let zim = self.zim().await?;
        let places: [(u8, &[u8]); 2] = [(b'X', b"fulltext/xapian"), (b'Z', b"/fulltextIndex/xapian")];
        for entry in join_all(places.map(|(namespace, path)| zim.find(namespace, path))).await {
            let Some(entry) = entry? else { continue };
            let entry = zim.follow(entry).await?;
            return FullText::open(zim.blob(&entry.dirent).await?).await.map(Some);
        }
        Ok(None)
    }

    /// What it says of itself, read at the first call.
    pub async fn about(&self) -> Result<&About, ZimError> {
        self.about.get_or_try_init(|| async { About::read(&self.zim().await?).await }).await
    }

    /// The same, if it has been read.
    pub fn known_about(&self) -> Option<&About> {
        self.about.get()
    }

    /// What to call it before a reader.
    pub fn title(&self) -> &str {
        self.known_about()
            .map(|about| about.title.as_str())
            .filter(|title| !title.is_empty())
            .unwrap_or(&self.name)
    }
}
