//! What is typed, from its first byte to the last thing closed: the parts that every command shares.

mod keys;
mod queue;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::lineup::Lineup;
use super::moment::{Moment, Observer};
use super::telling::Teller;
use super::{report, sentence, view};
use crate::cli::ServerFlags;
use crate::events::Event;
use crate::http::route::path_of;
use crate::http::{self, HttpError, Server, ServerConfig};
use crate::mount::shelf::Shelf;
use crate::mount::status::Status;
use crate::net::{Network, NetworkConfig};
use crate::player::Player;
use crate::read::{Contents, Files, ReadError};
use crate::source::{self, Source};
use crate::torrent::{Options, Torrent};
use crate::tui::{Key, MountView, Screen, Stage, Style, View};

pub(super) use queue::files_event;

/// All of the closing, at most: a viewer who has pressed Ctrl-C waits less than a second.
const CLOSING: Duration = Duration::from_millis(950);

/// How work that was attended ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attended<T> {
    Done(T),
    /// The end was asked for first.
    Ended,
    /// The viewer wants another file: its number in the lineup.
    Picked(usize),
}

/// The user's own commands.
#[derive(Clone, Debug, Default)]
pub(super) struct Hooks {
    pub(super) on_listening: Option<String>,
    pub(super) on_downloaded: Option<String>,
}

pub(super) struct Session {
    pub(super) net: Arc<Network>,
    pub(super) screen: Screen,
    pub(super) lineup: Lineup,
    pub(super) teller: Teller,
    style: Style,
    stage: Stage,
    ending: Ending,
    observer: Observer,
    /// In the order in which they were typed; `None` for what is not open (yet).
    torrents: Vec<Option<Torrent>>,
    arrivals: (mpsc::UnboundedSender<Arrival>, mpsc::UnboundedReceiver<Arrival>),
    server: Option<Server>,
    url: Option<String>,
    /// A player that runs and is to end with all the rest.
    player: Option<Player>,
    player_name: Option<String>,
    /// What the user has been told that the disk refuses.
    trouble: Option<String>,
    hooks: Hooks,
    /// What hooks complain of.
    complaints: (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>),
    /// Files that are whole, and have been told of.
    finished: HashSet<usize>,
    /// The first torrent whose queue is not whole: those behind it do not fetch yet.
    fetching: usize,
    /// Whether the film would play through now.
    is_safe: watch::Sender<bool>,
    latest: Moment,
    /// The queue is fetched though nobody reads.
    fetches: bool,
    /// Torrents' files are removed at the end.
    removes: bool,
    /// Torrents whose files have been told of.
    told: HashSet<usize>,
    /// How far the file that was last read has been played, as a share: its number, and that.
    reached: Option<(usize, f64)>,
    /// Where the torrents are shown as a folder.
    folder: Option<Folder>,
    is_folder: bool,
}

/// The folder that is shown.
struct Folder {
    at: Option<PathBuf>,
    shelf: Shelf,
    /// As it was last looked at.
    seen: Option<(Instant, MountView)>,
}

/// A torrent may have very many files: what is read of them is looked at no oftener.
const FOLDER_EVERY: Duration = Duration::from_secs(1);

/// A torrent that was opened beside the first one, or why not.
struct Arrival {
    torrent: usize,
    typed: String,
    opened: Result<Torrent, Failure>,
}

impl Session {
    /// Of so many torrents.
    pub(super) fn new(
        style: Style,
        torrents: usize,
        teller: Teller,
        ending: Ending,
    ) -> Result<Session, Failure> {
        let net = Network::new(NetworkConfig::default()).or_exit(Exit::Failure)?;
        Ok(Session {
            net: Arc::new(net),
            screen: Screen::new(style),
            lineup: Lineup::new(torrents),
            teller,
            style,
            stage: Stage::Resolving,
            ending,
            observer: Observer::new(),
            torrents: vec![None; torrents],
            arrivals: mpsc::unbounded_channel(),
            server: None,
            url: None,
            player: None,
            player_name: None,
            trouble: None,
            hooks: Hooks::default(),
            complaints: mpsc::unbounded_channel(),
            finished: HashSet::new(),
            fetching: 0,
            is_safe: watch::Sender::new(false),
            latest: Moment::default(),
            fetches: true,
            removes: false,
            told: HashSet::new(),
            reached: None,
            folder: None,
            is_folder: false,
        })
    }

