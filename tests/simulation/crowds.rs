//! Flash crowds of all sizes.

use crate::crowd::Crowd;

/// Two megabits a second of film, half a minute of it; everybody comes within five seconds.
pub fn evening(viewers: usize) -> Crowd {
    Crowd {
        viewers,
        film: 30.0,
        bitrate: 262_144.0,
        piece: 256 * 1024,
        seed: 4.0,
        up: (1.0, 2.0),
        down: 8.0,
        dials: 12,
        within: 5.0,
    }
}
