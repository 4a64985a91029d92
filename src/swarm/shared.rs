//! The book that all connections of a swarm write in: who is there, who may be dialled, what is known of the torrent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::blocklist::Blocklist;
use super::candidates::{CandidateReport, Candidates};
use super::ending::Ending;
use super::metadata::Assembly;
use super::peer::Ours;
use super::seat::{Facts, Seat, Seated, ToPeer};
use super::turnover::least_useful;
use super::{Candidate, Origin, PeerCommand, PeerReport, SwarmConfig, SwarmCounts, pex};
use crate::bitfield::Bitfield;
use crate::layout::{Layout, PieceIndex};
use crate::lock::lock;
use crate::net::Network;
use crate::scheduler::PeerId;
use crate::source::InfoHash;
use crate::units::Timestamp;

/// Dials at once.
const MOST_DIALS: usize = 40;
/// Peers that dialled us and have not said their handshake.
const MOST_STRANGERS: usize = 32;
/// Of two connections to one peer, the older stays if it is older than this: the other side agrees by then.
const SETTLED: Duration = Duration::from_secs(10);
/// Addresses of the blocklist that are counted, so that each counts once.
const MOST_BLOCKED: usize = 10_000;
/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(60);

/// How long a connection waits for what.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// For TCP to connect.
    pub connect: Duration,
    /// For both handshakes.
    pub handshake: Duration,
    /// Without a whole message: BEP 3's two minutes.
    pub idle: Duration,
    /// We say something at least so often.
    pub keep_alive: Duration,
    /// From a message's first byte to its last. A block in a minute is 273 bytes a second.
    pub whole_message: Duration,
    /// For a peer to take anything of what we send.
    pub reads: Duration,
    /// Without a block either way, before somebody else may have a peer's place.
    pub useless: Duration,
    /// Between two that make room for others. A hundred peers are looked through in a quarter of an hour.
    pub turnover: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            keep_alive: Duration::from_secs(100),
            whole_message: Duration::from_secs(60),
            reads: Duration::from_secs(60),
            useless: Duration::from_secs(60),
            turnover: Duration::from_secs(10),
        }
    }
}

pub(super) struct Shared {
    pub patience: Patience,
    pub info_hash: InfoHash,
    pub peer_id: [u8; 20],
    pub port: u16,
    pub net: Arc<Network>,
    pub ours: Ours,
    /// Wakes the hub: there may be someone to dial.
    pub wake: Notify,
    /// The swarm is to end.
    pub cancel: CancellationToken,
    /// The swarm has ended.
    pub closed: CancellationToken,
    most_peers: usize,
    blocklist: Option<Arc<Blocklist>>,
    started: Instant,
    private: AtomicBool,
    known: OnceLock<Known>,
    metadata: Mutex<Assembly>,
    book: Mutex<Book>,
}

/// A torrent whose metadata is known.
#[derive(Debug)]
pub(super) struct Known {
    pub layout: Arc<Layout>,
    pub info_bytes: Bytes,
    pub private: bool,
}

#[derive(Default)]
struct Book {
    candidates: Candidates,
    seats: HashMap<PeerId, Seat>,
    next: u32,
    incoming: u64,
    /// Those on the blocklist whom we met.
    blocked: HashSet<IpAddr>,
    endings: BTreeMap<Ending, u64>,
    /// When one may make room for another again.
    turnover_at: Timestamp,
}

impl Shared {
    pub fn new(config: SwarmConfig, net: Arc<Network>, port: u16, patience: Patience) -> Self {
        let shared = Shared {
            patience,
            info_hash: config.info_hash,
            peer_id: config.peer_id,
            port,
            net,
            ours: Ours::default(),
            wake: Notify::new(),
            cancel: CancellationToken::new(),
            closed: CancellationToken::new(),
            most_peers: config.most_peers,
            blocklist: config.blocklist,
            started: Instant::now(),
            private: AtomicBool::new(config.private),
            known: OnceLock::new(),
            metadata: Mutex::new(Assembly::new(config.info_hash)),
            book: Mutex::default(),
        };
        if let Some((layout, info_bytes)) = config.layout {
            let had = config.had.unwrap_or_else(|| Bitfield::none(layout.pieces()));
            shared.set_torrent(Known { layout, info_bytes, private: config.private }, had);
        }
        shared
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::since_start(self.started.elapsed())
    }

