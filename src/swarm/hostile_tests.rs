//! Peers that mean no good, and bad luck: each ends by its own name, and the swarm goes on.
#![allow(clippy::disallowed_methods, reason = "these sockets are others', not ours")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::codec::Message;
use super::handshake::{OUR_METADATA_ID, our_extended};
use super::test_peer::{TestPeer, handshake, listen};
use super::tests::{PIECE, PIECES, Side, block, config, given, info, knowing, layout, start};
use super::*;
use crate::layout::BLOCK;
use crate::net::NetworkConfig;

#[tokio::test]
async fn bad_peers_are_named_each_by_its_deed_and_the_good_one_goes_on() {
    let info = info(100);
    let mut side = knowing(&info, 1, Bitfield::none(PIECES));
    let good_one = handshake(info.1, 100, false);
    let extended = |bytes: &[u8]| {
        let mut all = handshake(info.1, bytes.len() as u8, false).to_bytes().to_vec();
        all.extend_from_slice(bytes);
        all
    };
    let message = |message: Message| {
        let mut bytes = Vec::new();
        codec::encode(&message, &mut bytes);
        extended(&bytes)
    };
    let block = |begin, length| Message::Piece { index: 0, begin, data: Bytes::from(vec![0; length]) };
    let scripts = [
        (Vec::new(), Ending::ClosedBeforeHandshake),
        (vec![b'x'; 68], Ending::NotBitTorrent),
        (handshake(InfoHash([9; 20]), 8, false).to_bytes().to_vec(), Ending::WrongInfoHash),
        (handshake(info.1, 1, false).to_bytes().to_vec(), Ending::Oneself),
        (extended(&[0xff; 10]), Ending::Misbehaved(Offence::NotAMessage)),
        (extended(&[0, 0, 0, 2, 1, 1]), Ending::Misbehaved(Offence::NotAMessage)),
        (message(Message::Bitfield(Bytes::from_static(&[0; 3]))), Ending::Misbehaved(Offence::BadBitfield)),
        (message(Message::Have(PIECES)), Ending::Misbehaved(Offence::BadHave)),
        (message(block(1, 100)), Ending::Misbehaved(Offence::BadBlock)),
    ];
    let (good, good_address) = listen().await;
    side.swarm.add_candidate(given(good_address));
    let mut peer = TestPeer::accept(&good).await;
    peer.shake(good_one).await;
    let mut left = Vec::new();
    for (script, ending) in scripts {
        let (listener, address) = listen().await;
        side.swarm.add_candidate(given(address));
        let mut bad = TestPeer::accept(&listener).await;
        bad.raw(&script).await;
        if script.is_empty() {
            drop(bad);
        } else {
            bad.hear_raw_end().await;
        }
        side.ended(ending).await;
        left.push((address, ending));
    }
    let (nobody, refusing) = listen().await;
    drop(nobody);
    side.swarm.add_candidate(given(refusing));
    side.ended(Ending::Refused).await;
    left.push((refusing, Ending::Refused));
    let known = side.swarm.candidates();
    for (address, ending) in left {
        let candidate = known.iter().find(|report| report.address == address).expect("it is known");
        assert_eq!(candidate.last, Some(ending));
    }
    peer.say(Message::Unchoke).await;
    side.event(|event| matches!(event, SwarmEvent::Unchoked { .. }).then_some(())).await;
    assert!(side.swarm.counts().connected >= 1);
}

#[tokio::test]
async fn peers_that_dial_us_and_talk_nonsense_are_no_harm_either() {
    let info = info(100);
    let side = knowing(&info, 1, Bitfield::none(PIECES));
    for script in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 68], &[0xff; 5000]] {
        let mut bad = TestPeer::dial(side.swarm.port()).await;
        bad.raw(script).await;
    }
    let counts = side.until(|counts| counts.endings.values().sum::<u64>() == 4).await;
    assert_eq!(counts.incoming, 4);
    assert_eq!(counts.endings.get(&Ending::ClosedBeforeHandshake), Some(&2));
    assert_eq!(counts.endings.get(&Ending::NotBitTorrent), Some(&2));
}

