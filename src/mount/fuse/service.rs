//! What the kernel asks, answered. Nothing here waits: a read of what is not there becomes a task of its own.

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileHandle as Number, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::attributes::{Attributes, FOREVER};
use super::open::{FileHandle, Handle, Open};
use super::{MountConfig, note_in};
use crate::lock::lock;
use crate::mount::guard::{Guard, Verdict};
use crate::mount::reading::ReadFailure;
use crate::mount::shelf::Shelf;
use crate::mount::status;
use crate::mount::tree::{Kind, Node, ROOT, STATUS, STATUS_INODE, Tree};
use crate::read::Contents;

/// No inode is ever used again for anything else.
const GENERATION: Generation = Generation(0);
/// Requests that the kernel may have with us at once without anybody waiting for them: reads ahead, of all readers.
const BACKGROUND: u16 = 128;
/// What `statfs` counts in, and the kernel's page.
const PAGE: u32 = 4096;
/// The longest name, as everywhere.
const NAME: u32 = 255;
const READ_ONLY: Errno = Errno::EROFS;

pub(super) struct Service {
    shelf: Shelf,
    attributes: Attributes,
    runtime: tokio::runtime::Handle,
    open: Arc<Open>,
    guard: Mutex<Guard>,
    began_at: Instant,
    read_timeout: Option<Duration>,
}

impl Service {
    pub(super) fn new(
        shelf: Shelf,
        config: &MountConfig,
        runtime: tokio::runtime::Handle,
        open: Arc<Open>,
    ) -> Self {
        Service {
            attributes: Attributes::new(shelf.clone()),
            shelf,
            runtime,
            open,
            guard: Mutex::new(config.guard.clone()),
            began_at: Instant::now(),
            read_timeout: config.read_timeout,
        }
    }

    fn opened(&self, handle: Handle, flags: FopenFlags, reply: ReplyOpen) {
        match self.open.add(handle) {
            Some(number) => reply.opened(Number(number), flags),
            None => reply.error(Errno::ENOTCONN),
        }
    }

    fn read_file(
        &self,
        file: Arc<FileHandle>,
        number: u64,
        range: Range<u64>,
        thread: u32,
        reply: ReplyData,
    ) {
        let only = match self.verdict(&file, &range, thread) {
            Verdict::Free => false,
            Verdict::Allowed => true,
            Verdict::Refused => return reply.error(Errno::EIO),
        };
        let (shelf, waited, start) = (self.shelf.clone(), Arc::clone(&file), range.start);
        let mut read = Box::pin(async move {
            let read = file.read(&shelf, &range, only).await;
            if read == Err(ReadFailure::NoPeersInTime) {
                file.fail(thread, range, u64::from(PAGE));
            }
            read
        });
        // What is at hand needs no task; and what a disk has to bring is on its way by the time there is one.
        let _runtime = self.runtime.enter();
        let tried = Pin::as_mut(&mut read).poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(read) = tried {
            return answer(read, reply);
        }
        if waited.has_just_failed(thread, start) {
            return reply.error(Errno::EIO);
        }
        let Some(mut turn) = self.open.wait(number, thread) else { return reply.error(Errno::EIO) };
        self.runtime.spawn(async move {
            tokio::select! {
                biased;
                read = read => answer(read, reply),
                _ = &mut turn.unwanted => reply.error(Errno::EINTR),
            }
        });
    }

    /// Whether this thread may have these bytes fetched. What is there already anybody may have; but nothing is read ahead of it
    /// for a scanner.
    fn verdict(&self, file: &FileHandle, range: &Range<u64>, thread: u32) -> Verdict {
        let range = range.start..range.end.min(file.length);
        let Some(program) = file.program_of(thread).filter(|_| !range.is_empty()) else {
            return Verdict::Free;
        };
        let mut guard = lock(&self.guard);
        if !guard.is_scanner(&program) {
            return Verdict::Free;
        }
        let cost = |contents: Arc<dyn Contents>| contents.to_fetch(file.index, range.clone());
        let cost = self.shelf.contents(file.torrent).map_or(range.end.saturating_sub(range.start), cost);
        if cost == 0 {
            return Verdict::Allowed;
        }
        guard.admit(self.began_at.elapsed(), &program, file.length, range, cost)
    }

