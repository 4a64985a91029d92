use crate::net::Network;
use crate::source::InfoHash;
use crate::swarm::Candidate;
use std::sync::Arc;
use tokio::sync::mpsc;
pub struct DhtConfig;
pub struct DiscoveryConfig {
    pub info_hash: InfoHash,
    pub peer_id: [u8; 20],
    pub port: u16,
    pub trackers: Vec<Vec<String>>,
    pub dht: Option<DhtConfig>,
    pub lsd: bool,
}
pub struct Progress {
    pub uploaded: u64,
    pub downloaded: u64,
    pub left: u64,
}
#[derive(Clone, Debug)]
pub struct SourceReport;
pub struct Discovery;
pub fn start(
    _: DiscoveryConfig,
    _: Arc<Network>,
    _: Arc<dyn Fn() -> Progress + Send + Sync>,
) -> (Discovery, mpsc::Receiver<Candidate>) {
    (Discovery, mpsc::channel(1).1)
}
impl Discovery {
    pub fn reports(&self) -> Vec<SourceReport> {
        vec![]
    }
    pub fn set_private(&self) {}
    pub async fn stop(&self) {}
}
impl std::fmt::Display for SourceReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
