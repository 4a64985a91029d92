//! A torrent in memory whose bytes come when the test says so, and a client that speaks HTTP letter by letter.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use peerflix::http::{Extension, Server, ServerConfig, serve, serve_extended};
use peerflix::read::{Contents, File, Files, ReadAt, ReadError, Statistics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub const INFO_HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// Only so that a fault shows as a failure instead of a test that never ends.
const NEVER: Duration = Duration::from_secs(60);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(NEVER, future).await.expect("this should have happened by now")
}

/// The byte at `offset` of file `index`.
pub fn byte(index: usize, offset: u64) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 8).wrapping_mul(7) ^ (offset >> 20)).wrapping_add(index as u64)
        as u8
}

pub fn bytes(index: usize, range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|offset| byte(index, offset)).collect()
}

/// What the test holds in its hand.
#[derive(Clone)]
pub struct Torrent(Arc<State>);

struct State {
    files: Arc<Files>,
    /// The files are known.
    known: watch::Sender<bool>,
    /// Bytes before this have come, of every file.
    come: watch::Sender<u64>,
    /// Reading at or beyond this fails.
    broken_at: watch::Sender<u64>,
    /// Readers that there are now, and that there have been.
    readers: watch::Sender<usize>,
    opened: AtomicUsize,
    /// Requests that wait for the files.
    waiting: watch::Sender<usize>,
    /// What is in a file, if not what [`byte`] says.
    texts: Mutex<Vec<(usize, Vec<u8>)>>,
    /// All reads that were answered: file, offset, length.
    reads: Mutex<Vec<(usize, u64, usize)>>,
    /// How far readers were told to read ahead.
    limits: Mutex<Vec<u64>>,
}

impl Torrent {
    pub fn new(files: &[(&str, u64)]) -> Self {
        let files =
            files.iter().map(|(path, length)| File { path: (*path).to_owned(), length: *length }).collect();
        let files = Files::new(INFO_HASH, "Show", files, vec![0]);
        Torrent(Arc::new(State {
            files: Arc::new(files),
            known: watch::Sender::new(true),
            come: watch::Sender::new(u64::MAX),
            broken_at: watch::Sender::new(u64::MAX),
            readers: watch::Sender::new(0),
            opened: AtomicUsize::new(0),
            waiting: watch::Sender::new(0),
            texts: Mutex::default(),
            reads: Mutex::default(),
            limits: Mutex::default(),
        }))
    }

    pub fn film(length: u64) -> Self {
        Self::new(&[("film.mkv", length)])
    }

    /// Files with something in them that one can read.
    pub fn of_texts(texts: &[(&str, &[u8])]) -> Self {
        let files: Vec<_> = texts.iter().map(|(path, text)| (*path, text.len() as u64)).collect();
        let torrent = Self::new(&files);
        let texts = texts.iter().map(|(_, text)| text.to_vec()).enumerate().collect();
        *torrent.0.texts.lock().expect("no test panics with it") = texts;
        torrent
    }

    /// From now on, nothing at or beyond `offset` has come yet.
    pub fn withhold_from(self, offset: u64) -> Self {
        self.0.come.send_replace(offset);
        self
    }

    pub fn come_up_to(&self, offset: u64) {
        self.0.come.send_replace(offset);
    }

    pub fn break_at(self, offset: u64) -> Self {
        self.0.broken_at.send_replace(offset);
        self
    }

    pub fn without_metadata(self) -> Self {
        self.0.known.send_replace(false);
        self
    }

    pub fn metadata_comes(&self) {
        self.0.known.send_replace(true);
    }

    pub async fn until_readers_are(&self, count: usize) {
        soon(self.0.readers.subscribe().wait_for(|now| *now == count)).await.expect("the torrent is there");
    }

    pub async fn until_waiting_are(&self, count: usize) {
        soon(self.0.waiting.subscribe().wait_for(|now| *now == count)).await.expect("the torrent is there");
    }

    /// How many readers were ever opened.
    pub fn opened(&self) -> usize {
        self.0.opened.load(Ordering::SeqCst)
    }

    pub fn reads(&self) -> Vec<(usize, u64, usize)> {
        self.0.reads.lock().expect("no test panics with it").clone()
    }

    pub fn limits(&self) -> Vec<u64> {
        self.0.limits.lock().expect("no test panics with it").clone()
    }

    pub fn known(&self) -> Arc<Files> {
        self.0.files.clone()
    }

    pub async fn serve(&self) -> Server {
        self.serve_with(ServerConfig::default())
    }

    pub fn serve_with(&self, config: ServerConfig) -> Server {
        // Any port, unless the test is about ports.
        let port = if config.port == peerflix::http::PORT { 0 } else { config.port };
        serve(Arc::new(self.clone()), ServerConfig { port, ..config }, listen)
            .expect("loopback has a free port")
    }
}

/// A server with nothing but this on it.
pub fn serve_only(extension: impl Extension + 'static) -> Server {
    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    serve_extended(None, Arc::new(extension), config, listen).expect("loopback has a free port")
}

