//! What was typed after `--pin`. Pure.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Signs with which something begins that stands for others.
const SIGNS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// Which articles are meant, by their titles or paths. The case of a first letter does not matter, as in Wikipedia.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// The one that is called so.
    Exact,
    /// Those whose titles begin so.
    Prefix(String),
    /// Those that match; their titles, or paths, begin so.
    Glob { prefix: String, globs: GlobSet },
}

impl Pattern {
    /// What is no pattern that could be understood is a name.
    pub(super) fn of(text: &str) -> Pattern {
        let Some(at) = text.find(SIGNS) else { return Pattern::Exact };
        let prefix = text[..at].to_owned();
        if &text[at..] == "*" && !prefix.is_empty() {
            return Pattern::Prefix(prefix);
        }
        let mut globs = GlobSetBuilder::new();
        for text in spellings(text) {
            match GlobBuilder::new(&text).backslash_escape(true).build() {
                Ok(glob) => globs.add(glob),
                Err(_) => return Pattern::Exact,
            };
        }
        match globs.build() {
            Ok(globs) => Pattern::Glob { prefix, globs },
            Err(_) => Pattern::Exact,
        }
    }

    /// Whether an article with this title and path is meant, if that is to be found out one by one.
    pub(super) fn matches(&self, title: &str, path: &str) -> bool {
        match self {
            Pattern::Exact => false,
            Pattern::Prefix(prefix) => {
                spellings(prefix).iter().any(|prefix| title.starts_with(prefix) || path.starts_with(prefix))
            }
            Pattern::Glob { globs, .. } => globs.is_match(title) || globs.is_match(path),
        }
    }
}

/// A name with its first letter as it is, and in the other case.
pub(super) fn spellings(name: &str) -> Vec<String> {
    let mut rest = name.chars();
    let Some(first) = rest.next() else { return vec![String::new()] };
    let other: String = match first.is_uppercase() {
        true => first.to_lowercase().collect(),
        false => first.to_uppercase().collect(),
    };
    let other = format!("{other}{}", rest.as_str());
    if other == name { vec![other] } else { vec![name.to_owned(), other] }
}

/// The paths that an article of this name may have.
pub(super) fn paths(name: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for name in [name.to_owned(), name.replace(' ', "_")].iter().flat_map(|name| spellings(name)) {
        if !paths.contains(&name) {
            paths.push(name);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_a_beginning_and_a_pattern_are_told_apart() {
        assert!(matches!(Pattern::of("Paris"), Pattern::Exact));
        assert!(matches!(Pattern::of("List of *"), Pattern::Prefix(prefix) if prefix == "List of "));
        assert!(
            matches!(Pattern::of("List of * in [A-F]*"), Pattern::Glob { prefix, .. } if prefix == "List of ")
        );
        assert!(matches!(Pattern::of("*"), Pattern::Glob { prefix, .. } if prefix.is_empty()));
        assert!(matches!(Pattern::of("[unclosed"), Pattern::Exact));
    }

    #[test]
    fn titles_and_paths_match_whatever_the_case_of_the_first_letter() {
        let glob = Pattern::of("list of * in France");
        assert!(glob.matches("List of castles in France", "x") && glob.matches("list of A/B in France", "x"));
        assert!(!glob.matches("LIST of castles in France", "List of castles in Spain"));
        assert!(Pattern::of("List_of_*_bridges").matches("?", "List_of_Roman_bridges"));
        assert!(Pattern::of("List_of_*").matches("List of bridges", "List_of_bridges"));
        assert!(Pattern::of("élan*").matches("Élan vital", "x"));
    }

    #[test]
    fn a_name_may_be_a_path() {
        assert_eq!(paths("eiffel Tower"), ["eiffel Tower", "Eiffel Tower", "eiffel_Tower", "Eiffel_Tower"]);
        assert_eq!(paths("1984"), ["1984"]);
    }
}
