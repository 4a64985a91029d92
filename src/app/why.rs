//! "Why am I waiting": one sentence with its causes and numbers, from what the swarm has kept. Pure.

use std::collections::BTreeMap;

use crate::read::Statistics;
use crate::swarm::Ending;
use crate::swarm::discovery::{Doing, Failure, Outcome, SourceReport, Whom};
use crate::torrent::{Phase, Whereabouts};
use crate::units::ByteSize;

/// Why nothing plays, though somebody waits. `None` if there is nothing to be said (it has failed, or is closed).
pub(super) fn sentence(whereabouts: &Whereabouts, numbers: &Statistics) -> Option<String> {
    match &whereabouts.phase {
        Phase::Failed(_) | Phase::Closed => return None,
        Phase::Metadata | Phase::Streaming => {}
    }
    if let Some(trouble) = &whereabouts.trouble {
        return Some(trouble.clone());
    }
    let asks_metadata = whereabouts.phase == Phase::Metadata;
    let found = found(&whereabouts.sources);
    let peers = peers(whereabouts, numbers, asks_metadata);
    let is_sought = !whereabouts.sources.is_empty();
    Some(match (found.is_empty(), peers.is_empty()) {
        (true, true) if is_sought => "looking for peers".to_owned(),
        (true, true) => {
            "nobody is there to be asked: add --trackers or --peer, or leave the DHT on".to_owned()
        }
        (false, true) => found.join(", "),
        (true, false) => peers.join(", "),
        // Who has been found matters only while those who were have not brought anybody who sends.
        (false, false) if numbers.unchoking > 0 => peers.join(", "),
        (false, false) => format!("{}: {}", found.join(", "), peers.join(", ")),
    })
}

/// What those who name peers have said.
fn found(sources: &[SourceReport]) -> Vec<String> {
    let mut told = Vec::new();
    let mut trackers = BTreeMap::<&str, Vec<&SourceReport>>::new();
    for report in sources {
        if let Whom::Tracker { url, .. } = &report.whom {
            trackers.entry(url).or_default().push(report);
        }
    }
    // A tracker is asked in two families of addresses: one answer is an answer.
    let mut states = BTreeMap::<State, usize>::new();
    for families in trackers.values() {
        let state = families.iter().map(|report| state(report)).min().unwrap_or(State::Asked);
        *states.entry(state).or_default() += 1;
    }
    let total = trackers.len();
    let named: usize = trackers.values().flatten().map(|report| report.found).max().unwrap_or(0);
    for (state, count) in &states {
        told.push(state.told(*count, total, named));
    }
    for report in sources {
        match report.whom {
            Whom::Dht => told.push(dht(report)),
            Whom::Lsd if report.found > 0 => {
                told.push(format!("the local network gave {}", counted(report.found, "peer")))
            }
            Whom::Lsd | Whom::Tracker { .. } => {}
        }
    }
    told.retain(|words| !words.is_empty());
    told
}

/// How it stands with a tracker; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Answered,
    AnsweredNobody,
    Asked,
    TimedOut,
    Refused,
    Unknown,
    Failed,
}

fn state(report: &SourceReport) -> State {
    if report.found > 0 {
        return State::Answered;
    }
    match &report.last {
        None => State::Asked,
        Some((Outcome::Answered { .. }, _)) => State::AnsweredNobody,
        Some((Outcome::Failed(failure), _)) => match failure {
            Failure::Timeout => State::TimedOut,
            Failure::Refused => State::Refused,
            Failure::DnsFailed => State::Unknown,
            _ => State::Failed,
        },
    }
}

impl State {
    fn told(self, count: usize, total: usize, named: usize) -> String {
        let those = match (count, total) {
            (1, 1) => "the tracker".to_owned(),
            (count, total) if count == total => format!("all {total} trackers"),
            (count, total) => format!("{count} of {total} trackers"),
        };
        match self {
            State::Answered => format!("{those} gave up to {}", counted(named, "peer")),
            State::AnsweredNobody => format!("{those} know nobody"),
            State::Asked => format!("{those} {} being asked", if count == 1 { "is" } else { "are" }),
            State::TimedOut => format!("{those} timed out"),
            State::Refused => format!("{those} refused"),
            State::Unknown => format!("{those} cannot be looked up"),
            State::Failed => format!("{those} failed"),
        }
    }
}

