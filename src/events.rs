//! What happens, as one JSON object a line: for scripts and graphical shells. docs/events.md is the schema.
//! A face: it writes what it is told, and decides nothing.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

/// Of the schema. A field may be added within a version; one that is renamed, removed or means something else makes a new one.
pub const VERSION: u32 = 1;

/// One thing that happened. Bytes are bytes, rates bytes a second, times seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The server answers at this URL; requests that come before the files are known wait.
    Listening { url: String, playlist: String, port: u16 },
    /// What was typed is understood. `has_metadata`: the files need not be asked of peers.
    Resolved { torrent: usize, info_hash: String, has_metadata: bool },
    /// The files are known. `queue` has the numbers of those that are to be played, in order.
    Metadata { torrent: usize, info_hash: String, name: String, files: Vec<File>, queue: Vec<usize> },
    /// The first byte of a file is here.
    FirstByte { index: usize, after: f64 },
    /// Once a second while anything changes.
    Progress(Progress),
    /// The numbers of peers have changed.
    Peers { connected: usize, unchoking: usize, known: usize },
    /// The player stands still for want of bytes.
    Stall { index: usize, why: Option<String> },
    /// It goes on.
    StallEnded { index: usize, after: f64 },
    /// Why nothing comes; whenever the sentence changes.
    Waiting { why: String },
    /// Whether the film will play through.
    Forecast {
        index: usize,
        safe: bool,
        needs: Option<u64>,
        has: u64,
        starts_in: Option<f64>,
        start_after: Option<f64>,
        text: String,
    },
    /// Nothing is asked for and nothing sent, or it goes on.
    Paused { paused: bool },
    /// A player was started; it has ended (`error` says how, if not well).
    Player { name: String, started: bool, error: Option<String> },
    /// The torrents are shown as a folder: mounted at this path, served over WebDAV at this URL, or both.
    Mounted { at: Option<String>, url: Option<String> },
    /// The folder is gone again. `by_others`: not by this peerflix, so that it ends.
    Unmounted { at: Option<String>, by_others: bool },
    /// ZIM files are served as a web site at this URL; again whenever one more is.
    Site { url: String, books: Vec<Book> },
    /// Once a second while anything changes: of all books, and what their readers wait for.
    Visit(Visit),
    /// Articles of a book are kept: all that the pattern means. Of these, some could not be (`failed`).
    Pinned { book: String, pattern: String, articles: u64, failed: u64 },
    /// A file is whole.
    Finished { index: usize, path: String },
    /// What a person would be told.
    Message { text: String },
    /// It ends with this exit code for this reason. The last but one.
    Error { code: u8, message: String },
    /// The last line.
    End { code: u8 },
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct File {
    pub index: usize,
    pub path: String,
    pub length: u64,
    /// `None` where nothing is served (`list`, `--stdout`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A ZIM file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Book {
    /// As its URLs have it.
    pub name: String,
    /// The torrent that it is in; `None`: it is a file on this computer.
    pub torrent: Option<usize>,
    /// Its path in the torrent, or on this computer.
    pub path: String,
    pub length: u64,
    /// Its main page.
    pub url: String,
}

/// What the readers of a site have had, and wait for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Visit {
    /// Of all books.
    pub length: u64,
    pub had: u64,
    /// In this run.
    pub downloaded: u64,
    pub uploaded: u64,
    pub download_rate: u64,
    pub upload_rate: u64,
    /// Reads that wait, and the bytes that they want.
    pub reads: usize,
    pub bytes: u64,
}

/// The numbers as they are now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    pub index: usize,
    /// Of this file.
    pub length: u64,
    pub had: u64,
    /// Without a gap from the player's head on.
    pub buffered: u64,
    /// The same as time, and where the player is; where the film's duration is known.
    pub buffered_seconds: Option<f64>,
    pub position: Option<f64>,
    pub duration: Option<f64>,
    pub stalls: u32,
    pub downloaded: u64,
    pub uploaded: u64,
    pub download_rate: u64,
    pub upload_rate: u64,
    pub hot_swaps: u64,
    pub wasted: u64,
    pub failed_pieces: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    /// Seconds since the program began.
    t: f64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes an event as one line, and has it written through at once.
pub fn write(to: &mut dyn Write, since_start: Duration, event: &Event) -> io::Result<()> {
    let line = Line { v: VERSION, t: seconds(since_start), event };
    serde_json::to_writer(&mut *to, &line)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// To the millisecond: more would only look exact.
pub fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &Event) -> String {
        let mut to = Vec::new();
        write(&mut to, Duration::from_micros(1_234_567), event).expect("writes to memory");
        String::from_utf8(to).expect("JSON is text")
    }

    #[test]
    fn an_event_is_one_line_with_version_and_time_whatever_the_names() {
        let event = Event::Finished { index: 2, path: "a\n\"b\"\u{1b}[2J".into() };
        assert_eq!(
            line(&event),
            "{\"v\":1,\"t\":1.234,\"event\":\"finished\",\"index\":2,\"path\":\"a\\n\\\"b\\\"\\u001b[2J\"}\n"
        );
    }

    #[test]
    fn numbers_lie_flat_in_their_event() {
        let said = line(&Event::Progress(Progress { index: 1, had: 5, ..Progress::default() }));
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(
            (&said["event"], &said["had"], &said["position"]),
            (&"progress".into(), &5.into(), &serde_json::Value::Null)
        );
    }
}
