//! Large in number, large in bytes.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tempfile::TempDir;

use super::mounted::Mounted;
use super::noise::{Numbers, noise};
use crate::peer::{handshake, message, request_of, send};
use crate::run::until;
use crate::seeds::{Seeds, Torrent};

#[test]
fn ten_thousand_files() {
    let files: Vec<_> = (0..10_000_u32)
        .map(|number| {
            (format!("{:02}/file {number:05}.txt", number % 100), format!("this is {number}\n").repeat(3))
        })
        .collect();
    let contents: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let torrent = Torrent::of_folder("Many", &contents);
    let seeds = Seeds::of(&torrent, 1);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let long = mounted.runs("coreutils", &["ls", "-lR", "Many"]);
    assert_eq!(long.lines().filter(|line| line.starts_with('-')).count(), files.len());
    let found = mounted.runs("findutils", &["find", "Many", "-type", "f"]);
    assert_eq!(found.lines().count(), files.len());
    let linked = std::fs::metadata(mounted.path("Many")).expect("it is there").nlink();
    assert_eq!(linked, 2 + 100, "find counts on it");
    for (path, text) in files.iter().step_by(997) {
        let read = std::fs::read_to_string(mounted.path("Many").join(path)).expect("reads");
        assert_eq!(&read, text, "{path}");
    }
    mounted.ends_well();
}

const PIECE: usize = 1 << 20;
const PIECES: usize = 64 * 1024;
/// So many kinds of pieces, one after the other: a prime, so that no power of two is mistaken for another.
const KINDS: usize = 31;

/// 64 GiB of which nobody has more than the kinds of pieces.
struct Huge {
    kinds: Arc<Vec<Vec<u8>>>,
    info_hash: [u8; 20],
    path: PathBuf,
    _folder: TempDir,
}

impl Huge {
    fn new() -> Huge {
        let kinds: Vec<_> = (0..KINDS).map(|kind| noise(1000 + kind as u64, PIECE)).collect();
        let hashes: Vec<_> = kinds.iter().map(|piece| digest(&SHA1_FOR_LEGACY_USE_ONLY, piece)).collect();
        let pieces: Vec<u8> = (0..PIECES).flat_map(|index| hashes[index % KINDS].as_ref().to_vec()).collect();
        let head = format!(
            "d6:lengthi{}e4:name8:huge.bin12:piece lengthi{PIECE}e6:pieces{}:",
            PIECE * PIECES,
            pieces.len()
        );
        let info = [head.as_bytes(), &pieces, b"e"].concat();
        let info_hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &info).as_ref().try_into().expect("20 bytes");
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("huge.torrent");
        std::fs::write(&path, [b"d4:info", info.as_slice(), b"e"].concat()).expect("writes");
        Huge { kinds: Arc::new(kinds), info_hash, path, _folder: folder }
    }

    fn byte_at(&self, offset: u64) -> u8 {
        self.kinds[offset as usize / PIECE % KINDS][offset as usize % PIECE]
    }

    /// A seed that has all of it. Gives its address.
    fn seed(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listens");
        let address = listener.local_addr().expect("bound");
        let (kinds, info_hash) = (self.kinds.clone(), self.info_hash);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kinds = kinds.clone();
                // The test sees what comes of it; a connection that ends is the end of that.
                std::thread::spawn(move || serve(stream, &kinds, info_hash));
            }
        });
        address
    }
}

fn serve(mut stream: TcpStream, kinds: &[Vec<u8>], info_hash: [u8; 20]) -> std::io::Result<()> {
    use std::io::Write;
    stream.read_exact(&mut [0; 68])?;
    stream.write_all(&handshake(info_hash))?;
    send(&mut stream, 5, &[&vec![0xff; PIECES / 8]])?;
    send(&mut stream, 1, &[])?;
    loop {
        let (id, body) = message(&mut stream)?;
        if id != Some(6) || body.len() != 12 {
            continue;
        }
        let (piece, begin, length) = request_of(&body);
        send(&mut stream, 7, &[&body[..8], &kinds[piece % KINDS][begin..begin + length]])?;
    }
}

#[test]
fn sixty_four_gigabytes_of_which_little_is_fetched() {
    let huge = Huge::new();
    let flags = [format!("--peer={}", huge.seed()), "--no-dht".into(), "--no-lsd".into()];
    let mounted = Mounted::of_words(&[huge.path.to_str().expect("a plain name")], &flags);
    let path = mounted.path("huge.bin");
    let length = std::fs::metadata(&path).expect("it is there").len();
    assert_eq!(length, (PIECE * PIECES) as u64);
    let file = File::open(&path).expect("opens");
    let mut places = Numbers::new(64);
    let some = (0..20).map(|_| places.below(length - 5000)).collect::<Vec<_>>();
    // The ends, where 32 bits end, and some places between.
    let edges = [0, (1 << 31) - 2500, (1 << 32) - 2500, (1 << 35) - 2500, length - 5000];
    for offset in edges.into_iter().chain(some) {
        let mut read = vec![0; 5000];
        file.read_exact_at(&mut read, offset).expect("reads");
        assert!(read.iter().zip(offset..).all(|(byte, at)| *byte == huge.byte_at(at)), "at {offset}");
    }
    // The kernel may believe for a moment what it was told before.
    let there = until(|| Some(mounted.bytes_there("huge.bin")).filter(|there| *there >= 25 * PIECE as u64));
    println!("{:.1} MB there after 25 reads of a file of {:.1} GB", there as f64 / 1e6, length as f64 / 1e9);
    assert!(there < 100 * PIECE as u64, "{there} bytes for 25 reads");
    mounted.ends_well();
}
