use proptest::prelude::*;

use super::*;
use crate::wiki::zim::far::Far;
use crate::wiki::zim::naive::Naive;
use crate::wiki::zim::writer::Writer;

/// Which order of titles the file has.
#[derive(Clone, Copy, Debug)]
enum Order {
    Listing,
    Header,
    Paths,
}

fn open(far: &Far, order: Order) -> (Lookup, Titles) {
    let archive = far.archive();
    let length = archive.length();
    let head = far.run(archive.read(0..80)).0.unwrap();
    let header = Header::read(&head, length).unwrap();
    let titles = match order {
        Order::Header => Titles::of_header(archive.clone(), &header),
        Order::Paths => Titles::of_paths(&header),
        Order::Listing => {
            let bytes = far.run(archive.read(0..length)).0.unwrap();
            let naive = Naive::new(bytes.to_vec());
            let (_, dirent) = naive.find(b'X', b"listing/titleOrdered/v1").unwrap();
            Titles::of_blob(Blob::Decoded(Bytes::from(naive.content(dirent).unwrap())))
        }
    };
    (Lookup::new(archive, header), titles)
}

fn written(titles: &[String], order: Order) -> Vec<u8> {
    let mut writer = Writer { listing: matches!(order, Order::Listing), ..Writer::default() };
    if let Order::Header = order {
        writer.minor = 0;
        writer.major = 5;
        writer = writer.file(b'-', "style.css", "text/css", "").file(b'I', "x.png", "image/png", "");
    }
    for (number, title) in titles.iter().enumerate() {
        let path = title.replace(' ', "_");
        writer = match number % 4 {
            // A path that tells nothing of the title.
            0 => writer.page(&format!("{number}"), title, ""),
            1 => writer.redirect(&path, title, "0"),
            _ => writer.page(&path, title, ""),
        };
    }
    writer.file(b'M', "Title", "text/plain", "T").write()
}

/// As it must be, by looking at everything.
fn naive(file: &[u8], order: Order, prefix: &str) -> Vec<String> {
    let naive = Naive::new(file.to_vec());
    let namespace = if naive.header.has_new_namespaces() { b'C' } else { b'A' };
    let begins = either_case(prefix);
    let title =
        |dirent: &crate::wiki::zim::dirent::Dirent| String::from_utf8_lossy(dirent.title()).into_owned();
    let path = |dirent: &crate::wiki::zim::dirent::Dirent| String::from_utf8_lossy(&dirent.path).into_owned();
    let of_content = naive.dirents.iter().filter(|dirent| dirent.namespace == namespace);
    let mut found: Vec<String> = match order {
        Order::Paths => {
            let begins: Vec<_> = begins.iter().map(|prefix| prefix.replace(' ', "_")).collect();
            let wanted = of_content.filter(|one| begins.iter().any(|prefix| path(one).starts_with(prefix)));
            return wanted.map(title).collect();
        }
        _ => of_content.map(title).collect(),
    };
    found.retain(|title| begins.iter().any(|prefix| title.starts_with(prefix)));
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn articles_by_the_beginning_of_their_title_are_those_that_a_look_at_all_finds(
        titles in prop::collection::vec("[ABab][a-cé日]{0,3}( [A-C(][a-c]{0,3}){0,2}", 1..700),
        prefixes in prop::collection::vec("[ABab]?[a-cé日]{0,2}( [A-C(])?", 1..12),
        order in prop::sample::select(vec![Order::Listing, Order::Header, Order::Paths]),
        most in 0usize..40,
    ) {
        let file = written(&titles, order);
        let far = Far::new(Bytes::from(file.clone()), 4096);
        let (lookup, of_titles) = open(&far, order);
        for prefix in prefixes {
            let found = far.run(of_titles.starting_with(&lookup, &prefix, most)).0.unwrap();
            let found: Vec<_> = found.iter().map(|one| String::from_utf8_lossy(one.dirent.title()).into_owned()).collect();
            let mut expected = naive(&file, order, &prefix);
            expected.truncate(most);
            prop_assert_eq!(found, expected, "{:?} {}", order, prefix);
        }
    }

    #[test]
    fn a_list_that_is_in_no_order_or_broken_ends_in_an_answer_or_an_error(
        titles in prop::collection::vec("[ABab][a-c]{0,3}( [A-C][a-c]{0,3}){0,2}", 1..300),
        list in prop::collection::vec(0u32..400, 0..400),
    ) {
        let far = Far::new(Bytes::from(written(&titles, Order::Paths)), 4096);
        let (lookup, _) = open(&far, Order::Paths);
        let bytes: Vec<u8> = list.iter().flat_map(|number| number.to_le_bytes()).collect();
        let of_titles = Titles::of_blob(Blob::Decoded(Bytes::from(bytes)));
        for prefix in ["", "A", "Aa", "b", "日"] {
            if let Ok(found) = far.run(of_titles.starting_with(&lookup, prefix, 10)).0 {
                prop_assert!(found.len() <= 10);
            }
        }
        prop_assert!(far.run(of_titles.at(&lookup, 400)).0.is_err());
    }
}

#[test]
fn the_first_letter_may_be_large_or_small() {
    assert_eq!(either_case("paris"), ["Paris", "paris"]);
    assert_eq!(either_case("Élan"), ["Élan", "élan"]);
    assert_eq!(either_case("1998"), ["1998"]);
    assert_eq!(either_case(""), [""]);
}
