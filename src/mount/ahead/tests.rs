//! Patterns of reads, as programs and the kernel make them.

use proptest::prelude::*;

use super::*;

const KIB: u64 = 1 << 10;
const FILM: u64 = 8 << 30;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Reads one after the other, all at once; how far each may read ahead.
fn until(ahead: &mut Ahead, reads: impl IntoIterator<Item = (u64, u64)>) -> Vec<u64> {
    reads.into_iter().map(|(offset, size)| ahead.on_read(at(0), offset, size).until).collect()
}

#[test]
fn a_look_at_the_first_bytes_brings_no_more_than_a_mebibyte() {
    let mut ahead = Ahead::new(FILM);
    assert_eq!(ahead.on_read(at(0), 0, 4 * KIB), Plan { stream: 0, is_new: true, until: MIB });
    assert_eq!(Ahead::new(1000).on_read(at(0), 0, 4 * KIB).until, 1000);
    assert_eq!(Ahead::new(0).on_read(at(0), 0, 4 * KIB).until, 0);
}

#[test]
fn who_reads_on_reads_further_and_further_ahead_and_then_as_far_as_it_likes() {
    let mut ahead = Ahead::new(FILM);
    let start = 1 << 30;
    let all = until(&mut ahead, (0..32).map(|at| (start + at * 128 * KIB, 128 * KIB)));
    let beyond: Vec<_> = (1..).zip(&all).map(|(read, until)| until - start - read * 128 * KIB).collect();
    assert_eq!(beyond[..4], [0, 512 * KIB, 768 * KIB, MIB]);
    assert_eq!(all[22], start + 23 * 128 * KIB * 3);
    assert_eq!(all[23..], [FILM; 9]);
}

#[test]
fn one_stream_stays_one_though_the_kernel_sends_its_reads_out_of_order() {
    let mut ahead = Ahead::new(FILM);
    // Windows of eight reads, each window in another order.
    let orders = [
        [1, 0, 3, 2, 5, 4, 7, 6],
        [7, 6, 5, 4, 3, 2, 1, 0],
        [0, 4, 1, 5, 2, 6, 3, 7],
        [3, 1, 0, 2, 7, 6, 4, 5],
    ];
    let mut last = 0;
    for window in 0..8 {
        for place in orders[window as usize % 4] {
            let plan = ahead.on_read(at(window), (window * 8 + place) * 128 * KIB, 128 * KIB);
            if window > 0 {
                assert!(!plan.is_new, "window {window}, {place}");
                assert!(
                    plan.until >= last.min(FILM) || window < 4,
                    "window {window}, {place}: {}",
                    plan.until
                );
                last = plan.until;
            }
        }
    }
    assert_eq!(last, FILM);
    assert_eq!(ahead.slots.iter().flatten().count(), 1);
}

#[test]
fn reads_from_the_back_to_the_front_get_what_they_asked_for() {
    let mut ahead = Ahead::new(FILM);
    for at in 1..100 {
        let end = FILM - at * 64 * KIB;
        assert_eq!(until(&mut ahead, [(end - 64 * KIB, 64 * KIB)]), [end]);
    }
    assert!(ahead.slots.iter().flatten().all(|stream| !stream.goes_on));
}

#[test]
fn reads_with_gaps_between_them_get_what_they_asked_for() {
    for (stride, size) in [(8 * KIB, 4 * KIB), (64 * KIB, 4 * KIB), (MIB, 64 * KIB), (3 * MIB, MIB)] {
        let mut ahead = Ahead::new(FILM);
        for at in 1..1000 {
            let offset = at * stride;
            assert_eq!(until(&mut ahead, [(offset, size)]), [offset + size], "{stride} {size}");
        }
    }
}

#[test]
fn a_little_skip_does_not_make_a_stream_start_anew_and_many_do() {
    let mut ahead = Ahead::new(FILM);
    until(&mut ahead, (0..32).map(|at| (at * 128 * KIB, 128 * KIB)));
    let end = 4 * MIB;
    let plan = ahead.on_read(at(0), end + 100 * KIB, 128 * KIB);
    assert_eq!((plan.is_new, plan.until), (false, FILM));
    // One in nine: soon it is no stream any more.
    let mut offset = end + MIB;
    let last = (0..100).map(|_| {
        offset += 9 * 128 * KIB;
        until(&mut ahead, [(offset, 128 * KIB)])[0] - offset
    });
    assert_eq!(last.last(), Some(128 * KIB));
}

#[test]
fn two_who_read_the_same_file_do_not_disturb_each_other() {
    let mut ahead = Ahead::new(FILM);
    for step in 0..64 {
        for start in [0, 2 << 30, 5 << 30] {
            let plan = ahead.on_read(at(step), start + step * 128 * KIB, 128 * KIB);
            assert_eq!(plan.is_new, step == 0);
            assert_eq!(plan.until == FILM, step >= 23);
        }
    }
}

#[test]
fn a_film_that_plays_is_not_displaced_by_random_reads() {
    let mut ahead = Ahead::new(FILM);
    until(&mut ahead, (0..32).map(|at| (at * 128 * KIB, 128 * KIB)));
    for at in 1..100 {
        assert!(ahead.on_read(self::at(1), at * 64 * MIB, 4 * KIB).is_new);
    }
    let plan = ahead.on_read(at(2), 4 * MIB, 128 * KIB);
    assert_eq!((plan.is_new, plan.until), (false, FILM));
}

