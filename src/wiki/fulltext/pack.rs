//! Numbers, texts and keys as Xapian packs them into bytes (its `common/pack.h`). What does not unpack is `None`.

/// Takes a packed run of values apart, one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    pub fn new(bytes: &'a [u8]) -> Unpacker<'a> {
        Unpacker(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    pub fn uint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// As [`uint`](Self::uint), of no more than 32 bits, as numbers of documents are.
    pub fn uint32(&mut self) -> Option<u32> {
        u32::try_from(self.uint()?).ok()
    }

    pub fn boolean(&mut self) -> Option<bool> {
        match self.byte()? {
            b'0' => Some(false),
            b'1' => Some(true),
            _ => None,
        }
    }

    /// Bytes with their number in front.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uint()?).ok()?;
        self.bytes(length)
    }

    /// A number that sorts as its bytes do: two bytes below 2^15, else as many more as the first byte has ones in front, and one.
    pub fn sortable(&mut self) -> Option<u32> {
        let first = self.byte()?;
        let ones = first.leading_ones();
        let (mut value, following) = match ones {
            0 => (u64::from(first), 1),
            8 => return None,
            _ => (u64::from(first & (0xff >> ones)), ones as usize + 1),
        };
        for byte in self.bytes(following)? {
            value = value.checked_mul(0x100)? | u64::from(*byte);
        }
        u32::try_from(value).ok()
    }
}

/// Appends a number so that it sorts as its bytes do.
pub(super) fn push_sortable(key: &mut Vec<u8>, value: u32) {
    let bytes = u64::from(value).to_be_bytes();
    let mut length = 2;
    if value >= 0x8000 {
        length = 3;
        let mut rest = value >> 22;
        while rest > 0 {
            length += 1;
            rest >>= 7;
        }
    }
    let from = key.len();
    key.extend(bytes.iter().skip(bytes.len() - length));
    if let Some(first) = key.get_mut(from).filter(|_| length > 2) {
        *first |= (0xff00u16 >> (length - 2)) as u8;
    }
}

/// The key of a term's first chunk in the table of postings: the term, its zeros followed by 0xff. The empty term is that of
/// the lengths of documents, which have a place of their own.
pub(super) fn key_of_term(term: &[u8]) -> Vec<u8> {
    if term.is_empty() {
        return vec![0, 0xe0];
    }
    let mut key = Vec::with_capacity(term.len() + 8);
    for byte in term {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xff);
        }
    }
    key
}

/// What stands before the number of a document in the keys of all further chunks of a term.
pub(super) fn prefix_of_chunks(term: &[u8]) -> Vec<u8> {
    let mut key = key_of_term(term);
    if !term.is_empty() {
        key.push(0);
    }
    key
}

/// The key of metadata that were set by name.
pub(super) fn key_of_metadata(name: &str) -> Vec<u8> {
    [b"\x00\xc0", name.as_bytes()].concat()
}

/// The key of a document's data.
pub(super) fn key_of_document(document: u32) -> Vec<u8> {
    let mut key = Vec::new();
    push_sortable(&mut key, document);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_as_xapian_packs_them() {
        for (value, bytes) in [
            (0, &[0, 0][..]),
            (6001, &[0x17, 0x71]),
            (0x7fff, &[0x7f, 0xff]),
            (0x8000, &[0x80, 0x80, 0x00]),
            (0x3f_ffff, &[0xbf, 0xff, 0xff]),
            (0x40_0000, &[0xc0, 0x40, 0x00, 0x00]),
            (u32::MAX, &[0xe0, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(key_of_document(value), bytes, "{value:#x}");
        }
        assert_eq!(Unpacker::new(&[0x87, 0x5f]).uint(), Some(12167));
        assert_eq!(Unpacker::new(&[0x80]).uint(), None, "it goes on, but where?");
        assert_eq!(Unpacker::new(&[0xff; 10]).uint(), None, "more than 64 bits");
        assert_eq!(Unpacker::new(&[5, b'a']).string(), None);
        assert_eq!(Unpacker::new(b"1").boolean(), Some(true));
        assert_eq!(Unpacker::new(b"2").boolean(), None);
    }

    #[test]
    fn a_zero_in_a_term_does_not_end_it() {
        assert_eq!(key_of_term(b"a\0b"), b"a\0\xffb");
        assert_eq!(prefix_of_chunks(b"ab"), b"ab\0");
        assert_eq!(prefix_of_chunks(b""), b"\0\xe0");
    }

    proptest! {
        #[test]
        fn sortable_numbers_sort_and_come_back(left: u32, right: u32, shift in 0u32..32) {
            let (left, right) = (left >> shift, right >> shift);
            let (packed_left, packed_right) = (key_of_document(left), key_of_document(right));
            prop_assert_eq!(left.cmp(&right), packed_left.cmp(&packed_right));
            prop_assert_eq!(Unpacker::new(&packed_left).sortable(), Some(left));
        }

        #[test]
        fn any_bytes_unpack_to_something_or_nothing(bytes: Vec<u8>) {
            let mut unpacker = Unpacker::new(&bytes);
            while !unpacker.is_empty() && unpacker.uint().is_some() {}
            let mut unpacker = Unpacker::new(&bytes);
            while !unpacker.is_empty() && unpacker.sortable().is_some() {}
            let mut unpacker = Unpacker::new(&bytes);
            while !unpacker.is_empty() && unpacker.string().is_some() {}
        }
    }
}
