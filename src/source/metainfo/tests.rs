use proptest::prelude::*;

use super::*;

/// A bencoded string.
fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [format!("{}:", text.len()).as_bytes(), text].concat()
}

/// The entry of a file, `extra` among its keys.
fn file(length: &str, path: &[&[u8]], extra: &str) -> Vec<u8> {
    let path: Vec<u8> = path.iter().flat_map(text).collect();
    [format!("d{extra}6:lengthi{length}e4:pathl").as_bytes(), &path, b"ee"].concat()
}

/// An info dictionary with these files, and as many hashes of pieces as `pieces`.
fn many(name: &[u8], files: &[Vec<u8>], piece_length: &str, pieces: usize) -> Vec<u8> {
    [
        b"d5:filesl",
        files.concat().as_slice(),
        b"e4:name",
        &text(name),
        format!("12:piece lengthi{piece_length}e6:pieces").as_bytes(),
        &text(vec![7; pieces * 20]),
        b"e",
    ]
    .concat()
}

fn single(length: &str, piece_length: &str, hashes: usize) -> Vec<u8> {
    [
        format!("d6:lengthi{length}e4:name8:film.mkv12:piece lengthi{piece_length}e6:pieces").as_bytes(),
        &text(vec![7; hashes]),
        b"e",
    ]
    .concat()
}

fn parse(info: Vec<u8>) -> Result<Metainfo, TorrentFault> {
    parse_info(info.into())
}

fn good(info: Vec<u8>) -> Metainfo {
    parse(info).expect("a good torrent")
}

fn paths(metainfo: &Metainfo) -> Vec<String> {
    metainfo.files.iter().map(|file| file.path.join("/")).collect()
}

#[test]
fn a_single_file_is_its_own_name() {
    let info = single("100000", "32768", 80);
    let metainfo = good(info.clone());
    assert_eq!(paths(&metainfo), ["film.mkv"]);
    assert_eq!(metainfo.files[0].span, FileSpan { offset: 0, length: 100_000 });
    assert!(!metainfo.private);
    assert_eq!(metainfo.layout.pieces(), 4);
    assert_eq!(metainfo.piece_hashes, [7; 80].as_slice());
    assert_eq!(metainfo.info_bytes, info);
}

#[test]
fn the_hash_is_that_of_the_bytes_as_they_were() {
    // `printf 'd6:lengthi0e4:name1:a12:piece lengthi1e6:pieces0:e' | sha1sum`
    let info = b"d6:lengthi0e4:name1:a12:piece lengthi1e6:pieces0:e".to_vec();
    assert_eq!(good(info).info_hash.to_string(), "c8308a6f44d08f90d61da1321da9da47e891374c");
    // Keys out of order, a leading zero: odd, but hashed as they are.
    let odd = b"d4:name1:a6:lengthi00e6:pieces0:12:piece lengthi1ee".to_vec();
    assert_eq!(good(odd.clone()).info_hash, hash_of(&odd));
    let torrent = [b"d4:info".as_slice(), &odd, b"e"].concat();
    assert_eq!(parse_torrent(&torrent).expect("a torrent").metainfo.info_hash, hash_of(&odd));
}

#[test]
fn several_files_lie_one_after_another_below_the_name() {
    let metainfo = good(many(
        b"Series",
        &[file("10", &[b"s1", b"e1.mkv"], ""), file("0", &[b"empty.nfo"], ""), file("20", &[b"e2.mkv"], "")],
        "16",
        2,
    ));
    assert_eq!(paths(&metainfo), ["Series/s1/e1.mkv", "Series/empty.nfo", "Series/e2.mkv"]);
    assert_eq!(metainfo.files[1].span, FileSpan { offset: 10, length: 0 });
    assert_eq!(metainfo.files[2].span, FileSpan { offset: 10, length: 20 });
}

