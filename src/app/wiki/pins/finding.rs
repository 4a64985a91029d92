//! From a pattern to the articles that it means.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::mpsc;

use super::pattern::{Pattern, paths, spellings};
use crate::lock::lock;
use crate::wiki::zim::dirent::{Dirent, Target};
use crate::wiki::zim::{Entry, Zim, ZimError};

/// A pattern that means more is cut off: who wants so much wants all.
pub(super) const MOST_ARTICLES: usize = 200_000;
/// Titles that are alike in all but the case of the first letter.
const ALIKE: usize = 16;
/// All entries are looked at from so many places on, since each step may have to wait.
const WALKERS: u32 = 8;
/// How often it is told how far that is.
const TELL_EVERY: Duration = Duration::from_secs(20);

/// How much of what a pattern means was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    All,
    /// There are more.
    More,
}

/// How many entries had to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    seen: u32,
    all: u32,
}

impl Progress {
    pub(super) fn told(self, pattern: &str, book: &str) -> String {
        let Progress { seen, all } = self;
        match seen {
            0 => format!(
                "which articles “{pattern}” means, only a look at all {all} entries of {book} can tell: their list is fetched"
            ),
            _ => format!("“{pattern}”: {seen} of {all} entries of {book} were looked at"),
        }
    }
}

/// Sends all entries that are meant, each once.
pub(super) async fn find(
    zim: &Zim,
    text: &str,
    pattern: &Pattern,
    found: mpsc::Sender<Entry>,
    tell: impl Fn(Progress),
) -> Result<Meant, ZimError> {
    // A title may have any sign in it: "What Is to Be Done?".
    if let Some(entry) = exact(zim, text).await? {
        let _ = found.send(entry).await;
        return Ok(Meant::All);
    }
    let prefix = match pattern {
        Pattern::Exact => return Ok(Meant::All),
        Pattern::Prefix(prefix) => prefix.as_str(),
        Pattern::Glob { prefix, .. } => prefix.as_str(),
    };
    if !prefix.is_empty() {
        // In a path, blanks are another sign.
        let titles = zim.titles(&prefix.replace('_', " "), MOST_ARTICLES + 1).await?;
        if titles.len() <= MOST_ARTICLES {
            for entry in titles.into_iter().filter(|entry| is_meant(pattern, &entry.dirent)) {
                if found.send(entry).await.is_err() {
                    break;
                }
            }
            return Ok(Meant::All);
        }
    }
    walk(zim, pattern, found, tell).await
}

/// The article of this title or path.
async fn exact(zim: &Zim, text: &str) -> Result<Option<Entry>, ZimError> {
    let is_new = zim.header().has_new_namespaces();
    let typed = match text.as_bytes() {
        [namespace, b'/', ..] if !is_new => text.get(2..).map(|path| (*namespace, path.to_owned())),
        _ => None,
    };
    let content = if is_new { b'C' } else { b'A' };
    for (namespace, path) in typed.into_iter().chain(paths(text).into_iter().map(|path| (content, path))) {
        let entry = zim.find(namespace, path.as_bytes()).await?;
        // Of what once was, the name is left.
        if let Some(entry) = entry.filter(|entry| entry.dirent.target != Target::Nothing) {
            return Ok(Some(entry));
        }
    }
    let spellings = spellings(text);
    let alike = zim.titles(text, ALIKE).await?;
    let is_it = |entry: &Entry| spellings.iter().any(|title| title.as_bytes() == &entry.dirent.title()[..]);
    Ok(alike.into_iter().find(is_it))
}

fn is_meant(pattern: &Pattern, dirent: &Dirent) -> bool {
    let (title, path) = (String::from_utf8_lossy(dirent.title()), String::from_utf8_lossy(&dirent.path));
    pattern.matches(&title, &path)
}

/// Looks at every entry.
async fn walk(
    zim: &Zim,
    pattern: &Pattern,
    found: mpsc::Sender<Entry>,
    tell: impl Fn(Progress),
) -> Result<Meant, ZimError> {
    let all = zim.header().entries;
    tell(Progress { seen: 0, all });
    let state = Mutex::new((0u32, 0usize, Instant::now()));
    let note = |is_meant: bool| {
        let (seen, meant, told_at) = &mut *lock(&state);
        *seen += 1;
        *meant += usize::from(is_meant);
        if told_at.elapsed() >= TELL_EVERY {
            *told_at = Instant::now();
            tell(Progress { seen: *seen, all });
        }
        *meant
    };
    let share = all.div_ceil(WALKERS).max(1);
    let (note, found) = (&note, &found);
    let walkers = (0..WALKERS).map(|walker| {
        let from = walker.saturating_mul(share).min(all);
        async move {
            for index in from..from.saturating_add(share).min(all) {
                let entry = match zim.entry(index).await {
                    Ok(entry) => entry,
                    Err(error @ ZimError::Read(_)) => return Err(error),
                    // One entry that is broken is no reason to leave out the rest.
                    Err(_) => continue,
                };
                let is_meant = is_article(zim, &entry.dirent) && is_meant(pattern, &entry.dirent);
                if note(is_meant) > MOST_ARTICLES {
                    return Ok(Meant::More);
                }
                if is_meant && found.send(entry).await.is_err() {
                    break;
                }
            }
            Ok(Meant::All)
        }
    });
    let ends = try_join_all(walkers).await?;
    Ok(if ends.contains(&Meant::More) { Meant::More } else { Meant::All })
}

