//! Whose a file is that lies where one of the torrent's belongs: what somebody else has put there is not written to.
//!
//! A file is ours if it was not there, or empty, when we first wrote to it; if the journal knows it as it is; if a right piece
//! was found in it, whoever fetched that; or if nothing is in it but zeros. Until a file that was there has been judged, the
//! writer waits, and the look through what was there begins with it.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::Shared;
use super::files::Place;
use super::journal::Record;
use crate::layout::PieceIndex;
use crate::lock::{lock, wait_at_most};

/// How long the writer waits for a judgement before it says so.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file that is being written is recorded again after so long: so that the next run, should this one be killed, knows it by
/// its time of change too.
const AGAIN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// With the time when the journal was last told.
    Ours(Option<Instant>),
    Unjudged,
    /// Nothing in it is right.
    Foreign,
}

/// What may be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Write,
    /// Writing what is there already.
    SameOnly,
}

/// Why bytes were not written.
#[derive(Debug)]
pub(super) enum Refused {
    Disk(io::Error),
    /// Another program of ours writes to this file.
    Busy(u32),
    /// The file is somebody else's.
    Occupied(u32),
    /// Nobody knows yet whose this file is.
    Unjudged(u32),
    /// The file was there, and is not any more.
    Gone(u32),
    Closed,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Refused::Disk(error)
    }
}

pub(super) struct Claims {
    list: Mutex<List>,
    changed: Condvar,
}

struct List {
    /// Of the files that were there, and of those that we have written to.
    claims: BTreeMap<u32, Claim>,
    /// The writer waits for this one.
    wanted: Option<u32>,
    closed: bool,
}

impl Claims {
    /// Of the files that are there and not empty: whether the journal knows them as they are.
    pub(super) fn new(there: impl IntoIterator<Item = (u32, bool)>) -> Self {
        let claim = |is_known| if is_known { Claim::Ours(None) } else { Claim::Unjudged };
        let claims = there.into_iter().map(|(file, is_known)| (file, claim(is_known))).collect();
        Claims { list: Mutex::new(List { claims, wanted: None, closed: false }), changed: Condvar::new() }
    }

    pub(super) fn close(&self) {
        lock(&self.list).closed = true;
        self.changed.notify_all();
    }

    /// A file that is to be judged: the one that is waited for, else any.
    pub(super) fn next_unjudged(&self) -> Option<u32> {
        let list = lock(&self.list);
        let mut unjudged = list.claims.iter().filter(|(_, claim)| **claim == Claim::Unjudged);
        list.wanted.or_else(|| unjudged.next().map(|(&file, _)| file))
    }

    pub(super) fn wanted(&self) -> Option<u32> {
        lock(&self.list).wanted
    }

    /// The piece is right: the files that it lies in are what they should be.
    pub(super) fn on_right(&self, shared: &Shared, piece: PieceIndex) {
        let files = shared.files.segments(shared.layout.piece_range(piece));
        let files = files.filter_map(|segment| segment.place.file());
        self.judge(files, Claim::Ours(None));
    }

    /// All pieces of it have been looked at, and none was right.
    pub(super) fn on_nothing_right(&self, shared: &Shared, file: u32) {
        let is_blank = shared.files.is_blank(file, || shared.jobs.is_closed()).unwrap_or(false);
        self.judge([file], if is_blank { Claim::Ours(None) } else { Claim::Foreign });
    }

    fn judge(&self, files: impl IntoIterator<Item = u32>, judged: Claim) {
        let mut list = lock(&self.list);
        for file in files {
            match list.claims.get_mut(&file) {
                Some(claim @ Claim::Unjudged) => *claim = judged,
                Some(claim @ Claim::Foreign) if judged != Claim::Foreign => *claim = judged,
                _ => {}
            }
        }
        if list.wanted.is_some_and(|wanted| list.claims.get(&wanted) != Some(&Claim::Unjudged)) {
            list.wanted = None;
        }
        self.changed.notify_all();
    }