    /// What is in a folder from `offset` on, until `add` says that it is enough: the next entry's offset, the node, its name.
    fn list(
        &self,
        number: Number,
        offset: u64,
        mut add: impl FnMut(u64, &Tree, &Node, &str) -> bool,
        inode: INodeNo,
    ) -> Result<(), Errno> {
        let Some(Handle::Folder(tree)) = self.open.find(number.0) else { return Err(Errno::EBADF) };
        let folder = tree.node(inode.0).ok_or(Errno::ESTALE)?;
        let Kind::Folder { children, .. } = &folder.kind else { return Err(Errno::ENOTDIR) };
        let parent = tree.node(folder.parent).unwrap_or(folder);
        let dots = [(folder, "."), (parent, "..")];
        let children = children
            .get(usize::try_from(offset).unwrap_or(usize::MAX).saturating_sub(dots.len())..)
            .unwrap_or_default()
            .iter()
            .filter_map(|child| tree.node(*child))
            .map(|child| (child, child.name.as_str()));
        let dots = dots.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
        for (next, (node, name)) in (offset.saturating_add(1)..).zip(dots.chain(children)) {
            if add(next, &tree, node, name) {
                break;
            }
        }
        Ok(())
    }
}

fn answer(read: Result<Bytes, ReadFailure>, reply: ReplyData) {
    match read {
        Ok(bytes) => reply.data(&bytes),
        Err(_) => reply.error(Errno::EIO),
    }
}

/// As extended attributes are given: whole, or their size.
fn extended(value: &[u8], room: u32, reply: ReplyXattr) {
    match u32::try_from(value.len()) {
        Ok(size) if room == 0 => reply.size(size),
        Ok(size) if size <= room => reply.data(value),
        _ => reply.error(Errno::ERANGE),
    }
}

fn kind_of(node: &Node) -> FileType {
    match node.kind {
        Kind::Folder { .. } => FileType::Directory,
        Kind::File { .. } | Kind::Waiting { .. } => FileType::RegularFile,
    }
}

impl Filesystem for Service {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // What a kernel does not know it does without.
        let wishes = [
            // Many may look into one folder at once.
            InitFlags::FUSE_PARALLEL_DIROPS,
            // `ls -l` asks once a folder, not once a file.
            InitFlags::FUSE_DO_READDIRPLUS,
            // The content never changes, whatever the times say.
            InitFlags::FUSE_EXPLICIT_INVAL_DATA,
        ];
        for wish in wishes {
            let _ = config.add_capabilities(wish);
        }
        let _ = config.set_max_background(BACKGROUND);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent.0 == ROOT && name == STATUS {
            return reply.entry(&FOREVER, &self.attributes.of_status(), GENERATION);
        }
        let tree = self.shelf.tree();
        match name.to_str().and_then(|name| tree.child(parent.0, name)) {
            Some(node) => {
                let (attributes, valid) = self.attributes.of(&tree, node);
                let is_note = matches!(node.kind, Kind::Waiting { .. });
                let named = if is_note { Duration::ZERO } else { FOREVER };
                reply.entry_with_ttls(&valid, &named, &attributes, GENERATION);
            }
            // Something by that name may come.
            None if note_in(&tree, parent.0).is_some() => reply.error(Errno::ENOENT),
            None => reply.entry(&FOREVER, &self.attributes.of_nothing(), GENERATION),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<Number>, reply: ReplyAttr) {
        if inode.0 == STATUS_INODE {
            return reply.attr(&FOREVER, &self.attributes.of_status());
        }
        let tree = self.shelf.tree();
        match tree.node(inode.0) {
            Some(node) => {
                let (attributes, valid) = self.attributes.of(&tree, node);
                reply.attr(&valid, &attributes);
            }
            None => reply.error(Errno::ESTALE),
        }
    }

    fn open(&self, _: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if flags.acc_mode() != OpenAccMode::O_RDONLY {
            return reply.error(READ_ONLY);
        }
        if inode.0 == STATUS_INODE {
            let text = Handle::Text(status::json(&self.shelf).into());
            return self.opened(text, FopenFlags::FOPEN_DIRECT_IO, reply);
        }
        match self.shelf.tree().node(inode.0).map(|node| &node.kind) {
            Some(&Kind::File { torrent, index, length }) => {
                let file = FileHandle::new(torrent, index, length, self.read_timeout);
                self.opened(Handle::File(Arc::new(file)), FopenFlags::FOPEN_KEEP_CACHE, reply);
            }
            Some(Kind::Waiting { torrent }) => {
                let text = Handle::Text(self.shelf.note_of(*torrent).into());
                self.opened(text, FopenFlags::FOPEN_DIRECT_IO, reply);
            }
            Some(Kind::Folder { .. }) => reply.error(Errno::EISDIR),
            None => reply.error(Errno::ESTALE),
        }
    }

