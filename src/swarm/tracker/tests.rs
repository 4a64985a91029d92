use super::*;

const PORT: u16 = 6881;

fn at(seconds: u64) -> Timestamp {
    Timestamp::since_start(Duration::from_secs(seconds))
}

fn situation(left: u64, alone: bool) -> Situation {
    Situation { progress: Progress { left, ..Progress::default() }, alone }
}

fn left(left: u64) -> Progress {
    Progress { uploaded: 0, downloaded: 0, left }
}

fn peers(count: u8) -> Vec<SocketAddr> {
    (1..=count).map(|i| SocketAddr::from(([10, 0, 0, i], 1))).collect()
}

fn answer(peers: Vec<SocketAddr>) -> Answer {
    Answer { interval: Some(Duration::from_secs(1800)), peers, ..Answer::default() }
}

/// A tracker that has been asked for the first time, at 0 s, and has ended so.
fn after(result: Result<Answer, Failure>) -> Tracker {
    let mut tracker = Tracker::new(at(0), PORT);
    assert_eq!(tracker.next_at(), Some(at(0)));
    assert_eq!(tracker.begin(left(10)).event, Some(Event::Started));
    assert_eq!(tracker.next_at(), None);
    tracker.handle_result(at(0), &result);
    tracker
}

#[test]
fn started_is_said_until_it_is_heard_then_nothing() {
    let mut tracker = after(Err(Failure::Timeout));
    assert_eq!(tracker.next_at(), Some(at(5)));
    assert_eq!(tracker.begin(left(10)).event, Some(Event::Started));
    tracker.handle_result(at(10), &Ok(answer(peers(3))));
    assert_eq!(tracker.next_at(), Some(at(1810)));
    assert_eq!(tracker.begin(left(10)).event, None);
}

#[test]
fn the_end_is_announced_once_and_at_once() {
    let mut tracker = after(Ok(answer(peers(3))));
    tracker.on_situation(at(20), situation(1, false));
    assert_eq!(tracker.next_at(), Some(at(1800)));
    tracker.on_situation(at(30), situation(0, false));
    assert_eq!(tracker.next_at(), Some(at(30)));
    assert_eq!(tracker.begin(left(0)).event, Some(Event::Completed));
    tracker.handle_result(at(31), &Ok(answer(peers(3))));
    tracker.on_situation(at(40), situation(0, false));
    assert_eq!(tracker.next_at(), Some(at(1831)));
    assert_eq!(tracker.begin(left(0)).event, None);
}

#[test]
fn who_had_everything_from_the_start_completes_nothing() {
    let mut tracker = Tracker::new(at(0), PORT);
    tracker.begin(left(0));
    tracker.handle_result(at(0), &Ok(answer(peers(1))));
    tracker.on_situation(at(1), situation(0, false));
    assert_eq!(tracker.next_at(), Some(at(1800)));
}

#[test]
fn farewell_is_said_to_whom_we_have_greeted() {
    assert_eq!(Tracker::new(at(0), PORT).stop(left(1)), None);
    assert_eq!(after(Err(Failure::Refused)).stop(left(1)), None);
    let farewell = after(Ok(answer(peers(1)))).stop(left(1)).expect("it knows us");
    assert_eq!((farewell.event, farewell.wanted), (Some(Event::Stopped), 0));
    let mut under_way = Tracker::new(at(0), PORT);
    under_way.begin(left(1));
    assert!(under_way.stop(left(1)).is_some());
    assert_eq!(under_way.stop(left(1)), None);
}

#[test]
fn while_nobody_is_found_it_is_asked_sooner_and_then_less_and_less() {
    let mut tracker = after(Ok(answer(vec![])));
    assert_eq!(tracker.next_at(), Some(at(15)));
    for wait in [30, 60, 120, 240, 480, 960, 1800, 1800] {
        tracker.begin(left(1));
        tracker.handle_result(at(0), &Ok(answer(vec![])));
        assert_eq!(tracker.next_at(), Some(at(wait)));
    }
    tracker.begin(left(1));
    tracker.handle_result(at(0), &Ok(answer(peers(1))));
    assert_eq!(tracker.next_at(), Some(at(1800)));
    tracker.begin(left(1));
    tracker.handle_result(at(0), &Ok(answer(vec![])));
    assert_eq!(tracker.next_at(), Some(at(15)));
}

