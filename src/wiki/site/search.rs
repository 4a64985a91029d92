//! Search in the text of articles where a book has an index that can be read, in titles where not; and suggestions.

use std::cmp::Ordering;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::library::Book;
use super::super::zim::{Entry, Zim, ZimError};
use super::ask::Ask;
use super::find::path_of;
use super::links::{encoded, encoded_value, escaped};
use super::own::{self, search_form};
use super::route::Tree;
use super::{bar, errors};
use crate::http::Reply;

/// On one page, if the reader does not say.
const USUAL: usize = 25;
const MOST: usize = 100;
/// Nobody looks further, and every book has to be asked for all that comes before.
const FURTHEST: usize = 5000;
const SUGGESTIONS: usize = 10;
const RSS: &str = "application/rss+xml; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// What is asked for.
struct Question {
    pattern: String,
    /// The first one that is shown, from 0.
    from: usize,
    page: usize,
}

struct Hit {
    title: String,
    href: String,
    book: String,
    weight: f64,
}

/// What one book answers.
struct Answer {
    hits: Vec<Hit>,
    /// Of the whole book, about.
    total: u64,
    searched: Searched,
    /// Titles that begin so.
    titles: Vec<Hit>,
}

enum Searched {
    Texts,
    Titles,
    Nothing(ZimError),
}

/// `books` are those that are searched.
pub async fn reply(books: &[Arc<Book>], ask: &Ask) -> Reply {
    let pattern = ask.parameter("pattern").unwrap_or_default().trim().to_owned();
    if pattern.is_empty() {
        return errors::not_understood("What is to be looked for?", ask);
    }
    if books.is_empty() {
        return errors::nothing(ask);
    }
    // As in kiwix-serve, the first one is number 1; older links count from 0.
    let from = ask.number("start", FURTHEST).unwrap_or_default().saturating_sub(1);
    let page = ask.number("pageLength", MOST).filter(|&page| page > 0).unwrap_or(USUAL);
    let question = Question { pattern, from, page };
    let (first, most) = match books.len() {
        1 => (from, page),
        // Which of them come first is known when all are there.
        _ => (0, from.saturating_add(page)),
    };
    let answers = join_all(books.iter().map(|book| answer(book, &question, first, most))).await;
    if ask.parameter("format").as_deref() == Some("xml") {
        return rss(books, &question, answers, ask);
    }
    own::reply(StatusCode::OK, page_of(books, &question, answers, ask))
}

async fn answer(book: &Arc<Book>, question: &Question, from: usize, most: usize) -> Answer {
    match try_answer(book, question, from, most).await {
        Ok(answer) => answer,
        Err(error) => {
            Answer { hits: Vec::new(), total: 0, searched: Searched::Nothing(error), titles: Vec::new() }
        }
    }
}

async fn try_answer(
    book: &Arc<Book>,
    question: &Question,
    from: usize,
    most: usize,
) -> Result<Answer, ZimError> {
    let zim = book.zim().await?;
    let in_titles = async {
        let found = zim.titles(&question.pattern, from.saturating_add(most).saturating_add(1)).await;
        found.map(|found| found.into_iter().map(|entry| hit_of(book, &zim, &entry)).collect::<Vec<_>>())
    };
    let (found, titles) = join(in_texts(book, question, from, most), in_titles).await;
    Ok(match found {
        Some((hits, total)) => {
            let titles = titles.unwrap_or_default().into_iter().take(USUAL / 5).collect();
            Answer { hits, total, searched: Searched::Texts, titles }
        }
        None => {
            let titles = titles?;
            let total = titles.len() as u64;
            let hits = titles.into_iter().skip(from).take(most).collect();
            Answer { hits, total, searched: Searched::Titles, titles: Vec::new() }
        }
    })
}

/// `None`: there is no index, or none that can be read.
async fn in_texts(
    book: &Arc<Book>,
    question: &Question,
    from: usize,
    most: usize,
) -> Option<(Vec<Hit>, u64)> {
    let index = book.full_text().await?;
    let zim = book.zim().await.ok()?;
    let language = zim.metadata("Language").await.ok().flatten().unwrap_or_default();
    let language = String::from_utf8_lossy(&language).into_owned();
    let found = match index.search(&question.pattern, language.trim(), from, most).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, book = book.name, "the full-text index does not answer");
            return None;
        }
    };
    let is_new = zim.header().has_new_namespaces();
    let hits = found.hits.into_iter().map(|hit| {
        let path = match hit.path.strip_prefix("C/") {
            Some(path) if is_new => path,
            _ => &hit.path,
        };
        let title = hit.title.filter(|title| !title.is_empty()).unwrap_or_else(|| title_of(path));
        let href = Tree::Content.root(&book.name) + &encoded(path.as_bytes());
        Hit { title, href, book: book.name.clone(), weight: hit.weight }
    });
    Some((hits.collect(), found.total))
}

