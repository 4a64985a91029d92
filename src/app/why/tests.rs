use std::time::Duration;

use super::*;
use crate::net::Family;
use crate::scheduler::PeerId;
use crate::swarm::discovery::WhyOff;
use crate::swarm::{Offence, Origin, PeerReport, SwarmCounts};

fn source(whom: Whom, found: usize, last: Option<Outcome>) -> SourceReport {
    let answered = u32::from(matches!(last, Some(Outcome::Answered { .. })));
    SourceReport {
        whom,
        doing: if last.is_some() {
            Doing::Waiting { again_in: Duration::from_secs(60) }
        } else {
            Doing::Asking
        },
        asked: 1,
        answered,
        found,
        last: last.map(|outcome| (outcome, Duration::from_secs(3))),
        nodes: None,
    }
}

fn tracker(name: &str, outcome: Option<Outcome>) -> SourceReport {
    let found = match outcome {
        Some(Outcome::Answered { peers, .. }) => peers,
        _ => 0,
    };
    source(Whom::Tracker { url: format!("udp://{name}/"), family: Some(Family::V4) }, found, outcome)
}

fn failed(failure: Failure) -> Option<Outcome> {
    Some(Outcome::Failed(failure))
}

fn answered(peers: usize) -> Option<Outcome> {
    Some(Outcome::Answered { peers, seeders: None, leechers: None, warning: None })
}

fn dht(found: usize, nodes: usize) -> SourceReport {
    SourceReport { doing: Doing::Listening, nodes: Some(nodes), ..source(Whom::Dht, found, None) }
}

fn whereabouts(sources: Vec<SourceReport>, failed: &[(Ending, usize)], connected: usize) -> Whereabouts {
    Whereabouts {
        phase: Phase::Streaming,
        sources,
        counts: SwarmCounts { connected, ..SwarmCounts::default() },
        failed: failed.iter().copied().collect(),
        peers: (0..connected).map(|number| peer(number, 10)).collect(),
        trouble: None,
    }
}

fn peer(number: usize, have: u32) -> PeerReport {
    PeerReport {
        peer: PeerId(number as u32),
        address: ([192, 0, 2, number as u8], 6881).into(),
        origin: Origin::Tracker,
        client: None,
        since: Duration::from_secs(9),
        have,
        choking: true,
        interested: false,
        downloaded: 0,
        uploaded: 0,
        rate: 0,
        latency: None,
        in_flight: 0,
        incoming: false,
    }
}

fn stalled() -> Statistics {
    Statistics { stalled_readers: 1, ..Statistics::default() }
}

#[track_caller]
fn told(whereabouts: &Whereabouts, statistics: &Statistics, sentence: &str) {
    assert_eq!(why(whereabouts, statistics, false).as_deref(), Some(sentence));
}

#[test]
fn everything_that_can_go_wrong_before_the_first_block() {
    let sources = vec![
        tracker("a", failed(Failure::Timeout)),
        tracker("b", failed(Failure::Timeout)),
        tracker("c", failed(Failure::Timeout)),
        tracker("d", answered(0)),
        dht(41, 100),
    ];
    let endings = [
        (Ending::Refused, 22),
        (Ending::ConnectTimeout, 12),
        (Ending::ClosedBeforeHandshake, 5),
        (Ending::Duplicate, 9),
    ];
    told(
        &whereabouts(sources, &endings, 2),
        &stalled(),
        "3 of 4 trackers timed out, 1 of 4 trackers knows nobody, the DHT gave 41 peers: 22 refused, 12 did not answer, \
         5 closed at once, 2 connected and choke us",
    );
}

#[test]
fn nobody_to_ask() {
    let nobody = "there is nobody to ask for peers: no tracker, and neither the DHT nor the local network";
    told(&whereabouts(Vec::new(), &[], 0), &stalled(), nobody);
    let private = SourceReport { doing: Doing::Off(WhyOff::Private), ..dht(0, 0) };
    told(&whereabouts(vec![private], &[], 0), &stalled(), nobody);
}

#[test]
fn peers_that_were_named_by_hand() {
    let by_hand = whereabouts(Vec::new(), &[(Ending::Refused, 1)], 0);
    told(&by_hand, &stalled(), "of the peers that are known 1 refused");
    let dead = vec![tracker("a", failed(Failure::Refused))];
    told(
        &whereabouts(dead, &[(Ending::Misbehaved(Offence::Unasked), 1), (Ending::Banned, 1)], 0),
        &stalled(),
        "the tracker refused the connection; of the peers that are known 2 misbehaved",
    );
}

