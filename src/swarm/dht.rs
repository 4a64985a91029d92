//! Finds peers in the DHT (BEP 5, 32): librqbit's, wrapped. Its routing tables are kept across runs, it begins to look as
//! soon as it knows nodes, it is started anew when it has lost all, and what it knows is told.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use librqbit_core::Id20;
use librqbit_dht::{Dht, DhtState};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::discovery::{Failure, Outcome, Reporter, Stage, WhyOff, stopping};
use super::tracker::Identity;
use crate::net::{Family, Network};

/// Nodes that are always there, and answer.
const BOOTSTRAP: [&str; 4] = [
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "router.bittorrent.com:6881",
    "router.utorrent.com:6881",
];
/// Names that take longer to look up are done without.
const LOOK_UP: Duration = Duration::from_secs(10);
/// And those that take so much longer than others, or when there are nodes of the last run.
const LOOK_UP_OF_MORE: Duration = Duration::from_millis(300);
/// Nodes of the last run to begin with, beside those that are always there.
const BEGIN_WITH: usize = 16;
/// A look-up starts from the closest nodes: with fewer than these it would go the wrong way, and be repeated late.
const ENOUGH_NODES: usize = 8;
/// A small network has no more: after this time without news of any, look for peers with those that there are.
const NO_MORE_NODES: Duration = Duration::from_millis(500);
/// How often the number of nodes is looked at, before and after the look-up has begun.
const NODES_CHECK: Duration = Duration::from_millis(20);
const NODES_REPORT: Duration = Duration::from_secs(2);
const SAVE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Without any node for so long, all is begun anew: names are looked up again, sockets made again.
const LOST: Duration = Duration::from_secs(2 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(5 * 60);
/// The longest saved table that is read, in bytes.
const LONGEST_SAVED: u64 = 8 * 1024 * 1024;

/// How to take part in the DHT.
#[derive(Clone, Debug, Default)]
pub struct DhtConfig {
    /// Where the routing tables are kept (`dht.json`); `None`: not kept.
    pub folder: Option<PathBuf>,
    /// `HOST:PORT` of nodes to begin with; `None`: the well-known ones.
    pub bootstrap: Option<Vec<String>>,
    /// Where to listen; `None`: where the last run did, else any free port, of every address.
    pub listen: Option<SocketAddr>,
}

/// What is kept across runs.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved<Table> {
    port: u16,
    v4: Option<Table>,
    v6: Option<Table>,
}

/// Takes part in the DHT until told to stop, then saves.
pub(super) async fn run(
    config: DhtConfig,
    identity: Identity,
    net: Arc<Network>,
    reporter: Reporter,
    mut stage: watch::Receiver<Stage>,
) {
    let mut retry = FIRST_RETRY;
    loop {
        reporter.asking();
        let mut node = None;
        let failure = tokio::select! {
            () = stopping(&mut stage, Stage::Private) => None,
            failure = take_part(&config, identity, &net, &reporter, &mut node) => Some(failure),
        };
        if let Some(node) = &node {
            save(&config, &node.dht).await;
        }
        drop(node);
        let Some(failure) = failure else { break };
        reporter.ended(Outcome::Failed(failure));
        reporter.waiting(Instant::now() + retry);
        tokio::select! {
            () = stopping(&mut stage, Stage::Private) => break,
            () = sleep(retry) => retry = (retry * 2).min(LONGEST_RETRY),
        }
    }
    let private = *stage.borrow() == Stage::Private;
    reporter.off(if private { WhyOff::Private } else { WhyOff::Stopped });
}

/// A running node; its tasks end with it.
struct Node {
    dht: Dht,
    _guard: tokio_util::sync::DropGuard,
}

/// Ends only when it is of no use any more, with the reason.
async fn take_part(
    config: &DhtConfig,
    identity: Identity,
    net: &Network,
    reporter: &Reporter,
    place: &mut Option<Node>,
) -> Failure {
    let dht = match start(config, net).await {
        Ok(node) => place.insert(node).dht.clone(),
        Err(failure) => return failure,
    };
    let nodes = || {
        let stats = dht.stats();
        let nodes = stats.routing_table_size + stats.routing_table_size_v6;
        reporter.knows_nodes(nodes);
        nodes
    };
    if !some_nodes(&nodes).await {
        return Failure::Timeout;
    }
    reporter.listening();
    let mut peers = dht.get_peers(Id20::new(identity.info_hash.0), Some(identity.port));
    let mut check = interval(NODES_REPORT);
    let mut save_at = Instant::now() + SAVE_INTERVAL;
    let mut alive_at = Instant::now();
    loop {
        tokio::select! {
            peer = peers.next() => match peer {
                Some(address) => reporter.found([address]).await,
                None => return Failure::Unreachable("it has stopped".to_owned()),
            },
            now = check.tick() => {
                if nodes() > 0 {
                    alive_at = now;
                } else if now.saturating_duration_since(alive_at) > LOST {
                    return Failure::Timeout;
                }
                if now >= save_at {
                    save_at = now + SAVE_INTERVAL;
                    save(config, &dht).await;
                }
            }
        }
    }
}

/// Waits until enough nodes are known, or no more seem to come; false if none has come at all.
async fn some_nodes(nodes: impl Fn() -> usize) -> bool {
    let begun = Instant::now();
    let mut known = 0;
    let mut news_at = begun;
    loop {
        let now = Instant::now();
        let count = nodes();
        if count > known {
            news_at = now;
        }
        known = count;
        if known >= ENOUGH_NODES || known > 0 && now.saturating_duration_since(news_at) > NO_MORE_NODES {
            return true;
        }
        if now.saturating_duration_since(begun) > LOST {
            return false;
        }
        sleep(NODES_CHECK).await;
    }
}

