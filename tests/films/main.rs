//! Real films, made by ffmpeg, and real players, started by us on what our server gives them.
// Tests make their own sockets: they are the other side.
#![allow(clippy::disallowed_methods)]

mod lasts;
mod launched;
mod studio;
#[allow(dead_code, reason = "these tests speak to the server by players alone")]
#[path = "../http/world.rs"]
mod world;
