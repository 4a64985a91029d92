//! Peers of which everything is known beforehand, so that it is known what must be said of them: they refuse, choke, or send at a
//! given pace. And trackers and a DHT to match.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::peer::{handshake, message, send};
use crate::small_dht;

/// What a scripted peer does once it has said hello and that it has everything.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Never unchokes anybody.
    Chokes,
    /// Sends so many bytes a second, to all together.
    Sends { rate: u64 },
}

/// An address at which nobody listens.
pub fn refuses() -> SocketAddr {
    // A port that was free a moment ago. Another program might take it; none of the tests' does, since all ask for any.
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|taken| taken.local_addr()).expect("loopback")
}

/// A peer that has all of `film`, and does as it is told. Gives its address.
pub fn peer(manner: Manner, film: &[u8], piece_length: usize, info_hash: [u8; 20]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let address = listener.local_addr().expect("bound");
    let film: Arc<[u8]> = film.into();
    // When the line is free again.
    let line = Arc::new(Mutex::new(Instant::now()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (film, line) = (film.clone(), line.clone());
            // The test sees what comes of it; a connection that ends is the end of that.
            std::thread::spawn(move || serve(stream, manner, &film, piece_length, info_hash, &line));
        }
    });
    address
}

fn serve(
    mut stream: TcpStream,
    manner: Manner,
    film: &[u8],
    piece_length: usize,
    info_hash: [u8; 20],
    line: &Mutex<Instant>,
) -> std::io::Result<()> {
    let mut greeting = [0; 68];
    stream.read_exact(&mut greeting)?;
    // Each is somebody else: two connections to one peer id are one too many.
    let mut hello = handshake(info_hash);
    let port = stream.local_addr()?.port().to_string();
    hello.truncate(hello.len() - port.len());
    hello.extend_from_slice(port.as_bytes());
    stream.write_all(&hello)?;
    let pieces = film.len().div_ceil(piece_length);
    let mut have = vec![0_u8; pieces.div_ceil(8)];
    for piece in 0..pieces {
        have[piece / 8] |= 0x80 >> (piece % 8);
    }
    send(&mut stream, 5, &[&have])?;
    if let Manner::Sends { .. } = manner {
        send(&mut stream, 1, &[])?;
    }
    loop {
        let (id, body) = message(&mut stream)?;
        let (Some(6), Manner::Sends { rate }) = (id, manner) else { continue };
        let number = |at: usize| {
            body.get(at..at + 4)
                .map_or(0, |four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize)
        };
        let start = number(0) * piece_length + number(4);
        let Some(block) = film.get(start..start + number(8)) else { continue };
        let free_at = {
            let mut line = line.lock().expect("no panic elsewhere");
            let takes = Duration::from_secs_f64(block.len() as f64 / rate as f64);
            *line = (*line).max(Instant::now()) + takes;
            *line
        };
        // The pace of a line: that is what this peer is for.
        while let Some(rest) = free_at.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            std::thread::park_timeout(rest);
        }
        send(&mut stream, 7, &[&body[..8], block])?;
    }
}

/// A UDP tracker that takes everything and says nothing. Gives its announce URL.
pub fn silent_tracker() -> String {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("bound");
    std::thread::spawn(move || while socket.recv(&mut [0; 2048]).is_ok() {});
    format!("udp://{address}/announce")
}

/// A DHT of two nodes: one to begin with, and one near to the hash, which knows these peers. Gives the first one's address as
/// `HOST:PORT`.
pub fn dht(info_hash: [u8; 20], peers: Vec<SocketAddr>) -> String {
    let mut id = info_hash;
    id[19] ^= 1;
    let near = node(id, Vec::new(), peers);
    let nodes = [&id[..], &[127, 0, 0, 1], &near.port().to_be_bytes()].concat();
    node(id.map(|byte| !byte), nodes, Vec::new()).to_string()
}

fn node(id: [u8; 20], nodes: Vec<u8>, peers: Vec<SocketAddr>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(answer) = small_dht::answer(&packet[..length], &id, &nodes, &peers) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}
