//! The books of a library as a web site, with the paths of kiwix-serve. The server is [`crate::http`]; this is its extension.

mod links;
pub mod prefetch;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::http::request;

use super::library::Library;
use crate::http::{Extension, Reply};

/// How the site looks.
#[derive(Clone, Copy, Debug)]
pub struct SiteConfig {
    /// Pages have a thin bar on top.
    pub bar: bool,
}

/// The site of a library. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    library: Library,
    config: SiteConfig,
}

impl Site {
    pub fn new(library: Library, config: SiteConfig) -> Site {
        Site { library, config }
    }
}

impl Extension for Site {
    fn takes(&self, _request: &request::Parts) -> bool {
        true
    }

    fn answer<'a>(&'a self, request: &'a request::Parts, body: Option<Bytes>) -> BoxFuture<'a, Reply> {
        let _ = (request, body, self.config, &self.library);
        todo!()
    }
}
