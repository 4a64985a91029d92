//! Several files of a torrent: what is fetched when, and what is to be seen of it.

use std::net::Ipv4Addr;
use std::ops::Range;

use peerflix::read::{Cell, ReadAt};
use peerflix::torrent::{Choice, Options};

use crate::peer::{Gate, Manner, Scripted};
use crate::world::{Film, PIECE_LENGTH, World, is_same, noise, soon, until, whole};

/// Three episodes of so many pieces, in an order that is not theirs.
fn show(pieces: usize) -> Film {
    let episode = |seed| noise(seed, pieces * PIECE_LENGTH);
    Film::several("Show", [("E10.mkv", episode(60)), ("E2.mkv", episode(61)), ("E1.mkv", episode(62))])
}

/// Where the first and the last request for these pieces stand among all.
fn asked(peer: &Scripted, pieces: Range<usize>) -> (usize, usize) {
    let asked = peer.asked().pieces;
    let first = asked.iter().position(|piece| pieces.contains(piece)).expect("asked for");
    let last = asked.iter().rposition(|piece| pieces.contains(piece)).expect("asked for");
    (first, last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_file_is_begun_when_the_one_before_is_whole_and_others_are_left() {
    let (world, film) = (World::new(), show(6));
    let peer = Scripted::start(&world, &film, Manner::Honest);
    let choice = Choice::Named(vec!["*e1.mkv".to_owned(), "*e10*".to_owned()]);
    let torrent = world.open(&film, Options { choice, ..world.options("a", [peer.address]) }).await;
    let files = soon(torrent.files()).await.expect("files");
    assert_eq!((files.queue.as_slice(), files.chosen), ([2, 0].as_slice(), 2));
    until(|| torrent.is_whole(0)).await;
    assert!(torrent.is_whole(2) && !torrent.is_whole(1) && !torrent.is_whole(3));
    assert!(asked(&peer, 12..18).1 < asked(&peer, 0..6).0, "{:?}", peer.asked());
    assert!(!peer.asked().pieces.iter().any(|piece| (6..12).contains(piece)));

    // Whoever wants another one gets it, and what was wanted before is not wanted any more.
    torrent.fetch(&[1, 99]);
    until(|| torrent.is_whole(1)).await;
    is_same(&whole(&torrent, 1).await, film.bytes(1));
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_files_those_that_are_played_come_first_in_natural_order_and_then_the_rest() {
    let world = World::new();
    let piece = |seed| noise(seed, 2 * PIECE_LENGTH);
    let film = Film::several("Show", [("x.iso", piece(63)), ("E10.mkv", piece(64)), ("E9.mkv", piece(65))]);
    let peer = Scripted::start(&world, &film, Manner::Honest);
    let options = Options { choice: Choice::All, ..world.options("a", [peer.address]) };
    let torrent = world.open(&film, options).await;
    assert_eq!(soon(torrent.files()).await.expect("files").queue, [2, 1]);
    until(|| (0..3).all(|file| torrent.is_whole(file))).await;
    assert!(asked(&peer, 4..6).1 < asked(&peer, 2..4).0 && asked(&peer, 2..4).1 < asked(&peer, 0..2).0);
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ordered_before_the_files_were_known_counts() {
    let (world, film) = (World::new(), show(2));
    // It gives nothing, not even the metadata, before it may.
    let gate = Gate::new(false);
    let peer = Scripted::start_at(&world, &film, Manner::Honest, Ipv4Addr::LOCALHOST.into(), &gate);
    let options = world.options("a", [peer.address]);
    let source = world.resolve(&film.magnet(), &options).await;
    let torrent = peerflix::torrent::Torrent::open(source, options, world.net()).await.expect("it opens");
    torrent.fetch(&[1]);
    assert_eq!(torrent.file_report(1, 10), None);
    gate.open();
    soon(torrent.files()).await.expect("files");
    until(|| torrent.is_whole(1)).await;
    assert!(peer.asked().pieces.iter().all(|piece| (2..4).contains(piece)));
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_seen_as_it_comes_and_its_readers_where_they_are() {
    let (world, film) = (World::new(), show(4));
    let silent = Scripted::start(&world, &film, Manner::Silent);
    let options = Options { background: false, ..world.options("a", [silent.address]) };
    let torrent = world.open(&film, options).await;
    let nothing = torrent.file_report(1, 4).expect("a file");
    assert_eq!((nothing.length, nothing.had, nothing.readers.len()), (4 * PIECE_LENGTH as u64, 0, 0));
    assert_eq!(nothing.cells, [Cell::default(); 4]);
    assert_eq!(torrent.file_report(3, 4), None);

    let reader = torrent.reader(1).expect("a file");
    {
        let reading = reader.read_at(100_000, 10);
        tokio::pin!(reading);
        assert!(futures_util::poll!(&mut reading).is_pending());
        let comes = |cell: &Cell| cell.coming > 0.0 && cell.had == 0.0;
        until(|| torrent.file_report(1, 4).is_some_and(|report| report.cells.iter().any(comes))).await;
        let report = torrent.file_report(1, 4).expect("a file");
        let reader = report.readers.first().expect("one reads");
        assert_eq!((reader.head, reader.waiting, reader.buffered), (100_000, true, 0));
        assert!(torrent.file_report(0, 4).is_some_and(|other| other.readers.is_empty()));
        until(|| torrent.why().peers.iter().any(|peer| peer.in_flight > 0 && !peer.incoming)).await;
    }
    torrent.close().await;

    let honest = Scripted::start(&world, &film, Manner::Honest);
    let torrent = world.open(&film, world.options("b", [honest.address])).await;
    let seen = until(|| torrent.why().peers.iter().any(|peer| peer.rate > 0 && peer.latency.is_some()));
    let (bytes, ()) = tokio::join!(whole(&torrent, 1), seen);
    is_same(&bytes, film.bytes(1));
    let report = torrent.file_report(1, 3).expect("a file");
    assert_eq!(report.had, report.length);
    assert_eq!(report.cells, [Cell { had: 1.0, coming: 0.0 }; 3]);
    torrent.close().await;
}
