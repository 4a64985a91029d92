//! The few things that the store asks of a disk, so that tests can put a disk that breaks in its place.

use std::any::Any;
use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

/// What a file is recognised by: a hint that nobody else has changed it, never a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) size: u64,
    /// Of Windows, the file's index. 0 where the system has none: then nothing is recognised.
    pub(super) inode: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// For reading too. Fails with `ResourceBusy` if another one has the file open to write to it, as far as the file system
    /// can tell.
    Write,
    /// As `Write`; the file is made, with the folders that lead to it, if it is not there.
    Make,
}

/// Held for as long as the lock is.
pub(super) type Lock = Box<dyn Any + Send>;

/// A folder; paths are relative to it and may not leave it.
pub(super) trait Folder: Send + Sync {
    /// Makes the folder if it is not there (then true) and checks that it can be written.
    fn create(&self) -> io::Result<bool>;
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;
    /// `None` if there is no such file.
    fn identity(&self, path: &Path) -> io::Result<Option<Identity>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in this folder below it (or in itself, for the empty path) survive a power loss.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Deletes a file. One that is not there is no error.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Deletes a folder in this one, or this one itself (for the empty path), if nothing is in it. One that is not there, or
    /// not empty, is no error.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Deletes this folder with all that is in it. One that is not there is no error.
    fn remove_all(&self) -> io::Result<()>;
    /// `None` if somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// An open file.
pub(super) trait File: Send + Sync {
    /// Writes all of the parts, one behind the other, from byte `at` on.
    fn write(&self, parts: &mut [IoSlice<'_>], at: u64) -> io::Result<()>;
    /// Fills all of `into` from byte `at` on, or fails.
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<()>;
    /// What was written survives a power loss once this is done.
    fn sync(&self) -> io::Result<()>;
    fn identity(&self) -> io::Result<Identity>;
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// True if some byte of the range is known never to have been written.
    fn has_hole(&self, start: u64, end: u64) -> bool;
    /// The first byte from `from` on that may ever have been written; `u64::MAX` if there is none.
    fn next_data(&self, from: u64) -> u64;
}

/// A folder of this computer.
pub(super) struct RealFolder {
    path: PathBuf,
    /// The path without symbolic links: nothing outside of it is touched.
    real: OnceLock<PathBuf>,
}

impl RealFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        RealFolder { path, real: OnceLock::new() }
    }

    fn join(&self, path: &Path) -> io::Result<PathBuf> {
        if path.components().all(|part| matches!(part, Component::Normal(_))) {
            Ok(self.path.join(path))
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "a name in the torrent leads out of the folder"))
        }
    }

    /// The nearest folder above `path` that exists, and the file itself if it is a symbolic link, must not lead outside.
    fn check_inside(&self, path: &Path) -> io::Result<()> {
        let Some(root) = self.real.get() else { return Ok(()) };
        let inside = |path: &Path| match fs::canonicalize(path) {
            Ok(real) if !real.starts_with(root) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is a symbolic link that leads out of the folder", path.display()),
            )),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) && !inside(path)? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is a symbolic link that leads nowhere", path.display()),
            ));
        }
        for above in path.ancestors().skip(1) {
            if above == self.path || inside(above)? {
                break;
            }
        }
        Ok(())
    }
}

impl Folder for RealFolder {
    fn create(&self) -> io::Result<bool> {
        let is_new = !self.path.exists();
        fs::create_dir_all(&self.path)?;
        #[cfg(unix)]
        rustix::fs::access(&self.path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
        let real = fs::canonicalize(&self.path)?;
        self.real.get_or_init(|| real);
        Ok(is_new)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let path = self.join(path)?;
        self.check_inside(&path)?;
        if access == Access::Read {
            return Ok(Arc::new(RealFile(OpenOptions::new().read(true).open(&path)?)));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        share_reading_only(&mut options);
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && access == Access::Make => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                options.create_new(true).open(&path)
            }
            there => there,
        };
        Ok(Arc::new(RealFile(file.and_then(lock_to_write).map_err(busy_if_shared)?)))
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        match fs::metadata(self.join(path)?) {
            Ok(found) if found.is_file() => {
                Ok(Some(identity_of(&found, || fs::File::open(self.join(path)?))))
            }
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.join(from)?, self.join(to)?)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened; its names are kept in order by the file system's own journal.
        #[cfg(unix)]
        fs::File::open(self.join(path)?)?.sync_all()?;
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let path = self.join(path)?;
        self.check_inside(&path)?;
        unless_gone(fs::remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        // The folder itself lies where the user has put it.
        if path != Path::new("") {
            self.check_inside(&self.join(path)?)?;
        }
        match fs::remove_dir(self.join(path)?) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            done => unless_gone(done),
        }
    }

