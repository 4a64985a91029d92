//! From the beginning of a title to articles.
