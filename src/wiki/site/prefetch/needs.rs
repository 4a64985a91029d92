//! Reads a page for what it needs. Pure.

use std::cell::RefCell;

use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, MemorySettings, Settings, element};

use super::super::links::{Place, candidates, unescaped};

/// More a page does not need, whatever it says.
const MOST_RESOURCES: usize = 1000;
/// About the links of its first screen.
const MOST_LINKS: usize = 20;
/// The parser holds no more than a tag; one that is larger is none.
const MOST_MEMORY: usize = 1024 * 1024;

/// Paths within the book, each once, in the order of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Style sheets, scripts, pictures, posters, frames.
    pub resources: Vec<String>,
    /// Sounds and films: shown when somebody asks for them, and large.
    pub media: Vec<String>,
    /// The first of those that lead to other pages.
    pub links: Vec<String>,
}

/// What the page with this path (`Paris`, or `A/Paris.html` in old files) needs. Of a page that cannot be read to its end, what was
/// found before.
pub fn needs(html: &[u8], at: &str) -> Needs {
    let Some(place) = Place::new(at) else { return Needs::default() };
    let found = RefCell::new((place, Needs::default()));
    let note = |element: &Element<'_, '_>| {
        let (place, needs) = &mut *found.borrow_mut();
        needs.note(element, place, at);
    };
    let settings = Settings {
        element_content_handlers: vec![element!(
            "base[href], link[href], script[src], img, source, video, audio, track[src], input[src], object[data], embed[src], \
             iframe[src], image, a[href], area[href]",
            |element| {
                note(element);
                Ok(())
            }
        )],
        memory_settings: MemorySettings {
            max_allowed_memory_usage: MOST_MEMORY,
            ..MemorySettings::default()
        },
        strict: false,
        ..Settings::new()
    };
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    if rewriter.write(html).is_ok() {
        // What it says against the end changes nothing: all that could be found has been.
        let _ = rewriter.end();
    } else {
        drop(rewriter);
    }
    found.into_inner().1
}

impl Needs {
    fn note(&mut self, element: &Element<'_, '_>, place: &mut Place, at: &str) {
        let value = |name| element.get_attribute(name).map(|value| unescaped(&value).into_owned());
        let tag = element.tag_name();
        if tag == "base" {
            if let Some(link) = value("href") {
                place.base(&link);
            }
            return;
        }
        let path = |link: &str| place.path(link).filter(|path| path != at);
        let named = |names: &[&'static str]| -> Vec<String> {
            names.iter().filter_map(|&name| path(&value(name)?)).collect()
        };
        let in_sets = |name| -> Vec<String> {
            value(name).map_or_else(Vec::new, |set| candidates(&set).filter_map(path).collect())
        };
        match tag.as_str() {
            "a" | "area" => add(&mut self.links, named(&["href"]), MOST_LINKS),
            "link" if is_shown(&value("rel").unwrap_or_default()) => {
                add(&mut self.resources, named(&["href"]), MOST_RESOURCES);
            }
            "link" => {}
            "source" | "audio" => {
                add(&mut self.media, named(&["src"]), MOST_RESOURCES);
                add(&mut self.resources, in_sets("srcset"), MOST_RESOURCES);
            }
            "video" => {
                add(&mut self.resources, named(&["poster"]), MOST_RESOURCES);
                add(&mut self.media, named(&["src"]), MOST_RESOURCES);
            }
            "image" => add(&mut self.resources, named(&["href", "xlink:href"]), MOST_RESOURCES),
            _ => {
                add(&mut self.resources, named(&["src", "data"]), MOST_RESOURCES);
                add(&mut self.resources, in_sets("srcset"), MOST_RESOURCES);
            }
        }
    }
}

/// Whether a `link` of this relation is fetched with the page.
fn is_shown(relation: &str) -> bool {
    let shown = ["stylesheet", "icon", "preload", "modulepreload"];
    relation.split_ascii_whitespace().any(|one| shown.iter().any(|shown| one.eq_ignore_ascii_case(shown)))
}

fn add(list: &mut Vec<String>, paths: Vec<String>, most: usize) {
    for path in paths {
        if list.len() < most && !list.contains(&path) {
            list.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r##"<!DOCTYPE html><html><head>
        <link rel="stylesheet" href="../-/s/style.css"><link rel="canonical" href="../A/Paris.html">
        <LINK REL="shortcut icon" HREF='../-/favicon'><script src="../-/j/body.js"></script>
        <script>document.write('<img src="../I/no.png">')</script></head>
        <body><!-- <img src="../I/no.png"> --><img src="../I/a&amp;b.png" srcset="../I/c.png 2x, ../I/a%26b.png 1x">
        <a href="London.html">London</a><a href="https://example.org/">out</a><a href="#top">top</a>
        <a href="London.html#x">again</a>
        <video poster="../I/p.webp" src="../I/v.webm"><source src="../I/v.ogv"><track src="../I/v.vtt"></video>
        <svg><image xlink:href="../I/d.svg"/></svg><img src="data:image/png;base64,AA">
        <picture><source srcset="../I/e.webp"><img src="../I/e.png"></picture>"##;

    #[test]
    fn a_page_needs_what_it_shows_and_leads_where_it_links() {
        let needs = needs(PAGE.as_bytes(), "A/Paris.html");
        let resources = [
            "-/s/style.css",
            "-/favicon",
            "-/j/body.js",
            "I/a&b.png",
            "I/c.png",
            "I/p.webp",
            "I/v.vtt",
            "I/d.svg",
            "I/e.webp",
            "I/e.png",
        ];
        assert_eq!(needs.resources, resources);
        assert_eq!(needs.media, ["I/v.webm", "I/v.ogv"]);
        assert_eq!(needs.links, ["A/London.html"]);
    }

    #[test]
    fn there_is_an_end_to_what_a_page_may_need() {
        let many: String = (0..5000).map(|i| format!("<img src={i}><a href=p{i}>")).collect();
        let needs = needs(many.as_bytes(), "x");
        assert_eq!((needs.resources.len(), needs.links.len()), (MOST_RESOURCES, MOST_LINKS));
    }

    #[test]
    fn what_is_no_page_needs_nothing() {
        for html in [b"".as_slice(), b"\xff\xfe\0<", b"<img", b"<img src=", &[b'<'; 10_000]] {
            assert_eq!(needs(html, ""), Needs::default());
        }
        let huge = [b"<img src='".as_slice(), &vec![b'x'; 2 * MOST_MEMORY], b"'><img src=y>"].concat();
        assert!(
            needs(&huge, "p").resources.iter().all(|path| path.len() < MOST_MEMORY || path.starts_with('x'))
        );
    }
}
