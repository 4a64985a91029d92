//! Torrents that no honest program makes: names that try to leave the folder, sizes that lie, dictionaries without an end.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tempfile::TempDir;

use crate::peer::first_piece_last;
use crate::run::Peerflix;

const PIECE_LENGTH: usize = 16 * 1024;

fn sha1(bytes: &[u8]) -> [u8; 20] {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().try_into().expect("20 bytes")
}

/// A bencoded string.
fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [format!("{}:", text.len()).as_bytes(), text].concat()
}

/// An info dictionary with these files, and their content.
fn info(name: &[u8], files: &[(&[&[u8]], Vec<u8>)]) -> (Vec<u8>, Vec<u8>) {
    let all: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let hashes: Vec<u8> = all.chunks(PIECE_LENGTH).flat_map(sha1).collect();
    let mut info = b"d5:filesl".to_vec();
    for (path, bytes) in files {
        let path: Vec<u8> = path.iter().flat_map(text).collect();
        info.extend(
            [format!("d6:lengthi{}e4:pathl", bytes.len()).as_bytes(), path.as_slice(), b"ee"].concat(),
        );
    }
    info.extend([b"e4:name".as_slice(), &text(name)].concat());
    info.extend(format!("12:piece lengthi{PIECE_LENGTH}e6:pieces").bytes());
    info.extend(text(hashes));
    info.push(b'e');
    (info, all)
}

fn torrent_of(info: &[u8]) -> Vec<u8> {
    [b"d4:info", info, b"e"].concat()
}

/// All files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("reads").map(|entry| entry.expect("reads").path()) {
        // A link would lead out.
        match entry.symlink_metadata().expect("it is there").is_dir() {
            true => found.extend(files_below(&entry)),
            false => found.push(entry),
        }
    }
    found
}

#[test]
fn names_that_try_to_leave_the_folder_stay_in_it() {
    let long = [b'x'; 300];
    let paths: [&[&[u8]]; 12] = [
        &[b"..", b"..", b"escape.mkv"],
        &[b"../../escape2.mkv"],
        &[b"/abs.mkv"],
        &[b"", b"empty.mkv"],
        &[b".", b"dot.mkv"],
        &[b"nul\0byte.mkv"],
        &[b"CON"],
        &[b"aux.mkv"],
        &[b"back\\slash\\..\\x.mkv"],
        &[b"caf\xe9.mkv"],
        &[&long],
        &[b"same.mkv"],
    ];
    for name in [b"..".as_slice(), b"/etc", b"a/../../b", b"", b"n\xff\xfe", b"PRN"] {
        // A piece and a bit each, so that pieces lie across files.
        let files: Vec<_> =
            paths.iter().zip(1_u8..).map(|(path, fill)| (*path, vec![fill; PIECE_LENGTH + 100])).collect();
        let (info, all) = info(name, &files);
        let seed = first_piece_last(all.clone(), PIECE_LENGTH, sha1(&info));
        let outer = TempDir::new().expect("a temporary folder");
        let torrent = outer.path().join("crafted.torrent");
        std::fs::write(&torrent, torrent_of(&info)).expect("writes");
        let inner = outer.path().join("a").join("b");
        std::fs::create_dir_all(&inner).expect("creates");
        let torrent = torrent.to_str().expect("a plain name");

        let list = Peerflix::new([torrent, "--list"]).said();
        assert_eq!(list.code, Some(0), "{}", list.errors);
        assert_eq!(list.text().lines().count(), paths.len(), "{}", list.text());
        // The pieces of the second file reach into the first and the third.
        for index in [1, 10] {
            let args = [
                torrent.to_owned(),
                "--stdout".into(),
                format!("--index={index}"),
                format!("--path={}", inner.display()),
                format!("--peer={seed}"),
                "--no-dht".into(),
                "--no-lsd".into(),
            ];
            let said = Peerflix::new(args).said();
            assert_eq!(said.code, Some(0), "{}", said.errors);
            assert!(said.out == files[index].1, "{} bytes", said.out.len());
        }
        let written = files_below(outer.path());
        assert!(written.len() > 3, "{written:?}");
        for path in written {
            assert!(path.starts_with(&inner) || path.ends_with("crafted.torrent"), "{}", path.display());
        }
    }
}

#[test]
fn a_torrent_bomb_is_refused_at_once() {
    let single = |length: &str, piece_length: &str, hashes: usize| {
        let hashes = text(vec![7; hashes]);
        let head = format!("d6:lengthi{length}e4:name8:film.mkv12:piece lengthi{piece_length}e6:pieces");
        torrent_of(&[head.as_bytes(), &hashes, b"e"].concat())
    };
    let deep = 1_000_000;
    let bombs = [
        ("nested lists", [vec![b'l'; deep], vec![b'e'; deep]].concat()),
        ("nested without an end", b"d1:a".repeat(deep)),
        ("nested below info", torrent_of(&[vec![b'l'; deep], vec![b'e'; deep]].concat())),
        ("a string of exabytes", b"d4:info9999999999999999999:x".to_vec()),
        ("no pieces at all", single("100000", "32768", 0)),
        ("too few pieces", single("100000", "32768", 60)),
        ("too many pieces", single("100000", "32768", 100)),
        ("a piece and a half", single("100000", "32768", 90)),
        ("pieces of nothing", single("100000", "0", 80)),
        ("pieces of less than nothing", single("100000", "-32768", 80)),
        ("pieces of exabytes", single("100000", "9223372036854775807", 20)),
        ("a film of less than nothing", single("-1", "32768", 20)),
        ("a film of exabytes", single("9223372036854775807", "32768", 80)),
        ("a film of more than exabytes", single("99999999999999999999999", "32768", 80)),
        ("files that add up to more than there is", {
            let file = b"d6:lengthi9223372036854775807e4:pathl1:aee";
            let files = file.repeat(3);
            let info = [
                b"d5:filesl".as_slice(),
                &files,
                b"e4:name1:n12:piece lengthi16384e6:pieces",
                &text([7; 20]),
                b"e",
            ];
            torrent_of(&info.concat())
        }),
    ];
    let folder = TempDir::new().expect("a temporary folder");
    for (name, bytes) in bombs {
        let path = folder.path().join("bomb.torrent");
        std::fs::write(&path, bytes).expect("writes");
        let path = path.to_str().expect("a plain name");
        // Little memory is all that it takes to say no.
        let said = Peerflix::new([path, "--quiet", "--port=0", "--no-dht", "--no-lsd"])
            .after("ulimit -v 2000000")
            .said();
        assert_eq!(said.code, Some(3), "{name}: {said:?}");
        assert!(!said.errors.contains("panicked"), "{name}: {said:?}");
    }
}
