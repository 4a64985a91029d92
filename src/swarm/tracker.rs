//! Announces to one tracker, of one family of addresses: what to say when, and what its answers mean for that (BEP 3, 15, 31).
//! Pure: `http` and `udp` carry it out, `discovery` keeps the time.

pub(super) mod http;
pub(super) mod udp;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::net::{Family, canonical};
use crate::source::InfoHash;
use crate::units::Timestamp;

/// As often as a tracker that names no interval is asked. What most trackers say.
const USUAL_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// Never asked more often than this, whatever it says, unless it has found nothing yet.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(30);
/// Nor less often, as long as it answers.
const LONGEST_INTERVAL: Duration = Duration::from_secs(2 * 60 * 60);
/// While nobody is found: someone may come. Doubles each time.
const EMPTY_RETRY: Duration = Duration::from_secs(15);
/// While nobody is connected and nobody is left to be tried, of a tracker that names no `min interval`. Doubles each time.
const ALONE_RETRY: Duration = Duration::from_secs(60);
/// After no answer. Doubles each time.
const FAILURE_RETRY: Duration = Duration::from_secs(5);
const LONGEST_FAILURE_RETRY: Duration = Duration::from_secs(10 * 60);
/// After a refusal in words: it will hardly think otherwise soon. Doubles each time.
const REFUSAL_RETRY: Duration = Duration::from_secs(60);
/// Peers asked for. Most trackers give 50 to 200 at most.
const WANTED: u32 = 200;
/// More peers in one answer than this are left unread.
pub(super) const MOST_PEERS: usize = 2000;
/// Of what a tracker says in words.
pub(super) const LONGEST_TEXT: usize = 300;

/// Who we are to a tracker, throughout a session.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub info_hash: InfoHash,
    pub peer_id: [u8; 20],
    /// Where we listen.
    pub port: u16,
    /// Tells a tracker that we are the same, should our address change.
    pub key: u32,
}

/// How far we are, in bytes of this session (`left`: of the torrent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub uploaded: u64,
    pub downloaded: u64,
    pub left: u64,
}

/// Where a session stands, as the trackers' loops look at it now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    pub progress: Progress,
    /// No peer is connected, and nobody is left who could be dialled: whom the trackers named was of no use.
    pub alone: bool,
}

/// What an announce reports beside our being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Started,
    Completed,
    Stopped,
}

/// One announce to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    pub event: Option<Event>,
    pub progress: Progress,
    /// The number of peers wanted.
    pub wanted: u32,
    /// What the tracker wants to hear again (`tracker id`).
    pub tracker_id: Option<Vec<u8>>,
}

/// What a tracker answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub interval: Option<Duration>,
    pub min_interval: Option<Duration>,
    pub seeders: Option<u32>,
    pub leechers: Option<u32>,
    pub warning: Option<String>,
    pub tracker_id: Option<Vec<u8>>,
    pub peers: Vec<SocketAddr>,
}

/// Why someone who was asked for peers has given none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("its name cannot be looked up")]
    DnsFailed,
    #[error("it has no {0} address")]
    NoAddress(Family),
    #[error(
        "{host} is this computer, or on its network: only --trackers may lead there, or a path whose last part begins with announce"
    )]
    Near { host: String },
    #[error("it leads to {host}, which is this computer, or on its network")]
    LeadsNear { host: String },
    #[error("it refused the connection")]
    Refused,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it did not answer in time")]
    Timeout,
    #[error("it answered with HTTP status {0}")]
    HttpStatus(u16),
    #[error("it said: {text}")]
    Said {
        text: String,
        /// When it wants to be asked again (BEP 31).
        retry: Option<Retry>,
    },
    #[error("its answer makes no sense: {0}")]
    BadReply(String),
    #[error("its URL cannot be used: {0}")]
    BadUrl(String),
    #[error("{0}:// is not supported yet")]
    Unsupported(String),
}

/// What a refusing tracker wants (BEP 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    After(Duration),
    Never,
}

