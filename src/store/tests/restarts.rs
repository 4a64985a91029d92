//! What an earlier run has left: what is had at once, what is looked through, and what is not trusted.

use std::path::Path;

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn a_killed_run_keeps_what_was_recorded_and_finds_the_rest_again() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    for piece in [3, 0] {
        fetch(&store, &metainfo, &bytes, piece).await;
        assert_eq!(told(&mut events).await, format!("verified {piece}"));
    }
    store.sync().await.expect("recorded");
    fetch(&store, &metainfo, &bytes, 2).await;
    assert_eq!(told(&mut events).await, "verified 2");
    world.kill();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    let first = had(&store);
    assert!(first == [0, 3] || first == [0, 2, 3], "{first:?}");
    if !first.contains(&2) {
        assert_eq!(told(&mut events).await, "verified 2");
    }
    assert_eq!(store.read(0..10).await.expect("had"), bytes.slice(0..10));
    assert_eq!(store.read(131_072..131_080).await.expect("found again"), bytes.slice(131_072..131_080));
}

#[tokio::test]
async fn the_names_of_files_that_a_killed_run_has_made_are_synced_by_the_next() {
    let (metainfo, bytes) = film();
    for seed in 0..20 {
        let world = World::new();
        let (store, mut events) = open(&metainfo, &world).expect("opened");
        fetch_all(&store, &mut events, &metainfo, &bytes).await;
        world.kill();
        let (store, mut events) = open(&metainfo, &world).expect("opened");
        looked_through(&store, &mut events).await;
        world.power_loss(seed);
        assert!(open(&metainfo, &world).expect("opened").0.had().is_all());
    }
}

#[tokio::test]
async fn files_that_are_gone_short_or_changed_are_not_trusted() {
    let (metainfo, bytes) =
        torrent(&[("a", 64 * KIB), ("b", 64 * KIB), ("c", 64 * KIB), ("d", 64 * KIB)], 32 * KIB as u32);
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    store.close().await.expect("closed");
    world.remove("data/a");
    world.put("data/b", bytes.slice(65_536..65_536 + 40_000).to_vec());
    let mut changed = bytes.slice(131_072..196_608).to_vec();
    changed[40_000] ^= 1;
    world.put("data/c", changed);
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    assert_eq!(had(&store), [6, 7]);
    assert_eq!(told(&mut events).await, "verified 2");
    assert_eq!(told(&mut events).await, "verified 4");
    assert!(matches!(store.read(0..1).await, Err(StoreError::NotVerified(_))));
    store.close().await.expect("closed");
    drop(store);
    assert!(events.recv().await.is_none(), "of the rest nothing is said");
    assert_eq!(had(&open(&metainfo, &world).expect("opened").0), [2, 4, 6, 7]);
}

#[tokio::test]
async fn data_without_a_journal_are_looked_through() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let mut data = bytes.to_vec();
    data[70_000] ^= 1;
    data.truncate(300_000);
    world.folder("data").create().expect("a folder");
    world.put("data/film.mkv", data);
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    assert!(store.had().is_none());
    for piece in [0, 2, 3] {
        assert_eq!(told(&mut events).await, format!("verified {piece}"));
    }
    store.close().await.expect("closed");
    let (store, _events) = open(&metainfo, &world).expect("opened");
    assert_eq!(had(&store), [0, 2, 3]);
}

#[tokio::test]
async fn a_piece_that_is_written_while_it_is_looked_through_is_judged_by_what_was_written() {
    let (metainfo, bytes) = film();
    let (store, mut events) = open(&metainfo, &World::new()).expect("opened");
    let piece = PieceIndex(4);
    for block in (0..3).map(|block| BlockId { piece, block }) {
        let right = block_of(&metainfo.layout, &bytes, block);
        store.write(block, if block.block == 1 { vec![0; right.len()].into() } else { right }).await;
    }
    // It was right when it was looked at, just before.
    store.handle.shared.jobs.push(writing::Job::Rechecked(piece));
    store.handle.shared.jobs.push(writing::Job::Rechecked(PieceIndex(0)));
    store.verify(piece);
    assert_eq!(told(&mut events).await, "verified 0", "nothing was written to this one");
    assert_eq!(told(&mut events).await, "failed 4");
}

/// 64.5 GB in 61,559 pieces, all of them had: nothing of it is read to open it.
#[tokio::test]
async fn a_huge_torrent_opens_without_being_read() {
    let (mut metainfo, _) = torrent(&[("t/film", 1)], 1 << 20);
    let length = (61_559 << 20) - 12_345;
    metainfo.layout = Layout::new(length, 1 << 20).expect("fair");
    metainfo.files[0].span.length = length;
    metainfo.piece_hashes = Bytes::from(vec![0; 61_559 * 20]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = real(folder.path());
    std::fs::create_dir_all(config.folder.join("t")).expect("a folder");
    std::fs::File::create(config.folder.join("t/film"))
        .and_then(|file| file.set_len(length))
        .expect("a sparse file");

    // As many records as there can be: every other piece first.
    let world = World::new();
    let (mut journal, _) = Journal::open(&metainfo, world.folder("state")).expect("a journal");
    let (data, state) = (RealFolder::new(config.folder.clone()), world.folder("state"));
    let identity = data.identity(Path::new("t/film")).expect("looked at").expect("there");
    let odd_first = (0..61_559).step_by(2).chain((1..61_559).step_by(2));
    let had: Vec<_> = odd_first.map(|piece| Record::Had(piece..piece + 1)).collect();
    journal.append(&[Record::File(0, identity)]).expect("appended");
    journal.append(&had).expect("appended");
    journal.append(&[Record::Closed]).expect("appended");
    let before = world.reads();
    let (store, _events) = Store::open_in(&metainfo, config, Arc::new(data), state).expect("opened");
    assert!(store.had().is_all());
    // The header, and the journal (2.5 MB) in steps; of the film, all in one real file, nothing could be right.
    assert!(world.reads() - before < 50, "{} reads", world.reads() - before);
}

#[tokio::test]
async fn dropping_it_unclosed_still_records_everything() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    drop(store);
    assert!(events.recv().await.is_none(), "the threads have ended");
    let (store, _events) = open(&metainfo, &world).expect("opened");
    assert!(store.had().is_all());
}

