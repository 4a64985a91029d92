//! Books of before 6.1, whose paths begin with a namespace, and whose links may begin at the root of the site.

use crate::world::{Held, READER, ask, config, get, library, serve, serve_with};
use crate::zim_writer::{Compression, What, Writer, Written};

fn old() -> Writer {
    let nothing = |path: &str, what| Written {
        namespace: b'A',
        path: path.into(),
        title: String::new(),
        what,
        is_article: false,
    };
    let writer = Writer {
        major: 5,
        minor: 0,
        compression: Compression::Xz,
        main_page: Some((b'A', "Home.html".to_owned())),
        entries: vec![nothing("Named", What::LinkTarget), nothing("Gone", What::Deleted)],
        ..Writer::default()
    };
    writer
        .page("Home.html", "Home", "<body><a href=\"/A/Paris.html\">Paris</a><img src=\"../I/x.png\"></body>")
        .page("Paris.html", "Paris", "<body>Paris</body>")
        .redirect("Lutetia.html", "Lutetia", "Paris.html")
        .file(b'I', "x.png", "image/png", "picture")
        .file(b'-', "s/style.css", "text/css", "p { background: url(/I/x.png) }")
}

#[tokio::test]
async fn paths_have_their_namespace() {
    let server = serve(old());
    assert_eq!(get(&server, "/content/wiki/").await.leads(), "/content/wiki/A/Home.html");
    assert_eq!(get(&server, "/wiki/A/Lutetia.html").await.leads(), "/wiki/A/Paris.html");
    for path in ["/content/wiki/A/Paris.html", "/wiki/I/x.png", "/raw/wiki/content/-/s/style.css"] {
        assert_eq!(get(&server, path).await.status, 200, "{path}");
    }
    assert_eq!(get(&server, "/content/wiki/Paris.html").await.leads(), "/content/wiki/A/Paris.html");
}

#[tokio::test]
async fn what_is_only_named_or_was_deleted_is_not_there() {
    let server = serve(old());
    for path in ["/content/wiki/A/Named", "/content/wiki/A/Gone"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn absolute_links_of_pages_lead_into_their_book() {
    let server = serve(old());
    for root in ["/content/wiki/", "/wiki/"] {
        let page = get(&server, &format!("{root}A/Home.html")).await.text();
        assert!(page.contains(&format!("<a href=\"{root}A/Paris.html\">")), "{page}");
        assert!(page.contains("<img src=\"../I/x.png\">"), "{page}");
    }
}

#[tokio::test]
async fn absolute_links_of_style_sheets_are_followed_by_where_they_come_from() {
    let held = Held::new(old().write());
    let server = serve_with(&library(&[("one.zim", held.clone()), ("two.zim", held.clone())]), config());
    let from = format!("Referer: http://{}/content/two/-/s/style.css", server.address());
    let picture = ask(&server, "GET /I/x.png", &["Sec-Fetch-Mode: no-cors", &from]).await;
    assert_eq!(picture.leads(), "/content/two/I/x.png");
    assert_eq!(ask(&server, "GET /I/x.png", &[READER]).await.status, 404);
    let only = serve_with(&library(&[("one.zim", held)]), config());
    assert_eq!(get(&only, "/A/Paris.html").await.leads(), "/content/one/A/Paris.html");
}
