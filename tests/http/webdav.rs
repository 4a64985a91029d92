//! The folder over WebDAV: the rules of docs/http.md, letter by letter.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use peerflix::http::{ServerConfig, serve_extended};
use peerflix::mount::dav::Dav;
use peerflix::mount::shelf::Shelf;
use peerflix::mount::tree::Shown;
use peerflix::read::Files;

use crate::world::{Client, INFO_HASH, Torrent, bytes, listen, serve_only};

const MIB: u64 = 1024 * 1024;
const BOX: &[(&str, u64)] = &[
    ("Show/One #1 100%?.mkv", 300_000),
    ("Show/Två é.mp4", 2000),
    ("Show/Subs/One & <b>.srt", 50),
    ("Show/empty.mp4", 0),
    ("Show/page.html", 10),
];
const FILM: &str = "/Show/One%20%231%20100%25%3F.mkv";

pub fn shelf(torrent: &Torrent) -> Shelf {
    shelf_of(torrent, torrent.known())
}

fn shelf_of(torrent: &Torrent, files: Arc<Files>) -> Shelf {
    let shelf = Shelf::new(vec![Shown { name: "Show".to_owned(), is_folder: true, files: Some(files) }]);
    shelf.open_torrent(0, Arc::new(torrent.clone()));
    shelf
}

pub fn dav(torrent: &Torrent) -> Dav {
    Dav::new(shelf(torrent), "", None)
}

async fn ask(dav: Dav, request: &str, fields: &[&str]) -> (crate::world::Head, String) {
    let server = serve_only(dav);
    let (head, body) = Client::of(&server).await.fetch(request, fields).await;
    (head, String::from_utf8(body).expect("it is a text"))
}

/// With a body.
async fn ask_with(dav: Dav, request: &str, fields: &[&str], body: &str) -> (crate::world::Head, String) {
    let server = serve_only(dav);
    let mut client = Client::of(&server).await;
    let length = format!("Content-Length: {}", body.len());
    client.ask(request, &[fields, &[length.as_str()]].concat()).await;
    client.say(body).await;
    let head = client.head().await;
    let body = match head.field("transfer-encoding") {
        Some(_) => client.chunks().await,
        None => String::from_utf8(client.body(head.length()).await).expect("it is a text"),
    };
    (head, body)
}

#[tokio::test]
async fn systems_are_told_that_it_can_be_mounted_and_not_be_locked() {
    for path in ["/", "*", "/Show/", "/nothing"] {
        let (head, body) = ask(dav(&Torrent::new(BOX)), &format!("OPTIONS {path}"), &[]).await;
        assert_eq!((head.status, &head["dav"], &head["ms-author-via"]), (200, "1", "DAV"), "{path}");
        assert_eq!((&head["allow"], body.as_str()), ("OPTIONS, GET, HEAD, PROPFIND", ""));
    }
}

#[tokio::test]
async fn a_folder_tells_what_is_in_it() {
    let (head, body) = ask(dav(&Torrent::new(BOX)), "PROPFIND /Show", &["Depth: 1"]).await;
    assert_eq!((head.status, &head["content-type"]), (207, "application/xml; charset=utf-8"));
    let hrefs: Vec<_> = body
        .split("<D:href>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</D:href>"))
        .map(|(href, _)| href)
        .collect();
    assert_eq!(
        hrefs,
        ["/Show/", "/Show/Subs/", FILM, "/Show/Tv%C3%A5%20%C3%A9.mp4", "/Show/empty.mp4", "/Show/page.html"],
        "folders first"
    );
    assert!(body.contains("<D:getcontentlength>300000</D:getcontentlength>"), "{body}");
    assert!(body.contains("<D:getcontenttype>video/x-matroska</D:getcontenttype>"), "{body}");
    assert!(body.contains(&format!("<D:getetag>&quot;{INFO_HASH}-0-300000&quot;</D:getetag>")), "{body}");
    assert_eq!(body.matches("<D:collection/>").count(), 2, "{body}");

    let (_, body) = ask(dav(&Torrent::new(BOX)), "PROPFIND /", &["Depth: 0"]).await;
    assert_eq!(body.matches("<D:response>").count(), 1, "{body}");
    let (_, body) = ask(dav(&Torrent::new(BOX)), "PROPFIND /Show/Subs", &["Depth: 1"]).await;
    assert!(body.contains("<D:displayname>One &amp; &lt;b&gt;.srt</D:displayname>"), "{body}");
    let (head, _) = ask(dav(&Torrent::new(BOX)), "PROPFIND /Show/nothing", &["Depth: 1"]).await;
    assert_eq!(head.status, 404);
}

