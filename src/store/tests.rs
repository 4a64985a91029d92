mod foreign;

use std::path::Path;

use proptest::prelude::*;
use tokio::sync::mpsc::UnboundedReceiver;

use super::journal::{Journal, Record};
use super::testing::{World, torrent};
use super::*;

const KIB: u64 = 1024;

fn config() -> StoreConfig {
    StoreConfig { folder: "data".into(), state: "state".into() }
}

type Events = UnboundedReceiver<StoreEvent>;

fn open(metainfo: &Metainfo, world: &World) -> Result<(Store, Events), StoreError> {
    Store::open_in(metainfo, config(), world.folder("data"), world.folder("state"))
}

fn real(folder: &Path) -> StoreConfig {
    StoreConfig { folder: folder.join("data"), state: folder.join("state") }
}

fn block_of(layout: &Layout, bytes: &Bytes, block: BlockId) -> Bytes {
    let start = layout.block_start(block) as usize;
    bytes.slice(start..start + layout.block_size(block) as usize)
}

/// Writes and verifies one piece.
async fn fetch(store: &Store, metainfo: &Metainfo, bytes: &Bytes, piece: u32) {
    let piece = PieceIndex(piece);
    for block in (0..metainfo.layout.blocks_in(piece)).rev().map(|block| BlockId { piece, block }) {
        store.write(block, block_of(&metainfo.layout, bytes, block)).await;
    }
    store.verify(piece);
}

/// The next thing it says, in short.
async fn told(events: &mut Events) -> String {
    match events.recv().await.expect("the store has something to say") {
        StoreEvent::Verified { piece, lies } if lies.is_empty() => format!("verified {}", piece.0),
        StoreEvent::Verified { piece, lies } => format!("verified {}, lies {lies:?}", piece.0),
        StoreEvent::Failed { piece } => format!("failed {}", piece.0),
        StoreEvent::Compared { block, differs } => {
            format!("compared {}/{} {}", block.piece.0, block.block, if differs { "differs" } else { "same" })
        }
        StoreEvent::Lost { block } => format!("lost {}/{}", block.piece.0, block.block),
        StoreEvent::Broken(error) => format!("broken: {error}"),
    }
}

async fn fetch_all(store: &Store, events: &mut Events, metainfo: &Metainfo, bytes: &Bytes) {
    for piece in 0..metainfo.layout.pieces() {
        fetch(store, metainfo, bytes, piece).await;
        assert_eq!(told(events).await, format!("verified {piece}"));
    }
}

async fn read_all(store: &Store, bytes: &Bytes) {
    let mut at = 0;
    while at < bytes.len() as u64 {
        let end = (at + 300_001).min(bytes.len() as u64);
        let read = store.read(at..end).await.expect("verified bytes");
        assert_eq!(read, bytes.slice(at as usize..end as usize), "bytes {at}..{end}");
        at = end;
    }
}

fn had(store: &Store) -> Vec<u32> {
    store.had().iter().map(|piece| piece.0).collect()
}

/// Waits until everything that was there before has been looked through. Answers with what was right.
async fn looked_through(store: &Store, events: &mut Events) -> Vec<PieceIndex> {
    /// The handle's and three threads'.
    const OWNERS: usize = 4;
    while Arc::strong_count(&store.handle.shared) > OWNERS {
        std::thread::yield_now();
    }
    store.sync().await.expect("recorded");
    let mut right = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let StoreEvent::Verified { piece, .. } = event {
            right.push(piece);
        }
    }
    right
}

fn film() -> (Metainfo, Bytes) {
    torrent(&[("film.mkv", 300 * KIB + 5)], 64 * KIB as u32)
}

fn many() -> (Metainfo, Bytes) {
    torrent(
        &[
            ("t/a", 50_000),
            ("t/none", 0),
            (".pad", 15_536),
            ("t/sub/b", 3),
            ("t/sub/c", 1),
            ("t/d", 100_000),
            (".pad", 31_068),
            ("t/e", 20_000),
            (".pad", 12_000),
        ],
        32 * KIB as u32,
    )
}

#[tokio::test]
async fn what_comes_in_goes_out_across_files_and_padding() {
    let (metainfo, bytes) = many();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    assert_eq!(world.names("data"), ["t/none"], "an empty file is there from the start");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    read_all(&store, &bytes).await;
    store.close().await.expect("closed");
    assert_eq!(world.names("data"), ["t/a", "t/d", "t/e", "t/none", "t/sub/b", "t/sub/c"]);
    for file in &metainfo.files {
        let range = file.span.offset as usize..file.span.end() as usize;
        let there = world.contents(&format!("data/{}", file.path.join("/"))).expect("a file");
        assert_eq!(there, bytes.slice(range));
    }
    assert_eq!(had(&open(&metainfo, &world).expect("opened again").0).len() as u32, metainfo.layout.pieces());
}

