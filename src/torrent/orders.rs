//! What the handles of a torrent ask of its driver: what is fetched though nobody reads, and whether it rests.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lock::lock;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Files by index, in their order. `None`: as the options have it.
    fetch: Mutex<Option<Vec<usize>>>,
    paused: AtomicBool,
    /// Something is new; the driver, who is woken by the bell, looks at the rest only then.
    changed: AtomicBool,
}

impl Orders {
    /// The bell is to be rung afterwards.
    pub(super) fn fetch(&self, files: Vec<usize>) {
        *lock(&self.fetch) = Some(files);
        self.changed.store(true, Ordering::Release);
    }

    /// The bell is to be rung afterwards.
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
        self.changed.store(true, Ordering::Release);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// True if there is something new since this was last asked.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// The files to be fetched, if that is new since this was last asked.
    pub(super) fn take_fetch(&self) -> Option<Vec<usize>> {
        lock(&self.fetch).take()
    }
}
