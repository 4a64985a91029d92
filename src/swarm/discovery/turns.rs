//! Which tracker is asked. A public torrent asks all of them at once: a viewer waits for the fastest. A private one is a swarm
//! of its own at each tracker, so it asks one at a time, tier by tier (BEP 12, 27), and keeps to the one that answers.
//! Pure.

use std::collections::HashSet;

/// A tracker that has answered may fail so often in a row, before the next one is asked: with it go all its peers.
const PATIENCE: u32 = 3;

/// Trackers by number, each with its families of addresses: one that fails over IPv6 may answer over IPv4.
#[derive(Debug)]
pub(super) struct Turns {
    tiers: Vec<Vec<usize>>,
    private: bool,
    /// Whom a private torrent asks now.
    asked: Option<usize>,
    /// Whose peers it has: the last that has answered while it was asked.
    swarm_of: Option<usize>,
    /// Asked since the last answer, and failed.
    failed: HashSet<usize>,
    trackers: Vec<Vec<Family>>,
}

/// One family of a tracker's addresses.
#[derive(Clone, Copy, Debug, Default)]
struct Family {
    has_answered: bool,
    /// In a row.
    failures: u32,
    /// It is not asked any more.
    given_up: bool,
}

/// Who may be asked, and whose peers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Everybody,
    Only { asked: Option<usize>, swarm_of: Option<usize> },
}

impl Turn {
    pub(super) fn may_ask(self, tracker: usize) -> bool {
        match self {
            Turn::Everybody => true,
            Turn::Only { asked, .. } => asked == Some(tracker),
        }
    }

    pub(super) fn may_name(self, tracker: usize) -> bool {
        match self {
            Turn::Everybody => true,
            Turn::Only { swarm_of, .. } => swarm_of == Some(tracker),
        }
    }
}

impl Turns {
    /// Tiers of trackers, each tier in an order of chance (BEP 12), and how many families each tracker has.
    pub(super) fn new(tiers: Vec<Vec<usize>>, families: &[usize], private: bool) -> Self {
        let mut turns = Turns {
            tiers,
            private: false,
            asked: None,
            swarm_of: None,
            failed: HashSet::new(),
            trackers: families.iter().map(|&families| vec![Family::default(); families]).collect(),
        };
        if private {
            turns.become_private(&HashSet::new());
        }
        turns
    }

    pub(super) fn turn(&self) -> Turn {
        match self.private {
            false => Turn::Everybody,
            true => Turn::Only { asked: self.asked, swarm_of: self.swarm_of },
        }
    }

    /// From now on one at a time: of those that have answered the first, if there is one. Those `left_out` are asked only if
    /// there is nobody else: they are no trackers of the torrent's own.
    pub(super) fn become_private(&mut self, left_out: &HashSet<usize>) {
        if std::mem::replace(&mut self.private, true) {
            return;
        }
        let has_own = self.order().any(|tracker| !left_out.contains(&tracker));
        if has_own {
            self.tiers.iter_mut().for_each(|tier| tier.retain(|tracker| !left_out.contains(tracker)));
        }
        let has_answered = |tracker: &usize| self.families(*tracker).iter().any(|family| family.has_answered);
        let first = self.order().find(has_answered);
        self.swarm_of = first;
        self.asked = self.swarm_of.or_else(|| self.order().next());
    }

    fn families(&self, tracker: usize) -> &[Family] {
        self.trackers.get(tracker).map_or(&[], Vec::as_slice)
    }

    fn with(&mut self, tracker: usize, family: usize, change: impl FnOnce(&mut Family)) {
        if let Some(family) = self.trackers.get_mut(tracker).and_then(|families| families.get_mut(family)) {
            change(family);
        }
    }

    fn order(&self) -> impl Iterator<Item = usize> {
        self.tiers.iter().flatten().copied()
    }

    /// A tracker has answered over this family.
    pub(super) fn on_answer(&mut self, tracker: usize, family: usize) {
        self.with(tracker, family, |family| *family = Family { has_answered: true, ..Family::default() });
        if self.private && self.asked == Some(tracker) {
            self.swarm_of = Some(tracker);
            self.failed.clear();
            if let Some(tier) = self.tiers.iter_mut().find(|tier| tier.contains(&tracker)) {
                // BEP 12: the one that answers is the first of its tier from now on.
                tier.retain(|&other| other != tracker);
                tier.insert(0, tracker);
            }
        }
    }

    /// A tracker has failed over this family.
    pub(super) fn on_failure(&mut self, tracker: usize, family: usize) {
        self.with(tracker, family, |family| family.failures = family.failures.saturating_add(1));
        self.pass_on(tracker);
    }

    /// A tracker is not asked over this family any more.
    pub(super) fn give_up(&mut self, tracker: usize, family: usize) {
        self.with(tracker, family, |family| family.given_up = true);
        if self.families(tracker).iter().all(|family| family.given_up) {
            self.tiers.iter_mut().for_each(|tier| tier.retain(|&other| other != tracker));
        }
        self.pass_on(tracker);
    }

    /// If it is this tracker's turn, and it has failed: the next one's.
    fn pass_on(&mut self, tracker: usize) {
        let is_used = self.swarm_of == Some(tracker);
        let has_failed = |family: &Family| {
            // A family that has never answered, such as of a tracker without an IPv6 address, is waited for once.
            let patience = if is_used && family.has_answered { PATIENCE } else { 1 };
            family.given_up || family.failures >= patience
        };
        if self.private && self.asked == Some(tracker) && self.families(tracker).iter().all(has_failed) {
            self.failed.insert(tracker);
            self.asked = self.next();
        }
    }