/// How the last attempt ended: kept for the user to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered { peers: usize, seeders: Option<u32>, leechers: Option<u32>, warning: Option<String> },
    Failed(Failure),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Failed(failure) => write!(f, "{failure}"),
            Outcome::Answered { peers, seeders, leechers, warning } => {
                write!(f, "it answered with {peers} {}", if *peers == 1 { "peer" } else { "peers" })?;
                match (seeders, leechers) {
                    (Some(seeders), Some(leechers)) => {
                        write!(f, " (of {seeders} seeds, {leechers} leeches)")?
                    }
                    (Some(seeders), None) => write!(f, " (of {seeders} seeds)")?,
                    _ => {}
                }
                warning.as_ref().map_or(Ok(()), |warning| write!(f, ", and warned: {warning}"))
            }
        }
    }
}

impl From<&Result<Answer, Failure>> for Outcome {
    fn from(result: &Result<Answer, Failure>) -> Self {
        match result {
            Ok(answer) => Outcome::Answered {
                peers: answer.peers.len(),
                seeders: answer.seeders,
                leechers: answer.leechers,
                warning: answer.warning.clone(),
            },
            Err(failure) => Outcome::Failed(failure.clone()),
        }
    }
}

/// The announces to one tracker. Ask [`next_at`](Tracker::next_at) when, then [`begin`](Tracker::begin) and
/// [`handle_result`](Tracker::handle_result), in turns; at the end, [`stop`](Tracker::stop).
#[derive(Debug)]
pub struct Tracker {
    port: u16,
    /// `None` while an announce is under way, or when it is never to be asked again.
    next_at: Option<Timestamp>,
    under_way: Option<Option<Event>>,
    /// It has answered to `started`.
    knows_us: bool,
    /// Not everything was there when it began: the end is worth telling.
    to_complete: bool,
    /// Failures, or answers without peers, in a row.
    in_vain: u32,
    /// While we are alone it is asked again then, if that is sooner; `None` unless its last answer named somebody.
    alone_at: Option<Timestamp>,
    alone: bool,
    /// Announces in a row that were made while we were alone.
    made_alone: u32,
    tracker_id: Option<Vec<u8>>,
    /// Once stopped: not to be asked again before.
    not_before: Option<Timestamp>,
}

impl Tracker {
    /// `port`: where we listen, to know our own address when it comes back. First to be asked at once.
    pub fn new(now: Timestamp, port: u16) -> Self {
        Tracker {
            port,
            next_at: Some(now),
            under_way: None,
            knows_us: false,
            to_complete: false,
            in_vain: 0,
            alone_at: None,
            alone: false,
            made_alone: 0,
            tracker_id: None,
            not_before: None,
        }
    }

    /// When the next announce is due; `None` while one is under way, and when there will be none.
    pub fn next_at(&self) -> Option<Timestamp> {
        let next = self.next_at?;
        Some(self.alone_at.filter(|_| self.alone).map_or(next, |soon| soon.min(next)))
    }

    /// Tells where we stand. The end of the download is announced without delay; and a swarm that has come to nothing does
    /// not wait a whole interval for newcomers, only for as long as the tracker must be left in peace.
    pub fn on_situation(&mut self, now: Timestamp, situation: Situation) {
        let Situation { progress, alone } = situation;
        self.alone = alone;
        if self.knows_us && self.to_complete && progress.left == 0 && self.next_at.is_some() {
            self.next_at = Some(now);
        }
    }

    /// The announce that is due.
    pub fn begin(&mut self, progress: Progress) -> Announce {
        let event = if !self.knows_us {
            self.to_complete = progress.left > 0;
            Some(Event::Started)
        } else if self.to_complete && progress.left == 0 {
            Some(Event::Completed)
        } else {
            None
        };
        self.made_alone = match self.alone_at.take() {
            Some(_) if self.alone => self.made_alone.saturating_add(1),
            _ => 0,
        };
        self.next_at = None;
        self.under_way = Some(event);
        Announce { event, progress, wanted: WANTED, tracker_id: self.tracker_id.clone() }
    }

