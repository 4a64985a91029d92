use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::NetworkConfig;

const INFO: &[u8] = b"d6:lengthi5e4:name8:film.mkv12:piece lengthi16e6:pieces20:01234567890123456789e";

fn torrent() -> Vec<u8> {
    [b"d8:announce14:udp://tracker/4:info".as_slice(), INFO, b"e"].concat()
}

fn info_hash() -> InfoHash {
    Metainfo::from_info_bytes(Bytes::from_static(INFO)).expect("a good torrent").info_hash
}

struct World {
    net: Arc<Network>,
    cache: MetadataCache,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        World {
            net: Arc::new(Network::new(NetworkConfig::default()).expect("a network")),
            cache: MetadataCache::new(folder.path().join("cache")),
            folder,
        }
    }

    async fn resolve(&self, typed: &str) -> Result<Source, SourceError> {
        resolve(typed, &self.net, &self.cache).await
    }

    /// A server that answers each request for a path with what `answer` gives, then closes. Its URL.
    async fn serve(&self, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
        let listener = self.net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = client.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
                let _ = client.write_all(&answer(&path)).await;
            }
        });
        url
    }
}

fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_file_is_read_by_its_path_and_by_its_url() {
    let world = World::new();
    let path = world.folder.path().join("my film.torrent");
    std::fs::write(&path, torrent()).expect("written");
    let source = world.resolve(path.to_str().expect("text")).await.expect("a source");
    assert_eq!(source.info_hash, info_hash());
    assert_eq!(source.name.as_deref(), Some("film.mkv"));
    assert_eq!(source.trackers, [["udp://tracker/"]]);
    assert!(source.metainfo.is_some());
    let url = url::Url::from_file_path(&path).expect("absolute");
    assert_eq!(world.resolve(url.as_str()).await.expect("a source").info_hash, info_hash());
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let world = World::new();
    let folder = world.folder.path().to_str().expect("text").to_owned();
    let garbage = world.folder.path().join("garbage");
    std::fs::write(&garbage, b"\x7fELF").expect("written");
    let garbage = garbage.to_str().expect("text");
    assert!(matches!(world.resolve("  ").await, Err(SourceError::Empty)));
    assert!(matches!(world.resolve("no such file").await, Err(SourceError::NoSuchFile { .. })));
    assert!(matches!(world.resolve(&"x".repeat(5000)).await, Err(SourceError::NoSuchFile { .. })));
    assert!(matches!(world.resolve("nul\0").await, Err(SourceError::NoSuchFile { .. })));
    assert!(matches!(world.resolve(&folder).await, Err(SourceError::IsFolder { .. })));
    assert!(
        matches!(world.resolve("ftp://x/y").await, Err(SourceError::UnknownScheme { scheme }) if scheme == "ftp")
    );
    assert!(matches!(
        world.resolve(garbage).await,
        Err(SourceError::Torrent { fault: TorrentFault::NotBencode, .. })
    ));
    let limits = Limits { bytes: 3, ..Limits::default() };
    assert!(matches!(
        resolve_within(garbage, &world.net, &world.cache, limits).await,
        Err(SourceError::TooLong { limit: 3, .. })
    ));
    assert!(matches!(world.resolve("magnet:?dn=x").await, Err(SourceError::MagnetWithoutHash)));
}

