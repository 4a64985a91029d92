//! peerflix: type a magnet link, watch the film.
//!
//! As a library it is a torrent that can be read while it downloads: open one, list its files, read any of them, from many
//! places at once. What is read next is what the swarm fetches next; a reader that seeks takes the swarm with it in the same
//! instant; one that is dropped wants nothing any more.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use peerflix::net::{Network, NetworkConfig};
//! use peerflix::source;
//! use peerflix::torrent::{Options, Torrent};
//! use tokio::io::{AsyncReadExt, AsyncSeekExt};
//!
//! # async fn watch() -> Result<(), Box<dyn std::error::Error>> {
//! // One factory for every socket of the process.
//! let net = Arc::new(Network::new(NetworkConfig::default())?);
//! // Without `background`, only what somebody reads is fetched.
//! let options = Options { background: false, ..Options::default() };
//!
//! // A magnet link, an info hash, a path, a URL, or `-`: what a user would type.
//! let source = source::resolve("magnet:?xt=urn:btih:…", &net, &options.metadata_cache()).await?;
//! let torrent = Torrent::open(source, options, net).await?;
//!
//! // A magnet's files are known when a peer has sent the metadata.
//! let files = torrent.files().await?;
//! for (index, file) in files.files.iter().enumerate() {
//!     println!("{index} {} ({} bytes)", file.path, file.length);
//! }
//!
//! // tokio's `AsyncRead` and `AsyncSeek` ...
//! let mut film = torrent.reader(files.chosen).ok_or("no such file")?;
//! film.seek(std::io::SeekFrom::End(-1000)).await?;
//! let mut end = Vec::new();
//! film.read_to_end(&mut end).await?;
//!
//! // ... or bytes at a place: the contract that every face is written against.
//! use peerflix::read::Contents;
//! let film = torrent.open(files.chosen).ok_or("no such file")?;
//! let some = film.read_at(700_000, 64 * 1024).await?;
//!
//! println!("{} bytes from {} peers", some.len(), torrent.statistics().peers);
//! // Tells peers and trackers, and records what is here: the next run need not hash it again.
//! torrent.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! It needs a tokio runtime. `examples/read.rs` is a whole program; `docs/architecture.md` is the guide to the source, and
//! the modules stand here in the order of its layers: what is above knows nothing of what is below.

// What every layer below may use.
mod lock;

// Pure: no I/O, no clock, no async.
pub mod bitfield;
pub mod choker;
pub mod layout;
mod random;
pub mod scheduler;
pub mod units;

// Shells: each owns one kind of I/O, and no policy.
pub mod net;
pub mod read;
pub mod source;
pub mod store;
pub mod swarm;
pub mod torrent;

// Faces: they know `read`, nothing of pieces and peers.
pub mod events;
pub mod forecast;
pub mod http;
pub mod media;
pub mod mount;
pub mod playback;
pub mod player;
pub mod subtitles;
pub mod tui;
pub mod wiki;

// The command: what puts the parts together. Not for others to build on.
pub mod demo;

pub mod app;
pub mod cli;
pub mod config;
