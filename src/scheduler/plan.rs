//! Who needs what, when: the readers' windows, merged into one list of pieces by deadline.

use std::time::Duration;

use super::Scheduler;
use crate::layout::PieceIndex;
use crate::units::{ByteSize, FOREVER, Timestamp};

/// A plan older than this no longer says when things are due: readers have gone on.
const KEEPS: Duration = Duration::from_millis(500);
/// The end of a file is its index as often as not (MP4 `moov`, MKV cues): so much of it is fetched soon after its
/// beginning.
const TAIL: u64 = 128 * 1024;
/// How long after the beginning.
const TAIL_AFTER: Duration = Duration::from_secs(2);
/// Never more pieces than this in one reader's window, however small they are: it bounds the work of one input.
const MOST_PIECES: u32 = 512;

/// A piece that some reader will need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) piece: PieceIndex,
    pub(super) deadline: Timestamp,
}

/// All pieces in the windows that we lack, by deadline; each once, at the earliest of its deadlines.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Planned>,
    /// So many of them are urgent: asked for strictly by deadline. The rest is rarest first.
    pub(super) urgent: usize,
    made_at: Timestamp,
}

impl Plan {
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.made_at) >= KEEPS
    }
}

impl Scheduler {
    /// Makes the plan anew. Called when a reader came, went, or reached another piece, and when a piece was finished:
    /// the work is bounded by the windows, not by the torrent.
    pub(super) fn replan(&mut self, now: Timestamp) {
        for planned in &self.plan.pieces {
            if let Some(progress) = self.begun.get_mut(&planned.piece) {
                progress.deadline = None;
                if progress.open() > 0 {
                    self.left_open.insert(planned.piece);
                }
            }
        }
        let mut pieces = std::mem::take(&mut self.plan.pieces);
        pieces.clear();
        let urgent_until = now + self.config.urgent;
        for reader in self.readers.iter().rev() {
            let rate = reader.rate(now);
            let (least, most) = (self.config.least_window.0, self.config.most_window.0);
            let until = reader.reach(now, self.config.window, least, most);
            let window = self.layout.pieces_of(reader.head..until);
            for piece in window.start..window.end.min(window.start.saturating_add(MOST_PIECES)) {
                let piece = PieceIndex(piece);
                if !self.had.has(piece) {
                    let ahead = ByteSize(self.layout.piece_start(piece).saturating_sub(reader.head));
                    pieces.push(Planned { piece, deadline: now + ahead / rate });
                }
            }
            if reader.head == reader.span.offset && reader.span.length > TAIL && reader.is_unbounded() {
                for piece in self.layout.pieces_of(reader.span.end() - TAIL..reader.span.end()) {
                    if !self.had.has(PieceIndex(piece)) {
                        pieces.push(Planned { piece: PieceIndex(piece), deadline: now + TAIL_AFTER });
                    }
                }
            }
        }
        // Stable: of two readers that both wait, the newer one's head comes first.
        pieces.sort_by_key(|planned| planned.deadline);
        let mut seen = std::collections::BTreeSet::new();
        pieces.retain(|planned| seen.insert(planned.piece));
        for planned in &pieces {
            if let Some(progress) = self.begun.get_mut(&planned.piece) {
                progress.deadline = Some(planned.deadline);
                self.left_open.remove(&planned.piece);
            }
        }
        self.plan =
            Plan { urgent: pieces.partition_point(|p| p.deadline <= urgent_until), pieces, made_at: now };
        self.epoch += 1;
    }

    /// A reader waits for something that nobody was asked for: whatever is in flight for later makes way, in this very
    /// moment. (What is being sent already stays asked for: it comes all the same.)
    pub(super) fn make_way(&mut self, now: Timestamp) {
        let heads = self.readers.iter().filter(|r| r.waiting && r.head < r.span.end()).map(|r| r.head);
        let mut neglected: Vec<_> = heads.map(|head| self.layout.piece_at(head)).collect();
        neglected.retain(|piece| {
            !self.had.has(*piece) && self.begun.get(piece).is_none_or(|p| p.open() > 0 && !p.verifying)
        });
        if neglected.is_empty() {
            return;
        }
        // Whoever cannot help here goes on with what he was asked for, unless it takes room on the viewer's line.
        let holds_back = self.line.holds_back();
        let soon = now + self.config.urgent / 4;
        for at in 0..self.peers.len() {
            let have = &self.peers[at].have;
            if !holds_back && !neglected.iter().any(|piece| have.has(*piece)) {
                continue;
            }
            let id = self.peers[at].id;
            let peer = &self.peers[at];
            let later: Vec<_> = peer
                .queue
                .iter()
                .filter(|flying| self.deadline(flying.block.piece) > soon && !peer.is_coming(now, flying))
                .map(|flying| flying.block)
                .collect();
            later.into_iter().for_each(|block| self.cancel(now, id, block));
        }
    }

    /// When the piece, begun already, is needed; [`FOREVER`] from the beginning if no reader is near it.
    pub(super) fn deadline(&self, piece: PieceIndex) -> Timestamp {
        let planned = self.begun.get(&piece).and_then(|progress| progress.deadline);
        planned.unwrap_or(Timestamp::since_start(FOREVER * 1000))
    }

    /// Cancels what is in flight for nobody any more.
    pub(super) fn cancel_unwanted(&mut self, now: Timestamp) {
        for at in 0..self.peers.len() {
            let id = self.peers[at].id;
            let unwanted: Vec<_> = self.peers[at]
                .queue
                .iter()
                .map(|flying| flying.block)
                .filter(|block| {
                    self.begun.get(&block.piece).is_none_or(|p| p.deadline.is_none())
                        && !self.is_background(block.piece)
                })
                .collect();
            unwanted.into_iter().for_each(|block| self.cancel(now, id, block));
        }
    }

    /// The piece is wanted until it is there, whether anyone reads it or not.
    pub(super) fn is_background(&self, piece: PieceIndex) -> bool {
        let range = self.layout.piece_range(piece);
        self.background.iter().any(|span| span.offset < range.end && range.start < span.end())
    }
}
