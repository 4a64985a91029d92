//! The program as its user meets it: a process, started with a command line, against real swarms on loopback.

#![allow(clippy::disallowed_methods, reason = "these sockets are other programs', not peerflix's")]

mod config;
mod crafted;
mod ending;
mod events;
mod films;
mod flags;
mod help;
mod inputs;
#[path = "../shared/librqbit_seed.rs"]
mod librqbit_seed;
mod mount;
mod outlook;
mod peer;
mod pipes;
mod players;
mod queue;
#[cfg(target_os = "linux")]
mod real;
mod run;
mod scripted;
mod seeds;
#[path = "../shared/small_dht.rs"]
mod small_dht;
mod strangers;
mod terminal;
mod tmux;
mod trouble;
mod wiki;
#[path = "../shared/zim_writer.rs"]
mod zim_writer;
