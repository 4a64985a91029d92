//! Our own pages: plain HTML that needs no script, in the browser's own light and dark.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use quick_xml::escape::escape;

use super::route::{Way, encoded};
use crate::http::Reply;
use crate::wiki::zim::ZimError;

pub const HTML: &str = "text/html; charset=utf-8";

/// Our own pages load nothing but what we serve.
const OURS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'",
);

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:0 auto;padding:1.2em}\
h1{font-size:1.4em;font-weight:600}a{color:#0b57a4}.quiet{color:#777;font-size:.9em}ul.books{list-style:none;padding:0}\
ul.books li{display:flex;gap:1em;align-items:center;margin:1em 0}ul.books img{width:48px;height:48px;flex:none}ul.books p{margin:0}\
form{margin:1em 0;display:flex;gap:.5em}input[type=search]{flex:1;font:inherit;padding:.2em .5em}button{font:inherit}li{margin:.3em 0}\
@media(prefers-color-scheme:dark){a{color:#8ab8ea}.quiet{color:#999}}";

/// The beginning of a page, up to its heading.
pub fn head(title: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>\n"
    )
}

pub const TAIL: &str = "</body></html>\n";

/// A whole page.
pub fn page(status: StatusCode, title: &str, body: &str) -> Reply {
    dressed(Reply::text(status, HTML, format!("{}{body}{TAIL}", head(title))))
}

/// With what every page of ours has.
pub fn dressed(mut reply: Reply) -> Reply {
    reply.headers.insert(CONTENT_SECURITY_POLICY, OURS);
    reply.headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin"));
    reply
}

/// To another place.
pub fn redirect(to: &str) -> Reply {
    let mut reply = Reply::text(StatusCode::FOUND, HTML, Bytes::new());
    if let Ok(to) = HeaderValue::try_from(to) {
        reply.headers.insert(hyper::header::LOCATION, to);
    }
    reply
}

/// A form that searches in a book, or in all.
pub fn search_form(book: Option<&str>, pattern: &str) -> String {
    let hidden =
        book.map(|book| format!("<input type=\"hidden\" name=\"content\" value=\"{}\">", escape(book)));
    format!(
        "<form action=\"/search\" role=\"search\">{}<input type=\"search\" name=\"pattern\" value=\"{}\" aria-label=\"Search\" autofocus>\
         <button>Search</button></form>\n",
        hidden.unwrap_or_default(),
        escape(pattern)
    )
}

/// A link to a page of a book.
pub fn link(book: &str, path: &[u8], title: &str) -> String {
    format!("<a href=\"{}{}\">{}</a>", Way::Content.prefix(book), escape(&encoded(path)), escape(title))
}

/// Why something of a book cannot be shown. What has not come in time may yet come, what is broken will stay so.
pub fn broken(what: &str, error: &ZimError) -> Reply {
    let (status, advice) = match error {
        ZimError::Read(_) => (StatusCode::SERVICE_UNAVAILABLE, "It may come later: reload the page."),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Other pages can be read all the same."),
    };
    let sentence = format!(
        "<p>{} cannot be shown: {}.</p><p class=\"quiet\">{advice}</p>",
        escape(what),
        escape(&error.to_string())
    );
    page(status, "This cannot be shown", &sentence)
}

/// How much, for people: `3.2 MB`.
pub fn size(bytes: u64) -> String {
    crate::units::ByteSize(bytes).to_string()
}
