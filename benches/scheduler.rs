//! What one input costs the scheduler: microseconds, and no more in a torrent ten times as large. `make bench`.
//!
//! 200 peers, half of them with everything and half with two thirds of it, send what they are asked for, in the order of
//! asking; a reader goes on at the rate of a film, the rest is background.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use peerflix::bitfield::Bitfield;
use peerflix::layout::{BlockId, FileSpan, Layout, PieceIndex};
use peerflix::scheduler::{Config, Input, Output, PeerId, ReaderId, Scheduler};
use peerflix::units::Timestamp;

const PIECE: u32 = 1 << 20;
const PEERS: u32 = 200;
/// Between two blocks: 200 peers of 200 kB/s.
const BETWEEN: Duration = Duration::from_micros(400);
/// A reader's step at 4 MB/s, so that it crosses pieces as well.
const READ: u64 = 64 * 1024;
const BLOCKS_A_READ: u64 = 40;

struct Swarm {
    scheduler: Scheduler,
    layout: Layout,
    now: Timestamp,
    asked: VecDeque<(PeerId, BlockId)>,
    head: u64,
    blocks: u64,
    dice: u64,
}

impl Swarm {
    fn new(size: u64) -> Self {
        let layout = Layout::new(size, PIECE).expect("a fair layout");
        let scheduler = Scheduler::new(layout.clone(), Config::default(), 1);
        let mut swarm = Swarm {
            scheduler,
            layout,
            now: Timestamp::ZERO,
            asked: VecDeque::new(),
            head: 0,
            blocks: 0,
            dice: 1,
        };
        let span = FileSpan { offset: 0, length: size };
        swarm.tell(Input::BackgroundWanted { span });
        for peer in (0..PEERS).map(PeerId) {
            let latency = Some(Duration::from_millis(20 + u64::from(peer.0)));
            swarm.tell(Input::PeerConnected { peer, latency });
            let have = swarm.have(peer);
            swarm.tell(Input::PeerBitfield { peer, have });
            swarm.tell(Input::PeerUnchoked { peer });
        }
        swarm.tell(Input::ReaderOpened {
            reader: ReaderId(0),
            span,
            head: 0,
            rate: Some(4_000_000),
            until: None,
        });
        for _ in 0..20_000 {
            swarm.next();
        }
        swarm
    }

    fn have(&mut self, peer: PeerId) -> Bitfield {
        let pieces = self.layout.pieces();
        let mut have = Bitfield::none(pieces);
        for piece in (0..pieces).map(PieceIndex) {
            if peer.0.is_multiple_of(2) || !self.random().is_multiple_of(3) {
                have.insert(piece);
            }
        }
        have
    }

    fn random(&mut self) -> u64 {
        // Knuth's MMIX.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.dice >> 33
    }

    fn tell(&mut self, input: Input) {
        self.scheduler.handle_input(self.now, input);
        let mut whole = Vec::new();
        loop {
            match self.scheduler.poll_output(self.now) {
                Output::Request { peer, block } => self.asked.push_back((peer, block)),
                Output::Cancel { peer, block } => self.asked.retain(|other| *other != (peer, block)),
                Output::Verify { piece } => whole.push(piece),
                Output::Timeout(_) => break,
                Output::Interest { .. } | Output::Drop { .. } => {}
            }
        }
        for piece in whole {
            self.tell(Input::PieceVerified { piece, lies: Vec::new() });
        }
    }

    /// The next block comes, and whatever follows from it.
    fn next(&mut self) {
        self.now = self.now + BETWEEN;
        self.blocks += 1;
        match self.asked.pop_front() {
            Some((peer, block)) => self.tell(Input::BlockArrived { peer, block }),
            None => self.tell(Input::TimeoutReached),
        }
        if self.blocks.is_multiple_of(BLOCKS_A_READ) {
            self.head += READ;
            let head = self.head;
            self.tell(Input::ReaderMoved { reader: ReaderId(0), head, waiting: false });
        }
    }

    fn seek(&mut self) {
        self.head = self.random() % (self.layout.total() / 2 / u64::from(PIECE)) * u64::from(PIECE);
        let head = self.head;
        self.tell(Input::ReaderMoved { reader: ReaderId(0), head, waiting: true });
    }
}

/// The time of `what` alone; `between` happens in between.
fn timed(count: u64, swarm: &mut Swarm, what: fn(&mut Swarm), between: fn(&mut Swarm)) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..count {
        let began = Instant::now();
        what(black_box(swarm));
        spent += began.elapsed();
        between(swarm);
    }
    spent
}

fn some_blocks(swarm: &mut Swarm) {
    (0..50).for_each(|_| swarm.next());
}

fn inputs(criterion: &mut Criterion) {
    for (name, size) in [("100 GB", 100_000_000_000), ("1 TB", 1_000_000_000_000)] {
        let mut swarm = Swarm::new(size);
        let mut group = criterion.benchmark_group(name);
        group.bench_function("a block, and what follows from it", |bencher| {
            bencher.iter_custom(|count| timed(count, &mut swarm, Swarm::next, |_| {}));
        });
        group.bench_function("have", |bencher| {
            let have = |swarm: &mut Swarm| {
                let piece = PieceIndex((swarm.random() % u64::from(swarm.layout.pieces())) as u32);
                let peer = PeerId((swarm.random() % u64::from(PEERS)) as u32);
                swarm.tell(Input::PeerHave { peer, piece });
            };
            bencher.iter_custom(|count| timed(count, &mut swarm, have, |_| {}));
        });
        group.bench_function("the timer", |bencher| {
            let timer = |swarm: &mut Swarm| swarm.tell(Input::TimeoutReached);
            bencher.iter_custom(|count| timed(count, &mut swarm, timer, |_| {}));
        });
        group.sample_size(20);
        group.bench_function("a seek", |bencher| {
            bencher.iter_custom(|count| timed(count, &mut swarm, Swarm::seek, some_blocks));
        });
        group.finish();
    }
}

criterion_group!(benches, inputs);
criterion_main!(benches);
