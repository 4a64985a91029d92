//! `--stdout`: the file's bytes to standard output, in order, and nothing else. A reader that goes away is a normal end.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::read::{ReadAt, ReadError};

/// Bytes asked for at once.
const MOST: usize = 256 * 1024;

/// Why the pipe could not be filled.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipeError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("writing to standard output failed: {0}")]
    Write(io::Error),
}

/// Writes the whole file to standard output. Returns early, without an error, when nobody reads there any more: also
/// while it waits for bytes that do not come.
pub(super) async fn to_stdout(file: Box<dyn ReadAt>) -> Result<(), PipeError> {
    tokio::select! {
        done = copy(file, io::stdout()) => done,
        () = stdout_is_gone() => Ok(()),
    }
}

/// One thread writes, so that a slow reader at the other end holds up nothing but the next read.
async fn copy(file: Box<dyn ReadAt>, mut to: impl Write + Send + 'static) -> Result<(), PipeError> {
    let (send, mut receive) = mpsc::channel::<Bytes>(1);
    let writer = tokio::task::spawn_blocking(move || -> io::Result<()> {
        while let Some(bytes) = receive.blocking_recv() {
            to.write_all(&bytes)?;
        }
        to.flush()
    });
    let mut offset = 0;
    while offset < file.length() {
        let bytes = file.read_at(offset, MOST).await?;
        offset += bytes.len() as u64;
        if bytes.is_empty() || send.send(bytes).await.is_err() {
            break;
        }
    }
    drop(send);
    match writer.await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(PipeError::Write(error)),
        _ => Ok(()),
    }
}

/// Returns when the other end of the pipe has been closed; never for files and terminals.
#[cfg(unix)]
async fn stdout_is_gone() {
    use rustix::event::{PollFd, PollFlags, poll};

    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread that waits for nothing but an error costs nothing, and ends with the process.
    let watcher = std::thread::Builder::new().name("stdout".into()).spawn(move || {
        let stdout = io::stdout();
        loop {
            let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut polled, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        let _ = tell.send(());
    });
    if watcher.is_err() || told.await.is_err() {
        std::future::pending().await
    }
}

#[cfg(not(unix))]
async fn stdout_is_gone() {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::BoxFuture;

    use super::*;

    struct Film(Vec<u8>);

    impl ReadAt for Film {
        fn length(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
            let rest = self.0.get(offset as usize..).unwrap_or_default();
            let bytes = Bytes::copy_from_slice(&rest[..rest.len().min(most.min(1000))]);
            Box::pin(async move { Ok(bytes) })
        }
    }

    #[derive(Clone, Default)]
    struct Sink {
        got: Arc<Mutex<Vec<u8>>>,
        closes_after: Option<usize>,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut got = self.got.lock().expect("no panic elsewhere");
            if self.closes_after.is_some_and(|limit| got.len() >= limit) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            got.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn film() -> Vec<u8> {
        (0..10_500_u32).map(|n| n as u8).collect()
    }

    #[tokio::test]
    async fn every_byte_in_order() {
        let sink = Sink::default();
        copy(Box::new(Film(film())), sink.clone()).await.expect("copies");
        assert_eq!(*sink.got.lock().expect("no panic elsewhere"), film());
    }

    #[tokio::test]
    async fn a_closed_pipe_is_a_normal_end() {
        let sink = Sink { closes_after: Some(3000), ..Sink::default() };
        copy(Box::new(Film(film())), sink.clone()).await.expect("no error");
        assert_eq!(sink.got.lock().expect("no panic elsewhere").len(), 3000);
    }
}
