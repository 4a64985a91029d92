//! From a source to a running driver, and to its end: the order in which the parts are started and stopped.

use std::collections::HashSet;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::choose::choose;
use super::door::Door;
use super::driver::{Driver, Parts};
use super::removal::Keeps;
use super::session::{Opened, Phase, Session};
use super::{Choice, Options, Shared, Torrent, TorrentError};
use crate::choker;
use crate::lock::lock;
use crate::net::Network;
use crate::read::{self, Files};
use crate::source::{Metainfo, Source};
use crate::store::{Store, StoreEvent};
use crate::swarm::dht::DhtConfig;
use crate::swarm::discovery::{self, Discovery, DiscoveryConfig, Finding, Findings, Situation};
use crate::swarm::{Candidate, Origin, SwarmConfig, SwarmEvent, SwarmHandle};

/// How long parts may take to end, of the second that [`Torrent::close`] has.
const ENDING: Duration = Duration::from_millis(900);

/// Our name among peers: client and version as BEP 20 has them, and chance.
fn peer_id() -> [u8; 20] {
    let mut id = *b"-PX0100-000000000000";
    for (byte, random) in id.iter_mut().skip(8).zip(rand::random::<[u8; 12]>()) {
        *byte = b'a' + random % 26;
    }
    id
}

pub(super) async fn open(
    source: Source,
    options: Options,
    net: Arc<Network>,
) -> Result<Torrent, TorrentError> {
    let trace = match &options.trace {
        Some(path) => {
            Some(File::create(path).map_err(|cause| TorrentError::Trace { path: path.clone(), cause })?)
        }
        None => None,
    };
    let found = match &source.metainfo {
        Some(metainfo) => Some(open_store(metainfo.clone(), &source, &options).await?),
        None => None,
    };
    let session = Arc::new(Session::new());
    if let Some(found) = &found {
        session.open(Arc::clone(&found.opened));
    }
    let is_private = found.as_ref().is_some_and(|found| found.metainfo.private);
    let peer_id = peer_id();
    let config = SwarmConfig {
        info_hash: source.info_hash,
        peer_id,
        listen_port: options.port,
        most_peers: options.most_peers,
        private: is_private,
        blocklist: options.blocklist.clone(),
        layout: found
            .as_ref()
            .map(|found| (Arc::new(found.metainfo.layout.clone()), found.metainfo.info_bytes.clone())),
        had: found.as_ref().map(|found| found.opened.store.had()),
    };
    let (swarm, swarm_events) =
        SwarmHandle::start(config, Arc::clone(&net)).map_err(|cause| match options.port {
            Some(port) => TorrentError::Listen { port, cause },
            None => TorrentError::ListenAnywhere(cause),
        })?;
    let config = DiscoveryConfig {
        info_hash: source.info_hash,
        peer_id,
        port: swarm.port(),
        trackers: if options.own_trackers { source.trackers.clone() } else { Vec::new() },
        more_trackers: options.trackers.clone(),
        private: is_private,
        dht: (options.dht && !is_private).then(|| dht_config(&options)),
        lsd: options.lsd && !is_private,
    };
    let situation = {
        let (session, swarm) = (Arc::clone(&session), swarm.clone());
        Arc::new(move || {
            let progress = session.progress();
            // Who wants nothing is not lonely: those who do come by themselves.
            Situation { progress, alone: progress.left > 0 && swarm.is_alone() }
        })
    };
    let (discovery, findings) = discovery::start(config, Arc::clone(&net), situation);
    let discovery = Arc::new(discovery);

    let mut helpers = JoinSet::new();
    helpers.spawn(pass_on(findings, swarm.clone()));
    options
        .peers
        .iter()
        .for_each(|&address| swarm.add_candidate(Candidate { address, origin: Origin::Given }));
    // The peers of a private torrent come from its tracker (BEP 27), or from the user's own hand.
    if !is_private {
        helpers.spawn(look_up(source.peers.clone(), net, swarm.clone()));
    }

    let (ending, is_ending) = watch::channel(false);
    let shared = Shared {
        info_hash: source.info_hash,
        session: Arc::clone(&session),
        swarm: swarm.clone(),
        discovery: Arc::clone(&discovery),
        keeps: Keeps {
            metadata: options.metadata_cache(),
            folder: options.folders(source.info_hash).folder,
            notes: options.folders(source.info_hash).state.join(super::NOTES),
            has_path: options.path.is_some(),
        },
        ending,
    };
    let life = Life { source, options, session, swarm, discovery, trace, ending: is_ending };
    tokio::spawn(async move {
        life.live(found, swarm_events).await;
        helpers.shutdown().await;
    });
    Ok(Torrent { shared: Arc::new(shared) })
}

