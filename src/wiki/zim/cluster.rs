//! Clusters: where they are, how they are compressed, and which of them are kept decoded.

pub struct Clusters;