/// The other half of the next test; does nothing by itself.
#[test]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os("PEERFLIX_TEST_STORE") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (metainfo, bytes) = many();
        let (store, mut events) = Store::open(&metainfo, real(Path::new(&folder))).expect("opened");
        for piece in 0..4 {
            fetch(&store, &metainfo, &bytes, piece).await;
            assert_eq!(told(&mut events).await, format!("verified {piece}"));
        }
        store.sync().await.expect("recorded");
        println!("\nready");
        // Until it is killed, or whoever should do so is gone.
        let _ = std::io::stdin().read_line(&mut String::new());
    });
}

#[tokio::test]
async fn kill_minus_9_takes_nothing_that_was_recorded() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "store::tests::restarts::child_that_is_killed", "--nocapture"])
        .env("PEERFLIX_TEST_STORE", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    assert!(said.lines().map_while(Result::ok).any(|line| line == "ready"));
    let (metainfo, bytes) = many();
    let busy = Store::open(&metainfo, real(folder.path())).err();
    assert!(matches!(busy, Some(StoreError::Busy { .. })), "it holds the lock");
    child.kill().expect("killed");
    child.wait().expect("ended");
    let (store, _events) = Store::open(&metainfo, real(folder.path())).expect("opened");
    assert_eq!(had(&store), [0, 1, 2, 3]);
    let end = metainfo.layout.piece_range(PieceIndex(3)).end;
    assert_eq!(store.read(0..end).await.expect("had"), bytes.slice(..end as usize));
}

#[derive(Clone, Debug)]
enum Step {
    Fetch(u32),
    Write(u32),
    Sync,
    Close,
    Kill,
    PowerLoss(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u32..10).prop_map(Step::Fetch),
        2 => (0u32..10).prop_map(Step::Write),
        2 => Just(Step::Sync),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(Step::PowerLoss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever happens and when: all that is had at a start is right, and all that was synced is had.
    #[test]
    fn nothing_wrong_is_ever_had_and_nothing_synced_ever_lost(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (metainfo, bytes) = many();
            let pieces = metainfo.layout.pieces();
            let world = World::new();
            let (mut store, mut events) = open(&metainfo, &world).expect("opened");
            let mut verified = Bitfield::none(pieces);
            let mut synced = Bitfield::none(pieces);
            for step in steps {
                match step {
                    Step::Fetch(piece) => {
                        fetch(&store, &metainfo, &bytes, piece % pieces).await;
                        while let Some(event) = events.recv().await {
                            match event {
                                StoreEvent::Verified { piece: done, .. } => {
                                    verified.insert(done);
                                    if done.0 == piece % pieces {
                                        break;
                                    }
                                }
                                // The power went before it was recorded that a file is ours: the user removes it.
                                StoreEvent::Lost { block } if block.piece.0 == piece % pieces => {
                                    store.sync().await.expect("and until then nobody writes");
                                    for (index, file) in (0..).zip(&metainfo.files) {
                                        if store.handle.shared.claims.is_foreign(index) {
                                            world.remove(&format!("data/{}", file.path.join("/")));
                                        }
                                    }
                                    fetch(&store, &metainfo, &bytes, piece % pieces).await;
                                }
                                _ => {}
                            }
                        }
                        continue;
                    }
                    Step::Write(piece) => {
                        let block = BlockId { piece: PieceIndex(piece % pieces), block: 0 };
                        let garbage = vec![0xee; metainfo.layout.block_size(block) as usize];
                        store.write(block, garbage.into()).await;
                        continue;
                    }
                    Step::Sync => {
                        store.sync().await.expect("synced");
                        synced = verified.clone();
                        continue;
                    }
                    Step::Close => {
                        store.close().await.expect("closed");
                        synced = verified.clone();
                    }
                    Step::Kill => world.kill(),
                    Step::PowerLoss(seed) => world.power_loss(seed),
                }
                (store, events) = open(&metainfo, &world).expect("opened");
                let had = store.had();
                for piece in had.iter() {
                    let range = metainfo.layout.piece_range(piece);
                    let read = store.read(range.clone()).await.expect("had");
                    assert_eq!(read, bytes.slice(range.start as usize..range.end as usize), "piece {}", piece.0);
                }
                // At once, or as soon as it has been looked through.
                verified = had;
                if synced.iter().any(|piece| !verified.has(piece)) {
                    for piece in looked_through(&store, &mut events).await {
                        verified.insert(piece);
                    }
                }
                for piece in synced.iter() {
                    assert!(verified.has(piece), "piece {} was synced", piece.0);
                }
            }
        });
    }
}
