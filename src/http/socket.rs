//! A client's connection: shared by hyper, which reads and writes it, and by the body, which looks whether anybody is
//! still there while it waits for a piece.

use std::io;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// Requests are small: this is all that is read of one at a time.
const READ_AT_ONCE: usize = 4096;

/// A television that was unplugged while paused never says goodbye. After this long, the system asks.
const ASK_AFTER: Duration = Duration::from_secs(60);

const AT_REST: u8 = 0;
const RUNNING: u8 = 1;
const HANDED_OVER: u8 = 2;

/// One connection. When the last of its holders drops it while a body is unfinished, it is reset rather than closed, so
/// that no client takes the part that came for the whole.
#[derive(Clone, Debug)]
pub struct Socket(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: TcpStream,
    local: SocketAddr,
    body: AtomicU8,
}

impl Socket {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        let local = stream.local_addr()?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(ASK_AFTER))?;
        Ok(Socket(Arc::new(Shared { stream, local, body: AtomicU8::new(AT_REST) })))
    }

    /// Our end.
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// A body is promised: from now on, an end is an accident.
    pub fn on_body_begun(&self) {
        self.0.body.store(RUNNING, Ordering::Relaxed);
    }

    /// The last byte of the body was given to hyper; it is on its way when hyper has flushed.
    pub fn on_body_handed_over(&self) {
        self.0.body.store(HANDED_OVER, Ordering::Relaxed);
    }

    /// Ready when the client has closed or reset the connection.
    ///
    /// hyper looks too, but not when it holds the beginning of a next request. The task's waker is the same, so the one
    /// place that a socket has for wakers serves both.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        match self.0.stream.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if *self.body.get_mut() != AT_REST {
            // If it cannot be set, the client still sees fewer bytes than Content-Length said.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ_AT_ONCE];
        let most = buffer.remaining().min(READ_AT_ONCE);
        let Some(room) = bytes.get_mut(..most).filter(|room| !room.is_empty()) else {
            return Poll::Ready(Ok(()));
        };
        loop {
            ready!(self.0.stream.poll_read_ready(context))?;
            match self.0.stream.try_read(room) {
                Ok(count) => {
                    buffer.put_slice(room.get(..count).unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream| stream.try_write_vectored(bytes))
    }

    /// So that hyper hands over our pieces of memory as they are, instead of copying them together.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper calls this when it has nothing more to write.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = self.0.body.compare_exchange(HANDED_OVER, AT_REST, Ordering::Relaxed, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.stream).shutdown(std::net::Shutdown::Write))
    }
}

impl Socket {
    fn poll_written(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.stream.poll_write_ready(context))?;
            match write(&self.0.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}
