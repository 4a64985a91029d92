//! Programs that know nothing of torrents, on a mount of the real program's, with seeds of another's on loopback.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "these sockets are other programs', not peerflix's")]

#[allow(dead_code, reason = "the films of the program's own tests need more")]
#[path = "../program/films.rs"]
mod films;
#[path = "../shared/librqbit_seed.rs"]
mod librqbit_seed;
#[allow(dead_code, reason = "the program's own tests need more of it")]
#[path = "../program/peer.rs"]
mod peer;
#[allow(dead_code, reason = "the program's own tests need more of it")]
#[path = "../program/run.rs"]
mod run;
#[allow(dead_code, reason = "the program's own tests need more of it")]
#[path = "../program/seeds.rs"]
mod seeds;

mod boots;
mod database;
mod ending;
mod film;
mod folders;
mod guard;
mod magnets;
mod mounted;
mod noise;
mod size;
mod spots;
