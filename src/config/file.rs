//! What stands in a file: TOML, and what peerflix 0.39 read: JSON with comments, or INI.

use std::path::Path;

use super::settings::Raw;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    /// JSON if it begins with a brace, else INI.
    Old,
}

impl Format {
    /// Of a file that the user names: what its name says, else TOML.
    pub(super) fn of_name(path: &Path) -> Format {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let is_old =
            name.ends_with("rc") || [".json", ".json5", ".ini"].iter().any(|end| name.ends_with(end));
        if is_old || name == "config" { Format::Old } else { Format::Toml }
    }
}

/// One line that sets something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// With `-` for `_`.
    pub(super) key: String,
    pub(super) value: Raw,
    pub(super) line: Option<usize>,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: Option<usize>,
    pub(super) why: String,
}

pub(super) fn parse(text: &str, format: Format) -> Result<Vec<Line>, Fault> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = match format {
        Format::Toml => toml(text),
        Format::Old if text.trim_start().starts_with(['{', '/']) => json(text),
        Format::Old => ini(text),
    }?;
    // So that what is wrong first is told first.
    lines.sort_by_key(|line| line.line);
    Ok(lines)
}

fn toml(text: &str) -> Result<Vec<Line>, Fault> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| Fault {
        line: error
            .span()
            .map(|span| text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)),
        why: error.message().to_owned(),
    })?;
    let raw = |key: &str, value: toml::Value| {
        let one = |value: toml::Value| match value {
            toml::Value::String(text) => Some(text),
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Float(number) => Some(number.to_string()),
            toml::Value::Boolean(is_on) => Some(is_on.to_string()),
            _ => None,
        };
        let value = match value {
            toml::Value::Boolean(is_on) => Some(Raw::Truth(is_on)),
            toml::Value::Array(values) => values.into_iter().map(one).collect::<Option<_>>().map(Raw::List),
            value => one(value).map(|text| Raw::Text(text.into())),
        };
        value.ok_or_else(|| cannot_be_set(text, key))
    };
    table.into_iter().map(|(key, value)| Ok(line_of(text, &key, raw(&key, value)?))).collect()
}

fn json(text: &str) -> Result<Vec<Line>, Fault> {
    let value: serde_json::Value = json5::from_str(text).map_err(|error: json5::Error| Fault {
        line: error.position().map(|position| position.line + 1),
        why: format!("this is not JSON: {error}"),
    })?;
    let serde_json::Value::Object(table) = value else {
        return Err(Fault { line: Some(1), why: "options stand in braces: { \"port\": 9000 }".to_owned() });
    };
    let one = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(plain_number(&number)),
        serde_json::Value::Bool(is_on) => Some(is_on.to_string()),
        _ => None,
    };
    let mut lines = Vec::new();
    for (key, value) in table {
        let value = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::Bool(is_on) => Some(Raw::Truth(is_on)),
            serde_json::Value::Array(values) => {
                values.into_iter().map(one).collect::<Option<_>>().map(Raw::List)
            }
            value => one(value).map(|text| Raw::Text(text.into())),
        };
        lines.push(line_of(text, &key, value.ok_or_else(|| cannot_be_set(text, &key))?));
    }
    Ok(lines)
}

/// `9000`, also where it was read as `9000.0`.
fn plain_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

fn ini(text: &str) -> Result<Vec<Line>, Fault> {
    // A line that is a word alone sets that word, as it always did.
    let with_signs: String = text
        .lines()
        .map(|line| {
            let word = line.trim();
            let is_word =
                !word.is_empty() && !word.starts_with(['#', ';', '[']) && !word.contains(['=', ':']);
            if is_word { format!("{word}=true\n") } else { format!("{line}\n") }
        })
        .collect();
    let ini = ini::Ini::load_from_str_noescape(&with_signs).map_err(|error| Fault {
        line: Some(error.line),
        why: format!("this cannot be read: {}", error.msg),
    })?;
    let mut lines: Vec<Line> = Vec::new();
    for (key, value) in ini.general_section().iter() {
        let key = key.trim_matches(['"', '\'']);
        let value = without_comment(value).trim_matches(['"', '\'']).to_owned();
        match key.strip_suffix("[]") {
            None => lines.push(line_of(text, key, Raw::Text(value.into()))),
            // One of several.
            Some(key) => match lines.iter_mut().find(|line| line.key == dashes(key)) {
                Some(Line { value: Raw::List(values), .. }) => values.push(value),
                _ => lines.push(line_of(text, key, Raw::List(vec![value]))),
            },
        }
    }
    Ok(lines)
}

