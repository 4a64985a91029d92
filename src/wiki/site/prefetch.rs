//! What a page needs beside itself.

/// Paths within the book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub resources: Vec<String>,
    pub links: Vec<String>,
}

pub fn needs(html: &[u8], at: &str) -> Needs {
    let _ = (html, at);
    Needs::default()
}
