//! Search, suggestions, chance.

use serde_json::Value;

use crate::pages::wiki;
use crate::world::{Held, config, get, library, serve, serve_with};

#[tokio::test]
async fn without_an_index_titles_are_searched_and_it_says_so() {
    let server = serve(wiki());
    let found = get(&server, "/search?pattern=par&content=wiki").await;
    let text = found.text();
    assert_eq!(found.status, 200);
    assert!(
        text.contains("href=\"/content/wiki/Paris\"") && text.contains("href=\"/content/wiki/Parma\""),
        "{text}"
    );
    assert!(text.contains("titles that begin with"), "{text}");
    let none = get(&server, "/search?pattern=%3Cxyz%3E").await.text();
    assert!(none.contains("Nothing was found") && none.contains("&lt;xyz&gt;"), "{none}");
    assert_eq!(get(&server, "/search?pattern=%20&content=wiki").await.status, 400);
    assert_eq!(get(&server, "/search?pattern=a&content=nope").await.status, 404);
}

#[tokio::test]
async fn all_books_are_searched_if_none_is_named() {
    let held = Held::new(wiki().write());
    let server = serve_with(&library(&[("one.zim", held.clone()), ("two.zim", held)]), config());
    let all = get(&server, "/search?pattern=Paris").await.text();
    assert!(all.contains("/content/one/Paris") && all.contains("/content/two/Paris"), "{all}");
    let two = get(&server, "/search?pattern=Paris&books.name=two").await.text();
    assert!(!two.contains("/content/one/Paris") && two.contains("/content/two/Paris"), "{two}");
}

#[tokio::test]
async fn hits_come_page_by_page_and_as_a_feed() {
    let server = serve(wiki());
    let first = get(&server, "/search?pattern=Par&content=wiki&pageLength=1").await.text();
    assert!(first.contains("/content/wiki/Paris\"") && !first.contains("/content/wiki/Parma\""), "{first}");
    assert!(first.contains("start=2&amp;pageLength=1"), "{first}");
    let second = get(&server, "/search?pattern=Par&content=wiki&pageLength=1&start=2").await.text();
    assert!(
        !second.contains("/content/wiki/Paris\"") && second.contains("/content/wiki/Parma\""),
        "{second}"
    );
    let feed = get(&server, "/search?pattern=Par&content=wiki&format=xml").await;
    assert_eq!(feed.field("content-type"), "application/rss+xml; charset=utf-8");
    let text = feed.text();
    assert!(
        text.contains("<opensearch:totalResults>2<") && text.contains("<link>/content/wiki/Paris</link>"),
        "{text}"
    );
}

#[tokio::test]
async fn titles_are_suggested_as_one_types() {
    let server = serve(wiki());
    let answer = get(&server, "/suggest?content=wiki&term=par&count=1").await;
    let found: Value = serde_json::from_slice(&answer.body).expect("it is JSON");
    let one =
        serde_json::json!({ "value": "Paris", "label": "<b>Par</b>is", "kind": "path", "path": "Paris" });
    assert_eq!((&found[0], &found[1]["kind"]), (&one, &Value::from("pattern")));
    let rest = get(&server, "/suggest?content=wiki&term=par&start=1").await;
    let rest: Value = serde_json::from_slice(&rest.body).expect("it is JSON");
    assert_eq!(rest[0]["value"], "Parma");
    assert_eq!(get(&server, "/suggest?content=wiki&term=").await.text(), "[]");
    assert_eq!(get(&server, "/suggest?content=nope&term=a").await.status, 404);
}

#[tokio::test]
async fn chance_leads_to_an_article() {
    let server = serve(wiki());
    for path in ["/random?content=wiki", "/random"] {
        let leads = get(&server, path).await.leads();
        assert!(leads.starts_with("/content/wiki/") && !leads.contains("png"), "{leads}");
    }
    assert_eq!(get(&server, "/random?content=nope").await.status, 404);
}
