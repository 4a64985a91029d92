//! A directory entry: what has a path in a ZIM file (openZIM, "ZIM file format", directory entries).

use bytes::Bytes;

use super::ZimError;

/// More than this no entry has: a path, a title and parameters. What claims to be longer is broken.
pub const LONGEST: usize = 16 * 1024;

/// An entry, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirent {
    /// `C` content, `M` metadata, `W` well-known, `X` indexes; before 6.1 `A` articles, `I` images, `-` layout and others.
    pub namespace: u8,
    /// As it stands in the file; UTF-8 if all is well.
    pub path: Bytes,
    /// Empty: the same as the path.
    title: Bytes,
    pub target: Target,
}

/// What is behind an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A blob of a cluster. The type is an index into the list of types.
    Content { kind: u16, cluster: u32, blob: u32 },
    /// Another entry, by its number in the order of paths.
    Redirect { entry: u32 },
    /// Nothing: a name that others may link to, or what once was.
    Nothing,
}

impl Dirent {
    /// From where it begins; with the number of bytes that it takes. `Ok(None)`: it goes on beyond these bytes.
    pub fn read(bytes: &Bytes) -> Result<Option<(Dirent, usize)>, ZimError> {
        let field = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let Some(&[kind_low, kind_high, parameters, namespace]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let kind = u16::from_le_bytes([kind_low, kind_high]);
        let (target, names_at) = match kind {
            0xffff => match field(8) {
                Some(entry) => (Target::Redirect { entry }, 12),
                None => return Ok(None),
            },
            0xfffe | 0xfffd => (Target::Nothing, 8),
            kind => match (field(8), field(12)) {
                (Some(cluster), Some(blob)) => (Target::Content { kind, cluster, blob }, 16),
                _ => return Ok(None),
            },
        };
        let end_of = |from: usize| Some(from + bytes.get(from..)?.iter().position(|&byte| byte == 0)?);
        let ends = end_of(names_at).and_then(|path| Some((path, end_of(path + 1)?)));
        let Some((path_end, title_end)) = ends else {
            return match bytes.len() {
                LONGEST.. => Err(ZimError::Broken(format!("an entry has more than {LONGEST} bytes"))),
                _ => Ok(None),
            };
        };
        let dirent = Dirent {
            namespace,
            path: bytes.slice(names_at..path_end),
            title: bytes.slice(path_end + 1..title_end),
            target,
        };
        Ok(Some((dirent, title_end + 1 + usize::from(parameters))))
    }

    /// What stands in the file, or the path where that is nothing.
    pub fn title(&self) -> &Bytes {
        if self.title.is_empty() { &self.path } else { &self.title }
    }

    /// The order of entries in the path list: by namespace, then by path, byte by byte.
    pub fn key(&self) -> (u8, &[u8]) {
        (self.namespace, &self.path)
    }
}
