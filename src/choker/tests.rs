use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

struct World {
    choker: Choker,
    now: Timestamp,
    next: Timestamp,
    unchoked: BTreeSet<u32>,
}

impl World {
    fn new(slots: usize) -> Self {
        World::with(Config { slots, least_slots: slots, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let choker = Choker::new(config, 7);
        World { choker, now: Timestamp::ZERO, next: Timestamp::ZERO, unchoked: BTreeSet::new() }
    }

    fn tell(&mut self, input: Input) {
        self.choker.handle_input(self.now, input);
        loop {
            match self.choker.poll_output(self.now) {
                Output::Unchoke { peer } => assert!(self.unchoked.insert(peer.0), "unchoked twice"),
                Output::Choke { peer } => assert!(self.unchoked.remove(&peer.0), "choked twice"),
                Output::Timeout(at) => {
                    self.next = at;
                    return;
                }
            }
        }
    }

    fn join(&mut self, peers: impl IntoIterator<Item = u32>) {
        for peer in peers {
            self.tell(Input::PeerConnected { peer: PeerId(peer) });
            self.tell(Input::PeerInterested { peer: PeerId(peer), interested: true });
        }
    }

    fn leave(&mut self, peer: u32) {
        self.unchoked.remove(&peer);
        self.tell(Input::PeerLeft { peer: PeerId(peer) });
    }

    fn gives(&mut self, peer: u32, bytes: u32) {
        self.tell(Input::BlockReceived { peer: PeerId(peer), bytes });
    }

    fn takes(&mut self, peer: u32, bytes: u32) {
        self.tell(Input::BlockSent { peer: PeerId(peer), bytes });
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.next <= end {
            self.now = self.next;
            self.tell(Input::TimeoutReached);
        }
        self.now = end;
    }

    fn unchoked(&self) -> Vec<u32> {
        self.unchoked.iter().copied().collect()
    }
}

#[test]
fn free_slots_are_given_at_once_and_no_more_than_there_are() {
    let mut world = World::new(3);
    world.join(0..5);
    assert_eq!(world.unchoked(), [0, 1, 2]);
}

#[test]
fn a_slot_that_is_left_goes_to_who_waits() {
    let mut world = World::new(2);
    world.join(0..3);
    world.leave(0);
    assert_eq!(world.unchoked(), [1, 2]);
    world.tell(Input::PeerInterested { peer: PeerId(2), interested: false });
    world.join([3]);
    assert_eq!(world.unchoked(), [1, 3]);
}

#[test]
fn who_gives_us_most_is_unchoked_at_the_next_ranking() {
    let mut world = World::new(3);
    world.join(0..6);
    world.gives(4, 500_000);
    world.gives(5, 900_000);
    world.gives(0, 100);
    world.pass(10);
    let unchoked = world.unchoked();
    assert_eq!(unchoked.len(), 3);
    assert!(unchoked.contains(&4) && unchoked.contains(&5), "{unchoked:?}");
}

#[test]
fn gifts_of_long_ago_are_forgotten() {
    let mut world = World::new(2);
    world.join(0..4);
    world.gives(0, 1_000_000);
    world.pass(120);
    world.gives(3, 10_000);
    world.pass(10);
    assert!(world.unchoked.contains(&3), "{:?}", world.unchoked());
}

#[test]
fn a_seed_serves_each_in_its_turn() {
    let mut world = World::new(2);
    world.tell(Input::Complete);
    world.join(0..6);
    let mut served = BTreeSet::new();
    for _ in 0..6 {
        for peer in world.unchoked() {
            served.insert(peer);
            world.takes(peer, 500_000);
        }
        world.pass(10);
    }
    assert_eq!(served.len(), 6);
}

#[test]
fn while_we_lack_something_slots_are_few_until_we_send_more() {
    let mut world = World::with(Config::default());
    world.join(0..12);
    assert_eq!(world.unchoked().len(), 2);
    let mut most = 0;
    for _ in 0..9 {
        world.unchoked().into_iter().for_each(|peer| world.takes(peer, 150_000));
        world.pass(1);
        most = most.max(world.unchoked().len());
    }
    assert_eq!(most, 2, "a line of 300 kB/s");
    for _ in 0..20 {
        world.unchoked().into_iter().for_each(|peer| world.takes(peer, 2_000_000));
        world.pass(1);
    }
    assert_eq!(world.unchoked().len(), 8, "a line of 16 MB/s");
}

#[test]
fn a_slot_that_is_not_used_does_not_count() {
    let mut world = World::with(Config::default());
    world.join(0..12);
    world.pass(1);
    world.takes(0, 100_000);
    world.pass(1);
    assert!(world.unchoked().len() > 2, "{:?}", world.unchoked());
    world.pass(5);
    assert_eq!(world.unchoked().len(), 8);
}

#[test]
fn the_optimistic_slot_visits_everyone_in_time() {
    let mut world = World::new(2);
    world.join(0..6);
    world.gives(0, 100_000_000);
    let mut visited = BTreeSet::new();
    for _ in 0..100 {
        world.pass(30);
        world.gives(0, 100_000_000);
        assert!(world.unchoked.contains(&0), "the best giver keeps its slot");
        visited.extend(world.unchoked());
    }
    assert_eq!(visited.len(), 6);
}

#[test]
fn newcomers_get_the_optimistic_slot_more_often() {
    let mut first = 0;
    for seed in 0..400 {
        let mut choker = Choker::new(Config { slots: 1, ..Config::default() }, seed);
        let interested = |peer| Input::PeerInterested { peer: PeerId(peer), interested: true };
        for (peer, at) in [(0, 0), (1, 0), (2, 100)] {
            let now = Timestamp::since_start(Duration::from_secs(at));
            choker.handle_input(now, Input::PeerConnected { peer: PeerId(peer) });
            choker.handle_input(now, interested(peer));
        }
        let now = Timestamp::since_start(Duration::from_secs(110));
        choker.handle_input(now, Input::TimeoutReached);
        first += usize::from(choker.optimistic == Some(PeerId(2)));
    }
    // 3 of 5, were it a fair draw: far from 1 of 3.
    assert!((190..290).contains(&first), "{first} of 400");
}

#[test]
fn without_slots_nobody_is_ever_unchoked_and_no_timer_runs() {
    let mut world = World::new(0);
    world.join(0..3);
    assert!(world.unchoked.is_empty());
    assert_eq!(world.next, world.now + FOREVER);
}

#[test]
fn while_nobody_waits_no_timer_runs() {
    let mut world = World::new(4);
    world.join(0..4);
    assert_eq!(world.next, world.now + FOREVER);
    world.join([4]);
    assert_eq!(world.next, world.now + LOOK_EVERY);
    world.leave(4);
    assert_eq!(world.next, world.now + FOREVER);
}

proptest! {
    #[test]
    fn never_more_than_the_slots_and_never_idle_slots(
        slots in 0usize..5,
        steps in proptest::collection::vec((0u8..6, 0u32..10, 0u64..20), 0..200),
    ) {
        let mut world = World::new(slots);
        let mut interested = BTreeSet::new();
        let mut here = BTreeSet::new();
        for (what, id, seconds) in steps {
            let peer = PeerId(id);
            match what {
                0 => { here.insert(id); world.tell(Input::PeerConnected { peer }) }
                1 => {
                    if here.contains(&id) { interested.insert(id); }
                    world.tell(Input::PeerInterested { peer, interested: true });
                }
                2 => { interested.remove(&id); world.tell(Input::PeerInterested { peer, interested: false }) }
                3 => { here.remove(&id); interested.remove(&id); world.leave(id) }
                4 => world.gives(id, seconds as u32 * 1000),
                _ => world.pass(seconds),
            }
            prop_assert_eq!(world.unchoked.len(), slots.min(interested.len()));
            prop_assert!(world.unchoked.is_subset(&interested));
        }
    }
}

#[test]
fn while_it_is_paused_nobody_is_unchoked_and_afterwards_as_many_as_before() {
    let mut world = World::new(3);
    world.join(0..5);
    assert_eq!(world.unchoked().len(), 3);
    world.tell(Input::Paused { paused: true });
    assert!(world.unchoked.is_empty());
    world.join(5..7);
    world.leave(0);
    world.tell(Input::Complete);
    assert!(world.unchoked.is_empty());
    assert!(world.next >= world.now + FOREVER, "there is nothing to wait for");
    world.tell(Input::Paused { paused: false });
    assert_eq!(world.unchoked().len(), 3);
    world.pass(60);
    assert_eq!(world.unchoked().len(), 3);
}
