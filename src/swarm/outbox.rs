//! What one peer is still to be sent, as bytes: small messages at once, blocks as the line takes them. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::codec::{Ask, Message, encode};
use crate::bitfield::Bitfield;
use crate::layout::PieceIndex;

/// Blocks are turned into bytes while fewer than this wait: one block at a time, so that what we ask for never waits behind
/// much of what we give.
const FILL: usize = 16 * 1024;
/// More room than this is given back when all is sent.
const KEEP: usize = 4 * 1024;
/// While more than this waits, the peer is not listened to: each of its messages may cause one of ours.
const FULL: usize = 128 * 1024;

/// Bytes on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// What takes room: put into bytes only when there is some.
    later: VecDeque<Later>,
    /// Pieces that we had before the peer could be told in a bitfield.
    haves: Option<(Arc<Bitfield>, u32)>,
    /// Bytes of blocks among `later`.
    blocks: usize,
    uploaded: u64,
}

#[derive(Debug)]
struct Later {
    /// Set for a block, which can still be taken back.
    ask: Option<Ask>,
    /// The message without its data.
    header: Vec<u8>,
    data: Bytes,
}

impl Outbox {
    pub fn push(&mut self, message: &Message) {
        encode(message, &mut self.bytes);
    }

    /// A block that the peer asked for.
    pub fn push_block(&mut self, ask: Ask, data: Bytes) {
        let mut header = Vec::new();
        encode(&Message::Piece { index: ask.index, begin: ask.begin, data: Bytes::new() }, &mut header);
        self.blocks += data.len();
        self.push_later(Some(ask), header, data);
    }

    /// An extension's message that ends in data; `id` is the peer's.
    pub fn push_extended(&mut self, id: u8, dictionary: Vec<u8>, data: Bytes) {
        let mut header = Vec::new();
        encode(&Message::Extended { id, payload: Bytes::from(dictionary) }, &mut header);
        self.push_later(None, header, data);
    }

    /// `header` counts only itself; its length prefix is made to count the data too.
    fn push_later(&mut self, ask: Option<Ask>, mut header: Vec<u8>, data: Bytes) {
        let length = u32::try_from(header.len() - 4 + data.len()).unwrap_or(u32::MAX);
        header[..4].copy_from_slice(&length.to_be_bytes());
        self.later.push_back(Later { ask, header, data });
    }

    /// Tells all these pieces, one by one, as there is room.
    pub fn push_haves(&mut self, had: Arc<Bitfield>) {
        self.haves = Some((had, 0));
    }

    /// Takes a block back that is not on its way yet. True if it was there.
    pub fn take_back(&mut self, ask: Ask) -> bool {
        let before = self.later.len();
        self.later.retain(|later| later.ask != Some(ask));
        self.count_blocks();
        self.later.len() < before
    }

    /// Takes all blocks back that are not on their way yet.
    pub fn take_back_all(&mut self) -> Vec<Ask> {
        let asks = self.later.iter().filter_map(|later| later.ask).collect();
        self.later.retain(|later| later.ask.is_none());
        self.count_blocks();
        asks
    }

    fn count_blocks(&mut self) {
        self.blocks =
            self.later.iter().filter(|later| later.ask.is_some()).map(|later| later.data.len()).sum();
    }

    /// Bytes of blocks that wait for the line.
    pub fn blocks_waiting(&self) -> usize {
        self.blocks
    }

    /// What waits that is not a block: a bound for answers to extensions.
    pub fn extended_waiting(&self) -> usize {
        self.later.iter().filter(|later| later.ask.is_none()).count()
    }

