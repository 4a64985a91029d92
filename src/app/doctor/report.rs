//! The doctor's report as text, to be pasted into an issue. Pure. Nothing in it says who asks or what is watched: no names, hashes,
//! addresses of people, passkeys or home folders.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::swarm::discovery::{Doing, Failure, Outcome, SourceReport, Whom};
use crate::swarm::{Ending, PeerReport, SwarmCounts};
use crate::units::ByteSize;

/// All that was found out.
#[derive(Clone, Debug)]
pub(in crate::app) struct Findings {
    /// Of peerflix, and the system with its architecture.
    pub(in crate::app) version: String,
    pub(in crate::app) system: String,
    /// For how long the swarm was watched.
    pub(in crate::app) watched: Duration,
    pub(in crate::app) torrent: TorrentFacts,
    pub(in crate::app) server: Result<String, String>,
    pub(in crate::app) players: Vec<String>,
    pub(in crate::app) disk: DiskFacts,
    pub(in crate::app) sources: Vec<SourceReport>,
    pub(in crate::app) counts: SwarmCounts,
    pub(in crate::app) peers: Vec<PeerReport>,
    pub(in crate::app) port: u16,
    /// When the files were known and when the film's first piece was here, counted from the start.
    pub(in crate::app) metadata_after: Option<Duration>,
    pub(in crate::app) first_piece_after: Option<Duration>,
    /// Bytes a second, bytes and the rest, as they were at the end.
    pub(in crate::app) rate: u64,
    pub(in crate::app) downloaded: u64,
    pub(in crate::app) wasted: u64,
    pub(in crate::app) failed_pieces: u64,
    /// What it comes to, in one sentence.
    pub(in crate::app) verdict: String,
}

#[derive(Clone, Debug)]
pub(in crate::app) enum TorrentFacts {
    /// It could not be read.
    None(String),
    /// The metadata has not come.
    Unknown,
    Known {
        files: usize,
        length: u64,
        piece_length: u32,
        private: bool,
        had: u64,
        chosen_length: u64,
    },
}

#[derive(Clone, Debug)]
pub(in crate::app) struct DiskFacts {
    /// As written by the user's shell: `~/.cache/peerflix`.
    pub(in crate::app) folder: String,
    /// What it refuses.
    pub(in crate::app) trouble: Option<String>,
    pub(in crate::app) free: Option<u64>,
}

/// The report, ending in a line break.
pub(in crate::app) fn text(found: &Findings) -> String {
    let mut rows = Rows::default();
    rows.add("peerflix", &format!("{}, {}", found.version, found.system));
    rows.add("torrent", &torrent(&found.torrent));
    let players =
        if found.players.is_empty() { "none that we know".to_owned() } else { found.players.join(", ") };
    rows.add("players", &players);
    rows.add(
        "server",
        &match &found.server {
            Ok(works) => works.clone(),
            Err(why) => scrubbed(why),
        },
    );
    rows.add("disk", &disk(&found.disk));
    if let TorrentFacts::None(_) = found.torrent {
        // Nobody was asked for anything.
        rows.add("verdict", &scrubbed(&found.verdict));
        return rows.0;
    }
    rows.list("trackers", trackers(&found.sources));
    for whom in [Whom::Dht, Whom::Lsd] {
        let name = if whom == Whom::Dht { "DHT" } else { "local net" };
        let report = found.sources.iter().find(|report| report.whom == whom);
        rows.add(name, &report.map_or("off".to_owned(), local));
    }
    rows.add("incoming", &incoming(found));
    rows.list("peers", peers(found));
    rows.add("speed", &speed(found));
    rows.add("verdict", &scrubbed(&found.verdict));
    rows.0
}

/// The same as one JSON object.
pub(in crate::app) fn json(found: &Findings) -> String {
    let whole = text(found);
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for line in whole.lines() {
        let (name, value) = line.split_at_checked(NAMES).unwrap_or((line, ""));
        match (name.trim(), rows.last_mut()) {
            ("", Some((_, values))) => values.push(value.to_owned()),
            (name, _) => rows.push((name.replace(' ', "_").to_lowercase(), vec![value.to_owned()])),
        }
    }
    let rows = rows.into_iter().map(|(name, values)| (name, serde_json::Value::from(values)));
    let told = rows.chain([("v".to_owned(), serde_json::Value::from(crate::events::VERSION))]);
    serde_json::Value::Object(told.collect()).to_string()
}

/// The width of the names, with the blank after them.
const NAMES: usize = 11;

/// Names on the left, what they are on the right.
#[derive(Default)]
struct Rows(String);

impl Rows {
    fn add(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "{name:<width$} {value}", width = NAMES - 1);
    }

    fn list(&mut self, name: &str, values: Vec<String>) {
        if values.is_empty() {
            self.add(name, "none");
        }
        for (at, value) in values.iter().enumerate() {
            self.add(if at == 0 { name } else { "" }, value);
        }
    }
}

fn torrent(facts: &TorrentFacts) -> String {
    match facts {
        TorrentFacts::None(why) => scrubbed(why),
        TorrentFacts::Unknown => "its metadata has not come".to_owned(),
        TorrentFacts::Known { files, length, piece_length, private, had, chosen_length } => format!(
            "{files} {}, {}, pieces of {}, {}; of the chosen file {} of {} here",
            if *files == 1 { "file" } else { "files" },
            ByteSize(*length),
            ByteSize(u64::from(*piece_length)),
            if *private { "private" } else { "public" },
            ByteSize(*had),
            ByteSize(*chosen_length),
        ),
    }
}