#[tokio::test]
async fn it_works_on_a_real_disk_too() {
    let (metainfo, bytes) = many();
    let folder = tempfile::tempdir().expect("a folder");
    let (store, mut events) = Store::open(&metainfo, real(folder.path())).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    read_all(&store, &bytes).await;
    store.close().await.expect("closed");
    let (store, _events) = Store::open(&metainfo, real(folder.path())).expect("opened");
    assert!(store.had().is_all());
    read_all(&store, &bytes).await;
}

#[tokio::test]
async fn a_neighbour_is_made_only_when_something_of_it_is_written() {
    let (metainfo, bytes) = torrent(&[("a", 40_000), ("b", 40_000), ("c", 40_000)], 32 * KIB as u32);
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    assert_eq!(world.names("data"), ["a"]);
}

#[tokio::test]
async fn only_verified_bytes_can_be_read_and_nothing_can_be_written_over_them() {
    let (metainfo, bytes) = film();
    let (store, mut events) = open(&metainfo, &World::new()).expect("opened");
    let first = BlockId { piece: PieceIndex(0), block: 0 };
    store.write(first, block_of(&metainfo.layout, &bytes, first)).await;
    assert!(matches!(store.read(0..10).await, Err(StoreError::NotVerified(PieceIndex(0)))));
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    store.write(first, Bytes::from(vec![0; BLOCK as usize])).await;
    store.verify(PieceIndex(0));
    assert_eq!(told(&mut events).await, "verified 0");
    assert_eq!(store.read(0..10).await.expect("verified"), bytes.slice(0..10));
    assert!(matches!(store.read(65_530..65_540).await, Err(StoreError::NotVerified(PieceIndex(1)))));
    assert!(matches!(store.read(0..u64::MAX).await, Err(StoreError::Range(_))));
    assert_eq!(store.read(7..7).await.expect("nothing"), Bytes::new());
}

#[tokio::test]
async fn a_block_of_the_wrong_length_is_lost_and_a_piece_that_is_not_there_ignored() {
    let (metainfo, bytes) = film();
    let (store, mut events) = open(&metainfo, &World::new()).expect("opened");
    store.write(BlockId { piece: PieceIndex(0), block: 0 }, Bytes::from_static(b"short")).await;
    store.write(BlockId { piece: PieceIndex(99), block: 7 }, Bytes::from(vec![0; BLOCK as usize])).await;
    store.verify(PieceIndex(99));
    fetch(&store, &metainfo, &bytes, 4).await;
    assert_eq!(told(&mut events).await, "lost 0/0");
    assert_eq!(told(&mut events).await, "lost 99/7");
    assert_eq!(told(&mut events).await, "verified 4");
}

#[tokio::test]
async fn more_than_fits_the_queue_waits_and_arrives() {
    let (metainfo, bytes) = torrent(&[("film", 12 * 1024 * KIB)], 1024 * KIB as u32);
    let (store, mut events) = open(&metainfo, &World::new()).expect("opened");
    for piece in (0..metainfo.layout.pieces()).map(PieceIndex) {
        for block in (0..metainfo.layout.blocks_in(piece)).map(|block| BlockId { piece, block }) {
            store.write(block, block_of(&metainfo.layout, &bytes, block)).await;
        }
    }
    (0..12).for_each(|piece| store.verify(PieceIndex(piece)));
    for piece in 0..12 {
        assert_eq!(told(&mut events).await, format!("verified {piece}"));
    }
    read_all(&store, &bytes).await;
}

#[tokio::test]
async fn the_liar_is_named_when_the_piece_is_right_at_last() {
    let (metainfo, bytes) = film();
    let (store, mut events) = open(&metainfo, &World::new()).expect("opened");
    let piece = PieceIndex(1);
    let blocks: Vec<_> = (0..4).map(|block| BlockId { piece, block }).collect();
    let lie = |of: u8| Bytes::from(vec![of; BLOCK as usize]);
    for &block in &blocks {
        let data = if block.block == 2 { lie(1) } else { block_of(&metainfo.layout, &bytes, block) };
        store.write(block, data).await;
    }
    store.verify(piece);
    assert_eq!(told(&mut events).await, "failed 1");
    store.write(blocks[0], block_of(&metainfo.layout, &bytes, blocks[0])).await;
    assert_eq!(told(&mut events).await, "compared 1/0 same");
    store.write(blocks[2], lie(2)).await;
    assert_eq!(told(&mut events).await, "compared 1/2 differs");
    store.verify(piece);
    assert_eq!(told(&mut events).await, "failed 1");
    store.write(blocks[2], block_of(&metainfo.layout, &bytes, blocks[2])).await;
    assert_eq!(told(&mut events).await, "compared 1/2 differs");
    store.verify(piece);
    assert_eq!(told(&mut events).await, "verified 1, lies [(2, 0), (2, 1)]");
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0", "and nothing is compared any more");
}

