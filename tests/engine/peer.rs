//! Peers that do what they are told, good or bad: the wire protocol by hand.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use peerflix::source::InfoHash;
use peerflix::swarm::codec::{Decoder, Message, encode};
use peerflix::swarm::handshake::{Extended, Handshake, LENGTH, our_extended};
use peerflix::swarm::metadata::Exchange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::world::{Film, PIECE_LENGTH, World, noise};

/// How a peer behaves once hands are shaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Gives metadata and blocks.
    Honest,
    /// Gives metadata, but no block: it chokes.
    Choking,
    /// Shakes hands with bytes at random.
    NoHandshake,
    /// Sends bytes at random.
    Garbage,
    /// Announces a message of four gigabytes.
    HugeLength,
    /// Sends a bitfield of a thousand times the length.
    LongBitfield,
    /// Sends a bitfield with bits of pieces that there are not.
    SpareBits,
    /// Has a piece that there is not.
    BadHave,
    /// Sends blocks that nobody asked for, on and on, all wrong.
    Unasked,
    /// Sends blocks that the torrent does not have.
    BadBlocks,
    /// Begins a message, and takes a minute for each byte of it.
    Dribbling,
    /// Answers every request, with other bytes.
    Lying,
    /// Unchokes, and answers nothing.
    Silent,
    /// Has metadata of another torrent.
    FalseMetadata,
    /// Has metadata of two gigabytes.
    HugeMetadata,
    /// Sends extended messages that are no bencode, or all too deep.
    BadExtended,
}

/// A peer that listens.
pub struct Scripted {
    pub address: SocketAddr,
    /// Connections that were made to it, and those that are there now.
    pub came: Arc<AtomicUsize>,
    pub open: Arc<AtomicUsize>,
    asked: Arc<Mutex<Asked>>,
}

/// What a peer was asked for, over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The piece of each request, in their order.
    pub pieces: Vec<usize>,
    pub cancels: usize,
}

struct Script {
    info_hash: InfoHash,
    info: Bytes,
    all: Vec<u8>,
    manner: Manner,
    /// An honest one sends nothing before.
    may_begin: watch::Receiver<bool>,
    /// One that is not says when it has had its say, once.
    done: Arc<AtomicUsize>,
    is_done: AtomicBool,
    came: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    asked: Arc<Mutex<Asked>>,
}

/// When honest peers begin to send: so that the others have their say first.
pub struct Gate {
    open: watch::Sender<bool>,
    /// How many dishonest peers have had their say.
    pub done: Arc<AtomicUsize>,
}