#[test]
fn while_we_are_alone_it_is_asked_again_as_soon_as_it_may_be_and_no_sooner() {
    let named = |min_interval: Option<u64>| {
        Ok(Answer { min_interval: min_interval.map(Duration::from_secs), ..answer(peers(3)) })
    };
    for (min_interval, soon) in [(Some(300), 300), (Some(1), 30), (Some(4000), 1800), (None, 60)] {
        let mut tracker = after(named(min_interval));
        assert_eq!(tracker.next_at(), Some(at(1800)), "those it named are yet to be tried");
        tracker.on_situation(at(20), situation(10, true));
        assert_eq!(tracker.next_at(), Some(at(soon)), "{min_interval:?}");
        tracker.on_situation(at(29), situation(10, false));
        assert_eq!(tracker.next_at(), Some(at(1800)), "somebody came");
    }
}

#[test]
fn a_tracker_without_a_least_interval_is_asked_less_and_less_while_we_stay_alone() {
    let mut tracker = after(Ok(answer(peers(3))));
    for wait in [60, 120, 240, 480, 960, 1800, 1800] {
        tracker.on_situation(at(0), situation(10, true));
        assert_eq!(tracker.next_at(), Some(at(wait)));
        tracker.begin(left(10));
        tracker.handle_result(at(0), &Ok(answer(peers(3))));
    }
    // One that was not made for loneliness: the count begins anew.
    tracker.begin(left(10));
    tracker.handle_result(at(0), &Ok(answer(peers(3))));
    tracker.on_situation(at(0), situation(10, true));
    assert_eq!(tracker.next_at(), Some(at(60)));
}

#[test]
fn a_tracker_that_names_nobody_is_not_asked_sooner_for_loneliness() {
    let nobody = Answer { min_interval: Some(Duration::from_secs(1)), ..answer(Vec::new()) };
    let mut tracker = after(Ok(nobody.clone()));
    for wait in [15, 30, 60, 120, 240] {
        tracker.on_situation(at(0), situation(10, true));
        assert_eq!(tracker.next_at(), Some(at(wait)));
        tracker.begin(left(10));
        tracker.handle_result(at(0), &Ok(nobody.clone()));
    }
}

#[test]
fn a_failure_is_not_retried_sooner_for_loneliness() {
    let mut tracker = after(Ok(answer(peers(3))));
    tracker.on_situation(at(60), situation(10, true));
    tracker.begin(left(10));
    tracker.handle_result(at(60), &Err(Failure::NoAddress(Family::V6)));
    tracker.on_situation(at(70), situation(10, true));
    assert_eq!(tracker.next_at(), Some(at(1860)));
}

#[test]
fn our_own_address_is_nobody() {
    let ourselves = vec![SocketAddr::from(([1, 2, 3, 4], PORT))];
    assert_eq!(after(Ok(answer(ourselves.clone()))).next_at(), Some(at(15)));
    let with_seeds = Answer { seeders: Some(1), ..answer(ourselves) };
    assert_eq!(after(Ok(with_seeds)).next_at(), Some(at(1800)));
}

#[test]
fn what_a_tracker_wants_is_respected_within_reason() {
    let wants = |interval, min_interval, peers| Answer {
        interval: Some(Duration::from_secs(interval)),
        min_interval: Some(Duration::from_secs(min_interval)),
        peers,
        ..Answer::default()
    };
    for (answer, next) in [
        (wants(1, 1, peers(1)), 30),
        (wants(4_000_000_000, 1, peers(1)), 7200),
        (wants(1800, 60, vec![]), 60),
        (wants(1800, 4_000_000_000, vec![]), 1800),
        (wants(60, 900, vec![]), 60),
        (Answer { peers: peers(1), ..Answer::default() }, 1800),
    ] {
        assert_eq!(after(Ok(answer.clone())).next_at(), Some(at(next)), "{answer:?}");
    }
}

