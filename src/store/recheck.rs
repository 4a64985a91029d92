//! Looks through what was there before: hashes pieces that an earlier run, or another program, may have left, in the
//! background.

use super::Shared;
use super::writing::{Hasher, Job};
use crate::bitfield::Bitfield;
use crate::layout::PieceIndex;

struct Recheck<'a> {
    shared: &'a Shared,
    hasher: Hasher,
    /// Not looked at yet.
    rest: Bitfield,
    right: u32,
}

/// Ends early when the store is closed. Each piece that is right goes to the writer, which alone knows whether something has
/// been written to it meanwhile. In order; but a file that the writer waits for comes first.
pub(super) fn run(shared: &Shared, pieces: &Bitfield) {
    let mut recheck = Recheck { shared, hasher: Hasher::new(), rest: pieces.clone(), right: 0 };
    for piece in pieces.iter() {
        while let Some(file) = shared.claims.wanted().filter(|_| !shared.jobs.is_closed()) {
            recheck.judge(file);
        }
        if shared.jobs.is_closed() {
            return;
        }
        recheck.look_at(piece);
    }
    // What is too short for a piece of its own, or has none that is right.
    while let Some(file) = shared.claims.next_unjudged().filter(|_| !shared.jobs.is_closed()) {
        recheck.judge(file);
    }
    tracing::debug!(
        looked_through = pieces.count(),
        right = recheck.right,
        "looked through what was on disk"
    );
}

impl Recheck<'_> {
    /// Until it is known whose this file is.
    fn judge(&mut self, file: u32) {
        for piece in self.shared.layout.pieces_of(self.shared.files.range(file)).map(PieceIndex) {
            if self.look_at(piece) || self.shared.jobs.is_closed() {
                return;
            }
        }
        self.shared.claims.on_nothing_right(self.shared, file);
    }

    /// True if it is found to be right. No piece is looked at twice.
    fn look_at(&mut self, piece: PieceIndex) -> bool {
        let shared = self.shared;
        // A sparse file is as long as the film from its last piece on: what was never written needs no hashing.
        let is_right = self.rest.remove(piece)
            && !shared.is_verified(piece)
            && !shared.files.has_hole(shared.layout.piece_range(piece))
            && self.hasher.is_right(shared, piece).unwrap_or(false);
        if is_right {
            self.right += 1;
            shared.claims.on_right(shared, piece);
            shared.jobs.push(Job::Rechecked(piece));
        }
        is_right
    }
}
