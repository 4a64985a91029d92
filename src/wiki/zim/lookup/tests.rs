use std::collections::BTreeMap;

use proptest::prelude::*;

use super::spans::Span;
use super::*;
use crate::wiki::zim::far::{Cost, Far};
use crate::wiki::zim::made_up::MadeUp;
use crate::wiki::zim::naive::Naive;
use crate::wiki::zim::writer::{What, Writer, Written};

mod trips;

fn lookup(far: &Far) -> Lookup {
    let archive = far.archive();
    let length = archive.length();
    let head = far.run(archive.read(0..length.min(4096))).0.unwrap();
    Lookup::new(archive, Header::read(&head, length).unwrap())
}

fn find(far: &Far, lookup: &Lookup, (namespace, path): (u8, &[u8])) -> Option<Entry> {
    far.run(lookup.find(namespace, path)).0.unwrap()
}

/// A file with these paths in the namespace `C`, and what every file has besides.
fn written(paths: &[String]) -> Vec<u8> {
    let mut writer =
        Writer::default().file(b'M', "Title", "text/plain", "T").file(b'W', "x", "text/plain", "");
    for (number, path) in paths.iter().enumerate() {
        writer = match number % 3 {
            0 => writer.redirect(path, &path.replace('_', " "), "Redirected"),
            _ => writer.page(path, &path.replace('_', " "), "<p>"),
        };
    }
    writer.write()
}

/// The same file with its entries somewhere else, in no order.
fn scattered(file: &[u8], step: usize) -> Vec<u8> {
    let naive = Naive::new(file.to_vec());
    let (entries, at) = (naive.header.entries as usize, naive.header.path_pointers_at as usize);
    let mut file = file.to_vec();
    for number in 0..entries {
        let number = number * step % entries;
        let pointer = at + number * 8..at + number * 8 + 8;
        let place = u64::from_le_bytes(file[pointer.clone()].try_into().unwrap()) as usize;
        let (_, length) = Dirent::read(&Bytes::copy_from_slice(&file[place..])).unwrap().unwrap();
        let moved = file.len() as u64;
        file.extend_from_within(place..place + length);
        file[pointer].copy_from_slice(&moved.to_le_bytes());
    }
    file
}

