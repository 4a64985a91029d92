//! One torrent from the first byte typed to the last thing closed: the parts that every command shares.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::late::Late;
use super::report;
use crate::cli::ServerFlags;
use crate::http::{self, Server, ServerConfig};
use crate::net::{Network, NetworkConfig};
use crate::player::Player;
use crate::read::{Contents, Files, ReadError};
use crate::source::Source;
use crate::torrent::{Options, Torrent};
use crate::tui::{Key, PeerView, Playing, Screen, Stage, Style, View};

/// All of the closing, at most: a viewer who has pressed Ctrl-C waits less than a second.
const CLOSING: Duration = Duration::from_millis(950);

pub(super) struct Session {
    pub(super) net: Arc<Network>,
    pub(super) screen: Screen,
    pub(super) late: Late,
    stage: Stage,
    ending: Ending,
    torrent: Option<Torrent>,
    server: Option<Server>,
    /// A player that runs and is to end with all the rest.
    player: Option<Player>,
    /// What the user has been told that the disk refuses.
    trouble: Option<String>,
}

impl Session {
    pub(super) fn new(style: Style, ending: Ending) -> Result<Session, Failure> {
        let net = Network::new(NetworkConfig::default()).or_exit(Exit::Failure)?;
        Ok(Session {
            net: Arc::new(net),
            screen: Screen::new(style),
            late: Late::default(),
            stage: Stage::Resolving,
            ending,
            torrent: None,
            server: None,
            player: None,
            trouble: None,
        })
    }

    /// Starts the HTTP server, and gives the URL of the chosen file. What it serves comes later.
    pub(super) async fn listen(&mut self, flags: &ServerFlags) -> Result<String, Failure> {
        let otherwise = ServerConfig::default();
        let mut config = ServerConfig {
            hostname: flags.hostname.clone(),
            port: flags.port.unwrap_or(otherwise.port),
            ..otherwise
        };
        if let Some(name) = flags.hostname.as_deref().filter(|name| name.parse::<IpAddr>().is_err()) {
            let found = self.net.resolve(name, config.port).await;
            let found = found.with_context(|| format!("{name} has no address")).or_exit(Exit::Address)?;
            config.addresses = found.into_iter().map(|address| address.ip()).collect();
        }
        let net = self.net.clone();
        let server = http::serve(Arc::new(self.late.clone()), config, |at| net.tcp_listen(at))
            .or_exit(Exit::Address)?;
        if let (Some(taken), Some(_)) = (server.taken_port(), flags.port) {
            self.screen.say(&format!("port {taken} is taken: {} it is", server.address().port()));
        }
        let url = server.url();
        self.server = Some(server);
        Ok(url)
    }

    /// Starts the swarm.
    pub(super) async fn open(&mut self, source: Source, options: Options) -> Result<(), Failure> {
        self.stage = Stage::Metadata;
        match Torrent::open(source, options, self.net.clone()).await {
            Ok(torrent) => {
                self.late.fill(Arc::new(torrent.clone()));
                self.torrent = Some(torrent);
                Ok(())
            }
            Err(error) => {
                self.late.fail(ReadError::NotOpened(error.to_string()));
                let exit = report::exit_of(&error);
                Err(error).or_exit(exit)
            }
        }
    }

    /// Waits until the files are known. `None`: the end was asked for.
    pub(super) async fn files(&mut self) -> Result<Option<Arc<Files>>, Failure> {
        let late = self.late.clone();
        let Some(files) = self.attend(late.files()).await else {
            return Ok(None);
        };
        let files = match files {
            Ok(files) => files,
            Err(error) => {
                let exit = self.torrent.as_ref().map_or(Exit::Failure, report::exit_of_failed);
                // The user has asked to stream, not to open: the cause alone says it.
                return match error {
                    ReadError::NotOpened(why) => Err(anyhow::anyhow!(why)).or_exit(exit),
                    error => Err(error).or_exit(exit),
                };
            }
        };
        if let Some(file) = files.files.get(files.chosen) {
            tracing::info!("{} ({} bytes) is chosen of {} files", file.path, file.length, files.files.len());
            self.stage = Stage::Streaming { name: file.name().to_owned(), length: file.length };
        }
        Ok(Some(files))
    }

    /// Has the film's beginning and end fetched before a player asks for them: it needs a moment to start, and one with an
    /// index somewhere else needs both.
    pub(super) fn warm_up(&self, files: &Files) {
        if let Some(film) = self.late.open(files.chosen) {
            tokio::spawn(async move {
                // Whoever reads for real is told what is wrong.
                let _ = film.read_at(0, 1).await;
            });
        }
    }

    /// Does the work while the screen shows what is going on. `None`: the end was asked for first.
    pub(super) async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let ending = self.ending.clone();
        let mut tick = tokio::time::interval(self.screen.interval());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = ending.asked() => return None,
                _ = tick.tick() => self.draw(),
                key = self.screen.key() => if key == Key::Quit {
                    return None;
                },
            }
        }
    }

    fn draw(&mut self) {
        let whereabouts = self.torrent.as_ref().map(Torrent::why);
        let trouble = whereabouts.as_ref().and_then(|whereabouts| whereabouts.trouble.clone());
        if trouble != self.trouble {
            if let Some(trouble) = &trouble {
                self.screen.say(trouble);
            }
            self.trouble = trouble;
        }
        let sources = whereabouts.as_ref().map(report::sources).unwrap_or_default();
        let peers = whereabouts.iter().flat_map(|whereabouts| &whereabouts.peers).map(|peer| PeerView {
            address: peer.address,
            client: peer.client.clone(),
            transport: "TCP",
            incoming: false,
            rate: 0,
            latency: None,
            owes: 0,
            choking: peer.choking,
            downloaded: peer.downloaded,
            uploaded: peer.uploaded,
        });
        let statistics = self.late.statistics();
        let view = View {
            peers: peers.collect(),
            playing: Playing { ahead_bytes: statistics.buffered, ..Playing::default() },
            url: self.server.as_ref().map(Server::url),
            stage: self.stage.clone(),
            statistics,
            sources,
            ..View::default()
        };
        self.screen.show(&view);
    }

    /// The player ends when this closes.
    pub(super) fn ends_with(&mut self, player: Player) {
        self.player = Some(player);
    }

    /// Ends the player, tells peers, saves what is to be saved, gives the terminal back.
    pub(super) async fn close(mut self) {
        self.screen.close();
        self.late.fail(ReadError::Closed);
        let server = self.server.take();
        let torrent = self.torrent.take();
        let player = self.player.take();
        let closing = async {
            tokio::join!(
                async {
                    if let Some(server) = server {
                        server.close().await;
                    }
                },
                async {
                    if let Some(torrent) = torrent {
                        torrent.close().await;
                    }
                },
                async {
                    if let Some(player) = player {
                        player.end().await;
                    }
                }
            )
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::debug!("closing took more than {CLOSING:?}: left as it was");
        }
    }
}

/// A file for a face, or why there is none.
pub(super) fn open_chosen(late: &Late, files: &Files) -> Result<Box<dyn crate::read::ReadAt>, Failure> {
    late.open(files.chosen).context("the torrent holds no file").or_exit(Exit::Choice)
}
