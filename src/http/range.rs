//! Byte ranges: what a `Range` field asks for (RFC 9110, section 14). Pure.

use std::cmp::Ordering;
use std::ops::Range;

/// A field with more ranges than this is not answered range by range but with the whole file: RFC 9110, section 14.2,
/// lets a server do so where "many small ranges" are asked for. No player sends more than two.
pub const MOST_RANGES: usize = 64;

/// What of a file is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it, as 200: no range, or a field that means nothing to us.
    Whole,
    /// These bytes, as 206: at least one range, each with at least one byte and within the file, none touching another,
    /// in the order asked for.
    Parts(Vec<Range<u64>>),
    /// None of it, as 416: nothing that was asked for is within the file.
    Unsatisfiable,
}

/// Reads a `Range` field for a file of `length` bytes.
///
/// A field with an unknown unit or a fault in it is ignored as a whole. Ranges that overlap or touch are merged, at the
/// place of the first of them. An empty file has no ranges: it is always whole.
pub fn wanted(field: &str, length: u64) -> Wanted {
    if length == 0 {
        return Wanted::Whole;
    }
    let Some(asked) = read_set(field) else { return Wanted::Whole };
    let mut parts = Vec::new();
    for spec in asked {
        if let Some(range) = spec.within(length) {
            merge_into(&mut parts, range);
        }
    }
    if parts.is_empty() { Wanted::Unsatisfiable } else { Wanted::Parts(parts) }
}

/// One element of a range set. Numbers that do not fit are as good as the largest that does.
#[derive(Clone, Copy, Debug)]
enum Spec {
    /// `first-last` and `first-` (then `last` is the largest number).
    From { first: u64, last: u64 },
    /// `-count`: that many of the last bytes.
    Last { count: u64 },
}

impl Spec {
    fn read(text: &str) -> Option<Spec> {
        if let Some(count) = text.strip_prefix('-') {
            return Some(Spec::Last { count: Digits::read(count)?.value() });
        }
        let (first, last) = text.split_once('-')?;
        let first = Digits::read(first)?;
        if last.is_empty() {
            return Some(Spec::From { first: first.value(), last: u64::MAX });
        }
        let last = Digits::read(last)?;
        (first <= last).then(|| Spec::From { first: first.value(), last: last.value() })
    }

    fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Spec::From { first, last } => first..last.saturating_add(1).min(length),
            Spec::Last { count } => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// `bytes=` and its set; `None` if there is a fault anywhere.
fn read_set(field: &str) -> Option<Vec<Spec>> {
    let (unit, set) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for element in set.split(',').map(|element| element.trim_matches([' ', '\t'])) {
        // An empty element is no fault: RFC 9110, section 5.6.1.2.
        if element.is_empty() {
            continue;
        }
        if specs.len() == MOST_RANGES {
            return None;
        }
        specs.push(Spec::read(element)?);
    }
    (!specs.is_empty()).then_some(specs)
}

/// A number of any length, so that two which are both too large can still be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Digits<'a>(&'a str);

impl<'a> Digits<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Digits(text.trim_start_matches('0')))
    }

    fn value(self) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.parse().unwrap_or(u64::MAX) }
    }
}

impl PartialOrd for Digits<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digits<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

