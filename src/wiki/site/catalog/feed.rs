//! Books and lists of books as Atom. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use isolang::Language;
use md5::{Digest, Md5};

use super::super::super::library::About;
use super::super::ask::Ask;
use super::super::links::{encoded, encoded_value, escaped};
use super::super::route::Tree;
use super::{ACQUISITION, Chosen};

pub const NAVIGATION: &str = "application/atom+xml;profile=opds-catalog;kind=navigation";
const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A book in a list.
pub struct Listed {
    pub id: String,
    /// In URLs.
    pub name: String,
    pub title: String,
    pub length: u64,
    pub about: About,
}

/// `8-4-4-4-12` hexadecimal digits.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let mut digits = HEXLOWER.encode(bytes);
    for at in [20, 16, 12, 8] {
        digits.insert(at, '-');
    }
    digits
}

/// The same name has the same, in every run.
pub fn made_uuid(name: &str) -> String {
    uuid(&Md5::digest(name.as_bytes()).into())
}

/// RFC 3339, in UTC.
pub fn written(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`, for days that are never negative.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

fn link(rel: &str, href: &str, kind: &str) -> String {
    format!("  <link rel=\"{rel}\"\n        href=\"{}\"\n        type=\"{kind}\"/>\n", escaped(href))
}

fn head(name: &str, own_href: &str, own_kind: &str, title: &str, started: &str) -> String {
    format!(
        "{XML}<feed xmlns=\"http://www.w3.org/2005/Atom\"\n      xmlns:dc=\"http://purl.org/dc/terms/\"\n      \
         xmlns:opds=\"https://specs.opds.io/opds-1.2\"\n      xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\"\n      \
         xmlns:thr=\"http://purl.org/syndication/thread/1.0\">\n  <id>{}</id>\n{}{}  <title>{}</title>\n  <updated>{started}</updated>\n",
        made_uuid(name),
        link("self", own_href, own_kind),
        link("start", "/catalog/v2/root.xml", NAVIGATION),
        escaped(title),
    )
}

pub fn root(started: &str) -> String {
    let mut text = head("root", "/catalog/v2/root.xml", NAVIGATION, "OPDS Catalog Root", started);
    text.push_str(&link(
        "search",
        "/catalog/v2/searchdescription.xml",
        "application/opensearchdescription+xml",
    ));
    for (path, title, content, kind) in [
        ("entries", "All entries", "All entries from this catalog.", ACQUISITION),
        (
            "partial_entries",
            "All entries (partial)",
            "All entries from this catalog in partial format.",
            ACQUISITION,
        ),
        ("categories", "List of categories", "List of all categories in this catalog.", NAVIGATION),
        ("languages", "List of languages", "List of all languages in this catalog.", NAVIGATION),
    ] {
        let href = format!("/catalog/v2/{path}");
        text.push_str(&format!(
            "  <entry>\n    <title>{title}</title>\n  {}    <updated>{started}</updated>\n    <id>{}</id>\n    \
             <content type=\"text\">{content}</content>\n  </entry>\n",
            link("subsection", &href, kind),
            made_uuid(path),
        ));
    }
    text + "</feed>\n"
}

/// A search over books; `at` is where it is answered.
pub fn description(at: &str) -> String {
    format!(
        "{XML}<OpenSearchDescription xmlns=\"http://a9.com/-/spec/opensearch/1.1/\">\n  \
         <ShortName>Zim catalog search</ShortName>\n  <Description>Search zim files in the catalog.</Description>\n  \
         <Url type=\"{ACQUISITION}\"\n       xmlns:atom=\"http://www.w3.org/2005/Atom\"\n       \
         xmlns:k=\"http://kiwix.org/opensearchextension/1.0\"\n       indexOffset=\"0\"\n       \
         template=\"{at}?q={{searchTerms?}}&amp;lang={{language?}}&amp;name={{k:name?}}&amp;tag={{k:tag?}}&amp;maxsize={{k:maxsize?}}\
         &amp;count={{count?}}&amp;start={{startIndex?}}\"/>\n</OpenSearchDescription>\n"
    )
}

fn updated(about: &About, otherwise: &str) -> String {
    let is_date =
        about.date.len() == 10 && about.date.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    if is_date { format!("{}T00:00:00Z", about.date) } else { otherwise.to_owned() }
}

/// With everything that is known.
fn whole(listed: &Listed) -> String {
    let Listed { id, name, title, about, length } = listed;
    let day = updated(about, "1970-01-01T00:00:00Z");
    let path = encoded(name.as_bytes());
    let picture = match &about.picture {
        Some((_, kind)) => format!(
            "    <link rel=\"http://opds-spec.org/image/thumbnail\"\n          \
             href=\"/catalog/v2/illustration/{path}/?size=48\"\n          type=\"{};width=48;height=48;scale=1\"/>\n",
            escaped(kind)
        ),
        None => String::new(),
    };
    let root = Tree::Content.root(name);
    format!(
        "  <entry>\n    <id>urn:uuid:{id}</id>\n    <title>{}</title>\n    <updated>{day}</updated>\n    <summary>{}</summary>\n    \
         <language>{}</language>\n    <name>{}</name>\n    <flavour>{}</flavour>\n    <category>{}</category>\n    <tags>{}</tags>\n    \
         <articleCount>{}</articleCount>\n    <mediaCount>{}</mediaCount>\n{picture}    \
         <link type=\"text/html\" href=\"{}\" length=\"{length}\"/>\n    <author>\n      <name>{}</name>\n    </author>\n    <publisher>\n      \
         <name>{}</name>\n    </publisher>\n    <dc:issued>{day}</dc:issued>\n  </entry>\n",
        escaped(title),
        escaped(&about.description),
        escaped(&about.language),
        escaped(&about.name),
        escaped(&about.flavour),
        escaped(&about.category),
        escaped(&about.tags),
        about.articles,
        about.media,
        escaped(root.trim_end_matches('/')),
        escaped(&about.creator),
        escaped(&about.publisher),
    )
}

fn partial(listed: &Listed, started: &str) -> String {
    let Listed { id, title, about, .. } = listed;
    format!(
        "  <entry>\n    <id>urn:uuid:{id}</id>\n    <title>{}</title>\n    <updated>{}</updated>\n    <link rel=\"alternate\"\n          \
         href=\"/catalog/v2/entry/{id}\"\n          type=\"application/atom+xml;type=entry;profile=opds-catalog\"/>\n  </entry>\n",
        escaped(title),
        updated(about, started),
    )
}

/// One book alone.
pub fn one(listed: &Listed) -> String {
    let entry = whole(listed);
    let spaces = "<entry xmlns=\"http://www.w3.org/2005/Atom\" xmlns:dc=\"http://purl.org/dc/terms/\">";
    format!("{XML}{}", entry.replacen("  <entry>", spaces, 1))
}

fn counts(chosen: &Chosen) -> String {
    format!(
        "  <totalResults>{}</totalResults>\n  <startIndex>{}</startIndex>\n  <itemsPerPage>{}</itemsPerPage>\n",
        chosen.total,
        chosen.from,
        chosen.listed.len()
    )
}

pub fn entries(chosen: &Chosen, is_whole: bool, started: &str, ask: &Ask) -> String {
    let title = match ask.query() {
        Some(query) if !query.is_empty() => format!("Filtered Entries ({query})"),
        _ => "All Entries".to_owned(),
    };
    let mut text = head(&ask.address(), &ask.address(), ACQUISITION, &title, started);
    text.push_str(&link("up", "/catalog/v2/root.xml", NAVIGATION));
    text.push_str(&counts(chosen));
    for listed in &chosen.listed {
        text.push_str(&if is_whole { whole(listed) } else { partial(listed, started) });
    }
    text + "</feed>\n"
}

/// Of the catalog's first version.
pub fn old(chosen: &Chosen, started: &str, ask: &Ask) -> String {
    let title = match ask.query() {
        Some(query) if !query.is_empty() => format!("Filtered zims ({query})"),
        _ => "All zims".to_owned(),
    };
    let mut text = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"\n      xmlns:dc=\"http://purl.org/dc/terms/\"\n      \
         xmlns:opds=\"http://opds-spec.org/2010/catalog\">\n  <id>{}</id>\n  <title>{}</title>\n  <updated>{started}</updated>\n{}",
        made_uuid(&ask.address()),
        escaped(&title),
        counts(chosen),
    );
    text.push_str(&link("self", &ask.address(), "application/atom+xml"));
    text.push_str(&link("search", "/catalog/searchdescription.xml", "application/opensearchdescription+xml"));
    for listed in &chosen.listed {
        text.push_str(&whole(listed));
    }
    text + "</feed>\n"
}

/// Each of the values with the number of books that have it.
fn counted<'a>(values: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counted = BTreeMap::new();
    for value in values.filter(|value| !value.is_empty()) {
        *counted.entry(value).or_default() += 1;
    }
    counted
}

fn subsection(name: &str, title: &str, parameter: &str, about: &str, started: &str) -> String {
    let href = format!("/catalog/v2/entries?{parameter}={}", encoded_value(name));
    format!(
        "  <entry>\n    <title>{}</title>\n{about}  {}    <updated>{started}</updated>\n    <id>{}</id>\n  </entry>\n",
        escaped(title),
        link("subsection", &href, ACQUISITION),
        made_uuid(&href),
    )
}

pub fn categories(listed: &[Listed], started: &str) -> String {
    let mut text = head("categories", "/catalog/v2/categories", NAVIGATION, "List of categories", started);
    for (category, _) in counted(listed.iter().map(|listed| listed.about.category.as_str())) {
        let about = format!(
            "    <content type=\"text\">All entries with category of '{}'.</content>\n",
            escaped(category)
        );
        text.push_str(&subsection(category, category, "category", &about, started));
    }
    text + "</feed>\n"
}

pub fn languages(listed: &[Listed], started: &str) -> String {
    let mut text = head("languages", "/catalog/v2/languages", NAVIGATION, "List of languages", started);
    for (code, count) in counted(listed.iter().flat_map(|listed| listed.about.language.split(','))) {
        let language = Language::from_639_3(code).or_else(|| Language::from_639_1(code));
        let title = language.map_or(code, |language| language.to_autonym().unwrap_or(language.to_name()));
        let about =
            format!("    <dc:language>{}</dc:language>\n    <thr:count>{count}</thr:count>\n", escaped(code));
        text.push_str(&subsection(code, title, "lang", &about, started));
    }
    text + "</feed>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_atom_wants_them() {
        let at = |seconds| written(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn identities_look_like_identities() {
        assert_eq!(uuid(&[7; 16]), "07070707-0707-0707-0707-070707070707");
        assert_eq!(made_uuid("x"), made_uuid("x"));
        assert_ne!(made_uuid("x"), made_uuid("y"));
    }

    fn listed() -> Listed {
        let about = About {
            language: "bel,eng".to_owned(),
            date: "2024-01-31".to_owned(),
            description: "<b> & co".to_owned(),
            category: "wiki\"pedia".to_owned(),
            ..About::default()
        };
        Listed { id: uuid(&[7; 16]), name: "a b".to_owned(), title: "A & B".to_owned(), length: 5, about }
    }

    fn is_xml(text: &str) {
        let mut reader = quick_xml::Reader::from_str(text);
        loop {
            match reader.read_event() {
                Ok(quick_xml::events::Event::Eof) => return,
                Ok(_) => {}
                Err(error) => panic!("{error} in {text}"),
            }
        }
    }

    #[test]
    fn whatever_a_book_says_of_itself_it_is_xml() {
        let request = hyper::Request::builder().uri("/catalog/v2/entries?q=%3C&x=\"").body(());
        let request = request.unwrap_or_else(|_| hyper::Request::new(()));
        let ask = Ask::new(&request.into_parts().0);
        let chosen = || Chosen { listed: vec![listed()], total: 1, from: 0 };
        let day = "2024-01-31T00:00:00Z";
        for text in [
            root(day),
            description("/catalog/search"),
            entries(&chosen(), true, day, &ask),
            entries(&chosen(), false, day, &ask),
            old(&chosen(), day, &ask),
            one(&listed()),
            categories(&[listed()], day),
            languages(&[listed()], day),
        ] {
            is_xml(&text);
        }
        assert!(entries(&chosen(), true, day, &ask).contains("href=\"/content/a%20b\""));
        assert!(languages(&[listed()], day).contains("беларуская"));
    }
}
