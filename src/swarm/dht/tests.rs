use tokio::time::timeout;

use super::super::discovery::{
    Discovery, DiscoveryConfig, Doing, Finding, Findings, Situation, start as discover,
};
use super::super::{Candidate, Origin};
use super::*;
use crate::net::NetworkConfig;
use crate::source::{InfoHash, parse_bencode};

const HASH: [u8; 20] = [0x5a; 20];
/// Longer than any of these takes, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn here() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A network of two: a node near to the hash (librqbit's keeps peers only of hashes that are near to its own id), and one
/// to begin with that names it, as the well-known ones name others (librqbit's never asks those themselves for peers).
struct Small {
    _near: Node,
    bootstrap: Vec<String>,
}

impl Small {
    async fn begin() -> Self {
        let token = CancellationToken::new();
        let guard = token.clone().drop_guard();
        let mut id = HASH;
        id[19] ^= 1;
        let config = librqbit_dht::DhtConfig {
            peer_id: Some(Id20::new(id)),
            bootstrap_addrs: Some(vec!["127.0.0.1:9".to_owned()]),
            listen_addr: Some(here()),
            cancellation_token: Some(token),
            ..Default::default()
        };
        let dht = DhtState::with_config(config).await.expect("a node");
        let compact = [id.as_slice(), &[127, 0, 0, 1], &dht.listen_addr().port().to_be_bytes()].concat();

        let net = Network::new(NetworkConfig::default()).expect("a network");
        let socket = net.udp_bind(here()).expect("a free port");
        let bootstrap = vec![socket.local_addr().expect("bound").to_string()];
        tokio::spawn(async move {
            let mut packet = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let query =
                    parse_bencode(&packet[..length]).expect("bencode").0.dict().expect("a dictionary");
                let transaction = query.raw("t").expect("a transaction");
                let answer = [
                    b"d1:rd2:id20:far far far far away5:nodes26:",
                    compact.as_slice(),
                    b"e1:t",
                    transaction,
                    b"1:y1:re",
                ];
                let _ = socket.send_to(&answer.concat(), from).await;
            }
        });
        Small { _near: Node { dht, _guard: guard }, bootstrap }
    }
}

fn seek(config: DhtConfig, port: u16) -> (Discovery, Findings) {
    let net = Arc::new(Network::new(NetworkConfig::default()).expect("a network"));
    let config = DiscoveryConfig {
        info_hash: InfoHash(HASH),
        peer_id: [0; 20],
        port,
        trackers: vec![],
        more_trackers: vec![],
        private: false,
        dht: Some(config),
        lsd: false,
    };
    discover(config, net, Arc::new(Situation::default))
}

#[tokio::test]
async fn one_viewer_finds_another_and_the_table_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let network = Small::begin().await;
    let bootstrap = Some(network.bootstrap.clone());
    let config = DhtConfig { folder: None, bootstrap: bootstrap.clone(), listen: Some(here()) };
    let (first, _candidates) = seek(config, 1111);

    let kept = DhtConfig { folder: Some(folder.path().to_owned()), bootstrap, listen: Some(here()) };
    let expected = Candidate { address: (Ipv4Addr::LOCALHOST, 1111).into(), origin: Origin::Dht };
    // The second asks once, perhaps before the first has announced itself: then another second asks.
    let find = async {
        loop {
            let (second, mut candidates) = seek(kept.clone(), 2222);
            // Itself it may find too, by then, and those before it.
            while let Ok(Some(found)) = timeout(Duration::from_secs(2), candidates.next()).await {
                if found == Finding::Candidate(expected) {
                    return second;
                }
            }
            second.stop().await;
        }
    };
    let second = timeout(PATIENCE, find).await.expect("in time");
    let report = second.reports().remove(0);
    assert_eq!((report.doing, report.nodes), (Doing::Listening, Some(1)), "{report}");
    second.stop().await;
    drop(first);

    // From what is kept alone, a third finds the network again.
    let (third, mut candidates) = seek(DhtConfig { bootstrap: Some(vec![]), ..kept }, 3333);
    let found = timeout(PATIENCE, candidates.next()).await.expect("in time").expect("a candidate");
    assert!(matches!(found, Finding::Candidate(Candidate { origin: Origin::Dht, .. })), "{found:?}");
    third.stop().await;
}

#[tokio::test]
async fn a_dht_with_nobody_to_begin_with_says_so() {
    let (discovery, _candidates) = seek(DhtConfig { bootstrap: Some(vec![]), ..DhtConfig::default() }, 1);
    let wait = async {
        loop {
            if let Some((outcome, _)) = discovery.reports().remove(0).last {
                return outcome;
            }
            tokio::task::yield_now().await;
        }
    };
    let outcome = timeout(PATIENCE, wait).await.expect("in time");
    assert_eq!(outcome, Outcome::Failed(Failure::DnsFailed));
}

#[tokio::test]
async fn a_damaged_table_is_no_table() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dht.json"), b"{\"port\":1,\"v4\":{}").expect("written");
    let network = Small::begin().await;
    let bootstrap = Some(network.bootstrap.clone());
    let config = DhtConfig { folder: Some(folder.path().to_owned()), bootstrap, listen: Some(here()) };
    let (discovery, _candidates) = seek(config, 1);
    let listening = async {
        while discovery.reports().remove(0).doing != Doing::Listening {
            sleep(NODES_CHECK).await;
        }
    };
    timeout(PATIENCE, listening).await.expect("in time");
}
