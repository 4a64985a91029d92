//! How well a document answers: BM25 as Xapian computes it, so that the order is the one that kiwix-serve shows.

use super::header::Statistics;

/// The numbers that Xapian's documentation calls by these names; `k2` is 0 and `k3` does not matter where each word is asked for
/// once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bm25 {
    k1: f64,
    b: f64,
    least_length: f64,
    documents: f64,
    /// One divided by the average length of a document; 0 where there is none.
    per_length: f64,
    shortest: u64,
}

/// What a word adds at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term(f64);

impl Bm25 {
    /// As Xapian does if nothing is said.
    pub fn of_text(statistics: Statistics) -> Bm25 {
        Bm25::new(statistics, 1.0, 0.5)
    }

    fn new(statistics: Statistics, k1: f64, b: f64) -> Bm25 {
        let average = statistics.words as f64 / f64::from(statistics.documents.max(1));
        let per_length = if average > 0.0 { average.recip() } else { 0.0 };
        let documents = f64::from(statistics.documents);
        Bm25 { k1, b, least_length: 0.5, documents, per_length, shortest: statistics.shortest }
    }

    /// No document is shorter.
    pub fn shortest(&self) -> u64 {
        self.shortest
    }

    /// A word that so many documents have, asked for so often.
    pub fn term(&self, documents: u32, asked: u32) -> Term {
        let with = f64::from(documents).min(self.documents);
        let odds = (self.documents - with + 0.5) / (with + 0.5);
        // A word that most documents have would weigh less than nothing.
        let odds = if odds < 2.0 { odds * 0.5 + 1.0 } else { odds };
        let asked = f64::from(asked);
        Term(odds.ln() * (2.0 * asked / (1.0 + asked)) * (self.k1 + 1.0))
    }

    /// What a word adds that is so often in a document with so many words.
    pub fn weight(&self, term: Term, count: u32, length: u64) -> f64 {
        let length = (length as f64 * self.per_length).max(self.least_length);
        let count = f64::from(count);
        let of_all = self.k1 * (length * self.b + (1.0 - self.b)) + count;
        if of_all > 0.0 { term.0 * (count / of_all) } else { 0.0 }
    }
}
