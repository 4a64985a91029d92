//! From a path to its entry, in few trips.

pub struct Lookup;
