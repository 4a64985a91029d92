//! What a page needs beside itself, asked for before the browser asks: its style sheets, scripts and pictures, and then the pages that its
//! first links lead to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt};
use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, Settings, element};

use super::find::find;
use crate::wiki::library::Book;
use crate::wiki::zim::Zim;
use crate::wiki::zim::dirent::Target;

/// Of each kind no more than so many are looked at: more than a screen shows.
const MOST_RESOURCES: usize = 200;
/// About what the first screen of an article links to.
const MOST_LINKS: usize = 20;
/// So many are fetched at the same time.
const AT_ONCE: usize = 8;

/// Paths within the book, each once, in the order of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub resources: Vec<String>,
    pub links: Vec<String>,
}

/// Of a page at the path `at` of its book. What leads out of the book is left out.
pub fn needs(html: &[u8], at: &str) -> Needs {
    // Where a page lies within its book, as a URL: so that `..` and `#` mean what they mean to a browser.
    let Ok(base) =
        url::Url::parse("http://book/").and_then(|root| root.join(&super::route::encoded(at.as_bytes())))
    else {
        return Needs::default();
    };
    let mut found = Needs::default();
    let within = |link: &str| {
        let url = base
            .join(link.trim())
            .ok()
            .filter(|url| url.host_str() == Some("book") && url.scheme() == "http")?;
        let path = url.path().trim_start_matches('/');
        let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned();
        (!path.is_empty() && path != at).then_some(path)
    };
    let (mut resources, mut links) = (Vec::new(), Vec::new());
    let mut resource = |link: Option<String>| resources.extend(link.as_deref().and_then(within));
    let of_element = |element: &mut Element<'_, '_>| {
        let name = element.tag_name();
        match name.as_str() {
            "link" => {
                let relation = element.get_attribute("rel").unwrap_or_default().to_ascii_lowercase();
                if relation.split_whitespace().any(|one| matches!(one, "stylesheet" | "preload" | "icon")) {
                    resource(element.get_attribute("href"));
                }
            }
            "video" => resource(element.get_attribute("poster")),
            // A sound or a film is as large as all the rest; its beginning is fetched when it is played.
            _ => resource(element.get_attribute("src")),
        }
        if let Some(set) = element.get_attribute("srcset") {
            let first = set.split(',').next().and_then(|one| one.split_whitespace().next());
            resource(first.map(str::to_owned));
        }
        Ok(())
    };
    let of_link = |element: &mut Element<'_, '_>| {
        if links.len() < MOST_LINKS {
            links.extend(
                element
                    .get_attribute("href")
                    .as_deref()
                    .filter(|link| !link.starts_with('#'))
                    .and_then(within),
            );
        }
        Ok(())
    };
    let settings = Settings {
        element_content_handlers: vec![
            element!("link[href], script[src], img[src], video[poster]", of_element),
            element!("a[href]", of_link),
        ],
        ..Settings::new()
    };
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    // A page that is no HTML needs what was found until there.
    let _ = rewriter.write(html).and_then(|()| rewriter.end());
    for (from, to) in [(resources, &mut found.resources), (links, &mut found.links)] {
        for path in from {
            if to.len() < MOST_RESOURCES && !to.contains(&path) {
                to.push(path);
            }
        }
    }
    found
}

/// Fetches in the background what the page that was opened last needs.
#[derive(Clone, Default)]
pub struct Prefetch {
    /// Counts pages: what was asked for of one before is given up.
    page: Arc<AtomicU64>,
}

impl Prefetch {
    /// A page was opened: what it needs is fetched from now on, and that of the page before no more. To be called within a tokio runtime.
    pub fn open(&self, book: Arc<Book>, zim: Zim, html: bytes::Bytes, at: String) {
        let number = self.page.fetch_add(1, Ordering::Relaxed) + 1;
        let page = self.page.clone();
        tokio::spawn(async move {
            let is_open = || page.load(Ordering::Relaxed) == number;
            let Needs { resources, links } = needs(&html, &at);
            drop(html);
            // What fails here is told to who asks for it.
            let failed = AtomicBool::new(false);
            let fetch = async |path: String, is_link: bool| {
                // A link is no more than a guess: it is followed when nobody waits for anything else.
                if !is_open()
                    || failed.load(Ordering::Relaxed)
                    || (is_link && book.archive.waits().reads > AT_ONCE)
                {
                    return;
                }
                let fetched = async {
                    let Some(entry) = find(&zim, path.as_bytes(), None).await? else { return Ok(()) };
                    let entry = zim.follow(entry).await?;
                    match entry.dirent.target {
                        Target::Content { .. } if !is_media(zim.kind(&entry.dirent)) => {
                            zim.fetch(&entry.dirent).await
                        }
                        _ => Ok(()),
                    }
                };
                if let Err(crate::wiki::zim::ZimError::Read(_)) = fetched.await {
                    failed.store(true, Ordering::Relaxed);
                }
            };
            stream::iter(resources)
                .map(|path| fetch(path, false))
                .buffer_unordered(AT_ONCE)
                .collect::<()>()
                .await;
            stream::iter(links)
                .map(|path| fetch(path, true))
                .buffer_unordered(AT_ONCE / 2)
                .collect::<()>()
                .await;
        });
    }
}

/// Sounds and films are read where they are played.
fn is_media(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.starts_with("video/") || kind.starts_with("audio/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_needs_its_styles_scripts_and_pictures() {
        let html = br##"<html><head><link rel="stylesheet" href="../-/s/style.css?v=1"><link rel=canonical href=x>
            <script src="j/head.js"></script></head><body><img src="../I/a%20b.png" srcset="../I/c.png 2x, d.png">
            <img src="data:image/png;base64,AA"><img src="https://example.org/x.png"><video poster=p.jpg src=v.webm></video>
            <a href="Berlin.html#History">B</a><a href="Berlin.html">B</a><a href="//example.org/">e</a><a href="#top">t</a>
            <a href="../../../Up">u</a><a href="mailto:a@b">m</a></body></html>"##;
        let needs = needs(html, "A/Paris.html");
        assert_eq!(needs.resources, ["-/s/style.css", "A/j/head.js", "I/a b.png", "I/c.png", "A/p.jpg"]);
        assert_eq!(needs.links, ["A/Berlin.html", "Up"]);
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(html in prop::collection::vec(any::<u8>(), 0..500), at in "\\PC{0,20}") {
            let _ = needs(&html, &at);
        }
    }
}