#[test]
fn a_beginning_is_no_failure() {
    let mut begun = whereabouts(vec![tracker("a", None), tracker("b", None), dht(0, 0)], &[], 0);
    told(&begun, &stalled(), "both trackers are being asked, the DHT is still being joined");
    begun.sources[2] = dht(0, 7);
    begun.sources[0] = tracker("a", answered(3));
    begun.counts.dialling = 3;
    told(
        &begun,
        &stalled(),
        "1 of 2 trackers is being asked, the DHT knows nobody so far, 1 of 2 trackers gave 3 peers: 3 are being tried",
    );
}

#[test]
fn a_tracker_with_two_addresses_is_one_and_its_better_half_counts() {
    let mut v6 = tracker("a", failed(Failure::NoAddress(Family::V6)));
    v6.whom = Whom::Tracker { url: "udp://a/".to_owned(), family: Some(Family::V6) };
    let waiting = whereabouts(vec![v6, tracker("a", answered(1))], &[(Ending::ConnectTimeout, 1)], 0);
    told(&waiting, &stalled(), "the tracker gave 1 peer: 1 did not answer");
}

#[test]
fn the_metadata_has_to_come_first() {
    let mut waiting = whereabouts(vec![tracker("a", failed(Failure::DnsFailed))], &[], 0);
    waiting.phase = Phase::Metadata;
    let nothing = Statistics::default();
    told(
        &waiting,
        &nothing,
        "the list of files has to come from a peer, and there is none: the tracker could not be looked up",
    );
    waiting.counts.connected = 1;
    told(
        &waiting,
        &nothing,
        "1 peer is connected and was asked for the list of files, and has not sent it yet",
    );
    waiting.counts.connected = 0;
    waiting.sources =
        vec![SourceReport { last: Some((Outcome::Failed(Failure::DnsFailed), Duration::ZERO)), ..dht(0, 0) }];
    told(
        &waiting,
        &nothing,
        "the list of files has to come from a peer, and there is none: the DHT cannot be joined, since no name can be \
         looked up (is this computer offline?); the link names no tracker",
    );
}

#[test]
fn peers_that_have_nothing() {
    let mut waiting = whereabouts(Vec::new(), &[], 2);
    waiting.peers = vec![peer(0, 0), peer(1, 0)];
    told(&waiting, &stalled(), "2 peers are connected, and none has a piece yet");
}

#[test]
fn all_choke() {
    let waiting = whereabouts(vec![tracker("a", answered(1))], &[], 1);
    told(&waiting, &stalled(), "the tracker gave 1 peer: 1 connected and chokes us");
}

#[test]
fn peers_that_could_send_and_do_not() {
    let waiting = whereabouts(Vec::new(), &[], 3);
    let statistics = Statistics { unchoking: 2, ..stalled() };
    told(
        &waiting,
        &statistics,
        "2 of 3 peers let us ask, and what is needed now has not come: they may lack that piece, or be slow",
    );
}

#[test]
fn what_comes_comes_slowly() {
    let waiting = whereabouts(Vec::new(), &[], 3);
    let statistics = Statistics { unchoking: 2, download_rate: 120_000, ..stalled() };
    told(
        &waiting,
        &statistics,
        "2 peers bring 120.0 kB/s, and the piece that is needed now is still on its way",
    );
}

#[test]
fn what_hides_all_else_is_told_first() {
    let mut waiting = whereabouts(Vec::new(), &[], 0);
    assert_eq!(why(&waiting, &stalled(), true).as_deref(), Some("it is paused: nothing is asked for"));
    waiting.trouble = Some("no space left on device".to_owned());
    let full = "the disk refuses to keep what comes: no space left on device";
    assert_eq!(why(&waiting, &stalled(), true).as_deref(), Some(full));
    waiting.phase = Phase::Failed("it has no files".to_owned());
    told(&waiting, &stalled(), "the torrent cannot be opened: it has no files");
    waiting.phase = Phase::Closed;
    assert_eq!(why(&waiting, &stalled(), false), None);
}

#[test]
fn a_cause_becomes_a_sentence() {
    assert_eq!(sentence("the disk is full"), "The disk is full.");
    assert_eq!(sentence(""), ".");
}
