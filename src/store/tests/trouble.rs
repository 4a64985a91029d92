//! A disk that is full, refuses to sync, or loses files.

use super::*;

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
