//! Addresses that are neither dialled nor let in: the lists that people exchange. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// So much of a line is shown that is not understood.
const SHOWN: usize = 80;

/// Ranges of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocklist {
    /// Ascending, not touching.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the blocklist is not understood: “{text}” (a line is a range as 1.2.3.0-1.2.3.255, with or without a name and a colon before it, or 1.2.3.0/24, or one address)"
)]
pub struct BlocklistError {
    /// Counted from 1.
    pub line: usize,
    /// Its beginning.
    pub text: String,
}

impl Blocklist {
    /// Reads a list, a range a line: `name:first-last` (P2P, as PeerGuardian and eMule have it), `first-last`,
    /// `first - last , level , name` (DAT; a level of 128 or more blocks nothing), `address/bits`, or one address. Empty
    /// lines, and what follows a `#`, are passed over; octets may have zeros before them.
    pub fn parse(text: &str) -> Result<Blocklist, BlocklistError> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A name may have a # in it; what is understood as it stands needs no cutting.
            let uncommented = || range(line.split('#').next().unwrap_or(line).trim());
            match range(line).or_else(uncommented) {
                Some(Range::V4(range)) => v4.push((*range.start(), *range.end())),
                Some(Range::V6(range)) => v6.push((*range.start(), *range.end())),
                Some(Range::Nothing) => {}
                None => {
                    return Err(BlocklistError { line: index + 1, text: line.chars().take(SHOWN).collect() });
                }
            }
        }
        Ok(Blocklist { v4: merged(v4, |end| end.checked_add(1)), v6: merged(v6, |end| end.checked_add(1)) })
    }

    /// Whether this address is in one of the ranges. An IPv4 address in IPv6's clothes is the IPv4 address.
    pub fn blocks(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => contains(&self.v4, address.to_bits()),
            IpAddr::V6(address) => contains(&self.v6, address.to_bits()),
        }
    }

    /// How many ranges, those that touch counted as one.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Nobody is blocked.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

fn contains<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(start, _)| *start <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, end)| *end >= address)
}

fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::new();
    for (start, end) in ranges {
        match merged.last_mut() {
            // Without a next one, it reaches to the last address of all.
            Some(last) if next(last.1).is_none_or(|next| start <= next) => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

enum Range {
    V4(RangeInclusive<u32>),
    V6(RangeInclusive<u128>),
    /// Understood, and blocks nobody.
    Nothing,
}

fn range(line: &str) -> Option<Range> {
    named(line).or_else(|| dat(line)).or_else(|| network(line)).or_else(|| {
        let alone = address(line)?;
        between(alone, alone)
    })
}

fn between(first: IpAddr, last: IpAddr) -> Option<Range> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Some(Range::V4(first.to_bits()..=last.to_bits()))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Some(Range::V6(first.to_bits()..=last.to_bits()))
        }
        _ => None,
    }
}

/// `name:first-last`, or without the name. The name may hold anything, also `:` and `-`.
fn named(line: &str) -> Option<Range> {
    let (before, last) = line.rsplit_once('-')?;
    let last = address(last)?;
    let starts = std::iter::once(0).chain(before.match_indices(':').map(|(at, _)| at + 1));
    let firsts = starts.filter_map(|at| address(before.get(at..)?));
    // A name may look like the beginning of an IPv6 address: then the smallest range is meant.
    let first = firsts.filter(|first| first.is_ipv4() == last.is_ipv4() && *first <= last).max()?;
    between(first, last)
}

/// `first - last , level , name`
fn dat(line: &str) -> Option<Range> {
    let (addresses, rest) = line.split_once(',')?;
    let level = rest.split(',').next().unwrap_or_default().trim();
    let (first, last) = addresses.split_once('-')?;
    let range = between(address(first)?, address(last)?)?;
    Some(if level.parse().is_ok_and(|level: u32| level >= 128) { Range::Nothing } else { range })
}

