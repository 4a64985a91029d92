//! What is answered to a request: status, headers, and which bytes. Pure: it reads no file and knows no connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, LAST_MODIFIED, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request;
use hyper::{HeaderMap, Method, StatusCode, Version};

use super::conditions::{Verdict, entity_tag, judge, range_counts};
use super::guard::{Authority, Guard};
use super::kind::{self, content_type, is_active};
use super::playlist;
use super::range::{Wanted, wanted};
use super::route::Route;
use crate::read::{Files, ReadError, Statistics};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Separates the parts of a multipart answer. The bytes of a film may contain it, and no harm is done: a client knows the
/// length of each part from its Content-Range.
const BOUNDARY: &str = "peerflix-7d5b1a0c94e2f368";

/// An answer without its connection.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub content: Content,
}

/// What comes after the headers.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    Nothing,
    Text(Bytes),
    /// Bytes of the file that was asked for, perhaps with part headings between them.
    File(VecDeque<Segment>),
}

/// A run of bytes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Heading(Bytes),
    /// Of the file; not empty.
    File(Range<u64>),
}

impl Segment {
    pub fn length(&self) -> u64 {
        match self {
            Segment::Heading(bytes) => bytes.len() as u64,
            Segment::File(range) => range.end - range.start,
        }
    }
}

/// A request that has passed the guard, and whose answer depends on the files.
#[derive(Debug)]
pub struct Question {
    pub route: Route,
    is_head: bool,
    /// `host:port` as the client knows us, for playlists.
    authority: String,
}

impl Question {
    /// The file that is asked for, if its name is that of subtitles, and their type.
    pub fn subtitles(&self, files: &Files) -> Option<(usize, &'static str)> {
        let index = self.route.file(files)?;
        let kind = kind::subtitles(files.files.get(index)?.name())?;
        Some((index, kind))
    }
}

/// The name by which the client knows us, if it is one of ours; else the answer that says so.
///
/// `local` is the address of ours that the connection came to.
pub fn admitted(
    request: &request::Parts,
    guard: &Guard,
    local: SocketAddr,
) -> Result<Authority, Box<Answer>> {
    match host(request, local) {
        Some(authority) if guard.admits(&authority.host, local.ip()) => Ok(authority),
        Some(authority) => {
            let why = format!(
                "{authority} is not a name of this server. If it should be, start it with --hostname."
            );
            Err(Box::new(Answer::sentence(StatusCode::FORBIDDEN, &why)))
        }
        None => Err(Box::new(Answer::sentence(StatusCode::BAD_REQUEST, "There must be one Host."))),
    }
}

/// What can be answered to a client that was admitted before the files are known; else the question to ask when they are.
pub fn before_files(request: &request::Parts, authority: &Authority) -> Result<Question, Box<Answer>> {
    let is_head = request.method == Method::HEAD;
    if request.method == Method::OPTIONS {
        return Err(Box::new(Answer::bare(StatusCode::NO_CONTENT).with(ALLOW, METHODS)));
    }
    if request.method != Method::GET && !is_head {
        let answer = Answer::sentence(StatusCode::METHOD_NOT_ALLOWED, "Files can be read, and that is all.");
        return Err(Box::new(answer.with(ALLOW, METHODS)));
    }
    match Route::read(request.uri.path()) {
        Route::Icon => Err(Box::new(not_here().without_body(is_head))),
        route => Ok(Question { route, is_head, authority: authority.to_string() }),
    }
}

/// The answer once the files are known. `statistics` is only called for `/.json`.
pub fn with_files(
    question: &Question,
    headers: &HeaderMap,
    files: &Files,
    statistics: impl FnOnce() -> Statistics,
) -> Answer {
    let answer = match &question.route {
        Route::Playlist => {
            Answer::text("application/x-mpegurl; charset=utf-8", playlist::m3u(files, &question.authority))
        }
        Route::Statistics => Answer::text(
            "application/json; charset=utf-8",
            playlist::json(files, &statistics(), &question.authority),
        ),
        route => {
            route.file(files).map_or_else(not_here, |index| of_file(question.is_head, headers, files, index))
        }
    };
    answer.without_body(question.is_head)
}

