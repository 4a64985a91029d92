//! Announces over UDP (BEP 15, 41).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use aquatic_udp_protocol as wire;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::http::{compact_v4, compact_v6};
use super::{Announce, Answer, Event, Failure, Identity, text};
use crate::net::{Family, Network};

/// A packet is repeated after each of these. BEP 15's 15 s is from a time of modems: a viewer waits.
const TRIES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// How long a tracker knows a connection id for (BEP 15).
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// Longer than any answer: 1,300 peers.
const LONGEST_ANSWER: usize = 8192;

/// A UDP tracker, asked from addresses of one family.
pub struct UdpTracker {
    net: Arc<Network>,
    host: String,
    port: u16,
    /// Path and query of the URL, where they say something (BEP 41).
    url_data: Vec<u8>,
    family: Family,
    identity: Identity,
    connection: Option<Connection>,
    /// Turns to the host's next address whenever one has failed.
    failures: usize,
}

/// A connection id, and the socket that it was given to.
struct Connection {
    socket: UdpSocket,
    id: wire::ConnectionId,
    until: Instant,
}

impl UdpTracker {
    pub fn new(net: Arc<Network>, url: &Url, family: Family, identity: Identity) -> Result<Self, Failure> {
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Failure::BadUrl("it has no host".to_owned()))?.to_owned();
        let port = url.port().filter(|&port| port != 0);
        let port = port.ok_or_else(|| Failure::BadUrl("it has no port".to_owned()))?;
        let url_data = match (url.path(), url.query()) {
            ("" | "/" | "/announce", None) => Vec::new(),
            (path, None) => path.as_bytes().to_vec(),
            (path, Some(query)) => format!("{path}?{query}").into_bytes(),
        };
        Ok(UdpTracker { net, host, port, url_data, family, identity, connection: None, failures: 0 })
    }

    pub async fn announce(&mut self, announce: &Announce) -> Result<Answer, Failure> {
        let kept = self.connection.take().filter(|connection| connection.until > Instant::now());
        let was_kept = kept.is_some();
        let mut result = self.announce_on(kept, announce).await;
        if was_kept && matches!(result, Err(Failure::Said { .. } | Failure::Refused)) {
            // It may have forgotten us: restarted, or stricter about the minute.
            result = self.announce_on(None, announce).await;
        }
        if result.is_err() {
            self.failures = self.failures.wrapping_add(1);
        }
        result
    }

    async fn announce_on(
        &mut self,
        connection: Option<Connection>,
        announce: &Announce,
    ) -> Result<Answer, Failure> {
        let connection = match connection {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let transaction = wire::TransactionId::new(rand::random());
        let packet = self.announce_packet(connection.id, transaction, announce)?;
        let answer = exchange(&connection.socket, &packet, transaction, &TRIES).await?;
        let answer = parse_answer(&answer, self.family)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let mut addresses = self.net.resolve(&self.host, self.port).await.map_err(|_| Failure::DnsFailed)?;
        addresses.retain(|&address| Family::of(address) == self.family);
        let turn = self.failures.checked_rem(addresses.len()).unwrap_or(0);
        let address = *addresses.get(turn).ok_or(Failure::NoAddress(self.family))?;
        let any: SocketAddr = match self.family {
            Family::V4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
            Family::V6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = self.net.udp_bind(any).map_err(failure_of)?;
        // Only its packets come in then, and a refusal is told.
        socket.connect(address).await.map_err(failure_of)?;

        let transaction = wire::TransactionId::new(rand::random());
        let mut packet = Vec::with_capacity(16);
        written(wire::ConnectRequest { transaction_id: transaction }.write_bytes(&mut packet))?;
        let answer = exchange(&socket, &packet, transaction, &TRIES).await?;
        match wire::Response::parse_bytes(&answer, true) {
            Ok(wire::Response::Connect(response)) => {
                Ok(Connection { socket, id: response.connection_id, until: Instant::now() + CONNECTION_LIFE })
            }
            Ok(wire::Response::Error(error)) => Err(said(error.message.as_bytes())),
            _ => Err(Failure::BadReply("it is no answer to a connect".to_owned())),
        }
    }

    fn announce_packet(
        &self,
        connection: wire::ConnectionId,
        transaction: wire::TransactionId,
        announce: &Announce,
    ) -> Result<Vec<u8>, Failure> {
        let bytes = |number: u64| wire::NumberOfBytes::new(i64::try_from(number).unwrap_or(i64::MAX));
        let request = wire::AnnounceRequest {
            connection_id: connection,
            action_placeholder: Default::default(),
            transaction_id: transaction,
            info_hash: wire::InfoHash(self.identity.info_hash.0),
            peer_id: wire::PeerId(self.identity.peer_id),
            bytes_downloaded: bytes(announce.progress.downloaded),
            bytes_left: bytes(announce.progress.left),
            bytes_uploaded: bytes(announce.progress.uploaded),
            event: match announce.event {
                Some(Event::Started) => wire::AnnounceEvent::Started,
                Some(Event::Completed) => wire::AnnounceEvent::Completed,
                Some(Event::Stopped) => wire::AnnounceEvent::Stopped,
                None => wire::AnnounceEvent::None,
            }
            .into(),
            ip_address: wire::Ipv4AddrBytes([0; 4]),
            key: wire::PeerKey::new(self.identity.key.cast_signed()),
            peers_wanted: wire::NumberOfPeers::new(i32::try_from(announce.wanted).unwrap_or(-1)),
            port: wire::Port::new(
                NonZeroU16::new(self.identity.port)
                    .ok_or_else(|| Failure::Unreachable("we listen nowhere".to_owned()))?,
            ),
        };
        let mut packet = Vec::with_capacity(98);
        written(request.write_bytes(&mut packet))?;
        for part in self.url_data.chunks(255) {
            packet.extend([2, part.len() as u8]);
            packet.extend_from_slice(part);
        }
        Ok(packet)
    }
}

/// Writing to memory does not fail; should it, nothing is sent.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(failure_of)
}

