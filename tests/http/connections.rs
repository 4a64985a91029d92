//! Connections: waiting, pausing, leaving, breaking.

use std::time::Duration;

use futures_util::future::join_all;
use peerflix::http::ServerConfig;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;

use crate::world::{Client, Torrent, bytes};

const MIB: u64 = 1024 * 1024;
const TIB: u64 = 1024 * 1024 * MIB;

#[tokio::test]
async fn headers_come_before_any_piece() {
    let torrent = Torrent::film(MIB).withhold_from(0);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &["Range: bytes=100-"]).await;
    let head = client.head().await;
    assert_eq!((head.status, &head["content-range"]), (206, "bytes 100-1048575/1048576"));
    assert!(torrent.reads().is_empty());
    torrent.come_up_to(110);
    assert_eq!(client.body(10).await, bytes(0, 100..110));
    torrent.come_up_to(MIB);
    assert!(client.body(MIB - 110).await == bytes(0, 110..MIB));
}

#[tokio::test]
async fn a_request_before_the_metadata_waits_for_it() {
    let torrent = Torrent::film(1000).without_metadata();
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    torrent.until_waiting_are(1).await;
    // What needs no files does not wait.
    assert_eq!(Client::of(&server).await.fetch("GET /favicon.ico", &[]).await.0.status, 404);
    torrent.metadata_comes();
    assert_eq!(client.head().await.length(), 1000);
}

#[tokio::test]
async fn who_leaves_before_the_metadata_waits_no_longer() {
    let torrent = Torrent::film(1000).without_metadata();
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    torrent.until_waiting_are(1).await;
    drop(client);
    torrent.until_waiting_are(0).await;
}