impl Gate {
    pub fn new(is_open: bool) -> Self {
        Gate { open: watch::Sender::new(is_open), done: Arc::default() }
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Scripted {
    pub fn start(world: &World, film: &Film, manner: Manner) -> Scripted {
        Scripted::start_at(world, film, manner, Ipv4Addr::LOCALHOST.into(), &Gate::new(true))
    }

    pub fn start_at(world: &World, film: &Film, manner: Manner, at: IpAddr, gate: &Gate) -> Scripted {
        let listener = world.net().tcp_listen((at, 0).into()).expect("a free port on loopback");
        let address = listener.local_addr().expect("bound");
        let (came, open) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let asked = Arc::<Mutex<Asked>>::default();
        let script = Arc::new(Script {
            info_hash: film.info_hash(),
            info: film.info().into(),
            all: film.all(),
            manner,
            may_begin: gate.open.subscribe(),
            done: gate.done.clone(),
            is_done: AtomicBool::new(false),
            came: came.clone(),
            open: open.clone(),
            asked: asked.clone(),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = script.clone();
                script.came.fetch_add(1, Ordering::SeqCst);
                script.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    // The other side ends it, as a rule in the middle of something.
                    let _ = script.serve(stream).await;
                    // The door may have been shut on it in the middle of a word.
                    script.has_had_its_say();
                    script.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Scripted { address, came, open, asked }
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn asked(&self) -> Asked {
        self.asked.lock().expect("no panic elsewhere").clone()
    }
}

impl Script {
    fn pieces(&self) -> usize {
        self.all.len().div_ceil(PIECE_LENGTH)
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut hello = [0; LENGTH];
        stream.read_exact(&mut hello).await?;
        if self.manner == Manner::NoHandshake {
            stream.write_all(&noise(99, 1000)).await?;
            self.has_had_its_say();
            return self.listen(stream).await;
        }
        let ours = Handshake { fast: false, ..Handshake::ours(self.info_hash, rand::random()) };
        stream.write_all(&ours.to_bytes()).await?;
        let size = match self.manner {
            Manner::HugeMetadata => 2_000_000_000,
            _ => self.info.len() as u32,
        };
        let mut words = Vec::new();
        say(&mut words, Message::Extended { id: 0, payload: our_extended(1, Some(size), false).into() });
        let mut have = vec![0xff; self.pieces().div_ceil(8)];
        let spare = have.len() * 8 - self.pieces();
        if let Some(last) = have.last_mut() {
            *last <<= spare;
        }
        match self.manner {
            Manner::LongBitfield => have.resize(have.len() * 1000, 0),
            Manner::SpareBits => have = vec![0xff; self.pieces() / 8 + 1],
            _ => {}
        }
        say(&mut words, Message::Bitfield(have.into()));
        stream.write_all(&words).await?;
        let mut may_begin = self.may_begin.clone();
        if self.manner == Manner::Honest {
            let _ = may_begin.wait_for(|may| *may).await;
        } else {
            self.misbehave(&mut stream).await?;
            self.has_had_its_say();
        }
        if self.manner != Manner::Choking {
            words.clear();
            say(&mut words, Message::Unchoke);
            stream.write_all(&words).await?;
        }
        self.listen(stream).await
    }

    fn has_had_its_say(&self) {
        if self.manner != Manner::Honest && !self.is_done.swap(true, Ordering::SeqCst) {
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn misbehave(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let wrong: Bytes = noise(77, 16 * 1024).into();
        let mut words = Vec::new();
        match self.manner {
            Manner::Garbage => words = noise(5, 100_000),
            Manner::HugeLength => words = vec![0xff, 0xff, 0xff, 0xff, 7, 1, 2, 3],
            Manner::BadHave => say(&mut words, Message::Have(u32::MAX)),
            Manner::BadBlocks => {
                for (index, begin) in [(u32::MAX, 0), (0, 1), (0, u32::MAX), (0, 1 << 20)] {
                    say(&mut words, Message::Piece { index, begin, data: wrong.clone() });
                }
            }
            Manner::Dribbling => words = vec![0, 0, 64, 9, 7, 0],
            Manner::BadExtended => {
                for payload in [vec![b'l'; 60_000], b"d1:md11:ut_metadatai".to_vec(), Vec::new()] {
                    for id in [0, 1, 2, 200] {
                        say(&mut words, Message::Extended { id, payload: payload.clone().into() });
                    }
                }
            }
            Manner::Unasked => {
                say(&mut words, Message::Unchoke);
                stream.write_all(&words).await?;
                words.clear();
                say(&mut words, Message::Piece { index: 0, begin: 0, data: wrong });
                loop {
                    stream.write_all(&words).await?;
                }
            }
            _ => {}
        }
        stream.write_all(&words).await
    }

    /// Answers until the end.
    async fn listen(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (mut decoder, mut read, mut answers) = (Decoder::default(), vec![0; 32 * 1024], Vec::new());
        let mut metadata_id = 0;
        loop {
            let count = stream.read(&mut read).await?;
            if count == 0 {
                return Ok(());
            }
            let mut bytes = &read[..count];
            while let Some(message) = decoder.next(&mut bytes).map_err(std::io::Error::other)? {
                match message {
                    Message::Cancel(_) => self.asked.lock().expect("no panic elsewhere").cancels += 1,
                    Message::Request(ask) => {
                        self.asked.lock().expect("no panic elsewhere").pieces.push(ask.index as usize);
                        let start = ask.index as usize * PIECE_LENGTH + ask.begin as usize;
                        let data = self.all.get(start..start + ask.length as usize).unwrap_or_default();
                        let data = match self.manner {
                            Manner::Honest => Bytes::copy_from_slice(data),
                            Manner::Lying => noise(3, data.len()).into(),
                            _ => continue,
                        };
                        say(&mut answers, Message::Piece { index: ask.index, begin: ask.begin, data });
                    }
                    Message::Extended { id: 0, payload } => {
                        metadata_id =
                            Extended::from_bytes(&payload).and_then(|theirs| theirs.metadata_id).unwrap_or(0);
                    }
                    // We have told the same numbers that peerflix tells.
                    Message::Extended { id: 2, payload } if metadata_id != 0 => {
                        let Some(Exchange::Request(piece)) = Exchange::from_bytes(&payload) else { continue };
                        let info = match self.manner {
                            Manner::FalseMetadata => noise(8, self.info.len()).into(),
                            _ => self.info.clone(),
                        };
                        let answer = Exchange::answer(piece, &info);
                        let mut payload = answer.header();
                        if let Exchange::Data { data, .. } = answer {
                            payload.extend_from_slice(&data);
                        }
                        say(&mut answers, Message::Extended { id: metadata_id, payload: payload.into() });
                    }
                    _ => {}
                }
            }
            stream.write_all(&answers).await?;
            answers.clear();
        }
    }
}

fn say(words: &mut Vec<u8>, message: Message) {
    encode(&message, words);
}
