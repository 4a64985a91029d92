//! The catalog of all books for programs (OPDS 1.2, OpenSearch), as kiwix-serve writes it.

mod feed;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use tokio::time::timeout;

pub use self::feed::written;
use self::feed::{Listed, NAVIGATION};
use super::super::library::{Book, Library};
use super::ask::Ask;
use super::errors;
use super::own;
use super::route::Catalog;
use crate::http::Reply;

const ACQUISITION: &str = "application/atom+xml;profile=opds-catalog;kind=acquisition";
const ONE_ENTRY: &str = "application/atom+xml;type=entry;profile=opds-catalog";
const OLD: &str = "application/atom+xml; profile=opds-catalog; kind=acquisition; charset=utf-8";
const DESCRIPTION: &str = "application/opensearchdescription+xml";

/// Books that have not said who they are within `patience` are listed by their names. `started` is the date of what has none.
pub async fn reply(
    library: &Library,
    catalog: &Catalog,
    patience: Duration,
    started: &str,
    ask: &Ask,
) -> Reply {
    let listed = async {
        let listed = library.books().into_iter().map(|book| listed(book, patience));
        join_all(listed).await
    };
    let (kind, text) = match catalog {
        Catalog::Root => (NAVIGATION, feed::root(started)),
        Catalog::SearchDescription => (DESCRIPTION, feed::description("/catalog/v2/entries")),
        Catalog::OldSearchDescription => (DESCRIPTION, feed::description("/catalog/search")),
        Catalog::Entries => (ACQUISITION, feed::entries(&chosen(listed.await, ask), true, started, ask)),
        Catalog::PartialEntries => {
            (ACQUISITION, feed::entries(&chosen(listed.await, ask), false, started, ask))
        }
        Catalog::Categories => (NAVIGATION, feed::categories(&listed.await, started)),
        Catalog::Languages => (NAVIGATION, feed::languages(&listed.await, started)),
        Catalog::OldRoot | Catalog::OldSearch => (OLD, feed::old(&chosen(listed.await, ask), started, ask)),
        Catalog::Entry(id) => match listed.await.iter().find(|listed| listed.id == *id) {
            Some(listed) => (ONE_ENTRY, feed::one(listed)),
            None => return errors::nothing(ask),
        },
    };
    own::guarded(Reply::text(StatusCode::OK, kind, text))
}

async fn listed(book: Arc<Book>, patience: Duration) -> Listed {
    let about = match timeout(patience, book.about()).await {
        Ok(Ok(about)) => about.clone(),
        _ => Default::default(),
    };
    let zim = timeout(patience, book.zim()).await.ok().and_then(Result::ok);
    let id = match zim {
        Some(zim) => feed::uuid(&zim.header().uuid),
        None => feed::made_uuid(&book.name),
    };
    Listed {
        id,
        name: book.name.clone(),
        title: book.title().to_owned(),
        length: book.archive.length(),
        about,
    }
}

/// Those that a query means, and how many there are.
struct Chosen {
    listed: Vec<Listed>,
    total: usize,
    from: usize,
}

fn chosen(listed: Vec<Listed>, ask: &Ask) -> Chosen {
    let given = |name: &str| ask.parameter(name).filter(|value| !value.is_empty());
    let (words, language, name, category, tag) =
        (given("q"), given("lang"), given("name"), given("category"), given("tag"));
    let most_size = ask.number("maxsize", usize::MAX).filter(|&size| size > 0);
    let is_meant = |one: &Listed| {
        let about = &one.about;
        let text = format!("{} {} {}", one.title, about.description, about.name).to_lowercase();
        words
            .as_ref()
            .is_none_or(|words| words.split_whitespace().all(|word| text.contains(&word.to_lowercase())))
            && language
                .as_ref()
                .is_none_or(|wanted| wanted.split(',').any(|one| about.language.split(',').any(|l| l == one)))
            && name.as_ref().is_none_or(|name| about.name == *name)
            && category.as_ref().is_none_or(|category| about.category == *category)
            && tag
                .as_ref()
                .is_none_or(|tag| tag.split(';').all(|tag| about.tags.split(';').any(|one| one == tag)))
            && most_size.is_none_or(|most| one.length <= most as u64)
    };
    let meant: Vec<Listed> = listed.into_iter().filter(is_meant).collect();
    let total = meant.len();
    let from = ask.number("start", total).unwrap_or_default();
    // Of kiwix-serve: a count of 0 is none of them, a negative one is all.
    let most = ask.number("count", total).unwrap_or(total);
    Chosen { listed: meant.into_iter().skip(from).take(most).collect(), total, from }
}
