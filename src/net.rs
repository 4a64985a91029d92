//! The one factory of sockets, name look-ups and HTTP clients. Binding to a device, a proxy or a new network is a change
//! here and nowhere else; clippy refuses the other ways (clippy.toml).
#![expect(clippy::disallowed_methods, reason = "this is the factory that the others are sent to")]

mod near;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use url::{Host, Url};

pub use self::near::{Reach, is_local};
use self::near::{near_literal, proxies};
use crate::lock::lock;

/// Bytes that the system may hold for a peer before it says that it takes no more: a block.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MOST_UNSENT: u32 = 16 * 1024;
/// What every request says of who asks. Trackers keep lists of these.
const USER_AGENT: &str = concat!("peerflix/", env!("CARGO_PKG_VERSION"));
/// No server that is worth waiting for takes longer to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// As many as browsers' kinder half allow; a loop is seen soon enough.
const MOST_REDIRECTS: usize = 10;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 256;

/// How to reach the world. Nothing to choose yet: the system's routes and names.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NetworkConfig {}

/// Makes every socket, looks up every name. Share one in an `Arc`.
#[derive(Debug)]
pub struct Network {
    /// Made when first wanted: a TLS client reads the system's certificates, which costs milliseconds and megabytes.
    clients: Arc<Mutex<HashMap<ClientKind, reqwest::Client>>>,
}

/// IPv4 or IPv6: trackers know a peer by each separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// The network cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("HTTPS cannot be used here: {}", innermost(.0))]
    HttpClient(#[source] reqwest::Error),
}

/// Why an HTTP request has brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("the name {host} cannot be looked up")]
    NoSuchName { host: String },
    #[error("{host} has no {family} address")]
    NoAddress { host: String, family: Family },
    #[error("{host} is this computer, or on its network, where no stranger's address may lead")]
    Near { host: String },
    #[error("it leads to {host}, which is this computer, or on its network")]
    LeadsNear { host: String },
    #[error("the connection was refused")]
    Refused,
    #[error("there was no answer in time")]
    Timeout,
    #[error("it leads in circles ({MOST_REDIRECTS} redirects)")]
    RedirectLoop,
    #[error("it leads to something that is not http or https: {0}")]
    BadRedirect(String),
    #[error("the answer is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("{0}")]
    Broken(String),
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// What makes one HTTP client differ from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ClientKind {
    /// Knows the system's certificates.
    tls: bool,
    /// Connects to addresses of this family only.
    family: Option<Family>,
    /// Never by way of the proxy that the environment names.
    direct: bool,
    /// Connects to nothing near.
    far: bool,
}

impl Network {
    pub fn new(config: NetworkConfig) -> Result<Network, NetworkError> {
        let NetworkConfig {} = config;
        Ok(Network { clients: Arc::default() })
    }

    /// Connects, with Nagle's algorithm off: a request of 17 bytes must not wait. No timeout of its own but the system's.
    pub async fn tcp_connect(&self, to: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let to = canonical(to);
        let socket = match to {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        let stream = socket.connect(to).await?;
        hurry(&stream);
        Ok(stream)
    }

    /// Listens. `[::]` listens for IPv4 too, and becomes `0.0.0.0` where the system has no IPv6.
    /// Addresses of IPv4 peers that come in through `[::]` should pass through [`canonical`].
    pub fn tcp_listen(&self, at: SocketAddr) -> io::Result<tokio::net::TcpListener> {
        let socket = bind(at, Type::STREAM)?;
        socket.listen(BACKLOG)?;
        tokio::net::TcpListener::from_std(socket.into())
    }

    /// A datagram socket. `[::]` takes IPv4 too, and becomes `0.0.0.0` where the system has no IPv6; through a `[::]`
    /// socket, IPv4 addresses go and come in their IPv6 form.
    pub fn udp_bind(&self, at: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
        tokio::net::UdpSocket::from_std(bind(at, Type::DGRAM)?.into())
    }

    /// The addresses of a host, in the system's order of preference; never empty. An address is its own.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        look_up(host, port).await
    }

