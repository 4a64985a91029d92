//! Pages, pictures, and what is not there.

use peerflix::wiki::site::SiteConfig;

use crate::world::{Held, READER, ask, config, get, library, serve, serve_with};
use crate::zim_writer::Writer;

const PARIS: &str = "<html><head><title>Paris</title></head><body class=x><p>Paris &amp; co</p><img src=\"a b.png\"></body></html>";

pub fn wiki() -> Writer {
    let writer = Writer { main_page: Some((b'C', "Home".to_owned())), ..Writer::default() };
    writer
        .page("Home", "Home", "<body>Welcome</body>")
        .page("Paris", "Paris", PARIS)
        .page("Parma", "Parma", "<p>no body")
        .page("What?", "What?", "<body>what</body>")
        .page("What", "What", "<body>so</body>")
        .page("Who?", "Who?", "<body>who</body>")
        .page("AC/DC", "AC/DC", "<body>acdc</body>")
        .page("a\\b", "a\\b", "<body>back</body>")
        .page("New_York", "New York", "<body>ny</body>")
        .page("Café", "Café", "<body>coffee</body>")
        .redirect("Lutetia", "Lutetia", "Paris")
        .redirect("Loop", "Loop", "Loop")
        .file(b'C', "a b.png", "image/png", (0..=255).collect::<Vec<u8>>())
        .file(b'C', "style.css", "text/css", "p { color: red }")
        .file(b'C', "odd", "not a type", "odd")
        .file(b'M', "Title", "text/plain", "Tëst")
        .file(b'M', "Language", "text/plain", "eng")
        .file(b'M', "Illustration_48x48@1", "image/png", "picture")
}

#[tokio::test]
async fn the_only_book_begins_with_its_main_page() {
    let server = serve(wiki());
    assert_eq!(get(&server, "/").await.leads(), "/content/wiki/");
    for (root, main) in [
        ("/content/wiki/", "/content/wiki/Home"),
        ("/content/wiki", "/content/wiki/Home"),
        ("/wiki", "/wiki/Home"),
        ("/wiki/", "/wiki/Home"),
        ("/raw/wiki/content/", "/raw/wiki/content/Home"),
    ] {
        assert_eq!(get(&server, root).await.leads(), main);
    }
}

#[tokio::test]
async fn several_books_begin_with_all_of_them() {
    let held = Held::new(wiki().write());
    let server = serve_with(&library(&[("wiki.zim", held.clone()), ("Two é.zim", held)]), config());
    let front = get(&server, "/").await;
    let text = front.text();
    assert!(front.status == 200 && text.contains("Tëst"), "{text}");
    assert!(text.contains("href=\"/content/wiki/\"") && text.contains("href=\"/content/two_e/\""), "{text}");
    assert!(text.contains("src=\"/catalog/v2/illustration/two_e/?size=48\""), "{text}");
    let picture = get(&server, "/catalog/v2/illustration/two_e/?size=48").await;
    assert_eq!(
        (picture.field("content-type"), picture.body.as_slice()),
        ("image/png", b"picture".as_slice())
    );
    assert_eq!(get(&server, "/catalog/v2/illustration/two_e/?size=96").await.status, 404);
}

#[tokio::test]
async fn a_page_has_a_bar_and_is_else_as_it_was() {
    let server = serve(wiki());
    for path in ["/content/wiki/Paris", "/wiki/Paris"] {
        let page = get(&server, path).await;
        let text = page.text();
        assert_eq!((page.status, page.field("content-type")), (200, "text/html; charset=utf-8"));
        let (before, rest) = text.split_once("<peerflix-bar").expect("there is a bar");
        let (bar, after) = rest.split_once("</peerflix-bar>").expect("the bar ends");
        assert_eq!(format!("{before}{after}"), PARIS);
        assert!(
            bar.contains("This visit:") && bar.contains("3.2 MB of ") && bar.contains("&lt;nothing&gt;"),
            "{bar}"
        );
    }
    let raw = get(&server, "/raw/wiki/content/Paris").await;
    assert_eq!((raw.status, raw.text().as_str()), (200, PARIS));
    let without = serve_with(
        &library(&[("wiki.zim", Held::new(wiki().write()))]),
        SiteConfig { bar: false, ..config() },
    );
    assert_eq!(get(&without, "/content/wiki/Paris").await.text(), PARIS);
}

