//! peerflix: type a magnet link, watch the film.

// -- what every layer may use --
mod lock;

// -- pure --
pub mod bitfield;
pub mod choker;
pub mod layout;
pub mod scheduler;
pub mod units;

// -- shells --
pub mod net;
pub mod read;
pub mod source;
pub mod store;
pub mod swarm;
pub mod torrent;

// -- faces --
pub mod http;
pub mod player;
pub mod tui;

pub mod demo;

pub mod app;
pub mod cli;
