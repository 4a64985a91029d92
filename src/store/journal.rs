//! What we have, across restarts: a file of records, each sealed with a digest over itself and all before it.
//!
//! A header names the torrent; records of one size follow. Replay stops at the first record whose seal is wrong, so a
//! torn, stale or hostile tail takes away what it recorded and never adds anything.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;

use super::folder::{Access, File, Folder, Identity};
use crate::bitfield::Bitfield;
use crate::layout::PieceIndex;
use crate::source::Metainfo;

pub(super) const NAME: &str = "journal";
pub(super) const NEW_NAME: &str = "journal.new";

/// With the version of the format at the end.
const MAGIC: &[u8; 12] = b"peerflix\0\0\0\x01";
const HEADER: usize = 64;
const BODY: usize = 32;
const SEAL: usize = 8;
const RECORD: usize = BODY + SEAL;

/// A journal longer than this is not one of ours (a torrent of 10 million pieces stays below): the rest is not read.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Bytes of the journal read at once.
const STEP: usize = 64 * 1024 / RECORD * RECORD;

/// A journal with so many records more than it needs is written anew when the store is closed.
const SPARE_RECORDS: u64 = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// These pieces are on disk, synced before this record was written, and their hashes were right.
    Had(Range<u32>),
    /// They no longer are.
    Dropped(Range<u32>),
    /// What a file of ours was when pieces of it were last recorded, or when we began to write to it.
    File(u32, Identity),
    /// A run began; until `Closed`, files may be newer than the journal says.
    Opened,
    /// A run ended: files are exactly what the journal says.
    Closed,
}

type Body = [u8; BODY];
type Seal = [u8; SEAL];

/// Puts numbers into a record's body, one behind the other.
struct Writer {
    body: Body,
    at: usize,
}

impl Writer {
    fn put(mut self, bytes: &[u8]) -> Self {
        if let Some(place) = self.body.get_mut(self.at..self.at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.at += bytes.len();
        self
    }
}

fn number<const N: usize>(body: &Body, at: usize) -> Option<[u8; N]> {
    body.get(at..at + N)?.try_into().ok()
}

impl Record {
    fn encode(&self) -> Body {
        let kind = |kind: u32| Writer { body: [0; BODY], at: 0 }.put(&kind.to_le_bytes());
        let range = |kind: Writer, range: &Range<u32>| {
            kind.put(&range.start.to_le_bytes()).put(&range.end.to_le_bytes()).body
        };
        match self {
            Record::Had(pieces) => range(kind(1), pieces),
            Record::Dropped(pieces) => range(kind(2), pieces),
            Record::File(index, identity) => {
                kind(3)
                    .put(&index.to_le_bytes())
                    .put(&identity.size.to_le_bytes())
                    .put(&identity.inode.to_le_bytes())
                    .put(&identity.modified.to_le_bytes())
                    .body
            }
            Record::Opened => kind(4).body,
            Record::Closed => kind(5).body,
        }
    }

