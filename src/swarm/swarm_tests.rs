//! Whole swarms on loopback, with real sockets and scripted peers.
#![allow(clippy::disallowed_methods, reason = "these sockets are others', not ours")]

use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::codec::{Ask, Message};
use super::handshake::{Extended, OUR_METADATA_ID, OUR_PEX_ID, our_extended};
use super::test_peer::{GUARD, TestPeer, handshake, listen};
use super::*;
use crate::layout::BLOCK;
use crate::net::NetworkConfig;

pub(super) const PIECE: u32 = 2 * BLOCK;
pub(super) const PIECES: u32 = 10;

pub(super) struct Side {
    pub swarm: SwarmHandle,
    pub events: Receiver<SwarmEvent>,
}

pub(super) fn layout() -> Arc<Layout> {
    Arc::new(Layout::new(u64::from(PIECES * PIECE), PIECE).expect("fair"))
}

/// An info dictionary, as far as the swarm cares, and its hash.
pub(super) fn info(length: usize) -> (Bytes, InfoHash) {
    let bytes: Bytes = (0..length).map(|i| (i * 31 % 253) as u8).collect();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    (bytes, InfoHash(digest.as_ref().try_into().expect("20 bytes")))
}

pub(super) fn config(info_hash: InfoHash, name: u8) -> SwarmConfig {
    SwarmConfig {
        info_hash,
        peer_id: [name; 20],
        listen_port: None,
        most_peers: 50,
        private: false,
        layout: None,
        had: None,
        blocklist: None,
    }
}

pub(super) fn start(config: SwarmConfig) -> Side {
    let net = Arc::new(Network::new(NetworkConfig::default()).expect("a network"));
    let (swarm, events) = SwarmHandle::start(config, net).expect("it listens");
    Side { swarm, events }
}

/// One that has the metadata, and these pieces.
pub(super) fn knowing(info: &(Bytes, InfoHash), name: u8, had: Bitfield) -> Side {
    start(SwarmConfig { layout: Some((layout(), info.0.clone())), had: Some(had), ..config(info.1, name) })
}

pub(super) fn given(address: SocketAddr) -> Candidate {
    Candidate { address, origin: Origin::Given }
}

impl Side {
    pub fn dial(&self, port: u16) {
        self.swarm.add_candidate(given(SocketAddr::from(([127, 0, 0, 1], port))));
    }

