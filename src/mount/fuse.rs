//! The tree mounted with FUSE: no root needed, and any program can read it. Each operation is answered at once but reads of
//! what is not there yet: those wait on their own, and nothing waits for them.

mod attributes;
mod open;
mod service;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fuser::{Config, MountOption, Session, SessionACL};
use tokio::runtime::Handle;
use tokio::sync::watch;

use self::open::Open;
use self::service::Service;
use super::guard::Guard;
use super::place::{self, Place};
use super::shelf::Shelf;
use super::tree::{Kind, Tree};

/// How long [`Mount::close`] may take.
const CLOSING: Duration = Duration::from_secs(2);
/// Threads that take requests in: none of them ever waits, so this is only for more than one processor to be of use.
const THREADS: usize = 2;
/// The most that the kernel asks for at once: what one answer of a reader holds, so that it is passed on without a copy.
const MOST: usize = 256 * 1024;

/// How to mount.
pub struct MountConfig {
    pub at: PathBuf,
    /// Other users may look as well; root always may grant that, others where /etc/fuse.conf says so.
    pub allow_other: bool,
    /// How long a read waits without a single byte; `None`: for ever.
    pub read_timeout: Option<Duration>,
    pub guard: Guard,
}

/// Why it cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error(
        "FUSE is not there: {}\nOr do without it: `peerflix mount --webdav` shows the same folder over the network",
        install()
    )]
    NoFuse,
    #[error("{} is not a folder", at.display())]
    NotAFolder { at: PathBuf },
    #[error("{} is not empty: name a folder that is, or one that is not there yet", at.display())]
    NotEmpty { at: PathBuf },
    #[error("something is mounted at {} already: end that first (`fusermount3 -u {}`)", at.display(), at.display())]
    InUse { at: PathBuf },
    #[error(
        "other users may not be allowed to look: for that, /etc/fuse.conf must have a line that says user_allow_other"
    )]
    NotAllowed,
    #[error("{} cannot be used: {why}", at.display())]
    Folder { at: PathBuf, why: io::Error },
    #[error("it could not be mounted at {}: {why}", at.display())]
    Io { at: PathBuf, why: io::Error },
}

fn install() -> &'static str {
    if cfg!(target_os = "macos") {
        "install macFUSE (https://macfuse.github.io)"
    } else {
        "install the package fuse3 (Debian, Ubuntu: `sudo apt install fuse3`; Fedora: `sudo dnf install fuse3`; \
         Arch: `sudo pacman -S fuse3`), and see that /dev/fuse is there (`sudo modprobe fuse`)"
    }
}

/// A mounted shelf. Dropped, it is unmounted; [`close`](Self::close) is the same, and says when it is done.
pub struct Mount {
    place: Place,
    open: Arc<Open>,
    /// The kernel has let go of it.
    ended: watch::Receiver<bool>,
}

impl Mount {
    /// To be called within a tokio runtime: reads are carried out there.
    pub fn start(shelf: Shelf, config: MountConfig) -> Result<Mount, MountError> {
        let place = place::prepare(&config.at)?;
        let started = start(&shelf, &config, place.at());
        let (session, open) = started.inspect_err(|_| place.leave())?;
        let (ending, ended) = watch::channel(false);
        let at_end = Arc::clone(&open);
        let run = move || {
            // That it was unmounted is a good end, and after any other there is as little left to do.
            let _ = session.run();
            at_end.close();
            ending.send_replace(true);
        };
        let watching = Arc::clone(&open);
        let threads = [
            std::thread::Builder::new().name("mount".to_owned()).spawn(run),
            std::thread::Builder::new().name("mount-watch".to_owned()).spawn(move || watching.watch()),
        ];
        let mount = Mount { place, open, ended };
        for thread in threads {
            thread.map_err(|why| MountError::Io { at: mount.at().to_owned(), why })?;
        }
        read_ahead(mount.at());
        Ok(mount)
    }

    /// Where it is mounted: a path from the root, without links.
    pub fn at(&self) -> &Path {
        self.place.at()
    }

    /// Returns when somebody else has unmounted it (`fusermount3 -u`).
    pub async fn ended(&mut self) {
        // The sender sends before it goes.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    /// Every read that waits fails, and it is unmounted: whoever has a file of it open keeps the file and reads nothing more.
    /// Takes no longer than two seconds.
    pub async fn close(self) {
        let mut ended = self.ended.clone();
        let closing = async {
            // On a thread of its own: a program may have to be run for it.
            let _ = tokio::task::spawn_blocking(move || drop(self)).await;
            // Until the kernel has let go, unless somebody holds it.
            let _ = tokio::time::timeout(CLOSING / 4, ended.wait_for(|ended| *ended)).await;
        };
        let _ = tokio::time::timeout(CLOSING, closing).await;
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.open.close();
        if !*self.ended.borrow() {
            place::unmount(self.at());
        }
        self.place.leave();
    }
}

type Started = (Session<Service>, Arc<Open>);

fn start(shelf: &Shelf, config: &MountConfig, at: &Path) -> Result<Started, MountError> {
    let failed = |why| MountError::Io { at: at.to_owned(), why };
    if cfg!(target_os = "linux") && !Path::new("/dev/fuse").exists() {
        return Err(MountError::NoFuse);
    }
    let runtime = Handle::try_current().map_err(|error| failed(io::Error::other(error)))?;
    let open = Arc::new(Open::default());
    let service = Service::new(shelf.clone(), config, runtime, Arc::clone(&open));
    let session = Session::new(service, at, &options(config)).map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => MountError::NoFuse,
        io::ErrorKind::PermissionDenied if config.allow_other => MountError::NotAllowed,
        _ => failed(why),
    })?;
    Ok((session, open))
}

fn options(config: &MountConfig) -> Config {
    let mut options = Config::default();
    options.mount_options = vec![
        MountOption::RO,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::NoAtime,
        // The kernel then answers by itself who may read, and that nobody may write.
        MountOption::DefaultPermissions,
        MountOption::FSName(place::SOURCE.to_owned()),
        MountOption::Subtype(place::SOURCE.to_owned()),
    ];
    if cfg!(target_os = "linux") {
        options.mount_options.push(MountOption::CUSTOM(format!("max_read={MOST}")));
        options.n_threads = Some(THREADS);
    }
    if config.allow_other {
        options.acl = SessionACL::All;
    }
    options
}

/// Has the kernel read ahead as much as it may ask for at once, twice its own measure: measured, that reads a fifth faster what
/// is there. Only root may say so; more would be fetched in vain around each page that a program touches in mapped memory.
fn read_ahead(at: &Path) {
    if let Some(line) = place::mounted_at(at) {
        let knob = format!("/sys/class/bdi/{}/read_ahead_kb", line.device);
        // Others do without.
        let _ = std::fs::write(knob, (MOST / 1024).to_string());
    }
}

/// The inode of the note in a folder whose files are not known yet. Nothing of such a folder is ever held by the kernel, so that
/// nobody has to tell it when they come.
fn note_in(tree: &Tree, folder: u64) -> Option<u64> {
    let only = tree.children(folder).next()?;
    matches!(only.kind, Kind::Waiting { .. }).then_some(only.inode)
}