#[tokio::test]
async fn who_leaves_while_waiting_for_a_piece_loses_the_reader() {
    let torrent = Torrent::film(MIB).withhold_from(0);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    client.head().await;
    torrent.until_readers_are(1).await;
    drop(client);
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn who_resets_while_waiting_for_a_piece_loses_the_reader() {
    let torrent = Torrent::film(MIB).withhold_from(0);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    client.head().await;
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).expect("loopback lingers");
    drop(client);
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn who_leaves_with_another_request_on_its_way_loses_the_reader_too() {
    let torrent = Torrent::film(MIB).withhold_from(0);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.say(&format!("{request}{request}")).await;
    client.head().await;
    torrent.until_readers_are(1).await;
    drop(client);
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_a_film_loses_the_reader() {
    let torrent = Torrent::film(TIB);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    client.head().await;
    client.body(MIB).await;
    drop(client);
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn a_whole_body_needs_no_reader_any_more_though_the_connection_stays() {
    let torrent = Torrent::film(MIB);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    for _ in 0..3 {
        let (_, body) = client.fetch("GET /", &[]).await;
        assert!(body == bytes(0, 0..MIB));
        torrent.until_readers_are(0).await;
    }
    assert_eq!(torrent.opened(), 3);
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let server = Torrent::film(1000).serve().await;
    let mut client = Client::of(&server).await;
    let ask = |range| format!("GET / HTTP/1.1\r\nHost: localhost\r\nRange: bytes={range}\r\n\r\n");
    client.say(&(ask("0-9") + &ask("10-19") + &ask("20-29"))).await;
    for first in [0, 10, 20] {
        assert_eq!(client.head().await.status, 206);
        assert_eq!(client.body(10).await, bytes(0, first..first + 10));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_finished_ends_with_a_reset() {
    let torrent = Torrent::film(MIB).break_at(300_000);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    assert_eq!(client.head().await.length(), MIB);
    let (body, end) = client.rest().await;
    assert!(end.is_err(), "{} bytes came, and then a clean end", body.len());
    assert!(body.len() <= 300_000 && body == bytes(0, 0..body.len() as u64));
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn closing_the_server_resets_what_is_unfinished_and_closes_what_is_finished() {
    let torrent = Torrent::film(1000);
    let server = torrent.serve().await;
    let mut finished = Client::of(&server).await;
    finished.fetch("GET /", &[]).await;
    torrent.come_up_to(0);
    let mut waiting = Client::of(&server).await;
    waiting.ask("GET /", &[]).await;
    waiting.head().await;
    let address = server.address();
    server.close().await;
    assert!(waiting.rest().await.1.is_err());
    let (rest, end) = finished.rest().await;
    assert!(rest.is_empty() && end.is_ok());
    torrent.until_readers_are(0).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

/// Lets everybody else run until nothing changes any more. (On one thread, that is what yielding does.)
async fn settle<T: PartialEq>(state: impl Fn() -> T) -> T {
    let mut before = state();
    let mut unchanged = 0;
    while unchanged < 5000 {
        tokio::task::yield_now().await;
        let now = state();
        unchanged = if now == before { unchanged + 1 } else { 0 };
        before = now;
    }
    before
}

#[tokio::test]
async fn a_paused_player_fills_the_sockets_and_nothing_else() {
    let torrent = Torrent::film(TIB);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    client.head().await;
    let read = settle(|| torrent.reads().iter().map(|&(_, _, length)| length as u64).sum::<u64>()).await;
    assert!(read < 64 * MIB, "{read} bytes were read for somebody who takes none");
    let largest = torrent.reads().iter().map(|&(_, _, length)| length).max();
    assert!(largest <= Some(256 * 1024));
    // It goes on where it was.
    assert!(client.body(32 * MIB).await == bytes(0, 0..32 * MIB));
}

#[tokio::test]
async fn a_client_that_reads_byte_by_byte_holds_up_nobody() {
    let torrent = Torrent::film(64 * MIB);
    let server = torrent.serve().await;
    let mut slow = Client::of(&server).await;
    SockRef::from(&slow.stream).set_recv_buffer_size(4096).expect("a buffer may be small");
    slow.ask("GET /", &[]).await;
    slow.head().await;
    let mut fast = Client::of(&server).await;
    fast.ask("GET /", &[]).await;
    fast.head().await;
    for mib in 0..64 {
        assert_eq!(slow.body(1).await, bytes(0, mib..mib + 1));
        assert!(fast.body(MIB).await == bytes(0, mib * MIB..(mib + 1) * MIB));
    }
    torrent.until_readers_are(1).await;
}

#[tokio::test]
async fn fifty_connections_at_once_each_get_their_own() {
    let torrent = Torrent::film(64 * MIB).withhold_from(0);
    let server = torrent.serve().await;
    let clients = join_all((0..50).map(async |i: u64| {
        let mut client = Client::of(&server).await;
        client.ask("GET /", &[&format!("Range: bytes={}-{}", i * MIB, i * MIB + 99_999)]).await;
        assert_eq!(client.head().await.status, 206);
        (i, client)
    }))
    .await;
    torrent.until_readers_are(50).await;
    torrent.come_up_to(u64::MAX);
    join_all(clients.into_iter().map(async |(i, mut client)| {
        assert!(client.body(100_000).await == bytes(0, i * MIB..i * MIB + 100_000));
    }))
    .await;
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn beyond_the_most_connections_a_client_waits_its_turn() {
    let server =
        Torrent::film(1000).serve_with(ServerConfig { most_connections: 2, ..ServerConfig::default() });
    let mut first = Client::of(&server).await;
    first.fetch("GET /", &[]).await;
    let mut second = Client::of(&server).await;
    second.fetch("GET /", &[]).await;
    let mut third = Client::of(&server).await;
    third.ask("GET /", &[]).await;
    drop(first);
    assert_eq!(third.head().await.status, 200);
    second.fetch("GET /", &[]).await;
}

#[tokio::test]
async fn who_never_finishes_a_request_is_not_waited_for() {
    let header_timeout = Duration::from_millis(50);
    let server = Torrent::film(1000).serve_with(ServerConfig { header_timeout, ..ServerConfig::default() });
    for start in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut client = Client::of(&server).await;
        client.say(start).await;
        let (rest, _) = client.rest().await;
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
}

#[tokio::test]
async fn a_paused_player_is_waited_for_longer_than_a_header() {
    let torrent = Torrent::film(1000).withhold_from(0);
    let header_timeout = Duration::from_millis(200);
    let server = torrent.serve_with(ServerConfig { header_timeout, ..ServerConfig::default() });
    let mut client = Client::of(&server).await;
    client.ask("GET /", &[]).await;
    client.head().await;
    // Another connection has been through its timeout since.
    let mut other = Client::of(&server).await;
    other.say("GET").await;
    let _ = other.rest().await;
    torrent.come_up_to(1000);
    assert_eq!(client.body(1000).await, bytes(0, 0..1000));
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let server = Torrent::film(1000).serve().await;
    let mut client = Client::of(&server).await;
    client.say("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ").await;
    client.say(&"x".repeat(16 * 1024)).await;
    assert_eq!(client.head().await.status, 431);
    let mut client = Client::of(&server).await;
    let many = "X: y\r\n".repeat(200);
    client.say(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")).await;
    assert_eq!(client.head().await.status, 431);
}

#[tokio::test]
async fn nonsense_is_answered_with_400_and_harms_nobody() {
    let torrent = Torrent::film(1000);
    let server = torrent.serve().await;
    for nonsense in
        ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0"]
    {
        let mut client = Client::of(&server).await;
        client.say(nonsense).await;
        client.stream.shutdown().await.expect("the connection is there");
        let (rest, _) = client.rest().await;
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 400") || rest.starts_with(b"HTTP/1.1 505"),
            "{rest:?}"
        );
    }
    assert_eq!(Client::of(&server).await.fetch("GET /", &[]).await.0.status, 200);
}
