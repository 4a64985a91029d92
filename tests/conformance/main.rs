//! Real archives from a folder that is not part of the repository: `make conformance DATA=FOLDER`. Every entry of every ZIM file in
//! `FOLDER/zim` is read and held against what Debian's zimdump reads; files that are broken on purpose against what is broken.

mod dumped;
mod world;

use peerflix::wiki::zim::dirent::Target;
use peerflix::wiki::zim::{Zim, ZimError};

use self::dumped::{Dumped, What};
use self::world::{broken_files, contents, dirents, open, sibling, sound_files};

#[tokio::test]
async fn every_entry_of_every_file_reads_as_zimdump_reads_it() {
    for path in sound_files() {
        let zim = open(&path).await.expect("a sound file opens");
        let count = zim.header().entries;
        println!("{}: {count} entries", path.display());
        let new = zim.header().has_new_namespaces();
        for index in 0..count {
            let dumped = Dumped::of(&path, index);
            let entry = zim.entry(index).await.expect("an entry of a sound file");
            let dirent = &entry.dirent;
            let name = String::from_utf8_lossy(&dirent.path);
            let place = format!("{}: entry {index}, {name}", path.display());
            let namespace = char::from(dirent.namespace);
            let shown = if new { name.to_string() } else { format!("{namespace}/{name}") };
            assert_eq!(dumped.path, shown, "{place}");
            assert_eq!(dumped.title, String::from_utf8_lossy(dirent.title()), "{place}");
            let found = zim.find(dirent.namespace, &dirent.path).await.expect("a lookup");
            assert_eq!(found.expect("what is there is found").dirent, *dirent, "{place}");
            match dumped.what {
                What::Redirect(to) => assert_eq!(dirent.target, Target::Redirect { entry: to }, "{place}"),
                What::Item { kind, bytes } => {
                    assert_eq!(zim.kind(dirent), Some(kind.as_str()), "{place}");
                    let blob = zim.blob(dirent).await.expect("an item has content");
                    assert!(blob.bytes(u64::MAX).await.expect("it is read") == bytes, "{place}: other bytes");
                }
            }
        }
        assert!(zim.entry(count).await.is_err());
        assert_ne!(zim.verify(|_| ()).await.expect("it is read"), Some(false), "{}", path.display());
    }
}

#[tokio::test]
async fn every_title_of_every_file_is_found_by_its_beginning() {
    for path in sound_files() {
        let zim = open(&path).await.expect("a sound file opens");
        let namespace = if zim.header().has_new_namespaces() { b'C' } else { b'A' };
        let all = zim.titles("", usize::MAX).await.expect("the titles");
        assert!(!all.is_empty(), "{} has articles", path.display());
        for entry in all {
            assert_eq!(entry.dirent.namespace, namespace);
            let title = String::from_utf8_lossy(entry.dirent.title()).into_owned();
            let found = zim.titles(&title, 1000).await.expect("a search");
            let is_in = found.iter().any(|found| found.dirent == entry.dirent);
            assert!(is_in, "{}: {title}", path.display());
        }
    }
}

#[tokio::test]
async fn of_broken_files_the_rest_is_read() {
    for path in broken_files() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        println!("{name}");
        let opened = open(&path).await;
        if name.contains("smaller_than_header") {
            assert!(matches!(opened, Err(ZimError::NotZim(_))), "{name}");
            continue;
        }
        let (broken, sound) =
            (opened.expect("the rest is read"), open(&sibling(&path)).await.expect("it opens"));
        let (ours, theirs) = (dirents(&broken).await, dirents(&sound).await);
        let (contents, expected) = (contents(&broken, &ours).await, contents(&sound, &theirs).await);
        let wrong = contents.iter().zip(&expected).filter(|(one, other)| one != other).count();
        if name.contains("nonsorted_dirent_table") {
            let mut pairs: Vec<_> = ours.iter().map(|dirent| dirent.key()).zip(&contents).collect();
            let mut sorted: Vec<_> = theirs.iter().map(|dirent| dirent.key()).zip(&expected).collect();
            pairs.sort();
            sorted.sort();
            assert!(pairs == sorted && wrong > 0, "{name}: all is there, in another order");
            continue;
        }
        let keys = |dirents: &[peerflix::wiki::zim::dirent::Dirent]| -> Vec<(u8, Vec<u8>)> {
            dirents.iter().map(|dirent| (dirent.namespace, dirent.path.to_vec())).collect()
        };
        assert_eq!(keys(&ours), keys(&theirs), "{name}: all entries are there");
        let items = expected.iter().flatten().count();
        let is_typeless = |zim: &Zim, dirents: &[peerflix::wiki::zim::dirent::Dirent]| {
            let items = dirents.iter().filter(|one| matches!(one.target, Target::Content { .. }));
            items.filter(|dirent| zim.kind(dirent).is_none()).count()
        };
        if name.contains("bad_mimetype_in_dirent") {
            assert_eq!(wrong, 0, "{name}: every content is read");
            assert!(is_typeless(&broken, &ours) > is_typeless(&sound, &theirs), "{name}: one has no type");
        } else if name.contains("offset_in_cluster") {
            assert!(
                (1..=2).contains(&wrong),
                "{name}: {wrong} blobs of {items} are broken, the two at the offset"
            );
        } else if name.contains("outofbounds_clusterptrpos") {
            assert_eq!(wrong, items, "{name}: no content can be read");
        }
    }
}
