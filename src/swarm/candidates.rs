//! Whom to dial next. Pure: told what happened and what time it is. Bounded, whatever peers and trackers tell.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::ending::Ending;
use super::pex::is_dialable;
use super::{Candidate, Origin};
use crate::net::{canonical, is_local};
use crate::units::Timestamp;

/// The most addresses that are remembered.
const MOST: usize = 2000;
/// The most addresses of one peer's telling (BEP 11): one liar must not crowd out the rest.
const MOST_OF_ONE_PEER: usize = 200;
/// The most bans that are remembered; beyond, the oldest ends early.
const MOST_BANS: usize = 1000;
/// How long a ban lasts. Addresses change hands, and guilt by hash can be bad luck with a machine's memory.
pub const BAN: Duration = Duration::from_secs(10 * 60);
/// Before an address is dialled again, by how often in a row it failed.
const BACKOFF: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
];
/// Before one is dialled again that has nothing for us.
const HOPELESS: Duration = Duration::from_secs(30 * 60);
/// Before one is dialled again that was of no use: others come first.
const REPLACED: Duration = Duration::from_secs(5 * 60);

/// A candidate as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidateReport {
    pub address: SocketAddr,
    pub origin: Origin,
    pub standing: Standing,
    /// Times that it has been dialled.
    pub tried: u32,
    /// How the last dial or connection ended.
    pub last: Option<Ending>,
}

/// What is being done about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Waits for its turn, or for its next try.
    Known,
    /// Being dialled, or shaking hands.
    Dialled,
    Connected,
    /// Never again: it is ourselves.
    Never,
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    /// The peer that told us, if one did.
    told_by: Option<IpAddr>,
    standing: Standing,
    tried: u32,
    /// In a row.
    failures: usize,
    last: Option<Ending>,
    due_at: Timestamp,
    /// Order of arrival.
    order: u64,
}

/// The table of candidates.
#[derive(Debug, Default)]
pub struct Candidates {
    entries: HashMap<SocketAddr, Entry>,
    bans: HashMap<Ban, Timestamp>,
    order: u64,
    dialled: usize,
    /// The torrent is private (BEP 27).
    private: bool,
}

/// Whole addresses of other networks are banned, for a liar comes back from another port. Within our own (and on
/// loopback) an address is many programs, so only the one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ban {
    Machine(IpAddr),
    Program(SocketAddr),
}

impl Ban {
    fn of(address: SocketAddr) -> Ban {
        let address = canonical(address);
        if is_local(address.ip()) { Ban::Program(address) } else { Ban::Machine(address.ip()) }
    }
}

impl Candidates {
    /// Remembers an address; `told_by` is the peer that told us, for [`Origin::Pex`]. True if it is new and there was
    /// room.
    pub fn add(&mut self, candidate: Candidate, told_by: Option<IpAddr>, now: Timestamp) -> bool {
        let address = canonical(candidate.address);
        let allowed = !self.private || !candidate.origin.is_public();
        if !allowed || !is_dialable(address) || self.is_banned(address, now) {
            return false;
        }
        if let Some(entry) = self.entries.get_mut(&address) {
            // The better source counts: a tracker's word outlives a private torrent's discovery.
            entry.origin = entry.origin.min(candidate.origin);
            return false;
        }
        if let Some(teller) = told_by {
            let told = self.entries.values().filter(|entry| entry.told_by == Some(teller)).count();
            if told >= MOST_OF_ONE_PEER {
                return false;
            }
        }
        if self.entries.len() >= MOST && !self.evict(candidate.origin) {
            return false;
        }
        self.order += 1;
        self.entries.insert(
            address,
            Entry {
                origin: candidate.origin,
                told_by,
                standing: Standing::Known,
                tried: 0,
                failures: 0,
                last: None,
                due_at: now,
                order: self.order,
            },
        );
        true
    }

