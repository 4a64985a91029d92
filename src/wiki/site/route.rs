//! Paths: what of the site a request means. Those of kiwix-serve, so that links that people have work here. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters (RFC 3986, section 2.3) and what a path may have between its slashes besides.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b',')
    .remove(b'(')
    .remove(b')')
    .remove(b':')
    .remove(b'@');
/// What may stand in a value of a query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a path means. Names are decoded; those of books need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`: the one book's main page, or all books.
    Front,
    /// `/viewer`: as kiwix-serve's, which shows in a frame what stands behind `#`; here a page needs no frame.
    Viewer,
    /// `/content/<book>/<path>`, `/<book>/<path>`.
    Content {
        way: Way,
        book: String,
        path: Vec<u8>,
    },
    /// `/raw/<book>/content/<path>`: without the bar.
    Raw {
        book: String,
        path: Vec<u8>,
    },
    /// `/raw/<book>/meta/<name>`.
    Meta {
        book: String,
        name: String,
    },
    Search,
    /// `/search/searchdescription.xml`: for browsers that search here from their address line.
    SearchDescription,
    Suggest,
    Random,
    /// `/catalog/...`: what follows.
    Catalog(String),
    /// `/peerflix/...`: our own files.
    Own(String),
}

/// In which of its two places a page is shown: its links stay there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `/content/<book>/`
    Content,
    /// `/<book>/`, as kiwix-serve did before its version 3.4.
    Short,
}

impl Way {
    /// Of a book's pages, with a `/` at the end.
    pub fn prefix(self, book: &str) -> String {
        match self {
            Way::Content => format!("/content/{}/", encoded(book.as_bytes())),
            Way::Short => format!("/{}/", encoded(book.as_bytes())),
        }
    }
}

impl Route {
    /// Of the path of a request's target, without its query.
    pub fn read(path: &str) -> Route {
        let rest = path.strip_prefix('/').unwrap_or(path);
        let (head, tail) = rest.split_once('/').map_or((rest, None), |(head, tail)| (head, Some(tail)));
        let content = |way, whole: &str| {
            let (book, path) = whole.split_once('/').unwrap_or((whole, ""));
            Route::Content { way, book: decoded(book), path: percent_decode_str(path).collect() }
        };
        match (head, tail) {
            ("" | "index.html", None) => Route::Front,
            ("viewer", None) => Route::Viewer,
            ("search", None) => Route::Search,
            ("search", Some("searchdescription.xml")) => Route::SearchDescription,
            ("suggest", None) => Route::Suggest,
            ("random", None) => Route::Random,
            ("catalog", Some(tail)) => Route::Catalog(tail.to_owned()),
            ("peerflix", Some(tail)) => Route::Own(tail.to_owned()),
            ("content", Some(tail)) => content(Way::Content, tail),
            ("raw", Some(tail)) => match tail.split_once('/') {
                Some((book, rest)) => match rest.split_once('/') {
                    Some(("content", path)) => {
                        Route::Raw { book: decoded(book), path: percent_decode_str(path).collect() }
                    }
                    Some(("meta", name)) => Route::Meta { book: decoded(book), name: decoded(name) },
                    _ => content(Way::Short, rest_of(path)),
                },
                None => content(Way::Short, rest_of(path)),
            },
            _ => content(Way::Short, rest_of(path)),
        }
    }
}

fn rest_of(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A path within a book, as it stands in a URL.
pub fn encoded(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(path) => utf8_percent_encode(path, PATH).to_string(),
        Err(_) => percent_encoding::percent_encode(path, PATH).to_string(),
    }
}

/// The fields of a query (`application/x-www-form-urlencoded`).
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn read(query: Option<&str>) -> Query {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        // What a person types has fewer.
        Query(pairs.take(64).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// All of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The number of that name; what is none counts as not there.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }

    /// The book that is meant, by the names that kiwix-serve has had for it.
    pub fn book(&self) -> Option<&str> {
        self.text("content").or_else(|| self.text("books.name")).filter(|name| !name.is_empty())
    }
}

/// A value of a query.
pub fn value(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(way: Way, book: &str, path: &str) -> Route {
        Route::Content { way, book: book.to_owned(), path: path.into() }
    }

    #[test]
    fn every_path_of_kiwix_serve_is_known() {
        use Way::{Content, Short};
        let routes = [
            ("/", Route::Front),
            ("/index.html", Route::Front),
            ("/viewer", Route::Viewer),
            ("/search", Route::Search),
            ("/search/searchdescription.xml", Route::SearchDescription),
            ("/suggest", Route::Suggest),
            ("/random", Route::Random),
            ("/catalog/v2/root.xml", Route::Catalog("v2/root.xml".to_owned())),
            ("/content/a/Caf%C3%A9/b%3Fc", content(Content, "a", "Café/b?c")),
            ("/content/a", content(Content, "a", "")),
            ("/a%20b/A/x.html", content(Short, "a b", "A/x.html")),
            ("/a", content(Short, "a", "")),
            ("/a/", content(Short, "a", "")),
            ("/a//x", content(Short, "a", "/x")),
            ("/raw/a/content/x%2fy", Route::Raw { book: "a".to_owned(), path: b"x/y".to_vec() }),
            ("/raw/a/meta/Title", Route::Meta { book: "a".to_owned(), name: "Title".to_owned() }),
            ("/raw/a/x/y", content(Short, "raw", "a/x/y")),
            ("/raw", content(Short, "raw", "")),
        ];
        for (path, route) in routes {
            assert_eq!(Route::read(path), route, "{path}");
        }
        let Route::Content { path, .. } = Route::read("/a/%FF") else { panic!("it is content") };
        assert_eq!(path, [0xff]);
    }

    #[test]
    fn what_is_encoded_is_read_again() {
        for path in ["Paris", "a b", "50%", "what?", "back\\slash", "Ü/ö", "a'\"<>b", "//", "a+b&c;d"] {
            let url = format!("{}{}", Way::Content.prefix("b"), encoded(path.as_bytes()));
            assert!(
                url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>?#\\".contains(&byte)),
                "{url}"
            );
            assert_eq!(Route::read(&url), content(Way::Content, "b", path));
        }
        assert_eq!(encoded(&[0xff, b'a']), "%FFa");
    }

    #[test]
    fn a_query_has_what_was_typed() {
        let query = Query::read(Some("content=a%20b&pattern=x+y&start=5&start=6&pageLength=-1&tag=1&tag=2"));
        assert_eq!((query.book(), query.text("pattern")), (Some("a b"), Some("x y")));
        assert_eq!(
            (query.number("start"), query.number("pageLength"), query.number("none")),
            (Some(5), None, None)
        );
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(Query::read(None).book(), None);
    }
}
