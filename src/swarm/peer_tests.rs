//! One peer's conversation, without a socket.

use proptest::prelude::*;

use super::*;
use crate::layout::BLOCK;
use crate::swarm::codec::Decoder;

const PIECE: u32 = 2 * BLOCK;

fn layout() -> Arc<Layout> {
    Arc::new(Layout::new(10 * u64::from(PIECE), PIECE).expect("a fair layout"))
}

fn peer(fast: bool) -> Peer {
    Peer::new(PeerId(1), "127.0.0.1:1".parse().expect("an address"), None, fast)
}

fn known(fast: bool) -> (Peer, Ours) {
    let mut peer = peer(fast);
    peer.learn(layout()).expect("nothing said yet");
    peer.events.clear();
    let ours = Ours::default();
    ours.set(Bitfield::all(10));
    (peer, ours)
}

fn block(piece: u32, block: u32) -> BlockId {
    BlockId { piece: PieceIndex(piece), block }
}

fn said(peer: &mut Peer) -> Vec<Message> {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    loop {
        let bytes = peer.outbox.next().to_vec();
        if bytes.is_empty() {
            return messages;
        }
        peer.outbox.advance(bytes.len());
        let mut input = &bytes[..];
        while let Some(message) = decoder.next(&mut input).expect("our own") {
            messages.push(message);
        }
    }
}

fn told(peer: &mut Peer) -> Vec<String> {
    peer.events
        .drain(..)
        .map(|event| format!("{event:?}").split_whitespace().next().unwrap_or("").to_owned())
        .collect()
}

#[test]
fn before_the_layout_nothing_is_told_and_then_all_in_order() {
    let (mut peer, ours) = (peer(false), Ours::default());
    for message in [
        Message::Bitfield(Bytes::from_static(&[0xff, 0x00])),
        Message::Have(9),
        Message::Unchoke,
        Message::Interested,
    ] {
        peer.on_message(message, &ours).expect("fair");
    }
    peer.set_queue_limit(77);
    assert!(peer.events.is_empty());
    peer.learn(layout()).expect("fits");
    assert_eq!(peer.have_count(), 9);
    assert_eq!(told(&mut peer), ["Connected", "QueueLimit", "Bitfield", "Unchoked", "Interested"]);
}

#[test]
fn what_was_said_early_must_fit_the_layout() {
    for (message, offence) in [
        (Message::Bitfield(Bytes::from_static(&[0xff])), Offence::BadBitfield),
        (Message::Bitfield(Bytes::from_static(&[0xff, 0, 0])), Offence::BadBitfield),
        (Message::Have(99), Offence::BadHave),
    ] {
        let mut early = peer(false);
        early.on_message(message.clone(), &Ours::default()).expect("who knows");
        assert_eq!(early.learn(layout()), Err(offence));
        let (mut late, ours) = known(false);
        assert_eq!(late.on_message(message, &ours), Err(offence));
    }
    let error = peer(false).on_message(Message::Have(u32::MAX), &Ours::default());
    assert_eq!(error, Err(Offence::BadHave));
}

#[test]
fn one_that_has_all_early_has_all() {
    let mut early = peer(true);
    early.on_message(Message::HaveAll, &Ours::default()).expect("fair");
    early.learn(layout()).expect("fits");
    assert!(early.has_all());
}

#[test]
fn blocks_asked_for_come_and_others_are_counted() {
    let (mut peer, ours) = known(false);
    peer.on_command(PeerCommand::Request(block(1, 1)));
    assert_eq!(said(&mut peer), [Message::Request(Ask { index: 1, begin: BLOCK, length: BLOCK })]);
    let data = Bytes::from(vec![0; BLOCK as usize]);
    let piece = |index, begin| Message::Piece { index, begin, data: data.clone() };
    peer.on_message(piece(1, BLOCK), &ours).expect("asked");
    assert_eq!(told(&mut peer), ["Block"]);
    let mut unasked = 0;
    let offence = loop {
        match peer.on_message(piece(2, 0), &ours) {
            Ok(_) => unasked += 1,
            Err(offence) => break offence,
        }
    };
    assert_eq!((unasked, offence), (MOST_UNASKED / u64::from(BLOCK), Offence::Unasked));
    assert_eq!(peer.on_message(piece(2, 5), &ours), Err(Offence::BadBlock));
    assert_eq!(peer.on_message(piece(10, 0), &ours), Err(Offence::BadBlock));
}

