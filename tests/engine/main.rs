//! The engine on real sockets: torrents of ours against seeds of librqbit, scripted ones, and each other, all on loopback.

mod dht;
mod finding;
mod hostile;
mod peer;
mod privacy;
mod reading;
mod trackers;
mod world;
