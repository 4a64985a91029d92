//! Accepts peers that dial us.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::net::{Network, canonical, hurry};

/// After a failed accept (no file descriptors left): the next would fail as well.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Listener {
    socket: TcpListener,
    port: u16,
    /// Set after a failure.
    paused_until: Option<Instant>,
}

impl Listener {
    /// On IPv6 and IPv4 at once; on IPv4 alone where the machine has no IPv6.
    pub fn bind(net: &Network, port: Option<u16>) -> io::Result<Self> {
        let port = port.unwrap_or(0);
        let both = net.tcp_listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        let socket = match both {
            Ok(socket) => socket,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => net.tcp_listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?,
        };
        let port = socket.local_addr()?.port();
        Ok(Listener { socket, port, paused_until: None })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next one that dials us. May be cancelled.
    pub async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(until) = self.paused_until {
                sleep_until(until).await;
                self.paused_until = None;
            }
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    hurry(&stream);
                    return (stream, canonical(address));
                }
                Err(error) => {
                    tracing::debug!(%error, "accepting a peer failed");
                    self.paused_until = Some(Instant::now() + PAUSE);
                }
            }
        }
    }
}
