//! Clusters as they can be: huge, hostile, obsolete, out of order, far away.

use std::io::Write;

use super::super::far::Far;
use super::super::naive::Naive;
use super::super::writer::{Compression, What, Written};
use super::*;

const ZSTD: u8 = 5;
const XZ: u8 = 4;

/// A file whose pages `0`, `1`, ... are the blobs of one cluster, which is this.
fn with_cluster(cluster: &[u8], pages: u32) -> Vec<u8> {
    let writer = (0..pages).fold(Writer { listing: false, ..Writer::default() }, |writer, page| {
        writer.page(&format!("{page:03}"), "", "x")
    });
    let mut file = writer.write();
    let header = Header::read(&file, file.len() as u64).expect("a header");
    assert_eq!(header.clusters, 1);
    let (end, pointer) = (file.len() as u64, header.cluster_pointers_at as usize);
    file[pointer..pointer + 8].copy_from_slice(&end.to_le_bytes());
    // Else the checksum would be where the file ends.
    file[72..80].fill(0xff);
    file.extend(cluster);
    file
}

fn table(offsets: &[u32]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect()
}

fn zstd(parts: &[&[u8]]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(vec![ZSTD], 1).expect("an encoder");
    parts.iter().for_each(|part| encoder.write_all(part).expect("it is in memory"));
    encoder.finish().expect("it is in memory")
}

async fn page(zim: &Zim, page: u32) -> Result<Bytes, ZimError> {
    let entry = zim.find(b'C', format!("{page:03}").as_bytes()).await?.expect("it is there");
    content(zim, &entry.dirent).await
}

fn why(result: Result<Bytes, ZimError>) -> String {
    result.expect_err("an error").to_string()
}

#[tokio::test]
async fn compressions_of_long_ago_are_named() {
    for (info, name) in [(2, "zlib"), (3, "bzip2")] {
        let zim = open(with_cluster(&[info, 0, 0, 0, 0], 1)).await;
        let expected = format!("the ZIM file uses {name}, which was given up long ago and cannot be read");
        assert_eq!(why(page(&zim, 0).await), expected);
    }
    let zim = open(with_cluster(&[7, 0, 0, 0, 0], 1)).await;
    assert!(why(page(&zim, 0).await).contains("in a way that nobody knows (7)"));
}

#[tokio::test]
async fn offsets_that_cannot_be_are_errors_of_the_blobs_they_are_of() {
    // The blobs 0 and 3 are right; 1 ends before it begins, 2 begins within the offsets.
    let offsets = table(&[20, 22, 4, 22, 25]);
    for cluster in [[&[1], offsets.as_slice(), b"abcde"].concat(), zstd(&[&offsets, b"abcde"])] {
        let zim = open(with_cluster(&cluster, 5)).await;
        assert_eq!(page(&zim, 0).await.expect("the first"), "ab");
        assert_eq!(page(&zim, 3).await.expect("the last"), "cde");
        assert!(why(page(&zim, 1).await).contains("blob 1 would lie from 22 to 4"));
        assert!(why(page(&zim, 2).await).contains("blob 2 would lie from 4 to 22"));
        assert!(why(page(&zim, 4).await).contains("it has 4 blobs, and none of number 4"));
    }
    let beyond = table(&[12, 14, u32::MAX]);
    let zim = open(with_cluster(&[&[1], beyond.as_slice(), b"abc"].concat(), 2)).await;
    assert_eq!(page(&zim, 0).await.expect("the first"), "ab");
    assert!(why(page(&zim, 1).await).contains("goes on beyond the end of its cluster"));
    for first in [0, 1, 2, 3, 5, 4000, u32::MAX, u32::MAX - 3] {
        for cluster in
            [[&[1], table(&[first, 14]).as_slice(), b"abc"].concat(), zstd(&[&table(&[first, 14])])]
        {
            let zim = open(with_cluster(&cluster, 1)).await;
            assert!(page(&zim, 0).await.is_err(), "{first}");
        }
    }
}

#[tokio::test]
async fn what_a_cluster_has_behind_its_last_blob_is_not_looked_at() {
    let offsets = table(&[8, 10]);
    let mut cluster = zstd(&[&offsets, b"ab", &[0; 100_000]]);
    cluster.extend(b"and something else");
    let zim = open(with_cluster(&cluster, 1)).await;
    assert_eq!(page(&zim, 0).await.expect("a page"), "ab");
}

#[tokio::test]
async fn a_cluster_that_decodes_to_less_than_it_says_is_an_error() {
    let mut cluster = zstd(&[&table(&[8, 1_000_000]), &[7; 1000]]);
    let zim = open(with_cluster(&cluster, 1)).await;
    assert_eq!(
        why(page(&zim, 0).await),
        "the ZIM file is broken: a cluster ends at byte 1008 and should have 1000000"
    );
    cluster.truncate(cluster.len() - 5);
    let zim = open(with_cluster(&cluster, 1)).await;
    assert!(why(page(&zim, 0).await).contains("goes on where something else begins"));
}

