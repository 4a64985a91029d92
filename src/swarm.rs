//! Finds peers, connects, speaks the protocol; carries out requests. Holds no policy of which block to ask of whom.
//!
//! One task per peer reads and writes its socket (`connection`), around what the peer has said (`peer`, pure); one hub
//! dials and accepts (`hub`). All of them share one book (`shared`) of who is there. What comes goes to the driver through
//! one bounded channel: while the driver is busy, sockets are not read, and the senders wait.

pub mod blocklist;
pub mod candidates;
pub mod codec;
mod connection;
pub mod dht;
pub mod discovery;
mod ending;
mod greeting;
pub mod handshake;
mod hub;
mod listener;
pub mod lsd;
pub mod metadata;
mod outbox;
mod peer;
pub mod pex;
mod seat;
mod shared;
#[cfg(test)]
mod test_peer;
pub mod tracker;
mod turnover;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::bitfield::Bitfield;
use crate::layout::{BlockId, Layout, PieceIndex};
use crate::net::Network;
use crate::scheduler::PeerId;
use crate::source::InfoHash;

pub use blocklist::{Blocklist, BlocklistError};
pub use candidates::{CandidateReport, Standing};
pub use ending::{Ending, Offence};
use shared::Shared;

/// Events that wait for the driver at most: with a block each, 2 MiB.
const EVENTS: usize = 128;
/// The most time that `close` takes.
const CLOSE: Duration = Duration::from_millis(500);

/// An address of a peer, and who told us of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    pub address: SocketAddr,
    pub origin: Origin,
}

/// Where a candidate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// `--peer`.
    Given,
    Tracker,
    /// `x.pe` of the magnet: whoever made the magnet, not the tracker, vouches for it.
    Magnet,
    Dht,
    /// Local service discovery (BEP 14).
    Lsd,
    /// Peer exchange (BEP 11).
    Pex,
    /// It dialled us.
    Incoming,
}

impl Origin {
    /// True for what a private torrent must not use (BEP 27).
    pub fn is_public(self) -> bool {
        matches!(self, Origin::Magnet | Origin::Dht | Origin::Lsd | Origin::Pex)
    }
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
    /// Bytes of a piece that we have, while we do not choke the peer: at most 128 KiB at once, and of one peer, until they are
    /// sent or unwanted, no more than it was told that we queue.
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
    /// A block that the peer wanted and that cannot be read: it is told so, where it understands that (BEP 6).
    Refuse {
        piece: PieceIndex,
        begin: u32,
        length: u32,
    },
    /// Ends the connection; `banned` also refuses the address for a while.
    Drop {
        banned: bool,
    },
}

/// What a swarm is started with.
#[derive(Clone, Debug)]
pub struct SwarmConfig {
    pub info_hash: InfoHash,
    /// Ours: must differ from session to session.
    pub peer_id: [u8; 20],
    /// `None`: any free one.
    pub listen_port: Option<u16>,
    /// The most connections, both ways.
    pub most_peers: usize,
    /// BEP 27: no peer exchange, no metadata given away, no peers but a tracker's (and those given by hand, and those who
    /// dial).
    pub private: bool,
    /// With the info dictionary itself, where the metadata is known from the start.
    pub layout: Option<(Arc<Layout>, Bytes)>,
    /// What we have; only with `layout`.
    pub had: Option<Bitfield>,
    /// Who is neither dialled nor let in, whoever named him.
    pub blocklist: Option<Arc<Blocklist>>,
}

/// The swarm's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwarmCounts {
    /// Connections with their handshake done.
    pub connected: usize,
    /// Addresses being dialled, or shaking hands.
    pub dialling: usize,
    /// Addresses known and not connected, those being dialled included.
    pub known: usize,
    /// Connections of others to us so far, whatever came of them.
    pub incoming: u64,
    /// Addresses on the blocklist that were named to us or that dialled us, each once (the first 10 000).
    pub blocked: u64,
    /// How dials and connections ended so far, and how often each way.
    pub endings: BTreeMap<Ending, u64>,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    pub peer: PeerId,
    pub address: SocketAddr,
    pub origin: Origin,
    /// It dialled us.
    pub incoming: bool,
    /// Its name and version, as it says.
    pub client: Option<String>,
    /// Connected for so long.
    pub since: Duration,
    /// Pieces that it has; 0 while the layout is not known.
    pub have: u32,
    /// It chokes us.
    pub choking: bool,
    /// It wants something of us.
    pub interested: bool,
    /// Bytes of blocks from it and to it.
    pub downloaded: u64,
    pub uploaded: u64,
    /// Bytes a second that it brings now, its latency, and the blocks that it owes: as the scheduler has them, and so only
    /// where there is one (see [`Torrent::why`](crate::torrent::Torrent::why)).
    pub rate: u64,
    pub latency: Option<Duration>,
    pub in_flight: u32,
}

