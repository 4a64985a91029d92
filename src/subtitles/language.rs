//! Languages, as the names of files and users' locales tell them.

use std::collections::HashMap;
use std::sync::LazyLock;

use isolang::Language;

/// What the words of a name tell of subtitles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    pub language: Option<Language>,
    pub region: Option<String>,
    pub is_forced: bool,
    /// With what a deaf viewer does not hear.
    pub is_for_deaf: bool,
}

/// Codes of ISO 639-2/B, where they are not those of 639-3, and what people write for a language that has another name.
const ALSO: [(&str, &str); 38] = [
    ("alb", "sq"),
    ("arm", "hy"),
    ("baq", "eu"),
    ("brazilian", "pt"),
    ("bur", "my"),
    ("cantonese", "zh"),
    ("castellano", "es"),
    ("chi", "zh"),
    ("chs", "zh"),
    ("cht", "zh"),
    ("cmn", "zh"),
    ("cze", "cs"),
    ("dut", "nl"),
    ("esp", "es"),
    ("farsi", "fa"),
    ("flemish", "nl"),
    ("fre", "fr"),
    ("geo", "ka"),
    ("ger", "de"),
    ("gre", "el"),
    ("greek", "el"),
    ("ice", "is"),
    ("jap", "ja"),
    ("latino", "es"),
    ("mac", "mk"),
    ("malay", "ms"),
    ("mandarin", "zh"),
    ("mao", "mi"),
    ("may", "ms"),
    ("per", "fa"),
    ("pob", "pt"),
    ("ptbr", "pt"),
    ("rum", "ro"),
    ("simplified", "zh"),
    ("slo", "sk"),
    ("tib", "bo"),
    ("traditional", "zh"),
    ("wel", "cy"),
];

/// Regions that are told by another word than their own.
const REGIONS: [(&str, &str); 9] = [
    ("brazilian", "BR"),
    ("cantonese", "HK"),
    ("castellano", "ES"),
    ("chs", "CN"),
    ("cht", "TW"),
    ("latino", "419"),
    ("pob", "BR"),
    ("ptbr", "BR"),
    ("simplified", "CN"),
];

impl Hints {
    /// Words of a name. The last one that is a language tells it: `2_English`, `film.en.forced`, `pt-BR`. A code counts only
    /// at the end, for most codes are words of some title.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Hints {
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        let is_language = |at: usize| words.get(at).is_some_and(|word| read_word(word).is_some());
        let mut hints = Hints::default();
        let mut is_end = true;
        for (at, word) in words.iter().enumerate().rev() {
            let follows_language = at.checked_sub(1).is_some_and(is_language);
            match word.as_str() {
                "forced" | "foreign" => hints.is_forced = true,
                "sdh" | "hoh" | "cc" | "impaired" => hints.is_for_deaf = true,
                // Hindi, but behind another language "hearing impaired".
                "hi" if is_end && follows_language => hints.is_for_deaf = true,
                number if number.bytes().all(|byte| byte.is_ascii_digit()) && number != "419" => {}
                region if is_end && follows_language && is_region(region) => {
                    hints.region = Some(region.to_uppercase());
                }
                word => {
                    let language = read_word(word).filter(|_| is_end || word.len() > 3);
                    is_end = false;
                    if let Some(language) =
                        language.filter(|&language| hints.language.is_none_or(|told| told == language))
                    {
                        hints.language = Some(language);
                        // "Brazilian Portuguese" tells the one by the one and the other by the other.
                        let region = REGIONS.iter().find(|(other, _)| *other == word);
                        hints.region = hints.region.or(region.map(|(_, region)| (*region).to_owned()));
                    }
                }
            }
        }
        hints
    }

    /// For a viewer: `Portuguese (BR), forced`.
    pub fn told(&self) -> Option<String> {
        let mut told = plain_name(self.language?).to_owned();
        if let Some(region) = &self.region {
            told = format!("{told} ({region})");
        }
        if self.is_forced {
            told.push_str(", forced");
        }
        if self.is_for_deaf {
            told.push_str(", SDH");
        }
        Some(told)
    }
}

/// What stands behind a language to tell where it is spoken, or how it is written.
fn is_region(word: &str) -> bool {
    matches!(
        word,
        "419"
            | "at"
            | "be"
            | "br"
            | "ca"
            | "ch"
            | "cn"
            | "es"
            | "fr"
            | "gb"
            | "hans"
            | "hant"
            | "hk"
            | "latn"
            | "cyrl"
            | "mx"
            | "pt"
            | "sg"
            | "tw"
            | "uk"
            | "us"
    )
}