#[tokio::test]
async fn a_bomb_is_not_decoded_and_what_lies_before_it_is() {
    const MIB: u32 = 1024 * 1024;
    let zeros = vec![0; MIB as usize];
    let bomb = |offsets: &[u32], mebibytes: u32| {
        let mut encoder = zstd::stream::write::Encoder::new(vec![ZSTD], 1).expect("an encoder");
        encoder.write_all(&table(offsets)).expect("it is in memory");
        encoder.write_all(b"ab").expect("it is in memory");
        (0..mebibytes).for_each(|_| encoder.write_all(&zeros).expect("it is in memory"));
        encoder.finish().expect("it is in memory")
    };
    // A page, one of 20 MiB that is decoded by itself, one that is too large, and one that lies too far away.
    let ends = [20, 22, 22 + 20 * MIB, 22 + 300 * MIB, 23 + 300 * MIB];
    let zim = open(with_cluster(&bomb(&ends, 301), 4)).await;
    assert_eq!(page(&zim, 0).await.expect("a page"), "ab");
    assert_eq!(page(&zim, 1).await.expect("a large one").len(), 20 * MIB as usize);
    assert!(matches!(page(&zim, 2).await, Err(ZimError::TooLarge(_))));
    assert!(matches!(page(&zim, 3).await, Err(ZimError::TooLarge(_))));
    // One whose offsets alone would be a gigabyte.
    let zim = open(with_cluster(&zstd(&[&table(&[1024 * MIB, 0])]), 1)).await;
    assert!(why(page(&zim, 0).await).contains("would begin with 1073741824 bytes of offsets"));
}

#[tokio::test]
async fn a_decoder_that_wants_too_much_memory_gets_none() {
    let offsets = [table(&[8, 10]).as_slice(), b"ab"].concat();
    let mut options = liblzma::stream::LzmaOptions::new_preset(1).expect("a preset");
    options.dict_size(256 * 1024 * 1024);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32);
    let mut encoder = liblzma::write::XzEncoder::new_stream(vec![XZ], stream.expect("an encoder"));
    encoder.write_all(&offsets).expect("it is in memory");
    let zim = open(with_cluster(&encoder.finish().expect("it is in memory"), 1)).await;
    assert!(why(page(&zim, 0).await).contains("XZ says"));

    // A frame with a window of 2 GiB, written by hand: the magic number, no length, the window's exponent.
    let frame = [&[ZSTD, 0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3][..], &[0x11, 0, 0], &offsets].concat();
    let zim = open(with_cluster(&frame, 1)).await;
    assert!(why(page(&zim, 0).await).contains("zstd says"));
}

#[tokio::test]
async fn clusters_need_not_be_in_order() {
    for compression in [Compression::None, Compression::Xz, Compression::Zstd] {
        let writer = (0..10)
            .fold(Writer { compression, cluster_size: 1, ..Writer::default() }, |writer, page| {
                writer.page(&page.to_string(), "", &format!("page {page}"))
            });
        let mut file = writer.write();
        let naive = Naive::new(file.clone());
        // The pointers the other way round; and all that is in the clusters with them.
        let list = naive.header.cluster_pointers_at as usize;
        let pointers = file[list..list + 8 * naive.header.clusters as usize].to_vec();
        for (number, pointer) in pointers.chunks(8).rev().enumerate() {
            file[list + 8 * number..list + 8 * number + 8].copy_from_slice(pointer);
        }
        let zim = open(file).await;
        for dirent in &naive.dirents {
            let Target::Content { kind, cluster, blob } = dirent.target else { continue };
            let turned = Target::Content { kind, cluster: naive.header.clusters - 1 - cluster, blob };
            let mut elsewhere = dirent.clone();
            elsewhere.target = turned;
            let bytes = content(&zim, &elsewhere).await;
            assert_eq!(bytes.ok().as_deref(), naive.content(dirent).as_deref(), "{dirent:?}");
        }
    }
}

#[tokio::test]
async fn a_cluster_is_decoded_once_while_many_read_it() {
    let text = |page: u32| format!("{page} ").repeat(20_000);
    let writer = (0..10)
        .fold(Writer { cluster_size: 10_000_000, listing: false, ..Writer::default() }, |w, page| {
            w.page(&format!("{page:03}"), "", &text(page))
        });
    for compression in [Compression::Xz, Compression::Zstd] {
        let memory = Memory::new(Writer { compression, ..writer.clone() }.write());
        let zim = Zim::open(memory.archive()).await.expect("it opens");
        let mut dirents = Vec::new();
        for index in 0..10 {
            dirents.push(zim.entry(index).await.expect("an entry").dirent);
        }
        let before = memory.read.load(Ordering::Relaxed);
        let reads = dirents.iter().cycle().take(50).map(|dirent| content(&zim, dirent));
        for (number, bytes) in futures_util::future::join_all(reads).await.into_iter().enumerate() {
            assert_eq!(bytes.expect("a page"), text(number as u32 % 10));
        }
        let read = memory.read.load(Ordering::Relaxed) - before;
        assert!(read < memory.bytes.len() as u64, "{read} bytes were read of {}", memory.bytes.len());
    }
}

