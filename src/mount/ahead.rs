//! One open file's reads, sorted into streams: which of them go on where others ended, and how far those may read
//! ahead. No clock, no bytes; whoever carries out the reads has one reader for each stream.
//!
//! A read that touches no other is taken for random and gets what it asked for, no more. A stream that has been
//! read from in sequence reads ahead by a multiple of what it has read, so that a wrong guess costs no more than a
//! multiple of what was wanted, and after `SURE` without an end: from there on the engine's own window is the
//! measure.

use std::time::Duration;

/// At most so many streams an open file; the least recently used makes way, those that run after those that do
/// not.
pub const STREAMS: usize = 8;

const MIB: u64 = 1 << 20;
/// What a read of the first byte may have with it: who only looks what kind of file it is needs no more.
const FIRST: u64 = MIB;
/// What is read ahead, for each byte that was read in sequence.
const EAGER: u64 = 2;
/// After so much in sequence a stream may read ahead to the end of the file.
const SURE: u64 = 3 * MIB;
/// What a stream's past can count for: so much must it skip before it is no longer believed.
const MOST_CREDIT: u64 = 16 * MIB;
/// How far from a stream's end its reads may come, out of order: two of Linux's largest read-ahead windows.
const NEAR: u64 = 2 * MIB;
/// After so long without a read, a stream stands still.
const STILL: Duration = Duration::from_secs(10);

/// The streams of one open file. Told each read, it says which stream the read belongs to and how far that may
/// read ahead.
#[derive(Clone, Debug)]
pub struct Ahead {
    length: u64,
    slots: [Option<Stream>; STREAMS],
    /// Slots whose stream was taken in by another, their readers not yet given up.
    left: [bool; STREAMS],
    /// Counts the reads: which stream was used last, even within one tick of the clock.
    reads: u64,
}

/// What to do for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The slot of its stream: 0 to [`STREAMS`].
    pub stream: usize,
    /// The slot's old reader, if there is one, has nothing to do with this read and must go.
    pub is_new: bool,
    /// For [`read_ahead_until`](crate::read::ReadAt::read_ahead_until): never less than where the read ends.
    pub until: u64,
}

#[derive(Clone, Debug)]
struct Stream {
    /// Where it began, or what of it is still near.
    start: u64,
    /// Where its furthest read ends.
    end: u64,
    /// It began with the file's first byte.
    is_from_the_first: bool,
    /// A read has gone on where another had ended.
    goes_on: bool,
    /// Bytes read in sequence, less those skipped; at most [`MOST_CREDIT`].
    credit: u64,
    /// Bytes skipped, which reads that are late may still bring.
    skipped: u64,
    read_at: Duration,
    /// The number of its last read.
    read: u64,
    /// It stands still: its reader was given up.
    is_still: bool,
}

impl Ahead {
    /// Of a file of so many bytes, nothing read yet.
    pub fn new(length: u64) -> Ahead {
        Ahead { length, slots: Default::default(), left: [false; STREAMS], reads: 0 }
    }

    /// A read of `size` bytes at `offset` begins, `now` since the file was opened.
    pub fn on_read(&mut self, now: Duration, offset: u64, size: u64) -> Plan {
        self.reads = self.reads.saturating_add(1);
        let offset = offset.min(self.length);
        let end = offset.saturating_add(size).min(self.length);
        let Some(slot) = self.stream_of(offset, end) else { return self.begin(now, offset, end) };
        let Some(stream) = self.slots.get_mut(slot).and_then(Option::as_mut) else {
            return self.begin(now, offset, end);
        };
        stream.on_read(offset, end);
        stream.read_at = now;
        stream.read = self.reads;
        let is_new = std::mem::take(&mut stream.is_still);
        self.join(slot);
        Plan { stream: slot, is_new, until: self.until(slot, end) }
    }

    /// The streams that nobody has read from for ten seconds, each told once: their readers are to be dropped, so
    /// that nothing more is fetched for them. A read that goes on there later finds the stream as it was, with a
    /// new reader. Also those that turned out to be part of another. A read that still waits is to keep its reader
    /// by itself.
    pub fn idle(&mut self, now: Duration) -> Vec<usize> {
        let mut idle = Vec::new();
        for (slot, (stream, left)) in self.slots.iter_mut().zip(&mut self.left).enumerate() {
            let resting = stream.as_mut().filter(|stream| !stream.is_still && stream.rests(now));
            if std::mem::take(left) | resting.map(|stream| stream.is_still = true).is_some() {
                idle.push(slot);
            }
        }
        idle
    }