    fn decode(body: &Body) -> Option<Record> {
        let range = || Some(u32::from_le_bytes(number(body, 4)?)..u32::from_le_bytes(number(body, 8)?));
        Some(match u32::from_le_bytes(number(body, 0)?) {
            1 => Record::Had(range()?),
            2 => Record::Dropped(range()?),
            3 => Record::File(
                u32::from_le_bytes(number(body, 4)?),
                Identity {
                    size: u64::from_le_bytes(number(body, 8)?),
                    inode: u64::from_le_bytes(number(body, 16)?),
                    modified: i64::from_le_bytes(number(body, 24)?),
                },
            ),
            4 => Record::Opened,
            5 => Record::Closed,
            _ => return None,
        })
    }
}

/// The digest of everything up to and with this body.
fn seal(before: &[u8], body: &[u8]) -> Seal {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(before);
    context.update(body);
    let mut seal = Seal::default();
    if let Some(digest) = context.finish().as_ref().get(..SEAL) {
        seal.copy_from_slice(digest);
    }
    seal
}

/// What a journal said.
#[derive(Clone, Debug)]
pub(super) struct Replayed {
    pub(super) had: Bitfield,
    pub(super) files: BTreeMap<u32, Identity>,
    /// The last run was closed.
    pub(super) clean: bool,
    /// There was a journal of this torrent at all.
    pub(super) found: bool,
}

/// The journal of one torrent, open for more records.
pub(super) struct Journal {
    folder: Arc<dyn Folder>,
    file: Arc<dyn File>,
    header: [u8; HEADER],
    /// Of the last record.
    seal: Seal,
    /// Where the next record goes.
    end: u64,
    /// Its own name may not survive a power loss yet.
    unnamed: bool,
    /// A sync failed: nobody knows what is on the disk.
    doubtful: bool,
    /// Everything in it survives a power loss. Not known of what an earlier run has left.
    synced: bool,
}

impl Journal {
    /// Opens the journal, makes it if there is none, and cuts off what is not right of it.
    pub(super) fn open(metainfo: &Metainfo, folder: Arc<dyn Folder>) -> io::Result<(Journal, Replayed)> {
        let file = folder.open(Path::new(NAME), Access::Make)?;
        let header = header_of(metainfo);
        let mut journal = Journal {
            folder,
            file,
            header,
            seal: header_seal(&header),
            end: HEADER as u64,
            unnamed: true,
            doubtful: false,
            synced: false,
        };
        let size = journal.file.identity()?.size;
        let replayed = journal.replay(size, metainfo.layout.pieces(), metainfo.files.len() as u32)?;
        if !replayed.found {
            journal.file.set_length(0)?;
            journal.file.write(&mut [IoSlice::new(&header)], 0)?;
        } else if journal.end < size {
            journal.file.set_length(journal.end)?;
        }
        Ok((journal, replayed))
    }

    fn replay(&mut self, size: u64, pieces: u32, files: u32) -> io::Result<Replayed> {
        let nothing =
            Replayed { had: Bitfield::none(pieces), files: BTreeMap::new(), clean: false, found: false };
        let mut header = [0; HEADER];
        if size < HEADER as u64 {
            return Ok(nothing);
        }
        self.file.read(&mut header, 0)?;
        if header != self.header {
            return Ok(nothing);
        }
        let mut replayed = Replayed { found: true, ..nothing };
        let mut buffer = Vec::new();
        let whole = size.min(MOST_BYTES);
        while whole - self.end >= RECORD as u64 {
            let length = (whole - self.end).min(STEP as u64) as usize / RECORD * RECORD;
            buffer.resize(length, 0);
            self.file.read(&mut buffer, self.end)?;
            for record in buffer.chunks_exact(RECORD) {
                let Some(taken) = self.take(record, &mut replayed, files) else { return Ok(replayed) };
                self.seal = taken;
                self.end += RECORD as u64;
            }
        }
        Ok(replayed)
    }

    /// One record into what is known; `None` if it is not right. Answers with its seal.
    fn take(&self, record: &[u8], replayed: &mut Replayed, files: u32) -> Option<Seal> {
        let (body, found) = record.split_at_checked(BODY)?;
        let body: &Body = body.try_into().ok()?;
        let seal = seal(&self.seal, body);
        if seal != found {
            return None;
        }
        let pieces = replayed.had.pieces();
        let fits = |range: &Range<u32>| range.start < range.end && range.end <= pieces;
        replayed.clean = false;
        match Record::decode(body)? {
            Record::Had(range) if fits(&range) => range.for_each(|piece| {
                replayed.had.insert(PieceIndex(piece));
            }),
            Record::Dropped(range) if fits(&range) => range.for_each(|piece| {
                replayed.had.remove(PieceIndex(piece));
            }),
            Record::File(index, identity) if index < files => {
                replayed.files.insert(index, identity);
            }
            Record::Opened => {}
            Record::Closed => replayed.clean = true,
            Record::Had(_) | Record::Dropped(_) | Record::File(..) => return None,
        }
        Some(seal)
    }

