//! One peer's task: dials or is dialled, shakes hands, then moves bytes between the socket, the peer's state and the
//! driver. Reads nothing while the driver has not taken what came.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::codec::{DecodeError, Decoder, Message};
use super::ending::{Ending, Offence};
use super::greeting::{Shaken, Told, extended_handshake, shake_hands};
use super::handshake::{Extended, OUR_METADATA_ID, OUR_PEX_ID};
use super::metadata::{Exchange, Outcome};
use super::peer::{Extension, Peer};
use super::pex;
use super::seat::{Facts, Seated, ToPeer};
use super::shared::Shared;
use super::{Candidate, Origin, PeerCommand, SwarmEvent};
use crate::net::acknowledge;
use crate::scheduler::PeerId;

/// Until the first peer exchange, where there was nobody to tell of at first.
const FIRST_EXCHANGE: Duration = Duration::from_secs(15);
/// Exchanges of a peer that come faster than this are passed over.
const LEAST_EXCHANGE: Duration = Duration::from_secs(10);
/// Answers about metadata that wait for one peer to read; more requests are refused.
const MOST_METADATA: usize = 32;
/// A peer that owes us no more blocks than this may have said all it can until it is told that we have heard it; one that
/// owes more goes on talking, and an acknowledgement for each read would cost 6 % of all our time.
const FEW: usize = 8;
/// Read at once at most.
const READ: usize = 64 * 1024;

