//! In which encoding a text is, by its beginning. Pure.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;

/// How much of a text is looked at.
pub const BEGINNING: usize = 64 * 1024;

/// The name of the encoding, as in `charset=`; `None` if it cannot be told, or this is no text. `is_all` if the text goes no
/// further.
///
/// A byte order mark is believed; what is valid UTF-8 is UTF-8, for nothing else is so by chance; else it is guessed from what
/// letters come together in which language.
pub fn charset(beginning: &[u8], is_all: bool) -> Option<&'static str> {
    if let Some((encoding, _)) = Encoding::for_bom(beginning) {
        return Some(encoding.name());
    }
    // No text in one of the encodings that are guessed has it; pictures of subtitles have many.
    if beginning.is_empty() || beginning.contains(&0) {
        return None;
    }
    let is_utf8 = match std::str::from_utf8(beginning) {
        Ok(_) => true,
        // The last character is cut.
        Err(error) => error.error_len().is_none() && !is_all,
    };
    if is_utf8 {
        // Where all of the beginning is ASCII, the rest may still be anything.
        return (is_all || !beginning.is_ascii()).then_some("UTF-8");
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(beginning, is_all);
    Some(detector.guess(None, Utf8Detection::Deny).name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(encoding: &'static Encoding, text: &str) -> Vec<u8> {
        let (bytes, _, is_lossy) = encoding.encode(text);
        assert!(!is_lossy);
        bytes.into_owned()
    }

    #[test]
    fn a_mark_is_believed_and_valid_utf_8_is_utf_8() {
        assert_eq!(charset(b"\xef\xbb\xbfabc", true), Some("UTF-8"));
        assert_eq!(charset(b"\xff\xfea\0b\0", true), Some("UTF-16LE"));
        assert_eq!(charset(b"\xfe\xff\0a\0b", true), Some("UTF-16BE"));
        assert_eq!(charset("Où ça ?".as_bytes(), true), Some("UTF-8"));
        assert_eq!(charset(b"plain", true), Some("UTF-8"));
    }

    #[test]
    fn what_was_cut_in_a_character_is_still_utf_8() {
        let text = "çççç".as_bytes();
        assert_eq!(charset(&text[..5], false), Some("UTF-8"));
        assert_ne!(charset(&text[..5], true), Some("UTF-8"));
    }

    #[test]
    fn of_a_plain_beginning_nothing_follows() {
        assert_eq!(charset(b"plain", false), None);
    }

    #[test]
    fn other_encodings_are_guessed() {
        let russian = "Привет, как дела? Мы не виделись сто лет, и вот ты здесь.";
        assert_eq!(charset(&written(encoding_rs::WINDOWS_1251, russian), true), Some("windows-1251"));
        assert_eq!(charset(&written(encoding_rs::KOI8_R, russian), false), Some("KOI8-U"));
        let german = "Schöne Grüße aus Köln, wir müssen über Österreich fahren.";
        assert_eq!(charset(&written(encoding_rs::WINDOWS_1252, german), true), Some("windows-1252"));
        let japanese = "こんにちは、お元気ですか。今日はいい天気ですね。";
        assert_eq!(charset(&written(encoding_rs::SHIFT_JIS, japanese), true), Some("Shift_JIS"));
        let chinese = "你好,今天天气很好。我们去看电影吧,你觉得怎么样?";
        assert_eq!(charset(&written(encoding_rs::GBK, chinese), true), Some("GBK"));
    }

    #[test]
    fn what_is_no_text_has_no_charset() {
        assert_eq!(charset(b"", true), None);
        assert_eq!(charset(b"\x00\x00\x01\xba\x44\x00", false), None);
    }
}
