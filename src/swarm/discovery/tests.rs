use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aquatic_http_protocol::request::Request;
use aquatic_udp_protocol as wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::NetworkConfig;
use crate::swarm::Origin;

const HASH: InfoHash = InfoHash([0xab; 20]);
/// Longer than any of these takes, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn net() -> Arc<Network> {
    Arc::new(Network::new(NetworkConfig::default()).expect("a network"))
}

fn config(trackers: &[&str]) -> DiscoveryConfig {
    DiscoveryConfig {
        info_hash: HASH,
        peer_id: *b"-PF0100-abcdefghijkl",
        port: 6881,
        trackers: trackers.iter().map(|&url| vec![url.to_owned()]).collect(),
        more_trackers: vec![],
        private: false,
        dht: None,
        lsd: false,
    }
}

fn begin(net: &Arc<Network>, trackers: &[&str]) -> (Discovery, Findings) {
    start(
        config(trackers),
        net.clone(),
        Arc::new(|| Situation { progress: Progress { uploaded: 1, downloaded: 2, left: 3 }, alone: false }),
    )
}

/// An HTTP tracker that gives each announce this answer, and tells the events it was sent.
async fn http_tracker(
    net: &Network,
    at: IpAddr,
    answer: &'static [u8],
) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = net.tcp_listen((at, 0).into()).expect("a free port");
    let url = format!("http://{}/announce", listener.local_addr().expect("bound"));
    let (told, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = client.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            match Request::parse_http_get_path(path) {
                Ok(Request::Announce(announce)) => {
                    assert_eq!(announce.info_hash.0, HASH.0);
                    let _ = told.send(announce.event.as_str().unwrap_or("").to_owned());
                }
                other => panic!("not an announce: {other:?}"),
            }
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            let _ = client.write_all(&[head.as_bytes(), answer].concat()).await;
        }
    });
    (url, events)
}

/// A UDP tracker that answers with one peer, 9.9.9.9:9 or its like in IPv6, and tells the events it was sent.
fn udp_tracker(
    net: &Network,
    at: IpAddr,
) -> std::io::Result<(String, mpsc::UnboundedReceiver<wire::AnnounceEvent>)> {
    let socket = net.udp_bind((at, 0).into())?;
    let url = format!("udp://{}/announce", socket.local_addr()?);
    let (told, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut packet = vec![0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            let mut answer = Vec::new();
            match wire::Request::parse_bytes(&packet[..length], 1).expect("a request") {
                wire::Request::Connect(connect) => wire::ConnectResponse {
                    transaction_id: connect.transaction_id,
                    connection_id: wire::ConnectionId::new(77),
                }
                .write_bytes(&mut answer),
                wire::Request::Announce(announce) => {
                    assert_eq!(announce.connection_id, wire::ConnectionId::new(77));
                    let _ = told.send(announce.event.into());
                    answer.extend([0, 0, 0, 1]);
                    answer.extend(announce.transaction_id.0.get().to_be_bytes());
                    answer.extend([0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2]);
                    answer.extend_from_slice(&[9; 16][..if from.is_ipv4() { 4 } else { 16 }]);
                    answer.extend([0, 9]);
                    Ok(())
                }
                wire::Request::Scrape(_) => panic!("nobody asked for that"),
            }
            .expect("written");
            let _ = socket.send_to(&answer, from).await;
        }
    });
    Ok((url, events))
}

async fn next(findings: &mut Findings) -> Finding {
    tokio::time::timeout(PATIENCE, findings.next()).await.expect("in time").expect("a finding")
}

async fn first(findings: &mut Findings) -> Candidate {
    match next(findings).await {
        Finding::Candidate(candidate) => candidate,
        Finding::Only(_) => panic!("no torrent here is private"),
    }
}

