//! Another tree than the torrent's own routes on the same server: a folder over WebDAV. Whoever shows it decides what is answered;
//! that no stranger's page asks, that a paused client fills no memory and that what cannot be finished ends with a reset, this
//! module's neighbours see to.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request;
use hyper::{HeaderMap, StatusCode};

use crate::read::ReadAt;

/// A larger body of a request is not read.
pub const MOST_BODY: usize = 64 * 1024;

/// Answers some of the requests that have passed the `Host` guard.
pub trait Extension: Send + Sync {
    /// Whether this request is one of its own. All others are answered by the routes of docs/http.md.
    fn takes(&self, request: &request::Parts) -> bool;

    /// Answers one of its own, at once: what has to be waited for is read later, as the client takes it. A `body` is `None` if
    /// it has more than [`MOST_BODY`] bytes.
    fn answer(&self, request: &request::Parts, body: Option<Bytes>) -> Reply;
}

/// An answer. Headers that follow from the content (its length, its ranges, its tag) are not to be given.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub content: Given,
}

/// What comes after the headers.
pub enum Given {
    Nothing,
    Text(Bytes),
    /// Made as the client takes it, so that a long list costs a piece of it in memory. Of unknown length, hence chunked. None of
    /// the pieces is empty.
    Made(Box<dyn Iterator<Item = Bytes> + Send>),
    /// A file: the status and the headers that say what of it is sent are ours, by the rules of docs/http.md.
    File(Served),
}

/// A file that is not one of the torrent's routes.
pub struct Served {
    pub kind: &'static str,
    pub length: u64,
    /// Strong, with its quotes: [`entity_tag`](super::entity_tag).
    pub tag: String,
    /// When it last changed, not before 1970; conditions with dates are judged by it.
    pub modified: Option<SystemTime>,
    /// Opens a reader, told which bytes it will read: from the first to the last one wanted. `None`: there is nothing to read
    /// it from any more. Not called where no byte is sent.
    pub open: Open,
}

/// What opens a reader.
pub type Open = Box<dyn FnOnce(Range<u64>) -> Option<Box<dyn ReadAt>> + Send>;

impl Reply {
    pub fn bare(status: StatusCode) -> Self {
        Reply { status, headers: HeaderMap::new(), content: Given::Nothing }
    }

    /// A text that may change, of this content type.
    pub fn text(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Self {
        Reply { content: Given::Text(text.into()), ..Reply::changing(status, kind) }
    }

    /// A text that is made as it is taken.
    pub fn made(
        status: StatusCode,
        kind: &'static str,
        pieces: impl Iterator<Item = Bytes> + Send + 'static,
    ) -> Self {
        Reply { content: Given::Made(Box::new(pieces)), ..Reply::changing(status, kind) }
    }

    pub fn file(file: Served) -> Self {
        Reply { content: Given::File(file), ..Reply::bare(StatusCode::OK) }
    }

    fn changing(status: StatusCode, kind: &'static str) -> Self {
        let mut reply = Reply::bare(status);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        reply
    }
}
