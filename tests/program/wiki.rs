//! `peerflix wiki`: real sites, of torrents that real or scripted peers have, and of files that are here.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::events::event_named;
use crate::films::{demo, program};
use crate::run::{Peerflix, Running, Said, until};
use crate::scripted::{self, Manner};
use crate::seeds::{Seeds, Torrent};
use crate::tmux::Terminal;
use crate::zim_writer::{Compression, What, Writer, Written};

/// Bytes that no other place has, and that do not compress.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let word = |at: usize| (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ seed).to_le_bytes();
    (0..length.div_ceil(8)).flat_map(word).take(length).collect()
}

/// Some articles, of which each lies far from the next: between any two is a film.
fn encyclopedia() -> Writer {
    let page = |title: &str| {
        format!(
            "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>{title}</title>\
             <link rel=\"stylesheet\" href=\"style.css\"></head>\
             <body><h1>{title}</h1><img src=\"{title}.png\"> <a href=\"Berlin\">Berlin</a></body></html>"
        )
    };
    let mut writer = Writer { cluster_size: 1, ..Writer::default() }
        .page("Main", "Main", "<html><body><h1>Welcome</h1><a href=\"Paris\">Paris</a></body></html>")
        .file(b'C', "style.css", "text/css", "body { background: url(paper.png) }")
        .file(b'C', "paper.png", "image/png", noise(5000, 1))
        .redirect("Lutetia", "Lutetia", "Paris");
    writer.main_page = Some((b'C', "Main".into()));
    for (path, what) in [("Atlantis", What::Deleted), ("Avalon", What::LinkTarget)] {
        let (path, title) = (path.into(), String::new());
        writer.entries.push(Written { namespace: b'C', path, title, what, is_article: false });
    }
    for (at, title) in ["Berlin", "Lima", "London", "Paris", "Rome"].into_iter().enumerate() {
        writer = writer
            .page(title, title, &page(title))
            .file(b'C', &format!("{title}.png"), "image/png", noise(100_000, at as u64 + 2))
            .file(b'C', &format!("{title}.webm"), "video/webm", noise(700_000, at as u64 + 20));
    }
    for (name, text) in [("Title", "All of It"), ("Language", "eng"), ("Name", "encyclopedia")] {
        writer = writer.file(b'M', name, "text/plain", text);
    }
    writer
}

/// Its bytes, if it is a file of content.
fn bytes_of(writer: &Writer, path: &str) -> Vec<u8> {
    let entry = writer.entries.iter().find(|entry| entry.namespace == b'C' && entry.path == path.as_bytes());
    match entry.map(|entry| &entry.what) {
        Some(What::Content(_, bytes)) => bytes.clone(),
        _ => panic!("{path} is no file"),
    }
}

/// A wiki that runs, and its URL.
struct Served {
    running: Running,
    url: String,
}

impl Served {
    fn new(typed: &[&str], flags: &[String]) -> Served {
        Served::of(Peerflix::new(line(typed, flags)))
    }

    fn of(peerflix: Peerflix) -> Served {
        let mut running = peerflix.start();
        let url = running.line();
        assert!(url.starts_with("http://127.0.0.1:"), "the first line is the URL, not {url:?}");
        Served { running, url }
    }

    fn answer(&self, path: &str) -> Answer {
        get(&format!("{}/{}", self.url.trim_end_matches('/'), path.trim_start_matches('/')))
    }

    fn ends(self) -> Said {
        self.running.interrupt();
        let said = self.running.ended();
        assert_eq!(said.code, Some(0), "{said:?}");
        said
    }
}

fn line(typed: &[&str], flags: &[String]) -> Vec<String> {
    let line = ["wiki", "--port=0"].iter().chain(typed).map(|word| (*word).to_owned());
    line.chain(flags.iter().cloned()).collect()
}

fn nowhere() -> Vec<String> {
    ["--no-dht", "--no-lsd"].map(str::to_owned).to_vec()
}

