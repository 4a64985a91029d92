//! The books of a library as a web site, with the paths of kiwix-serve. The server is [`crate::http`]; this is its extension.
//!
//! Whoever asks waits for the swarm: a reader sees what for, a browser that fetches what a page shows just waits.

mod ask;
mod bar;
mod catalog;
mod entry;
mod errors;
mod find;
mod front;
mod links;
mod own;
mod page;
pub mod prefetch;
mod route;
mod search;
mod waiting;

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use hyper::http::request;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::ask::Ask;
use self::prefetch::Ahead;
use self::route::{Route, Tree};
pub use self::waiting::Patience;
use self::waiting::{Wanted, patiently};
use super::library::{Book, Library};
use crate::http::{Extension, Reply};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// How the site looks, and how long its readers wait.
#[derive(Clone, Copy, Debug)]
pub struct SiteConfig {
    /// Pages have a thin bar on top.
    pub bar: bool,
    /// What a page needs is asked for as soon as it is opened.
    pub prefetches: bool,
    pub patience: Patience,
}

impl Default for SiteConfig {
    fn default() -> Self {
        SiteConfig { bar: true, prefetches: true, patience: Patience::default() }
    }
}

/// The site of a library. Cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    library: Library,
    config: SiteConfig,
    ahead: Ahead,
    /// As feeds say it.
    started: String,
}

impl Site {
    pub fn new(library: Library, config: SiteConfig) -> Site {
        let started = catalog::written(SystemTime::now());
        Site(Arc::new(Inner { library, config, ahead: Ahead::default(), started }))
    }

    async fn reply(&self, ask: &Ask, route: Route, known: oneshot::Sender<()>) -> Reply {
        let library = &self.0.library;
        let told = match route {
            Route::Front => return self.front(ask).await,
            Route::Library => return front::reply(library, self.0.config.patience.silence, ask).await,
            Route::Entry { book, path, tree } => match self.book(&book).await {
                Some(book) => {
                    let bar = self.0.config.bar && ask.wants_bar();
                    let wanted = entry::Wanted {
                        book: &book,
                        path: &path,
                        tree,
                        bar,
                        ask,
                        known,
                        ahead: self.0.config.prefetches.then_some(&self.0.ahead),
                    };
                    wanted.reply().await.map_err(|error| (String::from_utf8_lossy(&path).into_owned(), error))
                }
                None if tree == Tree::Short => return self.below_the_page_before(ask).await,
                None => return errors::nothing(ask),
            },
            Route::Metadata { book, name } => match self.book(&book).await {
                Some(book) => entry::metadata(&book, &name, ask).await.map_err(|error| (name, error)),
                None => return errors::nothing(ask),
            },
            Route::Illustration { book } => match self.book(&book).await {
                Some(book) => {
                    let size = ask.number("size", 4096).unwrap_or(48) as u32;
                    entry::illustration(&book, size, ask).await.map_err(|error| (book.name.clone(), error))
                }
                None => return errors::nothing(ask),
            },
            Route::Search => return search::reply(&self.meant(ask), ask).await,
            Route::Suggest => match self.meant(ask).as_slice() {
                [book, ..] => search::suggest(book, ask).await.map_err(|error| (book.name.clone(), error)),
                [] => return errors::nothing(ask),
            },
            Route::Random => return self.random(ask).await,
            Route::Viewer => return front::viewer(library),
            Route::Catalog(catalog) => {
                return catalog::reply(
                    library,
                    &catalog,
                    self.0.config.patience.silence,
                    &self.0.started,
                    ask,
                )
                .await;
            }
            Route::Bar => return bar::switch(ask),
            Route::BarScript => return bar::fixed("text/javascript; charset=utf-8", bar::SCRIPT),
            Route::Icon => return bar::fixed("image/svg+xml", bar::ICON),
            Route::Status => return self.status(ask),
            Route::Nothing => return errors::nothing(ask),
        };
        told.unwrap_or_else(|(what, error)| errors::trouble(&what, &error, ask))
    }

    /// The main page of the only book; where there are more, or may be, all of them.
    async fn front(&self, ask: &Ask) -> Reply {
        let library = &self.0.library;
        let mut changes = library.changes();
        loop {
            let (books, waiting) = (library.books(), library.waiting());
            match books.as_slice() {
                [] if !waiting.is_empty() => {}
                [book] if waiting.is_empty() => return own::redirect(&Tree::Content.root(&book.name)),
                _ => return front::reply(library, self.0.config.patience.silence, ask).await,
            }
            if changes.changed().await.is_err() {
                return front::reply(library, self.0.config.patience.silence, ask).await;
            }
        }
    }

