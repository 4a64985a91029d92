//! Asks everybody at once for candidates: each tracker of each tier over IPv4 and IPv6, the DHT, the local network; for a
//! private torrent one tracker at a time, and nobody else. What they did is kept ([`Discovery::reports`]). Nothing here
//! decides whom to connect to.

mod asking;
mod report;
mod turns;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::seq::SliceRandom;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::{Host, Url};

use self::asking::{Asking, Client, Table};
pub(super) use self::report::Reporter;
use self::report::{Board, Named};
pub use self::report::{Doing, SourceReport, Whom, WhyOff};
use self::turns::{Turn, Turns};
use super::dht::DhtConfig;
use super::tracker::Identity;
use super::tracker::http::HttpTracker;
use super::tracker::udp::UdpTracker;
pub use super::tracker::{Failure, Outcome, Progress, Retry, Situation};
use super::{Candidate, dht, lsd};
use crate::lock::lock;
use crate::net::{Family, Network};
use crate::source::InfoHash;

/// Candidates that wait to be taken; then the sources wait.
const MOST_WAITING: usize = 1024;
/// How long the trackers have for our farewell.
const FAREWELL: Duration = Duration::from_millis(500);

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub struct DiscoveryConfig {
    pub info_hash: InfoHash,
    pub peer_id: [u8; 20],
    /// Where we listen; it is what others are told.
    pub port: u16,
    /// The torrent's own announce URLs in tiers. All are asked at once, unless the torrent is private.
    pub trackers: Vec<Vec<String>>,
    /// The user's. A private torrent that has trackers of its own does not use them.
    pub more_trackers: Vec<String>,
    /// BEP 27; see also [`Discovery::set_private`].
    pub private: bool,
    /// `None`: no DHT.
    pub dht: Option<DhtConfig>,
    /// Whether to ask the local network (BEP 14).
    pub lsd: bool,
}

/// The search for candidates, under way. Dropping it ends it without a farewell; see [`Discovery::stop`].
pub struct Discovery {
    board: Arc<Board>,
    stage: watch::Sender<Stage>,
    table: Arc<Table>,
    /// The numbers of the user's trackers.
    more: HashSet<usize>,
    tasks: Mutex<JoinSet<()>>,
}

/// What all the sources are told. Only ever goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Running,
    /// DHT and LSD are to end.
    Private,
    Stopping,
}

/// What a search brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Candidate(Candidate),
    /// The torrent is private, and has the peers of one tracker from now on: these, and those that follow (BEP 27).
    Only(HashSet<SocketAddr>),
}

/// What a search brings, as it comes.
pub struct Findings {
    board: Arc<Board>,
    named: mpsc::Receiver<Named>,
    turn: watch::Receiver<Turn>,
    /// Whose peers are used, as far as has been told.
    told: Turn,
    /// Came while the turn changed: of that, first.
    kept_back: Option<Named>,
}

impl Findings {
    /// The next finding; `None` when nobody searches any more. May be cancelled.
    pub async fn next(&mut self) -> Option<Finding> {
        loop {
            let turn = *self.turn.borrow_and_update();
            let told = std::mem::replace(&mut self.told, turn);
            if let Turn::Only { swarm_of, .. } = turn {
                let changes = match told {
                    Turn::Everybody => true,
                    // Those that are there while there is no tracker yet were given by hand, or have come of themselves.
                    Turn::Only { swarm_of: told, .. } => told.is_some() && told != swarm_of,
                };
                if changes {
                    return Some(Finding::Only(self.board.found_by(swarm_of)));
                }
            }
            if let Some(named) = self.kept_back.take()
                && named.tracker.is_none_or(|tracker| turn.may_name(tracker))
            {
                return Some(Finding::Candidate(named.candidate));
            }
            tokio::select! {
                biased;
                Ok(()) = self.turn.changed() => {}
                named = self.named.recv() => self.kept_back = Some(named?),
            }
        }
    }
}

