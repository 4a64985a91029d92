//! A site of ours beside kiwix-serve on the same ZIM file, entry by entry.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::kiwix::{Answer, Visitor, encode_path};

/// What two sites are asked, and where they are: URLs without a slash at the end.
pub struct Beside {
    visitor: Visitor,
    ours: String,
    kiwix: String,
    /// As it stands in both sites' URLs.
    book: String,
    differences: Vec<String>,
    asked: usize,
}

impl Beside {
    /// A site beside kiwix-serve; both show `zim`, whose name they make the book's name of.
    pub fn new(ours: &str, kiwix: &str, zim: &Path) -> Beside {
        let book = zim.file_stem().expect("a file").to_string_lossy().replace(' ', "_").replace('+', "plus");
        Beside {
            visitor: Visitor::new(),
            ours: ours.trim_end_matches('/').to_owned(),
            kiwix: kiwix.to_owned(),
            book: encode_path(&book),
            differences: Vec::new(),
            asked: 0,
        }
    }

    /// Every entry that zimdump lists, and all metadata, as they lie in the file and as pages: status, type and body. Neither site may
    /// put a bar on top.
    pub fn every_entry(mut self, zim: &Path) -> Beside {
        for path in paths(zim) {
            let path = encode_path(&path);
            self.same_bytes(&format!("raw/{}/content/{path}", self.book));
            self.same_page(&path);
        }
        for name in METADATA {
            self.same_bytes(&format!("raw/{}/meta/{name}", self.book));
        }
        for path in ["no such entry", "C/no such entry", "A/", "index", "M/", "X/none", "\u{fffd}"] {
            self.same_page(&encode_path(path));
        }
        self.same_bytes(&self.book.clone());
        self.same_bytes(&format!("{}/", self.book));
        self
    }

    /// How many were asked; a panic that tells of the differences, if there are any.
    #[track_caller]
    pub fn are_the_same(self) -> usize {
        let some: Vec<_> = self.differences.iter().take(20).map(String::as_str).collect();
        assert!(
            self.differences.is_empty(),
            "{} of {} answers differ (ours, kiwix-serve's):\n{}",
            self.differences.len(),
            self.asked,
            some.join("\n")
        );
        self.asked
    }

    fn same_bytes(&mut self, path: &str) {
        let (ours, theirs) = self.ask(path);
        self.compare(path, &ours, &theirs, |body| body.to_vec());
    }

    fn same_page(&mut self, path: &str) {
        let path = format!("{}/{path}", self.book);
        let (ours, theirs) = self.ask(&path);
        self.compare(&path, &ours, &theirs, without_root_link);
    }

    fn ask(&mut self, path: &str) -> (Answer, Answer) {
        self.asked += 1;
        let url = |site: &str| format!("{site}/{path}");
        (self.visitor.ask(&url(&self.ours)), self.visitor.ask(&url(&self.kiwix)))
    }

    fn compare(&mut self, path: &str, ours: &Answer, theirs: &Answer, body: impl Fn(&[u8]) -> Vec<u8>) {
        let mut differs = |what: String| self.differences.push(format!("{path}: {what}"));
        if ours.status != theirs.status {
            return differs(format!("status {}, {}", ours.status, theirs.status));
        }
        match ours.status {
            // Each says in its own words that there is nothing.
            404 => {}
            301..=308 => {
                let to = |answer: &Answer| target(&answer.location, &self.book);
                if to(ours) != to(theirs) {
                    differs(format!("leads to {:?}, {:?}", ours.location, theirs.location));
                }
            }
            _ => {
                if !is_same_kind(&ours.kind, &theirs.kind) {
                    differs(format!("type {:?}, {:?}", ours.kind, theirs.kind));
                }
                let (ours, theirs) = (body(&ours.body), body(&theirs.body));
                if ours != theirs {
                    differs(format!("body: {}", first_difference(&ours, &theirs)));
                }
            }
        }
    }
}

/// The names of openZIM, and what no file has.
const METADATA: &[&str] = &[
    "Counter",
    "Creator",
    "Date",
    "Description",
    "Flavour",
    "Illustration_48x48@1",
    "Language",
    "LongDescription",
    "License",
    "Name",
    "Nonesuch",
    "Publisher",
    "Relation",
    "Scraper",
    "Source",
    "Tags",
    "Title",
];

/// What zimdump lists: namespace and path in old files, paths in new ones.
fn paths(zim: &Path) -> BTreeSet<String> {
    let out = Command::new("zimdump").arg("list").arg(zim).output();
    let out = out.expect("zimdump is not installed: `make test` installs it, or apt-get install zim-tools");
    assert!(out.status.success(), "zimdump list {}: {}", zim.display(), String::from_utf8_lossy(&out.stderr));
    let paths: BTreeSet<_> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
    assert!(!paths.is_empty(), "zimdump lists nothing in {}", zim.display());
    paths
}

/// Where a redirect leads within its book: each has its own paths before it.
fn target(location: &str, book: &str) -> String {
    let path =
        location.split_once("//").map_or(location, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let path = ["/content", "/raw"].iter().find_map(|before| path.strip_prefix(before)).unwrap_or(path);
    let path = path.strip_prefix(&format!("/{book}")).unwrap_or(path);
    let path = path.strip_prefix("/content/").map_or(path.to_owned(), |rest| format!("/{rest}"));
    percent_decoded(&path)
}

/// Ours says which characters a text has if the file does not.
fn is_same_kind(ours: &str, theirs: &str) -> bool {
    let plain = |kind: &str| kind.split(';').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>();
    let (mut ours, mut theirs) = (plain(ours), plain(theirs));
    if ours.len() != theirs.len() {
        ours.retain(|part| part != "charset=utf-8");
        theirs.retain(|part| part != "charset=utf-8");
    }
    ours == theirs
}

/// kiwix-serve puts a link in pages for its own scripts, even when it has no toolbar.
fn without_root_link(body: &[u8]) -> Vec<u8> {
    let link = b"<link type=\"root\" href=\"\">";
    match body.windows(link.len()).position(|window| window == link) {
        Some(at) => [&body[..at], &body[at + link.len()..]].concat(),
        None => body.to_vec(),
    }
}

fn first_difference(ours: &[u8], theirs: &[u8]) -> String {
    let at = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let some = |bytes: &[u8]| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(20).min(bytes.len())..(at + 40).min(bytes.len())])
            .into_owned()
    };
    format!("{} and {} bytes, from {at} on: {:?}, {:?}", ours.len(), theirs.len(), some(ours), some(theirs))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
