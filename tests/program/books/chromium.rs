//! A person with Chromium, and pages that come through a swarm.

use serde_json::{Value, json};

use super::browser::{Browser, ENTER};
use super::encyclopedia::{FILM_ARTICLE, PICTURE_ARTICLE, RARE_ARTICLE, RARE_WORD, encyclopedia};
use super::kiwix::Kiwix;
use super::served::Served;

/// How many pictures are on the page, and how many of them are to be seen.
fn pictures(browser: &Browser) -> Value {
    browser.runs("const all = [...document.images]; return [all.length, all.filter(one => one.complete && one.naturalWidth > 0).length]")
}

/// Plays, goes to another place, and plays there.
fn plays_and_seeks(browser: &Browser) {
    browser.runs("document.querySelector('video').play()");
    browser.sees("return document.querySelector('video').currentTime > 0.2");
    browser.runs("document.querySelector('video').currentTime = 45");
    let seen = browser.sees(
        "const film = document.querySelector('video'); return film.currentTime > 45.1 && [film.videoWidth, film.duration | 0]",
    );
    assert_eq!(seen, json!([320, 60]));
    browser.runs("document.querySelector('video').pause()");
}

#[test]
fn chromium_reads_kiwix_serve() {
    let kiwix = Kiwix::serving(&encyclopedia().zim, &["--nosearchbar"]);
    let browser = Browser::start();
    let home = format!("{}/encyclopedia/", kiwix.url());
    browser.goes_to(&home);
    assert_eq!(browser.runs("return document.title"), "The Encyclopedia of Nothing");
    browser.is_pictured("kiwix-main");
    browser.clicks(&format!("a[href='./{PICTURE_ARTICLE}']"));
    browser.sees("return document.title == 'An album of pictures' && document.readyState == 'complete'");
    assert_eq!(pictures(&browser), json!([12, 12]));
    browser.goes_to(&format!("{home}{FILM_ARTICLE}"));
    plays_and_seeks(&browser);
    let outside: Vec<_> =
        browser.asked_for().into_iter().filter(|url| !url.starts_with(&kiwix.url())).collect();
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn chromium_reads_a_book_that_comes_through_a_swarm() {
    let ours = Served::through_a_swarm(&encyclopedia().zim, &[]);
    let browser = Browser::start();
    browser.goes_to(&format!("{}/", ours.url));
    assert_eq!(browser.runs("return document.title"), "The Encyclopedia of Nothing");
    browser.is_pictured("wiki-main");
    browser.has_size(420, 800);
    browser.is_pictured("wiki-narrow");
    browser.has_size(1100, 900);

    browser.clicks(&format!("a[href='./{PICTURE_ARTICLE}']"));
    browser.sees("return document.title == 'An album of pictures' && document.readyState == 'complete'");
    assert_eq!(pictures(&browser), json!([12, 12]));
    browser.is_pictured("wiki-pictures");

    browser.goes_to(&format!("{}/search?content=encyclopedia&pattern=nothing", ours.url));
    browser.runs("document.querySelector('input[name=pattern]').value = ''");
    browser.types("input[name=pattern]", &format!("{RARE_WORD}{ENTER}"));
    browser.sees(&format!("return !!document.querySelector(\"a[href$='/{RARE_ARTICLE}']\")"));
    browser.is_pictured("wiki-search");
    browser.clicks(&format!("a[href$='/{RARE_ARTICLE}']"));
    browser.sees(&format!(
        "return document.readyState == 'complete' && location.pathname.endsWith('/{RARE_ARTICLE}')"
    ));
    assert!(browser.is_at().starts_with(&ours.url), "{}", browser.is_at());

    browser.goes_to(&format!("{}/content/encyclopedia/{FILM_ARTICLE}", ours.url));
    plays_and_seeks(&browser);
    let outside: Vec<_> = browser.asked_for().into_iter().filter(|url| !url.starts_with(&ours.url)).collect();
    assert_eq!(outside, Vec::<String>::new());
    assert_eq!(browser.complains(), Vec::<String>::new());
    drop(browser);
    ours.ends_well();
}
