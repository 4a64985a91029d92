//! What a mount has, and what is read of it, as data: the control file in the mount's folder, and `peerflix mount --status`,
//! which reads that. docs/mount.md has the schema.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::shelf::Shelf;
use super::tree::{Kind, Node, Tree};

/// Of the schema. A field may be added within a version; one that is renamed, removed or means something else makes a new one.
pub const VERSION: u32 = 1;

/// Of all that is mounted at one place. Bytes are bytes, rates bytes a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub v: u32,
    pub torrents: Vec<TorrentStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TorrentStatus {
    /// As its entry in the mount is called.
    pub name: String,
    /// `None` until its files are known.
    pub info_hash: Option<String>,
    pub state: State,
    /// What the note in its folder says, while that is there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Connected.
    pub peers: usize,
    /// What comes from them.
    pub rate: u64,
    pub length: u64,
    pub had: u64,
    /// In the order in which the mount shows them.
    pub files: Vec<FileStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileStatus {
    /// From the mount's own folder on.
    pub path: String,
    pub length: u64,
    pub had: u64,
    /// Of the file, that is there, to a tenth; 100 only if all of it is.
    pub percent: f64,
    pub state: State,
    /// Places at which it is being read, and how many of them stand still for want of bytes.
    pub readers: usize,
    pub waiting: usize,
    /// What comes of it.
    #[serde(default)]
    pub rate: u64,
}

/// How much of something is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The list of files has not come.
    #[default]
    Waiting,
    Empty,
    Partial,
    Complete,
}

impl State {
    /// Of something whose length is known.
    pub fn of(had: u64, length: u64) -> State {
        match had {
            had if had >= length => State::Complete,
            0 => State::Empty,
            _ => State::Partial,
        }
    }

    /// As it is written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Empty => "empty",
            State::Partial => "partial",
            State::Complete => "complete",
        }
    }
}

/// To a tenth, rounded down: what is not all there is never told as 100.
pub fn percent(had: u64, length: u64) -> f64 {
    if had >= length {
        return 100.0;
    }
    let tenths = u128::from(had) * 1000 / u128::from(length);
    // At most 999.
    tenths as f64 / 10.0
}

impl Status {
    /// As it is now.
    pub fn of(shelf: &Shelf) -> Status {
        let tree = shelf.tree();
        let mut files = files(&tree);
        let torrents = (0..shelf.torrents()).map(|torrent| {
            let files = files.remove(&torrent).unwrap_or_default();
            torrent_status(shelf, &tree, torrent, files)
        });
        Status { v: VERSION, torrents: torrents.collect() }
    }
}

/// What the control file says: one JSON object, and an end of line.
pub fn json(shelf: &Shelf) -> String {
    // Numbers, words and lists of them can always be written as JSON.
    serde_json::to_string(&Status::of(shelf)).map(|json| json + "\n").unwrap_or_default()
}

fn torrent_status(
    shelf: &Shelf,
    tree: &Tree,
    torrent: usize,
    nodes: Vec<(String, usize, u64)>,
) -> TorrentStatus {
    let contents = shelf.contents(torrent);
    let statistics = contents.as_ref().map(|contents| contents.statistics()).unwrap_or_default();
    let known = shelf.files(torrent);
    let files = nodes.into_iter().map(|(path, index, length)| {
        let report = contents.as_ref().and_then(|contents| contents.file_report(index, 0));
        let readers = report.as_ref().map(|report| report.readers.as_slice()).unwrap_or_default();
        let had = match &report {
            Some(report) => report.had,
            None => contents.as_ref().and_then(|contents| contents.had(index)).unwrap_or_default(),
        };
        FileStatus {
            path,
            length,
            had,
            percent: percent(had, length),
            state: State::of(had, length),
            readers: readers.len(),
            waiting: readers.iter().filter(|reader| reader.waiting).count(),
            rate: shelf.rate_of(torrent, index),
        }
    });
    let files: Vec<FileStatus> = files.collect();
    let length = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.length));
    let had = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.had));
    TorrentStatus {
        name: shown_name(tree, torrent),
        info_hash: known.as_ref().map(|files| files.info_hash.clone()),
        state: if known.is_some() { State::of(had, length) } else { State::Waiting },
        note: known.is_none().then(|| shelf.note_of(torrent).trim_end().to_owned()),
        peers: statistics.peers,
        rate: statistics.download_rate,
        length,
        had,
        files,
    }
}

