//! The books that are shown: each a ZIM file, opened when it is there.

use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use super::archive::Archive;
use super::fulltext::{FullText, FullTextError};
use super::zim::metadata::Counter;
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
        let mut shelf = lock(&self.0);
        let wanted = name_of(file_name);
        let is_taken = |name: &String| shelf.books.iter().any(|book| book.name == *name);
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| !is_taken(name));
        let book = Arc::new(Book {
            name: name.unwrap_or(wanted),
            archive,
            activity,
            zim: OnceCell::new(),
            full_text: OnceCell::new(),
            details: OnceCell::new(),
        });
        shelf.books.push(book.clone());
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
    zim: OnceCell<Zim>,
    full_text: OnceCell<Option<FullText>>,
    details: OnceCell<Details>,
}

/// What a book says of itself. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub title: String,
    pub description: String,
    /// ISO 639-3, several with commas: `eng`.
    pub language: String,
    pub name: String,
    pub flavour: String,
    pub tags: String,
    pub creator: String,
    pub publisher: String,
    /// `2024-01-31`.
    pub date: String,
    pub articles: u64,
    pub media: u64,
}

/// Where a book has its indexes of text, the newest way first.
const INDEXES: [(u8, &str); 2] = [(b'X', "fulltext/xapian"), (b'Z', "/fulltextIndex/xapian")];

impl Book {
    /// The ZIM file, opened at the first call; all who ask meanwhile wait for the same. An error is not kept: whoever asks next tries again.
    pub async fn zim(&self) -> Result<Zim, ZimError> {
        self.zim.get_or_try_init(|| Zim::open(self.archive.clone())).await.cloned()
    }

    /// Its full-text index, opened at the first call; `None`: it has none that can be read.
    pub async fn full_text(&self) -> Option<FullText> {
        let open = async {
            let zim = self.zim().await?;
            for (namespace, path) in INDEXES {
                let Some(entry) = zim.find(namespace, path.as_bytes()).await? else { continue };
                let index = zim.blob(&entry.dirent).await?;
                match FullText::open(index).await {
                    Ok(index) => return Ok(Some(index)),
                    Err(FullTextError::Zim(why @ ZimError::Read(_))) => return Err(why),
                    // It stays so.
                    Err(why) => tracing::debug!(%why, "no full text in {}", self.name),
                }
            }
            Ok(None)
        };
        let opened: Result<_, ZimError> = self.full_text.get_or_try_init(|| open).await;
        opened.ok().cloned().flatten()
    }

    /// What it says of itself, read at the first call.
    pub async fn details(&self) -> Result<Details, ZimError> {
        let read = async {
            let zim = self.zim().await?;
            let text = async |name: &str| match zim.metadata(name).await {
                Ok(Some(bytes)) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
                Err(why @ ZimError::Read(_)) => Err(why),
                // One that is broken is as none.
                Ok(None) | Err(_) => Ok(String::new()),
            };
            // All at once: they lie side by side.
            let (of_title, of_makers, counter) = futures_util::try_join!(
                async {
                    futures_util::try_join!(
                        text("Title"),
                        text("Description"),
                        text("Language"),
                        text("Name")
                    )
                },
                async {
                    futures_util::try_join!(
                        text("Flavour"),
                        text("Tags"),
                        text("Creator"),
                        text("Publisher"),
                        text("Date")
                    )
                },
                text("Counter")
            )?;
            let (title, description, language, name) = of_title;
            let (flavour, tags, creator, publisher, date) = of_makers;
            let counter = Counter::parse(&counter);
            let title = if title.is_empty() { self.name.clone() } else { title };
            let (articles, media) = (counter.articles(), counter.media());
            Ok(Details {
                title,
                description,
                language,
                name,
                flavour,
                tags,
                creator,
                publisher,
                date,
                articles,
                media,
            })
        };
        self.details.get_or_try_init(|| read).await.cloned()
    }

    /// What it says of itself, if that has been read.
    pub fn known_details(&self) -> Option<&Details> {
        self.details.get()
    }
}

/// The name of a book in URLs, as libkiwix makes it of a file's name, so that links to its server work here: letters without
/// accents, blanks as `_`, `+` as `plus`. Signs that mean something in a URL are left out.
fn name_of(file_name: &str) -> String {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let lower = name.to_ascii_lowercase();
    let stem = match lower.rfind(".zim") {
        Some(at) if lower.len() - at <= ".zimaa".len() => name.get(..at).unwrap_or(name),
        _ => name,
    };
    let plain = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(stem);
    let is_accent = |sign: char| ('\u{300}'..='\u{36f}').contains(&sign);
    let mut named = String::new();
    for sign in plain.chars().filter(|&sign| !is_accent(sign) && !sign.is_control()) {
        match sign {
            ' ' => named.push('_'),
            '+' => named.push_str("plus"),
            '/' | '\\' | '?' | '#' | '%' => named.push('_'),
            other => named.push(other),
        }
    }
    match named.as_str() {
        "" | "." | ".." => "book".to_owned(),
        _ => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Quiet;

    impl Activity for Quiet {
        fn statistics(&self) -> Statistics {
            Statistics::default()
        }

        fn sentence(&self) -> String {
            "Looking for peers.".to_owned()
        }
    }

    #[test]
    fn a_book_is_called_as_kiwix_serve_would_call_it() {
        let names = [
            ("wikipedia_en_all_2024-01.zim", "wikipedia_en_all_2024-01"),
            ("folder/Été Bücher+C 2020.zim", "Ete_BucherplusC_2020"),
            ("wikipedia.zimaa", "wikipedia"),
            ("WIKI.ZIM", "WIKI"),
            (".zim", "book"),
            ("a?b#c%.zim", "a_b_c_"),
            ("no ending", "no_ending"),
        ];
        for (file, name) in names {
            assert_eq!(name_of(file), name, "{file}");
        }
    }

    #[test]
    fn no_two_books_have_one_name() {
        let library = Library::default();
        let add = |name| library.add(name, Archive::new(Vec::new()), Arc::new(Quiet)).name.clone();
        assert_eq!([add("a.zim"), add("x/a.zim"), add("a_2.zim")], ["a", "a_2", "a_2_2"]);
        assert!(library.book("a_2_2").is_some() && library.book("b").is_none());
    }

    #[test]
    fn what_is_waited_for_is_told_until_it_is_there() {
        let library = Library::default();
        library.wait_for("Wikipedia".to_owned(), Arc::new(Quiet));
        assert_eq!(library.waiting(), [("Wikipedia".to_owned(), "Looking for peers.".to_owned())]);
        library.waited("Wikipedia");
        assert_eq!(library.waiting(), []);
    }
}
