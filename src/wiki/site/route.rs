//! What a path of the site means: kiwix-serve's paths, and a few of our own. Pure.

use super::links::{decoded, encoded};

/// Where pages of books are, by their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// `/content/<book>/...`, of newer kiwix-serves.
    Content,
    /// `/<book>/...`, of older ones.
    Short,
    /// `/raw/<book>/content/...`: as in the file, without a bar and whatever else is ours.
    Raw,
}

impl Tree {
    /// The path of a book in URLs, with a slash at the end.
    pub fn root(self, book: &str) -> String {
        let book = encoded(book.as_bytes());
        match self {
            Tree::Content => format!("/content/{book}/"),
            Tree::Short => format!("/{book}/"),
            Tree::Raw => format!("/raw/{book}/content/"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The main page of the only book, or all books.
    Front,
    /// All books, be it one.
    Library,
    /// An entry by its path; an empty one means the main page.
    Entry {
        book: String,
        path: Vec<u8>,
        tree: Tree,
    },
    Metadata {
        book: String,
        name: String,
    },
    Search,
    Suggest,
    Random,
    /// A page of newer kiwix-serves that shows what stands behind its `#`.
    Viewer,
    Catalog(Catalog),
    Illustration {
        book: String,
    },
    /// Whether pages have a bar, for this browser.
    Bar,
    BarScript,
    Status,
    Icon,
    Nothing,
}

/// OPDS, and what leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalog {
    Root,
    Entries,
    PartialEntries,
    Entry(String),
    Categories,
    Languages,
    SearchDescription,
    OldRoot,
    OldSearch,
    OldSearchDescription,
}

impl Route {
    /// From the path of a URL, as it stands there.
    pub fn read(path: &str) -> Route {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match (first, rest) {
            ("", None) => Route::Front,
            ("nojs", None) => Route::Library,
            ("search", None) => Route::Search,
            ("suggest", None) => Route::Suggest,
            ("random", None) => Route::Random,
            ("viewer", None) => Route::Viewer,
            ("favicon.ico", None) => Route::Icon,
            ("peerflix", Some("")) | ("peerflix", Some("library")) => Route::Library,
            ("peerflix", Some("bar")) => Route::Bar,
            ("peerflix", Some("bar.js")) => Route::BarScript,
            ("peerflix", Some("status.json")) => Route::Status,
            ("catalog", Some(rest)) => catalog(rest),
            ("content", Some(rest)) => entry(rest, Tree::Content),
            ("raw", Some(rest)) => raw(rest),
            _ => entry(path, Tree::Short),
        }
    }
}

fn entry(rest: &str, tree: Tree) -> Route {
    let (book, path) = rest.split_once('/').unwrap_or((rest, ""));
    match name(book) {
        Some(book) => Route::Entry { book, path: decoded(path), tree },
        None => Route::Nothing,
    }
}

fn raw(rest: &str) -> Route {
    let mut parts = rest.splitn(3, '/');
    let (book, what, path) = (parts.next().and_then(name), parts.next(), parts.next());
    match (book, what, path) {
        (Some(book), Some("content"), Some(path)) => {
            Route::Entry { book, path: decoded(path), tree: Tree::Raw }
        }
        (Some(book), Some("meta"), Some(path)) => match name(path) {
            Some(name) => Route::Metadata { book, name },
            None => Route::Nothing,
        },
        _ => Route::Nothing,
    }
}

fn catalog(rest: &str) -> Route {
    Route::Catalog(match rest {
        "v2/root.xml" => Catalog::Root,
        "v2/entries" => Catalog::Entries,
        "v2/partial_entries" => Catalog::PartialEntries,
        "v2/categories" => Catalog::Categories,
        "v2/languages" => Catalog::Languages,
        "v2/searchdescription.xml" => Catalog::SearchDescription,
        "root.xml" => Catalog::OldRoot,
        "search" => Catalog::OldSearch,
        "searchdescription.xml" => Catalog::OldSearchDescription,
        rest => {
            let one = rest.strip_prefix("v2/entry/").and_then(name).map(Catalog::Entry).map(Route::Catalog);
            let picture = rest.strip_prefix("v2/illustration/").map(|rest| rest.trim_end_matches('/'));
            let picture = picture.and_then(name).map(|book| Route::Illustration { book });
            return one.or(picture).unwrap_or(Route::Nothing);
        }
    })
}

/// One part of a path, as a name.
fn name(part: &str) -> Option<String> {
    String::from_utf8(decoded(part)).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(book: &str, path: &str, tree: Tree) -> Route {
        Route::Entry { book: book.to_owned(), path: path.into(), tree }
    }

    #[test]
    fn an_entry_has_three_addresses() {
        assert_eq!(Route::read("/content/wiki/Paris"), at("wiki", "Paris", Tree::Content));
        assert_eq!(Route::read("/content/wiki/AC/DC%3F"), at("wiki", "AC/DC?", Tree::Content));
        assert_eq!(Route::read("/wiki/A/Paris.html"), at("wiki", "A/Paris.html", Tree::Short));
        assert_eq!(Route::read("/raw/wiki/content/Paris"), at("wiki", "Paris", Tree::Raw));
        let name = || "Title".to_owned();
        assert_eq!(
            Route::read("/raw/wiki/meta/Title"),
            Route::Metadata { book: "wiki".to_owned(), name: name() }
        );
        for path in
            ["/raw/wiki", "/raw/wiki/content", "/raw/wiki/other/x", "/raw//content/x", "/content/", "/%ff/x"]
        {
            assert_eq!(Route::read(path), Route::Nothing, "{path}");
        }
    }

    #[test]
    fn a_book_alone_is_its_main_page() {
        for path in ["/wiki", "/wiki/"] {
            assert_eq!(Route::read(path), at("wiki", "", Tree::Short));
        }
        for path in ["/content/wiki", "/content/wiki/"] {
            assert_eq!(Route::read(path), at("wiki", "", Tree::Content));
        }
    }

    #[test]
    fn roots_are_read_as_what_they_are_the_roots_of() {
        for tree in [Tree::Content, Tree::Short, Tree::Raw] {
            assert_eq!(Route::read(&tree.root("été x")), at("été x", "", tree));
        }
    }

    #[test]
    fn the_rest_is_where_kiwix_serve_has_it() {
        assert_eq!(Route::read("/"), Route::Front);
        assert_eq!(Route::read("/search"), Route::Search);
        assert_eq!(Route::read("/catalog/v2/root.xml"), Route::Catalog(Catalog::Root));
        assert_eq!(Route::read("/catalog/v2/entry/x-y"), Route::Catalog(Catalog::Entry("x-y".to_owned())));
        let picture = Route::Illustration { book: "wiki".to_owned() };
        assert_eq!(Route::read("/catalog/v2/illustration/wiki/"), picture);
        assert_eq!(Route::read("/catalog/v2/nope"), Route::Nothing);
        assert_eq!(Route::read("/catalog/"), Route::Nothing);
    }
}