fn hit_of(book: &Book, zim: &Zim, entry: &Entry) -> Hit {
    let title = String::from_utf8_lossy(entry.dirent.title()).into_owned();
    let href = Tree::Content.root(&book.name) + &encoded(&path_of(zim.header(), &entry.dirent));
    Hit { title, href, book: book.name.clone(), weight: 0.0 }
}

/// Where nobody tells it.
fn title_of(path: &str) -> String {
    let name = path.strip_prefix("A/").unwrap_or(path);
    name.strip_suffix(".html").unwrap_or(name).replace('_', " ")
}

/// The hits of this page, the best of all books first.
fn merged(answers: &mut [Answer], question: &Question) -> Vec<Hit> {
    let is_one = answers.len() == 1;
    let mut hits: Vec<Hit> = answers.iter_mut().flat_map(|answer| std::mem::take(&mut answer.hits)).collect();
    hits.sort_by(|a, b| b.weight.partial_cmp(&a.weight).unwrap_or(Ordering::Equal));
    let skipped = if is_one { 0 } else { question.from };
    hits.into_iter().skip(skipped).take(question.page).collect()
}

fn page_of(books: &[Arc<Book>], question: &Question, mut answers: Vec<Answer>, ask: &Ask) -> String {
    let total = answers.iter().fold(0u64, |sum, answer| sum.saturating_add(answer.total));
    let titles: Vec<Hit> = answers.iter_mut().flat_map(|answer| std::mem::take(&mut answer.titles)).collect();
    let hits = merged(&mut answers, question);
    let names: Vec<String> = match books {
        [one] => vec![one.name.clone()],
        _ => ask.all("books.name").collect(),
    };
    let hint = match books {
        [one] => format!("Search {}", one.title()),
        _ => "Search all books".to_owned(),
    };
    let pattern = escaped(&question.pattern);
    let mut body = search_form(&names, &question.pattern, &hint);
    body.push_str(&format!("<h1>{pattern}</h1>\n<p class=\"soft\">{}</p>\n", told(books, &answers)));
    if question.from == 0 && !titles.is_empty() {
        let items = list(&titles, books.len() > 1);
        body.push_str(&format!("<h2>Titles that begin so</h2>\n{items}<h2>In texts</h2>\n"));
    }
    if hits.is_empty() {
        body.push_str("<p>Nothing was found.</p>\n");
    } else {
        let last = question.from.saturating_add(hits.len());
        // The titles were counted up to the first that is not shown.
        let is_about =
            answers.iter().any(|answer| matches!(answer.searched, Searched::Titles)) && total > last as u64;
        let of = if is_about { "more".to_owned() } else { total.max(last as u64).to_string() };
        body.push_str(&format!(
            "<p class=\"soft\">{} to {last} of {of}</p>\n",
            question.from.saturating_add(1)
        ));
        body.push_str(&list(&hits, books.len() > 1));
        body.push_str(&turning(&names, question, total));
    }
    body.push_str(&bar::footer(ask));
    own::page(&format!("Search: {}", question.pattern), &body)
}

/// What was searched, and what could not be.
fn told(books: &[Arc<Book>], answers: &[Answer]) -> String {
    let sentences = books.iter().zip(answers).map(|(book, answer)| {
        let title = escaped(book.title());
        match &answer.searched {
            Searched::Texts => format!("Searched the texts of all articles in {title}."),
            Searched::Titles => format!(
                "{title} has no full-text index that can be read, so these are titles that begin with the words."
            ),
            Searched::Nothing(error) => format!("{title} could not be searched: {}.", escaped(&error.to_string())),
        }
    });
    sentences.collect::<Vec<_>>().join("<br>\n")
}

fn list(hits: &[Hit], with_books: bool) -> String {
    let items = hits.iter().map(|hit| {
        let book = match with_books {
            true => format!(" <small>{}</small>", escaped(&hit.book)),
            false => String::new(),
        };
        format!("<li><a href=\"{}\">{}</a>{book}</li>\n", escaped(&hit.href), escaped(&hit.title))
    });
    format!("<ul class=\"found\">\n{}</ul>\n", items.collect::<String>())
}

/// To the pages before and behind.
fn turning(names: &[String], question: &Question, total: u64) -> String {
    let books: String = names.iter().map(|name| format!("&books.name={}", encoded_value(name))).collect();
    let link = |from: usize, rel: &str, label: &str| {
        let href = format!(
            "/search?pattern={}{books}&start={}&pageLength={}",
            encoded_value(&question.pattern),
            from.saturating_add(1),
            question.page
        );
        format!("<a href=\"{}\" rel=\"{rel}\">{label}</a>\n", escaped(&href))
    };
    let behind = question.from.saturating_add(question.page);
    let before =
        (question.from > 0).then(|| link(question.from.saturating_sub(question.page), "prev", "Before"));
    let next = (total > behind as u64 && behind < FURTHEST).then(|| link(behind, "next", "More"));
    match (before, next) {
        (None, None) => String::new(),
        (before, next) => {
            format!("<p class=\"pages\">{}{}</p>\n", before.unwrap_or_default(), next.unwrap_or_default())
        }
    }
}

