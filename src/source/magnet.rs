//! Reads magnet links and bare hashes. Pure.

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use url::form_urlencoded;

use super::{InfoHash, Link, MOST_FILES, MOST_TRACKERS, Source, SourceError, names};

/// A magnet that names more peers than this is not kind.
const MOST_PEERS: usize = 100;
/// The longest URL of a tracker that is kept.
const LONGEST_URL: usize = 4096;

/// A `magnet:` or `stream-magnet:` link; `None` if it is none. One that a shell has cut at `&` is fine: the hash comes first.
pub fn parse(text: &str) -> Option<Result<Source, SourceError>> {
    let rest = strip_prefix(text, "magnet:").or_else(|| strip_prefix(text, "stream-magnet:"))?;
    Some(parse_query(rest.trim_start_matches('/').strip_prefix('?').unwrap_or(rest)))
}

/// A bare hash: 40 hexadecimal digits of either case, 32 digits of base32, or either after `urn:btih:`; `None` if the text
/// is none. A v2 hash (64 digits) is one that is refused.
pub fn parse_hash(text: &str) -> Option<Result<InfoHash, SourceError>> {
    if let Some(hash) = info_hash(strip_prefix(text, "urn:btih:").unwrap_or(text)) {
        return Some(Ok(hash));
    }
    is_v2_hash(strip_prefix(text, "urn:btmh:").unwrap_or(text)).then_some(Err(SourceError::V2Only))
}

fn parse_query(query: &str) -> Result<Source, SourceError> {
    let mut hash = None;
    let mut not_a_hash = None;
    let mut is_v2 = false;
    let mut name = None;
    let mut trackers: Vec<Vec<String>> = Vec::new();
    let mut peers = Vec::new();
    let mut selected = Vec::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        // Links copied out of a web page's source have `&amp;` between their parts.
        let key = key.strip_prefix("amp;").unwrap_or(&key).to_ascii_lowercase();
        // Where there are several, some write `xt.1`, `tr.2`.
        let key = match key.split_once('.') {
            Some((plain, number)) if number.bytes().all(|b| b.is_ascii_digit()) => plain,
            _ => &key,
        };
        match key {
            "xt" => {
                if let Some(btih) = strip_prefix(&value, "urn:btih:") {
                    match info_hash(btih) {
                        Some(found) => hash = hash.or(Some(found)),
                        None => not_a_hash = Some(names::for_the_screen(btih)),
                    }
                } else if strip_prefix(&value, "urn:btmh:").is_some() {
                    is_v2 = true;
                }
            }
            "dn" if !value.is_empty() => name = Some(names::for_the_screen(&value)),
            "tr" if trackers.len() < MOST_TRACKERS && is_fair_url(&value) => {
                let tier = vec![value.into_owned()];
                if !trackers.contains(&tier) {
                    trackers.push(tier);
                }
            }
            "x.pe" if peers.len() < MOST_PEERS && !value.is_empty() && value.len() <= 300 => {
                peers.push(value.into_owned())
            }
            "so" => selected.extend(ranges(&value)),
            _ => {}
        }
    }
    match (hash, not_a_hash, is_v2) {
        (Some(info_hash), ..) => {
            let link = Some(Link { name: name.clone() });
            let select_only = indices(selected);
            Ok(Source { info_hash, name, trackers, peers, select_only, metainfo: None, link })
        }
        (None, None, true) => Err(SourceError::V2Only),
        (None, Some(given), _) => Err(SourceError::BadInfoHash { given }),
        (None, None, false) => Err(SourceError::MagnetWithoutHash),
    }
}

pub(super) fn is_fair_url(url: &str) -> bool {
    !url.is_empty() && url.len() <= LONGEST_URL && !url.chars().any(char::is_control)
}

fn info_hash(text: &str) -> Option<InfoHash> {
    let text = text.trim();
    let bytes = match text.len() {
        40 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?,
        32 => BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?,
        _ => return None,
    };
    bytes.try_into().ok().map(InfoHash)
}

/// SHA-256 in hexadecimal, perhaps with the multihash's `1220` before it (BEP 52, BEP 9).
fn is_v2_hash(text: &str) -> bool {
    let digits = if text.len() == 68 { text.strip_prefix("1220").unwrap_or("") } else { text };
    digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The ranges of `0,2,4-6` (BEP 53), ends included. What is no number is left out, as is what no torrent has.
fn ranges(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    text.split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first = first.trim().parse().ok()?;
        // Beyond what a number holds is still "to the end".
        let last = last.trim();
        let last = match last.parse::<usize>() {
            Ok(last) => last,
            Err(_) if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) => usize::MAX,
            Err(_) => return None,
        };
        (first <= last && first < MOST_FILES).then_some((first, last.min(MOST_FILES - 1)))
    })
}

