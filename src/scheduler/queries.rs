//! What there is to see from outside. Changes nothing.

use std::ops::Range;
use std::time::Duration;

use super::progress::Progress;
use super::{PeerPace, Scheduler};
use crate::layout::BlockId;
use crate::units::{ByteRate, Timestamp};

/// Whoever has sent nothing for so long brings nothing now, whatever is believed of what it could.
const LATELY: Duration = Duration::from_secs(3);

impl Scheduler {
    /// The pace of each connected peer, ascending by id.
    pub fn peer_paces(&self, now: Timestamp) -> impl Iterator<Item = PeerPace> + '_ {
        self.peers.iter().map(move |peer| {
            let sends = peer.last_answer_at.is_some_and(|at| now.since(at) < LATELY);
            PeerPace {
                peer: peer.id,
                rate: if sends { peer.estimate.rate() } else { ByteRate::ZERO },
                latency: peer.estimate.is_timed().then(|| peer.estimate.latency()),
                in_flight: peer.queue.len() as u32,
            }
        })
    }

    /// The bytes of the torrent that are in flight, or have come and belong to a piece that is not verified yet: ascending,
    /// none of them empty, none of more than one piece.
    pub fn coming(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.begun.values().flat_map(|progress| self.coming_of(progress))
    }

    fn coming_of<'a>(&'a self, progress: &'a Progress) -> impl Iterator<Item = Range<u64>> + 'a {
        let mut blocks = (0..).zip(&progress.blocks).peekable();
        std::iter::from_fn(move || {
            let mut coming: Option<Range<u64>> = None;
            while let Some((block, state)) = blocks.peek() {
                let is_coming = state.arrived || !state.asked_of.is_empty();
                let id = BlockId { piece: progress.piece, block: *block };
                match (&mut coming, is_coming) {
                    (Some(_), false) => return coming,
                    (None, false) => {}
                    (Some(range), true) => range.end += u64::from(self.layout.block_size(id)),
                    (None, true) => {
                        let start = self.layout.block_start(id);
                        coming = Some(start..start + u64::from(self.layout.block_size(id)));
                    }
                }
                blocks.next();
            }
            coming
        })
    }
}