#[tokio::test]
async fn a_reader_can_hide_the_bar_and_get_it_back() {
    let server = serve(wiki());
    let page = get(&server, "/content/wiki/Paris").await.text();
    let (_, link) = page.split_once("href=\"/peerflix/bar?").expect("there is a way to hide it");
    let link = link.split('"').next().unwrap_or_default().replace("&amp;", "&");
    let hidden = get(&server, &format!("/peerflix/bar?{link}")).await;
    assert_eq!(hidden.leads(), "/content/wiki/Paris");
    let cookie = hidden.field("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let with_cookie = format!("Cookie: {cookie}");
    let bare = ask(&server, "GET /content/wiki/Paris", &[READER, &with_cookie]).await;
    assert_eq!(bare.text(), PARIS);
    let library = ask(&server, "GET /peerflix/library", &[READER, &with_cookie]).await.text();
    assert!(library.contains("/peerflix/bar?show=yes"), "{library}");
    assert!(
        get(&server, "/peerflix/bar?show=yes&to=//example.org")
            .await
            .field("set-cookie")
            .contains("Max-Age=0")
    );
    assert_eq!(get(&server, "/peerflix/bar?show=yes&to=//example.org").await.leads(), "/");
}

#[tokio::test]
async fn a_page_within_a_page_has_no_bar_of_its_own() {
    let server = serve(wiki());
    let framed = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"];
    assert_eq!(ask(&server, "GET /content/wiki/Paris", &framed).await.text(), PARIS);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let server = serve(wiki());
    for path in ["/content/wiki/Paris", "/content/wiki/a%20b.png", "/raw/wiki/content/Paris"] {
        let first = get(&server, path).await;
        let tag = first.field("etag").to_owned();
        assert!(!tag.is_empty() && first.field("cache-control") == "no-cache", "{path}");
        let again = ask(&server, &format!("GET {path}"), &[READER, &format!("If-None-Match: {tag}")]).await;
        assert_eq!((again.status, again.body.len(), again.field("etag")), (304, 0, tag.as_str()));
        let hidden = ["Cookie: peerflix_bar=off", &format!("If-None-Match: {tag}")];
        let other = ask(&server, &format!("GET {path}"), &hidden).await;
        assert_eq!(
            other.status == 304,
            path != "/content/wiki/Paris",
            "{path}: of a page, the bar is a part"
        );
    }
}

#[tokio::test]
async fn a_picture_comes_by_range() {
    let server = serve(wiki());
    let whole = get(&server, "/content/wiki/a%20b.png").await;
    assert_eq!((whole.field("content-type"), whole.body.len()), ("image/png", 256));
    let range = [READER, "Range: bytes=10-12"];
    let part = ask(&server, "GET /content/wiki/a%20b.png", &range).await;
    assert_eq!((part.status, part.body.as_slice()), (206, [10, 11, 12].as_slice()));
    let head = ask(&server, "HEAD /content/wiki/a%20b.png", &[]).await;
    assert_eq!((head.status, head.field("content-length"), head.body.len()), (200, "256", 0));
    let head = ask(&server, "HEAD /content/wiki/Paris", &[READER]).await;
    assert_eq!(
        (head.status, head.field("content-type"), head.body.len()),
        (200, "text/html; charset=utf-8", 0)
    );
}

#[tokio::test]
async fn types_are_those_of_the_file_and_never_nonsense() {
    let server = serve(wiki());
    for (path, kind) in [
        ("/content/wiki/style.css", "text/css; charset=utf-8"),
        ("/content/wiki/odd", "application/octet-stream"),
        ("/raw/wiki/meta/Title", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(get(&server, path).await.field("content-type"), kind, "{path}");
    }
    assert_eq!(get(&server, "/raw/wiki/meta/Title").await.text(), "Tëst");
    assert_eq!(get(&server, "/raw/wiki/meta/Nope").await.status, 404);
}

#[tokio::test]
async fn names_are_found_however_a_link_writes_them() {
    let server = serve(wiki());
    for (path, text) in [
        ("/content/wiki/What", "so"),
        ("/content/wiki/What%3F", "what"),
        ("/content/wiki/AC/DC", "acdc"),
        ("/content/wiki/AC%2FDC", "acdc"),
        ("/content/wiki/a%5Cb", "back"),
        ("/content/wiki/Caf%C3%A9", "coffee"),
        ("/content/wiki/Paris?x=1", "Paris"),
    ] {
        let page = get(&server, path).await;
        assert!(page.status == 200 && page.text().contains(text), "{path}: {}", page.status);
    }
    for (path, leads) in [
        ("/content/wiki/Who?", "/content/wiki/Who?"),
        ("/content/wiki/a/b", "/content/wiki/a\\b"),
        ("/content/wiki/New%20York", "/content/wiki/New_York"),
        ("/wiki/Cafe%CC%81", "/wiki/Café"),
        ("/content/wiki/A/Paris", "/content/wiki/Paris"),
    ] {
        assert_eq!(get(&server, path).await.leads(), leads, "{path}");
    }
    assert_eq!(get(&server, "/content/wiki/Who?").await.field("location"), "/content/wiki/Who%3F");
}

#[tokio::test]
async fn a_redirect_leads_to_where_it_ends() {
    let server = serve(wiki());
    assert_eq!(get(&server, "/content/wiki/Lutetia").await.leads(), "/content/wiki/Paris");
    assert_eq!(get(&server, "/wiki/Lutetia").await.leads(), "/wiki/Paris");
    assert_eq!(get(&server, "/raw/wiki/content/Lutetia").await.leads(), "/raw/wiki/content/Paris");
    let circle = get(&server, "/content/wiki/Loop").await;
    assert!(circle.status == 500 && circle.text().contains("circle"), "{}", circle.text());
}

#[tokio::test]
async fn who_looks_for_what_is_not_there_is_told_what_is_near() {
    let server = serve(wiki());
    let missing = get(&server, "/content/wiki/Pariss%3Cb%3E").await;
    let text = missing.text();
    assert_eq!((missing.status, missing.field("content-type")), (404, "text/html; charset=utf-8"));
    assert!(
        text.contains("Pariss&lt;b&gt;") && text.contains(">Paris</a>") && !text.contains("a b.png"),
        "{text}"
    );
    let picture = ask(&server, "GET /content/wiki/nope.png", &["Sec-Fetch-Mode: no-cors"]).await;
    assert!(picture.status == 404 && !picture.text().contains("Near it"));
    for path in
        ["/content/nope/x", "/raw/nope/content/x", "/raw/wiki/nope/x", "/nope/x", "/catalog/nope", "/%ff"]
    {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn books_are_read_and_not_written() {
    let server = serve(wiki());
    for method in ["POST", "PUT", "DELETE"] {
        let answer = ask(&server, &format!("{method} /content/wiki/Paris"), &[]).await;
        assert_eq!((answer.status, answer.field("allow")), (405, "GET, HEAD, OPTIONS"), "{method}");
    }
    assert_eq!(ask(&server, "OPTIONS /content/wiki/Paris", &[]).await.status, 204);
}

#[tokio::test]
async fn every_answer_keeps_its_page_to_this_site() {
    let server = serve(wiki());
    for path in [
        "/",
        "/content/wiki/Paris",
        "/raw/wiki/content/Paris",
        "/content/wiki/a%20b.png",
        "/content/wiki/nope",
        "/search?pattern=paris",
        "/suggest?content=wiki&term=p",
        "/peerflix/library",
        "/peerflix/bar.js",
        "/peerflix/status.json",
        "/catalog/v2/entries",
        "/viewer",
        "/favicon.ico",
        "/raw/wiki/meta/Title",
    ] {
        let answer = get(&server, path).await;
        let policy = answer.field("content-security-policy");
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(answer.field("referrer-policy"), "same-origin", "{path}");
        let is_bare = matches!(answer.status, 302 | 304);
        assert!(is_bare || answer.field("x-content-type-options") == "nosniff", "{path}");
    }
    let other = ask(&server, "GET /content/wiki/Paris", &["X: y"]).await;
    assert!(!other.fields.iter().any(|(name, _)| name == "access-control-allow-origin"));
}
