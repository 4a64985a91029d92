//! Serves the files of a torrent by range, to players, browsers and televisions. docs/http.md has the rules.
//! It knows nothing of pieces or peers: all it has is [`Contents`].

mod answer;
mod body;
mod charset;
mod conditions;
mod extension;
mod guard;
mod kind;
mod playlist;
pub mod range;
pub mod route;
mod socket;
mod texts;

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select, select_all};
use futures_util::stream::BoxStream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::answer::{
    Answer, Content, Described, Segment, admitted, before_files, extended, not_readable, nothing_here,
    of_described, with_files, without_files,
};
use self::body::{AnswerBody, BodyError};
pub use self::conditions::entity_tag;
pub use self::extension::{Extension, Given, MOST_BODY, Reply, Served};
use self::guard::{Authority, Guard, Host};
pub use self::kind::content_type;
use self::socket::Socket;
use self::texts::Charsets;
use crate::read::{Contents, ReadAt, ReadError};

/// The port of peerflix, since ever.
pub const PORT: u16 = 8888;

/// How many ports from the wanted one on are tried before the system is asked for any.
const PORTS_TO_TRY: u16 = 100;

/// Room for the header of a request. It is also how much of an answer hyper may hold before it has to write it, so a body
/// is asked for its next chunk only when the one before is with the system.
const HEADER_ROOM: usize = 16 * 1024;

/// How long no connections are taken when the system has none to give (no descriptors left, usually).
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Where to listen, and whom to answer.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The name or address that clients know us by: for the URL, and always let through by the `Host` guard. With an
    /// address here and none in `addresses`, that is where we listen.
    pub hostname: Option<String>,
    /// Where to listen. Empty: at `hostname` if it is an address, else on loopback, in both families where there are two.
    /// (Looking up a name is not this module's business.)
    pub addresses: Vec<IpAddr>,
    /// The port; 0 for any. If it is taken, the next free one.
    pub port: u16,
    /// More names and addresses that the `Host` guard lets through.
    pub hosts: Vec<String>,
    /// The web origins (`https://example.org`, or `*`) whose pages may read what we serve.
    pub origins: Vec<String>,
    /// More connections than this wait until one ends.
    pub most_connections: usize,
    /// How long a client may take to send the header of a request, and how long it may idle before.
    pub header_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            hostname: None,
            addresses: Vec::new(),
            port: PORT,
            hosts: Vec::new(),
            origins: Vec::new(),
            most_connections: 256,
            header_timeout: Duration::from_secs(30),
        }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{0} is not an address of this computer")]
    UnknownHost(String),
}

/// A running server. Dropping it ends it as [`close`](Server::close) does, but without waiting for the end.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    hostname: Option<String>,
    wanted_port: u16,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// Listens at once, and serves `contents` until closed. A request that comes before the files are known waits for them.