fn disk(facts: &DiskFacts) -> String {
    let free = facts.free.map(|free| format!(", {} free", ByteSize(free))).unwrap_or_default();
    match &facts.trouble {
        None => format!("{} can be written{free}", facts.folder),
        Some(trouble) => format!("{}{free}: {}", facts.folder, scrubbed(trouble)),
    }
}

fn trackers(sources: &[SourceReport]) -> Vec<String> {
    let trackers = sources.iter().filter(|report| matches!(report.whom, Whom::Tracker { .. }));
    trackers
        .map(|report| {
            let name = report.whom.to_string();
            let name = name.strip_prefix("tracker ").unwrap_or(&name).to_owned();
            format!("{name}: {}", scrubbed(&outcome(report)))
        })
        .collect()
}

fn outcome(report: &SourceReport) -> String {
    match &report.last {
        Some((outcome, _)) => {
            let told = outcome.to_string();
            told.strip_prefix("it ").unwrap_or(&told).to_owned()
        }
        None => match report.doing {
            Doing::Asking => "was asked, no answer yet".to_owned(),
            Doing::StandingBy => "asked when the one before it fails".to_owned(),
            _ => "was not asked".to_owned(),
        },
    }
}

fn local(report: &SourceReport) -> String {
    let nodes = |nodes| format!(", {nodes} {} known", if nodes == 1 { "node" } else { "nodes" });
    let nodes = report.nodes.map(nodes).unwrap_or_default();
    let found = format!("{} found{nodes}", peers_counted(report.found));
    match &report.last {
        Some((Outcome::Failed(Failure::DnsFailed), _)) => {
            format!("{found}; the names of its first nodes cannot be looked up")
        }
        Some((Outcome::Failed(failure), _)) => format!("{found}; {}", scrubbed(&failure.to_string())),
        _ => match report.doing {
            Doing::Off(_) => format!("off; {found}"),
            _ => found,
        },
    }
}

fn peers_counted(count: usize) -> String {
    format!("{count} {}", if count == 1 { "peer" } else { "peers" })
}

fn incoming(found: &Findings) -> String {
    match found.counts.incoming {
        0 => format!(
            "listening at port {}; nobody has dialled in, so it may not be reachable from outside (no harm: we dial)",
            found.port
        ),
        1 => format!("listening at port {}; one connection from outside", found.port),
        many => format!("listening at port {}; {many} connections from outside", found.port),
    }
}

fn peers(found: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    let choking = found.peers.iter().filter(|peer| peer.choking).count();
    let (connected, unchoking) = (found.peers.len(), found.peers.len() - choking);
    lines.push(format!(
        "{connected} connected ({unchoking} send, {choking} choke us), {} known and not connected, {} being dialled",
        found.counts.known, found.counts.dialling
    ));
    let mut clients = BTreeMap::<String, usize>::new();
    for peer in &found.peers {
        *clients
            .entry(peer.client.clone().map_or("unknown".to_owned(), |client| scrubbed(&client)))
            .or_default() += 1;
    }
    if !clients.is_empty() {
        let clients: Vec<String> =
            clients.iter().map(|(client, count)| format!("{client} ({count})")).collect();
        lines.push(format!("clients: {}", clients.join(", ")));
    }
    let mut endings: Vec<(&Ending, &u64)> = found.counts.endings.iter().collect();
    endings.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    if !endings.is_empty() {
        let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let endings: Vec<String> =
            endings.into_iter().map(|(ending, &count)| format!("{ending}: {}", times(count))).collect();
        lines.push(format!("dials and connections that ended: {}", endings.join("; ")));
    }
    lines
}

fn speed(found: &Findings) -> String {
    let after = |time: Option<Duration>| {
        time.map_or("not within the time".to_owned(), |time| format!("after {:.1} s", time.as_secs_f64()))
    };
    format!(
        "files known {}, first piece {}; {} in {} s, {}/s at the end, {} wasted, {} bad {}",
        after(found.metadata_after),
        after(found.first_piece_after),
        ByteSize(found.downloaded),
        found.watched.as_secs(),
        ByteSize(found.rate),
        ByteSize(found.wasted),
        found.failed_pieces,
        if found.failed_pieces == 1 { "piece" } else { "pieces" },
    )
}

/// Without addresses of people, and without what could be a key: a tracker may repeat both.
pub(in crate::app) fn scrubbed(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let words = text.split(' ').map(|word| {
        let core =
            word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '[' && c != ']');
        let plain = core.trim_start_matches('[').split(']').next().unwrap_or_default();
        let is_address = core.parse::<std::net::SocketAddr>().is_ok()
            || plain.trim_end_matches(':').parse::<std::net::IpAddr>().is_ok();
        let is_key = core.len() >= 16
            && core.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && core.bytes().any(|byte| byte.is_ascii_digit());
        let is_link = core.contains("://");
        if is_address {
            word.replace(core, "(an address)")
        } else if is_key {
            word.replace(core, "(a key)")
        } else if is_link {
            let end = core.find("://").map_or(0, |at| at + 3);
            let host = core[end..].find(['/', '?', '#']).map_or(core.len(), |at| end + at);
            word.replace(core, &core[..host])
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tracker_says_of_us_is_not_told() {
        assert_eq!(
            scrubbed(
                "said: your IP 203.0.113.7 (or [2001:db8::1]:6881) with passkey 0123456789abcdef0123 is banned"
            ),
            "said: your IP (an address) (or (an address)) with passkey (a key) is banned"
        );
        assert_eq!(
            scrubbed("see https://t.example/announce/secret?x=1, please"),
            "see https://t.example, please"
        );
        assert_eq!(scrubbed("it refused the connection"), "it refused the connection");
        assert_eq!(scrubbed("connection-refused by middlebox 12"), "connection-refused by middlebox 12");
    }
}
