//! Where things are kept.

use std::path::PathBuf;

use anyhow::Context;

/// The folder of everything that is kept between runs: `$PEERFLIX_CACHE`, else `$XDG_CACHE_HOME/peerflix` or what the
/// platform has in its place.
pub(super) fn cache() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PEERFLIX_CACHE").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let folders = directories::BaseDirs::new()
        .context("no home folder is known; set PEERFLIX_CACHE to a folder that can be written")?;
    Ok(folders.cache_dir().join("peerflix"))
}
