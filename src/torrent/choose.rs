//! Which file of a torrent is meant. Pure.

use globset::{GlobBuilder, GlobMatcher};

use crate::read::File;

/// What the user chose. The default is the largest video; of a magnet with `so=` (BEP 53), the largest of those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The largest video, else the largest file.
    #[default]
    Largest,
    /// An index into `Files::files`.
    Index(usize),
    /// A path, a name, a glob of either, or a part of the path, whatever the case of letters, tried in this order. Of
    /// several files that match, the largest video, else the largest.
    Named(String),
}

/// Why nothing could be chosen. The sentence is for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    #[error("the torrent has no files")]
    NoFiles,
    #[error("there is no file {index}: the torrent has {count} (numbered from 0; --list shows them)")]
    NoSuchIndex { index: usize, count: usize },
    #[error("no file of the torrent matches “{name}” (--list shows them)")]
    NoSuchName { name: String },
}

/// Endings of names, as players know them.
const VIDEOS: [&str; 27] = [
    "3g2", "3gp", "asf", "avi", "divx", "dv", "f4v", "flv", "m1v", "m2t", "m2ts", "m2v", "m4v", "mkv", "mov",
    "mp4", "mpe", "mpeg", "mpg", "mts", "ogm", "ogv", "rmvb", "ts", "vob", "webm", "wmv",
];

/// The index of the chosen file. `preferred` are the indices that the source names (`so=`); those that do not exist are
/// ignored. An explicit choice goes before them.
pub(super) fn choose(files: &[File], choice: &Choice, preferred: &[usize]) -> Result<usize, ChoiceError> {
    match choice {
        Choice::Largest => {
            let preferred = preferred.iter().copied().filter(|&index| index < files.len());
            largest(files, preferred).or_else(|| largest(files, 0..files.len())).ok_or(ChoiceError::NoFiles)
        }
        Choice::Index(index) if *index < files.len() => Ok(*index),
        Choice::Index(index) => Err(ChoiceError::NoSuchIndex { index: *index, count: files.len() }),
        Choice::Named(name) => {
            named(files, name).ok_or_else(|| ChoiceError::NoSuchName { name: name.clone() })
        }
    }
}

fn largest(files: &[File], among: impl Iterator<Item = usize>) -> Option<usize> {
    among
        .filter_map(|index| files.get(index).map(|file| (index, file)))
        // Of equals the first.
        .max_by_key(|&(index, file)| (is_video(file.name()), file.length, std::cmp::Reverse(index)))
        .map(|(index, _)| index)
}

fn is_video(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    VIDEOS.iter().any(|video| video.eq_ignore_ascii_case(ending))
}

fn named(files: &[File], name: &str) -> Option<usize> {
    let wanted = name.to_lowercase();
    if wanted.is_empty() {
        return None;
    }
    let globs: Vec<GlobMatcher> = [true, false]
        .into_iter()
        .filter_map(|literal_separator| {
            let glob =
                GlobBuilder::new(name).case_insensitive(true).literal_separator(literal_separator).build();
            glob.ok().map(|glob| glob.compile_matcher())
        })
        .collect();
    let tests: [&dyn Fn(&File) -> bool; 4] = [
        &|file| file.path.to_lowercase() == wanted,
        &|file| file.name().to_lowercase() == wanted,
        &|file| globs.iter().any(|glob| glob.is_match(file.name()) || glob.is_match(&file.path)),
        &|file| file.path.to_lowercase().contains(&wanted),
    ];
    tests.iter().find_map(|test| {
        let matching = files.iter().enumerate().filter(|(_, file)| test(file)).map(|(index, _)| index);
        largest(files, matching)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<File> {
        [
            ("Show/extras/making of.mkv", 900),
            ("Show/Show S01E01 [1080p].mkv", 700),
            ("Show/Show S01E02 [1080p].MKV", 800),
            ("Show/disc.iso", 5000),
            ("Show/Show S01E01 [1080p].srt", 10),
        ]
        .map(|(path, length)| File { path: path.to_owned(), length })
        .to_vec()
    }

    fn name(name: &str) -> Result<usize, ChoiceError> {
        choose(&files(), &Choice::Named(name.to_owned()), &[])
    }

    #[test]
    fn the_largest_video_goes_before_larger_files() {
        assert_eq!(choose(&files(), &Choice::Largest, &[]), Ok(0));
    }

    #[test]
    fn without_videos_the_largest_file_is_it_and_of_equals_the_first() {
        let files = [("a.zim", 5), ("b.zim", 7), ("c.zim", 7)]
            .map(|(path, length)| File { path: path.to_owned(), length });
        assert_eq!(choose(&files, &Choice::Largest, &[]), Ok(1));
        assert_eq!(choose(&[], &Choice::Largest, &[]), Err(ChoiceError::NoFiles));
    }

    #[test]
    fn what_the_magnet_selects_goes_before_the_largest_and_an_explicit_choice_before_that() {
        assert_eq!(choose(&files(), &Choice::Largest, &[4, 1, 99]), Ok(1));
        assert_eq!(choose(&files(), &Choice::Largest, &[99]), Ok(0));
        assert_eq!(choose(&files(), &Choice::Index(3), &[1]), Ok(3));
    }

    #[test]
    fn a_name_is_taken_literally_before_it_is_a_pattern() {
        // As a glob, [1080p] is one character.
        assert_eq!(name("show s01e01 [1080P].mkv"), Ok(1));
        assert_eq!(name("Show/disc.iso"), Ok(3));
    }

    #[test]
    fn patterns_match_names_and_paths_whatever_the_case() {
        assert_eq!(name("*e02*.mkv"), Ok(2));
        assert_eq!(name("show/EXTRAS/*"), Ok(0));
        assert_eq!(name("*.srt"), Ok(4));
        assert_eq!(name("*.mkv"), Ok(0));
        assert_eq!(name("e01"), Ok(1));
    }

    #[test]
    fn what_matches_nothing_is_said() {
        let said = name("s02").expect_err("nothing").to_string();
        assert_eq!(said, "no file of the torrent matches “s02” (--list shows them)");
        assert!(name("").is_err());
        assert!(name("[").is_ok(), "not a glob, but part of names");
        assert_eq!(
            choose(&files(), &Choice::Index(5), &[]),
            Err(ChoiceError::NoSuchIndex { index: 5, count: 5 })
        );
    }
}
