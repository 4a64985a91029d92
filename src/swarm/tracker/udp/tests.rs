use proptest::prelude::*;

use super::super::Progress;
use super::*;
use crate::net::NetworkConfig;
use crate::source::InfoHash;

fn net() -> Arc<Network> {
    Arc::new(Network::new(NetworkConfig::default()).expect("a network"))
}

fn identity() -> Identity {
    Identity { info_hash: InfoHash([7; 20]), peer_id: *b"-PF0100-abcdefghijkl", port: 6881, key: u32::MAX }
}

fn announce() -> Announce {
    Announce {
        event: Some(Event::Started),
        progress: Progress { uploaded: 1, downloaded: 2, left: u64::MAX },
        wanted: 200,
        tracker_id: None,
    }
}

fn tracker(url: &str) -> Result<UdpTracker, Failure> {
    UdpTracker::new(net(), &Url::parse(url).expect("a URL"), Family::V4, identity())
}

#[test]
fn what_is_asked_is_what_another_program_reads() {
    let tracker = tracker("udp://host:1/announce").expect("a tracker");
    let (connection, transaction) = (wire::ConnectionId::new(-5), wire::TransactionId::new(9));
    let packet = tracker.announce_packet(connection, transaction, &announce()).expect("a packet");
    assert_eq!(packet.len(), 98);
    let Ok(wire::Request::Announce(read)) = wire::Request::parse_bytes(&packet, 1) else {
        panic!("not an announce")
    };
    let wire::AnnounceRequest {
        connection_id,
        transaction_id,
        info_hash,
        peer_id,
        port,
        event,
        bytes_left,
        ..
    } = read;
    assert_eq!((connection_id, transaction_id), (connection, transaction));
    assert_eq!((info_hash.0, peer_id.0), ([7; 20], identity().peer_id));
    assert_eq!((port.0.get(), bytes_left.0.get()), (6881, i64::MAX));
    assert_eq!(wire::AnnounceEvent::from(event), wire::AnnounceEvent::Started);
}

#[test]
fn path_and_query_go_along_where_they_say_something() {
    let path = format!("/announce?passkey={}", "x".repeat(300));
    let tracker = tracker(&format!("udp://host:1{path}")).expect("a tracker");
    let packet = tracker
        .announce_packet(wire::ConnectionId::new(1), wire::TransactionId::new(1), &announce())
        .expect("a packet");
    let told = [&packet[100..355], &packet[357..]].concat();
    assert_eq!(packet[98..100], [2, 255]);
    assert_eq!(packet[355..357], [2, (path.len() - 255) as u8]);
    assert_eq!(told, path.as_bytes());
}

#[test]
fn a_url_that_names_no_place_is_told_as_such() {
    for url in ["udp://host/announce", "udp://host:0/", "udp:///x", "udp:x"] {
        assert!(matches!(tracker(url), Err(Failure::BadUrl(_))), "{url}");
    }
}

#[tokio::test]
async fn a_silent_tracker_is_asked_again_and_then_given_up() {
    let net = net();
    let silent = net.udp_bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let socket = net.udp_bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    socket.connect(silent.local_addr().expect("bound")).await.expect("connected");
    let tries = [Duration::from_millis(1); 3];
    let result = exchange(&socket, b"hello", wire::TransactionId::new(1), &tries).await;
    assert_eq!(result, Err(Failure::Timeout));
    let mut packet = [0; 16];
    for _ in tries {
        assert_eq!(silent.recv(&mut packet).await.expect("a packet"), 5);
    }
}

#[tokio::test]
async fn answers_to_something_else_are_not_for_us() {
    let net = net();
    let tracker = net.udp_bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let socket = net.udp_bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let here = socket.local_addr().expect("bound");
    socket.connect(tracker.local_addr().expect("bound")).await.expect("connected");
    for packet in [&b""[..], b"short", b"\0\0\0\0\0\0\0\x02other", b"\0\0\0\0\0\0\0\x01ours"] {
        tracker.send_to(packet, here).await.expect("sent");
    }
    let tries = [Duration::from_secs(30)];
    let answer = exchange(&socket, b"hello", wire::TransactionId::new(1), &tries).await.expect("an answer");
    assert_eq!(answer, b"\0\0\0\0\0\0\0\x01ours");
}

#[test]
fn answers_are_read_with_peers_of_the_family_that_asked() {
    let fixed = b"\0\0\0\x01\0\0\0\x09\0\0\x07\x08\0\0\0\x02\0\0\0\x03";
    let v4 = [fixed.as_slice(), &[1, 2, 3, 4, 0, 80], &[9]].concat();
    let answer = parse_answer(&v4, Family::V4).expect("an answer");
    assert_eq!(
        (answer.interval, answer.leechers, answer.seeders),
        (Some(Duration::from_secs(1800)), Some(2), Some(3))
    );
    assert_eq!(answer.peers, ["1.2.3.4:80".parse().expect("an address")]);
    let v6 = [fixed.as_slice(), &[0x20; 16], &[0, 80]].concat();
    assert_eq!(parse_answer(&v6, Family::V6).expect("an answer").peers.len(), 1);
    let refused = parse_answer(b"\0\0\0\x03\0\0\0\x09not here\0", Family::V6);
    assert_eq!(refused, Err(Failure::Said { text: "not here".to_owned(), retry: None }));
    for bytes in [&b""[..], b"\0\0\0\x01", b"\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0", b"\0\0\0\x07\0\0\0\x09"] {
        assert!(matches!(parse_answer(bytes, Family::V4), Err(Failure::BadReply(_))), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(action in 0u8..5, bytes in proptest::collection::vec(any::<u8>(), 0..200), six in any::<bool>()) {
        let family = if six { Family::V6 } else { Family::V4 };
        let _ = parse_answer(&bytes, family);
        let _ = parse_answer(&[&[0, 0, 0, action], bytes.as_slice()].concat(), family);
    }
}