#[test]
fn failures_are_retried_by_their_kind() {
    let said = |retry| Failure::Said { text: "no".to_owned(), retry };
    for (failure, next) in [
        (Failure::DnsFailed, Some(5)),
        (Failure::Refused, Some(5)),
        (Failure::HttpStatus(503), Some(5)),
        (Failure::BadReply("?".to_owned()), Some(5)),
        (Failure::NoAddress(Family::V6), Some(1800)),
        (said(None), Some(60)),
        (said(Some(Retry::After(Duration::from_secs(300)))), Some(300)),
        (said(Some(Retry::After(Duration::MAX))), Some(7200)),
        (said(Some(Retry::Never)), None),
        (Failure::Unsupported("wss".to_owned()), None),
    ] {
        assert_eq!(after(Err(failure.clone())).next_at(), next.map(at), "{failure:?}");
    }
    let mut tracker = after(Err(Failure::Timeout));
    for wait in [10, 20, 40, 80, 160, 320, 600, 600] {
        tracker.begin(left(1));
        tracker.handle_result(at(0), &Err(Failure::Timeout));
        assert_eq!(tracker.next_at(), Some(at(wait)));
    }
}

#[test]
fn a_tracker_hears_its_id_again() {
    let mut tracker = after(Ok(Answer { tracker_id: Some(b"x".to_vec()), ..answer(peers(1)) }));
    assert_eq!(tracker.begin(left(1)).tracker_id.as_deref(), Some(&b"x"[..]));
    tracker.handle_result(at(0), &Ok(answer(peers(1))));
    assert_eq!(tracker.stop(left(1)).and_then(|announce| announce.tracker_id).as_deref(), Some(&b"x"[..]));
}

#[test]
fn addresses_that_no_peer_can_have_are_left_out() {
    for address in ["0.0.0.0:1", "1.2.3.4:0", "224.0.0.1:1", "255.255.255.255:1", "[::]:1", "[ff02::1]:1"] {
        assert_eq!(usable(address.parse().expect("an address")), None, "{address}");
    }
    let mapped = "[::ffff:1.2.3.4]:5".parse().expect("an address");
    assert_eq!(usable(mapped), "1.2.3.4:5".parse().ok());
}

#[test]
fn outcomes_are_told_in_words() {
    let outcome = Outcome::Answered { peers: 12, seeders: Some(5), leechers: Some(7), warning: None };
    assert_eq!(outcome.to_string(), "it answered with 12 peers (of 5 seeds, 7 leeches)");
    assert_eq!(Outcome::Failed(Failure::Refused).to_string(), "it refused the connection");
}

#[test]
fn after_a_farewell_it_is_greeted_anew_at_once_but_not_sooner_than_failures_allow() {
    let answered = Ok(Answer { peers: vec!["198.51.100.1:1".parse().expect("fair")], ..Answer::default() });
    let progress = Progress { left: 1, ..Progress::default() };
    let mut tracker = Tracker::new(at(0), 6881);
    tracker.begin(progress);
    tracker.handle_result(at(0), &answered);
    assert!(tracker.stop(progress).is_some_and(|announce| announce.event == Some(Event::Stopped)));
    tracker.resume(at(7));
    assert_eq!(tracker.next_at(), Some(at(7)));
    assert_eq!(tracker.begin(progress).event, Some(Event::Started));
    tracker.handle_result(at(7), &Err(Failure::Timeout));
    assert_eq!(tracker.stop(progress), None);
    tracker.resume(at(8));
    assert_eq!(tracker.next_at(), Some(at(12)));
}