fn dht(report: &SourceReport) -> String {
    match (report.found, report.nodes) {
        (0, _) if matches!(report.doing, Doing::Off(_)) => String::new(),
        (0, None | Some(0)) => "the DHT has not answered".to_owned(),
        (0, Some(nodes)) => format!("the DHT has found nobody yet ({})", counted(nodes, "node")),
        (found, _) => format!("the DHT gave {}", counted(found, "peer")),
    }
}

/// What became of peers, whoever named them.
fn peers(whereabouts: &Whereabouts, numbers: &Statistics, asks_metadata: bool) -> Vec<String> {
    let mut failed = BTreeMap::<&'static str, usize>::new();
    for (ending, count) in &whereabouts.failed {
        if let Some(words) = of_ending(*ending) {
            *failed.entry(words).or_default() += count;
        }
    }
    let mut failed: Vec<(&str, usize)> = failed.into_iter().collect();
    failed.sort_by_key(|&(words, count)| (std::cmp::Reverse(count), words));
    let mut told: Vec<String> = failed.into_iter().map(|(words, count)| format!("{count} {words}")).collect();
    let dialling = whereabouts.counts.dialling;
    if dialling > 0 {
        told.push(format!("{dialling} {} being dialled", if dialling == 1 { "is" } else { "are" }));
    }
    let connected = whereabouts.peers.len();
    let choking = whereabouts.peers.iter().filter(|peer| peer.choking).count();
    let empty = whereabouts.peers.iter().filter(|peer| !peer.choking && peer.have == 0).count();
    if asks_metadata {
        if connected > 0 {
            told.push(format!("{connected} connected and asked what the torrent holds"));
        }
        return told;
    }
    if choking > 0 {
        told.push(format!("{choking} connected and {} us", if choking == 1 { "chokes" } else { "choke" }));
    }
    if empty > 0 {
        told.push(format!("{empty} connected and {} nothing yet", if empty == 1 { "has" } else { "have" }));
    }
    let sending = connected - choking - empty;
    if sending > 0 {
        told.push(match numbers.download_rate {
            0 => format!("{sending} unchoked us and {} asked", if sending == 1 { "is" } else { "are" }),
            rate => format!("{sending} {} {}/s", if sending == 1 { "sends" } else { "send" }, ByteSize(rate)),
        });
    }
    told
}

