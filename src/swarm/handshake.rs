//! What two peers say before anything else: BEP 3's handshake of 68 bytes, and BEP 10's dictionary right after it.

use std::collections::HashMap;

use librqbit_bencode::{BencodeValue, BencodeValueBorrowed, ByteBuf, from_bytes_with_rest};

use crate::source::InfoHash;

/// Length of the first handshake.
pub const LENGTH: usize = 68;

/// The id that we announce for `ut_metadata` (BEP 9): what peers put before such messages to us.
pub const OUR_METADATA_ID: u8 = 2;
/// The id that we announce for `ut_pex` (BEP 11).
pub const OUR_PEX_ID: u8 = 1;
/// How many requests of one peer we keep; more are not answered.
pub const OUR_QUEUE_LIMIT: u32 = 250;

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
/// The longest client name that is kept.
const CLIENT_LENGTH: usize = 60;

/// The first handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    pub info_hash: InfoHash,
    pub peer_id: [u8; 20],
    /// Speaks BEP 10.
    pub extended: bool,
    /// Speaks BEP 6.
    pub fast: bool,
}

impl Handshake {
    /// Ours: we speak both.
    pub fn ours(info_hash: InfoHash, peer_id: [u8; 20]) -> Self {
        Handshake { info_hash, peer_id, extended: true, fast: true }
    }

    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..20].copy_from_slice(PROTOCOL);
        bytes[25] = if self.extended { 0x10 } else { 0 };
        bytes[27] = if self.fast { 0x04 } else { 0 };
        bytes[28..48].copy_from_slice(&self.info_hash.0);
        bytes[48..].copy_from_slice(&self.peer_id);
        bytes
    }

    /// `None` if whoever sent this does not speak BitTorrent, or only an encrypted kind of it.
    pub fn from_bytes(bytes: &[u8; LENGTH]) -> Option<Self> {
        let info_hash: &[u8; 20] = bytes[28..].first_chunk()?;
        let peer_id: &[u8; 20] = bytes[48..].first_chunk()?;
        (&bytes[..20] == PROTOCOL).then_some(Handshake {
            info_hash: InfoHash(*info_hash),
            peer_id: *peer_id,
            extended: bytes[25] & 0x10 != 0,
            fast: bytes[27] & 0x04 != 0,
        })
    }
}

/// What we read of a peer's extended handshake. A value of a strange type or size is as if it were not there: clients
/// differ, and none of this is worth a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// The id that the peer wants before our `ut_metadata` messages.
    pub metadata_id: Option<u8>,
    pub pex_id: Option<u8>,
    /// Length of the info dictionary, if the peer has it.
    pub metadata_size: Option<u32>,
    /// The most requests that the peer keeps.
    pub queue_limit: Option<u32>,
    /// The port at which the peer listens.
    pub port: Option<u16>,
    /// The client's name and version.
    pub client: Option<String>,
}

impl Extended {
    /// `None` if it is not a dictionary at all.
    pub fn from_bytes(payload: &[u8]) -> Option<Self> {
        let (BencodeValue::Dict(fields), _) = from_bytes_with_rest::<BencodeValueBorrowed>(payload).ok()?
        else {
            return None;
        };
        let message_id = |name: &[u8]| match fields.get(&ByteBuf(b"m")) {
            // 0 is how a client takes an extension back.
            Some(BencodeValue::Dict(messages)) => number(messages, name).filter(|id| *id != 0),
            _ => None,
        };
        Some(Extended {
            metadata_id: message_id(b"ut_metadata"),
            pex_id: message_id(b"ut_pex"),
            metadata_size: number(&fields, b"metadata_size").filter(|size| *size > 0),
            queue_limit: number(&fields, b"reqq").filter(|limit| *limit > 0),
            port: number(&fields, b"p").filter(|port| *port != 0),
            client: match fields.get(&ByteBuf(b"v")) {
                Some(BencodeValue::Bytes(name)) => printable(name.as_ref()),
                _ => None,
            },
        })
    }
}

fn number<'a, T: TryFrom<i64>>(
    fields: &HashMap<ByteBuf<'a>, BencodeValueBorrowed<'a>>,
    key: &'a [u8],
) -> Option<T> {
    match fields.get(&ByteBuf(key)) {
        Some(BencodeValue::Integer(value)) => T::try_from(*value).ok(),
        _ => None,
    }
}

/// A name that can be put on a terminal: no control characters, not long, not empty.
fn printable(name: &[u8]) -> Option<String> {
    let name: String =
        String::from_utf8_lossy(name).chars().filter(|c| !c.is_control()).take(CLIENT_LENGTH).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Our extended handshake. `port` is where we listen; `metadata_size` the length of the info dictionary, once we have
/// it and may give it away; `pex` false for private torrents (BEP 27).
pub fn our_extended(port: u16, metadata_size: Option<u32>, pex: bool) -> Vec<u8> {
    let version = concat!("peerflix/", env!("CARGO_PKG_VERSION"));
    let mut out = String::from("d1:md");
    // Keys ascend, as bencoding wants it.
    out.push_str(&format!("11:ut_metadatai{OUR_METADATA_ID}e"));
    if pex {
        out.push_str(&format!("6:ut_pexi{OUR_PEX_ID}e"));
    }
    out.push('e');
    if let Some(size) = metadata_size {
        out.push_str(&format!("13:metadata_sizei{size}e"));
    }
    out.push_str(&format!("1:pi{port}e4:reqqi{OUR_QUEUE_LIMIT}e1:v{}:{version}e", version.len()));
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_handshake_comes_back() {
        let ours = Handshake::ours(InfoHash([7; 20]), *b"-PF0100-abcdefghijkl");
        assert_eq!(Handshake::from_bytes(&ours.to_bytes()), Some(ours));
        assert_eq!(
            Handshake::from_bytes(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n"
            ),
            None
        );
    }

    #[test]
    fn our_own_dictionary_says_what_it_should() {
        let read = Extended::from_bytes(&our_extended(6881, Some(31_337), true)).expect("a dictionary");
        assert_eq!(read.metadata_id, Some(OUR_METADATA_ID));
        assert_eq!(read.pex_id, Some(OUR_PEX_ID));
        assert_eq!(read.metadata_size, Some(31_337));
        assert_eq!(read.queue_limit, Some(OUR_QUEUE_LIMIT));
        assert_eq!(read.port, Some(6881));
        assert!(read.client.is_some_and(|client| client.starts_with("peerflix/")));
        let private = Extended::from_bytes(&our_extended(1, None, false)).expect("a dictionary");
        assert_eq!((private.pex_id, private.metadata_size), (None, None));
    }

    #[test]
    fn one_strange_value_spoils_only_itself() {
        let strange =
            b"d1:md11:ut_metadatai3e6:ut_pexi-1ee13:metadata_sizei-5e1:pi99999999e4:reqq3:lot1:v3:a\x1bbe";
        let read = Extended::from_bytes(strange).expect("a dictionary");
        assert_eq!(
            read,
            Extended { metadata_id: Some(3), client: Some("ab".to_owned()), ..Extended::default() }
        );
    }

    #[test]
    fn what_is_no_dictionary_is_nothing() {
        for bytes in [&b""[..], b"le", b"i1e", b"d1:m", b"\xff\xff"] {
            assert_eq!(Extended::from_bytes(bytes), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Extended::from_bytes(&bytes);
            let _ = Extended::from_bytes(&[b"d", &bytes[..], b"e"].concat());
        }
    }
}
