//! The books of a library as a web site, with the paths of kiwix-serve. The server is [`crate::http`]; this is its extension.

mod catalog;
mod content;
mod find;
mod html;
mod page;
pub mod prefetch;
mod route;
mod search;
mod waiting;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::header::{ALLOW, CACHE_CONTROL, HeaderValue, REFERER, SET_COOKIE};
use hyper::http::request;
use hyper::{HeaderMap, Method, StatusCode};
use quick_xml::escape::escape;

use self::content::{Shape, book_before, is_bar_off};
use self::html::{page, redirect, search_form, size};
use self::prefetch::Prefetch;
use self::route::{Query, Route, Way, encoded};
use self::search::no_book;
pub use self::waiting::Patience;
use super::library::{Book, Library};
use crate::http::{Extension, Reply};
use crate::read::Statistics;

/// How the site looks, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct SiteConfig {
    /// Pages have a thin bar on top.
    pub bar: bool,
    /// What a page needs is asked for when it is opened.
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
pub struct Site {
    library: Library,
    config: SiteConfig,
    prefetch: Prefetch,
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const JSON: &str = "application/json; charset=utf-8";
const XML: &str = "application/opensearchdescription+xml";

impl Site {
    pub fn new(library: Library, config: SiteConfig) -> Site {
        Site { library, config, prefetch: Prefetch::default() }
    }

    async fn reply(&self, request: &request::Parts) -> Reply {
        if request.method == Method::OPTIONS {
            let mut reply = Reply::bare(StatusCode::NO_CONTENT);
            reply.headers.insert(ALLOW, METHODS);
            return reply;
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            let mut reply = page(
                StatusCode::METHOD_NOT_ALLOWED,
                "Only reading",
                "<p>Books can be read, and that is all.</p>",
            );
            reply.headers.insert(ALLOW, METHODS);
            return reply;
        }
        let query = Query::read(request.uri.query());
        match Route::read(request.uri.path()) {
            Route::Front => self.front(request.uri.query()),
            Route::Viewer => page(
                StatusCode::OK,
                "Books",
                "<p>Pages are shown here without a viewer around them.</p><p><a href=\"/?books\">All books</a></p>",
            ),
            Route::Content { way, book, path } => {
                let shape = Shape::Shown { way, bar: self.config.bar && !is_bar_off(&request.headers) };
                match self.library.book(&book) {
                    Some(book) => self.content(request, book, path, shape).await,
                    None => self.not_a_book(request, way, &book),
                }
            }
            Route::Raw { book, path } => match self.library.book(&book) {
                Some(book) => self.content(request, book, path, Shape::Raw).await,
                None => no_book(&book),
            },
            Route::Meta { book, name } => match self.library.book(&book) {
                Some(book) => content::metadata(&book, &name).await,
                None => no_book(&book),
            },
            Route::Search => self.search(&query).await,
            Route::SearchDescription => Reply::text(StatusCode::OK, XML, search::DESCRIPTION),
            Route::Suggest => self.suggest(&query).await,
            Route::Random => self.random(&query).await,
            Route::Catalog(rest) => self.catalog(&rest, &query).await,
            Route::Own(rest) => self.own(&rest, request, &query),
        }
    }

    /// The one book, or all of them with what is waited for.
    fn front(&self, query: Option<&str>) -> Reply {
        let (books, waiting) = (self.library.books(), self.library.waiting());
        if let [book] = books.as_slice()
            && waiting.is_empty()
            && query != Some("books")
        {
            return redirect(&Way::Content.prefix(&book.name));
        }
        let mut body = String::new();
        if !books.is_empty() {
            body.push_str(&search_form(None, ""));
            body.push_str("<ul class=\"books\">\n");
            books.iter().for_each(|book| body.push_str(&card(book)));
            body.push_str("</ul>\n");
        }
        for (name, sentence) in &waiting {
            body.push_str(&format!(
                "<p>{}: <span class=\"quiet\">{}</span></p>\n",
                escape(name),
                escape(sentence)
            ));
        }
        let is_coming = !waiting.is_empty() || books.iter().any(|book| book.known_details().is_none());
        if is_coming {
            body.push_str("<meta http-equiv=\"refresh\" content=\"2\">\n");
            // For the titles, at the next look.
            for book in books.into_iter().filter(|book| book.known_details().is_none()) {
                tokio::spawn(async move {
                    if let Err(error) = book.details().await {
                        tracing::debug!(%error, "{} does not tell of itself", book.name);
                    }
                });
            }
        }
        page(StatusCode::OK, "Books", &body)
    }

    /// A path whose first part is no book: perhaps it was meant within one.
    fn not_a_book(&self, request: &request::Parts, way: Way, name: &str) -> Reply {
        let books = self.library.books();
        let meant = match (way, books.as_slice()) {
            (Way::Short, [only]) => Some(only.clone()),
            (Way::Short, _) => book_before(self, &request.headers),
            (Way::Content, _) => None,
        };
        match meant {
            Some(book) => {
                let rest =
                    request.uri.path_and_query().map_or("", |rest| rest.as_str()).trim_start_matches('/');
                redirect(&format!("{}{rest}", Way::Content.prefix(&book.name)))
            }
            None if name == "favicon.ico" => Reply::bare(StatusCode::NOT_FOUND),
            None => no_book(name),
        }
    }

