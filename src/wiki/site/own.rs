//! Pages that are not in any book: how they look, and the headers that all of our answers have.

use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    VARY,
};

use super::links::escaped;
use crate::http::Reply;

pub const HTML: &str = "text/html; charset=utf-8";

/// Pages fetch nothing from anywhere else, and send forms nowhere else. Scripts and styles of books stand in their pages as
/// often as not.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'; \
     frame-ancestors 'self'",
);

const STYLE: &str = include_str!("own/style.css");

/// A page of ours, from its title and what stands in its body.
pub fn page(title: &str, body: &str) -> String {
    format!("{}{body}\n</main>\n</html>\n", head(title))
}

/// Up to where the body goes on, for a page that grows.
pub fn head(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n<main>\n"
    )
}

pub fn reply(status: StatusCode, page: String) -> Reply {
    guarded(Reply::text(status, HTML, page))
}

/// An answer with what all of them have; what it has of that itself, it keeps.
pub fn guarded(mut reply: Reply) -> Reply {
    let headers = guard(reply.headers);
    reply.headers = headers;
    reply
}

fn guard(mut headers: HeaderMap) -> HeaderMap {
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    // What one reads here is nobody's business out there, and no name of a link's host is looked up before it is followed.
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers
        .entry(HeaderName::from_static("x-dns-prefetch-control"))
        .or_insert(HeaderValue::from_static("off"));
    headers
}

/// To another path of this site, which is written in ASCII.
pub fn redirect(location: &str) -> Reply {
    let mut reply = guarded(Reply::bare(StatusCode::FOUND));
    if let Ok(location) = HeaderValue::try_from(location) {
        reply.headers.insert(LOCATION, location);
    }
    // What a path leads to may be another tomorrow: the next book of that name.
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// For what differs by what [`Ask`](super::ask::Ask) looks at.
pub fn vary(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("Cookie, Sec-Fetch-Dest"));
}

/// A form that searches these books; none: all.
pub fn search_form(books: &[String], pattern: &str, hint: &str) -> String {
    let chosen: String = books
        .iter()
        .map(|book| format!("<input type=\"hidden\" name=\"books.name\" value=\"{}\">", escaped(book)))
        .collect();
    format!(
        "<form action=\"/search\" role=\"search\">{chosen}<input type=\"search\" name=\"pattern\" value=\"{}\" \
         placeholder=\"{hint}\" aria-label=\"{hint}\" required><button>Search</button></form>\n",
        escaped(pattern),
        hint = escaped(hint)
    )
}
