//! The mount over a torrent in memory: the kernel's own FUSE, and programs that know nothing of torrents. docs/mount.md has the
//! rules.
#![cfg(unix)]

mod ending;
mod guarding;
mod interrupting;
mod looking;
mod many;
mod reading;
mod world;