struct Answer {
    status: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// As a program asks, and not a browser: what is not there yet is waited for. Redirects are followed.
fn get(url: &str) -> Answer {
    let args = ["-sSL", "--max-time", "40", "-w", "\n%{http_code}", url];
    let out = program("curl", "curl").args(args).output().expect("curl runs");
    assert!(out.status.success(), "{url}: {}", String::from_utf8_lossy(&out.stderr));
    let end = out.stdout.iter().rposition(|&byte| byte == b'\n').expect("a last line");
    let status = String::from_utf8_lossy(&out.stdout[end + 1..]).into_owned();
    Answer { status, body: out.stdout[..end].to_vec() }
}

#[test]
fn an_encyclopedia_is_read_out_of_a_swarm_and_only_what_is_read_is_fetched() {
    let writer = encyclopedia();
    let bytes = writer.clone().write();
    let torrent = Torrent::of_folder("Books", &[("all_of_it.zim", &bytes), ("readme.txt", b"hello")]);
    let seeds = Seeds::of(&torrent, 2);
    let served = Served::new(&[torrent.typed()], &seeds.flags());
    let main = served.answer("/");
    assert_eq!(main.status, "200");
    assert!(main.text().contains("Welcome"), "{}", main.text());
    let paris = served.answer("/content/all_of_it/Paris");
    assert!(paris.text().contains("<h1>Paris</h1>"), "{}", paris.text());
    assert!(served.answer("/content/all_of_it/Paris.png").body == bytes_of(&writer, "Paris.png"));
    let redirected = served.answer("/content/all_of_it/Lutetia");
    assert!(redirected.text().contains("<h1>Paris</h1>"), "{}", redirected.text());
    assert_eq!(served.answer("/content/all_of_it/Atlantis").status, "404");
    let said = served.ends();
    assert!(!said.errors.contains("panicked"), "{said:?}");
}

#[test]
fn a_file_on_this_computer_is_read_the_same_way_whole_or_in_parts() {
    let writer = encyclopedia();
    let bytes = writer.clone().write();
    let folder = TempDir::new().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a plain name").to_owned();
    fs::write(at("whole.zim"), &bytes).expect("writes");
    for (name, part) in
        ["parts.zimaa", "parts.zimab", "parts.zimac"].iter().zip(bytes.chunks(bytes.len() / 3 + 1))
    {
        fs::write(at(name), part).expect("writes");
    }
    let served = Served::new(&[&at("whole.zim"), &at("parts.zimaa")], &nowhere());
    for book in ["whole", "parts"] {
        let berlin = served.answer(&format!("/content/{book}/Berlin.webm"));
        assert!(berlin.body == bytes_of(&writer, "Berlin.webm"), "{book}");
        assert!(served.answer("/").text().contains(book), "the front page has both");
    }
    served.ends();
}

#[test]
fn parts_in_a_torrent_are_one_book() {
    let bytes = Writer { compression: Compression::Xz, ..encyclopedia() }.write();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let torrent =
        Torrent::of_folder("Parts", &[("w.zimab", second), ("w.zimaa", first), ("z.zimac", b"alone")]);
    let seeds = Seeds::of(&torrent, 1);
    let served = Served::new(&[torrent.typed()], &seeds.flags());
    served.running.wait_for_words(&["z.zimaa is missing"]);
    for title in ["Berlin", "London", "Rome"] {
        let page = served.answer(&format!("/content/w/{title}"));
        assert!(page.text().contains(&format!("<h1>{title}</h1>")), "{}", page.text());
    }
    served.ends();
}

#[test]
fn a_magnet_is_waited_for_while_the_site_is_there_and_its_books_come_when_they_are_known() {
    let torrent = Torrent::of_file("all_of_it.zim", &encyclopedia().write());
    let magnet = format!("magnet:?xt=urn:btih:{}&dn=An+Encyclopedia", torrent.hex());
    let lonely = Served::new(&[&magnet], &nowhere());
    let waits = lonely.answer("/peerflix/library").text();
    assert!(waits.contains("An Encyclopedia"), "it is told what is waited for: {waits}");
    lonely.ends();

    let seeds = Seeds::of(&torrent, 1);
    let served = Served::new(&[&magnet], &seeds.flags());
    let paris =
        until(|| Some(served.answer("/content/all_of_it/Paris")).filter(|answer| answer.status == "200"));
    assert!(paris.text().contains("<h1>Paris</h1>"), "{}", paris.text());
    served.ends();
}

#[test]
fn pinned_articles_are_read_later_with_all_that_they_show_and_without_any_peer() {
    let writer = encyclopedia();
    let torrent = Torrent::of_file("all_of_it.zim", &writer.clone().write());
    let cache = TempDir::new().expect("a temporary folder");
    let served = |flags: Vec<String>| {
        Served::of(Peerflix::new(line(&[torrent.typed()], &flags)).env("PEERFLIX_CACHE", cache.path()))
    };
    let seeds = Seeds::of(&torrent, 2);
    let pins = ["--pin=lutetia", "--pin=L[io]*", "--pin=Atlantis"].map(str::to_owned);
    let pinning = served([seeds.flags(), pins.to_vec()].concat());
    pinning.running.wait_for_words(&[
        "“lutetia” of all_of_it is here",
        "“L[io]*” of all_of_it: 2 articles are here",
        "nothing in all_of_it is called “Atlantis”",
    ]);
    pinning.ends();
    drop(seeds);

    let later = served(nowhere());
    assert!(later.answer("/").text().contains("Welcome"));
    for title in ["Lutetia", "Paris", "Lima", "London"] {
        let page = later.answer(&format!("/content/all_of_it/{title}"));
        assert_eq!(page.status, "200", "{title}");
    }
    for file in ["Paris.png", "Lima.png", "London.png", "style.css", "paper.png"] {
        assert!(
            later.answer(&format!("/raw/all_of_it/content/{file}")).body == bytes_of(&writer, file),
            "{file}"
        );
    }
    later.ends();
    let state = cache.path().join(format!("{}.state", torrent.hex()));
    assert!(state.join("notes.json").is_file());

    let removing = served([nowhere(), vec!["--remove".into()]].concat());
    removing.ends();
    assert!(!state.exists(), "nothing is left of it");
}

#[test]
fn all_of_a_book_is_fetched_only_with_all_and_what_happens_is_told_as_events() {
    let bytes = encyclopedia().write();
    // Pieces do not end where files do: what is beside the book is larger than a piece.
    let other = noise(1_000_000, 99);
    let torrent = Torrent::of_folder("Books", &[("a.zim", &bytes), ("b.bin", &other)]);
    let seeds = Seeds::of(&torrent, 1);
    let mut flags = seeds.flags();
    flags.push("--json".into());
    let mut waits = Peerflix::new(line(&[torrent.typed(), "--pin=Rome"], &flags)).start();
    let site = event_named(&mut waits, "site");
    let book = &site["books"][0];
    assert_eq!(
        (&book["name"], &book["path"], &book["torrent"], &book["length"]),
        (&"a".into(), &"Books/a.zim".into(), &0.into(), &bytes.len().into())
    );
    assert_eq!(get(book["url"].as_str().expect("a URL")).status, "200");
    let pinned = event_named(&mut waits, "pinned");
    assert_eq!(
        (&pinned["book"], &pinned["pattern"], &pinned["articles"], &pinned["failed"]),
        (&"a".into(), &"Rome".into(), &1.into(), &0.into())
    );
    let visit = last_visit(&mut waits);
    let (had, length) = (visit["had"].as_u64(), visit["length"].as_u64());
    assert!(had > Some(100_000) && had < length.map(|length| length / 2), "{visit}");
    waits.interrupt();
    let said = waits.ended();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.text().contains("\"event\":\"end\""), "{said:?}");

