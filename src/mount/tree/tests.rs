//! Torrents with ordinary, unlucky and hostile names.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::read::File;

fn files(paths: &[&str]) -> Arc<Files> {
    let file = |path: &&str| File { path: (*path).to_owned(), length: path.len() as u64 };
    Arc::new(Files::new("ab".repeat(20), "t", paths.iter().map(file).collect(), Vec::new()))
}

fn folder(name: &str, paths: &[&str]) -> Shown {
    Shown { name: name.to_owned(), is_folder: true, files: Some(files(paths)) }
}

fn waiting(name: &str) -> Shown {
    Shown { name: name.to_owned(), is_folder: true, files: None }
}

fn single(name: &str) -> Shown {
    Shown { name: name.to_owned(), is_folder: false, files: Some(files(&[name])) }
}

/// All paths from the root, folders before what is in them.
fn paths(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(ROOT, String::new())];
    while let Some((inode, path)) = open.pop() {
        let children = tree.children(inode).map(|child| (child.inode, format!("{path}/{}", child.name)));
        let at = open.len();
        open.extend(children);
        open[at..].reverse();
        if inode != ROOT {
            found.push(path);
        }
    }
    found
}

/// The path of each file, in the torrent's order.
fn placed(given: &[&str]) -> Vec<String> {
    let tree = Tree::new(&[folder("t", given)]);
    let path = |index: usize| {
        let mut node = tree.node((1 << 32) + 1 + index as u64).expect("each file is shown");
        let mut path = node.name.clone();
        while node.parent != 1 << 32 {
            node = tree.node(node.parent).expect("each folder is shown");
            path = format!("{}/{path}", node.name);
        }
        path
    };
    (0..given.len()).map(path).collect()
}

#[test]
fn a_torrent_shows_its_name_as_a_folder_and_a_single_file_itself() {
    let tree =
        Tree::new(&[folder("Show", &["Show/a.mkv", "Show/Subs/a.srt", "Show/b.mkv"]), single("film.mkv")]);
    assert_eq!(
        paths(&tree),
        ["/Show", "/Show/Subs", "/Show/Subs/a.srt", "/Show/a.mkv", "/Show/b.mkv", "/film.mkv"]
    );
    let film = tree.find("/film.mkv").expect("is there");
    assert_eq!(film.kind, Kind::File { torrent: 1, index: 0, length: 8 });
    let subtitle = tree.find("Show//Subs/a.srt").expect("is there");
    assert_eq!(subtitle.kind, Kind::File { torrent: 0, index: 1, length: 15 });
    assert_eq!(tree.node(subtitle.parent).map(|node| node.name.as_str()), Some("Subs"));
    assert_eq!(tree.find("Show/a.mkv/"), tree.find("Show/a.mkv"));
    assert_eq!((tree.find("show"), tree.find("Show/a.mkv/b"), tree.find(STATUS)), (None, None, None));
    assert_eq!((tree.find("/").map(|node| node.inode), tree.len()), (Some(ROOT), 7));
}

#[test]
fn a_folder_has_a_link_for_each_folder_in_it() {
    let tree = Tree::new(&[folder("t", &["t/a/1", "t/b/c/2", "t/3"]), single("film"), waiting("magnet")]);
    let links = |path: &str| tree.folders_links(tree.find(path).expect("is there").inode);
    assert_eq!((links("/"), links("t"), links("t/a"), links("t/b")), (4, 4, 2, 3));
    assert_eq!((links("film"), links("magnet"), links("t/3")), (1, 2, 1));
}

