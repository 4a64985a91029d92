//! Peer messages as bytes and back (BEP 3, BEP 6, BEP 10). Pure: bytes come in whatever pieces the network makes of them.
//! Not the handshake that comes before the first message (`handshake`), nor what extensions put into theirs.

use bytes::{Buf, Bytes};

use crate::layout::{BlockId, Layout};

/// The longest message that anyone sends before or beside a long bitfield: a block of 128 KiB with its header. Nobody
/// is asked for more than 16 KiB, but some clients answer a bad request with what they have.
pub const LONGEST: u32 = 128 * 1024 + 13;

/// One message of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have(u32),
    Bitfield(Bytes),
    Request(Ask),
    Piece {
        index: u32,
        begin: u32,
        data: Bytes,
    },
    Cancel(Ask),
    /// BEP 5: the port of the peer's DHT node.
    Port(u16),
    /// BEP 6.
    Suggest(u32),
    HaveAll,
    HaveNone,
    Reject(Ask),
    AllowedFast(u32),
    /// BEP 10: `id` 0 is the extended handshake, any other one what our handshake announced.
    Extended {
        id: u8,
        payload: Bytes,
    },
    /// Of a kind that we do not know; its bytes are gone.
    Unknown(u8),
}

/// What a request, a cancel or a reject names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    pub index: u32,
    pub begin: u32,
    pub length: u32,
}

impl Ask {
    /// The request for a block of ours.
    pub fn of(layout: &Layout, block: BlockId) -> Ask {
        Ask {
            index: block.piece.0,
            begin: block.block.saturating_mul(crate::layout::BLOCK),
            length: layout.block_size(block),
        }
    }
}

/// Why bytes are not messages. Nothing that follows can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a message of {length} bytes, where {limit} are the most")]
    TooLong { length: u32, limit: u32 },
    #[error("a message of kind {id} with {length} bytes, which that kind never has")]
    WrongLength { id: u8, length: u32 },
}

mod id {
    pub const CHOKE: u8 = 0;
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const NOT_INTERESTED: u8 = 3;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const PORT: u8 = 9;
    pub const SUGGEST: u8 = 13;
    pub const HAVE_ALL: u8 = 14;
    pub const HAVE_NONE: u8 = 15;
    pub const REJECT: u8 = 16;
    pub const ALLOWED_FAST: u8 = 17;
    pub const EXTENDED: u8 = 20;
}

/// Four bytes of length, one of kind.
const PREFIX: usize = 5;
/// The longest body of the kinds that have a fixed length: request, cancel, reject.
const FIXED: usize = 12;
/// What a body of which little has come may take at once: a block with its index and begin.
const FIRST_CAPACITY: usize = 16 * 1024 + 8;

/// Makes messages of bytes. Holds at most one unfinished message: memory grows with what has come, not with what a
/// length prefix promises.
#[derive(Debug)]
pub struct Decoder {
    limit: u32,
    /// Prefix, then the body of a kind with a fixed length.
    head: [u8; PREFIX + FIXED],
    headed: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Prefix,
    /// The rest of `head` is the body.
    Fixed {
        id: u8,
        length: usize,
    },
    /// A body of any length.
    Body {
        id: u8,
        length: usize,
        body: Vec<u8>,
    },
    /// A kind that we do not know.
    Skip {
        id: u8,
        left: usize,
    },
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { limit: LONGEST, head: [0; PREFIX + FIXED], headed: 0, stage: Stage::Prefix }
    }
}

impl Decoder {
    /// From now on a message may be long enough for the bitfield of so many pieces.
    pub fn allow_pieces(&mut self, pieces: u32) {
        self.limit = LONGEST.max(pieces.div_ceil(8).saturating_add(1));
    }

    /// True in the midst of a message.
    pub fn is_partial(&self) -> bool {
        self.headed > 0
    }

