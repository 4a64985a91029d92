//! What programs ask: the catalog, and how the swarm does.

use serde_json::Value;

use crate::pages::wiki;
use crate::world::{ask, get, serve};

#[tokio::test]
async fn programs_find_books_by_the_catalog() {
    let server = serve(wiki());
    let root = ask(&server, "GET /catalog/v2/root.xml", &[]).await;
    assert_eq!(root.field("content-type"), "application/atom+xml;profile=opds-catalog;kind=navigation");
    for part in ["entries", "partial_entries", "categories", "languages"] {
        assert!(root.text().contains(&format!("/catalog/v2/{part}\"")), "{part}");
        assert_eq!(ask(&server, &format!("GET /catalog/v2/{part}"), &[]).await.status, 200, "{part}");
    }
    let id = "07070707-0707-0707-0707-070707070707";
    for list in
        ["/catalog/v2/entries?lang=eng", "/catalog/search?q=t%C3%ABst", &format!("/catalog/v2/entry/{id}")]
    {
        let text = ask(&server, &format!("GET {list}"), &[]).await.text();
        assert!(
            text.contains("href=\"/content/wiki\"") && text.contains(id) && text.contains("<title>Tëst<"),
            "{text}"
        );
    }
    let none = ask(&server, "GET /catalog/v2/entries?lang=fra", &[]).await.text();
    assert!(none.contains("<totalResults>0<") && !none.contains("<entry>"), "{none}");
    assert_eq!(ask(&server, "GET /catalog/v2/entry/nope", &[]).await.status, 404);
    for path in ["/catalog/v2/searchdescription.xml", "/catalog/searchdescription.xml", "/catalog/root.xml"] {
        assert_eq!(ask(&server, &format!("GET {path}"), &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn programs_see_what_the_swarm_does() {
    let server = serve(wiki());
    let status = get(&server, "/peerflix/status.json?book=wiki").await;
    let status: Value = serde_json::from_slice(&status.body).expect("it is JSON");
    assert_eq!((&status["downloaded"], &status["peers"]), (&Value::from(3_200_000), &Value::from(8)));
    assert_eq!(status["waiting"], serde_json::json!({ "reads": 0, "bytes": 0 }));
    let all = get(&server, "/peerflix/status.json").await;
    let all: Value = serde_json::from_slice(&all.body).expect("it is JSON");
    assert_eq!(all["books"][0]["book"], "wiki");
    assert_eq!(get(&server, "/peerflix/status.json?book=nope").await.status, 404);
}
