use std::ops::Range;

use bytes::Bytes;

use super::naive::Naive;
use super::writer::{Compression, Writer};
use super::*;
use crate::read::ReadAt;
use crate::wiki::archive::Part;

/// A file in memory, all of it there.
struct Memory(Bytes);

impl Part for Memory {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        Some(Blob::Decoded(self.0.clone()).reader())
    }

    fn to_fetch(&self, _range: Range<u64>) -> u64 {
        0
    }
}

fn archive(file: Vec<u8>) -> Archive {
    Archive::new(vec![Box::new(Memory(file.into()))])
}

async fn same(file: Vec<u8>) {
    let naive = Naive::new(file.clone());
    let zim = Zim::open(archive(file)).await.expect("it opens");
    for (index, dirent) in naive.dirents.iter().enumerate() {
        let entry = zim.entry(index as u32).await.expect("an entry");
        assert_eq!(&entry.dirent, dirent);
        let found = zim.find(dirent.namespace, &dirent.path).await.expect("a lookup").expect("it is there");
        assert_eq!(&found.dirent, dirent);
        assert_eq!(zim.kind(dirent).map(str::to_owned), naive.kind(dirent));
        match naive.content(dirent) {
            Some(content) => {
                let blob = zim.blob(dirent).await.expect("a blob");
                assert_eq!(blob.length(), content.len() as u64);
                assert_eq!(blob.bytes(u64::MAX).await.expect("its bytes"), content);
            }
            None => assert!(zim.blob(dirent).await.is_err()),
        }
    }
}

fn small() -> Writer {
    let writer = Writer::default()
        .page("Paris", "Paris", "<h1>Paris</h1>")
        .page("Rome", "", "<h1>Rome</h1>")
        .redirect("Roma", "Roma", "Rome")
        .file(b'M', "Title", "text/plain", "Towns")
        .file(b'C', "a.png", "image/png", [9; 5000]);
    Writer { main_page: Some((b'C', "Paris".into())), ..writer }
}

#[tokio::test]
async fn all_compressions_read_as_the_naive_reader_reads_them() {
    for compression in [Compression::None, Compression::Xz, Compression::Zstd] {
        for extended in [false, true] {
            same(Writer { compression, extended, cluster_size: 20, ..small() }.write()).await;
            same(Writer { compression, extended, ..small() }.write()).await;
        }
    }
}
