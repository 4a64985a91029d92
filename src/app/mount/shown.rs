//! What is said of a torrent in the folder until its files are known.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::app::why::{sentence, why};
use crate::mount::shelf::Shelf;
use crate::torrent::Torrent;

/// How often a note is written anew.
const NOTE_EVERY: Duration = Duration::from_millis(500);

/// Until its files are known, says why they are not; then puts them on the shelf.
pub(super) async fn follow(shelf: Shelf, slot: usize, torrent: Torrent) {
    let mut tick = tokio::time::interval(NOTE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            files = torrent.files() => {
                match files {
                    Ok(files) => {
                        // Of a hundred thousand files not where the swarm is at work.
                        let _ = tokio::task::spawn_blocking(move || shelf.know(slot, files)).await;
                    }
                    Err(error) => shelf.note(slot, sentence(&error.to_string())),
                }
                return;
            }
            _ = tick.tick() => {
                let cause = why(&torrent.why(), &torrent.statistics(), torrent.is_paused());
                if let Some(cause) = cause {
                    shelf.note(slot, format!("The files are not known yet: {cause}."));
                }
            }
        }
    }
}
