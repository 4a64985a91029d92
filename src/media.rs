//! How long a film lasts, told from a few bytes of its file. It decodes nothing.
//!
//! Each read takes the swarm to where it reads, so there are few of them, and small ones; whatever the bytes say.

mod matroska;
mod mp4;

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::read::ReadAt;

/// What is read at a time: what stands at the beginning of most files is within one such read.
const CHUNK: u64 = 4096;
/// How often a file is read at most. A file that is laid out with sense needs one to four.
const MOST_READS: u32 = 24;
/// What claims to last longer lies.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Endings of the names of the files that are looked into. Of another file, not a byte is asked for.
const ENDINGS: [&str; 13] =
    ["3g2", "3gp", "f4v", "m4a", "m4b", "m4v", "mk3d", "mka", "mkv", "mov", "mp4", "qt", "webm"];

/// The duration that the file called `name` has by its own account: `mvhd`, `mehd` or `sidx` of an MP4 or QuickTime file (ISO/IEC
/// 14496-12), `Info` of a Matroska or WebM file (RFC 9559). `None` if it has none (a recorded live stream), is of another
/// kind, cannot be read, or makes no sense.
///
/// The name says whether to look, the bytes say as what. Waits for the bytes as any reader does: for the file's beginning and,
/// where an MP4's index stands at its end, for some bytes there. Dropping the future takes that back.
pub async fn duration(file: &dyn ReadAt, name: &str) -> Option<Duration> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_known = ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending));
    // No file is so long; and so no sum of a place in it and the size of a header is too large.
    if !is_known || file.length() > u64::MAX / 2 {
        return None;
    }
    let mut glass = Glass { file, start: 0, bytes: Bytes::new(), reads_left: MOST_READS };
    let found = if glass.look(0, 4).await?.starts_with(&matroska::MAGIC) {
        matroska::duration(&mut glass).await
    } else {
        mp4::duration(&mut glass).await
    };
    found.filter(|&duration| duration > Duration::ZERO && duration <= LONGEST)
}

/// A few bytes of a file, and the way to the next few.
struct Glass<'a> {
    file: &'a dyn ReadAt,
    start: u64,
    bytes: Bytes,
    reads_left: u32,
}

impl Glass<'_> {
    fn length(&self) -> u64 {
        self.file.length()
    }

    /// The `size` bytes from `offset` on; `None` if the file ends before, or enough has been read already.
    async fn look(&mut self, offset: u64, size: usize) -> Option<Bytes> {
        let end = offset.checked_add(size as u64).filter(|&end| end <= self.length())?;
        if self.held(offset, size).is_none() {
            let room = self.length().saturating_sub(offset).min(CHUNK.max(size as u64));
            let mut bytes = BytesMut::new();
            while offset + (bytes.len() as u64) < end {
                self.reads_left = self.reads_left.checked_sub(1)?;
                let most = usize::try_from(room).ok()?.saturating_sub(bytes.len());
                let read = self.file.read_at(offset + bytes.len() as u64, most).await.ok()?;
                if read.is_empty() {
                    return None;
                }
                bytes.extend_from_slice(&read);
            }
            (self.start, self.bytes) = (offset, bytes.freeze());
        }
        self.held(offset, size)
    }

    fn held(&self, offset: u64, size: usize) -> Option<Bytes> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(size).filter(|&to| to <= self.bytes.len())?;
        Some(self.bytes.slice(from..to))
    }

    /// A number of `size` bytes, at most 8, the highest first.
    async fn number(&mut self, offset: u64, size: usize) -> Option<u64> {
        Some(big_endian(&self.look(offset, size.min(8)).await?))
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests;
