use aquatic_http_protocol::request::Request;
use proptest::prelude::*;

use super::super::Progress;
use super::*;

fn identity() -> Identity {
    let mut info_hash = [0xff; 20];
    info_hash[..5].copy_from_slice(b"a &%~");
    Identity {
        info_hash: crate::source::InfoHash(info_hash),
        peer_id: *b"-PF0100-abcdefghijkl",
        port: 6881,
        key: 0xab,
    }
}

fn announce(event: Option<Event>) -> Announce {
    Announce {
        event,
        progress: Progress { uploaded: 1, downloaded: 2, left: 3 },
        wanted: 200,
        tracker_id: None,
    }
}

#[test]
fn what_is_asked_is_what_another_program_reads() {
    let base = Url::parse("http://tracker:80/announce").expect("a URL");
    let url = announce_url(&base, &identity(), &announce(Some(Event::Started))).expect("a URL");
    let path = url.as_str().strip_prefix("http://tracker").expect("the same host");
    let Ok(Request::Announce(read)) = Request::parse_http_get_path(path) else {
        panic!("not an announce: {path}")
    };
    assert_eq!(read.info_hash.0, identity().info_hash.0);
    assert_eq!(read.peer_id.0, identity().peer_id);
    assert_eq!((read.port, read.bytes_uploaded, read.bytes_downloaded, read.bytes_left), (6881, 1, 2, 3));
    assert_eq!(read.event.as_str(), Some("started"));
    assert_eq!(read.numwant, Some(200));
    assert_eq!(read.key.as_deref(), Some("000000ab"));
}

#[test]
fn a_passkey_stays_in_the_query_and_in_the_path() {
    let base = Url::parse("https://tracker/x/announce.php?passkey=a%20b&x#y").expect("a URL");
    let with_id = Announce { tracker_id: Some(b"i d".to_vec()), ..announce(None) };
    let url = announce_url(&base, &identity(), &with_id).expect("a URL");
    assert!(
        url.as_str().starts_with("https://tracker/x/announce.php?passkey=a%20b&x&info_hash=a%20%26%25~%FF"),
        "{url}"
    );
    assert!(url.as_str().ends_with("&key=000000ab&trackerid=i%20d"), "{url}");
}

#[test]
fn answers_of_every_form_are_read() {
    let peers = |body: &[u8]| -> Vec<String> {
        parse_answer(body).expect("an answer").peers.iter().map(SocketAddr::to_string).collect()
    };
    assert_eq!(
        peers(b"d8:intervali1e5:peers12:\x01\x02\x03\x04\x1a\xe1\x05\x06\x07\x08\x00\x00e"),
        ["1.2.3.4:6881"]
    );
    assert_eq!(peers(b"d5:peers7:\x01\x02\x03\x04\x1a\xe1!e"), ["1.2.3.4:6881"]);
    assert_eq!(peers(b"d6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50e"), ["[2001:db8::1]:80"]);
    assert_eq!(
        peers(b"d5:peersld2:ip7:1.2.3.44:porti80eed2:ip9:localhost4:porti1eed2:ip3:::14:porti2eed2:ip7:1.2.3.44:porti99999eei5eee"),
        ["1.2.3.4:80", "[::1]:2"]
    );
    assert_eq!(peers(b"d8:intervali60ee"), Vec::<String>::new());
}

#[test]
fn the_numbers_and_words_of_an_answer_are_read() {
    let answer = parse_answer(
        b"d8:completei5e10:incompletei7e8:intervali1800e12:min intervali60e5:peers0:10:tracker id3:abc15:warning message8:too\nslowe",
    )
    .expect("an answer");
    assert_eq!(
        answer,
        Answer {
            interval: Some(Duration::from_secs(1800)),
            min_interval: Some(Duration::from_secs(60)),
            seeders: Some(5),
            leechers: Some(7),
            warning: Some("too slow".to_owned()),
            tracker_id: Some(b"abc".to_vec()),
            peers: vec![],
        }
    );
    let odd =
        parse_answer(b"d8:completei-5e8:intervali-1e12:min interval3:abc5:peers0:e").expect("an answer");
    assert_eq!(odd, Answer::default());
}

#[test]
fn a_tracker_that_refuses_says_why_and_for_how_long() {
    let said = |body: &[u8]| match parse_answer(body) {
        Err(Failure::Said { text, retry }) => (text, retry),
        other => panic!("{other:?}"),
    };
    let minutes = |minutes: u64| Some(Retry::After(Duration::from_secs(minutes * 60)));
    assert_eq!(said(b"d14:failure reason7:private5:peers0:e"), ("private".to_owned(), None));
    assert_eq!(said(b"d14:failure reason1:x8:retry ini5ee"), ("x".to_owned(), minutes(5)));
    assert_eq!(said(b"d14:failure reason1:x8:retry in2:10e"), ("x".to_owned(), minutes(10)));
    assert_eq!(said(b"d14:failure reason1:x8:retry in5:nevere"), ("x".to_owned(), Some(Retry::Never)));
    assert_eq!(said(b"d14:failure reason1:x8:retry ini99999999999999999999ee"), ("x".to_owned(), None));
    let long = [b"d14:failure reason1000:".as_slice(), &[b'a'; 1000], b"e"].concat();
    assert_eq!(said(&long).0.len(), super::super::LONGEST_TEXT);
}

#[test]
fn what_is_no_answer_makes_no_sense() {
    for body in [&b""[..], b"<html>", b"hello", b"i5e", b"d5:peers", b"de", b"le"] {
        assert!(matches!(parse_answer(body), Err(Failure::BadReply(_))), "{body:?}");
    }
}

#[test]
fn a_flood_of_peers_is_cut() {
    let flood: Vec<u8> = (0..60_000_u32).flat_map(|i| [1, 2, (i >> 8) as u8, i as u8, 1, 1]).collect();
    let body = [format!("d5:peers{}:", flood.len()).as_bytes(), &flood, b"e"].concat();
    assert_eq!(parse_answer(&body).expect("an answer").peers.len(), MOST_PEERS);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_answer(&bytes);
    }

    #[test]
    fn nothing_under_the_known_keys_makes_it_panic(
        values in proptest::collection::vec("(i-?[0-9]{0,22}e|[0-9]:[a-z]{0,9}|l(i1e|1:a)*e|d1:a1:be)", 9),
    ) {
        let keys = ["interval", "min interval", "peers", "peers6", "complete", "incomplete", "tracker id", "retry in",
            "failure reason"];
        let mut body = "d".to_owned();
        for (key, value) in keys.iter().zip(&values) {
            body += &format!("{}:{key}{value}", key.len());
        }
        let _ = parse_answer(format!("{body}e").as_bytes());
    }
}