#[tokio::test]
async fn only_what_is_asked_for_is_told() {
    let body = "<propfind xmlns=\"DAV:\"><prop><getcontentlength/><quota-used-bytes/></prop></propfind>";
    let (head, told) = ask_with(dav(&Torrent::new(BOX)), "PROPFIND /Show", &["Depth: 0"], body).await;
    assert_eq!(head.status, 207);
    assert!(told.contains("<D:quota-used-bytes>302060</D:quota-used-bytes>"), "{told}");
    assert!(told.contains("404 Not Found") && !told.contains("displayname"), "{told}");
}

#[tokio::test]
async fn nobody_is_told_everything_below_a_folder_at_once() {
    for fields in [&["Depth: infinity"][..], &[]] {
        let (head, body) = ask(dav(&Torrent::new(BOX)), "PROPFIND /", fields).await;
        assert_eq!(head.status, 403);
        assert!(body.contains("<D:propfind-finite-depth/>"), "{body}");
    }
    // Below a file there is nothing.
    let (head, _) = ask(dav(&Torrent::new(BOX)), &format!("PROPFIND {FILM}"), &["Depth: infinity"]).await;
    assert_eq!(head.status, 207);
    let (head, _) = ask(dav(&Torrent::new(BOX)), "PROPFIND /", &["Depth: 2"]).await;
    assert_eq!(head.status, 400);
}

#[tokio::test]
async fn whatever_would_change_something_is_refused() {
    for method in [
        "PUT",
        "DELETE",
        "MKCOL",
        "COPY",
        "MOVE",
        "PROPPATCH",
        "LOCK",
        "UNLOCK",
        "PATCH",
        "POST",
        "REPORT",
        "TRACE",
    ] {
        let (head, body) =
            ask(dav(&Torrent::new(BOX)), &format!("{method} /Show/new"), &["Content-Length: 0"]).await;
        assert_eq!((head.status, &head["allow"]), (405, "OPTIONS, GET, HEAD, PROPFIND"), "{method}");
        assert_eq!(body, "This folder can be read, and that is all.\n");
    }
}

#[tokio::test]
async fn what_somebody_wants_to_put_here_is_refused_before_it_is_sent() {
    let server = serve_only(dav(&Torrent::new(BOX)));
    let mut client = Client::of(&server).await;
    client.ask("PUT /Show/new.iso", &["Content-Length: 5000000000", "Expect: 100-continue"]).await;
    let head = client.head().await;
    assert_eq!((head.status, &head["connection"]), (405, "close"));
}

#[tokio::test]
async fn a_question_without_end_is_not_listened_to() {
    let server = serve_only(dav(&Torrent::new(BOX)));
    let mut client = Client::of(&server).await;
    client.ask("PROPFIND /", &["Depth: 0", "Content-Length: 5000000000"]).await;
    let head = client.head().await;
    assert_eq!((head.status, &head["connection"]), (413, "close"));

    let mut client = Client::of(&server).await;
    client.ask("PROPFIND /", &["Depth: 0", "Transfer-Encoding: chunked"]).await;
    // One byte more than is taken.
    client.say(&format!("10001\r\n{}", " ".repeat(0x10001))).await;
    assert_eq!(client.head().await.status, 413);
}

