//! Magnets that name one source of peers each, and nothing else: from there to the film.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use peerflix::source::Source;
use peerflix::swarm::Blocklist;
use peerflix::torrent::{Options, Torrent};

use crate::dht::SmallDht;
use crate::peer::{Gate, Manner, Scripted};
use crate::trackers::Tracker;
use crate::world::{Film, Seed, World, is_same, noise, soon, until, whole};

async fn open(world: &World, magnet: &str, options: Options) -> Torrent {
    let source = world.resolve(magnet, &options).await;
    assert!(source.metainfo.is_none(), "the swarm must tell what it is");
    Torrent::open(source, options, world.net()).await.expect("it opens")
}

/// The magnet alone leads to all of the film.
async fn leads_to_the_film(world: &World, magnet: &str, film: &Film) {
    let torrent = open(world, magnet, world.options("viewer", [])).await;
    soon(torrent.files()).await.expect("files");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    torrent.close().await;
}

/// A magnet that names a tracker of the seed leads to the film, and the tracker is greeted and left.
async fn a_tracker_leads_to_the_film(tracker: impl FnOnce(&World, &[SocketAddr]) -> Tracker) {
    let world = World::new();
    let film = Film::single("film.mkv", noise(30, 500_000));
    let seed = Seed::start(&world, &film).await;
    let tracker = tracker(&world, &[seed.address]);
    leads_to_the_film(&world, &format!("{}&tr={}", film.magnet(), tracker.url), &film).await;
    // All was there when it ended, a moment ago or long before: that may be told in between.
    let told = tracker.told();
    assert_eq!(told.first().map(String::as_str), Some("started"));
    assert_eq!(told.last().map(String::as_str), Some("stopped"), "{told:?}");
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_with_nothing_but_an_http_tracker() {
    a_tracker_leads_to_the_film(|world, seeds| Tracker::http(world, Ipv4Addr::LOCALHOST.into(), seeds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_with_nothing_but_a_udp_tracker() {
    a_tracker_leads_to_the_film(|world, seeds| Tracker::udp(world, Ipv4Addr::LOCALHOST.into(), seeds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracker_of_the_users_does_as_well() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(32, 200_000));
    let seed = Seed::start(&world, &film).await;
    let tracker = Tracker::http(&world, Ipv4Addr::LOCALHOST.into(), &[seed.address]);
    let options = Options { trackers: vec![tracker.url.clone()], ..world.options("viewer", []) };
    let torrent = open(&world, &film.magnet(), options).await;
    soon(torrent.files()).await.expect("files");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    torrent.close().await;
    seed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_with_nothing_but_the_dht() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(33, 500_000));
    let dht = SmallDht::of(&world, film.info_hash());
    let seed = Seed::start(&world, &film).await;
    let options = |name: &str, peers: Vec<SocketAddr>| Options {
        dht: true,
        dht_bootstrap: dht.bootstrap.clone(),
        ..world.options(name, peers)
    };
    // The first viewer announces himself; the second has heard of nobody else.
    let first = world.open(&film, options("first", vec![seed.address])).await;
    is_same(&whole(&first, 0).await, film.bytes(0));
    seed.stop().await;
    let port = first.port();
    until(|| dht.announced().iter().any(|peer| peer.port() == port)).await;

    let second = open(&world, &film.magnet(), options("second", Vec::new())).await;
    soon(second.files()).await.expect("files");
    is_same(&whole(&second, 0).await, film.bytes(0));
    assert!(second.why().peers.iter().any(|peer| peer.origin == peerflix::swarm::Origin::Dht));
    tokio::join!(first.close(), second.close());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_comes_over_ipv6() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(34, 500_000));
    let seed = Seed::start(&world, &film).await;
    // librqbit's seed speaks IPv4; who has it from there is dialled over IPv6 by the next ones.
    let first = world.open(&film, world.options("first", [seed.address])).await;
    is_same(&whole(&first, 0).await, film.bytes(0));
    seed.stop().await;
    let here = SocketAddr::from((Ipv6Addr::LOCALHOST, first.port()));
    let http = Tracker::http(&world, Ipv6Addr::LOCALHOST.into(), &[here]);
    let udp = Tracker::udp(&world, Ipv6Addr::LOCALHOST.into(), &[here]);
    for (name, source) in [
        ("by x.pe", format!("x.pe={here}")),
        ("http", format!("tr={}", http.url)),
        ("udp", format!("tr={}", udp.url)),
    ] {
        let torrent = open(&world, &format!("{}&{source}", film.magnet()), world.options(name, [])).await;
        soon(torrent.files()).await.expect("files");
        is_same(&whole(&torrent, 0).await, film.bytes(0));
        assert!(torrent.why().peers.iter().all(|peer| peer.address.is_ipv6()), "{name}");
        torrent.close().await;
    }
    first.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_torrents_own_trackers_are_not_asked_if_the_user_does_not_want_them() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(54, 300_000));
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let here = Ipv4Addr::LOCALHOST.into();
    let own = Tracker::http(&world, here, &[]);
    let users = Tracker::http(&world, here, &[seed.address]);
    let source = Source { trackers: vec![vec![own.url.clone()]], ..film.source() };
    let options =
        Options { own_trackers: false, trackers: vec![users.url.clone()], ..world.options("viewer", []) };
    let torrent = Torrent::open(source, options, world.net()).await.expect("it opens");
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    assert_eq!(torrent.why().sources.len(), 1);
    torrent.close().await;
    assert!(own.told().is_empty() && !users.told().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_on_the_blocklist_is_not_dialled_even_if_the_user_names_him() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(55, 300_000));
    let gate = Gate::new(true);
    let blocked = Scripted::start_at(&world, &film, Manner::Honest, [127, 0, 0, 2].into(), &gate);
    let seed = Scripted::start(&world, &film, Manner::Honest);
    let blocklist = Blocklist::parse("nobody:127.0.0.2-127.0.0.9").expect("a list");
    let options = Options {
        blocklist: Some(Arc::new(blocklist)),
        ..world.options("viewer", [blocked.address, seed.address])
    };
    let torrent = world.open(&film, options).await;
    is_same(&whole(&torrent, 0).await, film.bytes(0));
    let counts = torrent.why().counts;
    assert_eq!((counts.blocked, counts.connected), (1, 1));
    assert_eq!(blocked.came.load(Ordering::SeqCst), 0);
    torrent.close().await;
}
