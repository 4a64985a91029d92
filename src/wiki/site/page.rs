//! A page of a book as it is shown: with the bar on top, and with links that lead to where the book is served. The rest of its bytes stays as it is.

use bytes::Bytes;
use lol_html::html_content::{ContentType, Element};
use lol_html::{HtmlRewriter, Settings, doc_comments, element, end};
use quick_xml::escape::escape;

use super::route::{Way, encoded, value};

/// A larger page is shown as it is.
pub const MOST: u64 = 8 * 1024 * 1024;

/// Whether this is a type of page that gets a bar.
pub fn is_page(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    // What has parameters like `raw=true` is a piece of a page, for scripts.
    essence.eq_ignore_ascii_case("text/html") && !kind.contains("raw=true")
}

/// The page with its bar, if it is to have one. `Err`: it is no HTML that can be read, and better shown as it is.
pub fn shown(
    html: &[u8],
    way: Way,
    book: &str,
    title: &str,
    bar: bool,
) -> Result<Bytes, lol_html::errors::RewritingError> {
    let prefix = way.prefix(book);
    let mut to_insert = bar.then(|| bar_of(book, title));
    let placed = std::cell::RefCell::new(&mut to_insert);
    let link = |element: &mut Element<'_, '_>| {
        for name in ["href", "src", "poster", "data", "action"] {
            let Some(at) = element.get_attribute(name) else { continue };
            // From the root of the book, which here has others beside it.
            if let Some(rest) =
                at.strip_prefix('/').filter(|rest| !rest.starts_with(['/', '\\']) && !at.starts_with(&prefix))
            {
                element.set_attribute(name, &format!("{prefix}{rest}"))?;
            }
        }
        Ok(())
    };
    let body = |element: &mut Element<'_, '_>| {
        if let Some(bar) = placed.borrow_mut().take() {
            element.prepend(&bar, ContentType::Html);
        }
        Ok(())
    };
    let mut all = Vec::with_capacity(html.len() + 2048);
    let settings = Settings {
        element_content_handlers: vec![
            element!("[href^='/'], [src^='/'], [poster^='/'], [data^='/'], [action^='/']", link),
            element!("body", body),
        ],
        // A page without a body has its bar at the end; its place on the screen is the same.
        document_content_handlers: vec![
            doc_comments!(|_| Ok(())),
            end!(|end| {
                if let Some(bar) = placed.borrow_mut().take() {
                    end.append(&bar, ContentType::Html);
                }
                Ok(())
            }),
        ],
        ..Settings::new()
    };
    let mut rewriter = HtmlRewriter::new(settings, |bytes: &[u8]| all.extend_from_slice(bytes));
    rewriter.write(html)?;
    rewriter.end()?;
    Ok(all.into())
}

/// Plain HTML in plain ASCII, whatever the page's charset; what changes is filled in by a script of ours.
fn bar_of(book: &str, title: &str) -> String {
    let (content, name) = (value(book), escape(&encoded(book.as_bytes())).into_owned());
    let title = ascii(title);
    format!(
        "<div id=\"peerflix-bar\" role=\"navigation\" aria-label=\"peerflix\" data-book=\"{content}\">\
         <link rel=\"stylesheet\" href=\"/peerflix/bar.css\">\
         <a class=\"peerflix-home\" href=\"/content/{name}/\" title=\"Main page\">{title}</a>\
         <form action=\"/search\" method=\"get\" role=\"search\"><input type=\"hidden\" name=\"content\" value=\"{}\">\
         <input type=\"search\" name=\"pattern\" placeholder=\"Search\" aria-label=\"Search\" list=\"peerflix-titles\" autocomplete=\"off\">\
         <datalist id=\"peerflix-titles\"></datalist></form>\
         <a href=\"/random?content={content}\">Random</a><a href=\"/?books\">Books</a>\
         <span class=\"peerflix-swarm\" id=\"peerflix-swarm\" aria-live=\"off\"></span>\
         <a class=\"peerflix-off\" href=\"/peerflix/bar?off\" title=\"Hide this bar\">&#215;</a>\
         <script src=\"/peerflix/bar.js\" defer></script></div>",
        ascii(book)
    )
}

/// Escaped, and every sign beyond ASCII as a number.
fn ascii(text: &str) -> String {
    let escaped = escape(text);
    escaped
        .chars()
        .map(|sign| if sign.is_ascii() { sign.to_string() } else { format!("&#{};", u32::from(sign)) })
        .collect()
}

pub const BAR_CSS: &str = include_str!("bar.css");
pub const BAR_JS: &str = include_str!("bar.js");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown_of(html: &str, bar: bool) -> String {
        let bytes = shown(html.as_bytes(), Way::Content, "a b", "Été <1>", bar).expect("it is HTML");
        String::from_utf8(bytes.to_vec()).expect("it is text")
    }

    #[test]
    fn the_bar_is_the_first_thing_in_the_body() {
        let page = shown_of(
            "<!DOCTYPE html><html><head><title>T</title></head><body class=x><p>P</body></html>",
            true,
        );
        assert!(page.starts_with(
            "<!DOCTYPE html><html><head><title>T</title></head><body class=x><div id=\"peerflix-bar\""
        ));
        assert!(
            page.ends_with("</div><p>P</body></html>") && page.contains("&#201;t&#233; &lt;1&gt;"),
            "{page}"
        );
        assert_eq!(page.matches("peerflix-home").count(), 1);
    }

    #[test]
    fn a_page_without_a_body_has_it_at_the_end() {
        assert!(shown_of("just words", true).starts_with("just words<div id=\"peerflix-bar\""));
    }

    #[test]
    fn without_a_bar_a_page_stays_as_it_is() {
        for html in [
            "<p>Ä &amp; <b>b</i>",
            "<body><a href=\"../A/x\">x</a><a href='#y'>",
            "",
            "<script>if (a<b) '/x'</script>",
        ] {
            assert_eq!(shown_of(html, false), html);
        }
    }

    #[test]
    fn links_from_the_root_lead_into_the_book() {
        let page = shown_of(
            "<a href=\"/A/x.html\"><img src='/I/y.png'><a href=//example.org/><a href=\"/content/a%20b/z\">",
            false,
        );
        assert!(
            page.contains("\"/content/a%20b/A/x.html\"") && page.contains("\"/content/a%20b/I/y.png\""),
            "{page}"
        );
        assert!(page.contains("href=//example.org/") && page.contains("\"/content/a%20b/z\""), "{page}");
    }

    #[test]
    fn pages_are_told_from_pieces_of_them() {
        for (kind, is) in [
            ("text/html", true),
            ("text/html; charset=utf-8", true),
            ("text/html;raw=true", false),
            ("text/css", false),
            ("", false),
        ] {
            assert_eq!(is_page(kind), is, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(html in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = shown(&html, Way::Short, "b", "t", true);
        }
    }
}
