//! Peer exchange (BEP 11): what we tell a peer of others, and what we believe of what it tells us.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use librqbit_bencode::{ByteBuf, from_bytes};
use librqbit_peer_protocol::extended::ut_pex::UtPex;

use crate::net::{canonical, is_local};

/// At most one message a minute to a peer (BEP 11).
pub const INTERVAL: Duration = Duration::from_secs(60);
/// At most so many peers added, and so many dropped, in one message (BEP 11).
const MOST_IN_A_MESSAGE: usize = 50;
/// Read from one message: clients exceed the 50 in their first.
const MOST_READ: usize = 200;

/// BEP 11's flag: the peer can be dialled, for somebody did.
const REACHABLE: u8 = 0x10;
/// BEP 11's flag: the peer has everything.
const SEED: u8 = 0x02;

/// A peer that others may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    pub address: SocketAddr,
    pub seed: bool,
    pub reachable: bool,
}

/// What one peer has been told.
#[derive(Debug, Default)]
pub struct Told {
    addresses: BTreeSet<SocketAddr>,
}

impl Told {
    /// The next message to the peer at `to`, given those connected now; `None` if there is nothing new. Addresses of
    /// our own network are told within it only.
    pub fn message(&mut self, to: SocketAddr, now: &[Known]) -> Option<Vec<u8>> {
        let added: Vec<Known> = now
            .iter()
            .filter(|known| known.address != to && !self.addresses.contains(&known.address))
            .filter(|known| is_local(to.ip()) || !is_local(known.address.ip()))
            .take(MOST_IN_A_MESSAGE)
            .copied()
            .collect();
        let current: BTreeSet<SocketAddr> = now.iter().map(|known| known.address).collect();
        let dropped: Vec<SocketAddr> =
            self.addresses.difference(&current).take(MOST_IN_A_MESSAGE).copied().collect();
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.addresses.extend(added.iter().map(|known| known.address));
        for address in &dropped {
            self.addresses.remove(address);
        }
        Some(encode(&added, &dropped))
    }
}

/// The crate's own writer leaves the flags out, so nobody would learn who can be dialled.
fn encode(added: &[Known], dropped: &[SocketAddr]) -> Vec<u8> {
    let flags = |v6: bool| -> Vec<u8> {
        let of = |known: &Known| {
            (if known.seed { SEED } else { 0 }) | (if known.reachable { REACHABLE } else { 0 })
        };
        added.iter().filter(|known| known.address.is_ipv6() == v6).map(of).collect()
    };
    let compact = |addresses: &mut dyn Iterator<Item = SocketAddr>, v6: bool| -> Vec<u8> {
        let mut bytes = Vec::new();
        for address in addresses.filter(|address| address.is_ipv6() == v6) {
            match address.ip() {
                IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
            }
            bytes.extend_from_slice(&address.port().to_be_bytes());
        }
        bytes
    };
    let fields = [
        ("added", compact(&mut added.iter().map(|known| known.address), false)),
        ("added.f", flags(false)),
        ("added6", compact(&mut added.iter().map(|known| known.address), true)),
        ("added6.f", flags(true)),
        ("dropped", compact(&mut dropped.iter().copied(), false)),
        ("dropped6", compact(&mut dropped.iter().copied(), true)),
    ];
    let mut out = vec![b'd'];
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        out.extend_from_slice(format!("{}:{key}{}:", key.len(), value.len()).as_bytes());
        out.extend_from_slice(value);
    }
    out.push(b'e');
    out
}

/// The addresses that a message of the peer at `from` adds and that are worth believing; none if it is nonsense.
pub fn read(payload: &[u8], from: SocketAddr) -> Vec<SocketAddr> {
    let Ok(message) = from_bytes::<UtPex<ByteBuf>>(payload) else {
        return Vec::new();
    };
    let local = is_local(from.ip());
    let mut addresses: Vec<SocketAddr> = message
        .added_peers()
        .take(MOST_READ)
        .map(|peer| canonical(peer.addr))
        .filter(|address| is_dialable(*address) && (local || !is_local(address.ip())))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// False for what no peer can have.
pub fn is_dialable(address: SocketAddr) -> bool {
    let broadcast = matches!(address.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    let ip = address.ip();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn known(text: &str) -> Known {
        Known { address: at(text), seed: false, reachable: true }
    }

    #[test]
    fn a_peer_is_told_of_others_once_and_of_their_leaving_once() {
        let mut told = Told::default();
        let (a, b) = (known("198.51.100.1:1000"), known("[2001:db8::1]:2000"));
        let to = at("203.0.113.9:3000");
        let first = told.message(to, &[a, b]).expect("two are new");
        assert_eq!(read(&first, to), [a.address, b.address]);
        assert_eq!(told.message(to, &[a, b]), None);
        let last = told.message(to, &[b]).expect("one has left");
        assert!(read(&last, to).is_empty());
        assert!(last.windows(9).any(|window| window == b"7:dropped"));
        assert_eq!(told.message(to, &[b]), None);
    }

    #[test]
    fn nobody_is_told_of_himself() {
        assert_eq!(Told::default().message(at("198.51.100.1:1000"), &[known("198.51.100.1:1000")]), None);
    }

    #[test]
    fn strangers_are_not_told_of_our_own_network() {
        let neighbour = [known("192.168.1.7:6881")];
        assert_eq!(Told::default().message(at("198.51.100.1:1000"), &neighbour), None);
        assert!(Told::default().message(at("192.168.1.9:1000"), &neighbour).is_some());
    }

    #[test]
    fn many_are_told_in_several_messages() {
        let all: Vec<Known> = (0..120).map(|i| known(&format!("198.51.100.{i}:1000"))).collect();
        let mut told = Told::default();
        let to = at("203.0.113.9:3000");
        let counts: Vec<usize> =
            std::iter::from_fn(|| told.message(to, &all)).map(|message| read(&message, to).len()).collect();
        assert_eq!(counts, [50, 50, 20]);
    }

    #[test]
    fn a_stranger_cannot_point_at_our_own_network() {
        let bytes = encode(
            &[
                known("127.0.0.1:22"),
                known("192.168.0.1:80"),
                known("[::1]:22"),
                known("[::ffff:10.0.0.1]:22"),
                known("0.0.0.0:1"),
                known("198.51.100.1:0"),
                known("198.51.100.1:6881"),
            ],
            &[],
        );
        assert_eq!(read(&bytes, at("203.0.113.9:3000")), [at("198.51.100.1:6881")]);
        assert!(read(&bytes, at("127.0.0.1:3000")).contains(&at("127.0.0.1:22")));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, at("203.0.113.9:3000"));
            let mut listed = format!("d5:added{}:", bytes.len()).into_bytes();
            listed.extend_from_slice(&bytes);
            listed.push(b'e');
            prop_assert!(read(&listed, at("127.0.0.1:1")).len() <= bytes.len() / 6);
        }
    }
}
