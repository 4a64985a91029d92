//! Books in memory, a server that shows them, and a client that says exactly what it is told to say.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use peerflix::http::{Server, ServerConfig, serve_extended};
use peerflix::read::{ReadAt, ReadError, Statistics};
use peerflix::wiki::archive::{Archive, Part};
use peerflix::wiki::library::{Activity, Library};
use peerflix::wiki::site::{Patience, Site, SiteConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::zim_writer::Writer;

/// Only so that a fault shows as a failure instead of a test that never ends.
const NEVER: Duration = Duration::from_secs(60);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(NEVER, future).await.expect("this should have happened by now")
}

/// Nobody loses it: what comes late comes as it is.
pub fn endless() -> Patience {
    let never = Duration::from_secs(1_000_000);
    Patience { moment: never, silence: never, tick: never, most: never, retry: Duration::from_secs(5) }
}

/// Whoever waits is told at once.
pub fn impatient() -> Patience {
    Patience { moment: Duration::ZERO, silence: Duration::ZERO, ..endless() }
}

/// The bytes of a file, but for those that are withheld.
#[derive(Clone)]
pub struct Held {
    bytes: Bytes,
    withheld: watch::Sender<Option<Range<u64>>>,
    /// Reads of what is withheld fail.
    broken: watch::Sender<bool>,
    /// All that was read, in its order.
    read: watch::Sender<Vec<Range<u64>>>,
}

impl Held {
    pub fn new(bytes: Vec<u8>) -> Held {
        Held {
            bytes: bytes.into(),
            withheld: watch::Sender::new(None),
            broken: watch::Sender::new(false),
            read: watch::Sender::new(Vec::new()),
        }
    }

    pub fn withhold(self, range: Range<u64>) -> Held {
        self.withheld.send_replace(Some(range));
        self
    }

    pub fn withhold_all(self) -> Held {
        let length = self.bytes.len() as u64;
        self.withhold(0..length)
    }

    pub fn come(&self) {
        self.withheld.send_replace(None);
    }

    pub fn break_it(&self) {
        self.broken.send_replace(true);
        // Those who wait look again.
        self.withheld.send_modify(|_| {});
    }

    /// Waits until this byte has been read.
    pub async fn until_read(&self, byte: u64) {
        let mut read = self.read.subscribe();
        soon(read.wait_for(|read| read.iter().any(|range| range.contains(&byte))))
            .await
            .expect("it is there");
    }

    /// The stretch of the cluster of this number.
    pub fn cluster(&self, number: usize) -> Range<u64> {
        let field = |at: usize| u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes"));
        let pointers = field(48) as usize;
        let count = u32::from_le_bytes(self.bytes[28..32].try_into().expect("four bytes")) as usize;
        let start = field(pointers + 8 * number);
        start..if number + 1 < count { field(pointers + 8 * number + 8) } else { pointers as u64 }
    }

    pub fn clusters(&self) -> usize {
        u32::from_le_bytes(self.bytes[28..32].try_into().expect("four bytes")) as usize
    }
}

impl Part for Held {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open(&self) -> Option<Box<dyn ReadAt>> {
        Some(Box::new(self.clone()))
    }

    fn to_fetch(&self, range: Range<u64>) -> u64 {
        let withheld = self.withheld.borrow().clone().unwrap_or(0..0);
        range.end.min(withheld.end).saturating_sub(range.start.max(withheld.start))
    }
}

impl ReadAt for Held {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move {
            let end = (offset + most as u64).min(self.bytes.len() as u64);
            let mut withheld = self.withheld.subscribe();
            let is_there = |withheld: &Option<Range<u64>>| {
                let withheld = withheld.clone().unwrap_or(0..0);
                *self.broken.borrow() || end <= withheld.start || offset >= withheld.end
            };
            let is_withheld = withheld.wait_for(is_there).await.map_err(|_| ReadError::Closed)?.is_some();
            if *self.broken.borrow() && is_withheld {
                return Err(ReadError::Disk("it broke".to_owned()));
            }
            if offset >= end {
                return Ok(Bytes::new());
            }
            self.read.send_modify(|read| read.push(offset..end));
            Ok(self.bytes.slice(offset as usize..end as usize))
        }
        .boxed()
    }
}

pub struct Swarm;

impl Activity for Swarm {
    fn statistics(&self) -> Statistics {
        Statistics { downloaded: 3_200_000, peers: 8, unchoking: 5, ..Statistics::default() }
    }

    fn sentence(&self) -> String {
        "8 peers send <nothing>.".to_owned()
    }
}

/// A library with these files.
pub fn library(files: &[(&str, Held)]) -> Library {
    let library = Library::default();
    for (name, held) in files {
        library.add(name, Archive::new(vec![Box::new(held.clone())]), Arc::new(Swarm));
    }
    library
}

pub fn config() -> SiteConfig {
    SiteConfig { patience: endless(), ..SiteConfig::default() }
}

pub fn serve_with(library: &Library, config: SiteConfig) -> Server {
    let site = Arc::new(Site::new(library.clone(), config));
    let server = ServerConfig { port: 0, ..ServerConfig::default() };
    serve_extended(None, site, server, listen).expect("loopback has a free port")
}

/// Of one book, as it is written.
pub fn serve(writer: Writer) -> Server {
    serve_with(&library(&[("wiki.zim", Held::new(writer.write()))]), config())
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Names are in lower case; empty: there is no such field.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("it is a text")
    }

    /// Where a redirect leads, as one reads it.
    pub fn leads(&self) -> String {
        assert_eq!(self.status, 302);
        percent_encoding::percent_decode_str(self.field("location")).decode_utf8_lossy().into_owned()
    }
}

/// One request on a connection of its own.
pub struct Asked(TcpStream);

impl Asked {
    /// `fields` are whole lines without their ends.
    pub async fn of(server: &Server, request: &str, fields: &[&str]) -> Asked {
        let mut stream = soon(TcpStream::connect(server.address())).await.expect("the server listens");
        let host = format!("Host: {}", server.address());
        let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\n{host}\r\n");
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        soon(stream.write_all((text + "\r\n").as_bytes())).await.expect("the server reads");
        Asked(stream)
    }

    /// The answer up to where this text is in it.
    pub async fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(text) {
            let byte = soon(self.0.read_u8()).await;
            read.push(byte.unwrap_or_else(|_| panic!("no {text:?} in {}", String::from_utf8_lossy(&read))));
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    pub async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.expect("it ends well");
        String::from_utf8_lossy(&rest).into_owned()
    }

    async fn answer(mut self) -> Answer {
        let mut all = Vec::new();
        soon(self.0.read_to_end(&mut all)).await.expect("it ends well");
        let head = all.windows(4).position(|four| four == b"\r\n\r\n").expect("the head comes whole");
        let text = String::from_utf8(all[..head].to_vec()).expect("headers are ASCII");
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields: Vec<_> = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let body = all[head + 4..].to_vec();
        let is_chunked = fields.iter().any(|(name, _)| name == "transfer-encoding");
        Answer { status, fields, body: if is_chunked { unchunked(&body) } else { body } }
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(size.trim(), 16).expect("a size is a number");
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}

pub async fn ask(server: &Server, request: &str, fields: &[&str]) -> Answer {
    Asked::of(server, request, fields).await.answer().await
}

/// As a browser asks for a page.
pub const READER: &str = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html";

pub async fn get(server: &Server, path: &str) -> Answer {
    ask(server, &format!("GET {path}"), &[READER]).await
}
