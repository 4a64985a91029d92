//! What the torrents are shown as, where that is not one film after the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Session;
use crate::app::lineup::Lineup;
use crate::app::moment::Visit;
use crate::app::view;
use crate::mount::shelf::Shelf;
use crate::mount::status::Status;
use crate::tui::{BookView, MountView, SiteView};
use crate::wiki::library::{Book, Library};

/// A torrent may have very many files, and a file very many pieces: what there is of them is looked at no oftener.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the torrents are to whoever uses them. `None` inside: it is not there yet.
pub(super) enum Face {
    Films,
    Folder(Option<Folder>),
    Site(Option<Site>),
}

/// A folder.
pub(super) struct Folder {
    at: Option<PathBuf>,
    shelf: Shelf,
    /// As it was last looked at.
    seen: Option<(Instant, MountView)>,
}

/// A web site of books.
pub(super) struct Site {
    library: Library,
    /// With the number of its torrent, if it is in one.
    books: Vec<(Arc<Book>, Option<usize>)>,
    /// As it was last looked at.
    seen: Option<(Instant, SiteView)>,
}

impl Session {
    /// Its torrents are shown as a folder: none of them comes first, and what is fetched beside what is read is the
    /// torrents' own business.
    pub(in crate::app) fn show_folder(&mut self) {
        self.show_as(Face::Folder(None));
    }

    /// The same as a web site.
    pub(in crate::app) fn show_site(&mut self) {
        self.show_as(Face::Site(None));
    }

    fn show_as(&mut self, face: Face) {
        self.lineup = Lineup::of_equals(self.torrents.len());
        self.observer.watch_equals();
        self.fetches = false;
        self.face = face;
    }

    /// The folder is there; mounted at this place, if it is.
    pub(in crate::app) fn folder_shown(&mut self, at: Option<&Path>, shelf: Shelf) {
        self.face = Face::Folder(Some(Folder { at: at.map(Path::to_owned), shelf, seen: None }));
    }

    /// The site is there, with what the library says of books that are not.
    pub(in crate::app) fn site_shown(&mut self, library: Library) {
        self.face = Face::Site(Some(Site { library, books: Vec::new(), seen: None }));
    }

    /// One more book is in the site; it is in this torrent, if in one.
    pub(in crate::app) fn book_shown(&mut self, book: Arc<Book>, torrent: Option<usize>) {
        if let Face::Site(Some(site)) = &mut self.face {
            site.books.push((book, torrent));
            site.seen = None;
        }
    }
}

impl Face {
    /// To be called at every look.
    pub(super) fn sample(&mut self) {
        match self {
            Face::Films | Face::Folder(None) | Face::Site(None) => {}
            Face::Folder(Some(folder)) => folder.shelf.sample(),
            Face::Site(Some(site)) => site.sample(),
        }
    }

    /// Whether it can be used, though nobody may do so.
    pub(super) fn is_there(&self, lineup: &Lineup) -> bool {
        match self {
            Face::Films | Face::Site(None) => false,
            Face::Folder(_) => lineup.known().is_some(),
            Face::Site(Some(_)) => true,
        }
    }

    /// The folder's place, if it is mounted.
    pub(super) fn mounted_at(&self) -> Option<&Path> {
        match self {
            Face::Folder(Some(folder)) => folder.at.as_deref(),
            _ => None,
        }
    }

    /// A torrent of which a book waits for something.
    pub(super) fn waits_for(&self) -> Option<usize> {
        let Face::Site(Some(site)) = self else { return None };
        site.books.iter().find(|(book, _)| book.archive.waits().reads > 0)?.1
    }

    /// What a site's books are and wait for, in numbers.
    pub(super) fn visit(&self) -> Option<Visit> {
        let Face::Site(Some(Site { seen: Some((_, seen)), .. })) = self else { return None };
        Some(Visit { had: seen.had, length: seen.length, reads: seen.reads, bytes: seen.bytes })
    }

    /// For the screen.
    pub(super) fn mount(&mut self) -> Option<MountView> {
        let Face::Folder(Some(folder)) = self else { return None };
        if folder.seen.as_ref().is_none_or(|(at, _)| at.elapsed() >= LOOK_EVERY) {
            let at = folder.at.as_ref().map(|at| at.display().to_string());
            folder.seen = Some((Instant::now(), view::of_mount(at, Status::of(&folder.shelf))));
        }
        folder.seen.as_ref().map(|(_, seen)| seen.clone())
    }

    /// For the screen.
    pub(super) fn site(&self) -> Option<SiteView> {
        let Face::Site(Some(site)) = self else { return None };
        site.seen.as_ref().map(|(_, seen)| seen.clone())
    }
}

impl Site {
    fn sample(&mut self) {
        let had = |book: &BookView, counted: &Book| match book.had < book.length {
            true => {
                let missing = counted.archive.to_fetch(0..book.length);
                book.length.saturating_sub(missing)
            }
            false => book.length,
        };
        let is_due = self.seen.as_ref().is_none_or(|(at, _)| at.elapsed() >= LOOK_EVERY);
        let before = self.seen.as_ref().map(|(_, seen)| seen.books.as_slice()).unwrap_or_default();
        let books: Vec<BookView> = self
            .books
            .iter()
            .enumerate()
            .map(|(at, (book, torrent))| {
                let (waits, statistics) = (book.archive.waits(), book.activity.statistics());
                let view = BookView {
                    name: book.name.clone(),
                    length: book.archive.length(),
                    had: before.get(at).map_or(0, |before| before.had),
                    is_local: torrent.is_none(),
                    reads: waits.reads,
                    bytes: waits.bytes,
                    peers: statistics.peers,
                    rate: statistics.download_rate,
                };
                match is_due {
                    true => BookView { had: had(&view, book), ..view },
                    false => view,
                }
            })
            .collect();
        let at = match self.seen {
            Some((at, _)) if !is_due => at,
            _ => Instant::now(),
        };
        self.seen = Some((at, SiteView::new(books, self.library.waiting())));
    }
}
