//! A page of a book on its way to the browser: the bar is put in, and links are moved that would not work. All other bytes
//! stay as they are. Pure.

use std::cell::Cell;

use bytes::Bytes;
use lol_html::html_content::{ContentType, DocumentEnd, Element};
use lol_html::{DocumentContentHandlers, HtmlRewriter, MemorySettings, Settings, element};

use super::links::{candidates, moved};

/// The parser holds no more than a tag; a page with a larger one stays as it is.
const MOST_MEMORY: usize = 4 * 1024 * 1024;
/// Attributes with one link each.
const LINKS: [&str; 8] =
    ["href", "src", "poster", "data", "action", "formaction", "background", "xlink:href"];

/// The page with `bar` on top, if there is one, and links that work where the book's own path in URLs is `root`. A page in an encoding
/// that is not like ASCII, and one that cannot be read, comes back as it was.
pub fn dressed(html: &Bytes, root: &str, bar: Option<&str>) -> Bytes {
    if html.starts_with(b"\xff\xfe") || html.starts_with(b"\xfe\xff") {
        return html.clone();
    }
    rewritten(html, root, bar).unwrap_or_else(|| html.clone())
}

fn rewritten(html: &[u8], root: &str, bar: Option<&str>) -> Option<Bytes> {
    let bar = Cell::new(bar);
    let mut page = Vec::with_capacity(html.len() + 8 * 1024);
    let settings = Settings {
        element_content_handlers: vec![
            element!("body", |body| {
                if let Some(bar) = bar.take() {
                    body.prepend(bar, ContentType::Html);
                }
                Ok(())
            }),
            element!(
                "[href], [src], [poster], [data], [action], [formaction], [background], [xlink\\:href], [srcset]",
                |element| {
                    move_links(element, root);
                    Ok(())
                }
            ),
        ],
        document_content_handlers: vec![DocumentContentHandlers::default().end(
            |end: &mut DocumentEnd<'_>| {
                // What is fixed may stand anywhere.
                if let Some(bar) = bar.take() {
                    end.append(bar, ContentType::Html);
                }
                Ok(())
            },
        )],
        memory_settings: MemorySettings {
            max_allowed_memory_usage: MOST_MEMORY,
            ..MemorySettings::default()
        },
        strict: false,
        ..Settings::new()
    };
    let mut rewriter = HtmlRewriter::new(settings, |piece: &[u8]| page.extend_from_slice(piece));
    rewriter.write(html).ok()?;
    rewriter.end().ok()?;
    Some(page.into())
}

fn move_links(element: &mut Element<'_, '_>, root: &str) {
    for name in LINKS {
        if let Some(link) = element.get_attribute(name).and_then(|link| moved(&link, root)) {
            // Names that are no names are not in the list.
            let _ = element.set_attribute(name, &link);
        }
    }
    let Some(set) = element.get_attribute("srcset") else { return };
    let mut changed = set.clone();
    for candidate in candidates(&set) {
        if let Some(link) = moved(candidate, root) {
            changed = changed.replace(candidate, &link);
        }
    }
    if changed != set {
        let _ = element.set_attribute("srcset", &changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAR: &str = "<peerflix-bar></peerflix-bar>";

    fn text(html: &str, bar: Option<&str>) -> String {
        String::from_utf8(dressed(&Bytes::copy_from_slice(html.as_bytes()), "/content/w/", bar).to_vec())
            .unwrap()
    }

    #[test]
    fn the_bar_is_all_that_changes() {
        let page = "<!doctype html>\r\n<HTML><head><title>x</title>\n<body CLASS = a  data-x='1'>\n\t<p>a&nbsp;<b>b</p></b>\
                    <a HREF=Paris>x</a><!-- <body> -->\n<img src=\"a.png\"></body></HTML>\n";
        let at = page.find("\n\t<p>").unwrap();
        assert_eq!(text(page, Some(BAR)), format!("{}{BAR}{}", &page[..at], &page[at..]));
        assert_eq!(text(page, None), page);
    }

    #[test]
    fn a_page_without_a_body_has_the_bar_at_its_end() {
        assert_eq!(text("<p>x", Some(BAR)), format!("<p>x{BAR}"));
        assert_eq!(text("", Some(BAR)), BAR);
    }

    #[test]
    fn links_of_old_files_begin_at_the_book() {
        let page = "<body><a href=\"/A/Paris.html?a&amp;b#c\">x</a><img src='../I/x.png' srcset=\"/I/a.png 1x, b.png 2x\"><a href=\"/x\">";
        let moved = "<body><a href=\"/content/w/A/Paris.html?a&amp;b#c\">x</a><img src='../I/x.png' srcset=\"/content/w/I/a.png 1x, \
                     b.png 2x\"><a href=\"/x\">";
        assert_eq!(text(page, None), moved);
    }

    #[test]
    fn other_encodings_and_what_is_no_page_stay_as_they_are() {
        let latin = Bytes::from_static(b"<body>caf\xe9 <a href=\"caf\xe9\">");
        assert_eq!(dressed(&latin, "/", None), latin);
        let wide = Bytes::from_static(b"\xff\xfe<\0b\0");
        assert_eq!(dressed(&wide, "/", Some(BAR)), wide);
        let huge = Bytes::from([b"<a href='".as_slice(), &vec![b'x'; 2 * MOST_MEMORY]].concat());
        assert!(dressed(&huge, "/", Some(BAR)).starts_with(&huge));
    }
}
