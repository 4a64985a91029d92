//! The thread that makes verified pieces survive a power loss: first the data, then the record of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::files::Place;
use super::folder::{Identity, Lock};
use super::journal::{Record, ranges};
use super::{Answer, Shared, StoreError, StoreEvent};
use crate::bitfield::Bitfield;
use crate::layout::PieceIndex;
use crate::lock::{lock, wait, wait_at_most};

/// What was verified is recorded after at most this time ...
const EVERY: Duration = Duration::from_secs(2);
/// ... or so many bytes.
const EVERY_BYTES: u64 = 64 * 1024 * 1024;

/// What is to be recorded.
#[derive(Default)]
pub(super) struct Syncs {
    list: Mutex<List>,
    more: Condvar,
}

#[derive(Default)]
struct List {
    pieces: Vec<PieceIndex>,
    bytes: u64,
    /// Who waits until it is done.
    asked: Vec<Answer>,
    closed: bool,
    answer: Option<Answer>,
    /// All is done, and the locks are given up.
    ended: bool,
}

impl List {
    fn is_urgent(&self) -> bool {
        self.closed || !self.asked.is_empty() || self.bytes >= EVERY_BYTES
    }
}

impl Syncs {
    pub(super) fn add(&self, piece: PieceIndex, bytes: u64) {
        let mut list = lock(&self.list);
        let was_quiet = list.pieces.is_empty();
        let was_urgent = list.is_urgent();
        list.pieces.push(piece);
        list.bytes += bytes;
        // The first starts the two seconds; in between nobody need wake up.
        if was_quiet || list.is_urgent() != was_urgent {
            self.more.notify_one();
        }
    }

    pub(super) fn ask(&self, answer: Answer) {
        lock(&self.list).asked.push(answer);
        self.more.notify_one();
    }

    pub(super) fn close(&self, answer: Option<Answer>) {
        let mut list = lock(&self.list);
        list.closed = true;
        list.answer = answer;
        self.more.notify_one();
    }

    fn end(&self) {
        lock(&self.list).ended = true;
        self.more.notify_all();
    }

    /// Waits until the store is closed and its locks are given up; false if that takes longer than `most`.
    pub(super) fn wait_for_end(&self, most: Duration) -> bool {
        let begun = Instant::now();
        let mut list = lock(&self.list);
        while !list.ended {
            let Some(rest) = most.checked_sub(begun.elapsed()) else { return false };
            list = wait_at_most(&self.more, list, rest);
        }
        true
    }

    /// Waits until something is due.
    fn take(&self) -> List {
        let mut list = lock(&self.list);
        while list.pieces.is_empty() && !list.is_urgent() {
            list = wait(&self.more, list);
        }
        let begun = Instant::now();
        while let Some(rest) = EVERY.checked_sub(begun.elapsed()).filter(|_| !list.is_urgent()) {
            list = wait_at_most(&self.more, list, rest);
        }
        let closed = list.closed;
        let taken = std::mem::take(&mut *list);
        list.closed = closed;
        taken
    }
}

pub(super) struct Syncing {
    /// Given up when this thread ends: from then on the journal is somebody else's. Before `shared`, so that whoever
    /// sees the events end can open it again.
    _lock: Lock,
    shared: Arc<Shared>,
    /// What the journal says, or would if it could be written.
    recorded: Bitfield,
    files: BTreeMap<u32, Identity>,
    /// Pieces whose data is synced, but which are not recorded.
    unrecorded: BTreeSet<PieceIndex>,
    /// Files that are not what the journal says.
    unrecorded_files: BTreeSet<u32>,
    /// Files of which a sync has failed: what has come for them cannot be relied on.
    failed: BTreeSet<u32>,
    told: bool,
}

impl Syncing {
    pub(super) fn new(
        shared: Arc<Shared>,
        lock: Lock,
        recorded: Bitfield,
        files: BTreeMap<u32, Identity>,
    ) -> Self {
        Syncing {
            _lock: lock,
            shared,
            recorded,
            files,
            unrecorded: BTreeSet::new(),
            unrecorded_files: BTreeSet::new(),
            failed: BTreeSet::new(),
            told: false,
        }
    }

    /// Until the store is closed.
    pub(super) fn run(mut self) {
        loop {
            let due = self.shared.syncs.take();
            let mut result = self.round(due.pieces);
            if due.closed && result.is_ok() {
                result = self.finish();
            }
            let error = result.err().map(|why| StoreError::Record {
                state: self.shared.config.state.clone(),
                why: Arc::new(why),
            });
            if let Some(error) = &error
                && !self.told
            {
                self.shared.tell(StoreEvent::Broken(error.clone()));
            }
            self.told = error.is_some();
            let answers = due.asked.into_iter();
            if due.closed {
                // Whoever is told that it is closed must be able to open it again: the locks go first.
                lock(&self.shared.journal).take();
                self.shared.files.close();
                let shared = self.shared.clone();
                drop(self);
                shared.syncs.end();
                answers.chain(due.answer).for_each(|answer| reply(answer, &error));
                return;
            }
            answers.for_each(|answer| reply(answer, &error));
        }
    }

