//! The entries of a book, at their three addresses.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::super::library::Book;
use super::super::zim::dirent::{Dirent, Target};
use super::super::zim::{Blob, Zim, ZimError};
use super::ask::Ask;
use super::find::{find, path_of};
use super::links::encoded;
use super::own::{self, HTML};
use super::page::dressed;
use super::prefetch::Ahead;
use super::route::Tree;
use super::{bar, errors};
use crate::http::{Reply, Served};

/// A larger page is sent as it stands in the file, without a bar.
const LARGEST_PAGE: u64 = 8 * 1024 * 1024;
/// It is asked every time whether it is still the same: the next book of this name has other pages at the same addresses.
const ALWAYS_ASK: HeaderValue = HeaderValue::from_static("no-cache");

/// One entry that is asked for.
pub struct Wanted<'a> {
    pub book: &'a Arc<Book>,
    pub path: &'a [u8],
    pub tree: Tree,
    pub bar: bool,
    pub ask: &'a Ask,
    /// Told when it is known that the answer will be a page.
    pub known: oneshot::Sender<()>,
    /// `None`: nothing is fetched before it is asked for.
    pub ahead: Option<&'a Ahead>,
}

impl Wanted<'_> {
    pub async fn reply(self) -> Result<Reply, ZimError> {
        let zim = self.book.zim().await?;
        let root = self.tree.root(&self.book.name);
        let at = |dirent: &Dirent| root.clone() + &encoded(&path_of(zim.header(), dirent));
        if self.path.is_empty() {
            return Ok(match zim.main_page().await? {
                Some(entry) => own::redirect(&at(&entry.dirent)),
                None => errors::not_in(self.book, &zim, b"Main page", self.ask).await,
            });
        }
        let Some(found) = find(&zim, self.path, self.ask.query()).await? else {
            return Ok(errors::not_in(self.book, &zim, self.path, self.ask).await);
        };
        match found.entry.dirent.target {
            Target::Redirect { .. } => {
                let entry = zim.follow(found.entry).await?;
                Ok(own::redirect(&at(&entry.dirent)))
            }
            Target::Nothing => Ok(errors::not_in(self.book, &zim, self.path, self.ask).await),
            // Its relative links mean something else here than there.
            Target::Content { .. } if found.is_elsewhere => Ok(own::redirect(&at(&found.entry.dirent))),
            Target::Content { .. } => self.content(&zim, found.entry.dirent).await,
        }
    }

    async fn content(self, zim: &Zim, dirent: Dirent) -> Result<Reply, ZimError> {
        let kind = kind_of(zim, &dirent);
        let is_page = self.tree != Tree::Raw && is_html(&kind);
        if !is_page {
            return file(zim, &dirent, kind, self.ask).await;
        }
        let bar = self.bar && !self.ask.is_framed();
        let shape = match (self.tree, bar) {
            (Tree::Short, true) => "short-bar",
            (Tree::Short, false) => "short",
            (_, true) => "bar",
            (_, false) => "page",
        };
        // Weak: the bar's numbers are of no matter.
        let tag = format!("W/\"{}-{shape}-{}\"", identity(zim, &dirent), env!("CARGO_PKG_VERSION"));
        if self.ask.has(&tag) {
            return Ok(unchanged(&tag));
        }
        if self.ask.is_head {
            let mut reply =
                own::guarded(Reply::streamed(StatusCode::OK, HTML, futures_util::stream::empty()));
            mark(&mut reply.headers, &tag);
            own::vary(&mut reply.headers);
            return Ok(reply);
        }
        // Nobody may wait for it; then nobody is told.
        let _ = self.known.send(());
        let blob = zim.blob(&dirent).await?;
        if blob.length() > LARGEST_PAGE {
            return Ok(served(zim, &dirent, kind, blob));
        }
        let html = blob.bytes(LARGEST_PAGE).await?;
        drop(blob);
        let path = path_of(zim.header(), &dirent);
        let root = self.tree.root(&self.book.name);
        let bar = bar.then(|| bar::html(self.book, &format!("{root}{}", encoded(&path)), self.tree));
        if let Some(ahead) = self.ahead.filter(|_| self.ask.is_navigation()) {
            ahead.begin(self.book.clone(), zim.clone(), html.clone(), path);
        }
        let page = spawn_blocking(move || (told_charset(&html), dressed(&html, &root, bar.as_deref()))).await;
        let Ok((kind, page)) = page else {
            return Err(ZimError::Broken("the page could not be read".to_owned()));
        };
        let mut reply = own::guarded(Reply::text(StatusCode::OK, kind, page));
        mark(&mut reply.headers, &tag);
        own::vary(&mut reply.headers);
        Ok(reply)
    }
}

