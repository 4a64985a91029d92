//! Files of the torrent's names that are not the torrent's, or not only.

use aws_lc_rs::digest;

use super::*;
use crate::source::InfoHash;

/// A torrent of the same names, with nothing in common.
fn another(metainfo: &Metainfo, bytes: &Bytes) -> (Metainfo, Bytes) {
    let bytes: Bytes = bytes.iter().map(|byte| !byte | 1).collect::<Vec<_>>().into();
    let sha1 = |bytes: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let pieces = bytes.chunks(metainfo.layout.piece_length() as usize);
    let hashes: Vec<u8> = pieces.flat_map(|piece| sha1(piece).as_ref().to_vec()).collect();
    let metainfo = Metainfo { info_hash: InfoHash([8; 20]), piece_hashes: hashes.into(), ..metainfo.clone() };
    (metainfo, bytes)
}

fn open_another(metainfo: &Metainfo, world: &World) -> Result<(Store, Events), StoreError> {
    let config = StoreConfig { state: "another".into(), ..config() };
    Store::open_in(metainfo, config, world.folder("data"), world.folder("another"))
}

/// The film of [`film`], and its disk with a file of this content in its place.
fn film_in_place_of(there: Vec<u8>) -> (Metainfo, Bytes, World) {
    let (metainfo, bytes) = film();
    let world = World::new();
    world.folder("data").create().expect("a folder");
    world.put("data/film.mkv", there);
    (metainfo, bytes, world)
}

const OCCUPIED: &str = "broken: data/film.mkv is there already and is not part of this torrent: \
                        move it, or choose another folder with --path";

#[tokio::test]
async fn two_torrents_of_one_name_are_not_at_work_in_one_folder() {
    let (metainfo, bytes) = film();
    let (mut other, _) = another(&metainfo, &bytes);
    other.files[0].path = vec!["FILM.mkv".into()];
    let folder = tempfile::tempdir().expect("a folder");
    let state = |name: &str| StoreConfig { state: folder.path().join(name), ..real(folder.path()) };
    let (store, _events) = Store::open(&metainfo, state("first")).expect("opened");
    let error = Store::open(&other, state("second")).map(drop).expect_err("the name is taken");
    assert!(matches!(&error, StoreError::InUse { path } if path.ends_with("data/FILM.mkv")));
    assert!(error.to_string().starts_with("another peerflix is at work on"));
    other.files[0].path = vec!["another film.mkv".into()];
    Store::open(&other, state("second")).expect("another name is no trouble");
    other.files[0].path = vec!["film.mkv".into()];
    store.close().await.expect("closed");
    Store::open(&other, state("third")).expect("nobody is at work on it any more");
}

#[tokio::test]
async fn what_another_torrent_has_fetched_is_not_overwritten() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    store.close().await.expect("closed");

    let (other, others) = another(&metainfo, &bytes);
    let (store, mut events) = open_another(&other, &world).expect("opened");
    fetch(&store, &other, &others, 0).await;
    assert_eq!(told(&mut events).await, OCCUPIED);
    for block in 0..4 {
        assert_eq!(told(&mut events).await, format!("lost 0/{block}"));
    }
    fetch(&store, &other, &others, 4).await;
    assert!(told(&mut events).await.starts_with("lost 4/"), "why has been told");
    store.close().await.expect("closed");

    let (store, _events) = open(&metainfo, &world).expect("opened");
    assert!(store.had().is_all(), "as if nothing had been");
    read_all(&store, &bytes).await;
}

#[tokio::test]
async fn a_file_that_was_in_the_way_is_moved_and_the_download_goes_on() {
    let (metainfo, bytes, world) = film_in_place_of(b"my own film".to_vec());
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 4).await;
    assert_eq!(told(&mut events).await, OCCUPIED);
    assert_eq!(told(&mut events).await, "lost 4/0");
    store.sync().await.expect("nothing to record");
    while events.try_recv().is_ok() {}
    assert_eq!(world.contents("data/film.mkv").as_deref(), Some(&b"my own film"[..]));
    world.remove("data/film.mkv");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    store.close().await.expect("closed");
    assert!(open(&metainfo, &world).expect("opened").0.had().is_all());
}

#[tokio::test]
async fn what_another_program_has_begun_to_fetch_is_taken_over() {
    let mut there = film().1.to_vec();
    there[..128 * 1024].fill(0);
    there[200 * 1024..].fill(0xbb);
    let (metainfo, bytes, world) = film_in_place_of(there);
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    // At once: it waits until piece 2 was found.
    fetch(&store, &metainfo, &bytes, 4).await;
    let mut both = [told(&mut events).await, told(&mut events).await];
    both.sort();
    assert_eq!(both, ["verified 2", "verified 4"]);
    for piece in [0, 1, 3] {
        fetch(&store, &metainfo, &bytes, piece).await;
        assert_eq!(told(&mut events).await, format!("verified {piece}"));
    }
    read_all(&store, &bytes).await;
}