///
/// `listen` makes the sockets (`|at| network.tcp_listen(at)`). To be called within a tokio runtime.
pub fn serve(
    contents: Arc<dyn Contents>,
    config: ServerConfig,
    listen: impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Server, HttpError> {
    start(Some(contents), None, config, listen)
}

/// As [`serve`], but what `extension` takes is answered by it. Without `contents`, there is nothing else.
pub fn serve_extended(
    contents: Option<Arc<dyn Contents>>,
    extension: Arc<dyn Extension>,
    config: ServerConfig,
    listen: impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Server, HttpError> {
    start(contents, Some(extension), config, listen)
}

fn start(
    contents: Option<Arc<dyn Contents>>,
    extension: Option<Arc<dyn Extension>>,
    config: ServerConfig,
    listen: impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Server, HttpError> {
    let listeners = bind(&config, &listen)?;
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let bound = addresses.iter().map(|address| address.ip().to_string());
    let hosts = bound.chain(config.hosts.iter().cloned()).chain(config.hostname.clone()).chain(own_name());
    let guard = Guard::new(hosts, config.origins.clone());
    let site = Site {
        contents,
        extension,
        guard,
        charsets: Charsets::default(),
        body_timeout: config.header_timeout,
    };
    let site = Arc::new(site);
    let stop = CancellationToken::new();
    let task = tokio::spawn(accept(listeners, site, config.clone(), stop.clone()));
    Ok(Server { addresses, hostname: config.hostname, wanted_port: config.port, stop, task: Some(task) })
}

impl Server {
    /// The URL of the chosen file, as this computer can open it, with a `/` at the end.
    pub fn url(&self) -> String {
        let hostname = self.hostname.as_deref().filter(|name| {
            // "All interfaces" is a place to listen at, not one to call.
            !matches!(Host::read(name), Some(Host::Address(address)) if address.is_unspecified())
        });
        match (hostname.and_then(Host::read), self.address()) {
            (Some(Host::Name(name)), address) => format!("http://{name}:{}/", address.port()),
            (Some(Host::Address(ip)), address) => format!("http://{}/", SocketAddr::new(ip, address.port())),
            (None, address) if address.ip().is_unspecified() => {
                let loopback: IpAddr =
                    if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
                format!("http://{}/", SocketAddr::new(loopback, address.port()))
            }
            (None, address) => format!("http://{address}/"),
        }
    }

    /// The first of the addresses that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.addresses
            .first()
            .copied()
            .unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.wanted_port))
    }

    /// All addresses that it listens on; they have the same port.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The port that was wanted, if it was taken and another one is used.
    pub fn taken_port(&self) -> Option<u16> {
        (self.wanted_port != 0 && self.wanted_port != self.address().port()).then_some(self.wanted_port)
    }

    /// Ends all connections, and waits until they have ended. An unfinished body ends with a reset.
    pub async fn close(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Listeners on one and the same port, at least one.
fn bind(
    config: &ServerConfig,
    listen: &impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Vec<TcpListener>, HttpError> {
    let places = places(config)?;
    let wanted = config.port..=config.port.saturating_add(PORTS_TO_TRY - 1);
    let wanted =
        wanted.filter(|&port| port != 0).take(if config.port == 0 { 0 } else { usize::from(PORTS_TO_TRY) });
    // "Any port" may be given in one family and taken in the other, so it is asked for more than once.
    let mut last = None;
    for port in wanted.chain([0; 8]) {
        match bind_all(&places, port, listen) {
            Ok(listeners) => return Ok(listeners),
            Err((address, source)) if is_taken(&source) => last = Some(HttpError::Listen { address, source }),
            Err((address, source)) => return Err(HttpError::Listen { address, source }),
        }
    }
    Err(last.unwrap_or_else(|| HttpError::UnknownHost(config.hostname.clone().unwrap_or_default())))
}

/// A port that another program has, or that the system keeps for others.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// An address that this computer does not have is passed over, as long as there is another: `::1` without IPv6.
fn bind_all(
    places: &[IpAddr],
    port: u16,
    listen: &impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    let mut port = port;
    let mut failure = None;
    for &place in places {
        let address = SocketAddr::new(place, port);
        match listen(address).and_then(|listener| Ok((listener.local_addr()?.port(), listener))) {
            Ok((given, listener)) => {
                port = given;
                listeners.push(listener);
            }
            Err(error) if is_taken(&error) => return Err((address, error)),
            Err(error) => failure = Some((address, error)),
        }
    }
    match failure {
        Some(failure) if listeners.is_empty() => Err(failure),
        _ => Ok(listeners),
    }
}

fn places(config: &ServerConfig) -> Result<Vec<IpAddr>, HttpError> {
    if !config.addresses.is_empty() {
        return Ok(config.addresses.clone());
    }
    let loopback = vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    match config.hostname.as_deref().map(|name| (Host::read(name), name)) {
        None => Ok(loopback),
        Some((Some(Host::Address(address)), _)) => Ok(vec![address]),
        Some((Some(Host::Name(name)), _)) if name == "localhost" => Ok(loopback),
        Some((_, name)) => Err(HttpError::UnknownHost(name.to_owned())),
    }
}

/// The name of this computer, where the system tells it in a file or in the environment.
fn own_name() -> Option<String> {
    let told = if cfg!(windows) {
        std::env::var("COMPUTERNAME").ok()
    } else {
        std::fs::read_to_string("/proc/sys/kernel/hostname")
            .or_else(|_| std::fs::read_to_string("/etc/hostname"))
            .ok()
    };
    told.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What every connection needs.
struct Site {
    contents: Option<Arc<dyn Contents>>,
    extension: Option<Arc<dyn Extension>>,
    guard: Guard,
    charsets: Charsets,
    /// How long a client may take to send the body of a request that has one.
    body_timeout: Duration,
}

async fn accept(listeners: Vec<TcpListener>, site: Arc<Site>, config: ServerConfig, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(config.most_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let place = places.clone().acquire_owned().await;
            let accepted = select_all(listeners.iter().map(|listener| Box::pin(listener.accept()))).await.0;
            (place, accepted)
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, _))) => {
                let conversation = converse(stream, site.clone(), config.header_timeout);
                connections.spawn(async move {
                    conversation.await;
                    drop(place);
                });
            }
            (_, Err(error)) if is_of_one_connection(&error) => {}
            _ => tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(PAUSE_AFTER_FAILURE) => {}
            },
        }
    }
    drop(listeners);
    connections.shutdown().await;
}

