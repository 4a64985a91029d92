//! What each source of candidates has done, kept as data: why a viewer waits is told from this.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::tracker::{Failure, Outcome, usable};
use super::super::{Candidate, Origin};
use crate::lock::lock;
use crate::net::Family;

/// Distinct addresses that are remembered of one source; what it finds beyond is passed on all the same.
const MOST_REMEMBERED: usize = 10_000;

/// What one source of candidates has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    pub whom: Whom,
    pub doing: Doing,
    /// Times that it was asked, and that it answered.
    pub asked: u32,
    pub answered: u32,
    /// Distinct addresses that it has named.
    pub found: usize,
    /// How the last attempt ended, and how long ago.
    pub last: Option<(Outcome, Duration)>,
    /// Nodes in the routing tables: the DHT's only.
    pub nodes: Option<usize>,
}

/// Who is asked for candidates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    /// Of each tracker there are two, if its name may have addresses of both families; `None` if it is never asked.
    Tracker {
        url: String,
        family: Option<Family>,
    },
    Dht,
    Lsd,
}

/// What a source is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Asking,
    Waiting {
        again_in: Duration,
    },
    /// It tells when it finds something.
    Listening,
    /// A tracker of a private torrent: it is asked when the one that is asked now does not answer (BEP 12, 27).
    StandingBy,
    Off(WhyOff),
}

/// Why a source is not asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyOff {
    /// The torrent is private (BEP 27).
    Private,
    /// Its last outcome says why there is no use.
    Hopeless,
    /// The session has ended.
    Stopped,
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Tracker { url, family: Some(family) } => {
                write!(f, "tracker {} ({family})", without_passkey(url))
            }
            Whom::Tracker { url, family: None } => write!(f, "tracker {}", without_passkey(url)),
            Whom::Dht => f.write_str("DHT"),
            Whom::Lsd => f.write_str("local network"),
        }
    }
}

/// Scheme, host and port: a private tracker's passkey is in the path or the query, and nobody's business.
fn without_passkey(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    &url[..end]
}

impl fmt::Display for SourceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.whom)?;
        match (&self.last, self.doing) {
            (_, Doing::Off(WhyOff::Private)) => f.write_str("not asked, the torrent is private"),
            (None, Doing::StandingBy) => f.write_str("asked when the one before it fails"),
            (Some((Outcome::Failed(Failure::DnsFailed), _)), _) if self.whom == Whom::Dht => {
                f.write_str("the names of its first nodes cannot be looked up (is this computer offline?)")
            }
            (Some((outcome, _)), Doing::Waiting { again_in }) => {
                write!(f, "{outcome}; asked again in {} s", again_in.as_secs())
            }
            (Some((outcome, _)), _) => write!(f, "{outcome}"),
            (None, Doing::Off(_)) => f.write_str("not asked any more"),
            (None, _) => match self.nodes {
                Some(nodes) => write!(f, "{} found, {nodes} nodes known", self.found),
                None if self.doing == Doing::Listening => write!(f, "{} found", self.found),
                None => f.write_str("being asked"),
            },
        }
    }
}

/// Where the reports are kept.
#[derive(Default)]
pub struct Board {
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    whom: Whom,
    tracker: Option<usize>,
    doing: DoingSince,
    asked: u32,
    answered: u32,
    found: HashSet<SocketAddr>,
    last: Option<(Outcome, Instant)>,
    nodes: Option<usize>,
}

enum DoingSince {
    Asking,
    Waiting(Instant),
    Listening,
    StandingBy,
    Off(WhyOff),
}

/// One source's own line on the board, and its way to pass candidates on.
#[derive(Clone)]
pub struct Reporter {
    board: Arc<Board>,
    index: usize,
    origin: Origin,
    /// Its number, if it is a tracker.
    tracker: Option<usize>,
    named: mpsc::Sender<Named>,
}

/// A candidate, and which tracker named it, if one did.
pub struct Named {
    pub candidate: Candidate,
    pub tracker: Option<usize>,
}

