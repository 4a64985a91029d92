//! The folder over WebDAV (RFC 4918, class 1), for systems that mount it without a driver: Windows, macOS, phones. It is read-only:
//! PROPFIND tells what there is, GET reads it, whatever would change it is refused. The server is [`crate::http`]; this is its
//! extension.
//!
//! It shows the same tree as the other mount. Bytes are answered by the server's own range code, so that players find here
//! what they find there.

mod listing;
mod opened;
mod path;
mod pieces;
mod propfind;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use hyper::header::{ALLOW, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{Method, StatusCode};

use self::opened::Opened;
use self::path::{Place, encoded};
use self::propfind::{Asked, Depth, Entry};
use super::shelf::Shelf;
use super::tree::{Kind, Node, Tree};
use crate::http::{Extension, MOST_BODY, Reply, Served, content_type, entity_tag};
use crate::read::Files;

const METHODS: HeaderValue = HeaderValue::from_static("OPTIONS, GET, HEAD, PROPFIND");
const XML: &str = "application/xml; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The torrents of a shelf, as WebDAV. Cheap to clone.
#[derive(Clone)]
pub struct Dav {
    shelf: Shelf,
    /// Of all our paths: empty, or `/` and what follows, without one at the end.
    prefix: String,
    opened: Opened,
    /// The date of what has none of its own.
    started_at: SystemTime,
}

impl Dav {
    /// At the paths that are `prefix` or below it; `""` for all. A read that waits for `read_timeout` without a byte breaks its
    /// connection off.
    pub fn new(shelf: Shelf, prefix: &str, read_timeout: Option<Duration>) -> Dav {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("/{prefix}"),
        };
        let started_at = SystemTime::now().max(UNIX_EPOCH);
        Dav { shelf, prefix, opened: Opened::new(read_timeout), started_at }
    }

    fn options() -> Reply {
        let mut reply = Reply::text(StatusCode::OK, TEXT, "");
        reply.headers.insert(ALLOW, METHODS);
        // Class 2 would be locks. Without it, macOS mounts read-only from the start, which is the truth.
        reply.headers.insert(HeaderName::from_static("dav"), HeaderValue::from_static("1"));
        // Windows takes for a WebDAV server only what says so.
        reply.headers.insert(HeaderName::from_static("ms-author-via"), HeaderValue::from_static("DAV"));
        reply
    }