    fn remove_all(&self) -> io::Result<()> {
        unless_gone(fs::remove_dir_all(&self.path))
    }

    #[cfg(unix)]
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        use rustix::fs::{FlockOperation, flock};
        use std::os::unix::fs::MetadataExt;
        let path = self.join(path)?;
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Who removes a torrent removes its lock: between our two steps it may have become nobody's.
                Ok(())
                    if fs::metadata(&path).is_ok_and(|named| {
                        file.metadata()
                            .is_ok_and(|ours| (ours.dev(), ours.ino()) == (named.dev(), named.ino()))
                    }) =>
                {
                    return Ok(Some(Box::new(file)));
                }
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[cfg(windows)]
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        use std::os::windows::fs::OpenOptionsExt;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).share_mode(0);
        match options.open(self.join(path)?) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) => match busy_if_shared(error) {
                busy if busy.kind() == io::ErrorKind::ResourceBusy => Ok(None),
                error => Err(error),
            },
        }
    }
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(())
        }
        done => done,
    }
}

/// Locks a file that is open to be written, for as long as it is. Players and whoever else reads it do not mind.
#[cfg(unix)]
fn lock_to_write(file: fs::File) -> io::Result<fs::File> {
    use rustix::fs::{FlockOperation, flock};
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::ErrorKind::ResourceBusy.into()),
        // Some file systems know no locks.
        Ok(()) | Err(_) => Ok(file),
    }
}

#[cfg(not(unix))]
fn lock_to_write(file: fs::File) -> io::Result<fs::File> {
    Ok(file)
}

#[cfg(windows)]
fn share_reading_only(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const FILE_SHARE_DELETE: u32 = 4;
    options.share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
}

#[cfg(not(windows))]
fn share_reading_only(_: &mut OpenOptions) {}

/// On Windows: somebody has the file open who does not share it.
fn busy_if_shared(error: io::Error) -> io::Error {
    const ERROR_SHARING_VIOLATION: i32 = 32;
    if cfg!(windows) && error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) {
        return io::ErrorKind::ResourceBusy.into();
    }
    error
}

/// `opened` is the file, for systems that tell its number only then.
fn identity_of(found: &fs::Metadata, opened: impl FnOnce() -> io::Result<fs::File>) -> Identity {
    #[cfg(not(windows))]
    drop(opened);
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(found);
    #[cfg(windows)]
    let inode =
        opened().and_then(winapi_util::file::information).map_or(0, |information| information.file_index());
    #[cfg(not(any(unix, windows)))]
    let inode = 0;
    let since = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
    Identity { size: found.len(), inode, modified }
}

struct RealFile(fs::File);

impl File for RealFile {
    #[cfg(target_os = "linux")]
    fn write(&self, mut parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match rustix::io::pwritev(&self.0, parts, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut parts, written);
                    at += written as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn write(&self, parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        for part in parts {
            std::os::unix::fs::FileExt::write_all_at(&self.0, part, at)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write(&self, parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                match std::os::windows::fs::FileExt::seek_write(&self.0, rest, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        rest = rest.get(written..).unwrap_or_default();
                        at += written as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, into, at)
    }

    #[cfg(windows)]
    fn read(&self, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
        while !into.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.0, into, at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    into = into.get_mut(read..).unwrap_or_default();
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(identity_of(&self.0.metadata()?, || self.0.try_clone()))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    #[cfg(target_os = "linux")]
    fn has_hole(&self, start: u64, end: u64) -> bool {
        rustix::fs::seek(&self.0, rustix::fs::SeekFrom::Hole(start)).is_ok_and(|hole| hole < end)
    }

    #[cfg(not(target_os = "linux"))]
    fn has_hole(&self, _start: u64, _end: u64) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    fn next_data(&self, from: u64) -> u64 {
        match rustix::fs::seek(&self.0, rustix::fs::SeekFrom::Data(from)) {
            Ok(data) => data,
            // Nothing but a hole.
            Err(rustix::io::Errno::NXIO) => u64::MAX,
            Err(_) => from,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn next_data(&self, from: u64) -> u64 {
        from
    }
}