    /// What the bar is made of.
    fn own(&self, rest: &str, request: &request::Parts, query: &Query) -> Reply {
        let text = |kind, text: &'static str| {
            let mut reply = Reply::text(StatusCode::OK, kind, text);
            reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
            reply
        };
        match rest {
            "bar.css" => text("text/css; charset=utf-8", page::BAR_CSS),
            "bar.js" => text("text/javascript; charset=utf-8", page::BAR_JS),
            "status.json" => Reply::text(StatusCode::OK, JSON, self.status(query.book())),
            "bar" => {
                let is_off = request.uri.query() == Some("off");
                let cookie = match is_off {
                    true => "peerflix-bar=off; Path=/; SameSite=Strict; Max-Age=31536000",
                    false => "peerflix-bar=; Path=/; SameSite=Strict; Max-Age=0",
                };
                let mut reply = match back(&request.headers) {
                    Some(back) if !is_off => redirect(&back),
                    Some(back) => page(
                        StatusCode::OK,
                        "The bar is off",
                        &format!(
                            "<p><a href=\"{}\">Go on reading</a></p><p class=\"quiet\"><a href=\"/peerflix/bar?on\">Switch it on again</a>; \
                             this page is at /peerflix/bar.</p>",
                            escape(&back)
                        ),
                    ),
                    None => page(
                        StatusCode::OK,
                        "The bar on top of pages",
                        "<p><a href=\"/peerflix/bar?on\">On</a> \u{b7} <a href=\"/peerflix/bar?off\">Off</a></p><p><a href=\"/?books\">All books</a></p>",
                    ),
                };
                if matches!(request.uri.query(), Some("on" | "off")) {
                    reply.headers.insert(SET_COOKIE, HeaderValue::from_static(cookie));
                }
                reply
            }
            _ => page(StatusCode::NOT_FOUND, "Nothing here", "<p><a href=\"/?books\">All books</a></p>"),
        }
    }

    /// What the swarm does for a book, or for all.
    fn status(&self, name: Option<&str>) -> String {
        let books = match name.and_then(|name| self.library.book(name)) {
            Some(book) => vec![book],
            None => self.library.books(),
        };
        let (mut reads, mut wanted, mut length, mut seen) = (0, 0u64, 0u64, Statistics::default());
        for book in &books {
            let (waits, statistics) = (book.archive.waits(), book.activity.statistics());
            reads += waits.reads;
            wanted = wanted.saturating_add(waits.bytes);
            length = length.saturating_add(book.archive.length());
            // Books of one torrent have one swarm: the busiest stands for all.
            if statistics.downloaded >= seen.downloaded {
                seen = statistics;
            }
        }
        let visit = format!("this visit: {} of {}", size(seen.downloaded), size(length));
        let peers = if seen.peers == 1 { "1 peer".to_owned() } else { format!("{} peers", seen.peers) };
        let text = match reads {
            0 => visit,
            1 => format!("waits for 1 read of {} from {peers} \u{b7} {visit}", size(wanted)),
            reads => format!("waits for {reads} reads of {} from {peers} \u{b7} {visit}", size(wanted)),
        };
        serde_json::json!({
            "text": text,
            "waiting": reads,
            "wanted_bytes": wanted,
            "peers": seen.peers,
            "rate": seen.download_rate,
            "visit_bytes": seen.downloaded,
            "whole_bytes": length,
        })
        .to_string()
    }
}

/// A book among others.
fn card(book: &Book) -> String {
    let (title, description) = match book.known_details() {
        Some(details) => (details.title.as_str(), details.description.as_str()),
        None => (book.name.as_str(), ""),
    };
    format!(
        "<li><img src=\"/catalog/v2/illustration/{}/?size=48\" alt=\"\" loading=\"lazy\"><p><a href=\"{}\">{}</a><br>{} <span class=\"quiet\">{}</span></p></li>\n",
        encoded(book.name.as_bytes()),
        Way::Content.prefix(&book.name),
        escape(title),
        escape(description),
        size(book.archive.length())
    )
}

/// Where the reader was, within this site.
fn back(headers: &HeaderMap) -> Option<String> {
    let from = url::Url::parse(headers.get(REFERER)?.to_str().ok()?).ok()?;
    let place = match from.query() {
        Some(query) => format!("{}?{query}", from.path()),
        None => from.path().to_owned(),
    };
    // A path with two slashes would be another site's.
    (place.starts_with('/') && !place.starts_with("//") && !place.starts_with("/peerflix/")).then_some(place)
}

impl Extension for Site {
    fn takes(&self, _request: &request::Parts) -> bool {
        true
    }

    fn answer<'a>(&'a self, request: &'a request::Parts, _body: Option<Bytes>) -> BoxFuture<'a, Reply> {
        self.reply(request).boxed()
    }
}
