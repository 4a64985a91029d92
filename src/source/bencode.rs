//! Reads bencode (BEP 3) where it lies: nothing is copied or allocated, whatever the bytes say.
//!
//! Not librqbit-bencode: its lengths overflow (a panic in debug builds), and a tree of values costs thirty times the
//! bytes that it is read from. Here a value is first walked over to find its end, then looked into where wanted.

/// Deeper than any torrent or tracker answer nests.
const DEEPEST: usize = 64;

/// A value, borrowed from the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number beyond 64 bits is the nearest one within.
    Integer(i64),
    Bytes(&'a [u8]),
    List(List<'a>),
    Dict(Dict<'a>),
}

/// The items of a list, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    items: &'a [u8],
}

/// The keys and values of a dictionary, one after another, in whatever order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dict<'a> {
    entries: &'a [u8],
}

/// Why bytes are not bencode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it ends too early")]
    Truncated,
    #[error("it is not bencoded")]
    Syntax,
    #[error("it is nested too deeply")]
    TooDeep,
}

/// The value that `bytes` begin with, and what comes after it. All of the value has been walked over: it is well formed.
pub fn parse(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), Fault> {
    let end = end_of_value(bytes)?;
    let (raw, rest) = bytes.split_at_checked(end).ok_or(Fault::Truncated)?;
    Ok((value_of(raw).ok_or(Fault::Syntax)?, rest))
}

impl<'a> Value<'a> {
    pub fn integer(self) -> Option<i64> {
        if let Value::Integer(number) = self { Some(number) } else { None }
    }

    pub fn bytes(self) -> Option<&'a [u8]> {
        if let Value::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub fn list(self) -> Option<List<'a>> {
        if let Value::List(list) = self { Some(list) } else { None }
    }

    pub fn dict(self) -> Option<Dict<'a>> {
        if let Value::Dict(dict) = self { Some(dict) } else { None }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = parse(self.items).ok()?;
        self.items = rest;
        Some(value)
    }
}

impl<'a> Dict<'a> {
    /// The first value under this key.
    pub fn value(self, key: &str) -> Option<Value<'a>> {
        self.raw(key).and_then(value_of)
    }

    /// The bytes of the first value under this key, as they were written.
    pub fn raw(self, key: &str) -> Option<&'a [u8]> {
        let mut rest = self.entries;
        while !rest.is_empty() {
            let (found, after_key) = parse(rest).ok()?;
            let (raw, after) = after_key.split_at_checked(end_of_value(after_key).ok()?)?;
            if found == Value::Bytes(key.as_bytes()) {
                return Some(raw);
            }
            rest = after;
        }
        None
    }
}

/// What one whole, well-formed value says.
fn value_of(raw: &[u8]) -> Option<Value<'_>> {
    let inner = || raw.get(1..raw.len().checked_sub(1)?);
    Some(match raw.first()? {
        b'i' => Value::Integer(integer(inner()?)),
        b'l' => Value::List(List { items: inner()? }),
        b'd' => Value::Dict(Dict { entries: inner()? }),
        _ => Value::Bytes(raw.get(raw.iter().position(|&byte| byte == b':')? + 1..)?),
    })
}

/// Decimal digits, perhaps after a minus, as far as 64 bits go.
fn integer(text: &[u8]) -> i64 {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    let mut number: i64 = 0;
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        number = number.saturating_mul(10);
        number = if negative { number.saturating_sub(digit) } else { number.saturating_add(digit) };
    }
    number
}

/// Where the value that begins at 0 ends.
fn end_of_value(bytes: &[u8]) -> Result<usize, Fault> {
    // For each container that is open, whether it is a dictionary that awaits a key, one that awaits a value, or a list.
    let mut open = [Open::List; DEEPEST];
    let mut depth: usize = 0;
    let mut at = 0;
    loop {
        let byte = *bytes.get(at).ok_or(Fault::Truncated)?;
        let innermost = depth.checked_sub(1).and_then(|top| open.get_mut(top));
        let mut closed = false;
        match byte {
            b'e' => {
                if !matches!(innermost, Some(Open::List | Open::Key)) {
                    return Err(Fault::Syntax);
                }
                depth -= 1;
                at += 1;
                closed = true;
            }
            b'0'..=b'9' => at = end_of_bytes(bytes, at)?,
            _ if matches!(innermost, Some(Open::Key)) => return Err(Fault::Syntax),
            b'i' => at = end_of_integer(bytes, at)?,
            b'l' | b'd' => {
                let place = open.get_mut(depth).ok_or(Fault::TooDeep)?;
                *place = if byte == b'l' { Open::List } else { Open::Key };
                depth += 1;
                at += 1;
                continue;
            }
            _ => return Err(Fault::Syntax),
        }
        // A value (or key) has ended: the container around it awaits the next.
        let Some(around) = depth.checked_sub(1).and_then(|top| open.get_mut(top)) else {
            return Ok(at);
        };
        *around = match *around {
            Open::List => Open::List,
            Open::Key if !closed => Open::Value,
            Open::Key | Open::Value => Open::Key,
        };
    }
}

