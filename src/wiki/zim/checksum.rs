//! The MD5 at the end of a file: of everything before it.

use md5::{Digest, Md5};

use super::super::archive::Archive;
use super::ZimError;
use super::header::Header;
use crate::read::{ReadAt, ReadError};

const CHUNK: usize = 256 * 1024;

/// Reads all of the file. `None`: it has no checksum.
pub async fn verify(
    archive: &Archive,
    header: &Header,
    progress: impl Fn(u64) + Send,
) -> Result<Option<bool>, ZimError> {
    let Some(end) = header.checksum_at else { return Ok(None) };
    let reader = archive.reader();
    let mut sum = Md5::new();
    let mut read = 0;
    while read < end {
        let most = CHUNK.min(usize::try_from(end - read).unwrap_or(CHUNK));
        let bytes = reader.read_at(read, most).await?;
        if bytes.is_empty() {
            return Err(ReadError::Closed.into());
        }
        sum.update(&bytes);
        read += bytes.len() as u64;
        progress(read);
        tokio::task::yield_now().await;
    }
    let written = archive.read(end..end + 16).await?;
    Ok(Some(sum.finalize().as_slice() == written.as_ref()))
}
