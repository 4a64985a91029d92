//! The reader beside the naive one, on well-formed files.

use proptest::prelude::*;

use super::super::naive::Naive;
use super::super::writer::{Compression, What, Writer, Written};
use super::*;

async fn same(file: Vec<u8>) {
    let naive = Naive::new(file.clone());
    let zim = open(file).await;
    for (index, dirent) in naive.dirents.iter().enumerate() {
        let entry = zim.entry(index as u32).await.expect("an entry");
        assert_eq!(&entry.dirent, dirent);
        let found = zim.find(dirent.namespace, &dirent.path).await.expect("a lookup").expect("it is there");
        assert_eq!(&found.dirent, dirent);
        assert_eq!(zim.kind(dirent).map(str::to_owned), naive.kind(dirent));
        match naive.content(dirent) {
            Some(content) => {
                let blob = zim.blob(dirent).await.expect("a blob");
                assert_eq!(blob.length(), content.len() as u64);
                assert_eq!(blob.bytes(u64::MAX).await.expect("its bytes"), content);
                assert!(zim.is_here(dirent));
            }
            None => assert!(zim.blob(dirent).await.is_err() && zim.fetch(dirent).await.is_err()),
        }
        let (end, followed) = (naive.follow(index), zim.follow(entry).await);
        assert_eq!(followed.ok().map(|entry| entry.dirent), end.cloned());
    }
    assert!(zim.entry(naive.header.entries).await.is_err());
}

#[tokio::test]
async fn all_compressions_read_as_the_naive_reader_reads_them() {
    for compression in [Compression::None, Compression::Xz, Compression::Zstd] {
        for extended in [false, true] {
            same(Writer { compression, extended, cluster_size: 20, ..small() }.write()).await;
            same(Writer { compression, extended, ..small() }.write()).await;
        }
    }
}

#[tokio::test]
async fn a_file_with_nothing_in_it_has_nothing() {
    let zim = open(Writer { listing: false, ..Writer::default() }.write()).await;
    assert_eq!(zim.find(b'C', b"Paris").await.expect("a lookup"), None);
    assert_eq!(zim.main_page().await.expect("a lookup"), None);
    assert_eq!(zim.any(0.5).await.expect("a lookup"), None);
    assert_eq!(zim.metadata("Title").await.expect("a lookup"), None);
    assert_eq!(zim.illustration(48).await.expect("a lookup"), None);
    assert!(zim.titles("", 10).await.expect("a lookup").is_empty());
    assert_eq!(zim.verify(|_| ()).await.expect("a sum"), Some(true));
    zim.prepare().await.expect("nothing to prepare");
}

#[tokio::test]
async fn the_main_page_is_the_headers_or_the_well_known_one_redirects_followed() {
    let page =
        |zim: Zim| async move { zim.main_page().await.expect("a lookup").map(|entry| entry.dirent.path) };
    assert_eq!(page(open(small().write()).await).await, Some("Paris".into()));
    let redirected = Writer { main_page: Some((b'C', "Roma".into())), ..small() };
    assert_eq!(page(open(redirected.write()).await).await, Some("Rome".into()));
    let mut known = Writer { main_page: None, ..small() };
    let what = What::Redirect(b'C', "Roma".into());
    let main =
        Written { namespace: b'W', path: "mainPage".into(), title: String::new(), what, is_article: false };
    known.entries.push(main);
    assert_eq!(page(open(known.write()).await).await, Some("Rome".into()));
    assert_eq!(page(open(Writer { main_page: None, ..small() }.write()).await).await, None);
}

#[tokio::test]
async fn redirects_in_a_circle_and_into_nothing_are_errors() {
    let writer =
        small().redirect("one", "", "other").redirect("other", "", "one").redirect("lost", "", "nowhere");
    let zim = open(writer.redirect("self", "", "self").write()).await;
    for path in ["one", "other", "lost", "self"] {
        let entry = zim.find(b'C', path.as_bytes()).await.expect("a lookup").expect("it is there");
        assert!(matches!(zim.follow(entry).await, Err(ZimError::Broken(_))), "{path}");
    }
    let many = (0..60).fold(Writer::default().page("60", "", "the end"), |writer, number| {
        writer.redirect(&format!("{number:02}"), "", &format!("{:02}", number + 1))
    });
    let zim = open(many.write()).await;
    let end = |from: &'static str| {
        let zim = &zim;
        async move {
            let entry = zim.find(b'C', from.as_bytes()).await.expect("a lookup").expect("it is there");
            zim.follow(entry).await.map(|entry| entry.dirent.path)
        }
    };
    assert_eq!(end("10").await.expect("fifty redirects"), "60");
    assert!(end("09").await.is_err());
}

