//! A connection's place in the book: what is known of it, and how it is told what to do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;

use super::ending::Ending;
use super::turnover::Use;
use super::{Origin, PeerCommand};
use crate::layout::PieceIndex;
use crate::scheduler::PeerId;
use crate::units::Timestamp;

/// A connection, from before its handshake to its end.
pub(super) struct Seat {
    pub commands: mpsc::UnboundedSender<ToPeer>,
    pub address: SocketAddr,
    pub origin: Origin,
    /// Set with the handshake.
    pub peer_id: Option<[u8; 20]>,
    pub since: Timestamp,
    /// Where others can dial it.
    pub listens_at: Option<SocketAddr>,
    /// It dialled us, and its own address is in the table of candidates as connected.
    pub claimed: bool,
    pub facts: Arc<Facts>,
}

/// What a connection's task tells the book as it goes.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub have: AtomicU32,
    pub seed: AtomicBool,
    pub choking: AtomicBool,
    pub interested: AtomicBool,
    /// We want something of it.
    pub wanted: AtomicBool,
    /// It was asked for blocks, and has neither sent nor refused one since.
    pub owing: AtomicBool,
    pub downloaded: AtomicU64,
    pub uploaded: AtomicU64,
    /// When a block last came or went, in milliseconds of [`Shared::now`](super::shared::Shared::now); 0: never.
    pub used_at: AtomicU64,
    /// `Connected` has been told, so `Left` must be.
    pub told: AtomicBool,
    pub client: OnceLock<String>,
}

/// What is said to a connection's task.
#[derive(Debug)]
pub(super) enum ToPeer {
    Command(PeerCommand),
    Have(PieceIndex),
    /// The torrent is known now.
    Known,
    End(Ending),
}

/// What a new connection's task gets.
pub(super) struct Seated {
    pub id: PeerId,
    pub commands: mpsc::UnboundedReceiver<ToPeer>,
    pub facts: Arc<Facts>,
}

impl Seat {
    pub fn is_incoming(&self) -> bool {
        self.origin == Origin::Incoming
    }

    /// Not whom the user has named.
    pub fn may_be_replaced(&self) -> bool {
        self.peer_id.is_some() && self.origin != Origin::Given
    }

    pub fn usefulness(&self, peer: PeerId, now: Timestamp) -> Use {
        let facts = &self.facts;
        let is = |fact: &AtomicBool| fact.load(Ordering::Relaxed);
        let used_at = Duration::from_millis(facts.used_at.load(Ordering::Relaxed));
        Use {
            peer,
            idle: now.since(Timestamp::since_start(used_at).max(self.since)),
            choking: is(&facts.choking),
            wanted: is(&facts.wanted),
            interested: is(&facts.interested),
            owing: is(&facts.owing),
        }
    }
}
