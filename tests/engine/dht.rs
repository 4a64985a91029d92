//! A small DHT on loopback (BEP 5): a node to begin with that knows the other, and one near to the hash that keeps who
//! announces himself.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use peerflix::net::Network;
use peerflix::source::{InfoHash, parse_bencode};

use crate::small_dht;
use crate::world::World;

pub struct SmallDht {
    /// Where to begin, as `HOST:PORT`.
    pub bootstrap: Vec<String>,
    announced: Arc<Mutex<Vec<SocketAddr>>>,
}

struct Node {
    id: [u8; 20],
    /// Nodes that it names, compact.
    knows: Vec<u8>,
    /// Who has announced himself; only where this node keeps that.
    announced: Option<Arc<Mutex<Vec<SocketAddr>>>>,
}

impl SmallDht {
    pub fn of(world: &World, info_hash: InfoHash) -> SmallDht {
        let announced = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let mut id = info_hash.0;
        id[19] ^= 1;
        let near = Node { id, knows: Vec::new(), announced: Some(announced.clone()) };
        let near = near.start(&world.net());
        let knows = [&id[..], &[127, 0, 0, 1], &near.port().to_be_bytes()].concat();
        let far = Node { id: id.map(|byte| !byte), knows, announced: None };
        SmallDht { bootstrap: vec![far.start(&world.net()).to_string()], announced }
    }

    /// Whom the near node would name.
    pub fn announced(&self) -> Vec<SocketAddr> {
        self.announced.lock().expect("no panic elsewhere").clone()
    }
}

impl Node {
    fn start(self, net: &Network) -> SocketAddr {
        let socket = net.udp_bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port on loopback");
        let address = socket.local_addr().expect("bound");
        tokio::spawn(async move {
            let mut packet = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                if let Some(answer) = self.answer(&packet[..length], from) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        address
    }

    fn answer(&self, packet: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let mut named = Vec::new();
        if let Some(announced) = &self.announced {
            let mut announced = announced.lock().expect("no panic elsewhere");
            let peer = announced_port(packet).map(|port| SocketAddr::new(from.ip(), port));
            if let Some(peer) = peer.filter(|peer| !announced.contains(peer)) {
                announced.push(peer);
            }
            named.clone_from(&announced);
        }
        small_dht::answer(packet, &self.id, &self.knows, &named)
    }
}

/// The port that an announcing peer names; `None` for any other query.
fn announced_port(packet: &[u8]) -> Option<u16> {
    let query = parse_bencode(packet).ok()?.0.dict()?;
    if query.value("q")?.bytes()? != b"announce_peer" {
        return None;
    }
    query.value("a")?.dict()?.value("port")?.integer()?.try_into().ok()
}
