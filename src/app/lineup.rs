//! The torrents of one session as one [`Contents`]: what the HTTP server serves, which listens before anybody knows what that is.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::read::{Contents, Files, ReadAt, ReadError, Statistics};

/// Cheap to clone; all clones are one lineup.
///
/// Files are numbered through all torrents. A number, once given, stays: the first torrent's come first, and those of the others
/// follow in the order in which they become known. The *queue*, what is to be played, is in the order of the torrents.
#[derive(Clone)]
pub struct Lineup(Arc<watch::Sender<State>>);

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    /// All that is known so far; `None` while the first torrent's files are not.
    files: Option<Arc<Files>>,
    /// Of each of `files`: its torrent, and its number there.
    places: Vec<(usize, usize)>,
    /// What was chosen in the meantime.
    chosen: Option<usize>,
    /// No torrent waits for the first.
    is_of_equals: bool,
}

#[derive(Default)]
struct Slot {
    contents: Option<Arc<dyn Contents>>,
    files: Option<Arc<Files>>,
    /// Its first number, once its files have theirs.
    first: Option<usize>,
    failure: Option<ReadError>,
}

impl Lineup {
    /// Of so many torrents, all of them still on their way.
    pub fn new(torrents: usize) -> Lineup {
        let slots = (0..torrents).map(|_| Slot::default()).collect();
        Lineup(Arc::new(watch::Sender::new(State { slots, ..State::default() })))
    }

    /// The same of torrents none of which comes first: each has its numbers as soon as it is known.
    pub fn of_equals(torrents: usize) -> Lineup {
        let lineup = Lineup::new(torrents);
        lineup.0.send_modify(|state| state.is_of_equals = true);
        lineup
    }

    /// The torrent is open; its files may not be known yet.
    pub fn open_torrent(&self, torrent: usize, contents: Arc<dyn Contents>) {
        self.change(torrent, |slot| slot.contents = Some(contents));
    }

    /// Its files are known. The first call counts.
    pub fn know(&self, torrent: usize, files: Arc<Files>) {
        self.change(torrent, |slot| {
            slot.files.get_or_insert(files);
        });
    }

    /// It will never come. No news after its files are known.
    pub fn fail(&self, torrent: usize, error: ReadError) {
        self.change(torrent, |slot| {
            if slot.files.is_none() {
                slot.failure.get_or_insert(error);
            }
        });
    }

    /// Nothing comes any more: whoever waits is told so.
    pub fn close(&self) {
        let torrents = self.0.borrow().slots.len();
        (0..torrents).for_each(|torrent| self.fail(torrent, ReadError::Closed));
    }

    /// Another file is the one that is meant: `/` serves it from now on.
    pub fn choose(&self, index: usize) {
        self.0.send_modify(|state| {
            state.chosen = Some(index);
            state.publish();
        });
    }

    /// All that is known now.
    pub fn known(&self) -> Option<Arc<Files>> {
        self.0.borrow().files.clone()
    }

    /// The files of one torrent, once they have their numbers: the number of the first, and the files.
    pub fn files_of(&self, torrent: usize) -> Option<(usize, Arc<Files>)> {
        let state = self.0.borrow();
        let slot = state.slots.get(torrent)?;
        Some((slot.first?, slot.files.clone()?))
    }

    /// The number of a torrent's file.
    pub fn index_of(&self, torrent: usize, inside: usize) -> Option<usize> {
        Some(self.0.borrow().slots.get(torrent)?.first? + inside)
    }

    /// A reader that is nobody's player: see [`Contents::open_unseen`].
    pub fn open_unseen(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        let (contents, index) = self.contents_of(index)?;
        contents.open_unseen(index)
    }

    /// The torrent of a file, and its number there.
    pub fn place(&self, index: usize) -> Option<(usize, usize)> {
        self.0.borrow().places.get(index).copied()
    }