#[test]
fn files_take_the_place_of_the_note_and_nothing_else_moves() {
    let before = [waiting("Show"), folder("Show", &["Show/x", "Show/y/z"]), single("film")];
    let tree = Tree::new(&before);
    assert_eq!(paths(&tree)[..2], ["/Show", "/Show/.waiting"]);
    let note = tree.find("Show/.waiting").expect("is there");
    assert_eq!(note.kind, Kind::Waiting { torrent: 0 });
    assert_eq!(tree.children(note.inode).count(), 0);

    let known = folder("Show", &["Show/.waiting", "Show/b"]);
    let after = tree.knowing(0, &known);
    assert_eq!(paths(&after)[..3], ["/Show", "/Show/.waiting", "/Show/b"]);
    assert_ne!(after.find("Show/.waiting").map(|node| node.inode), Some(note.inode));
    assert_eq!(after.node(note.inode), None);
    for path in ["Show", "Show (2)", "Show (2)/x", "Show (2)/y", "Show (2)/y/z", "film"] {
        let inodes = [&tree, &after].map(|tree| tree.find(path).map(|node| node.inode));
        assert!(inodes[0].is_some() && inodes[0] == inodes[1], "{path}");
    }
    let anew = Tree::new(&[known, before[1].clone(), before[2].clone()]);
    assert_eq!(paths(&anew), paths(&after));
}

#[test]
fn what_begins_as_a_magnet_stays_a_folder_with_its_single_file_in_it() {
    let shown = Shown { name: "0123abcd".to_owned(), is_folder: true, files: Some(files(&["film.mkv"])) };
    assert_eq!(paths(&Tree::new(&[shown])), ["/0123abcd", "/0123abcd/film.mkv"]);
    assert_eq!(paths(&Tree::new(&[folder("t", &["t/only"])])), ["/t", "/t/only"]);
    assert_eq!(paths(&Tree::new(&[folder("t", &[])])), ["/t"]);
}

#[test]
fn names_that_cannot_be_shown_are_made_safe() {
    let long = format!("{}.mkv", "é".repeat(200));
    for (given, safe) in [
        ("", "_"),
        (".", "_"),
        ("..", "_"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a\0b\n\u{7f}", "a_b__"),
        ("\u{202e}gpj.exe", "_gpj.exe"),
        ("back\\slash", "back_slash"),
        ("...", "..."),
        ("Ünïcode — 日本.mkv", "Ünïcode — 日本.mkv"),
        (&long, &format!("{}.mkv", "é".repeat(125))),
    ] {
        assert_eq!(paths(&Tree::new(&[waiting(given)]))[0], format!("/{safe}"), "{given:?}");
    }
    assert_eq!(
        placed(&["t/../..", "t//x", "t/", "t/a\0/b", "t/a_/b"]),
        ["_/_", "_/x", "_ (2)", "a_/b", "a_/b (2)"]
    );
}

#[test]
fn names_that_clash_are_told_apart_by_numbers() {
    assert_eq!(
        placed(&["t/a.mkv", "t/A.mkv", "t/a.mkv", "t/a.mkv"]),
        ["a.mkv", "A.mkv", "a (2).mkv", "a (3).mkv"]
    );
    assert_eq!(placed(&["t/a", "t/a", "t/a (2)", "t/.a", "t/.a"]), ["a", "a (3)", "a (2)", ".a", ".a (2)"]);
    assert_eq!(placed(&["t/x", "t/x/y", "t/x/y/z"]), ["x (2)", "x/y (2)", "x/y/z"]);
    assert_eq!(placed(&["t/a/x", "t/b/x"]), ["a/x", "b/x"]);

    let long = format!("t/{}.mkv", "x".repeat(251));
    let names = placed(&[&long, &long]);
    assert_eq!(names[1], format!("{} (2).mkv", "x".repeat(238)));
}

#[test]
fn torrents_that_clash_are_told_apart_and_none_is_taken_for_the_status() {
    let tree =
        Tree::new(&[single("a.mkv"), waiting("a.mkv"), single(STATUS), waiting("a (2).mkv"), single("..")]);
    let names: Vec<_> = tree.children(ROOT).map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["a.mkv", "a (3).mkv", ".peerflix-status (2)", "a (2).mkv", "_"]);
    assert_eq!((tree.node(STATUS_INODE), tree.node(0), tree.child(ROOT, STATUS)), (None, None, None));
    let inside = Tree::new(&[folder("t", &["t/.peerflix-status"])]);
    assert!(inside.find("t/.peerflix-status").is_some(), "only the mount's own folder has the control file");
}

