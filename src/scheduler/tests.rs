use super::*;
use crate::layout::BLOCK;

const PEER: PeerId = PeerId(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::since_start(Duration::from_secs(seconds))
}

fn block(block: u32) -> BlockId {
    BlockId { piece: PieceIndex(0), block }
}

fn tell(scheduler: &mut Scheduler, now: Timestamp, input: Input) -> Vec<Output> {
    scheduler.handle_input(now, input);
    std::iter::from_fn(|| match scheduler.poll_output(now) {
        Output::Timeout(_) => None,
        output => Some(output),
    })
    .collect()
}

/// Somebody waits for the first byte of a film of one piece of two blocks; both are asked of its only peer, a seed.
fn with_one_peer() -> Scheduler {
    let layout = Layout::new(u64::from(2 * BLOCK), 2 * BLOCK).expect("fair");
    let span = FileSpan { offset: 0, length: layout.total() };
    let mut scheduler = Scheduler::new(layout, Config::default(), 1);
    let reader = ReaderId(1);
    let mut outputs = Vec::new();
    for input in [
        Input::ReaderOpened { reader, span, head: 0, rate: None, until: None },
        Input::ReaderMoved { reader, head: 0, waiting: true },
        Input::PeerConnected { peer: PEER, latency: None },
        Input::PeerBitfield { peer: PEER, have: Bitfield::all(1) },
        Input::PeerUnchoked { peer: PEER },
    ] {
        outputs.extend(tell(&mut scheduler, at(0), input));
    }
    let asked = [0, 1].map(|number| Output::Request { peer: PEER, block: block(number) });
    assert_eq!(outputs, asked);
    scheduler
}

#[test]
fn a_peer_that_fell_silent_and_then_chokes_us_is_not_dropped_for_its_silence() {
    let is_drop = |output: &Output| matches!(output, Output::Drop { .. });
    for (chokes, is_dropped) in [(false, true), (true, false)] {
        let mut scheduler = with_one_peer();
        let taken_back = tell(&mut scheduler, at(30), Input::TimeoutReached);
        assert_eq!(taken_back.len(), 2, "it is snubbed: {taken_back:?}");
        if chokes {
            tell(&mut scheduler, at(31), Input::PeerChoked { peer: PEER });
        }
        let outputs = tell(&mut scheduler, at(100), Input::TimeoutReached);
        assert_eq!(outputs.iter().any(is_drop), is_dropped);
    }
}

#[test]
fn a_wrong_hash_of_a_piece_that_is_not_being_hashed_accuses_nobody() {
    let mut scheduler = with_one_peer();
    let failed = Input::PieceFailed { piece: PieceIndex(0) };
    tell(&mut scheduler, at(0), Input::BlockArrived { peer: PEER, block: block(0) });
    assert_eq!(tell(&mut scheduler, at(0), failed.clone()), []);
    let verify = tell(&mut scheduler, at(0), Input::BlockArrived { peer: PEER, block: block(1) });
    assert_eq!(verify, [Output::Verify { piece: PieceIndex(0) }]);
    // The disk lost a block while it was hashed.
    tell(&mut scheduler, at(0), Input::BlockLost { block: block(0) });
    assert_eq!(tell(&mut scheduler, at(0), failed.clone()), []);
    assert_eq!(scheduler.counts().failed_pieces, 0);
    assert!(scheduler.wants(block(0)) && !scheduler.wants(block(1)));
    tell(&mut scheduler, at(0), Input::BlockArrived { peer: PEER, block: block(0) });
    let liar = Output::Drop { peer: PEER, why: Misbehaviour::Lied };
    assert!(tell(&mut scheduler, at(0), failed).contains(&liar));
}

#[test]
fn while_nothing_is_in_flight_nothing_is_watched() {
    let mut scheduler = with_one_peer();
    let Output::Timeout(soon) = scheduler.poll_output(at(1)) else { panic!("all is drained") };
    assert_eq!(soon, at(1) + hot_swap::WATCH_EVERY);
    tell(&mut scheduler, at(2), Input::PeerLeft { peer: PEER });
    let Output::Timeout(later) = scheduler.poll_output(at(2)) else { panic!("all is drained") };
    assert_eq!(later, at(2) + Duration::from_millis(250));
}

#[test]
fn a_peer_that_owes_blocks_for_longer_than_the_user_waits_is_dropped() {
    let drop = Output::Drop { peer: PEER, why: Misbehaviour::Silent };
    for (timeout, when) in [(1, 1), (5, 5)] {
        let mut scheduler = with_one_peer();
        scheduler.config.peer_timeout = Some(Duration::from_secs(timeout));
        let before = at(when).elapsed() - Duration::from_millis(1);
        let outputs = tell(&mut scheduler, Timestamp::since_start(before), Input::TimeoutReached);
        assert!(!outputs.contains(&drop), "{outputs:?}");
        assert!(tell(&mut scheduler, at(when), Input::TimeoutReached).contains(&drop));
    }
}

#[test]
fn what_comes_and_who_brings_it_can_be_seen() {
    let mut scheduler = with_one_peer();
    let both = || std::iter::once(0..u64::from(2 * BLOCK));
    assert!(scheduler.coming().eq(both()), "in flight");
    let paces = |scheduler: &Scheduler, seconds| scheduler.peer_paces(at(seconds)).collect::<Vec<_>>();
    let fresh = PeerPace { peer: PEER, rate: ByteRate::ZERO, latency: None, in_flight: 2 };
    assert_eq!(paces(&scheduler, 0), [fresh]);

    tell(&mut scheduler, at(1), Input::BlockArrived { peer: PEER, block: block(0) });
    assert!(scheduler.coming().eq(both()), "one has come, one is in flight");
    let pace = paces(&scheduler, 1)[0];
    assert!(pace.rate > ByteRate::ZERO && pace.latency.is_some() && pace.in_flight == 1, "{pace:?}");
    assert_eq!(paces(&scheduler, 10)[0].rate, ByteRate::ZERO, "it has sent nothing lately");

    tell(&mut scheduler, at(10), Input::PeerLeft { peer: PEER });
    assert!(scheduler.coming().eq(std::iter::once(0..u64::from(BLOCK))), "what it owed will not come");
    tell(&mut scheduler, at(10), Input::PieceVerified { piece: PieceIndex(0), lies: Vec::new() });
    assert_eq!(scheduler.coming().count(), 0);
    assert_eq!(paces(&scheduler, 10), []);
}