    /// True while the peer should not be listened to.
    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.sent > FULL
    }

    /// The bytes to be sent next; none if all is sent.
    pub fn next(&mut self) -> &[u8] {
        if self.sent == self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP && self.later.is_empty() {
                self.bytes = Vec::new();
            }
        }
        if self.bytes.len() < FILL {
            self.fill();
        }
        &self.bytes[self.sent..]
    }

    fn fill(&mut self) {
        if let Some((had, mut from)) = self.haves.take() {
            while from < had.pieces() && self.bytes.len() < FILL {
                if had.has(PieceIndex(from)) {
                    encode(&Message::Have(from), &mut self.bytes);
                }
                from += 1;
            }
            self.haves = (from < had.pieces()).then_some((had, from));
        }
        while self.bytes.len() < FILL
            && let Some(later) = self.later.pop_front()
        {
            self.bytes.reserve(later.header.len() + later.data.len());
            self.bytes.extend_from_slice(&later.header);
            self.bytes.extend_from_slice(&later.data);
            if later.ask.is_some() {
                self.blocks = self.blocks.saturating_sub(later.data.len());
                self.uploaded += later.data.len() as u64;
            }
        }
    }

    /// So many of `next`'s bytes have been sent.
    pub fn advance(&mut self, sent: usize) {
        self.sent = (self.sent + sent).min(self.bytes.len());
    }

    /// Bytes of blocks that went out since this was asked last.
    pub fn take_uploaded(&mut self) -> u64 {
        std::mem::take(&mut self.uploaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::codec::Decoder;

    fn drain(outbox: &mut Outbox) -> Vec<Message> {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        loop {
            let bytes = outbox.next().to_vec();
            if bytes.is_empty() {
                return messages;
            }
            let mut part = &bytes[..bytes.len().min(1000)];
            outbox.advance(part.len());
            while let Some(message) = decoder.next(&mut part).expect("our own messages") {
                messages.push(message);
            }
        }
    }

    #[test]
    fn what_is_pushed_goes_out_whole_and_leaves_no_memory_behind() {
        let mut outbox = Outbox::default();
        let ask = Ask { index: 3, begin: 16384, length: 16384 };
        let block = Bytes::from(vec![9; 16384]);
        outbox.push(&Message::Unchoke);
        outbox.push_block(ask, block.clone());
        outbox.push_extended(5, b"de".to_vec(), Bytes::from_static(b"abc"));
        let expected = [
            Message::Unchoke,
            Message::Piece { index: 3, begin: 16384, data: block },
            Message::Extended { id: 5, payload: Bytes::from_static(b"deabc") },
        ];
        assert_eq!(drain(&mut outbox), expected);
        assert_eq!(outbox.take_uploaded(), 16384);
        assert_eq!(outbox.bytes.capacity(), 0);
    }

    #[test]
    fn many_blocks_wait_outside_of_the_buffer_and_can_be_taken_back() {
        let mut outbox = Outbox::default();
        let asks: Vec<Ask> = (0..100).map(|index| Ask { index, begin: 0, length: 16384 }).collect();
        for ask in &asks {
            outbox.push_block(*ask, Bytes::from(vec![1; 16384]));
        }
        assert!(outbox.next().len() < FILL + 17_000);
        assert_eq!(outbox.blocks_waiting(), 99 * 16384);
        assert!(!outbox.take_back(asks[0]));
        assert!(outbox.take_back(asks[50]));
        assert!(!outbox.take_back(asks[50]));
        assert_eq!(outbox.blocks_waiting(), 98 * 16384);
        let back = outbox.take_back_all();
        assert_eq!(back.len() + 1 + drain(&mut outbox).len(), 100);
    }

    #[test]
    fn pieces_had_are_told_one_by_one() {
        let mut outbox = Outbox::default();
        let mut had = Bitfield::none(20_000);
        for piece in (0..20_000).step_by(2) {
            had.insert(PieceIndex(piece));
        }
        outbox.push_haves(Arc::new(had));
        assert!(outbox.next().len() <= FILL + 9);
        let told = drain(&mut outbox);
        assert_eq!(told.len(), 10_000);
        assert_eq!(told.last(), Some(&Message::Have(19_998)));
    }
}