#[test]
fn nothing_is_shown_of_no_torrent() {
    let tree = Tree::default();
    assert_eq!((tree.is_empty(), tree.len(), tree.folders_links(ROOT)), (true, 1, 2));
    assert_eq!(tree.node(ROOT).map(|node| (node.parent, node.name.as_str())), Some((ROOT, "")));
    assert_eq!((tree.node(1 << 32), tree.node(u64::MAX)), (None, None));
    assert_eq!(paths(&tree.knowing(7, &single("x"))), [""; 0]);
}

#[test]
fn a_path_of_thousands_of_folders_is_walked_without_end() {
    let path = format!("t{}/file", "/d".repeat(4096));
    let other = format!("t{}/other", "/d".repeat(4096));
    let tree = Tree::new(&[folder("t", &[&path, &other])]);
    assert_eq!(tree.len(), 1 + 1 + 4096 + 2);
    assert!(tree.find(&path).is_some() && tree.find(&other).is_some());
}

#[test]
fn thousands_of_files_of_one_name_are_all_shown_each_by_another() {
    // Long ones are cut to the same beginning, which must not make them try each other's numbers.
    let given: Vec<_> = (0..20_000).map(|at| format!("t/{}{:05}", "x".repeat(250), at / 2)).collect();
    let given: Vec<_> = given.iter().map(String::as_str).chain(["t/a.mkv"; 20_000]).collect();
    let tree = Tree::new(&[folder("t", &given)]);
    let names: HashSet<_> = tree.children(1 << 32).map(|child| child.name.as_str()).collect();
    assert_eq!(names.len(), given.len());
    assert!(tree.find("t/a (20000).mkv").is_some());
}

proptest! {
    #[test]
    fn whatever_the_torrents_say_each_file_is_found_by_its_own_safe_name(
        torrents in proptest::collection::vec(
            ("[ab/.\0]{0,3}", any::<bool>(), proptest::collection::vec("t?(/[ab.\0]{0,2}( \\(2\\))?){0,3}", 0..12)),
            0..6,
        ),
    ) {
        let shown: Vec<_> = torrents.iter().map(|(name, is_folder, paths)| {
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            Shown { name: name.clone(), is_folder: *is_folder, files: Some(files(&paths)) }
        }).collect();
        let tree = Tree::new(&shown);
        let mut found = HashSet::new();
        let mut open = vec![ROOT];
        let (mut folders, mut links) = (0, 0);
        while let Some(inode) = open.pop() {
            folders += 1;
            links += tree.folders_links(inode) - 2;
            for child in tree.children(inode) {
                prop_assert!(found.insert(child.inode), "in two folders");
                prop_assert_eq!(child.parent, inode);
                prop_assert_eq!(tree.child(inode, &child.name), Some(child));
                prop_assert_eq!(tree.node(child.inode), Some(child));
                prop_assert!(!child.name.is_empty() && child.name.len() <= 255);
                prop_assert!(child.name != "." && child.name != ".." && !child.name.contains(['/', '\0']));
                match child.kind {
                    Kind::Folder { .. } => open.push(child.inode),
                    _ => prop_assert_eq!(tree.folders_links(child.inode), 1),
                }
            }
        }
        prop_assert_eq!(found.len() + 1, tree.len());
        prop_assert_eq!(folders, links + 1);
        for (torrent, (_, _, paths)) in torrents.iter().enumerate() {
            for index in 0..paths.len() {
                let inode = ((torrent as u64 + 1) << 32) + 1 + index as u64;
                prop_assert!(found.contains(&inode));
            }
        }

        // Known one by one, in whatever order, they come to the same.
        let waiting: Vec<_> = shown.iter().map(|shown| Shown { files: None, ..shown.clone() }).collect();
        let grown = (0..shown.len()).rev().fold(Tree::new(&waiting), |tree, at| tree.knowing(at, &shown[at]));
        prop_assert_eq!(super::tests::paths(&grown), super::tests::paths(&tree));
    }

    #[test]
    fn a_name_made_safe_stays_as_it_is(name in any::<String>(), again in 0..400usize) {
        let safe = names::safe(&name).into_owned();
        prop_assert_eq!(names::safe(&safe), safe.as_str());
        let long = names::safe(&name.repeat(again)).into_owned();
        prop_assert!(!long.is_empty() && long.len() <= 255);
    }
}
