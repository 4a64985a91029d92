//! Which block this peer should be asked for. The question is never "which block for this peer" but "who has this block
//! here soonest": a peer is given the first block in the order of need that all the others together could not bring
//! before it does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::estimate::BREATH;
use super::line::MOST_SERVICE;
use super::peer::Peer;
use super::progress::Progress;
use super::suspects::suspicion;
use super::{Output, PeerId, Scheduler};
use crate::layout::{BLOCK, BlockId, PieceIndex};
use crate::units::Timestamp;

/// A block that is expected just in time is expected too late.
const SAFETY: Duration = Duration::from_millis(500);
/// A peer leaves a block to others only if all of them together would have brought it, and all before it, in this share
/// of the time: our estimates are not better than that. Those of peers that have sent little are worse.
const SOONER: f64 = 0.9;
const MUCH_SOONER: f64 = 0.7;
/// What is many blocks in this.
const MANY: u32 = 16;
/// When only what is urgent may be asked for, so many peers are tried: the soonest of them. Slower ones would pass too.
const MOST_PASSES: usize = 8;
/// At most so many begun pieces are looked at for a peer that lacks most of them.
const MOST_LOOKS: usize = 32;

impl Scheduler {
    /// Asks for as much as peers and line have room for, the peer that is soonest first.
    pub(super) fn fill(&mut self, now: Timestamp) {
        let someone_waits = self.is_someone_waiting();
        let most = self.line.most_in_flight(self.round_trip, false);
        let most_urgent = self.line.most_in_flight(self.round_trip, someone_waits);
        let clear = self.line.carried_in(self.round_trip);
        let on_the_line = |peer: &Peer| peer.on_the_line(now, self.round_trip);
        let mut in_flight: f64 = self.peers.iter().map(on_the_line).sum();
        // Asking one peer makes no other one later: each is looked at once, and again after it was asked.
        let candidate = |at: usize, peer: &Peer| Reverse((peer.soonest(now), at));
        let is_candidate = |peer: &Peer| peer.idle_epoch != self.epoch && peer.has_room();
        let candidates = self.peers.iter().enumerate().filter(|(_, peer)| is_candidate(peer));
        let mut candidates: BinaryHeap<_> = candidates.map(|(at, peer)| candidate(at, peer)).collect();
        let mut passed = 0;
        loop {
            if in_flight >= most_urgent {
                self.line.on_held_back();
                break;
            }
            let urgent_only = in_flight >= most;
            if urgent_only && !self.has_urgent_work() {
                self.line.on_held_back();
                break;
            }
            let Some(Reverse((_, at))) = candidates.pop() else { break };
            match self.pick(now, at, urgent_only) {
                Some(block) => {
                    self.ask(now, at, block, in_flight < clear);
                    in_flight += 1.0;
                    if self.peers[at].has_room() {
                        candidates.push(candidate(at, &self.peers[at]));
                    }
                }
                None if urgent_only && passed >= MOST_PASSES => break,
                None if urgent_only => passed += 1,
                None => self.peers[at].idle_epoch = self.epoch,
            }
        }
    }

    fn ask(&mut self, now: Timestamp, at: usize, block: BlockId, is_clear: bool) {
        let id = self.peers[at].id;
        let progress =
            self.begun.entry(block.piece).or_insert_with(|| Progress::new(&self.layout, block.piece));
        progress.on_asked(block.block, id);
        if progress.open() == 0 {
            self.left_open.remove(&block.piece);
        }
        self.peers[at].ask(now, block, is_clear);
        self.in_flight += 1;
        self.outputs.push_back(Output::Request { peer: id, block });
    }

    /// Asks `id` too for a block that is in flight elsewhere.
    pub(super) fn ask_also(&mut self, now: Timestamp, id: PeerId, block: BlockId) {
        if let Some(at) = self.peer_at(id) {
            self.ask(now, at, block, false);
        }
    }

    fn has_urgent_work(&self) -> bool {
        self.plan.pieces[..self.plan.urgent].iter().any(|planned| self.open_blocks(planned.piece) > 0)
    }

    pub(super) fn open_blocks(&self, piece: PieceIndex) -> u32 {
        match self.begun.get(&piece) {
            Some(progress) if progress.verifying => 0,
            Some(progress) => progress.open(),
            None => self.layout.blocks_in(piece),
        }
    }

    /// The block to ask peer number `at` for, if there is any.
    fn pick(&mut self, now: Timestamp, at: usize, urgent_only: bool) -> Option<BlockId> {
        if self.peers[at].snubbed {
            return if urgent_only { None } else { self.pick_background(at) };
        }
        if let Some(block) = self.pick_for_trade(now, at).or_else(|| self.pick_urgent(now, at)) {
            return Some(block);
        }
        if urgent_only {
            return None;
        }
        self.pick_window(at).or_else(|| self.pick_background(at))
    }

