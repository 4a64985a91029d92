//! Broken files: what is broken is an error, and the rest is read.

use super::super::header::HEADER;
use super::super::naive::Naive;
use super::super::writer::Compression;
use super::*;

/// More than any of the small files here contains: what claims to be longer is not read.
const MOST: u64 = 100_000;

/// Does whatever a site does with a file. Errors are fine; a panic is not, nor is what does not end.
async fn use_all_of(zim: &Zim) {
    let entries = zim.header().entries.min(50);
    for index in 0..entries {
        let Ok(entry) = zim.entry(index).await else { continue };
        let _ = zim.find(entry.dirent.namespace, &entry.dirent.path).await;
        let _ = zim.kind(&entry.dirent);
        let _ = zim.is_here(&entry.dirent);
        if let Ok(blob) = zim.blob(&entry.dirent).await {
            let _ = blob.bytes(MOST).await;
            let _ = blob.reader().read_at(blob.length() / 2, 100).await;
        }
        let _ = zim.fetch(&entry.dirent).await;
        let _ = zim.follow(entry).await;
    }
    let _ = zim.find(b'C', b"Rom").await;
    let _ = zim.near(b'C', b"Rom", 4).await;
    let _ = zim.main_page().await;
    let _ = (zim.metadata("Title").await, zim.illustration(48).await, zim.counter().await);
    let _ = (zim.titles("r", 10).await, zim.titles("", 10).await, zim.any(0.7).await, zim.articles());
    let _ = zim.prepare().await;
}

/// The bytes of a file on which an entry and its content rest, but for those on which everything does.
fn rests_on(naive: &Naive, index: usize) -> Vec<Range<usize>> {
    let pointer = naive.header.path_pointers_at as usize + 8 * index;
    let mut bytes = vec![pointer..pointer + 8, naive.place(index)];
    if let Target::Content { cluster, .. } = naive.dirents[index].target {
        let pointers = naive.header.cluster_pointers_at as usize + 8 * cluster as usize;
        bytes.extend([pointers..pointers + 16, naive.cluster(cluster)]);
    }
    bytes
}

#[tokio::test]
async fn one_wrong_byte_anywhere_does_no_harm_and_what_does_not_rest_on_it_is_read_as_before() {
    for compression in [Compression::None, Compression::Xz, Compression::Zstd] {
        let file = Writer { compression, cluster_size: 20, ..small() }.write();
        let naive = Naive::new(file.clone());
        // The header and the list of types come first, then the entries.
        let entries_at = naive.place(0).start;
        for at in 0..file.len() {
            for wrong in [file[at] ^ 1, !file[at], 0, 0x7f] {
                let mut broken = file.clone();
                broken[at] = wrong;
                let Ok(zim) = Zim::open(Memory::new(broken).archive()).await else {
                    assert!(at < HEADER, "byte {at} is no reason not to open the file");
                    continue;
                };
                use_all_of(&zim).await;
                for (index, dirent) in naive.dirents.iter().enumerate() {
                    if at < entries_at || rests_on(&naive, index).iter().any(|bytes| bytes.contains(&at)) {
                        continue;
                    }
                    let entry = zim.entry(index as u32).await.expect("an entry");
                    assert_eq!(&entry.dirent, dirent, "byte {at}, entry {index}");
                    let bytes = content(&zim, dirent).await.ok();
                    assert_eq!(
                        bytes.as_deref(),
                        naive.content(dirent).as_deref(),
                        "byte {at}, entry {index}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_ends_too_early_does_no_harm() {
    let file = Writer { cluster_size: 20, ..small() }.write();
    let naive = Naive::new(file.clone());
    let lists_end = naive.header.path_pointers_at as usize + 8 * naive.dirents.len();
    for length in 0..file.len() {
        match Zim::open(Memory::new(file[..length].to_vec()).archive()).await {
            Ok(zim) => {
                assert!(length >= lists_end, "{length} bytes have no path list");
                use_all_of(&zim).await;
                let rome = zim.find(b'C', b"Rome").await.expect("a lookup");
                assert!(rome.is_some(), "{length}");
            }
            Err(why) => assert!(length < lists_end, "{length} bytes have a path list: {why}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_zim_file_is_told_so() {
    for (file, why) in [
        (Vec::new(), "it is no ZIM file: it has 0 bytes, and the header alone has 80"),
        (b"ZIM\x04".to_vec(), "it is no ZIM file: it has 4 bytes, and the header alone has 80"),
        (vec![0; 1000], "it is no ZIM file: it does not begin as one"),
        (
            Writer { major: 4, ..small() }.write(),
            "it is no ZIM file: it is of version 4.1; 5 and 6 can be read",
        ),
    ] {
        let error = Zim::open(Memory::new(file).archive()).await.err().expect("an error");
        assert_eq!(error.to_string(), why);
    }
}

/// With a field of the header set to this.
fn with_field(at: usize, value: u64) -> Vec<u8> {
    let mut file = Writer { listing: false, ..small() }.write();
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    file
}

#[tokio::test]
async fn a_list_that_lies_outside_takes_only_what_is_in_it() {
    for outside in [0, 79, 1 << 40, u64::MAX - 3, u64::MAX] {
        let zim = open(with_field(48, outside)).await;
        let paris = zim.find(b'C', b"Paris").await.expect("a lookup").expect("it is there");
        assert!(
            matches!(content(&zim, &paris.dirent).await, Err(ZimError::Broken(_))),
            "clusters at {outside}"
        );

        let zim = open(with_field(40, outside)).await;
        assert_eq!(content(&zim, &paris.dirent).await.expect("its text"), "<h1>Paris</h1>");
        assert_eq!(zim.titles("Par", 3).await.expect("by path").len(), 1, "titles at {outside}");

        let zim = open(with_field(56, outside)).await;
        assert_eq!(content(&zim, &paris.dirent).await.expect("its text"), "<h1>Paris</h1>");

        assert!(Zim::open(Memory::new(with_field(32, outside)).archive()).await.is_err());
    }
}

#[tokio::test]
async fn a_type_that_is_not_in_the_list_is_none_and_its_entry_is_read() {
    let mut file = small().write();
    let paris = Naive::new(file.clone());
    let (index, _) =
        paris.dirents.iter().enumerate().find(|(_, dirent)| dirent.path == "Paris").expect("it is there");
    let place = paris.place(index);
    file[place.start..place.start + 2].copy_from_slice(&77u16.to_le_bytes());
    let zim = open(file).await;
    let entry = zim.find(b'C', b"Paris").await.expect("a lookup").expect("it is there");
    assert_eq!(zim.kind(&entry.dirent), None);
    assert_eq!(content(&zim, &entry.dirent).await.expect("its text"), "<h1>Paris</h1>");
}

#[tokio::test]
async fn a_broken_listing_is_as_none() {
    let file = Writer { cluster_size: 1, ..small() }.write();
    let naive = Naive::new(file.clone());
    let listing = naive.find(b'X', b"listing/titleOrdered/v1").expect("it is there").clone();
    let Target::Content { cluster, .. } = listing.target else { panic!("a listing has content") };
    let mut broken = file;
    // A compression that nobody knows.
    broken[naive.cluster(cluster).start] = 0x0e;
    let zim = open(broken).await;
    assert!(content(&zim, &listing).await.is_err());
    assert!(!zim.titles("Ro", 3).await.expect("another list").is_empty());
}
