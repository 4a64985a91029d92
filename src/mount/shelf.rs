//! The torrents that a mount shows, as they become known: shared by whoever shows them and whoever opens them.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::watch;

use super::rates::Rates;
use super::tree::{Shown, Tree};
use crate::lock::lock;
use crate::read::{Contents, Files};

/// Cheap to clone; all clones are one shelf.
#[derive(Clone)]
pub struct Shelf(Arc<Inner>);

struct Inner {
    slots: Mutex<Vec<Slot>>,
    /// Held while a tree is made from the one before.
    growing: Mutex<()>,
    rates: Mutex<Rates>,
    began_at: Instant,
    tree: watch::Sender<Arc<Tree>>,
}

struct Slot {
    shown: Shown,
    contents: Option<Arc<dyn Contents>>,
    note: String,
}

impl Shelf {
    /// Of these torrents, in this order, for ever; whatever is known of them already is shown at once.
    pub fn new(torrents: Vec<Shown>) -> Shelf {
        let tree = watch::Sender::new(Arc::new(Tree::new(&torrents)));
        let slot = |shown| Slot { shown, contents: None, note: "Looking for peers.".to_owned() };
        Shelf(Arc::new(Inner {
            slots: Mutex::new(torrents.into_iter().map(slot).collect()),
            growing: Mutex::default(),
            rates: Mutex::default(),
            began_at: Instant::now(),
            tree,
        }))
    }

    /// How many torrents there are.
    pub fn torrents(&self) -> usize {
        lock(&self.0.slots).len()
    }

    /// The torrent is open: what reads its files. They may not be known yet.
    pub fn open_torrent(&self, torrent: usize, contents: Arc<dyn Contents>) {
        if let Some(slot) = lock(&self.0.slots).get_mut(torrent) {
            slot.contents = Some(contents);
        }
        // For those who wait for it: they look, whatever has changed.
        self.0.tree.send_modify(|_| ());
    }

    /// Its files are known: they take the place of the note. The first call counts. Takes a second for a million files.
    pub fn know(&self, torrent: usize, files: Arc<Files>) {
        // One after the other; and nobody who looks waits for as long as that takes.
        let _growing = lock(&self.0.growing);
        let shown = lock(&self.0.slots).get(torrent).map(|slot| slot.shown.clone());
        let Some(shown) = shown.filter(|shown| shown.files.is_none()) else { return };
        let shown = Shown { files: Some(files), ..shown };
        let tree = self.tree().knowing(torrent, &shown);
        if let Some(slot) = lock(&self.0.slots).get_mut(torrent) {
            slot.shown = shown;
        }
        self.0.tree.send_replace(Arc::new(tree));
    }

    /// What the note of a torrent whose files are not known says from now on: a sentence or more.
    pub fn note(&self, torrent: usize, text: String) {
        if let Some(slot) = lock(&self.0.slots).get_mut(torrent) {
            slot.note = text;
        }
    }

    /// What the note says now, with an end of line.
    pub fn note_of(&self, torrent: usize) -> String {
        lock(&self.0.slots).get(torrent).map(|slot| format!("{}\n", slot.note)).unwrap_or_default()
    }

    /// As it is now.
    pub fn tree(&self) -> Arc<Tree> {
        self.0.tree.borrow().clone()
    }

    /// Told of each new tree.
    pub fn trees(&self) -> watch::Receiver<Arc<Tree>> {
        self.0.tree.subscribe()
    }

    pub fn contents(&self, torrent: usize) -> Option<Arc<dyn Contents>> {
        lock(&self.0.slots).get(torrent)?.contents.clone()
    }

    /// Waits until the torrent is open; for ever if there is no such torrent.
    pub async fn opened(&self, torrent: usize) -> Arc<dyn Contents> {
        let mut trees = self.trees();
        loop {
            if let Some(contents) = self.contents(torrent) {
                return contents;
            }
            // The sender is ours as well: it cannot be gone.
            if trees.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// To be called a few times a second: so it is known how fast each file comes.
    pub fn sample(&self) {
        let now = self.0.began_at.elapsed();
        if !lock(&self.0.rates).is_due(now) {
            return;
        }
        let mut had = Vec::new();
        for torrent in 0..self.torrents() {
            let (Some(files), Some(contents)) = (self.files(torrent), self.contents(torrent)) else {
                continue;
            };
            let of_file = |index| Some(((torrent, index), contents.had(index)?));
            had.extend((0..files.files.len()).filter_map(of_file));
        }
        lock(&self.0.rates).look(now, had);
    }

    /// The bytes of all files that are known.
    pub fn total(&self) -> u64 {
        let files = (0..self.torrents()).filter_map(|torrent| self.files(torrent));
        files.fold(0, |sum, files| files.files.iter().fold(sum, |sum, file| sum.saturating_add(file.length)))
    }

    /// How fast a torrent's file comes, in bytes a second.
    pub fn rate_of(&self, torrent: usize, index: usize) -> u64 {
        lock(&self.0.rates).of(torrent, index)
    }

    pub fn files(&self, torrent: usize) -> Option<Arc<Files>> {
        lock(&self.0.slots).get(torrent)?.shown.files.clone()
    }
}
