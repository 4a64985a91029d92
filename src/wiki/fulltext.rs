//! Search in the text of articles, by the index inside a ZIM file: a Xapian database, read where it lies.

use super::zim::{Blob, ZimError};

/// The index of one ZIM file. Cheap to clone.
#[derive(Clone)]
pub struct FullText;

/// Why there is no answer from the index.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FullTextError {
    #[error("the index is of a kind that cannot be read: {0}")]
    Unknown(String),
    #[error("the index is broken: {0}")]
    Broken(String),
    #[error(transparent)]
    Zim(#[from] ZimError),
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// How many articles there are in all, about.
    pub total: u64,
    pub hits: Vec<Hit>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Namespace and path, as the index has it: `C/Paris`, or `A/Paris.html`.
    pub path: String,
    /// Where the index has it.
    pub title: Option<String>,
    /// The larger the better.
    pub weight: f64,
}

impl FullText {
    /// Reads the beginning of the index (`X/fulltext/xapian`, `X/title/xapian`; before 6.1 also `Z//fulltextIndex/xapian`).
    pub async fn open(index: Blob) -> Result<FullText, FullTextError> {
        let _ = index;
        Err(FullTextError::Unknown("none is read yet".to_owned()))
    }

    /// Articles with all of these words, the best first: `most` of them from number `from` on. `language` as the ZIM's metadata has it
    /// (`eng`, `fra`): words are reduced to their stems by it.
    pub async fn search(
        &self,
        words: &str,
        language: &str,
        from: usize,
        most: usize,
    ) -> Result<Found, FullTextError> {
        let _ = (words, language, from, most);
        todo!()
    }
}