/// For programs, as kiwix-serve answers `format=xml`.
fn rss(books: &[Arc<Book>], question: &Question, mut answers: Vec<Answer>, ask: &Ask) -> Reply {
    let total = answers.iter().fold(0u64, |sum, answer| sum.saturating_add(answer.total));
    let hits = merged(&mut answers, question);
    let items: String = hits
        .iter()
        .map(|hit| {
            let book = books.iter().find(|book| book.name == hit.book).map_or("", |book| book.title());
            format!(
                "    <item>\n      <title>{}</title>\n      <link>{}</link>\n      <book>\n        <title>{}</title>\n      </book>\n    \
                 </item>\n",
                escaped(&hit.title),
                escaped(&hit.href),
                escaped(book)
            )
        })
        .collect();
    let (pattern, start) = (escaped(&question.pattern), question.from.saturating_add(1));
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"\n     \
         xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\"\n     xmlns:atom=\"http://www.w3.org/2005/Atom\">\n  <channel>\n    \
         <title>Search: {pattern}</title>\n    <link>{}</link>\n    <description>Search result for {pattern}</description>\n    \
         <opensearch:totalResults>{total}</opensearch:totalResults>\n    <opensearch:startIndex>{start}</opensearch:startIndex>\n    \
         <opensearch:itemsPerPage>{page}</opensearch:itemsPerPage>\n    <opensearch:Query role=\"request\"\n      \
         searchTerms=\"{pattern}\"\n      startIndex=\"{start}\"\n      count=\"{page}\"\n    />\n{items}  </channel>\n</rss>\n",
        escaped(&ask.address()),
        page = question.page,
    );
    own::guarded(Reply::text(StatusCode::OK, RSS, text))
}

/// Titles that begin as a reader types, as kiwix-serve answers them.
pub async fn suggest(book: &Arc<Book>, ask: &Ask) -> Result<Reply, ZimError> {
    let term = ask.parameter("term").unwrap_or_default();
    let from = ask.number("start", FURTHEST).unwrap_or_default();
    let count = ask.number("count", MOST).unwrap_or(SUGGESTIONS);
    let zim = book.zim().await?;
    let found = match term.trim().is_empty() {
        true => Vec::new(),
        false => zim.titles(term.trim(), from.saturating_add(count)).await?,
    };
    let found = found.iter().skip(from).map(|entry| {
        let title = String::from_utf8_lossy(entry.dirent.title()).into_owned();
        let path = path_of(zim.header(), &entry.dirent);
        json!({
            "value": title,
            "label": marked(&title, term.trim()),
            "kind": "path",
            "path": String::from_utf8_lossy(&path),
        })
    });
    let mut suggestions: Vec<Value> = found.collect();
    if !term.trim().is_empty() {
        let label = format!("containing &apos;{}&apos;...", escaped(&term));
        suggestions.push(json!({ "value": format!("{term} "), "label": label, "kind": "pattern" }));
    }
    Ok(own::guarded(Reply::text(StatusCode::OK, JSON, Value::from(suggestions).to_string())))
}

/// The title as HTML, with its beginning that was typed in bold.
fn marked(title: &str, typed: &str) -> String {
    let end = title.char_indices().nth(typed.chars().count()).map_or(title.len(), |(at, _)| at);
    let (beginning, rest) = title.split_at_checked(end).unwrap_or((title, ""));
    format!("<b>{}</b>{}", escaped(beginning), escaped(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_marked_in_the_title() {
        assert_eq!(marked("Paris <x>", "par"), "<b>Par</b>is &lt;x&gt;");
        assert_eq!(marked("Été", "ét"), "<b>Ét</b>é");
        assert_eq!(marked("a", "abc"), "<b>a</b>");
    }

    #[test]
    fn of_a_path_the_title_is_guessed() {
        assert_eq!(title_of("A/Eiffel_Tower.html"), "Eiffel Tower");
        assert_eq!(title_of("AC/DC"), "AC/DC");
    }

    fn turned(from: usize, total: u64) -> String {
        turning(&["w".to_owned()], &Question { pattern: "a b".to_owned(), from, page: 25 }, total)
    }

    #[test]
    fn pages_of_hits_are_turned() {
        assert_eq!(turned(0, 25), "");
        assert!(turned(0, 26).contains("?pattern=a%20b&amp;books.name=w&amp;start=26&amp;pageLength=25"));
        let middle = turned(30, 100);
        assert!(middle.contains("start=6&") && middle.contains("start=56&"));
        assert!(!turned(FURTHEST, u64::MAX).contains("next"));
    }
}
