//! The words of a question, as libzim and Xapian make words of a text when they index it: lower case, without accents, cut where
//! no letter or digit is, and reduced to their stems.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use rust_stemmers::{Algorithm, Stemmer};

/// Of a question; the rest is left out.
const MOST_BYTES: usize = 1024;
const MOST_WORDS: usize = 32;
/// A language whose stems cannot be had: so many letters may be cut off a word to find its stem in the index, and so many stay.
const CUT: usize = 4;
const LEFT: usize = 3;

/// A word that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it was written, but for case and accents.
    pub text: String,
    /// Terms of the index, several ways; the first way whose terms are all there is the right one.
    pub ways: Vec<Vec<String>>,
    /// Documents with it are not wanted.
    pub is_unwanted: bool,
}

/// The text in lower case and without accents: what ICU does when it is told `Lower; NFD; [:M:] remove; NFC`.
pub(super) fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let apart = DecomposingNormalizerBorrowed::new_nfd();
    let without =
        apart.normalize_iter(lower.chars()).filter(|letter| !in_group(*letter, GeneralCategoryGroup::Mark));
    ComposingNormalizerBorrowed::new_nfc().normalize_iter(without).collect()
}

fn in_group(letter: char, group: GeneralCategoryGroup) -> bool {
    group.contains(CodePointMapData::<GeneralCategory>::new().get(letter))
}

/// What words consist of, for Xapian.
fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || letter == '_'
        || !letter.is_ascii()
            && in_group(
                letter,
                GeneralCategoryGroup::Letter
                    .union(GeneralCategoryGroup::Mark)
                    .union(GeneralCategoryGroup::Number)
                    .union(GeneralCategoryGroup::ConnectorPunctuation),
            )
}

fn is_digit(letter: char) -> bool {
    in_group(letter, GeneralCategoryGroup::DecimalNumber)
}

/// What joins two parts of a word: `None`, nothing does; `Some(None)`, it does and is left out.
fn joint(before: char, letter: char, after: char) -> Option<Option<char>> {
    if matches!(letter, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}') {
        return Some(None);
    }
    if is_digit(before) && is_digit(after) {
        let joins = matches!(
            letter,
            ',' | '.'
                | ';'
                | '\u{37e}'
                | '\u{589}'
                | '\u{60d}'
                | '\u{7f8}'
                | '\u{2044}'
                | '\u{fe10}'
                | '\u{fe13}'
                | '\u{fe14}'
        );
        return joins.then_some(Some(letter));
    }
    match letter {
        '\'' | '&' | '\u{b7}' | '\u{5f4}' | '\u{2027}' => Some(Some(letter)),
        '\u{2019}' | '\u{201b}' => Some(Some('\'')),
        _ => None,
    }
}

/// Languages that are written without blanks between words: newer indexes have pairs of their letters instead.
fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{a000}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ffdc}' | '\u{20000}'..='\u{3ffff}')
}

/// The words of a question, as they were written but for case and accents; `true`: with a minus in front, so unwanted. A word
/// that ends in `+` or `#` comes with its ending behind it.
fn split(text: &str) -> Vec<(String, String, bool)> {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text: Vec<char> = plain(text.get(..end).unwrap_or_default()).chars().collect();
    let at = |index: usize| text.get(index).copied();
    let mut words = Vec::new();
    let mut index = 0;
    while words.len() < MOST_WORDS {
        let Some(first) = at(index) else { break };
        if !is_of_word(first) {
            index += 1;
            continue;
        }
        let before = |back: usize| index.checked_sub(back).and_then(at);
        let is_unwanted =
            before(1) == Some('-') && before(2).is_none_or(|letter| letter.is_whitespace() || letter == '(');
        let mut word = String::new();
        let mut last = first;
        while let Some(letter) = at(index) {
            if is_of_word(letter) {
                word.push(letter);
                last = letter;
            } else {
                let Some(after) = at(index + 1).filter(|after| is_of_word(*after)) else { break };
                match joint(last, letter, after) {
                    None => break,
                    Some(joint) => word.extend(joint),
                }
            }
            index += 1;
        }
        let mut ending: String =
            text.get(index..).unwrap_or_default().iter().take_while(|c| matches!(c, '+' | '#')).collect();
        if ending.len() > 3 || at(index + ending.len()).is_some_and(is_of_word) {
            ending.clear();
        }
        index += ending.len();
        words.push((word, ending, is_unwanted));
    }
    words
}

/// How words are made for one index.
pub(super) struct Language {
    stems: Stems,
    /// Sorted.
    stop_words: Vec<String>,
}

enum Stems {
    /// Words stay as they are.
    None,
    Known(Algorithm),
    /// The index has stems, but nobody here knows how they are made.
    Unknown,
}