fn dht_config(options: &Options) -> DhtConfig {
    let bootstrap = (!options.dht_bootstrap.is_empty()).then(|| options.dht_bootstrap.clone());
    DhtConfig { folder: Some(options.cache.join("dht")), bootstrap, listen: None }
}

async fn pass_on(mut findings: Findings, swarm: SwarmHandle) {
    while let Some(finding) = findings.next().await {
        match finding {
            Finding::Candidate(candidate) => swarm.add_candidate(candidate),
            Finding::Only(named) => swarm.keep_only(&named),
        }
    }
}

/// The peers that a magnet names, by address or by name.
async fn look_up(peers: Vec<String>, net: Arc<Network>, swarm: SwarmHandle) {
    for peer in peers {
        let addresses = match peer.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let Some((host, port)) = peer.rsplit_once(':') else { continue };
                let Ok(port) = port.parse() else { continue };
                match net.resolve(host, port).await {
                    Ok(addresses) => addresses,
                    Err(cause) => {
                        warn!("the magnet's peer {peer} cannot be found: {cause}");
                        continue;
                    }
                }
            }
        };
        addresses
            .into_iter()
            .for_each(|address| swarm.add_candidate(Candidate { address, origin: Origin::Magnet }));
    }
}

/// A torrent whose metadata is known and whose store is open.
struct Found {
    metainfo: Metainfo,
    opened: Arc<Opened>,
    store_events: mpsc::UnboundedReceiver<StoreEvent>,
}

async fn open_store(metainfo: Metainfo, source: &Source, options: &Options) -> Result<Found, TorrentError> {
    let files: Vec<_> = metainfo
        .files
        .iter()
        .map(|file| read::File { path: file.path.join("/"), length: file.span.length })
        .collect();
    // First, so that a name that matches nothing leaves no folder behind.
    let queue = choose(&files, &options.choice, &source.select_only)?;
    let config = options.folders(metainfo.info_hash);
    let opening = tokio::task::spawn_blocking(move || {
        let opened = Store::open(&metainfo, config);
        (metainfo, opened)
    });
    let (metainfo, opened) = opening.await.map_err(|_| TorrentError::Interrupted)?;
    let (store, store_events) = opened?;
    let files = Files {
        created_at: metainfo.created_at,
        ..Files::new(metainfo.info_hash.to_string(), metainfo.name.clone(), files, queue)
    };
    let opened = Opened {
        files: Arc::new(files),
        spans: metainfo.files.iter().map(|file| file.span).collect(),
        private: metainfo.private,
        door: Arc::new(Door::new(metainfo.layout.clone(), &store.had())),
        store,
    };
    Ok(Found { metainfo, opened: Arc::new(opened), store_events })
}

/// A torrent's life, from its opening to its end.
struct Life {
    source: Source,
    options: Options,
    session: Arc<Session>,
    swarm: SwarmHandle,
    discovery: Arc<Discovery>,
    trace: Option<File>,
    ending: watch::Receiver<bool>,
}