/// A verb for each class of failure; `None` for what is nobody's fault.
fn of_ending(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Refused => "refused",
        Ending::ConnectTimeout => "did not answer",
        Ending::Unreachable => "cannot be reached",
        Ending::ClosedBeforeHandshake => "closed at once",
        Ending::HandshakeTimeout => "said nothing",
        Ending::NotBitTorrent => "speak only encrypted, or no BitTorrent",
        Ending::WrongInfoHash => "have another torrent",
        Ending::ClosedAfterHandshake => "closed the connection",
        Ending::Idle => "fell silent",
        Ending::Misbehaved(_) => "misbehaved",
        Ending::Banned => "lied and were banned",
        Ending::Dropped | Ending::Replaced => "were of no use",
        Ending::Private => "are not the tracker's",
        Ending::Crowded | Ending::Oneself | Ending::Duplicate | Ending::Closed => return None,
    })
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::Family;
    use crate::scheduler::PeerId;
    use crate::swarm::{Origin, PeerReport, SwarmCounts};

    fn source(whom: Whom, last: Option<Outcome>, found: usize) -> SourceReport {
        SourceReport {
            whom,
            doing: Doing::Listening,
            asked: 1,
            answered: 0,
            found,
            last: last.map(|outcome| (outcome, Duration::ZERO)),
            nodes: None,
        }
    }

    fn tracker(name: &str, last: Option<Outcome>) -> SourceReport {
        source(Whom::Tracker { url: format!("udp://{name}:1"), family: Some(Family::V4) }, last, 0)
    }

    fn peer(choking: bool, have: u32) -> PeerReport {
        PeerReport {
            peer: PeerId(1),
            address: ([127, 0, 0, 1], 1).into(),
            origin: Origin::Tracker,
            client: None,
            since: Duration::ZERO,
            have,
            choking,
            interested: false,
            downloaded: 0,
            uploaded: 0,
            rate: 0,
            latency: None,
            in_flight: 0,
            incoming: false,
        }
    }

    fn nothing() -> Whereabouts {
        Whereabouts {
            phase: Phase::Streaming,
            sources: Vec::new(),
            counts: SwarmCounts::default(),
            failed: BTreeMap::new(),
            peers: Vec::new(),
            trouble: None,
        }
    }

    fn told(whereabouts: &Whereabouts) -> String {
        sentence(whereabouts, &Statistics::default()).expect("a sentence")
    }

    #[test]
    fn each_cause_with_its_number_the_most_frequent_first() {
        let timeout = || Some(Outcome::Failed(Failure::Timeout));
        let answered = Some(Outcome::Answered { peers: 0, seeders: None, leechers: None, warning: None });
        let whereabouts = Whereabouts {
            sources: vec![
                tracker("a", timeout()),
                tracker("b", timeout()),
                tracker("c", timeout()),
                tracker("d", answered),
                source(Whom::Dht, None, 41),
                source(Whom::Lsd, None, 0),
            ],
            failed: [(Ending::Refused, 22), (Ending::ConnectTimeout, 12), (Ending::ClosedBeforeHandshake, 5)]
                .into(),
            peers: vec![peer(true, 9), peer(true, 9)],
            ..nothing()
        };
        assert_eq!(
            told(&whereabouts),
            "1 of 4 trackers know nobody, 3 of 4 trackers timed out, the DHT gave 41 peers: \
             22 refused, 12 did not answer, 5 closed at once, 2 connected and choke us"
        );
    }

    #[test]
    fn a_tracker_that_answers_in_one_family_has_answered() {
        let six = SourceReport {
            whom: Whom::Tracker { url: "udp://a:1".into(), family: Some(Family::V6) },
            ..tracker("a", Some(Outcome::Failed(Failure::Timeout)))
        };
        let four = SourceReport { found: 3, ..tracker("a", None) };
        assert_eq!(
            told(&Whereabouts { sources: vec![six, four], ..nothing() }),
            "the tracker gave up to 3 peers"
        );
    }

    #[test]
    fn who_has_nobody_to_ask_is_told_what_to_do() {
        assert!(told(&nothing()).contains("--trackers or --peer"));
    }

    #[test]
    fn while_the_metadata_comes_and_when_the_disk_is_full_that_is_the_cause() {
        let asking = Whereabouts { phase: Phase::Metadata, peers: vec![peer(true, 0)], ..nothing() };
        assert_eq!(told(&asking), "1 connected and asked what the torrent holds");
        let full = Whereabouts { trouble: Some("the disk is full".into()), ..asking };
        assert_eq!(told(&full), "the disk is full");
        let failed = Whereabouts { phase: Phase::Failed("no".into()), ..nothing() };
        assert_eq!(sentence(&failed, &Statistics::default()), None);
    }

    #[test]
    fn once_somebody_sends_who_was_asked_before_is_of_no_interest() {
        let whereabouts = Whereabouts {
            sources: vec![tracker("a", Some(Outcome::Failed(Failure::Refused)))],
            peers: vec![peer(false, 3), peer(false, 0), peer(true, 3)],
            ..nothing()
        };
        let numbers = Statistics { unchoking: 2, download_rate: 50_000, ..Statistics::default() };
        let told = sentence(&whereabouts, &numbers).expect("a sentence");
        assert_eq!(told, "1 connected and chokes us, 1 connected and has nothing yet, 1 sends 50.0 kB/s");
    }
}
