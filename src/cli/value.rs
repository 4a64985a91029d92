//! What may follow a flag. Each error goes on from "--flag cannot be VALUE: ", and says what may stand there.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

/// Peers connected at a time, at most: beyond it a computer runs out of sockets before the swarm runs out of peers.
const MOST_CONNECTIONS: u16 = 2000;
/// Beyond it nobody sends enough to be worth anybody's while.
const MOST_UPLOADS: usize = 1000;
/// A doctor who takes longer has gone home.
const MOST_SECONDS: u64 = 600;

/// The one file that `--output` knows.
pub(super) fn dash(text: &str) -> Result<String, String> {
    match text {
        "-" => Ok(text.to_owned()),
        _ => {
            Err("only - is known, which is standard output; --path DIR keeps the film in a folder".to_owned())
        }
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a port is a number from 0 to 65535, and 0 means any that is free".to_owned())
}

/// `3`, or `3-7` with both ends.
pub(super) fn indices(text: &str) -> Result<RangeInclusive<usize>, String> {
    let wrong = || "the files have numbers (peerflix list TORRENT shows them): 3, 3-7, or 1,4-6".to_owned();
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
    let Some((first, last)) = text.split_once('-') else {
        return number(text).map(|index| index..=index);
    };
    let range = number(first)?..=number(last)?;
    match range.is_empty() {
        true => Err("it ends before it begins".to_owned()),
        false => Ok(range),
    }
}

pub(super) fn language(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("name languages by their code or their name: en,de or english,german".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// An announce URL of a kind that can be asked.
pub(super) fn tracker(text: &str) -> Result<String, String> {
    const LIKE: &str = "a tracker is a URL like udp://tracker.example:6969/announce or https://…/announce";
    match url::Url::parse(text) {
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Err(LIKE.to_owned()),
        Ok(url) => match url.scheme() {
            "http" | "https" | "udp" => Ok(text.to_owned()),
            "ws" | "wss" => {
                Err("trackers of browsers (WebTorrent) are not supported: use http, https or udp".into())
            }
            _ => Err(LIKE.to_owned()),
        },
        Err(_) => Err(LIKE.to_owned()),
    }
}

pub(super) fn peer(text: &str) -> Result<SocketAddr, String> {
    text.trim()
        .parse()
        .map_err(|_| "a peer is an address and a port: 192.0.2.7:6881, or [2001:db8::7]:6881".to_owned())
}

/// A host and a port, not looked up yet.
pub(super) fn node(text: &str) -> Result<String, String> {
    let parts = text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    match parts {
        Some((host, Ok(1..))) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("a node is a host and a port: router.example:6881".to_owned()),
    }
}

pub(super) fn connections(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(number @ 1..=MOST_CONNECTIONS) => Ok(number),
        _ => Err(format!("it is a number of peers from 1 to {MOST_CONNECTIONS}")),
    }
}

/// `false` is an older way to say 0.
pub(super) fn uploads(text: &str) -> Result<usize, String> {
    match (text, text.parse()) {
        ("false", _) => Ok(0),
        (_, Ok(number @ 0..=MOST_UPLOADS)) => Ok(number),
        _ => Err(format!("it is a number of peers from 0 (nobody) to {MOST_UPLOADS}")),
    }
}

pub(super) fn timeout(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(milliseconds @ 1..=86_400_000) => Ok(milliseconds),
        _ => Err("it is a time in milliseconds, such as 30000, and a day at most".to_owned()),
    }
}

pub(super) fn seconds(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds @ 1..=MOST_SECONDS) => Ok(seconds),
        _ => Err(format!("it is a number of seconds from 1 to {MOST_SECONDS}")),
    }
}

/// Seconds of waiting; 0 is for ever.
pub(super) fn patience(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(seconds @ 0..=86_400) => Ok(seconds),
        _ => Err("it is a number of seconds, such as 60, a day at most, or 0 to wait for ever".to_owned()),
    }
}

/// The name of a program, as the system knows it; with `-` or `+` before it, if that is to be said.
pub(super) fn program(text: &str) -> Result<String, String> {
    let name = text.trim().trim_start_matches(['-', '+']);
    if ["false", "off"].contains(&name) {
        return Err("--no-guard is what lets every program have what it reads".to_owned());
    }
    match name.is_empty() || name.contains('/') {
        true => {
            Err("it is the name of a program, without its folder, such as tumblerd, or baloo* for several; \
                     -NAME takes one off the list"
                .to_owned())
        }
        false => Ok(text.trim().to_owned()),
    }
}

/// A title, a path, or a pattern: what is no pattern is a name.
pub(super) fn pin(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is a title, a path, or a pattern: Paris, or 'List of *'".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// `30`, `30d`, or `4w`.
pub(super) fn days(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().find(|(_, character)| !character.is_ascii_digit()) {
        Some((at, _)) => (&text[..at], text[at..].trim()),
        None => (text, "d"),
    };
    let factor = match unit {
        "d" | "day" | "days" => Some(1),
        "w" | "week" | "weeks" => Some(7),
        _ => None,
    };
    let days = factor.and_then(|factor: u64| number.parse::<u64>().ok()?.checked_mul(factor));
    days.ok_or_else(|| "it is a number of days, such as 30, or of weeks: 4w".to_owned())
}
