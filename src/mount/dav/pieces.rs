//! Long texts, made as they are taken.

use bytes::Bytes;

/// Pieces of at least so many bytes, but for the last: enough that the cost of sending one does not show.
const PIECE: usize = 32 * 1024;

/// One after the other `head`, `items` and `tail`, in pieces. Items are not asked for before they are needed.
pub fn gather(
    head: String,
    items: impl Iterator<Item = String> + Send + 'static,
    tail: &'static str,
) -> impl Iterator<Item = Bytes> + Send + 'static {
    let mut texts = std::iter::once(head).chain(items).chain(std::iter::once(tail.to_owned()));
    std::iter::from_fn(move || {
        let mut piece = String::new();
        while piece.len() < PIECE
            && let Some(text) = texts.next()
        {
            piece.push_str(&text);
        }
        (!piece.is_empty()).then(|| piece.into())
    })
}

/// A text as it may stand in XML or HTML, between tags or quotes. What may not (XML 1.0, section 2.2) is shown as U+FFFD.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_long_text_comes_in_pieces_and_no_earlier_than_it_is_taken() {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = made.clone();
        let items = (0..1000).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            "x".repeat(1024)
        });
        let mut pieces = gather("head".to_owned(), items, "tail");
        assert_eq!(made.load(Ordering::Relaxed), 0);
        let first = pieces.next().unwrap();
        assert!(first.starts_with(b"head") && made.load(Ordering::Relaxed) == 32);
        let rest: Vec<Bytes> = pieces.collect();
        assert!(rest.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE + 1024));
        assert!(rest.last().unwrap().ends_with(b"tail"));
        assert_eq!(first.len() + rest.iter().map(Bytes::len).sum::<usize>(), 1_024_008);
    }

    #[test]
    fn whatever_a_name_has_it_says_nothing_to_a_parser() {
        assert_eq!(escaped("a<b> & \"c\" é\u{1}\n"), "a&lt;b&gt; &amp; &quot;c&quot; é\u{fffd} ");
    }
}