    /// Asks for `url` with GET, following redirects between http and https, and gives the answer, whatever its status.
    /// With a `family`, connects to addresses of that family only; and to none beyond `reach`, as far as that is for us to
    /// see (a proxy looks names up itself). No time limit on the whole: the caller's.
    pub async fn fetch(
        &self,
        url: Url,
        family: Option<Family>,
        reach: Reach,
    ) -> Result<reqwest::Response, FetchError> {
        let mut url = url;
        for redirects in 0..=MOST_REDIRECTS {
            let far = match reach {
                Reach::Anywhere => false,
                Reach::NoRedirectNear => redirects > 0,
                Reach::Far => true,
            };
            let near = |host| match redirects {
                0 => FetchError::Near { host },
                _ => FetchError::LeadsNear { host },
            };
            if far && let Some(host) = near_literal(&url) {
                return Err(near(host));
            }
            let kind = ClientKind { tls: url.scheme() == "https", family, direct: is_here(&url), far };
            let client = self.client_in_passing(kind).await?;
            let response =
                client.get(url.clone()).send().await.map_err(|error| match FetchError::of(&error) {
                    FetchError::Near { host } => near(host),
                    other => other,
                })?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let Some(location) = response.headers().get(reqwest::header::LOCATION) else {
                return Ok(response);
            };
            let location = String::from_utf8_lossy(location.as_bytes());
            url = match url.join(&location) {
                Ok(next) if matches!(next.scheme(), "http" | "https") => next,
                _ => return Err(FetchError::BadRedirect(location.chars().take(4096).collect())),
            };
        }
        Err(FetchError::RedirectLoop)
    }

    /// The client, made elsewhere should it take long.
    async fn client_in_passing(&self, kind: ClientKind) -> Result<reqwest::Client, FetchError> {
        if !kind.tls {
            return Ok(client(&self.clients, kind)?);
        }
        let clients = self.clients.clone();
        match tokio::task::spawn_blocking(move || client(&clients, kind)).await {
            Ok(made) => Ok(made?),
            Err(error) => Err(FetchError::Broken(error.to_string())),
        }
    }
}

fn client(
    clients: &Mutex<HashMap<ClientKind, reqwest::Client>>,
    kind: ClientKind,
) -> Result<reqwest::Client, NetworkError> {
    if let Some(client) = lock(clients).get(&kind) {
        return Ok(client.clone());
    }
    // Not under the lock: it may take a while, and two of a kind do no harm.
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Names {
            family: kind.family,
            far: kind.far,
            proxies: if kind.direct { Vec::new() } else { proxies() },
        }));
    if !kind.tls {
        builder = builder.tls_certs_only([]);
    }
    if kind.direct {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(NetworkError::HttpClient)?;
    lock(clients).insert(kind, client.clone());
    Ok(client)
}

/// Reads the body of an answer, up to `limit` bytes.
pub async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, FetchError> {
    let too_long = FetchError::TooLong { limit };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_long);
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| FetchError::of(&error))? {
        if part.len() > limit - body.len() {
            return Err(too_long);
        }
        body.extend_from_slice(&part);
    }
    Ok(body.into())
}

impl FetchError {
    /// Finds the cause that matters in reqwest's chain of them.
    fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(this) = cause {
            if let Some(name) = this.downcast_ref::<NameError>() {
                let host = name.host.clone();
                return match name.lacks {
                    Lacks::Addresses => FetchError::NoSuchName { host },
                    Lacks::Family(family) => FetchError::NoAddress { host, family },
                    Lacks::FarOnes => FetchError::Near { host },
                };
            }
            if let Some(io) = this.downcast_ref::<io::Error>() {
                match io.kind() {
                    io::ErrorKind::ConnectionRefused => return FetchError::Refused,
                    io::ErrorKind::TimedOut => return FetchError::Timeout,
                    _ => {}
                }
            }
            cause = this.source();
        }
        if error.is_timeout() { FetchError::Timeout } else { FetchError::Broken(innermost(error)) }
    }
}

/// The last cause in the chain: the one that says something.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// An IPv4 address that was written in IPv6's form, in its own form; any other as it is.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(six) => match six.ip().to_ipv4_mapped() {
            Some(four) => SocketAddr::new(four.into(), six.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

/// True if the URL names this very machine, where no proxy can help.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// After a read from a peer that owes little more: acknowledges what has come at once. Many clients leave Nagle's algorithm on
/// and keep the last part of a block until then, and the system would wait 40 ms for something to send along. Linux forgets
/// it by and by.
pub fn acknowledge(stream: &tokio::net::TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket2::SockRef::from(stream).set_tcp_quickack(true);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = stream;
}

/// For a connection to a peer: a request of 17 bytes waits neither for the acknowledgement of the one before (Nagle's
/// algorithm) nor, where the system can be told, behind all the uploads that would fit into its buffers.
pub fn hurry(stream: &tokio::net::TcpStream) {
    let socket = socket2::SockRef::from(stream);
    // A system that refuses either is slower, not broken.
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(MOST_UNSENT);
}

fn bind(at: SocketAddr, kind: Type) -> io::Result<Socket> {
    match bind_exactly(at, kind) {
        Err(_) if at.ip() == Ipv6Addr::UNSPECIFIED => {
            bind_exactly(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port()), kind)
        }
        result => result,
    }
}