    /// Writes records behind the others. They survive the program's end, but not yet a power loss.
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(records.len() * RECORD);
        let mut last = self.seal;
        for record in records {
            let body = record.encode();
            last = seal(&last, &body);
            bytes.extend_from_slice(&body);
            bytes.extend_from_slice(&last);
        }
        self.synced = false;
        // If this fails half-way, the next append writes over it.
        self.file.write(&mut [IoSlice::new(&bytes)], self.end)?;
        self.seal = last;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Makes all records so far survive a power loss.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let synced = self.file.sync();
        self.doubtful |= synced.is_err();
        synced?;
        if self.unnamed {
            self.folder.sync(Path::new(""))?;
            self.unnamed = false;
        }
        self.synced = true;
        Ok(())
    }

    /// True if it should be written anew: a sync has failed, or most of it is old.
    pub(super) fn wants_rewrite(&self, needed: usize) -> bool {
        self.doubtful || (self.end - HEADER as u64) / RECORD as u64 > needed as u64 + SPARE_RECORDS
    }

    pub(super) fn is_synced(&self) -> bool {
        self.synced
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Puts a journal of just these records in the place of this one; both the old and the new survive until one does.
    pub(super) fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        let file = self.folder.open(Path::new(NEW_NAME), Access::Make)?;
        file.set_length(0)?;
        file.write(&mut [IoSlice::new(&self.header)], 0)?;
        let mut new = Journal {
            folder: self.folder.clone(),
            file,
            header: self.header,
            seal: header_seal(&self.header),
            end: HEADER as u64,
            unnamed: true,
            doubtful: false,
            synced: false,
        };
        new.append(records)?;
        new.file.sync()?;
        self.folder.rename(Path::new(NEW_NAME), Path::new(NAME))?;
        // From here on the old one has no name: whatever fails, records belong into the new one.
        *self = new;
        self.sync()
    }
}

/// Ascending pieces as ranges without a gap.
pub(super) fn ranges(pieces: impl IntoIterator<Item = PieceIndex>) -> Vec<Range<u32>> {
    let mut ranges: Vec<Range<u32>> = Vec::new();
    for PieceIndex(piece) in pieces {
        match ranges.last_mut() {
            Some(last) if last.end == piece => last.end += 1,
            Some(last) if last.contains(&piece) => {}
            _ => ranges.push(piece..piece + 1),
        }
    }
    ranges
}

fn header_of(metainfo: &Metainfo) -> [u8; HEADER] {
    let layout = &metainfo.layout;
    let mut header = [0; HEADER];
    let fields = MAGIC
        .iter()
        .copied()
        .chain(metainfo.info_hash.0)
        .chain(layout.pieces().to_le_bytes())
        .chain(layout.piece_length().to_le_bytes())
        .chain(layout.total().to_le_bytes())
        .chain((metainfo.files.len() as u32).to_le_bytes());
    header.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
    let sealed = seal(&[], &header[..HEADER - SEAL]);
    header[HEADER - SEAL..].copy_from_slice(&sealed);
    header
}

