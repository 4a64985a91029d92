//! What a viewer asks for with a key.

use std::path::PathBuf;

use super::face::Face;
use super::serving::url_of;
use super::{Session, path_on_disk};
use crate::app::moment::Moment;
use crate::player;
use crate::tui::{Key, PickerEntry};

impl Session {
    pub(super) async fn on_key(&mut self, key: Key) {
        match key {
            Key::Pause => {
                let paused = !self.latest.paused;
                self.torrents.iter().flatten().for_each(|torrent| torrent.set_paused(paused));
            }
            // What a site is opened with is a browser.
            Key::OpenFolder if matches!(self.face, Face::Site(_)) => self.open_url().await,
            Key::OpenFolder => {
                let on_disk = self
                    .latest
                    .file
                    .as_ref()
                    .and_then(|file| Some(path_on_disk(self.torrent_of(file.index)?, &file.path)))
                    .and_then(|path| {
                        path.ancestors().skip(1).find(|folder| folder.is_dir()).map(PathBuf::from)
                    });
                let mounted = self.face.mounted_at().map(PathBuf::from);
                match mounted.or(on_disk) {
                    Some(folder) => {
                        if let Err(error) = player::open_on_desktop(folder.into_os_string()).await {
                            self.say(&error.to_string());
                        }
                    }
                    None => self.say("there is no folder yet: nothing has come"),
                }
            }
            Key::CopyUrl => {
                if let Some(url) = self.current_url() {
                    self.screen.copy(&url);
                    self.screen.hint("the URL is in the clipboard, if the terminal allows it");
                }
            }
            Key::Quit | Key::Pick => {}
        }
        self.tick();
    }

    /// Has the desktop open what is served.
    pub(in crate::app) async fn open_url(&mut self) {
        let Some(url) = self.current_url() else { return };
        if let Err(error) = player::open_on_desktop(url.into()).await {
            self.say(&error.to_string());
        }
    }

    pub(super) fn current_url(&self) -> Option<String> {
        let url = self.url.as_deref()?;
        Some(match &self.latest.file {
            Some(file) if matches!(self.face, Face::Films) => url_of(url, file.index, file.name()),
            _ => url.to_owned(),
        })
    }

    /// Lets the viewer choose a file. `None`: none was, or the end was asked for (then it still is).
    pub(in crate::app) async fn pick(&mut self, first: Option<usize>) -> Option<usize> {
        // A site's pages are chosen in the browser.
        let files = self.lineup.known().filter(|_| !matches!(self.face, Face::Site(_)))?;
        let entry = |(index, file): (usize, &crate::read::File)| PickerEntry {
            index,
            path: file.path.clone(),
            length: file.length,
        };
        let entries: Vec<PickerEntry> = files.files.iter().enumerate().map(entry).collect();
        let now = self.latest.file.as_ref().map(|file| file.index);
        let at = first.or(now).unwrap_or(files.chosen);
        let ending = self.ending.clone();
        tokio::select! {
            picked = self.screen.pick(&files.name, &entries, at) => picked,
            () = ending.asked() => None,
        }
    }

    pub(super) fn current_url_of(&self, moment: &Moment) -> Option<String> {
        let url = self.url.as_deref()?;
        let is_plain = self
            .lineup
            .known()
            .is_none_or(|files| moment.file.as_ref().is_none_or(|file| file.index == files.chosen));
        Some(match &moment.file {
            Some(file) if !is_plain && matches!(self.face, Face::Films) => {
                url_of(url, file.index, file.name())
            }
            _ => url.to_owned(),
        })
    }
}
