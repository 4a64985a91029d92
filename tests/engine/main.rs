//! The engine on real sockets: torrents of ours against seeds of librqbit, scripted ones, and each other, all on loopback.

mod dht;
mod files;
mod finding;
mod hostile;
#[path = "../shared/librqbit_seed.rs"]
mod librqbit_seed;
mod pausing;
mod peer;
mod privacy;
mod reading;
mod removing;
#[path = "../shared/small_dht.rs"]
mod small_dht;
mod trackers;
mod world;
