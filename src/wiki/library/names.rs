//! What a book is called in URLs, by the rules of kiwix-serve (libkiwix, `Book::getHumanReadableIdFromPath`). Pure.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// `Wikipédia FR+.zim`: `wikipedia_frplus`. Of the parts of a split file, the name of the whole.
pub fn name_of(file_name: &str) -> String {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    let lower = name.to_lowercase();
    let stem = match lower.rsplit_once(".zim") {
        Some((stem, part)) if part.bytes().all(|byte| byte.is_ascii_lowercase()) => stem,
        _ => &lower,
    };
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(stem);
    let plain: String = decomposed.chars().filter(|c| !is_mark(*c)).collect();
    let plain = ComposingNormalizerBorrowed::new_nfc().normalize(&plain);
    match plain.replace(' ', "_").replace('+', "plus") {
        name if name.trim_matches('.').is_empty() => "book".to_owned(),
        name => name,
    }
}

/// The marks that decomposing leaves behind letters of European languages.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

/// The first of `name`, `name-2`, `name-3`, ... that nobody has.
pub fn another(name: String, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(&name) {
        return name;
    }
    (2u64..).map(|number| format!("{name}-{number}")).find(|name| !is_taken(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_called_as_by_kiwix_serve() {
        assert_eq!(name_of("wikipedia_en_all_2024-01.zim"), "wikipedia_en_all_2024-01");
        assert_eq!(name_of("Show/Été Bücher+C_2020.zim"), "ete_bucherplusc_2020");
        assert_eq!(name_of("wiki.zimaa"), "wiki");
        assert_eq!(name_of("wiki.zim.zim"), "wiki.zim");
        assert_eq!(name_of("wiki.ZIM"), "wiki");
        assert_eq!(name_of("no ending"), "no_ending");
    }

    #[test]
    fn every_book_has_a_name_of_its_own() {
        assert_eq!(name_of(".zim"), "book");
        assert_eq!(name_of("..zim"), "book");
        let taken = ["wiki", "wiki-2"];
        assert_eq!(another("wiki".to_owned(), |name| taken.contains(&name)), "wiki-3");
        assert_eq!(another("other".to_owned(), |name| taken.contains(&name)), "other");
    }
}
