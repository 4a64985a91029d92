//! What a search takes over a swarm: held here, for files of a million entries and of twenty million.

use std::ops::Range;
use std::sync::Arc;

use super::*;
use crate::wiki::zim::dirent::Target;
use crate::wiki::zim::far::Source;
use crate::wiki::zim::titles::Titles;
use crate::wiki::zim::{Blob, Zim};

const KIBIBYTE: u64 = 1024;
const MEBIBYTE: u64 = 1024 * KIBIBYTE;
/// The sizes of pieces that torrents of such files have.
const PIECES: [u64; 3] = [256 * KIBIBYTE, MEBIBYTE, 4 * MEBIBYTE];

impl Source for Arc<MadeUp> {
    fn length(&self) -> u64 {
        MadeUp::length(self)
    }

    fn read(&self, range: Range<u64>) -> Bytes {
        MadeUp::read(self, range)
    }
}

/// Numbers of entries, all over the file.
fn numbers(file: &MadeUp, many: u64) -> impl Iterator<Item = u32> {
    let entries = u64::from(file.entries());
    (0..many).map(move |number| (number * 2_246_822_519 % entries) as u32)
}

/// Looks this up, after what `before` does; gives what it took, and the file, and whoever looked.
fn look_up(file: &Arc<MadeUp>, piece: u64, number: u32, is_prepared: bool) -> (Cost, Far, Lookup) {
    let far = Far::new(file.clone(), piece);
    let lookup = lookup(&far);
    match is_prepared {
        true => far.run(lookup.prepare()).0.unwrap(),
        false => far.run(lookup.pin()).0.unwrap(),
    }
    let (namespace, path) = file.path(number);
    let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
    assert_eq!(found.unwrap().and_then(|entry| entry.index), Some(number), "{path}");
    (cost, far, lookup)
}

/// The most trips, and MiB per lookup on the average.
fn sum_up(costs: &[Cost]) -> (usize, u64) {
    let trips = costs.iter().map(|cost| cost.trips).max().unwrap_or_default();
    (trips, costs.iter().map(|cost| cost.bytes).sum::<u64>() / costs.len() as u64 / MEBIBYTE)
}

fn cold(entries: u32, many: u64, most_mebibytes: [u64; 3]) {
    let file = Arc::new(MadeUp::new(entries));
    for (piece, most) in PIECES.into_iter().zip(most_mebibytes) {
        let costs: Vec<Cost> = numbers(&file, many).map(|at| look_up(&file, piece, at, false).0).collect();
        let (trips, mebibytes) = sum_up(&costs);
        println!("{entries} entries, pieces of {piece}, cold: {trips} trips at most, {mebibytes} MiB");
        assert!(trips <= 4, "{trips} trips with pieces of {piece}");
        assert!(mebibytes <= most, "{mebibytes} MiB for one lookup with pieces of {piece}");
    }
}

fn prepared(entries: u32, many: u64, most_mebibytes: [u64; 3]) {
    let file = Arc::new(MadeUp::new(entries));
    for (piece, most) in PIECES.into_iter().zip(most_mebibytes) {
        let costs: Vec<Cost> = numbers(&file, many).map(|at| look_up(&file, piece, at, true).0).collect();
        let (trips, mebibytes) = sum_up(&costs);
        println!("{entries} entries, pieces of {piece}, prepared: {trips} trips at most, {mebibytes} MiB");
        assert!(trips <= 3, "{trips} trips with pieces of {piece}");
        assert!(mebibytes <= most, "{mebibytes} MiB for one lookup with pieces of {piece}");
    }
}

#[test]
fn a_cold_lookup_among_a_million_takes_four_trips_at_most() {
    cold(1_000_000, 40, [14, 18, 40]);
}

#[test]
fn a_cold_lookup_among_twenty_million_takes_four_trips_at_most() {
    cold(20_000_000, 18, [20, 32, 90]);
}

#[test]
fn a_lookup_among_a_million_that_was_prepared_takes_three_trips_at_most() {
    prepared(1_000_000, 40, [3, 6, 20]);
}

#[test]
fn a_lookup_among_twenty_million_that_was_prepared_takes_three_trips_at_most() {
    prepared(20_000_000, 18, [8, 20, 66]);
}

#[test]
fn no_more_than_sixteen_mebibytes_are_fetched_in_advance_and_the_ends() {
    for entries in [1000, 100_000, 20_000_000] {
        let file = Arc::new(MadeUp::new(entries));
        for piece in PIECES {
            let far = Far::new(file.clone(), piece);
            let (prepared, cost) = far.run(lookup(&far).prepare());
            prepared.unwrap();
            assert!(
                cost.trips <= 2 && cost.bytes <= 16 * MEBIBYTE + 3 * piece,
                "{entries}, {piece}: {cost:?}"
            );
            assert!(cost.bytes <= MadeUp::length(&file) / 2 + 6 * piece, "{entries}, {piece}: {cost:?}");
        }
    }
}

#[test]
fn a_warm_lookup_takes_no_trip_and_one_nearby_takes_one_at_most() {
    let file = Arc::new(MadeUp::new(20_000_000));
    for (piece, number) in PIECES.into_iter().zip([3_000_000, 17_654_321, 9_999_999]) {
        let (_, far, lookup) = look_up(&file, piece, number, false);
        for (away, most) in [(0, 0), (1, 1), (40, 1), (900, 1)] {
            let (namespace, path) = file.path(number + away);
            let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
            assert_eq!(found.unwrap().and_then(|entry| entry.index), Some(number + away));
            assert!(cost.trips <= most, "{away} away, pieces of {piece}: {cost:?}");
        }
        let (namespace, path) = file.path(number);
        let absent = far.run(lookup.find(namespace, format!("{path}~").as_bytes()));
        assert!(absent.0.unwrap().is_none() && absent.1.trips <= 1, "nothing is there: {:?}", absent.1);
    }
}