    pub fn instant(&self, at: Timestamp) -> Instant {
        self.started + at.elapsed()
    }

    pub fn is_private(&self) -> bool {
        self.private.load(Ordering::Relaxed)
    }

    pub fn known(&self) -> Option<&Known> {
        self.known.get()
    }

    pub fn metadata(&self) -> MutexGuard<'_, Assembly> {
        lock(&self.metadata)
    }

    pub fn set_torrent(&self, known: Known, had: Bitfield) {
        if known.private {
            self.private.store(true, Ordering::Relaxed);
            // First: a connection that finds the torrent known asks whether it may stay.
            lock(&self.book).candidates.forget_public();
        }
        // A connection that finds the torrent known reads `ours` next.
        if self.known.get().is_none() {
            self.ours.set(had);
        }
        if self.known.set(known).is_err() {
            return;
        }
        self.metadata().finish();
        for seat in lock(&self.book).seats.values() {
            let _ = seat.commands.send(ToPeer::Known);
        }
    }

    /// Whether a peer of this origin may stay, now that the torrent is private or not (BEP 27).
    pub fn may_stay(&self, candidate: Candidate) -> bool {
        let outsider = self.is_private() && candidate.origin.is_public();
        // Somebody better may have named it too.
        !outsider || lock(&self.book).candidates.knows(candidate.address)
    }

    pub fn keep_only(&self, named: &HashSet<SocketAddr>) {
        let mut book = lock(&self.book);
        book.candidates.keep_only(named);
        for seat in book.seats.values() {
            let address = seat.listens_at.unwrap_or(seat.address);
            if seat.origin != Origin::Given && !named.contains(&address) {
                let _ = seat.commands.send(ToPeer::End(Ending::Private));
            }
        }
        drop(book);
        self.wake.notify_one();
    }

    pub fn add_candidate(&self, candidate: Candidate, told_by: Option<SocketAddr>) {
        if candidate.origin.is_public() && self.is_private() {
            return;
        }
        if self.is_blocked(candidate.address.ip()) {
            return;
        }
        let now = self.now();
        if lock(&self.book).candidates.add(candidate, told_by.map(|teller| teller.ip()), now) {
            self.wake.notify_one();
        }
    }

    fn is_blocked(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_blocked = self.blocklist.as_ref().is_some_and(|list| list.blocks(address));
        if is_blocked {
            let mut book = lock(&self.book);
            if book.blocked.len() < MOST_BLOCKED {
                book.blocked.insert(address);
            }
        }
        is_blocked
    }

    /// Whom to dial now, if there is room.
    pub fn next_candidate(&self) -> Option<Candidate> {
        let now = self.now();
        let mut book = lock(&self.book);
        book.has_room(self.most_peers).then(|| book.candidates.next(now))?
    }

    /// When to look again though nothing happened.
    pub fn next_dial_at(&self) -> Option<Instant> {
        let book = lock(&self.book);
        let due_at = book.candidates.due_at()?;
        if book.has_room(self.most_peers) {
            Some(self.instant(due_at))
        } else if book.is_full(self.most_peers) {
            // Somebody may have become useless by then.
            Some(self.instant(due_at.max(book.turnover_at).max(self.now() + self.patience.turnover)))
        } else {
            None
        }
    }

    /// When all places are taken and somebody promising waits, the least useful peer makes room: now and then.
    pub fn make_room(&self) {
        let now = self.now();
        let mut book = lock(&self.book);
        if now < book.turnover_at || !book.is_full(self.most_peers) || !book.candidates.has_promising(now) {
            return;
        }
        let peers = book.seats.iter().filter(|(_, seat)| seat.may_be_replaced());
        let uses = peers.map(|(peer, seat)| seat.usefulness(*peer, now));
        let Some(least) = least_useful(uses, self.patience.useless) else { return };
        if let Some(seat) = book.seats.get(&least) {
            let _ = seat.commands.send(ToPeer::End(Ending::Replaced));
        }
        book.turnover_at = now + self.patience.turnover;
    }

    /// Whether one who dials us may. The end of one who may not is counted.
    pub fn may_come(&self, address: SocketAddr) -> bool {
        let now = self.now();
        let is_blocked = self.is_blocked(address.ip());
        let mut book = lock(&self.book);
        book.incoming += 1;
        if is_blocked {
            return false;
        }
        let strangers =
            book.seats.values().filter(|seat| seat.is_incoming() && seat.peer_id.is_none()).count();
        let incoming = book.seats.values().filter(|seat| seat.is_incoming()).count();
        let ending = if book.candidates.is_banned(address, now) {
            Ending::Banned
        } else if strangers >= MOST_STRANGERS
            || book.connected() >= self.most_peers
            || incoming >= self.most_peers
        {
            Ending::Crowded
        } else {
            return true;
        };
        book.count(ending);
        false
    }

    /// A dial came to nothing.
    pub fn dial_ended(&self, address: SocketAddr, ending: Ending) {
        let now = self.now();
        let mut book = lock(&self.book);
        book.count(ending);
        book.candidates.ended(address, ending, false, now);
        self.wake.notify_one();
    }

    /// A new connection, before its handshake.
    pub fn seat(&self, candidate: Candidate) -> Seated {
        let (sender, commands) = mpsc::unbounded_channel();
        let facts = Arc::new(Facts::default());
        facts.choking.store(true, Ordering::Relaxed);
        facts.wanted.store(true, Ordering::Relaxed);
        let since = self.now();
        let mut book = lock(&self.book);
        let id = PeerId(book.next);
        book.next = book.next.wrapping_add(1);
        let incoming = candidate.origin == Origin::Incoming;
        let seat = Seat {
            commands: sender,
            address: candidate.address,
            origin: candidate.origin,
            peer_id: None,
            since,
            listens_at: (!incoming).then_some(candidate.address),
            claimed: false,
            facts: facts.clone(),
        };
        book.seats.insert(id, seat);
        Seated { id, commands, facts }
    }

    /// The handshake is done, with a peer of this id. Of two connections to one peer, both sides keep the one that the
    /// greater peer id has dialled.
    pub fn admit(&self, id: PeerId, peer_id: [u8; 20]) -> Result<(), Ending> {
        if peer_id == self.peer_id {
            return Err(Ending::Oneself);
        }
        let now = self.now();
        let mut book = lock(&self.book);
        let Some(seat) = book.seats.get(&id) else { return Err(Ending::Closed) };
        let (incoming, candidate) =
            (seat.is_incoming(), Candidate { address: seat.address, origin: seat.origin });
        // While it was dialled, the torrent has turned out private, or its tracker has changed.
        if !incoming && self.is_private() && !book.candidates.knows(candidate.address) {
            return Err(Ending::Private);
        }
        let twin = book.seats.iter().find(|(other, seat)| **other != id && seat.peer_id == Some(peer_id));
        if let Some((_, twin)) = twin {
            let ours_stays = self.peer_id > peer_id;
            let new_stays = incoming != ours_stays;
            if twin.is_incoming() == incoming || !new_stays || now.since(twin.since) > SETTLED {
                return Err(Ending::Duplicate);
            }
            let _ = twin.commands.send(ToPeer::End(Ending::Duplicate));
        }
        if incoming && book.connected() >= self.most_peers {
            return Err(Ending::Crowded);
        }
        if let Some(seat) = book.seats.get_mut(&id) {
            seat.peer_id = Some(peer_id);
        }
        if !incoming {
            book.candidates.connected(candidate, now);
            // One dial less is under way: there may be room for the next.
            self.wake.notify_one();
        }
        Ok(())
    }

    /// A peer that dialled us says at which port it listens.
    pub fn listens_at(&self, id: PeerId, port: u16) {
        let now = self.now();
        let mut book = lock(&self.book);
        let Some(seat) = book.seats.get(&id).filter(|seat| seat.is_incoming() && seat.listens_at.is_none())
        else {
            return;
        };
        let address = SocketAddr::new(seat.address.ip(), port);
        let claimed = book.candidates.connected(Candidate { address, origin: Origin::Incoming }, now);
        if let Some(seat) = book.seats.get_mut(&id) {
            seat.listens_at = Some(address);
            seat.claimed = claimed;
        }
    }

    /// The connection is over.
    pub fn unseat(&self, id: PeerId, ending: Ending) {
        let now = self.now();
        self.metadata().leave(id);
        let mut book = lock(&self.book);
        let Some(seat) = book.seats.remove(&id) else { return };
        tracing::debug!(address = %seat.address, %ending, "a peer left");
        let facts = &seat.facts;
        let brought = facts.downloaded.load(Ordering::Relaxed) + facts.uploaded.load(Ordering::Relaxed) > 0;
        let good = seat.peer_id.is_some() && (brought || now.since(seat.since) > GOOD);
        book.count(ending);
        if ending == Ending::Banned {
            book.candidates.ban(seat.address, now);
        }
        if !seat.is_incoming() || seat.claimed {
            let address = seat.listens_at.unwrap_or(seat.address);
            book.candidates.ended(address, ending, good, now);
        }
        self.wake.notify_one();
    }

    pub fn command(&self, peer: PeerId, command: PeerCommand) {
        if let Some(seat) = lock(&self.book).seats.get(&peer) {
            let _ = seat.commands.send(ToPeer::Command(command));
        }
    }

    pub fn announce_have(&self, piece: PieceIndex) {
        if !self.ours.insert(piece) {
            return;
        }
        for seat in lock(&self.book).seats.values() {
            if !seat.facts.seed.load(Ordering::Relaxed) {
                let _ = seat.commands.send(ToPeer::Have(piece));
            }
        }
    }

    /// Whom a peer can be told of (BEP 11).
    pub fn exchangeable(&self) -> Vec<pex::Known> {
        let book = lock(&self.book);
        let ready = book.seats.values().filter(|seat| seat.peer_id.is_some());
        ready
            .filter_map(|seat| {
                Some(pex::Known {
                    address: seat.listens_at?,
                    seed: seat.facts.seed.load(Ordering::Relaxed),
                    reachable: !seat.is_incoming(),
                })
            })
            .collect()
    }

    pub fn is_alone(&self) -> bool {
        let now = self.now();
        let book = lock(&self.book);
        let none_to_try =
            book.candidates.dialled() == 0 && book.candidates.due_at().is_none_or(|due_at| due_at > now);
        none_to_try && book.connected() == 0
    }

    pub fn counts(&self) -> SwarmCounts {
        let book = lock(&self.book);
        SwarmCounts {
            connected: book.connected(),
            dialling: book.candidates.dialled(),
            known: book.candidates.waiting(),
            incoming: book.incoming,
            blocked: book.blocked.len() as u64,
            endings: book.endings.clone(),
        }
    }

    pub fn peer_reports(&self) -> Vec<PeerReport> {
        let now = self.now();
        let book = lock(&self.book);
        let ready = book.seats.iter().filter(|(_, seat)| seat.peer_id.is_some());
        let mut reports: Vec<PeerReport> = ready
            .map(|(id, seat)| PeerReport {
                peer: *id,
                address: seat.address,
                origin: seat.origin,
                incoming: seat.is_incoming(),
                client: seat.facts.client.get().cloned(),
                since: now.since(seat.since),
                have: seat.facts.have.load(Ordering::Relaxed),
                choking: seat.facts.choking.load(Ordering::Relaxed),
                interested: seat.facts.interested.load(Ordering::Relaxed),
                downloaded: seat.facts.downloaded.load(Ordering::Relaxed),
                uploaded: seat.facts.uploaded.load(Ordering::Relaxed),
                rate: 0,
                latency: None,
                in_flight: 0,
            })
            .collect();
        reports.sort_unstable_by_key(|report| report.peer);
        reports
    }

    pub fn failed(&self) -> BTreeMap<Ending, usize> {
        lock(&self.book).candidates.failed()
    }

    pub fn candidate_reports(&self) -> Vec<CandidateReport> {
        lock(&self.book).candidates.reports()
    }
}

impl Book {
    /// Connections with their handshake done.
    fn connected(&self) -> usize {
        self.seats.values().filter(|seat| seat.peer_id.is_some()).count()
    }

    /// Room for one more dial.
    fn has_room(&self, most_peers: usize) -> bool {
        let dialled = self.candidates.dialled();
        dialled < MOST_DIALS && self.connected() + dialled < most_peers
    }

    /// All places are taken by connections.
    fn is_full(&self, most_peers: usize) -> bool {
        self.connected() >= most_peers
    }

    fn count(&mut self, ending: Ending) {
        *self.endings.entry(ending).or_default() += 1;
    }
}
