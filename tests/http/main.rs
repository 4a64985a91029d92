//! The HTTP face over a torrent in memory, through real sockets on loopback; the folder over WebDAV with it. docs/http.md has
//! the rules.
// Tests make their own sockets: they are the other side.
#![allow(clippy::disallowed_methods)]

mod connections;
#[cfg(unix)]
mod mounted;
mod players;
mod rules;
mod webdav;
mod world;