/// One that knows the torrent, and waits less than it would in earnest.
fn impatient(info: &(Bytes, InfoHash), patience: shared::Patience) -> Side {
    let net = Arc::new(Network::new(NetworkConfig::default()).expect("a network"));
    let config = SwarmConfig { layout: Some((layout(), info.0.clone())), ..config(info.1, 1) };
    let (swarm, events) = SwarmHandle::start_patient(config, net, patience).expect("it listens");
    Side { swarm, events }
}

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn one_byte_a_minute_is_not_enough() {
    let info = info(100);
    let side = impatient(&info, shared::Patience { whole_message: SOON, ..Default::default() });
    let mut slow = TestPeer::dial(side.swarm.port()).await;
    slow.shake(handshake(info.1, 2, false)).await;
    slow.raw(&[0, 0, 64, 9, 7, 0]).await;
    slow.hear_end().await;
    side.ended(Ending::Misbehaved(Offence::SlowMessage)).await;
}

#[tokio::test]
async fn half_a_handshake_is_not_enough() {
    let info = info(100);
    let side = impatient(&info, shared::Patience { handshake: SOON, ..Default::default() });
    let mut silent = TestPeer::dial(side.swarm.port()).await;
    silent.raw(b"\x13Bit").await;
    silent.hear_raw_end().await;
    side.ended(Ending::HandshakeTimeout).await;
}

#[tokio::test]
async fn one_that_says_nothing_is_kept_alive_for_a_while_and_then_left() {
    let info = info(100);
    let side = impatient(&info, shared::Patience { keep_alive: SOON, idle: 10 * SOON, ..Default::default() });
    let mut idle = TestPeer::dial(side.swarm.port()).await;
    idle.shake(handshake(info.1, 3, false)).await;
    idle.hear_until(|message| (*message == Message::KeepAlive).then_some(())).await;
    idle.hear_end().await;
    side.ended(Ending::Idle).await;
}

#[tokio::test]
async fn one_that_does_not_read_is_left() {
    let info = info(100);
    let mut side = impatient(&info, shared::Patience { reads: SOON, ..Default::default() });
    let mut peer = TestPeer::dial(side.swarm.port()).await;
    peer.shake(handshake(info.1, 3, false)).await;
    let id = side.connected().await;
    // More than any socket holds.
    for n in 0..1_000_000 {
        side.swarm.command(id, PeerCommand::Interest(n % 2 == 1));
    }
    side.event(|event| matches!(event, SwarmEvent::Left { .. }).then_some(())).await;
    side.ended(Ending::Misbehaved(Offence::NotReading)).await;
}

#[tokio::test]
async fn one_that_floods_with_what_nobody_asked_for_is_dropped() {
    let info = info(100);
    let mut side = knowing(&info, 1, Bitfield::none(PIECES));
    let mut peer = TestPeer::dial(side.swarm.port()).await;
    peer.shake(handshake(info.1, 2, false)).await;
    let flood = tokio::spawn(async move {
        for _ in 0..1000 {
            peer.say(Message::Piece { index: 1, begin: 0, data: Bytes::from(vec![0; BLOCK as usize]) }).await;
        }
    });
    let mut blocks = 0;
    side.event(|event| {
        blocks += usize::from(matches!(event, SwarmEvent::Block { .. }));
        matches!(event, SwarmEvent::Left { .. }).then_some(())
    })
    .await;
    assert!(blocks < 1000);
    side.ended(Ending::Misbehaved(Offence::Unasked)).await;
    flood.await.expect("it has ended");
}

