//! The info dictionary, asked of several peers at once (BEP 9). Pure.
//!
//! Peers that announce the same length are asked together. If what they gave together has the wrong hash, each of them
//! is asked for all of it alone, so that one liar spoils nothing but its own copy, and is found.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use librqbit_bencode::{BencodeValue, BencodeValueBorrowed, ByteBuf, from_bytes_with_rest};

use crate::scheduler::PeerId;
use crate::source::InfoHash;
use crate::units::Timestamp;

/// BEP 9's block of metadata.
const BLOCK: usize = 16 * 1024;
/// The longest info dictionary that is fetched: 800,000 pieces.
pub const LONGEST: u32 = 16 * 1024 * 1024;
/// The most bytes held of all unfinished copies.
const MOST_HELD: usize = 24 * 1024 * 1024;
/// After this time without an answer, another peer is asked as well.
const PATIENCE: Duration = Duration::from_millis(400);
/// After this time without an answer, the same peer may be asked again.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// How long a peer is left alone that says it has no metadata.
const REFUSED: Duration = Duration::from_secs(20);
/// Up to so many blocks, a metadata is small: asked of three at once, so that the nearest of them answers.
const FEW: usize = 16;

/// A `ut_metadata` message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    Request(u32),
    Data { piece: u32, total: u32, data: Bytes },
    Reject(u32),
}

impl Exchange {
    /// `None` if it is none of the three. (The crate's own reader fails where a client adds a key to the dictionary.)
    pub fn from_bytes(payload: &Bytes) -> Option<Self> {
        let (BencodeValue::Dict(fields), rest) =
            from_bytes_with_rest::<BencodeValueBorrowed>(payload).ok()?
        else {
            return None;
        };
        let number = |key: &'static [u8]| match fields.get(&ByteBuf(key)) {
            Some(BencodeValue::Integer(value)) => u32::try_from(*value).ok(),
            _ => None,
        };
        let piece = number(b"piece")?;
        match number(b"msg_type")? {
            0 => Some(Exchange::Request(piece)),
            1 => {
                let data = payload.slice(payload.len() - rest.len()..);
                Some(Exchange::Data { piece, total: number(b"total_size")?, data })
            }
            2 => Some(Exchange::Reject(piece)),
            _ => None,
        }
    }

    /// What comes before the data, if there is any.
    pub fn header(&self) -> Vec<u8> {
        match self {
            Exchange::Request(piece) => format!("d8:msg_typei0e5:piecei{piece}ee"),
            Exchange::Data { piece, total, .. } => {
                format!("d8:msg_typei1e5:piecei{piece}e10:total_sizei{total}ee")
            }
            Exchange::Reject(piece) => format!("d8:msg_typei2e5:piecei{piece}ee"),
        }
        .into_bytes()
    }

    /// The answer to a request for block `piece` of this metadata.
    pub fn answer(piece: u32, metadata: &Bytes) -> Exchange {
        let start = (piece as usize).saturating_mul(BLOCK);
        match u32::try_from(metadata.len()) {
            Ok(total) if start < metadata.len() => {
                let data = metadata.slice(start..metadata.len().min(start + BLOCK));
                Exchange::Data { piece, total, data }
            }
            _ => Exchange::Reject(piece),
        }
    }
}

/// What came of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    More,
    /// The whole, with the right hash.
    Complete(Bytes),
    /// The peer alone gave something with the wrong hash.
    Lied,
}

/// Copies of the metadata under way.
#[derive(Debug)]
pub struct Assembly {
    info_hash: InfoHash,
    offers: HashMap<PeerId, Offer>,
    copies: HashMap<Key, Copy>,
    done: bool,
}

/// What a peer says that it has.
#[derive(Debug)]
struct Offer {
    size: u32,
    /// Asked alone for the whole.
    alone: bool,
    refused_until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    size: u32,
    alone: Option<PeerId>,
}

#[derive(Debug)]
struct Copy {
    slots: Vec<Slot>,
    missing: usize,
    held: usize,
}

#[derive(Debug, Default)]
struct Slot {
    data: Option<(PeerId, Bytes)>,
    asks: Vec<(PeerId, Timestamp)>,
}

impl Copy {
    fn new(size: u32) -> Self {
        let blocks = (size as usize).div_ceil(BLOCK);
        Copy { slots: std::iter::repeat_with(Slot::default).take(blocks).collect(), missing: blocks, held: 0 }
    }
}

impl Assembly {
    pub fn new(info_hash: InfoHash) -> Self {
        Assembly { info_hash, offers: HashMap::new(), copies: HashMap::new(), done: false }
    }

