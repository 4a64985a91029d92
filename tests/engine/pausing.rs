//! A torrent that rests.

use std::net::Ipv4Addr;

use peerflix::read::ReadAt;
use peerflix::torrent::Options;

use crate::peer::{Gate, Manner, Scripted};
use crate::world::{Film, Seed, World, is_same, noise, soon, until, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_all_that_is_in_flight_is_taken_back_and_asked_for_again_afterwards() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(70, 3_000_000));
    let peer = Scripted::start(&world, &film, Manner::Silent);
    let torrent = world.open(&film, world.options("a", [peer.address])).await;
    let reader = torrent.reader(0).expect("the film");
    let reading = reader.read_at(0, 10);
    tokio::pin!(reading);
    assert!(futures_util::poll!(&mut reading).is_pending());
    until(|| !peer.asked().pieces.is_empty()).await;

    torrent.set_paused(true);
    assert!(torrent.is_paused());
    until(|| torrent.why().peers.iter().all(|peer| peer.in_flight == 0)).await;
    until(|| peer.asked().cancels == peer.asked().pieces.len()).await;
    let asked = peer.asked().pieces.len();
    assert!(futures_util::poll!(&mut reading).is_pending(), "who reads waits");
    // Another reader, and another order, change nothing.
    let other = torrent.reader(0).expect("the film");
    let wish = other.read_at(2_000_000, 10);
    tokio::pin!(wish);
    assert!(futures_util::poll!(&mut wish).is_pending());
    torrent.fetch(&[0]);
    until(|| torrent.statistics().stalled_readers == 2).await;
    assert_eq!((peer.asked().pieces.len(), peer.open()), (asked, 1));

    torrent.set_paused(false);
    until(|| peer.asked().pieces.len() > asked).await;
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_from_the_start_nothing_is_asked_for_until_it_goes_on() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(71, 1_000_000));
    let gate = Gate::new(false);
    let peer = Scripted::start_at(&world, &film, Manner::Honest, Ipv4Addr::LOCALHOST.into(), &gate);
    let torrent = world.open(&film, world.options("a", [peer.address])).await;
    torrent.set_paused(true);
    let reading = whole(&torrent, 0);
    tokio::pin!(reading);
    assert!(futures_util::poll!(&mut reading).is_pending());
    gate.open();
    until(|| torrent.statistics().unchoking == 1).await;
    until(|| torrent.why().peers.iter().any(|peer| !peer.choking)).await;
    assert!(peer.asked().pieces.is_empty());
    torrent.set_paused(false);
    is_same(&reading.await, film.bytes(0));
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_nobody_is_fed_and_afterwards_everybody_is() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(72, 12_000_000));
    let seed = Seed::start(&world, &film).await;
    let first = world.open(&film, world.options("first", [seed.address])).await;
    whole(&first, 0).await;
    seed.stop().await;
    until(|| first.why().peers.is_empty()).await;
    first.set_paused(true);

    // More than a window, so that something is always left to be wanted.
    let options = Options { background: false, ..world.options("second", [world.address(&first)]) };
    let second = world.open(&film, options).await;
    let reader = second.reader(0).expect("the film");
    {
        let reading = reader.read_at(0, 10);
        tokio::pin!(reading);
        assert!(futures_util::poll!(&mut reading).is_pending());
        until(|| first.why().peers.iter().any(|peer| peer.incoming && peer.interested)).await;
        until(|| second.why().peers.iter().any(|peer| peer.have > 0 && peer.choking)).await;
        assert_eq!((first.statistics().uploaded, second.statistics().unchoking), (0, 0));
        first.set_paused(false);
        is_same(&soon(reading).await.expect("bytes"), &film.bytes(0)[..10]);
    }
    assert_eq!(second.statistics().unchoking, 1);
    // Who was unchoked is choked again.
    first.set_paused(true);
    until(|| second.statistics().unchoking == 0).await;
    first.set_paused(false);
    is_same(&whole(&second, 0).await, film.bytes(0));
    tokio::join!(first.close(), second.close());
}
