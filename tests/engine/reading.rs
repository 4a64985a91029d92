//! Files of a torrent, read from seeds that are not ours, and from each other.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use peerflix::read::{Contents, ReadAt, ReadError};
use peerflix::torrent::{Choice, Options, Phase, Torrent, TorrentError, trace};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::peer::{Gate, Manner, Scripted};
use crate::world::{Film, PIECE_LENGTH, Seed, World, is_same, noise, read_all, soon, until, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_is_read_from_a_seed() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(1, 3_000_001));
    let seed = Seed::start(&world, &film).await;
    let torrent = world.open(&film, world.options("a", [seed.address])).await;

    let files = soon(torrent.files()).await.expect("files");
    assert_eq!((files.files[0].path.as_str(), files.files[0].length), ("film.mkv", 3_000_001));
    is_same(&whole(&torrent, 0).await, film.bytes(0));

    let statistics = torrent.statistics();
    assert_eq!(statistics.downloaded, 3_000_001);
    assert_eq!(statistics.chosen_had, 3_000_001);
    assert_eq!(statistics.failed_pieces, 0);
    assert_eq!((statistics.peers, statistics.unchoking), (1, 1));
    assert_eq!(statistics.stalled_readers, 0);
    torrent.close().await;
    assert_eq!(torrent.why().phase, Phase::Closed);
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_with_nothing_but_a_peer_becomes_a_film_and_is_known_from_then_on() {
    let world = World::new();
    let film = Film::single("film.mp4", noise(2, 700_000));
    let seed = Seed::start(&world, &film).await;
    let magnet = format!("{}&x.pe={}", film.magnet(), seed.address);
    let options = world.options("a", []);

    let source = world.resolve(&magnet, &options).await;
    assert!(source.metainfo.is_none());
    let torrent = Torrent::open(source, options.clone(), world.net()).await.expect("open");
    assert_eq!(soon(torrent.files()).await.expect("files").name, "film.mp4");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    torrent.close().await;
    seed.stop().await;

    let again = world.resolve(&film.magnet(), &options).await;
    assert!(again.metainfo.is_some(), "the metadata was not kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_feeds_the_next_one() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(3, 2_000_000));
    let seed = Seed::start(&world, &film).await;
    let first = world.open(&film, world.options("first", [seed.address])).await;
    is_same(&whole(&first, 0).await, film.bytes(0));
    seed.stop().await;

    let source = world.resolve(&film.magnet(), &world.options("second", [])).await;
    let second = Torrent::open(source, world.options("second", [world.address(&first)]), world.net())
        .await
        .expect("open");
    soon(second.files()).await.expect("the metadata comes from the first viewer too");
    is_same(&whole(&second, 0).await, film.bytes(0));
    assert!(first.statistics().uploaded >= 2_000_000);
    tokio::join!(first.close(), second.close());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_who_came_together_feed_each_other_while_they_watch() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(4, 2_000_000));
    let seed = Seed::start(&world, &film).await;
    let first = world.open(&film, world.options("first", [seed.address])).await;
    let second = world.open(&film, world.options("second", [world.address(&first)])).await;
    let (a, b) = tokio::join!(whole(&first, 0), whole(&second, 0));
    is_same(&a, film.bytes(0));
    is_same(&b, film.bytes(0));
    tokio::join!(first.close(), second.close());
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_upload_gives_nobody_anything() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(5, 300_000));
    let seed = Seed::start(&world, &film).await;
    let options = Options { upload: false, ..world.options("first", [seed.address]) };
    let first = world.open(&film, options).await;
    whole(&first, 0).await;
    // The second hears of both; what it has can only come from the seed.
    let second = world.open(&film, world.options("second", [world.address(&first), seed.address])).await;
    is_same(&whole(&second, 0).await, film.bytes(0));
    assert_eq!(first.statistics().uploaded, 0);
    tokio::join!(first.close(), second.close());
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_disk_is_read_without_any_peer() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(6, 1_500_000));
    let seed = Seed::start(&world, &film).await;
    let torrent = world.open(&film, world.options("a", [seed.address])).await;
    whole(&torrent, 0).await;
    torrent.close().await;
    seed.stop().await;

    let again = world.open(&film, world.options("a", [])).await;
    assert_eq!(again.statistics().chosen_had, 1_500_000);
    is_same(&whole(&again, 0).await, film.bytes(0));
    assert_eq!(again.statistics().downloaded, 0);
    again.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_disk_has_not_been_downloaded_again() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(20, 1_500_000));
    let seed = Seed::start(&world, &film).await;
    let options = Options { background: false, ..world.options("a", [seed.address]) };
    let torrent = world.open(&film, options).await;
    let reader = torrent.reader(0).expect("the film");
    // Whoever reads near the end is given what comes after, and no more.
    soon(reader.read_at(1_400_000, 1)).await.expect("a byte");
    torrent.close().await;

    // With nobody there, nothing comes while we look.
    let alone = world.open(&film, world.options("a", [])).await;
    let had = alone.statistics().chosen_had;
    alone.close().await;
    assert!((PIECE_LENGTH as u64..1_000_000).contains(&had), "{had} bytes were kept");
    let again = world.open(&film, world.options("a", [seed.address])).await;
    is_same(&whole(&again, 0).await, film.bytes(0));
    assert_eq!(again.statistics().downloaded, 1_500_000 - had);
    again.close().await;
    seed.stop().await;
}