fn failure_of(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        io::ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Unreachable(error.to_string()),
    }
}

fn said(message: &[u8]) -> Failure {
    let message: Vec<u8> = message.iter().copied().filter(|&byte| byte != 0).collect();
    Failure::Said { text: text(&message), retry: None }
}

/// Sends the packet until something comes that answers it.
async fn exchange(
    socket: &UdpSocket,
    packet: &[u8],
    transaction: wire::TransactionId,
    tries: &[Duration],
) -> Result<Vec<u8>, Failure> {
    let transaction = transaction.0.get().to_be_bytes();
    let mut answer = vec![0; LONGEST_ANSWER];
    for &wait in tries {
        socket.send(packet).await.map_err(failure_of)?;
        let until = Instant::now() + wait;
        while let Ok(received) = timeout_at(until, socket.recv(&mut answer)).await {
            let length = received.map_err(failure_of)?;
            // Whatever answers something else, or nothing, is not for us.
            if answer.get(..length).is_some_and(|answer| answer.get(4..8) == Some(&transaction)) {
                answer.truncate(length);
                return Ok(answer);
            }
        }
    }
    Err(Failure::Timeout)
}

/// Reads the answer to an announce. Its peers are of the family that asked.
fn parse_answer(answer: &[u8], family: Family) -> Result<Answer, Failure> {
    let bad = || Failure::BadReply("it is no answer to an announce".to_owned());
    // The fixed part by aquatic's types; the peers after it by ours, which take no offence at a few bytes too many.
    let (fixed, peers) = answer.split_at_checked(20).unwrap_or((answer, &[]));
    match wire::Response::parse_bytes(fixed, true) {
        Ok(wire::Response::AnnounceIpv4(response)) => {
            let wire::AnnounceResponseFixedData { announce_interval, leechers, seeders, .. } = response.fixed;
            let interval = u32::try_from(announce_interval.0.get()).ok().filter(|&seconds| seconds > 0);
            Ok(Answer {
                interval: interval.map(|seconds| Duration::from_secs(seconds.into())),
                seeders: u32::try_from(seeders.0.get()).ok(),
                leechers: u32::try_from(leechers.0.get()).ok(),
                peers: match family {
                    Family::V4 => compact_v4(peers).collect(),
                    Family::V6 => compact_v6(peers).collect(),
                },
                ..Answer::default()
            })
        }
        Ok(wire::Response::Error(_)) => Err(said(answer.get(8..).unwrap_or_default())),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests;
