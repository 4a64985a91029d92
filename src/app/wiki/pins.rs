//! `--pin PATTERN`: articles that are fetched with all that they show, and found again without a swarm.

mod finding;
mod notes;
mod pattern;
mod style;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;

pub(super) use self::notes::Notes;

use self::finding::{MOST_ARTICLES, Meant, find};
use self::pattern::Pattern;
use super::News;
use crate::lock::lock;
use crate::wiki::library::Book;
use crate::wiki::site::prefetch::needs;
use crate::wiki::zim::dirent::Dirent;
use crate::wiki::zim::{Entry, Zim, ZimError};

/// Articles that are fetched at the same time, and of each, things that it shows.
const ARTICLES_AT_ONCE: usize = 4;
const RESOURCES_AT_ONCE: usize = 8;
/// A page or a style sheet that has more bytes is kept without what it shows.
const MOST_TEXT: u64 = 16 * 1024 * 1024;
/// Style sheets that name style sheets that name style sheets.
const DEEPEST: usize = 4;
/// Metadata without which no site shows a book well.
const METADATA: [&str; 9] = [
    "Title",
    "Name",
    "Description",
    "Language",
    "Creator",
    "Publisher",
    "Date",
    "Counter",
    "Illustration_48x48@1",
];
/// How often the notes are written while articles come, and how often it is told how far it is.
const SAVE_EVERY: u64 = 500;
const TELL_EVERY: Duration = Duration::from_secs(30);

/// A book of which articles are kept.
pub(super) struct Pins {
    book: Arc<Book>,
    /// Its path in the torrent.
    path: String,
    notes: Notes,
    news: mpsc::UnboundedSender<News>,
    /// What was fetched already, by a hash of its path: style sheets are in every article.
    done: Mutex<HashSet<u64>>,
}

/// Why a pattern could not be followed to its end.
#[derive(Debug, thiserror::Error)]
enum PinError {
    #[error(transparent)]
    Zim(#[from] ZimError),
    #[error("what is pinned cannot be remembered for the next run: {0}")]
    Notes(std::io::Error),
}

/// Makes known what earlier runs have found: it needs nothing that is not on the disk, if it is there.
pub(super) async fn recall(book: &Book, path: &str, notes: &Notes) {
    let places = notes.places(path);
    if places.is_empty() {
        return;
    }
    match book.zim().await {
        Ok(zim) => zim.recall(&places).await,
        // Whoever opens a page is told.
        Err(error) => tracing::debug!("{}: {error}", book.name),
    }
}

impl Pins {
    pub(super) fn new(
        book: Arc<Book>,
        path: String,
        notes: Notes,
        news: mpsc::UnboundedSender<News>,
    ) -> Pins {
        Pins { book, path, notes, news, done: Mutex::default() }
    }

    /// Keeps all articles that are meant, and says so.
    pub(super) async fn keep_all(self, patterns: Vec<String>) {
        let name = self.book.name.clone();
        let zim = match self.book.zim().await {
            Ok(zim) => zim,
            Err(error) => return self.say(format!("nothing of {name} can be pinned: {error}")),
        };
        // What one begins with is kept too: without it there is no way to the rest.
        if let Err(error) = self.keep_entrance(&zim).await {
            self.say(format!("the main page of {name} cannot be pinned: {error}"));
        }
        for pattern in patterns {
            if let Err(error) = self.keep(&zim, &pattern).await {
                self.say(format!("“{pattern}” of {name} is not pinned: {error}"));
            }
        }
    }

    fn say(&self, text: String) {
        // Nobody listens at the end.
        let _ = self.news.send(News::Said(text));
    }

