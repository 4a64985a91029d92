//! Another tree than the torrent's own routes on the same server: a folder over WebDAV, an encyclopaedia. Whoever shows it decides what is answered;
//! that no stranger's page asks, that a paused client fills no memory and that what cannot be finished ends with a reset, this
//! module's neighbours see to.

use std::borrow::Cow;
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request;
use hyper::{HeaderMap, StatusCode};

use crate::read::{ReadAt, ReadError};

/// A larger body of a request is not read.
pub const MOST_BODY: usize = 64 * 1024;

/// Answers some of the requests that have passed the `Host` guard.
pub trait Extension: Send + Sync {
    /// Whether this request is one of its own. All others are answered by the routes of docs/http.md.
    fn takes(&self, request: &request::Parts) -> bool;

    /// Answers one of its own. What can be waited for later is better read as the client takes it; the future is dropped if the
    /// client leaves. A `body` is `None` if it has more than [`MOST_BODY`] bytes.
    fn answer<'a>(&'a self, request: &'a request::Parts, body: Option<Bytes>) -> BoxFuture<'a, Reply>;
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
    /// the pieces is empty. An error ends the connection with a reset.
    Made(BoxStream<'static, Result<Bytes, ReadError>>),
    /// A file: the status and the headers that say what of it is sent are ours, by the rules of docs/http.md.
    File(Served),
}

/// A file that is not one of the torrent's routes.
pub struct Served {
    pub kind: Cow<'static, str>,
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
        Reply::streamed(status, kind, stream::iter(pieces.map(Ok)))
    }

    /// A text of which the client gets what is there, while the rest is waited for.
    pub fn streamed(
        status: StatusCode,
        kind: &'static str,
        pieces: impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static,
    ) -> Self {
        Reply { content: Given::Made(pieces.boxed()), ..Reply::changing(status, kind) }
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