    /// Takes bytes from `input` until a message is whole or none are left (`None`). After an error, nothing more can
    /// be read.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, DecodeError> {
        loop {
            match &mut self.stage {
                Stage::Prefix => {
                    if !self.fill(input, 4) {
                        return Ok(None);
                    }
                    let length = u32::from_be_bytes([self.head[0], self.head[1], self.head[2], self.head[3]]);
                    if length == 0 {
                        self.headed = 0;
                        return Ok(Some(Message::KeepAlive));
                    }
                    if length > self.limit {
                        return Err(DecodeError::TooLong { length, limit: self.limit });
                    }
                    if !self.fill(input, PREFIX) {
                        return Ok(None);
                    }
                    self.stage = Self::stage_of(self.head[4], length)?;
                }
                Stage::Fixed { id, length } => {
                    let (id, length) = (*id, *length);
                    if !self.fill(input, PREFIX + length) {
                        return Ok(None);
                    }
                    let message = fixed(id, &self.head[PREFIX..PREFIX + length]);
                    self.reset();
                    return Ok(Some(message));
                }
                Stage::Body { id, length, body } => {
                    let take = (*length - body.len()).min(input.len());
                    body.extend_from_slice(&input[..take]);
                    input.advance(take);
                    if body.len() < *length {
                        return Ok(None);
                    }
                    let message = with_body(*id, Bytes::from(std::mem::take(body)));
                    self.reset();
                    return Ok(Some(message));
                }
                Stage::Skip { id, left } => {
                    let take = (*left).min(input.len());
                    input.advance(take);
                    *left -= take;
                    if *left > 0 {
                        return Ok(None);
                    }
                    let message = Message::Unknown(*id);
                    self.reset();
                    return Ok(Some(message));
                }
            }
        }
    }

    /// Moves bytes into `head` until it holds `target` of them. `target` is at most its length.
    fn fill(&mut self, input: &mut &[u8], target: usize) -> bool {
        let take = target.saturating_sub(self.headed).min(input.len());
        self.head[self.headed..self.headed + take].copy_from_slice(&input[..take]);
        self.headed += take;
        input.advance(take);
        self.headed >= target
    }

    fn reset(&mut self) {
        self.headed = 0;
        self.stage = Stage::Prefix;
    }

    /// `length` counts the kind's byte.
    fn stage_of(id: u8, length: u32) -> Result<Stage, DecodeError> {
        let body = length as usize - 1;
        let fixed = match id {
            id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => 0,
            id::PORT => 2,
            id::HAVE | id::SUGGEST | id::ALLOWED_FAST => 4,
            id::REQUEST | id::CANCEL | id::REJECT => 12,
            id::PIECE if body < 8 => return Err(DecodeError::WrongLength { id, length }),
            id::EXTENDED if body < 1 => return Err(DecodeError::WrongLength { id, length }),
            id::PIECE | id::BITFIELD | id::EXTENDED => {
                let body_bytes = Vec::with_capacity(body.min(FIRST_CAPACITY));
                return Ok(Stage::Body { id, length: body, body: body_bytes });
            }
            _ => return Ok(Stage::Skip { id, left: body }),
        };
        if body == fixed {
            Ok(Stage::Fixed { id, length: fixed })
        } else {
            Err(DecodeError::WrongLength { id, length })
        }
    }
}

/// `body` has the length that `stage_of` gave this kind.
fn fixed(id: u8, mut body: &[u8]) -> Message {
    let mut number = || if body.len() >= 4 { body.get_u32() } else { 0 };
    match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::HAVE => Message::Have(number()),
        id::SUGGEST => Message::Suggest(number()),
        id::ALLOWED_FAST => Message::AllowedFast(number()),
        id::REQUEST => Message::Request(Ask { index: number(), begin: number(), length: number() }),
        id::CANCEL => Message::Cancel(Ask { index: number(), begin: number(), length: number() }),
        id::REJECT => Message::Reject(Ask { index: number(), begin: number(), length: number() }),
        id::PORT => Message::Port(body.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes))),
        _ => Message::Unknown(id),
    }
}

/// `body` is as long as `stage_of` made sure.
fn with_body(id: u8, mut body: Bytes) -> Message {
    match id {
        id::PIECE => {
            let (index, begin) = (body.get_u32(), body.get_u32());
            Message::Piece { index, begin, data: body }
        }
        id::EXTENDED => {
            let id = body.get_u8();
            Message::Extended { id, payload: body }
        }
        _ => Message::Bitfield(body),
    }
}

/// Appends the message's bytes.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::KeepAlive => out.extend_from_slice(&[0; 4]),
        Message::Choke => start(out, id::CHOKE, 0),
        Message::Unchoke => start(out, id::UNCHOKE, 0),
        Message::Interested => start(out, id::INTERESTED, 0),
        Message::NotInterested => start(out, id::NOT_INTERESTED, 0),
        Message::HaveAll => start(out, id::HAVE_ALL, 0),
        Message::HaveNone => start(out, id::HAVE_NONE, 0),
        Message::Have(piece) => numbers(out, id::HAVE, &[*piece]),
        Message::Suggest(piece) => numbers(out, id::SUGGEST, &[*piece]),
        Message::AllowedFast(piece) => numbers(out, id::ALLOWED_FAST, &[*piece]),
        Message::Request(ask) => numbers(out, id::REQUEST, &[ask.index, ask.begin, ask.length]),
        Message::Cancel(ask) => numbers(out, id::CANCEL, &[ask.index, ask.begin, ask.length]),
        Message::Reject(ask) => numbers(out, id::REJECT, &[ask.index, ask.begin, ask.length]),
        Message::Port(port) => {
            start(out, id::PORT, 2);
            out.extend_from_slice(&port.to_be_bytes());
        }
        Message::Bitfield(bits) => {
            start(out, id::BITFIELD, bits.len());
            out.extend_from_slice(bits);
        }
        Message::Piece { index, begin, data } => {
            start(out, id::PIECE, 8 + data.len());
            out.extend_from_slice(&index.to_be_bytes());
            out.extend_from_slice(&begin.to_be_bytes());
            out.extend_from_slice(data);
        }
        Message::Extended { id, payload } => {
            start(out, id::EXTENDED, 1 + payload.len());
            out.push(*id);
            out.extend_from_slice(payload);
        }
        Message::Unknown(id) => start(out, *id, 0),
    }
}

