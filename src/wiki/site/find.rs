//! From the path of a URL to an entry: as it stands, and in the forms that browsers, old links and other systems make of it.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::wiki::zim::{Entry, Zim, ZimError};

/// Of the old namespaces, those that have what pages link to: articles, images, scripts and styles, and rarely more.
const OLD: [u8; 4] = [b'A', b'I', b'J', b'-'];

/// The entry of this path; redirects are not followed. `query` is what stood behind a `?`, which may have been meant as a part of the path.
pub async fn find(zim: &Zim, path: &[u8], query: Option<&str>) -> Result<Option<Entry>, ZimError> {
    for form in forms(path, query) {
        if let Some(entry) = exactly(zim, &form).await? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// With or without the letter of an old namespace before it, as libzim looks.
async fn exactly(zim: &Zim, path: &[u8]) -> Result<Option<Entry>, ZimError> {
    let old = match path {
        [namespace, b'/', rest @ ..] => Some((*namespace, rest)),
        _ => None,
    };
    if zim.header().has_new_namespaces() {
        if let Some(entry) = zim.find(b'C', path).await? {
            return Ok(Some(entry));
        }
        return match old.filter(|(namespace, _)| OLD.contains(namespace)) {
            Some((_, rest)) => zim.find(b'C', rest).await,
            None => Ok(None),
        };
    }
    if let Some((namespace, rest)) = old
        && let Some(entry) = zim.find(namespace, rest).await?
    {
        return Ok(Some(entry));
    }
    for namespace in OLD {
        if let Some(entry) = zim.find(namespace, path).await? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// The path under which a page is shown: before 6.1 with its namespace.
pub fn path_of(zim: &Zim, entry: &Entry) -> Vec<u8> {
    let path = &entry.dirent.path;
    match zim.header().has_new_namespaces() {
        true => path.to_vec(),
        false => [&[entry.dirent.namespace, b'/'], &path[..]].concat(),
    }
}

/// What may have been meant, the likeliest first, each once.
fn forms(path: &[u8], query: Option<&str>) -> Vec<Vec<u8>> {
    let mut forms = vec![path.to_vec()];
    let mut add = |form: Vec<u8>| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    // A link that was not encoded: a browser takes what follows `?` for a query.
    if let Some(query) = query {
        let query: Vec<u8> = percent_encoding::percent_decode_str(query).collect();
        add([path, b"?", &query].concat());
    }
    if let Ok(text) = std::str::from_utf8(path) {
        // Systems differ in how they write letters with accents.
        add(ComposingNormalizerBorrowed::new_nfc().normalize(text).as_bytes().to_vec());
        add(DecomposingNormalizerBorrowed::new_nfd().normalize(text).as_bytes().to_vec());
        // Encyclopaedias write blanks so; people type them.
        if text.contains(' ') {
            add(text.replace(' ', "_").into_bytes());
        }
    }
    // Browsers make slashes of backslashes (WHATWG, URL standard).
    if let Some(first) = path.iter().position(|&byte| byte == b'/') {
        let (start, rest) = path.split_at(first);
        let from = if start.len() == 1 && OLD.contains(&start[0]) { 1 } else { 0 };
        let turned =
            rest.iter().enumerate().map(|(at, &byte)| if at >= from && byte == b'/' { b'\\' } else { byte });
        add([start, &turned.collect::<Vec<_>>()].concat());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, query: Option<&str>) -> Vec<String> {
        forms(path.as_bytes(), query)
            .into_iter()
            .map(|form| String::from_utf8_lossy(&form).into_owned())
            .collect()
    }

    #[test]
    fn a_plain_path_is_looked_for_once() {
        assert_eq!(texts("Paris", None), ["Paris"]);
    }

    #[test]
    fn what_browsers_and_systems_make_of_a_path_is_undone() {
        assert_eq!(texts("What", Some("")), ["What", "What?"]);
        assert_eq!(texts("What", Some("is%20it")), ["What", "What?is it"]);
        assert_eq!(texts("Cafe\u{301}", None), ["Cafe\u{301}", "Café"]);
        assert_eq!(texts("Café", None), ["Café", "Cafe\u{301}"]);
        assert_eq!(texts("New York", None), ["New York", "New_York"]);
        assert_eq!(texts("AC/DC", None), ["AC/DC", "AC\\DC"]);
        assert_eq!(texts("A/x/y", None), ["A/x/y", "A/x\\y"]);
        assert_eq!(forms(&[0xff, b'/'], None), [vec![0xff, b'/'], vec![0xff, b'\\']]);
    }
}
