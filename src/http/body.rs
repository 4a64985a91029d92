//! The body of an answer: reads no further than one chunk ahead of what the client takes.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::answer::Segment;
use super::socket::Socket;
use crate::read::{ReadAt, ReadError};

/// What is read at a time. With the few kilobytes that hyper may hold beside it, this is a connection's share of our
/// memory, so fifty paused players cost 6 MiB; and it is large enough that the cost of a turn does not show.
pub const CHUNK: usize = 128 * 1024;

/// A body begins with so much at once, if it can. Less is of little use to a player, and a start with the few kilobytes at
/// the end of a piece is a stall a moment later, until the next piece is there.
const BEGINNING: usize = 256 * 1024;
/// But what is there is not kept longer than this: a client that needs only a few bytes waits for nothing more.
const BEGINNING_WITHIN: Duration = Duration::from_millis(500);

/// Why a body ends before its end. Whatever it is, the connection is reset.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the file ends {0} bytes before its end")]
    Short(u64),
    #[error("the client went away")]
    Gone,
}

/// The bytes that an answer promises; but of a text that is made on the way, their exact length is known from the start.
pub enum AnswerBody {
    Nothing,
    Text(Bytes, Socket),
    File(FileBody),
    Made(MadeBody),
}

/// A text made piece by piece, each when the one before is with the system.
pub struct MadeBody {
    pieces: BoxStream<'static, Result<Bytes, ReadError>>,
    socket: Socket,
}

/// Runs of bytes of one file, read as the client takes them.
pub struct FileBody {
    segments: VecDeque<Segment>,
    /// `None` while it reads, and when there is nothing left to read.
    reader: Option<Box<dyn ReadAt>>,
    reading: Option<BoxFuture<'static, Read>>,
    /// Read and not yet handed over. More than one chunk only at the beginning.
    read: VecDeque<Bytes>,
    beginning: Beginning,
    socket: Socket,
}

/// Of a body: its first bytes are handed over together.
enum Beginning {
    Empty,
    /// Something is there, and more of it may come until then.
    Gathering(Pin<Box<Sleep>>),
    Over,
}

/// A reader is lent to the future that reads, and comes back with what it read.
type Read = (Box<dyn ReadAt>, Result<Bytes, ReadError>);

/// Reads one chunk from the start of `range`. Nothing at all only where the file ends.
async fn read(reader: Box<dyn ReadAt>, range: Range<u64>) -> Read {
    let most = usize::try_from(range.end - range.start).map_or(CHUNK, |left| left.min(CHUNK));
    let mut result = reader.read_at(range.start, most).await;
    if let Ok(bytes) = &mut result {
        bytes.truncate(most);
    }
    (reader, result)
}

impl AnswerBody {
    pub fn text(text: Bytes, socket: Socket) -> Self {
        socket.on_body_begun();
        AnswerBody::Text(text, socket)
    }

    pub fn made(pieces: BoxStream<'static, Result<Bytes, ReadError>>, socket: Socket) -> Self {
        socket.on_body_begun();
        AnswerBody::Made(MadeBody { pieces, socket })
    }

    pub fn file(segments: VecDeque<Segment>, reader: Box<dyn ReadAt>, socket: Socket) -> Self {
        socket.on_body_begun();
        AnswerBody::File(FileBody {
            segments,
            reader: Some(reader),
            reading: None,
            read: VecDeque::new(),
            beginning: Beginning::Empty,
            socket,
        })
    }
}

impl FileBody {
    fn left(&self) -> u64 {
        self.segments.iter().fold(0u64, |sum, segment| sum.saturating_add(segment.length()))
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let bytes = match self.segments.front_mut() {
            None => return Poll::Ready(None),
            Some(Segment::Heading(bytes)) => {
                let bytes = std::mem::take(bytes);
                self.segments.pop_front();
                bytes
            }
            Some(Segment::File(range)) => {
                let range = range.clone();
                let bytes = ready!(self.poll_file(context, range.clone()))?;
                let start = range.start + bytes.len() as u64;
                match self.segments.front_mut() {
                    Some(Segment::File(range)) if start < range.end => range.start = start,
                    _ => drop(self.segments.pop_front()),
                }
                bytes
            }
        };
        if self.segments.is_empty() {
            // Nobody reads here any more, whatever becomes of the connection.
            self.reader = None;
            self.socket.on_body_handed_over();
        }
        Poll::Ready(Some(Ok(bytes)))
    }

    /// What comes next of the file, from the start of `range`.
    fn poll_file(&mut self, context: &mut Context<'_>, range: Range<u64>) -> Poll<Result<Bytes, BodyError>> {
        loop {
            let gathered: usize = self.read.iter().map(Bytes::len).sum();
            let rest = range.start + gathered as u64..range.end;
            let is_enough =
                matches!(self.beginning, Beginning::Over) || gathered >= BEGINNING || rest.is_empty();
            if is_enough && let Some(bytes) = self.read.pop_front() {
                self.beginning = Beginning::Over;
                return Poll::Ready(Ok(bytes));
            }
            if let Some(reader) = self.reader.take() {
                self.reading = Some(Box::pin(read(reader, rest)));
            }
            let Some(reading) = &mut self.reading else {
                return Poll::Ready(Err(BodyError::Read(ReadError::Closed)));
            };
            if let Poll::Ready((reader, result)) = reading.as_mut().poll(context) {
                self.reading = None;
                self.reader = Some(reader);
                match result {
                    Ok(bytes) if !bytes.is_empty() => self.read.push_back(bytes),
                    // What goes wrong beyond the beginning is told when the client comes to it.
                    _ if !self.read.is_empty() => self.beginning = Beginning::Over,
                    Ok(_) => return Poll::Ready(Err(BodyError::Short(self.left()))),
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
                continue;
            }
            if !self.read.is_empty() {
                if matches!(self.beginning, Beginning::Empty) {
                    self.beginning = Beginning::Gathering(Box::pin(sleep(BEGINNING_WITHIN)));
                }
                if let Beginning::Gathering(until) = &mut self.beginning
                    && until.as_mut().poll(context).is_ready()
                {
                    self.beginning = Beginning::Over;
                    continue;
                }
            }
            return self.socket.poll_gone(context).map(|()| Err(BodyError::Gone));
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            AnswerBody::Nothing => Poll::Ready(None),
            AnswerBody::Text(text, socket) => {
                let text = std::mem::take(text);
                socket.on_body_handed_over();
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
            }
            AnswerBody::Made(made) => {
                let Poll::Ready(piece) = made.pieces.as_mut().poll_next(context) else {
                    return made.socket.poll_gone(context).map(|()| Some(Err(BodyError::Gone)));
                };
                if piece.is_none() {
                    made.socket.on_body_handed_over();
                }
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece?))))
            }
            AnswerBody::File(file) => {
                file.poll_bytes(context).map(|bytes| bytes.map(|result| result.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Nothing => true,
            AnswerBody::Text(text, _) => text.is_empty(),
            AnswerBody::File(file) => file.segments.is_empty(),
            // What ends it is the chunk after the last, and hyper writes that when it is told `None`.
            AnswerBody::Made(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            AnswerBody::Nothing => 0,
            AnswerBody::Text(text, _) => text.len() as u64,
            AnswerBody::File(file) => file.left(),
            AnswerBody::Made(_) => return SizeHint::default(),
        })
    }
}