/// Whether an error of `accept` is about a client that has already left, and not about the system.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One connection, from its first request to its end. How it ends is between us and the client: a client that leaves in
/// the middle of a film is no news.
async fn converse(stream: TcpStream, site: Arc<Site>, header_timeout: Duration) {
    let Ok(socket) = Socket::new(stream) else { return };
    let service = {
        let socket = socket.clone();
        service_fn(move |request| respond(request, site.clone(), socket.clone()))
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEADER_ROOM)
        // Televisions compare names letter by letter more often than the RFC likes.
        .title_case_headers(true)
        .serve_connection(socket, service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// An answer, and what its content is read from.
struct Full {
    answer: Answer,
    source: Source,
}

enum Source {
    Nothing,
    Reader(Box<dyn ReadAt>),
    Made(BoxStream<'static, Result<Bytes, ReadError>>),
}

impl From<Answer> for Full {
    fn from(answer: Answer) -> Self {
        Full { answer, source: Source::Nothing }
    }
}

/// An error ends the connection, without an answer.
async fn respond(
    request: Request<Incoming>,
    site: Arc<Site>,
    socket: Socket,
) -> Result<Response<AnswerBody>, BodyError> {
    let (request, body) = request.into_parts();
    let full = match admitted(&request, &site.guard, socket.local()) {
        Err(answer) => (*answer).into(),
        Ok(authority) => match site.extension.as_deref().filter(|extension| extension.takes(&request)) {
            Some(extension) => extend(&request, body, extension, &site, &socket).await?,
            None => of_torrent(&request, &authority, &site, &socket).await?,
        },
    };
    let Full { mut answer, source } = full;
    site.guard.dress(&request.headers, request.method == Method::OPTIONS, &mut answer.headers);
    let body = match (answer.content, source) {
        (Content::Text(text), _) => AnswerBody::text(text, socket),
        (Content::File(segments), Source::Reader(reader)) => AnswerBody::file(segments, reader, socket),
        (Content::Nothing, Source::Made(pieces)) => AnswerBody::made(pieces, socket),
        (Content::Nothing | Content::File(_), _) => AnswerBody::Nothing,
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// By the torrent's own routes.
async fn of_torrent(
    request: &Parts,
    authority: &Authority,
    site: &Site,
    socket: &Socket,
) -> Result<Full, BodyError> {
    let Some(contents) = &site.contents else {
        return Ok(nothing_here(request.method == Method::HEAD).into());
    };
    let question = match before_files(request, authority) {
        Err(answer) => return Ok((*answer).into()),
        Ok(question) => question,
    };
    let gone = poll_fn(|context| socket.poll_gone(context));
    let files = match select(contents.files(), gone).await {
        Either::Left((Ok(files), _)) => files,
        Either::Left((Err(error), _)) => return Ok(without_files(&question, &error).into()),
        Either::Right(_) => return Err(BodyError::Gone),
    };
    let mut answer = with_files(&question, &request.headers, &files, || contents.statistics());
    let has_bytes = matches!(answer.content, Content::File(_));
    let reader = question.route.file(&files).filter(|_| has_bytes).and_then(|index| contents.open(index));
    if let Some((index, kind)) = question.subtitles(&files) {
        let charset = pin!(site.charsets.of(index, reader.as_deref()));
        let gone = poll_fn(|context| socket.poll_gone(context));
        match select(charset, gone).await {
            Either::Left((Some(charset), _)) => answer.tell_charset(kind, charset),
            Either::Left((None, _)) => {}
            Either::Right(_) => return Err(BodyError::Gone),
        }
    }
    Ok(match reader {
        Some(reader) => Full { answer, source: Source::Reader(reader) },
        None if has_bytes => without_files(&question, &ReadError::Closed).into(),
        None => answer.into(),
    })
}

/// By the extension.
async fn extend(
    request: &Parts,
    body: Incoming,
    extension: &dyn Extension,
    site: &Site,
    socket: &Socket,
) -> Result<Full, BodyError> {
    let is_head = request.method == Method::HEAD;
    // One that says that its body is too large is not asked to send it.
    let body = if body.size_hint().lower() > MOST_BODY as u64 {
        None
    } else {
        match timeout(site.body_timeout, Limited::new(body, MOST_BODY).collect()).await {
            Ok(Ok(body)) => Some(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => None,
            _ => return Err(BodyError::Gone),
        }
    };
    let is_unread = body.is_none();
    let gone = poll_fn(|context| socket.poll_gone(context));
    let Reply { status, mut headers, content } = match select(extension.answer(request, body), gone).await {
        Either::Left((reply, _)) => reply,
        Either::Right(_) => return Err(BodyError::Gone),
    };
    if is_unread {
        // What is left of the body would be taken for the next request.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(match content {
        Given::Nothing => extended(status, headers, Bytes::new(), is_head).into(),
        Given::Text(text) => extended(status, headers, text, is_head).into(),
        Given::Made(pieces) => {
            let answer = Answer { status, headers, content: Content::Nothing };
            Full { answer, source: if is_head { Source::Nothing } else { Source::Made(pieces) } }
        }
        Given::File(file) => {
            let Served { kind, length, tag, modified, open } = file;
            let described = Described { kind: &kind, length, tag: &tag, modified };
            let mut answer = of_described(is_head, &request.headers, &described).without_body(is_head);
            answer.headers.extend(headers);
            let Content::File(segments) = &answer.content else { return Ok(answer.into()) };
            match hull(segments).and_then(open) {
                Some(reader) => Full { answer, source: Source::Reader(reader) },
                None => not_readable(is_head).into(),
            }
        }
    })
}

/// From the first to the last byte that is wanted of a file.
fn hull<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Option<Range<u64>> {
    let ranges = segments.into_iter().filter_map(|segment| match segment {
        Segment::File(range) => Some(range.clone()),
        Segment::Heading(_) => None,
    });
    ranges.reduce(|hull, range| hull.start.min(range.start)..hull.end.max(range.end))
}