impl Board {
    pub fn reports(&self) -> Vec<SourceReport> {
        let now = Instant::now();
        let report = |entry: &Entry| SourceReport {
            whom: entry.whom.clone(),
            doing: match entry.doing {
                DoingSince::Asking => Doing::Asking,
                DoingSince::Waiting(until) => {
                    Doing::Waiting { again_in: until.saturating_duration_since(now) }
                }
                DoingSince::Listening => Doing::Listening,
                DoingSince::StandingBy => Doing::StandingBy,
                DoingSince::Off(why) => Doing::Off(why),
            },
            asked: entry.asked,
            answered: entry.answered,
            found: entry.found.len(),
            last: entry.last.clone().map(|(outcome, at)| (outcome, now.saturating_duration_since(at))),
            nodes: entry.nodes,
        };
        self.entries().iter().map(report).collect()
    }

    /// A new line.
    pub fn add(self: &Arc<Self>, whom: Whom, tracker: Option<usize>, named: mpsc::Sender<Named>) -> Reporter {
        let origin = match whom {
            Whom::Tracker { .. } => Origin::Tracker,
            Whom::Dht => Origin::Dht,
            Whom::Lsd => Origin::Lsd,
        };
        let mut entries = self.entries();
        entries.push(Entry {
            whom,
            tracker,
            doing: DoingSince::Asking,
            asked: 0,
            answered: 0,
            found: HashSet::new(),
            last: None,
            nodes: None,
        });
        Reporter { board: self.clone(), index: entries.len() - 1, origin, tracker, named }
    }

    /// The addresses that this tracker has named, as far as they are remembered; none for nobody.
    pub fn found_by(&self, tracker: Option<usize>) -> HashSet<SocketAddr> {
        let entries = self.entries();
        let its = entries.iter().filter(|entry| tracker.is_some() && entry.tracker == tracker);
        its.flat_map(|entry| entry.found.iter().copied()).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        lock(&self.entries)
    }
}

impl Reporter {
    fn with(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.board.entries().get_mut(self.index) {
            change(entry);
        }
    }

    /// It is being asked.
    pub fn asking(&self) {
        self.with(|entry| {
            entry.doing = DoingSince::Asking;
            entry.asked = entry.asked.saturating_add(1);
        });
    }

    /// How asking it ended.
    pub fn ended(&self, outcome: Outcome) {
        tracing::debug!(outcome = %outcome, source = self.index, "a source of peers was asked");
        self.with(|entry| {
            if matches!(outcome, Outcome::Answered { .. }) {
                entry.answered = entry.answered.saturating_add(1);
            }
            entry.last = Some((outcome, Instant::now()));
        });
    }

    /// It will be asked again then.
    pub fn waiting(&self, until: Instant) {
        self.with(|entry| entry.doing = DoingSince::Waiting(until));
    }

    /// It tells by itself from now on. What went wrong before is over.
    pub fn listening(&self) {
        self.with(|entry| {
            entry.doing = DoingSince::Listening;
            entry.last = None;
        });
    }

    /// It is another tracker's turn.
    pub fn standing_by(&self) {
        self.with(|entry| entry.doing = DoingSince::StandingBy);
    }

    pub fn off(&self, why: WhyOff) {
        self.with(|entry| entry.doing = DoingSince::Off(why));
    }

    pub fn knows_nodes(&self, nodes: usize) {
        self.with(|entry| entry.nodes = Some(nodes));
    }

    /// Passes candidates on. Waits while nobody takes them; if nobody ever will, they are counted and dropped.
    pub async fn found(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        for address in addresses.into_iter().filter_map(usable) {
            self.with(|entry| {
                if entry.found.len() < MOST_REMEMBERED {
                    entry.found.insert(address);
                }
            });
            let candidate = Candidate { address, origin: self.origin };
            let _ = self.named.send(Named { candidate, tracker: self.tracker }).await;
        }
    }
}
