//! Which variables and files there are, and what stands in them.

use std::path::{Path, PathBuf};

use super::file::{self, Format};
use super::settings::{Entry, Found, Raw};
use super::{Origin, Stop, Surroundings};

/// A configuration is smaller than that.
const MOST: u64 = 1024 * 1024;
/// Options that have a program run, a file overwritten, or others let in: not for whoever has put a file into a folder.
pub(super) const NOT_FROM_A_FOLDER: [&str; 5] =
    ["player", "on-listening", "on-downloaded", "trace", "allow-other"];
/// What peerflix tells the programs that it runs is not meant for a peerflix among them.
const OF_HOOKS: &str = "peerflix_hook_";

/// Where options were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `None`: the environment.
    pub path: Option<PathBuf>,
    pub fate: Fate,
}

/// What became of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// So many options were set there.
    Read(usize),
    /// There is no such file.
    Missing,
    /// It was left out, for this reason.
    LeftOut(String),
}

/// All that is set anywhere, not yet looked at.
pub(super) struct All {
    /// What stands first counts most.
    pub(super) layers: Vec<Found>,
    pub(super) places: Vec<Place>,
}

/// How far a file is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Named by the user: it must be there.
    Named,
    /// The user's own, or the computer's.
    Own,
    /// Whatever lies around where peerflix is started.
    Around,
}

/// Reads all places. `named` is the file of `--config`.
pub(super) fn find(surroundings: &Surroundings, named: Option<&Path>) -> Result<All, Stop> {
    let variables = of_variables(surroundings);
    let mut all = All {
        places: vec![Place { path: None, fate: Fate::Read(variables.entries.len()) }],
        layers: vec![variables],
    };
    let by_variable = surroundings
        .variables
        .iter()
        .find(|(name, value)| name.eq_ignore_ascii_case("PEERFLIX_CONFIG") && !value.is_empty())
        .map(|(_, value)| PathBuf::from(value));
    let mut files: Vec<(PathBuf, Format, Trust)> = Vec::new();
    let mut add = |path: PathBuf, format: Format, trust: Trust| {
        if !files.iter().any(|(known, ..)| *known == path) {
            files.push((path, format, trust));
        }
    };
    for path in named.map(Path::to_owned).into_iter().chain(by_variable) {
        let path = surroundings.folder.join(path);
        add(path.clone(), Format::of_name(&path), Trust::Named);
    }
    if let Some(folder) = &surroundings.configurations {
        add(folder.join("peerflix").join("config.toml"), Format::Toml, Trust::Own);
    }
    // From here on, where peerflix 0.39 looked, in its order. Its own file in the home folder is known as that, wherever one
    // is.
    let home = |name: &str| surroundings.home.as_ref().map(|home| home.join(name));
    let of_home = home(".peerflixrc");
    let around =
        surroundings.folder.ancestors().map(|folder| folder.join(".peerflixrc")).find(|path| path.is_file());
    if let Some(path) = around {
        let trust = if Some(&path) == of_home.as_ref() { Trust::Own } else { Trust::Around };
        add(path, Format::Old, trust);
    }
    let old = [of_home, home(".peerflix/config"), home(".config/peerflix"), home(".config/peerflix/config")];
    for path in old.into_iter().flatten() {
        add(path, Format::Old, Trust::Own);
    }
    if let Some(etc) = &surroundings.etc {
        add(etc.join("peerflixrc"), Format::Old, Trust::Own);
        add(etc.join("peerflix").join("config"), Format::Old, Trust::Own);
    }
    for (path, format, trust) in files {
        let (found, fate) = of_file(&path, format, trust)?;
        all.layers.extend(found);
        all.places.push(Place { path: Some(path), fate });
    }
    Ok(all)
}

fn of_variables(surroundings: &Surroundings) -> Found {
    let mut found = Found { is_environment: true, ..Found::default() };
    let mut variables: Vec<_> = surroundings.variables.iter().collect();
    // In capitals it counts more.
    variables.sort();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let lower = name.to_ascii_lowercase();
        let Some(key) = lower.strip_prefix("peerflix_").filter(|_| !lower.starts_with(OF_HOOKS)) else {
            continue;
        };
        let key = key.replace('_', "-");
        if key == "config" || value.is_empty() || found.entries.iter().any(|entry| entry.key == key) {
            continue;
        }
        found.entries.push(Entry {
            key,
            value: Raw::Text(value.clone()),
            origin: Origin::Variable(name.to_owned()),
        });
    }
    found
}

fn of_file(path: &Path, format: Format, trust: Trust) -> Result<(Option<Found>, Fate), Stop> {
    let left_out = |why: String| match trust {
        // What somebody wrote for us, and we cannot read, would be missed.
        Trust::Named | Trust::Own if format == Format::Toml || trust == Trust::Named => {
            Err(Stop::wrong(format!("{} {why}", path.display())))
        }
        _ => Ok((None, Fate::LeftOut(why))),
    };
    match std::fs::metadata(path) {
        // A folder is where newer files are.
        Ok(known) if !known.is_file() && trust != Trust::Named && format != Format::Toml => {
            return Ok((None, Fate::Missing));
        }
        Ok(known) if !known.is_file() => return left_out("is no file".to_owned()),
        Ok(known) if known.len() > MOST => return left_out("is too long for a configuration".to_owned()),
        Ok(known) if trust == Trust::Around && !is_ours(&known) => {
            return left_out("belongs to somebody else".to_owned());
        }
        Ok(_) => {}
        Err(_) if trust != Trust::Named => return Ok((None, Fate::Missing)),
        Err(error) => return left_out(format!("cannot be read: {error}")),
    }
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return left_out(format!("cannot be read: {error}")),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return left_out("is not text (UTF-8)".to_owned());
    };
    let entries = file::parse(&text, format).map_err(|fault| {
        let line = fault.line.map(|line| format!(", line {line}")).unwrap_or_default();
        Stop::wrong(format!("{}{line}: {}", path.display(), fault.why))
    })?;
    let entries: Vec<Entry> = entries
        .into_iter()
        .map(|entry| Entry {
            key: entry.key,
            value: entry.value,
            origin: Origin::File { path: path.to_owned(), line: entry.line },
        })
        .collect();
    let fate = Fate::Read(entries.len());
    let found = Found {
        entries,
        is_environment: false,
        is_old: format == Format::Old,
        is_around: trust == Trust::Around,
    };
    Ok((Some(found), fate))
}

#[cfg(unix)]
fn is_ours(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    [0, rustix::process::geteuid().as_raw()].contains(&file.uid())
}

#[cfg(not(unix))]
fn is_ours(_: &std::fs::Metadata) -> bool {
    true
}
