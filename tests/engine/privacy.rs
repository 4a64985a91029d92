//! Private torrents (BEP 27): one tracker's peers, and nobody else's.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use peerflix::source::Source;
use peerflix::swarm::Origin;
use peerflix::torrent::{Options, Torrent};

use crate::dht::SmallDht;
use crate::peer::{Manner, Scripted};
use crate::trackers::Tracker;
use crate::world::{Film, World, is_same, noise, soon, until, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_that_turns_out_private_goes_on_with_the_peers_of_its_tracker_alone() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(40, 900_000)).private();
    let [named, outsider] = [(); 2].map(|()| Scripted::start(&world, &film, Manner::Honest));
    let tracker = Tracker::http(&world, Ipv4Addr::LOCALHOST.into(), &[named.address]);
    let magnet = format!("{}&x.pe={}&tr={}", film.magnet(), outsider.address, tracker.url);
    let options = world.options("viewer", []);
    let source = world.resolve(&magnet, &options).await;
    let torrent = Torrent::open(source, options.clone(), world.net()).await.expect("it opens");
    soon(torrent.files()).await.expect("files");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    // Who was there before the metadata has left, and is not dialled again.
    until(|| outsider.open() == 0).await;
    assert!(torrent.why().peers.iter().all(|peer| peer.address == named.address));
    torrent.close().await;

    // From now on it is known to be private: nobody but the tracker is asked.
    let came = outsider.came.load(Ordering::SeqCst);
    let source = world.resolve(&magnet, &options).await;
    assert!(source.metainfo.as_ref().is_some_and(|metainfo| metainfo.private));
    let again = Torrent::open(source, options, world.net()).await.expect("it opens");
    until(|| again.why().peers.iter().any(|peer| peer.origin == Origin::Tracker)).await;
    again.close().await;
    assert_eq!(outsider.came.load(Ordering::SeqCst), came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_torrent_asks_one_tracker_at_a_time_and_no_dht() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(41, 300_000)).private();
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let dht = SmallDht::of(&world, film.info_hash());
    let here = Ipv4Addr::LOCALHOST.into();
    let good = Tracker::http(&world, here, &[seed.address]);
    let [spare, users] = [(); 2].map(|()| Tracker::udp(&world, here, &[]));
    let gone = "http://127.0.0.1:1/announce".to_owned();
    let source = Source {
        trackers: vec![vec![gone], vec![good.url.clone()], vec![spare.url.clone()]],
        ..film.source()
    };
    let options = Options {
        trackers: vec![users.url.clone()],
        dht: true,
        dht_bootstrap: dht.bootstrap.clone(),
        lsd: true,
        ..world.options("viewer", [])
    };
    let torrent = Torrent::open(source, options, world.net()).await.expect("it opens");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    let why: Vec<String> = torrent.why().sources.iter().map(ToString::to_string).collect();
    assert_eq!(why.len(), 3, "{why:?}");
    assert!(why[0].contains("refused") && why[1].contains("1 peer"), "{why:?}");
    torrent.close().await;
    assert_eq!(good.told().first().map(String::as_str), Some("started"));
    assert_eq!(good.told().last().map(String::as_str), Some("stopped"));
    assert!(spare.told().is_empty() && users.told().is_empty() && dht.announced().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_torrent_is_read_from_the_peers_it_is_given_by_hand() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(42, 300_000)).private();
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let options = world.options("viewer", [seed.address]);
    let source = world.resolve(&film.magnet(), &options).await;
    let torrent = Torrent::open(source, options, world.net()).await.expect("it opens");
    soon(torrent.files()).await.expect("files");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    assert_eq!(seed.open(), 1);
    torrent.close().await;
}
