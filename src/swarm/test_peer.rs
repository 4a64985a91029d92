//! A scripted peer for tests: says what it is told to say, over a real socket.
#![allow(clippy::disallowed_methods, reason = "these sockets are others', not ours")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::codec::{Decoder, Message, encode};
use super::handshake::{Handshake, LENGTH};
use crate::source::InfoHash;

/// Far beyond what anything takes: a test that waits so long has failed.
pub const GUARD: Duration = Duration::from_secs(60);

pub struct TestPeer {
    pub stream: TcpStream,
    decoder: Decoder,
    heard: std::collections::VecDeque<Message>,
}

/// A listener on loopback, and its address.
pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

impl TestPeer {
    fn new(stream: TcpStream) -> Self {
        TestPeer { stream, decoder: Decoder::default(), heard: Default::default() }
    }

    pub async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(GUARD, listener.accept()).await.expect("dialled").expect("accepted");
        Self::new(stream)
    }

    pub async fn dial(port: u16) -> Self {
        Self::new(TcpStream::connect(("127.0.0.1", port)).await.expect("it listens"))
    }

    /// Both handshakes; gives theirs.
    pub async fn shake(&mut self, ours: Handshake) -> Handshake {
        self.raw(&ours.to_bytes()).await;
        let mut bytes = [0; LENGTH];
        timeout(GUARD, self.stream.read_exact(&mut bytes)).await.expect("in time").expect("a handshake");
        Handshake::from_bytes(&bytes).expect("a handshake")
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    pub async fn say(&mut self, message: Message) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        self.raw(&bytes).await;
    }

    /// An extended message.
    pub async fn say_extended(&mut self, id: u8, payload: impl AsRef<[u8]>) {
        self.say(Message::Extended { id, payload: Bytes::copy_from_slice(payload.as_ref()) }).await;
    }

    /// The next message; `None` at the end.
    pub async fn hear(&mut self) -> Option<Message> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.heard.pop_front() {
                return Some(message);
            }
            let read =
                timeout(GUARD, self.stream.read(&mut buffer)).await.expect("something in time").ok()?;
            if read == 0 {
                return None;
            }
            let mut bytes = &buffer[..read];
            while let Some(message) = self.decoder.next(&mut bytes).expect("messages") {
                self.heard.push_back(message);
            }
        }
    }

    /// Passes over messages until one is wanted.
    pub async fn hear_until<T>(&mut self, mut wanted: impl FnMut(&Message) -> Option<T>) -> T {
        loop {
            let message = self.hear().await.expect("it has not ended");
            if let Some(found) = wanted(&message) {
                return found;
            }
        }
    }

    /// Passes over bytes until the connection ends.
    pub async fn hear_raw_end(&mut self) {
        let mut bytes = [0; 4096];
        while matches!(timeout(GUARD, self.stream.read(&mut bytes)).await.expect("an end in time"), Ok(1..)) {
        }
    }

    /// Passes over messages until the connection ends.
    pub async fn hear_end(&mut self) {
        while self.hear().await.is_some() {}
    }
}

/// A handshake like those of others: extensions, and BEP 6 if `fast`.
pub fn handshake(info_hash: InfoHash, name: u8, fast: bool) -> Handshake {
    Handshake { info_hash, peer_id: [name; 20], extended: true, fast }
}