/// `address/bits`
fn network(line: &str) -> Option<Range> {
    let (base, bits) = line.split_once('/')?;
    let bits: u32 = bits.trim().parse().ok()?;
    match address(base)? {
        IpAddr::V4(base) if bits <= 32 => {
            let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
            Some(Range::V4(base.to_bits() & !rest..=base.to_bits() | rest))
        }
        IpAddr::V6(base) if bits <= 128 => {
            let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
            Some(Range::V6(base.to_bits() & !rest..=base.to_bits() | rest))
        }
        _ => None,
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(IpAddr::V6(address).to_canonical());
    }
    // Lists write 001.002.003.004, and mean no octal numbers.
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| (1..=3).contains(&part.len()))?;
        *octet = part.bytes().all(|digit| digit.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then(|| IpAddr::V4(Ipv4Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(list: &Blocklist, address: &str) -> bool {
        list.blocks(address.parse().expect("an address"))
    }

    #[test]
    fn each_form_of_a_line_is_read() {
        let list = Blocklist::parse(concat!(
            "\u{feff}# a list\r\n",
            "Some - Name, Inc: and #1:001.002.003.000-001.002.003.009\r\n",
            "\r\n",
            "5.0.0.1 - 5.0.0.2\n",
            "6.0.0.0/8 # all of it\n",
            "7.7.7.7\n",
            "008.000.000.000 - 008.255.255.255 , 000 , Bogon\n",
            "9.0.0.0 - 9.255.255.255 , 200 , allowed\n",
            "name:2001:db8::1-2001:db8::ff\n",
            "fe80::/10\n",
            "::ffff:10.0.0.1\n",
        ))
        .expect("all of it");
        for blocked in [
            "1.2.3.0",
            "1.2.3.9",
            "5.0.0.2",
            "6.200.1.1",
            "7.7.7.7",
            "8.1.1.1",
            "2001:db8::80",
            "febf::1",
            "10.0.0.1",
            "::ffff:7.7.7.7",
        ] {
            assert!(blocks(&list, blocked), "{blocked}");
        }
        for free in [
            "1.2.3.10",
            "1.2.2.255",
            "5.0.0.0",
            "7.7.7.8",
            "9.1.1.1",
            "2001:db8::100",
            "2001:db8::",
            "fec0::1",
            "0.0.0.0",
            "::",
        ] {
            assert!(!blocks(&list, free), "{free}");
        }
        assert_eq!(list.len(), 8);
    }

    #[test]
    fn a_name_that_looks_like_an_address_is_a_name() {
        let list = Blocklist::parse("abc:2001:db8::1-2001:db8::ff").expect("a range");
        assert!(blocks(&list, "2001:db8::1") && !blocks(&list, "2000::1"));
    }

    #[test]
    fn what_is_no_range_is_said_with_its_line() {
        for wrong in
            ["1.2.3.4-", "1.2.3.9-1.2.3.1", "1.2.3-1.2.4", "1.2.3.4/33", "1.2.3.256", "::-1.1.1.1", "?"]
        {
            let error = Blocklist::parse(&format!("1.1.1.1\n# fine\n{wrong}")).expect_err(wrong);
            assert_eq!((error.line, error.text.as_str()), (3, wrong));
        }
        let long = Blocklist::parse(&"x".repeat(1000)).expect_err("nonsense");
        assert_eq!(long.text.len(), SHOWN);
    }

    #[test]
    fn the_last_address_of_all_ends_a_range() {
        let list =
            Blocklist::parse("255.255.255.0-255.255.255.255\n255.255.255.255\n0.0.0.0/0").expect("fair");
        assert_eq!(list.len(), 1);
        assert!(blocks(&list, "255.255.255.255") && !blocks(&list, "ffff::"));
        assert!(Blocklist::parse("").expect("nothing").is_empty());
    }

    proptest! {
        #[test]
        fn an_address_is_blocked_exactly_if_some_line_names_it(
            ranges in proptest::collection::vec((0u32..500, 0u32..20), 0..40),
            asked in 0u32..600,
        ) {
            let line = |&(start, length): &(u32, u32)| {
                format!("x:{}-{}\n", Ipv4Addr::from(start), Ipv4Addr::from(start + length))
            };
            let list = Blocklist::parse(&ranges.iter().map(line).collect::<String>()).expect("fair");
            let is_named = ranges.iter().any(|(start, length)| (*start..=start + length).contains(&asked));
            prop_assert_eq!(list.blocks(Ipv4Addr::from(asked).into()), is_named);
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,60}") {
            let _ = Blocklist::parse(&text);
        }
    }
}
