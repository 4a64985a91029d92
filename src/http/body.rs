//! The body of an answer: reads no further than one chunk ahead of what the client takes.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body, Frame, SizeHint};

use super::answer::Segment;
use super::socket::Socket;
use crate::read::{ReadAt, ReadError};

/// What is read at a time. With the few kilobytes that hyper may hold beside it, this is a connection's share of our
/// memory, so fifty paused players cost 6 MiB; and it is large enough that the cost of a turn does not show.
pub const CHUNK: usize = 128 * 1024;

/// A body begins with so much at once, if it has it. Less is of no use to a player, and a start with a few kilobytes at the
/// end of one piece is a stall a moment later, until the next piece is there.
const BEGINNING: usize = 256 * 1024;
/// But it does not wait longer than this for more than it has.
const BEGINNING_WITHIN: Duration = Duration::from_secs(2);

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

/// The bytes that an answer promises; its exact length is known from the start.
pub enum AnswerBody {
    Nothing,
    Text(Bytes, Socket),
    File(FileBody),
}

/// Runs of bytes of one file, read as the client takes them.
pub struct FileBody {
    segments: VecDeque<Segment>,
    /// `None` while it reads, and when there is nothing left to read.
    reader: Option<Box<dyn ReadAt>>,
    reading: Option<BoxFuture<'static, Read>>,
    /// Read and not yet handed over.
    read: VecDeque<Bytes>,
    has_begun: bool,
    socket: Socket,
}

/// A reader is lent to the future that reads, and comes back with what it read.
type Read = (Box<dyn ReadAt>, Result<VecDeque<Bytes>, ReadError>);

/// Reads one chunk, or at the beginning of a body several. Nothing at all only where the file ends.
async fn read(
    reader: &dyn ReadAt,
    range: Range<u64>,
    is_beginning: bool,
) -> Result<VecDeque<Bytes>, ReadError> {
    let mut chunks = VecDeque::new();
    read_chunk(reader, &range, &mut chunks).await?;
    if is_beginning && !chunks.is_empty() {
        // What goes wrong now is told when the body comes to it.
        let _ = tokio::time::timeout(BEGINNING_WITHIN, read_beginning(reader, range, &mut chunks)).await;
    }
    Ok(chunks)
}

async fn read_beginning(
    reader: &dyn ReadAt,
    range: Range<u64>,
    chunks: &mut VecDeque<Bytes>,
) -> Result<(), ReadError> {
    loop {
        let length: usize = chunks.iter().map(Bytes::len).sum();
        let rest = range.start + length as u64..range.end;
        if length >= BEGINNING || rest.is_empty() || read_chunk(reader, &rest, chunks).await? == 0 {
            return Ok(());
        }
    }
}

/// Reads from the start of `range`, into `chunks` if there is anything; says how much.
async fn read_chunk(
    reader: &dyn ReadAt,
    range: &Range<u64>,
    chunks: &mut VecDeque<Bytes>,
) -> Result<usize, ReadError> {
    let most = usize::try_from(range.end - range.start).map_or(CHUNK, |left| left.min(CHUNK));
    let mut bytes = reader.read_at(range.start, most).await?;
    bytes.truncate(most);
    let length = bytes.len();
    if length > 0 {
        chunks.push_back(bytes);
    }
    Ok(length)
}

impl AnswerBody {
    pub fn text(text: Bytes, socket: Socket) -> Self {
        socket.on_body_begun();
        AnswerBody::Text(text, socket)
    }

    pub fn file(segments: VecDeque<Segment>, reader: Box<dyn ReadAt>, socket: Socket) -> Self {
        socket.on_body_begun();
        AnswerBody::File(FileBody {
            segments,
            reader: Some(reader),
            reading: None,
            read: VecDeque::new(),
            has_begun: false,
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
                if self.read.is_empty() {
                    if self.reading.is_none()
                        && let Some(reader) = self.reader.take()
                    {
                        let (range, is_beginning) = (range.clone(), !self.has_begun);
                        self.reading = Some(Box::pin(async move {
                            let result = read(&*reader, range, is_beginning).await;
                            (reader, result)
                        }));
                    }
                    let Some(reading) = &mut self.reading else {
                        return Poll::Ready(Some(Err(BodyError::Read(ReadError::Closed))));
                    };
                    let Poll::Ready((reader, result)) = reading.as_mut().poll(context) else {
                        return self.socket.poll_gone(context).map(|()| Some(Err(BodyError::Gone)));
                    };
                    self.reading = None;
                    self.reader = Some(reader);
                    self.has_begun = true;
                    self.read = result?;
                }
                let Some(bytes) = self.read.pop_front() else {
                    return Poll::Ready(Some(Err(BodyError::Short(self.left()))));
                };
                range.start += bytes.len() as u64;
                if range.start >= range.end {
                    self.segments.pop_front();
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
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            AnswerBody::Nothing => 0,
            AnswerBody::Text(text, _) => text.len() as u64,
            AnswerBody::File(file) => file.left(),
        })
    }
}
