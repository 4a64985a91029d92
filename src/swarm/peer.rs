//! What one peer has said and what we have said to it. Pure: messages and commands in, events and bytes out; the
//! sockets and the time are `connection`'s.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

use super::codec::{Ask, LONGEST, Message};
use super::ending::Offence;
use super::handshake::OUR_QUEUE_LIMIT;
use super::outbox::Outbox;
use super::{PeerCommand, SwarmEvent};
use crate::bitfield::Bitfield;
use crate::layout::{BlockId, Layout, PieceIndex};
use crate::scheduler::PeerId;

/// The longest block that we serve.
const LONGEST_ASK: u32 = 128 * 1024;
/// The driver is told of a peer's wants while fewer bytes than this are on their way from the store to the socket: a
/// peer that asks for much and reads slowly must not fill memory.
const MOST_UNDER_WAY: usize = 256 * 1024;
/// Bytes that a peer may send unasked, beyond what it sends asked, before it is dropped: blocks cancelled long ago.
const MOST_UNASKED: u64 = 8 * 1024 * 1024;
/// Of so many blocks asked we remember that we asked; beyond, those cancelled are forgotten, or if need be all.
const MOST_ASKED: usize = 4096;
/// A peer says once what it has, right after the handshake (BEP 3, BEP 6), and then piece by piece. A few more are forgiven;
/// without an end each would cost us a walk through the whole torrent.
const MOST_BITFIELDS: u8 = 8;
/// The longest bitfield of a torrent that we do not know yet. One with more pieces has no metadata that we would take.
const LONGEST_EARLY: usize = LONGEST as usize;

/// The pieces that we have, as every connection sees them. Empty until the layout is known.
#[derive(Debug, Default)]
pub struct Ours(RwLock<Option<Bitfield>>);

impl Ours {
    pub fn set(&self, had: Bitfield) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(had);
    }

    /// True if it was not there before.
    pub fn insert(&self, piece: PieceIndex) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).as_mut().is_some_and(|had| had.insert(piece))
    }

    pub fn has(&self, piece: PieceIndex) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|had| had.has(piece))
    }

    /// A copy of it, if it is not empty.
    pub fn any(&self) -> Option<Bitfield> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().filter(|had| !had.is_none())
    }
}

/// One peer, after the handshake.
#[derive(Debug)]
pub struct Peer {
    id: PeerId,
    address: SocketAddr,
    latency: Option<Duration>,
    /// BEP 6 is spoken by both.
    fast: bool,
    /// Nothing but metadata until this is known.
    layout: Option<Arc<Layout>>,
    /// What it had said by then.
    early: Early,
    /// What it has, once the layout is known.
    have: Bitfield,
    /// How often it has said what it has, all at once.
    bitfields: u8,
    queue_limit: Option<u32>,
    /// It chokes us.
    choking: bool,
    /// It wants something of us.
    interested: bool,
    /// We choke it.
    choked: bool,
    /// We have told it that we want something.
    interest: bool,
    /// What we asked for, and how often it may still come; cancelled ones included.
    asked: HashMap<BlockId, Asked>,
    unasked: u64,
    /// See [`Peer::is_owing`].
    owing: bool,
    /// What it asked for and the driver has not sent.
    wanted: Vec<Ask>,
    /// The driver has been told of so many of them, the first.
    told_wants: usize,
    pub outbox: Outbox,
    /// For the driver, in order. Empty until the layout is known.
    pub events: VecDeque<SwarmEvent>,
}

#[derive(Debug, Default)]
struct Asked {
    times: u32,
    cancelled: bool,
}

/// What a peer says it has, while nobody knows how much there is to have.
#[derive(Debug, Default)]
struct Early {
    all: bool,
    /// As of a bitfield message; bits of later `have`s set, the vector grown for them.
    bits: Vec<u8>,
    /// Length of that message.
    bitfield_length: Option<usize>,
}

/// An extension's message, for `connection` to read.
#[derive(Debug, PartialEq, Eq)]
pub struct Extension {
    pub id: u8,
    pub payload: Bytes,
}

impl Peer {
    /// After the handshake. `latency` is told on with `Connected`.
    pub fn new(id: PeerId, address: SocketAddr, latency: Option<Duration>, fast: bool) -> Self {
        Peer {
            id,
            address,
            latency,
            fast,
            layout: None,
            early: Early::default(),
            have: Bitfield::none(0),
            bitfields: 0,
            queue_limit: None,
            choking: true,
            interested: false,
            choked: true,
            interest: true,
            asked: HashMap::new(),
            unasked: 0,
            owing: false,
            wanted: Vec::new(),
            told_wants: 0,
            outbox: Outbox::default(),
            events: VecDeque::new(),
        }
    }

