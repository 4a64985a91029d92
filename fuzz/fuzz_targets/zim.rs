//! The ZIM reader on files that a fuzzer makes up: a well-formed file with bytes changed in many places, or nothing but made up.
//! Nothing may panic, hang, or take more memory than libFuzzer allows; what is wrong is an error.

#![no_main]

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use peerflix::read::{ReadAt, ReadError};
use peerflix::wiki::archive::{Archive, Part};
use peerflix::wiki::zim::Zim;

#[path = "../../tests/shared/zim_writer.rs"]
mod writer;

use writer::{Compression, Writer};

#[derive(Clone)]
struct Memory(Bytes);

impl Part for Memory {
    fn length(&self) -> u64 {
        self.0.len() as u64
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
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let bytes = self.0.slice(start..start.saturating_add(most).min(self.0.len()));
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

/// What is changed.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for (major, minor) in [(5, 0), (6, 1)] {
        for compression in [Compression::None, Compression::Xz, Compression::Zstd] {
            for extended in [false, true] {
                let writer = Writer { major, minor, compression, extended, cluster_size: 100, ..Writer::default() };
                let main_page = Some((writer.content_namespace(), "Paris".to_owned()));
                let writer = (0..20).fold(Writer { main_page, ..writer }, |writer, page| {
                    writer.page(&format!("Page {page}"), "", &format!("<p>{page}"))
                });
                let writer = writer.page("Paris", "Paris", "<h1>Paris</h1>").redirect("Lutetia", "", "Paris");
                let writer = writer.file(b'M', "Counter", "text/plain", "text/html=22;image/png=1");
                files.push(writer.file(b'I', "favicon.png", "image/png", [7; 300]).write());
            }
        }
    }
    files
});

/// The first byte says which file, those after it where what is written over: two bytes of place, one of length, and what.
fn file(data: &[u8]) -> Vec<u8> {
    let Some((&which, mut rest)) = data.split_first() else { return Vec::new() };
    let Some(file) = FILES.get(usize::from(which)) else { return rest.to_vec() };
    let mut file = file.clone();
    while let [low, high, length, after @ ..] = rest {
        let (wrong, after) = after.split_at(usize::from(length % 16).min(after.len()));
        let place = usize::from(u16::from_le_bytes([*low, *high])) % file.len();
        for (byte, wrong) in file.iter_mut().skip(place).zip(wrong) {
            *byte = *wrong;
        }
        rest = after;
    }
    file
}

async fn use_all_of(file: Vec<u8>) {
    let archive = Archive::new(vec![Box::new(Memory(file.into()))]);
    let Ok(zim) = Zim::open(archive).await else { return };
    for index in 0..zim.header().entries.min(30) {
        let Ok(entry) = zim.entry(index).await else { continue };
        let _ = zim.find(entry.dirent.namespace, &entry.dirent.path).await;
        let _ = (zim.kind(&entry.dirent), zim.is_here(&entry.dirent));
        if let Ok(blob) = zim.blob(&entry.dirent).await {
            let _ = blob.bytes(1024 * 1024).await;
            let _ = blob.reader().read_at(blob.length() / 2, 100).await;
        }
        let _ = zim.fetch(&entry.dirent).await;
        let _ = zim.follow(entry).await;
    }
    let _ = zim.find(b'C', b"Pariz").await;
    let _ = zim.near(b'C', b"Pariz", 6).await;
    let _ = (zim.titles("p", 10).await, zim.titles("", 10).await, zim.any(0.7).await);
    let _ = (zim.main_page().await, zim.metadata("Title").await, zim.illustration(48).await);
    let _ = (zim.counter().await, zim.verify(|_| ()).await, zim.prepare().await);
    let _ = (zim.titles("p", 10).await, zim.find(b'A', b"Page 7").await);
}

fuzz_target!(|data: &[u8]| {
    runtime().block_on(use_all_of(file(data)));
});

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers needs nothing")
    });
    &RUNTIME
}
