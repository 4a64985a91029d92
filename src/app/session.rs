//! What is typed, from its first byte to the last thing closed: the parts that every command shares.

mod face;
mod keys;
mod opening;
mod queue;
mod serving;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::face::Face;
use self::opening::Arrival;
use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::lineup::Lineup;
use super::moment::{Moment, Observer};
use super::telling::Teller;
use super::view;
use crate::events::Event;
use crate::http::Server;
use crate::net::{Network, NetworkConfig};
use crate::player::Player;
use crate::read::Contents;
use crate::torrent::Torrent;
use crate::tui::{Key, Screen, Stage, Style, View};

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
    /// What the torrents are shown as.
    face: Face,
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
            face: Face::Films,
        })
    }

    pub(super) fn set_hooks(&mut self, hooks: Hooks) {
        self.hooks = hooks;
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

    /// Says something that stays, in whatever way the session speaks.
    pub(super) fn say(&mut self, text: &str) {
        self.teller.tell(&Event::Message { text: text.to_owned() });
        if !self.teller.is_on() {
            self.screen.say(text);
        }
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
        self.face.sample();
        self.observer.note_wait(self.face.waits_for());
        let cells = self.screen.cells();
        let moment =
            Moment { visit: self.face.visit(), ..self.observer.look(&self.lineup, &self.torrents, cells) };
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
        if self.face.is_there(&self.lineup) {
            self.stage = Stage::Idle;
        }
        let (url, player) = (self.current_url_of(&moment), self.player_name.as_deref());
        let view = view::of(&moment, &self.stage, url, player);
        // What a folder has takes a look at all of its files: only where it is drawn.
        let mount = if self.is_live() { self.face.mount() } else { None };
        let site = self.face.site();
        self.screen.show(&View { mount, site, ..view });
        self.latest = moment;
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
        let summary = match self.face {
            Face::Films => view::summary(&self.latest, elapsed),
            Face::Folder(_) | Face::Site(_) => {
                Some(view::summary_of_many(&self.lineup.statistics(), elapsed))
            }
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