    /// The layout is known now: tells the peer's whole story so far. Once.
    pub fn learn(&mut self, layout: Arc<Layout>) -> Result<(), Offence> {
        if self.layout.is_some() {
            return Ok(());
        }
        let pieces = layout.pieces();
        let early = std::mem::take(&mut self.early);
        let mut have = if early.all { Bitfield::all(pieces) } else { Bitfield::none(pieces) };
        let expected = (pieces as usize).div_ceil(8);
        if early.bitfield_length.is_some_and(|length| length != expected) {
            return Err(Offence::BadBitfield);
        }
        if !early.bits.is_empty() && !early.all {
            if early.bits.len() > expected {
                return Err(Offence::BadHave);
            }
            let mut bits = early.bits;
            bits.resize(expected, 0);
            have = Bitfield::from_wire(&bits, pieces).ok_or(Offence::BadBitfield)?;
        }
        self.layout = Some(layout);
        self.have = have;
        let peer = self.id;
        self.events.push_back(SwarmEvent::Connected { peer, address: self.address, latency: self.latency });
        if let Some(limit) = self.queue_limit {
            self.events.push_back(SwarmEvent::QueueLimit { peer, limit });
        }
        if !self.have.is_none() {
            self.events.push_back(SwarmEvent::Bitfield { peer, have: self.have.clone() });
        }
        if !self.choking {
            self.events.push_back(SwarmEvent::Unchoked { peer });
        }
        if self.interested {
            self.events.push_back(SwarmEvent::Interested { peer, interested: true });
        }
        Ok(())
    }

    /// True once the driver has been told of this peer.
    pub fn is_told(&self) -> bool {
        self.layout.is_some()
    }

    pub fn have_count(&self) -> u32 {
        self.have.count()
    }

    pub fn has_all(&self) -> bool {
        if self.is_told() { self.have.is_all() } else { self.early.all }
    }

    pub fn is_choking(&self) -> bool {
        self.choking
    }

    pub fn is_interested(&self) -> bool {
        self.interested
    }

    /// We want something of it, as far as it has been told.
    pub fn is_wanted(&self) -> bool {
        self.interest
    }

    /// True if no more than `few` blocks are still to come from it.
    pub fn owes_at_most(&self, few: usize) -> bool {
        self.asked.values().filter(|asked| !asked.cancelled).nth(few).is_none()
    }

    /// It was asked for blocks, and has neither sent nor refused one since.
    pub fn is_owing(&self) -> bool {
        self.owing
    }

    /// From the extended handshake.
    pub fn set_queue_limit(&mut self, limit: u32) {
        if self.queue_limit == Some(limit) {
            return;
        }
        self.queue_limit = Some(limit);
        self.tell(SwarmEvent::QueueLimit { peer: self.id, limit });
    }

    fn tell(&mut self, event: SwarmEvent) {
        if self.layout.is_some() {
            self.events.push_back(event);
        }
    }

    /// A message has come. What belongs to an extension is given back.
    pub fn on_message(&mut self, message: Message, ours: &Ours) -> Result<Option<Extension>, Offence> {
        let peer = self.id;
        match message {
            Message::Choke => {
                self.choking = true;
                if !self.fast {
                    // Without BEP 6 a choke silently drops all that was asked; what still comes was on its way.
                    self.asked.values_mut().for_each(|asked| asked.cancelled = true);
                }
                self.tell(SwarmEvent::Choked { peer });
            }
            Message::Unchoke => {
                self.choking = false;
                self.tell(SwarmEvent::Unchoked { peer });
            }
            Message::Interested | Message::NotInterested => {
                let interested = message == Message::Interested;
                if interested != self.interested {
                    self.interested = interested;
                    self.tell(SwarmEvent::Interested { peer, interested });
                }
            }
            Message::Have(piece) => self.on_have(piece)?,
            Message::Bitfield(bits) => self.on_bitfield(&bits)?,
            Message::HaveAll => self.on_all(true)?,
            Message::HaveNone => self.on_all(false)?,
            Message::Piece { index, begin, data } => self.on_piece(index, begin, data)?,
            Message::Request(ask) => self.on_request(ask, ours),
            Message::Cancel(ask) => self.on_cancel(ask),
            Message::Reject(ask) => self.on_reject(ask),
            Message::Extended { id, payload } => return Ok(Some(Extension { id, payload })),
            Message::KeepAlive
            | Message::Port(_)
            | Message::Suggest(_)
            | Message::AllowedFast(_)
            | Message::Unknown(_) => {}
        }
        Ok(None)
    }