/// The indices in any of the ranges, ascending: at most [`MOST_FILES`], however many ranges there are.
fn indices(mut ranges: Vec<(usize, usize)>) -> Vec<usize> {
    ranges.sort_unstable();
    let mut indices = Vec::new();
    let mut next = 0;
    for (first, last) in ranges {
        indices.extend(first.max(next)..=last);
        next = next.max(last + 1);
    }
    indices
}

/// Case does not matter in what these prefixes are.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c";

    fn good(text: &str) -> Source {
        parse(text).expect("a magnet").expect("a good one")
    }

    fn bad(text: &str) -> SourceError {
        parse(text).expect("a magnet").expect_err("a bad one")
    }

    #[test]
    fn the_hash_is_read_in_every_form() {
        let base32 = BASE32_NOPAD.encode(&good(&format!("magnet:?xt=urn:btih:{HEX}")).info_hash.0);
        for link in [
            format!("magnet:?xt=urn:btih:{HEX}"),
            format!("MAGNET:?XT=URN:BTIH:{}", HEX.to_uppercase()),
            format!("stream-magnet:?xt=urn:btih:{HEX}"),
            format!("magnet://?xt=urn:btih:{HEX}"),
            format!("magnet:?xt=urn%3Abtih%3A{HEX}"),
            format!("magnet:?xt=urn:btih:{base32}"),
            format!("magnet:?xt=urn:btih:{}", base32.to_lowercase()),
            format!("magnet:?xt=urn:btmh:1220{}&xt=urn:btih:{HEX}", "ab".repeat(32)),
            format!("magnet:?xt.1=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C&amp;xt.2=urn:btih:{HEX}"),
        ] {
            assert_eq!(good(&link).info_hash.to_string(), HEX, "{link}");
        }
        assert_eq!(parse_hash(HEX).expect("a hash").expect("v1").to_string(), HEX);
        assert_eq!(parse_hash(&base32).expect("a hash").expect("v1").to_string(), HEX);
        assert!(matches!(parse_hash(&"ab".repeat(32)), Some(Err(SourceError::V2Only))));
        assert!(parse_hash("film.torrent").is_none());
    }

    #[test]
    fn the_rest_of_a_link_is_read() {
        let source = good(&format!(
            "magnet:?xt=urn:btih:{HEX}&dn=A+Film%20%E2%82%AC%07&tr=http%3A%2F%2Fa%2Fannounce&tr=udp://b:1&tr=udp://b:1\
             &x.pe=10.0.0.1:6881&x.pe=[::1]:1&so=0,2,4-6&ws=ignored"
        ));
        assert_eq!(source.name.as_deref(), Some("A Film €_"));
        assert_eq!(source.trackers, [["http://a/announce"], ["udp://b:1"]]);
        assert_eq!(source.peers, ["10.0.0.1:6881", "[::1]:1"]);
        assert_eq!(source.select_only, [0, 2, 4, 5, 6]);
        assert!(source.metainfo.is_none());
    }

    #[test]
    fn a_link_without_a_hash_of_ours_says_why() {
        assert!(matches!(bad("magnet:?dn=x"), SourceError::MagnetWithoutHash));
        assert!(matches!(bad("magnet:"), SourceError::MagnetWithoutHash));
        assert!(matches!(bad(&format!("magnet:?xt=urn:btmh:1220{}", "ab".repeat(32))), SourceError::V2Only));
        assert!(
            matches!(bad("magnet:?xt=urn:btih:abc"), SourceError::BadInfoHash { given } if given == "abc")
        );
    }

    #[test]
    fn selections_as_large_as_numbers_go_stay_small() {
        let source =
            good(&format!("magnet:?xt=urn:btih:{HEX}&so=0-18446744073709551615,5-99999999999999999999999"));
        assert_eq!(source.select_only.len(), MOST_FILES);
        let many = vec!["0-18446744073709551615"; 10_000].join(",");
        assert_eq!(good(&format!("magnet:?xt=urn:btih:{HEX}&so={many}")).select_only.len(), MOST_FILES);
        assert_eq!(good(&format!("magnet:?xt=urn:btih:{HEX}&so=7-3,x,-,1-,9")).select_only, [9]);
    }

    proptest! {
        #[test]
        fn no_link_makes_it_panic(query in any::<String>()) {
            let _ = parse(&format!("magnet:{query}"));
            let _ = parse_hash(&query);
        }

        #[test]
        fn no_selection_is_out_of_order(so in "[0-9,-]{0,40}") {
            let source = good(&format!("magnet:?xt=urn:btih:{HEX}&so={so}"));
            prop_assert!(source.select_only.is_sorted_by(|a, b| a < b));
        }
    }
}
