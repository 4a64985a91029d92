//! The documents that have all of several words and none of others, the best first.
//!
//! The rarest word leads: its list is read in batches, and of all other lists only the leaves where one of its documents can be.
//! Everything that a batch needs of them is asked for at once. While one batch is worked on, the next is on its way.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use futures_util::future::try_join_all;
use tokio::try_join;

use super::FullTextError;
use super::postings::{List, Posting};
use super::rank::{Bm25, Term};
use super::tree::Work;

/// Of the rarest list, in bytes: the first batch is small, since what is found in it says which documents of later ones need no
/// second look.
const FIRST_BATCH: usize = 128 * 1024;
const BATCH: usize = 1024 * 1024;
/// No batch is begun when so many blocks have been read (24 MiB, of the usual size): the word is so common that what was found is
/// good enough, and how many there are in all is guessed.
const ENOUGH_BLOCKS: usize = 3072;

/// What is searched for.
pub(super) struct Conjunction<'a> {
    /// Each with how much it weighs; at least one.
    pub wanted: Vec<(&'a List, Term)>,
    pub unwanted: Vec<&'a List>,
    /// The lengths of all documents.
    pub lengths: &'a List,
    pub rank: Bm25,
}

/// A document that was found. Better ones are greater; of equally good ones, those that were put into the index earlier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    pub weight: f64,
    pub document: u32,
}

impl Eq for Match {}

impl Ord for Match {
    fn cmp(&self, other: &Match) -> Ordering {
        self.weight.total_cmp(&other.weight).then(other.document.cmp(&self.document))
    }
}

impl PartialOrd for Match {
    fn partial_cmp(&self, other: &Match) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A document that has all words, with how often it has each, in the order of `wanted`.
struct Candidate {
    document: u32,
    counts: Vec<u32>,
}

impl Conjunction<'_> {
    /// The `most` best, and how many there are in all, about.
    pub async fn best(&self, most: usize, work: &Work) -> Result<(Vec<Match>, u64), FullTextError> {
        let leader = self.wanted.iter().enumerate().min_by_key(|(_, (list, _))| list.documents);
        let Some((leader, (list, _))) = leader else { return Ok((Vec::new(), 0)) };
        let (small, large) = (list.leaves_in(FIRST_BATCH), list.leaves_in(BATCH));
        let mut kept: BinaryHeap<Reverse<Match>> = BinaryHeap::new();
        let mut found = 0u64;
        let mut at = small.min(list.leaves());
        let mut batch = list.read(0..at, work).await?;
        let mut is_first = true;
        loop {
            let next = at..at.saturating_add(large).min(list.leaves());
            let goes_on = !next.is_empty() && work.blocks() < ENOUGH_BLOCKS;
            let ahead = async { if goes_on { list.read(next.clone(), work).await } else { Ok(Vec::new()) } };
            // In the first batch, nothing is known that could leave a document out.
            let worst = kept.peek().filter(|_| kept.len() >= most).map(|worst| worst.0.weight);
            let (matches, coming) = try_join!(self.matches(leader, &batch, worst, is_first, work), ahead)?;
            found += matches.1;
            for one in matches.0 {
                kept.push(Reverse(one));
                if kept.len() > most {
                    kept.pop();
                }
            }
            if !goes_on {
                break;
            }
            (batch, at, is_first) = (coming, next.end, false);
        }
        let total = if at < list.leaves() {
            (found as f64 * list.leaves() as f64 / at.max(1) as f64) as u64
        } else {
            found
        };
        Ok((kept.into_sorted_vec().into_iter().map(|Reverse(one)| one).collect(), total))
    }

    /// The matches among these documents of the leader, but for those that are worse than `worst`; and how many there are.
    async fn matches(
        &self,
        leader: usize,
        batch: &[Posting],
        worst: Option<f64>,
        lengths_at_once: bool,
        work: &Work,
    ) -> Result<(Vec<Match>, u64), FullTextError> {
        let documents: Vec<u32> = batch.iter().map(|posting| posting.document).collect();
        let others = self.wanted.iter().enumerate().filter(|(number, _)| *number != leader);
        let others = others.map(|(number, (list, _))| {
            let documents = &documents;
            async move { Ok((number, list.find(documents, work).await?)) }
        });
        let unwanted = self.unwanted.iter().map(|list| list.find(&documents, work));
        let lengths = async {
            if lengths_at_once { self.lengths.find(&documents, work).await.map(Some) } else { Ok(None) }
        };
        let (others, unwanted, lengths) = try_join!(try_join_all(others), try_join_all(unwanted), lengths)?;
        let mut candidates = self.candidates(leader, batch, &others, &unwanted);
        let found = candidates.len() as u64;
        if let Some(worst) = worst {
            candidates.retain(|candidate| self.weight(candidate, None) >= worst);
        }
        let lengths = match lengths {
            Some(lengths) => lengths,
            None => {
                let documents: Vec<u32> = candidates.iter().map(|candidate| candidate.document).collect();
                self.lengths.find(&documents, work).await?
            }
        };
        let mut lengths = lengths.into_iter().peekable();
        let matches = candidates.iter().map(|candidate| {
            while lengths.next_if(|length| length.document < candidate.document).is_some() {}
            let length = lengths.peek().filter(|length| length.document == candidate.document);
            let weight = self.weight(candidate, Some(length.map_or(0, |length| length.count)));
            Match { weight, document: candidate.document }
        });
        Ok((matches.collect(), found))
    }

    fn candidates(
        &self,
        leader: usize,
        batch: &[Posting],
        others: &[(usize, Vec<Posting>)],
        unwanted: &[Vec<Posting>],
    ) -> Vec<Candidate> {
        let mut others: Vec<_> =
            others.iter().map(|(number, found)| (*number, found.iter().peekable())).collect();
        let mut unwanted: Vec<_> = unwanted.iter().map(|found| found.iter().peekable()).collect();
        let mut candidates = Vec::new();
        'documents: for posting in batch {
            for refused in &mut unwanted {
                while refused.next_if(|one| one.document < posting.document).is_some() {}
                if refused.peek().is_some_and(|one| one.document == posting.document) {
                    continue 'documents;
                }
            }
            let mut counts = vec![0; self.wanted.len()];
            if let Some(count) = counts.get_mut(leader) {
                *count = posting.count;
            }
            for (number, found) in &mut others {
                while found.next_if(|one| one.document < posting.document).is_some() {}
                let Some(one) = found.peek().filter(|one| one.document == posting.document) else {
                    continue 'documents;
                };
                if let Some(count) = counts.get_mut(*number) {
                    *count = one.count;
                }
            }
            candidates.push(Candidate { document: posting.document, counts });
        }
        candidates
    }

    /// With this length; without one, no more than it can weigh: a document is at least as long as its words that are looked for.
    fn weight(&self, candidate: &Candidate, length: Option<u32>) -> f64 {
        let length = length.map_or_else(
            || self.rank.shortest().max(candidate.counts.iter().map(|count| u64::from(*count)).sum()),
            u64::from,
        );
        let words = self.wanted.iter().zip(&candidate.counts);
        words.map(|((_, term), count)| self.rank.weight(*term, *count, length)).sum()
    }
}