    /// By deadline: the first block that the others could not bring sooner, or that this peer brings in good time.
    fn pick_urgent(&mut self, now: Timestamp, at: usize) -> Option<BlockId> {
        let peer = &self.peers[at];
        let (id, then, is_known) = (peer.id, peer.soonest(now), peer.estimate.answers() >= MANY);
        let sooner = now + then.since(now).mul_f64(if is_known { SOONER } else { MUCH_SOONER });
        let mut before = 0;
        for index in 0..self.plan.urgent {
            let planned = self.plan.pieces[index];
            let open = self.open_blocks(planned.piece);
            if open == 0 || !self.peers[at].have.has(planned.piece) {
                // What this peer lacks is no work of the peers that it competes with for the rest, as a rule.
                continue;
            }
            before += open;
            if !self.may_ask(planned.piece, id) {
                continue;
            }
            let in_time = then + SAFETY <= planned.deadline;
            if !in_time && self.others_bring(now, at, sooner, planned.piece, before) {
                continue;
            }
            if let Some(block) = self.next_open(planned.piece, id) {
                return Some(block);
            }
        }
        None
    }

    /// Whether the peers other than number `at` could bring so many blocks of the piece before `then`, beyond what they
    /// owe. Those that may not be asked for it (it has failed, and they are no judges of it) could not: to leave it to
    /// them would be to leave it for ever.
    fn others_bring(
        &self,
        now: Timestamp,
        at: usize,
        then: Timestamp,
        piece: PieceIndex,
        blocks: u32,
    ) -> bool {
        let mut left = blocks;
        self.peers.iter().enumerate().any(|(other, peer)| {
            if other != at
                && !peer.choking
                && !peer.snubbed
                && peer.have.has(piece)
                && self.may_ask(piece, peer.id)
            {
                left = left.saturating_sub(peer.blocks_by(now, then));
            }
            left == 0
        })
    }

    /// The rest of the windows: rarest first.
    fn pick_window(&mut self, at: usize) -> Option<BlockId> {
        let id = self.peers[at].id;
        let rest = self.plan.urgent..self.plan.pieces.len();
        // What has been begun is finished first: a half piece is of use to nobody.
        for index in rest.clone() {
            let piece = self.plan.pieces[index].piece;
            let is_open =
                self.begun.get(&piece).is_some_and(|progress| progress.open() > 0 && !progress.verifying);
            if is_open
                && self.peers[at].have.has(piece)
                && let Some(block) = self.next_open(piece, id)
            {
                return Some(block);
            }
        }
        let (begun, pieces, have) = (&self.begun, &self.plan.pieces, &self.peers[at].have);
        let eligible = |index: u32| {
            let piece = pieces.get(index as usize)?.piece;
            (!begun.contains_key(&piece) && have.has(piece)).then_some(piece)
        };
        let chosen =
            self.rarity.rarest(rest.start as u32..rest.end as u32, rest.start as u32, Some, eligible)?;
        self.begin(chosen, id)
    }

    /// The rest of the film: what has been begun first, then the rarest.
    fn pick_background(&mut self, at: usize) -> Option<BlockId> {
        let id = self.peers[at].id;
        let candidates: Vec<_> = self
            .left_open
            .iter()
            .copied()
            .filter(|&piece| self.peers[at].have.has(piece) && self.is_background(piece))
            .take(MOST_LOOKS)
            .collect();
        for piece in candidates {
            if let Some(block) = self.next_open(piece, id) {
                return Some(block);
            }
        }
        let head = self.readers.last().map(|reader| reader.head);
        for index in 0..self.background.len() {
            let span = self.background[index];
            let range = self.layout.pieces_of(span.range());
            let from = head
                .filter(|head| span.range().contains(head))
                .map_or(range.start, |h| self.layout.piece_at(h).0);
            let (begun, had, have) = (&self.begun, &self.had, &self.peers[at].have);
            let next = |at: u32| had.next_absent(PieceIndex(at)).map(|piece| piece.0);
            let eligible = |at: u32| {
                let piece = PieceIndex(at);
                (!begun.contains_key(&piece) && have.has(piece)).then_some(piece)
            };
            if let Some(piece) = self.rarity.rarest(range, from, next, eligible) {
                return self.begin(piece, id);
            }
        }
        None
    }