#[derive(Clone, Copy)]
enum Open {
    List,
    Key,
    Value,
}

fn end_of_bytes(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut length: usize = 0;
    let mut at = start;
    loop {
        match *bytes.get(at).ok_or(Fault::Truncated)? {
            digit @ b'0'..=b'9' => {
                length = length.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
            }
            b':' => break,
            _ => return Err(Fault::Syntax),
        }
        at += 1;
    }
    let end = (at + 1).saturating_add(length);
    if end <= bytes.len() { Ok(end) } else { Err(Fault::Truncated) }
}

fn end_of_integer(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start + 1;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let digits = at;
    loop {
        match *bytes.get(at).ok_or(Fault::Truncated)? {
            b'0'..=b'9' => at += 1,
            b'e' if at > digits => return Ok(at + 1),
            _ => return Err(Fault::Syntax),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> Result<Value<'_>, Fault> {
        parse(bytes).map(|(value, _)| value)
    }

    #[test]
    fn every_kind_of_value_is_read() {
        assert_eq!(whole(b"i-42e"), Ok(Value::Integer(-42)));
        assert_eq!(whole(b"4:spam"), Ok(Value::Bytes(b"spam")));
        let dict = whole(b"d1:ai1e1:bl1:x1:yee").expect("well formed").dict().expect("a dictionary");
        assert_eq!(dict.value("a").and_then(Value::integer), Some(1));
        assert_eq!(dict.raw("b"), Some(&b"l1:x1:ye"[..]));
        let items: Vec<_> = dict.value("b").and_then(Value::list).expect("a list").collect();
        assert_eq!(items, [Value::Bytes(b"x"), Value::Bytes(b"y")]);
        assert_eq!(dict.value("c"), None);
    }

    #[test]
    fn what_comes_after_is_given_back() {
        assert_eq!(parse(b"i1eabc"), Ok((Value::Integer(1), &b"abc"[..])));
    }

    #[test]
    fn nested_dictionaries_keep_keys_and_values_apart() {
        let dict = whole(b"d1:ad1:b1:ce1:di7ee").expect("well formed").dict().expect("a dictionary");
        assert_eq!(dict.value("d").and_then(Value::integer), Some(7));
        assert_eq!(dict.value("b"), None);
    }

    #[test]
    fn malformed_bytes_are_told_apart_from_short_ones() {
        for bytes in [&b""[..], b"d", b"l", b"i12", b"5:abc", b"5", b"d1:a", b"99999999999999999999999999:x"]
        {
            assert_eq!(whole(bytes), Err(Fault::Truncated), "{bytes:?}");
        }
        for bytes in
            [&b"e"[..], b"x", b"i-e", b"ie", b"i1x", b"d1:ae", b"di1ei2ee", b"dlei1ee", b"-1:a", b"<html>"]
        {
            assert_eq!(whole(bytes), Err(Fault::Syntax), "{bytes:?}");
        }
        assert_eq!(whole(&b"l".repeat(1_000_000)), Err(Fault::TooDeep));
    }

    #[test]
    fn numbers_beyond_64_bits_stop_at_the_end() {
        assert_eq!(whole(b"i99999999999999999999e"), Ok(Value::Integer(i64::MAX)));
        assert_eq!(whole(b"i-99999999999999999999e"), Ok(Value::Integer(i64::MIN)));
        assert_eq!(whole(b"i-9223372036854775808e"), Ok(Value::Integer(i64::MIN)));
    }

    fn walk(value: Value<'_>) -> usize {
        match value {
            Value::List(list) => list.map(walk).sum(),
            Value::Dict(dict) => usize::from(dict.value("a").is_some()),
            _ => 1,
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes).map(|(value, _)| walk(value));
        }

        #[test]
        fn nothing_that_looks_like_bencode_makes_it_panic(text in "[idel0-9:a-]{0,60}") {
            let _ = parse(text.as_bytes()).map(|(value, _)| walk(value));
        }
    }
}
