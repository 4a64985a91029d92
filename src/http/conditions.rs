//! Conditional requests: If-Match, If-None-Match, If-Range (RFC 9110, section 13). Pure.
//!
//! A torrent's own routes have no dates. What a file contains is told by its hash; when it was made, nobody knows. So
//! If-Modified-Since and If-Unmodified-Since are ignored there, as the RFC wants of a server without dates. A folder that is
//! mounted shows dates, so there they count.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

/// The strong entity tag of a file, with its quotes. Constant: the same bytes have the same tag in every run.
pub fn entity_tag(info_hash: &str, index: usize, length: u64) -> String {
    format!("\"{info_hash}-{index}-{length}\"")
}

/// What the conditions of a GET or HEAD come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Holds,
    /// 304: the client has it already.
    NotModified,
    /// 412: the client has something else.
    Failed,
}

/// Judges If-Match and If-None-Match against the tag of the file; where the request has none of the two, their counterparts with
/// dates against when the file was `modified` (section 13.2.2).
pub fn judge(headers: &HeaderMap, tag: &str, modified: Option<SystemTime>) -> Verdict {
    let since = |name| Some((date(headers, name)?, seconds(modified?)?));
    if headers.contains_key(IF_MATCH) {
        if !any(headers, &IF_MATCH, |given| given.is_strongly(tag)) {
            return Verdict::Failed;
        }
    } else if let Some((given, modified)) = since(&IF_UNMODIFIED_SINCE)
        && modified > given
    {
        return Verdict::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if any(headers, &IF_NONE_MATCH, |given| given.is_weakly(tag)) {
            return Verdict::NotModified;
        }
    } else if let Some((given, modified)) = since(&IF_MODIFIED_SINCE)
        && modified <= given
    {
        return Verdict::NotModified;
    }
    Verdict::Holds
}

/// Whether a `Range` counts: there is no If-Range, or it has our tag, or exactly our date.
pub fn range_counts(headers: &HeaderMap, tag: &str, modified: Option<SystemTime>) -> bool {
    let is_date = || date(headers, &IF_RANGE).is_some_and(|given| modified.and_then(seconds) == Some(given));
    !headers.contains_key(IF_RANGE)
        || any(headers, &IF_RANGE, |given| matches!(given, Tag::Strong(_)) && given.is_strongly(tag))
        || is_date()
}

/// The date in a field that is there once and right.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut fields = headers.get_all(name).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    seconds(httpdate::parse_http_date(field.to_str().ok()?).ok()?)
}