    /// The metadata is known from elsewhere.
    pub fn finish(&mut self) {
        self.done = true;
        self.copies.clear();
        self.offers.clear();
    }

    /// A peer says that it has the metadata, of `size` bytes. What is too long to be true is ignored.
    pub fn offer(&mut self, peer: PeerId, size: u32) {
        if self.done
            || size == 0
            || size > LONGEST
            || self.offers.get(&peer).is_some_and(|old| old.size == size)
        {
            return;
        }
        self.leave(peer);
        self.offers.insert(peer, Offer { size, alone: false, refused_until: Timestamp::ZERO });
    }

    /// The peer is gone.
    pub fn leave(&mut self, peer: PeerId) {
        let Some(offer) = self.offers.remove(&peer) else { return };
        let key = offer.key(peer);
        let backed = self.offers.iter().any(|(other, offer)| offer.key(*other) == key);
        if !backed {
            self.copies.remove(&key);
        } else if let Some(copy) = self.copies.get_mut(&key) {
            for slot in &mut copy.slots {
                slot.asks.retain(|(asked, _)| *asked != peer);
            }
        }
    }

    /// The next block to ask of the peer; `None` if nothing is to be asked of it now. To be called until then.
    pub fn next(&mut self, peer: PeerId, now: Timestamp) -> Option<u32> {
        let offer = self.offers.get(&peer).filter(|offer| !self.done && offer.refused_until <= now)?;
        let copy = self.copies.entry(offer.key(peer)).or_insert_with(|| Copy::new(offer.size));
        let blocks = copy.slots.len();
        let (most_askers, most_asked) = if blocks <= FEW { (3, 8) } else { (2, 4) };
        let mut asked = 0;
        let mut best: Option<((usize, usize), usize)> = None;
        // Each peer begins elsewhere, so that together they have the whole soonest.
        let first = peer.0 as usize * most_asked % blocks;
        for (index, slot) in copy.slots.iter().enumerate() {
            let mine = slot.asks.iter().any(|(other, at)| *other == peer && now.since(*at) < ASK_AGAIN);
            if slot.data.is_some() {
                continue;
            }
            asked += usize::from(mine);
            let askers = slot.asks.iter().filter(|(_, at)| now.since(*at) < PATIENCE).count();
            let rank = (askers, (index + blocks - first) % blocks);
            if !mine && askers < most_askers && best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, index));
            }
        }
        let (_, index) = best.filter(|_| asked < most_asked)?;
        let slot = copy.slots.get_mut(index)?;
        slot.asks.retain(|(other, at)| *other != peer && now.since(*at) < ASK_AGAIN);
        slot.asks.push((peer, now));
        u32::try_from(index).ok()
    }

    /// When `next` may have something for the peer though nothing else happens; `None` if never.
    pub fn wake_at(&self, peer: PeerId, now: Timestamp) -> Option<Timestamp> {
        let offer = self.offers.get(&peer).filter(|_| !self.done)?;
        Some(offer.refused_until.max(now + PATIENCE))
    }

    /// The peer will not give it. It is asked again after a while: it may be fetching it itself.
    pub fn reject(&mut self, peer: PeerId, now: Timestamp) {
        let Some(offer) = self.offers.get_mut(&peer) else { return };
        offer.refused_until = now + REFUSED;
        if let Some(copy) = self.copies.get_mut(&offer.key(peer)) {
            for slot in &mut copy.slots {
                slot.asks.retain(|(asked, _)| *asked != peer);
            }
        }
    }

    /// A block has come.
    pub fn data(&mut self, peer: PeerId, piece: u32, total: u32, data: Bytes, now: Timestamp) -> Outcome {
        let Some(offer) = self.offers.get(&peer).filter(|_| !self.done) else { return Outcome::More };
        let (size, key) = (offer.size, offer.key(peer));
        let expected = (size as usize).saturating_sub((piece as usize).saturating_mul(BLOCK)).min(BLOCK);
        if total != size || data.len() != expected {
            // Not what it announced, so there is no telling what it has.
            self.reject(peer, now);
            return Outcome::More;
        }
        let Some(copy) = self.copies.get_mut(&key) else { return Outcome::More };
        let Some(slot) = copy.slots.get_mut(piece as usize) else { return Outcome::More };
        let asked = slot.asks.iter().any(|(other, _)| *other == peer);
        slot.asks.retain(|(other, _)| *other != peer);
        if slot.data.is_some() || !asked {
            return Outcome::More;
        }
        copy.held += data.len();
        copy.missing -= 1;
        slot.data = Some((peer, data));
        if copy.missing == 0 {
            return self.check(peer, key);
        }
        self.bound();
        Outcome::More
    }

    /// All blocks of the copy are there.
    fn check(&mut self, peer: PeerId, key: Key) -> Outcome {
        let Some(copy) = self.copies.remove(&key) else { return Outcome::More };
        let mut whole = BytesMut::with_capacity(key.size as usize);
        let mut givers = Vec::new();
        for (giver, data) in copy.slots.iter().filter_map(|slot| slot.data.as_ref()) {
            whole.extend_from_slice(data);
            if !givers.contains(giver) {
                givers.push(*giver);
            }
        }
        if digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref() == self.info_hash.0 {
            self.finish();
            return Outcome::Complete(whole.freeze());
        }
        if givers.as_slice() == [peer] {
            self.offers.remove(&peer);
            return Outcome::Lied;
        }
        for giver in givers {
            if let Some(offer) = self.offers.get_mut(&giver) {
                offer.alone = true;
            }
        }
        Outcome::More
    }

    /// Lets go of the least likely copy while too much is held.
    fn bound(&mut self) {
        while self.copies.values().map(|copy| copy.held).sum::<usize>() > MOST_HELD {
            let backers =
                |key: &Key| self.offers.iter().filter(|(peer, offer)| offer.key(**peer) == *key).count();
            let least = self
                .copies
                .iter()
                .filter(|(_, copy)| copy.held > 0)
                .min_by_key(|(key, copy)| (backers(key), usize::MAX - copy.held))
                .map(|(key, _)| *key);
            let Some(key) = least else { return };
            self.copies.remove(&key);
        }
    }
}