/// The answer where the files will never be known.
pub fn without_files(question: &Question, error: &ReadError) -> Answer {
    let why = format!("There is nothing to serve: {error}.");
    Answer::sentence(StatusCode::SERVICE_UNAVAILABLE, &why).without_body(question.is_head)
}

/// The answer where nothing but the extension's tree is served, and it was not meant.
pub fn nothing_here(is_head: bool) -> Answer {
    Answer::sentence(StatusCode::NOT_FOUND, "There is nothing here.").without_body(is_head)
}

/// The answer where a file of the extension's can no longer be read.
pub fn not_readable(is_head: bool) -> Answer {
    Answer::sentence(StatusCode::SERVICE_UNAVAILABLE, "The torrent was closed.").without_body(is_head)
}

/// An answer of the extension's, but for a file.
pub fn extended(status: StatusCode, headers: HeaderMap, text: Bytes, is_head: bool) -> Answer {
    let answer = Answer { status, headers, content: Content::Nothing }.with_length(text.len() as u64);
    if text.is_empty() {
        answer
    } else {
        Answer { content: Content::Text(text), ..answer }.without_body(is_head)
    }
}

fn not_here() -> Answer {
    Answer::sentence(StatusCode::NOT_FOUND, "There is no such file; /.m3u lists those that there are.")
}

/// Whom the client meant: the authority of the target (RFC 9112, section 3.2.2), else the one `Host`. HTTP/1.0 need not
/// say; no browser speaks it, and the guard is about browsers.
fn host(request: &request::Parts, local: SocketAddr) -> Option<Authority> {
    let mut fields = request.headers.get_all(HOST).iter();
    let (first, second) = (fields.next(), fields.next());
    if second.is_some() {
        return None;
    }
    if let Some(authority) = request.uri.authority() {
        return Authority::read(authority.as_str());
    }
    match first {
        Some(field) => Authority::read(field.to_str().ok()?),
        None if request.version <= Version::HTTP_10 => Authority::read(&local.to_string()),
        None => None,
    }
}

/// What the headers say of a file.
pub struct Described<'a> {
    pub kind: &'a str,
    pub length: u64,
    pub tag: &'a str,
    pub modified: Option<SystemTime>,
}

fn of_file(is_head: bool, headers: &HeaderMap, files: &Files, index: usize) -> Answer {
    let Some(file) = files.files.get(index) else { return not_here() };
    let length = file.length;
    let tag = entity_tag(&files.info_hash, index, length);
    of_described(
        is_head,
        headers,
        &Described { kind: content_type(file.name()), length, tag: &tag, modified: None },
    )
}

/// The answer about a file; to a HEAD with all its content still, see [`Answer::without_body`].
pub fn of_described(is_head: bool, headers: &HeaderMap, file: &Described<'_>) -> Answer {
    let Described { kind, length, tag, modified } = *file;
    let dressed = |status| {
        let answer = Answer::bare(status).for_media(tag, kind);
        match modified {
            Some(at) => answer.with(LAST_MODIFIED, written(httpdate::fmt_http_date(at))),
            None => answer,
        }
    };
    match judge(headers, tag, modified) {
        Verdict::Failed => return dressed(StatusCode::PRECONDITION_FAILED).with_length(0),
        Verdict::NotModified => return dressed(StatusCode::NOT_MODIFIED),
        Verdict::Holds => {}
    }
    // Ranges are defined for GET alone (RFC 9110, section 14.2), and range fields are not lists: two of them mean nothing.
    let mut ranges = headers.get_all(RANGE).iter();
    let wanted = match (ranges.next(), ranges.next()) {
        (Some(field), None) if !is_head && range_counts(headers, tag, modified) => {
            field.to_str().map_or(Wanted::Whole, |field| wanted(field, length))
        }
        _ => Wanted::Whole,
    };
    match wanted {
        Wanted::Whole => {
            let answer = dressed(StatusCode::OK).with(CONTENT_TYPE, written(kind.to_owned()));
            answer.with_file(std::iter::once(Segment::File(0..length)))
        }
        Wanted::Unsatisfiable => dressed(StatusCode::RANGE_NOT_SATISFIABLE)
            .with(CONTENT_RANGE, written(format!("bytes */{length}")))
            .with_length(0),
        Wanted::Parts(parts) => {
            let answer = dressed(StatusCode::PARTIAL_CONTENT);
            if let [range] = parts.as_slice() {
                answer
                    .with(CONTENT_TYPE, written(kind.to_owned()))
                    .with(CONTENT_RANGE, written(content_range(range, length)))
                    .with_file(std::iter::once(Segment::File(range.clone())))
            } else {
                answer
                    .with(CONTENT_TYPE, written(format!("multipart/byteranges; boundary={BOUNDARY}")))
                    .with_file(multipart(parts, kind.to_owned(), length))
            }
        }
    }
}

fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1))
}

/// RFC 9110, section 14.6.
fn multipart(parts: Vec<Range<u64>>, kind: String, length: u64) -> impl Iterator<Item = Segment> {
    let segments = parts.into_iter().flat_map(move |range| {
        let told = content_range(&range, length);
        let heading = format!("\r\n--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Range: {told}\r\n\r\n");
        [Segment::Heading(heading.into()), Segment::File(range)]
    });
    segments.chain(std::iter::once(Segment::Heading(format!("\r\n--{BOUNDARY}--\r\n").into())))
}

/// For values that we wrote ourselves, of characters that a header may have.
fn written(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl Answer {
    fn bare(status: StatusCode) -> Self {
        Answer { status, headers: HeaderMap::new(), content: Content::Nothing }
    }

    /// A sentence for whoever looks at the answer of a request that went wrong.
    fn sentence(status: StatusCode, sentence: &str) -> Self {
        let mut answer = Answer::text("text/plain; charset=utf-8", format!("{sentence}\n"));
        answer.status = status;
        answer
    }

    fn text(kind: &'static str, text: String) -> Self {
        let answer = Answer::bare(StatusCode::OK)
            .with(CONTENT_TYPE, HeaderValue::from_static(kind))
            .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .with_length(text.len() as u64);
        Answer { content: Content::Text(text.into()), ..answer }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Names the charset of a text, where the answer has its type and not that of several parts.
    pub fn tell_charset(&mut self, kind: &str, charset: &str) {
        let is_of_parts = |value: &HeaderValue| value.as_bytes().starts_with(b"multipart/");
        if self.headers.get(CONTENT_TYPE).is_some_and(|value| !is_of_parts(value)) {
            self.headers.insert(CONTENT_TYPE, written(format!("{kind}; charset={charset}")));
        }
    }

    fn with_length(self, length: u64) -> Self {
        self.with(CONTENT_LENGTH, HeaderValue::from(length))
    }

    /// What every answer about a file has.
    fn for_media(self, tag: &str, kind: &str) -> Self {
        let answer = self
            .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
            .with(ETAG, written(tag.to_owned()))
            .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            // Without these, many televisions neither pause nor seek.
            .with(HeaderName::from_static("transfermode.dlna.org"), HeaderValue::from_static("Streaming"))
            .with(
                HeaderName::from_static("contentfeatures.dlna.org"),
                HeaderValue::from_static(
                    "DLNA.ORG_OP=01;DLNA.ORG_CI=0;DLNA.ORG_FLAGS=01700000000000000000000000000000",
                ),
            );
        if is_active(kind) {
            answer.with(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"))
        } else {
            answer
        }
    }

    fn with_file(self, segments: impl Iterator<Item = Segment>) -> Self {
        let segments: VecDeque<_> = segments.filter(|segment| segment.length() > 0).collect();
        let length = segments.iter().fold(0u64, |sum, segment| sum.saturating_add(segment.length()));
        let content = if segments.is_empty() { Content::Nothing } else { Content::File(segments) };
        Answer { content, ..self.with_length(length) }
    }

    /// To a HEAD, the headers are all.
    pub fn without_body(self, is_head: bool) -> Self {
        if is_head { Answer { content: Content::Nothing, ..self } } else { self }
    }
}
