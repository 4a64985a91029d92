//! A ZIM file as a web site: pages, pictures, links and search of an encyclopaedia that nobody has downloaded. docs/wiki.md tells
//! how it reads, and what that costs.
//!
//! `zim` knows the format, `fulltext` the index inside; `library` has the books that are shown, `site` answers a browser. All they
//! know of a torrent is `archive`: these bytes, please.

pub mod archive;
pub mod fulltext;
pub mod library;
pub mod site;
pub mod zim;