/// Since 1970: dates in headers have whole seconds.
fn seconds(at: SystemTime) -> Option<u64> {
    Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// A tag as a client gives it; the text has its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag<'a> {
    Any,
    Strong(&'a str),
    Weak(&'a str),
}

impl Tag<'_> {
    fn is_strongly(self, tag: &str) -> bool {
        match self {
            Tag::Any => true,
            Tag::Strong(given) => given == tag,
            Tag::Weak(_) => false,
        }
    }

    fn is_weakly(self, tag: &str) -> bool {
        match self {
            Tag::Any => true,
            Tag::Strong(given) | Tag::Weak(given) => given == tag,
        }
    }
}

fn any(headers: &HeaderMap, name: &HeaderName, is: impl Fn(Tag<'_>) -> bool) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|field| tags(field).any(&is))
}

/// The tags of a list, up to the first fault. A tag may have commas in it.
fn tags(field: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = field;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            return Some(Tag::Any);
        }
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let length = quoted.strip_prefix('"')?.find('"')? + 2;
        let (tag, after) = quoted.split_at_checked(length)?;
        rest = after;
        Some(if is_weak { Tag::Weak(tag) } else { Tag::Strong(tag) })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::header::HeaderValue;

    use super::*;

    const TAG: &str = "\"abc-0-5\"";

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_tag_says_which_bytes() {
        assert_eq!(entity_tag("abc", 0, 5), TAG);
    }

    #[test]
    fn lists_of_tags_are_read() {
        let read = |field| tags(field).collect::<Vec<_>>();
        assert_eq!(read("\"a\", W/\"b,c\" ,, *"), [Tag::Strong("\"a\""), Tag::Weak("\"b,c\""), Tag::Any]);
        assert_eq!(read("\"a\" \"unfinished"), [Tag::Strong("\"a\"")]);
        assert_eq!(read("a"), []);
        assert_eq!(read("W/"), []);
        assert_eq!(read("\""), []);
        assert_eq!(read(""), []);
        assert_eq!(read("\"\""), [Tag::Strong("\"\"")]);
    }

    #[test]
    fn conditions_come_to_what_the_rfc_says() {
        let cases: [(&[(HeaderName, &'static str)], Verdict); 12] = [
            (&[], Verdict::Holds),
            (&[(IF_MATCH, TAG)], Verdict::Holds),
            (&[(IF_MATCH, "*")], Verdict::Holds),
            (&[(IF_MATCH, "\"other\", \"abc-0-5\"")], Verdict::Holds),
            (&[(IF_MATCH, "\"other\"")], Verdict::Failed),
            (&[(IF_MATCH, "W/\"abc-0-5\"")], Verdict::Failed),
            (&[(IF_MATCH, "nonsense")], Verdict::Failed),
            (&[(IF_NONE_MATCH, TAG)], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "W/\"abc-0-5\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "*")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "\"other\"")], Verdict::Holds),
            (&[(IF_MATCH, "\"other\""), (IF_NONE_MATCH, TAG)], Verdict::Failed),
        ];
        for (fields, verdict) in cases {
            assert_eq!(judge(&headers(fields), TAG, None), verdict, "{fields:?}");
        }
    }

    #[test]
    fn a_range_counts_only_for_the_same_bytes() {
        assert!(range_counts(&headers(&[]), TAG, None));
        assert!(range_counts(&headers(&[(IF_RANGE, TAG)]), TAG, None));
        assert!(!range_counts(&headers(&[(IF_RANGE, "\"other\"")]), TAG, None));
        assert!(!range_counts(&headers(&[(IF_RANGE, "W/\"abc-0-5\"")]), TAG, None));
        assert!(!range_counts(&headers(&[(IF_RANGE, "*")]), TAG, None));
        assert!(!range_counts(&headers(&[(IF_RANGE, "Sat, 29 Oct 1994 19:43:31 GMT")]), TAG, None));
    }

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// Within the second of `THEN`.
    fn then() -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_millis(784_111_777_900))
    }

    #[test]
    fn dates_count_where_there_is_one_and_no_tag_was_given() {
        let cases: [(&[(HeaderName, &'static str)], Verdict); 9] = [
            (&[(IF_UNMODIFIED_SINCE, THEN)], Verdict::Holds),
            (&[(IF_UNMODIFIED_SINCE, BEFORE)], Verdict::Failed),
            (&[(IF_UNMODIFIED_SINCE, "yesterday")], Verdict::Holds),
            (&[(IF_MATCH, TAG), (IF_UNMODIFIED_SINCE, BEFORE)], Verdict::Holds),
            (&[(IF_MODIFIED_SINCE, THEN)], Verdict::NotModified),
            (&[(IF_MODIFIED_SINCE, BEFORE)], Verdict::Holds),
            (&[(IF_MODIFIED_SINCE, "tomorrow")], Verdict::Holds),
            (&[(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, THEN)], Verdict::Holds),
            (&[(IF_MODIFIED_SINCE, THEN), (IF_MODIFIED_SINCE, THEN)], Verdict::Holds),
        ];
        for (fields, verdict) in cases {
            assert_eq!(judge(&headers(fields), TAG, then()), verdict, "{fields:?}");
            if !fields.iter().any(|(name, _)| *name == IF_NONE_MATCH || *name == IF_MATCH) {
                assert_eq!(judge(&headers(fields), TAG, None), Verdict::Holds, "without a date: {fields:?}");
            }
        }
        assert!(range_counts(&headers(&[(IF_RANGE, THEN)]), TAG, then()));
        assert!(!range_counts(&headers(&[(IF_RANGE, BEFORE)]), TAG, then()));
    }
}
