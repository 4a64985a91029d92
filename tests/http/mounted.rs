//! The folder over WebDAV, as real programs use it.
