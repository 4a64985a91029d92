//! Which charset each text of a torrent is in, found out once.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::charset::{BEGINNING, charset};
use crate::lock::lock;
use crate::read::ReadAt;

/// How long the headers of an answer wait for the text's beginning. A player that sees no headers for long gives up, and one
/// that is told no charset guesses.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has been found out, by the index of the file.
pub struct Charsets {
    known: Mutex<HashMap<usize, Option<&'static str>>>,
    patience: Duration,
}

impl Default for Charsets {
    fn default() -> Self {
        Charsets { known: Mutex::default(), patience: PATIENCE }
    }
}

impl Charsets {
    /// The charset of file `index`, read by `reader` unless it is known; `None` if there is none, it cannot be told, or the file's
    /// beginning does not come soon.
    pub async fn of(&self, index: usize, reader: Option<&dyn ReadAt>) -> Option<&'static str> {
        if let Some(known) = lock(&self.known).get(&index).copied() {
            return known;
        }
        let reader = reader?;
        let beginning = tokio::time::timeout(self.patience, beginning(reader)).await.ok()??;
        let told = charset(&beginning, beginning.len() as u64 == reader.length());
        lock(&self.known).insert(index, told);
        told
    }
}

/// `None` if it cannot be read: the body will say so.
async fn beginning(reader: &dyn ReadAt) -> Option<Vec<u8>> {
    let size = usize::try_from(reader.length()).map_or(BEGINNING, |length| length.min(BEGINNING));
    let mut beginning = Vec::new();
    while beginning.len() < size {
        let read = reader.read_at(beginning.len() as u64, size - beginning.len()).await.ok()?;
        if read.is_empty() {
            return None;
        }
        beginning.extend_from_slice(&read);
    }
    Some(beginning)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::read::ReadError;

    /// A text that comes one byte at a time, or never.
    struct Text(Option<&'static [u8]>);

    impl ReadAt for Text {
        fn length(&self) -> u64 {
            self.0.map_or(100, <[u8]>::len) as u64
        }

        fn read_at(&self, offset: u64, _: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
            let Some(text) = self.0 else { return std::future::pending().boxed() };
            let at = usize::try_from(offset).expect("a short text");
            std::future::ready(Ok(Bytes::from_static(&text[at..=at]))).boxed()
        }
    }

    #[tokio::test]
    async fn what_is_known_is_not_read_again() {
        let charsets = Charsets::default();
        assert_eq!(charsets.of(3, None).await, None);
        assert_eq!(charsets.of(3, Some(&Text(Some("ç".as_bytes())))).await, Some("UTF-8"));
        assert_eq!(charsets.of(3, None).await, Some("UTF-8"));
        assert_eq!(charsets.of(4, None).await, None);
    }

    #[tokio::test]
    async fn what_does_not_come_is_not_waited_for_and_not_taken_for_known() {
        let charsets = Charsets { patience: Duration::ZERO, ..Charsets::default() };
        assert_eq!(charsets.of(0, Some(&Text(None))).await, None);
        assert_eq!(charsets.of(0, Some(&Text(Some(b"abc")))).await, Some("UTF-8"));
    }
}
