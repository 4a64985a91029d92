//! A compressed cluster, decoded as its bytes come.

use std::ops::Range;

use bytes::Bytes;

use super::super::ZimError;
use super::chunks::Chunks;
use super::decoder::Decoder;
use super::offsets::Offsets;

/// A cluster of no more bytes is decoded whole, and kept. openZIM's writers close one at 1 or 2 MiB; only a single large blob makes
/// a larger one.
pub const WHOLE: u64 = 8 * 1024 * 1024;
/// The largest compressed blob that is decoded into memory.
pub const LARGEST_BLOB: u64 = 32 * 1024 * 1024;
/// As far into a cluster is decoded. What goes on beyond is no cluster, but a bomb.
pub const FARTHEST: u64 = 256 * 1024 * 1024;
/// A step gives so much, then others have their turn: about a millisecond of XZ.
const STEP: usize = 32 * 1024;

/// How a cluster is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    pub is_zstd: bool,
    pub is_extended: bool,
}

impl Packed {
    pub fn offsets(self) -> Offsets {
        Offsets { is_extended: self.is_extended }
    }
}

/// A cluster, decoded.
#[derive(Clone, Debug)]
pub enum Unpacked {
    /// All of it, the offsets at its beginning.
    Whole(Bytes),
    /// Larger than [`WHOLE`]: only the offsets.
    Offsets(Bytes),
}

/// The whole cluster, or its offsets.
pub async fn whole(packed: Packed, input: Chunks) -> Result<Unpacked, ZimError> {
    let mut stream = Stream::new(packed, input)?;
    let mut bytes = Vec::new();
    let end = offsets(&mut stream, packed, &mut bytes).await?;
    if end > WHOLE {
        return Ok(Unpacked::Offsets(bytes.into()));
    }
    bytes.reserve_exact((end as usize).saturating_sub(bytes.len()));
    stream.until(end, Some(&mut bytes)).await?;
    Ok(Unpacked::Whole(bytes.into()))
}

/// These bytes of a cluster, decoded from its beginning, and nothing else kept.
pub async fn part(packed: Packed, input: Chunks, range: Range<u64>) -> Result<Bytes, ZimError> {
    let length = range.end.saturating_sub(range.start);
    if length > LARGEST_BLOB || range.end > FARTHEST {
        return Err(ZimError::TooLarge(format!(
            "a compressed entry has {length} bytes from byte {} of its cluster on, which is more than is decoded",
            range.start
        )));
    }
    let mut stream = Stream::new(packed, input)?;
    stream.until(range.start, None).await?;
    let mut bytes = Vec::with_capacity(length as usize);
    stream.until(range.end, Some(&mut bytes)).await?;
    Ok(bytes.into())
}

/// Reads the offsets; the last of them is where the cluster ends.
async fn offsets(stream: &mut Stream, packed: Packed, bytes: &mut Vec<u8>) -> Result<u64, ZimError> {
    let offsets = packed.offsets();
    stream.until(offsets.size(), Some(bytes)).await?;
    let length = offsets.length(bytes)?;
    if length > WHOLE {
        return Err(ZimError::Broken(format!("a cluster would begin with {length} bytes of offsets")));
    }
    stream.until(length, Some(bytes)).await?;
    offsets.end(bytes)
}

/// A compressed stream, decoded as it comes.
struct Stream {
    decoder: Decoder,
    chunks: Chunks,
    input: Bytes,
    /// The decoder may have more to give without more input.
    holds_more: bool,
    /// How much was decoded.
    position: u64,
    has_ended: bool,
}

impl Stream {
    fn new(packed: Packed, chunks: Chunks) -> Result<Stream, ZimError> {
        let decoder = if packed.is_zstd { Decoder::zstd()? } else { Decoder::xz()? };
        Ok(Stream { decoder, chunks, input: Bytes::new(), holds_more: false, position: 0, has_ended: false })
    }

    /// Decodes up to byte `end` of the cluster, and appends it to `kept`.
    async fn until(&mut self, end: u64, mut kept: Option<&mut Vec<u8>>) -> Result<(), ZimError> {
        let mut buffer =
            vec![0; STEP.min(usize::try_from(end.saturating_sub(self.position)).unwrap_or(STEP))];
        while self.position < end {
            if self.has_ended {
                let what = format!("a cluster ends at byte {} and should have {end}", self.position);
                return Err(ZimError::Broken(what));
            }
            if self.input.is_empty() && !self.holds_more {
                self.input = self.chunks.next().await?.ok_or_else(|| {
                    ZimError::Broken("the data of a cluster goes on where something else begins".to_owned())
                })?;
            }
            let most = buffer.len().min(usize::try_from(end - self.position).unwrap_or(usize::MAX));
            let Some(output) = buffer.get_mut(..most) else { return Ok(()) };
            let step = self.decoder.step(&self.input, output)?;
            self.input = self.input.slice(step.taken.min(self.input.len())..);
            self.position += step.given as u64;
            self.holds_more = step.given == most;
            self.has_ended = step.is_end;
            if let (Some(kept), Some(given)) = (kept.as_deref_mut(), output.get(..step.given)) {
                kept.extend_from_slice(given);
            }
            // Decoding is work, and others wait for this thread.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
