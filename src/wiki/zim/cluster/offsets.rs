//! The offsets at the beginning of a cluster: one for each blob and one for the end of the last, from where they begin themselves.

use std::ops::Range;

use super::super::ZimError;

/// How they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// With 64 bits, not 32.
    pub is_extended: bool,
}

impl Offsets {
    /// Of one, in bytes.
    pub fn size(self) -> u64 {
        if self.is_extended { 8 } else { 4 }
    }

    /// Of all in bytes, from (at least) the first of them.
    pub fn length(self, bytes: &[u8]) -> Result<u64, ZimError> {
        let length = self.at(bytes, 0).ok_or_else(|| broken("it has no offsets"))?;
        if length < self.size() || length % self.size() != 0 {
            return Err(broken(&format!("its offsets would have {length} bytes")));
        }
        Ok(length)
    }

    /// Where this and the next offset are.
    pub fn place(self, blob: u32) -> Range<u64> {
        let start = u64::from(blob) * self.size();
        start..start + 2 * self.size()
    }

    /// Of this blob, from all offsets of its cluster. It lies between their end and that of the cluster.
    pub fn of(self, bytes: &[u8], blob: u32) -> Result<Range<u64>, ZimError> {
        let length = self.length(bytes)?;
        let place = self.place(blob);
        let pair = bytes.get(place.start as usize..place.end.min(length) as usize).unwrap_or_default();
        self.pair(pair, length, blob)
    }

    /// Of this blob, from its two offsets alone and the length of all of them.
    pub fn pair(self, pair: &[u8], length: u64, blob: u32) -> Result<Range<u64>, ZimError> {
        if self.place(blob).end > length {
            return Err(broken(&format!(
                "it has {} blobs, and none of number {blob}",
                length / self.size() - 1
            )));
        }
        match (self.at(pair, 0), self.at(pair, 1)) {
            (Some(start), Some(end)) if length <= start && start <= end => Ok(start..end),
            (Some(start), Some(end)) => {
                Err(broken(&format!("its blob {blob} would lie from {start} to {end}")))
            }
            _ => Err(broken(&format!("it ends before the offsets of blob {blob}"))),
        }
    }

    /// The last one: where the cluster ends. From all of them.
    pub fn end(self, bytes: &[u8]) -> Result<u64, ZimError> {
        let length = self.length(bytes)?;
        let last = self.at(bytes, (length / self.size() - 1) as usize);
        match last {
            Some(end) if end >= length => Ok(end),
            Some(end) => Err(broken(&format!("it would end at byte {end}, within its offsets"))),
            None => Err(broken("it ends within its offsets")),
        }
    }

    fn at(self, bytes: &[u8], number: usize) -> Option<u64> {
        let at = number.checked_mul(self.size() as usize)?;
        let rest = bytes.get(at..)?;
        match self.is_extended {
            true => rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
            false => rest.first_chunk().map(|bytes| u64::from(u32::from_le_bytes(*bytes))),
        }
    }
}

fn broken(what: &str) -> ZimError {
    ZimError::Broken(format!("a cluster cannot be read: {what}"))
}