/// What stands before a `#` or `;` that has a blank before it.
fn without_comment(value: &str) -> &str {
    let end = [" ;", " #", "\t;", "\t#"].iter().filter_map(|mark| value.find(mark)).min();
    value[..end.unwrap_or(value.len())].trim()
}

fn cannot_be_set(text: &str, key: &str) -> Fault {
    Fault {
        line: number_of(text, key),
        why: format!(
            "{key} is no option: they are set to a value or a list of values, and stand in no section"
        ),
    }
}

fn line_of(text: &str, key: &str, value: Raw) -> Line {
    Line { key: dashes(key), value, line: number_of(text, key) }
}

fn dashes(key: &str) -> String {
    key.to_ascii_lowercase().replace('_', "-")
}

/// The line that begins with this key, from 1. `None` if the key is written in some other way.
fn number_of(text: &str, key: &str) -> Option<usize> {
    let is_its = |line: &str| {
        let line = line.trim_start_matches([' ', '\t', '{', '[', ',', '"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| {
            let rest = rest.trim_start_matches(['"', '\'', ' ', '\t', '[', ']']);
            rest.is_empty() || rest.starts_with(['=', ':'])
        })
    };
    text.lines().position(is_its).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Raw {
        Raw::Text(value.into())
    }

    fn read(text: &str, format: Format) -> Vec<(String, Raw, Option<usize>)> {
        let mut lines: Vec<_> = parse(text, format)
            .expect("can be read")
            .into_iter()
            .map(|line| (line.key, line.value, line.line))
            .collect();
        lines.sort_by_key(|(_, _, line)| *line);
        lines
    }

    #[test]
    fn toml_with_everything_in_it() {
        let found = read(
            "# mine\nport = 9000\nvlc = true\n\nno_dht = false\ntrackers = [\n  \"udp://a:1\",\n  \"udp://b:1\",\n]\n\
             path = \"~/Films\"\n",
            Format::Toml,
        );
        assert_eq!(
            found,
            [
                ("port".into(), text("9000"), Some(2)),
                ("vlc".into(), Raw::Truth(true), Some(3)),
                ("no-dht".into(), Raw::Truth(false), Some(5)),
                ("trackers".into(), Raw::List(vec!["udp://a:1".into(), "udp://b:1".into()]), Some(6)),
                ("path".into(), text("~/Films"), Some(10)),
            ]
        );
    }

    #[test]
    fn json_with_comments() {
        let found = read(
            "{\n  // the port\n  \"port\": 9000, /* and */ \n  \"vlc\": true,\n  \"peer\": [\"127.0.0.1:1\"], \"path\": null\n}",
            Format::Old,
        );
        assert_eq!(
            found,
            [
                ("port".into(), text("9000"), Some(3)),
                ("vlc".into(), Raw::Truth(true), Some(4)),
                ("peer".into(), Raw::List(vec!["127.0.0.1:1".into()]), Some(5)),
            ]
        );
    }

    #[test]
    fn ini_as_it_was_written() {
        let found = read(
            "; mine\nport = 9000\nquiet\npath = C:\\films\\new ; there\npeer[] = 127.0.0.1:1\npeer[] = 127.0.0.1:2\n\
             on-listening = \"echo it is there\"\n\n[other]\nport = 1\n",
            Format::Old,
        );
        assert_eq!(
            found,
            [
                ("port".into(), text("9000"), Some(2)),
                ("quiet".into(), text("true"), Some(3)),
                ("path".into(), text("C:\\films\\new"), Some(4)),
                ("peer".into(), Raw::List(vec!["127.0.0.1:1".into(), "127.0.0.1:2".into()]), Some(5)),
                ("on-listening".into(), text("echo it is there"), Some(7)),
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let fault = |text: &str, format| parse(text, format).expect_err("cannot be read");
        assert_eq!(fault("port = 9000\nvlc = tru\n", Format::Toml).line, Some(2));
        assert_eq!(fault("[swarm]\nport = 1\n", Format::Toml).why.split(' ').next(), Some("swarm"));
        assert_eq!(fault("{\n  \"port\": 9000,\n  oops\n}", Format::Old).line, Some(4));
        assert!(fault("{\"a\": {\"b\": 1}}", Format::Old).why.contains("a is no option"));
    }

    #[test]
    fn a_name_tells_the_format() {
        for (name, format) in [
            ("my.toml", Format::Toml),
            ("/x/peerflix.conf", Format::Toml),
            (".peerflixrc", Format::Old),
            ("old.json", Format::Old),
            ("/x/config", Format::Old),
        ] {
            assert_eq!(Format::of_name(Path::new(name)), format, "{name}");
        }
    }
}