/// The words of a name, between all that is neither letter nor digit.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A language as users and locales write it: `de`, `de_DE.UTF-8`, `deu`, `ger`, `German`, `Deutsch`.
pub(super) fn read(text: &str) -> Option<Language> {
    read_word(&words(text).next()?.to_lowercase())
}

/// The English name of the language that `text` means (`de`, `ger`, `de-AT`, `deutsch`); `None` if it means none.
pub fn name_of(text: &str) -> Option<&'static str> {
    read(text).map(plain_name)
}

/// English names and the languages' own, in small letters.
static NAMES: LazyLock<HashMap<String, Language>> = LazyLock::new(|| {
    let usual = || Language::match_names(|_| true).filter(|language| language.to_639_1().is_some());
    let own = usual().filter_map(|language| Some((language.to_autonym()?.to_lowercase(), language)));
    // After their own, so that where the two meet the English name counts.
    own.chain(usual().map(|language| (plain_name(language).to_lowercase(), language))).collect()
});

/// Only languages that have a code of two letters, or half of all short words would be one.
fn read_word(word: &str) -> Option<Language> {
    if let Some((_, code)) = ALSO.iter().find(|(also, _)| *also == word) {
        return Language::from_639_1(code);
    }
    match word.len() {
        2 => Language::from_639_1(word),
        3 => Language::from_639_3(word).filter(|language| language.to_639_1().is_some()),
        _ => NAMES.get(word).copied(),
    }
}

fn plain_name(language: Language) -> &'static str {
    plain(language.to_name())
}

/// A name of the catalogue, less what only linguists add.
fn plain(name: &str) -> &str {
    let name = name.split_once(" (").map_or(name, |(name, _)| name);
    name.strip_prefix("Modern ").unwrap_or(name)
}

/// The languages that the user has told the system, the dearest first, as codes.
pub fn user_languages() -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for locale in sys_locale::get_locales() {
        // "C" and "POSIX" are none.
        let code = read(&locale).and_then(|language| language.to_639_1());
        if let Some(code) = code.filter(|code| !found.iter().any(|other| other == code)) {
            found.push(code.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_in_every_form() {
        for text in ["de", "DE", "de-AT", "de_DE.UTF-8", "deu", "ger", "German", "deutsch"] {
            assert_eq!(name_of(text), Some("German"), "{text}");
        }
        let others = [
            ("el", "Greek"),
            ("greek", "Greek"),
            ("pt_BR", "Portuguese"),
            ("chi", "Chinese"),
            ("русский", "Russian"),
        ];
        for (text, name) in others {
            assert_eq!(name_of(text), Some(name), "{text}");
        }
        for text in ["", "C", "POSIX", "the", "x264", "1080p", "klingon", "-"] {
            assert_eq!(name_of(text), None, "{text}");
        }
    }

    #[test]
    fn every_other_name_leads_to_a_language() {
        for (also, code) in ALSO {
            assert!(Language::from_639_1(code).is_some() && also.to_lowercase() == also, "{also}");
        }
        for (word, _) in REGIONS {
            assert!(read_word(word).is_some(), "{word}");
        }
    }

    #[test]
    fn names_tell_language_region_and_kind() {
        let told = |name: &str| Hints::of(words(name)).told();
        let cases = [
            ("2_English", "English"),
            ("en", "English"),
            (".en.forced", "English, forced"),
            ("English (SDH)", "English, SDH"),
            ("en.hi", "English, SDH"),
            ("hi", "Hindi"),
            ("pt-BR", "Portuguese (BR)"),
            ("Brazilian Portuguese", "Portuguese (BR)"),
            ("Portuguese.Brazilian", "Portuguese (BR)"),
            ("12_Latino.spa", "Spanish (419)"),
            ("chs", "Chinese (CN)"),
            ("ger.cc.2", "German, SDH"),
            ("it", "Italian"),
            ("it.forced", "Italian, forced"),
            ("Show me the way to go - German.web", "German"),
        ];
        for (name, expected) in cases {
            assert_eq!(told(name).as_deref(), Some(expected), "{name}");
        }
        for name in ["", "2", "forced", "x264-GROUP", "1080p.WEB", "show me the way to go", "may I"] {
            assert_eq!(told(name), None, "{name}");
        }
    }

    #[test]
    fn this_users_languages_can_be_asked_for() {
        for language in user_languages() {
            assert!(name_of(&language).is_some(), "{language}");
        }
    }
}
