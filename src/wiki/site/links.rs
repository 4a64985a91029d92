//! Links, as they stand in pages and in requests: what they mean, and how they are written. Pure.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use url::Url;

/// What stays as it is in a path. A `:` does not: at the beginning of a relative link it would end a scheme.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'(')
    .remove(b')')
    .remove(b',');
const IN_A_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The namespaces that pages of old files link to by absolute paths, such as `/A/Paris.html`.
const OLD_NAMESPACES: &[u8] = b"AIJU-";

/// A path as it stands in a URL; slashes stay slashes.
pub fn encoded(path: &[u8]) -> String {
    percent_encode(path, IN_A_PATH).to_string()
}

/// A value of a query.
pub fn encoded_value(value: &str) -> String {
    percent_encode(value.as_bytes(), IN_A_QUERY).to_string()
}

/// The bytes of a path of a URL. What is no `%XX` stands for itself.
pub fn decoded(path: &str) -> Vec<u8> {
    percent_decode_str(path).collect()
}

/// The names and values of a query. A `+` is a blank, as forms write it.
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(query.as_bytes())
}

/// A text as it may stand in XML or HTML, between tags or double quotes. What may not (XML 1.0, section 2.2) is shown as U+FFFD.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The value of an attribute without the references that links have (HTML, section 13.5, all but the names that no link needs).
pub fn unescaped(value: &str) -> Cow<'_, str> {
    /// The longest that is looked for: `&#x10FFFF;`.
    const LONGEST: usize = 10;
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let end = from.bytes().take(LONGEST).position(|byte| byte == b';');
        let meant = end.and_then(|end| Some((referred(from.get(1..end)?)?, end)));
        rest = match meant {
            Some((character, end)) => {
                text.push(character);
                from.get(end + 1..).unwrap_or_default()
            }
            None => {
                text.push('&');
                from.get(1..).unwrap_or_default()
            }
        };
    }
    text.push_str(rest);
    Cow::Owned(text)
}

fn referred(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        name => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)?
        }
    })
}

/// The addresses of an `srcset` (HTML, section 4.8.4.2.1), one for each candidate.
pub fn candidates(set: &str) -> impl Iterator<Item = &str> {
    let mut rest = set;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (address, after) = rest.split_at_checked(end)?;
        if address.is_empty() {
            return None;
        }
        // An address that ends with a comma has no descriptor behind it.
        rest = match address.ends_with(',') {
            true => after,
            false => after.split_once(',').map_or("", |(_, after)| after),
        };
        Some(address.trim_end_matches(','))
    })
}

/// What a link must be changed to so that it works wherever a book is: `None` if it does as it is. `root` is the book's own
/// path in URLs, with a slash at the end (`/content/wiki/`).
///
/// Absolute links of old files (`/A/Paris.html`) begin at the book; a `\` of a name must not become a slash, which it is to every
/// browser.
pub fn moved(link: &str, root: &str) -> Option<String> {
    let trimmed = link.trim_matches(|c: char| c.is_ascii_whitespace());
    let path_end = trimmed.find(['?', '#']).unwrap_or(trimmed.len());
    let (path, rest) = trimmed.split_at_checked(path_end)?;
    if has_scheme(path) || path.starts_with("//") || path.starts_with('\\') {
        return None;
    }
    let below_book = match path.as_bytes() {
        [b'/', namespace, b'/', ..] if OLD_NAMESPACES.contains(namespace) => path.get(1..),
        _ => None,
    };
    if below_book.is_none() && !path.contains('\\') {
        return None;
    }
    let path = below_book.map_or(Cow::Borrowed(path), |below| Cow::Owned(format!("{root}{below}")));
    Some(format!("{}{rest}", path.replace('\\', "%5C")))
}