/// The peer sends nothing before both have said what they wait for, and one has left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_on_while_another_leaves_gets_his_bytes_and_the_other_ones_are_not_fetched() {
    const PIECES: usize = 20;
    let world = World::new();
    let files =
        [("left.mkv", noise(21, PIECES * PIECE_LENGTH)), ("read.mkv", noise(22, PIECES * PIECE_LENGTH))];
    let film = Film::several("Show", files);
    let gate = Gate::new(false);
    let peer = Scripted::start_at(&world, &film, Manner::Honest, Ipv4Addr::LOCALHOST.into(), &gate);
    let options = Options {
        choice: Choice::Named(vec!["left.mkv".to_owned()]),
        background: false,
        ..world.options("a", [peer.address])
    };
    let torrent = world.open(&film, options).await;
    let (left, read) = (torrent.reader(0).expect("a file"), torrent.reader(1).expect("a file"));
    {
        let reading = read.read_at(0, 1000);
        tokio::pin!(reading);
        {
            let leaving = left.read_at(0, 1000);
            tokio::pin!(leaving);
            assert!(futures_util::poll!(&mut leaving).is_pending());
            assert!(futures_util::poll!(&mut reading).is_pending());
            until(|| torrent.statistics().peers == 1).await;
            assert_eq!(torrent.statistics().stalled_readers, 2);
        }
        drop(left);
        assert_eq!(torrent.statistics().stalled_readers, 1, "the other one still waits");
        gate.open();
        is_same(&soon(reading).await.expect("bytes"), &film.bytes(1)[..1000]);
    }
    is_same(&soon(read_all(&read, 0)).await.expect("all bytes"), film.bytes(1));
    let statistics = torrent.statistics();
    // What was on its way when he left may have come.
    assert!(statistics.chosen_had <= 2 * PIECE_LENGTH as u64, "{} bytes for nobody", statistics.chosen_had);
    assert_eq!(statistics.downloaded, film.bytes(1).len() as u64 + statistics.chosen_had);
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_torrent_is_kept_in_two_folders() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(7, 200_000));
    let seed = Seed::start(&world, &film).await;
    for place in ["here", "there"] {
        let path = world.folder(place);
        let options = Options { path: Some(path.clone()), ..world.options("a", [seed.address]) };
        let torrent = world.open(&film, options.clone()).await;
        whole(&torrent, 0).await;
        torrent.close().await;
        is_same(&std::fs::read(path.join("film.mkv")).expect("the file under its own name"), film.bytes(0));

        let again = world.open(&film, Options { peers: Vec::new(), ..options }).await;
        assert_eq!(again.statistics().chosen_had, 200_000);
        again.close().await;
    }
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrent_belongs_to_one_session_at_a_time() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(8, 100_000));
    let first = world.open(&film, world.options("a", [])).await;
    let second = Torrent::open(film.source(), world.options("a", []), world.net()).await;
    assert!(matches!(second, Err(TorrentError::Store(_))), "{second:?}");
    first.close().await;
    world.open(&film, world.options("a", [])).await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_reads_and_seeks_as_in_any_file() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(9, 2_500_000));
    let seed = Seed::start(&world, &film).await;
    let options = Options { background: false, ..world.options("a", [seed.address]) };
    let torrent = world.open(&film, options).await;
    let mut reader = torrent.reader(0).expect("the film");

    soon(async {
        let mut bytes = vec![0; 1000];
        reader.seek(std::io::SeekFrom::End(-1000)).await.expect("seek");
        reader.read_exact(&mut bytes).await.expect("the end");
        is_same(&bytes, &film.bytes(0)[2_499_000..]);
        assert_eq!(reader.read(&mut bytes).await.expect("nothing more"), 0);

        assert_eq!(reader.seek(std::io::SeekFrom::Start(1_234_567)).await.expect("seek"), 1_234_567);
        reader.read_exact(&mut bytes).await.expect("the middle");
        is_same(&bytes, &film.bytes(0)[1_234_567..1_235_567]);
        assert_eq!(reader.stream_position().await.expect("where"), 1_235_567);
        // Within what has been read, and back.
        reader.seek(std::io::SeekFrom::Current(-500)).await.expect("seek");
        reader.read_exact(&mut bytes).await.expect("the middle");
        is_same(&bytes, &film.bytes(0)[1_235_067..1_236_067]);

        assert!(reader.seek(std::io::SeekFrom::End(-2_500_001)).await.is_err());
        reader.seek(std::io::SeekFrom::Start(u64::MAX)).await.expect("beyond the end is no error");
        assert_eq!(reader.read(&mut bytes).await.expect("nothing there"), 0);

        reader.rewind().await.expect("seek");
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.expect("all");
        is_same(&all, film.bytes(0));
    })
    .await;
    torrent.close().await;
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readers_of_several_files_read_at_once() {
    let world = World::new();
    let film = Film::several(
        "Show",
        [
            ("one.mkv", noise(10, 900_000)),
            ("sub/two.srt", noise(11, 10_001)),
            ("three ø.mp4", noise(12, 700_003)),
            ("empty.txt", Vec::new()),
        ],
    );
    let seed = Seed::start(&world, &film).await;
    let torrent = world.open(&film, world.options("a", [seed.address])).await;
    let files = soon(torrent.files()).await.expect("files");
    assert_eq!(files.chosen, 0);
    assert_eq!(files.files[1].path, "Show/sub/two.srt");
    let readers = (0..12).map(|i| whole(&torrent, i % 4));
    for (i, bytes) in soon(futures_util::future::join_all(readers)).await.iter().enumerate() {
        is_same(bytes, film.bytes(i % 4));
    }
    assert!(torrent.reader(4).is_none());
    assert!(Contents::open(&torrent, 3).is_some_and(|reader| reader.length() == 0));
    torrent.close().await;
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_torrent_is_read_from_the_peers_it_is_given() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(13, 400_000)).private();
    let seed = Seed::start(&world, &film).await;
    let options = Options { dht: true, lsd: true, ..world.options("a", [seed.address]) };
    let torrent = world.open(&film, options).await;
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    torrent.close().await;
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_that_the_torrent_was_closed_and_nobody_else_is() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(14, 400_000));
    let torrent = world.open(&film, world.options("a", [])).await;
    let reader = torrent.reader(0).expect("the film");
    {
        // A wish that is taken back leaves the reader usable.
        let read = reader.read_at(0, 10);
        tokio::pin!(read);
        assert!(futures_util::poll!(&mut read).is_pending());
        assert_eq!(torrent.statistics().stalled_readers, 1);
    }
    assert_eq!(torrent.statistics().stalled_readers, 0);
    let read = reader.read_at(300_000, 10);
    tokio::pin!(read);
    assert!(futures_util::poll!(&mut read).is_pending());
    let (read, ()) = soon(async { tokio::join!(read, torrent.close()) }).await;
    assert!(matches!(read, Err(ReadError::Closed)), "{read:?}");
    assert!(matches!(reader.read_at(0, 10).await, Err(ReadError::Closed)));
    assert_eq!(torrent.why().phase, Phase::Closed);
    assert!(torrent.files().await.is_ok(), "the files are known all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_that_nobody_has_waits_and_can_be_closed() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(15, 1000));
    let options = world.options("a", []);
    let source = world.resolve(&film.magnet(), &options).await;
    let torrent = Torrent::open(source, options, world.net()).await.expect("open");
    assert_eq!(torrent.why().phase, Phase::Metadata);
    assert!(torrent.reader(0).is_none());
    let (files, ()) = soon(async { tokio::join!(torrent.files(), torrent.close()) }).await;
    assert!(matches!(files, Err(ReadError::Closed)), "{files:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_matches_nothing_is_said() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(16, 50_000));
    let seed = Seed::start(&world, &film).await;
    let choice = Choice::Named(vec!["other".to_owned()]);
    let options = Options { choice, ..world.options("a", [seed.address]) };
    let refused = Torrent::open(film.source(), options.clone(), world.net()).await;
    assert!(matches!(refused, Err(TorrentError::Choice(_))), "{refused:?}");

    let source = world.resolve(&film.magnet(), &options).await;
    let torrent = Torrent::open(source, options, world.net()).await.expect("nothing is known yet");
    let said = soon(torrent.files()).await.expect_err("no such file").to_string();
    assert_eq!(
        said,
        "the torrent could not be opened: no file of the torrent matches “other” (--list shows them)"
    );
    torrent.close().await;
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_torrent_ends_and_lets_go_of_its_folder() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(17, 50_000));
    drop(world.open(&film, world.options("a", [])).await);
    soon(async {
        while Torrent::open(film.source(), world.options("a", []), world.net()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_holds_what_happened() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(18, 1_000_000));
    let seed = Seed::start(&world, &film).await;
    let path = world.folder("traces").join("run.trace");
    let options = Options { trace: Some(path.clone()), ..world.options("a", [seed.address]) };
    let torrent = world.open(&film, options).await;
    whole(&torrent, 0).await;
    torrent.close().await;
    seed.stop().await;

    let (head, inputs) = trace::parse(&std::fs::read_to_string(path).expect("a trace")).expect("a trace");
    let mut scheduler = peerflix::scheduler::Scheduler::new(head.layout, Default::default(), head.seed);
    for (now, input) in inputs {
        scheduler.handle_input(now, input);
        while !matches!(scheduler.poll_output(now), peerflix::scheduler::Output::Timeout(_)) {}
    }
    assert!(scheduler.had().is_all());
    assert_eq!(scheduler.counts().failed_pieces, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_keeps_its_torrent_open() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(19, 300_000));
    let seed = Seed::start(&world, &film).await;
    let torrent = world.open(&film, world.options("a", [seed.address])).await;
    let reader = torrent.reader(0).expect("the film");
    drop(torrent);
    is_same(&soon(read_all(&reader, 0)).await.expect("all bytes"), film.bytes(0));
    seed.stop().await;
}

#[test]
fn handles_are_shared_between_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Torrent>();
    is_shared::<peerflix::torrent::FileReader>();
    is_shared::<Arc<dyn Contents>>();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_with_a_bound_fetches_what_it_reads_and_reads_on_when_the_bound_is_moved() {
    const PIECES: usize = 40;
    let world = World::new();
    let film = Film::single("film.mkv", noise(23, PIECES * PIECE_LENGTH));
    let peer = Scripted::start(&world, &film, Manner::Honest);
    let options = Options { background: false, ..world.options("a", [peer.address]) };
    let torrent = world.open(&film, options).await;
    let reader = torrent.reader(0).expect("a file");
    // A disk's random read: across the border of two pieces.
    let from = 20 * PIECE_LENGTH - 1000;
    reader.read_ahead_until(from as u64 + 2000);
    let first = soon(reader.read_at(from as u64, 2000)).await.expect("bytes");
    let second = soon(reader.read_at((from + first.len()) as u64, 2000 - first.len())).await.expect("bytes");
    is_same(&[first, second].concat(), &film.bytes(0)[from..from + 2000]);
    // One within what is there moves the head, and asks for nothing more.
    soon(reader.read_at(from as u64 + 2000, 10)).await.expect("bytes");
    let two: BTreeSet<_> = peer.asked().pieces.into_iter().collect();
    assert_eq!(two, BTreeSet::from([19, 20]));
    reader.read_ahead_until((25 * PIECE_LENGTH) as u64);
    until(|| torrent.had(0) == Some(6 * PIECE_LENGTH as u64)).await;
    // A read at the bound moves nothing but itself.
    soon(reader.read_at((25 * PIECE_LENGTH) as u64, 10)).await.expect("bytes");
    let some: BTreeSet<_> = peer.asked().pieces.into_iter().collect();
    assert_eq!(some, (19..=25).collect());
    reader.read_ahead_until(film.bytes(0).len() as u64);
    until(|| torrent.had(0) == Some(21 * PIECE_LENGTH as u64)).await;
    torrent.close().await;
}