/// Begins to ask, at once. `situation` is called for each announce and every few seconds, and should be quick. Must be
/// called within a runtime.
pub fn start(
    config: DiscoveryConfig,
    net: Arc<Network>,
    situation: Arc<dyn Fn() -> Situation + Send + Sync>,
) -> (Discovery, Findings) {
    let (named, receiver) = mpsc::channel(MOST_WAITING);
    let (stage, staged) = watch::channel(Stage::Running);
    let board = Arc::<Board>::default();
    let identity = Identity {
        info_hash: config.info_hash,
        peer_id: config.peer_id,
        port: config.port,
        key: rand::random(),
    };
    let mut tasks = JoinSet::new();
    let begun = Instant::now();

    let users: HashSet<String> = config.more_trackers.iter().cloned().collect();
    let Trackers { urls, tiers, more } = Trackers::new(config.trackers, config.more_trackers, config.private);
    let clients: Vec<_> = urls.iter().map(|url| clients(url, users.contains(url), &net, identity)).collect();
    let families: Vec<usize> = clients.iter().map(|clients| clients.as_ref().map_or(1, Vec::len)).collect();
    let table = Arc::new(Table::new(Turns::new(tiers, &families, config.private)));
    for (tracker, (url, clients)) in urls.into_iter().zip(clients).enumerate() {
        let add =
            |family| board.add(Whom::Tracker { url: url.clone(), family }, Some(tracker), named.clone());
        match clients {
            Err(failure) => {
                let reporter = add(None);
                reporter.ended(Outcome::Failed(failure));
                reporter.off(WhyOff::Hopeless);
                table.change(|turns| turns.give_up(tracker, 0));
            }
            Ok(clients) => {
                for (place, (family, client)) in clients.into_iter().enumerate() {
                    let asking = Asking {
                        reporter: add(Some(family)),
                        situation: situation.clone(),
                        stage: staged.clone(),
                        table: table.clone(),
                        tracker,
                        family: place,
                        begun,
                        port: config.port,
                    };
                    tasks.spawn(asking.run(client));
                }
            }
        }
    }
    if let Some(dht) = config.dht {
        let reporter = board.add(Whom::Dht, None, named.clone());
        tasks.spawn(dht::run(dht, identity, net, reporter, staged.clone()));
    }
    if config.lsd {
        let reporter = board.add(Whom::Lsd, None, named);
        tasks.spawn(lsd::run(identity, reporter, staged));
    }
    let turn = table.subscribe();
    let told = *turn.borrow();
    let findings = Findings { board: board.clone(), named: receiver, turn, told, kept_back: None };
    (Discovery { board, stage, table, more, tasks: Mutex::new(tasks) }, findings)
}

impl Discovery {
    /// What each source has done, in the order of the trackers, then DHT, then LSD.
    pub fn reports(&self) -> Vec<SourceReport> {
        self.board.reports()
    }

    /// The metadata says that the torrent is private (BEP 27): DHT and LSD end, and one tracker is asked at a time.
    pub fn set_private(&self) {
        self.table.change(|turns| turns.become_private(&self.more));
        self.stage.send_if_modified(|stage| {
            let changes = *stage < Stage::Private;
            *stage = (*stage).max(Stage::Private);
            changes
        });
    }

    /// Says farewell to the trackers that know us, saves the DHT's table, and ends; all within half a second.
    pub async fn stop(&self) {
        self.stage.send_replace(Stage::Stopping);
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        let _ = tokio::time::timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
        // Those that are still at it end with `tasks`.
    }
}

/// Trackers by number.
struct Trackers {
    urls: Vec<String>,
    tiers: Vec<Vec<usize>>,
    /// Those of the user.
    more: HashSet<usize>,
}

impl Trackers {
    /// Each URL once, in the first place where it stands; each tier in an order of chance (BEP 12).
    fn new(own: Vec<Vec<String>>, more: Vec<String>, private: bool) -> Self {
        let has_own = own.iter().any(|tier| !tier.is_empty());
        let more = if private && has_own { Vec::new() } else { more };
        let mut trackers = Trackers { urls: Vec::new(), tiers: Vec::new(), more: HashSet::new() };
        let own_tiers = own.len();
        let mut seen = HashSet::new();
        for (place, tier) in own.into_iter().chain(more.into_iter().map(|url| vec![url])).enumerate() {
            let mut members = Vec::new();
            for url in tier {
                if seen.insert(url.clone()) {
                    let number = trackers.urls.len();
                    trackers.urls.push(url);
                    members.push(number);
                    if place >= own_tiers {
                        trackers.more.insert(number);
                    }
                }
            }
            members.shuffle(&mut rand::rng());
            trackers.tiers.push(members);
        }
        trackers
    }
}

/// A client for each family that the URL's host may have addresses of.
fn clients(
    url: &str,
    is_users: bool,
    net: &Arc<Network>,
    identity: Identity,
) -> Result<Vec<(Family, Client)>, Failure> {
    let url = Url::parse(url).map_err(|error| Failure::BadUrl(error.to_string()))?;
    let families: &[Family] = match literal(&url) {
        Some(Family::V4) => &[Family::V4],
        Some(Family::V6) => &[Family::V6],
        None => &[Family::V4, Family::V6],
    };
    families
        .iter()
        .map(|&family| {
            let (net, url) = (net.clone(), url.clone());
            let client = match url.scheme() {
                "http" | "https" => Client::Http(HttpTracker { net, url, family, identity, is_users }),
                "udp" => Client::Udp(UdpTracker::new(net, &url, family, identity)?),
                other => return Err(Failure::Unsupported(other.chars().take(20).collect())),
            };
            Ok((family, client))
        })
        .collect()
}

/// The family of a host that is an address.
fn literal(url: &Url) -> Option<Family> {
    match url.host()? {
        Host::Ipv4(_) => Some(Family::V4),
        Host::Ipv6(_) => Some(Family::V6),
        // `udp` is no scheme that the URL standard knows, so it reads no address in it.
        Host::Domain(name) => name.parse::<std::net::Ipv4Addr>().ok().map(|_| Family::V4),
    }
}

/// Waits until `stage` has come; also when nobody is there any more to tell.
pub(super) async fn stopping(stage: &mut watch::Receiver<Stage>, until: Stage) {
    let _ = stage.wait_for(|stage| *stage >= until).await;
}

#[cfg(test)]
mod tests;