fn some_paths() -> impl Strategy<Value = Vec<String>> {
    let path = "(List_of_|The_|)[ABZ][a-d_é日]{0,3}(_[a-f]{1,12}){0,3}";
    prop::collection::vec(path, 0..1500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_there_is_found_and_nothing_else(
        paths in some_paths(), absent in some_paths(), piece in 10u32..17, is_scattered: bool, is_prepared: bool,
    ) {
        let mut file = written(&paths);
        if is_scattered {
            let entries = Naive::new(file.clone()).header.entries;
            file = scattered(&file, if entries.is_multiple_of(7) { 1 } else { 7 });
        }
        let naive = Naive::new(file.clone());
        let far = Far::new(Bytes::from(file), 1 << piece);
        let lookup = lookup(&far);
        if is_prepared {
            far.run(lookup.prepare()).0.unwrap();
        }
        let by_path: BTreeMap<_, _> = naive.dirents.iter().enumerate().map(|(at, one)| (one.key(), at)).collect();
        let others = absent.iter().map(|path| (b'C', path.as_bytes()));
        let rare = [(b'A', &b"x"[..]), (b'C', b""), (b'Z', b"Z"), (b'M', b"Title"), (b'M', b"Titles"), (0, b"")];
        let there = naive.dirents.iter().rev().step_by(11).map(|dirent| dirent.key());
        for key in others.step_by(9).chain(rare).chain(there) {
            let found = find(&far, &lookup, key);
            let expected = by_path.get(&key).map(|&at| (naive.dirents[at].clone(), Some(at as u32)));
            prop_assert_eq!(found.map(|entry| (entry.dirent, entry.index)), expected);
            let from = far.run(lookup.first_from(key.0, key.1)).0.unwrap() as usize;
            prop_assert_eq!(from, naive.dirents.partition_point(|dirent| dirent.key() < key));
        }
    }

    #[test]
    fn a_broken_file_gives_an_error_or_an_answer_and_never_more(
        paths in some_paths(), harm in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
        piece in 10u32..17,
    ) {
        let mut file = written(&paths);
        let header = Naive::new(file.clone()).header;
        let to = header.path_pointers_at as usize + header.entries as usize * 8;
        for (place, byte) in harm {
            file[80 + place.index(to - 80)] = byte;
        }
        let far = Far::new(Bytes::from(file), 1 << piece);
        let lookup = lookup(&far);
        let _ = far.run(lookup.prepare());
        for path in paths.iter().step_by(50) {
            if let Ok(Some(entry)) = far.run(lookup.find(b'C', path.as_bytes())).0 {
                prop_assert_eq!(entry.dirent.key(), (b'C', path.as_bytes()));
            }
            let _ = far.run(lookup.near(b'C', path.as_bytes(), 7));
        }
    }
}

#[test]
fn entries_with_parameters_and_gaps_between_them_are_found() {
    let paths: Vec<String> = (0..2000).map(|number| format!("Path_{number:05}")).collect();
    let file = written(&paths);
    let naive = Naive::new(file.clone());
    let at = naive.header.path_pointers_at as usize;
    let mut moved = file.clone();
    for number in 0..naive.dirents.len() {
        let pointer = at + number * 8..at + number * 8 + 8;
        let place = u64::from_le_bytes(file[pointer.clone()].try_into().unwrap()) as usize;
        let (_, length) = Dirent::read(&Bytes::copy_from_slice(&file[place..])).unwrap().unwrap();
        let start = moved.len();
        moved[pointer].copy_from_slice(&(start as u64).to_le_bytes());
        moved.extend_from_slice(&file[place..place + length]);
        if number % 2 == 0 {
            // Parameters that look like an entry, and some bytes that are of nobody.
            moved[start + 2] = 30;
            moved.extend(b"\0\0\0C\0\0\0\0\0\0\0\0\0\0\0\0Path_00999z\0\0\0");
            moved.extend([7; 5]);
        }
    }
    for piece in [1 << 12, 1 << 14, 1 << 16] {
        let far = Far::new(Bytes::from(moved.clone()), piece);
        let lookup = lookup(&far);
        for (number, dirent) in naive.dirents.iter().enumerate().step_by(97) {
            assert_eq!(find(&far, &lookup, dirent.key()).unwrap().index, Some(number as u32));
        }
        assert_eq!(find(&far, &lookup, (b'C', b"Path_00999z")), None);
    }
}

#[test]
fn where_nobody_can_tell_what_is_there_answers_are_right_all_the_same() {
    let paths: Vec<String> = (0..300).map(|number| format!("Path_{number:05}")).collect();
    let far = Far::new(Bytes::from(written(&paths)), 1024);
    far.tell_nothing();
    let lookup = lookup(&far);
    far.run(lookup.prepare()).0.unwrap();
    assert!(find(&far, &lookup, (b'C', b"Path_00123")).is_some());
    assert_eq!(find(&far, &lookup, (b'C', b"Path_00123x")), None);
}

#[test]
fn near_a_path_that_is_not_there_are_its_neighbours() {
    let paths: Vec<String> = (0..100).map(|number| format!("P{number:02}")).collect();
    let far = Far::new(Bytes::from(written(&paths)), 1024);
    let lookup = lookup(&far);
    let near = |path: &[u8], most| {
        let near = far.run(lookup.near(b'C', path, most)).0.unwrap();
        near.iter().map(|entry| String::from_utf8_lossy(&entry.dirent.path).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(near(b"P41x", 4), ["P40", "P41", "P42", "P43"]);
    assert_eq!(near(b"", 2), ["P00", "P01"]);
    assert_eq!(near(b"Q", 4), ["P98", "P99"], "what is beyond is of other namespaces");
}

#[test]
fn what_was_known_in_another_run_is_known_again_without_a_trip() {
    let paths: Vec<String> = (0..3000).map(|number| format!("Path_{number:05}")).collect();
    let far = Far::new(Bytes::from(written(&paths)), 4096);
    let first = lookup(&far);
    let found: Vec<Dirent> = [7, 1500, 2999]
        .map(|number: usize| find(&far, &first, (b'C', paths[number].as_bytes())).unwrap().dirent)
        .to_vec();
    let places = first.known(&found);
    assert_eq!(places.len(), 3);

    let second = lookup(&far);
    let strange = [0, 1, u64::MAX, places[0] + 3, places[2] + 8 * 100_000];
    let recalled = far.run(second.recall(&[&places[..], &strange].concat())).1;
    assert_eq!(recalled, Cost::default(), "nothing is asked for");
    for dirent in &found {
        let (again, cost) = far.run(second.find(dirent.namespace, &dirent.path));
        assert_eq!(again.unwrap().map(|entry| entry.dirent).as_ref(), Some(dirent));
        assert_eq!(cost, Cost::default());
    }
}

#[test]
fn long_paths_do_not_take_more_memory() {
    let mut spans = Spans::new();
    for number in 0..50_000u64 {
        let item = |at: u64| Item { at, end: at + 10, key: at };
        let (start, end) = (number * 100, number * 100 + 50);
        let (first, last) = (item(start), item(end - 10));
        assert!(spans.add(Span { extent: start..end, first, last, size: 10.0, weight: 16 * 1024 }));
    }
    assert!(spans.len() < 128, "{} stretches are remembered", spans.len());
    let gap = spans.gap(&2_500_000, &(0..5_000_000));
    assert!(gap.between.start <= 2_500_000 && gap.between.end > 2_500_000);
}

#[test]
fn an_entry_that_is_no_article_is_found_where_only_those_are_written() {
    let mut writer = Writer::default();
    for (number, what) in [What::LinkTarget, What::Deleted].into_iter().enumerate() {
        let path = format!("gone{number}").into_bytes();
        writer.entries.push(Written { namespace: b'C', path, title: String::new(), what, is_article: false });
    }
    let far = Far::new(Bytes::from(writer.write()), 4096);
    let lookup = lookup(&far);
    assert!(
        find(&far, &lookup, (b'C', b"gone0")).is_some() && find(&far, &lookup, (b'C', b"gone1")).is_some()
    );
}

#[test]
fn guesses_lie_the_closer_together_the_nearer_to_the_best() {
    let places = row::likely(&(1000..101_000), 21_000, 9);
    let apart: Vec<u64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(places.iter().all(|place| (1000..101_000).contains(place)) && places.len() == 9);
    assert!(places.iter().any(|place| place.abs_diff(21_000) < 4000), "{places:?}");
    assert!(apart.iter().max() > apart.iter().min().map(|least| least * 3).as_ref(), "{apart:?}");
    assert!(
        apart.iter().all(|&apart| apart < 25_000),
        "no hole is much larger than without a guess: {apart:?}"
    );
}
