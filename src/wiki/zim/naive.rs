//! A ZIM file read in the plainest way, all of it in memory: what the reader must agree with. For tests of well-formed files.

use std::ops::Range;

use bytes::Bytes;

use super::dirent::{Dirent, Target};
use super::header::Header;

pub struct Naive {
    file: Bytes,
    pub header: Header,
    /// In the order of the path list.
    pub dirents: Vec<Dirent>,
}

impl Naive {
    pub fn new(file: Vec<u8>) -> Naive {
        let file = Bytes::from(file);
        let header = Header::read(&file, file.len() as u64).expect("a well-formed header");
        let dirents = (0..header.entries as usize).map(|index| {
            let start = number(&file, header.path_pointers_at as usize + 8 * index, 8);
            Dirent::read(&file.slice(start..)).expect("a well-formed entry").expect("a whole entry").0
        });
        Naive { dirents: dirents.collect(), header, file }
    }

    /// Where an entry stands in the file, its parameters left out.
    pub fn place(&self, index: usize) -> Range<usize> {
        let start = number(&self.file, self.header.path_pointers_at as usize + 8 * index, 8);
        let (_, length) = Dirent::read(&self.file.slice(start..)).expect("well-formed").expect("whole");
        start..start + length
    }

    /// Where a cluster stands in the file, from its first byte to where the next or the list of them begins.
    pub fn cluster(&self, cluster: u32) -> Range<usize> {
        let list = self.header.cluster_pointers_at as usize;
        let at = |cluster: u32| number(&self.file, list + 8 * cluster as usize, 8);
        let next = cluster + 1;
        at(cluster)..if next < self.header.clusters { at(next) } else { list }
    }

    /// By looking at all.
    pub fn find(&self, namespace: u8, path: &[u8]) -> Option<&Dirent> {
        self.dirents.iter().find(|dirent| dirent.key() == (namespace, path))
    }

    /// Where redirects lead from this entry; `None`: nowhere.
    pub fn follow(&self, index: usize) -> Option<&Dirent> {
        let (mut dirent, mut left) = (&self.dirents[index], 50);
        while let Target::Redirect { entry } = dirent.target {
            left = u32::checked_sub(left, 1)?;
            dirent = self.dirents.get(entry as usize)?;
        }
        Some(dirent)
    }

    /// Types, by scanning.
    pub fn kind(&self, dirent: &Dirent) -> Option<String> {
        let Target::Content { kind, .. } = dirent.target else { return None };
        let list = &self.file[self.header.mime_list_at as usize..];
        let text = list.split(|&byte| byte == 0).nth(usize::from(kind))?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    pub fn content(&self, dirent: &Dirent) -> Option<Vec<u8>> {
        let Target::Content { cluster, blob, .. } = dirent.target else { return None };
        let start = self.cluster(cluster).start;
        let (info, data) = (self.file[start], &self.file[start + 1..]);
        let data = match info & 0x0f {
            0 | 1 => data.to_vec(),
            4 => {
                let mut decoded = Vec::new();
                let mut decoder = liblzma::read::XzDecoder::new(data);
                std::io::Read::read_to_end(&mut decoder, &mut decoded).expect("XZ");
                decoded
            }
            5 => {
                let mut decoded = Vec::new();
                let decoder = zstd::stream::read::Decoder::new(data).expect("zstd");
                std::io::Read::read_to_end(&mut decoder.single_frame(), &mut decoded).expect("zstd");
                decoded
            }
            other => panic!("compression {other}"),
        };
        let size = if info & 0x10 == 0 { 4 } else { 8 };
        let at = blob as usize * size;
        Some(data[number(&data, at, size)..number(&data, at + size, size)].to_vec())
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> usize {
    bytes[at..at + size].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}
