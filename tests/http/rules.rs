//! The rules of docs/http.md, one by one.

use std::net::IpAddr;

use peerflix::http::{HttpError, ServerConfig, serve};

use crate::world::{Client, INFO_HASH, Torrent, bytes, listen};

fn show() -> Torrent {
    Torrent::new(&[
        ("Show/One.mkv", 300_000),
        ("Show/Två é.mp4", 2000),
        ("Show/Subs/One.vtt", 50),
        ("Show/empty.mp4", 0),
        ("Show/strange.thing", 10),
        ("Show/page.html", 10),
    ])
}

fn tag(index: usize, length: u64) -> String {
    format!("\"{INFO_HASH}-{index}-{length}\"")
}

#[tokio::test]
async fn the_whole_file_is_told_and_given() {
    let torrent = show();
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    let (head, body) = client.fetch("GET /", &[]).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.length(), 300_000);
    assert_eq!(&head["accept-ranges"], "bytes");
    assert_eq!(&head["content-type"], "video/x-matroska");
    assert_eq!(&head["etag"], tag(0, 300_000));
    assert_eq!(&head["x-content-type-options"], "nosniff");
    assert_eq!(&head["transfermode.dlna.org"], "Streaming");
    assert_eq!(
        &head["contentfeatures.dlna.org"],
        "DLNA.ORG_OP=01;DLNA.ORG_CI=0;DLNA.ORG_FLAGS=01700000000000000000000000000000"
    );
    assert!(head.field("transfer-encoding").is_none() && head.field("content-encoding").is_none());
    assert!(body == bytes(0, 0..300_000));
}

#[tokio::test]
async fn compression_is_never_given_even_when_asked_for() {
    let server = show().serve().await;
    let (head, body) =
        Client::of(&server).await.fetch("GET /2", &["Accept-Encoding: gzip, br", "TE: trailers"]).await;
    assert!(head.field("content-encoding").is_none() && head.field("transfer-encoding").is_none());
    assert_eq!(body, bytes(2, 0..50));
}

#[tokio::test]
async fn a_head_has_the_headers_of_a_get_and_asks_for_no_piece() {
    let torrent = show();
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    let (head, _) = client.fetch("HEAD /", &[]).await;
    assert_eq!(torrent.opened(), 0);
    let (got, _) = client.fetch("GET /", &[]).await;
    let without_date = |head: &crate::world::Head| {
        let mut fields = head.fields.clone();
        fields.retain(|(name, _)| name != "date");
        (head.status, fields)
    };
    assert_eq!(without_date(&head), without_date(&got));
    // Ranges are defined for GET alone.
    let (head, _) = client.fetch("HEAD /", &["Range: bytes=0-1"]).await;
    assert_eq!((head.status, head.length()), (200, 300_000));
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let server = show().serve().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
        let mut client = Client::of(&server).await;
        let (head, _) = client.fetch(&format!("{method} /"), &["Content-Length: 0"]).await;
        assert_eq!((head.status, &head["allow"]), (405, "GET, HEAD, OPTIONS"), "{method}");
    }
    let (head, _) = Client::of(&server).await.fetch("OPTIONS /", &[]).await;
    assert_eq!((head.status, &head["allow"]), (204, "GET, HEAD, OPTIONS"));
    let (head, _) = Client::of(&server).await.fetch("OPTIONS *", &[]).await;
    assert_eq!(head.status, 204);
}

#[tokio::test]
async fn ranges_give_exactly_their_bytes() {
    let server = show().serve().await;
    let mut client = Client::of(&server).await;
    for (asked, range) in [
        ("bytes=0-", 0..300_000),
        ("bytes=0-0", 0..1),
        ("bytes=100-199", 100..200),
        ("bytes=299999-", 299_999..300_000),
        ("bytes=299000-999999999999999999999999", 299_000..300_000),
        ("bytes=-5", 299_995..300_000),
        ("bytes=-400000", 0..300_000),
        ("bytes=0-9,10-19", 0..20),
    ] {
        let (head, body) = client.fetch("GET /", &[&format!("Range: {asked}")]).await;
        assert_eq!(head.status, 206, "{asked}");
        assert_eq!(
            &head["content-range"],
            format!("bytes {}-{}/300000", range.start, range.end - 1),
            "{asked}"
        );
        assert_eq!(head.length(), range.end - range.start, "{asked}");
        assert_eq!(&head["content-type"], "video/x-matroska");
        assert!(body == bytes(0, range), "{asked}");
    }
}

