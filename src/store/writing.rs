//! The thread that writes blocks and hashes pieces, in the order in which it is told to.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use aws_lc_rs::digest;
use bytes::Bytes;

use super::claims::{Permit, Refused};
use super::files::Place;
use super::versions::{Digest, Versions};
use super::{Answer, Shared, StoreError, StoreEvent};
use crate::bitfield::Bitfield;
use crate::layout::{BLOCK, BlockId, PieceIndex};
use crate::lock::{lock, wait};

/// So many bytes of blocks are worth waking up for; fewer wait for the piece to be verified.
const WORTH_WAKING: usize = 256 * 1024;

/// Blocks written in one call.
const MOST_AT_ONCE: usize = 64;

/// Bytes hashed in one step: they stay in the processor's cache between being read and being hashed.
const STEP: usize = 128 * 1024;

pub(super) enum Job {
    Write(BlockId, Bytes),
    Verify(PieceIndex),
    /// The hash of this piece was right before anything was written to it in this run.
    Rechecked(PieceIndex),
    Sync(Answer),
}

/// What is to be done.
#[derive(Default)]
pub(super) struct Jobs {
    list: Mutex<List>,
    more: Condvar,
}

#[derive(Default)]
struct List {
    jobs: Vec<Job>,
    /// In writes.
    bytes: usize,
    /// Something must be done now.
    urgent: bool,
    /// The writer waits for that.
    asleep: bool,
    /// Blocks are compared and somebody waits for the answer: none may lie about.
    comparing: bool,
    closed: bool,
    answer: Option<Answer>,
}

impl Jobs {
    /// False if it is too late.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut list = lock(&self.list);
        if list.closed {
            return false;
        }
        match &job {
            Job::Write(_, data) => {
                list.bytes += data.len();
                list.urgent |= list.bytes >= WORTH_WAKING || list.comparing;
            }
            Job::Verify(_) | Job::Rechecked(_) | Job::Sync(_) => list.urgent = true,
        }
        list.jobs.push(job);
        self.wake(&mut list);
        true
    }

    /// Nothing more is taken; what is there is still done.
    pub(super) fn close(&self, answer: Option<Answer>) {
        let mut list = lock(&self.list);
        if !list.closed {
            list.closed = true;
            list.answer = answer;
            self.wake(&mut list);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.list).closed
    }

    fn wake(&self, list: &mut List) {
        if list.asleep && (list.urgent || list.closed) {
            list.asleep = false;
            self.more.notify_one();
        }
    }

    /// Waits until there is something urgent, then swaps all there is with the empty `jobs`. True after closing.
    fn take(&self, jobs: &mut Vec<Job>, comparing: bool) -> (bool, Option<Answer>) {
        let mut list = lock(&self.list);
        list.comparing = comparing;
        list.urgent |= comparing && !list.jobs.is_empty();
        while !list.urgent && !list.closed {
            list.asleep = true;
            list = wait(&self.more, list);
        }
        std::mem::swap(&mut list.jobs, jobs);
        list.asleep = false;
        list.urgent = false;
        list.bytes = 0;
        (list.closed, list.answer.take())
    }
}

/// The writer.
pub(super) struct Writing {
    shared: Arc<Shared>,
    hasher: Hasher,
    versions: Versions,
    /// Pieces of which something was written in this run.
    touched: Bitfield,
    /// Blocks that could not be written and have not come again: what is on disk in their place is nobody's.
    lost: BTreeSet<BlockId>,
    broken: Option<Cause>,
    /// Files of which it was told that they are not ours.
    occupied: BTreeSet<u32>,
    /// Blocks to be written, and their bytes one behind the other; kept for its memory.
    run: Vec<(BlockId, Bytes)>,
    parts: Vec<Bytes>,
}

/// Which kind of trouble, so that it is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Full,
    Write(io::ErrorKind),
    Read(io::ErrorKind),
    Busy(u32),
    Unjudged(u32),
    Gone(u32),
}

