//! PROPFIND (RFC 4918, section 9.1): reads what is asked, writes what there is. Pure.
//!
//! Written here rather than taken from a crate because strangers may write the question: whatever its depth and its names, it
//! costs no stack and no more memory than it has bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::pieces::escaped;

/// More properties than anybody knows. Each is answered for each file of a folder.
const MOST_PROPERTIES: usize = 128;
/// Longer than any namespace is. Each is written again for each property of each file.
const LONGEST_NAMESPACE: usize = 256;
/// Deeper than any question is.
const MOST_DEPTH: usize = 16;

pub const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n";
pub const TAIL: &str = "</D:multistatus>\n";
/// The body of the answer to a question about a folder and all below it (section 9.1, preconditions): some have a million files.
pub const NOT_INFINITE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
    <D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n";

/// In the order of [`Entry::value`]; all but the two about room are told to those who ask for all (RFC 4331, section 2).
const KNOWN: [&str; 11] = [
    "creationdate",
    "displayname",
    "getcontentlength",
    "getcontenttype",
    "getetag",
    "getlastmodified",
    "lockdiscovery",
    "resourcetype",
    "supportedlock",
    AVAILABLE,
    USED,
];
const AVAILABLE: &str = "quota-available-bytes";
const USED: &str = "quota-used-bytes";

/// One file or folder, as it is told of.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its path, encoded.
    pub href: String,
    pub name: String,
    pub modified: SystemTime,
    /// `None`: it is a folder.
    pub file: Option<FileEntry>,
}

#[derive(Clone, Debug)]
pub struct FileEntry {
    pub length: u64,
    pub kind: &'static str,
    pub tag: Option<String>,
}

impl Entry {
    pub fn folder(href: String, name: String, modified: SystemTime) -> Entry {
        Entry { href, name, modified, file: None }
    }

    pub fn file(
        href: String,
        name: String,
        modified: SystemTime,
        length: u64,
        kind: &'static str,
        tag: Option<String>,
    ) -> Entry {
        Entry { href, name, modified, file: Some(FileEntry { length, kind, tag }) }
    }

    /// What is within the element of a property of `DAV:`; `None` if it has no such property. `used`: bytes of everything.
    fn value(&self, property: &str, used: Option<u64>) -> Option<String> {
        let file = self.file.as_ref();
        Some(match property {
            "creationdate" => internet_date(self.modified),
            "displayname" => escaped(&self.name),
            "getcontentlength" => file?.length.to_string(),
            "getcontenttype" => file?.kind.to_owned(),
            "getetag" => escaped(file?.tag.as_deref()?),
            "getlastmodified" => httpdate::fmt_http_date(self.modified),
            "resourcetype" if file.is_none() => "<D:collection/>".to_owned(),
            // No kind of lock, and nothing locked.
            "resourcetype" | "lockdiscovery" | "supportedlock" => String::new(),
            // Nothing can be put here.
            AVAILABLE if file.is_none() => "0".to_owned(),
            USED if file.is_none() => used?.to_string(),
            _ => return None,
        })
    }
}

/// The properties that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    All,
    /// Their names only.
    Names,
    These(Vec<Property>),
}

/// The name of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Empty: none.
    namespace: String,
    /// ASCII letters, digits, `-`, `_` and `.`.
    name: String,
}

/// Why a question is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    #[error("the body is not XML that says what is asked for: {0}")]
    Xml(String),
    #[error("the body asks for nothing: there is no propfind with prop, propname or allprop in it")]
    Nothing,
    #[error("the body asks for more than {MOST_PROPERTIES} properties")]
    TooMany,
    #[error("a property has a name that is not answered for")]
    Name,
}

impl Asked {
    /// Reads the body of a PROPFIND. An empty one asks for all.
    pub fn read(body: &[u8]) -> Result<Asked, NotUnderstood> {
        let not_xml = |why: &dyn std::fmt::Display| NotUnderstood::Xml(why.to_string());
        if body.trim_ascii().is_empty() {
            return Ok(Asked::All);
        }
        let text = std::str::from_utf8(body).map_err(|error| not_xml(&error))?;
        let mut reader = NsReader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        let (mut depth, mut asked, mut is_within) = (0, None, false);
        loop {
            let (namespace, event) = reader.read_resolved_event().map_err(|error| not_xml(&error))?;
            match event {
                Event::Start(start) => {
                    let local = start.local_name();
                    let name = std::str::from_utf8(local.as_ref()).map_err(|error| not_xml(&error))?;
                    let is_dav = matches!(&namespace, ResolveResult::Bound(bound) if bound.0 == b"DAV:");
                    match depth {
                        0 if !is_dav || name != "propfind" => return Err(NotUnderstood::Nothing),
                        1 => {
                            is_within = false;
                            match name {
                                "allprop" if is_dav && asked.is_none() => asked = Some(Asked::All),
                                "propname" if is_dav && asked.is_none() => asked = Some(Asked::Names),
                                "prop" if is_dav && asked.is_none() => {
                                    asked = Some(Asked::These(Vec::new()));
                                    is_within = true;
                                }
                                // An `include` beside `allprop` names what is told anyway, or what there is not.
                                _ => {}
                            }
                        }
                        2 if is_within => {
                            if let Some(Asked::These(properties)) = &mut asked {
                                if properties.len() == MOST_PROPERTIES {
                                    return Err(NotUnderstood::TooMany);
                                }
                                properties.push(Property::read(&namespace, name)?);
                            }
                        }
                        MOST_DEPTH => return Err(not_xml(&"it is too deep")),
                        _ => {}
                    }
                    depth += 1;
                }
                Event::End(_) => depth = depth.saturating_sub(1),
                // Nothing that WebDAV needs, and much that parsers have been tricked by (section 20.6).
                Event::DocType(_) => return Err(not_xml(&"it has a document type")),
                Event::Eof if depth > 0 => return Err(not_xml(&"it ends too early")),
                Event::Eof => return asked.ok_or(NotUnderstood::Nothing),
                _ => {}
            }
        }
    }