/// What the only source has come to, once it has.
async fn outcome(discovery: &Discovery) -> Outcome {
    let wait = async {
        loop {
            if let Some((outcome, _)) = discovery.reports().into_iter().find_map(|report| report.last) {
                return outcome;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time")
}

#[tokio::test]
async fn an_http_tracker_is_greeted_heard_and_left() {
    let net = net();
    let answer = b"d8:completei1e10:incompletei2e8:intervali1800e5:peers6:\x7f\x00\x00\x01\x00\x09e";
    let (url, mut events) = http_tracker(&net, Ipv4Addr::LOCALHOST.into(), answer).await;
    let (discovery, mut candidates) = begin(&net, &[&url]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    assert_eq!(first(&mut candidates).await, Candidate { address, origin: Origin::Tracker });
    let outcome = outcome(&discovery).await;
    assert_eq!(outcome, Outcome::Answered { peers: 1, seeders: Some(1), leechers: Some(2), warning: None });
    let report = discovery.reports().remove(0);
    assert_eq!((report.asked, report.answered, report.found), (1, 1, 1));
    assert_eq!(report.whom, Whom::Tracker { url, family: Some(Family::V4) });
    discovery.stop().await;
    assert_eq!(events.recv().await.as_deref(), Some("started"));
    assert_eq!(events.recv().await.as_deref(), Some("stopped"));
    assert_eq!(discovery.reports()[0].doing, Doing::Off(WhyOff::Stopped));
}

#[tokio::test]
async fn a_udp_tracker_is_greeted_heard_and_left() {
    let net = net();
    let (url, mut events) = udp_tracker(&net, Ipv4Addr::LOCALHOST.into()).expect("a free port");
    let (discovery, mut candidates) = begin(&net, &[&url]);
    assert_eq!(first(&mut candidates).await.address.to_string(), "9.9.9.9:9");
    discovery.stop().await;
    assert_eq!(events.recv().await, Some(wire::AnnounceEvent::Started));
    assert_eq!(events.recv().await, Some(wire::AnnounceEvent::Stopped));
}

#[tokio::test]
async fn ipv6_trackers_are_asked_over_ipv6() {
    let net = net();
    let Ok((udp, _events)) = udp_tracker(&net, Ipv6Addr::LOCALHOST.into()) else {
        eprintln!("this machine has no IPv6: nothing to see");
        return;
    };
    let (discovery, mut candidates) = begin(&net, &[&udp]);
    assert_eq!(first(&mut candidates).await.address.to_string(), "[909:909:909:909:909:909:909:909]:9");
    drop(discovery);

    let answer = b"d8:intervali1800e6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50e";
    let (http, _events) = http_tracker(&net, Ipv6Addr::LOCALHOST.into(), answer).await;
    let (discovery, mut candidates) = begin(&net, &[&http]);
    assert_eq!(first(&mut candidates).await.address.to_string(), "[2001:db8::1]:80");
    assert_eq!(discovery.reports().len(), 1);
}

#[tokio::test]
async fn all_tiers_are_asked_at_once_and_a_bad_one_is_in_nobodys_way() {
    let net = net();
    let refusing =
        net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port").local_addr().expect("bound");
    let silent = net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let silent_url = format!("http://{}/announce", silent.local_addr().expect("bound"));
    let (good, _events) = udp_tracker(&net, Ipv4Addr::LOCALHOST.into()).expect("a free port");
    let refusing_url = format!("http://{refusing}/announce");
    let (discovery, mut candidates) = begin(
        &net,
        &[&silent_url, &refusing_url, "wss://tracker.example/", "udp://127.0.0.1/", "nonsense", &good, &good],
    );
    first(&mut candidates).await;
    let reports = discovery.reports();
    assert_eq!(reports.len(), 6, "each is asked once");
    assert_eq!(reports[0].doing, Doing::Asking);
    for (index, failure) in
        [(2, "wss:// is not supported yet"), (3, "its URL cannot be used: it has no port")]
    {
        assert_eq!(reports[index].doing, Doing::Off(WhyOff::Hopeless));
        assert_eq!(
            reports[index].last.as_ref().map(|(outcome, _)| outcome.to_string()).as_deref(),
            Some(failure)
        );
    }
    // The silent one does not hear our farewell, and does not keep us.
    tokio::time::timeout(PATIENCE, discovery.stop()).await.expect("in time");
}

#[tokio::test]
async fn why_a_tracker_gave_nothing_is_kept() {
    let net = net();
    let gone =
        net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port").local_addr().expect("bound");
    let gone_udp =
        net.udp_bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port").local_addr().expect("bound");
    let here = Ipv4Addr::LOCALHOST.into();
    let (refusing, _a) = http_tracker(&net, here, b"d14:failure reason12:unregisterede").await;
    let (garbage, _b) = http_tracker(&net, here, b"<html>It works!</html>").await;
    for (url, expected) in [
        (refusing, Failure::Said { text: "unregistered".to_owned(), retry: None }),
        (garbage, Failure::BadReply("it is a web page".to_owned())),
        (format!("http://{gone}/announce"), Failure::Refused),
        (format!("udp://{gone_udp}/announce"), Failure::Refused),
    ] {
        let (discovery, _candidates) = begin(&net, &[&url]);
        assert_eq!(outcome(&discovery).await, Outcome::Failed(expected), "{url}");
        let report = discovery.reports().remove(0);
        assert_eq!((report.asked, report.answered, report.found), (1, 0, 0));
    }
}

const NOBODY: &str = "d8:intervali1800e5:peers0:e";

fn answered(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A web server that gives this answer to whatever it is asked, and tells the paths.
async fn web_server(net: &Network, answer: String) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (told, paths) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = client.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split([' ', '?']).nth(1).unwrap_or_default();
            let _ = told.send(path.to_owned());
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    (url, paths)
}

#[tokio::test]
async fn what_a_stranger_named_asks_nothing_near_but_a_tracker() {
    let net = net();
    let (router, mut asked) = web_server(&net, answered(NOBODY)).await;
    let elsewhere = format!(
        "HTTP/1.1 302 Found\r\nLocation: {router}/announce\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let (leading, mut led) = web_server(&net, elsewhere.clone()).await;
    let (by_name, _) = web_server(&net, elsewhere.replace("127.0.0.1", "localhost")).await;
    for url in [
        format!("{router}/reboot"),
        format!("{router}/reboot.cgi/announce"),
        format!("{router}/%2e%2e/reboot%3b/announce"),
    ] {
        let (discovery, _candidates) = begin(&net, &[&url]);
        let refused = outcome(&discovery).await;
        assert!(matches!(refused, Outcome::Failed(Failure::Near { .. })), "{url}: {refused:?}");
    }
    for url in [format!("{leading}/announce"), format!("{by_name}/announce")] {
        let (discovery, _candidates) = begin(&net, &[&url]);
        let refused = outcome(&discovery).await;
        assert!(matches!(refused, Outcome::Failed(Failure::LeadsNear { .. })), "{url}: {refused:?}");
    }
    assert_eq!(led.recv().await.as_deref(), Some("/announce"));
    for url in [format!("{router}/announce.php"), format!("{router}/a-passkey/announce?more")] {
        let (discovery, _candidates) = begin(&net, &[&url]);
        assert!(matches!(outcome(&discovery).await, Outcome::Answered { .. }), "{url}");
    }
    assert_eq!(asked.recv().await.as_deref(), Some("/announce.php"), "and nothing before");
    assert_eq!(asked.recv().await.as_deref(), Some("/a-passkey/announce"));
}

#[tokio::test]
async fn what_the_user_named_may_be_anywhere() {
    let net = net();
    let (own, mut asked) = web_server(&net, answered(NOBODY)).await;
    let url = format!("{own}/my/own.tracker");
    let config = DiscoveryConfig { more_trackers: vec![url.clone()], ..config(&[&url]) };
    let (discovery, _candidates) = start(config, net, Arc::new(Situation::default));
    assert!(matches!(outcome(&discovery).await, Outcome::Answered { .. }));
    assert_eq!(asked.recv().await.as_deref(), Some("/my/own.tracker"));
}

#[tokio::test]
async fn a_private_torrent_is_nobodys_business() {
    let config = DiscoveryConfig {
        info_hash: HASH,
        peer_id: [0; 20],
        port: 6881,
        trackers: vec![],
        more_trackers: vec![],
        private: false,
        dht: Some(DhtConfig { bootstrap: Some(vec!["127.0.0.1:1".to_owned()]), ..DhtConfig::default() }),
        lsd: true,
    };
    let (discovery, mut candidates) = start(config, net(), Arc::new(Situation::default));
    discovery.set_private();
    assert_eq!(next(&mut candidates).await, Finding::Only(HashSet::new()));
    // Nobody is left who could find anything.
    assert_eq!(tokio::time::timeout(PATIENCE, candidates.next()).await, Ok(None));
    for report in discovery.reports() {
        assert_eq!(report.doing, Doing::Off(WhyOff::Private), "{report}");
    }
}

#[test]
fn a_report_is_a_sentence_without_the_passkey() {
    let report = SourceReport {
        whom: Whom::Tracker {
            url: "http://t/secret/announce?passkey=secret".to_owned(),
            family: Some(Family::V6),
        },
        doing: Doing::Waiting { again_in: Duration::from_secs(5) },
        asked: 1,
        answered: 0,
        found: 0,
        last: Some((Outcome::Failed(Failure::Refused), Duration::ZERO)),
        nodes: None,
    };
    assert_eq!(report.to_string(), "tracker http://t (IPv6): it refused the connection; asked again in 5 s");
}

/// What a private torrent with these trackers finds.
fn begin_private(net: &Arc<Network>, tiers: &[&[&str]], more: &[&str]) -> (Discovery, Findings) {
    let config = DiscoveryConfig {
        info_hash: HASH,
        peer_id: [1; 20],
        port: 6881,
        trackers: tiers.iter().map(|tier| tier.iter().map(|&url| url.to_owned()).collect()).collect(),
        more_trackers: more.iter().map(|&url| url.to_owned()).collect(),
        private: true,
        dht: None,
        lsd: false,
    };
    start(config, net.clone(), Arc::new(Situation::default))
}

const ONE_PEER: &[u8] = b"d8:intervali1800e5:peers6:\x7f\x00\x00\x01\x00\x09e";
const ANOTHER_PEER: &[u8] = b"d8:intervali1800e5:peers6:\x7f\x00\x00\x01\x00\x0ae";

#[tokio::test]
async fn a_private_torrent_asks_tier_by_tier_and_no_tracker_beyond_the_one_that_answers() {
    let net = net();
    let here = Ipv4Addr::LOCALHOST.into();
    let (refusing, mut refused) = http_tracker(&net, here, b"d14:failure reason12:unregisterede").await;
    let (good, mut asked) = http_tracker(&net, here, ONE_PEER).await;
    let (spare, mut spared) = http_tracker(&net, here, ANOTHER_PEER).await;
    let (users, mut users_asked) = http_tracker(&net, here, ANOTHER_PEER).await;
    let tiers: [&[&str]; 4] = [&["wss://tracker.example/"], &[&refusing], &[&good], &[&spare]];
    let (discovery, mut findings) = begin_private(&net, &tiers, &[&users]);
    assert_eq!(refused.recv().await.as_deref(), Some("started"));
    assert_eq!(asked.recv().await.as_deref(), Some("started"));
    assert_eq!(first(&mut findings).await.address, (Ipv4Addr::LOCALHOST, 9).into());
    let reports = discovery.reports();
    assert_eq!(reports.len(), 4, "the user's tracker is not the torrent's");
    assert_eq!(reports[3].doing, Doing::StandingBy);
    discovery.stop().await;
    assert_eq!(asked.recv().await.as_deref(), Some("stopped"));
    assert!(spared.try_recv().is_err() && users_asked.try_recv().is_err());
    assert!(reports[3].to_string().ends_with("asked when the one before it fails"));
}

#[tokio::test]
async fn a_magnet_that_turns_out_private_keeps_to_one_tracker_and_its_peers_and_leaves_the_others() {
    let net = net();
    let here = Ipv4Addr::LOCALHOST.into();
    let (one, mut one_asked) = http_tracker(&net, here, ONE_PEER).await;
    let (other, mut other_asked) = http_tracker(&net, here, ANOTHER_PEER).await;
    let (discovery, mut findings) = begin(&net, &[&one, &other]);
    let named = [first(&mut findings).await.address.port(), first(&mut findings).await.address.port()];
    assert_eq!(named.iter().sum::<u16>(), 19, "both were asked");
    discovery.set_private();
    let peers = HashSet::from([(Ipv4Addr::LOCALHOST, 9).into()]);
    assert_eq!(next(&mut findings).await, Finding::Only(peers));
    assert_eq!(other_asked.recv().await.as_deref(), Some("started"));
    assert_eq!(other_asked.recv().await.as_deref(), Some("stopped"));
    discovery.stop().await;
    assert_eq!(one_asked.recv().await.as_deref(), Some("started"));
    assert_eq!(one_asked.recv().await.as_deref(), Some("stopped"));
}
