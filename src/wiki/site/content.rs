//! What a book contains, answered: pages with their bar, all else as it is, redirects, and what is not there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use hyper::header::{
    ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, REFERER, VARY,
};
use hyper::http::request;
use hyper::{Method, StatusCode};
use quick_xml::escape::escape;
use tokio::time::sleep;

use super::Site;
use super::find::{find, path_of};
use super::html::{broken, link, page, redirect, search_form};
use super::page::{self as shown, is_page};
use super::route::{Way, encoded};
use super::waiting;
use crate::http::{Given, Reply, Served};
use crate::wiki::library::Book;
use crate::wiki::zim::dirent::Target;
use crate::wiki::zim::{Blob, Entry, Zim, ZimError};

/// Everything from this site, and what pages carry in themselves. Pages of encyclopaedias have scripts and styles within.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'self'; form-action 'self'; base-uri 'self'",
);

/// A page that is there within so long is sent as one that was there.
const AT_ONCE: Duration = Duration::from_millis(50);

/// Headers of what a stranger has written and we serve.
pub fn guard(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"));
}

/// How an entry is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With its links, and with the bar or without.
    Shown { way: Way, bar: bool },
    /// Its bytes.
    Raw,
}

/// Where an entry was looked for, and what was found.
enum Looked {
    /// Content, and its entry.
    Content(Zim, Entry),
    /// The page to go to.
    Elsewhere(Vec<u8>),
    Nowhere(Zim),
}

impl Site {
    /// A page, a picture, anything of a book.
    pub(super) async fn content(
        &self,
        request: &request::Parts,
        book: Arc<Book>,
        path: Vec<u8>,
        shape: Shape,
    ) -> Reply {
        let query = request.uri.query().map(str::to_owned);
        let patience = self.config.patience;
        let name = String::from_utf8_lossy(&path).into_owned();
        if !is_navigation(request) {
            return self.finished(book, path, query, shape).await;
        }
        // A person waits: whatever it takes, there is something to look at soon.
        let site = self.clone();
        let looking = {
            let (book, path, query) = (book.clone(), path.clone(), query.clone());
            async move { look(&book, &path, query.as_deref()).await }.boxed()
        };
        let (looked, looking) = match select(looking, Box::pin(sleep(patience.quiet))).await {
            Either::Left((looked, _)) => (Some(looked), None),
            Either::Right(((), looking)) => (None, Some(looking)),
        };
        match (looked, looking) {
            (Some(Ok(Looked::Content(zim, entry))), _)
                if is_page(zim.kind(&entry.dirent).unwrap_or_default()) =>
            {
                let title = title_of(&entry);
                let patient =
                    if zim.is_here(&entry.dirent) { patience.quiet } else { AT_ONCE.min(patience.quiet) };
                let ready = self.page_of(&book, &zim, &entry, shape).boxed();
                let ready = match select(ready, Box::pin(sleep(patient))).await {
                    Either::Left((ready, _)) => Some(ready),
                    Either::Right(_) => None,
                };
                match ready {
                    Some(Ok(reply)) => reply,
                    Some(Err(error)) => broken(&title, &error),
                    None => {
                        let of = book.clone();
                        let coming = async move { site.bytes_of(&of, &zim, &entry, shape).await.map(Some) };
                        waiting::reply(book, title, coming.boxed(), patience)
                    }
                }
            }
            (Some(looked), _) => self.answer_of(book, &path, looked, shape).await,
            (None, looking) => {
                let quiet = waiting::Patience { quiet: Duration::ZERO, ..patience };
                let of = book.clone();
                let coming = async move {
                    let Some(looking) = looking else { return Ok(None) };
                    if let Looked::Content(zim, entry) = looking.await? {
                        zim.fetch(&entry.dirent).await?;
                        drop(of);
                    }
                    Ok(None)
                };
                let title = if name.is_empty() { book.name.clone() } else { name };
                waiting::reply(book, title, coming.boxed(), quiet)
            }
        }
    }

    /// For those that wait without looking: programs, and what pages load.
    async fn finished(&self, book: Arc<Book>, path: Vec<u8>, query: Option<String>, shape: Shape) -> Reply {
        let looked = look(&book, &path, query.as_deref()).await;
        self.answer_of(book, &path, looked, shape).await
    }