#[test]
fn a_read_just_before_a_stream_does_not_stop_it() {
    let mut ahead = Ahead::new(FILM);
    until(&mut ahead, (8..24).map(|at| (at * 128 * KIB, 128 * KIB)));
    assert_eq!(until(&mut ahead, [(7 * 128 * KIB, 128 * KIB)]), [MIB]);
    let plan = ahead.on_read(at(0), 3 * MIB, 128 * KIB);
    assert_eq!((plan.is_new, plan.until), (false, 3 * MIB + 128 * KIB + 17 * 128 * KIB * EAGER));
}

#[test]
fn a_stopped_reader_stops_and_goes_on_as_it_was() {
    let mut ahead = Ahead::new(FILM);
    until(&mut ahead, (0..32).map(|at| (at * 128 * KIB, 128 * KIB)));
    assert!(ahead.idle(at(9)).is_empty());
    assert_eq!((ahead.idle(at(10)), ahead.idle(at(11))), (vec![0], vec![]));
    let plan = ahead.on_read(at(600), 4 * MIB, 128 * KIB);
    assert_eq!(plan, Plan { stream: 0, is_new: true, until: FILM });
    assert!(!ahead.on_read(at(600), 4 * MIB + 128 * KIB, 128 * KIB).is_new);
}

#[test]
fn the_reader_of_a_stream_that_was_part_of_another_is_let_go() {
    let mut ahead = Ahead::new(FILM);
    let early = ahead.on_read(at(0), MIB + 128 * KIB, 128 * KIB).stream;
    let first = ahead.on_read(at(0), MIB, 128 * KIB).stream;
    assert_ne!(early, first);
    assert_eq!(ahead.on_read(at(0), MIB + 256 * KIB, 128 * KIB).stream, first);
    assert_eq!((ahead.idle(at(1)), ahead.idle(at(1))), (vec![early], vec![]));
}

#[test]
fn a_second_pass_over_the_file_is_a_stream_of_its_own() {
    let mut ahead = Ahead::new(16 * MIB);
    until(&mut ahead, (0..128).map(|at| (at * 128 * KIB, 128 * KIB)));
    let plan = ahead.on_read(at(1), 0, 128 * KIB);
    assert_eq!((plan.is_new, plan.until), (true, MIB));
}

proptest! {
    #[test]
    fn no_read_is_cut_short_and_no_stream_is_beyond_the_last(
        length in prop_oneof![0u64..1 << 24, Just(u64::MAX), Just(FILM)],
        reads in proptest::collection::vec((0u64..20, 0u64..1 << 25, 0u64..1 << 21, any::<bool>()), 1..200),
    ) {
        let mut ahead = Ahead::new(length);
        let mut readers = [false; STREAMS];
        let mut now = 0;
        for (step, offset, size, far) in reads {
            now += step / 4;
            let offset = if far { u64::MAX - offset } else { offset };
            let plan = ahead.on_read(at(now), offset, size);
            prop_assert!(plan.stream < STREAMS);
            prop_assert!(plan.until >= offset.saturating_add(size).min(length) && plan.until <= length);
            prop_assert!(plan.is_new || readers[plan.stream], "no reader is there");
            readers[plan.stream] = true;
            for slot in ahead.idle(at(now)) {
                prop_assert!(std::mem::take(&mut readers[slot]), "no reader was there");
            }
        }
        ahead.idle(at(now + 10));
        prop_assert_eq!(ahead.idle(at(now + 20)), Vec::<usize>::new());
    }

    #[test]
    fn who_reads_in_sequence_has_the_whole_file_before_it_after_four_mebibytes(
        start in 0u64..1 << 33,
        sizes in proptest::collection::vec(prop_oneof![1u64..16 * KIB, 4 * KIB..MIB + 1], 1..50),
    ) {
        let length = 1 << 34;
        let mut ahead = Ahead::new(length);
        let mut offset = start;
        let mut streams = 0;
        for size in sizes.into_iter().cycle().take(20_000) {
            let plan = ahead.on_read(at(0), offset, size);
            offset += size;
            streams += u32::from(plan.is_new);
            prop_assert!(offset - start < 4 * MIB || plan.until == length);
            let credit = (offset - start) * (1 + EAGER);
            prop_assert!(plan.until <= (start + credit).max(MIB) || offset - start >= SURE);
            if offset - start >= 5 * MIB {
                break;
            }
        }
        prop_assert_eq!(streams, 1);
    }

    #[test]
    fn a_random_read_gets_its_own_end_and_nothing_more(
        places in proptest::collection::vec(1u64..10_000, 1..300),
    ) {
        // Any two are the same, or a gap apart.
        let mut ahead = Ahead::new(FILM);
        for place in places {
            let offset = place * 128 * KIB;
            prop_assert_eq!(ahead.on_read(at(0), offset, 64 * KIB).until, offset + 64 * KIB);
        }
    }

    #[test]
    fn reads_in_flight_in_any_order_end_as_one_stream_that_reads_ahead(
        seeds in proptest::collection::vec(any::<u32>(), 64),
    ) {
        // Each read at most seven places from its turn, as with windows that follow each other.
        let turn = |(place, seed): (u64, &u32)| (place * 4 + u64::from(seed % 29), place);
        let mut turns: Vec<(u64, u64)> = (0..).zip(&seeds).map(turn).collect();
        turns.sort_unstable();
        let mut ahead = Ahead::new(FILM);
        let all = until(&mut ahead, turns.iter().map(|(_, place)| (MIB + place * 128 * KIB, 128 * KIB)));
        prop_assert_eq!(all.last(), Some(&FILM));
        prop_assert_eq!(ahead.slots.iter().flatten().count(), 1);
    }
}
