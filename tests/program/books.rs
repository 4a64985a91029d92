//! Books that other people's programs make and show: ZIM files bound by zimwriterfs, beside kiwix-serve, and in Chromium; ours
//! always through a swarm.

#[path = "../shared/beside.rs"]
mod beside;
mod browser;
mod chromium;
mod encyclopedia;
#[path = "../shared/kiwix.rs"]
mod kiwix;
mod served;
mod side_by_side;