    pub(super) fn set_hooks(&mut self, hooks: Hooks) {
        self.hooks = hooks;
    }

    /// Its torrents are shown as a folder: none of them comes first, and what is fetched beside what is read is the
    /// torrents' own business.
    pub(super) fn show_folder(&mut self) {
        self.lineup = Lineup::of_equals(self.torrents.len());
        self.observer.watch_folder();
        self.fetches = false;
        self.is_folder = true;
    }

    /// The folder is there; mounted at this place, if it is.
    pub(super) fn folder_shown(&mut self, at: Option<&Path>, shelf: Shelf) {
        self.folder = Some(Folder { at: at.map(Path::to_owned), shelf, seen: None });
    }

    /// For the screen, if there is one.
    fn mount_view(&mut self) -> Option<MountView> {
        let is_live = self.is_live();
        let folder = self.folder.as_mut().filter(|_| is_live)?;
        if folder.seen.as_ref().is_none_or(|(at, _)| at.elapsed() >= FOLDER_EVERY) {
            let at = folder.at.as_ref().map(|at| at.display().to_string());
            folder.seen = Some((Instant::now(), view::of_mount(at, Status::of(&folder.shelf))));
        }
        folder.seen.as_ref().map(|(_, seen)| seen.clone())
    }

    /// One that was opened.
    pub(super) fn torrent(&self, torrent: usize) -> Option<&Torrent> {
        self.torrents.get(torrent)?.as_ref()
    }

    /// This file is what the screen is about.
    pub(super) fn turn_to(&mut self, index: usize) {
        self.observer.turn_to(index);
    }

    /// Nothing is fetched but what is read.
    pub(super) fn fetch_only_watched(&mut self) {
        self.fetches = false;
    }

    /// What was fetched is removed when the session closes.
    pub(super) fn remove_at_end(&mut self) {
        self.removes = true;
    }

