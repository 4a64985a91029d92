//! The site of `peerflix wiki`, over books in memory whose bytes come when the test says so.
// Tests make their own sockets: they are the other side.
#![allow(clippy::disallowed_methods)]

mod old;
mod pages;
mod programs;
mod searching;
mod waiting;
mod world;
#[path = "../shared/zim_writer.rs"]
mod zim_writer;
