//! Search in the text of articles, by the index inside a ZIM file: a Xapian database of the kind *glass*, in one file, read where
//! it lies, in few dependent reads. docs/wiki.md tells how.
//!
//! The format is Xapian's (`xapian-core/backends/glass`); what is in an index and how questions are put to it is libzim's
//! (`src/writer/xapianIndexer.cpp`, `src/search.cpp`). Everything in an index is a stranger's: what is broken is an error, and the
//! work for one question is bounded.

mod block;
mod conjunction;
mod header;
mod pack;
mod postings;
mod rank;
#[cfg(test)]
mod tests;
mod tree;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::sync::OnceCell;
use tokio::try_join;

use self::conjunction::Conjunction;
use self::header::{Header, Statistics};
use self::postings::List;
use self::rank::Bm25;
use self::tree::{Blocks, Tree, Work};
use self::words::{Language, Word};
use super::zim::{Blob, ZimError};

/// Of all that is found, no more can be asked for.
const MOST_FOUND: usize = 10_000;

/// The index of one ZIM file. Cheap to clone.
#[derive(Clone)]
pub struct FullText(Arc<Inner>);

struct Inner {
    postings: Tree,
    documents: Tree,
    statistics: Statistics,
    /// As the index says itself; older ones do not.
    language: Option<String>,
    /// In no document, one in each line.
    stop_words: String,
    /// Where the lengths of documents are.
    lengths: OnceCell<List>,
}

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
    /// Reads the beginning of the index (`X/fulltext/xapian`, `X/title/xapian`; before 6.1 also `Z//fulltextIndex/xapian`), and what it says
    /// of its language.
    pub async fn open(index: Blob) -> Result<FullText, FullTextError> {
        let header = Header::parse(&index.read(0..header::LENGTH.min(index.length())).await?)?;
        let blocks = Blocks::new(index);
        let postings = Tree::new(blocks.clone(), header.postings);
        let documents = Tree::new(blocks, header.documents);
        let work = Work::default();
        let text = async |name: &str| {
            let value = postings.value(&pack::key_of_metadata(name), &work).await?;
            Ok::<_, FullTextError>(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
        };
        let (language, stop_words) = try_join!(text("language"), text("stopwords"))?;
        Ok(FullText(Arc::new(Inner {
            postings,
            documents,
            statistics: header.statistics,
            language: language.filter(|language| !language.is_empty()),
            stop_words: stop_words.unwrap_or_default(),
            lengths: OnceCell::new(),
        })))
    }

    /// Articles with all of these words, the best first: `most` of them from number `from` on. `language` as the ZIM's metadata has it
    /// (`eng`, `fra`): words are reduced to their stems by it, if the index does not say its language itself.
    ///
    /// A word with a minus in front is in none of them. After the first question, six dependent reads in an index of Wikipedia's
    /// size, but for words that so many articles have that their lists are read in several goes.
    pub async fn search(
        &self,
        words: &str,
        language: &str,
        from: usize,
        most: usize,
    ) -> Result<Found, FullTextError> {
        let inner = &*self.0;
        let language = Language::new(inner.language.as_deref().unwrap_or(language), &inner.stop_words);
        let words = language.words(words);
        let work = Work::default();
        if words.iter().all(|word| word.is_unwanted) {
            return Ok(Found::default());
        }
        let (wanted, unwanted): (Vec<Word>, Vec<Word>) =
            words.into_iter().partition(|word| !word.is_unwanted);
        let lists =
            async |words: Vec<Word>| try_join_all(words.iter().map(|word| inner.lists(word, &work))).await;
        let (wanted, unwanted, lengths) = try_join!(lists(wanted), lists(unwanted), inner.lengths(&work))?;
        // Of a word that is asked for twice there is one list, and it weighs more.
        let mut by_term: BTreeMap<String, (List, u32)> = BTreeMap::new();
        for word in wanted {
            let Some(lists) = word else { return Ok(Found::default()) };
            for (term, list) in lists {
                by_term.entry(term).or_insert((list, 0)).1 += 1;
            }
        }
        let unwanted: Vec<List> = unwanted.into_iter().flatten().flatten().map(|(_, list)| list).collect();
        let rank = Bm25::of_text(inner.statistics);
        let wanted =
            by_term.values().map(|(list, asked)| (list, rank.term(list.documents, *asked))).collect();
        let conjunction = Conjunction { wanted, unwanted: unwanted.iter().collect(), lengths, rank };
        let until = from.saturating_add(most).min(MOST_FOUND);
        let (matches, total) = conjunction.best(until, &work).await?;
        let shown = matches.get(from..).unwrap_or_default();
        let paths = try_join_all(shown.iter().map(|found| inner.path(found.document, &work))).await?;
        let hits = shown.iter().zip(paths).filter_map(|(found, path)| {
            // What the index has as a title is in lower case and without accents: nothing to show.
            Some(Hit { path: path?, title: None, weight: found.weight })
        });
        Ok(Found { total, hits: hits.collect() })
    }
}

impl Inner {
    /// The lists of the terms of a word, by the first way whose terms are all in the index; `None`: there is no such way.
    async fn lists(&self, word: &Word, work: &Work) -> Result<Option<Vec<(String, List)>>, FullTextError> {
        let ways = word.ways.iter().map(|terms| {
            try_join_all(terms.iter().map(async |term| {
                let list = List::open(&self.postings, term.as_bytes(), work).await?;
                Ok::<_, FullTextError>(list.map(|list| (term.clone(), list)))
            }))
        });
        let ways = try_join_all(ways).await?;
        Ok(ways.into_iter().find_map(|lists| lists.into_iter().collect()))
    }

    async fn lengths(&self, work: &Work) -> Result<&List, FullTextError> {
        let open = async || {
            let list = List::open(&self.postings, b"", work).await?;
            list.ok_or_else(|| FullTextError::Broken("it does not say how long its documents are".to_owned()))
        };
        self.lengths.get_or_try_init(open).await
    }

    async fn path(&self, document: u32, work: &Work) -> Result<Option<String>, FullTextError> {
        let data = self.documents.value(&pack::key_of_document(document), work).await?;
        Ok(data.map(|data| String::from_utf8_lossy(&data).into_owned()))
    }
}