    /// There is a screen, and keys.
    pub(super) fn can_pick(&self) -> bool {
        self.screen.has_keys()
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.style, Style::Live { .. })
    }

    /// Starts to serve, before it is known what. Gives the URL.
    pub(super) async fn listen(&mut self, flags: &ServerFlags) -> Result<String, Failure> {
        let (net, contents) = (self.net.clone(), Arc::new(self.lineup.clone()));
        let url =
            self.listen_with(flags, |config| http::serve(contents, config, |at| net.tcp_listen(at))).await?;
        self.teller.tell(&Event::Listening {
            url: url.clone(),
            playlist: playlist_of(&url),
            port: self.server.as_ref().map_or(0, |server| server.address().port()),
        });
        Ok(url)
    }

    /// Has `serve` start what answers at the address of these flags. Gives the URL.
    pub(super) async fn listen_with(
        &mut self,
        flags: &ServerFlags,
        serve: impl FnOnce(ServerConfig) -> Result<Server, HttpError>,
    ) -> Result<String, Failure> {
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
        let server = serve(config).or_exit(Exit::Address)?;
        if let (Some(taken), Some(_)) = (server.taken_port(), flags.port) {
            self.say(&format!("port {taken} is taken: {} it is", server.address().port()));
        }
        let url = server.url();
        if server.address().ip().is_unspecified()
            && let Some(own) = self.own_address().await
        {
            self.say(&format!("other computers may connect, at http://{own}:{}/", server.address().port()));
        }
        self.server = Some(server);
        self.url = Some(url.clone());
        Ok(url)
    }

    /// The address by which this computer reaches others. Nothing is sent to find that out.
    async fn own_address(&self) -> Option<IpAddr> {
        let socket = self.net.udp_bind((Ipv4Addr::UNSPECIFIED, 0).into()).ok()?;
        // Any address beyond this network would do; this one is for documents (RFC 5737).
        socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).await.ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    }

    /// Says something that stays, in whatever way the session speaks.
    pub(super) fn say(&mut self, text: &str) {
        self.teller.tell(&Event::Message { text: text.to_owned() });
        if !self.teller.is_on() {
            self.screen.say(text);
        }
    }

    /// Starts the swarm of a torrent.
    pub(super) async fn open(
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
    pub(super) fn open_beside(&mut self, torrent: usize, typed: String, options: Options) {
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

    fn admit(&mut self, torrent: usize, opened: Torrent) {
        if let Some(slot) = self.torrents.get_mut(torrent) {
            *slot = Some(opened);
        }
    }

    /// One of several torrents cannot be had: the others go on.
    pub(super) fn do_without(&mut self, torrent: usize, typed: &str, failure: &Failure) {
        let typed: String = typed.chars().take(80).collect();
        self.say(&format!("going on without {typed}: {}", sentence(&failure.error)));
        self.lineup.fail(torrent, ReadError::NotOpened(failure.error.to_string()));
    }

    /// Waits until the files are known. `None`: the end was asked for.
    pub(super) async fn files(&mut self) -> Result<Option<Arc<Files>>, Failure> {
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

    fn torrent_of(&self, index: usize) -> Option<&Torrent> {
        let (torrent, _) = self.lineup.place(index)?;
        self.torrents.get(torrent)?.as_ref()
    }

    /// Returns once the film would play through without standing still.
    pub(super) fn safety(&self) -> impl Future<Output = ()> + use<> {
        let mut is_safe = self.is_safe.subscribe();
        async move {
            // The sender lives as long as the session.
            let _ = is_safe.wait_for(|is_safe| *is_safe).await;
        }
    }

    /// What was seen last.
    pub(super) fn latest(&self) -> &Moment {
        &self.latest
    }

    /// Looks once more; what is seen is the latest then.
    pub(super) fn look(&mut self) {
        self.tick();
    }

    /// Of a torrent whose metadata is known: the length of its pieces, and whether it is private.
    pub(super) fn layout(&self, torrent: usize) -> Option<(u32, bool)> {
        self.torrents.get(torrent)?.as_ref()?.layout()
    }

    /// Where peers may dial us.
    pub(super) fn peer_port(&self, torrent: usize) -> Option<u16> {
        Some(self.torrents.get(torrent)?.as_ref()?.port())
    }

    /// How far the file that was read last has been played, as a share of it: its number, and that.
    pub(super) fn reached(&self) -> Option<(usize, f64)> {
        self.reached
    }

    /// Does the work while the screen shows what is going on and keys are answered.
    pub(super) async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Attended<T> {
        let ending = self.ending.clone();
        let mut tick = tokio::time::interval(self.screen.interval());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Attended::Done(done),
                () = ending.asked() => return Attended::Ended,
                key = self.screen.key() => match key {
                    Key::Quit => return Attended::Ended,
                    Key::Pick => {
                        if let Some(picked) = self.pick(None).await {
                            return Attended::Picked(picked);
                        }
                    }
                    key => self.on_key(key).await,
                },
                Some(arrival) = self.arrivals.1.recv() => match arrival.opened {
                    Ok(opened) => self.admit(arrival.torrent, opened),
                    Err(failure) => self.do_without(arrival.torrent, &arrival.typed, &failure),
                },
                Some(complaint) = self.complaints.1.recv() => {
                    let complaint: String = complaint;
                    self.say(&complaint);
                }
                _ = tick.tick() => {
                    self.tick();
                    if self.teller.is_deaf() {
                        return Attended::Ended;
                    }
                }
            }
        }
    }

    /// Looks at everything, and tells whoever is to know.
    fn tick(&mut self) {
        if let Some(folder) = &self.folder {
            folder.shelf.sample();
        }
        let cells = self.screen.cells();
        let moment = self.observer.look(&self.lineup, &self.torrents, cells);
        if moment.trouble != self.trouble {
            if let Some(trouble) = moment.trouble.clone() {
                self.say(&trouble);
            }
            self.trouble = moment.trouble.clone();
        }
        if let Some(reached) = reached(&moment) {
            self.reached = Some(reached);
        }
        self.tell_files();
        self.note_finished();
        let is_safe = moment.forecast.as_ref().is_some_and(crate::forecast::Forecast::is_safe);
        self.is_safe.send_if_modified(|before| std::mem::replace(before, is_safe) != is_safe);
        self.teller.tell_moment(&moment);
        if self.is_folder && self.lineup.known().is_some() {
            self.stage = Stage::Idle;
        }
        let (url, player) = (self.current_url_of(&moment), self.player_name.as_deref());
        let view = view::of(&moment, &self.stage, url, player);
        let mount = self.mount_view();
        self.screen.show(&View { mount, ..view });
        self.latest = moment;
    }

    /// The URL of a file.
    pub(super) fn url_of(&self, files: &Files, index: usize) -> Option<String> {
        let file = files.files.get(index)?;
        Some(url_of(self.url_of_files()?, index, file.name()))
    }

    /// Where files are served by their numbers: a folder has paths instead.
    fn url_of_files(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| !self.is_folder)
    }

    /// A player was started; its name is on the screen while it runs.
    pub(super) fn player_started(&mut self, name: &str) {
        self.player_name = Some(name.to_owned());
        self.teller.tell(&Event::Player { name: name.to_owned(), started: true, error: None });
    }

    pub(super) fn player_ended(&mut self, error: Option<String>) {
        if let Some(name) = self.player_name.take() {
            self.teller.tell(&Event::Player { name, started: false, error });
        }
    }

    /// The player ends when this closes.
    pub(super) fn ends_with(&mut self, player: Player) {
        self.player = Some(player);
    }

    /// Ends the player, tells peers, saves what is to be saved, gives the terminal back.
    pub(super) async fn close(mut self) -> Teller {
        let elapsed = self.observer.elapsed();
        let summary = match self.is_folder {
            true => Some(view::summary_of_folder(&self.lineup.statistics(), elapsed)),
            false => view::summary(&self.latest, elapsed),
        };
        if let Some(summary) = summary.filter(|_| self.is_live()) {
            self.screen.say(&summary);
        }
        self.screen.close();
        self.lineup.close();
        let server = self.server.take();
        let torrents: Vec<Torrent> = self.torrents.drain(..).flatten().collect();
        let player = self.player.take();
        let removes = self.removes;
        let closing = async {
            tokio::join!(
                async {
                    if let Some(server) = server {
                        server.close().await;
                    }
                },
                async {
                    let closing = torrents.into_iter().map(|torrent| async move {
                        if removes { torrent.remove().await } else { torrent.close().await }
                    });
                    futures_util::future::join_all(closing).await;
                },
                async {
                    if let Some(player) = player {
                        player.end().await;
                    }
                }
            )
        };
        // What is to be removed may be large: it is waited for.
        let patience = if removes { CLOSING * 10 } else { CLOSING };
        if tokio::time::timeout(patience, closing).await.is_err() {
            tracing::debug!("closing took more than {patience:?}: left as it was");
        }
        self.teller
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

/// `None` while nobody reads.
fn reached(moment: &Moment) -> Option<(usize, f64)> {
    let file = moment.file.as_ref()?;
    let reader = file.report.readers.last()?;
    let share = match (moment.playing.position, moment.playing.duration) {
        (Some(position), Some(duration)) => position.as_secs_f64() / duration.as_secs_f64(),
        _ => reader.head as f64 / file.length.max(1) as f64,
    };
    Some((file.index, share))
}

fn path_on_disk(torrent: &Torrent, path: &str) -> PathBuf {
    path.split('/').fold(torrent.folder().to_owned(), |folder, part| folder.join(part))
}

/// Players remember by the URL how far a film was watched, so each film has its own, and not the server's plain `/`.
fn url_of(server: &str, index: usize, name: &str) -> String {
    format!("{}{}", server.trim_end_matches('/'), path_of(index, name))
}

fn playlist_of(server: &str) -> String {
    format!("{}/.m3u", server.trim_end_matches('/'))
}