async fn start(config: &DhtConfig, net: &Network) -> Result<Node, Failure> {
    // librqbit panics on this variable.
    if std::env::var("DHT_QUERIES_PER_SECOND")
        .is_ok_and(|value| !value.parse().is_ok_and(|rate: u32| rate >= 10))
    {
        return Err(Failure::Unreachable("DHT_QUERIES_PER_SECOND is not a number from 10 on".to_owned()));
    }
    // The tables' type has no public name, so it is told by the fields that they go into.
    let mut kept = librqbit_dht::DhtConfig::default();
    let mut port = 0;
    if let Some(saved) = load(config).await {
        (port, kept.routing_table, kept.routing_table_v6) = (saved.port, saved.v4, saved.v6);
    }
    let (v4, v6) = (kept.routing_table, kept.routing_table_v6);
    let most = if v4.is_some() || v6.is_some() { LOOK_UP_OF_MORE } else { LOOK_UP };
    let mut begin_with = bootstrap_addresses(config, net, most).await;
    for table in [&v4, &v6].into_iter().flatten() {
        begin_with.extend(table.iter().take(BEGIN_WITH).map(|node| node.addr().to_string()));
    }
    // With nobody to begin with, librqbit's would end at once.
    if begin_with.is_empty() {
        return Err(Failure::DnsFailed);
    }
    // One of our own, at random: librqbit's are all alike in their first bytes, so that they are far from most.
    let id = v4.as_ref().or(v6.as_ref()).map_or_else(|| Id20::new(rand::random()), |table| table.id());
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    // Another peerflix may have the port of the last run; a system may have no IPv6.
    let places: Vec<SocketAddr> = match config.listen {
        Some(place) => vec![place],
        None => vec![
            (Ipv6Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            (Ipv4Addr::UNSPECIFIED, 0).into(),
        ],
    };
    let mut why_not = String::new();
    for listen in places {
        let made = librqbit_dht::DhtConfig {
            peer_id: Some(id),
            bootstrap_addrs: Some(begin_with.clone()),
            routing_table: v4.clone(),
            routing_table_v6: v6.clone(),
            listen_addr: Some(listen),
            cancellation_token: Some(token.clone()),
            ..Default::default()
        };
        match DhtState::with_config(made).await {
            Ok(dht) => return Ok(Node { dht, _guard: guard }),
            Err(error) => why_not = error.to_string(),
        }
    }
    Err(Failure::Unreachable(why_not))
}

/// The addresses of the nodes to begin with, looked up by us: librqbit would go past our one place for that.
/// Not longer than `most`; once one has been found, the others have little time left.
async fn bootstrap_addresses(config: &DhtConfig, net: &Network, most: Duration) -> Vec<String> {
    let names: Vec<String> = match &config.bootstrap {
        Some(names) => names.clone(),
        None => BOOTSTRAP.iter().map(|&name| name.to_owned()).collect(),
    };
    let look_up = async |name: &String| {
        let (host, port) = name.rsplit_once(':')?;
        let addresses = net.resolve(host, port.parse().ok()?).await.ok()?;
        // One of each family will do.
        let of = |family| addresses.iter().copied().find(|&address| Family::of(address) == family);
        Some([of(Family::V4), of(Family::V6)])
    };
    let mut pending: FuturesUnordered<_> = names.iter().map(look_up).collect();
    let mut found = Vec::new();
    let mut until = Instant::now() + most;
    while let Ok(Some(looked_up)) = timeout_at(until, pending.next()).await {
        if let Some(addresses) = looked_up {
            found.extend(addresses.into_iter().flatten().map(|address| address.to_string()));
            until = until.min(Instant::now() + LOOK_UP_OF_MORE);
        }
    }
    found
}

/// Reads what the last run kept; `None` if there is nothing that can be read.
async fn load<Table>(config: &DhtConfig) -> Option<Saved<Table>>
where
    Table: serde::de::DeserializeOwned + Send + 'static,
{
    let path = config.folder.as_ref()?.join("dht.json");
    let read = move || {
        let file = std::fs::File::open(path).ok()?;
        let fits = file.metadata().ok()?.len() <= LONGEST_SAVED;
        fits.then(|| serde_json::from_reader(std::io::BufReader::new(file)).ok()).flatten()
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// Keeps the tables for the next run, if there is anything in them. A disk that does not take them is no reason to stop.
async fn save(config: &DhtConfig, dht: &Dht) {
    let Some(folder) = config.folder.clone() else { return };
    let port = dht.listen_addr().port();
    let written = dht.with_routing_tables(|v4, v6| {
        let saved = Saved { port, v4: Some(v4), v6: Some(v6) };
        (v4.len() + v6.len() > 0).then(|| serde_json::to_vec(&saved))
    });
    let Some(Ok(written)) = written else { return };
    let write = move || {
        std::fs::create_dir_all(&folder)?;
        let temporary = folder.join(format!(".dht.{}.tmp", std::process::id()));
        std::fs::write(&temporary, written)?;
        std::fs::rename(temporary, folder.join("dht.json"))
    };
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the DHT's routing table cannot be saved"),
        Err(error) => tracing::warn!(%error, "the DHT's routing table was not saved"),
    }
}

#[cfg(test)]
mod tests;
