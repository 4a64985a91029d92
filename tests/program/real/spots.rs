//! Reads here and there: many at once, by mapping, by a program that is run from the mount, by a disk benchmark.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::mounted::Mounted;
use super::noise::{Numbers, noise};
use crate::seeds::{Seeds, Torrent};

const MIB: usize = 1024 * 1024;

#[test]
fn sixteen_readers_at_random_places_at_once() {
    let film = noise(16, 48 * MIB + 1000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 3);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let path = mounted.path("film.bin");
    std::thread::scope(|scope| {
        for reader in 0..16 {
            let (film, path) = (&film, &path);
            scope.spawn(move || {
                // Half of them share a length that is not a page's.
                let file = File::open(path).expect("opens");
                let mut places = Numbers::new(reader);
                for _ in 0..40 {
                    let length = 1 + places.below(200_000) as usize;
                    let offset = places.below((film.len() - length) as u64) as usize;
                    let mut read = vec![0; length];
                    file.read_exact_at(&mut read, offset as u64).expect("reads");
                    assert!(read == film[offset..offset + length], "reader {reader} at {offset}");
                }
            });
        }
    });
    mounted.ends_well();
}

/// Compares some places of two files, one of which is mapped.
const MAPPER: &str = r#"
import mmap, random, sys
mapped, plain = open(sys.argv[1], "rb"), open(sys.argv[2], "rb").read()
with mmap.mmap(mapped.fileno(), 0, access=mmap.ACCESS_READ) as pages:
    assert len(pages) == len(plain), len(pages)
    chance = random.Random(5)
    for _ in range(200):
        at = chance.randrange(len(plain))
        size = chance.choice([1, 4096, 70000])
        assert pages[at:at + size] == plain[at:at + size], at
    assert pages.find(plain[-20:]) == len(plain) - 20
print("all as it should be")
"#;

#[test]
fn a_large_file_is_mapped() {
    let film = noise(17, 24 * MIB + 1000);
    let torrent = Torrent::of_file("film.bin", &film);
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let plain = torrent.folder.join("film.bin");
    let words = ["python3", "-c", MAPPER, "film.bin", plain.to_str().expect("a plain name")];
    assert_eq!(mounted.runs("python3", &words), "all as it should be\n");
    mounted.ends_well();
}

#[test]
fn a_program_is_run_from_the_mount() {
    // This very program, some megabytes with debug information: the loader maps it, and the kernel asks for its pages.
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_peerflix")).expect("built before");
    let torrent = Torrent::of_file("peerflix", &bytes);
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let program = mounted.path("peerflix");
    let said = mounted.runs("libc-bin", &[program.to_str().expect("a plain name"), "--version"]);
    assert!(said.starts_with("peerflix "), "{said}");
    mounted.ends_well();
}

/// Past the kernel's cache, so that every read is answered by peerflix.
#[test]
fn fio_reads_at_random_for_a_minute() {
    let torrent = Torrent::of_file("film.bin", &noise(18, 96 * MIB + 1000));
    let seeds = Seeds::of(&torrent, 3);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let words = [
        "fio",
        "--name=films",
        "--filename=film.bin",
        "--readonly",
        "--rw=randread",
        "--ioengine=psync",
        "--bs=4k-128k",
        "--numjobs=4",
        "--norandommap",
        "--direct=1",
        "--time_based",
        "--runtime=60",
        "--group_reporting",
        "--output-format=json",
    ];
    let said = mounted.runs("fio", &words);
    let told: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let job = &told["jobs"][0];
    assert_eq!(job["error"], 0, "{said}");
    let reads = job["read"]["total_ios"].as_u64().expect("a number");
    println!(
        "fio: {reads} reads in a minute, the longest {} ms",
        job["read"]["clat_ns"]["max"].as_u64().unwrap_or(0) / 1_000_000
    );
    assert!(reads > 1_000, "{said}");
    mounted.ends_well();
}
