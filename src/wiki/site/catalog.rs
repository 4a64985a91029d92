//! The catalogue of books as OPDS 1.2 (Atom), in the places where kiwix-serve has it, for programs that browse a server.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::join_all;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use quick_xml::escape::escape;

use super::Site;
use super::html::{broken, page};
use super::route::{Query, Way, encoded, value};
use super::search::no_book;
use crate::http::{Given, Reply};
use crate::wiki::library::{Book, Details};

const NAVIGATION: &str = "application/atom+xml;profile=opds-catalog;kind=navigation";
const ACQUISITION: &str = "application/atom+xml;profile=opds-catalog;kind=acquisition";
const ENTRY: &str = "application/atom+xml;type=entry;profile=opds-catalog";
const DESCRIPTION: &str = "application/opensearchdescription+xml";
const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const SPACES: &str = "xmlns=\"http://www.w3.org/2005/Atom\" xmlns:dc=\"http://purl.org/dc/terms/\" \
    xmlns:opds=\"https://specs.opds.io/opds-1.2\" xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\" \
    xmlns:thr=\"http://purl.org/syndication/thread/1.0\"";
/// Pictures of books have so many pixels.
const PICTURE: u32 = 48;

/// A book with what it says of itself.
struct Told {
    book: Arc<Book>,
    uuid: String,
    details: Details,
}

impl Site {
    /// `rest` is what follows `/catalog/`.
    pub(super) async fn catalog(&self, rest: &str, query: &Query) -> Reply {
        let now = rfc3339(SystemTime::now());
        match rest {
            "v2/root.xml" => xml(NAVIGATION, root(&now)),
            "v2/entries" | "v2/partial_entries" | "search" | "root.xml" => {
                let told = self.told(query).await;
                xml(ACQUISITION, entries(rest, &told, query, &now, rest == "v2/partial_entries"))
            }
            "v2/categories" => {
                let told = self.told(&Query::default()).await;
                xml(
                    NAVIGATION,
                    groups(
                        "v2/categories",
                        "List of categories",
                        "category",
                        counted(&told, |one| category(&one.details.tags)),
                        &now,
                    ),
                )
            }
            "v2/languages" => {
                let told = self.told(&Query::default()).await;
                xml(
                    NAVIGATION,
                    groups(
                        "v2/languages",
                        "List of languages",
                        "lang",
                        counted(&told, |one| one.details.language.clone()),
                        &now,
                    ),
                )
            }
            "v2/searchdescription.xml" | "searchdescription.xml" => xml(DESCRIPTION, search_description()),
            other => {
                if let Some(id) = other.strip_prefix("v2/entry/") {
                    let told = self.told(&Query::default()).await;
                    return match told
                        .iter()
                        .find(|one| one.uuid == id || format!("urn:uuid:{}", one.uuid) == id)
                    {
                        Some(one) => xml(ENTRY, format!("{XML}{}", entry(one, &now, false))),
                        None => no_book(id),
                    };
                }
                match other.strip_prefix("v2/illustration/") {
                    Some(rest) => self.illustration(rest.trim_end_matches('/'), query).await,
                    None => page(
                        StatusCode::NOT_FOUND,
                        "Nothing here",
                        "<p>The catalogue begins at <a href=\"/catalog/v2/root.xml\">/catalog/v2/root.xml</a>.</p>",
                    ),
                }
            }
        }
    }

    /// The picture of a book, by its name.
    async fn illustration(&self, name: &str, query: &Query) -> Reply {
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        let Some(book) = self.library.book(&name) else { return no_book(&name) };
        let size = query.number("size").and_then(|size| u32::try_from(size).ok()).unwrap_or(PICTURE);
        let found = async { book.zim().await?.illustration(size).await };
        match found.await {
            Ok(Some((bytes, kind))) => {
                let mut reply = Reply { content: Given::Text(bytes), ..Reply::bare(StatusCode::OK) };
                super::content::guard(&mut reply.headers);
                if let Ok(kind) = HeaderValue::try_from(kind) {
                    reply.headers.insert(CONTENT_TYPE, kind);
                }
                reply
            }
            Ok(None) => {
                page(StatusCode::NOT_FOUND, "No picture", "<p>This book has no picture of itself.</p>")
            }
            Err(error) => broken("The picture", &error),
        }
    }

