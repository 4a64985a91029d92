//! (to come)
#[allow(dead_code)]
pub mod trace;