#[tokio::test]
async fn what_a_peer_sends_where_padding_is_does_not_matter() {
    let (metainfo, bytes) = torrent(&[("a", 20_000), (".pad", 12_768), ("b", 5)], 32 * KIB as u32);
    let (store, mut events) = open(&metainfo, &World::new()).expect("opened");
    let [first, second] = [0, 1].map(|block| BlockId { piece: PieceIndex(0), block });
    let mut odd = block_of(&metainfo.layout, &bytes, second).to_vec();
    odd[10_000..].fill(9);
    store.write(first, Bytes::from(vec![0; BLOCK as usize])).await;
    store.write(second, odd.into()).await;
    store.verify(PieceIndex(0));
    assert_eq!(told(&mut events).await, "failed 0");
    store.write(second, block_of(&metainfo.layout, &bytes, second)).await;
    assert_eq!(told(&mut events).await, "compared 0/1 same");
    store.write(first, block_of(&metainfo.layout, &bytes, first)).await;
    assert_eq!(told(&mut events).await, "compared 0/0 differs");
    store.verify(PieceIndex(0));
    assert_eq!(told(&mut events).await, "verified 0, lies [(0, 0)]");
    assert_eq!(store.read(19_990..32_768).await.expect("verified"), bytes.slice(19_990..32_768));
}

#[tokio::test]
async fn a_full_disk_is_told_once_and_costs_only_what_did_not_fit() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    store.sync().await.expect("recorded");
    world.set_room(Some(u64::from(BLOCK)));
    let piece = PieceIndex(1);
    for block in (0..4).map(|block| BlockId { piece, block }) {
        store.write(block, block_of(&metainfo.layout, &bytes, block)).await;
    }
    store.sync().await.expect("nothing to record, but all is written");
    assert!(told(&mut events).await.starts_with("broken: the disk is full: data takes no more"));
    for block in [1, 2, 3] {
        assert_eq!(told(&mut events).await, format!("lost 1/{block}"));
    }
    world.set_room(None);
    for block in (1..4).map(|block| BlockId { piece, block }) {
        store.write(block, block_of(&metainfo.layout, &bytes, block)).await;
    }
    store.verify(piece);
    assert_eq!(told(&mut events).await, "verified 1");
    store.close().await.expect("closed");
    assert_eq!(had(&open(&metainfo, &world).expect("opened").0), [0, 1]);
}

#[tokio::test]
async fn a_piece_that_a_full_disk_has_torn_is_nobodys_lie() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    world.set_room(Some(2 * u64::from(BLOCK) + 1000));
    // Asked for before anybody could know that a block of it was lost.
    fetch(&store, &metainfo, &bytes, 1).await;
    store.sync().await.expect("nothing to record");
    assert!(told(&mut events).await.starts_with("broken: the disk is full"));
    let mut lost = [told(&mut events).await, told(&mut events).await];
    lost.sort();
    assert_eq!(lost.each_ref().map(|event| &event[..7]), ["lost 1/", "lost 1/"]);
    world.set_room(None);
    for block in lost.iter().map(|event| event[7..].parse().expect("a number")) {
        assert!(events.is_empty(), "neither right nor wrong: {:?}", events.try_recv());
        let block = BlockId { piece: PieceIndex(1), block };
        store.write(block, block_of(&metainfo.layout, &bytes, block)).await;
    }
    store.verify(PieceIndex(1));
    assert_eq!(told(&mut events).await, "verified 1");
}

#[tokio::test]
async fn what_could_not_be_recorded_on_a_full_disk_is_recorded_later() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    // The film's first piece, and a word in the journal that it is begun.
    world.set_room(Some(4 * u64::from(BLOCK) + 100));
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    assert!(store.sync().await.is_err());
    assert!(
        told(&mut events).await.starts_with("broken: what has been downloaded cannot be recorded in state")
    );
    world.set_room(None);
    store.sync().await.expect("recorded");
    world.power_loss(1);
    assert_eq!(had(&open(&metainfo, &world).expect("opened").0), [0]);
}