#[tokio::test]
async fn a_driver_that_is_slow_holds_up_the_senders_and_loses_nothing() {
    let info = info(100);
    let big = Arc::new(Layout::new(u64::from(PIECE) * 1000, PIECE).expect("fair"));
    let mut side = start(SwarmConfig { layout: Some((big, info.0.clone())), ..config(info.1, 1) });
    let mut peer = TestPeer::dial(side.swarm.port()).await;
    peer.shake(handshake(info.1, 2, false)).await;
    let id = side.connected().await;
    let wanted: Vec<BlockId> = (0..600).map(|n| block(n, 0)).collect();
    for block in &wanted {
        side.swarm.command(id, PeerCommand::Request(*block));
    }
    let sender = tokio::spawn(async move {
        let mut asked = 0;
        while asked < 600 {
            let index = peer.hear_until(|message| match message {
                Message::Request(ask) => Some(ask.index),
                _ => None,
            });
            let index = index.await;
            asked += 1;
            peer.say(Message::Piece {
                index,
                begin: 0,
                data: Bytes::from(vec![index as u8; BLOCK as usize]),
            })
            .await;
        }
        peer
    });
    // More than the channel and the sockets hold: it must stop by itself.
    side.until(|_| side.events.len() == EVENTS).await;
    for _ in 0..200 {
        side.swarm.command(id, PeerCommand::Interest(false));
        side.swarm.command(id, PeerCommand::Interest(true));
        tokio::task::yield_now().await;
    }
    let mut came = Vec::new();
    side.event(|event| {
        if let SwarmEvent::Block { block, data, .. } = event {
            assert_eq!(data.first(), Some(&(block.piece.0 as u8)));
            came.push(*block);
        }
        (came.len() == wanted.len()).then_some(())
    })
    .await;
    assert_eq!(came, wanted);
    sender.await.expect("all sent");
}

#[tokio::test]
async fn a_banned_peer_is_not_let_in_again() {
    let info = info(100);
    let mut side = knowing(&info, 1, Bitfield::none(PIECES));
    let (listener, address) = listen().await;
    side.swarm.add_candidate(given(address));
    let mut peer = TestPeer::accept(&listener).await;
    peer.shake(handshake(info.1, 2, false)).await;
    let id = side.connected().await;
    side.swarm.command(id, PeerCommand::Drop { banned: true });
    side.event(|event| matches!(event, SwarmEvent::Left { .. }).then_some(())).await;
    side.ended(Ending::Banned).await;
    side.swarm.add_candidate(given(address));
    let counts = side.swarm.counts();
    assert_eq!((counts.connected, counts.dialling), (0, 0));
    // What comes for one that is gone is ignored.
    side.swarm.command(id, PeerCommand::Request(block(0, 0)));
}

#[tokio::test]
async fn there_is_room_for_so_many_and_no_more() {
    let info = info(100);
    let side = start(SwarmConfig { most_peers: 2, ..config(info.1, 1) });
    let mut peers = Vec::new();
    for name in 2..6 {
        let mut peer = TestPeer::dial(side.swarm.port()).await;
        peer.raw(&handshake(info.1, name, false).to_bytes()).await;
        peers.push(peer);
    }
    side.until(|counts| counts.connected == 2 && counts.endings.get(&Ending::Crowded) == Some(&2)).await;
}

#[tokio::test]
async fn a_peer_with_false_metadata_does_not_keep_the_true_one_away() {
    let info = info(30_000);
    let (listener, address) = listen().await;
    let mut magnet = start(config(info.1, 1));
    magnet.swarm.add_candidate(given(address));
    let mut liar = TestPeer::accept(&listener).await;
    liar.shake(handshake(info.1, 2, false)).await;
    liar.say_extended(0, our_extended(1, Some(30_000), false)).await;
    let asked = |message: &Message| match message {
        Message::Extended { id: OUR_METADATA_ID, payload } => metadata::Exchange::from_bytes(payload),
        _ => None,
    };
    let metadata::Exchange::Request(first) = liar.hear_until(asked).await else { panic!("a request") };
    let metadata::Exchange::Request(second) = liar.hear_until(asked).await else { panic!("a request") };
    let false_one = Bytes::from(vec![7; 30_000]);
    for piece in [first, second] {
        let answer = metadata::Exchange::answer(piece, &false_one);
        let metadata::Exchange::Data { data, .. } = &answer else { panic!("within") };
        liar.say_extended(OUR_METADATA_ID, [&answer.header()[..], data].concat()).await;
    }
    liar.hear_end().await;
    magnet.ended(Ending::Misbehaved(Offence::FalseMetadata)).await;
    let seed = knowing(&info, 3, Bitfield::all(PIECES));
    magnet.dial(seed.swarm.port());
    magnet
        .event(|event| matches!(event, SwarmEvent::Metadata(bytes) if *bytes == info.0).then_some(()))
        .await;
}
