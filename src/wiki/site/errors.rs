//! What is not there, and what cannot be had.

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue};

use super::super::library::Book;
use super::super::zim::{Zim, ZimError};
use super::ask::Ask;
use super::bar;
use super::find::path_of;
use super::links::{encoded, escaped};
use super::own::{self, search_form};
use super::route::Tree;
use crate::http::Reply;
use crate::read::ReadError;

/// Titles that begin as what is not there, and entries around it in the order of paths.
const MOST_NEAR: usize = 8;

/// 404, for a path of no book.
pub fn nothing(ask: &Ask) -> Reply {
    let body = format!(
        "<h1>Not found</h1>\n<p>There is nothing at <b>{}</b>.</p>\n<p><a href=\"/peerflix/library\">All books</a></p>\n{}",
        escaped(&ask.path),
        bar::footer(ask)
    );
    own::reply(StatusCode::NOT_FOUND, own::page("Not found", &body))
}

/// 404, for a path of a book; a reader is told what is near.
pub async fn not_in(book: &Book, zim: &Zim, path: &[u8], ask: &Ask) -> Reply {
    let path_shown = String::from_utf8_lossy(path);
    let near = match ask.is_navigation() {
        true => near(book, zim, &path_shown).await,
        false => String::new(),
    };
    let body = format!(
        "<h1>Not found</h1>\n<p><b>{}</b> has nothing called <b>{}</b>.</p>\n{}{near}\
         <p><a href=\"{}\">Main page</a></p>\n{}",
        escaped(book.title()),
        escaped(&path_shown),
        search_form(std::slice::from_ref(&book.name), &words_of(&path_shown), "Search"),
        escaped(&Tree::Content.root(&book.name)),
        bar::footer(ask)
    );
    own::reply(StatusCode::NOT_FOUND, own::page("Not found", &body))
}

/// What it may have been, as a list; nothing, if that cannot be found out.
async fn near(book: &Book, zim: &Zim, path: &str) -> String {
    let is_new = zim.header().has_new_namespaces();
    let (namespace, below) = match path.as_bytes() {
        [namespace @ b'A'..=b'Z', b'/', ..] if !is_new => (*namespace, path.get(2..).unwrap_or_default()),
        _ => (if is_new { b'C' } else { b'A' }, path),
    };
    let words = words_of(path);
    // The beginning of a title is more often right than its end.
    let beginning: String = words.chars().take(words.chars().count().div_ceil(2).max(3)).collect();
    let (titles, longer, paths) = futures_util::join!(
        zim.titles(&words, MOST_NEAR),
        zim.titles(&beginning, MOST_NEAR),
        zim.near(namespace, below.as_bytes(), MOST_NEAR)
    );
    let mut items: Vec<String> = Vec::new();
    for entry in [titles, longer, paths].into_iter().flatten().flatten() {
        // Pictures and style sheets are near too, in their way; nobody looks for them here.
        let kind = zim.kind(&entry.dirent);
        if kind.is_some_and(|kind| !kind.starts_with("text/html")) {
            continue;
        }
        let href = Tree::Content.root(&book.name) + &encoded(&path_of(zim.header(), &entry.dirent));
        let title = String::from_utf8_lossy(entry.dirent.title()).into_owned();
        let item = format!("<li><a href=\"{}\">{}</a></li>\n", escaped(&href), escaped(&title));
        if items.len() < MOST_NEAR && !items.contains(&item) {
            items.push(item);
        }
    }
    match items.is_empty() {
        true => String::new(),
        false => format!("<h2>Near it</h2>\n<ul class=\"found\">\n{}</ul>\n", items.concat()),
    }
}

/// What somebody may have wanted who asked for this path.
fn words_of(path: &str) -> String {
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    let name = name.strip_suffix(".html").or(name.strip_suffix(".htm")).unwrap_or(name);
    name.replace('_', " ").trim().to_owned()
}

/// What cannot be had, with a sentence that says why: 503, if it may be had later, else 500.
pub fn trouble(what: &str, error: &ZimError, ask: &Ask) -> Reply {
    let (status, hint) = match error {
        ZimError::Read(ReadError::Disk(_)) => (StatusCode::SERVICE_UNAVAILABLE, "Is there room on the disk?"),
        ZimError::Read(_) => (StatusCode::SERVICE_UNAVAILABLE, "It may be there later."),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "The rest of the book can be read."),
    };
    let body = format!(
        "<h1>This cannot be shown</h1>\n<p><b>{}</b>: {}.</p>\n<p class=\"soft\">{hint}</p>\n\
         <p><a href=\"/peerflix/library\">All books</a></p>\n{}",
        escaped(what),
        escaped(&error.to_string()),
        bar::footer(ask)
    );
    own::reply(status, own::page("This cannot be shown", &body))
}

/// 405.
pub fn only_read(methods: HeaderValue) -> Reply {
    let body = "<h1>Books can be read</h1>\n<p>And that is all.</p>\n";
    let mut reply = own::reply(StatusCode::METHOD_NOT_ALLOWED, own::page("Books can be read", body));
    reply.headers.insert(ALLOW, methods);
    reply
}

/// 400, with a sentence.
pub fn not_understood(sentence: &str, ask: &Ask) -> Reply {
    let form = search_form(&[], "", "Search all books");
    let body = format!("<h1>{}</h1>\n{form}{}", escaped(sentence), bar::footer(ask));
    own::reply(StatusCode::BAD_REQUEST, own::page("Not understood", &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_the_words_are_looked_for() {
        assert_eq!(words_of("A/Eiffel_Tower.html"), "Eiffel Tower");
        assert_eq!(words_of("x/"), "x");
        assert_eq!(words_of(""), "");
    }
}