impl Offer {
    fn key(&self, peer: PeerId) -> Key {
        Key { size: self.size, alone: self.alone.then_some(peer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(size: usize) -> (Bytes, InfoHash) {
        let bytes: Bytes = (0..size).map(|i| (i / 7 % 251) as u8).collect();
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes);
        let hash: [u8; 20] = digest.as_ref().try_into().expect("20 bytes");
        (bytes, InfoHash(hash))
    }

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_millis(milliseconds))
    }

    fn asks(assembly: &mut Assembly, peer: u32, now: Timestamp) -> Vec<u32> {
        std::iter::from_fn(|| assembly.next(PeerId(peer), now)).collect()
    }

    fn give(assembly: &mut Assembly, peer: u32, piece: u32, from: &Bytes) -> Outcome {
        let Exchange::Data { piece, total, data } = Exchange::answer(piece, from) else { panic!("within") };
        assembly.data(PeerId(peer), piece, total, data, at(0))
    }

    #[test]
    fn a_small_one_is_asked_of_three_and_of_others_when_they_are_slow() {
        let (bytes, hash) = metadata(6000);
        let mut assembly = Assembly::new(hash);
        for peer in 0..5 {
            assembly.offer(PeerId(peer), 6000);
        }
        let asked: Vec<_> = (0..5).map(|peer| asks(&mut assembly, peer, at(0)).len()).collect();
        assert_eq!(asked, [1, 1, 1, 0, 0]);
        assert_eq!(asks(&mut assembly, 3, at(500)), [0]);
        assert_eq!(give(&mut assembly, 3, 0, &bytes), Outcome::Complete(bytes.clone()));
        assert!(asks(&mut assembly, 4, at(5000)).is_empty());
        assert_eq!(assembly.wake_at(PeerId(4), at(5000)), None);
    }

    #[test]
    fn a_long_one_is_shared_out_first() {
        let (bytes, hash) = metadata(1_200_000);
        let mut assembly = Assembly::new(hash);
        let mut outcome = Outcome::More;
        let mut fetched = 0;
        for peer in 0..4 {
            assembly.offer(PeerId(peer), 1_200_000);
        }
        let first: Vec<u32> = (0..4).flat_map(|peer| asks(&mut assembly, peer, at(0))).collect();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((first.len(), distinct.len()), (16, 16));
        let mut queue: Vec<(u32, u32)> =
            first.iter().enumerate().map(|(i, piece)| (i as u32 / 4, *piece)).collect();
        while let Some((peer, piece)) = queue.pop() {
            fetched += 1;
            outcome = give(&mut assembly, peer, piece, &bytes);
            queue.extend(asks(&mut assembly, peer, at(0)).into_iter().map(|piece| (peer, piece)));
            if outcome != Outcome::More {
                break;
            }
        }
        assert_eq!(outcome, Outcome::Complete(bytes));
        assert!(fetched < 74 + 16, "{fetched} blocks for 74");
    }

