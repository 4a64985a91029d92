//! The layers of docs/architecture.md, held to: who may import whom, and what the pure part may not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of `src` and those that it may import; in the order of the layers, so that nothing imports what stands
/// below it.
const TABLE: &[(&str, &[&str])] = &[
    // Pure.
    ("units", &[]),
    ("random", &[]),
    ("layout", &[]),
    ("bitfield", &["layout"]),
    ("scheduler", &["bitfield", "layout", "random", "units"]),
    ("choker", &["random", "scheduler", "units"]),
    // What every shell may use.
    ("lock", &[]),
    // Shells.
    ("net", &["lock", "units"]),
    ("read", &["lock", "units"]),
    ("source", &["layout", "lock", "net", "units"]),
    ("store", &["bitfield", "layout", "lock", "source", "units"]),
    ("swarm", &["bitfield", "layout", "lock", "net", "scheduler", "source", "units"]),
    (
        "torrent",
        &[
            "bitfield",
            "choker",
            "layout",
            "lock",
            "net",
            "read",
            "scheduler",
            "source",
            "store",
            "swarm",
            "units",
        ],
    ),
    // Faces: bytes of a file, and nothing of pieces or peers.
    ("events", &["lock", "read", "units"]),
    ("media", &["lock", "read", "units"]),
    ("playback", &["lock", "read", "units"]),
    ("forecast", &["lock", "read", "units"]),
    ("subtitles", &["lock", "read", "units"]),
    ("http", &["lock", "read", "units"]),
    ("player", &["lock", "read", "units"]),
    ("tui", &["lock", "playback", "read", "units"]),
    ("mount", &["http", "lock", "read", "units"]),
    ("wiki", &["http", "lock", "read", "units"]),
    // Seeds on this computer, to have something to watch.
    ("demo", &["lock", "net", "units"]),
    // What puts the parts together.
    ("cli", &["units"]),
    ("config", &["cli"]),
    (
        "app",
        &[
            "cli",
            "config",
            "demo",
            "events",
            "forecast",
            "http",
            "lock",
            "media",
            "mount",
            "net",
            "playback",
            "player",
            "read",
            "source",
            "subtitles",
            "swarm",
            "torrent",
            "tui",
            "units",
            "wiki",
        ],
    ),
];

/// No socket, no disk, no clock, no runtime, no chance of its own.
const PURE: &[&str] = &["units", "random", "layout", "bitfield", "scheduler", "choker"];

/// A word that ends a name in the pure part, and why.
const NOT_PURE: &[(&str, &str)] = &[
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("async", "a runtime"),
    ("await", "a runtime"),
    ("tokio", "a runtime"),
    ("futures_util", "a runtime"),
    ("net", "a socket"),
    ("socket2", "a socket"),
    ("fs", "a file"),
    ("File", "a file"),
    ("io", "a file or a socket"),
    ("env", "the surroundings"),
    ("process", "the surroundings"),
    ("thread", "a thread"),
    ("sync", "a thread"),
    ("Mutex", "a thread"),
    ("Arc", "a thread"),
    ("rand", "chance"),
    ("HashMap", "an order that differs from run to run"),
    ("HashSet", "an order that differs from run to run"),
    ("exp", "a result that differs from machine to machine"),
    ("exp2", "a result that differs from machine to machine"),
    ("ln", "a result that differs from machine to machine"),
    ("log2", "a result that differs from machine to machine"),
    ("log10", "a result that differs from machine to machine"),
    ("powf", "a result that differs from machine to machine"),
    ("println", "a terminal"),
    ("eprintln", "a terminal"),
    ("tracing", "a log"),
];

/// The modules that say of an error what it means for the user, and the demo, which is a command; all others have enums of
/// their own.
const MAY_USE_ANYHOW: &[&str] = &["app", "demo", "main"];

/// A file of `src`: its top-level module, where it is, and its code without comments, texts and tests.
struct Source {
    module: String,
    path: PathBuf,
    words: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                // What only tests know is no matter of layers, in a file of their own as little as at the end of another.
                && path.file_name().is_some_and(|name| name != "tests.rs")
            {
                let inside = path.strip_prefix(&root).expect("it was found there");
                let top = inside.components().next().expect("a file has a name").as_os_str();
                let module = top.to_string_lossy().trim_end_matches(".rs").to_string();
                let text = fs::read_to_string(&path).expect("src can be read");
                found.push(Source { module, words: words(&text), path });
            }
        }
    }
    found
}

/// Names and signs, up to the file's own tests; no comments, no texts.
fn words(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut words: Vec<String> = Vec::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or(line);
        // Every second part between quotation marks is a text.
        for (part, code) in code.split('"').enumerate() {
            if part % 2 == 1 {
                continue;
            }
            let mut word = String::new();
            for character in code.chars().chain([' ']) {
                if character.is_alphanumeric() || character == '_' {
                    word.push(character);
                    continue;
                }
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if !character.is_whitespace() {
                    words.push(character.to_string());
                }
            }
        }
    }
    words
}

/// The top-level modules named after `crate::`, one by one or in braces.
fn imports(words: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let is_path = word == "crate" && words.get(at + 1..at + 3).is_some_and(|next| next == [":", ":"]);
        let Some(first) = words.get(at + 3).filter(|_| is_path) else { continue };
        if first != "{" {
            found.insert(first.clone());
            continue;
        }
        let (mut depth, mut is_next) = (0, true);
        for word in &words[at + 3..] {
            match word.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => is_next = true,
                name if depth == 1 && std::mem::take(&mut is_next) => {
                    found.insert(name.to_string());
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn a_module_imports_only_what_stands_above_it() {
    let table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        if ["main", "lib"].contains(&source.module.as_str()) {
            continue;
        }
        let Some(allowed) = table.get(source.module.as_str()) else {
            wrong.push(format!("{} has no place in the table", source.path.display()));
            continue;
        };
        for import in imports(&source.words) {
            let is_module = table.contains_key(import.as_str()) && import != source.module;
            if is_module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table of tests/layers.rs:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_an_order_and_names_what_there_is() {
    let there: BTreeSet<String> = sources().into_iter().map(|source| source.module).collect();
    let mut above = BTreeSet::new();
    for (module, allowed) in TABLE {
        assert!(there.contains(*module), "{module} is in the table, and not in src");
        for import in *allowed {
            assert!(above.contains(import), "{module} may import {import}, which stands below it");
        }
        above.insert(*module);
    }
}

#[test]
fn the_pure_part_knows_no_clock_no_socket_no_file_and_no_chance() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module.as_str())) {
        for (word, what) in NOT_PURE {
            if source.words.iter().any(|other| other == word) {
                wrong.push(format!("{}: `{word}` is {what}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "the pure part is to be told such things:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_program_knows_anyhow() {
    let sources = sources();
    let wrong: Vec<_> = sources
        .iter()
        .filter(|source| !MAY_USE_ANYHOW.contains(&source.module.as_str()))
        .filter(|source| source.words.iter().any(|word| word == "anyhow"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "a module says what went wrong with an enum of its own:\n{}", wrong.join("\n"));
}

#[test]
fn an_import_is_found_in_every_form() {
    let found = |code: &str| imports(&words(code)).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::net::Network; // crate::http"), ["net"]);
    assert_eq!(found("use crate::{store::{self, Store}, swarm};"), ["store", "swarm"]);
    assert_eq!(found("let url = crate::http::url(\"crate::tui\");"), ["http"]);
    assert_eq!(found("pub(crate) fn crate_name() {}\n#[cfg(test)]\nmod tests { use crate::app; }"), [""; 0]);
}
