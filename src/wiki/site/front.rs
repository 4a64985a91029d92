//! All books, with what they say of themselves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use tokio::time::timeout;

use super::super::library::{About, Book, Library};
use super::super::zim::ZimError;
use super::ask::Ask;
use super::bar;
use super::links::{encoded, escaped};
use super::own::{self, search_form};
use super::route::Tree;
use crate::http::Reply;
use crate::units::ByteSize;

/// All books; those that have not said who they are within `patience` are shown by their names.
pub async fn reply(library: &Library, patience: Duration, ask: &Ask) -> Reply {
    let books = library.books();
    let cards = join_all(books.iter().map(|book| async move {
        let about = timeout(patience, book.about()).await;
        card(book, about.ok())
    }));
    let cards = cards.await.concat();
    let waiting: String = library
        .waiting()
        .iter()
        .map(|(name, told)| {
            let (name, told) = (escaped(name), escaped(told));
            format!("<div><i></i><span><b>{name}</b><small>Its files are not known yet. {told}</small></span></div>\n")
        })
        .collect();
    let body = match (books.is_empty(), waiting.is_empty()) {
        (true, true) => "<h1>There are no books here</h1>\n".to_owned(),
        _ => {
            let search = match books.is_empty() {
                true => String::new(),
                false => search_form(&[], "", "Search all books"),
            };
            format!("<h1>Library</h1>\n{search}<div class=\"books\">\n{cards}{waiting}</div>\n")
        }
    };
    own::reply(StatusCode::OK, own::page("Library", &format!("{body}{}", bar::footer(ask))))
}

fn card(book: &Arc<Book>, about: Option<Result<&About, ZimError>>) -> String {
    let root = escaped(&Tree::Content.root(&book.name));
    let size = ByteSize(book.archive.length());
    let nothing = About::default();
    let (about, trouble) = match about {
        Some(Ok(about)) => (about, String::new()),
        Some(Err(error)) => (&nothing, format!("{error}. ")),
        None => (&nothing, format!("{} ", book.activity.sentence())),
    };
    let picture = match about.picture {
        Some(_) => {
            let source =
                escaped(&format!("/catalog/v2/illustration/{}/?size=48", encoded(book.name.as_bytes())));
            format!("<img src=\"{source}\" width=\"48\" height=\"48\" alt=\"\">")
        }
        None => "<i></i>".to_owned(),
    };
    let articles = match about.articles {
        0 => String::new(),
        1 => "1 article".to_owned(),
        articles => format!("{articles} articles"),
    };
    let facts = [about.language.clone(), about.date.clone(), articles, size.to_string()];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    format!(
        "<a href=\"{root}\">{picture}<span><b>{}</b><small>{}{}</small><small>{}</small></span></a>\n",
        escaped(book.title()),
        escaped(&trouble),
        escaped(&about.description),
        escaped(&facts.join(" · "))
    )
}

/// What newer kiwix-serves show in a frame: the address of a page stands behind a `#`, and no server sees it.
pub fn viewer(library: &Library) -> Reply {
    let links: String = library
        .books()
        .iter()
        .map(|book| {
            let root = escaped(&Tree::Content.root(&book.name));
            format!("<li><a href=\"{root}\">{}</a></li>\n", escaped(book.title()))
        })
        .collect();
    let body = format!(
        "<script>const at = location.hash.slice(1); location.replace(at ? '/content/' + at : '/');</script>\n\
         <h1>Library</h1>\n<ul class=\"found\">\n{links}</ul>\n"
    );
    own::reply(StatusCode::OK, own::page("Library", &body))
}