    fn on_have(&mut self, piece: u32) -> Result<(), Offence> {
        let Some(layout) = &self.layout else {
            let byte = piece as usize / 8;
            if byte >= LONGEST_EARLY {
                return Err(Offence::BadHave);
            }
            if self.early.bits.len() <= byte {
                self.early.bits.resize(byte + 1, 0);
            }
            self.early.bits[byte] |= 0x80 >> (piece % 8);
            return Ok(());
        };
        if piece >= layout.pieces() {
            return Err(Offence::BadHave);
        }
        if self.have.insert(PieceIndex(piece)) {
            self.tell(SwarmEvent::Have { peer: self.id, piece: PieceIndex(piece) });
        }
        Ok(())
    }

    fn count_bitfield(&mut self) -> Result<(), Offence> {
        self.bitfields += 1;
        if self.bitfields > MOST_BITFIELDS { Err(Offence::ManyBitfields) } else { Ok(()) }
    }

    fn on_bitfield(&mut self, bits: &[u8]) -> Result<(), Offence> {
        self.count_bitfield()?;
        let Some(layout) = &self.layout else {
            self.early = Early { all: false, bits: bits.to_vec(), bitfield_length: Some(bits.len()) };
            return Ok(());
        };
        self.have = Bitfield::from_wire(bits, layout.pieces()).ok_or(Offence::BadBitfield)?;
        self.tell(SwarmEvent::Bitfield { peer: self.id, have: self.have.clone() });
        Ok(())
    }

    fn on_all(&mut self, all: bool) -> Result<(), Offence> {
        self.count_bitfield()?;
        match &self.layout {
            None => self.early = Early { all, ..Early::default() },
            Some(layout) => {
                let pieces = layout.pieces();
                self.have = if all { Bitfield::all(pieces) } else { Bitfield::none(pieces) };
                self.tell(SwarmEvent::Bitfield { peer: self.id, have: self.have.clone() });
            }
        }
        Ok(())
    }

    fn on_piece(&mut self, index: u32, begin: u32, data: Bytes) -> Result<(), Offence> {
        let length = data.len() as u64;
        let Some(layout) = &self.layout else {
            return self.on_unasked(length);
        };
        let block = u32::try_from(data.len())
            .ok()
            .and_then(|length| layout.block(index, begin, length))
            .ok_or(Offence::BadBlock)?;
        self.owing = false;
        match self.asked.get_mut(&block) {
            Some(asked) if asked.times > 1 => asked.times -= 1,
            Some(_) => {
                self.asked.remove(&block);
                self.unasked = self.unasked.saturating_sub(length);
            }
            None => self.on_unasked(length)?,
        }
        self.events.push_back(SwarmEvent::Block { peer: self.id, block, data });
        Ok(())
    }

    fn on_unasked(&mut self, length: u64) -> Result<(), Offence> {
        self.unasked += length;
        if self.unasked > MOST_UNASKED { Err(Offence::Unasked) } else { Ok(()) }
    }

    /// Only what we have, while we do not choke it, up to the queue that we announced; the rest is refused if the
    /// peer understands that, else passed over.
    fn on_request(&mut self, ask: Ask, ours: &Ours) {
        let within = self.layout.as_ref().is_some_and(|layout| {
            let size = u64::from(layout.piece_size(PieceIndex(ask.index)));
            ask.length > 0
                && ask.length <= LONGEST_ASK
                && u64::from(ask.begin) + u64::from(ask.length) <= size
                && ours.has(PieceIndex(ask.index))
        });
        if self.choked || !within || self.wanted.len() >= OUR_QUEUE_LIMIT as usize {
            return self.refuse(ask);
        }
        if self.wanted.contains(&ask) {
            return;
        }
        self.wanted.push(ask);
        self.tell_wants();
    }

    /// Tells the driver of the wants for which there is room. To be called when bytes have gone out.
    pub fn tell_wants(&mut self) {
        let told: usize = self.wanted[..self.told_wants].iter().map(|ask| ask.length as usize).sum();
        let mut under_way = told + self.outbox.blocks_waiting();
        while under_way < MOST_UNDER_WAY
            && let Some(Ask { index, begin, length }) = self.wanted.get(self.told_wants).copied()
        {
            self.told_wants += 1;
            under_way += length as usize;
            self.tell(SwarmEvent::Wanted { peer: self.id, piece: PieceIndex(index), begin, length });
        }
    }

