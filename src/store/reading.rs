//! Reads, one after the other.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::{Shared, StoreError};
use crate::lock::{lock, wait};

pub(super) struct Wish {
    pub(super) range: Range<u64>,
    pub(super) answer: oneshot::Sender<Result<Bytes, StoreError>>,
}

/// Reads that are asked for.
#[derive(Default)]
pub(super) struct Wishes {
    list: Mutex<List>,
    more: Condvar,
}

#[derive(Default)]
struct List {
    wishes: VecDeque<Wish>,
    closed: bool,
}

impl Wishes {
    /// A wish that comes too late is dropped, which answers it.
    pub(super) fn push(&self, wish: Wish) {
        let mut list = lock(&self.list);
        if !list.closed {
            list.wishes.push_back(wish);
            self.more.notify_one();
        }
    }

    pub(super) fn close(&self) {
        let mut list = lock(&self.list);
        list.closed = true;
        list.wishes.clear();
        self.more.notify_all();
    }

    /// Waits for the next; `None` once closed.
    fn next(&self) -> Option<Wish> {
        let mut list = lock(&self.list);
        loop {
            if list.closed {
                return None;
            }
            // A read that nobody waits for any more is not worth the disk's time.
            match list.wishes.pop_front() {
                Some(wish) if wish.answer.is_closed() => {}
                Some(wish) => return Some(wish),
                None => list = wait(&self.more, list),
            }
        }
    }
}

pub(super) fn run(shared: &Shared) {
    let mut last = Bytes::new();
    while let Some(Wish { range, answer }) = shared.reads.next() {
        let mut bytes = room(std::mem::take(&mut last), range.end.saturating_sub(range.start) as usize);
        let read = shared.files.read(range.start, &mut bytes);
        let bytes = bytes.freeze();
        last = bytes.clone();
        let failed = |why| StoreError::Read { folder: shared.config.folder.clone(), why: Arc::new(why) };
        // Nobody waits any more: then nobody misses it.
        let _ = answer.send(read.map(|()| bytes).map_err(failed));
    }
}

/// Memory of this length: that of the last answer, if it is just as long and whoever asked for it has let it go. Whoever
/// reads a film to its end would otherwise have each byte of it set to zero first. Never a part of a longer one: a block on
/// its slow way to a peer would hold all of that.
fn room(last: Bytes, length: usize) -> BytesMut {
    match last.try_into_mut() {
        Ok(again) if again.len() == length => again,
        _ => BytesMut::zeroed(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_where_nobody_holds_it_and_it_fits() {
        let last = Bytes::from(vec![1; 1000]);
        let held = last.clone();
        assert_eq!(room(last, 1000)[..], [0; 1000], "somebody may still read the last answer");
        assert_eq!(room(held, 1000)[..], [1; 1000]);
        assert!(room(Bytes::from(vec![1; 1000]), 10).capacity() < 1000);
    }
}