    /// Whether the answer tells how many bytes there are.
    pub fn wants_quota(&self) -> bool {
        match self {
            Asked::All => false,
            Asked::Names => true,
            Asked::These(properties) => properties.iter().any(|property| property.name == USED),
        }
    }
}

impl Property {
    /// Names that would have to be written with care are not taken: there are none.
    fn read(namespace: &ResolveResult<'_>, name: &str) -> Result<Property, NotUnderstood> {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let is_name = name.bytes().next().is_some_and(is_letter)
            && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit() || b"-.".contains(&byte));
        let namespace = match namespace {
            ResolveResult::Unbound => String::new(),
            ResolveResult::Bound(bound) => {
                let text = std::str::from_utf8(bound.0).map_err(|_| NotUnderstood::Name)?;
                quick_xml::escape::unescape(text).map_err(|_| NotUnderstood::Name)?.into_owned()
            }
            ResolveResult::Unknown(_) => return Err(NotUnderstood::Name),
        };
        // Nobody may give these two another prefix (Namespaces in XML, section 3).
        let is_reserved = namespace.starts_with("http://www.w3.org/XML/1998/namespace")
            || namespace.starts_with("http://www.w3.org/2000/xmlns/");
        if !is_name || is_reserved || namespace.len() > LONGEST_NAMESPACE {
            return Err(NotUnderstood::Name);
        }
        Ok(Property { namespace, name: name.to_owned() })
    }

    /// As an element without anything in it.
    fn empty(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("<{}/>", self.name),
            "DAV:" => format!("<D:{}/>", self.name),
            other => format!("<x:{} xmlns:x=\"{}\"/>", self.name, escaped(other)),
        }
    }
}

/// How far below the folder the question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Zero,
    One,
    Infinity,
}

impl Depth {
    /// None given means all (section 9.1).
    pub fn read(field: Option<&HeaderValue>) -> Option<Depth> {
        match field.map(HeaderValue::as_bytes) {
            Some(b"0") => Some(Depth::Zero),
            Some(b"1") => Some(Depth::One),
            None => Some(Depth::Infinity),
            Some(other) => other.eq_ignore_ascii_case(b"infinity").then_some(Depth::Infinity),
        }
    }
}

/// What is told of one entry.
pub fn response(asked: &Asked, entry: &Entry, used: Option<u64>) -> String {
    let element = |name: &str, value: &str| match value {
        "" => format!("<D:{name}/>"),
        value => format!("<D:{name}>{value}</D:{name}>"),
    };
    let known = |names: &[&str], value: &dyn Fn(String) -> String| {
        let told = names.iter().filter_map(|name| Some(element(name, &value(entry.value(name, used)?))));
        told.collect::<String>()
    };
    let (found, missing) = match asked {
        Asked::All => {
            let without_room: Vec<_> =
                KNOWN.into_iter().filter(|name| ![AVAILABLE, USED].contains(name)).collect();
            (known(&without_room, &|value| value), String::new())
        }
        Asked::Names => (known(&KNOWN, &|_| String::new()), String::new()),
        Asked::These(properties) => {
            let (mut found, mut missing) = (String::new(), String::new());
            for property in properties {
                let value = Some(property).filter(|property| property.namespace == "DAV:");
                match value.and_then(|property| entry.value(&property.name, used)) {
                    Some(value) => found.push_str(&element(&property.name, &value)),
                    None => missing.push_str(&property.empty()),
                }
            }
            (found, missing)
        }
    };
    let group = |properties: &str, status| {
        format!(
            "<D:propstat><D:prop>{properties}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
        )
    };
    let mut response = format!("<D:response><D:href>{}</D:href>", entry.href);
    // There is at least one of the two (section 14.24).
    if !found.is_empty() || missing.is_empty() {
        response.push_str(&group(&found, "200 OK"));
    }
    if !missing.is_empty() {
        response.push_str(&group(&missing, "404 Not Found"));
    }
    response.push_str("</D:response>\n");
    response
}

/// `1994-11-06T08:49:37Z` (RFC 3339). Not before 1970.
fn internet_date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day at the end, and four hundred of them have always the same days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests;