    async fn keep_entrance(&self, zim: &Zim) -> Result<(), PinError> {
        if let Some(main) = zim.main_page().await? {
            self.keep_article(zim, main).await?;
        }
        let new = METADATA.iter().map(|name| (b'M', *name));
        let old = [(b'-', "favicon"), (b'I', "favicon.png"), (b'W', "favicon"), (b'W', "mainPage")];
        let mut dirents = Vec::new();
        for (namespace, name) in new.chain(old) {
            if let Some(entry) = zim.find(namespace, name.as_bytes()).await? {
                dirents.push(entry.dirent.clone());
                let entry = zim.follow(entry).await?;
                zim.fetch(&entry.dirent).await?;
                dirents.push(entry.dirent);
            }
        }
        self.notes.add(&self.path, zim.known(&dirents));
        self.notes.save().await.map_err(PinError::Notes)
    }

    async fn keep(&self, zim: &Zim, text: &str) -> Result<(), PinError> {
        let name = &self.book.name;
        let (found, mut meant) = mpsc::channel(64);
        let pattern = Pattern::of(text);
        let finding = find(zim, text, &pattern, found, |progress| self.say(progress.told(text, name)));
        let keeping = async {
            let mut kept = Kept::default();
            let mut told_at = Instant::now();
            // Each as it is found: a list of all of them would be long.
            let entries = stream::poll_fn(move |context| meant.poll_recv(context));
            let mut articles = std::pin::pin!(
                entries.map(|entry| self.keep_article(zim, entry)).buffer_unordered(ARTICLES_AT_ONCE)
            );
            while let Some(done) = articles.next().await {
                match done {
                    Ok(missed) => kept.missed += missed,
                    Err(ZimError::Read(error)) => return Err(ZimError::Read(error).into()),
                    Err(error) => {
                        tracing::debug!("an article cannot be kept: {error}");
                        kept.failed += 1;
                    }
                }
                kept.articles += 1;
                if kept.articles % SAVE_EVERY == 0 {
                    self.notes.save().await.map_err(PinError::Notes)?;
                }
                if told_at.elapsed() >= TELL_EVERY {
                    told_at = Instant::now();
                    self.say(format!("“{text}” of {name}: {} articles are here so far", kept.articles));
                }
            }
            Ok::<_, PinError>(kept)
        };
        let (meant, kept) = tokio::join!(finding, keeping);
        let (kept, meant) = (kept?, meant?);
        self.notes.save().await.map_err(PinError::Notes)?;
        self.say(told(text, name, kept, meant));
        let _ = self.news.send(News::Pinned {
            book: name.clone(),
            pattern: text.to_owned(),
            articles: kept.articles - kept.failed,
            failed: kept.failed,
        });
        Ok(())
    }

    /// Fetches an article with what it shows, and remembers where all of that is. Gives the number of things that could not be had.
    async fn keep_article(&self, zim: &Zim, entry: Entry) -> Result<u64, ZimError> {
        let article = entry.dirent.clone();
        let mut dirents = vec![article.clone()];
        let mut missed = 0;
        let mut left = self.keep_one(zim, entry, &mut dirents).await?;
        for _ in 0..DEEPEST {
            if left.is_empty() {
                break;
            }
            let fetched: Vec<_> = stream::iter(left)
                .map(|path| async move {
                    let mut dirents = Vec::new();
                    let done = self.keep_path(zim, &path, &mut dirents).await;
                    (done, dirents)
                })
                .buffer_unordered(RESOURCES_AT_ONCE)
                .collect()
                .await;
            left = Vec::new();
            for (done, more) in fetched {
                dirents.extend(more);
                match done {
                    Ok(paths) => left.extend(paths),
                    Err(error @ ZimError::Read(_)) => return Err(error),
                    Err(error) => {
                        tracing::debug!("something that an article shows cannot be kept: {error}");
                        missed += 1;
                    }
                }
            }
        }
        self.notes.add(&self.path, zim.known(&dirents));
        Ok(missed)
    }

    /// What is at a path that a page names. That there is nothing is the page's own fault.
    async fn keep_path(
        &self,
        zim: &Zim,
        path: &str,
        dirents: &mut Vec<Dirent>,
    ) -> Result<Vec<String>, ZimError> {
        let Some((namespace, path)) = place_of(zim, path) else { return Ok(Vec::new()) };
        if !self.is_new(namespace, path.as_bytes()) {
            return Ok(Vec::new());
        }
        match zim.find(namespace, path.as_bytes()).await? {
            Some(entry) => {
                dirents.push(entry.dirent.clone());
                self.keep_one(zim, entry, dirents).await
            }
            None => Ok(Vec::new()),
        }
    }

