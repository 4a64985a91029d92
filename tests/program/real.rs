//! Programs that know nothing of torrents, on a mount of the real program's, with seeds of another's on loopback.

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
