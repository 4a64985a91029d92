//! Paths of URLs and places in the tree. Pure.

use std::borrow::Cow;
use std::sync::Arc;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::mount::tree::{Kind, Node, ROOT, Tree};

/// Everything but the unreserved characters (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as one part of a URL's path.
pub fn encoded(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// What a path leads to.
pub struct Place {
    pub tree: Arc<Tree>,
    pub node: Node,
    /// From the root, with `/` before each part.
    path: String,
    /// The same, encoded; the parts as the client wrote them, because it looks for them in the answer.
    asked: String,
}

impl Place {
    /// By the path of a URL, without the prefix; `*` is the root. An encoded `/` is no separator: no name has one. Parts are
    /// compared with the names that there are, never looked up in a folder, so `..` is a name that nothing has.
    pub fn find(tree: Arc<Tree>, path: &str) -> Option<Place> {
        let mut node = tree.node(ROOT)?;
        let (mut shown, mut asked) = (String::new(), String::new());
        let path = if path == "*" { "" } else { path };
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let name = percent_decode_str(part).decode_utf8().ok()?;
            node = child(&tree, node.inode, &name)?;
            shown = format!("{shown}/{}", node.name);
            asked = format!("{asked}/{}", encoded(&name));
        }
        let is_folder = matches!(node.kind, Kind::Folder { .. });
        if path.ends_with('/') && !is_folder {
            return None;
        }
        let node = node.clone();
        Some(Place { tree, node, path: shown, asked })
    }

    /// To show: `/` for the root.
    pub fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    /// For a URL; a folder's ends with `/`.
    pub fn href(&self, prefix: &str) -> String {
        let slash = if matches!(self.node.kind, Kind::Folder { .. }) { "/" } else { "" };
        let prefix: Vec<String> = prefix.split('/').map(encoded).collect();
        format!("{}{}{slash}", prefix.join("/"), self.asked)
    }
}

/// The child of that name. macOS takes accents apart before it asks, whatever the name in the listing was, and some torrents
/// were made there.
fn child<'a>(tree: &'a Tree, folder: u64, name: &str) -> Option<&'a Node> {
    tree.child(folder, name).or_else(|| {
        if name.is_ascii() {
            return None;
        }
        let composed: Cow<'_, str> = ComposingNormalizerBorrowed::new_nfc().normalize(name);
        let apart = || DecomposingNormalizerBorrowed::new_nfd().normalize(name);
        tree.child(folder, &composed).or_else(|| tree.child(folder, &apart()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mount::tree::Shown;
    use crate::read::{File, Files};

    fn tree(paths: &[&str]) -> Arc<Tree> {
        let files = paths.iter().map(|path| File { path: (*path).to_owned(), length: 1 }).collect();
        let files = Arc::new(Files::new("0".repeat(40), "Show", files, vec![0]));
        Arc::new(Tree::new(&[Shown { name: "Show".to_owned(), is_folder: true, files: Some(files) }]))
    }

    fn name(tree: &Arc<Tree>, path: &str) -> Option<String> {
        Place::find(tree.clone(), path).map(|place| place.node.name)
    }

    #[test]
    fn a_path_leads_to_what_it_names() {
        let tree = tree(&["Show/One 100%.mkv", "Show/Subs/é.srt", "Show/e\u{301}.txt"]);
        let found = [
            ("", Some("")),
            ("/", Some("")),
            ("*", Some("")),
            ("/Show", Some("Show")),
            ("/Show/", Some("Show")),
            ("//Show//Subs/", Some("Subs")),
            ("/Show/One%20100%25.mkv", Some("One 100%.mkv")),
            ("/Show/One 100%.mkv", Some("One 100%.mkv")),
            ("/Show/One%20100%25.mkv/", None),
            ("/Show/Subs/%C3%A9.srt", Some("é.srt")),
            ("/Show/Subs/e%CC%81.srt", Some("é.srt")),
            ("/Show/%C3%A9.txt", Some("e\u{301}.txt")),
            ("/Show%2FSubs", None),
            ("/Show/%FF", None),
            ("/Show/../Show", None),
            ("/show", None),
            ("/._Show", None),
        ];
        for (path, expected) in found {
            assert_eq!(name(&tree, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn an_answer_calls_a_place_as_the_client_did() {
        let tree = tree(&["Show/Subs é/a.srt"]);
        let place = Place::find(tree, "/Show/Subs%20e%CC%81").unwrap();
        assert_eq!(place.href(""), "/Show/Subs%20e%CC%81/");
        assert_eq!(place.href("/my dav"), "/my%20dav/Show/Subs%20e%CC%81/");
        assert_eq!(place.path(), "/Show/Subs é");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_found_again(name in "[^/\\pC]{1,20}") {
            let tree = tree(&[&format!("Show/{name}"), "Show/other"]);
            let folder = tree.find("Show").map_or(ROOT, |folder| folder.inode);
            let names: Vec<String> = tree.children(folder).map(|node| node.name.clone()).collect();
            prop_assert_eq!(names.len(), 2);
            for name in names {
                let place = Place::find(tree.clone(), &format!("/Show/{}", encoded(&name)));
                prop_assert_eq!(place.as_ref().map(|place| &place.node.name), Some(&name));
                let href = place.map(|place| place.href("")).unwrap_or_default();
                prop_assert!(href.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(Place::find(tree.clone(), &href).is_some());
            }
        }

        #[test]
        fn no_path_is_too_strange(path in "\\PC*") {
            let _ = Place::find(tree(&["Show/a"]), &path);
        }
    }
}
