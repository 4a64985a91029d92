//! What a page needs to be shown, and where one may go next from it: asked of the swarm while the page is still read.

pub use self::needs::{Needs, needs};

mod needs;
