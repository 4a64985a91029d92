//! From what was typed to torrents that are open.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{Attended, Session};
use crate::app::exit::{Exit, Failure, OrExit};
use crate::app::lineup::Lineup;
use crate::app::telling::Teller;
use crate::app::{report, sentence};
use crate::events::Event;
use crate::net::Network;
use crate::read::{Contents, Files, ReadError};
use crate::source::{self, Source};
use crate::torrent::{Options, Torrent};
use crate::tui::Stage;

/// A torrent that was opened beside the first one, or why not.
pub(super) struct Arrival {
    pub(super) torrent: usize,
    pub(super) typed: String,
    pub(super) opened: Result<Torrent, Failure>,
}

impl Session {
    /// Starts the swarm of a torrent.
    pub(in crate::app) async fn open(
        &mut self,
        torrent: usize,
        source: Source,
        options: Options,
    ) -> Result<(), Failure> {
        self.stage = Stage::Metadata;
        let opened = open(source, options, self.net.clone(), &self.lineup, torrent, &self.teller).await;
        match opened {
            Ok(opened) => {
                self.admit(torrent, opened);
                Ok(())
            }
            Err(failure) => {
                self.lineup.fail(torrent, ReadError::NotOpened(failure.error.to_string()));
                Err(failure)
            }
        }
    }

    /// The same from what was typed, while something else goes on. It fetches nothing until its turn comes.
    pub(in crate::app) fn open_beside(&mut self, torrent: usize, typed: String, options: Options) {
        let (net, lineup, teller) = (self.net.clone(), self.lineup.clone(), self.teller.sibling());
        let arrivals = self.arrivals.0.clone();
        tokio::spawn(async move {
            let cache = options.metadata_cache();
            let options = Options { background: false, ..options };
            let opened = match source::resolve(&typed, &net, &cache).await.or_exit(Exit::Source) {
                Ok(source) => open(source, options, net, &lineup, torrent, &teller).await,
                Err(failure) => Err(failure),
            };
            // Nobody is there to take it once the session closes: then it is dropped, and so ends.
            let _ = arrivals.send(Arrival { torrent, typed, opened });
        });
    }

    pub(super) fn admit(&mut self, torrent: usize, opened: Torrent) {
        if let Some(slot) = self.torrents.get_mut(torrent) {
            *slot = Some(opened);
        }
    }

    /// One of several torrents cannot be had: the others go on.
    pub(in crate::app) fn do_without(&mut self, torrent: usize, typed: &str, failure: &Failure) {
        let typed: String = typed.chars().take(80).collect();
        self.say(&format!("going on without {typed}: {}", sentence(&failure.error)));
        self.lineup.fail(torrent, ReadError::NotOpened(failure.error.to_string()));
    }

    /// Waits until the files are known. `None`: the end was asked for.
    pub(in crate::app) async fn files(&mut self) -> Result<Option<Arc<Files>>, Failure> {
        let lineup = self.lineup.clone();
        let Attended::Done(files) = self.attend(lineup.files()).await else { return Ok(None) };
        let files = match files {
            Ok(files) => files,
            Err(error) => {
                let opened = self.torrents.iter().flatten().next();
                let exit = opened.map_or(Exit::Failure, report::exit_of_failed);
                // The user has asked to stream, not to open: the cause alone says it.
                return match error {
                    ReadError::NotOpened(why) => Err(anyhow::anyhow!(why)).or_exit(exit),
                    error => Err(error).or_exit(exit),
                };
            }
        };
        self.note_chosen(&files);
        Ok(Some(files))
    }
}

async fn open(
    source: Source,
    options: Options,
    net: Arc<Network>,
    lineup: &Lineup,
    torrent: usize,
    teller: &Teller,
) -> Result<Torrent, Failure> {
    teller.tell(&Event::Resolved {
        torrent,
        info_hash: source.info_hash.to_string(),
        has_metadata: source.metainfo.is_some(),
    });
    match Torrent::open(source, options, net).await {
        Ok(opened) => {
            lineup.open_torrent(torrent, Arc::new(opened.clone()));
            // Known already, where the metadata was: whoever has been told the URL has got what was asked for.
            if let Some(Ok(files)) = opened.files().now_or_never() {
                lineup.know(torrent, files);
                return Ok(opened);
            }
            let (lineup, knowing) = (lineup.clone(), opened.clone());
            tokio::spawn(async move {
                match knowing.files().await {
                    Ok(files) => lineup.know(torrent, files),
                    Err(error) => lineup.fail(torrent, error),
                }
            });
            Ok(opened)
        }
        Err(error) => {
            let exit = report::exit_of(&error);
            Err(error).or_exit(exit)
        }
    }
}