fn bind_exactly(at: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(at), kind, Some(protocol))?;
    if at.is_ipv6() {
        socket.set_only_v6(at.ip() != Ipv6Addr::UNSPECIFIED)?;
    }
    // A port that is still in TIME_WAIT from our last run is ours. On Windows the option means something else.
    #[cfg(unix)]
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

/// A name server that does not answer holds a thread for half a minute. A list of dead trackers must not hold all of them,
/// for the disk needs some too.
static LOOK_UPS: Semaphore = Semaphore::const_new(8);

async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    // `[::1]` is how URLs write it.
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let host = host.to_owned();
    // An address needs no thread.
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let turn = LOOK_UPS.acquire().await.map_err(io::Error::other)?;
    let looked_up = tokio::task::spawn_blocking(move || {
        // Held until the system has answered, even if nobody waits for that any more.
        let _turn = turn;
        (host.as_str(), port).to_socket_addrs().map(|addresses| (addresses.collect::<Vec<_>>(), host))
    });
    let (addresses, host) = looked_up.await.map_err(io::Error::other)??;
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address")));
    }
    Ok(addresses)
}

/// Our look-up, in reqwest's form.
struct Names {
    family: Option<Family>,
    /// Addresses that are near are left out. Here and not before: a stranger's name may have another address each time.
    far: bool,
    /// Names that may be near all the same.
    proxies: Vec<String>,
}

/// A name that is of no use.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} cannot be looked up")]
struct NameError {
    host: String,
    lacks: Lacks,
}

/// What a name has none of.
#[derive(Clone, Copy, Debug)]
enum Lacks {
    Addresses,
    Family(Family),
    FarOnes,
}

impl reqwest::dns::Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let family = self.family;
        let host = name.as_str().to_owned();
        let far = self.far && !self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(&host));
        Box::pin(async move {
            let Ok(mut addresses) = look_up(&host, 0).await else {
                return Err(NameError { host, lacks: Lacks::Addresses }.into());
            };
            if let Some(family) = family {
                addresses.retain(|&address| family == Family::of(address));
                if addresses.is_empty() {
                    return Err(NameError { host, lacks: Lacks::Family(family) }.into());
                }
            }
            if far {
                addresses.retain(|address| !is_local(address.ip()));
                if addresses.is_empty() {
                    return Err(NameError { host, lacks: Lacks::FarOnes }.into());
                }
            }
            Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network::new(NetworkConfig::default()).expect("nothing to go wrong")
    }

    #[tokio::test]
    async fn any_address_means_both_families_where_there_are_two() {
        let net = network();
        let listener = net.tcp_listen((Ipv6Addr::UNSPECIFIED, 0).into()).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (out, incoming) =
            tokio::join!(net.tcp_connect((Ipv4Addr::LOCALHOST, port).into()), listener.accept());
        assert!(out.expect("connected").nodelay().expect("asked"));
        assert_eq!(canonical(incoming.expect("accepted").1).ip(), Ipv4Addr::LOCALHOST);
    }

    fn closed_port(net: &Network) -> u16 {
        let listener = net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        listener.local_addr().expect("bound").port()
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let net = network();
        let port = closed_port(&net);
        let error = net.tcp_connect((Ipv4Addr::LOCALHOST, port).into()).await.expect_err("nobody there");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).expect("a URL");
        assert!(matches!(net.fetch(url, None, Reach::Anywhere).await, Err(FetchError::Refused)));
    }

    #[tokio::test]
    async fn what_a_stranger_named_leads_to_nothing_near() {
        let net = network();
        let port = closed_port(&net);
        for near in ["127.0.0.1", "localhost", "[::1]", "0x7f.1"] {
            let url = Url::parse(&format!("http://{near}:{port}/")).expect("a URL");
            let far = net.fetch(url.clone(), None, Reach::Far).await.map(|answer| answer.status());
            assert!(matches!(far, Err(FetchError::Near { .. })), "{near}: {far:?}");
        }
        let url = Url::parse(&format!("http://localhost:{port}/")).expect("a URL");
        let near = net.fetch(url, Some(Family::V4), Reach::NoRedirectNear).await;
        assert!(matches!(near, Err(FetchError::Refused)), "{near:?}");
    }

    #[tokio::test]
    async fn addresses_are_their_own_names() {
        let net = network();
        assert_eq!(net.resolve("127.0.0.1", 80).await.expect("given"), [(Ipv4Addr::LOCALHOST, 80).into()]);
        assert_eq!(net.resolve("[::1]", 80).await.expect("given"), [(Ipv6Addr::LOCALHOST, 80).into()]);
    }

    #[test]
    fn a_mapped_address_is_told_in_its_own_form() {
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:6881".parse().expect("an address");
        assert_eq!(canonical(mapped).to_string(), "10.0.0.1:6881");
    }
}
