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
            0 => {
                let has_trackers =
                    whereabouts.sources.iter().any(|report| matches!(report.whom, Whom::Tracker { .. }));
                let hint = if has_trackers { "" } else { "; the link names no tracker" };
                format!(
                    "the list of files has to come from a peer, and there is none: {}{hint}",
                    account(whereabouts)
                )
            }
            1 => {
                "1 peer is connected and was asked for the list of files, and has not sent it yet".to_owned()
            }
            _ => format!(
                "{connected} peers are connected and were asked for the list of files; none has sent it yet"
            ),
        });
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

/// A cause as a sentence of its own.
pub(super) fn sentence(cause: &str) -> String {
    let mut letters = cause.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}.", first.chain(letters).collect::<String>().trim_end_matches('.'))
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
                _ => match &report.last {
                    Some((Outcome::Failed(Failure::DnsFailed), _)) => format!(
                        "{name} cannot be joined, since no name can be looked up (is this computer offline?)"
                    ),
                    Some((Outcome::Failed(_), _)) => format!("{name} cannot be reached"),
                    _ => format!("{name} is still being joined"),
                },
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
        (2, 2) => "both trackers".to_owned(),
        (count, total) if count == total => format!("all {total} trackers"),
        (count, total) => format!("{count} of {total} trackers"),
    }
}

/// What became of peers: how the last dial or connection of each ended, which are under way, and who is there.
fn fates(whereabouts: &Whereabouts) -> Vec<String> {
    let mut ended: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
    for (ending, &times) in &whereabouts.failed {
        if let Some((place, what)) = fate(ending) {
            ended.entry(place).or_insert((0, what)).0 += times;
        }
    }
    let mut told: Vec<(usize, String)> =
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
    let blocked = (counts.blocked > 0).then(|| format!("{} on the blocklist", counts.blocked));
    told.into_iter().map(|(_, told)| told).chain(blocked).chain(trying).chain(there).collect()
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
mod tests;
