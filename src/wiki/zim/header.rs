//! The first 80 bytes of a ZIM file (openZIM, "ZIM file format", header), and the list of MIME types behind them.

use super::ZimError;

/// The bytes of a header.
pub const HEADER: usize = 80;
const MAGIC: u32 = 72_173_914;
/// "There is none", of the main page and the layout page.
const NONE: u32 = u32::MAX;

/// Where everything is, in bytes of the file. The path list lies within it; the others are looked at where they are needed, so
/// that one of them can be broken and the rest be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 5 or 6.
    pub major: u16,
    /// From 1 on, the namespaces are the new ones.
    pub minor: u16,
    pub uuid: [u8; 16],
    pub entries: u32,
    pub clusters: u32,
    /// A `u64` for each entry, in the order of namespaces and paths.
    pub path_pointers_at: u64,
    /// A `u32` for each entry, in the order of namespaces and titles; `None` where there is no such list.
    pub title_pointers_at: Option<u64>,
    /// A `u64` for each cluster; not looked at.
    pub cluster_pointers_at: u64,
    /// Not looked at.
    pub mime_list_at: u64,
    /// The entry's number.
    pub main_page: Option<u32>,
    /// The 16 bytes of the MD5 of everything before them.
    pub checksum_at: Option<u64>,
}

impl Header {
    /// From the first [`HEADER`] bytes of a file of so many bytes.
    pub fn read(bytes: &[u8], length: u64) -> Result<Header, ZimError> {
        let bytes: &[u8; HEADER] = bytes
            .first_chunk()
            .ok_or(ZimError::NotZim(format!("it has {length} bytes, and the header alone has {HEADER}")))?;
        let (u16_at, u32_at, u64_at) = (u16_at(bytes), u32_at(bytes), u64_at(bytes));
        if u32_at(0) != MAGIC {
            return Err(ZimError::NotZim("it does not begin as one".to_owned()));
        }
        let (major, minor) = (u16_at(4), u16_at(6));
        if !(5..=6).contains(&major) {
            return Err(ZimError::NotZim(format!("it is of version {major}.{minor}; 5 and 6 can be read")));
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[8..24]);
        let (entries, clusters) = (u32_at(24), u32_at(28));
        let list = |what: &'static str, at: u64, count: u32, size: u64| {
            let end = at.checked_add(u64::from(count) * size);
            match end {
                Some(end) if at >= HEADER as u64 && end <= length => Ok(at),
                _ => Err(ZimError::Broken(format!(
                    "its {what} would be at byte {at}, beyond its {length} bytes"
                ))),
            }
        };
        // One that is broken is as none: titles are found by other lists, or by paths.
        let title_pointers_at = match u64_at(40) {
            0 | u64::MAX => None,
            at => list("title list", at, entries, 4).ok(),
        };
        let some = |index: u32| Some(index).filter(|&index| index != NONE && index < entries);
        Ok(Header {
            major,
            minor,
            uuid,
            entries,
            clusters,
            path_pointers_at: list("path list", u64_at(32), entries, 8)?,
            title_pointers_at,
            cluster_pointers_at: u64_at(48),
            mime_list_at: u64_at(56),
            main_page: some(u32_at(64)),
            checksum_at: Some(u64_at(72))
                .filter(|&at| at >= HEADER as u64 && at.checked_add(16).is_some_and(|end| end <= length)),
        })
    }

    /// Whether content is in the namespace `C` (since 6.1), and not spread over `A`, `I`, `-` and others.
    pub fn has_new_namespaces(&self) -> bool {
        self.major == 6 && self.minor >= 1
    }
}

fn u16_at(bytes: &[u8; HEADER]) -> impl Fn(usize) -> u16 {
    |at| u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8; HEADER]) -> impl Fn(usize) -> u32 {
    |at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; HEADER]) -> impl Fn(usize) -> u64 {
    |at| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(eight)
    }
}
