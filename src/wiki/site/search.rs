//! Search: in the text of articles where a book has an index that can be read, else in their titles; and it says which.

use std::sync::Arc;

use hyper::StatusCode;
use quick_xml::escape::escape;

use super::Site;
use super::find::path_of;
use super::html::{broken, link, page, search_form};
use super::route::{Query, Way, encoded, value};
use crate::http::Reply;
use crate::wiki::library::Book;
use crate::wiki::zim::{Zim, ZimError};

const RSS: &str = "application/rss+xml; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
/// Results on a page, where nobody says how many; and at most.
const USUAL: usize = 25;
const MOST: usize = 140;
/// A longer question is no question.
const LONGEST: usize = 1024;

/// An article that was found.
struct Hit {
    book: String,
    path: Vec<u8>,
    title: String,
}

/// What was found, and where it was looked for.
#[derive(Default)]
struct Answer {
    hits: Vec<Hit>,
    total: u64,
    /// Books whose text was searched, and those of which only the titles were.
    by_text: usize,
    by_title: usize,
}

impl Site {
    pub(super) async fn search(&self, query: &Query) -> Reply {
        let pattern: String =
            query.text("pattern").unwrap_or_default().trim().chars().take(LONGEST).collect();
        let start = query.number("start").unwrap_or(0).min(100_000);
        let most = query.number("pageLength").unwrap_or(USUAL).clamp(1, MOST);
        let named = query.book();
        let books = match named {
            None => self.library.books(),
            Some(name) => match self.library.book(name) {
                Some(book) => vec![book],
                None => return no_book(name),
            },
        };
        if pattern.is_empty() {
            return page(
                StatusCode::BAD_REQUEST,
                "Search",
                &format!("{}<p>Type what to look for.</p>", search_form(named, "")),
            );
        }
        let mut answer = Answer::default();
        for book in &books {
            if let Err(error) = in_book(book, &pattern, start, most, &mut answer).await {
                if books.len() == 1 {
                    return broken("The result of the search", &error);
                }
                tracing::debug!(%error, "no search in {}", book.name);
            }
        }
        answer.hits.truncate(most);
        match query.text("format") {
            Some("xml") => as_rss(&pattern, start, most, &answer),
            _ => as_page(named, &pattern, start, most, &answer),
        }
    }

    /// Titles that begin so, as kiwix-serve's own pages want them.
    pub(super) async fn suggest(&self, query: &Query) -> Reply {
        let Some(name) = query.book() else { return no_book("") };
        let Some(book) = self.library.book(name) else { return no_book(name) };
        let term: String = query.text("term").unwrap_or_default().trim().chars().take(LONGEST).collect();
        let (start, most) =
            (query.number("start").unwrap_or(0).min(1000), query.number("count").unwrap_or(10).min(50));
        let found = async {
            let zim = book.zim().await?;
            let titles = if term.is_empty() { Vec::new() } else { zim.titles(&term, start + most).await? };
            Ok::<_, ZimError>((zim, titles))
        };
        let (zim, titles) = match found.await {
            Ok(found) => found,
            Err(error) => return broken("The list of titles", &error),
        };
        let mut list: Vec<serde_json::Value> = titles
            .iter()
            .skip(start)
            .map(|entry| {
                let title = String::from_utf8_lossy(entry.dirent.title()).into_owned();
                let path = encoded(&path_of(&zim, entry));
                serde_json::json!({ "value": title, "label": escape(&title), "kind": "path", "path": path })
            })
            .collect();
        if start == 0 && !term.is_empty() && book.full_text().await.is_some() {
            let label = format!("containing '{}'...", escape(&term));
            list.push(serde_json::json!({ "value": format!("{term} "), "label": label, "kind": "pattern" }));
        }
        Reply::text(StatusCode::OK, JSON, serde_json::Value::from(list).to_string())
    }

    /// To an article, any.
    pub(super) async fn random(&self, query: &Query) -> Reply {
        let books = self.library.books();
        let book = match query.book() {
            Some(name) => self.library.book(name),
            None => books.get(rand::random_range(0..books.len().max(1))).cloned(),
        };
        let Some(book) = book else { return no_book(query.book().unwrap_or_default()) };
        let any = async {
            let zim = book.zim().await?;
            let entry = zim.any(rand::random::<f64>()).await?;
            Ok::<_, ZimError>(entry.map(|entry| path_of(&zim, &entry)))
        };
        match any.await {
            Ok(Some(path)) => {
                super::html::redirect(&format!("{}{}", Way::Content.prefix(&book.name), encoded(&path)))
            }
            Ok(None) => page(StatusCode::NOT_FOUND, "No article", "<p>This book has no articles.</p>"),
            Err(error) => broken("An article", &error),
        }
    }
}

pub(super) fn no_book(name: &str) -> Reply {
    let sentence = match name {
        "" => "<p>Say in which book: with <code>content=</code> and its name.</p>".to_owned(),
        name => format!("<p>There is no book \u{201c}{}\u{201d} here.</p>", escape(name)),
    };
    page(
        StatusCode::NOT_FOUND,
        "No such book",
        &format!("{sentence}<p><a href=\"/?books\">All books</a></p>"),
    )
}