/// RFC 3986, section 3.1.
fn has_scheme(link: &str) -> bool {
    let Some((scheme, _)) = link.split_once(':') else { return false };
    let mut letters = scheme.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Where the links of a page lead within its book.
pub struct Place(Url);

impl Place {
    /// Of the page with this path within its book (`Paris`, or `A/Paris.html` in old files).
    pub fn new(at: &str) -> Option<Place> {
        // Any host would do: what leads to another is not in the book.
        Url::parse(&format!("http://book.invalid/{}", encoded(at.as_bytes()))).ok().map(Place)
    }

    /// Where links are relative to this one from now on (HTML, `<base href>`); what leads elsewhere is refused, as by our policy.
    pub fn base(&mut self, link: &str) {
        if let Some(url) = self.join(link) {
            self.0 = url;
        }
    }

    /// The path within the book; `None`: it leads elsewhere, or nowhere but within the page.
    pub fn path(&self, link: &str) -> Option<String> {
        let link = link.trim();
        if link.is_empty() || link.starts_with('#') {
            return None;
        }
        let url = self.join(link)?;
        let path = String::from_utf8(decoded(url.path().trim_start_matches('/'))).ok()?;
        Some(path).filter(|path| !path.is_empty())
    }

    fn join(&self, link: &str) -> Option<Url> {
        let link = moved(link, "/").map_or(Cow::Borrowed(link), Cow::Owned);
        let url = self.0.join(&link).ok()?;
        (url.scheme() == "http" && url.host_str() == self.0.host_str()).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(at: &str, link: &str) -> Option<String> {
        Place::new(at).unwrap().path(link)
    }

    #[test]
    fn links_lead_where_a_browser_goes() {
        for (at, link, leads) in [
            ("Paris", "London", Some("London")),
            ("Paris", "./London#History", Some("London")),
            ("Paris", "London?x=1", Some("London")),
            ("A/Paris.html", "../I/m/x.png", Some("I/m/x.png")),
            ("A/B/C", "../../I/x.png", Some("I/x.png")),
            ("A/Paris.html", "/A/London.html", Some("A/London.html")),
            ("Paris", "AC%2FDC", Some("AC/DC")),
            ("Paris", "What%3F", Some("What?")),
            ("Paris", "a\\b", Some("a\\b")),
            ("Paris", "Caf%C3%A9", Some("Café")),
            ("Paris", "Café", Some("Café")),
            ("Who?", "#top", None),
            ("Paris", "", None),
            ("Paris", "//example.org/x", None),
            ("Paris", "https://example.org/x", None),
            ("Paris", "data:image/png;base64,AA", None),
            ("Paris", "mailto:a@b", None),
            ("Paris", "%ff", None),
        ] {
            assert_eq!(path(at, link).as_deref(), leads, "{link} at {at}");
        }
    }

    #[test]
    fn a_base_is_believed_within_the_book() {
        let mut place = Place::new("A/B").unwrap();
        place.base("../C/");
        assert_eq!(place.path("x").as_deref(), Some("C/x"));
        place.base("https://example.org/");
        assert_eq!(place.path("x").as_deref(), Some("C/x"));
    }

    #[test]
    fn only_links_that_would_not_work_are_changed() {
        let moved = |link| moved(link, "/content/wiki/");
        assert_eq!(moved("/A/Paris.html#x").as_deref(), Some("/content/wiki/A/Paris.html#x"));
        assert_eq!(moved("/-/s/style.css").as_deref(), Some("/content/wiki/-/s/style.css"));
        assert_eq!(moved("a\\b?c\\d").as_deref(), Some("a%5Cb?c\\d"));
        for link in
            ["Paris", "../I/x.png", "/wiki/Paris", "//A/x", "https://e.org/a\\b", "\\\\e.org", "#a\\b", ""]
        {
            assert_eq!(moved(link), None, "{link}");
        }
    }

    #[test]
    fn references_are_what_they_stand_for() {
        assert_eq!(unescaped("a&amp;b&#39;c&#x2F;d&quot;"), "a&b'c/d\"");
        assert_eq!(unescaped("a&b&amp&nosuch;&#xD800;&"), "a&b&amp&nosuch;&#xD800;&");
        assert_eq!(unescaped("plain"), "plain");
    }

    #[test]
    fn sets_of_pictures_name_each() {
        let all = |set| candidates(set).collect::<Vec<_>>();
        assert_eq!(all("a.png 1x, b.png 2x"), ["a.png", "b.png"]);
        assert_eq!(all(" a.png, b.png 640w ,c,d.png"), ["a.png", "b.png", "c,d.png"]);
        assert_eq!(all(",, ,"), Vec::<&str>::new());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let path = "Where? a\\b #1 100% é:,(x)";
        assert_eq!(decoded(&encoded(path.as_bytes())), path.as_bytes());
        assert!(encoded(b"a:b").starts_with("a%3A"));
        let query = format!("x={}", encoded_value("a+b & c=d"));
        assert_eq!(parameters(&query).next(), Some(("x".into(), "a+b & c=d".into())));
    }
}
