//! The folder at which torrents are mounted: made if it is not there, freed of a mount whose program died, and left as it was.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::fuse::MountError;

/// What our mounts are called where mounts are listed.
pub const SOURCE: &str = "peerflix";

/// So many dead mounts, one upon the other, are cleaned away.
const DEAD: usize = 16;

/// An empty folder to mount on.
#[derive(Debug)]
pub struct Place {
    at: PathBuf,
    /// The folders that were not there before, the outermost first.
    made: Vec<PathBuf>,
}

/// A line of /proc/self/mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The device's numbers, as in `0:53`.
    pub(super) device: String,
    at: PathBuf,
    kind: String,
    source: String,
}

/// Makes `at` ready to mount on: a folder, empty, with no living mount of ours on it. A dead one ("Transport endpoint is not
/// connected") is cleaned away.
pub fn prepare(at: &Path) -> Result<Place, MountError> {
    let failed = |why| MountError::Folder { at: at.to_owned(), why };
    let mut made = Vec::new();
    let at = whole(at).map_err(failed)?;
    for _ in 0..DEAD {
        match look(&at) {
            Err(error) if is_dead(&error) => {
                let is_ours = mounted_at(&at).is_none_or(|line| line.source == SOURCE);
                if !is_ours || !unmount(&at) {
                    return Err(MountError::InUse { at });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let missing = at.ancestors().take_while(|folder| !folder.exists());
                made = missing.map(Path::to_owned).collect();
                made.reverse();
                fs::create_dir_all(&at).map_err(failed)?;
                break;
            }
            Err(error) => return Err(failed(error)),
            Ok(_) => break,
        }
    }
    let place = Place { at, made };
    match place.refused() {
        Ok(None) => Ok(place),
        Ok(Some(refused)) => {
            place.leave();
            Err(refused)
        }
        Err(error) => {
            place.leave();
            Err(failed(error))
        }
    }
}

/// Whether there is something at `at`, and somebody behind it if it is a mount of ours.
fn look(at: &Path) -> io::Result<()> {
    fs::symlink_metadata(at)?;
    // The kernel remembers what it was told of a folder, and answers that for a program that has died. This it does not know.
    if mounted_at(at).is_some_and(|line| line.source == SOURCE) {
        rustix::fs::statvfs(at)?;
    }
    Ok(())
}

impl Place {
    /// Without links in it.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Takes the folders away that were made for it, as far as they are empty.
    pub fn leave(&self) {
        for folder in self.made.iter().rev() {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }

    fn refused(&self) -> io::Result<Option<MountError>> {
        let at = self.at.clone();
        if mounted_at(&at).is_some_and(|line| line.source == SOURCE) {
            return Ok(Some(MountError::InUse { at }));
        }
        if !fs::metadata(&at)?.is_dir() {
            return Ok(Some(MountError::NotAFolder { at }));
        }
        let is_empty = fs::read_dir(&at)?.next().is_none();
        Ok((!is_empty).then_some(MountError::NotEmpty { at }))
    }
}

/// Unmounts what is mounted there, whether it is busy or not: then it is gone from the tree, and ends when the last who has a
/// file of it open lets go. Whether it did.
pub fn unmount(at: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::mount::UnmountFlags;
        if rustix::mount::unmount(at, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {
            return true;
        }
    }
    // Who is not root has a program for it, which asks nothing if the mount is theirs.
    let options: &[&str] = if cfg!(target_os = "linux") { &["-u", "-z", "-q", "--"] } else { &["-f"] };
    HELPERS.iter().any(|program| {
        let mut command = Command::new(program);
        command.args(options).arg(at).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// What mounts and unmounts for those who are not root, found even by those whose PATH names next to nothing.
const HELPERS: &[&str] = if cfg!(target_os = "linux") {
    &[
        "fusermount3",
        "/bin/fusermount3",
        "/sbin/fusermount3",
        "fusermount",
        "/bin/fusermount",
        "/sbin/fusermount",
    ]
} else {
    &["umount", "/sbin/umount"]
};

/// Whether this user can mount: as root, or with a helper.
pub(super) fn has_helper() -> bool {
    let runs = |program: &&str| {
        let mut command = Command::new(program);
        command.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    rustix::process::geteuid().is_root() || HELPERS.iter().any(runs)
}

/// What is mounted at this path without links: the topmost. `None` as well where nobody can tell.
pub(super) fn mounted_at(at: &Path) -> Option<Line> {
    let lines = fs::read("/proc/self/mountinfo").ok()?;
    let lines = lines.split(|&byte| byte == b'\n');
    lines.filter_map(Line::new).rfind(|line| line.at == at)
}

/// The path without links and from the root, be there anything or not. The last part is not asked for: what is mounted there
/// may be dead, or may not answer.
fn whole(at: &Path) -> io::Result<PathBuf> {
    let at = std::path::absolute(at)?;
    match (at.parent(), at.file_name()) {
        (Some(parent), Some(name)) if !fs::symlink_metadata(&at).is_ok_and(|what| what.is_symlink()) => {
            match parent.canonicalize() {
                Ok(parent) => Ok(parent.join(name)),
                // It is to be made, and so is the name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(at),
                Err(error) => Err(error),
            }
        }
        _ => at.canonicalize(),
    }
}

fn is_dead(error: &io::Error) -> bool {
    let dead = [rustix::io::Errno::NOTCONN, rustix::io::Errno::CONNABORTED];
    error.raw_os_error().is_some_and(|raw| dead.iter().any(|errno| errno.raw_os_error() == raw))
}

impl Line {
    /// proc_pid_mountinfo(5): `id parent major:minor root at options [fields] - kind source options`.
    fn new(line: &[u8]) -> Option<Line> {
        let mut words = line.split(|&byte| byte == b' ');
        let device = String::from_utf8(words.nth(2)?.to_vec()).ok()?;
        let at = unescaped(words.nth(1)?);
        let mut words = words.skip_while(|word| *word != b"-").skip(1);
        let text = |word: &[u8]| String::from_utf8_lossy(&unescaped(word)).into_owned();
        Some(Line { device, at: path(&at), kind: text(words.next()?), source: text(words.next()?) })
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Spaces, tabs, ends of line and backslashes are written as three octal digits.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_of_mounts_is_read() {
        let line = b"36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 shared:2 - fuse.peerflix peerflix rw,errors=continue";
        let line = Line::new(line).expect("it is one");
        let text = |text: &str| text.to_owned();
        let at = PathBuf::from("/mnt/a b");
        let (kind, source) = (text("fuse.peerflix"), text("peerflix"));
        assert_eq!(line, Line { device: text("98:0"), at, kind, source });
        assert_eq!(Line::new(b""), None);
        assert_eq!(Line::new(b"36 35 98:0 /mnt1 /mnt"), None);
        assert_eq!(unescaped(b"\\"), b"\\");
        assert_eq!(unescaped(b"\\0a\\134"), b"\\0a\\");
    }

    #[test]
    fn what_is_mounted_at_the_root_is_found() {
        if cfg!(target_os = "linux") {
            assert!(mounted_at(Path::new("/")).is_some());
        }
        assert_eq!(mounted_at(Path::new("/nothing/is/mounted/here")), None);
    }

    #[test]
    fn folders_that_were_made_are_taken_away_and_others_are_left() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let at = home.path().join("a/b/c");
        let place = prepare(&at).expect("it can be made");
        assert!(at.is_dir() && place.at().ends_with("a/b/c"));
        place.leave();
        assert!(home.path().is_dir() && !home.path().join("a").exists());

        fs::create_dir_all(&at).expect("it can be made");
        prepare(&at).expect("it is there and empty").leave();
        assert!(at.is_dir());
    }

    #[test]
    fn only_an_empty_folder_will_do() {
        let home = tempfile::tempdir().expect("a temporary folder");
        fs::write(home.path().join("file"), "").expect("there is room");
        assert!(matches!(prepare(home.path()), Err(MountError::NotEmpty { .. })));
        assert!(matches!(prepare(&home.path().join("file")), Err(MountError::NotAFolder { .. })));
        assert!(matches!(prepare(&home.path().join("file/below")), Err(MountError::Folder { .. })));
        std::os::unix::fs::symlink("nowhere", home.path().join("link")).expect("there is room");
        assert!(matches!(prepare(&home.path().join("link")), Err(MountError::Folder { .. })));
    }
}