    /// How the announce ended.
    pub fn handle_result(&mut self, now: Timestamp, result: &Result<Answer, Failure>) {
        let event = self.under_way.take().flatten();
        // What it has named now is yet to be tried.
        self.alone = false;
        let wait = match result {
            Ok(answer) => {
                match event {
                    Some(Event::Started) => self.knows_us = true,
                    Some(Event::Completed) => self.to_complete = false,
                    Some(Event::Stopped) | None => {}
                }
                if answer.tracker_id.is_some() {
                    self.tracker_id.clone_from(&answer.tracker_id);
                }
                let wait = self.wait_after(answer);
                self.alone_at = (!self.is_nobody(answer)).then(|| now + self.wait_alone(answer));
                wait
            }
            Err(
                Failure::Unsupported(_)
                | Failure::BadUrl(_)
                | Failure::Said { retry: Some(Retry::Never), .. },
            ) => {
                return;
            }
            Err(failure) => {
                self.in_vain = self.in_vain.saturating_add(1);
                match failure {
                    Failure::NoAddress(_) => USUAL_INTERVAL,
                    Failure::Said { retry: Some(Retry::After(wait)), .. } => {
                        (*wait).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
                    }
                    Failure::Said { retry: None, .. } => {
                        doubled(REFUSAL_RETRY, self.in_vain).min(USUAL_INTERVAL)
                    }
                    _ => doubled(FAILURE_RETRY, self.in_vain).min(LONGEST_FAILURE_RETRY),
                }
            }
        };
        self.next_at = Some(now + wait);
    }

    fn wait_after(&mut self, answer: &Answer) -> Duration {
        let interval = answer.interval.unwrap_or(USUAL_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        if !self.is_nobody(answer) {
            self.in_vain = 0;
            return interval;
        }
        self.in_vain = self.in_vain.saturating_add(1);
        let least = answer.min_interval.unwrap_or_default().min(interval);
        doubled(EMPTY_RETRY, self.in_vain).max(least).min(interval)
    }

    /// How long it is left in peace while we are alone.
    fn wait_alone(&self, answer: &Answer) -> Duration {
        match answer.min_interval {
            Some(least) => least.max(SHORTEST_INTERVAL),
            None => doubled(ALONE_RETRY, self.made_alone.saturating_add(1)),
        }
    }

    /// True if there is no peer but ourselves: many trackers tell us our own address.
    fn is_nobody(&self, answer: &Answer) -> bool {
        match answer.peers[..] {
            [] => true,
            [only] => {
                only.port() == self.port
                    && answer.seeders.unwrap_or(0) == 0
                    && answer.leechers.unwrap_or(0) <= 1
            }
            _ => false,
        }
    }

    /// The last announce, to a tracker that knows of us, or may: an announce that is under way has perhaps come there.
    pub fn stop(&mut self, progress: Progress) -> Option<Announce> {
        let may_know_us = self.knows_us || self.under_way.is_some();
        self.not_before = self.next_at.take().filter(|_| self.in_vain > 0);
        self.under_way = None;
        self.alone_at = None;
        self.knows_us = false;
        may_know_us.then(|| Announce {
            event: Some(Event::Stopped),
            progress,
            wanted: 0,
            tracker_id: self.tracker_id.take(),
        })
    }

    /// After a stop, begins anew: at once, or when it is time after failures.
    pub fn resume(&mut self, now: Timestamp) {
        self.next_at = Some(self.not_before.take().unwrap_or(now).max(now));
    }
}

/// `first`, doubled for each time in a row but the first.
fn doubled(first: Duration, in_a_row: u32) -> Duration {
    first.saturating_mul(1 << in_a_row.saturating_sub(1).min(16))
}

/// The address of a peer as it is best written; `None` for one that no peer can have.
pub(super) fn usable(address: SocketAddr) -> Option<SocketAddr> {
    let address = canonical(address);
    let nobody = match address {
        SocketAddr::V4(four) => {
            four.ip().is_unspecified() || four.ip().is_multicast() || four.ip().is_broadcast()
        }
        SocketAddr::V6(six) => six.ip().is_unspecified() || six.ip().is_multicast(),
    };
    (address.port() != 0 && !nobody).then_some(address)
}

/// Text from a tracker, for the screen.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().take(LONGEST_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