async fn in_book(
    book: &Arc<Book>,
    pattern: &str,
    start: usize,
    most: usize,
    answer: &mut Answer,
) -> Result<(), ZimError> {
    let zim = book.zim().await?;
    if let Some(index) = book.full_text().await {
        let language = book.details().await?.language;
        match index.search(pattern, &language, start, most).await {
            Ok(found) => {
                answer.by_text += 1;
                answer.total = answer.total.saturating_add(found.total);
                answer.hits.extend(found.hits.into_iter().map(|hit| hit_of(book, &zim, hit.path, hit.title)));
                return Ok(());
            }
            Err(error) => tracing::debug!(%error, "titles instead, in {}", book.name),
        }
    }
    answer.by_title += 1;
    // One more than a page, so that it is known whether there is another page.
    let titles = zim.titles(pattern, start.saturating_add(most).saturating_add(1)).await?;
    answer.total = answer.total.saturating_add(titles.len() as u64);
    answer.hits.extend(titles.iter().skip(start).take(most).map(|entry| Hit {
        book: book.name.clone(),
        path: path_of(&zim, entry),
        title: String::from_utf8_lossy(entry.dirent.title()).into_owned(),
    }));
    Ok(())
}

/// The index has a namespace before each path, whatever the file's own namespaces are.
fn hit_of(book: &Book, zim: &Zim, path: String, title: Option<String>) -> Hit {
    let bare =
        path.split_once('/').filter(|(namespace, _)| namespace.len() == 1).map(|(_, rest)| rest.to_owned());
    let shown = match (zim.header().has_new_namespaces(), bare) {
        (true, Some(bare)) => bare,
        _ => path,
    };
    let title = title.filter(|title| !title.is_empty()).unwrap_or_else(|| shown.replace('_', " "));
    Hit { book: book.name.clone(), path: shown.into_bytes(), title }
}

fn as_page(named: Option<&str>, pattern: &str, start: usize, most: usize, answer: &Answer) -> Reply {
    let searched = match (answer.by_text, answer.by_title) {
        (0, 0) => "Nothing could be searched.",
        (_, 0) => "Searched: the text of all articles.",
        (0, _) => "Searched: the beginnings of titles; there is no index of the text that can be read.",
        _ => {
            "Searched: the text of all articles; in books without an index that can be read, the beginnings of titles."
        }
    };
    let mut body = search_form(named, pattern);
    match answer.hits.is_empty() {
        true => body.push_str("<p>Nothing was found.</p>\n"),
        false => {
            body.push_str(&format!("<ol start=\"{}\">\n", start + 1));
            for hit in &answer.hits {
                let from = if named.is_none() {
                    format!(" <span class=\"quiet\">{}</span>", escape(&hit.book))
                } else {
                    String::new()
                };
                body.push_str(&format!("<li>{}{from}</li>\n", link(&hit.book, &hit.path, &hit.title)));
            }
            body.push_str("</ol>\n");
        }
    }
    let turn = |start: usize, words: &str| {
        let book = named.map(|name| format!("content={}&amp;", value(name))).unwrap_or_default();
        format!(
            "<a href=\"/search?{book}pattern={}&amp;start={start}&amp;pageLength={most}\">{words}</a> ",
            value(pattern)
        )
    };
    body.push_str("<p>");
    if start > 0 {
        body.push_str(&turn(start.saturating_sub(most), "Before"));
    }
    if answer.total > (start + answer.hits.len()) as u64 && !answer.hits.is_empty() {
        body.push_str(&turn(start + most, "More"));
    }
    body.push_str(&format!("</p><p class=\"quiet\">{searched}</p>"));
    page(StatusCode::OK, &format!("Search: {pattern}"), &body)
}

/// OpenSearch's response elements in RSS, as kiwix-serve answers `format=xml`.
fn as_rss(pattern: &str, start: usize, most: usize, answer: &Answer) -> Reply {
    let pattern = escape(pattern);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\" \
         xmlns:atom=\"http://www.w3.org/2005/Atom\">\n  <channel>\n    <title>Search: {pattern}</title>\n    \
         <description>Search result for {pattern}</description>\n    \
         <opensearch:totalResults>{}</opensearch:totalResults>\n    <opensearch:startIndex>{start}</opensearch:startIndex>\n    \
         <opensearch:itemsPerPage>{most}</opensearch:itemsPerPage>\n    \
         <atom:link rel=\"search\" type=\"application/opensearchdescription+xml\" href=\"/search/searchdescription.xml\"/>\n    \
         <opensearch:Query role=\"request\" searchTerms=\"{pattern}\" startIndex=\"{start}\" count=\"{most}\"/>\n",
        answer.total
    );
    for hit in &answer.hits {
        let url = format!("{}{}", Way::Content.prefix(&hit.book), encoded(&hit.path));
        text.push_str(&format!(
            "    <item>\n      <title>{}</title>\n      <link>{}</link>\n      <book><title>{}</title></book>\n    </item>\n",
            escape(&hit.title),
            escape(&url),
            escape(&hit.book)
        ));
    }
    text.push_str("  </channel>\n</rss>\n");
    Reply::text(StatusCode::OK, RSS, text)
}

/// For browsers that search from their address line.
pub(super) const DESCRIPTION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<OpenSearchDescription xmlns=\"http://a9.com/-/spec/opensearch/1.1/\">\n  <ShortName>peerflix</ShortName>\n  \
<Description>Search in the books of this server.</Description>\n  \
<Url type=\"text/html\" template=\"/search?pattern={searchTerms}\"/>\n  \
<Url type=\"application/rss+xml\" template=\"/search?pattern={searchTerms}&amp;format=xml&amp;start={startIndex?}&amp;pageLength={count?}\"/>\n\
</OpenSearchDescription>\n";
