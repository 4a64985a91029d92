//! A torrent as a folder: the tree that is shown, how it is read, and who shows it (FUSE, WebDAV). It knows nothing of pieces or
//! peers: all it has is [`Contents`](crate::read::Contents). docs/mount.md has the rules.

pub mod ahead;
pub mod caller;
pub mod dav;
#[cfg(unix)]
pub mod fuse;
pub mod guard;
#[cfg(unix)]
pub mod place;
mod rates;
pub mod reading;
pub mod shelf;
pub mod status;
pub mod tree;
