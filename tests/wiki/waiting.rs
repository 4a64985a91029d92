//! What has not come yet, and what does not come.

use std::sync::Arc;
use std::time::Duration;

use peerflix::wiki::archive::Archive;
use peerflix::wiki::library::Library;
use peerflix::wiki::site::{Patience, SiteConfig};

use crate::pages::wiki;
use crate::world::{
    Asked, Held, READER, Swarm, ask, config, endless, get, impatient, library, serve_with, soon,
};
use crate::zim_writer::Writer;

/// The page stands in the last cluster, far behind what every look-up needs.
fn far() -> Held {
    let noise: Vec<u8> = (0..400_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let writer = Writer { listing: false, ..Writer::default() };
    let writer = writer.file(b'C', "0.png", "image/png", noise);
    Held::new(writer.page("Page", "Page", "<body>here<img src=\"0.png\"></body>").write())
}

fn impatiently() -> SiteConfig {
    SiteConfig { patience: impatient(), ..config() }
}

#[tokio::test]
async fn headers_come_at_once_and_the_page_when_it_is_there() {
    let held = far();
    let last = held.cluster(held.clusters() - 1);
    let held = held.withhold(last);
    let patience = Patience { moment: Duration::ZERO, ..endless() };
    let server = serve_with(&library(&[("wiki.zim", held.clone())]), SiteConfig { patience, ..config() });
    let mut asked = Asked::of(&server, "GET /content/wiki/Page", &[READER]).await;
    let head = asked.until("\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("cache-control: no-store"), "{head}");
    assert!(!head.contains("etag") && !head.contains("content-length"), "{head}");
    held.come();
    let body = asked.rest().await;
    assert!(body.contains("here") && !body.contains("on its way"), "{body}");
}

#[tokio::test]
async fn who_waits_long_sees_what_for_and_then_the_page() {
    let held = Held::new(wiki().write()).withhold_all();
    let server = serve_with(&library(&[("wiki.zim", held.clone())]), impatiently());
    let mut asked = Asked::of(&server, "GET /content/wiki/Paris", &[READER]).await;
    let waiting = asked.until("asks 8 peers for").await;
    assert!(waiting.contains("Paris is on its way") && waiting.contains("&lt;nothing&gt;"), "{waiting}");
    assert!(!waiting.contains("<script"), "{waiting}");
    held.come();
    assert!(asked.rest().await.contains("<meta http-equiv=\"refresh\" content=\"0\">"));
}

#[tokio::test]
async fn what_a_page_shows_just_waits() {
    let held = Held::new(wiki().write()).withhold_all();
    let server = serve_with(&library(&[("wiki.zim", held.clone())]), impatiently());
    let picture = ask(&server, "GET /content/wiki/a%20b.png", &["Sec-Fetch-Mode: no-cors"]);
    let come = async { held.come() };
    let (picture, ()) = futures_util::join!(picture, come);
    assert_eq!((picture.status, picture.body.len()), (200, 256));
}

#[tokio::test]
async fn who_leaves_takes_the_wish_back() {
    let held = Held::new(wiki().write()).withhold_all();
    let library = library(&[("wiki.zim", held)]);
    let server = serve_with(&library, impatiently());
    let mut asked = Asked::of(&server, "GET /content/wiki/Paris", &[READER]).await;
    asked.until("asks 8 peers for").await;
    drop(asked);
    let book = library.book("wiki").expect("it is there");
    soon(async {
        while book.archive.waits().reads > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_yet_is_waited_for() {
    let library = Library::default();
    library.wait_for("magnet of <wiki>".to_owned(), Arc::new(Swarm));
    let server = serve_with(&library, impatiently());
    let mut front = Asked::of(&server, "GET /", &[READER]).await;
    let mut page = Asked::of(&server, "GET /content/wiki/Paris", &[READER]).await;
    assert!(front.until("8 peers send").await.contains("magnet of &lt;wiki&gt;"));
    page.until("Paris is on its way").await;
    let archive = Archive::new(vec![Box::new(Held::new(wiki().write()))]);
    library.add("wiki.zim", archive, Arc::new(Swarm));
    library.waited("magnet of <wiki>");
    assert!(front.rest().await.contains("content=\"0\"") && page.rest().await.contains("content=\"0\""));
    let server = serve_with(&library, config());
    assert_eq!(get(&server, "/").await.leads(), "/content/wiki/");
}

#[tokio::test]
async fn a_book_that_does_not_answer_does_not_keep_the_others_from_being_shown() {
    let (one, two) = (Held::new(wiki().write()), Held::new(wiki().write()).withhold_all());
    let patience = Patience { silence: Duration::ZERO, ..endless() };
    let library = library(&[("one.zim", one), ("two.zim", two)]);
    let server = serve_with(&library, SiteConfig { patience, ..config() });
    let front = get(&server, "/").await.text();
    assert!(
        front.contains("/content/one/") && front.contains("<b>two</b>") && front.contains("&lt;nothing&gt;"),
        "{front}"
    );
    assert!(ask(&server, "GET /catalog/v2/entries", &[]).await.text().contains("<title>two</title>"));
}

#[tokio::test]
async fn what_breaks_is_told_and_the_rest_is_served() {
    let held = far();
    let last = held.cluster(held.clusters() - 1);
    let held = held.withhold(last);
    let server = serve_with(&library(&[("wiki.zim", held.clone())]), config());
    held.break_it();
    let page = get(&server, "/content/wiki/Page").await;
    assert!(page.status == 503 && page.text().contains("it broke"), "{}", page.text());
    let picture = get(&server, "/content/wiki/0.png").await;
    assert_eq!((picture.status, picture.body.len()), (200, 400_000));
    let no_zim = serve_with(&library(&[("wiki.zim", Held::new(vec![7; 500]))]), config());
    let page = get(&no_zim, "/content/wiki/Page").await;
    assert!(page.status == 500 && page.text().contains("no ZIM file"), "{}", page.text());
    assert!(get(&no_zim, "/peerflix/library").await.text().contains("no ZIM file"));
}

#[tokio::test]
async fn what_a_page_shows_is_asked_for_when_it_is_opened() {
    let held = far();
    let picture = held.cluster(0);
    let server = serve_with(&library(&[("wiki.zim", held.clone())]), config());
    assert_eq!(get(&server, "/content/wiki/Page").await.status, 200);
    held.until_read((picture.start + picture.end) / 2).await;
}