#[test]
fn what_was_cancelled_may_still_come_and_its_reject_is_no_news() {
    let (mut peer, ours) = known(true);
    for index in [0, 1] {
        peer.on_command(PeerCommand::Request(block(index, 0)));
    }
    peer.on_command(PeerCommand::Cancel(block(0, 0)));
    peer.on_command(PeerCommand::Cancel(block(0, 0)));
    peer.on_command(PeerCommand::Cancel(block(5, 0)));
    assert_eq!(said(&mut peer).len(), 3);
    for index in [0, 1, 2] {
        peer.on_message(Message::Reject(Ask { index, begin: 0, length: BLOCK }), &ours).expect("fair");
    }
    assert_eq!(told(&mut peer), ["Rejected"]);
}

#[test]
fn a_peer_is_served_only_what_we_have_while_it_is_not_choked() {
    let (mut peer, ours) = known(true);
    let ask = Ask { index: 1, begin: 0, length: BLOCK };
    peer.on_message(Message::Request(ask), &ours).expect("fair");
    assert_eq!(said(&mut peer), [Message::Reject(ask)]);
    peer.on_command(PeerCommand::Choke(false));
    for bad in [
        Ask { index: 10, ..ask },
        Ask { begin: PIECE, ..ask },
        Ask { length: 0, ..ask },
        Ask { length: LONGEST_ASK + 1, ..ask },
        Ask { begin: u32::MAX, length: u32::MAX, ..ask },
    ] {
        peer.on_message(Message::Request(bad), &ours).expect("ignored");
    }
    assert!(told(&mut peer).is_empty());
    peer.on_message(Message::Request(ask), &ours).expect("fair");
    peer.on_message(Message::Request(ask), &ours).expect("twice is once");
    assert_eq!(told(&mut peer), ["Wanted"]);
    said(&mut peer);
    let data = Bytes::from(vec![3; BLOCK as usize]);
    let send = || PeerCommand::Send { piece: PieceIndex(1), begin: 0, data: data.clone() };
    peer.on_command(send());
    peer.on_command(send());
    assert_eq!(said(&mut peer), [Message::Piece { index: 1, begin: 0, data: data.clone() }]);
    assert_eq!(peer.outbox.take_uploaded(), u64::from(BLOCK));
}

#[test]
fn a_choke_and_a_cancel_take_back_what_has_not_gone() {
    let (mut peer, ours) = known(true);
    peer.on_command(PeerCommand::Choke(false));
    let ask = |index| Ask { index, begin: 0, length: BLOCK };
    for index in 0..3 {
        peer.on_message(Message::Request(ask(index)), &ours).expect("fair");
    }
    peer.on_command(PeerCommand::Send {
        piece: PieceIndex(0),
        begin: 0,
        data: Bytes::from(vec![0; BLOCK as usize]),
    });
    peer.on_message(Message::Cancel(ask(0)), &ours).expect("fair");
    peer.on_message(Message::Cancel(ask(1)), &ours).expect("fair");
    peer.on_command(PeerCommand::Choke(true));
    assert_eq!(
        said(&mut peer),
        [
            Message::Unchoke,
            Message::Reject(ask(0)),
            Message::Reject(ask(1)),
            Message::Choke,
            Message::Reject(ask(2)),
        ]
    );
    assert_eq!(told(&mut peer), ["Wanted", "Wanted", "Wanted", "Unwanted"]);
}

#[test]
fn the_queue_of_wants_is_bounded() {
    let (mut peer, ours) = known(false);
    peer.on_command(PeerCommand::Choke(false));
    for begin in 0..1000 {
        peer.on_message(Message::Request(Ask { index: 0, begin, length: 1 }), &ours).expect("fair");
    }
    assert_eq!(peer.events.len(), OUR_QUEUE_LIMIT as usize);
}

#[test]
fn seeds_are_not_told_what_we_have_and_interest_is_told_when_it_changes() {
    let (mut peer, ours) = known(false);
    peer.announce(PieceIndex(4));
    peer.on_message(Message::Bitfield(Bytes::from_static(&[0xff, 0xc0])), &ours).expect("all ten");
    peer.announce(PieceIndex(5));
    for interest in [true, false, false, true] {
        peer.on_command(PeerCommand::Interest(interest));
    }
    assert_eq!(said(&mut peer), [Message::Have(4), Message::NotInterested, Message::Interested]);
}

