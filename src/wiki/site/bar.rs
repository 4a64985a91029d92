//! The thin bar on top of pages: search, random, main page, all books, and what the swarm does. It works without scripts, but for
//! numbers that change.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE};
use serde_json::{Value, json};

use super::super::library::Book;
use super::ask::{Ask, BAR_COOKIE};
use super::links::{encoded_value, escaped};
use super::own;
use super::route::Tree;
use crate::http::Reply;
use crate::units::ByteSize;

const STYLE: &str = include_str!("bar/style.css");
pub const SCRIPT: &str = include_str!("bar/bar.js");
pub const ICON: &str = include_str!("bar/icon.svg");

/// What the swarm does for a book, now.
pub struct Doing {
    /// Whether `had` is what came in this run, or all there is.
    pub label: &'static str,
    /// Bytes, of how many.
    pub had: String,
    /// What is asked for, of whom; empty: nothing is.
    pub asked: String,
    pub sentence: String,
}

impl Doing {
    pub fn of(book: &Book) -> Doing {
        let statistics = book.activity.statistics();
        let length = ByteSize(book.archive.length());
        let is_all_here = || statistics.peers == 0 && book.archive.to_fetch(0..book.archive.length()) == 0;
        let (label, had) = match statistics.downloaded {
            0 if is_all_here() => ("All here:", length.to_string()),
            bytes => ("This visit:", format!("{} of {length}", ByteSize(bytes))),
        };
        let waits = book.archive.waits();
        let from = match statistics.peers {
            1 => "1 peer".to_owned(),
            peers => format!("{peers} peers"),
        };
        let asked = match waits.reads {
            0 => String::new(),
            _ => format!("asks {from} for {}", ByteSize(waits.bytes)),
        };
        Doing { label, had, asked, sentence: book.activity.sentence() }
    }

    pub fn json(book: &Book) -> Value {
        let Doing { label, had, asked, sentence } = Doing::of(book);
        let statistics = book.activity.statistics();
        let waits = book.archive.waits();
        json!({
            "book": book.name,
            "label": label,
            "had": had,
            "asked": asked,
            "sentence": sentence,
            "length": book.archive.length(),
            "downloaded": statistics.downloaded,
            "download_rate": statistics.download_rate,
            "peers": statistics.peers,
            "unchoking": statistics.unchoking,
            "waiting": { "reads": waits.reads, "bytes": waits.bytes },
        })
    }
}

/// The bar of a page of this book, at this address, as one element.
///
/// It stands in a shadow tree, so that the page's style does not reach it, nor its style the page. What is fixed needs room: the page
/// begins below it.
pub fn html(book: &Book, address: &str, tree: Tree) -> String {
    let Doing { label, had, asked, sentence } = Doing::of(book);
    let (name, title) = (escaped(&book.name), escaped(book.title()));
    let root = escaped(&tree.root(&book.name));
    let random = escaped(&format!("/random?content={}", encoded_value(&book.name)));
    let off = escaped(&format!("/peerflix/bar?show=no&to={}", encoded_value(address)));
    format!(
        "<peerflix-bar data-book=\"{name}\" data-root=\"{root}\" lang=\"en\"><style>@media screen{{html{{margin-top:38px!important;\
         scroll-padding-top:46px}}}}@media print{{peerflix-bar{{display:none!important}}}}</style>\
         <template shadowrootmode=\"open\"><style>{STYLE}</style>\
         <nav aria-label=\"peerflix\">\
         <form action=\"/search\" role=\"search\"><input type=\"hidden\" name=\"content\" value=\"{name}\">\
         <input type=\"search\" name=\"pattern\" list=\"titles\" autocomplete=\"off\" placeholder=\"Search {title}\" \
         aria-label=\"Search {title}\" required><datalist id=\"titles\"></datalist></form>\
         <a href=\"{root}\" title=\"Main page\">{HOME}<span>Main page</span></a>\
         <a href=\"{random}\" title=\"Random page\">{DIE}<span>Random</span></a>\
         <a href=\"/peerflix/library\" title=\"All books\">{BOOKS}<span>Library</span></a>\
         <p title=\"{sentence}\"><span>{label}</span> <b>{had}</b> <i>{asked}</i></p>\
         <a href=\"{off}\" title=\"Hide this bar\" aria-label=\"Hide this bar\">{CROSS}</a></nav></template>\
         <script src=\"/peerflix/bar.js\" defer></script></peerflix-bar>",
        had = escaped(&had),
        asked = escaped(&asked),
        sentence = escaped(&sentence),
    )
}

const HOME: &str = "<svg viewBox=\"0 0 24 24\"><path d=\"M3 11.5 12 4l9 7.5M6 9.5V20h12V9.5\"/></svg>";
const DIE: &str = "<svg viewBox=\"0 0 24 24\"><rect x=\"4\" y=\"4\" width=\"16\" height=\"16\" rx=\"3\"/><path d=\"M9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01\"/></svg>";
const BOOKS: &str = "<svg viewBox=\"0 0 24 24\"><path d=\"M5 4v16M10 4v16M15 4.5 20 20\"/></svg>";
const CROSS: &str = "<svg viewBox=\"0 0 24 24\"><path d=\"m6 6 12 12M18 6 6 18\"/></svg>";

/// Shows the bar again, or hides it, and goes back.
pub fn switch(ask: &Ask) -> Reply {
    let to = ask.parameter("to").filter(|to| is_of_this_site(to)).unwrap_or_else(|| "/".to_owned());
    let mut reply = own::redirect(&to);
    let (value, age) = match ask.parameter("show").as_deref() {
        Some("no") => ("off", 31_536_000),
        _ => ("on", 0),
    };
    let cookie = format!("{BAR_COOKIE}={value}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        reply.headers.insert(SET_COOKIE, cookie);
    }
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A path, and not the address of another site in a path's clothes.
fn is_of_this_site(to: &str) -> bool {
    to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains('\\')
        && to.bytes().all(|byte| byte.is_ascii_graphic())
}

/// At the end of our own pages: the way back to the bar, for those who hid it.
pub fn footer(ask: &Ask) -> String {
    match ask.wants_bar() {
        true => String::new(),
        false => {
            let back = format!("/peerflix/bar?show=yes&to={}", encoded_value(&ask.address()));
            format!(
                "<footer>The bar on pages is hidden. <a href=\"{}\">Show it again</a>.</footer>\n",
                escaped(&back)
            )
        }
    }
}

/// What does not change while the program runs.
pub fn fixed(kind: &'static str, text: &'static str) -> Reply {
    let mut reply = own::guarded(Reply::text(StatusCode::OK, kind, text));
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_on_this_site() {
        for to in ["/", "/content/wiki/A?x=%20y", "/search?pattern=a"] {
            assert!(is_of_this_site(to), "{to}");
        }
        for to in ["", "x", "//example.org/", "/\\example.org", "https://example.org", "/a\r\nb", "/ä"] {
            assert!(!is_of_this_site(to), "{to}");
        }
    }
}
