//! What a page needs to be shown, and where one may go next from it: asked of the swarm while the page is still read.

mod needs;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::task::{AbortHandle, spawn, spawn_blocking};
use tokio::time::sleep;

pub use self::needs::{Needs, needs};
use super::super::archive::Archive;
use super::super::library::Book;
use super::super::zim::{Zim, ZimError};
use super::find::find;
use crate::lock::lock;

/// So many things of a page are asked for at a time.
const AT_ONCE: usize = 8;
/// How often it is looked whether somebody still waits for something.
const LOOK: Duration = Duration::from_millis(250);

/// What is fetched for the page that was opened last; what was fetched for the one before is given up.
#[derive(Default)]
pub struct Ahead(Mutex<Option<AbortHandle>>);

impl Ahead {
    /// Goes on in the background: what this page shows, what the book says of itself, and the first pages that it links to.
    pub fn begin(&self, book: Arc<Book>, zim: Zim, html: Bytes, path: Vec<u8>) {
        let task = spawn(async move {
            let at = String::from_utf8_lossy(&path).into_owned();
            let Ok(needs) = spawn_blocking(move || needs(&html, &at)).await else { return };
            let resources = stream::iter(needs.resources).map(|path| fetch(&zim, path, Why::Shown));
            resources.buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
            if let Err(error) = book.about().await {
                tracing::debug!(%error, "what a book says of itself is not known");
            }
            for link in needs.links {
                // Nobody has asked for it.
                until_nobody_waits(zim.archive()).await;
                fetch(&zim, link, Why::Linked).await;
            }
        });
        if let Some(before) = lock(&self.0).replace(task.abort_handle()) {
            before.abort();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.0).take() {
            task.abort();
        }
    }
}

async fn until_nobody_waits(archive: &Archive) {
    while archive.waits().reads > 0 {
        sleep(LOOK).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Shown,
    Linked,
}

/// What cannot be had is the browser's to miss.
async fn fetch(zim: &Zim, path: String, why: Why) {
    if let Err(error) = try_fetch(zim, &path, why).await {
        tracing::debug!(%error, path, "not fetched ahead");
    }
}

async fn try_fetch(zim: &Zim, path: &str, why: Why) -> Result<(), ZimError> {
    let Some(found) = find(zim, path.as_bytes(), None).await? else { return Ok(()) };
    let dirent = zim.follow(found.entry).await?.dirent;
    let kind = zim.kind(&dirent).unwrap_or_default();
    // Films are large, and begin where somebody begins them. Of what is only linked to, a book or a film may be gigabytes.
    let is_wanted = match why {
        Why::Shown => !kind.starts_with("video/") && !kind.starts_with("audio/"),
        Why::Linked => kind.starts_with("text/html"),
    };
    if is_wanted { zim.fetch(&dirent).await } else { Ok(()) }
}
