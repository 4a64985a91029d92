//! What the scheduler is told and what it answers; nothing of how it decides.

use std::time::Duration;

use crate::bitfield::Bitfield;
use crate::layout::{BlockId, FileSpan, PieceIndex};
use crate::units::{ByteRate, ByteSize, Timestamp};

/// A connection to a peer. Never used again for another connection in the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// A position in a file, and whoever reads there. Never used again for another reader in the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(pub u32);

/// One thing that happened.
///
/// A new peer chokes us, has nothing, and believes us interested (the swarm says so in its first packet).
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Handshakes are done. `latency` is what dialling or the handshake took: one round trip, where it was measured.
    PeerConnected {
        peer: PeerId,
        latency: Option<Duration>,
    },
    /// The most requests that the peer says it queues (`reqq` of BEP 10). Until told: 250.
    PeerQueueLimit {
        peer: PeerId,
        limit: u32,
    },
    /// All that the peer has, replacing what was known.
    PeerBitfield {
        peer: PeerId,
        have: Bitfield,
    },
    /// One more piece that the peer has.
    PeerHave {
        peer: PeerId,
        piece: PieceIndex,
    },
    PeerChoked {
        peer: PeerId,
    },
    PeerUnchoked {
        peer: PeerId,
    },
    /// The peer will not answer this request (BEP 6).
    RequestRejected {
        peer: PeerId,
        block: BlockId,
    },
    /// The peer is gone; it owes nothing any more.
    PeerLeft {
        peer: PeerId,
    },
    /// A whole block of ours has come from the network. Its bytes are on their way to the store.
    BlockArrived {
        peer: PeerId,
        block: BlockId,
    },
    /// What is on disk is not what came (the disk is full, or broken): the block must be asked for again.
    BlockLost {
        block: BlockId,
    },
    /// The store compared a block that came again, after its piece had failed, with what had come before it.
    BlockCompared {
        block: BlockId,
        differs: bool,
    },
    /// The piece's hash is right. `lies` names each earlier version of a block that differs from the right one:
    /// (block, version), versions counted from 0 in order of arrival since the piece was first asked for.
    PieceVerified {
        piece: PieceIndex,
        lies: Vec<(u32, u32)>,
    },
    /// The piece's hash is wrong.
    PieceFailed {
        piece: PieceIndex,
    },
    /// We have these since an earlier run: no peer need be asked for them.
    PiecesHad {
        pieces: Bitfield,
    },
    /// Someone will read these bytes of the torrent, from `head` (a byte of the torrent) on.
    /// `rate`, in bytes a second, is what the reader is expected to consume, where that is known. Nothing at or beyond
    /// `until`, a byte of the torrent, is fetched for it before it waits there; `None`: all of `span` may be.
    ReaderOpened {
        reader: ReaderId,
        span: FileSpan,
        head: u64,
        rate: Option<u32>,
        until: Option<u64>,
    },
    /// `until` of [`ReaderOpened`](Input::ReaderOpened) is another now.
    ReaderBounded {
        reader: ReaderId,
        until: Option<u64>,
    },
    /// The reader is at `head` now; `waiting` if it stands still there for want of it.
    /// Sent for each read and each time that a waiting read has been answered.
    ReaderMoved {
        reader: ReaderId,
        head: u64,
        waiting: bool,
    },
    ReaderClosed {
        reader: ReaderId,
    },
    /// These bytes are wanted although nobody reads them yet: the rest of the film.
    BackgroundWanted {
        span: FileSpan,
    },
    /// They are no longer.
    BackgroundUnwanted {
        span: FileSpan,
    },
    /// The time of the last `Output::Timeout` has come.
    TimeoutReached,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ask the peer for the block.
    Request { peer: PeerId, block: BlockId },
    /// Tell the peer that the block is no longer wanted of it. Should it come all the same, it is still an input.
    Cancel { peer: PeerId, block: BlockId },
    /// Tell the peer whether it has anything that we want.
    Interest { peer: PeerId, interested: bool },
    /// End the connection; `Misbehaviour::Lied` also bans the address.
    Drop { peer: PeerId, why: Misbehaviour },
    /// All blocks of the piece have come: hash it, answer `PieceVerified` or `PieceFailed`.
    Verify { piece: PieceIndex },
    /// Nothing more until then, or until the next input. Always the last output.
    Timeout(Timestamp),
}

/// Why a peer is not worth its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// It sent a block that differs from the right one.
    Lied,
    /// It has unchoked us, was asked, and has sent nothing for too long.
    Silent,
}

/// What may be chosen. The defaults are what the numbers in docs/performance.md were measured with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What a reader consumes until its own pace is known.
    pub reader_rate: ByteRate,
    /// Blocks due within this time are asked for in the order of their deadlines; later ones rarest first.
    pub urgent: Duration,
    /// How far ahead of a reader everything is fetched.
    pub window: Duration,
    /// The window in bytes: never less, never more.
    pub least_window: ByteSize,
    pub most_window: ByteSize,
    /// The share of what came that hot-swaps may cost in blocks that come twice, and how much of that is granted ahead.
    pub waste_share: f64,
    pub waste_ahead: ByteSize,
    /// A peer that owes blocks and sends nothing for so long is dropped. `None`: after a minute, and only if it has been
    /// asked for as little as possible before that.
    pub peer_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            reader_rate: ByteRate::new(1_000_000.0),
            urgent: Duration::from_secs(10),
            window: Duration::from_secs(60),
            least_window: ByteSize::mib(8),
            most_window: ByteSize::mib(96),
            waste_share: 0.02,
            waste_ahead: ByteSize::kib(256),
            peer_timeout: None,
        }
    }
}

/// What the scheduler has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks that came and were wanted.
    pub blocks: u64,
    /// Bytes of blocks that came although we had them already, or that belonged to a piece that nobody asked for.
    pub wasted: u64,
    /// Blocks asked of a second peer because the first was late.
    pub hot_swaps: u64,
    pub verified_pieces: u64,
    pub failed_pieces: u64,
    /// Blocks in flight now.
    pub in_flight: u32,
}

/// What is believed of a peer now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeerPace {
    pub peer: PeerId,
    /// What it brings; nothing if it has sent nothing lately.
    pub rate: ByteRate,
    /// `None` until something was timed.
    pub latency: Option<Duration>,
    /// Blocks that it owes.
    pub in_flight: u32,
}
