//! All places are taken, and somebody waits: with real sockets.
#![allow(clippy::disallowed_methods, reason = "these sockets are others', not ours")]

use std::sync::Arc;
use std::time::Duration;

use super::codec::Message;
use super::ending::Ending;
use super::shared::Patience;
use super::test_peer::{TestPeer, handshake, listen};
use super::tests::{PIECES, Side, config, info, layout};
use super::*;
use crate::net::NetworkConfig;

const SOON: Duration = Duration::from_millis(20);

fn crowded(info: &(Bytes, InfoHash), most_peers: usize) -> Side {
    let config = SwarmConfig {
        layout: Some((layout(), info.0.clone())),
        had: Some(Bitfield::none(PIECES)),
        most_peers,
        ..config(info.1, 1)
    };
    let patience = Patience { useless: SOON, turnover: SOON, ..Patience::default() };
    let net = Arc::new(Network::new(NetworkConfig::default()).expect("a network"));
    let (swarm, events) = SwarmHandle::start_patient(config, net, patience).expect("it listens");
    Side { swarm, events }
}

#[tokio::test]
async fn who_chokes_for_long_makes_room_for_the_next_and_who_does_not_stays() {
    let info = info(100);
    let side = crowded(&info, 2);
    let mut peers = Vec::new();
    for name in [2, 3] {
        let (listener, address) = listen().await;
        side.swarm.add_candidate(Candidate { address, origin: Origin::Tracker });
        let mut peer = TestPeer::accept(&listener).await;
        peer.shake(handshake(info.1, name, true)).await;
        peer.say(Message::HaveAll).await;
        peers.push((peer, address));
    }
    let (mut choking, _) = peers.remove(0);
    let (mut ready, ready_at) = peers.remove(0);
    ready.say(Message::Unchoke).await;
    side.until(|_| side.swarm.peers().iter().filter(|peer| !peer.choking).count() == 1).await;
    assert!(side.swarm.counts().endings.is_empty(), "nobody waits: nobody goes");

    let (listener, next_at) = listen().await;
    side.swarm.add_candidate(Candidate { address: next_at, origin: Origin::Tracker });
    choking.hear_end().await;
    let mut next = TestPeer::accept(&listener).await;
    next.shake(handshake(info.1, 4, true)).await;
    side.until(|counts| counts.connected == 2).await;
    assert_eq!(side.swarm.counts().endings.get(&Ending::Replaced), Some(&1));
    let mut there: Vec<_> = side.swarm.peers().iter().map(|peer| peer.address).collect();
    let mut expected = [ready_at, next_at];
    there.sort_unstable();
    expected.sort_unstable();
    assert_eq!(there, expected);
}

#[tokio::test]
async fn whom_the_user_named_stays_whatever_he_does() {
    let info = info(100);
    let side = crowded(&info, 2);
    let mut peers = Vec::new();
    for (name, origin) in [(2, Origin::Given), (3, Origin::Dht)] {
        let (listener, address) = listen().await;
        side.swarm.add_candidate(Candidate { address, origin });
        let mut peer = TestPeer::accept(&listener).await;
        peer.shake(handshake(info.1, name, true)).await;
        peers.push(peer);
    }
    let (listener, address) = listen().await;
    side.until(|counts| counts.connected == 2).await;
    side.swarm.add_candidate(Candidate { address, origin: Origin::Tracker });
    peers[1].hear_end().await;
    let _next = TestPeer::accept(&listener).await;
    assert_eq!(side.swarm.counts().endings.get(&Ending::Replaced), Some(&1));
    assert!(side.swarm.peers().iter().any(|peer| peer.origin == Origin::Given));
}