#[tokio::test]
async fn what_is_not_compressed_is_read_where_it_lies_and_only_what_is_asked_for() {
    let film: Vec<u8> = (0..1_000_000u32).map(|byte| (byte % 251) as u8).collect();
    let memory = Memory::new(small().file(b'C', "film.webm", "video/webm", film.clone()).write());
    let zim = Zim::open(memory.archive()).await.expect("it opens");
    let entry = zim.find(b'C', b"film.webm").await.expect("a lookup").expect("it is there");
    let before = memory.read.load(Ordering::Relaxed);
    let blob = zim.blob(&entry.dirent).await.expect("a blob");
    assert_eq!(blob.length(), 1_000_000);
    assert_eq!(blob.read(500_000..500_100).await.expect("a part"), film[500_000..500_100]);
    assert_eq!(blob.read(999_990..2_000_000).await.expect("its end"), film[999_990..]);
    assert_eq!(blob.read(1_000_000..u64::MAX).await.expect("nothing"), "");
    assert!(memory.read.load(Ordering::Relaxed) - before < 10_000);
    let reader = blob.reader();
    assert_eq!(reader.length(), 1_000_000);
    assert_eq!(reader.read_at(999_999, 100).await.expect("its last byte"), film[999_999..]);
    assert_eq!(reader.read_at(1_000_000, 100).await.expect("nothing"), "");
    assert_eq!(reader.read_at(u64::MAX, 100).await.expect("nothing"), "");
    assert!(matches!(blob.bytes(999_999).await, Err(ZimError::TooLarge(_))));
}

/// Pages of 40 kB that cannot be compressed, ten in a cluster, and pictures.
fn far_file(compression: Compression) -> Vec<u8> {
    let noise = |seed: u64| -> String {
        let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let letters = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'!' + (state >> 32) as u8 % 94)
        });
        letters.take(40_000).collect()
    };
    let writer = Writer { compression, cluster_size: 400_000, ..Writer::default() };
    let writer = (0..100).fold(writer, |writer, page| {
        let picture = noise(1000 + page).into_bytes();
        writer.page(&format!("{page:03}"), "", &noise(page)).file(
            b'C',
            &format!("{page:03}.png"),
            "image/png",
            picture,
        )
    });
    writer.write()
}

#[test]
fn a_page_far_away_is_one_trip_when_the_clusters_are_known_and_a_picture_two() {
    for compression in [Compression::Xz, Compression::Zstd] {
        let file = far_file(compression);
        let naive = Naive::new(file.clone());
        let far = Far::new(Bytes::from(file), 64 * 1024);
        let zim = far.run(Zim::open(far.archive())).0.expect("it opens");
        far.run(zim.prepare()).0.expect("it is read");
        for (path, trips) in [("042", 1), ("043", 0), ("077", 1), ("033.png", 2), ("034.png", 1)] {
            let dirent = naive.find(b'C', path.as_bytes()).expect("it is there");
            let (bytes, cost) = far.run(content(&zim, dirent));
            assert_eq!(bytes.ok().as_deref(), naive.content(dirent).as_deref());
            assert!(cost.trips <= trips, "{path}: {cost:?}");
        }
    }
}

#[test]
fn what_was_fetched_is_here_and_reads_without_a_trip() {
    for compression in [Compression::None, Compression::Xz, Compression::Zstd] {
        let file = far_file(compression);
        let naive = Naive::new(file.clone());
        let far = Far::new(Bytes::from(file), 16 * 1024);
        let zim = far.run(Zim::open(far.archive())).0.expect("it opens");
        for path in ["000", "042", "099", "033.png", "099.png"] {
            let dirent = naive.find(b'C', path.as_bytes()).expect("it is there");
            assert!(!zim.is_here(dirent), "{path}");
            far.run(zim.fetch(dirent)).0.expect("it comes");
            assert!(zim.is_here(dirent), "{path}");
            let (bytes, cost) = far.run(content(&zim, dirent));
            assert_eq!(bytes.ok().as_deref(), naive.content(dirent).as_deref());
            assert_eq!(cost.trips, 0, "{path}");
        }
    }
}

#[tokio::test]
async fn a_blob_of_a_cluster_with_many_blobs_is_found_beyond_its_first_bytes() {
    let mut writer = Writer { cluster_size: 1_000_000, ..Writer::default() };
    for number in 0..5000u32 {
        let what = What::Content("image/png", number.to_le_bytes().to_vec());
        let path = format!("{number:04}").into_bytes();
        writer.entries.push(Written { namespace: b'C', path, title: String::new(), what, is_article: false });
    }
    for extended in [false, true] {
        let zim = open(Writer { extended, ..writer.clone() }.write()).await;
        for number in [0u32, 1, 500, 511, 512, 1023, 1024, 4999] {
            let path = format!("{number:04}");
            let entry = zim.find(b'C', path.as_bytes()).await.expect("a lookup").expect("it is there");
            assert_eq!(content(&zim, &entry.dirent).await.expect("a picture"), number.to_le_bytes()[..]);
        }
    }
}