#[tokio::test]
async fn a_question_that_is_a_mile_deep_is_answered_like_any_nonsense() {
    let (head, body) =
        ask_with(dav(&Torrent::new(BOX)), "PROPFIND /", &["Depth: 0"], &"<a>".repeat(21_000)).await;
    assert_eq!(head.status, 400, "{body}");
}

#[tokio::test]
async fn bytes_are_had_as_players_want_them() {
    let torrent = Torrent::new(BOX);
    let server = serve_only(dav(&torrent));
    let mut client = Client::of(&server).await;
    let get = format!("GET {FILM}");
    let (head, body) = client.fetch(&get, &[]).await;
    assert_eq!((head.status, head.length(), &head["content-type"]), (200, 300_000, "video/x-matroska"));
    assert!(body == bytes(0, 0..300_000));
    let tag = head["etag"].to_owned();
    let date = head["last-modified"].to_owned();
    for (range, expected) in [
        ("bytes=0-", 0..300_000),
        ("bytes=0-1", 0..2),
        ("bytes=299999-400000", 299_999..300_000),
        ("bytes=-10", 299_990..300_000),
    ] {
        let (head, body) = client.fetch(&get, &[&format!("Range: {range}")]).await;
        assert_eq!(head.status, 206, "{range}");
        assert_eq!(&head["content-range"], format!("bytes {}-{}/300000", expected.start, expected.end - 1));
        assert!(body == bytes(0, expected), "{range}");
    }
    let (head, body) = client.fetch(&get, &["Range: bytes=0-1,100-101"]).await;
    assert!(head.status == 206 && head["content-type"].starts_with("multipart/byteranges; boundary="));
    assert!(body.windows(2).any(|two| two == bytes(0, 100..102)));
    let (head, _) = client.fetch(&get, &["Range: bytes=300000-"]).await;
    assert_eq!((head.status, &head["content-range"]), (416, "bytes */300000"));
    for (field, status) in [
        (format!("If-Range: {tag}"), 206),
        (format!("If-Range: {date}"), 206),
        ("If-Range: \"other\"".to_owned(), 200),
        (format!("If-None-Match: {tag}"), 304),
        (format!("If-Modified-Since: {date}"), 304),
        ("If-Match: \"other\"".to_owned(), 412),
    ] {
        let (head, _) = client.fetch(&get, &["Range: bytes=0-1", &field]).await;
        assert_eq!(head.status, status, "{field}");
    }
    let (head, _) = client.fetch("GET /Show/empty.mp4", &["Range: bytes=0-"]).await;
    assert_eq!((head.status, head.length()), (200, 0));
    let (head, _) = client.fetch("GET /Show/page.html", &[]).await;
    assert_eq!(&head["content-security-policy"], "sandbox");
}

#[tokio::test]
async fn a_head_asks_for_no_piece() {
    let torrent = Torrent::new(BOX);
    let server = serve_only(dav(&torrent));
    let mut client = Client::of(&server).await;
    let (head, _) = client.fetch(&format!("HEAD {FILM}"), &["Range: bytes=0-1"]).await;
    assert_eq!((head.status, head.length()), (200, 300_000));
    assert_eq!(client.fetch("HEAD /Show/", &[]).await.0.status, 200);
    assert_eq!(torrent.opened(), 0);
}

#[tokio::test]
async fn who_looks_at_a_beginning_does_not_fetch_the_rest() {
    let torrent = Torrent::film(100 * MIB);
    let server = serve_only(dav(&torrent));
    let mut client = Client::of(&server).await;
    client.fetch("GET /Show/film.mkv", &["Range: bytes=1000-1999"]).await;
    assert_eq!(torrent.limits(), [2000]);
}