    /// The books that a query means, with what they say of themselves; those that cannot be read are left out.
    async fn told(&self, query: &Query) -> Vec<Told> {
        let tell = |book: Arc<Book>| async move {
            let (zim, details) = (book.zim().await.ok()?, book.details().await.ok()?);
            Some(Told { uuid: uuid(&zim.header().uuid), book, details })
        };
        let told = join_all(self.library.books().into_iter().map(tell)).await;
        told.into_iter().flatten().filter(|one| is_meant(one, query)).collect()
    }
}

fn is_meant(one: &Told, query: &Query) -> bool {
    let Details { title, description, language, name, tags, .. } = &one.details;
    let has = |text: &str, wanted: &str| text.to_lowercase().contains(&wanted.to_lowercase());
    let tagged = |wanted: &str| tags.split(';').any(|tag| tag.eq_ignore_ascii_case(wanted));
    query.text("q").is_none_or(|wanted| {
        wanted.split_whitespace().all(|word| has(title, word) || has(description, word) || has(name, word))
    }) && query.text("lang").is_none_or(|wanted| {
        wanted.is_empty() || wanted.split(',').any(|wanted| language.split(',').any(|one| one == wanted))
    }) && query
        .text("name")
        .is_none_or(|wanted| wanted.is_empty() || wanted == name || wanted == one.book.name)
        && query.text("category").is_none_or(|wanted| wanted.is_empty() || wanted == category(tags))
        && query.all("tag").flat_map(|tags| tags.split(';')).filter(|tag| !tag.is_empty()).all(tagged)
        && !query.all("notag").flat_map(|tags| tags.split(';')).filter(|tag| !tag.is_empty()).any(tagged)
        && query.number("maxsize").is_none_or(|most| one.book.archive.length() <= most as u64)
}

fn xml(kind: &'static str, text: String) -> Reply {
    Reply::text(StatusCode::OK, kind, text)
}

/// RFC 3339, to the second.
fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

fn uuid(bytes: &[u8; 16]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    parts.join("-")
}

/// As a feed's id: of the same place always the same.
fn id_of(place: &str) -> String {
    use md5::Digest;
    uuid(&md5::Md5::digest(place.as_bytes()).into())
}

fn feed(place: &str, title: &str, kind: &str, now: &str, content: &str) -> String {
    format!(
        "{XML}<feed {SPACES}>\n  <id>{}</id>\n  <link rel=\"self\" href=\"/catalog/{place}\" type=\"{kind}\"/>\n  \
         <link rel=\"start\" href=\"/catalog/v2/root.xml\" type=\"{NAVIGATION}\"/>\n  \
         <link rel=\"search\" href=\"/catalog/v2/searchdescription.xml\" type=\"{DESCRIPTION}\"/>\n  \
         <title>{title}</title>\n  <updated>{now}</updated>\n{content}</feed>\n",
        id_of(place)
    )
}

fn root(now: &str) -> String {
    let sections = [
        ("v2/entries", "All entries", "All entries from this catalog.", ACQUISITION),
        (
            "v2/partial_entries",
            "All entries (partial)",
            "All entries from this catalog in partial format.",
            ACQUISITION,
        ),
        ("v2/categories", "List of categories", "List of all categories in this catalog.", NAVIGATION),
        ("v2/languages", "List of languages", "List of all languages in this catalog.", NAVIGATION),
    ];
    let sections = sections.map(|(place, title, text, kind)| {
        format!(
            "  <entry>\n    <title>{title}</title>\n    <link rel=\"subsection\" href=\"/catalog/{place}\" type=\"{kind}\"/>\n    \
             <updated>{now}</updated>\n    <id>{}</id>\n    <content type=\"text\">{text}</content>\n  </entry>\n",
            id_of(place)
        )
    });
    feed("v2/root.xml", "OPDS Catalog Root", NAVIGATION, now, &sections.concat())
}

fn entries(place: &str, told: &[Told], query: &Query, now: &str, is_partial: bool) -> String {
    let start = query.number("start").unwrap_or(0);
    // -1 and nothing mean all.
    let most = query.number("count").filter(|&count| count > 0).unwrap_or(usize::MAX);
    let shown: Vec<String> =
        told.iter().skip(start).take(most).map(|one| entry(one, now, is_partial)).collect();
    let numbers = format!(
        "  <opensearch:totalResults>{}</opensearch:totalResults>\n  <opensearch:startIndex>{start}</opensearch:startIndex>\n  \
         <opensearch:itemsPerPage>{}</opensearch:itemsPerPage>\n",
        told.len(),
        shown.len()
    );
    feed(place, "All Entries", ACQUISITION, now, &format!("{numbers}{}", shown.concat()))
}