    /// The book of this name, waited for while it may still come.
    async fn book(&self, name: &str) -> Option<Arc<Book>> {
        let library = &self.0.library;
        let mut changes = library.changes();
        loop {
            if let Some(book) = library.book(name) {
                return Some(book);
            }
            if library.waiting().is_empty() || changes.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The books that a query names: `content` in older, `books.name` in newer links; all, if it names none.
    fn meant(&self, ask: &Ask) -> Vec<Arc<Book>> {
        let names: Vec<String> =
            ask.all("content").chain(ask.all("books.name")).filter(|name| !name.is_empty()).collect();
        let mut books = self.0.library.books();
        if !names.is_empty() {
            books.retain(|book| names.contains(&book.name));
        }
        books
    }

    async fn random(&self, ask: &Ask) -> Reply {
        let books = self.meant(ask);
        let number = (rand::random::<f64>() * books.len() as f64) as usize;
        let Some(book) = books.get(number) else { return errors::nothing(ask) };
        let found = async {
            let zim = book.zim().await?;
            Ok((zim.any(rand::random()).await?, zim))
        };
        match found.await {
            Ok((Some(entry), zim)) => {
                let path = find::path_of(zim.header(), &entry.dirent);
                own::redirect(&(Tree::Content.root(&book.name) + &links::encoded(&path)))
            }
            Ok((None, _)) => errors::nothing(ask),
            Err(error) => errors::trouble(&book.name, &error, ask),
        }
    }

    /// A path that is of no book: absolute links of a page begin at its book. Which page it was, the browser says; where there is one
    /// book, nobody need say.
    async fn below_the_page_before(&self, ask: &Ask) -> Reply {
        let library = &self.0.library;
        let before = match ask.from().as_deref().map(Route::read) {
            Some(Route::Entry { book, .. }) => library.book(&book),
            _ => None,
        };
        let book = before.or_else(|| match library.books().as_slice() {
            [book] => Some(book.clone()),
            _ => None,
        });
        let Some(book) = book else { return errors::nothing(ask) };
        let path = links::decoded(ask.path.trim_start_matches('/'));
        match entry::below_the_page_before(&book, &path, ask).await {
            Ok(Some(reply)) => reply,
            Ok(None) => errors::nothing(ask),
            Err(error) => errors::trouble(&ask.path, &error, ask),
        }
    }

    /// What the swarm does, for the bar and for programs.
    fn status(&self, ask: &Ask) -> Reply {
        let library = &self.0.library;
        let status = match ask.parameter("book") {
            Some(name) => match library.book(&name) {
                Some(book) => bar::Doing::json(&book),
                None => return errors::nothing(ask),
            },
            None => {
                let books: Vec<Value> = library.books().iter().map(|book| bar::Doing::json(book)).collect();
                let waiting = library.waiting().into_iter();
                let waiting: Vec<Value> =
                    waiting.map(|(name, told)| json!({ "name": name, "sentence": told })).collect();
                json!({ "books": books, "waiting": waiting })
            }
        };
        let kind = "application/json; charset=utf-8";
        own::guarded(Reply::text(StatusCode::OK, kind, status.to_string()))
    }

    /// In words, what a reader of this address waits for.
    fn wanted(&self, route: &Route) -> Wanted {
        let library = self.0.library.clone();
        let (what, name) = match route {
            Route::Entry { book, path, .. } => {
                let path = String::from_utf8_lossy(path).into_owned();
                (if path.is_empty() { book.clone() } else { path }, Some(book.clone()))
            }
            Route::Metadata { book, .. } | Route::Illustration { book } => (book.clone(), Some(book.clone())),
            Route::Search => ("What was found".to_owned(), None),
            Route::Random => ("A random page".to_owned(), None),
            _ => ("The library".to_owned(), None),
        };
        let told = move || {
            let books = match name.as_ref().and_then(|name| library.book(name)) {
                Some(book) => vec![book],
                None => library.books(),
            };
            let told = books.iter().map(|book| {
                let bar::Doing { label, had, asked, sentence } = bar::Doing::of(book);
                let asked = if asked.is_empty() { asked } else { format!(" It {asked}.") };
                format!("{sentence}{asked} {label} {had}.")
            });
            let waiting = library.waiting().into_iter().map(|(name, told)| format!("{name}: {told}"));
            told.chain(waiting).collect::<Vec<_>>().join(" ")
        };
        Wanted { what, told: Box::new(told) }
    }
}

impl Extension for Site {
    fn takes(&self, _request: &request::Parts) -> bool {
        true
    }

    fn answer<'a>(&'a self, request: &'a request::Parts, _body: Option<Bytes>) -> BoxFuture<'a, Reply> {
        async {
            match request.method.as_str() {
                "GET" | "HEAD" => {}
                "OPTIONS" => {
                    let mut reply = Reply::bare(StatusCode::NO_CONTENT);
                    reply.headers.insert(hyper::header::ALLOW, METHODS);
                    return reply;
                }
                _ => return errors::only_read(METHODS),
            }
            let ask = Ask::new(request);
            let route = Route::read(&ask.path);
            let wanted = self.wanted(&route);
            let (tell, known) = oneshot::channel();
            let (site, is_patient) = (self.clone(), ask.is_navigation() && !ask.is_head);
            let work = async move { site.reply(&ask, route, tell).await }.boxed();
            match is_patient {
                true => patiently(work, known, wanted, self.0.config.patience).await,
                false => work.await,
            }
        }
        .boxed()
    }
}
