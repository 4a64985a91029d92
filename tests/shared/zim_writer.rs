//! Makes ZIM files in memory, for tests: of any version, compression and order, the broken ones too.

use std::collections::BTreeMap;

/// What is put into a ZIM file. The order of entries does not matter.
#[derive(Clone, Debug)]
pub struct Writer {
    pub major: u16,
    pub minor: u16,
    pub compression: Compression,
    /// 64-bit offsets in clusters.
    pub extended: bool,
    /// A cluster gets no more blobs once it has so many bytes.
    pub cluster_size: usize,
    /// The old title list, in the header.
    pub title_list: bool,
    /// `X/listing/titleOrdered/v1` (and `v0`), of the entries that are marked as articles.
    pub listing: bool,
    /// Namespace and path of the main page.
    pub main_page: Option<(u8, String)>,
    pub entries: Vec<Written>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// With the number 1; 0 means the same, and is used for every other cluster.
    None,
    Xz,
    Zstd,
}

#[derive(Clone, Debug)]
pub struct Written {
    pub namespace: u8,
    pub path: Vec<u8>,
    pub title: String,
    pub what: What,
    /// In the listing of articles.
    pub is_article: bool,
}

#[derive(Clone, Debug)]
pub enum What {
    /// Its type, and its bytes.
    Content(&'static str, Vec<u8>),
    /// To a namespace and a path; to what is not there: to the entry of number `u32::MAX - 1`.
    Redirect(u8, String),
    LinkTarget,
    Deleted,
}

impl Default for Writer {
    fn default() -> Self {
        Writer {
            major: 6,
            minor: 1,
            compression: Compression::Zstd,
            extended: false,
            cluster_size: 16 * 1024,
            title_list: true,
            listing: true,
            main_page: None,
            entries: Vec::new(),
        }
    }
}

impl Writer {
    pub fn page(mut self, path: &str, title: &str, html: &str) -> Writer {
        let what = What::Content("text/html", html.as_bytes().to_vec());
        let namespace = self.content_namespace();
        self.entries.push(Written {
            namespace,
            path: path.into(),
            title: title.to_owned(),
            what,
            is_article: true,
        });
        self
    }

    pub fn file(
        mut self,
        namespace: u8,
        path: &str,
        kind: &'static str,
        bytes: impl Into<Vec<u8>>,
    ) -> Writer {
        let what = What::Content(kind, bytes.into());
        self.entries.push(Written {
            namespace,
            path: path.into(),
            title: String::new(),
            what,
            is_article: false,
        });
        self
    }

    pub fn redirect(mut self, path: &str, title: &str, to: &str) -> Writer {
        let namespace = self.content_namespace();
        let what = What::Redirect(namespace, to.to_owned());
        self.entries.push(Written {
            namespace,
            path: path.into(),
            title: title.to_owned(),
            what,
            is_article: true,
        });
        self
    }

    /// `C`, or `A` where namespaces are the old ones.
    pub fn content_namespace(&self) -> u8 {
        if self.major == 6 && self.minor >= 1 { b'C' } else { b'A' }
    }

    /// The whole file.
    pub fn write(mut self) -> Vec<u8> {
        if self.listing {
            for version in ["v0", "v1"] {
                let path = format!("listing/titleOrdered/{version}");
                self = self.file(b'X', &path, "application/octet-stream+zimlisting", Vec::new());
            }
        }
        self.entries.sort_by(|a, b| (a.namespace, &a.path).cmp(&(b.namespace, &b.path)));
        self.entries.dedup_by(|a, b| (a.namespace, &a.path) == (b.namespace, &b.path));
        self.fill_listings();
        let kinds = self.kinds();
        let (clusters, places) = self.clusters();
        let index: BTreeMap<(u8, &[u8]), u32> = self
            .entries
            .iter()
            .enumerate()
            .map(|(i, e)| ((e.namespace, e.path.as_slice()), i as u32))
            .collect();

        let mut file = vec![0; 80];
        let mime_list_at = file.len() as u64;
        for kind in &kinds {
            file.extend(kind.bytes().chain([0]));
        }
        file.push(0);
        let mut dirents = Vec::new();
        for (entry, place) in self.entries.iter().zip(&places) {
            dirents.push(file.len() as u64);
            let head = |kind: u16| {
                [kind.to_le_bytes().as_slice(), &[0, entry.namespace], &0u32.to_le_bytes()].concat()
            };
            match &entry.what {
                What::Content(kind, _) => {
                    let kind = kinds.iter().position(|one| one == kind).unwrap_or_default() as u16;
                    file.extend(head(kind));
                    file.extend(place.0.to_le_bytes().into_iter().chain(place.1.to_le_bytes()));
                }
                What::Redirect(namespace, to) => {
                    file.extend(head(0xffff));
                    let to = index.get(&(*namespace, to.as_bytes())).copied().unwrap_or(u32::MAX - 1);
                    file.extend(to.to_le_bytes());
                }
                What::LinkTarget => file.extend(head(0xfffe)),
                What::Deleted => file.extend(head(0xfffd)),
            }
            let title = if entry.title.as_bytes() == entry.path { "" } else { &entry.title };
            file.extend(entry.path.iter().copied().chain([0]).chain(title.bytes()).chain([0]));
        }
        let path_pointers_at = file.len() as u64;
        file.extend(dirents.iter().flat_map(|at| at.to_le_bytes()));
        let title_pointers_at = if self.title_list {
            let at = file.len() as u64;
            let order = self.title_order(|_| true);
            file.extend(order.iter().flat_map(|index| index.to_le_bytes()));
            at
        } else {
            u64::MAX
        };
        let mut cluster_places = Vec::new();
        for cluster in &clusters {
            cluster_places.push(file.len() as u64);
            file.extend(cluster);
        }
        let cluster_pointers_at = file.len() as u64;
        file.extend(cluster_places.iter().flat_map(|at| at.to_le_bytes()));
        let checksum_at = file.len() as u64;
        let main = self.main_page.as_ref().and_then(|(n, path)| index.get(&(*n, path.as_bytes())).copied());
        let header = [
            72_173_914u32.to_le_bytes().as_slice(),
            &self.major.to_le_bytes(),
            &self.minor.to_le_bytes(),
            &[7; 16],
            &(self.entries.len() as u32).to_le_bytes(),
            &(clusters.len() as u32).to_le_bytes(),
            &path_pointers_at.to_le_bytes(),
            &title_pointers_at.to_le_bytes(),
            &cluster_pointers_at.to_le_bytes(),
            &mime_list_at.to_le_bytes(),
            &main.unwrap_or(u32::MAX).to_le_bytes(),
            &u32::MAX.to_le_bytes(),
            &checksum_at.to_le_bytes(),
        ]
        .concat();
        file[..80].copy_from_slice(&header);
        use md5::Digest;
        let sum = md5::Md5::digest(&file);
        file.extend(sum);
        file
    }

    fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| match entry.what {
                What::Content(kind, _) => Some(kind),
                _ => None,
            })
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Entries' numbers in the order of namespaces and titles.
    fn title_order(&self, is_in: impl Fn(&Written) -> bool) -> Vec<u32> {
        let title = |i: u32| {
            let entry = &self.entries[i as usize];
            let title = if entry.title.is_empty() { entry.path.as_slice() } else { entry.title.as_bytes() };
            (entry.namespace, title)
        };
        let mut order: Vec<u32> =
            (0..self.entries.len() as u32).filter(|&i| is_in(&self.entries[i as usize])).collect();
        order.sort_by(|&a, &b| title(a).cmp(&title(b)));
        order
    }

    fn fill_listings(&mut self) {
        let v0 = self.title_order(|_| true);
        let v1 = self.title_order(|entry| entry.is_article);
        for entry in &mut self.entries {
            let order = match entry.path.as_slice() {
                b"listing/titleOrdered/v0" => &v0,
                b"listing/titleOrdered/v1" => &v1,
                _ => continue,
            };
            if let (b'X', What::Content(_, bytes)) = (entry.namespace, &mut entry.what) {
                *bytes = order.iter().flat_map(|index| index.to_le_bytes()).collect();
            }
        }
    }

    /// The clusters as they stand in the file, and of each entry its cluster and blob. Indexes (`X`) and media are not compressed, as
    /// in files of openZIM's own writers.
    fn clusters(&self) -> (Vec<Vec<u8>>, Vec<(u32, u32)>) {
        let mut packed: Vec<(bool, Vec<&[u8]>)> = Vec::new();
        let mut open: [Option<usize>; 2] = [None, None];
        let mut places = Vec::new();
        for entry in &self.entries {
            let What::Content(kind, bytes) = &entry.what else {
                places.push((0, 0));
                continue;
            };
            let is_packed =
                entry.namespace != b'X' && !kind.starts_with("video/") && !kind.starts_with("image/");
            let slot = &mut open[usize::from(is_packed)];
            let cluster = *slot.get_or_insert_with(|| {
                packed.push((is_packed, Vec::new()));
                packed.len() - 1
            });
            let blobs = &mut packed[cluster].1;
            places.push((cluster as u32, blobs.len() as u32));
            blobs.push(bytes);
            if blobs.iter().map(|blob| blob.len()).sum::<usize>() >= self.cluster_size {
                *slot = None;
            }
        }
        let clusters = packed
            .iter()
            .enumerate()
            .map(|(number, (is_packed, blobs))| self.cluster(number, *is_packed, blobs));
        (clusters.collect(), places)
    }

    fn cluster(&self, number: usize, is_packed: bool, blobs: &[&[u8]]) -> Vec<u8> {
        let size = if self.extended { 8 } else { 4 };
        let mut offset = (blobs.len() + 1) * size;
        let mut data = Vec::new();
        let offsets = blobs.iter().map(|blob| blob.len()).chain([0]);
        for length in offsets {
            data.extend(&(offset as u64).to_le_bytes()[..size]);
            offset += length;
        }
        data.extend(blobs.concat());
        let compression = if is_packed { self.compression } else { Compression::None };
        let (number, data) = match compression {
            Compression::None => ((number % 2) as u8, data),
            Compression::Xz => (4, xz(&data)),
            Compression::Zstd => (5, zstd::encode_all(data.as_slice(), 3).expect("it is in memory")),
        };
        let info = number | if self.extended { 0x10 } else { 0 };
        [vec![info], data].concat()
    }
}

fn xz(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 3);
    encoder.write_all(data).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}