    /// The want at this place is no more. True if the driver knew of it.
    fn remove_want(&mut self, at: usize) -> bool {
        self.wanted.remove(at);
        let told = at < self.told_wants;
        self.told_wants -= usize::from(told);
        told
    }

    fn refuse(&mut self, ask: Ask) {
        if self.fast {
            self.outbox.push(&Message::Reject(ask));
        }
    }

    fn on_cancel(&mut self, ask: Ask) {
        if let Some(at) = self.wanted.iter().position(|wanted| *wanted == ask) {
            if self.remove_want(at) {
                let (piece, begin, length) = (PieceIndex(ask.index), ask.begin, ask.length);
                self.tell(SwarmEvent::Unwanted { peer: self.id, piece, begin, length });
            }
            self.refuse(ask);
            self.tell_wants();
        } else if self.outbox.take_back(ask) {
            self.refuse(ask);
        }
    }

    fn on_reject(&mut self, ask: Ask) {
        let Some(block) =
            self.layout.as_ref().and_then(|layout| layout.block(ask.index, ask.begin, ask.length))
        else {
            return;
        };
        self.owing = false;
        let Some(asked) = self.asked.get_mut(&block) else { return };
        let cancelled = asked.cancelled;
        if asked.times > 1 {
            asked.times -= 1;
        } else {
            self.asked.remove(&block);
        }
        // The answer to a cancel is no news.
        if !cancelled {
            self.tell(SwarmEvent::Rejected { peer: self.id, block });
        }
    }

    /// The driver's will. [`PeerCommand::Drop`] is `connection`'s.
    pub fn on_command(&mut self, command: PeerCommand) {
        match command {
            PeerCommand::Request(block) => self.request(block),
            PeerCommand::Cancel(block) => self.cancel(block),
            PeerCommand::Interest(interest) => {
                if interest != self.interest {
                    self.interest = interest;
                    let message = if interest { Message::Interested } else { Message::NotInterested };
                    self.outbox.push(&message);
                }
            }
            PeerCommand::Choke(choke) => self.choke(choke),
            PeerCommand::Send { piece, begin, data } => {
                let is_it = |ask: &Ask| {
                    ask.index == piece.0 && ask.begin == begin && ask.length as usize == data.len()
                };
                if let Some(at) = self.wanted.iter().position(is_it) {
                    self.remove_want(at);
                    let ask = Ask { index: piece.0, begin, length: data.len() as u32 };
                    self.outbox.push_block(ask, data);
                }
            }
            PeerCommand::Refuse { piece, begin, length } => {
                let ask = Ask { index: piece.0, begin, length };
                if let Some(at) = self.wanted.iter().position(|wanted| *wanted == ask) {
                    self.remove_want(at);
                    self.refuse(ask);
                    self.tell_wants();
                }
            }
            PeerCommand::Drop { .. } => {}
        }
    }

    fn request(&mut self, block: BlockId) {
        let Some(layout) = &self.layout else { return };
        let ask = Ask::of(layout, block);
        if ask.length == 0 {
            return;
        }
        if self.asked.len() >= MOST_ASKED {
            self.asked.retain(|_, asked| !asked.cancelled);
            if self.asked.len() >= MOST_ASKED {
                self.asked.clear();
            }
        }
        let asked = self.asked.entry(block).or_default();
        asked.times = asked.times.saturating_add(1);
        asked.cancelled = false;
        self.owing = true;
        self.outbox.push(&Message::Request(ask));
    }

    fn cancel(&mut self, block: BlockId) {
        let (Some(layout), Some(asked)) = (&self.layout, self.asked.get_mut(&block)) else { return };
        if !asked.cancelled {
            asked.cancelled = true;
            self.outbox.push(&Message::Cancel(Ask::of(layout, block)));
        }
    }

    fn choke(&mut self, choke: bool) {
        if choke == self.choked {
            return;
        }
        self.choked = choke;
        if !choke {
            self.outbox.push(&Message::Unchoke);
            return;
        }
        self.outbox.push(&Message::Choke);
        let mut dropped = std::mem::take(&mut self.wanted);
        self.told_wants = 0;
        dropped.extend(self.outbox.take_back_all());
        for ask in dropped {
            self.refuse(ask);
        }
    }

    /// We have one more piece. A seed is not told: it wants nothing.
    pub fn announce(&mut self, piece: PieceIndex) {
        if !self.has_all() {
            self.outbox.push(&Message::Have(piece.0));
        }
    }
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