#[tokio::test]
async fn a_range_that_cannot_be_satisfied_is_told_the_length() {
    let torrent = show();
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    for asked in ["bytes=300000-", "bytes=-0", "bytes=99999999999999999999999999-"] {
        let (head, body) = client.fetch("GET /", &[&format!("Range: {asked}")]).await;
        assert_eq!((head.status, &head["content-range"]), (416, "bytes */300000"), "{asked}");
        assert_eq!(body, b"");
    }
    assert_eq!(torrent.opened(), 0);
}

#[tokio::test]
async fn a_range_with_a_fault_is_no_range() {
    let server = show().serve().await;
    let mut client = Client::of(&server).await;
    for asked in ["items=0-1", "bytes=5-4", "bytes=x", "bytes=", "0-1"] {
        let (head, body) = client.fetch("GET /1", &[&format!("Range: {asked}")]).await;
        assert_eq!((head.status, head.field("content-range")), (200, None), "{asked}");
        assert!(body == bytes(1, 0..2000));
    }
    let (head, _) = client.fetch("GET /1", &["Range: bytes=0-1", "Range: bytes=5-6"]).await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn ranges_apart_come_as_parts() {
    let server = show().serve().await;
    let (head, body) = Client::of(&server).await.fetch("GET /1", &["Range: bytes=100-109,0-4,5-5,-3"]).await;
    assert_eq!(head.status, 206);
    assert!(head.field("content-range").is_none());
    let boundary =
        head["content-type"].strip_prefix("multipart/byteranges; boundary=").expect("parts").to_owned();
    let mut expected = Vec::new();
    for range in [100..110, 0..6, 1997..2000] {
        let told = format!("Content-Range: bytes {}-{}/2000", range.start, range.end - 1);
        expected.extend(format!("\r\n--{boundary}\r\nContent-Type: video/mp4\r\n{told}\r\n\r\n").bytes());
        expected.extend(bytes(1, range));
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").bytes());
    assert_eq!(body, expected);
}

#[tokio::test]
async fn an_empty_file_is_an_empty_file() {
    let server = show().serve().await;
    let mut client = Client::of(&server).await;
    for fields in [&[][..], &["Range: bytes=0-"], &["Range: bytes=-1"]] {
        let (head, _) = client.fetch("GET /3", fields).await;
        assert_eq!((head.status, head.length(), &head["content-type"]), (200, 0, "video/mp4"));
    }
}

#[tokio::test]
async fn conditions_are_honoured() {
    let torrent = show();
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    let ours = tag(1, 2000);
    let cases = [
        (format!("If-Match: {ours}"), 206),
        ("If-Match: *".to_owned(), 206),
        ("If-Match: \"other\"".to_owned(), 412),
        (format!("If-None-Match: {ours}"), 304),
        (format!("If-None-Match: W/{ours}"), 304),
        ("If-None-Match: \"other\"".to_owned(), 206),
        (format!("If-Range: {ours}"), 206),
        ("If-Range: \"other\"".to_owned(), 200),
        ("If-Range: Sat, 29 Oct 1994 19:43:31 GMT".to_owned(), 200),
        ("If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT".to_owned(), 206),
    ];
    for (condition, status) in cases {
        let (head, _) = client.fetch("GET /1", &["Range: bytes=0-9", &condition]).await;
        assert_eq!((head.status, &head["etag"]), (status, ours.as_str()), "{condition}");
    }
}

#[tokio::test]
async fn types_are_right_and_pages_are_in_a_sandbox() {
    let server = show().serve().await;
    let mut client = Client::of(&server).await;
    let (head, _) = client.fetch("HEAD /2", &[]).await;
    assert_eq!(&head["content-type"], "text/vtt");
    let (head, _) = client.fetch("HEAD /4", &[]).await;
    assert_eq!(&head["content-type"], "application/octet-stream");
    assert!(head.field("content-security-policy").is_none());
    let (head, _) = client.fetch("HEAD /5", &[]).await;
    assert_eq!((&head["content-type"], &head["content-security-policy"]), ("text/html", "sandbox"));
}

#[tokio::test]
async fn subtitles_are_given_as_they_are_and_their_charset_is_told() {
    // "Привет, как дела? Мы не виделись сто лет." in windows-1251.
    let russian: &[u8] = b"\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0? \xcc\xfb \xed\xe5 \xe2\xe8\xe4\xe5\xeb\xe8\xf1\xfc \xf1\xf2\xee \xeb\xe5\xf2.";
    let torrent = Torrent::of_texts(&[
        ("Film/Film.ru.srt", russian),
        ("Film/Film.fr.srt", "Ça va ?".as_bytes()),
        ("Film/Film.sub", b"{1}{25}Hello"),
        ("Film/Other.sub", b"\x00\x00\x01\xba pictures"),
        ("Film/Film.ass", b"\xef\xbb\xbf[Script Info]"),
    ]);
    let server = torrent.serve().await;
    let mut client = Client::of(&server).await;
    let mut kind = async |request: &str| {
        let (head, _) = client.fetch(request, &[]).await;
        head["content-type"].to_owned()
    };
    assert_eq!(kind("HEAD /0").await, "application/x-subrip", "a HEAD asks for no piece");
    assert_eq!(kind("GET /0").await, "application/x-subrip; charset=windows-1251");
    assert_eq!(kind("HEAD /0").await, "application/x-subrip; charset=windows-1251");
    assert_eq!(kind("GET /1/Film.fr.srt").await, "application/x-subrip; charset=UTF-8");
    assert_eq!(kind("GET /2").await, "text/x-microdvd; charset=UTF-8");
    assert_eq!(kind("GET /3").await, "application/octet-stream");
    assert_eq!(kind("GET /4").await, "text/x-ssa; charset=UTF-8");
    let (head, body) = client.fetch("GET /0", &["Range: bytes=2-5"]).await;
    assert_eq!((head.status, &head["content-type"]), (206, "application/x-subrip; charset=windows-1251"));
    assert_eq!(body, &russian[2..6]);
    let (head, _) = client.fetch("GET /0", &["Range: bytes=0-1,5-6"]).await;
    assert!(head["content-type"].starts_with("multipart/byteranges"));
}

#[tokio::test]
async fn files_are_found_by_index_and_by_name() {
    let server = show().serve().await;
    let mut client = Client::of(&server).await;
    for (path, index) in [
        ("/", 0),
        ("/?t=5", 0),
        ("/1", 1),
        ("/1/Tv%C3%A5%20%C3%A9.mp4", 1),
        ("/Tv%C3%A5%20%C3%A9.mp4", 1),
        ("/Show/Subs/One.vtt", 2),
        ("/Subs/One.vtt?x", 2),
        ("/One.vtt", 2),
    ] {
        let (head, _) = client.fetch(&format!("HEAD {path}"), &[]).await;
        assert_eq!(head.status, 200, "{path}");
        assert!(head["etag"].starts_with(&format!("\"{INFO_HASH}-{index}-")), "{path}");
    }
    for path in
        ["/6", "/-1", "/1.5", "/0x1", "/nothing.mkv", "/0/One.srt", "/favicon.ico", "/../One.mkv", "/%00"]
    {
        let (head, _) = client.fetch(&format!("GET {path}"), &[]).await;
        assert_eq!(head.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_playlist_names_the_files_as_the_client_named_us() {
    let server = show().serve().await;
    let mut client = Client::of(&server).await;
    client.say("GET /.m3u HTTP/1.1\r\nHost: localhost:1234\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!((head.status, &head["content-type"]), (200, "application/x-mpegurl; charset=utf-8"));
    let list = String::from_utf8(client.body(head.length()).await).expect("a playlist is text");
    assert!(
        list.starts_with("#EXTM3U\n#EXTINF:-1,Show/One.mkv\nhttp://localhost:1234/0/One.mkv\n"),
        "{list}"
    );
    // What it says is what there is.
    let second =
        list.lines().nth(4).and_then(|url| url.strip_prefix("http://localhost:1234")).expect("a URL");
    let (head, _) = client.fetch(&format!("HEAD {second}"), &[]).await;
    assert_eq!((head.status, head.length()), (200, 2000));
}

#[tokio::test]
async fn programs_read_the_numbers() {
    let server = show().serve().await;
    let (head, body) = Client::of(&server).await.fetch("GET /.json", &[]).await;
    assert_eq!(&head["content-type"], "application/json; charset=utf-8");
    let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(json["totalLength"], 302_070);
    assert_eq!(
        (&json["downloaded"], &json["totalPeers"], &json["activePeers"]),
        (&1234.into(), &5.into(), &3.into())
    );
    let url = format!("http://127.0.0.1:{}/2/One.vtt", server.address().port());
    assert_eq!(json["files"][2], serde_json::json!({ "name": "One.vtt", "url": url, "length": 50 }));
}

#[tokio::test]
async fn a_strangers_name_is_refused() {
    let torrent = show();
    let config = ServerConfig { hosts: vec!["tv.lan".to_owned()], ..ServerConfig::default() };
    let server = torrent.serve_with(config);
    let cases = [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example:8888\r\n\r\n", 403),
        ("GET /.json HTTP/1.1\r\nHost: 192.168.1.1\r\n\r\n", 403),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403),
        ("OPTIONS / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("HEAD / HTTP/1.1\r\nHost: [::1]:8888\r\n\r\n", 200),
        ("HEAD / HTTP/1.1\r\nHost: TV.lan:80\r\n\r\n", 200),
        ("HEAD http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("HEAD / HTTP/1.0\r\n\r\n", 200),
    ];
    for (request, status) in cases {
        let mut client = Client::of(&server).await;
        client.say(request).await;
        assert_eq!(client.head().await.status, status, "{request}");
    }
    assert_eq!(torrent.opened(), 0);
}

#[tokio::test]
async fn listed_origins_may_read_and_others_may_not() {
    let config = ServerConfig { origins: vec!["https://cast.example".to_owned()], ..ServerConfig::default() };
    let server = show().serve_with(config);
    let mut client = Client::of(&server).await;
    let preflight = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range"];

    let (head, _) =
        client.fetch("OPTIONS /", &[&["Origin: https://cast.example"], &preflight[..]].concat()).await;
    assert_eq!((head.status, &head["access-control-allow-origin"]), (204, "https://cast.example"));
    assert!(head["access-control-allow-headers"].contains("Range"));
    assert_eq!(&head["vary"], "Origin");

    let (head, _) =
        client.fetch("OPTIONS /", &[&["Origin: https://evil.example"], &preflight[..]].concat()).await;
    assert!(head.field("access-control-allow-origin").is_none());

    let (head, _) = client.fetch("GET /1", &["Origin: https://evil.example"]).await;
    assert!(head.field("access-control-allow-origin").is_none());
    assert_eq!(&head["vary"], "Origin");
}

#[tokio::test]
async fn the_next_free_port_is_taken_and_told() {
    let first = show().serve().await;
    let taken = first.address().port();
    let second = show().serve_with(ServerConfig { port: taken, ..ServerConfig::default() });
    assert_ne!(second.address().port(), taken);
    assert_eq!((first.taken_port(), second.taken_port()), (None, Some(taken)));
    for server in [&first, &second] {
        assert_eq!(Client::of(server).await.fetch("HEAD /", &[]).await.0.status, 200);
    }
}

#[tokio::test]
async fn it_listens_on_loopback_alone_unless_told_otherwise() {
    let server = show().serve().await;
    assert!(server.addresses().iter().all(|address| address.ip().is_loopback()));
    assert_eq!(server.url(), format!("http://127.0.0.1:{}/", server.address().port()));
    for address in server.addresses() {
        assert_eq!(address.port(), server.address().port());
        let mut client = Client::at(*address).await;
        client.say(&format!("HEAD / HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
        assert_eq!(client.head().await.status, 200);
    }

    let everywhere = ServerConfig { hostname: Some("0.0.0.0".to_owned()), ..ServerConfig::default() };
    let server = show().serve_with(everywhere);
    assert!(server.address().ip().is_unspecified());
    assert_eq!(server.url(), format!("http://127.0.0.1:{}/", server.address().port()));

    let named = ServerConfig {
        hostname: Some("tv.lan".to_owned()),
        addresses: vec![IpAddr::from([127, 0, 0, 1])],
        ..ServerConfig::default()
    };
    let server = show().serve_with(named);
    assert_eq!(server.url(), format!("http://tv.lan:{}/", server.address().port()));
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_an_error_that_says_so() {
    let torrent = std::sync::Arc::new(show());
    let elsewhere =
        ServerConfig { hostname: Some("192.0.2.1".to_owned()), port: 0, ..ServerConfig::default() };
    assert!(matches!(serve(torrent.clone(), elsewhere, listen), Err(HttpError::Listen { .. })));
    let unknown =
        ServerConfig { hostname: Some("not looked up".to_owned()), port: 0, ..ServerConfig::default() };
    assert!(matches!(serve(torrent, unknown, listen), Err(HttpError::UnknownHost(_))));
}
