//! What is deleted with a torrent, and what is not.

use super::*;

/// Two films in a folder with somebody's notes.
fn show() -> (Metainfo, Bytes, World) {
    let (metainfo, bytes) = torrent(&[("Show/a", 64 * KIB), ("Show/b", 64 * KIB)], 64 * 1024);
    let world = World::new();
    world.folder("data").create().expect("a folder");
    world.put("data/Show/notes", b"mine".to_vec());
    (metainfo, bytes, world)
}

#[tokio::test]
async fn what_was_fetched_goes_and_what_lies_beside_it_stays() {
    let (metainfo, bytes, world) = show();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    // It need not be closed before.
    store.remove(Removal::OwnFiles).expect("removed");
    assert_eq!(world.names("data"), ["Show/notes"]);
    assert!(world.names("state").is_empty());
    open(&metainfo, &world).expect("nobody holds it any more");
}

#[tokio::test]
async fn a_folder_of_its_own_goes_with_all_that_is_in_it() {
    let (metainfo, bytes, world) = show();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    store.remove(Removal::Everything).expect("removed");
    assert!(world.names("data").is_empty() && world.names("state").is_empty());
}

#[tokio::test]
async fn a_file_that_a_killed_run_had_finished_stays_though_its_journal_does_not_know() {
    let (metainfo, bytes, world) = show();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 0).await;
    assert_eq!(told(&mut events).await, "verified 0");
    world.kill();
    drop(store);
    let (again, mut events) = open(&metainfo, &world).expect("opened again");
    if !again.had().has(PieceIndex(0)) {
        assert_eq!(told(&mut events).await, "verified 0");
    }
    fetch(&again, &metainfo, &bytes, 1).await;
    assert_eq!(told(&mut events).await, "verified 1");
    again.remove(Removal::OwnFiles).expect("removed");
    assert_eq!(world.names("data"), ["Show/a", "Show/notes"]);
}

#[tokio::test]
async fn what_somebody_else_has_put_there_stays_even_where_it_was_completed() {
    let (metainfo, bytes, world) = show();
    let mut half = bytes[..64 * 1024].to_vec();
    half.truncate(32 * 1024);
    world.put("data/Show/a", half);
    world.put("data/Show/b", b"something else".to_vec());
    let (store, _events) = open(&metainfo, &world).expect("opened");
    fetch(&store, &metainfo, &bytes, 0).await;
    store.close().await.expect("closed");
    store.remove(Removal::OwnFiles).expect("removed");
    assert_eq!(world.names("data"), ["Show/a", "Show/b", "Show/notes"]);
}

#[tokio::test]
async fn what_somebody_has_opened_meanwhile_is_left_to_him() {
    let (metainfo, bytes, world) = show();
    let (store, mut events) = open(&metainfo, &world).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    store.close().await.expect("closed");
    let (_other, _events) = open(&metainfo, &world).expect("opened by another");
    assert!(matches!(store.remove(Removal::Everything), Err(StoreError::Busy { .. })));
    assert_eq!(world.names("data"), ["Show/a", "Show/b", "Show/notes"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_out_of_the_folder_leads_to_nothing_that_is_deleted() {
    let (metainfo, bytes, _) = show();
    let folder = tempfile::tempdir().expect("a folder");
    let (store, mut events) = Store::open(&metainfo, real(folder.path())).expect("opened");
    fetch_all(&store, &mut events, &metainfo, &bytes).await;
    store.close().await.expect("closed");
    let (data, outside) = (folder.path().join("data"), folder.path().join("outside"));
    std::fs::rename(data.join("Show"), &outside).expect("moved");
    std::os::unix::fs::symlink(&outside, data.join("Show")).expect("linked");
    assert!(store.remove(Removal::OwnFiles).is_err());
    assert!(outside.join("a").exists() && outside.join("b").exists());
}
