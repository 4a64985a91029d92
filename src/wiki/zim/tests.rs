mod agreeing;
mod breaking;
mod clusters;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::writer::Writer;
use super::*;
use crate::read::ReadAt;
use crate::wiki::archive::Part;

/// A file in memory, all of it there, that counts what is read of it.
#[derive(Clone)]
struct Memory {
    bytes: Bytes,
    read: Arc<AtomicU64>,
}

impl Memory {
    fn new(file: Vec<u8>) -> Memory {
        Memory { bytes: file.into(), read: Arc::default() }
    }

    fn archive(&self) -> Archive {
        Archive::new(vec![Box::new(self.clone())])
    }
}

impl Part for Memory {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.clone()))
    }

    fn to_fetch(&self, _range: Range<u64>) -> u64 {
        0
    }
}

impl ReadAt for Memory {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let bytes = self.bytes.slice(start..start.saturating_add(most).min(self.bytes.len()));
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

async fn open(file: Vec<u8>) -> Zim {
    Zim::open(Memory::new(file).archive()).await.expect("it opens")
}

async fn content(zim: &Zim, dirent: &Dirent) -> Result<Bytes, ZimError> {
    zim.blob(dirent).await?.bytes(u64::MAX).await
}

fn small() -> Writer {
    let writer = Writer::default()
        .page("Paris", "Paris", "<h1>Paris</h1>")
        .page("Rome", "", "<h1>Rome</h1>")
        .redirect("Roma", "Roma", "Rome")
        .file(b'M', "Title", "text/plain", "Towns")
        .file(b'C', "a.png", "image/png", [9; 500]);
    Writer { main_page: Some((b'C', "Paris".into())), ..writer }
}