    /// The first that has not failed since the last answer; if all have, the round begins again.
    fn next(&mut self) -> Option<usize> {
        if self.order().all(|tracker| self.failed.contains(&tracker)) {
            self.failed.clear();
        }
        self.order().find(|tracker| !self.failed.contains(tracker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(asked: usize, swarm_of: Option<usize>) -> Turn {
        Turn::Only { asked: Some(asked), swarm_of }
    }

    #[test]
    fn a_public_torrent_asks_everybody_whatever_happens() {
        let mut turns = Turns::new(vec![vec![0, 1], vec![2]], &[1; 3], false);
        turns.on_failure(0, 0);
        turns.on_answer(2, 0);
        assert_eq!(turns.turn(), Turn::Everybody);
        assert!(turns.turn().may_ask(1) && turns.turn().may_name(0));
    }

    #[test]
    fn a_private_one_asks_tier_by_tier_until_one_answers_and_begins_again_after_the_last() {
        let mut turns = Turns::new(vec![vec![1, 0], vec![2]], &[1; 3], true);
        for asked in [1, 0, 2, 1, 0, 2] {
            assert_eq!(turns.turn(), only(asked, None));
            assert!(turns.turn().may_ask(asked) && !turns.turn().may_name(asked));
            turns.on_failure(asked, 0);
        }
        turns.on_failure(1, 0);
        turns.on_answer(0, 0);
        assert_eq!(turns.turn(), only(0, Some(0)));
    }

    #[test]
    fn one_that_answers_is_kept_until_it_has_failed_for_a_while_and_its_peers_until_another_answers() {
        let mut turns = Turns::new(vec![vec![0, 1], vec![2]], &[1; 3], true);
        turns.on_failure(0, 0);
        turns.on_answer(1, 0);
        for _ in 1..PATIENCE {
            turns.on_failure(1, 0);
            assert_eq!(turns.turn(), only(1, Some(1)));
        }
        turns.on_failure(1, 0);
        // The first of the tier failed long ago: it is asked again.
        assert_eq!(turns.turn(), only(0, Some(1)));
        turns.on_failure(0, 0);
        assert_eq!(turns.turn(), only(2, Some(1)));
        turns.on_answer(2, 0);
        assert_eq!(turns.turn(), only(2, Some(2)));
    }

    #[test]
    fn a_tracker_has_failed_when_all_its_families_have() {
        let mut turns = Turns::new(vec![vec![0], vec![1]], &[2, 2], true);
        turns.on_failure(0, 1);
        assert_eq!(turns.turn(), only(0, None));
        turns.on_failure(0, 0);
        assert_eq!(turns.turn(), only(1, None));
        // A family that is asked seldom is not waited for again and again.
        turns.on_failure(1, 0);
        turns.on_failure(1, 1);
        assert_eq!(turns.turn(), only(0, None));
        turns.on_failure(0, 0);
        assert_eq!(turns.turn(), only(1, None));
        // What comes late from one whose turn is over changes nothing.
        turns.on_failure(0, 0);
        turns.on_answer(0, 0);
        assert_eq!(turns.turn(), only(1, None));
    }

    #[test]
    fn one_that_turns_out_private_keeps_the_first_that_has_answered_of_its_own() {
        let mut turns = Turns::new(vec![vec![0], vec![1], vec![2], vec![3]], &[1; 4], false);
        turns.on_answer(3, 0);
        turns.on_answer(1, 0);
        turns.on_failure(0, 0);
        turns.become_private(&HashSet::from([3]));
        assert_eq!(turns.turn(), only(1, Some(1)));
        let mut turns = Turns::new(vec![vec![0], vec![1]], &[1; 2], false);
        turns.on_answer(1, 0);
        turns.become_private(&HashSet::from([1]));
        assert_eq!(turns.turn(), only(0, None));
    }

    #[test]
    fn one_that_is_hopeless_has_no_turn_any_more() {
        let mut turns = Turns::new(vec![vec![0], vec![1]], &[1, 2], true);
        turns.give_up(0, 0);
        assert_eq!(turns.turn(), only(1, None));
        turns.give_up(1, 0);
        assert_eq!(turns.turn(), only(1, None));
        turns.on_failure(1, 1);
        assert_eq!(turns.turn(), only(1, None), "there is nobody else");
        turns.give_up(1, 1);
        assert_eq!(turns.turn(), Turn::Only { asked: None, swarm_of: None });
    }

    #[test]
    fn a_family_that_never_answered_does_not_keep_a_tracker_that_is_gone() {
        let mut turns = Turns::new(vec![vec![0], vec![1]], &[2, 1], true);
        turns.on_answer(0, 0);
        turns.on_failure(0, 1);
        for _ in 0..PATIENCE {
            assert_eq!(turns.turn(), only(0, Some(0)));
            turns.on_failure(0, 0);
        }
        assert_eq!(turns.turn(), only(1, Some(0)));
    }

    #[test]
    fn one_without_trackers_of_its_own_asks_the_users() {
        let mut turns = Turns::new(vec![vec![0]], &[1], false);
        turns.become_private(&HashSet::from([0]));
        assert_eq!(turns.turn(), only(0, None));
        let mut none = Turns::new(vec![], &[], true);
        none.on_failure(0, 0);
        assert_eq!(none.turn(), Turn::Only { asked: None, swarm_of: None });
    }
}