impl Writing {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let touched = Bitfield::none(shared.layout.pieces());
        Writing {
            shared,
            hasher: Hasher::new(),
            versions: Versions::default(),
            touched,
            lost: BTreeSet::new(),
            broken: None,
            occupied: BTreeSet::new(),
            run: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Until the store is closed.
    pub(super) fn run(mut self) {
        let mut jobs = Vec::new();
        loop {
            let (closed, answer) = self.shared.jobs.take(&mut jobs, self.versions.count() > 0);
            for job in jobs.drain(..) {
                match job {
                    Job::Write(block, data) => self.run.push((block, data)),
                    Job::Verify(piece) => {
                        self.write_run();
                        self.verify(piece);
                    }
                    Job::Rechecked(piece) => {
                        self.write_run();
                        self.on_rechecked(piece);
                    }
                    Job::Sync(answer) => {
                        self.write_run();
                        self.shared.syncs.ask(answer);
                    }
                }
            }
            self.write_run();
            if closed {
                self.shared.syncs.close(answer);
                return;
            }
        }
    }

    /// Writes the blocks that came one after the other, neighbours together, and makes their room free.
    fn write_run(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let mut run = std::mem::take(&mut self.run);
        let bytes: usize = run.iter().map(|(_, data)| data.len()).sum();
        {
            let verified = lock(&self.shared.verified);
            run.retain(|(block, _)| !verified.has(block.piece));
        }
        // Before the write: one that fails may have changed something.
        for (block, _) in &run {
            self.touched.insert(block.piece);
        }
        // Stable: of two versions of one block, the later one is written later.
        run.sort_by_key(|(block, _)| *block);
        let mut rest = run.as_slice();
        while let Some(&(first, _)) = rest.first() {
            let start = self.shared.layout.block_start(first);
            let mut end = start;
            self.parts.clear();
            for (block, data) in rest.iter().take(MOST_AT_ONCE) {
                if self.shared.layout.block_start(*block) != end {
                    break;
                }
                end += data.len() as u64;
                self.parts.push(data.clone());
            }
            let (now, later) = rest.split_at(self.parts.len());
            rest = later;
            let parts = std::mem::take(&mut self.parts);
            let written = self.write(start, &parts);
            self.parts = parts;
            for (block, data) in now {
                // One that failed may have failed for one block only.
                let written = match &written {
                    Err(_) => {
                        let at = self.shared.layout.block_start(*block);
                        self.write(at, std::slice::from_ref(data))
                    }
                    Ok(()) => Ok(()),
                };
                match written {
                    Ok(()) => self.on_written(*block, data),
                    Err(why) => {
                        self.on_refused(why);
                        self.lost.insert(*block);
                        self.shared.tell(StoreEvent::Lost { block: *block });
                    }
                }
            }
        }
        self.parts.clear();
        run.clear();
        self.run = run;
        self.shared.room.add_permits(bytes);
    }

    fn write(&mut self, at: u64, parts: &[Bytes]) -> Result<(), Refused> {
        let shared = self.shared.clone();
        shared.files.write(at, parts, |file| {
            loop {
                match shared.claims.permit(&shared, file) {
                    Err(Refused::Unjudged(_)) => self.on_refused(Refused::Unjudged(file)),
                    Ok(Permit::Write) => {
                        self.occupied.remove(&file);
                        return Ok(Permit::Write);
                    }
                    other => return other,
                }
            }
        })
    }

    fn on_written(&mut self, block: BlockId, data: &Bytes) {
        self.lost.remove(&block);
        if self.versions.is_watched(block.piece) {
            let digest = digest_of(&self.shared, self.shared.layout.block_start(block), data);
            let differs = self.versions.add(block, digest);
            self.shared.tell(StoreEvent::Compared { block, differs });
        }
    }

    fn verify(&mut self, piece: PieceIndex) {
        if self.shared.hash_of(piece).is_none() {
            return;
        }
        if self.shared.is_verified(piece) {
            self.shared.tell(StoreEvent::Verified { piece, lies: Vec::new() });
            return;
        }
        if self.is_torn(piece) {
            // Whoever sent its other blocks must not be blamed for the hole. It was told that the block is lost: when that
            // has come again, this is asked again.
            return;
        }
        match self.hasher.is_right(&self.shared, piece) {
            Ok(true) => {
                let lies = self.settle(piece);
                self.on_right(piece, lies);
                self.broken = None;
            }
            Ok(false) => {
                if !self.versions.is_watched(piece)
                    && let Ok(blocks) = digests_of(&self.shared, piece)
                {
                    self.versions.watch(piece, blocks);
                }
                self.shared.tell(StoreEvent::Failed { piece });
            }
            Err(why) => {
                self.on_broken(&why, false);
                // Whoever asks for them again no longer counts what came before.
                self.versions.give_up(piece);
                for block in
                    self.shared.blocks_of(piece).filter(|&block| !self.shared.layout.is_padding(block))
                {
                    self.shared.tell(StoreEvent::Lost { block });
                }
            }
        }
    }

    /// True if a block of it is lost.
    fn is_torn(&self, piece: PieceIndex) -> bool {
        let [first, last] = [0, u32::MAX].map(|block| BlockId { piece, block });
        self.lost.range(first..=last).next().is_some()
    }

    /// Who lied about a piece that is right now. Costs a second look at it, but only after it has failed.
    fn settle(&mut self, piece: PieceIndex) -> Vec<(u32, u32)> {
        if !self.versions.is_watched(piece) {
            return Vec::new();
        }
        let right = digests_of(&self.shared, piece).unwrap_or_default();
        self.versions.settle(piece, &right)
    }

    fn on_rechecked(&mut self, piece: PieceIndex) {
        // Something was written to it after, or while, it was looked at: whoever did will have it verified.
        if !self.touched.has(piece) && !self.shared.is_verified(piece) {
            self.on_right(piece, Vec::new());
        }
    }

    fn on_right(&mut self, piece: PieceIndex, lies: Vec<(u32, u32)>) {
        lock(&self.shared.verified).insert(piece);
        self.shared.claims.on_right(&self.shared, piece);
        self.lost.retain(|block| block.piece != piece);
        self.shared.syncs.add(piece, u64::from(self.shared.layout.piece_size(piece)));
        self.shared.tell(StoreEvent::Verified { piece, lies });
    }

    /// What was not written is told as lost; here it is told why.
    fn on_refused(&mut self, refused: Refused) {
        let path = |file| self.shared.config.folder.join(self.shared.files.path(file));
        match refused {
            Refused::Disk(why) => self.on_broken(&why, true),
            Refused::Closed => {}
            // Told once: the user may not mind, and the rest of the torrent goes on.
            Refused::Occupied(file) => {
                if self.occupied.insert(file) {
                    self.shared.tell(StoreEvent::Broken(StoreError::Occupied { path: path(file) }));
                }
            }
            Refused::Busy(file) => self.tell_once(Cause::Busy(file), StoreError::InUse { path: path(file) }),
            Refused::Unjudged(file) => {
                self.tell_once(Cause::Unjudged(file), StoreError::Unjudged { path: path(file) });
            }
            Refused::Gone(file) => {
                let bytes = self.shared.files.range(file);
                let verified = lock(&self.shared.verified);
                let is_relied_on =
                    self.shared.layout.pieces_of(bytes).any(|piece| verified.has(PieceIndex(piece)));
                drop(verified);
                if is_relied_on {
                    self.tell_once(Cause::Gone(file), StoreError::Gone { path: path(file) });
                } else {
                    self.shared.claims.forget(file);
                }
            }
        }
    }

    fn on_broken(&mut self, why: &io::Error, writing: bool) {
        let cause = match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::Full,
            kind if writing => Cause::Write(kind),
            kind => Cause::Read(kind),
        };
        let folder = self.shared.config.folder.clone();
        // An `io::Error` cannot be copied; this keeps its number and sentence.
        let why = Arc::new(match why.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(why.kind(), why.to_string()),
        });
        let error = match cause {
            Cause::Full => StoreError::Full { folder },
            Cause::Read(_) => StoreError::Read { folder, why },
            _ => StoreError::Write { folder, why },
        };
        self.tell_once(cause, error);
    }

    /// Until it is something else, or a piece was right again.
    fn tell_once(&mut self, cause: Cause, error: StoreError) {
        if self.broken != Some(cause) {
            self.broken = Some(cause);
            self.shared.tell(StoreEvent::Broken(error));
        }
    }
}