#[test]
fn padding_takes_room_but_is_no_file() {
    let metainfo = good(many(
        b"t",
        &[
            file("10", &[b"a"], ""),
            file("6", &[b".pad", b"6"], "4:attr1:p"),
            file("10", &[b"b"], ""),
            file("6", &[b".pad", b"6"], ""),
            file("10", &[b"c"], "4:attr1:x"),
            file("6", &[b"_____padding_file_0_____"], ""),
            file("1", &[b".pad"], ""),
        ],
        "16",
        4,
    ));
    assert_eq!(paths(&metainfo), ["t/a", "t/b", "t/c", "t/.pad"]);
    assert_eq!(metainfo.layout.padding(), &[10..16, 26..32, 42..48]);
    assert_eq!(metainfo.files[2].span.offset, 32);
}

#[test]
fn names_are_utf8_or_made_so_and_safe_and_distinct() {
    let info = [
        b"d5:filesl".as_slice(),
        b"d6:lengthi1e4:pathl3:odde10:path.utf-8l4:n\xc3\xa9xee",
        &file("1", &[b"..", b"..", b"etc", b"passwd"], ""),
        &file("1", &[b"/abs"], ""),
        &file("1", &[b"A.mkv"], ""),
        &file("1", &[b"a.MKV"], ""),
        &file("1", &[b"\xe9t\xe9"], ""),
        b"e4:name3:old10:name.utf-83:new12:piece lengthi16e6:pieces20:01234567890123456789e",
    ]
    .concat();
    let metainfo = good(info);
    let paths = paths(&metainfo);
    assert_eq!(paths[..5], ["new/néx", "new/_/_/etc/passwd", "new/_abs", "new/A.mkv", "new/a (2).MKV"]);
    assert_eq!(paths[5], "new/été");
}

#[test]
fn torrents_without_a_name_are_called_by_their_hash() {
    let info = b"d6:lengthi0e12:piece lengthi1e6:pieces0:e".to_vec();
    let metainfo = good(info.clone());
    assert_eq!(metainfo.name, hash_of(&info).to_string());
}

#[test]
fn private_is_told_and_hybrids_read_as_v1() {
    let info =
        b"d9:file treede6:lengthi0e12:meta versioni2e4:name1:a12:piece lengthi1e6:pieces0:7:privatei1ee"
            .to_vec();
    assert!(good(info).private);
}

#[test]
fn version_2_alone_is_told_as_such() {
    let info = b"d9:file treede12:meta versioni2e4:name1:a12:piece lengthi16384ee".to_vec();
    assert_eq!(parse(info).expect_err("not ours"), TorrentFault::V2Only);
}

#[test]
fn bombs_are_refused_each_with_its_reason() {
    use TorrentFault::*;
    let one = || file("1", &[b"a"], "");
    for (info, fault) in [
        (single("1", "0", 20), PieceLength { length: 0 }),
        (single("1", "-5", 20), PieceLength { length: -5 }),
        (single("1", "134217729", 20), PieceLength { length: (128 << 20) + 1 }),
        (single("1", "2147483648", 20), PieceLength { length: 1 << 31 }),
        (single("1", "99999999999999999999", 20), PieceLength { length: i64::MAX }),
        (single("100", "16", 20), PieceCount { found: 1, expected: 7 }),
        (single("100", "16", 139), PieceCount { found: 6, expected: 7 }),
        (single("100", "16", 160), PieceCount { found: 8, expected: 7 }),
        (single("9223372036854775806", "1", 20), TooManyPieces),
        (single("9223372036854775807", "16", 20), TooLong),
        (single("99999999999999999999", "16", 20), TooLong),
        (single("-1", "16", 20), NegativeLength { length: -1 }),
        (many(b"t", &[file("9223372036854775806", &[b"a"], ""), file("2", &[b"b"], "")], "16", 1), TooLong),
        (many(b"t", &[file("-9", &[b"a"], "")], "16", 1), NegativeLength { length: -9 }),
        (many(b"t", &[file("1", &[], "")], "16", 1), BadPath),
        (many(b"t", &[file("1", &[b"d".as_slice(); 101], "")], "16", 1), BadPath),
        (many(b"t", &[], "16", 0), NoFiles),
        (many(b"t", &[file("16", &[b"a"], "4:attr1:p")], "16", 1), NoFiles),
        (many(b"t", &[b"i1e".to_vec()], "16", 1), BadFile),
        (many(b"t", &[b"d4:pathl1:aee".to_vec()], "16", 1), BadFile),
        (many(b"t", &vec![one(); MOST_FILES + 1], "16", 1), TooManyFiles),
        (b"d6:lengthi0e4:name1:a12:piece lengthi1ee".to_vec(), NoPieces),
        (b"d6:piecesi1ee".to_vec(), NoPieces),
        (b"de".to_vec(), NoPieces),
        (b"le".to_vec(), NotADictionary),
        (b"dei1e".to_vec(), NoInfo),
        (b"l".repeat(100_000), TooDeep),
        (b"d6:pieces99999999999:".to_vec(), Truncated),
    ] {
        let shown = String::from_utf8_lossy(&info[..info.len().min(80)]).into_owned();
        assert_eq!(parse(info).expect_err(&shown), fault, "{shown}");
    }
}

