//! The list of MIME types: texts that end with a zero byte each, and the list with an empty one.

use bytes::Bytes;

use super::super::archive::Archive;
use super::ZimError;
use super::header::Header;

/// Longer no list is; a Wikipedia's has some hundred bytes.
const LONGEST: u64 = 64 * 1024;
/// A type of more bytes is none.
const LONGEST_KIND: usize = 256;

/// The types as they stand in the file, as many as there are. `beginning` are the first bytes of the file, which have the list in
/// all files of usual writers. A list that is not there is an empty one: entries then have no types, and all else.
pub async fn read(archive: &Archive, header: &Header, beginning: &Bytes) -> Result<Vec<String>, ZimError> {
    let start = header.mime_list_at;
    let begun = usize::try_from(start).ok().and_then(|start| beginning.get(start..)).unwrap_or_default();
    if let (kinds, true) = parse(begun) {
        return Ok(kinds);
    }
    let end = start.saturating_add(LONGEST).min(archive.length());
    if start >= end {
        return Ok(Vec::new());
    }
    Ok(parse(&archive.read(start..end).await?).0)
}

/// The types, and whether the list has come to its end.
fn parse(bytes: &[u8]) -> (Vec<String>, bool) {
    let mut kinds = Vec::new();
    let mut texts = bytes.split(|&byte| byte == 0).peekable();
    while let Some(text) = texts.next() {
        if text.is_empty() && texts.peek().is_some() {
            return (kinds, true);
        }
        // What stands behind the last zero byte has no end.
        if texts.peek().is_none() || text.len() > LONGEST_KIND {
            break;
        }
        kinds.push(String::from_utf8_lossy(text).into_owned());
    }
    (kinds, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ends_with_an_empty_text() {
        assert_eq!(
            parse(b"text/html\0image/png\0\0rest"),
            (vec!["text/html".into(), "image/png".into()], true)
        );
        assert_eq!(parse(b"\0"), (vec![], true));
    }

    #[test]
    fn a_list_without_an_end_has_what_was_read() {
        assert_eq!(parse(b"text/html\0image/p"), (vec!["text/html".into()], false));
        assert_eq!(parse(b"text/html\0"), (vec!["text/html".into()], false));
        assert_eq!(parse(b""), (vec![], false));
        let long = [b"a\0".as_slice(), &[b'x'; 300], b"\0\0"].concat();
        assert_eq!(parse(&long), (vec!["a".into()], false));
    }
}