#[tokio::test]
async fn an_empty_file_and_one_of_zeros_are_nobodys() {
    for there in [Vec::new(), vec![0; 1000], vec![0; 307_205]] {
        let (metainfo, bytes, world) = film_in_place_of(there);
        let (store, mut events) = open(&metainfo, &world).expect("opened");
        fetch_all(&store, &mut events, &metainfo, &bytes).await;
        read_all(&store, &bytes).await;
    }
}

/// The film ends in the middle of piece 1, which a small file has the rest of.
fn film_and_info() -> (Metainfo, Bytes) {
    torrent(&[("t/film.mkv", 90 * KIB), ("t/film.nfo", 3 * KIB)], 64 * KIB as u32)
}

#[tokio::test]
async fn a_small_file_that_cannot_be_judged_alone_is_not_in_the_way_if_it_is_right() {
    let (metainfo, bytes) = film_and_info();
    let world = World::new();
    world.folder("data").create().expect("a folder");
    world.put("data/t/film.nfo", bytes.slice(90 * 1024..).to_vec());
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    read_all(&store, &bytes).await;
}

#[tokio::test]
async fn a_small_file_of_somebody_else_keeps_only_its_own_piece_from_coming() {
    let (metainfo, bytes) = film_and_info();
    let world = World::new();
    world.folder("data").create().expect("a folder");
    world.put("data/t/film.nfo", b"my notes".to_vec());
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 1).await;
    assert!(told(&mut events).await.starts_with("broken: data/t/film.nfo is there already"));
    assert_eq!(told(&mut events).await, "lost 1/1");
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    assert_eq!(world.contents("data/t/film.nfo").as_deref(), Some(&b"my notes"[..]));
}

#[tokio::test]
async fn what_a_killed_run_has_begun_is_known_by_the_next() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, _events) = open(&metainfo, &world).expect("opened");
    let first = BlockId { piece: PieceIndex(0), block: 0 };
    store.write(first, block_of(&metainfo.layout, &bytes, first)).await;
    store.sync().await.expect("no piece is there, but what is on its way is written");
    world.kill();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
}

#[tokio::test]
async fn a_file_that_is_removed_is_not_made_anew_beneath_pieces_that_are_read() {
    let (metainfo, bytes) = film();
    let world = World::new();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    store.close().await.expect("closed");
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    assert_eq!(store.read(0..10).await.expect("had"), bytes.slice(0..10));
    world.remove("data/film.mkv");
    fetch(&store, &metainfo, &bytes, 4).await;
    assert!(told(&mut events).await.starts_with("broken: data/film.mkv was moved or removed"));
    assert_eq!(told(&mut events).await, "lost 4/0");
    assert_eq!(world.names("data"), [""; 0]);
}

/// The folder of one lies in that of the other, so they share no name.
#[cfg(unix)]
#[tokio::test]
async fn one_file_is_written_by_one_program_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = |name: &str| folder.path().join(name);
    let (inner, bytes) = torrent(&[("f", 192 * KIB)], 64 * KIB as u32);
    let (outer, _) = torrent(&[("X/f", 192 * KIB)], 64 * KIB as u32);
    let inner_config = StoreConfig { folder: folder.path().join("X"), state: state("inner") };
    let outer_config = StoreConfig { folder: folder.path().into(), state: state("outer") };
    let (store, mut events) = Store::open(&inner, inner_config.clone()).expect("opened");
    fetch(&store, &inner, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    store.close().await.expect("closed");

    let (writing, mut events) = Store::open(&outer, outer_config).expect("opened");
    assert_eq!(told(&mut events).await, "verified 0", "it is the same film");
    fetch(&writing, &outer, &bytes, 1).await;
    assert_eq!(told(&mut events).await, "verified 1");

    let (store, mut events) = Store::open(&inner, inner_config).expect("opened");
    for piece in [0, 1] {
        assert_eq!(told(&mut events).await, format!("verified {piece}"));
    }
    fetch(&store, &inner, &bytes, 2).await;
    let mut refused = Vec::new();
    while refused.iter().filter(|event: &&String| event.starts_with("lost 2/")).count() < 4 {
        refused.push(told(&mut events).await);
    }
    assert!(refused.iter().any(|event| event.starts_with("broken: another peerflix is at work on")));
    writing.close().await.expect("closed");
    fetch(&store, &inner, &bytes, 2).await;
    while told(&mut events).await != "verified 2" {}
}