    /// Whether this file may be written. Makes it if it is not there, and has the journal know it before the first byte is
    /// written. Waits a second at most; then it is [`Refused::Unjudged`], to be asked again.
    pub(super) fn permit(&self, shared: &Shared, file: u32) -> Result<Permit, Refused> {
        match self.judged(file)? {
            Some(Claim::Ours(Some(told))) if told.elapsed() < AGAIN => Ok(Permit::Write),
            Some(Claim::Ours(_)) => {
                self.record(shared, file)?;
                Ok(Permit::Write)
            }
            Some(Claim::Unjudged) => Err(Refused::Unjudged(file)),
            // It may have been moved away, or have come, since it was last looked at.
            Some(Claim::Foreign) | None => {
                if shared.files.identity(file)?.is_some_and(|found| found.size > 0) {
                    lock(&self.list).claims.insert(file, Claim::Foreign);
                    return Ok(Permit::SameOnly);
                }
                shared.files.make(file)?;
                self.record(shared, file)?;
                Ok(Permit::Write)
            }
        }
    }

    fn judged(&self, file: u32) -> Result<Option<Claim>, Refused> {
        let asked = Instant::now();
        let mut list = lock(&self.list);
        loop {
            let claim = list.claims.get(&file).copied();
            if claim != Some(Claim::Unjudged) {
                return Ok(claim);
            }
            if list.closed {
                return Err(Refused::Closed);
            }
            let Some(rest) = PATIENCE.checked_sub(asked.elapsed()) else { return Ok(claim) };
            list.wanted = Some(file);
            list = wait_at_most(&self.changed, list, rest);
        }
    }

    /// Not synced: this is for a run that is killed. After a power loss a file that was begun in the last two seconds may be
    /// taken for somebody else's, and the user be asked to remove it.
    fn record(&self, shared: &Shared, file: u32) -> Result<(), Refused> {
        let identity = shared.files.written_identity(file)?;
        if let Some(journal) = lock(&shared.journal).as_mut()
            && let Err(error) = journal.append(&[Record::File(file, identity)])
        {
            // The disk is full, probably: the block will not fit either, or is worth more.
            tracing::debug!(file, %error, "it could not be recorded that a file is ours");
        }
        lock(&self.list).claims.insert(file, Claim::Ours(Some(Instant::now())));
        Ok(())
    }

    /// Something was written to it in this run.
    pub(super) fn is_written(&self, file: u32) -> bool {
        matches!(lock(&self.list).claims.get(&file), Some(Claim::Ours(Some(_))))
    }

    #[cfg(test)]
    pub(super) fn is_foreign(&self, file: u32) -> bool {
        lock(&self.list).claims.get(&file) == Some(&Claim::Foreign)
    }

    /// The file is gone, and with it nothing that anybody relies on: it may be made anew.
    pub(super) fn forget(&self, file: u32) {
        lock(&self.list).claims.remove(&file);
    }
}

impl Refused {
    /// Of a file that could not be opened to be written.
    pub(super) fn of(error: io::Error, file: u32) -> Self {
        match error.kind() {
            io::ErrorKind::ResourceBusy => Refused::Busy(file),
            io::ErrorKind::NotFound => Refused::Gone(file),
            _ => Refused::Disk(error),
        }
    }
}

/// Whether `there` is exactly these parts, one behind the other.
pub(super) fn is_same(there: &[u8], parts: &[IoSlice<'_>]) -> bool {
    let mut rest = there;
    parts.iter().all(|part| match rest.split_at_checked(part.len()) {
        Some((same, later)) => {
            rest = later;
            same == &**part
        }
        None => false,
    }) && rest.is_empty()
}

impl Place {
    fn file(self) -> Option<u32> {
        match self {
            Place::File(file, _) => Some(file),
            Place::Padding => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_does_not_wait_for_a_judgement() {
        let claims = Claims::new([(3, false), (4, true)]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                loop {
                    match claims.judged(3) {
                        Ok(Some(Claim::Unjudged)) => {}
                        other => return other,
                    }
                }
            });
            while claims.wanted() != Some(3) {
                std::thread::yield_now();
            }
            claims.close();
            assert!(matches!(waiting.join().expect("no panic"), Err(Refused::Closed)));
        });
        assert!(matches!(claims.judged(4), Ok(Some(Claim::Ours(None)))));
    }

    #[test]
    fn only_exactly_the_same_bytes_are_the_same() {
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"c")];
        assert!(is_same(b"abc", &parts));
        assert!(!is_same(b"abd", &parts) && !is_same(b"ab", &parts) && !is_same(b"abcd", &parts));
    }
}
