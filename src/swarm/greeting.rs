//! The first words of a connection, both ways, and no wait that can be spared.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::codec::{Message, encode};
use super::ending::Ending;
use super::handshake::{Handshake, LENGTH, our_extended};
use super::shared::Shared;

/// What the handshake brought.
pub(super) struct Shaken {
    pub theirs: Handshake,
    /// One round trip, if we dialled.
    pub latency: Option<Duration>,
    pub told: Told,
}

/// What our first packet said of the pieces that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing, for we do not know the torrent: what we turn out to have must be told later.
    Unknown,
    /// Nothing, for we have none: BEP 3 lets it be understood.
    Silent,
    /// All that is to be said.
    Said,
}

/// Says all that can be said without waiting, in one packet; `dialled` is how long the dial took, if we did it.
pub(super) async fn shake_hands(
    shared: &Shared,
    stream: &mut TcpStream,
    dialled: Option<Duration>,
) -> Result<Shaken, Ending> {
    let until = Instant::now() + shared.patience.handshake;
    let ours = Handshake::ours(shared.info_hash, shared.peer_id);
    let Some(connecting) = dialled else {
        let theirs = read_handshake(shared, stream, until).await?;
        let mut hello = ours.to_bytes().to_vec();
        let told = say_hello(shared, Some(&theirs), &mut hello);
        write_until(stream, &hello, until).await?;
        return Ok(Shaken { theirs, latency: None, told });
    };
    let mut hello = ours.to_bytes().to_vec();
    let told = say_hello(shared, None, &mut hello);
    let said_at = Instant::now();
    write_until(stream, &hello, until).await?;
    let theirs = read_handshake(shared, stream, until).await?;
    Ok(Shaken { theirs, latency: Some(said_at.elapsed().max(connecting)), told })
}

/// What follows our handshake: what we have, what we speak, and that we are interested. `theirs` is theirs, where it has
/// come.
fn say_hello(shared: &Shared, theirs: Option<&Handshake>, hello: &mut Vec<u8>) -> Told {
    let fast = theirs.is_some_and(|theirs| theirs.fast);
    let known = shared.known();
    let had = known.and_then(|_| shared.ours.any());
    let pieces = match &had {
        Some(had) if fast && had.is_all() => Some(Message::HaveAll),
        Some(had) => Some(Message::Bitfield(Bytes::from(had.to_wire()))),
        None => fast.then_some(Message::HaveNone),
    };
    if let Some(message) = &pieces {
        encode(message, hello);
    }
    // A dialled peer that knows no extensions ignores it or is very old; a round trip is worth more.
    if theirs.is_none_or(|theirs| theirs.extended) {
        encode(&Message::Extended { id: 0, payload: extended_handshake(shared) }, hello);
    }
    encode(&Message::Interested, hello);
    match (known, pieces) {
        (None, _) => Told::Unknown,
        (Some(_), None) => Told::Silent,
        (Some(_), Some(_)) => Told::Said,
    }
}

/// Ours, as of what is known now.
pub(super) fn extended_handshake(shared: &Shared) -> Bytes {
    let private = shared.is_private();
    let size =
        shared.known().filter(|_| !private).and_then(|known| u32::try_from(known.info_bytes.len()).ok());
    Bytes::from(our_extended(shared.port, size, !private))
}

async fn read_handshake(
    shared: &Shared,
    stream: &mut TcpStream,
    until: Instant,
) -> Result<Handshake, Ending> {
    let mut bytes = [0; LENGTH];
    timeout_at(until, stream.read_exact(&mut bytes))
        .await
        .map_err(|_| Ending::HandshakeTimeout)?
        .map_err(|_| Ending::ClosedBeforeHandshake)?;
    let theirs = Handshake::from_bytes(&bytes).ok_or(Ending::NotBitTorrent)?;
    if theirs.info_hash == shared.info_hash { Ok(theirs) } else { Err(Ending::WrongInfoHash) }
}

async fn write_until(stream: &mut TcpStream, bytes: &[u8], until: Instant) -> Result<(), Ending> {
    timeout_at(until, stream.write_all(bytes))
        .await
        .map_err(|_| Ending::HandshakeTimeout)?
        .map_err(|_| Ending::ClosedBeforeHandshake)
}
