//! Asks everybody at once for candidates: each tracker of each tier over IPv4 and IPv6, the DHT, the local network.
//! What they did is kept ([`Discovery::reports`]). Nothing here decides whom to connect to.

mod report;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::{Host, Url};

use self::report::Board;
pub(super) use self::report::Reporter;
pub use self::report::{Doing, SourceReport, Whom, WhyOff};
use super::dht::DhtConfig;
use super::tracker::http::HttpTracker;
use super::tracker::udp::UdpTracker;
use super::tracker::{Announce, Answer, Identity, Tracker};
pub use super::tracker::{Failure, Outcome, Progress, Retry};
use super::{Candidate, dht, lsd};
use crate::net::{Family, Network};
use crate::source::InfoHash;
use crate::units::Timestamp;

/// Candidates that wait to be taken; then the sources wait.
const MOST_WAITING: usize = 1024;
/// How long the trackers have for our farewell.
const FAREWELL: Duration = Duration::from_millis(500);
/// How often a tracker's loop looks whether the download is complete.
const PROGRESS_CHECK: Duration = Duration::from_secs(10);

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub struct DiscoveryConfig {
    pub info_hash: InfoHash,
    pub peer_id: [u8; 20],
    /// Where we listen; it is what others are told.
    pub port: u16,
    /// Announce URLs in tiers. All are asked at once.
    pub trackers: Vec<Vec<String>>,
    /// `None`: no DHT.
    pub dht: Option<DhtConfig>,
    /// Whether to ask the local network (BEP 14).
    pub lsd: bool,
}

/// The search for candidates, under way. Dropping it ends it without a farewell; see [`Discovery::stop`].
pub struct Discovery {
    board: Arc<Board>,
    stage: watch::Sender<Stage>,
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

/// Begins to ask, at once. `progress` is called for each announce, and should be quick. Must be called within a runtime.
pub fn start(
    config: DiscoveryConfig,
    net: Arc<Network>,
    progress: Arc<dyn Fn() -> Progress + Send + Sync>,
) -> (Discovery, mpsc::Receiver<Candidate>) {
    let (candidates, receiver) = mpsc::channel(MOST_WAITING);
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

    let mut seen = std::collections::HashSet::new();
    for url in config.trackers.into_iter().flatten().filter(|url| seen.insert(url.clone())) {
        let add = |family| board.add(Whom::Tracker { url: url.clone(), family }, candidates.clone());
        match clients(&url, &net, identity) {
            Err(failure) => {
                let reporter = add(None);
                reporter.ended(Outcome::Failed(failure));
                reporter.off(WhyOff::Hopeless);
            }
            Ok(clients) => {
                for (family, client) in clients {
                    let (reporter, progress) = (add(Some(family)), progress.clone());
                    let asking =
                        Asking { reporter, progress, stage: staged.clone(), begun, port: config.port };
                    tasks.spawn(asking.run(client));
                }
            }
        }
    }
    if let Some(dht) = config.dht {
        let reporter = board.add(Whom::Dht, candidates.clone());
        tasks.spawn(dht::run(dht, identity, net, reporter, staged.clone()));
    }
    if config.lsd {
        let reporter = board.add(Whom::Lsd, candidates);
        tasks.spawn(lsd::run(identity, reporter, staged));
    }
    (Discovery { board, stage, tasks: Mutex::new(tasks) }, receiver)
}

impl Discovery {
    /// What each source has done, in the order of the trackers, then DHT, then LSD.
    pub fn reports(&self) -> Vec<SourceReport> {
        self.board.reports()
    }

    /// The metadata says that the torrent is private (BEP 27): DHT and LSD end.
    pub fn set_private(&self) {
        self.stage.send_if_modified(|stage| {
            let changes = *stage < Stage::Private;
            *stage = (*stage).max(Stage::Private);
            changes
        });
    }

    /// Says farewell to the trackers that know us, saves the DHT's table, and ends; all within half a second.
    pub async fn stop(&self) {
        self.stage.send_replace(Stage::Stopping);
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = tokio::time::timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
        // Those that are still at it end with `tasks`.
    }
}

/// A tracker's way to be asked.
enum Client {
    Http(HttpTracker),
    Udp(UdpTracker),
}

impl Client {
    async fn announce(&mut self, announce: &Announce) -> Result<Answer, Failure> {
        match self {
            Client::Http(tracker) => tracker.announce(announce).await,
            Client::Udp(tracker) => tracker.announce(announce).await,
        }
    }
}

/// A client for each family that the URL's host may have addresses of.
fn clients(url: &str, net: &Arc<Network>, identity: Identity) -> Result<Vec<(Family, Client)>, Failure> {
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
                "http" | "https" => Client::Http(HttpTracker { net, url, family, identity }),
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

/// The announces to one tracker, of one family.
struct Asking {
    reporter: Reporter,
    progress: Arc<dyn Fn() -> Progress + Send + Sync>,
    stage: watch::Receiver<Stage>,
    begun: Instant,
    port: u16,
}

impl Asking {
    async fn run(self, mut client: Client) {
        let Asking { reporter, progress, mut stage, begun, port } = self;
        let now = || Timestamp::since_start(begun.elapsed());
        let mut tracker = Tracker::new(now(), port);
        loop {
            if let Some(at) = tracker.next_at() {
                let at = begun + at.elapsed();
                if at > Instant::now() {
                    reporter.waiting(at);
                }
                tokio::select! {
                    () = stopping(&mut stage, Stage::Stopping) => break,
                    () = tokio::time::sleep_until(at) => {}
                    () = tokio::time::sleep(PROGRESS_CHECK) => {
                        tracker.on_progress(now(), progress());
                        continue;
                    }
                }
            } else {
                reporter.off(WhyOff::Hopeless);
                stopping(&mut stage, Stage::Stopping).await;
                break;
            }
            reporter.asking();
            let announce = tracker.begin(progress());
            let result = tokio::select! {
                () = stopping(&mut stage, Stage::Stopping) => break,
                result = client.announce(&announce) => result,
            };
            tracker.handle_result(now(), &result);
            reporter.ended(Outcome::from(&result));
            let Ok(answer) = result else { continue };
            tokio::select! {
                () = stopping(&mut stage, Stage::Stopping) => break,
                () = reporter.found(answer.peers) => {}
            }
        }
        if let Some(announce) = tracker.stop(progress()) {
            let _ = client.announce(&announce).await;
        }
        reporter.off(WhyOff::Stopped);
    }
}

/// Waits until `stage` has come; also when nobody is there any more to tell.
pub(super) async fn stopping(stage: &mut watch::Receiver<Stage>, until: Stage) {
    let _ = stage.wait_for(|stage| *stage >= until).await;
}

#[cfg(test)]
mod tests;
