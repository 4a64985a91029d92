//! What is played and fetched after what, and who is told when a file is there.

use std::collections::HashSet;

use super::serving::{playlist_of, url_of};
use super::{Session, path_on_disk};
use crate::app::hooks::{self, Facts};
use crate::events::{self, Event};
use crate::read::Files;
use crate::tui::Stage;

/// The most of a subtitle file that is fetched before anybody asks for it.
const MOST_OF_SUBTITLES: u64 = 4 * 1024 * 1024;

impl Session {
    pub(super) fn note_chosen(&mut self, files: &Files) {
        if let Some(file) = files.files.get(files.chosen) {
            tracing::info!("{} ({} bytes) is chosen of {} files", file.path, file.length, files.files.len());
            self.stage = Stage::Streaming { name: file.name().to_owned(), length: file.length };
        }
    }

    /// Another file is meant from now on: served at `/`, and fetched first.
    pub(in crate::app) fn choose(&mut self, index: usize) {
        self.lineup.choose(index);
        self.observer.turn_to(index);
        let Some(files) = self.lineup.known() else { return };
        self.note_chosen(&files);
        if let Some((torrent, _)) = self.lineup.place(index) {
            self.fetch(torrent, Some(index));
        }
    }

    /// Has a torrent fetch its queue though nobody reads, from a file on.
    pub(super) fn fetch(&mut self, torrent: usize, from: Option<usize>) {
        let (Some(files), Some(Some(opened))) = (self.lineup.known(), self.torrents.get(torrent)) else {
            return;
        };
        if !self.fetches {
            return;
        }
        let inside = |&index: &usize| {
            self.lineup.place(index).filter(|&(of, _)| of == torrent).map(|(_, inside)| inside)
        };
        let start = from.and_then(|from| files.queue.iter().position(|&queued| queued == from)).unwrap_or(0);
        let rest = files.queue.iter().skip(start).chain(files.queue.iter().take(start));
        let mut order: Vec<usize> = from.iter().filter_map(inside).chain(rest.filter_map(inside)).collect();
        let mut seen = HashSet::new();
        order.retain(|&index| seen.insert(index));
        opened.fetch(&order);
    }

    /// Has the film's beginning and its subtitles fetched before a player asks for them: it needs a moment to start.
    pub(in crate::app) fn warm_up(&self, index: usize, subtitles: &[usize]) {
        for (index, most) in
            std::iter::once((index, 1)).chain(subtitles.iter().map(|&index| (index, MOST_OF_SUBTITLES)))
        {
            let Some(file) = self.lineup.open_unseen(index) else { continue };
            tokio::spawn(async move {
                let mut offset = 0;
                while offset < most.min(file.length()) {
                    // Whoever reads for real is told what is wrong.
                    match file.read_at(offset, usize::try_from(most).unwrap_or(usize::MAX)).await {
                        Ok(bytes) if !bytes.is_empty() => offset += bytes.len() as u64,
                        _ => break,
                    }
                }
            });
        }
    }

    /// The server is there and the files are known.
    pub(in crate::app) fn on_listening(&mut self, files: &Files) {
        if let Some(command) = self.hooks.on_listening.clone() {
            let facts = self.facts("listening", files, files.chosen);
            self.run_hook("--on-listening", command, facts);
        }
    }

    fn run_hook(&self, flag: &'static str, command: String, facts: Facts) {
        let (complaints, is_live) = (self.complaints.0.clone(), self.is_live());
        tokio::spawn(async move {
            if let Err(complaint) = hooks::run(flag, command, facts, is_live).await {
                let _ = complaints.send(complaint);
            }
        });
    }

    fn facts(&self, event: &'static str, files: &Files, index: usize) -> Facts {
        let file = files.files.get(index);
        let torrent = self.torrent_of(index);
        let url = self.url.as_deref();
        Facts {
            event,
            info_hash: torrent.map(|torrent| torrent.info_hash().to_string()).unwrap_or_default(),
            name: files.name.clone(),
            index,
            file: file.map(|file| file.path.clone()).unwrap_or_default(),
            length: file.map_or(0, |file| file.length),
            path: torrent
                .zip(file)
                .map(|(torrent, file)| path_on_disk(torrent, &file.path))
                .unwrap_or_default(),
            url: url.zip(file).map(|(url, file)| url_of(url, index, file.name())).unwrap_or_default(),
            playlist: url.map(playlist_of).unwrap_or_default(),
        }
    }

    /// Tells of a torrent's files, unless that has been done; without numbers of other torrents before them.
    pub(in crate::app) fn tell_files_of(&mut self, torrent: usize, files: &Files) {
        if self.told.insert(torrent) {
            self.teller.tell(&files_event(torrent, 0, files, self.url_of_files()));
        }
    }

    pub(super) fn tell_files(&mut self) {
        for torrent in 0..self.torrents.len() {
            if self.told.contains(&torrent) {
                continue;
            }
            let Some((first, known)) = self.lineup.files_of(torrent) else { continue };
            self.told.insert(torrent);
            self.teller.tell(&files_event(torrent, first, &known, self.url_of_files()));
        }
    }

    /// Files of the queue that have become whole are told of, and the next torrent's turn comes.
    pub(super) fn note_finished(&mut self) {
        let Some(files) = self.lineup.known() else { return };
        let (mut turn, mut whole) = (None, Vec::new());
        for &index in files.queue.iter().filter(|&index| !self.finished.contains(index)) {
            let Some((torrent, inside)) = self.lineup.place(index) else { continue };
            let Some(Some(opened)) = self.torrents.get(torrent) else { continue };
            match opened.is_whole(inside) {
                true => whole.push(index),
                false => {
                    turn.get_or_insert(torrent);
                }
            }
        }
        for index in whole {
            self.finished.insert(index);
            let path = files.files.get(index).map(|file| file.path.clone()).unwrap_or_default();
            self.teller.tell(&Event::Finished { index, path });
            if let Some(command) = self.hooks.on_downloaded.clone() {
                let facts = self.facts("downloaded", &files, index);
                self.run_hook("--on-downloaded", command, facts);
            }
        }
        if let Some(turn) = turn.filter(|&turn| turn > self.fetching) {
            self.fetching = turn;
            self.fetch(turn, None);
        }
    }
}

/// The files of a torrent as an event; the first of them has this number.
pub(in crate::app) fn files_event(torrent: usize, first: usize, known: &Files, url: Option<&str>) -> Event {
    let file = |(inside, file): (usize, &crate::read::File)| events::File {
        index: first + inside,
        path: file.path.clone(),
        length: file.length,
        url: url.map(|url| url_of(url, first + inside, file.name())),
    };
    Event::Metadata {
        torrent,
        info_hash: known.info_hash.clone(),
        name: known.name.clone(),
        files: known.files.iter().enumerate().map(file).collect(),
        queue: known.queue.iter().map(|&inside| first + inside).collect(),
    }
}