    /// Returns when every torrent's files are known, or never will be.
    pub async fn grown(&self) {
        let mut state = self.0.subscribe();
        let is_settled = |slot: &Slot| slot.files.is_some() || slot.failure.is_some();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| state.slots.iter().all(is_settled)).await;
    }

    fn change(&self, torrent: usize, change: impl FnOnce(&mut Slot)) {
        self.0.send_modify(|state| {
            if let Some(slot) = state.slots.get_mut(torrent) {
                change(slot);
            }
            state.publish();
        });
    }

    fn contents_of(&self, index: usize) -> Option<(Arc<dyn Contents>, usize)> {
        let state = self.0.borrow();
        let &(torrent, index) = state.places.get(index)?;
        Some((state.slots.get(torrent)?.contents.clone()?, index))
    }
}

impl State {
    /// Numbers what has become known, unless the first torrent that may still come has not.
    fn publish(&mut self) {
        let leader = self.slots.iter().find(|slot| slot.failure.is_none());
        let is_led = !self.is_of_equals;
        if is_led && self.files.is_none() && leader.is_none_or(|leader| leader.files.is_none()) {
            return;
        }
        let mut places = std::mem::take(&mut self.places);
        for (torrent, slot) in self.slots.iter_mut().enumerate() {
            let Some(files) = slot.files.as_ref().filter(|_| slot.first.is_none()) else { continue };
            slot.first = Some(places.len());
            places.extend((0..files.files.len()).map(|index| (torrent, index)));
        }
        self.places = places;
        let file = |&(torrent, index): &(usize, usize)| {
            self.slots.get(torrent)?.files.as_ref()?.files.get(index).cloned()
        };
        let files = self.places.iter().filter_map(file).collect();
        let known = || self.slots.iter().filter_map(|slot| Some((slot.first?, slot.files.as_ref()?)));
        let queue: Vec<usize> =
            known().flat_map(|(first, files)| files.queue.iter().map(move |&index| first + index)).collect();
        let Some((_, leader)) = known().next() else { return };
        let chosen = self.chosen.filter(|&chosen| chosen < self.places.len());
        let chosen = chosen.or(queue.first().copied()).unwrap_or_default();
        self.files = Some(Arc::new(Files {
            info_hash: leader.info_hash.clone(),
            name: leader.name.clone(),
            files,
            chosen,
            queue,
            created_at: leader.created_at,
        }));
    }

    /// Why there is nothing, if that is certain.
    fn failure(&self) -> Option<ReadError> {
        let failed = |slot: &Slot| slot.failure.clone();
        if self.slots.iter().all(|slot| slot.failure.is_some()) {
            Some(self.slots.iter().find_map(failed).unwrap_or(ReadError::Closed))
        } else {
            None
        }
    }
}

impl Contents for Lineup {
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
        let mut state = self.0.subscribe();
        Box::pin(async move {
            let settled = state.wait_for(|state| state.files.is_some() || state.failure().is_some()).await;
            // The sender lives as long as `self`.
            let Ok(state) = settled else { return Err(ReadError::Closed) };
            match &state.files {
                Some(files) => Ok(files.clone()),
                None => Err(state.failure().unwrap_or(ReadError::Closed)),
            }
        })
    }

    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        let (contents, index) = self.contents_of(index)?;
        contents.open(index)
    }

    fn statistics(&self) -> Statistics {
        let state = self.0.borrow();
        let all = state.slots.iter().filter_map(|slot| slot.contents.as_ref());
        all.map(|contents| contents.statistics()).fold(Statistics::default(), sum)
    }
}

