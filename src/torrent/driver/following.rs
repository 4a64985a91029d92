//! What the torrent's handles and readers want, followed by the driver: the scheduler is told; and what they look at.

use super::{Driver, Followed};
use crate::choker;
use crate::layout::FileSpan;
use crate::scheduler::Input;
use crate::swarm::PeerCommand;
use crate::torrent::look::{LOOK_EVERY, Look};

impl Driver {
    /// What the torrent's handles have ordered since.
    pub(super) fn follow_orders(&mut self) {
        if !self.session.orders.take_changed() {
            return;
        }
        if let Some(files) = self.session.orders.take_fetch() {
            self.set_background(&files);
        }
        let paused = self.session.orders.is_paused();
        if paused == self.paused {
            return self.follow_background();
        }
        self.paused = paused;
        if paused {
            self.pause();
        } else {
            // As if all of them had just come.
            self.readers_generation = u64::MAX;
            self.follow_background();
        }
        self.tell_choker(choker::Input::Paused { paused });
    }

    /// Nobody reads and nothing is wanted: all that is in flight is taken back.
    fn pause(&mut self) {
        self.held = Some(Vec::new());
        for closed in std::mem::take(&mut self.readers) {
            self.tell(Input::ReaderClosed { reader: closed.reader.id });
        }
        let nothing = FileSpan { offset: 0, length: 0 };
        // Also when there was none: what readers have left in flight is taken back then.
        let span = self.fetched.take().unwrap_or(nothing);
        self.tell(Input::BackgroundUnwanted { span });
        for (peer, block) in self.held.take().unwrap_or_default() {
            self.swarm.command(peer, PeerCommand::Request(block));
        }
    }

    pub(super) fn set_background(&mut self, files: &[usize]) {
        self.background = files.iter().filter_map(|&file| self.opened.spans.get(file).copied()).collect();
    }

    /// The next file is begun when the one before is all here.
    pub(super) fn follow_background(&mut self) {
        while self.background.front().is_some_and(|&span| self.opened.has(span)) {
            self.background.pop_front();
        }
        let next = self.background.front().copied().filter(|_| !self.paused);
        if next == self.fetched {
            return;
        }
        let before = std::mem::replace(&mut self.fetched, next);
        // In this order, so that what both have in common stays in flight.
        if let Some(span) = next {
            self.tell(Input::BackgroundWanted { span });
        }
        if let Some(span) = before {
            self.tell(Input::BackgroundUnwanted { span });
        }
    }

    /// Makes a snapshot for who looks.
    pub(super) fn show(&mut self) {
        let now = self.session.clock.now();
        if now < self.look_at || !self.session.looks.is_wanted() {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        self.session.looks.publish(Look {
            paces: self.scheduler.peer_paces(now).collect(),
            coming: self.scheduler.coming().collect(),
        });
    }

    pub(super) fn follow_readers(&mut self) {
        if self.paused {
            return;
        }
        let generation = self.opened.door.generation();
        if generation != self.readers_generation {
            self.readers_generation = generation;
            let now_open = self.opened.door.readers();
            let known = std::mem::take(&mut self.readers);
            let (known, closed): (Vec<_>, Vec<_>) = known
                .into_iter()
                .partition(|known| now_open.iter().any(|reader| reader.id == known.reader.id));
            self.readers = known;
            for closed in closed {
                self.tell(Input::ReaderClosed { reader: closed.reader.id });
            }
            for reader in now_open {
                if self.readers.iter().all(|known| known.reader.id != reader.id) {
                    let (told, until) = (reader.head.load(), reader.head.until());
                    let (id, span) = (reader.id, reader.span);
                    self.readers.push(Followed { reader, told, until });
                    self.tell(Input::ReaderOpened { reader: id, span, head: told.0, rate: None, until });
                    self.tell(Input::ReaderMoved { reader: id, head: told.0, waiting: told.1 });
                }
            }
        }
        for at in 0..self.readers.len() {
            let Some(followed) = self.readers.get_mut(at) else { return };
            let until = followed.reader.head.until();
            if until != followed.until {
                followed.until = until;
                let reader = followed.reader.id;
                self.tell(Input::ReaderBounded { reader, until });
            }
            let Some(followed) = self.readers.get_mut(at) else { return };
            let head = followed.reader.head.load();
            if head != followed.told {
                followed.told = head;
                let reader = followed.reader.id;
                self.tell(Input::ReaderMoved { reader, head: head.0, waiting: head.1 });
            }
        }
    }
}