/// Metadata by its name, as a file.
pub async fn metadata(book: &Arc<Book>, name: &str, ask: &Ask) -> Result<Reply, ZimError> {
    let zim = book.zim().await?;
    let Some(entry) = zim.find(b'M', name.as_bytes()).await? else { return Ok(errors::nothing(ask)) };
    let dirent = zim.follow(entry).await?.dirent;
    match dirent.target {
        Target::Content { .. } => file(&zim, &dirent, kind_of(&zim, &dirent), ask).await,
        _ => Ok(errors::nothing(ask)),
    }
}

/// As it stands in the file, by range if that is wanted.
async fn file(zim: &Zim, dirent: &Dirent, kind: String, ask: &Ask) -> Result<Reply, ZimError> {
    let tag = strong(zim, dirent);
    // What the client has need not be fetched for that.
    if ask.has(&tag) {
        return Ok(unchanged(&tag));
    }
    Ok(served(zim, dirent, kind, zim.blob(dirent).await?))
}

fn served(zim: &Zim, dirent: &Dirent, kind: String, blob: Blob) -> Reply {
    let mut reply = own::guarded(Reply::file(Served {
        kind: kind.into(),
        length: blob.length(),
        tag: strong(zim, dirent),
        modified: None,
        open: Box::new(move |range| {
            let reader = blob.reader();
            reader.read_ahead_until(range.end);
            Some(reader)
        }),
    }));
    reply.headers.insert(CACHE_CONTROL, ALWAYS_ASK);
    reply
}

fn unchanged(tag: &str) -> Reply {
    let mut reply = own::guarded(Reply::bare(StatusCode::NOT_MODIFIED));
    mark(&mut reply.headers, tag);
    own::vary(&mut reply.headers);
    reply
}

fn mark(headers: &mut HeaderMap, tag: &str) {
    headers.insert(CACHE_CONTROL, ALWAYS_ASK);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
}

/// The same bytes have the same tag in every run.
fn strong(zim: &Zim, dirent: &Dirent) -> String {
    format!("\"{}\"", identity(zim, dirent))
}

fn identity(zim: &Zim, dirent: &Dirent) -> String {
    let uuid = data_encoding::HEXLOWER.encode(&zim.header().uuid);
    match dirent.target {
        Target::Content { cluster, blob, .. } => format!("{uuid}-{cluster}-{blob}"),
        _ => uuid,
    }
}

fn is_html(kind: &str) -> bool {
    let name = kind.split(';').next().unwrap_or_default().trim();
    // What has `raw=true` (openZIM, of video pages) is a piece of a page, for scripts.
    name.eq_ignore_ascii_case("text/html") && !kind.contains("raw=true")
}

/// Of a page in hand. Books are written in UTF-8, and say so or not; one that is in something else says so itself, and must not be
/// contradicted.
fn told_charset(html: &Bytes) -> &'static str {
    if std::str::from_utf8(html).is_ok() { HTML } else { "text/html" }
}

/// The type as a header has it; texts are in UTF-8, unless they say otherwise.
fn kind_of(zim: &Zim, dirent: &Dirent) -> String {
    let kind = zim.kind(dirent).unwrap_or_default().trim();
    let is_sound = kind.contains('/') && kind.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    match kind {
        _ if !is_sound => "application/octet-stream".to_owned(),
        kind if kind.contains(';') => kind.to_owned(),
        kind if kind.starts_with("text/") || kind == "application/javascript" => {
            format!("{kind}; charset=utf-8")
        }
        kind => kind.to_owned(),
    }
}

/// The picture of a book.
pub async fn illustration(book: &Arc<Book>, size: u32, ask: &Ask) -> Result<Reply, ZimError> {
    let picture = match size {
        48 => book.about().await?.picture.clone(),
        size => {
            let zim = book.zim().await?;
            let name = format!("Illustration_{size}x{size}@1");
            let bytes = zim.metadata(&name).await?;
            bytes.map(|bytes| (bytes, "image/png".to_owned()))
        }
    };
    let Some((bytes, kind)) = picture else { return Ok(errors::nothing(ask)) };
    let mut reply = own::guarded(Reply::text(StatusCode::OK, "image/png", bytes));
    if let Ok(kind) = HeaderValue::try_from(kind) {
        reply.headers.insert(CONTENT_TYPE, kind);
    }
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    Ok(reply)
}

/// A path that is of no book, but of a page that was: absolute links of old files begin at their book, wherever it is.
pub async fn below_the_page_before(
    book: &Arc<Book>,
    path: &[u8],
    ask: &Ask,
) -> Result<Option<Reply>, ZimError> {
    let zim = book.zim().await?;
    let Some(found) = find(&zim, path, ask.query()).await? else { return Ok(None) };
    let path = path_of(zim.header(), &found.entry.dirent);
    Ok(Some(own::redirect(&format!("{}{}", Tree::Content.root(&book.name), encoded(&path)))))
}