impl Language {
    /// `code`: of three letters or two (`eng`, `en`); the first, if there are several. `stop_words`: one in each line.
    pub fn new(code: &str, stop_words: &str) -> Language {
        let code = code.split([',', ';', '_', '-']).next().unwrap_or_default().trim().to_ascii_lowercase();
        let two = isolang::Language::from_639_3(&code).and_then(|language| language.to_639_1());
        let stems = match two.unwrap_or(&code) {
            // The languages of Xapian 1.4. Of all others it stores words as they are.
            "ar" => Stems::Known(Algorithm::Arabic),
            "da" => Stems::Known(Algorithm::Danish),
            "de" => Stems::Known(Algorithm::German),
            "en" => Stems::Known(Algorithm::English),
            "es" => Stems::Known(Algorithm::Spanish),
            "fi" => Stems::Known(Algorithm::Finnish),
            "fr" => Stems::Known(Algorithm::French),
            "hu" => Stems::Known(Algorithm::Hungarian),
            "it" => Stems::Known(Algorithm::Italian),
            "nl" => Stems::Known(Algorithm::Dutch),
            "no" | "nb" | "nn" => Stems::Known(Algorithm::Norwegian),
            "pt" => Stems::Known(Algorithm::Portuguese),
            "ro" => Stems::Known(Algorithm::Romanian),
            "ru" => Stems::Known(Algorithm::Russian),
            "sv" => Stems::Known(Algorithm::Swedish),
            "ta" => Stems::Known(Algorithm::Tamil),
            "tr" => Stems::Known(Algorithm::Turkish),
            "ca" | "eu" | "ga" | "hy" | "id" | "lt" | "ne" => Stems::Unknown,
            _ => Stems::None,
        };
        let mut stop_words: Vec<String> = stop_words.lines().map(str::to_owned).collect();
        stop_words.sort_unstable();
        Language { stems, stop_words }
    }

    /// The words of a question. Those that are in no index of this language are left out, unless there is only one.
    pub fn words(&self, question: &str) -> Vec<Word> {
        let words = split(question);
        let is_alone = words.len() == 1;
        let words = words.into_iter().filter(|(word, ending, is_unwanted)| {
            is_alone || *is_unwanted || !ending.is_empty() || !self.is_stop_word(word)
        });
        words.map(|(text, ending, is_unwanted)| self.word(text, &ending, is_unwanted)).collect()
    }

    fn is_stop_word(&self, word: &str) -> bool {
        self.stop_words.binary_search_by(|stop_word| stop_word.as_str().cmp(word)).is_ok()
    }

    fn word(&self, text: String, ending: &str, is_unwanted: bool) -> Word {
        let mut ways = Vec::new();
        let forms = if ending.is_empty() {
            vec![text.clone()]
        } else {
            vec![format!("{text}{ending}"), text.clone()]
        };
        for form in forms {
            match self.stems {
                Stems::None => ways.push(vec![form]),
                Stems::Known(algorithm) => {
                    ways.push(vec![Stemmer::create(algorithm).stem(&form).into_owned()])
                }
                Stems::Unknown => ways.extend(cut(&form).map(|stem| vec![stem.to_owned()])),
            }
        }
        if text.chars().all(is_unspaced) && text.chars().nth(1).is_some() {
            let letters: Vec<char> = text.chars().collect();
            ways.push(letters.windows(2).map(|pair| pair.iter().collect()).collect());
        }
        Word { text: text + ending, ways, is_unwanted }
    }
}

/// The word, and what is left of it when its last letters are cut off, one by one.
fn cut(word: &str) -> impl Iterator<Item = &str> {
    let letters = word.chars().count();
    let lengths = (letters.saturating_sub(CUT).max(LEFT.min(letters))..=letters).rev();
    lengths.map(move |length| {
        word.char_indices().nth(length).map_or(word, |(end, _)| word.get(..end).unwrap_or(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(language: &Language, question: &str) -> Vec<String> {
        language.words(question).into_iter().map(|word| word.ways.concat().join("|")).collect()
    }

    #[test]
    fn accents_and_case_do_not_matter() {
        assert_eq!(plain("Ångström ÉTUDE naïve"), "angstrom etude naive");
        assert_eq!(plain("हिन्दी"), "हनद", "vowel signs are marks");
        assert_eq!(plain("한국"), "한국", "what was taken apart is put together again");
    }

    #[test]
    fn words_are_cut_as_xapian_cuts_them() {
        let none = Language::new("", "");
        assert_eq!(
            terms(&none, "AT&T's 3.14 and U.N.E.S.C.O."),
            ["at&t's", "3.14", "and", "u", "n", "e", "s", "c", "o"]
        );
        assert_eq!(
            terms(&none, "C++ c# fish+chips a++++ don’t hello_world 1,000"),
            ["c++|c", "c#|c", "fish", "chips", "a", "don't", "hello_world", "1,000"]
        );
        assert_eq!(terms(&none, "日本語"), ["日本語|日本|本語"]);
        assert_eq!(terms(&none, " -- ... "), Vec::<String>::new());
    }

    #[test]
    fn a_minus_before_a_word_makes_it_unwanted() {
        let words = Language::new("eng", "").words("paris -hilton co-op");
        let unwanted: Vec<_> = words.iter().map(|word| (word.text.as_str(), word.is_unwanted)).collect();
        assert_eq!(unwanted, [("paris", false), ("hilton", true), ("co", false), ("op", false)]);
    }

    #[test]
    fn words_are_reduced_to_stems_and_stop_words_left_out() {
        let english = Language::new("eng", "the\nof\n");
        assert_eq!(terms(&english, "The Mountains of running nationalities"), ["mountain", "run", "nation"]);
        assert_eq!(terms(&english, "the"), ["the"], "alone, it is what is meant");
        assert_eq!(terms(&english, "the of"), Vec::<String>::new());
        assert_eq!(terms(&Language::new("en", ""), "Mountains"), ["mountain"]);
        assert_eq!(terms(&Language::new("fra,eng", ""), "montagnes"), ["montagn"]);
        assert_eq!(terms(&Language::new("ell", ""), "βουνά"), ["βουνα"], "Xapian knows no Greek");
        assert_eq!(
            terms(&Language::new("cat", ""), "muntanyes"),
            ["muntanyes|muntanye|muntany|muntan|munta"]
        );
    }

    #[test]
    fn a_question_without_end_is_cut() {
        let words = Language::new("eng", "").words(&"é a".repeat(10_000));
        assert_eq!(words.len(), MOST_WORDS);
    }
}