thread_local! {
    /// All connections of a thread read into this, one after another: an idle peer costs no buffer, and what is whole
    /// in here is copied once, into the message that goes on.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// Dials a candidate, and stays until the connection ends.
pub(super) async fn dial(shared: Arc<Shared>, events: mpsc::Sender<SwarmEvent>, candidate: Candidate) {
    let began = Instant::now();
    let connected = tokio::select! {
        () = shared.cancel.cancelled() => return,
        connected = timeout(shared.patience.connect, shared.net.tcp_connect(candidate.address)) => connected,
    };
    let ending = match connected {
        Ok(Ok(stream)) => return stay(shared, events, stream, candidate, Some(began.elapsed())).await,
        Ok(Err(error)) => Ending::of_dial(&error),
        Err(_) => Ending::ConnectTimeout,
    };
    shared.dial_ended(candidate.address, ending);
}

/// Takes one who dialled us, and stays until the connection ends.
pub(super) async fn accept(
    shared: Arc<Shared>,
    events: mpsc::Sender<SwarmEvent>,
    stream: TcpStream,
    address: SocketAddr,
) {
    stay(shared, events, stream, Candidate { address, origin: Origin::Incoming }, None).await;
}

async fn stay(
    shared: Arc<Shared>,
    events: mpsc::Sender<SwarmEvent>,
    stream: TcpStream,
    candidate: Candidate,
    dialled: Option<Duration>,
) {
    let Seated { id, commands, facts } = shared.seat(candidate);
    let talk =
        talk(&shared, &events, stream, candidate, dialled, Seated { id, commands, facts: facts.clone() });
    // Should there be a mistake in our own code that a peer can reach, it costs this one connection.
    let ending = AssertUnwindSafe(talk).catch_unwind().await.unwrap_or(Ending::Closed);
    if facts.told.load(Ordering::Relaxed) {
        tokio::select! {
            () = shared.cancel.cancelled() => drop(events.try_send(SwarmEvent::Left { peer: id })),
            _ = events.send(SwarmEvent::Left { peer: id }) => {}
        }
    }
    shared.unseat(id, ending);
}

async fn talk(
    shared: &Arc<Shared>,
    events: &mpsc::Sender<SwarmEvent>,
    mut stream: TcpStream,
    candidate: Candidate,
    dialled: Option<Duration>,
    seated: Seated,
) -> Ending {
    let shaken = tokio::select! {
        () = shared.cancel.cancelled() => return Ending::Closed,
        shaken = shake_hands(shared, &mut stream, dialled) => shaken,
    };
    let result = match shaken {
        Ok(shaken) => match shared.admit(seated.id, shaken.theirs.peer_id) {
            Ok(()) => converse(shared, events, stream, candidate, shaken, seated).await,
            Err(ending) => Err(ending),
        },
        Err(ending) => Err(ending),
    };
    result.err().unwrap_or(Ending::Closed)
}

/// A connection after its handshake.
struct Connection {
    shared: Arc<Shared>,
    id: PeerId,
    address: SocketAddr,
    origin: Origin,
    facts: Arc<Facts>,
    peer: Peer,
    decoder: Decoder,
    inbox: Vec<Message>,
    told: Told,
    theirs: Extended,
    exchanged: pex::Told,
    exchange_at: Option<Instant>,
    last_exchange: Option<Instant>,
    metadata_at: Option<Instant>,
    heard_at: Instant,
    said_at: Instant,
    /// Since when a message is unfinished.
    partial_since: Option<Instant>,
    /// Since when the peer has taken nothing.
    blocked_since: Option<Instant>,
}

/// What a read brought; its messages are in the inbox.
enum Read {
    Some,
    End,
    Nonsense(DecodeError),
}

async fn converse(
    shared: &Arc<Shared>,
    events: &mpsc::Sender<SwarmEvent>,
    mut stream: TcpStream,
    candidate: Candidate,
    shaken: Shaken,
    seated: Seated,
) -> Result<(), Ending> {
    let Seated { id, mut commands, facts } = seated;
    let mut connection = Connection::new(shared.clone(), id, candidate, &shaken, facts);
    let result = connection.run(&mut stream, &mut commands, events).await;
    // What came before the end still counts.
    while let Some(event) = connection.peer.events.pop_front() {
        tokio::select! {
            () = shared.cancel.cancelled() => break,
            sent = events.send(event) => if sent.is_err() { break },
        }
    }
    result
}

impl Connection {
    fn new(
        shared: Arc<Shared>,
        id: PeerId,
        candidate: Candidate,
        shaken: &Shaken,
        facts: Arc<Facts>,
    ) -> Connection {
        let now = Instant::now();
        let mut peer = Peer::new(id, candidate.address, shaken.latency, shaken.theirs.fast);
        if shaken.theirs.fast && candidate.origin != Origin::Incoming && shaken.told != Told::Said {
            // BEP 6 wants it said; our first packet did not know that the peer speaks it.
            peer.outbox.push(&Message::HaveNone);
        }
        Connection {
            shared,
            id,
            address: candidate.address,
            origin: candidate.origin,
            facts,
            peer,
            decoder: Decoder::default(),
            inbox: Vec::new(),
            told: shaken.told,
            theirs: Extended::default(),
            exchanged: pex::Told::default(),
            exchange_at: None,
            last_exchange: None,
            metadata_at: None,
            heard_at: now,
            said_at: now,
            partial_since: None,
            blocked_since: None,
        }
    }

    async fn run(
        &mut self,
        stream: &mut TcpStream,
        commands: &mut mpsc::UnboundedReceiver<ToPeer>,
        events: &mpsc::Sender<SwarmEvent>,
    ) -> Result<(), Ending> {
        let (mut reader, writer) = stream.split();
        let shared = self.shared.clone();
        let mut cancelled = pin!(shared.cancel.cancelled());
        self.learn()?;
        let mut armed_for = self.wake_at();
        let mut alarm = pin!(sleep_until(armed_for));
        loop {
            self.write(&writer)?;
            self.hand_over(events)?;
            let wake_at = self.wake_at();
            if wake_at < armed_for {
                armed_for = wake_at;
                alarm.as_mut().reset(armed_for);
            }
            let may_read = self.peer.events.is_empty() && !self.peer.outbox.is_full();
            tokio::select! {
                read = read(&mut reader, &mut self.decoder, &mut self.inbox), if may_read => {
                    self.on_read(read.map_err(|_| Ending::ClosedAfterHandshake)?)?;
                    if self.peer.owes_at_most(FEW) {
                        acknowledge(reader.as_ref());
                    }
                }
                command = commands.recv() => {
                    self.on_command(command.ok_or(Ending::Closed)?)?;
                    // All that the driver has decided goes out in one write.
                    while let Ok(command) = commands.try_recv() {
                        self.on_command(command)?;
                    }
                    self.note_facts();
                }
                permit = events.reserve(), if !self.peer.events.is_empty() => {
                    let permit = permit.map_err(|_| Ending::Closed)?;
                    if let Some(event) = self.peer.events.pop_front() {
                        permit.send(event);
                    }
                }
                _ = writer.writable(), if self.blocked_since.is_some() => {}
                () = &mut alarm => {
                    self.on_alarm()?;
                    armed_for = self.wake_at();
                    alarm.as_mut().reset(armed_for);
                }
                () = &mut cancelled => return Err(Ending::Closed),
            }
        }
    }

    /// Gives the driver what it can take now.
    fn hand_over(&mut self, events: &mpsc::Sender<SwarmEvent>) -> Result<(), Ending> {
        while let Some(event) = self.peer.events.pop_front() {
            match events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.peer.events.push_front(event);
                    return Ok(());
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(Ending::Closed),
            }
        }
        // A burst of small events must not cost memory for ever.
        self.peer.events.shrink_to(64);
        Ok(())
    }

    fn write(&mut self, writer: &WriteHalf<'_>) -> Result<(), Ending> {
        loop {
            let bytes = self.peer.outbox.next();
            if bytes.is_empty() {
                self.blocked_since = None;
                break;
            }
            match writer.try_write(bytes) {
                Ok(0) => return Err(Ending::ClosedAfterHandshake),
                Ok(sent) => {
                    self.peer.outbox.advance(sent);
                    self.said_at = Instant::now();
                    self.blocked_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked_since.get_or_insert_with(Instant::now);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Ending::ClosedAfterHandshake),
            }
        }
        let uploaded = self.peer.outbox.take_uploaded();
        if uploaded > 0 {
            self.facts.uploaded.fetch_add(uploaded, Ordering::Relaxed);
            self.note_use();
            self.peer.tell_wants();
        }
        Ok(())
    }

    fn on_read(&mut self, read: Read) -> Result<(), Ending> {
        let now = Instant::now();
        let mut inbox = std::mem::take(&mut self.inbox);
        if !inbox.is_empty() {
            self.heard_at = now;
            self.partial_since = None;
        }
        for message in inbox.drain(..) {
            if let Message::Piece { data, .. } = &message {
                self.facts.downloaded.fetch_add(data.len() as u64, Ordering::Relaxed);
                self.note_use();
            }
            let extension = self.peer.on_message(message, &self.shared.ours).map_err(Ending::Misbehaved)?;
            if let Some(extension) = extension {
                self.on_extension(extension, now)?;
            }
        }
        inbox.shrink_to(64);
        self.inbox = inbox;
        self.note_facts();
        match read {
            Read::Some if self.decoder.is_partial() => drop(self.partial_since.get_or_insert(now)),
            Read::Some => self.partial_since = None,
            Read::End => return Err(Ending::ClosedAfterHandshake),
            Read::Nonsense(error) => {
                tracing::debug!(address = %self.address, %error, "a peer talks nonsense");
                return Err(Ending::Misbehaved(Offence::NotAMessage));
            }
        }
        Ok(())
    }

    fn note_facts(&self) {
        self.facts.have.store(self.peer.have_count(), Ordering::Relaxed);
        self.facts.seed.store(self.peer.has_all(), Ordering::Relaxed);
        self.facts.choking.store(self.peer.is_choking(), Ordering::Relaxed);
        self.facts.interested.store(self.peer.is_interested(), Ordering::Relaxed);
        self.facts.wanted.store(self.peer.is_wanted(), Ordering::Relaxed);
        self.facts.owing.store(self.peer.is_owing(), Ordering::Relaxed);
    }

    fn note_use(&self) {
        let millis = u64::try_from(self.shared.now().elapsed().as_millis()).unwrap_or(u64::MAX);
        self.facts.used_at.store(millis, Ordering::Relaxed);
    }

    fn on_command(&mut self, command: ToPeer) -> Result<(), Ending> {
        match command {
            ToPeer::Command(PeerCommand::Drop { banned: true }) => return Err(Ending::Banned),
            ToPeer::Command(PeerCommand::Drop { banned: false }) => return Err(Ending::Dropped),
            ToPeer::Command(command) => self.peer.on_command(command),
            ToPeer::Have(piece) => self.peer.announce(piece),
            ToPeer::Known => self.learn()?,
            ToPeer::End(ending) => return Err(ending),
        }
        Ok(())
    }

    /// If the torrent is known: tells the driver of this peer, and the peer of us.
    fn learn(&mut self) -> Result<(), Ending> {
        let shared = self.shared.clone();
        let Some(known) = shared.known().filter(|_| !self.peer.is_told()) else { return Ok(()) };
        if !shared.may_stay(Candidate { address: self.address, origin: self.origin }) {
            return Err(Ending::Private);
        }
        self.decoder.allow_pieces(known.layout.pieces());
        self.peer.learn(known.layout.clone()).map_err(Ending::Misbehaved)?;
        self.facts.told.store(true, Ordering::Relaxed);
        self.note_facts();
        self.metadata_at = None;
        let late = self.told == Told::Unknown;
        if late && let Some(had) = shared.ours.any() {
            self.peer.outbox.push_haves(Arc::new(had));
        }
        // One who lacks the metadata too can have it of us from now on.
        let lacks_metadata = self.theirs.metadata_id.is_some() && self.theirs.metadata_size.is_none();
        if late && lacks_metadata && !known.private {
            self.peer.outbox.push(&Message::Extended { id: 0, payload: extended_handshake(&shared) });
        }
        self.told = Told::Said;
        Ok(())
    }

    fn on_extension(&mut self, extension: Extension, now: Instant) -> Result<(), Ending> {
        match extension.id {
            0 => self.on_extended_handshake(&extension.payload, now),
            OUR_METADATA_ID => self.on_metadata(&extension.payload)?,
            OUR_PEX_ID => self.on_exchange(&extension.payload, now),
            _ => {}
        }
        Ok(())
    }

    fn on_extended_handshake(&mut self, payload: &[u8], now: Instant) {
        let Some(theirs) = Extended::from_bytes(payload) else { return };
        if let Some(limit) = theirs.queue_limit {
            self.peer.set_queue_limit(limit);
        }
        if let Some(client) = &theirs.client {
            let _ = self.facts.client.set(client.clone());
        }
        if let Some(port) = theirs.port {
            self.shared.listens_at(self.id, port);
        }
        self.theirs = theirs;
        if let (Some(size), Some(_)) = (self.theirs.metadata_size, self.theirs.metadata_id) {
            self.shared.metadata().offer(self.id, size);
            self.ask_metadata();
        }
        if self.theirs.pex_id.is_some() && self.exchange_at.is_none() {
            self.exchange(now);
        }
    }

    /// Asks for what is to be asked of this peer now.
    fn ask_metadata(&mut self) {
        let Some(id) = self.theirs.metadata_id else { return };
        let now = self.shared.now();
        let mut assembly = self.shared.metadata();
        while let Some(piece) = assembly.next(self.id, now) {
            let payload = Bytes::from(Exchange::Request(piece).header());
            self.peer.outbox.push(&Message::Extended { id, payload });
        }
        self.metadata_at = assembly.wake_at(self.id, now).map(|at| self.shared.instant(at));
    }

    fn on_metadata(&mut self, payload: &Bytes) -> Result<(), Ending> {
        let Some(message) = Exchange::from_bytes(payload) else { return Ok(()) };
        match message {
            Exchange::Request(piece) => self.give_metadata(piece),
            Exchange::Reject(_) => {
                let now = self.shared.now();
                self.shared.metadata().reject(self.id, now);
                self.ask_metadata();
            }
            Exchange::Data { piece, total, data } => {
                let now = self.shared.now();
                let outcome = self.shared.metadata().data(self.id, piece, total, data, now);
                match outcome {
                    Outcome::More => self.ask_metadata(),
                    Outcome::Complete(whole) => {
                        self.metadata_at = None;
                        self.peer.events.push_back(SwarmEvent::Metadata(whole));
                    }
                    Outcome::Lied => return Err(Ending::Misbehaved(Offence::FalseMetadata)),
                }
            }
        }
        Ok(())
    }

    fn give_metadata(&mut self, piece: u32) {
        let Some(id) = self.theirs.metadata_id else { return };
        let room = self.peer.outbox.extended_waiting() < MOST_METADATA;
        let answer = match self.shared.known() {
            Some(known) if room && !self.shared.is_private() => Exchange::answer(piece, &known.info_bytes),
            _ => Exchange::Reject(piece),
        };
        let header = answer.header();
        match answer {
            Exchange::Data { data, .. } => self.peer.outbox.push_extended(id, header, data),
            // Among the bytes that a peer must read before it is listened to again: it may ask without end.
            _ => self.peer.outbox.push(&Message::Extended { id, payload: Bytes::from(header) }),
        }
    }

    /// Tells the peer of others, and sets the time of the next telling.
    fn exchange(&mut self, now: Instant) {
        let Some(id) = self.theirs.pex_id.filter(|_| !self.shared.is_private()) else {
            self.exchange_at = None;
            return;
        };
        let message = self.exchanged.message(self.address, &self.shared.exchangeable());
        let wait =
            if message.is_none() && self.exchange_at.is_none() { FIRST_EXCHANGE } else { pex::INTERVAL };
        self.exchange_at = Some(now + wait);
        if let Some(payload) = message {
            self.peer.outbox.push(&Message::Extended { id, payload: Bytes::from(payload) });
        }
    }

    fn on_exchange(&mut self, payload: &[u8], now: Instant) {
        let too_soon = self.last_exchange.is_some_and(|last| now < last + LEAST_EXCHANGE);
        if too_soon || self.shared.is_private() {
            return;
        }
        self.last_exchange = Some(now);
        for address in pex::read(payload, self.address) {
            self.shared.add_candidate(Candidate { address, origin: Origin::Pex }, Some(self.address));
        }
    }

    /// When `on_alarm` has something to do, at the latest.
    fn wake_at(&self) -> Instant {
        let patience = &self.shared.patience;
        let mut at = (self.heard_at + patience.idle).min(self.said_at + patience.keep_alive);
        let others = [
            self.partial_since.map(|since| since + patience.whole_message),
            self.blocked_since.map(|since| since + patience.reads),
            self.exchange_at,
            self.metadata_at,
        ];
        for other in others.into_iter().flatten() {
            at = at.min(other);
        }
        at
    }

    fn on_alarm(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if !self.peer.events.is_empty() || self.peer.outbox.is_full() {
            // It is us who do not listen.
            self.heard_at = now;
            self.partial_since = self.partial_since.map(|_| now);
        }
        let patience = &self.shared.patience;
        if self.partial_since.is_some_and(|since| now >= since + patience.whole_message) {
            return Err(Ending::Misbehaved(Offence::SlowMessage));
        }
        if self.blocked_since.is_some_and(|since| now >= since + patience.reads) {
            return Err(Ending::Misbehaved(Offence::NotReading));
        }
        if now >= self.heard_at + patience.idle {
            return Err(Ending::Idle);
        }
        if now >= self.said_at + patience.keep_alive {
            self.said_at = now;
            self.peer.outbox.push(&Message::KeepAlive);
        }
        if self.exchange_at.is_some_and(|at| now >= at) {
            self.exchange(now);
        }
        if self.metadata_at.is_some_and(|at| now >= at) {
            self.ask_metadata();
        }
        Ok(())
    }
}

/// Reads once, and decodes what came. May be cancelled: nothing is lost between read and decoding.
async fn read(
    reader: &mut ReadHalf<'_>,
    decoder: &mut Decoder,
    inbox: &mut Vec<Message>,
) -> io::Result<Read> {
    poll_fn(|context| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *reader).poll_read(context, &mut buffer))?;
            let mut bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(Read::End));
            }
            loop {
                match decoder.next(&mut bytes) {
                    Ok(Some(message)) => inbox.push(message),
                    Ok(None) => return Poll::Ready(Ok(Read::Some)),
                    Err(error) => return Poll::Ready(Ok(Read::Nonsense(error))),
                }
            }
        })
    })
    .await
}
