//! `/.m3u` and `/.json`: what a torrent has, for players and for programs. Pure.
//!
//! The forms are those of peerflix in JavaScript, so that what was written for it goes on working.

use serde::Serialize;

use super::route::path_of;
use crate::read::{Files, Statistics};

/// An extended M3U playlist with URLs at `authority` (`host:port`): the queue, where several files are to be played; else all
/// files, in the torrent's order, as it has always been.
pub fn m3u(files: &Files, authority: &str) -> String {
    let mut list = String::from("#EXTM3U\n");
    let all: Vec<usize> = (0..files.files.len()).collect();
    let listed = if files.queue.len() > 1 { &files.queue } else { &all };
    for (index, file) in listed.iter().filter_map(|&index| Some((index, files.files.get(index)?))) {
        // One line an entry, whatever is in a name.
        let title = file.path.replace(|c: char| c.is_control(), " ");
        list.push_str(&format!("#EXTINF:-1,{title}\nhttp://{authority}{}\n", path_of(index, file.name())));
    }
    list
}

/// The files and the numbers: lengths in bytes, speeds in bytes a second, `activePeers` those that do not choke us.
pub fn json(files: &Files, statistics: &Statistics, authority: &str) -> String {
    let listed = files.files.iter().enumerate().map(|(index, file)| ListedFile {
        name: file.name(),
        url: format!("http://{authority}{}", path_of(index, file.name())),
        length: file.length,
    });
    let summary = Summary {
        total_length: files.files.iter().fold(0, |total, file| total.saturating_add(file.length)),
        downloaded: statistics.downloaded,
        uploaded: statistics.uploaded,
        download_speed: statistics.download_rate,
        upload_speed: statistics.upload_rate,
        total_peers: statistics.peers,
        active_peers: statistics.unchoking,
        files: listed.collect(),
    };
    // A struct of numbers and strings has no way to fail; an empty object would still be JSON.
    serde_json::to_string_pretty(&summary).unwrap_or_else(|_| "{}".to_owned())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    total_length: u64,
    downloaded: u64,
    uploaded: u64,
    download_speed: u64,
    upload_speed: u64,
    total_peers: usize,
    active_peers: usize,
    files: Vec<ListedFile<'a>>,
}

#[derive(Serialize)]
struct ListedFile<'a> {
    name: &'a str,
    url: String,
    length: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::File;

    fn files() -> Files {
        let file = |path: &str, length| File { path: path.to_owned(), length };
        let files = vec![file("Show/One é.mkv", 1000), file("Show/Subs/a\nb.srt", 10)];
        Files::new("0".repeat(40), "Show", files, vec![0])
    }

    #[test]
    fn a_playlist_has_a_title_and_a_url_for_each_file() {
        let expected = "#EXTM3U\n\
            #EXTINF:-1,Show/One é.mkv\nhttp://localhost:8888/0/One%20%C3%A9.mkv\n\
            #EXTINF:-1,Show/Subs/a b.srt\nhttp://localhost:8888/1/a%0Ab.srt\n";
        assert_eq!(m3u(&files(), "localhost:8888"), expected);
    }

    #[test]
    fn a_playlist_of_what_was_chosen_is_in_the_order_of_the_queue() {
        let chosen = Files { queue: vec![1, 0], ..files() };
        let list = m3u(&chosen, "h");
        assert!(list.find("/1/") < list.find("/0/"), "{list}");
        let one = Files { queue: vec![1], ..files() };
        assert_eq!(m3u(&one, "h").matches("http://").count(), 2, "{}", m3u(&one, "h"));
    }

    #[test]
    fn programs_find_the_numbers_where_they_have_always_been() {
        let statistics = Statistics {
            downloaded: 5,
            uploaded: 4,
            download_rate: 3,
            upload_rate: 2,
            peers: 7,
            unchoking: 6,
            ..Statistics::default()
        };
        let expected = r#"{
  "totalLength": 1010,
  "downloaded": 5,
  "uploaded": 4,
  "downloadSpeed": 3,
  "uploadSpeed": 2,
  "totalPeers": 7,
  "activePeers": 6,
  "files": [
    {
      "name": "One é.mkv",
      "url": "http://h/0/One%20%C3%A9.mkv",
      "length": 1000
    },
    {
      "name": "a\nb.srt",
      "url": "http://h/1/a%0Ab.srt",
      "length": 10
    }
  ]
}"#;
        assert_eq!(json(&files(), &statistics, "h"), expected);
    }
}