#[tokio::test]
async fn a_body_that_cannot_be_finished_ends_with_a_reset() {
    let torrent = Torrent::film(MIB).break_at(300_000);
    let server = serve_only(dav(&torrent));
    let mut client = Client::of(&server).await;
    client.ask("GET /Show/film.mkv", &[]).await;
    assert_eq!(client.head().await.length(), MIB);
    let (body, end) = client.rest().await;
    assert!(end.is_err(), "{} bytes came, and then a clean end", body.len());
}

#[tokio::test]
async fn who_waits_too_long_is_told_so_by_a_reset() {
    let torrent = Torrent::film(MIB).withhold_from(1000);
    let server = serve_only(Dav::new(shelf(&torrent), "", Some(Duration::from_millis(1))));
    let mut client = Client::of(&server).await;
    client.ask("GET /Show/film.mkv", &[]).await;
    assert_eq!(client.head().await.length(), MIB);
    assert!(client.rest().await.1.is_err());
    torrent.until_readers_are(0).await;
    // And the next one is tried anew.
    torrent.come_up_to(MIB);
    let (head, body) = Client::of(&server).await.fetch("GET /Show/film.mkv", &[]).await;
    assert!(head.status == 200 && body == bytes(0, 0..MIB));
}

#[tokio::test]
async fn who_leaves_while_waiting_loses_the_reader() {
    let torrent = Torrent::film(MIB).withhold_from(0);
    let server = serve_only(dav(&torrent));
    let mut client = Client::of(&server).await;
    client.ask("GET /Show/film.mkv", &[]).await;
    client.head().await;
    torrent.until_readers_are(1).await;
    drop(client);
    torrent.until_readers_are(0).await;
}

