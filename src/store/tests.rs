mod foreign;
mod removal;
mod restarts;
mod trouble;

use std::path::Path;

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