    /// Makes room for one of `origin`: by one that has failed, or is of a worse origin and waits.
    fn evict(&mut self, origin: Origin) -> bool {
        let victim = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.standing == Standing::Known)
            .filter(|(_, entry)| {
                entry.origin != Origin::Given && (entry.failures > 0 || entry.origin > origin)
            })
            .max_by_key(|(_, entry)| (entry.failures, entry.origin, entry.order))
            .map(|(address, _)| *address);
        victim.is_some_and(|address| self.entries.remove(&address).is_some())
    }

    /// The next one to dial: never tried before tried, then by origin and order. It counts as dialled from here on,
    /// until `connected` or `ended`.
    pub fn next(&mut self, now: Timestamp) -> Option<Candidate> {
        let (address, entry) = self
            .entries
            .iter_mut()
            .filter(|(_, entry)| entry.standing == Standing::Known && entry.due_at <= now)
            .min_by_key(|(_, entry)| (entry.failures, entry.tried > 0, entry.origin, entry.order))?;
        entry.standing = Standing::Dialled;
        entry.tried = entry.tried.saturating_add(1);
        self.dialled += 1;
        Some(Candidate { address: *address, origin: entry.origin })
    }

    /// True if somebody may be dialled now who is worth a place that is taken: who was never tried, or has made room long
    /// ago. One that refused the last dial is not.
    pub fn has_promising(&self, now: Timestamp) -> bool {
        self.entries.values().any(|entry| {
            let promises = entry.failures == 0 || entry.last == Some(Ending::Replaced);
            promises && entry.standing == Standing::Known && entry.due_at <= now
        })
    }

    /// When the next one may be dialled that may not yet; `None` if there is none.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.entries
            .values()
            .filter(|entry| entry.standing == Standing::Known)
            .map(|entry| entry.due_at)
            .min()
    }

    /// The dial went well, handshake included; or a peer that dialled us listens at this address. False if it is
    /// connected or being dialled otherwise (only in the second case).
    pub fn connected(&mut self, candidate: Candidate, now: Timestamp) -> bool {
        let address = canonical(candidate.address);
        self.add(candidate, None, now);
        let Some(entry) = self.entries.get_mut(&address) else { return false };
        let dialled = entry.standing == Standing::Dialled;
        if dialled && candidate.origin == Origin::Incoming {
            return false;
        }
        if dialled {
            self.dialled = self.dialled.saturating_sub(1);
        }
        let free = dialled || entry.standing == Standing::Known;
        if free {
            entry.standing = Standing::Connected;
        }
        free
    }

    /// The dial or the connection is over. `good` if it was a connection that lasted or brought something: such a
    /// peer is tried again soon.
    pub fn ended(&mut self, address: SocketAddr, ending: Ending, good: bool, now: Timestamp) {
        let address = canonical(address);
        if ending == Ending::Banned {
            self.ban(address, now);
        }
        let Some(entry) = self.entries.get_mut(&address) else { return };
        if entry.standing == Standing::Dialled {
            self.dialled = self.dialled.saturating_sub(1);
        }
        entry.last = Some(ending);
        entry.standing = Standing::Known;
        entry.failures = if good { 1 } else { (entry.failures + 1).min(BACKOFF.len()) };
        let backoff = BACKOFF[entry.failures.clamp(1, BACKOFF.len()) - 1];
        entry.due_at = now
            + match ending {
                Ending::Oneself => {
                    entry.standing = Standing::Never;
                    HOPELESS
                }
                Ending::WrongInfoHash | Ending::NotBitTorrent => HOPELESS,
                Ending::Misbehaved(_) | Ending::Banned => BAN,
                Ending::Replaced => backoff.max(REPLACED),
                Ending::Dropped | Ending::Duplicate => backoff.max(Duration::from_secs(60)),
                _ => backoff,
            };
    }

    /// Refuses an address for [`BAN`].
    pub fn ban(&mut self, address: SocketAddr, now: Timestamp) {
        self.bans.retain(|_, until| *until > now);
        if self.bans.len() >= MOST_BANS {
            let oldest = self.bans.iter().min_by_key(|(_, until)| **until).map(|(ban, _)| *ban);
            oldest.map(|ban| self.bans.remove(&ban));
        }
        let ban = Ban::of(address);
        self.bans.insert(ban, now + BAN);
        for (_, entry) in self.entries.iter_mut().filter(|(address, _)| Ban::of(**address) == ban) {
            entry.due_at = entry.due_at.max(now + BAN);
        }
    }

    pub fn is_banned(&self, address: SocketAddr, now: Timestamp) -> bool {
        self.bans.get(&Ban::of(address)).is_some_and(|until| *until > now)
    }

    /// The torrent is private (BEP 27): whom the magnet, the DHT, the local network or other peers named is forgotten, and
    /// named in vain from now on.
    pub fn forget_public(&mut self) {
        self.private = true;
        self.retain(|_, origin| !origin.is_public());
    }

    /// Of those that trackers named, or that dialled us, all but these are forgotten.
    pub fn keep_only(&mut self, named: &HashSet<SocketAddr>) {
        self.retain(|address, origin| origin == Origin::Given || named.contains(&address));
    }

    /// Also those being dialled, and those connected, are forgotten: what comes of them is no news any more.
    fn retain(&mut self, keep: impl Fn(SocketAddr, Origin) -> bool) {
        self.entries.retain(|address, entry| {
            let kept = entry.standing == Standing::Never || keep(*address, entry.origin);
            if !kept && entry.standing == Standing::Dialled {
                self.dialled = self.dialled.saturating_sub(1);
            }
            kept
        });
    }

    /// False for one that was never named, or is forgotten.
    pub fn knows(&self, address: SocketAddr) -> bool {
        self.entries.contains_key(&canonical(address))
    }

    /// Those being dialled.
    pub fn dialled(&self) -> usize {
        self.dialled
    }

    /// Those known and not connected.
    pub fn waiting(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| matches!(entry.standing, Standing::Known | Standing::Dialled))
            .count()
    }

    /// How the last tries of those that are not connected ended.
    pub fn failed(&self) -> BTreeMap<Ending, usize> {
        let mut failed = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| entry.standing != Standing::Connected) {
            if let Some(ending) = entry.last {
                *failed.entry(ending).or_default() += 1;
            }
        }
        failed
    }

    /// All of them, in order of arrival.
    pub fn reports(&self) -> Vec<CandidateReport> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.order);
        entries
            .into_iter()
            .map(|(address, entry)| CandidateReport {
                address: *address,
                origin: entry.origin,
                standing: entry.standing,
                tried: entry.tried,
                last: entry.last,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(n: u32) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::from(0xc633_6400 + n), 6881))
    }

    fn from(origin: Origin, n: u32) -> Candidate {
        Candidate { address: at(n), origin }
    }

    fn seconds(n: u64) -> Timestamp {
        Timestamp::since_start(Duration::from_secs(n))
    }

    #[test]
    fn the_untried_go_first_and_given_ones_before_all() {
        let mut table = Candidates::default();
        table.add(from(Origin::Tracker, 1), None, seconds(0));
        assert_eq!(table.next(seconds(0)), Some(from(Origin::Tracker, 1)));
        table.ended(at(1), Ending::Refused, false, seconds(0));
        table.add(from(Origin::Dht, 2), None, seconds(5));
        table.add(from(Origin::Given, 3), None, seconds(5));
        assert_eq!(table.next(seconds(5)), Some(from(Origin::Given, 3)));
        assert_eq!(table.next(seconds(5)), Some(from(Origin::Dht, 2)));
        assert_eq!(table.next(seconds(5)), Some(from(Origin::Tracker, 1)));
        assert_eq!(table.next(seconds(5)), None);
        assert_eq!(table.dialled(), 3);
    }

    #[test]
    fn one_that_refuses_is_tried_ever_more_seldom() {
        let mut table = Candidates::default();
        table.add(from(Origin::Tracker, 1), None, seconds(0));
        let mut now = seconds(0);
        let mut waits = Vec::new();
        for _ in 0..7 {
            table.next(now).expect("it is due");
            table.ended(at(1), Ending::Refused, false, now);
            let due = table.due_at().expect("it is known");
            waits.push(due.since(now).as_secs());
            assert_eq!(table.next(now), None);
            now = due;
        }
        assert_eq!(waits, [1, 5, 15, 60, 300, 900, 900]);
    }

    #[test]
    fn one_that_was_good_comes_back_soon() {
        let mut table = Candidates::default();
        table.add(from(Origin::Tracker, 1), None, seconds(0));
        for _ in 0..4 {
            let due = table.due_at().expect("known");
            table.next(due).expect("due");
            table.ended(at(1), Ending::ConnectTimeout, false, due);
        }
        let due = table.due_at().expect("known");
        table.next(due).expect("due");
        assert!(table.connected(from(Origin::Tracker, 1), due));
        assert_eq!(table.dialled(), 0);
        table.ended(at(1), Ending::ClosedAfterHandshake, true, due);
        assert_eq!(table.due_at(), Some(due + Duration::from_secs(1)));
    }

    #[test]
    fn a_liar_from_afar_is_banned_with_all_its_ports_and_comes_back_after_a_while() {
        let mut table = Candidates::default();
        table.add(from(Origin::Tracker, 1), None, seconds(0));
        table.next(seconds(0)).expect("due");
        let other_port = SocketAddr::new(at(1).ip(), 7000);
        table.add(Candidate { address: other_port, origin: Origin::Tracker }, None, seconds(0));
        table.ended(at(1), Ending::Banned, true, seconds(0));
        assert_eq!(table.next(seconds(1)), None);
        assert!(table.is_banned(SocketAddr::new(at(1).ip(), 1234), seconds(1)));
        assert!(!table.is_banned(at(2), seconds(1)));
        assert!(!table.is_banned(at(1), seconds(0) + BAN));
        let neighbour: SocketAddr = "127.0.0.1:1000".parse().expect("an address");
        table.ban(neighbour, seconds(0));
        assert!(table.is_banned(neighbour, seconds(1)));
        assert!(!table.is_banned("127.0.0.1:1001".parse().expect("an address"), seconds(1)));
    }

    #[test]
    fn a_place_is_worth_one_that_was_never_tried_or_that_made_room_long_ago() {
        let mut table = Candidates::default();
        assert!(!table.has_promising(seconds(0)));
        table.add(from(Origin::Tracker, 1), None, seconds(0));
        assert!(table.has_promising(seconds(0)));
        table.next(seconds(0)).expect("due");
        assert!(!table.has_promising(seconds(0)));
        table.ended(at(1), Ending::Refused, false, seconds(0));
        assert!(!table.has_promising(seconds(10)));
        table.next(seconds(10)).expect("due");
        table.connected(from(Origin::Tracker, 1), seconds(10));
        table.ended(at(1), Ending::Replaced, true, seconds(100));
        assert!(!table.has_promising(seconds(399)));
        assert!(table.has_promising(seconds(400)));
    }

    #[test]
    fn peers_cannot_flood_the_table() {
        let mut table = Candidates::default();
        let liar: IpAddr = at(0).ip();
        for n in 0..10_000 {
            table.add(from(Origin::Pex, n), Some(liar), seconds(0));
        }
        assert_eq!(table.entries.len(), MOST_OF_ONE_PEER);
        for n in 0..10_000 {
            table.add(from(Origin::Dht, n), None, seconds(0));
        }
        assert_eq!(table.entries.len(), MOST);
        assert!(table.add(from(Origin::Tracker, 20_000), None, seconds(0)));
        assert!(!table.add(from(Origin::Pex, 20_001), Some(at(1).ip()), seconds(0)));
        assert_eq!(table.entries.len(), MOST);
    }

    #[test]
    fn a_private_torrent_forgets_whom_no_tracker_named() {
        let mut table = Candidates::default();
        table.add(from(Origin::Pex, 1), None, seconds(0));
        table.add(from(Origin::Dht, 2), None, seconds(0));
        table.add(from(Origin::Tracker, 3), None, seconds(0));
        table.add(from(Origin::Tracker, 2), None, seconds(0));
        table.add(from(Origin::Magnet, 4), None, seconds(0));
        table.add(from(Origin::Given, 5), None, seconds(0));
        for _ in 0..5 {
            table.next(seconds(0)).expect("all are dialled at once");
        }
        table.forget_public();
        let left: Vec<_> = table.reports().iter().map(|report| report.address).collect();
        assert_eq!(left, [at(2), at(3), at(5)]);
        // One of them was being dialled; what came of it is no news.
        assert_eq!(table.dialled(), 3);
        table.ended(at(1), Ending::Refused, false, seconds(1));
        assert!(!table.knows(at(1)) && table.knows(at(2)));
        assert!(!table.add(from(Origin::Pex, 6), None, seconds(1)));
        assert!(table.add(from(Origin::Tracker, 6), None, seconds(1)));
    }

    #[test]
    fn a_private_torrent_has_the_peers_of_one_tracker_and_those_given_by_hand() {
        let mut table = Candidates::default();
        table.add(from(Origin::Tracker, 1), None, seconds(0));
        table.add(from(Origin::Tracker, 2), None, seconds(0));
        table.add(from(Origin::Given, 3), None, seconds(0));
        table.connected(from(Origin::Incoming, 4), seconds(0));
        table.keep_only(&HashSet::from([at(2)]));
        let left: Vec<_> = table.reports().iter().map(|report| report.address).collect();
        assert_eq!(left, [at(2), at(3)]);
    }

    #[test]
    fn oneself_is_never_dialled_again_and_one_address_has_one_form() {
        let mut table = Candidates::default();
        assert!(table.add(from(Origin::Tracker, 1), None, seconds(0)));
        let mapped: SocketAddr = "[::ffff:198.51.100.1]:6881".parse().expect("an address");
        assert!(!table.add(Candidate { address: mapped, origin: Origin::Dht }, None, seconds(0)));
        table.next(seconds(0)).expect("due");
        table.ended(mapped, Ending::Oneself, false, seconds(0));
        assert_eq!(table.due_at(), None);
    }
}
