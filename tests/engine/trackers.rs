//! Trackers that answer every announce with the same peers, over HTTP and UDP, by hand.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;

/// A tracker on loopback.
pub struct Tracker {
    pub url: String,
    /// The events that it was told, in order; empty for an announce without one.
    told: Arc<Mutex<Vec<String>>>,
}

impl Tracker {
    pub fn told(&self) -> Vec<String> {
        self.told.lock().expect("no panic elsewhere").clone()
    }

    pub fn http(world: &World, at: IpAddr, peers: &[SocketAddr]) -> Tracker {
        let listener = world.net().tcp_listen((at, 0).into()).expect("a free port on loopback");
        let url = format!("http://{}/announce", listener.local_addr().expect("bound"));
        let told = Arc::<Mutex<Vec<String>>>::default();
        let (events, answer) = (told.clone(), http_answer(peers));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
                while !request.ends_with(b"\r\n\r\n") {
                    match client.read(&mut chunk).await {
                        Ok(count @ 1..) => request.extend_from_slice(&chunk[..count]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                let event = path.split(['?', '&']).find_map(|pair| pair.strip_prefix("event="));
                events.lock().expect("no panic elsewhere").push(event.unwrap_or_default().to_owned());
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    answer.len()
                );
                let _ = client.write_all(&[head.as_bytes(), &answer].concat()).await;
            }
        });
        Tracker { url, told }
    }

    /// BEP 15.
    pub fn udp(world: &World, at: IpAddr, peers: &[SocketAddr]) -> Tracker {
        let socket = world.net().udp_bind((at, 0).into()).expect("a free port on loopback");
        let url = format!("udp://{}/announce", socket.local_addr().expect("bound"));
        let told = Arc::<Mutex<Vec<String>>>::default();
        let (events, peers) = (told.clone(), compact(peers, at.is_ipv6()));
        tokio::spawn(async move {
            let mut packet = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let number =
                    |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"));
                let (action, transaction) = (number(8), number(12).to_be_bytes());
                let answer = match (action, length) {
                    (0, 16) => [&[0; 4], &transaction[..], &[7; 8]].concat(),
                    (1, 98..) => {
                        assert_eq!(packet[..8], [7; 8], "the connection's id");
                        let event = ["", "completed", "started", "stopped"][number(80) as usize];
                        events.lock().expect("no panic elsewhere").push(event.to_owned());
                        let numbers = [1800_u32, 0, 1].map(u32::to_be_bytes).concat();
                        [&[0, 0, 0, 1], &transaction[..], &numbers, &peers].concat()
                    }
                    other => panic!("not an announce: {other:?}"),
                };
                let _ = socket.send_to(&answer, from).await;
            }
        });
        Tracker { url, told }
    }
}

fn compact(peers: &[SocketAddr], v6: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for peer in peers.iter().filter(|peer| peer.is_ipv6() == v6) {
        match peer.ip() {
            IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
        }
        bytes.extend_from_slice(&peer.port().to_be_bytes());
    }
    bytes
}

fn http_answer(peers: &[SocketAddr]) -> Vec<u8> {
    let (four, six) = (compact(peers, false), compact(peers, true));
    let mut answer = format!("d8:intervali1800e5:peers{}:", four.len()).into_bytes();
    answer.extend_from_slice(&four);
    answer.extend_from_slice(format!("6:peers6{}:", six.len()).as_bytes());
    answer.extend_from_slice(&six);
    answer.push(b'e');
    answer
}
