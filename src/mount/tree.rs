//! What a mount shows: folders and files with numbers and names, made of the torrents' files. No file, no clock.

mod branch;
mod names;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::branch::{Branch, Folder};
use self::names::Names;
use crate::read::Files;

/// The inode of the mount's own folder.
pub const ROOT: u64 = 1;

/// A torrent, as it is to be shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What its entry is called: the torrent's name; of a magnet, the name in the link, else the info hash. Never
    /// changes. It may be anything: what is shown of it is safe.
    pub name: String,
    /// A folder even if it has a single file: so is what began as a magnet, whose folder was there before its
    /// files.
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
    /// Safe to show and to use as one part of a path: 1 to 255 bytes, no control characters. The root's is empty.
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `torrent`: whose it is; `None` for the root. `children`: the folders, then the files, as they come in the
    /// torrent.
    Folder { torrent: Option<usize>, children: Vec<u64> },
    /// `index` into the torrent's files.
    File { torrent: usize, index: usize, length: u64 },
    /// The note in the folder of a torrent whose files are not known yet; what it says changes.
    Waiting { torrent: usize },
}

/// The name of the note.
pub const WAITING: &str = ".waiting";

/// The control file in the mount's own folder: found by name, never listed, so that no copy of the folder takes it
/// along. No torrent's entry has its name.
pub const STATUS: &str = ".peerflix-status";
/// The inode of it.
pub const STATUS_INODE: u64 = 2;

/// All that is shown. Cheap to clone.
///
/// Names that clash get numbers: `film.mkv`, `film (2).mkv`. A folder keeps its name, then the first file of that
/// name; the case of letters tells names apart. The mount's own folder is named by [`Shown::name`] alone, so that
/// nothing there has another name once the files of a torrent are known.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Folder,
    /// What each torrent's entry is called.
    names: Arc<[String]>,
    branches: Vec<Arc<Branch>>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree::new(&[])
    }
}

impl Tree {
    /// The same torrents in the same order give the same inodes and names.
    pub fn new(shown: &[Shown]) -> Tree {
        let mut names = Names::default();
        names.reserve(0, STATUS);
        let names = names.place(shown.iter().map(|shown| (0, shown.name.as_str())));
        let named = shown.iter().zip(&names).enumerate();
        let branches = named.map(|(torrent, (shown, name))| Arc::new(Branch::new(torrent, name, shown)));
        Tree::of(branches.collect(), names.into())
    }

    /// The same with this torrent shown otherwise: its files are known. Takes the time of this torrent's files
    /// only. Its name stays what it was, and so do all other inodes.
    pub fn knowing(&self, torrent: usize, shown: &Shown) -> Tree {
        let mut branches = self.branches.clone();
        if let (Some(branch), Some(name)) = (branches.get_mut(torrent), self.names.get(torrent)) {
            *branch = Arc::new(Branch::new(torrent, name, shown));
        }
        Tree::of(branches, self.names.clone())
    }

    fn of(branches: Vec<Arc<Branch>>, names: Arc<[String]>) -> Tree {
        let mut root = Folder::new(Node {
            inode: ROOT,
            parent: ROOT,
            name: String::new(),
            kind: Kind::Folder { torrent: None, children: Vec::new() },
        });
        for top in branches.iter().filter_map(|branch| branch.top()) {
            root.push(top.inode, matches!(top.kind, Kind::Folder { .. }));
        }
        let mut tree = Tree { root, names, branches };
        tree.root.by_name = tree.root.sorted(|inode| tree.name(inode));
        tree
    }

    pub fn node(&self, inode: u64) -> Option<&Node> {
        if inode == ROOT {
            return Some(&self.root.node);
        }
        self.branch(inode)?.node(inode)
    }

    /// The child of that name.
    pub fn child(&self, parent: u64, name: &str) -> Option<&Node> {
        let by_name = &self.folder(parent)?.by_name;
        let at = by_name.binary_search_by(|&inode| self.name(inode).cmp(name)).ok()?;
        self.node(*by_name.get(at)?)
    }

    /// What is in a folder, in its order; nothing in a file.
    pub fn children(&self, inode: u64) -> impl Iterator<Item = &Node> {
        let children = match self.node(inode).map(|node| &node.kind) {
            Some(Kind::Folder { children, .. }) => children.as_slice(),
            _ => &[],
        };
        children.iter().filter_map(|child| self.node(*child))
    }

    /// The links to a folder, as file systems count them: its name, its `.`, and the `..` of each folder in it. Of
    /// anything else: 1.
    pub fn folders_links(&self, inode: u64) -> u32 {
        self.folder(inode).map_or(1, |folder| folder.subfolders.saturating_add(2))
    }

    /// By a path from the root, parts joined by `/`; empty parts are passed over.
    pub fn find(&self, path: &str) -> Option<&Node> {
        let root = self.node(ROOT)?;
        path.split('/').filter(|part| !part.is_empty()).try_fold(root, |at, part| self.child(at.inode, part))
    }

    /// How many nodes there are, the root with them.
    pub fn len(&self) -> usize {
        self.branches.iter().map(|branch| branch.len()).sum::<usize>() + 1
    }

    /// No torrent is shown.
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    fn name(&self, inode: u64) -> &str {
        self.node(inode).map_or("", |node| &node.name)
    }

    fn folder(&self, inode: u64) -> Option<&Folder> {
        if inode == ROOT { Some(&self.root) } else { self.branch(inode)?.folder(inode) }
    }

    fn branch(&self, inode: u64) -> Option<&Branch> {
        let torrent = usize::try_from(inode >> 32).ok()?.checked_sub(1)?;
        self.branches.get(torrent).map(Arc::as_ref)
    }
}