    fn begin(&mut self, piece: PieceIndex, id: PeerId) -> Option<BlockId> {
        let deadline =
            self.plan.pieces.iter().find(|planned| planned.piece == piece).map(|planned| planned.deadline);
        let layout = &self.layout;
        let progress = self.begun.entry(piece).or_insert_with(|| Progress::new(layout, piece));
        progress.deadline = deadline;
        if progress.missing() == 0 && !progress.verifying {
            progress.verifying = true;
            self.outputs.push_back(Output::Verify { piece });
            return None;
        }
        if deadline.is_none() {
            self.left_open.insert(piece);
        }
        self.next_open(piece, id)
    }

    pub(super) fn next_open(&mut self, piece: PieceIndex, id: PeerId) -> Option<BlockId> {
        if !self.begun.contains_key(&piece) {
            return self.begin(piece, id);
        }
        let peers = &self.peers;
        let block = self.begun.get_mut(&piece)?.next_open(id, |sender| suspicion(peers, sender))?;
        Some(BlockId { piece, block })
    }

    /// What a block alone takes from request to arrival, over all peers that send, weighted by what they bring.
    pub(super) fn weigh_round_trip(&mut self) {
        let (mut sum, mut weight) = (0.0, 0.0);
        for peer in
            self.peers.iter().filter(|peer| !peer.choking && !peer.snubbed && peer.estimate.is_tried())
        {
            let rate = peer.estimate.rate().bytes_per_second().max(f64::from(BLOCK) / 100.0);
            let alone = peer.estimate.latency() + peer.estimate.own_block_time().min(MOST_SERVICE);
            sum += rate * alone.as_secs_f64();
            weight += rate;
        }
        if weight > 0.0 {
            self.round_trip = Duration::from_secs_f64((sum / weight).clamp(BREATH.as_secs_f64(), 5.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::bitfield::Bitfield;
    use crate::layout::{FileSpan, Layout};
    use crate::scheduler::{Config, Input, ReaderId};

    /// Each of four seeds answers a request every 62 ms, at the same moments as the others, give or take `apart`.
    /// Gives the time at which the last of so many blocks came, the last of them a short one.
    fn last_block_at(apart: Duration, blocks: u32) -> Option<Duration> {
        let length = blocks * BLOCK - 12_000;
        let layout = Layout::new(u64::from(length), 4 * BLOCK).expect("fair");
        let span = FileSpan { offset: 0, length: layout.total() };
        let mut scheduler = Scheduler::new(layout.clone(), Config::default(), 1);
        let mut queues = vec![VecDeque::new(); 4];
        let mut inputs = VecDeque::from([Input::ReaderOpened {
            reader: ReaderId(1),
            span,
            head: 0,
            rate: None,
            until: None,
        }]);
        for peer in (0..4).map(PeerId) {
            inputs.push_back(Input::PeerConnected { peer, latency: Some(Duration::from_millis(1)) });
            inputs.push_back(Input::PeerBitfield { peer, have: Bitfield::all(layout.pieces()) });
            inputs.push_back(Input::PeerUnchoked { peer });
        }
        for step in 0..10_000u32 {
            let now = Timestamp::since_start(Duration::from_millis(u64::from(step)));
            for (peer, queue) in queues.iter_mut().enumerate() {
                let turn = step.checked_sub(apart.as_millis() as u32 * peer as u32);
                if turn.is_some_and(|turn| turn % 62 == 0)
                    && let Some(block) = queue.pop_front()
                {
                    inputs.push_back(Input::BlockArrived { peer: PeerId(peer as u32), block });
                }
            }
            inputs.push_back(Input::TimeoutReached);
            while let Some(input) = inputs.pop_front() {
                if let Input::PieceVerified { piece, .. } = input {
                    let head = layout.piece_range(piece).end;
                    inputs.push_back(Input::ReaderMoved { reader: ReaderId(1), head, waiting: true });
                }
                scheduler.handle_input(now, input);
                loop {
                    match scheduler.poll_output(now) {
                        Output::Timeout(_) => break,
                        Output::Verify { piece } => {
                            inputs.push_back(Input::PieceVerified { piece, lies: Vec::new() });
                        }
                        Output::Request { peer, block } => queues[peer.0 as usize].push_back(block),
                        Output::Cancel { peer, block } => {
                            queues[peer.0 as usize].retain(|queued| *queued != block);
                        }
                        _ => {}
                    }
                }
            }
            if scheduler.had().is_all() {
                return Some(now.elapsed());
            }
        }
        None
    }

    /// They did, for ten seconds, at the end of the demo's film.
    #[test]
    fn peers_that_are_alike_do_not_leave_the_last_block_to_each_other() {
        for (apart, blocks) in
            [0, 1, 15].into_iter().flat_map(|apart| (100..112).map(move |blocks| (apart, blocks)))
        {
            let took = last_block_at(Duration::from_millis(apart), blocks).expect("it comes");
            assert!(took < Duration::from_millis(2500), "{took:?}, {blocks} blocks, {apart} ms apart");
        }
    }
}