#[tokio::test]
async fn a_url_is_followed_to_its_torrent() {
    let world = World::new();
    let link = format!("magnet:?xt=urn:btih:{}", info_hash());
    let url = world
        .serve(move |path| match path {
            "/a" => redirect("/b"),
            "/b" => redirect("c?x=1"),
            "/magnet" => redirect(&link),
            _ => ok(&torrent()),
        })
        .await;
    for path in ["/a", "/magnet", "/x.torrent"] {
        assert_eq!(
            world.resolve(&format!("{url}{path}")).await.expect("a source").info_hash,
            info_hash(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_url_that_is_no_torrent_says_what_it_is() {
    let world = World::new();
    let url = world
        .serve(|path| match path {
            "/404" => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "/html" => ok(b"<html>log in</html>"),
            "/loop" => redirect("/loop"),
            "/ftp" => redirect("ftp://elsewhere/"),
            "/short" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc".to_vec(),
            "/noise" => b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            "/claims" => b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
            _ => [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 200_000]].concat(),
        })
        .await;
    let limits = Limits { bytes: 100_000, ..Limits::default() };
    let error = async |path: &str| {
        let typed = format!("{url}{path}");
        resolve_within(&typed, &world.net, &world.cache, limits).await.expect_err("no torrent")
    };
    assert!(matches!(error("/404").await, SourceError::UrlStatus { status: 404, .. }));
    assert!(matches!(error("/html").await, SourceError::Torrent { fault: TorrentFault::WebPage, .. }));
    assert!(matches!(error("/loop").await, SourceError::Url { cause: FetchError::RedirectLoop, .. }));
    assert!(matches!(error("/ftp").await, SourceError::Url { cause: FetchError::BadRedirect(_), .. }));
    assert!(matches!(error("/short").await, SourceError::Url { cause: FetchError::Broken(_), .. }));
    assert!(matches!(error("/noise").await, SourceError::Url { cause: FetchError::Broken(_), .. }));
    assert!(matches!(error("/claims").await, SourceError::TooLong { limit: 100_000, .. }));
    assert!(matches!(error("/endless").await, SourceError::TooLong { limit: 100_000, .. }));
}

#[tokio::test]
async fn a_url_that_never_ends_its_answer_is_given_up() {
    let world = World::new();
    let listener = world.net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    // Accepts, and says nothing.
    let silent = tokio::spawn(async move { listener.accept().await });
    let limits = Limits { time: Duration::from_millis(20), ..Limits::default() };
    let error = resolve_within(&url, &world.net, &world.cache, limits).await.expect_err("nothing came");
    assert!(matches!(error, SourceError::UrlTooSlow { .. }), "{error}");
    drop(silent);
}

#[tokio::test]
async fn the_second_start_of_a_magnet_asks_nobody() {
    let world = World::new();
    let link = format!("magnet:?xt=urn:btih:{}&tr=udp://mine", info_hash());
    assert!(world.resolve(&link).await.expect("a source").metainfo.is_none());

    let metainfo = Metainfo::from_info_bytes(Bytes::from_static(INFO)).expect("good");
    let trackers = [vec!["udp://mine".to_owned(), "udp://other".to_owned()]];
    world.cache.save_with_trackers(&metainfo, &trackers).expect("saved");
    let source = world.resolve(&link).await.expect("a source");
    assert_eq!(source.metainfo.expect("cached").info_bytes, INFO);
    assert_eq!(source.name.as_deref(), Some("film.mkv"));
    assert_eq!(source.trackers, [["udp://mine"], ["udp://other"]]);
    let bare = world.resolve(&info_hash().to_string()).await.expect("a source");
    assert_eq!(bare.trackers, trackers);
    let left: Vec<_> = std::fs::read_dir(world.folder.path().join("cache")).expect("there").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn the_cache_gives_nothing_that_is_not_what_it_says() {
    let world = World::new();
    let metainfo = Metainfo::from_info_bytes(Bytes::from_static(INFO)).expect("good");
    world.cache.save(&metainfo).expect("saved");
    let folder = world.folder.path().join("cache");
    let other = InfoHash([1; 20]);
    std::fs::copy(folder.join(format!("{}.torrent", info_hash())), folder.join(format!("{other}.torrent")))
        .expect("copied");
    assert!(world.cache.load(other).is_none());
    std::fs::write(folder.join(format!("{}.torrent", info_hash())), &torrent()[..60]).expect("written");
    assert!(world.cache.load(info_hash()).is_none());
    assert!(world.cache.load(InfoHash([2; 20])).is_none());
}

#[test]
fn every_message_is_a_sentence_that_names_what_was_typed() {
    let error = SourceError::UrlStatus { url: "http://x/".to_owned(), status: 404 };
    assert_eq!(
        error.to_string(),
        "http://x/ answers with HTTP status 404: there is nothing there (any more)"
    );
    let error = SourceError::of("film.torrent", TorrentFault::Truncated);
    assert_eq!(
        error.to_string(),
        "film.torrent is not a torrent that can be streamed: it has been cut short: download it again"
    );
}