impl Life {
    async fn live(mut self, found: Option<Found>, mut swarm_events: mpsc::Receiver<SwarmEvent>) {
        let found = match found {
            Some(found) => Some(found),
            None => self.await_metadata(&mut swarm_events).await,
        };
        let Some(Found { opened, store_events, .. }) = found else {
            // Failed, or ended before the metadata came.
            let _ = self.ending.wait_for(|&ending| ending).await;
            return self.end(None).await;
        };
        let mut driver = Driver::new(Parts {
            session: Arc::clone(&self.session),
            opened: Arc::clone(&opened),
            swarm: self.swarm.clone(),
            swarm_events,
            store_events,
            choker: choker::Config {
                slots: if self.options.upload { self.options.upload_slots } else { 0 },
                ..choker::Config::default()
            },
            seed: rand::random(),
            trace: self.trace.take(),
            peer_timeout: self.options.peer_timeout,
            background: self.background(&opened.files),
        });
        match AssertUnwindSafe(driver.run(&mut self.ending)).catch_unwind().await {
            Ok(()) => driver.finish(),
            Err(_) => {
                // Nobody must wait for ever for what nobody drives any more.
                opened.door.close();
                let why =
                    "a fault in peerflix itself stopped the download; what is on disk is safe".to_owned();
                self.session.phase.send_replace(Phase::Failed(why));
                let _ = self.ending.wait_for(|&ending| ending).await;
            }
        }
        self.end(Some(&opened)).await;
    }

    /// What is fetched although nobody reads, as long as nobody says otherwise.
    fn background(&self, files: &Files) -> Vec<usize> {
        let mut background = if self.options.background { files.queue.clone() } else { Vec::new() };
        if !background.is_empty() && self.options.choice == Choice::All {
            let queued: HashSet<usize> = background.iter().copied().collect();
            background.extend((0..files.files.len()).filter(|index| !queued.contains(index)));
        }
        background
    }

    /// Waits for a magnet's metadata, and opens what it describes. `None` at the end, or if it cannot be opened.
    async fn await_metadata(&mut self, swarm_events: &mut mpsc::Receiver<SwarmEvent>) -> Option<Found> {
        let info = loop {
            let event = tokio::select! {
                _ = self.ending.wait_for(|&ending| ending) => return None,
                event = swarm_events.recv() => event,
            };
            match event {
                Some(SwarmEvent::Metadata(info)) => break info,
                Some(_) => {}
                None => return self.fail(TorrentError::Interrupted),
            }
        };
        match self.open_metadata(info).await {
            Ok(found) => Some(found),
            Err(cause) => self.fail(cause),
        }
    }

    async fn open_metadata(&mut self, info: Bytes) -> Result<Found, TorrentError> {
        let metainfo = Metainfo::from_info_bytes(info)?;
        if metainfo.private {
            self.discovery.set_private();
        }
        let kept = metainfo.clone();
        let (cache, trackers) = (self.options.metadata_cache(), self.source.trackers.clone());
        // Nobody waits for it, but who removes it: it serves the next start.
        let keeping = tokio::task::spawn_blocking(move || {
            if let Err(cause) = cache.save_with_trackers(&kept, &trackers) {
                warn!("the metadata cannot be kept: {cause}");
            }
        });
        *lock(&self.session.keeping) = Some(keeping);
        let found = open_store(metainfo, &self.source, &self.options).await?;
        let metainfo = &found.metainfo;
        self.swarm.set_layout(
            Arc::new(metainfo.layout.clone()),
            metainfo.info_bytes.clone(),
            metainfo.private,
            found.opened.store.had(),
        );
        self.session.open(Arc::clone(&found.opened));
        Ok(found)
    }

    fn fail(&self, cause: TorrentError) -> Option<Found> {
        let why = cause.to_string();
        let _ = self.session.failure.set(cause);
        self.session.phase.send_replace(Phase::Failed(why));
        None
    }

    async fn end(self, opened: Option<&Opened>) {
        if let Some(opened) = opened {
            opened.door.close();
        }
        let store = async {
            if let Some(opened) = opened
                && let Err(cause) = opened.store.close().await
            {
                warn!("what was downloaded last may have to be downloaded again: {cause}");
            }
        };
        let all = async { tokio::join!(store, self.swarm.close(), self.discovery.stop()) };
        if tokio::time::timeout(ENDING, all).await.is_err() {
            debug!("some part did not end in time");
        }
        self.session.phase.send_replace(Phase::Closed);
    }
}
