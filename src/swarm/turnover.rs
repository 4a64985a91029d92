//! Whose place is taken when all places are, and somebody else waits. Pure.
//!
//! A viewer with a hundred peers that choke him, or that have nothing which he lacks, is not helped by any of them; the next
//! candidate may. A peer that brings something, or takes something, is never put out.

use std::time::Duration;

use crate::scheduler::PeerId;

/// How useful a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub peer: PeerId,
    /// Since a block last came from it or went to it; if none ever did, since it connected.
    pub idle: Duration,
    /// It chokes us.
    pub choking: bool,
    /// It has something that we want, as far as we know.
    pub wanted: bool,
    /// It wants something of us.
    pub interested: bool,
    /// It was asked for blocks, and has neither sent nor refused one since.
    pub owing: bool,
}

/// How useless, the most useless last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// It chokes us, and may unchoke us some day.
    Choking,
    /// It unchokes us and does not send what it was asked for.
    Snubbing,
    /// Neither has anything for the other: both are seeds, or both have as little.
    Pointless,
}

impl Use {
    fn fault(&self, patience: Duration) -> Option<Fault> {
        if self.idle < patience {
            None
        } else if !self.wanted && !self.interested {
            Some(Fault::Pointless)
        } else if self.owing && !self.choking {
            Some(Fault::Snubbing)
        } else if self.choking && self.wanted {
            Some(Fault::Choking)
        } else {
            // It unchokes us and was not asked, or we let it wait: it may be what helps next.
            None
        }
    }
}

/// The most useless of them, of equals the one that has been so for longest; `None` if all are of some use, or have been within
/// `patience`.
pub(super) fn least_useful(peers: impl IntoIterator<Item = Use>, patience: Duration) -> Option<PeerId> {
    peers
        .into_iter()
        .filter_map(|peer| Some((peer.fault(patience)?, peer.idle, peer.peer)))
        .max()
        .map(|(_, _, peer)| peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn peer(number: u32, idle: u64) -> Use {
        Use {
            peer: PeerId(number),
            idle: Duration::from_secs(idle),
            choking: false,
            wanted: true,
            interested: false,
            owing: false,
        }
    }

    fn least(peers: &[Use]) -> Option<u32> {
        least_useful(peers.iter().copied(), PATIENCE).map(|peer| peer.0)
    }

    #[test]
    fn who_brings_or_takes_something_stays() {
        let busy = Use { owing: true, ..peer(1, 59) };
        let taking = Use { choking: true, interested: true, ..peer(2, 5) };
        assert_eq!(least(&[busy, taking]), None);
        assert_eq!(least(&[]), None);
    }

    #[test]
    fn who_would_send_at_once_if_it_were_asked_stays() {
        assert_eq!(least(&[peer(1, 10_000)]), None);
    }

    #[test]
    fn who_waits_for_us_stays_while_we_want_nothing_of_it() {
        assert_eq!(least(&[Use { wanted: false, interested: true, ..peer(1, 10_000) }]), None);
    }

    #[test]
    fn two_that_have_all_have_nothing_to_say_to_each_other() {
        let choking = Use { choking: true, ..peer(1, 500) };
        let snubbing = Use { owing: true, ..peer(2, 300) };
        let pointless = Use { wanted: false, ..peer(3, 100) };
        assert_eq!(least(&[choking, snubbing, pointless]), Some(3));
        assert_eq!(least(&[choking, snubbing]), Some(2));
        assert_eq!(least(&[choking]), Some(1));
    }

    #[test]
    fn of_equals_the_one_that_has_been_so_for_longest_goes() {
        let choking = |number, idle| Use { choking: true, ..peer(number, idle) };
        assert_eq!(least(&[choking(1, 100), choking(2, 300), choking(3, 200)]), Some(2));
    }

    #[test]
    fn a_newcomer_has_its_time() {
        assert_eq!(least(&[Use { choking: true, ..peer(1, 59) }]), None);
    }
}
