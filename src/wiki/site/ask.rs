//! A request, as far as this site looks at it.

use hyper::header::{COOKIE, HeaderMap, HeaderName, IF_NONE_MATCH, REFERER};
use hyper::http::request;
use hyper::{Method, Uri};

use super::links::parameters;

/// The cookie that says `off` where a reader wants no bar.
pub const BAR_COOKIE: &str = "peerflix_bar";

/// Owned, so that an answer may go on being made while its beginning is sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// As it stands in the request line.
    pub path: String,
    query: Option<String>,
    headers: HeaderMap,
    pub is_head: bool,
}

impl Ask {
    pub fn new(request: &request::Parts) -> Ask {
        Ask {
            path: request.uri.path().to_owned(),
            query: request.uri.query().map(str::to_owned),
            headers: request.headers.clone(),
            is_head: request.method == Method::HEAD,
        }
    }

    /// With everything behind the path.
    pub fn address(&self) -> String {
        self.query.as_ref().map_or_else(|| self.path.clone(), |query| format!("{}?{query}", self.path))
    }

    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = String> {
        let given = parameters(self.query.as_deref().unwrap_or_default());
        given.filter(move |(one, _)| one == name).map(|(_, value)| value.into_owned())
    }

    /// A number, where it is one; no larger than `most`.
    pub fn number(&self, name: &str, most: usize) -> Option<usize> {
        Some(self.parameter(name)?.parse::<u64>().ok()?.min(most as u64) as usize)
    }

    /// Somebody looks at what comes: not a picture of a page, nor a script (the Fetch standard's metadata; where there is none, what the
    /// client says that it wants).
    pub fn is_navigation(&self) -> bool {
        match self.header("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => self.header("accept").is_some_and(|accept| accept.contains("text/html")),
        }
    }

    /// It comes into a frame of another page, which has a bar already.
    pub fn is_framed(&self) -> bool {
        self.header("sec-fetch-dest").is_some_and(|destination| destination != "document")
    }

    /// What this reader wants of the bar.
    pub fn wants_bar(&self) -> bool {
        let cookies = self.headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
        let mut cookies =
            cookies.flat_map(|field| field.split(';')).filter_map(|one| one.trim().split_once('='));
        !cookies.any(|(name, value)| name == BAR_COOKIE && value == "off")
    }

    /// The client has what has this tag (RFC 9110, section 13.1.2; our tags have no commas).
    pub fn has(&self, tag: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let fields = self.headers.get_all(IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok());
        fields.flat_map(|field| field.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
    }

    /// The path of the page of ours from which this comes, as far as the client says.
    pub fn from(&self) -> Option<String> {
        let from = self.header(REFERER.as_str())?.parse::<Uri>().ok()?;
        // `about:blank` has none: it is nobody's page.
        Some(from.path().to_owned()).filter(|path| path.starts_with('/'))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(HeaderName::try_from(name).ok()?)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn ask(uri: &str, fields: &[(&str, &str)]) -> Ask {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Ask::new(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_reader_navigates_and_a_page_fetches() {
        assert!(ask("/", &[("Sec-Fetch-Mode", "navigate")]).is_navigation());
        assert!(!ask("/", &[("Sec-Fetch-Mode", "no-cors"), ("Accept", "text/html")]).is_navigation());
        assert!(ask("/", &[("Accept", "text/html,*/*;q=0.8")]).is_navigation());
        assert!(!ask("/", &[("Accept", "*/*")]).is_navigation());
        assert!(ask("/", &[("Sec-Fetch-Dest", "iframe")]).is_framed());
        assert!(!ask("/", &[("Sec-Fetch-Dest", "document")]).is_framed());
    }

    #[test]
    fn the_bar_goes_by_a_cookie() {
        assert!(ask("/", &[]).wants_bar());
        assert!(!ask("/", &[("Cookie", "a=b; peerflix_bar=off")]).wants_bar());
        assert!(ask("/", &[("Cookie", "peerflix_bar=on; xpeerflix_bar=off")]).wants_bar());
    }

    #[test]
    fn tags_are_compared_weakly() {
        let has = |field| ask("/", &[("If-None-Match", field)]).has("W/\"a-1\"");
        assert!(has("W/\"a-1\"") && has("\"x\", \"a-1\"") && has("*"));
        assert!(!has("\"a-2\"") && !has(""));
    }

    #[test]
    fn queries_are_read_as_forms_write_them() {
        let ask = ask("/search?pattern=a+b%26&books.name=x&books.name=y&start=99999999999999999999&n=7", &[]);
        assert_eq!(ask.parameter("pattern").as_deref(), Some("a b&"));
        assert_eq!(ask.all("books.name").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(
            (ask.number("n", 5), ask.number("n", 9), ask.number("start", 9)),
            (Some(5), Some(7), None)
        );
    }

    #[test]
    fn the_page_before_is_known_by_its_path() {
        let from = |field| ask("/", &[("Referer", field)]).from();
        assert_eq!(from("http://localhost:8888/content/wiki/A?x").as_deref(), Some("/content/wiki/A"));
        assert_eq!(from("about:blank"), None);
    }
}