    pub async fn event<T>(&mut self, mut wanted: impl FnMut(&SwarmEvent) -> Option<T>) -> T {
        timeout(GUARD, async {
            loop {
                let event = self.events.recv().await.expect("the swarm runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        })
        .await
        .expect("an event in time")
    }

    pub async fn connected(&mut self) -> PeerId {
        self.event(|event| match event {
            SwarmEvent::Connected { peer, .. } => Some(*peer),
            _ => None,
        })
        .await
    }

    /// Lets the swarm work until the counts are so.
    pub async fn until(&self, wanted: impl Fn(&SwarmCounts) -> bool) -> SwarmCounts {
        for _ in 0..20_000_000 {
            let counts = self.swarm.counts();
            if wanted(&counts) {
                return counts;
            }
            tokio::task::yield_now().await;
        }
        panic!("it stays at {:?}", self.swarm.counts());
    }

    pub async fn ended(&self, ending: Ending) {
        self.until(|counts| counts.endings.contains_key(&ending)).await;
    }
}

pub(super) fn block(piece: u32, block: u32) -> BlockId {
    BlockId { piece: PieceIndex(piece), block }
}

#[tokio::test]
async fn a_magnet_gets_its_metadata_and_then_hears_of_the_peer_from_the_beginning() {
    let info = info(50_000);
    let mut seed = knowing(&info, 1, Bitfield::all(PIECES));
    let mut magnet = start(config(info.1, 2));
    magnet.dial(seed.swarm.port());
    let first = magnet.events.recv().await.expect("an event");
    assert!(matches!(&first, SwarmEvent::Metadata(bytes) if *bytes == info.0), "{first:?}");
    magnet.swarm.set_layout(layout(), info.0.clone(), false, Bitfield::none(PIECES));
    let peer = magnet.connected().await;
    let limit = magnet
        .event(|event| if let SwarmEvent::QueueLimit { limit, .. } = event { Some(*limit) } else { None });
    assert_eq!(limit.await, 250);
    magnet
        .event(|event| matches!(event, SwarmEvent::Bitfield { have, .. } if have.is_all()).then_some(()))
        .await;

    // And blocks flow between two of us.
    let other = seed.connected().await;
    seed.event(|event| matches!(event, SwarmEvent::Interested { interested: true, .. }).then_some(())).await;
    seed.swarm.command(other, PeerCommand::Choke(false));
    magnet.event(|event| matches!(event, SwarmEvent::Unchoked { .. }).then_some(())).await;
    magnet.swarm.command(peer, PeerCommand::Request(block(3, 1)));
    let (piece, begin, length) = seed
        .event(|event| match event {
            SwarmEvent::Wanted { piece, begin, length, .. } => Some((*piece, *begin, *length)),
            _ => None,
        })
        .await;
    assert_eq!((piece, begin, length), (PieceIndex(3), BLOCK, BLOCK));
    let sent = Bytes::from(vec![42; BLOCK as usize]);
    seed.swarm.command(other, PeerCommand::Send { piece, begin, data: sent.clone() });
    let came = magnet
        .event(|event| match event {
            SwarmEvent::Block { block, data, .. } => Some((*block, data.clone())),
            _ => None,
        })
        .await;
    assert_eq!(came, (block(3, 1), sent));
    let report = magnet.swarm.peers().pop().expect("one peer");
    assert_eq!((report.downloaded, report.have, report.choking), (u64::from(BLOCK), PIECES, false));
    assert!(report.client.is_some_and(|client| client.starts_with("peerflix/")));
    seed.until(|_| seed.swarm.peers().iter().any(|report| report.uploaded == u64::from(BLOCK))).await;

    // The end of one is told to the other.
    seed.swarm.close().await;
    magnet.event(|event| matches!(event, SwarmEvent::Left { .. }).then_some(())).await;
}

#[tokio::test]
async fn metadata_passes_on_from_one_that_had_none_itself() {
    let info = info(20_000);
    let seed = knowing(&info, 1, Bitfield::all(PIECES));
    let mut middle = start(config(info.1, 2));
    let mut last = start(config(info.1, 3));
    last.dial(middle.swarm.port());
    last.until(|counts| counts.connected == 1).await;
    middle.dial(seed.swarm.port());
    middle.event(|event| matches!(event, SwarmEvent::Metadata(_)).then_some(())).await;
    middle.swarm.set_layout(layout(), info.0.clone(), false, Bitfield::none(PIECES));
    last.event(|event| matches!(event, SwarmEvent::Metadata(bytes) if *bytes == info.0).then_some(())).await;
}

#[tokio::test]
async fn all_that_needs_no_answer_is_in_the_first_packet() {
    let info = info(100);
    let mut had = Bitfield::none(PIECES);
    had.insert(PieceIndex(0));
    let mut side = knowing(&info, 1, had);
    let (listener, address) = listen().await;
    side.swarm.add_candidate(given(address));
    let mut peer = TestPeer::accept(&listener).await;
    // It has said nothing yet, and hears:
    let mut bytes = [0; 68];
    tokio::io::AsyncReadExt::read_exact(&mut peer.stream, &mut bytes).await.expect("a handshake");
    assert_eq!(peer.hear().await, Some(Message::Bitfield(Bytes::from_static(&[0x80, 0]))));
    let Some(Message::Extended { id: 0, payload }) = peer.hear().await else {
        panic!("an extended handshake")
    };
    let theirs = Extended::from_bytes(&payload).expect("a dictionary");
    assert_eq!((theirs.metadata_size, theirs.port), (Some(100), Some(side.swarm.port())));
    assert_eq!(peer.hear().await, Some(Message::Interested));

    // Then blocks are asked for, cancelled, announced, in order.
    peer.raw(&handshake(info.1, 9, true).to_bytes()).await;
    peer.say(Message::HaveNone).await;
    peer.say(Message::Have(4)).await;
    peer.say(Message::Unknown(77)).await;
    peer.say(Message::Unchoke).await;
    let id = side
        .event(|event| match event {
            SwarmEvent::Connected { peer, latency: Some(_), .. } => Some(*peer),
            _ => None,
        })
        .await;
    side.event(|event| matches!(event, SwarmEvent::Have { piece: PieceIndex(4), .. }).then_some(())).await;
    side.event(|event| matches!(event, SwarmEvent::Unchoked { .. }).then_some(())).await;
    side.swarm.command(id, PeerCommand::Request(block(4, 0)));
    side.swarm.command(id, PeerCommand::Request(block(4, 1)));
    side.swarm.command(id, PeerCommand::Cancel(block(4, 0)));
    side.swarm.announce_have(PieceIndex(7));
    side.swarm.announce_have(PieceIndex(7));
    let ask = |block| Ask { index: 4, begin: block * BLOCK, length: BLOCK };
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.extend(peer.hear().await);
    }
    assert_eq!(
        heard,
        [Message::Request(ask(0)), Message::Request(ask(1)), Message::Cancel(ask(0)), Message::Have(7)]
    );
    peer.say(Message::Reject(ask(0))).await;
    peer.say(Message::Reject(ask(1))).await;
    let rejected = side
        .event(|event| match event {
            SwarmEvent::Rejected { block, .. } => Some(*block),
            _ => None,
        })
        .await;
    assert_eq!(rejected, block(4, 1));
    drop(peer);
    side.event(|event| matches!(event, SwarmEvent::Left { .. }).then_some(())).await;
    side.ended(Ending::ClosedAfterHandshake).await;
}

#[tokio::test]
async fn it_is_alone_until_somebody_can_be_dialled_and_again_when_he_is_gone() {
    let info = info(100);
    let side = knowing(&info, 1, Bitfield::none(PIECES));
    assert!(side.swarm.is_alone());
    let (listener, address) = listen().await;
    side.swarm.add_candidate(given(address));
    assert!(!side.swarm.is_alone());
    drop(listener);
    side.until(|counts| !counts.endings.is_empty() && counts.dialling == 0).await;
    // He may be dialled again in a second: until then there is nobody.
    side.until(|_| side.swarm.is_alone()).await;
}

#[tokio::test]
async fn more_are_dialled_than_at_once_though_nothing_else_happens() {
    let info = info(100);
    let side = start(SwarmConfig { most_peers: 100, ..config(info.1, 1) });
    let mut listeners = Vec::new();
    for _ in 0..58 {
        let (listener, address) = listen().await;
        side.swarm.add_candidate(given(address));
        listeners.push(listener);
    }
    let mut peers = Vec::new();
    for (name, listener) in (2..).zip(&listeners) {
        let mut peer = TestPeer::accept(listener).await;
        peer.shake(handshake(info.1, name, true)).await;
        peers.push(peer);
    }
    side.until(|counts| counts.connected == 58).await;
}

#[tokio::test]
async fn a_third_peer_is_found_by_exchange() {
    let info = info(100);
    let none = || Bitfield::none(PIECES);
    let (hub, first, second) =
        (knowing(&info, 1, none()), knowing(&info, 2, none()), knowing(&info, 3, none()));
    first.dial(hub.swarm.port());
    hub.until(|counts| counts.connected == 1).await;
    // The hub knows where the first listens once its extended handshake has come.
    hub.until(|_| hub.swarm.candidates().iter().any(|report| report.address.port() == first.swarm.port()))
        .await;
    second.dial(hub.swarm.port());
    second.until(|counts| counts.connected == 2).await;
    let found = second.swarm.candidates();
    let first_there =
        found.iter().find(|report| report.address.port() == first.swarm.port()).expect("told of");
    assert_eq!((first_there.origin, first_there.standing), (Origin::Pex, Standing::Connected));
}

#[tokio::test]
async fn private_torrents_exchange_neither_peers_nor_metadata() {
    let info = info(100);
    let config = SwarmConfig { private: true, layout: Some((layout(), info.0.clone())), ..config(info.1, 1) };
    let side = start(config);
    let mut peer = TestPeer::dial(side.swarm.port()).await;
    peer.shake(handshake(info.1, 2, true)).await;
    let payload = peer
        .hear_until(|message| match message {
            Message::Extended { id: 0, payload } => Some(payload.clone()),
            _ => None,
        })
        .await;
    let theirs = Extended::from_bytes(&payload).expect("a dictionary");
    assert_eq!((theirs.pex_id, theirs.metadata_size), (None, None));
    peer.say_extended(0, our_extended(1, None, true)).await;
    peer.say_extended(OUR_PEX_ID, b"d5:added6:\x7f\x00\x00\x01\x00\x09e").await;
    peer.say_extended(OUR_METADATA_ID, b"d8:msg_typei0e5:piecei0ee").await;
    let answer = peer
        .hear_until(|message| match message {
            Message::Extended { id: OUR_METADATA_ID, payload } => Some(payload.clone()),
            _ => None,
        })
        .await;
    assert_eq!(metadata::Exchange::from_bytes(&answer), Some(metadata::Exchange::Reject(0)));
    side.swarm
        .add_candidate(Candidate { address: "127.0.0.1:9".parse().expect("fair"), origin: Origin::Dht });
    assert!(side.swarm.candidates().iter().all(|report| report.address.port() != 9));
}

#[tokio::test]
async fn metadata_that_turns_out_private_ends_connections_to_peers_of_no_tracker() {
    let info = info(100);
    let mut side = start(config(info.1, 1));
    let seed = knowing(&info, 2, Bitfield::all(PIECES));
    let address = SocketAddr::from(([127, 0, 0, 1], seed.swarm.port()));
    side.swarm.add_candidate(Candidate { address, origin: Origin::Dht });
    side.event(|event| matches!(event, SwarmEvent::Metadata(_)).then_some(())).await;
    side.swarm.set_layout(layout(), info.0.clone(), true, Bitfield::none(PIECES));
    side.ended(Ending::Private).await;
    assert_eq!(side.swarm.counts().connected, 0);
}

#[tokio::test]
async fn two_that_dial_each_other_at_once_end_up_with_one_connection() {
    let info = info(100);
    for (a, b) in [(1, 2), (2, 1)] {
        let left = knowing(&info, a, Bitfield::none(PIECES));
        let right = knowing(&info, b, Bitfield::none(PIECES));
        left.dial(right.swarm.port());
        right.dial(left.swarm.port());
        left.until(|counts| counts.connected == 1 && counts.dialling == 0).await;
        right.until(|counts| counts.connected == 1 && counts.dialling == 0).await;
        // The same peer once more, from elsewhere.
        let mut again = TestPeer::dial(left.swarm.port()).await;
        again.raw(&handshake(info.1, b, false).to_bytes()).await;
        again.hear_raw_end().await;
        left.ended(Ending::Duplicate).await;
        left.until(|counts| counts.connected == 1).await;
    }
}

#[tokio::test]
async fn it_works_over_ipv6() {
    let info = info(100);
    let seed = knowing(&info, 1, Bitfield::all(PIECES));
    let mut magnet = start(config(info.1, 2));
    let address: SocketAddr = format!("[::1]:{}", seed.swarm.port()).parse().expect("an address");
    if tokio::net::TcpStream::connect(address).await.is_err() {
        eprintln!("this machine has no IPv6 loopback");
        return;
    }
    magnet.swarm.add_candidate(given(address));
    magnet.event(|event| matches!(event, SwarmEvent::Metadata(_)).then_some(())).await;
    assert!(magnet.swarm.peers().iter().all(|report| report.address.is_ipv6()));
}

#[tokio::test]
async fn closing_ends_every_connection_and_the_listener() {
    let info = info(100);
    let mut side = knowing(&info, 1, Bitfield::none(PIECES));
    let mut peers = Vec::new();
    for name in 2..10 {
        let mut peer = TestPeer::dial(side.swarm.port()).await;
        peer.shake(handshake(info.1, name, false)).await;
        peers.push(peer);
    }
    side.until(|counts| counts.connected == 8).await;
    side.swarm.close().await;
    for peer in &mut peers {
        peer.hear_end().await;
    }
    while side.events.recv().await.is_some() {}
    assert_eq!(side.swarm.counts().connected, 0);
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", side.swarm.port())).await.is_err());
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let (_, info_hash) = info(100);
    let first = start(config(info_hash, 1));
    let net = Arc::new(Network::new(NetworkConfig::default()).expect("a network"));
    let again = SwarmConfig { listen_port: Some(first.swarm.port()), ..config(info_hash, 2) };
    let error = SwarmHandle::start(again, net).expect_err("taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

/// The seed of another hand: librqbit's session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn librqbit_gives_metadata_and_a_block() {
    use librqbit::{
        AddTorrent, AddTorrentOptions, CreateTorrentOptions, ListenerOptions, Session, SessionOptions,
    };

    let folder = tempfile::tempdir().expect("a folder");
    let data: Vec<u8> = (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect();
    std::fs::write(folder.path().join("film.bin"), &data).expect("written");
    let spawner = librqbit::spawn_utils::BlockingSpawner::new(1);
    let options = CreateTorrentOptions { name: None, trackers: Vec::new(), piece_length: Some(65_536) };
    let torrent = librqbit::create_torrent(&folder.path().join("film.bin"), options, &spawner)
        .await
        .expect("a torrent");
    let session = Session::new_with_opts(
        folder.path().to_owned(),
        SessionOptions {
            dht: None,
            persistence: None,
            disable_trackers: true,
            disable_local_service_discovery: true,
            listen: Some(ListenerOptions {
                listen_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
                ..ListenerOptions::default()
            }),
            ..SessionOptions::default()
        },
    )
    .await
    .expect("a session");
    let added = session
        .add_torrent(
            AddTorrent::from_bytes(torrent.as_bytes().expect("bytes")),
            Some(AddTorrentOptions {
                overwrite: true,
                output_folder: folder.path().to_str().map(str::to_owned),
                ..AddTorrentOptions::default()
            }),
        )
        .await
        .expect("added")
        .into_handle()
        .expect("a torrent");
    added.wait_until_completed().await.expect("it has all of it");

    let mut magnet = start(config(InfoHash(torrent.info_hash().0), 1));
    magnet.dial(session.listen_addr().expect("it listens").port());
    let info_bytes = magnet
        .event(|event| match event {
            SwarmEvent::Metadata(bytes) => Some(bytes.clone()),
            _ => None,
        })
        .await;
    let layout = Arc::new(Layout::new(data.len() as u64, 65_536).expect("fair"));
    magnet.swarm.set_layout(layout, info_bytes, false, Bitfield::none(5));
    let peer = magnet.connected().await;
    magnet
        .event(|event| matches!(event, SwarmEvent::Bitfield { have, .. } if have.is_all()).then_some(()))
        .await;
    magnet.event(|event| matches!(event, SwarmEvent::Unchoked { .. }).then_some(())).await;
    magnet.swarm.command(peer, PeerCommand::Request(block(4, 2)));
    let came = magnet
        .event(|event| match event {
            SwarmEvent::Block { block, data, .. } => Some((*block, data.clone())),
            _ => None,
        })
        .await;
    let start = 4 * 65_536 + 2 * BLOCK as usize;
    assert_eq!((came.0, &came.1[..]), (block(4, 2), &data[start..]));
    magnet.swarm.close().await;
    session.stop().await;
}

#[tokio::test]
async fn who_is_on_the_blocklist_is_neither_dialled_nor_let_in_and_counts_once() {
    let info = info(100);
    let none = || Some(Bitfield::none(PIECES));
    let blocklist = Some(Arc::new(Blocklist::parse("here:127.0.0.0-127.0.0.255").expect("a list")));
    let known = Some((layout(), info.0.clone()));
    let side = start(SwarmConfig { layout: known, had: none(), blocklist, ..config(info.1, 1) });
    let other = knowing(&info, 2, Bitfield::none(PIECES));
    // Lets himself be dialled by anybody; and dials.
    side.dial(other.swarm.port());
    side.swarm.add_candidate(Candidate { address: ([127, 0, 0, 7], 9).into(), origin: Origin::Given });
    assert!(side.swarm.candidates().is_empty());
    other.dial(side.swarm.port());
    side.until(|counts| counts.incoming > 0).await;
    other.ended(Ending::ClosedBeforeHandshake).await;
    let counts = side.swarm.counts();
    assert_eq!((counts.blocked, counts.connected, counts.known), (2, 0, 0));
}