#[test]
fn what_is_no_torrent_says_what_it_seems_to_be() {
    let fault = |bytes: &[u8]| parse_torrent(bytes).err();
    let torrent = [b"d4:info".as_slice(), &single("100000", "32768", 80), b"e"].concat();
    assert_eq!(fault(b"\n<!DOCTYPE html><html>"), Some(TorrentFault::WebPage));
    assert_eq!(fault(b"\x1a\x45\xdf\xa3"), Some(TorrentFault::NotBencode));
    assert_eq!(fault(b""), Some(TorrentFault::Truncated));
    assert_eq!(fault(&torrent[..100]), Some(TorrentFault::Truncated));
    assert_eq!(fault(b"d8:announce3:abce"), Some(TorrentFault::NoInfo));
    assert_eq!(fault(b"i1e"), Some(TorrentFault::NotADictionary));
    assert_eq!(fault(&torrent), None);
    assert_eq!(fault(&[torrent, b"\n".to_vec()].concat()), None);
}

#[test]
fn trackers_come_in_their_tiers() {
    let info = single("0", "1", 0);
    let trackers = |before: &str| {
        let torrent = [b"d", before.as_bytes(), b"4:info", &info, b"e"].concat();
        parse_torrent(&torrent).expect("a torrent").trackers
    };
    assert_eq!(trackers("8:announce5:udp:a"), [["udp:a"]]);
    assert_eq!(
        trackers("8:announce5:udp:a13:announce-listll5:udp:b5:udp:celel5:udp:d5:udp:bee"),
        [vec!["udp:b", "udp:c"], vec!["udp:d"]]
    );
    assert_eq!(trackers("13:announce-listle8:announce5:udp:a"), [["udp:a"]]);
    assert_eq!(trackers("8:announcei5e"), Vec::<Vec<String>>::new());
}

#[test]
fn a_torrent_says_when_it_was_made_and_nonsense_is_no_date() {
    let info = single("0", "1", 0);
    let date = |date: &str| {
        let torrent = [b"d13:creation date", date.as_bytes(), b"4:info", &info, b"e"].concat();
        let made = parse_torrent(&torrent).expect("a torrent").metainfo.created_at;
        made.and_then(|at| at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok())
            .map(|since| since.as_secs())
    };
    assert_eq!(date("i1400000000e"), Some(1_400_000_000));
    for nonsense in ["i0e", "i-5e", "i9223372036854775807e", "2:no"] {
        assert_eq!(date(nonsense), None, "{nonsense}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_torrent(&bytes);
        let _ = parse(bytes);
    }

    #[test]
    fn no_damage_to_a_torrent_makes_it_panic(at in 0usize..200, byte in any::<u8>(), cut in 0usize..300) {
        let mut torrent = many(
            b"n\xe4me",
            &[file("10", &[b"a", b"b"], "4:attr1:p"), file("30", &[b"c\xff"], "")],
            "16",
            3,
        );
        if let Some(place) = torrent.get_mut(at) {
            *place = byte;
        }
        torrent.truncate(cut);
        if let Ok(metainfo) = parse(torrent) {
            prop_assert!(metainfo.files.iter().all(|file| file.span.end() <= metainfo.layout.total()));
        }
    }
}
