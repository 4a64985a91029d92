//! Peers that mean harm, or are broken, in the way of one that is honest: the film comes all the same.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use peerflix::torrent::{Options, Torrent};

use crate::peer::{Gate, Manner, Scripted};
use crate::world::{Film, World, is_same, noise, soon, until, whole};

/// All that are dropped, or banned, for what they do.
const OFFENDERS: [Manner; 8] = [
    Manner::NoHandshake,
    Manner::Garbage,
    Manner::HugeLength,
    Manner::LongBitfield,
    Manner::BadHave,
    Manner::BadBlocks,
    Manner::Unasked,
    Manner::Lying,
];

/// And those that only bring nothing, or are broken in a way that does no harm.
const USELESS: [Manner; 6] = [
    Manner::SpareBits,
    Manner::Dribbling,
    Manner::Silent,
    Manner::Choking,
    Manner::BadExtended,
    Manner::HugeMetadata,
];

struct Crowd {
    gate: Gate,
    honest: Scripted,
    hostile: Vec<(Manner, Scripted)>,
}

impl Crowd {
    fn start(world: &World, film: &Film, manners: impl IntoIterator<Item = Manner>) -> Crowd {
        let gate = Gate::new(false);
        let at = Ipv4Addr::LOCALHOST.into();
        let start = |manner| Scripted::start_at(world, film, manner, at, &gate);
        let hostile = manners.into_iter().map(|manner| (manner, start(manner))).collect();
        Crowd { honest: start(Manner::Honest), hostile, gate }
    }

    fn options(&self, world: &World) -> Options {
        world
            .options("viewer", self.hostile.iter().map(|(_, peer)| peer.address).chain([self.honest.address]))
    }

    /// Lets the honest one begin when all others have had their say.
    async fn let_begin(&self) {
        let all = self.hostile.len();
        until(|| self.gate.done.load(Ordering::SeqCst) >= all).await;
        self.gate.open();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_film_comes_though_all_but_one_are_hostile() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(50, 2_000_000));
    let crowd = Crowd::start(&world, &film, OFFENDERS.into_iter().chain(USELESS));
    let torrent = world.open(&film, crowd.options(&world)).await;
    let reading = whole(&torrent, 0);
    let (bytes, ()) = tokio::join!(reading, crowd.let_begin());
    is_same(&bytes, film.bytes(0));
    for (manner, peer) in crowd.hostile.iter().filter(|(manner, _)| OFFENDERS.contains(manner)) {
        assert!(peer.came.load(Ordering::SeqCst) > 0, "{manner:?}");
        // One that lies is found out when a piece of its own is wrong; here the honest one may be faster.
        if *manner != Manner::Lying {
            until(|| peer.open() == 0).await;
        }
    }
    assert!(crowd.honest.open() == 1, "the honest one is not blamed");
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_lies_alone_is_found_out_and_what_it_sent_is_never_read() {
    let world = World::new();
    let film = Film::single("film.mkv", noise(51, 1_000_000));
    let crowd = Crowd::start(&world, &film, [Manner::Lying]);
    let torrent = world.open(&film, crowd.options(&world)).await;
    let reading = whole(&torrent, 0);
    let found_out = async {
        // Nobody else sends anything until then.
        until(|| crowd.hostile[0].1.came.load(Ordering::SeqCst) > 0 && crowd.hostile[0].1.open() == 0).await;
        crowd.gate.open();
    };
    let (bytes, ()) = tokio::join!(reading, found_out);
    is_same(&bytes, film.bytes(0));
    assert!(torrent.statistics().failed_pieces > 0);
    assert_eq!(crowd.honest.open(), 1);
    torrent.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_magnet_gets_its_metadata_though_most_of_it_is_false() {
    let world = World::new();
    // More than one piece of metadata.
    let film = Film::several("Show", [("film.mkv", noise(52, 600_000)), ("other.mkv", noise(53, 1000))])
        .with_empty_files(800);
    assert!(film.info().len() > 16 * 1024);
    let manners = [Manner::FalseMetadata, Manner::HugeMetadata, Manner::BadExtended, Manner::Dribbling];
    let crowd = Crowd::start(&world, &film, manners.into_iter().chain(manners));
    let options = Options { background: false, ..crowd.options(&world) };
    let source = world.resolve(&film.magnet(), &options).await;
    let torrent = Torrent::open(source, options, world.net()).await.expect("it opens");
    let (files, ()) = tokio::join!(soon(torrent.files()), crowd.let_begin());
    assert_eq!(files.expect("files").files.len(), 802);
    is_same(&whole(&torrent, 1).await, film.bytes(1));
    torrent.close().await;
}
