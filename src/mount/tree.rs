//! What a mount shows: folders and files with numbers and names, made of the torrents' files. No file, no clock.

use std::collections::HashMap;
use std::sync::Arc;

use crate::read::Files;

/// The inode of the mount's own folder.
pub const ROOT: u64 = 1;

/// A torrent, as it is to be shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What its entry is called: the torrent's name; of a magnet, the name in the link, else the info hash. Never changes.
    pub name: String,
    /// A folder even if it has a single file: so is what began as a magnet, whose folder was there before its files.
    pub is_folder: bool,
    /// `None` until the metadata has come: then the folder has a note in it instead.
    pub files: Option<Arc<Files>>,
}

/// One folder or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub inode: u64,
    /// Its folder; the root's is the root.
    pub parent: u64,
    /// Safe to show and to use as one part of a path.
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `torrent`: whose it is; `None` for the root.
    Folder { torrent: Option<usize>, children: Vec<u64> },
    /// `index` into the torrent's files.
    File { torrent: usize, index: usize, length: u64 },
    /// The note in the folder of a torrent whose files are not known yet; what it says changes.
    Waiting { torrent: usize },
}

/// The name of the note.
pub const WAITING: &str = ".waiting";

/// All that is shown. Made anew when a torrent's files become known; inodes that were there stay what they were.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: HashMap<u64, Node>,
    names: HashMap<(u64, String), u64>,
}

/// The control file in the mount's own folder: found by name, never listed, so that no copy of the folder takes it along.
pub const STATUS: &str = ".peerflix-status";
/// The inode of it.
pub const STATUS_INODE: u64 = 2;

impl Tree {
    /// The same torrents in the same order give the same inodes and names.
    pub fn new(shown: &[Shown]) -> Tree {
        let mut tree = Tree::default();
        let root = Kind::Folder { torrent: None, children: Vec::new() };
        tree.nodes.insert(ROOT, Node { inode: ROOT, parent: ROOT, name: String::new(), kind: root });
        for (torrent, shown) in shown.iter().enumerate() {
            tree.add(torrent, shown);
        }
        tree
    }

    pub fn node(&self, inode: u64) -> Option<&Node> {
        self.nodes.get(&inode)
    }

    /// The child of that name.
    pub fn child(&self, parent: u64, name: &str) -> Option<&Node> {
        self.node(*self.names.get(&(parent, name.to_owned()))?)
    }

    /// What is in a folder, in its order; nothing in a file.
    pub fn children(&self, inode: u64) -> impl Iterator<Item = &Node> {
        let children = match self.node(inode).map(|node| &node.kind) {
            Some(Kind::Folder { children, .. }) => children.as_slice(),
            _ => &[],
        };
        children.iter().filter_map(|child| self.node(*child))
    }

    /// By a path from the root, parts joined by `/`; empty parts are passed over.
    pub fn find(&self, path: &str) -> Option<&Node> {
        let root = self.node(ROOT)?;
        path.split('/').filter(|part| !part.is_empty()).try_fold(root, |at, part| self.child(at.inode, part))
    }

    /// How many nodes there are, the root with them.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn add(&mut self, torrent: usize, shown: &Shown) {
        let base = (torrent as u64 + 1) << 32;
        let Some(files) = &shown.files else {
            self.insert(
                base,
                ROOT,
                &shown.name,
                Kind::Folder { torrent: Some(torrent), children: Vec::new() },
            );
            self.insert(base | 0xffff_ffff, base, WAITING, Kind::Waiting { torrent });
            return;
        };
        let is_single = files.files.len() == 1 && files.files.iter().all(|file| !file.path.contains('/'));
        let top = if is_single && !shown.is_folder { ROOT } else { base };
        if top == base {
            self.insert(
                base,
                ROOT,
                &shown.name,
                Kind::Folder { torrent: Some(torrent), children: Vec::new() },
            );
        }
        let mut folders = 0;
        for (index, file) in files.files.iter().enumerate() {
            let mut parts: Vec<&str> = file.path.split('/').collect();
            let name = parts.pop().unwrap_or_default();
            let mut at = top;
            for part in parts.into_iter().skip(1) {
                at = match self.child(at, part) {
                    Some(folder) => folder.inode,
                    None => {
                        folders += 1;
                        let inode = base | 1 << 31 | folders;
                        self.insert(
                            inode,
                            at,
                            part,
                            Kind::Folder { torrent: Some(torrent), children: Vec::new() },
                        );
                        inode
                    }
                };
            }
            let kind = Kind::File { torrent, index, length: file.length };
            self.insert(base | (index as u64 + 1), at, name, kind);
        }
    }

    fn insert(&mut self, inode: u64, parent: u64, name: &str, kind: Kind) {
        self.nodes.insert(inode, Node { inode, parent, name: name.to_owned(), kind });
        self.names.insert((parent, name.to_owned()), inode);
        if let Some(Node { kind: Kind::Folder { children, .. }, .. }) = self.nodes.get_mut(&parent) {
            children.push(inode);
        }
    }
}