/// The name of the torrent's entry in the mount's own folder.
fn shown_name(tree: &Tree, torrent: usize) -> String {
    let is_its = |node: &&Node| match &node.kind {
        Kind::Folder { torrent: whose, .. } => *whose == Some(torrent),
        Kind::File { torrent: whose, .. } | Kind::Waiting { torrent: whose } => *whose == torrent,
    };
    tree.children(super::tree::ROOT).find(is_its).map(|node| node.name.clone()).unwrap_or_default()
}

/// Each torrent's files: path in the mount, index, length.
fn files(tree: &Tree) -> HashMap<usize, Vec<(String, usize, u64)>> {
    let mut files: HashMap<usize, Vec<(String, usize, u64)>> = HashMap::new();
    let mut open = vec![(super::tree::ROOT, String::new())];
    while let Some((folder, path)) = open.pop() {
        let at = open.len();
        for node in tree.children(folder) {
            let path = if path.is_empty() { node.name.clone() } else { format!("{path}/{}", node.name) };
            match node.kind {
                Kind::File { torrent, index, length } => {
                    files.entry(torrent).or_default().push((path, index, length));
                }
                Kind::Folder { .. } => open.push((node.inode, path)),
                Kind::Waiting { .. } => {}
            }
        }
        // The first of them is taken next.
        if let Some(new) = open.get_mut(at..) {
            new.reverse();
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mount::tree::Shown;
    use crate::read::{File, Files};

    fn shown(name: &str, files: Option<&[(&str, u64)]>) -> Shown {
        let files = files.map(|files| {
            let file = |&(path, length): &(&str, u64)| File { path: path.to_owned(), length };
            Arc::new(Files::new("ab".repeat(20), name, files.iter().map(file).collect(), Vec::new()))
        });
        Shown { name: name.to_owned(), is_folder: files.is_none(), files }
    }

    #[test]
    fn a_magnet_waits_and_says_why_and_then_has_its_files() {
        let shelf = Shelf::new(vec![shown("Show", None), shown("film.mkv", Some(&[("film.mkv", 8)]))]);
        shelf.note(0, "Nobody is there.".to_owned());
        let status = Status::of(&shelf);
        let told: Vec<_> = status
            .torrents
            .iter()
            .map(|torrent| (torrent.name.as_str(), torrent.state, torrent.note.as_deref()))
            .collect();
        assert_eq!(
            told,
            [("Show", State::Waiting, Some("Nobody is there.")), ("film.mkv", State::Empty, None)]
        );

        let files = shown("Show", Some(&[("Show/b/1", 5), ("Show/a", 0)])).files.expect("has files");
        shelf.know(0, files);
        let status = Status::of(&shelf);
        let files: Vec<_> =
            status.torrents[0].files.iter().map(|file| (file.path.as_str(), file.state)).collect();
        assert_eq!(files, [("Show/a", State::Complete), ("Show/b/1", State::Empty)]);
        assert_eq!((status.torrents[0].length, status.torrents[0].note.as_deref()), (5, None));
    }

    #[test]
    fn it_is_one_line_of_json_that_can_be_read_back() {
        let shelf = Shelf::new(vec![shown("a\n\"b\"", Some(&[("a\n\"b\"", 8)]))]);
        let json = json(&shelf);
        assert_eq!(json.matches('\n').count(), 1, "{json}");
        let read: Status = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read, Status::of(&shelf));
    }

    #[test]
    fn only_all_of_it_is_a_hundred_per_cent() {
        assert_eq!((percent(0, 0), percent(8, 8), percent(0, 8)), (100.0, 100.0, 0.0));
        assert_eq!((percent(9_999, 10_000), percent(u64::MAX - 1, u64::MAX)), (99.9, 99.9));
    }
}
