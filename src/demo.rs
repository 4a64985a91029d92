//! The swarm of `peerflix demo`: a small film, seeds that are another program's (librqbit's), and a tracker, all on
//! loopback. Not the session that watches it: that is the real one.

mod tracker;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use librqbit::limits::LimitsConfig;
use librqbit::spawn_utils::BlockingSpawner;
use librqbit::{
    AddTorrent, AddTorrentOptions, CreateTorrentOptions, ListenerMode, ListenerOptions, Session,
    SessionOptions, create_torrent,
};

use crate::net::Network;
use tracker::Tracker;

/// The film. `assets/make-demo.sh` makes it.
pub const CLIP: &[u8] = include_bytes!("../assets/demo.mp4");

/// The film's name in the torrent.
pub const CLIP_NAME: &str = "peerflix demo.mp4";

/// Small, so that a film of a few megabytes has pieces enough to come from everybody.
const PIECE_LENGTH: u32 = 64 * 1024;

/// Seeds, and what each sends a second: together some twenty times what the film needs.
const SEEDS: usize = 4;
const SEED_RATE: NonZeroU32 = NonZeroU32::new(256 * 1024).expect("not zero");

/// Why the demo's swarm could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the demo's film could not be written to {folder}: {cause}")]
    Film { folder: String, cause: std::io::Error },
    #[error("the demo's torrent could not be made: {0}")]
    Torrent(String),
    #[error("a seed of the demo did not start: {0}")]
    Seed(String),
    #[error("the demo's tracker could not listen on this computer: {0}")]
    Tracker(std::io::Error),
}

/// A running swarm.
pub struct DemoSwarm {
    /// What a user would type.
    pub magnet: String,
    seeds: Vec<Arc<Session>>,
    tracker: Tracker,
}

impl DemoSwarm {
    /// Writes the film below `folder`, which is the caller's to remove, and returns when all seeds listen.
    pub async fn start(folder: &Path, net: &Network) -> Result<DemoSwarm, DemoError> {
        let film = folder.join(CLIP_NAME);
        tokio::fs::write(&film, CLIP)
            .await
            .map_err(|cause| DemoError::Film { folder: folder.display().to_string(), cause })?;
        let options = CreateTorrentOptions { piece_length: Some(PIECE_LENGTH), ..Default::default() };
        let torrent = create_torrent(&film, options, &BlockingSpawner::new(1))
            .await
            .map_err(|cause| DemoError::Torrent(format!("{cause:#}")))?;
        let bytes = torrent.as_bytes().map_err(|cause| DemoError::Torrent(format!("{cause:#}")))?;

        let seeds = futures_util::future::try_join_all((0..SEEDS).map(|_| seed(folder, bytes.clone())))
            .await
            .map_err(|cause| DemoError::Seed(format!("{cause:#}")))?;
        let addresses = seeds
            .iter()
            .filter_map(|seed| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, seed.listen_addr()?.port()))))
            .collect();
        let tracker = Tracker::start(net, addresses).map_err(DemoError::Tracker)?;
        let magnet = format!(
            "magnet:?xt=urn:btih:{}&dn={}&tr={}",
            torrent.info_hash().as_string(),
            CLIP_NAME.replace(' ', "+"),
            percent_encoding::utf8_percent_encode(&tracker.url(), percent_encoding::NON_ALPHANUMERIC),
        );
        Ok(DemoSwarm { magnet, seeds, tracker })
    }

    /// How many seeds there are.
    pub fn seeds(&self) -> usize {
        self.seeds.len()
    }

    /// Stops everything.
    pub async fn close(self) {
        self.tracker.close();
        for seed in self.seeds {
            seed.stop().await;
        }
    }
}

/// One seed of the film in `folder`: a session of its own, on a port of its own, that talks to nobody by itself.
async fn seed(folder: &Path, torrent: bytes::Bytes) -> anyhow::Result<Arc<Session>> {
    let listen = ListenerOptions {
        mode: ListenerMode::TcpOnly,
        listen_addr: (Ipv4Addr::LOCALHOST, 0).into(),
        ipv4_only: true,
        ..Default::default()
    };
    let options = SessionOptions {
        dht: None,
        persistence: None,
        disable_trackers: true,
        disable_local_service_discovery: true,
        listen: Some(listen),
        ipv4_only: true,
        ratelimits: LimitsConfig { upload_bps: Some(SEED_RATE), download_bps: None },
        ..Default::default()
    };
    let session = Session::new_with_opts(folder.to_owned(), options).await?;
    let options = AddTorrentOptions {
        overwrite: true,
        output_folder: Some(folder.to_string_lossy().into_owned()),
        ..Default::default()
    };
    let added = session.add_torrent(AddTorrent::from_bytes(torrent), Some(options)).await?;
    match added.into_handle() {
        Some(handle) => handle.wait_until_initialized().await?,
        None => anyhow::bail!("the film was not added"),
    }
    Ok(session)
}