#[test]
fn the_driver_is_told_of_wants_as_the_line_takes_them() {
    let (mut peer, ours) = known(false);
    peer.on_command(PeerCommand::Choke(false));
    for index in 0..10 {
        for block in 0..2 {
            let ask = Ask { index, begin: block * BLOCK, length: BLOCK };
            peer.on_message(Message::Request(ask), &ours).expect("fair");
        }
    }
    let most = MOST_UNDER_WAY / BLOCK as usize;
    assert_eq!(peer.events.len(), most);
    // One of those that nobody was told of is taken back without a word.
    peer.on_message(Message::Cancel(Ask { index: 9, begin: BLOCK, length: BLOCK }), &ours).expect("fair");
    assert_eq!(peer.events.len(), most);
    let data = Bytes::from(vec![1; BLOCK as usize]);
    peer.on_command(PeerCommand::Send { piece: PieceIndex(0), begin: 0, data: data.clone() });
    peer.tell_wants();
    assert_eq!(peer.events.len(), most);
    said(&mut peer);
    peer.tell_wants();
    assert_eq!(peer.events.len(), most + 1);
    for index in 0..10 {
        for block in 0..2 {
            let (piece, begin) = (PieceIndex(index), block * BLOCK);
            peer.on_command(PeerCommand::Send { piece, begin, data: data.clone() });
            said(&mut peer);
            peer.tell_wants();
        }
    }
    assert_eq!(peer.events.len(), 19);
}

fn any_ask() -> impl Strategy<Value = Ask> {
    (0..12u32, prop_oneof![0..3 * BLOCK, Just(0), Just(BLOCK)], prop_oneof![0..2 * BLOCK, Just(BLOCK)])
        .prop_map(|(index, begin, length)| Ask { index, begin, length })
}

fn any_step() -> impl Strategy<Value = Result<Message, PeerCommand>> {
    let message = prop_oneof![
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        (0..12u32).prop_map(Message::Have),
        any_ask().prop_map(Message::Request),
        any_ask().prop_map(Message::Cancel),
        any_ask().prop_map(Message::Reject),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(|bits| Message::Bitfield(Bytes::from(bits))),
        any_ask().prop_map(|ask| Message::Piece {
            index: ask.index,
            begin: ask.begin,
            data: Bytes::from(vec![0; ask.length as usize]),
        }),
    ];
    let block = || (0..12u32, 0..3u32).prop_map(|(piece, index)| block(piece, index));
    prop_oneof![
        message.prop_map(Ok),
        block().prop_map(|block| Err(PeerCommand::Request(block))),
        block().prop_map(|block| Err(PeerCommand::Cancel(block))),
        any::<bool>().prop_map(|choke| Err(PeerCommand::Choke(choke))),
        any_ask().prop_map(|ask| Err(PeerCommand::Send {
            piece: PieceIndex(ask.index),
            begin: ask.begin,
            data: Bytes::from(vec![0; ask.length as usize]),
        })),
    ]
}

proptest! {
    /// No conversation panics, and each block comes with the length that the layout says.
    #[test]
    fn anything_may_be_said_in_any_order(
        steps in proptest::collection::vec(any_step(), 0..60),
        fast in any::<bool>(),
        learn_after in 0usize..60,
    ) {
        let mut peer = peer(fast);
        let ours = Ours::default();
        for (at, step) in steps.into_iter().enumerate() {
            if at == learn_after {
                ours.set(Bitfield::all(10));
                if peer.learn(layout()).is_err() {
                    return Ok(());
                }
            }
            match step {
                Ok(message) => if peer.on_message(message, &ours).is_err() { return Ok(()) },
                Err(command) => peer.on_command(command),
            }
            prop_assert!(peer.told_wants <= peer.wanted.len());
            prop_assert!(peer.is_told() || peer.events.is_empty());
            for event in peer.events.drain(..) {
                if let SwarmEvent::Block { block, data, .. } = event {
                    prop_assert_eq!(layout().block_size(block) as usize, data.len());
                }
            }
            if at % 3 == 0 {
                said(&mut peer);
                peer.tell_wants();
            }
        }
    }
}

#[test]
fn who_says_without_end_what_it_has_is_left() {
    let (mut peer, ours) = known(true);
    let mut said = 0;
    let offence = loop {
        match peer.on_message(if said % 2 == 0 { Message::HaveAll } else { Message::HaveNone }, &ours) {
            Ok(_) => said += 1,
            Err(offence) => break offence,
        }
        assert!(said < 100, "without an end");
    };
    assert_eq!(offence, Offence::ManyBitfields);
}