    fn contents_of(&self, place: &Place) -> Reply {
        match &place.node.kind {
            Kind::Folder { .. } => {
                let title = place.path().to_owned();
                let href = place.href(&self.prefix);
                let up = href.trim_end_matches('/').rsplit_once('/').map(|(parent, _)| format!("{parent}/"));
                let up = up.filter(|_| place.node.parent != place.node.inode);
                let entries = self.entries(place.tree.clone(), place.node.inode, href);
                let pieces = pieces::gather(
                    listing::head(&title, up.as_deref()),
                    entries.map(|entry| listing::line(&entry)),
                    listing::TAIL,
                );
                let mut reply = Reply::made(StatusCode::OK, HTML, pieces);
                let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
                reply.headers.insert(CONTENT_SECURITY_POLICY, policy);
                reply
            }
            Kind::Waiting { torrent } => Reply::text(StatusCode::OK, TEXT, self.shelf.note_of(*torrent)),
            Kind::File { torrent, index, length } => {
                let (Some(files), Some(contents)) =
                    (self.shelf.files(*torrent), self.shelf.contents(*torrent))
                else {
                    return Reply::text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "The torrent is not open.\n");
                };
                let (opened, index) = (self.opened.clone(), *index);
                Reply::file(Served {
                    kind: content_type(&place.node.name).into(),
                    length: *length,
                    tag: entity_tag(&files.info_hash, index, *length),
                    modified: Some(self.date(&files)),
                    open: Box::new(move |range| opened.reader(&contents, index, range)),
                })
            }
        }
    }

    fn properties_of(&self, place: &Place, depth: Option<&HeaderValue>, body: Option<&[u8]>) -> Reply {
        let Some(body) = body else {
            let why = format!("The body of a PROPFIND may have {MOST_BODY} bytes.\n");
            return Reply::text(StatusCode::PAYLOAD_TOO_LARGE, TEXT, why);
        };
        let asked = match Asked::read(body) {
            Ok(asked) => asked,
            Err(why) => return Reply::text(StatusCode::BAD_REQUEST, TEXT, format!("{why}\n")),
        };
        let Some(depth) = Depth::read(depth) else {
            return Reply::text(StatusCode::BAD_REQUEST, TEXT, "Depth is 0, 1 or infinity.\n");
        };
        let is_folder = matches!(place.node.kind, Kind::Folder { .. });
        let itself = self.entry(&place.node, place.href(&self.prefix));
        let children = match depth {
            Depth::Infinity if is_folder => {
                return Reply::text(StatusCode::FORBIDDEN, XML, propfind::NOT_INFINITE);
            }
            Depth::One if is_folder => {
                Some(self.entries(place.tree.clone(), place.node.inode, place.href(&self.prefix)))
            }
            _ => None,
        };
        let used = asked.wants_quota().then(|| self.shelf.total());
        let entries = std::iter::once(itself).chain(children.into_iter().flatten());
        let pieces = pieces::gather(
            propfind::HEAD.to_owned(),
            entries.map(move |entry| propfind::response(&asked, &entry, used)),
            propfind::TAIL,
        );
        Reply::made(StatusCode::MULTI_STATUS, XML, pieces)
    }

    /// What is in a folder, one by one; `base` is the folder's own path in URLs.
    fn entries(
        &self,
        tree: Arc<Tree>,
        folder: u64,
        base: String,
    ) -> impl Iterator<Item = Entry> + Send + use<> {
        let dav = self.clone();
        (0..).map_while(move |at| {
            let Kind::Folder { children, .. } = &tree.node(folder)?.kind else { return None };
            let child = tree.node(*children.get(at)?)?;
            let slash = if matches!(child.kind, Kind::Folder { .. }) { "/" } else { "" };
            Some(dav.entry(child, format!("{base}{}{slash}", encoded(&child.name))))
        })
    }

    fn entry(&self, node: &Node, href: String) -> Entry {
        let name = if node.name.is_empty() { "peerflix".to_owned() } else { node.name.clone() };
        let files = |torrent: &usize| self.shelf.files(*torrent);
        let modified = |files: Option<Arc<Files>>| files.map_or(self.started_at, |files| self.date(&files));
        match &node.kind {
            Kind::Folder { torrent, .. } => {
                Entry::folder(href, name, modified(torrent.as_ref().and_then(files)))
            }
            Kind::Waiting { torrent } => {
                let length = self.shelf.note_of(*torrent).len() as u64;
                Entry::file(href, name, self.started_at, length, TEXT, None)
            }
            Kind::File { torrent, index, length } => {
                let files = files(torrent);
                let tag = files.as_ref().map(|files| entity_tag(&files.info_hash, *index, *length));
                let kind = content_type(&node.name);
                Entry::file(href, name, modified(files), *length, kind, tag)
            }
        }
    }

    /// When the torrent was made, if that is a date a header can have and not in the future (RFC 9110, section 8.8.2.1).
    fn date(&self, files: &Files) -> SystemTime {
        let plausible = UNIX_EPOCH..=self.started_at;
        files.created_at.filter(|at| plausible.contains(at)).unwrap_or(self.started_at)
    }
}

fn not_here() -> Reply {
    Reply::text(StatusCode::NOT_FOUND, TEXT, "There is nothing of that name.\n")
}

impl Extension for Dav {
    fn takes(&self, request: &request::Parts) -> bool {
        let rest = request.uri.path().strip_prefix(&self.prefix);
        rest.is_some_and(|rest| self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }

    fn answer<'a>(&'a self, request: &'a request::Parts, body: Option<Bytes>) -> BoxFuture<'a, Reply> {
        // Nothing here has to be waited for but files' bytes, and these are read as they are taken.
        ready(self.reply(request, body)).boxed()
    }
}

impl Dav {
    fn reply(&self, request: &request::Parts, body: Option<Bytes>) -> Reply {
        let method = request.method.as_str();
        if method == "OPTIONS" {
            return Dav::options();
        }
        if !matches!(method, "GET" | "HEAD" | "PROPFIND") {
            let why = "This folder can be read, and that is all.\n";
            let mut reply = Reply::text(StatusCode::METHOD_NOT_ALLOWED, TEXT, why);
            reply.headers.insert(ALLOW, METHODS);
            return reply;
        }
        let path = request.uri.path();
        let Some(place) = Place::find(self.shelf.tree(), path.strip_prefix(&self.prefix).unwrap_or(path))
        else {
            return not_here();
        };
        if request.method == Method::GET || request.method == Method::HEAD {
            return self.contents_of(&place);
        }
        self.properties_of(&place, request.headers.get("depth"), body.as_deref())
    }
}