    /// Fetches what an entry leads to. Gives the paths of what it shows.
    async fn keep_one(
        &self,
        zim: &Zim,
        entry: Entry,
        dirents: &mut Vec<Dirent>,
    ) -> Result<Vec<String>, ZimError> {
        let entry = zim.follow(entry).await?;
        let dirent = entry.dirent;
        dirents.push(dirent.clone());
        zim.fetch(&dirent).await?;
        let kind = zim.kind(&dirent).unwrap_or_default().to_ascii_lowercase();
        let is_page = kind.starts_with("text/html") || kind.starts_with("application/xhtml");
        if !is_page && !kind.starts_with("text/css") {
            return Ok(Vec::new());
        }
        let blob = zim.blob(&dirent).await?;
        if blob.length() > MOST_TEXT {
            return Ok(Vec::new());
        }
        let text = blob.bytes(MOST_TEXT).await?;
        let at = path_of(zim, &dirent);
        Ok(match is_page {
            true => needs(&text, &at).resources,
            false => style::resources(&String::from_utf8_lossy(&text), &at),
        })
    }

    /// Whether this has not been fetched before.
    fn is_new(&self, namespace: u8, path: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        (namespace, path).hash(&mut hasher);
        lock(&self.done).insert(hasher.finish())
    }
}

/// How far a pattern has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    articles: u64,
    /// Of these, that could not be had.
    failed: u64,
    /// Things that articles show and that could not be had.
    missed: u64,
}

/// The sentence at the end of a pattern.
fn told(pattern: &str, book: &str, kept: Kept, meant: Meant) -> String {
    let articles = match kept.articles {
        0 => return format!("nothing in {book} is called “{pattern}”"),
        1 => format!("“{pattern}” of {book} is here, with all that it shows"),
        articles => format!("“{pattern}” of {book}: {articles} articles are here, with all that they show"),
    };
    let more = match meant {
        Meant::All => String::new(),
        Meant::More => format!(
            "; it means more than {MOST_ARTICLES} articles, and the others are not (--all fetches everything)"
        ),
    };
    match kept.failed + kept.missed {
        0 => format!("{articles}{more}"),
        broken => format!("{articles}, but for {broken} that the file has no more{more}"),
    }
}

/// The entry that a path within the site leads to.
fn place_of<'a>(zim: &Zim, path: &'a str) -> Option<(u8, &'a str)> {
    if zim.header().has_new_namespaces() {
        return Some((b'C', path));
    }
    match path.as_bytes() {
        [namespace, b'/', ..] => Some((*namespace, path.get(2..)?)),
        _ => None,
    }
}

/// The path of an entry within the site.
fn path_of(zim: &Zim, dirent: &Dirent) -> String {
    let path = String::from_utf8_lossy(&dirent.path);
    match zim.header().has_new_namespaces() {
        true => path.into_owned(),
        false => format!("{}/{path}", char::from(dirent.namespace)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_pattern_is_told_with_what_is_missing() {
        let kept = |articles, failed, missed| Kept { articles, failed, missed };
        assert_eq!(told("Paris", "wiki", kept(0, 0, 0), Meant::All), "nothing in wiki is called “Paris”");
        assert_eq!(
            told("Paris", "wiki", kept(1, 0, 0), Meant::All),
            "“Paris” of wiki is here, with all that it shows"
        );
        let broken = told("A*", "wiki", kept(5, 1, 2), Meant::All);
        assert_eq!(
            broken,
            "“A*” of wiki: 5 articles are here, with all that they show, but for 3 that the file has no more"
        );
        assert!(told("*", "wiki", kept(9, 0, 0), Meant::More).contains("--all"));
    }
}
