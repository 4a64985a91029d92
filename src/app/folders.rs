//! Where things are kept.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The folder of everything that is kept between runs: what `--cache` (or `PEERFLIX_CACHE`) names, else
/// `$XDG_CACHE_HOME/peerflix` or what the platform has in its place.
pub(super) fn cache(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    let folders = directories::BaseDirs::new()
        .context("no home folder is known; name a folder that can be written with --cache DIR")?;
    Ok(folders.cache_dir().join("peerflix"))
}