    fn round(&mut self, pieces: Vec<PieceIndex>) -> io::Result<()> {
        let synced = self.sync_data(pieces);
        self.record()?;
        synced
    }

    /// Step one: the data. What goes wrong with one file is told, but does not keep the others from being recorded.
    fn sync_data(&mut self, pieces: Vec<PieceIndex>) -> io::Result<()> {
        let shared = self.shared.clone();
        let files_of = |piece| {
            shared.files.segments(shared.layout.piece_range(piece)).filter_map(|segment| {
                match segment.place {
                    Place::File(index, _) => Some(index),
                    Place::Padding => None,
                }
            })
        };
        let files: BTreeSet<u32> = pieces.iter().flat_map(|&piece| files_of(piece)).collect();
        let mut result = Ok(());
        let mut folders = BTreeSet::new();
        for index in files {
            if self.failed.contains(&index) {
                continue;
            }
            match shared.files.sync(index, &mut folders) {
                Ok(identity) => self.note(index, identity),
                Err(why) => {
                    self.failed.insert(index);
                    result = Err(why);
                }
            }
        }
        let is_safe = |piece: &PieceIndex| files_of(*piece).all(|index| !self.failed.contains(&index));
        self.unrecorded.extend(pieces.into_iter().filter(is_safe));
        result
    }

    fn note(&mut self, index: u32, identity: Identity) {
        if self.files.insert(index, identity) != Some(identity) {
            self.unrecorded_files.insert(index);
        }
    }

    /// Steps two and three: the record.
    fn record(&mut self) -> io::Result<()> {
        let shared = self.shared.clone();
        let mut journal = lock(&shared.journal);
        let Some(journal) = journal.as_mut() else { return Ok(()) };
        if self.unrecorded.is_empty() && self.unrecorded_files.is_empty() && journal.is_synced() {
            return Ok(());
        }
        if journal.is_doubtful() {
            self.note_written()?;
            journal.rewrite(&self.all_records(false))?;
        } else {
            journal.append(&self.new_records())?;
            journal.sync()?;
        }
        self.on_recorded();
        Ok(())
    }

    /// What is written to is ours, be anything recorded of it or not.
    fn note_written(&mut self) -> io::Result<()> {
        for index in self.shared.files.written() {
            if let Some(identity) = self.shared.files.identity(index)? {
                self.note(index, identity);
            }
        }
        Ok(())
    }

    fn on_recorded(&mut self) {
        for piece in std::mem::take(&mut self.unrecorded) {
            self.recorded.insert(piece);
        }
        self.unrecorded_files.clear();
    }

    /// Nothing will be written any more: says so, with every file as it is now.
    fn finish(&mut self) -> io::Result<()> {
        if !self.failed.is_empty() {
            // Left open, so that the next run looks through what this one could not sync.
            return Ok(());
        }
        self.note_written()?;
        let shared = self.shared.clone();
        let mut journal = lock(&shared.journal);
        let Some(journal) = journal.as_mut() else { return Ok(()) };
        if journal.wants_rewrite(self.files.len()) {
            return journal.rewrite(&self.all_records(true));
        }
        let mut new = self.new_records();
        new.push(Record::Closed);
        journal.append(&new)?;
        journal.sync()
    }

    fn new_records(&self) -> Vec<Record> {
        let files = self.unrecorded_files.iter();
        let files = files.filter_map(|&index| Some(Record::File(index, *self.files.get(&index)?)));
        files.chain(ranges(self.unrecorded.iter().copied()).into_iter().map(Record::Had)).collect()
    }

    fn all_records(&self, closed: bool) -> Vec<Record> {
        let files = self.files.iter().map(|(&index, &identity)| Record::File(index, identity));
        let mut had = self.recorded.clone();
        for &piece in &self.unrecorded {
            had.insert(piece);
        }
        let had = ranges(had.iter()).into_iter().map(Record::Had);
        files.chain(had).chain(closed.then_some(Record::Closed)).collect()
    }
}

fn reply(answer: Answer, error: &Option<StoreError>) {
    // Nobody waits any more: then nobody needs to know.
    let _ = answer.send(error.clone().map_or(Ok(()), Err));
}
