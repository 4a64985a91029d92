//! The announces to one tracker, over one family of addresses, while it is that tracker's turn.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::super::tracker::http::HttpTracker;
use super::super::tracker::udp::UdpTracker;
use super::super::tracker::{Announce, Answer, Failure, Outcome, Situation, Tracker};
use super::turns::{Turn, Turns};
use super::{FAREWELL, Reporter, Stage, WhyOff, stopping};
use crate::lock::lock;
use crate::units::Timestamp;

/// How often a tracker's loop looks whether the download is complete, and whether anybody is there.
const CHECK: Duration = Duration::from_secs(10);

/// A tracker's way to be asked.
pub(super) enum Client {
    Http(HttpTracker),
    Udp(UdpTracker),
}

impl Client {
    async fn announce(&mut self, announce: &Announce) -> Result<Answer, Failure> {
        match self {
            Client::Http(tracker) => tracker.announce(announce).await,
            Client::Udp(tracker) => tracker.announce(announce).await,
        }
    }
}

/// Whose turn it is, as all the trackers see it.
pub(super) struct Table {
    turns: Mutex<Turns>,
    turn: watch::Sender<Turn>,
}

impl Table {
    pub(super) fn new(turns: Turns) -> Self {
        Table { turn: watch::Sender::new(turns.turn()), turns: Mutex::new(turns) }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Turns)) {
        let mut turns = lock(&self.turns);
        change(&mut turns);
        let turn = turns.turn();
        self.turn.send_if_modified(|was| std::mem::replace(was, turn) != turn);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Turn> {
        self.turn.subscribe()
    }
}

/// See the module's documentation.
pub(super) struct Asking {
    pub(super) reporter: Reporter,
    pub(super) situation: Arc<dyn Fn() -> Situation + Send + Sync>,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) table: Arc<Table>,
    pub(super) tracker: usize,
    /// Its place among the tracker's families.
    pub(super) family: usize,
    pub(super) begun: Instant,
    /// Where we listen.
    pub(super) port: u16,
}

impl Asking {
    pub(super) async fn run(self, mut client: Client) {
        let mut tracker = Tracker::new(self.now(), self.port);
        let mut stage = self.stage.clone();
        let mut turn = self.table.subscribe();
        loop {
            tokio::select! {
                biased;
                () = stopping(&mut stage, Stage::Stopping) => break,
                () = until(&mut turn, |turn| !turn.may_ask(self.tracker)) => {}
                () = self.ask(&mut tracker, &mut client) => {
                    self.table.change(|turns| turns.give_up(self.tracker, self.family));
                    self.reporter.off(WhyOff::Hopeless);
                    stopping(&mut stage, Stage::Stopping).await;
                    break;
                }
            }
            self.reporter.standing_by();
            let farewell = tracker.stop((self.situation)().progress);
            let next = async {
                if let Some(announce) = farewell {
                    let _ = timeout(FAREWELL, client.announce(&announce)).await;
                }
                until(&mut turn, |turn| turn.may_ask(self.tracker)).await;
            };
            tokio::select! {
                () = stopping(&mut stage, Stage::Stopping) => break,
                () = next => tracker.resume(self.now()),
            }
        }
        if let Some(announce) = tracker.stop((self.situation)().progress) {
            let _ = client.announce(&announce).await;
        }
        self.reporter.off(WhyOff::Stopped);
    }

    fn now(&self) -> Timestamp {
        Timestamp::since_start(self.begun.elapsed())
    }

    /// Announces when it is due, for ever; returns when there is no use.
    async fn ask(&self, tracker: &mut Tracker, client: &mut Client) {
        while let Some(at) = tracker.next_at() {
            let at = self.begun + at.elapsed();
            if at > Instant::now() {
                self.reporter.waiting(at);
            }
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = tokio::time::sleep(CHECK) => {
                    tracker.on_situation(self.now(), (self.situation)());
                    continue;
                }
            }
            self.reporter.asking();
            let announce = tracker.begin((self.situation)().progress);
            let result = client.announce(&announce).await;
            tracker.handle_result(self.now(), &result);
            self.reporter.ended(Outcome::from(&result));
            match result {
                Ok(answer) => {
                    self.table.change(|turns| turns.on_answer(self.tracker, self.family));
                    self.reporter.found(answer.peers).await;
                }
                // No use: that is told when this loop has ended.
                Err(_) if tracker.next_at().is_none() => {}
                Err(_) => self.table.change(|turns| turns.on_failure(self.tracker, self.family)),
            }
        }
    }
}

async fn until(turn: &mut watch::Receiver<Turn>, is_so: impl Fn(Turn) -> bool) {
    if turn.wait_for(|turn| is_so(*turn)).await.is_err() {
        // The table is as old as those who look at it: it never goes first.
        std::future::pending().await
    }
}