fn entry(one: &Told, now: &str, is_partial: bool) -> String {
    let Details {
        title,
        description,
        language,
        name,
        flavour,
        tags,
        creator,
        publisher,
        date,
        articles,
        media,
    } = &one.details;
    // A date may be anything; only what looks like one is passed on as one.
    let is_date = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let updated = if is_date { format!("{date}T00:00:00Z") } else { now.to_owned() };
    let head = format!(
        "  <entry>\n    <id>urn:uuid:{}</id>\n    <title>{}</title>\n    <updated>{updated}</updated>\n",
        one.uuid,
        escape(title)
    );
    if is_partial {
        return format!(
            "{head}    <link rel=\"alternate\" href=\"/catalog/v2/entry/{}\" type=\"{ENTRY}\"/>\n  </entry>\n",
            one.uuid
        );
    }
    let path = encoded(one.book.name.as_bytes());
    format!(
        "{head}    <summary>{}</summary>\n    <language>{}</language>\n    <name>{}</name>\n    <flavour>{}</flavour>\n    \
         <category>{}</category>\n    <tags>{}</tags>\n    <articleCount>{articles}</articleCount>\n    <mediaCount>{media}</mediaCount>\n    \
         <link rel=\"http://opds-spec.org/image/thumbnail\" href=\"/catalog/v2/illustration/{path}/?size={PICTURE}\" \
         type=\"image/png;width={PICTURE};height={PICTURE};scale=1\"/>\n    \
         <link type=\"text/html\" href=\"{}\"/>\n    <author><name>{}</name></author>\n    <publisher><name>{}</name></publisher>\n    \
         <dc:issued>{updated}</dc:issued>\n  </entry>\n",
        escape(description),
        escape(language),
        escape(name),
        escape(flavour),
        escape(&category(tags)),
        escape(tags),
        Way::Content.prefix(&one.book.name),
        escape(creator),
        escape(publisher),
    )
}

fn category(tags: &str) -> String {
    tags.split(';').find_map(|tag| tag.strip_prefix("_category:")).unwrap_or_default().to_owned()
}

/// How many books there are of each kind, in the order of the kinds' names; those that tell none are left out.
fn counted(told: &[Told], of: impl Fn(&Told) -> String) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for kind in told.iter().flat_map(|one| of(one).split(',').map(str::to_owned).collect::<Vec<_>>()) {
        if !kind.is_empty() {
            *counts.entry(kind).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}

fn groups(place: &str, title: &str, field: &str, groups: Vec<(String, usize)>, now: &str) -> String {
    let one = |(name, count): (String, usize)| {
        let language = if field == "lang" {
            format!("    <dc:language>{}</dc:language>\n", escape(&name))
        } else {
            String::new()
        };
        format!(
            "  <entry>\n    <title>{}</title>\n{language}    <thr:count>{count}</thr:count>\n    \
             <link rel=\"subsection\" href=\"/catalog/v2/entries?{field}={}\" type=\"{ACQUISITION}\"/>\n    \
             <updated>{now}</updated>\n    <id>{}</id>\n    <content type=\"text\">{count}</content>\n  </entry>\n",
            escape(&name),
            value(&name),
            id_of(&format!("{place}/{name}"))
        )
    };
    feed(place, title, NAVIGATION, now, &groups.into_iter().map(one).collect::<String>())
}

fn search_description() -> String {
    format!(
        "{XML}<OpenSearchDescription xmlns=\"http://a9.com/-/spec/opensearch/1.1/\">\n  <ShortName>Zim catalog search</ShortName>\n  \
         <Description>Search zim files in the catalog.</Description>\n  <Url type=\"application/atom+xml;profile=opds-catalog\" \
         xmlns:atom=\"http://www.w3.org/2005/Atom\" xmlns:k=\"http://kiwix.org/opensearchextension/1.0\" indexOffset=\"0\" \
         template=\"/catalog/v2/entries?q={{searchTerms?}}&amp;lang={{language?}}&amp;name={{k:name?}}&amp;tag={{k:tag?}}&amp;notag={{k:notag?}}\
&amp;maxsize={{k:maxsize?}}&amp;count={{count?}}&amp;start={{startIndex?}}\"/>\n</OpenSearchDescription>\n"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let dates = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_799, "2024-02-28T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
        ];
        for (seconds, date) in dates {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }

    #[test]
    fn a_category_is_a_tag() {
        assert_eq!(category("wikipedia;_category:wikipedia;_ftindex:yes"), "wikipedia");
        assert_eq!(category(""), "");
    }
}