pub fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(counter: &watch::Sender<usize>) -> Self {
        counter.send_modify(|count| *count += 1);
        Counted(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Contents for Torrent {
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
        async {
            let _waiting = Counted::new(&self.0.waiting);
            let _ = self.0.known.subscribe().wait_for(|known| *known).await;
            Ok(self.0.files.clone())
        }
        .boxed()
    }

    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        let length = self.0.files.files.get(index)?.length;
        Some(Box::new(Reader {
            torrent: self.clone(),
            index,
            length,
            _counted: Counted::new(&self.0.readers),
        }))
    }

    fn statistics(&self) -> Statistics {
        Statistics { downloaded: 1234, peers: 5, unchoking: 3, ..Statistics::default() }
    }
}

struct Reader {
    torrent: Torrent,
    index: usize,
    length: u64,
    _counted: Counted,
}

impl ReadAt for Reader {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_ahead_until(&self, end: u64) {
        self.torrent.0.limits.lock().expect("no test panics with it").push(end);
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move {
            let state = &self.torrent.0;
            let end = self.length.min(offset.saturating_add(most as u64)).min(*state.broken_at.borrow());
            if offset >= end {
                return if offset < self.length {
                    Err(ReadError::Disk("it broke".to_owned()))
                } else {
                    Ok(Bytes::new())
                };
            }
            let come = *state
                .come
                .subscribe()
                .wait_for(|come| offset < *come)
                .await
                .map_err(|_| ReadError::Closed)?;
            let range = offset..end.min(come);
            let text = {
                let texts = state.texts.lock().expect("no test panics with it");
                let text = texts.iter().find(|(index, _)| *index == self.index);
                text.map(|(_, text)| text[range.start as usize..range.end as usize].to_vec())
            };
            let bytes = Bytes::from(text.unwrap_or_else(|| bytes(self.index, range)));
            state.reads.lock().expect("no test panics with it").push((self.index, offset, bytes.len()));
            Ok(bytes)
        }
        .boxed()
    }
}

/// One connection of a client that says exactly what it is told to say.
pub struct Client {
    pub stream: TcpStream,
    port: u16,
}

/// The status line and headers of an answer; names in lower case.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub fields: Vec<(String, String)>,
}

impl Head {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        first
    }

    pub fn length(&self) -> u64 {
        self.field("content-length").expect("there is always a length").parse().expect("a length is a number")
    }
}

impl std::ops::Index<&str> for Head {
    type Output = str;
    fn index(&self, name: &str) -> &str {
        self.field(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

impl Client {
    pub async fn of(server: &Server) -> Self {
        Self::at(server.address()).await
    }

    pub async fn at(address: SocketAddr) -> Self {
        Client {
            stream: soon(TcpStream::connect(address)).await.expect("the server listens"),
            port: address.port(),
        }
    }

    pub async fn say(&mut self, text: &str) {
        soon(self.stream.write_all(text.as_bytes())).await.expect("the server reads");
    }

    /// A request with the usual `Host`; `fields` are whole lines without their ends.
    pub async fn ask(&mut self, request: &str, fields: &[&str]) {
        let mut text = format!("{request} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        self.say(&(text + "\r\n")).await;
    }

    pub async fn head(&mut self) -> Head {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.stream.read_u8()).await.expect("the head comes whole"));
        }
        let head = String::from_utf8(head).expect("headers are ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let fields = lines.filter_map(|line| line.split_once(": "));
        Head { status, fields: fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect() }
    }

    pub async fn body(&mut self, length: u64) -> Vec<u8> {
        let mut body = vec![0; length as usize];
        soon(self.stream.read_exact(&mut body)).await.expect("the body comes whole");
        body
    }

    /// A body that comes in chunks.
    pub async fn chunks(&mut self) -> String {
        let mut body = Vec::new();
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.push(soon(self.stream.read_u8()).await.expect("the chunk has a size"));
            }
            let size = String::from_utf8_lossy(&size);
            let size = u64::from_str_radix(size.trim_end(), 16).expect("a size is a number");
            let chunk = self.body(size + 2).await;
            body.extend_from_slice(&chunk[..size as usize]);
            if size == 0 {
                return String::from_utf8(body).expect("it is a text");
            }
        }
    }

    /// Asks, and reads the whole answer.
    pub async fn fetch(&mut self, request: &str, fields: &[&str]) -> (Head, Vec<u8>) {
        self.ask(request, fields).await;
        let head = self.head().await;
        let has_body = !request.starts_with("HEAD") && !matches!(head.status, 204 | 304);
        let body = if has_body && head.field("transfer-encoding").is_some() {
            self.chunks().await.into_bytes()
        } else if has_body {
            self.body(head.length()).await
        } else {
            Vec::new()
        };
        (head, body)
    }

    /// Everything up to the end, and how it ended.
    pub async fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut rest = Vec::new();
        let end = soon(self.stream.read_to_end(&mut rest)).await;
        (rest, end.map(drop))
    }
}
