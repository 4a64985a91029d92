//! Why one is waiting, in one sentence with numbers. Pure.

use std::collections::BTreeMap;

use crate::read::Statistics;
use crate::swarm::Ending;
use crate::swarm::discovery::{Doing, Failure, Outcome, SourceReport, Whom};
use crate::torrent::{Phase, Whereabouts};
use crate::units::ByteRate;

/// The sentence, without a full stop; `None` if there is nothing to wait for. What hides the rest comes first: a torrent that
/// cannot be opened, a disk that refuses, a pause; then what the swarm lacks, from its beginning: sources, peers, their
/// consent, their pieces, their speed.
pub(super) fn why(whereabouts: &Whereabouts, statistics: &Statistics, is_paused: bool) -> Option<String> {
    let is_metadata = match &whereabouts.phase {
        Phase::Closed => return None,
        Phase::Failed(why) => return Some(format!("the torrent cannot be opened: {why}")),
        Phase::Metadata => true,
        Phase::Streaming => false,
    };
    if let Some(trouble) = &whereabouts.trouble {
        return Some(format!("the disk refuses to keep what comes: {trouble}"));
    }
    if is_paused {
        return Some("it is paused: nothing is asked for".to_owned());
    }
    let connected = whereabouts.counts.connected;
    if is_metadata {
        return Some(match connected {
            0 => format!(
                "the list of files has to come from a peer, and there is none: {}",
                account(whereabouts)
            ),
            _ => format!("the list of files is being fetched from {}", peers(connected)),
        });
    }
    if statistics.stalled_readers == 0 {
        return None;
    }
    let unchoking = statistics.unchoking.min(connected);
    let have_nothing = whereabouts.peers.iter().filter(|peer| peer.have == 0).count();
    Some(if connected == 0 || unchoking == 0 && have_nothing < connected {
        account(whereabouts)
    } else if have_nothing == connected {
        format!(
            "{}, and {} a piece yet",
            are_connected(connected),
            if connected == 1 { "it does not have" } else { "none has" }
        )
    } else if statistics.download_rate == 0 {
        let of_them = if connected == 1 {
            "the one peer lets".to_owned()
        } else {
            format!("{unchoking} of {connected} peers let")
        };
        format!("{of_them} us ask, and what is needed now has not come: they may lack that piece, or be slow")
    } else {
        let rate = ByteRate::new(statistics.download_rate as f64);
        format!("{} {rate}, and the piece that is needed now is still on its way", bring(unchoking))
    })
}

/// Where peers were looked for, and what became of those that were found.
fn account(whereabouts: &Whereabouts) -> String {
    let (failed, gave) = sources(&whereabouts.sources);
    let fates = fates(whereabouts);
    let has_given = !gave.is_empty();
    let asked: Vec<String> = failed.into_iter().chain(gave).collect();
    match (asked.is_empty(), fates.is_empty()) {
        (true, true) => {
            "there is nobody to ask for peers: no tracker, and neither the DHT nor the local network"
                .to_owned()
        }
        (true, false) => format!("of the peers that are known {}", fates.join(", ")),
        (false, true) => asked.join(", "),
        (false, false) if has_given => format!("{}: {}", asked.join(", "), fates.join(", ")),
        (false, false) => format!("{}; of the peers that are known {}", asked.join(", "), fates.join(", ")),
    }
}

/// Those that named nobody, and those that did.
fn sources(reports: &[SourceReport]) -> (Vec<String>, Vec<String>) {
    let (mut failed, mut gave) = trackers(reports);
    for report in reports {
        let name = match report.whom {
            Whom::Tracker { .. } => continue,
            Whom::Dht => "the DHT",
            Whom::Lsd => "the local network",
        };
        if report.found > 0 {
            gave.push(format!("{name} gave {}", peers(report.found)));
        } else if !matches!(report.doing, Doing::Off(_)) && report.whom == Whom::Dht {
            // That the local network is silent is the rule, and no news.
            failed.push(match report.nodes {
                Some(1..) => format!("{name} knows nobody so far"),
                _ => format!("{name} is still being joined"),
            });
        }
    }
    (failed, gave)
}

/// What has come of asking one tracker, over all of its addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tracker {
    /// It has answered once, and so all else about it is no reason.
    Answered,
    Asked,
    TimedOut,
    Refused,
    Unknown,
    Unreachable,
    SaidNo,
    Nonsense,
}

