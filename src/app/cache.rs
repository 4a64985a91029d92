//! `peerflix cache`: what is kept of films, and its removal.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde::Serialize;

use super::exit::{Exit, Failure, OrExit};
use super::folders;
use super::print;
use crate::cli::{Cache, CacheCommand};
use crate::events;
use crate::torrent::kept::{Kept, kept};
use crate::units::ByteSize;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn cache(flags: &Cache) -> Result<Exit, Failure> {
    let folder = folders::cache(flags.cache.as_deref()).or_exit(Exit::Disk)?;
    let all = kept(&folder)
        .with_context(|| format!("the folder {} cannot be read", folder.display()))
        .or_exit(Exit::Disk)?;
    match &flags.command {
        None => list(&folder, &all, flags.json),
        Some(CacheCommand::Clear(clear)) => {
            let least =
                clear.older_than.map(|days| DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX)));
            let chosen = chosen(&all, &clear.torrents, least)?;
            remove(&chosen, clear.dry_run)
        }
    }
}

#[derive(Serialize)]
struct Listing<'a> {
    v: u32,
    folder: String,
    bytes: u64,
    kept: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    info_hash: &'a str,
    name: Option<&'a str>,
    bytes: u64,
    /// Seconds since 1970.
    used_at: Option<u64>,
    in_use: bool,
}

impl Row<'_> {
    fn of(kept: &Kept) -> Row<'_> {
        let used_at = kept.used_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Row {
            info_hash: &kept.info_hash,
            name: kept.name.as_deref(),
            bytes: kept.bytes,
            used_at: used_at.map(|at| at.as_secs()),
            in_use: kept.is_open,
        }
    }
}

fn list(folder: &Path, all: &[Kept], json: bool) -> Result<Exit, Failure> {
    let bytes = all.iter().map(|kept| kept.bytes).sum();
    print(|out| {
        if json {
            let kept = all.iter().map(Row::of).collect();
            let listing = Listing { v: events::VERSION, folder: folder.display().to_string(), bytes, kept };
            serde_json::to_writer(&mut *out, &listing)?;
            return writeln!(out);
        }
        for kept in all {
            writeln!(out, "{}", line(kept))?;
        }
        match all.len() {
            0 => writeln!(out, "nothing is kept in {}", folder.display()),
            _ => writeln!(
                out,
                "{} in {}; peerflix cache clear [NAME or HASH] [--older-than DAYS] removes it",
                ByteSize(bytes),
                folder.display()
            ),
        }
    })
}

fn line(kept: &Kept) -> String {
    let age = match (kept.is_open, kept.used_at.and_then(|at| at.elapsed().ok())) {
        (true, _) => "in use".to_owned(),
        (false, None) => "never used".to_owned(),
        (false, Some(age)) => match age.as_secs() / DAY.as_secs() {
            0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        },
    };
    let name = crate::tui::clean(kept.name.as_deref().unwrap_or("(no name known)"));
    format!("{:>10}  {age:<13} {}  {name}", ByteSize(kept.bytes).to_string(), kept.info_hash)
}

/// Those of a hash (or the beginning of one) or a name, or all; of these, those that were not used for so long.
fn chosen<'a>(all: &'a [Kept], named: &[String], least: Option<Duration>) -> Result<Vec<&'a Kept>, Failure> {
    let is_old = |kept: &&Kept| {
        least
            .is_none_or(|least| kept.used_at.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= least))
    };
    if named.is_empty() {
        return Ok(all.iter().filter(is_old).collect());
    }
    let mut chosen = Vec::new();
    for name in named {
        let wanted = name.to_lowercase();
        let is_meant = |kept: &&Kept| {
            (wanted.len() >= 6 && kept.info_hash.starts_with(&wanted))
                || kept.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&wanted))
        };
        let found: Vec<&Kept> = all.iter().filter(is_meant).collect();
        if found.is_empty() {
            let error =
                anyhow::anyhow!("nothing of the name or hash {name} is kept; peerflix cache lists what is");
            return Err(error).or_exit(Exit::Choice);
        }
        chosen.extend(found.into_iter().filter(is_old));
    }
    chosen.dedup();
    Ok(chosen)
}

fn remove(chosen: &[&Kept], dry_run: bool) -> Result<Exit, Failure> {
    let mut freed = 0;
    let mut lines = Vec::new();
    for kept in chosen {
        let name = crate::tui::clean(kept.name.as_deref().unwrap_or(&kept.info_hash));
        if dry_run {
            lines.push(format!("would remove {name}"));
        } else if kept.remove().with_context(|| format!("{name} cannot be removed")).or_exit(Exit::Disk)? {
            lines.push(format!("removed {name}"));
        } else {
            lines.push(format!("left {name}: a peerflix is at work on it"));
            continue;
        }
        freed += kept.bytes;
    }
    let verb = if dry_run { "would be freed" } else { "freed" };
    lines.push(match chosen.len() {
        0 => "nothing to remove".to_owned(),
        _ => format!("{} {verb}", ByteSize(freed)),
    });
    print(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nothing_has_is_said() {
        assert!(chosen(&[], &["film".into()], None).is_err());
        assert!(chosen(&[], &[], None).expect("nothing is fine").is_empty());
    }
}