/// A running swarm. Ends when closed, or when its last handle is dropped.
#[derive(Clone)]
pub struct SwarmHandle {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
    }
}

impl std::fmt::Debug for SwarmHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SwarmHandle({} at port {})", self.inner.shared.info_hash, self.port())
    }
}

impl SwarmHandle {
    /// Listens, and begins to dial as soon as there are candidates. Must be called inside a runtime. Fails if the port
    /// cannot be listened at.
    pub fn start(
        config: SwarmConfig,
        net: Arc<Network>,
    ) -> io::Result<(SwarmHandle, mpsc::Receiver<SwarmEvent>)> {
        Self::start_patient(config, net, shared::Patience::default())
    }

    fn start_patient(
        config: SwarmConfig,
        net: Arc<Network>,
        patience: shared::Patience,
    ) -> io::Result<(SwarmHandle, mpsc::Receiver<SwarmEvent>)> {
        let listener = listener::Listener::bind(&net, config.listen_port)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let shared = Arc::new(Shared::new(config, net, listener.port(), patience));
        tokio::spawn(hub::run(shared.clone(), listener, events));
        Ok((SwarmHandle { inner: Arc::new(Inner { shared }) }, receiver))
    }

    /// One more address to dial, unless it is known, banned, or not allowed for a private torrent.
    pub fn add_candidate(&self, candidate: Candidate) {
        self.inner.shared.add_candidate(candidate, None);
    }

    /// The metadata is known: from now on all events are told. Only the first call counts.
    pub fn set_layout(&self, layout: Arc<Layout>, info_bytes: Bytes, private: bool, had: Bitfield) {
        self.inner.shared.set_torrent(shared::Known { layout, info_bytes, private }, had);
    }

    /// Never waits; a peer that is gone is ignored.
    pub fn command(&self, peer: PeerId, command: PeerCommand) {
        self.inner.shared.command(peer, command);
    }

    /// Of the peers that trackers named, or that dialled us, keeps these alone, connected or not: a private torrent has the
    /// peers of one tracker at a time (BEP 27). Those given by hand stay. Nobody is banned.
    pub fn keep_only(&self, named: &HashSet<SocketAddr>) {
        self.inner.shared.keep_only(named);
    }

    /// We have one more piece: tells every connected peer, and those to come.
    pub fn announce_have(&self, piece: PieceIndex) {
        self.inner.shared.announce_have(piece);
    }

    pub fn counts(&self) -> SwarmCounts {
        self.inner.shared.counts()
    }

    /// True if no peer is connected, none is being dialled, and there is none that could be dialled now.
    pub fn is_alone(&self) -> bool {
        self.inner.shared.is_alone()
    }

    /// The connected peers, longest connected first.
    pub fn peers(&self) -> Vec<PeerReport> {
        self.inner.shared.peer_reports()
    }

    /// Every address that is known, with how its last try ended.
    pub fn candidates(&self) -> Vec<CandidateReport> {
        self.inner.shared.candidate_reports()
    }

    /// How the last tries of the addresses that are not connected ended: one a peer, however often it was tried.
    pub fn failed(&self) -> BTreeMap<Ending, usize> {
        self.inner.shared.failed()
    }

    /// Where we listen.
    pub fn port(&self) -> u16 {
        self.inner.shared.port
    }

    /// Ends all connections and stops listening; takes half a second at most.
    pub async fn close(&self) {
        self.inner.shared.cancel.cancel();
        let _ = tokio::time::timeout(CLOSE, self.inner.shared.closed.cancelled()).await;
    }
}

#[cfg(test)]
#[path = "swarm/hostile_tests.rs"]
mod hostile_tests;
#[cfg(test)]
#[path = "swarm/swarm_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "swarm/turnover_tests.rs"]
mod turnover_tests;
