//! Ctrl-C and its kin: the first asks, the second ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::Exit;
use crate::lock::lock;

/// Whether someone has asked the program to end.
#[derive(Clone)]
pub(super) struct Ending {
    asked: watch::Receiver<bool>,
    /// Folders that nobody would remove after a second signal.
    temporary: Arc<Mutex<Vec<PathBuf>>>,
    /// What else must be done then.
    last: Arc<Mutex<Vec<Last>>>,
}

type Last = Box<dyn FnOnce() + Send>;

impl Ending {
    /// Starts to listen for signals. From here on, Ctrl-C no longer kills by itself.
    pub(super) fn listen() -> io::Result<Ending> {
        let (ask, asked) = watch::channel(false);
        let mut signals = Signals::new()?;
        let temporary = Arc::<Mutex<Vec<PathBuf>>>::default();
        let last = Arc::<Mutex<Vec<Last>>>::default();
        let (left, undone) = (temporary.clone(), last.clone());
        tokio::spawn(async move {
            signals.next().await;
            ask.send_replace(true);
            signals.next().await;
            // Closing takes too long for this user. What matters on the disk is safe without it.
            let undone = std::mem::take(&mut *lock(&undone));
            undone.into_iter().for_each(|undo| undo());
            for folder in lock(&left).iter() {
                let _ = std::fs::remove_dir_all(folder);
            }
            crate::tui::leave();
            std::process::exit(Exit::Interrupted as i32);
        });
        Ok(Ending { asked, temporary, last })
    }

    /// Has a folder removed also where the program ends without further ado.
    pub(super) fn remove_at_exit(&self, folder: &Path) {
        lock(&self.temporary).push(folder.to_owned());
    }

    /// Has this done also where the program ends without further ado: what nobody else could do afterwards. It must be quick.
    pub(super) fn at_exit(&self, last: impl FnOnce() + Send + 'static) {
        lock(&self.last).push(Box::new(last));
    }

    /// Returns once the end has been asked for.
    pub(super) async fn asked(&self) {
        if self.asked.clone().wait_for(|asked| *asked).await.is_err() {
            // The listening task never ends before it has sent.
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