    async fn answer_of(
        &self,
        book: Arc<Book>,
        path: &[u8],
        looked: Result<Looked, ZimError>,
        shape: Shape,
    ) -> Reply {
        let name = String::from_utf8_lossy(path).into_owned();
        let answered = match looked {
            Ok(Looked::Content(zim, entry)) => self.page_of(&book, &zim, &entry, shape).await,
            Ok(Looked::Elsewhere(to)) => Ok(redirect(&place_of(&book.name, &to, shape))),
            Ok(Looked::Nowhere(zim)) => Ok(not_there(&book, &zim, path).await),
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(|error| broken(if name.is_empty() { &book.name } else { &name }, &error))
    }

    /// The whole answer about content.
    async fn page_of(
        &self,
        book: &Arc<Book>,
        zim: &Zim,
        entry: &Entry,
        shape: Shape,
    ) -> Result<Reply, ZimError> {
        let blob = zim.blob(&entry.dirent).await?;
        let kind = zim.kind(&entry.dirent).unwrap_or("application/octet-stream").to_owned();
        let is_barred =
            matches!(shape, Shape::Shown { .. }) && is_page(&kind) && blob.length() <= shown::MOST;
        let (blob, mark) = match is_barred {
            true => (Blob::Decoded(self.bytes_of(book, zim, entry, shape).await?), mark_of(shape)),
            false => (blob, "raw"),
        };
        let Target::Content { cluster, blob: number, .. } = entry.dirent.target else {
            return Err(ZimError::Broken("an entry without content was to be shown".to_owned()));
        };
        let uuid = data_encoding::HEXLOWER.encode(&zim.header().uuid);
        let mut reply = Reply::file(Served {
            kind: kind.into(),
            length: blob.length(),
            tag: format!("\"{uuid}/{cluster}.{number}/{mark}\""),
            modified: None,
            open: Box::new(move |_| Some(blob.reader())),
        });
        guard(&mut reply.headers);
        if is_barred {
            // Whether it has a bar is the reader's choice, kept in a cookie.
            reply.headers.insert(VARY, HeaderValue::from_static("Cookie"));
            reply.headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        Ok(reply)
    }

    /// A page's bytes as they are shown; what it needs is asked for from now on.
    async fn bytes_of(
        &self,
        book: &Arc<Book>,
        zim: &Zim,
        entry: &Entry,
        shape: Shape,
    ) -> Result<Bytes, ZimError> {
        let html = zim.blob(&entry.dirent).await?.bytes(shown::MOST).await?;
        let Shape::Shown { way, bar } = shape else { return Ok(html) };
        let path = String::from_utf8_lossy(&path_of(zim, entry)).into_owned();
        if self.config.prefetches {
            self.prefetch.open(book.clone(), zim.clone(), html.clone(), path);
        }
        let title = book.known_details().map_or(&book.name, |details| &details.title);
        Ok(shown::shown(&html, way, &book.name, title, bar).unwrap_or(html))
    }
}

async fn look(book: &Book, path: &[u8], query: Option<&str>) -> Result<Looked, ZimError> {
    let zim = book.zim().await?;
    if path.is_empty() {
        return Ok(match zim.main_page().await? {
            Some(entry) => Looked::Elsewhere(path_of(&zim, &entry)),
            None => Looked::Nowhere(zim),
        });
    }
    let Some(entry) = find(&zim, path, query).await? else { return Ok(Looked::Nowhere(zim)) };
    match entry.dirent.target {
        Target::Content { .. } => Ok(Looked::Content(zim, entry)),
        Target::Nothing => Ok(Looked::Nowhere(zim)),
        Target::Redirect { .. } => {
            let entry = zim.follow(entry).await?;
            Ok(match entry.dirent.target {
                Target::Content { .. } => Looked::Elsewhere(path_of(&zim, &entry)),
                _ => Looked::Nowhere(zim),
            })
        }
    }
}

fn place_of(book: &str, path: &[u8], shape: Shape) -> String {
    match shape {
        Shape::Shown { way, .. } => format!("{}{}", way.prefix(book), encoded(path)),
        Shape::Raw => format!("/raw/{}/content/{}", encoded(book.as_bytes()), encoded(path)),
    }
}

fn title_of(entry: &Entry) -> String {
    String::from_utf8_lossy(entry.dirent.title()).into_owned()
}

fn mark_of(shape: Shape) -> &'static str {
    // With the version: what another one of us has put around a page is another page.
    match shape {
        Shape::Raw => "raw",
        Shape::Shown { way: Way::Content, bar: true } => concat!("cb", env!("CARGO_PKG_VERSION")),
        Shape::Shown { way: Way::Content, bar: false } => concat!("c", env!("CARGO_PKG_VERSION")),
        Shape::Shown { way: Way::Short, bar: true } => concat!("sb", env!("CARGO_PKG_VERSION")),
        Shape::Shown { way: Way::Short, bar: false } => concat!("s", env!("CARGO_PKG_VERSION")),
    }
}

/// A page that says so, with titles near it.
async fn not_there(book: &Book, zim: &Zim, path: &[u8]) -> Reply {
    /// Of each way to look, so many are shown.
    const NEAR: usize = 6;
    let text = String::from_utf8_lossy(path).into_owned();
    let wanted = text.rsplit('/').next().unwrap_or(&text);
    let wanted = wanted.strip_suffix(".html").unwrap_or(wanted).replace('_', " ");
    let namespace = if zim.header().has_new_namespaces() { b'C' } else { b'A' };
    let bare: &[u8] = match path {
        [_, b'/', rest @ ..] if namespace == b'A' => rest,
        whole => whole,
    };
    let mut near = Vec::new();
    // Shorter and shorter: what is mistyped is so more often near its end.
    let signs: Vec<char> = wanted.chars().collect();
    for length in [signs.len(), signs.len() * 2 / 3, signs.len() / 3] {
        let start: String = signs.iter().take(length).collect();
        if near.len() < NEAR && !start.trim().is_empty() {
            near.extend(zim.titles(&start, NEAR).await.unwrap_or_default());
        }
    }
    near.truncate(NEAR);
    near.extend(zim.near(namespace, bare, NEAR).await.unwrap_or_default());
    let mut list = String::new();
    let mut seen = std::collections::HashSet::new();
    for entry in near {
        let is_article = matches!(entry.dirent.target, Target::Redirect { .. })
            || zim.kind(&entry.dirent).is_some_and(is_page);
        if is_article && seen.insert(entry.dirent.path.clone()) {
            list.push_str(&format!(
                "<li>{}</li>\n",
                link(&book.name, &path_of(zim, &entry), &title_of(&entry))
            ));
        }
    }
    let near = if list.is_empty() { String::new() } else { format!("<p>Near it:</p><ul>\n{list}</ul>\n") };
    let body = format!(
        "<p>There is no \u{201c}{}\u{201d} in this book.</p>\n{near}{}<p class=\"quiet\"><a href=\"{}\">Main page</a></p>",
        escape(&text),
        search_form(Some(&book.name), &wanted),
        Way::Content.prefix(&book.name)
    );
    page(StatusCode::NOT_FOUND, "Not in this book", &body)
}

/// Whether a person looks at what is answered, in a browser.
fn is_navigation(request: &request::Parts) -> bool {
    if request.method != Method::GET {
        return false;
    }
    match request.headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => accepts_html(request),
    }
}

