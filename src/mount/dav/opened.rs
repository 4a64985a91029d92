//! Readers for the answers to GET.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::mount::reading::in_time;
use crate::read::{Contents, ReadAt, ReadError};

/// Opens readers that do not wait for ever. Cheap to clone.
#[derive(Clone)]
pub struct Opened {
    read_timeout: Option<Duration>,
}

impl Opened {
    pub fn new(read_timeout: Option<Duration>) -> Opened {
        Opened { read_timeout }
    }

    /// Of file `index`, to read `range` of it. Nothing beyond that is fetched: a client that looks at a file's beginning does not
    /// want the rest.
    pub fn reader(
        &self,
        contents: &Arc<dyn Contents>,
        index: usize,
        range: Range<u64>,
    ) -> Option<Box<dyn ReadAt>> {
        let reader = contents.open(index)?;
        reader.read_ahead_until(range.end);
        Some(match self.read_timeout {
            Some(read_timeout) => Box::new(Patient { contents: Arc::clone(contents), reader, read_timeout }),
            None => reader,
        })
    }
}

/// A reader that gives up when nothing comes for so long.
struct Patient {
    contents: Arc<dyn Contents>,
    reader: Box<dyn ReadAt>,
    read_timeout: Duration,
}

impl ReadAt for Patient {
    fn length(&self) -> u64 {
        self.reader.length()
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let read = in_time(&*self.contents, self.read_timeout, self.reader.read_at(offset, most));
        async { read.await.unwrap_or(Err(ReadError::NotInTime)) }.boxed()
    }

    fn read_ahead_until(&self, end: u64) {
        self.reader.read_ahead_until(end);
    }
}