#[tokio::test]
async fn a_list_that_cannot_be_finished_ends_with_a_reset_too() {
    let names: Vec<String> = (0..200_000).map(|number| format!("Show/{number}.jpg")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let server = serve_only(dav(&Torrent::new(&files)));
    for request in ["PROPFIND /Show/", "GET /Show/"] {
        let mut client = Client::of(&server).await;
        client.ask(request, &["Depth: 1"]).await;
        client.head().await;
        client.body(1000).await;
    }
    let (mut client, mut other) = (Client::of(&server).await, Client::of(&server).await);
    client.ask("PROPFIND /Show/", &["Depth: 1"]).await;
    other.ask("GET /Show/", &[]).await;
    assert_eq!((client.head().await.status, other.head().await.status), (207, 200));
    server.close().await;
    assert!(client.rest().await.1.is_err());
    assert!(other.rest().await.1.is_err());
}

#[tokio::test]
async fn a_long_list_comes_whole_over_one_connection_after_another() {
    let names: Vec<String> = (0..10_000).map(|number| format!("Show/{number}.jpg")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let server = serve_only(dav(&Torrent::new(&files)));
    let mut client = Client::of(&server).await;
    for _ in 0..2 {
        let (head, body) = client.fetch("PROPFIND /Show", &["Depth: 1"]).await;
        let body = String::from_utf8(body).expect("it is a text");
        assert_eq!((head.status, body.matches("<D:response>").count()), (207, 10_001));
        assert!(body.ends_with("</D:multistatus>\n"));
    }
}

#[tokio::test]
async fn a_strangers_page_learns_nothing() {
    let server = serve_only(dav(&Torrent::new(BOX)));
    for request in ["PROPFIND /", "OPTIONS /", "GET /Show/", "PUT /a"] {
        let mut client = Client::of(&server).await;
        client.say(&format!("{request} HTTP/1.1\r\nHost: evil.example\r\nDepth: 1\r\n\r\n")).await;
        assert_eq!(client.head().await.status, 403, "{request}");
    }
}

#[tokio::test]
async fn a_browser_sees_a_list() {
    let (head, body) = ask(dav(&Torrent::new(BOX)), "GET /Show/Subs", &[]).await;
    assert_eq!((head.status, &head["content-type"]), (200, "text/html; charset=utf-8"));
    assert!(head["content-security-policy"].starts_with("default-src 'none'"));
    assert!(
        body.contains("<a href=\"/Show/Subs/One%20%26%20%3Cb%3E.srt\">One &amp; &lt;b&gt;.srt</a>"),
        "{body}"
    );
    assert!(body.contains("<h1>/Show/Subs</h1>") && body.contains("50 B"), "{body}");
}

#[tokio::test]
async fn what_waits_for_its_metadata_says_so() {
    let torrent = Torrent::film(1000);
    let shelf = Shelf::new(vec![Shown { name: "Show".to_owned(), is_folder: true, files: None }]);
    shelf.open_torrent(0, Arc::new(torrent.clone()));
    shelf.note(0, "3 peers.".to_owned());
    let server = serve_only(Dav::new(shelf.clone(), "", None));
    let mut client = Client::of(&server).await;
    let (_, list) = client.fetch("PROPFIND /Show", &["Depth: 1"]).await;
    let list = String::from_utf8(list).expect("it is a text");
    assert!(list.contains("<D:href>/Show/.waiting</D:href>"), "{list}");
    assert!(list.contains("<D:getcontentlength>9</D:getcontentlength>"), "{list}");
    let (head, note) = client.fetch("GET /Show/.waiting", &[]).await;
    assert_eq!((head.status, note.as_slice()), (200, &b"3 peers.\n"[..]));
    shelf.know(0, torrent.known());
    assert_eq!(client.fetch("GET /Show/.waiting", &[]).await.0.status, 404);
    let (_, body) = client.fetch("GET /Show/film.mkv", &[]).await;
    assert_eq!(body, bytes(0, 0..1000));
}

#[tokio::test]
async fn what_is_known_and_not_open_cannot_be_read_yet() {
    let files = Torrent::film(1000).known();
    let shelf = Shelf::new(vec![Shown { name: "Show".to_owned(), is_folder: true, files: Some(files) }]);
    let (head, _) = ask(Dav::new(shelf, "", None), "GET /Show/film.mkv", &[]).await;
    assert_eq!(head.status, 503);
}

#[tokio::test]
async fn the_date_is_the_torrents_own_if_it_can_be() {
    let torrent = Torrent::film(1000);
    let dated =
        |at| shelf_of(&torrent, Arc::new(Files { created_at: Some(at), ..(*torrent.known()).clone() }));
    let then = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let (head, _) = ask(Dav::new(dated(then), "", None), "HEAD /Show/film.mkv", &[]).await;
    assert_eq!(&head["last-modified"], "Sun, 06 Nov 1994 08:49:37 GMT");
    for strange in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(1 << 40)] {
        let (head, _) = ask(Dav::new(dated(strange), "", None), "HEAD /Show/film.mkv", &[]).await;
        assert!(head["last-modified"].contains(" 20"), "{head:?}");
    }
}

#[tokio::test]
async fn below_a_prefix_it_stands_beside_the_torrents_own_routes() {
    let torrent = Torrent::new(BOX);
    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    let dav = Dav::new(shelf(&torrent), "/dav/", None);
    let server = serve_extended(Some(Arc::new(torrent.clone())), Arc::new(dav), config, listen)
        .expect("loopback has a free port");
    let mut client = Client::of(&server).await;
    let (head, body) = client.fetch("PROPFIND /dav", &["Depth: 1"]).await;
    let body = String::from_utf8(body).expect("it is a text");
    assert!(head.status == 207 && body.contains("<D:href>/dav/</D:href>"), "{body}");
    assert!(body.contains("<D:href>/dav/Show/</D:href>"), "{body}");
    assert_eq!(client.fetch(&format!("GET /dav{FILM}"), &[]).await.0.length(), 300_000);
    assert_eq!(client.fetch("GET /davy", &[]).await.0.status, 404);
    assert_eq!(client.fetch("GET /0", &[]).await.0.length(), 300_000);
    assert_eq!(client.fetch("PROPFIND /0", &["Content-Length: 0"]).await.0.status, 405);
}