    fn read(
        &self,
        request: &Request,
        _: INodeNo,
        number: Number,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let end = offset.saturating_add(u64::from(size));
        match self.open.find(number.0) {
            Some(Handle::File(file)) => self.read_file(file, number.0, offset..end, request.pid(), reply),
            Some(Handle::Text(text)) => {
                let at = |offset: u64| usize::try_from(offset).map_or(text.len(), |at| at.min(text.len()));
                reply.data(text.get(at(offset)..at(end)).unwrap_or_default());
            }
            Some(Handle::Folder(_)) => reply.error(Errno::EISDIR),
            None => reply.error(Errno::EBADF),
        }
    }

    fn flush(&self, request: &Request, _: INodeNo, number: Number, _: LockOwner, reply: ReplyEmpty) {
        self.open.flush(number.0, request.pid());
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        number: Number,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.open.release(number.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: Number, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.opened(Handle::Folder(self.shelf.tree()), FopenFlags::empty(), reply);
    }

    fn readdir(&self, _: &Request, inode: INodeNo, number: Number, offset: u64, mut reply: ReplyDirectory) {
        let add = |next, _: &Tree, node: &Node, name: &str| {
            reply.add(INodeNo(node.inode), next, kind_of(node), name)
        };
        match self.list(number, offset, add, inode) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        inode: INodeNo,
        number: Number,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let add = |next, tree: &Tree, node: &Node, name: &str| {
            let (attributes, valid) = self.attributes.of(tree, node);
            reply.add(INodeNo(node.inode), next, name, &valid, &attributes, GENERATION)
        };
        match self.list(number, offset, add, inode) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn releasedir(&self, _: &Request, _: INodeNo, number: Number, _: OpenFlags, reply: ReplyEmpty) {
        self.open.release(number.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: Number, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let blocks = self.shelf.total().div_ceil(u64::from(PAGE));
        let files = self.shelf.tree().len() as u64;
        reply.statfs(blocks, 0, 0, files, 0, PAGE, NAME, PAGE);
    }

    fn getxattr(&self, _: &Request, inode: INodeNo, name: &OsStr, room: u32, reply: ReplyXattr) {
        let name = name.to_string_lossy();
        if !name.starts_with("user.") {
            // Programs that look for rights and labels need not ask of each file.
            return reply.error(Errno::EOPNOTSUPP);
        }
        let tree = self.shelf.tree();
        let attributes = tree.node(inode.0).map(|node| self.attributes.extended(node)).unwrap_or_default();
        match attributes.into_iter().find(|(known, _)| *known == name) {
            Some((_, value)) => extended(value.as_bytes(), room, reply),
            None => reply.error(Errno::NO_XATTR),
        }
    }

    fn listxattr(&self, _: &Request, inode: INodeNo, room: u32, reply: ReplyXattr) {
        let tree = self.shelf.tree();
        let attributes = tree.node(inode.0).map(|node| self.attributes.extended(node)).unwrap_or_default();
        let names: String = attributes.iter().flat_map(|(name, _)| [*name, "\0"]).collect();
        extended(names.as_bytes(), room, reply);
    }

    fn access(&self, _: &Request, _: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        if mask.contains(AccessFlags::W_OK) { reply.error(READ_ONLY) } else { reply.ok() }
    }

    /// Nothing is told of where there are holes: what has not come yet is none. The kernel then says that there are none.
    fn lseek(&self, _: &Request, _: INodeNo, _: Number, _: i64, _: i32, reply: ReplyLseek) {
        reply.error(Errno::ENOSYS);
    }

    // The kernel answers what follows by itself, unless somebody has mounted it again for writing.

    fn setattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<Number>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.error(READ_ONLY);
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(READ_ONLY);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(READ_ONLY);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(READ_ONLY);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(READ_ONLY);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &std::path::Path, reply: ReplyEntry) {
        reply.error(READ_ONLY);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: INodeNo,
        _: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(READ_ONLY);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(READ_ONLY);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: Number,
        _: u64,
        _: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.error(READ_ONLY);
    }

    fn setxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: &[u8], _: i32, _: u32, reply: ReplyEmpty) {
        reply.error(READ_ONLY);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(READ_ONLY);
    }

    fn create(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        reply.error(READ_ONLY);
    }

    fn fallocate(&self, _: &Request, _: INodeNo, _: Number, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        reply.error(READ_ONLY);
    }
}
