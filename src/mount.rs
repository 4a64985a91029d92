//! A torrent as a folder: the tree that is shown, how it is read, and who shows it (FUSE, WebDAV). It knows nothing of pieces or
//! peers: all it has is [`Contents`](crate::read::Contents). docs/mount.md has the rules.

pub mod ahead;
pub mod dav;
pub mod guard;
pub mod shelf;
pub mod status;
pub mod tree;