fn accepts_html(request: &request::Parts) -> bool {
    request
        .headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Whether the reader has switched the bar off.
pub fn is_bar_off(headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    cookies.flat_map(|cookie| cookie.split(';')).any(|cookie| cookie.trim() == "peerflix-bar=off")
}

/// The book of the page that a request comes from: for links of old books that lead to the root of the site.
pub fn book_before(site: &Site, headers: &HeaderMap) -> Option<Arc<Book>> {
    let from = url::Url::parse(headers.get(REFERER)?.to_str().ok()?).ok()?;
    match super::route::Route::read(from.path()) {
        super::route::Route::Content { book, .. } => site.library.book(&book),
        _ => None,
    }
}

/// Metadata, as it stands in the book.
pub(super) async fn metadata(book: &Book, name: &str) -> Reply {
    let found = async {
        let zim = book.zim().await?;
        let Some(entry) = zim.find(b'M', name.as_bytes()).await? else { return Ok(None) };
        let entry = zim.follow(entry).await?;
        let kind = zim.kind(&entry.dirent).unwrap_or("text/plain").to_owned();
        Ok(Some((zim.blob(&entry.dirent).await?.bytes(1024 * 1024).await?, kind)))
    };
    match found.await {
        Ok(Some((bytes, kind))) => {
            let mut reply = Reply { content: Given::Text(bytes), ..Reply::bare(StatusCode::OK) };
            guard(&mut reply.headers);
            if let Ok(kind) = HeaderValue::try_from(kind) {
                reply.headers.insert(CONTENT_TYPE, kind);
            }
            reply
        }
        Ok(None) => page(
            StatusCode::NOT_FOUND,
            "Not in this book",
            &format!("<p>This book says nothing of its \u{201c}{}\u{201d}.</p>", escape(name)),
        ),
        Err(error) => broken(name, &error),
    }
}
