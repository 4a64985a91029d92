//! `peerflix wiki` on a torrent, or on a file.

use std::path::Path;

use crate::run::{Peerflix, Running};
use crate::seeds::{Seeds, Torrent};

/// A site that runs.
pub struct Served {
    pub running: Running,
    /// Without a slash at the end.
    pub url: String,
    _swarm: (Torrent, Seeds),
}

impl Served {
    /// The file comes through a swarm of two seeds.
    pub fn through_a_swarm(zim: &Path, flags: &[&str]) -> Served {
        let name = zim.file_name().expect("a file").to_string_lossy().into_owned();
        let torrent = Torrent::of_file(&name, &std::fs::read(zim).expect("it is there"));
        let seeds = Seeds::of(&torrent, 2);
        let all: Vec<_> =
            seeds.flags().into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).collect();
        let (running, url) = start(torrent.typed(), &all);
        Served { running, url, _swarm: (torrent, seeds) }
    }

    /// Ctrl-C: it must end well.
    #[track_caller]
    pub fn ends_well(self) {
        self.running.interrupt();
        let said = self.running.ended();
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

fn start(typed: &str, flags: &[String]) -> (Running, String) {
    let line = ["wiki", typed, "--quiet", "--port=0"].map(str::to_owned);
    let mut running = Peerflix::new(line.into_iter().chain(flags.iter().cloned())).start();
    let url = running.line();
    assert!(url.starts_with("http://"), "the first line is where it is: {url}");
    (running, url.trim_end_matches('/').to_owned())
}