fn trackers(reports: &[SourceReport]) -> (Vec<String>, Vec<String>) {
    let mut each: BTreeMap<&str, (Tracker, usize)> = BTreeMap::new();
    for report in reports {
        let Whom::Tracker { url, .. } = &report.whom else { continue };
        let state = match (&report.last, report.doing) {
            _ if report.answered > 0 => Tracker::Answered,
            (Some((Outcome::Failed(failure), _)), _) => state_of(failure),
            (_, Doing::Asking) => Tracker::Asked,
            _ => continue,
        };
        let entry = each.entry(url).or_insert((state, 0));
        *entry = (entry.0.min(state), entry.1.max(report.found));
    }
    let total = each.len();
    let mut states: BTreeMap<Tracker, usize> = BTreeMap::new();
    for (state, _) in each.values() {
        *states.entry(*state).or_default() += 1;
    }
    let found: usize = each.values().map(|(_, found)| found).sum();
    let mut failed = Vec::new();
    let mut gave = Vec::new();
    // The most frequent first.
    let mut states: Vec<(Tracker, usize)> = states.into_iter().collect();
    states.sort_by_key(|&(state, count)| (std::cmp::Reverse(count), state));
    for (state, count) in states {
        let is_one = count == 1;
        let what = match state {
            Tracker::Answered if found > 0 => {
                gave.push(format!("{} gave {}", the_trackers(count, total), peers(found)));
                continue;
            }
            Tracker::Answered => {
                if is_one {
                    "knows nobody"
                } else {
                    "know nobody"
                }
            }
            Tracker::Asked => {
                if is_one {
                    "is being asked"
                } else {
                    "are being asked"
                }
            }
            Tracker::TimedOut => "timed out",
            Tracker::Refused => "refused the connection",
            Tracker::Unknown => "could not be looked up",
            Tracker::Unreachable => "could not be reached",
            Tracker::SaidNo => "said no",
            Tracker::Nonsense => "answered with nonsense",
        };
        failed.push(format!("{} {what}", the_trackers(count, total)));
    }
    (failed, gave)
}

fn state_of(failure: &Failure) -> Tracker {
    match failure {
        Failure::Timeout => Tracker::TimedOut,
        Failure::Refused => Tracker::Refused,
        Failure::DnsFailed => Tracker::Unknown,
        Failure::Said { .. } | Failure::HttpStatus(_) => Tracker::SaidNo,
        Failure::BadReply(_) => Tracker::Nonsense,
        Failure::NoAddress(_)
        | Failure::Near { .. }
        | Failure::LeadsNear { .. }
        | Failure::Unreachable(_)
        | Failure::BadUrl(_)
        | Failure::Unsupported(_) => Tracker::Unreachable,
    }
}

fn the_trackers(count: usize, total: usize) -> String {
    match (count, total) {
        (_, 1) => "the tracker".to_owned(),
        (count, total) if count == total => format!("all {total} trackers"),
        (count, total) => format!("{count} of {total} trackers"),
    }
}

/// What became of peers: how dials and connections ended, which are under way, and who is there.
fn fates(whereabouts: &Whereabouts) -> Vec<String> {
    let mut ended: BTreeMap<usize, (u64, &str)> = BTreeMap::new();
    for (ending, &times) in &whereabouts.counts.endings {
        if let Some((place, what)) = fate(ending) {
            ended.entry(place).or_insert((0, what)).0 += times;
        }
    }
    let mut told: Vec<(u64, String)> =
        ended.into_values().map(|(times, what)| (times, format!("{times} {what}"))).collect();
    told.sort_by_key(|(times, _)| std::cmp::Reverse(*times));
    let counts = &whereabouts.counts;
    let trying = (counts.dialling > 0).then(|| {
        let is = if counts.dialling == 1 { "is" } else { "are" };
        format!("{} {is} being tried", counts.dialling)
    });
    let there = (counts.connected > 0).then(|| {
        let choke = if counts.connected == 1 { "chokes" } else { "choke" };
        format!("{} connected and {choke} us", counts.connected)
    });
    told.into_iter().map(|(_, told)| told).chain(trying).chain(there).collect()
}

/// In words that fit any number; `None` for what is no reason to wait. Endings of the same number are one.
fn fate(ending: &Ending) -> Option<(usize, &'static str)> {
    match ending {
        Ending::Refused => Some((0, "refused")),
        Ending::ConnectTimeout => Some((1, "did not answer")),
        Ending::ClosedBeforeHandshake => Some((2, "closed at once")),
        Ending::Unreachable => Some((3, "could not be reached")),
        Ending::HandshakeTimeout => Some((4, "did not say hello")),
        Ending::NotBitTorrent => Some((5, "spoke no BitTorrent that we know")),
        Ending::WrongInfoHash => Some((6, "had another torrent")),
        Ending::ClosedAfterHandshake => Some((7, "left")),
        Ending::Idle => Some((8, "fell silent")),
        Ending::Misbehaved(_) | Ending::Banned => Some((9, "misbehaved")),
        Ending::Dropped | Ending::Replaced => Some((10, "were of no use")),
        _ => None,
    }
}

fn peers(count: usize) -> String {
    if count == 1 { "1 peer".to_owned() } else { format!("{count} peers") }
}

fn are_connected(count: usize) -> String {
    if count == 1 { "1 peer is connected".to_owned() } else { format!("{count} peers are connected") }
}

fn bring(count: usize) -> String {
    if count <= 1 { "1 peer brings".to_owned() } else { format!("{count} peers bring") }
}

#[cfg(test)]
mod tests {
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

    fn whereabouts(sources: Vec<SourceReport>, endings: &[(Ending, u64)], connected: usize) -> Whereabouts {
        let endings = endings.iter().copied().collect();
        Whereabouts {
            phase: Phase::Streaming,
            sources,
            counts: SwarmCounts { connected, endings, ..SwarmCounts::default() },
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
        let nobody =
            "there is nobody to ask for peers: no tracker, and neither the DHT nor the local network";
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
        told(&begun, &stalled(), "all 2 trackers are being asked, the DHT is still being joined");
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
        told(&waiting, &nothing, "the list of files is being fetched from 1 peer");
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
    fn who_does_not_wait_is_told_nothing() {
        assert_eq!(why(&whereabouts(Vec::new(), &[], 0), &Statistics::default(), false), None);
    }
}
