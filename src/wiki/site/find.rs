//! From the path of a URL to an entry, by the byte and then by what may have been meant.

use futures_util::future::try_join_all;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::super::zim::dirent::Dirent;
use super::super::zim::header::Header;
use super::super::zim::{Entry, Zim, ZimError};
use super::links::decoded;

/// Namespaces of content in old files, in the order in which libzim looks through them.
const OLD: &[u8] = b"AIJ-";

/// What was found, and whether it was by another path than was asked for.
pub struct Found {
    pub entry: Entry,
    pub is_elsewhere: bool,
}

/// The entry with this path within its book; `query` is what stands behind a `?` that may be the path's own.
pub async fn find(zim: &Zim, path: &[u8], query: Option<&str>) -> Result<Option<Found>, ZimError> {
    let mut places = places(zim.header().has_new_namespaces(), path, query).into_iter();
    if let Some((namespace, path)) = places.next()
        && let Some(entry) = zim.find(namespace, &path).await?
    {
        return Ok(Some(Found { entry, is_elsewhere: false }));
    }
    let looked_for = places.map(|(namespace, path)| async move { zim.find(namespace, &path).await });
    let found = try_join_all(looked_for).await?.into_iter().flatten().next();
    Ok(found.map(|entry| Found { entry, is_elsewhere: true }))
}

/// The path of an entry within its book, as it stands in URLs: with its namespace in old files.
pub fn path_of(header: &Header, dirent: &Dirent) -> Vec<u8> {
    match header.has_new_namespaces() {
        true => dirent.path.to_vec(),
        false => [&[dirent.namespace, b'/'], &dirent.path[..]].concat(),
    }
}

/// Where a path is looked for, the place that it names first.
fn places(has_new_namespaces: bool, path: &[u8], query: Option<&str>) -> Vec<(u8, Vec<u8>)> {
    let mut paths = vec![path.to_vec()];
    if let Ok(text) = std::str::from_utf8(path) {
        paths.push(ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned().into_bytes());
        paths.push(DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned().into_bytes());
    }
    if let Some(query) = query {
        paths.push([path, b"?", &decoded(query)].concat());
    }
    // Encyclopaedias write blanks as `_`; people type them.
    if path.contains(&b' ') {
        paths.push(path.iter().map(|&byte| if byte == b' ' { b'_' } else { byte }).collect());
    }
    // Browsers make slashes of backslashes (WHATWG, URL standard).
    let turned = |byte: &u8| if *byte == b'/' { b'\\' } else { *byte };
    match path {
        [namespace, b'/', below @ ..] if OLD.contains(namespace) && below.contains(&b'/') => {
            paths.push([*namespace, b'/'].into_iter().chain(below.iter().map(turned)).collect());
        }
        [namespace, b'/', ..] if OLD.contains(namespace) => {}
        path if path.contains(&b'/') => paths.push(path.iter().map(turned).collect()),
        _ => {}
    }
    let mut places = Vec::new();
    for path in paths {
        let below = match path.as_slice() {
            [namespace, b'/', below @ ..] if namespace.is_ascii_graphic() => {
                Some((*namespace, below.to_vec()))
            }
            _ => None,
        };
        if has_new_namespaces {
            places.push((b'C', path));
            // Links of a time when files had namespaces.
            places.extend(
                below.filter(|(namespace, _)| OLD.contains(namespace)).map(|(_, below)| (b'C', below)),
            );
        } else {
            places.extend(below);
            places.extend(OLD.iter().map(|&namespace| (namespace, path.clone())));
        }
    }
    let mut distinct = Vec::new();
    for place in places {
        if !distinct.contains(&place) {
            distinct.push(place);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(has_new: bool, path: &str, query: Option<&str>) -> Vec<String> {
        let places = places(has_new, path.as_bytes(), query).into_iter();
        places.map(|(n, path)| format!("{}:{}", char::from(n), String::from_utf8_lossy(&path))).collect()
    }

    #[test]
    fn a_path_is_looked_for_where_it_says_first() {
        assert_eq!(named(true, "Paris", None), ["C:Paris"]);
        assert_eq!(named(true, "A/Paris", None), ["C:A/Paris", "C:Paris"]);
        assert_eq!(named(true, "What", Some("")), ["C:What", "C:What?"]);
        assert_eq!(named(true, "x", Some("a%20b")), ["C:x", "C:x?a b"]);
        assert_eq!(named(true, "AC/DC", None), ["C:AC/DC", "C:AC\\DC"]);
        assert_eq!(named(true, "A/x/y", None), ["C:A/x/y", "C:x/y", "C:A/x\\y", "C:x\\y"]);
        assert_eq!(named(true, "New York", None), ["C:New York", "C:New_York"]);
        assert_eq!(named(false, "A/B", None), ["A:B", "A:A/B", "I:A/B", "J:A/B", "-:A/B"]);
        assert_eq!(named(false, "B", None), ["A:B", "I:B", "J:B", "-:B"]);
    }

    #[test]
    fn letters_with_accents_are_looked_for_in_both_forms() {
        assert_eq!(named(true, "Caf\u{e9}", None), ["C:Caf\u{e9}", "C:Cafe\u{301}"]);
        assert_eq!(named(true, "Cafe\u{301}", None), ["C:Cafe\u{301}", "C:Caf\u{e9}"]);
        assert_eq!(places(true, b"\xff", None), [(b'C', b"\xff".to_vec())]);
    }
}
