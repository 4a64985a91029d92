//! The first bytes of a Xapian database in one file (glass): where its tables are, and what it has in all.

use super::FullTextError;
use super::pack::Unpacker;

/// So many bytes hold a header, whatever its numbers are.
pub(super) const LENGTH: u64 = 512;

const MAGIC: &[u8] = b"\x0f\x0dXapian Glass";
/// 2016-03-14, as years since 2014, month and day: the only one that a release of Xapian has ever written.
const VERSION: [u8; 2] = [0x04, 0x6e];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub postings: Root,
    pub documents: Root,
    pub statistics: Statistics,
}

/// Where a table begins: it is a B-tree of blocks of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub block: u32,
    /// 0: the root is a leaf.
    pub level: u8,
    /// In bytes: a power of two from 2048 to 65,536.
    pub block_size: u32,
    /// There is nothing in it, not even the root.
    pub is_empty: bool,
}

/// Of all documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statistics {
    pub documents: u32,
    /// No document has fewer words.
    pub shortest: u64,
    /// Words in all of them.
    pub words: u64,
}

/// `most_levels`: Xapian itself follows no more than ten.
const MOST_LEVELS: u64 = 10;

impl Header {
    pub fn parse(bytes: &[u8]) -> Result<Header, FullTextError> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            let kind = match bytes.strip_prefix(b"\x0f\x0dXapian ") {
                Some(name) => format!(
                    "Xapian's {}",
                    String::from_utf8_lossy(
                        name.split(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default()
                    )
                ),
                None => "it does not begin as one of Xapian's".to_owned(),
            };
            return Err(FullTextError::Unknown(kind));
        };
        let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        if *version != VERSION {
            return Err(FullTextError::Unknown(format!(
                "Xapian's Glass of version {}",
                u16::from_be_bytes(*version)
            )));
        }
        let (_uuid, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
        let mut unpacker = Unpacker::new(rest);
        let _revision = unpacker.uint().ok_or_else(short)?;
        let postings = root(&mut unpacker)?;
        let documents = root(&mut unpacker)?;
        // Lists of terms, positions, spellings and synonyms.
        for _ in 0..4 {
            let _unused = raw_root(&mut unpacker).ok_or_else(short)?;
        }
        Ok(Header { postings, documents, statistics: statistics(&mut unpacker).ok_or_else(short)? })
    }
}

fn short() -> FullTextError {
    FullTextError::Broken("its header ends too early, or has a number that is too large".to_owned())
}

struct RawRoot {
    block: u64,
    level: u64,
    is_empty: bool,
    kibibytes_twice: u64,
}

fn raw_root(unpacker: &mut Unpacker<'_>) -> Option<RawRoot> {
    let block = unpacker.uint()?;
    let flags = unpacker.uint()?;
    let _entries = unpacker.uint()?;
    let kibibytes_twice = unpacker.uint()?;
    let _compressed_from = unpacker.uint()?;
    let _free = unpacker.string()?;
    Some(RawRoot { block, level: flags >> 2, is_empty: flags & 1 != 0, kibibytes_twice })
}

fn root(unpacker: &mut Unpacker<'_>) -> Result<Root, FullTextError> {
    let raw = raw_root(unpacker).ok_or_else(short)?;
    let size = raw.kibibytes_twice.saturating_mul(2048);
    let wrong = |what: &str| Err(FullTextError::Broken(format!("a table of it has {what}")));
    match (u32::try_from(raw.block), u8::try_from(raw.level), u32::try_from(size)) {
        (Ok(block), Ok(level), Ok(block_size)) => {
            if !(2048..=65_536).contains(&block_size) || !block_size.is_power_of_two() {
                return wrong("blocks of an impossible size");
            }
            if u64::from(level) > MOST_LEVELS {
                return wrong("too many levels");
            }
            Ok(Root { block, level, block_size, is_empty: raw.is_empty })
        }
        _ => wrong("a number that is too large"),
    }
}

fn statistics(unpacker: &mut Unpacker<'_>) -> Option<Statistics> {
    let documents = unpacker.uint32()?;
    let _further_numbers = unpacker.uint()?;
    let shortest = unpacker.uint()?;
    let _most_of_a_word = unpacker.uint()?;
    let _longest_beyond_that = unpacker.uint()?;
    let _oldest_change = unpacker.uint()?;
    let words = unpacker.uint()?;
    Some(Statistics { documents, shortest, words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As zimwriterfs has made one.
    const REAL: &[u8] = b"\x0f\x0dXapian Glass\x04\x6e\
        \x86\xf2\x0d\x72\xa3\xd3\x41\xba\x9f\x7c\x84\xce\x99\xcb\x08\xcb\
        \x01\x03\x04\x87\x5f\x04\x00\x07\x01\xe3\x01\x00\x00\x00\x00\xe5\x01\x04\xf1\x2e\x04\x12\x07\x01\xfa\x01\
        \x00\x00\x00\x00\x00\x03\x00\x04\x12\x00\x00\x03\x00\x04\x00\x00\x00\x03\x00\x04\x12\x00\x00\x03\x00\x04\
        \x12\x00\xf1\x2e\x00\x06\xf4\x02\x8c\x17\x00\xd6\x9f\x3b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

    #[test]
    fn a_real_header_is_read() {
        let header = Header::parse(REAL).unwrap();
        assert_eq!(header.postings, Root { block: 3, level: 1, block_size: 8192, is_empty: false });
        assert_eq!(header.documents, Root { block: 229, level: 1, block_size: 8192, is_empty: false });
        assert_eq!(header.statistics, Statistics { documents: 6001, shortest: 6, words: 970_710 });
    }

    #[test]
    fn what_is_not_glass_is_said_to_be_unknown() {
        let told = |bytes: &[u8]| Header::parse(bytes).unwrap_err().to_string();
        assert!(told(b"\x0f\x0dXapian Honey\0\0").contains("Honey"));
        assert!(told(b"SQLite format 3").contains("does not begin"));
        assert!(told(b"").contains("does not begin"));
        assert!(told(b"\x0f\x0dXapian Glass\x01\x02").contains("version"));
    }

    proptest! {
        #[test]
        fn a_broken_header_is_an_error_or_has_possible_blocks(at in 16usize..110, byte: u8, end in 0usize..110) {
            let mut bytes = REAL.to_vec();
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
            bytes.truncate(end.max(at));
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert!(header.postings.block_size.is_power_of_two());
                prop_assert!(header.documents.level <= 10);
            }
        }
    }
}
