//! What a swarm does, for those who wait at a page.

use crate::app::why::{sentence, why};
use crate::read::Statistics;
use crate::torrent::Torrent;
use crate::wiki::library::Activity;

/// That of a torrent.
pub(super) struct OfTorrent(pub(super) Torrent);

impl Activity for OfTorrent {
    fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    fn sentence(&self) -> String {
        let cause = why(&self.0.why(), &self.0.statistics(), self.0.is_paused());
        sentence(cause.as_deref().unwrap_or("the torrent was closed"))
    }
}
