//! Torrents that leave nothing behind, and nothing of others' harmed.

use std::path::Path;

use peerflix::torrent::{Choice, Options};

use crate::peer::{Manner, Scripted};
use crate::world::{Film, World, noise, soon, until, whole};

/// Files that end in the middle of pieces.
fn show() -> Film {
    let files = [("E1.mkv", noise(80, 300_001)), ("deep/E2.mkv", noise(81, 300_001)), ("none", Vec::new())];
    Film::several("Show", files)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.expect("an entry").file_name().into_string()))
        .into_iter()
        .flatten()
        .map(|name| name.expect("a fair name"))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_it_stays_in_the_cache_and_its_neighbours_do() {
    let (world, film, other) = (World::new(), show(), Film::single("film.mkv", noise(82, 100_000)));
    let [seed, others] = [&film, &other].map(|film| Scripted::start(&world, film, Manner::Honest));
    let options = world.options("a", [seed.address]);
    let neighbour = world.open(&other, world.options("a", [others.address])).await;
    whole(&neighbour, 0).await;
    let source = world.resolve(&film.magnet(), &options).await;
    let torrent =
        peerflix::torrent::Torrent::open(source, options.clone(), world.net()).await.expect("it opens");
    soon(torrent.files()).await.expect("files");
    whole(&torrent, 1).await;
    let reader = torrent.reader(0).expect("a file");
    soon(torrent.remove()).await;
    drop(reader);
    let (kept, state) = (other.info_hash().to_string(), format!("{}.state", other.info_hash()));
    let left: Vec<_> = names(&options.cache).into_iter().filter(|name| name != "metadata").collect();
    assert_eq!(left, [kept, state]);
    assert!(names(&options.cache.join("metadata")).is_empty());
    neighbour.close().await;

    // And it can be opened again.
    let again = world.open(&film, Options { peers: Vec::new(), ..options }).await;
    assert_eq!(again.statistics().chosen_had, 0);
    soon(again.remove()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_folder_of_the_users_only_what_it_has_brought_is_removed() {
    let (world, film) = (World::new(), show());
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let path = world.folder("films");
    // Whole before, by some other program's hand.
    std::fs::create_dir_all(path.join("Show/deep")).expect("a folder");
    std::fs::create_dir_all(path.join("Other")).expect("a folder");
    std::fs::write(path.join("Show/E1.mkv"), film.bytes(0)).expect("a file");
    std::fs::write(path.join("Show/deep/notes"), b"mine").expect("a file");
    let options =
        Options { path: Some(path.clone()), choice: Choice::All, ..world.options("a", [seed.address]) };
    let torrent = world.open(&film, options).await;
    until(|| torrent.is_whole(0) && torrent.is_whole(1)).await;
    assert_eq!(names(&path.join("Show")), ["E1.mkv", "deep", "none"]);
    soon(torrent.remove()).await;
    assert_eq!(names(&path), ["Other", "Show"]);
    assert_eq!(names(&path.join("Show")), ["E1.mkv", "deep"]);
    assert_eq!(names(&path.join("Show/deep")), ["notes"]);
    assert!(std::fs::read(path.join("Show/E1.mkv")).expect("it stays") == film.bytes(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_has_finished_stays_and_what_it_has_begun_does_not() {
    let (world, film) = (World::new(), show());
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let path = world.folder("films");
    let options = |file: &str| Options {
        path: Some(path.clone()),
        choice: Choice::Named(vec![file.to_owned()]),
        ..world.options("a", [seed.address])
    };
    let earlier = world.open(&film, options("*E1*")).await;
    until(|| earlier.is_whole(0)).await;
    earlier.close().await;
    // Its last piece holds the second one's beginning.
    assert_eq!(names(&path.join("Show/deep")), ["E2.mkv"]);

    let nobody = Options { peers: Vec::new(), ..options("*E1*") };
    let torrent = world.open(&film, nobody).await;
    assert!(torrent.is_whole(0));
    soon(torrent.remove()).await;
    assert_eq!(names(&path), ["Show"]);
    assert_eq!(names(&path.join("Show")), ["E1.mkv", "none"], "an empty file was there before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_was_made_for_it_goes_with_it() {
    let (world, film) = (World::new(), show());
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let path = world.folder("films").join("new");
    let options = Options { path: Some(path.clone()), ..world.options("a", [seed.address]) };
    let torrent = world.open(&film, options).await;
    whole(&torrent, 0).await;
    soon(torrent.remove()).await;
    assert!(!path.exists());
}