#[tokio::test]
async fn a_file_that_vanishes_costs_its_blocks_and_blames_nobody() {
    let (metainfo, bytes) = torrent(&[("a", 32 * KIB), ("b", 32 * KIB)], 64 * KIB as u32);
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    for block in [0, 1].map(|block| BlockId { piece: PieceIndex(0), block }) {
        store.write(block, block_of(&metainfo.layout, &bytes, block)).await;
    }
    store.verify(PieceIndex(0));
    assert!(told(&mut events).await.starts_with("broken: reading from data failed"));
    for block in 0..4 {
        assert_eq!(told(&mut events).await, format!("lost 0/{block}"));
    }
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let (metainfo, _) = film();
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _events) = Store::open(&metainfo, real(folder.path())).expect("opened");
    let error = Store::open(&metainfo, real(folder.path())).map(drop).expect_err("it has an owner");
    assert!(matches!(error, StoreError::Busy { .. }));
    assert!(error.to_string().contains("another peerflix is at work on this torrent"));
    store.close().await.expect("closed");
    Store::open(&metainfo, real(folder.path())).expect("free again, although the first is not dropped");
    assert!(matches!(store.read(0..0).await, Err(StoreError::Closed)));
    store.close().await.expect("closed already");
}

#[test]
fn a_folder_that_cannot_be_is_a_sentence() {
    let (metainfo, _) = film();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("data"), b"not a folder").expect("a file");
    let error = Store::open(&metainfo, real(folder.path())).map(drop).expect_err("it cannot be opened");
    assert!(matches!(error, StoreError::Folder { .. }));
    assert!(error.to_string().contains("choose another one with --path"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_or_a_name_that_leads_outside_is_not_followed() {
    let bytes_of = |names: [&str; 2]| torrent(&[(names[0], 32 * KIB), (names[1], 32 * KIB)], 32 * KIB as u32);
    let folder = tempfile::tempdir().expect("a folder");
    let outside = folder.path().join("outside");
    std::fs::create_dir_all(&outside).expect("a folder");
    std::fs::create_dir_all(folder.path().join("data")).expect("a folder");
    std::os::unix::fs::symlink(&outside, folder.path().join("data/away")).expect("a link");
    std::os::unix::fs::symlink(outside.join("new"), folder.path().join("data/file")).expect("a link");
    for names in [["away/sub/x", "file"], ["../outside/x", "/tmp/../x"]] {
        let (metainfo, bytes) = bytes_of(names);
        let (store, mut events) = Store::open(&metainfo, real(folder.path())).expect("opened");
        for piece in [0, 1] {
            fetch(&store, &metainfo, &bytes, piece).await;
        }
        assert!(told(&mut events).await.starts_with("broken: writing to"));
        store.close().await.expect("closed");
        std::fs::remove_dir_all(folder.path().join("state")).expect("removed");
        assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0);
    }
}

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

#[tokio::test]
async fn a_sync_that_fails_is_told_and_nothing_of_that_file_is_recorded() {
    let (metainfo, bytes) = torrent(&[("a", 64 * KIB), ("b", 64 * KIB)], 64 * KIB as u32);
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    world.break_sync(Some("data/b"));
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    // Told once: by this, or by the round that was due before it.
    let _ = store.sync().await;
    assert!(told(&mut events).await.starts_with("broken: what has been downloaded cannot be recorded"));
    world.break_sync(None);
    store.sync().await.expect("the other file is fine");
    world.power_loss(3);
    let (store, _events) = open(&metainfo, &world).expect("opened");
    assert_eq!(had(&store), [0]);
}

#[tokio::test]
async fn a_journal_whose_sync_failed_is_written_anew() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    world.break_sync(Some("state/journal"));
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    assert!(store.sync().await.is_err());
    assert!(told(&mut events).await.starts_with("broken"));
    world.break_sync(None);
    fetch(&store, &metainfo, &bytes, 1).await;
    assert_eq!(told(&mut events).await, "verified 1");
    store.sync().await.expect("recorded");
    world.power_loss(5);
    let (store, _events) = open(&metainfo, &world).expect("opened");
    assert_eq!(had(&store), [0, 1]);
}

#[tokio::test]
async fn ten_thousand_files_are_no_trouble() {
    let names: Vec<String> = (0..10_000).map(|n| format!("t/{}/{n}", n % 40)).collect();
    let list: Vec<_> = (0..).zip(&names).map(|(n, name)| (name.as_str(), n % 60)).collect();
    let (metainfo, bytes) = torrent(&list, 64 * KIB as u32);
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    read_all(&store, &bytes).await;
    store.close().await.expect("closed");
    assert_eq!(world.names("data").len(), 10_000);
    assert!(world.most_open() < 60, "{} were open at once", world.most_open());
    assert!(open(&metainfo, &world).expect("opened").0.had().is_all());
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
        .args(["--exact", "store::tests::child_that_is_killed", "--nocapture"])
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
                                // The power went before it was recorded that the file is ours: the user removes it.
                                StoreEvent::Broken(StoreError::Occupied { path }) => {
                                    world.remove(&path.display().to_string());
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
