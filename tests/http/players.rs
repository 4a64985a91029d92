//! What each kind of client does, as docs/http.md tells it.

use peerflix::http::ServerConfig;

use crate::world::{Client, Torrent, bytes};

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn ffmpeg_and_mpv_open_with_an_open_range_and_seek_with_a_second_connection() {
    let torrent = Torrent::film(16 * MIB).withhold_from(MIB);
    let server = torrent.serve().await;
    let mut first = Client::of(&server).await;
    first.ask("GET /", &["User-Agent: Lavf/61", "Range: bytes=0-", "Icy-MetaData: 1"]).await;
    let head = first.head().await;
    assert_eq!((head.status, &head["content-range"]), (206, "bytes 0-16777215/16777216"));
    assert!(first.body(MIB).await == bytes(0, 0..MIB));

    // The first connection waits for a piece; the second one's head comes all the same, and its bytes as they come.
    let mut second = Client::of(&server).await;
    second.ask("GET /", &["Range: bytes=8388608-"]).await;
    let head = second.head().await;
    assert_eq!((head.status, &head["content-range"]), (206, "bytes 8388608-16777215/16777216"));
    torrent.until_readers_are(2).await;
    drop(first);
    torrent.until_readers_are(1).await;
    torrent.come_up_to(u64::MAX);
    assert!(second.body(8 * MIB).await == bytes(0, 8 * MIB..16 * MIB));
}

#[tokio::test]
async fn vlc_seeks_with_the_tag_it_was_given() {
    let server = Torrent::film(MIB).serve().await;
    let mut client = Client::of(&server).await;
    client.ask("GET /", &["User-Agent: VLC/3.0.20 LibVLC/3.0.20", "Range: bytes=0-"]).await;
    let head = client.head().await;
    assert_eq!((head.status, &head["content-range"]), (206, "bytes 0-1048575/1048576"));
    let tag = head["etag"].trim_start_matches("W/").to_owned();
    drop(client);
    let mut client = Client::of(&server).await;
    let (head, body) = client.fetch("GET /", &["Range: bytes=1000000-", &format!("If-Match: {tag}")]).await;
    assert_eq!(head.status, 206);
    assert!(body == bytes(0, 1_000_000..MIB));
    let (head, _) = client.fetch("GET /", &["Range: bytes=1048576-", &format!("If-Match: {tag}")]).await;
    assert_eq!(head.status, 416);
    let since = "If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT";
    let (head, _) = client.fetch("GET /", &["Range: bytes=5-6", since]).await;
    assert_eq!(head.status, 206);
}

#[tokio::test]
async fn safari_probes_two_bytes() {
    let server = Torrent::new(&[("film.mp4", MIB)]).serve().await;
    let (head, body) = Client::of(&server).await.fetch("GET /", &["Range: bytes=0-1"]).await;
    assert_eq!((head.status, head.length(), &head["content-range"]), (206, 2, "bytes 0-1/1048576"));
    assert_eq!(&head["content-type"], "video/mp4");
    assert_eq!(body, bytes(0, 0..2));
}

#[tokio::test]
async fn chromecast_reads_text_tracks_across_origins() {
    let config =
        ServerConfig { origins: vec!["https://www.gstatic.com".to_owned()], ..ServerConfig::default() };
    let server = Torrent::new(&[("film.mp4", MIB), ("film.vtt", 50)]).serve_with(config);
    let origin = "Origin: https://www.gstatic.com";
    let (head, body) = Client::of(&server).await.fetch("GET /film.vtt", &[origin, "Range: bytes=0-"]).await;
    assert_eq!(&head["content-type"], "text/vtt");
    assert_eq!(&head["access-control-allow-origin"], "https://www.gstatic.com");
    assert_eq!(&head["access-control-expose-headers"], "Content-Range, Content-Length, Accept-Ranges, ETag");
    assert_eq!(body, bytes(1, 0..50));
}

#[tokio::test]
async fn televisions_learn_that_they_may_seek() {
    let server = Torrent::film(MIB).serve().await;
    let mut client = Client::of(&server).await;
    let fields = ["getcontentFeatures.dlna.org: 1", "transferMode.dlna.org: Streaming"];
    let (head, _) = client.fetch("HEAD /", &fields).await;
    assert!(head["contentfeatures.dlna.org"].contains("DLNA.ORG_OP=01"));
    let (head, _) = client.fetch("GET /", &[&fields[..], &["Range: bytes=5-"]].concat()).await;
    assert!(head["contentfeatures.dlna.org"].contains("DLNA.ORG_OP=01"));
    assert_eq!((head.status, &head["transfermode.dlna.org"]), (206, "Streaming"));
}

#[tokio::test]
async fn subtitle_finders_read_both_ends_while_the_middle_has_not_come() {
    let torrent = Torrent::film(MIB);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    let (_, first) = client.fetch("GET /", &["Range: bytes=0-65535"]).await;
    let (_, last) = client.fetch("GET /", &["Range: bytes=-65536"]).await;
    assert!(first == bytes(0, 0..65536) && last == bytes(0, MIB - 65536..MIB));
    assert!(
        torrent
            .reads()
            .iter()
            .all(|&(_, offset, length)| { offset + length as u64 <= 65536 || offset >= MIB - 65536 })
    );
}

#[tokio::test]
async fn an_old_client_is_answered_as_it_asks() {
    let server = Torrent::film(1000).serve().await;
    let mut client = Client::of(&server).await;
    client.say("GET / HTTP/1.0\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!((head.status, head.length()), (200, 1000));
    let (body, end) = client.rest().await;
    assert!(body == bytes(0, 0..1000) && end.is_ok());
}
