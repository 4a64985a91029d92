//! What is shown of one torrent. An inode says by itself where its node is: in its upper half the torrent, in the
//! lower what in the torrent, so that nothing is looked up and the same files have the same inodes in every run.

use std::borrow::Cow;
use std::collections::HashMap;

use super::names::{Names, safe};
use super::{Kind, Node, ROOT, Shown, WAITING};
use crate::read::Files;

/// Of the lower half: the torrent's folder is 0, file `index` is `index + 1`, its other folders count from here,
/// ...
const FOLDERS: u64 = 1 << 31;
/// ... and this is the note.
const NOTE: u64 = LOWER;
const LOWER: u64 = 0xffff_ffff;

#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    /// The torrent's own first. None if it is shown as its file alone.
    folders: Vec<Folder>,
    /// As in the torrent.
    files: Vec<Node>,
    note: Option<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// Of [`Kind::Folder`].
    pub(super) node: Node,
    /// Its children, by the order of their names.
    pub(super) by_name: Vec<u64>,
    pub(super) subfolders: u32,
}

impl Folder {
    pub(super) fn new(node: Node) -> Self {
        Folder { node, by_name: Vec::new(), subfolders: 0 }
    }

    pub(super) fn push(&mut self, inode: u64, is_folder: bool) {
        self.subfolders = self.subfolders.saturating_add(u32::from(is_folder));
        if let Kind::Folder { children, .. } = &mut self.node.kind {
            children.push(inode);
        }
    }

    /// What `by_name` is to be.
    pub(super) fn sorted<'a>(&self, name_of: impl Fn(u64) -> &'a str) -> Vec<u64> {
        let Kind::Folder { children, .. } = &self.node.kind else { return Vec::new() };
        let mut by_name = children.clone();
        by_name.sort_unstable_by(|&a, &b| name_of(a).cmp(name_of(b)));
        by_name
    }
}

impl Branch {
    /// `name`: of its entry in the mount's own folder.
    pub(super) fn new(torrent: usize, name: &str, shown: &Shown) -> Self {
        let base = (torrent as u64 + 1) << 32;
        let mut branch = Branch::default();
        if let Some(files) = &shown.files
            && let [file] = files.files.as_slice()
            && !file.path.contains('/')
            && !shown.is_folder
        {
            let kind = Kind::File { torrent, index: 0, length: file.length };
            branch.files.push(Node { inode: base + 1, parent: ROOT, name: name.to_owned(), kind });
            return branch;
        }
        branch.add_folder(torrent, base, ROOT, name.to_owned());
        match &shown.files {
            Some(files) => branch.add_files(torrent, base, files),
            None => {
                let kind = Kind::Waiting { torrent };
                let note = Node { inode: base + NOTE, parent: base, name: WAITING.to_owned(), kind };
                branch.add_child(0, note.inode, false);
                branch.note = Some(note);
            }
        }
        let by_name: Vec<_> =
            branch.folders.iter().map(|folder| folder.sorted(|child| branch.name(child))).collect();
        branch.folders.iter_mut().zip(by_name).for_each(|(folder, by_name)| folder.by_name = by_name);
        branch
    }

    /// What stands in the mount's own folder.
    pub(super) fn top(&self) -> Option<&Node> {
        self.folders.first().map(|folder| &folder.node).or(self.files.first())
    }

    pub(super) fn node(&self, inode: u64) -> Option<&Node> {
        match inode & LOWER {
            NOTE => self.note.as_ref(),
            0 | FOLDERS.. => self.folder(inode).map(|folder| &folder.node),
            file => self.files.get(usize::try_from(file - 1).ok()?),
        }
    }

    pub(super) fn folder(&self, inode: u64) -> Option<&Folder> {
        let folder = match inode & LOWER {
            0 => 0,
            local => local.checked_sub(FOLDERS).filter(|&folder| folder > 0)?,
        };
        self.folders.get(usize::try_from(folder).ok()?)
    }

    pub(super) fn len(&self) -> usize {
        self.folders.len() + self.files.len() + usize::from(self.note.is_some())
    }

    fn name(&self, inode: u64) -> &str {
        self.node(inode).map_or("", |node| &node.name)
    }

    fn add_folder(&mut self, torrent: usize, inode: u64, parent: u64, name: String) {
        let kind = Kind::Folder { torrent: Some(torrent), children: Vec::new() };
        self.folders.push(Folder::new(Node { inode, parent, name, kind }));
    }

    fn add_child(&mut self, folder: usize, inode: u64, is_folder: bool) {
        if let Some(folder) = self.folders.get_mut(folder) {
            folder.push(inode, is_folder);
        }
    }

    fn add_files(&mut self, torrent: usize, base: u64, files: &Files) {
        let inode_of = |folder: usize| if folder == 0 { base } else { base + FOLDERS + folder as u64 };
        let mut names = Names::default();
        let mut folders: HashMap<(usize, Cow<'_, str>), usize> = HashMap::new();
        // Files of one folder share its path, and mostly come one after the other: each path is walked but once.
        let mut walked: HashMap<&str, usize> = HashMap::new();
        let mut placed: Vec<(usize, &str)> = Vec::with_capacity(files.files.len());
        for file in &files.files {
            // The first part is the torrent's own name.
            let path = file.path.split_once('/').map_or(file.path.as_str(), |(_, path)| path);
            let Some((path, name)) = path.rsplit_once('/') else {
                placed.push((0, path));
                continue;
            };
            if let Some(&folder) = walked.get(path) {
                placed.push((folder, name));
                continue;
            }
            let mut at = 0;
            for part in path.split('/').map(safe) {
                let next = self.folders.len();
                let parent = at;
                at = *folders.entry((parent, part.clone())).or_insert(next);
                if at == next {
                    self.add_folder(torrent, inode_of(at), inode_of(parent), part.clone().into_owned());
                    self.add_child(parent, inode_of(at), true);
                    names.reserve(parent, part);
                }
            }
            walked.insert(path, at);
            placed.push((at, name));
        }
        let names = names.place(placed.iter().copied());
        for (index, ((file, (folder, _)), name)) in files.files.iter().zip(placed).zip(names).enumerate() {
            let inode = base + 1 + index as u64;
            let kind = Kind::File { torrent, index, length: file.length };
            self.files.push(Node { inode, parent: inode_of(folder), name, kind });
            self.add_child(folder, inode, false);
        }
    }
}