fn header_seal(header: &[u8; HEADER]) -> Seal {
    seal(&[], header)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{World, torrent};
    use super::*;

    fn metainfo(pieces: u64) -> Metainfo {
        torrent(&[("film", pieces * 16)], 16).0
    }

    fn had(replayed: &Replayed) -> Vec<u32> {
        replayed.had.iter().map(|piece| piece.0).collect()
    }

    #[test]
    fn what_was_recorded_comes_back() {
        let (metainfo, world) = (metainfo(300), World::new());
        let identity = Identity { size: 7, inode: u64::MAX, modified: -3 };
        let (mut journal, before) = Journal::open(&metainfo, world.folder("s")).expect("a new one");
        assert!(!before.found && before.had.is_none() && !before.clean);
        let records = [Record::Had(3..9), Record::Dropped(4..5), Record::File(0, identity), Record::Closed];
        journal.append(&records[..2]).expect("appended");
        journal.append(&records[2..]).expect("appended");
        drop(journal);
        let (mut journal, after) = Journal::open(&metainfo, world.folder("s")).expect("the same");
        assert_eq!(had(&after), [3, 5, 6, 7, 8]);
        assert!(after.found && after.clean);
        assert_eq!(after.files.get(&0), Some(&identity));
        journal.append(&[Record::Opened]).expect("appended");
        let (_, again) = Journal::open(&metainfo, world.folder("s")).expect("the same");
        assert!(!again.clean);
    }

    #[test]
    fn the_journal_of_another_torrent_says_nothing() {
        let world = World::new();
        let (mut journal, _) = Journal::open(&metainfo(300), world.folder("s")).expect("a new one");
        journal.append(&[Record::Had(0..300)]).expect("appended");
        let (_, other) = Journal::open(&metainfo(299), world.folder("s")).expect("made anew");
        assert!(!other.found && other.had.is_none());
    }

    #[test]
    fn a_record_that_the_torrent_cannot_have_ends_the_replay() {
        for odd in [Record::Had(Range { start: 2, end: 1 }), Record::Had(0..301), Record::Dropped(300..301)] {
            let (metainfo, world) = (metainfo(300), World::new());
            let (mut journal, _) = Journal::open(&metainfo, world.folder("s")).expect("a new one");
            journal.append(&[Record::Had(1..2), odd, Record::Had(2..3)]).expect("appended");
            let (_, after) = Journal::open(&metainfo, world.folder("s")).expect("the same");
            assert_eq!(had(&after), [1]);
        }
    }

    #[test]
    fn a_journal_written_anew_says_the_same_in_fewer_words() {
        let (metainfo, world) = (metainfo(300), World::new());
        let (mut journal, _) = Journal::open(&metainfo, world.folder("s")).expect("a new one");
        (0..300).for_each(|piece| journal.append(&[Record::Had(piece..piece + 1)]).expect("appended"));
        journal.rewrite(&[Record::Had(0..300), Record::Closed]).expect("rewritten");
        journal.append(&[Record::Opened]).expect("appended to the new one");
        assert_eq!(world.contents("s/journal").map(|bytes| bytes.len()), Some(HEADER + 3 * RECORD));
        let (_, after) = Journal::open(&metainfo, world.folder("s")).expect("the new one");
        assert!(after.had.is_all() && !after.clean);
    }

    proptest! {
        #[test]
        fn damage_never_yields_a_piece_that_was_not_recorded(
            recorded in proptest::collection::vec((0u32..290, 1u32..10), 1..40),
            cut in 0usize..2000,
            flips in proptest::collection::vec((0usize..2000, 1u8..), 0..6),
            tail in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let (metainfo, world) = (metainfo(300), World::new());
            let (mut journal, _) = Journal::open(&metainfo, world.folder("s")).expect("a new one");
            for &(start, length) in &recorded {
                journal.append(&[Record::Had(start..start + length)]).expect("appended");
            }
            drop(journal);
            let mut bytes = world.contents("s/journal").expect("it is there");
            bytes.truncate(cut.max(1));
            for (at, flip) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= flip;
                }
            }
            bytes.extend(tail);
            world.put("s/journal", bytes);
            let (mut journal, after) = Journal::open(&metainfo, world.folder("s")).expect("opened all the same");
            for piece in after.had.iter() {
                prop_assert!(recorded.iter().any(|&(start, length)| (start..start + length).contains(&piece.0)));
            }
            // And it can be used on.
            journal.append(&[Record::Had(299..300)]).expect("appended");
            let (_, again) = Journal::open(&metainfo, world.folder("s")).expect("the same");
            prop_assert_eq!(again.had.count(), after.had.count() + u32::from(!after.had.has(PieceIndex(299))));
        }

        #[test]
        fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let (metainfo, world) = (metainfo(300), World::new());
            world.put("s/journal", bytes);
            let (_, after) = Journal::open(&metainfo, world.folder("s")).expect("opened all the same");
            prop_assert!(after.had.is_none());
        }
    }
}