#[tokio::test]
async fn a_book_shows_its_illustration_or_else_a_favicon_of_older_writers() {
    let picture =
        |writer: Writer| async move { open(writer.write()).await.illustration(48).await.expect("a lookup") };
    let new = small().file(b'M', "Illustration_48x48@1", "image/webp", "new").file(
        b'-',
        "favicon",
        "image/png",
        "old",
    );
    assert_eq!(picture(new).await, Some(("new".into(), "image/webp".into())));
    let mut old =
        Writer { major: 5, minor: 0, ..Writer::default() }.file(b'I', "favicon.png", "image/png", "old");
    let what = What::Redirect(b'I', "favicon.png".into());
    let favicon =
        Written { namespace: b'-', path: "favicon".into(), title: String::new(), what, is_article: false };
    old.entries.push(favicon);
    assert_eq!(picture(old).await, Some(("old".into(), "image/png".into())));
    let typeless = small().file(b'C', "favicon.png", "application/octet-stream", "any");
    assert_eq!(picture(typeless).await, Some(("any".into(), "image/png".into())));
    assert_eq!(picture(small()).await, None);
}

#[tokio::test]
async fn metadata_are_read_and_no_more_than_a_mebibyte_of_them() {
    let writer = small().file(b'M', "Counter", "text/plain", "text/html=2;image/png=1");
    let zim = open(writer.file(b'M', "Long", "text/plain", vec![b'a'; 1024 * 1024 + 1]).write()).await;
    assert_eq!(zim.metadata("Title").await.expect("a lookup"), Some("Towns".into()));
    let counter = zim.counter().await.expect("a lookup").expect("there is one");
    assert_eq!((counter.articles(), counter.media()), (2, 1));
    assert!(matches!(zim.metadata("Long").await, Err(ZimError::TooLarge(_))));
}

#[tokio::test]
async fn any_article_is_a_page_wherever_the_lists_lead() {
    for (listing, title_list, major, minor) in
        [(true, true, 6, 1), (false, true, 6, 1), (false, false, 6, 1), (false, true, 5, 0)]
    {
        let writer = Writer { listing, title_list, major, minor, ..Writer::default() };
        let namespace = writer.content_namespace();
        let writer = writer.page("a", "", "A").page("b", "", "B").redirect("c", "", "a");
        let zim = open(writer.file(namespace, "d.png", "image/png", "D").write()).await;
        let mut found = std::collections::BTreeSet::new();
        for number in 0..20 {
            let any = zim.any(f64::from(number) / 20.0).await.expect("a lookup").expect("an article");
            found.insert(any.dirent.path);
        }
        assert_eq!(found, ["a".into(), "b".into()].into(), "{listing} {title_list} {major}");
        assert!(zim.articles().is_some());
    }
}

#[tokio::test]
async fn the_checksum_is_that_of_the_file_or_it_is_not() {
    let mut file = small().write();
    let told = std::sync::Mutex::new(Vec::new());
    let zim = open(file.clone()).await;
    let is_right = zim.verify(|read| told.lock().expect("a list").push(read)).await;
    assert_eq!(is_right.expect("it can be read"), Some(true));
    assert_eq!(told.lock().expect("a list").last(), Some(&(file.len() as u64 - 16)));
    let middle = file.len() / 2;
    file[middle] ^= 1;
    assert_eq!(open(file.clone()).await.verify(|_| ()).await.expect("it can be read"), Some(false));
    file[72..80].fill(0xff);
    assert_eq!(open(file).await.verify(|_| ()).await.expect("it can be read"), None);
}

fn written() -> impl Strategy<Value = Written> {
    let path = prop_oneof!["[a-c]{1,3}", "[ -~]{1,40}", "\\PC{1,10}", "a{200,400}"];
    let what = prop_oneof![
        4 => (0..3usize, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(kind, bytes)| {
            What::Content(["text/html", "image/png", "text/css"][kind], bytes)
        }),
        2 => ("[a-c]{1,3}", prop::sample::select(b"CAI-".to_vec()))
            .prop_map(|(path, namespace)| What::Redirect(namespace, path)),
        1 => Just(What::LinkTarget),
        1 => Just(What::Deleted),
    ];
    let namespace = prop::sample::select(b"CCAAIM-WX".to_vec());
    (namespace, path, "\\PC{0,12}", what, any::<bool>()).prop_map(
        |(namespace, path, title, what, is_article)| {
            let (path, title) = (path.replace('\0', ""), title.replace('\0', ""));
            Written { namespace, path: path.into(), title, what, is_article }
        },
    )
}

fn written_file() -> impl Strategy<Value = Writer> {
    let compression = prop::sample::select(vec![Compression::None, Compression::Xz, Compression::Zstd]);
    let version = prop::sample::select(vec![(5, 0), (6, 0), (6, 1), (6, 3)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let entries = prop::collection::vec(written(), 0..40);
    (compression, version, flags, 1..500usize, entries).prop_map(
        |(compression, (major, minor), (extended, title_list, listing), cluster_size, entries)| Writer {
            major,
            minor,
            compression,
            extended,
            cluster_size,
            title_list,
            listing,
            main_page: None,
            entries,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_file_reads_as_the_naive_reader_reads_it(writer in written_file()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(same(writer.write()));
    }

    #[test]
    fn what_is_not_there_is_not_found(writer in written_file(), namespace in any::<u8>(), path in "[a-d]{0,4}") {
        let file = writer.write();
        let naive = Naive::new(file.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(async { open(file).await.find(namespace, path.as_bytes()).await });
        let found = found.expect("a lookup").map(|entry| entry.dirent);
        prop_assert_eq!(found.as_ref(), naive.find(namespace, path.as_bytes()));
    }
}