/// What has a title that people know: a page, and no picture. Redirects lead to what has a title of its own.
fn is_article(zim: &Zim, dirent: &Dirent) -> bool {
    let content = if zim.header().has_new_namespaces() { b'C' } else { b'A' };
    let is_page = || zim.kind(dirent).is_some_and(|kind| kind.starts_with("text/html"));
    dirent.namespace == content && matches!(dirent.target, Target::Content { .. }) && is_page()
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use bytes::Bytes;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::read::{ReadAt, ReadError};
    use crate::wiki::archive::{Archive, Part};
    use crate::wiki::zim::writer::Writer;

    #[derive(Clone)]
    struct InMemory(Bytes);

    impl Part for InMemory {
        fn length(&self) -> u64 {
            self.0.len() as u64
        }

        fn open(&self) -> Option<Box<dyn ReadAt>> {
            Some(Box::new(self.clone()))
        }

        fn to_fetch(&self, _: Range<u64>) -> u64 {
            0
        }
    }

    impl ReadAt for InMemory {
        fn length(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
            let start = (offset as usize).min(self.0.len());
            let bytes = self.0.slice(start..start.saturating_add(most).min(self.0.len()));
            Box::pin(async move { Ok(bytes) })
        }
    }

    async fn paths_of(writer: Writer, text: &str) -> (Vec<String>, usize) {
        let archive = Archive::new(vec![Box::new(InMemory(writer.write().into()))]);
        let zim = Zim::open(archive).await.expect("a ZIM file");
        let (found, mut meant) = mpsc::channel::<Entry>(1);
        let told = Mutex::new(0);
        let pattern = Pattern::of(text);
        let all = async {
            let mut paths = Vec::new();
            while let Some(entry) = meant.recv().await {
                paths.push(String::from_utf8_lossy(&entry.dirent.path).into_owned());
            }
            paths.sort();
            paths
        };
        let (end, paths) = tokio::join!(find(&zim, text, &pattern, found, |_| *lock(&told) += 1), all);
        assert_eq!(end.expect("finds"), Meant::All);
        let told = *lock(&told);
        (paths, told)
    }

    fn new() -> Writer {
        Writer::default()
            .page("Paris", "Paris", "")
            .page("Paris_(Texas)", "Paris (Texas)", "")
            .page("What?", "What?", "")
            .page("Whatever", "Whatever", "")
            .page("List_of_bridges", "List of bridges", "")
            .page("London_Bridge", "London Bridge", "")
            .redirect("Lutetia", "Lutetia", "Paris")
            .file(b'C', "Parisian.png", "image/png", "x")
    }

    fn old() -> Writer {
        Writer { minor: 0, listing: false, ..Writer::default() }
            .page("Paris.html", "Paris", "")
            .page("Paris,_Texas.html", "Paris, Texas", "")
            .file(b'I', "Paris.png", "image/png", "x")
    }

    #[tokio::test]
    async fn a_name_is_one_article_even_if_it_could_be_a_pattern() {
        for (text, path) in [
            ("Paris", "Paris"),
            ("paris", "Paris"),
            ("list of bridges", "List_of_bridges"),
            ("Paris (Texas)", "Paris_(Texas)"),
            ("What?", "What?"),
            ("Lutetia", "Lutetia"),
        ] {
            assert_eq!(paths_of(new(), text).await, (vec![path.to_owned()], 0), "{text}");
        }
        for text in ["Paris", "Paris.html", "A/Paris.html"] {
            assert_eq!(paths_of(old(), text).await.0, ["Paris.html"], "{text}");
        }
        assert_eq!(paths_of(new(), "Berlin").await.0, [""; 0]);
    }

    #[tokio::test]
    async fn a_beginning_is_looked_up_and_any_other_pattern_held_against_all_titles() {
        assert_eq!(paths_of(new(), "Paris*").await, (vec!["Paris".into(), "Paris_(Texas)".into()], 0));
        assert_eq!(paths_of(new(), "List_of_*").await, (vec!["List_of_bridges".into()], 0));
        assert_eq!(paths_of(new(), "Paris (*)").await, (vec!["Paris_(Texas)".into()], 0));
        let (bridges, told) = paths_of(new(), "*[Bb]ridge*").await;
        assert_eq!(bridges, ["List_of_bridges", "London_Bridge"]);
        assert!(told >= 1, "who waits for all titles is told so");
        let all = ["Paris,_Texas.html", "Paris.html"];
        assert_eq!(paths_of(old(), "Paris*").await.0, all);
        assert_eq!(paths_of(old(), "*aris*").await.0, all, "and no picture");
    }
}
