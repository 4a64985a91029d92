//! Finds peers, connects, speaks the protocol; carries out requests. Holds no policy of which block to ask of whom.

pub mod dht;
pub mod discovery;
pub mod lsd;
pub mod tracker;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::bitfield::Bitfield;
use crate::layout::{BlockId, PieceIndex};
use crate::scheduler::PeerId;

/// An address of a peer, and who told us of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    pub address: SocketAddr,
    pub origin: Origin,
}

/// Where a candidate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// `--peer`, or `x.pe` of the magnet.
    Given,
    Tracker,
    Dht,
    /// Local service discovery (BEP 14).
    Lsd,
    /// Peer exchange (BEP 11).
    Pex,
    /// It dialled us.
    Incoming,
}

/// What the swarm tells its driver. Of one peer, in order; `Connected` first, `Left` last.
///
/// Until the layout is known (`SwarmHandle::set_layout`), peers are connected and asked for metadata, but only
/// `Metadata` is told; then each connected peer is told of from its beginning.
#[derive(Debug)]
pub enum SwarmEvent {
    /// The info dictionary of a magnet: its SHA-1 is the info hash.
    Metadata(Bytes),
    Connected {
        peer: PeerId,
        address: SocketAddr,
        latency: Option<Duration>,
    },
    QueueLimit {
        peer: PeerId,
        limit: u32,
    },
    Bitfield {
        peer: PeerId,
        have: Bitfield,
    },
    Have {
        peer: PeerId,
        piece: PieceIndex,
    },
    Choked {
        peer: PeerId,
    },
    Unchoked {
        peer: PeerId,
    },
    Rejected {
        peer: PeerId,
        block: BlockId,
    },
    /// A block of ours, of the right length. It may not have been asked for.
    Block {
        peer: PeerId,
        block: BlockId,
        data: Bytes,
    },
    /// What the peer wants of us.
    Interested {
        peer: PeerId,
        interested: bool,
    },
    Wanted {
        peer: PeerId,
        piece: PieceIndex,
        begin: u32,
        length: u32,
    },
    Unwanted {
        peer: PeerId,
        piece: PieceIndex,
        begin: u32,
        length: u32,
    },
    Left {
        peer: PeerId,
    },
}

/// What the driver has done to one peer. Never waits; a peer that is gone is ignored.
#[derive(Debug)]
pub enum PeerCommand {
    Request(BlockId),
    Cancel(BlockId),
    Interest(bool),
    Choke(bool),
    /// A block that the peer wanted.
    Send {
        piece: PieceIndex,
        begin: u32,
        data: Bytes,
    },
    /// Ends the connection; `banned` also refuses the address for a while.
    Drop {
        banned: bool,
    },
}
