//! What is told of files and folders: sizes, times, who owns them, and what is there of them.

use std::time::{Duration, SystemTime};

use fuser::{FileAttr, FileType, INodeNo};

use super::note_in;
use crate::mount::shelf::Shelf;
use crate::mount::status::{State, percent};
use crate::mount::tree::{Kind, Node, ROOT, STATUS_INODE, Tree};

/// How long the kernel may hold what never changes.
pub(super) const FOREVER: Duration = Duration::from_secs(60 * 60);
/// And what changes as bytes come.
const SHORTLY: Duration = Duration::from_secs(1);

/// What `st_blocks` counts in.
const BLOCK: u64 = 512;
const PAGE: u32 = 4096;

const INFO_HASH: &str = "user.peerflix.info_hash";
const INDEX: &str = "user.peerflix.index";
const PERCENT: &str = "user.peerflix.percent";
const STATE: &str = "user.peerflix.state";

/// Names that programs have (and those without an ending): the files may be run, as they may be from a CD.
const PROGRAMS: [&str; 9] = ["appimage", "bin", "elf", "exe", "out", "run", "sh", "x86", "x86_64"];

pub(super) struct Attributes {
    shelf: Shelf,
    user: u32,
    group: u32,
    mounted_at: SystemTime,
}

impl Attributes {
    pub(super) fn new(shelf: Shelf) -> Self {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Attributes { shelf, user, group, mounted_at: SystemTime::now() }
    }

    /// What a node is, and how long that may be believed.
    pub(super) fn of(&self, tree: &Tree, node: &Node) -> (FileAttr, Duration) {
        match &node.kind {
            Kind::Folder { torrent, .. } => {
                let time = torrent.map_or(self.mounted_at, |torrent| self.time_of(torrent));
                let is_waiting = note_in(tree, node.inode).is_some();
                let attributes = FileAttr {
                    kind: FileType::Directory,
                    perm: 0o555,
                    nlink: tree.folders_links(node.inode),
                    ..self.file(node.inode, 0, 0, time)
                };
                (attributes, if is_waiting { Duration::ZERO } else { FOREVER })
            }
            Kind::File { torrent, index, length } => {
                let had = self.had(*torrent, *index).min(*length);
                let attributes = FileAttr {
                    perm: if is_program(&node.name) { 0o555 } else { 0o444 },
                    ..self.file(node.inode, *length, had, self.time_of(*torrent))
                };
                (attributes, if had == *length { FOREVER } else { SHORTLY })
            }
            Kind::Waiting { torrent } => {
                let length = self.shelf.note_of(*torrent).len() as u64;
                (self.file(node.inode, length, length, self.mounted_at), Duration::ZERO)
            }
        }
    }

    /// Of the control file. Its length is not known before it is opened, as that of files in /proc.
    pub(super) fn of_status(&self) -> FileAttr {
        self.file(STATUS_INODE, 0, 0, self.mounted_at)
    }

    /// Of what is not there: no inode.
    pub(super) fn of_nothing(&self) -> FileAttr {
        self.file(0, 0, 0, self.mounted_at)
    }

    /// The extended attributes, name and value.
    pub(super) fn extended(&self, node: &Node) -> Vec<(&'static str, String)> {
        let (torrent, index, had, length) = match &node.kind {
            Kind::File { torrent, index, length } => {
                (*torrent, Some(*index), self.had(*torrent, *index).min(*length), *length)
            }
            Kind::Folder { torrent: Some(torrent), .. } if node.parent == ROOT => {
                let (had, length) = self.share_of(*torrent);
                (*torrent, None, had, length)
            }
            Kind::Folder { .. } | Kind::Waiting { .. } => return Vec::new(),
        };
        let Some(files) = self.shelf.files(torrent) else {
            return vec![(PERCENT, "0".to_owned()), (STATE, State::Waiting.word().to_owned())];
        };
        let mut attributes = vec![(INFO_HASH, files.info_hash.clone())];
        attributes.extend(index.map(|index| (INDEX, index.to_string())));
        attributes.push((PERCENT, percent(had, length).to_string()));
        attributes.push((STATE, State::of(had, length).word().to_owned()));
        attributes
    }

    fn file(&self, inode: u64, size: u64, had: u64, time: SystemTime) -> FileAttr {
        FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: had.div_ceil(BLOCK),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind: FileType::RegularFile,
            perm: 0o444,
            nlink: 1,
            uid: self.user,
            gid: self.group,
            rdev: 0,
            blksize: PAGE,
            flags: 0,
        }
    }

    fn time_of(&self, torrent: usize) -> SystemTime {
        self.shelf.files(torrent).and_then(|files| files.created_at).unwrap_or(self.mounted_at)
    }

    fn had(&self, torrent: usize, index: usize) -> u64 {
        self.shelf.contents(torrent).and_then(|contents| contents.had(index)).unwrap_or(0)
    }

    /// The bytes that are there of a torrent's files, and all of them.
    fn share_of(&self, torrent: usize) -> (u64, u64) {
        let Some(files) = self.shelf.files(torrent) else { return (0, 0) };
        let contents = self.shelf.contents(torrent);
        files.files.iter().enumerate().fold((0, 0), |(had, length): (u64, u64), (index, file)| {
            let of_file = contents.as_ref().and_then(|contents| contents.had(index)).unwrap_or(0);
            (had.saturating_add(of_file.min(file.length)), length.saturating_add(file.length))
        })
    }
}

fn is_program(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, ending)) => PROGRAMS.iter().any(|program| program.eq_ignore_ascii_case(ending)),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_name_of_a_program_may_be_run() {
        assert!(is_program("Game.AppImage") && is_program("install.sh") && is_program("program"));
        assert!(!is_program("film.mkv") && !is_program("read.me.txt"));
    }
}