/// Hashes pieces as they are on disk, with one buffer for all.
pub(super) struct Hasher {
    buffer: Vec<u8>,
}

impl Hasher {
    pub(super) fn new() -> Self {
        Hasher { buffer: vec![0; STEP] }
    }

    /// Whether the piece on disk has the hash that it must have. An error if it cannot be read, or is not all there.
    pub(super) fn is_right(&mut self, shared: &Shared, piece: PieceIndex) -> io::Result<bool> {
        let right = shared.hash_of(piece).ok_or(io::ErrorKind::InvalidInput)?;
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        let range = shared.layout.piece_range(piece);
        let mut at = range.start;
        while at < range.end {
            let length = (range.end - at).min(self.buffer.len() as u64);
            let Some(step) = self.buffer.get_mut(..length as usize) else { break };
            shared.files.read(at, step)?;
            context.update(step);
            at += length;
        }
        Ok(context.finish().as_ref() == right)
    }
}

/// Digest of the block at byte `at` of the torrent, with zeros where padding is: what a peer sends there does not matter.
fn digest_of(shared: &Shared, at: u64, data: &[u8]) -> Digest {
    const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for segment in shared.files.segments(at..at + data.len() as u64) {
        let range = (segment.bytes.start - at) as usize..(segment.bytes.end - at) as usize;
        let bytes = match segment.place {
            Place::File(..) => data.get(range),
            Place::Padding => ZEROS.get(..range.len()),
        };
        context.update(bytes.unwrap_or_default());
    }
    let mut digest = Digest::default();
    digest.iter_mut().zip(context.finish().as_ref()).for_each(|(place, &byte)| *place = byte);
    digest
}

/// The digests of all blocks of a piece as they are on disk.
fn digests_of(shared: &Shared, piece: PieceIndex) -> io::Result<Vec<Digest>> {
    let mut buffer = vec![0; BLOCK as usize];
    let blocks = shared.blocks_of(piece);
    blocks
        .map(|block| {
            let at = shared.layout.block_start(block);
            let data = buffer.get_mut(..shared.layout.block_size(block) as usize).unwrap_or_default();
            shared.files.read(at, data)?;
            Ok(digest_of(shared, at, data))
        })
        .collect()
}