fn sum(a: Statistics, b: Statistics) -> Statistics {
    Statistics {
        downloaded: a.downloaded + b.downloaded,
        uploaded: a.uploaded + b.uploaded,
        download_rate: a.download_rate + b.download_rate,
        upload_rate: a.upload_rate + b.upload_rate,
        peers: a.peers + b.peers,
        unchoking: a.unchoking + b.unchoking,
        candidates: a.candidates + b.candidates,
        wasted: a.wasted + b.wasted,
        hot_swaps: a.hot_swaps + b.hot_swaps,
        verified_pieces: a.verified_pieces + b.verified_pieces,
        failed_pieces: a.failed_pieces + b.failed_pieces,
        chosen_had: a.chosen_had + b.chosen_had,
        buffered: a.buffered + b.buffered,
        stalled_readers: a.stalled_readers + b.stalled_readers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::File;

    struct Torrent(usize);

    impl Contents for Torrent {
        fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
            Box::pin(async { Err(ReadError::Closed) })
        }

        fn open(&self, _: usize) -> Option<Box<dyn ReadAt>> {
            None
        }

        fn statistics(&self) -> Statistics {
            Statistics { peers: self.0, ..Statistics::default() }
        }
    }

    fn files(name: &str, count: usize, queue: Vec<usize>) -> Arc<Files> {
        let file = |index| File { path: format!("{name}/{index}"), length: 1 };
        Arc::new(Files {
            info_hash: name.into(),
            name: name.into(),
            files: (0..count).map(file).collect(),
            chosen: queue.first().copied().unwrap_or_default(),
            queue,
            created_at: None,
        })
    }

    #[tokio::test]
    async fn who_comes_early_waits_for_the_files() {
        let lineup = Lineup::new(1);
        lineup.open_torrent(0, Arc::new(Torrent(7)));
        assert_eq!(lineup.statistics().peers, 7);
        let early = tokio::spawn({
            let lineup = lineup.clone();
            async move { lineup.files().await }
        });
        lineup.know(0, files("a", 2, vec![1]));
        assert_eq!(early.await.expect("ran").expect("came").chosen, 1);
    }

    #[tokio::test]
    async fn what_never_comes_is_an_error_for_all_and_final() {
        let lineup = Lineup::new(1);
        lineup.fail(0, ReadError::NotOpened("not a torrent".into()));
        lineup.fail(0, ReadError::Closed);
        assert!(matches!(lineup.files().await, Err(ReadError::NotOpened(_))));
        assert!(lineup.open(0).is_none());
    }

    #[tokio::test]
    async fn numbers_stay_as_they_are_while_later_torrents_become_known_and_the_queue_is_in_order() {
        let lineup = Lineup::new(3);
        lineup.know(2, files("c", 1, vec![0]));
        assert!(lineup.known().is_none(), "the first one leads");
        lineup.know(0, files("a", 2, vec![1, 0]));
        let known = lineup.files().await.expect("known");
        assert_eq!(
            known.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            ["a/0", "a/1", "c/0"]
        );
        assert_eq!((known.chosen, known.queue.clone()), (1, vec![1, 0, 2]));
        assert!(futures_util::FutureExt::now_or_never(lineup.grown()).is_none());
        lineup.know(1, files("b", 1, vec![0]));
        let known = lineup.files().await.expect("known");
        assert_eq!(known.queue, [1, 0, 3, 2]);
        assert_eq!(lineup.place(3), Some((1, 0)));
        assert!(futures_util::FutureExt::now_or_never(lineup.grown()).is_some());
        lineup.choose(2);
        assert_eq!(lineup.files().await.expect("known").chosen, 2);
    }

    #[tokio::test]
    async fn among_equals_none_waits_for_the_first() {
        let lineup = Lineup::of_equals(2);
        assert!(lineup.known().is_none());
        lineup.know(1, files("b", 1, vec![0]));
        assert_eq!(lineup.files_of(1).map(|(first, _)| first), Some(0));
        lineup.know(0, files("a", 1, vec![0]));
        assert_eq!((lineup.index_of(0, 0), lineup.index_of(1, 0)), (Some(1), Some(0)));
    }

    #[tokio::test]
    async fn a_torrent_that_fails_leaves_the_lead_to_the_next() {
        let lineup = Lineup::new(2);
        lineup.know(1, files("b", 1, vec![0]));
        lineup.fail(0, ReadError::NotOpened("no".into()));
        assert_eq!(lineup.files().await.expect("the other").name, "b");
        lineup.fail(1, ReadError::Closed);
        assert!(lineup.files().await.is_ok(), "what is known stays");
    }
}