    /// The stream whose end is nearest, of those that the read belongs to.
    fn stream_of(&self, offset: u64, end: u64) -> Option<usize> {
        let streams =
            self.slots.iter().enumerate().filter_map(|(slot, stream)| Some((slot, stream.as_ref()?)));
        let near = streams.filter(|(_, stream)| stream.is_near(offset, end));
        near.min_by_key(|(_, stream)| (offset.abs_diff(stream.end), std::cmp::Reverse(stream.read)))
            .map(|(slot, _)| slot)
    }

    fn begin(&mut self, now: Duration, offset: u64, end: u64) -> Plan {
        let order = |stream: &Option<Stream>| {
            stream.as_ref().map(|stream| (stream.goes_on && !stream.rests(now), stream.read))
        };
        let slot = (0..STREAMS).min_by_key(|&slot| self.slots.get(slot).and_then(order)).unwrap_or_default();
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(Stream::new(now, self.reads, offset, end));
        }
        if let Some(left) = self.left.get_mut(slot) {
            *left = false;
        }
        self.join(slot);
        let until = if offset == 0 { end.max(FIRST).min(self.length) } else { end };
        Plan { stream: slot, is_new: true, until }
    }

    /// Takes in the streams that this one has come up to: reads of it that came before their turn.
    fn join(&mut self, slot: usize) {
        let Some(mut stream) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        let mut others = self.slots.iter_mut().zip(&mut self.left);
        // What is taken in may reach up to another.
        while let Some((other, left)) =
            others.find(|(other, _)| other.as_ref().is_some_and(|other| stream.is_before(other)))
        {
            if let Some(other) = other.take() {
                stream.take_in(&other);
                *left = !other.is_still;
            }
            others = self.slots.iter_mut().zip(&mut self.left);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(stream);
        }
    }

    fn until(&self, slot: usize, end: u64) -> u64 {
        let until = self.slots.get(slot).and_then(Option::as_ref).map_or(end, Stream::until);
        until.max(end).min(self.length)
    }
}

impl Stream {
    fn new(now: Duration, read: u64, offset: u64, end: u64) -> Self {
        Stream {
            start: offset,
            end,
            is_from_the_first: offset == 0,
            goes_on: false,
            credit: end.saturating_sub(offset).min(MOST_CREDIT),
            skipped: 0,
            read_at: now,
            read,
            is_still: false,
        }
    }

    fn rests(&self, now: Duration) -> bool {
        now.saturating_sub(self.read_at) >= STILL
    }

    /// The read goes on where the stream ends, is late in it, or skips no more than the stream has credit for.
    fn is_near(&self, offset: u64, end: u64) -> bool {
        let skip = if self.goes_on { self.credit.min(NEAR) } else { 0 };
        // An empty read at the very start of a stream is no part of it.
        offset >= self.start
            && offset <= self.end.saturating_add(skip)
            && (end > self.start || offset == self.end)
    }

    fn on_read(&mut self, offset: u64, end: u64) {
        if end <= self.end {
            // It fills what was skipped: as if nothing had been.
            let late = end.saturating_sub(offset).min(self.skipped);
            self.skipped -= late;
            self.earn(late.saturating_mul(2));
            return;
        }
        let skip = offset.saturating_sub(self.end);
        self.credit = self.credit.saturating_sub(skip);
        self.skipped = self.skipped.saturating_add(skip).min(NEAR);
        self.earn(end - offset.max(self.end));
        // Who skips more than it reads ends as random as who never went on.
        self.goes_on = skip == 0 || self.credit > end - offset;
        self.reach(end);
    }

    /// It has come up to where the other one begins.
    fn is_before(&self, other: &Stream) -> bool {
        self.start < other.start && other.start <= self.end
    }

    fn take_in(&mut self, other: &Stream) {
        // Reads from the back to the front touch as well, and go on nowhere; but what ran before runs on.
        if self.goes_on {
            self.earn(other.credit);
        } else if other.goes_on {
            self.goes_on = true;
            self.credit = other.credit;
        }
        self.reach(other.end);
        self.read = self.read.max(other.read);
        self.read_at = self.read_at.max(other.read_at);
    }

    fn earn(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_add(bytes).min(MOST_CREDIT);
    }

    fn reach(&mut self, end: u64) {
        self.end = self.end.max(end);
        self.start = self.start.max(self.end.saturating_sub(NEAR));
    }

    fn until(&self) -> u64 {
        let ahead = match self.credit {
            _ if !self.goes_on => 0,
            SURE.. => return u64::MAX,
            credit => credit.saturating_mul(EAGER),
        };
        let first = if self.is_from_the_first { FIRST } else { 0 };
        self.end.saturating_add(ahead).max(first)
    }
}

#[cfg(test)]
mod tests;