/// `parts` do not touch each other before, nor after. One pass is enough for that: whatever touches the union touches
/// `new` itself, because it touches none of the others.
fn merge_into(parts: &mut Vec<Range<u64>>, new: Range<u64>) {
    let touches = |part: &Range<u64>| part.start <= new.end && new.start <= part.end;
    let Some(place) = parts.iter().position(touches) else { return parts.push(new) };
    let mut union = new.clone();
    parts.retain(|part| {
        let apart = !touches(part);
        if !apart {
            union.start = union.start.min(part.start);
            union.end = union.end.max(part.end);
        }
        apart
    });
    parts.insert(place, union);
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is what most answers have")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts<const N: usize>(ranges: [Range<u64>; N]) -> Wanted {
        Wanted::Parts(ranges.to_vec())
    }

    #[test]
    fn the_forms_that_players_send() {
        assert_eq!(wanted("bytes=0-", 1000), parts([0..1000]));
        assert_eq!(wanted("bytes=0-1", 1000), parts([0..2]));
        assert_eq!(wanted("bytes=500-", 1000), parts([500..1000]));
        assert_eq!(wanted("bytes=-100", 1000), parts([900..1000]));
        assert_eq!(wanted("bytes=999-999", 1000), parts([999..1000]));
    }

    #[test]
    fn what_goes_beyond_the_end_is_clamped() {
        assert_eq!(wanted("bytes=990-5000", 1000), parts([990..1000]));
        assert_eq!(wanted("bytes=-5000", 1000), parts([0..1000]));
    }

    #[test]
    fn what_begins_beyond_the_end_cannot_be_satisfied() {
        assert_eq!(wanted("bytes=1000-", 1000), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=1000-2000", 1000), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-0", 1000), Wanted::Unsatisfiable);
    }

    #[test]
    fn faults_are_ignored_as_a_whole() {
        let faults = [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=x-",
            "bytes=1-x",
            "bytes=5-4",
            "bytes=0-1,5-4",
            "bytes=1",
            "bytes = 0-1",
            "items=0-1",
            "bytes=0-1-2",
            "bytes=+1-2",
            "bytes=--1",
            "bytes=0 - 1",
            "bytes=0x1-2",
            "=0-1",
        ];
        for field in faults {
            assert_eq!(wanted(field, 1000), Wanted::Whole, "{field}");
        }
    }

    #[test]
    fn the_unit_is_read_in_either_case_and_the_list_with_blanks_and_gaps() {
        assert_eq!(wanted("Bytes=0-1", 1000), parts([0..2]));
        assert_eq!(wanted("bytes= 0-1 ,\t, 10-11,", 1000), parts([0..2, 10..12]));
    }

    #[test]
    fn huge_numbers_do_not_overflow() {
        let huge = "9".repeat(50);
        let larger = format!("{huge}0");
        assert_eq!(wanted(&format!("bytes=0-{huge}"), 1000), parts([0..1000]));
        assert_eq!(wanted(&format!("bytes=-{huge}"), 1000), parts([0..1000]));
        assert_eq!(wanted(&format!("bytes={huge}-"), 1000), Wanted::Unsatisfiable);
        assert_eq!(wanted(&format!("bytes={huge}-{larger}"), 1000), Wanted::Unsatisfiable);
        assert_eq!(wanted(&format!("bytes={larger}-{huge}"), 1000), Wanted::Whole);
        assert_eq!(wanted("bytes=000000000000000000000000000005-6", 1000), parts([5..7]));
        assert_eq!(wanted("bytes=18446744073709551615-", u64::MAX), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=0-18446744073709551615", u64::MAX), parts([0..u64::MAX]));
    }

    #[test]
    fn an_empty_file_is_always_whole() {
        for field in ["bytes=0-", "bytes=-0", "bytes=-1", "bytes=5-6"] {
            assert_eq!(wanted(field, 0), Wanted::Whole);
        }
    }

    #[test]
    fn ranges_that_touch_are_merged_at_the_place_of_the_first() {
        assert_eq!(wanted("bytes=0-4,5-9", 1000), parts([0..10]));
        assert_eq!(wanted("bytes=5-9,0-4", 1000), parts([0..10]));
        assert_eq!(wanted("bytes=0-9,3-4", 1000), parts([0..10]));
        assert_eq!(wanted("bytes=900-,0-1,-200", 1000), parts([800..1000, 0..2]));
        assert_eq!(wanted("bytes=0-4,20-24,5-19", 1000), parts([0..25]));
        assert_eq!(wanted("bytes=50-59,0-4,2000-", 1000), parts([50..60, 0..5]));
    }

    #[test]
    fn too_many_ranges_are_answered_with_the_whole() {
        let many = |n: u64| {
            let set: Vec<_> = (0..n).map(|i| format!("{}-{}", i * 10, i * 10)).collect();
            format!("bytes={}", set.join(","))
        };
        assert!(
            matches!(wanted(&many(MOST_RANGES as u64), 10_000), Wanted::Parts(parts) if parts.len() == MOST_RANGES)
        );
        assert_eq!(wanted(&many(MOST_RANGES as u64 + 1), 10_000), Wanted::Whole);
    }

    /// A set of ranges as RFC 9110 tells it, byte by byte.
    #[derive(Clone, Copy, Debug)]
    enum Model {
        Closed(u128, u128),
        Open(u128),
        Suffix(u128),
    }

    impl Model {
        fn text(self) -> String {
            match self {
                Model::Closed(first, last) => format!("{first}-{last}"),
                Model::Open(first) => format!("{first}-"),
                Model::Suffix(count) => format!("-{count}"),
            }
        }

        fn has(self, byte: u128, length: u128) -> bool {
            match self {
                Model::Closed(first, last) => first <= byte && byte <= last,
                Model::Open(first) => first <= byte,
                Model::Suffix(count) => byte + count >= length,
            }
        }
    }

    fn number() -> impl Strategy<Value = u128> {
        prop_oneof![8 => 0..80u128, 1 => any::<u128>(), 1 => (u64::MAX as u128 - 2)..(u64::MAX as u128 + 2)]
    }

    fn model() -> impl Strategy<Value = Model> {
        prop_oneof![
            (number(), number()).prop_map(|(a, b)| Model::Closed(a, b)),
            number().prop_map(Model::Open),
            (0..80u128).prop_map(Model::Suffix),
        ]
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_the_naive_model(set in prop::collection::vec(model(), 1..8), length in 1..64u64) {
            let field = format!("bytes={}", set.iter().map(|m| m.text()).collect::<Vec<_>>().join(", "));
            let is_fault = set.iter().any(|m| matches!(m, Model::Closed(first, last) if first > last));
            let expected: Vec<u64> =
                (0..length).filter(|&b| set.iter().any(|m| m.has(u128::from(b), u128::from(length)))).collect();
            match wanted(&field, length) {
                Wanted::Whole => prop_assert!(is_fault),
                Wanted::Unsatisfiable => prop_assert!(!is_fault && expected.is_empty()),
                Wanted::Parts(parts) => {
                    prop_assert!(!is_fault);
                    let mut bytes: Vec<u64> = parts.iter().cloned().flatten().collect();
                    bytes.sort_unstable();
                    prop_assert_eq!(bytes, expected);
                    for (i, a) in parts.iter().enumerate() {
                        for b in parts.iter().skip(i + 1) {
                            prop_assert!(a.end < b.start || b.end < a.start, "{:?} touches {:?}", a, b);
                        }
                    }
                }
            }
        }

        #[test]
        fn no_field_is_too_strange(field in "\\PC*", length in any::<u64>()) {
            let _ = wanted(&field, length);
            let _ = wanted(&format!("bytes={field}"), length);
        }

        #[test]
        fn no_set_is_too_strange(set in "[-0-9, ]{0,60}", length in any::<u64>()) {
            if let Wanted::Parts(parts) = wanted(&format!("bytes={set}"), length) {
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            }
        }
    }
}
