//! A seed of ten lines that does what no polite one does: what the tests need of the wire protocol (BEP 3), blocking.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::run::PATIENCE;

/// Whether a seed at this address answers a handshake for this torrent: it then has read its files and is ready.
pub fn wait_until_it_seeds(address: SocketAddr, info_hash: [u8; 20]) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if greets(address, info_hash).is_ok() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("the seed at {address} did not answer a handshake within {PATIENCE:?}");
}

fn greets(address: SocketAddr, info_hash: [u8; 20]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(&handshake(info_hash))?;
    let mut answer = [0; 68];
    stream.read_exact(&mut answer)?;
    // A bitfield: it is not still checking its files.
    let (id, _) = message(&mut stream)?;
    if id == Some(5) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

pub fn handshake(info_hash: [u8; 20]) -> Vec<u8> {
    let mut bytes = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(&info_hash);
    bytes.extend_from_slice(b"-XX0001-abcdefghijkl");
    bytes
}

/// The next message: its id (none: keep-alive) and what follows.
pub fn message(stream: &mut TcpStream) -> io::Result<(Option<u8>, Vec<u8>)> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    match body.split_first() {
        Some((id, rest)) => Ok((Some(*id), rest.to_vec())),
        None => Ok((None, body)),
    }
}

pub fn send(stream: &mut TcpStream, id: u8, body: &[&[u8]]) -> io::Result<()> {
    let length = 1 + body.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = (length as u32).to_be_bytes().to_vec();
    bytes.push(id);
    bytes.extend(body.iter().flat_map(|part| part.iter()));
    stream.write_all(&bytes)
}

/// A seed that says it has the first piece only when it has sent all the others. Gives its address.
pub fn first_piece_last(film: Vec<u8>, piece_length: usize, info_hash: [u8; 20]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
    let address = listener.local_addr().expect("bound");
    let film = Arc::new(film);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let film = film.clone();
            // The test sees what comes of it; a connection that ends is the end of that.
            std::thread::spawn(move || serve(stream, &film, piece_length, info_hash));
        }
    });
    address
}

fn serve(mut stream: TcpStream, film: &[u8], piece_length: usize, info_hash: [u8; 20]) -> io::Result<()> {
    let pieces = film.len().div_ceil(piece_length);
    let mut greeting = [0; 68];
    stream.read_exact(&mut greeting)?;
    stream.write_all(&handshake(info_hash))?;
    let mut have = vec![0_u8; pieces.div_ceil(8)];
    for piece in 1..pieces {
        have[piece / 8] |= 0x80 >> (piece % 8);
    }
    send(&mut stream, 5, &[&have])?;
    send(&mut stream, 1, &[])?;
    let blocks_of_others = (1..pieces)
        .map(|piece| (film.len() - piece * piece_length).min(piece_length).div_ceil(16 * 1024))
        .sum::<usize>();
    let mut sent = HashSet::new();
    loop {
        let (id, body) = message(&mut stream)?;
        if id != Some(6) || body.len() != 12 {
            continue;
        }
        let (piece, begin, length) = request_of(&body);
        let start = piece * piece_length + begin;
        send(&mut stream, 7, &[&body[..8], &film[start..start + length]])?;
        if piece > 0 && sent.insert((piece, begin)) && sent.len() == blocks_of_others {
            send(&mut stream, 4, &[&0_u32.to_be_bytes()])?;
        }
    }
}

/// The piece, the first byte in it, and how many bytes a request asks for.
pub fn request_of(body: &[u8]) -> (usize, usize, usize) {
    let number =
        |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]) as usize;
    (number(0), number(4), number(8))
}
