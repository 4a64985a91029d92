//! Looks through what was there before: hashes pieces that an earlier run may have left, in order, in the background.

use super::Shared;
use super::writing::{Hasher, Job};
use crate::bitfield::Bitfield;

/// Ends early when the store is closed. Each piece that is right goes to the writer, which alone knows whether something has
/// been written to it meanwhile.
pub(super) fn run(shared: &Shared, pieces: &Bitfield) {
    let mut hasher = Hasher::new();
    let mut right = 0u32;
    for piece in pieces.iter() {
        if shared.jobs.is_closed() {
            return;
        }
        // A sparse file is as long as the film from its last piece on: what was never written needs no hashing.
        if shared.is_verified(piece) || shared.files.has_hole(shared.layout.piece_range(piece)) {
            continue;
        }
        if hasher.is_right(shared, piece).unwrap_or(false) {
            right += 1;
            shared.jobs.push(Job::Rechecked(piece));
        }
    }
    tracing::debug!(looked_through = pieces.count(), right, "looked through what was on disk");
}
