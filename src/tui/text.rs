//! Texts from outside made safe to draw, fitted into columns; and times in words. Knows no terminal.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Span;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks that may sit upon one letter. More are no script's, and would be drawn over the lines above.
const MARKS: usize = 4;

/// One line without anything that a terminal obeys, that turns the direction of what follows, or that terminals draw in
/// different widths: what is left stands where it is put.
pub fn clean(text: &str) -> String {
    let mut marks = 0;
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        let character = match character {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            _ if character.is_control() || is_invisible(character) => continue,
            _ => character,
        };
        marks = if character.width() == Some(0) { marks + 1 } else { 0 };
        if marks <= MARKS {
            cleaned.push(character);
        }
    }
    cleaned
}

/// What has no shape of its own and changes how others are drawn: directions (Trojan Source), joiners of pictures that half
/// of all terminals do not join, tones, variants, tags, marks of byte order and annotation.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200d}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns that the text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// At most `most` columns of the text; an ellipsis says that there is more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let Some(room) = most.checked_sub(1) else { return String::new() };
    let mut kept = String::new();
    let mut taken = 0;
    for grapheme in Span::raw(text).styled_graphemes(Style::default()) {
        taken += width(grapheme.symbol);
        if taken > room {
            break;
        }
        kept.push_str(grapheme.symbol);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// The text in lines of at most `most` columns, broken between words only; a word that is longer is cut.
pub(super) fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, most)),
        }
    }
    lines
}

/// The lines of a text, each broken between words where it is longer than `most` columns. A word that is longer stays whole: it
/// may be a URL, to be copied.
pub(super) fn folded(text: &str, most: usize) -> String {
    let fold = |line: &str| {
        let mut folded = String::new();
        let mut column = 0;
        for word in line.split_inclusive(' ') {
            if column > 0 && column + width(word.trim_end()) > most {
                folded.truncate(folded.trim_end().len());
                folded.push('\n');
                column = 0;
            }
            folded.push_str(word);
            column += width(word);
        }
        folded
    };
    text.lines().map(fold).collect::<Vec<_>>().join("\n")
}

/// The first `rows` of such lines; the last one says if there were more.
pub(super) fn first_rows(mut lines: Vec<String>, rows: usize, most: usize) -> Vec<String> {
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} …"), most);
        }
    }
    lines
}

pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// A place in a film: `12:03`, `1:32:10`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// How long something lasts: `48 s`, `3 min`, `1 h 20 min`.
pub(super) fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0 | 1) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// How long a peer takes to answer: `45 ms`, `1.2 s`.
pub(super) fn latency(time: Duration) -> String {
    match time.as_millis() {
        milliseconds @ 0..1000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(clean("a\x1b[2Jb\x07\u{9b}31mc\r\nd"), "a[2Jb31mc  d");
        assert_eq!(clean("film\u{202e}4pm.exe\u{2066}\u{200f}"), "film4pm.exe");
        assert_eq!(clean("👩\u{200d}👧 👍\u{1f3fd} ❤\u{fe0f}"), "👩👧 👍 ❤");
        assert_eq!(clean(&format!("a{}b", "\u{301}".repeat(50))), "a\u{301}\u{301}\u{301}\u{301}b");
        assert_eq!(clean("Amélie, 天気の子, Ирония судьбы"), "Amélie, 天気の子, Ирония судьбы");
    }

    #[test]
    fn a_name_is_cut_by_columns_and_not_by_letters() {
        assert_eq!(cut("天気の子.mkv", 12), "天気の子.mkv");
        assert_eq!(cut("天気の子.mkv", 8), "天気の…");
        assert_eq!(cut("a film.mkv", 7), "a film…");
        assert_eq!(cut("a film.mkv", 3), "a…");
        assert_eq!(cut("film", 1), "…");
        assert_eq!(cut("film", 0), "");
    }

    #[test]
    fn a_sentence_is_broken_between_its_words() {
        assert_eq!(wrap("3 of 4 trackers timed out", 10), ["3 of 4", "trackers", "timed out"]);
        assert_eq!(wrap("an unbelievable thing", 8), ["an", "unbelie…", "thing"]);
        assert_eq!(first_rows(wrap("one two three four", 9), 1, 9), ["one two …"]);
        assert!(wrap("", 10).is_empty());
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        let seconds = Duration::from_secs;
        assert_eq!((clock(seconds(723)), clock(seconds(5530))), ("12:03".into(), "1:32:10".into()));
        assert_eq!((lasting(seconds(119)), lasting(seconds(180))), ("119 s".into(), "3 min".into()));
        assert_eq!(lasting(seconds(4800)), "1 h 20 min");
        assert_eq!(latency(Duration::from_millis(45)), "45 ms");
        assert_eq!(latency(Duration::from_millis(1249)), "1.2 s");
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_its_column(text: String, most in 0usize..40) {
            let text = clean(&text);
            prop_assert!(width(&cut(&text, most)) <= most);
            for line in first_rows(wrap(&text, most), 3, most) {
                prop_assert!(width(&line) <= most);
            }
        }
    }
}