    #[test]
    fn one_that_lies_about_the_size_harms_nobody_and_is_found() {
        let (bytes, hash) = metadata(6000);
        let mut assembly = Assembly::new(hash);
        assembly.offer(PeerId(1), 50);
        assembly.offer(PeerId(2), u32::MAX);
        assembly.offer(PeerId(3), 6000);
        assert_eq!(asks(&mut assembly, 1, at(0)), [0]);
        assert!(asks(&mut assembly, 2, at(0)).is_empty());
        assert_eq!(asks(&mut assembly, 3, at(0)), [0]);
        assert_eq!(give(&mut assembly, 1, 0, &Bytes::from(vec![0; 50])), Outcome::Lied);
        assert_eq!(give(&mut assembly, 3, 0, &bytes), Outcome::Complete(bytes.clone()));
    }

    #[test]
    fn a_liar_among_many_is_found_when_each_is_asked_alone() {
        let (bytes, hash) = metadata(40_000);
        let false_one = Bytes::from(vec![1; 40_000]);
        let mut assembly = Assembly::new(hash);
        assembly.offer(PeerId(1), 40_000);
        assembly.offer(PeerId(2), 40_000);
        assert_eq!(asks(&mut assembly, 1, at(0)).len(), 3);
        assert_eq!(asks(&mut assembly, 2, at(0)).len(), 3);
        assert_eq!(give(&mut assembly, 1, 0, &bytes), Outcome::More);
        assert_eq!(give(&mut assembly, 1, 1, &bytes), Outcome::More);
        assert_eq!(give(&mut assembly, 2, 2, &false_one), Outcome::More);
        for peer in [1, 2] {
            assert_eq!(asks(&mut assembly, peer, at(1)).len(), 3);
        }
        for piece in [0, 1] {
            assert_eq!(give(&mut assembly, 2, piece, &false_one), Outcome::More);
            assert_eq!(give(&mut assembly, 1, piece, &bytes), Outcome::More);
        }
        assert_eq!(give(&mut assembly, 2, 2, &false_one), Outcome::Lied);
        assert_eq!(give(&mut assembly, 1, 2, &bytes), Outcome::Complete(bytes.clone()));
    }

    #[test]
    fn a_peer_that_refuses_or_leaves_leaves_room_for_others() {
        let (bytes, hash) = metadata(6000);
        let mut assembly = Assembly::new(hash);
        for peer in 0..6 {
            assembly.offer(PeerId(peer), 6000);
            asks(&mut assembly, peer, at(0));
        }
        assembly.reject(PeerId(0), at(1));
        assembly.leave(PeerId(1));
        assert!(asks(&mut assembly, 0, at(1)).is_empty());
        assert_eq!(asks(&mut assembly, 4, at(1)), [0]);
        assert_eq!(give(&mut assembly, 4, 0, &bytes), Outcome::Complete(bytes.clone()));
    }

    #[test]
    fn what_was_not_asked_is_not_kept() {
        let (_, hash) = metadata(6000);
        let mut assembly = Assembly::new(hash);
        assembly.offer(PeerId(1), LONGEST);
        let total = Bytes::from(vec![0; LONGEST as usize]);
        for piece in 0..1024 {
            give(&mut assembly, 1, piece, &total);
        }
        assert_eq!(assembly.copies.values().map(|copy| copy.held).sum::<usize>(), 0);
    }

    #[test]
    fn copies_that_nobody_finishes_take_bounded_memory() {
        let (_, hash) = metadata(6000);
        let mut assembly = Assembly::new(hash);
        for peer in 0..5 {
            let size = LONGEST - peer * BLOCK as u32;
            assembly.offer(PeerId(peer), size);
            let bytes = Bytes::from(vec![0; size as usize]);
            for _ in 0..300 {
                for piece in asks(&mut assembly, peer, at(0)).into_iter().take(500) {
                    give(&mut assembly, peer, piece, &bytes);
                }
            }
        }
        assert!(assembly.copies.values().map(|copy| copy.held).sum::<usize>() <= MOST_HELD);
    }

    #[test]
    fn messages_come_back_and_strange_keys_are_no_harm() {
        let bytes = Bytes::from_static(b"d8:msg_typei1e5:piecei0e10:total_sizei3e7:unknown50:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaeabc");
        let data = Exchange::Data { piece: 0, total: 3, data: Bytes::from_static(b"abc") };
        assert_eq!(Exchange::from_bytes(&bytes), Some(data));
        for message in [Exchange::Request(7), Exchange::Reject(8)] {
            assert_eq!(Exchange::from_bytes(&Bytes::from(message.header())), Some(message));
        }
        assert_eq!(Exchange::answer(1, &Bytes::from_static(b"abc")), Exchange::Reject(1));
        assert_eq!(Exchange::from_bytes(&Bytes::from_static(b"d8:msg_typei9e5:piecei0ee")), None);
    }
}
