//! `peerflix config`: every option, what it is set to, and where.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::Config;
use crate::config::{Fate, InForce, Origin, Place, Setting};

/// Where what is set begins to be explained.
const COLUMN: usize = 42;

/// Writes what is in force: as a config.toml that would set the same, or as JSON.
pub(super) fn write(
    flags: &Config,
    in_force: &InForce,
    home: Option<&Path>,
    to: &mut dyn Write,
) -> io::Result<()> {
    match flags.json {
        true => writeln!(to, "{}", json(in_force)),
        false => toml(in_force, home, to),
    }
}

fn toml(in_force: &InForce, home: Option<&Path>, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "# Looked at; what stands first counts most:")?;
    writeln!(to, "#   flags")?;
    for place in &in_force.places {
        writeln!(to, "#   {:<50} {}", name(place, home), fate(place))?;
    }
    let mut heading = "";
    for setting in &in_force.settings {
        if setting.heading != heading {
            heading = &setting.heading;
            writeln!(to, "\n# {heading}")?;
        }
        writeln!(to, "{}", line(setting, home))?;
    }
    Ok(())
}

/// What is not set is a comment, so that all of it can be the beginning of a config.toml.
fn line(setting: &Setting, home: Option<&Path>) -> String {
    match &setting.value {
        Some(value) => {
            let line = format!("{} = {value}", setting.key);
            let origin = match &setting.origin {
                Origin::File { path, line } => Origin::File { path: short(path, home), line: *line },
                origin => origin.clone(),
            };
            format!("{line:<COLUMN$} # {origin}")
        }
        None if ["false", "0"].contains(&setting.otherwise.as_str()) => {
            format!("#{} = {}", setting.key, setting.otherwise)
        }
        None => {
            let line = format!("#{} =", setting.key);
            format!("{line:<COLUMN$} # {}", setting.otherwise)
        }
    }
}

fn name(place: &Place, home: Option<&Path>) -> String {
    let name = |path| display(&short(path, home));
    place.path.as_deref().map_or_else(|| "PEERFLIX_* in the environment".to_owned(), name)
}

/// With `~` for the home folder.
fn short(path: &Path, home: Option<&Path>) -> PathBuf {
    let below = home.and_then(|home| path.strip_prefix(home).ok());
    below.map_or_else(|| path.to_owned(), |below| Path::new("~").join(below))
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn fate(place: &Place) -> String {
    match &place.fate {
        Fate::Read(0) => "nothing set".to_owned(),
        Fate::Read(count) => format!("{count} set"),
        Fate::Missing => "not there".to_owned(),
        Fate::LeftOut(why) => format!("left out: it {why}"),
    }
}

fn json(in_force: &InForce) -> serde_json::Value {
    let settings: Vec<_> = in_force
        .settings
        .iter()
        .map(|setting| {
            let origin = match &setting.origin {
                Origin::Typed => serde_json::json!({ "kind": "flag" }),
                Origin::Variable(name) => serde_json::json!({ "kind": "environment", "name": name }),
                Origin::File { path, line } => {
                    serde_json::json!({ "kind": "file", "path": display(path), "line": line })
                }
                Origin::Default => serde_json::json!({ "kind": "default", "means": setting.otherwise }),
            };
            serde_json::json!({ "key": setting.key, "value": setting.value, "origin": origin })
        })
        .collect();
    let places: Vec<_> = in_force
        .places
        .iter()
        .map(|place| serde_json::json!({ "path": place.path.as_deref().map(display), "what": fate(place) }))
        .collect();
    serde_json::json!({ "settings": settings, "places": places })
}