#[test]
fn after_two_hundred_lookups_most_take_one_trip_or_none() {
    let file = Arc::new(MadeUp::new(1_000_000));
    let (_, far, lookup) = look_up(&file, 256 * KIBIBYTE, 0, true);
    let mut costs = Vec::new();
    for number in numbers(&file, 250) {
        let (namespace, path) = file.path(number);
        let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
        assert_eq!(found.unwrap().and_then(|entry| entry.index), Some(number));
        costs.push(cost);
    }
    assert!(costs[200..].iter().all(|cost| cost.trips <= 1), "{:?}", &costs[200..]);
}

#[test]
fn an_entry_across_the_border_of_two_pieces_takes_no_more() {
    let file = Arc::new(MadeUp::new(1_000_000));
    for piece in PIECES {
        for border in [2 * MEBIBYTE, 20 * MEBIBYTE, 61 * MEBIBYTE].map(|at| at.next_multiple_of(piece)) {
            let border = (file.place(0) + border).next_multiple_of(piece) - piece / 3;
            let number = last_before(&file, border);
            assert!(file.place(number) < border && file.place(number + 1) > border);
            let (cost, ..) = look_up(&file, piece, number, false);
            assert!(cost.trips <= 4, "pieces of {piece}: {cost:?}");
        }
    }
}

/// The last entry that begins before this byte.
fn last_before(file: &MadeUp, at: u64) -> u32 {
    let (mut low, mut high) = (0, file.entries());
    while high - low > 1 {
        let middle = low.midpoint(high);
        if file.place(middle) < at { low = middle } else { high = middle }
    }
    low
}

#[test]
fn from_a_path_to_the_whole_article_it_takes_six_trips_cold_and_five_prepared() {
    let file = Arc::new(MadeUp::new(20_000_000));
    for piece in PIECES {
        for (is_prepared, most) in [(false, 6), (true, 5)] {
            for number in numbers(&file, 9).skip(1) {
                let far = Far::new(file.clone(), piece);
                let (zim, opened) = far.run(Zim::open(far.archive()));
                let zim = zim.unwrap();
                assert!(opened.trips <= 2, "{opened:?}");
                if is_prepared {
                    far.run(zim.prepare()).0.unwrap();
                }
                let (namespace, path) = file.path(number);
                let article = async {
                    let entry = zim.find(namespace, path.as_bytes()).await.unwrap().unwrap();
                    let is_article = matches!(entry.dirent.target, Target::Content { .. });
                    match is_article {
                        true => Some(zim.blob(&entry.dirent).await.unwrap().bytes(MEBIBYTE).await.unwrap()),
                        false => None,
                    }
                };
                let (article, cost) = far.run(article);
                assert!(article.is_none_or(|bytes| bytes.len() as u64 == file.article()));
                assert!(cost.trips <= most, "pieces of {piece}, {is_prepared}: {cost:?}");
            }
        }
    }
}

#[test]
fn a_file_that_is_here_takes_no_trip() {
    let file = Arc::new(MadeUp::new(200_000));
    let far = Far::new(file.clone(), MEBIBYTE);
    far.bring_all();
    let lookup = lookup(&far);
    for number in numbers(&file, 30) {
        let (namespace, path) = file.path(number);
        let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
        assert_eq!((found.unwrap().and_then(|entry| entry.index), cost.trips), (Some(number), 0));
    }
}

#[test]
fn an_entry_by_its_number_takes_two_trips() {
    let file = Arc::new(MadeUp::new(20_000_000));
    let far = Far::new(file.clone(), MEBIBYTE);
    let lookup = lookup(&far);
    for (number, most) in [(12_345_678, 2), (12_345_678, 0), (12_345_679, 0), (12_346_000, 0)] {
        let (found, cost) = far.run(lookup.entry(number));
        assert_eq!(found.unwrap().dirent.path, file.path(number).1.into_bytes());
        assert!(cost.trips <= most, "{number}: {cost:?}");
    }
}

/// The list of titles is that of the made-up file: in the order of paths.
fn titles(far: &Far, lookup: &Lookup) -> Titles {
    let start = lookup.header.title_pointers_at.unwrap();
    let range = start..start + u64::from(lookup.header.entries) * 4;
    Titles::of_blob(Blob::Stretch { archive: far.archive(), range })
}

#[test]
fn titles_of_twenty_million_by_their_beginning_take_five_trips_cold_and_one_warm() {
    let file = Arc::new(MadeUp::new(20_000_000));
    for piece in PIECES {
        for number in [5_000_000, 11_111_111, 19_000_000] {
            let far = Far::new(file.clone(), piece);
            let lookup = lookup(&far);
            far.run(lookup.pin()).0.unwrap();
            let titles = titles(&far, &lookup);
            let title = file.path(number).1.replace('_', " ");
            let mut prefix = title.clone();
            let (found, cost) = far.run(titles.starting_with(&lookup, &prefix, 10));
            let found = found.unwrap();
            let begins_so = |entry: &Entry| {
                let title = title.to_lowercase();
                String::from_utf8_lossy(entry.dirent.title()).to_lowercase().starts_with(&title)
            };
            assert!(!found.is_empty() && found.iter().all(begins_so), "{title}");
            assert!(cost.trips <= 5, "pieces of {piece}: {cost:?}");
            prefix.pop();
            let (_, cost) = far.run(titles.starting_with(&lookup, &prefix, 10));
            assert!(cost.trips <= 1, "one letter less, pieces of {piece}: {cost:?}");
        }
    }
}