    flags.push("--all".into());
    let mut fetches = Peerflix::new(line(&[torrent.typed()], &flags)).start();
    let visit = loop {
        let visit = event_named(&mut fetches, "visit");
        if visit["had"] == visit["length"] {
            break visit;
        }
    };
    let downloaded = visit["downloaded"].as_u64().expect("a number");
    assert!(downloaded < (bytes.len() + other.len() / 2) as u64, "{visit}: what is no book is left alone");
    fetches.interrupt();
    assert_eq!(fetches.ended().code, Some(0));
}

/// One that is told after everything that was asked for has come.
fn last_visit(running: &mut Running) -> Value {
    loop {
        let visit = event_named(running, "visit");
        if visit["reads"] == 0 && visit["had"].as_u64() > Some(100_000) {
            return visit;
        }
    }
}

#[test]
fn what_is_no_wiki_is_told_with_what_it_has() {
    let film = Torrent::of_folder("Films", &[("film.mp4", demo()), ("film.srt", b"1\n")]);
    let refused = |typed: &[&str]| Peerflix::new(line(typed, &nowhere())).said();
    refused(&[film.typed()]).failed_with(4, &["no ZIM file", "film.mp4, film.srt"]);
    refused(&["no-such.torrent"]).failed_with(3, &["no-such.torrent"]);
    refused(&["no-such.zim"]).failed_with(3, &["there is no file no-such.zim"]);
    refused(&["https://zim.example/wiki.zim"]).failed_with(3, &["wiki.zim.torrent"]);
    let folder = TempDir::new().expect("a temporary folder");
    let broken = folder.path().join("broken.zim");
    fs::write(&broken, "not a ZIM file, but long enough to be one: the header alone has eighty bytes ......")
        .expect("writes");
    refused(&[text(&broken)]).failed_with(3, &["broken.zim cannot be read", "no ZIM file"]);
    refused(&[text(&broken), text(&broken)]).failed_with(2, &["same file"]);

    // Beside something better, each of them is only told.
    let book = folder.path().join("book.zim");
    fs::write(&book, encyclopedia().write()).expect("writes");
    let served = Served::new(&[film.typed(), text(&broken), text(&book), "no-such.torrent"], &nowhere());
    served.running.wait_for_words(&["without no-such.torrent", "broken.zim", "no ZIM file"]);
    assert!(served.answer("/content/book/Rome").text().contains("<h1>Rome</h1>"));
    served.ends();
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

#[test]
fn a_browser_is_opened_if_one_is_wanted() {
    let folder = TempDir::new().expect("a temporary folder");
    let (book, told) = (folder.path().join("book.zim"), folder.path().join("opened"));
    fs::write(&book, encyclopedia().write()).expect("writes");
    let browser = folder.path().join("xdg-open");
    fs::write(&browser, format!("#!/bin/sh\necho \"$1\" > {}\n", told.display())).expect("writes");
    fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let served = Served::of(Peerflix::new(line(&[text(&book), "--open"], &nowhere())).env("PATH", path));
    let opened = until(|| fs::read_to_string(&told).ok().filter(|url| url.ends_with('\n')));
    assert_eq!(opened.trim(), served.url);
    served.ends();
}

#[test]
fn the_screen_tells_what_is_waited_for_and_q_ends_it() {
    let bytes = encyclopedia().write();
    let torrent = Torrent::of_file("all_of_it.zim", &bytes);
    let peer = scripted::peer(Manner::Chokes, &bytes, 64 * 1024, torrent.info_hash);
    let terminal = Terminal::new(110, 30);
    let peer = format!("--peer={peer}");
    terminal.peerflix(&["wiki", torrent.typed(), "--port=0", "--no-dht", "--no-lsd", &peer]);
    terminal.shows("q or Ctrl-C ends it");
    let screen = terminal.shows("all_of_it");
    assert!(screen.contains("http://127.0.0.1:") && screen.contains("this visit: 0 B of "), "{screen}");
    // The book's beginning is read before anybody asks for a page.
    terminal.shows("1 read waits for");
    terminal.shows("chokes us");
    terminal.key("q");
    terminal.shows("ended with 0");
}
