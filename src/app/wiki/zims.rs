//! Which files of a torrent are ZIM files, as their names say. Pure.

use std::collections::BTreeMap;

use crate::read::{File, natural_order};
use crate::tui::clean;

/// More files than this are not named where none of them will do.
const NAMED: usize = 5;

/// A ZIM file, which may be in several parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZimFile {
    /// The path of its first part.
    pub(super) path: String,
    /// The numbers of its parts, in order.
    pub(super) parts: Vec<usize>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// As people sort names.
    pub(super) zims: Vec<ZimFile>,
    /// What cannot be used, a sentence each without a full stop.
    pub(super) complaints: Vec<String>,
}

/// Looks through the names.
pub(super) fn zims(files: &[File]) -> Found {
    let mut found = Found::default();
    let mut split: BTreeMap<&str, BTreeMap<u16, usize>> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        match ending(&file.path) {
            Some(Ending::Whole) => {
                found.zims.push(ZimFile { path: file.path.clone(), parts: vec![index] });
            }
            Some(Ending::Part { stem, number }) => {
                split.entry(stem).or_default().insert(number, index);
            }
            None => {}
        }
    }
    for (stem, parts) in split {
        let missing = (0..).zip(parts.keys()).find(|(wanted, there)| wanted != *there);
        if let Some((missing, _)) = missing {
            let missing = clean(&part_name(stem, missing));
            found.complaints.push(format!("{missing} is missing, and so its other parts are of no use"));
            continue;
        }
        found.zims.push(ZimFile { path: part_name(stem, 0), parts: parts.into_values().collect() });
    }
    found.zims.sort_by(|a, b| natural_order(&a.path, &b.path));
    found
}

/// Why there is nothing to show: what there is instead. A sentence without a full stop.
pub(super) fn none_of(files: &[File]) -> String {
    let names: Vec<String> = files.iter().take(NAMED).map(|file| clean(file.name())).collect();
    let more = match files.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => " and 1 more".to_owned(),
        more => format!(" and {more} more"),
    };
    format!("the torrent has no ZIM file, whose name would end in .zim; it has {}{more}", names.join(", "))
}

/// How the name of a ZIM file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending<'a> {
    Whole,
    /// One of several, from 0 on: `.zimaa`, `.zimab`, and so on.
    Part {
        stem: &'a str,
        number: u16,
    },
}

/// `None`: it is another name.
pub(super) fn ending(path: &str) -> Option<Ending<'_>> {
    let (stem, ending) = path.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_bytes() {
        b"zim" => Some(Ending::Whole),
        [b'z', b'i', b'm', first @ b'a'..=b'z', second @ b'a'..=b'z'] => {
            let number = u16::from(first - b'a') * 26 + u16::from(second - b'a');
            Some(Ending::Part { stem, number })
        }
        _ => None,
    }
}

/// The name of a part; of the first 26 × 26, more than there can be.
pub(super) fn part_name(stem: &str, number: u16) -> String {
    let letter = |number: u16| char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
    format!("{stem}.zim{}{}", letter(number / 26), letter(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Found {
        let file = |name: &&str| File { path: (*name).to_owned(), length: 1 };
        zims(&names.iter().map(file).collect::<Vec<_>>())
    }

    fn zim(path: &str, parts: &[usize]) -> ZimFile {
        ZimFile { path: path.to_owned(), parts: parts.to_vec() }
    }

    #[test]
    fn the_name_says_what_is_a_zim_file() {
        let there = found(&["w/read me.txt", "w/wiki_10.ZIM", "w/wiki_9.zim", "w/x.zim.torrent", "zim"]);
        assert_eq!(there.zims, [zim("w/wiki_9.zim", &[2]), zim("w/wiki_10.ZIM", &[1])]);
        assert_eq!(there.complaints, [""; 0]);
    }

    #[test]
    fn parts_are_put_in_order_and_one_that_is_missing_is_told() {
        let there = found(&["a.zimab", "a.zimaa", "b.zimab", "a.zimac", "c.zimaa"]);
        assert_eq!(there.zims, [zim("a.zimaa", &[1, 0, 3]), zim("c.zimaa", &[4])]);
        assert_eq!(there.complaints.len(), 1);
        assert!(there.complaints[0].starts_with("b.zimaa is missing"), "{:?}", there.complaints);
        let gap = found(&["a.zimaa", "a.zimac"]);
        assert!(gap.zims.is_empty() && gap.complaints[0].starts_with("a.zimab is missing"), "{gap:?}");
    }

    #[test]
    fn parts_have_the_names_that_they_are_found_by() {
        for number in [0, 1, 25, 26, 675] {
            let name = part_name("a", number);
            assert_eq!(ending(&name), Some(Ending::Part { stem: "a", number }), "{name}");
        }
    }

    #[test]
    fn without_any_it_is_told_what_there_is() {
        let files: Vec<File> = (1..=7).map(|at| File { path: format!("Show/{at}.mkv"), length: 1 }).collect();
        assert_eq!(
            none_of(&files),
            "the torrent has no ZIM file, whose name would end in .zim; it has 1.mkv, 2.mkv, 3.mkv, 4.mkv, 5.mkv and 2 more"
        );
    }
}