fn start(out: &mut Vec<u8>, id: u8, body: usize) {
    out.extend_from_slice(&u32::try_from(body + 1).unwrap_or(u32::MAX).to_be_bytes());
    out.push(id);
}

fn numbers(out: &mut Vec<u8>, id: u8, numbers: &[u32]) {
    start(out, id, 4 * numbers.len());
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_all(decoder: &mut Decoder, parts: &[&[u8]]) -> Result<Vec<Message>, DecodeError> {
        let mut messages = Vec::new();
        for part in parts {
            let mut input = *part;
            while let Some(message) = decoder.next(&mut input)? {
                messages.push(message);
            }
            assert!(input.is_empty());
        }
        Ok(messages)
    }

    #[test]
    fn a_kind_that_nobody_knows_is_passed_over_with_its_bytes() {
        let mut decoder = Decoder::default();
        let bytes = [0, 0, 0, 4, 99, 1, 2, 3, 0, 0, 0, 1, 1];
        assert_eq!(decode_all(&mut decoder, &[&bytes]), Ok(vec![Message::Unknown(99), Message::Unchoke]));
    }

    #[test]
    fn a_promise_of_gigabytes_is_refused_before_its_first_byte() {
        let mut decoder = Decoder::default();
        let error = decode_all(&mut decoder, &[&[0xff, 0xff, 0xff, 0xff]]);
        assert_eq!(error, Err(DecodeError::TooLong { length: u32::MAX, limit: LONGEST }));
    }

    #[test]
    fn a_long_bitfield_is_welcome_once_the_torrent_is_known_to_be_long() {
        let field = Message::Bitfield(Bytes::from(vec![0xff; 400_000]));
        let mut bytes = Vec::new();
        encode(&field, &mut bytes);
        assert!(decode_all(&mut Decoder::default(), &[&bytes]).is_err());
        let mut decoder = Decoder::default();
        decoder.allow_pieces(3_200_000);
        assert_eq!(decode_all(&mut decoder, &[&bytes]), Ok(vec![field]));
    }

    #[test]
    fn fixed_kinds_of_another_length_are_errors() {
        for bytes in
            [&[0, 0, 0, 2, 0, 0][..], &[0, 0, 0, 3, 4, 0, 0], &[0, 0, 0, 5, 7, 0, 0, 0, 0], &[0, 0, 0, 1, 20]]
        {
            let error = decode_all(&mut Decoder::default(), &[bytes]);
            assert!(matches!(error, Err(DecodeError::WrongLength { .. })), "{bytes:?}: {error:?}");
        }
    }

    #[test]
    fn little_memory_is_taken_for_a_large_promise() {
        let mut decoder = Decoder::default();
        let prefix = [&LONGEST.to_be_bytes()[..], &[7]].concat();
        assert_eq!(decode_all(&mut decoder, &[&prefix]), Ok(vec![]));
        assert!(decoder.is_partial());
        let Stage::Body { body, .. } = &decoder.stage else { panic!("in a body") };
        assert!(body.capacity() <= FIRST_CAPACITY);
    }

    fn ask() -> impl Strategy<Value = Ask> {
        (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(index, begin, length)| Ask {
            index,
            begin,
            length,
        })
    }

    fn some_bytes() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..500).prop_map(Bytes::from)
    }

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            Just(Message::KeepAlive),
            Just(Message::Choke),
            Just(Message::Unchoke),
            Just(Message::Interested),
            Just(Message::NotInterested),
            Just(Message::HaveAll),
            Just(Message::HaveNone),
            any::<u32>().prop_map(Message::Have),
            any::<u32>().prop_map(Message::Suggest),
            any::<u32>().prop_map(Message::AllowedFast),
            any::<u16>().prop_map(Message::Port),
            ask().prop_map(Message::Request),
            ask().prop_map(Message::Cancel),
            ask().prop_map(Message::Reject),
            some_bytes().prop_map(Message::Bitfield),
            (any::<u8>(), some_bytes()).prop_map(|(id, payload)| Message::Extended { id, payload }),
            (any::<u32>(), any::<u32>(), some_bytes()).prop_map(|(index, begin, data)| Message::Piece {
                index,
                begin,
                data
            }),
        ]
    }

    proptest! {
        #[test]
        fn messages_come_back_however_the_network_cuts_them(
            messages in proptest::collection::vec(message(), 0..20),
            cut in 1usize..700,
        ) {
            let mut bytes = Vec::new();
            for message in &messages {
                encode(message, &mut bytes);
            }
            let parts: Vec<&[u8]> = bytes.chunks(cut).collect();
            let mut decoder = Decoder::default();
            prop_assert_eq!(decode_all(&mut decoder, &parts), Ok(messages));
            prop_assert!(!decoder.is_partial());
        }

        #[test]
        fn no_bytes_panic_and_none_makes_more_than_came(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            if let Ok(messages) = decode_all(&mut Decoder::default(), &parts) {
                let total: usize = parts.iter().map(|part| part.len()).sum();
                prop_assert!(messages.len() * 4 <= total);
            }
        }
    }
}
