//! Which files of a torrent are meant, in which order. Pure.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use globset::{GlobBuilder, GlobMatcher};

use crate::read::{File, natural_order};

/// What the user chose. The default is the largest video; of a magnet with `so=` (BEP 53), the largest of those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The largest video, else the largest file.
    #[default]
    Largest,
    /// Indices into `Files::files`, in this order; a range whose end is before its start runs backwards. None at all is
    /// as good as [`Largest`](Self::Largest).
    Indices(Vec<RangeInclusive<usize>>),
    /// For each of these in turn: the files of this path, else of this name, else those whose name or path the glob
    /// matches, else those with this in their path; whatever the case of letters. Of several that match, the videos; of
    /// none of these, what is to be heard; in natural order. None at all is as good as [`Largest`](Self::Largest).
    Named(Vec<String>),
    /// All videos and all that is to be heard, in natural order; without any, all files.
    All,
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

/// The indices of the chosen files, in the order in which they are to be played; each once, and at least one. `preferred`
/// are the indices that the source names (`so=`); those that do not exist are ignored. An explicit choice goes before them.
pub(super) fn choose(
    files: &[File],
    choice: &Choice,
    preferred: &[usize],
) -> Result<Vec<usize>, ChoiceError> {
    let chosen = match choice {
        Choice::Largest => Vec::new(),
        Choice::Indices(ranges) => indices(files.len(), ranges)?,
        Choice::Named(names) => {
            let mut chosen = Vec::new();
            for name in names {
                let matching = named(files, name);
                if matching.is_empty() {
                    return Err(ChoiceError::NoSuchName { name: name.clone() });
                }
                chosen.extend(matching);
            }
            chosen
        }
        Choice::All => {
            let all = || 0..files.len();
            let played =
                all().filter(|&index| files.get(index).is_some_and(|f| f.is_video() || f.is_audio()));
            let played = in_natural_order(files, played.collect());
            if played.is_empty() { in_natural_order(files, all().collect()) } else { played }
        }
    };
    let mut seen = HashSet::new();
    let mut chosen: Vec<usize> = chosen.into_iter().filter(|&index| seen.insert(index)).collect();
    if chosen.is_empty() {
        let preferred = preferred.iter().copied().filter(|&index| index < files.len());
        let largest = largest(files, preferred).or_else(|| largest(files, 0..files.len()));
        chosen.push(largest.ok_or(ChoiceError::NoFiles)?);
    }
    Ok(chosen)
}

fn indices(count: usize, ranges: &[RangeInclusive<usize>]) -> Result<Vec<usize>, ChoiceError> {
    let mut chosen = Vec::new();
    for range in ranges {
        let (&from, &to) = (range.start(), range.end());
        // Before anything is counted out: a range may be as long as one likes.
        if let Some(&index) = [from, to].iter().find(|&&index| index >= count) {
            return Err(ChoiceError::NoSuchIndex { index, count });
        }
        if from <= to {
            chosen.extend(from..=to);
        } else {
            chosen.extend((to..=from).rev());
        }
    }
    Ok(chosen)
}

fn largest(files: &[File], among: impl Iterator<Item = usize>) -> Option<usize> {
    among
        .filter_map(|index| files.get(index).map(|file| (index, file)))
        // Of equals the first.
        .max_by_key(|&(index, file)| (file.is_video(), file.length, std::cmp::Reverse(index)))
        .map(|(index, _)| index)
}

fn in_natural_order(files: &[File], mut indices: Vec<usize>) -> Vec<usize> {
    let path = |index: usize| files.get(index).map_or("", |file| file.path.as_str());
    indices.sort_by(|&a, &b| {
        is_extra(path(a)).cmp(&is_extra(path(b))).then_with(|| natural_order(path(a), path(b)))
    });
    indices
}

/// Of what comes with films, and is watched after them if at all.
fn is_extra(path: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "behind the scenes",
        "bonus",
        "deleted scenes",
        "extra",
        "extras",
        "featurettes",
        "sample",
        "samples",
        "trailer",
        "trailers",
    ];
    let mut folders = path.split('/').rev().skip(1);
    folders.any(|folder| FOLDERS.iter().any(|extra| extra.eq_ignore_ascii_case(folder)))
}

fn named(files: &[File], name: &str) -> Vec<usize> {
    let wanted = name.to_lowercase();
    if wanted.is_empty() {
        return Vec::new();
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
    let kinds: [fn(&File) -> bool; 3] = [File::is_video, File::is_audio, |_| true];
    for test in tests {
        let matching: Vec<(usize, &File)> = files.iter().enumerate().filter(|(_, file)| test(file)).collect();
        for kind in kinds {
            let of_kind: Vec<usize> =
                matching.iter().filter(|(_, file)| kind(file)).map(|&(index, _)| index).collect();
            if !of_kind.is_empty() {
                return in_natural_order(files, of_kind);
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<File> {
        [
            ("Show/extras/making of.mkv", 900),
            ("Show/Show S01E10 [1080p].mkv", 700),
            ("Show/Show S01E02 [1080p].MKV", 800),
            ("Show/disc.iso", 5000),
            ("Show/Show S01E10 [1080p].srt", 10),
            ("Show/theme.mp3", 20),
            ("Show/Intro.mp3", 20),
        ]
        .map(|(path, length)| File { path: path.to_owned(), length })
        .to_vec()
    }

    fn names(names: &[&str]) -> Result<Vec<usize>, ChoiceError> {
        choose(&files(), &Choice::Named(names.iter().map(|&name| name.to_owned()).collect()), &[])
    }

    fn indices(ranges: &[RangeInclusive<usize>]) -> Result<Vec<usize>, ChoiceError> {
        choose(&files(), &Choice::Indices(ranges.to_vec()), &[1])
    }

    #[test]
    fn the_largest_video_goes_before_larger_files() {
        assert_eq!(choose(&files(), &Choice::Largest, &[]), Ok(vec![0]));
    }

    #[test]
    fn without_videos_the_largest_file_is_it_and_of_equals_the_first() {
        let files = [("a.zim", 5), ("b.zim", 7), ("c.zim", 7)]
            .map(|(path, length)| File { path: path.to_owned(), length });
        assert_eq!(choose(&files, &Choice::Largest, &[]), Ok(vec![1]));
        assert_eq!(choose(&[], &Choice::Largest, &[]), Err(ChoiceError::NoFiles));
        assert_eq!(choose(&[], &Choice::All, &[]), Err(ChoiceError::NoFiles));
    }

    #[test]
    fn what_the_magnet_selects_goes_before_the_largest_and_an_explicit_choice_before_that() {
        assert_eq!(choose(&files(), &Choice::Largest, &[4, 1, 99]), Ok(vec![1]));
        assert_eq!(choose(&files(), &Choice::Largest, &[99]), Ok(vec![0]));
        assert_eq!(indices(&[3..=3]), Ok(vec![3]));
    }

    #[test]
    fn indices_are_played_as_they_were_typed_and_each_once() {
        assert_eq!(indices(&[4..=4, 0..=2, 1..=3]), Ok(vec![4, 0, 1, 2, 3]));
        assert_eq!(indices(std::slice::from_ref(&RangeInclusive::new(3, 1))), Ok(vec![3, 2, 1]));
        assert_eq!(indices(&[]), Ok(vec![1]), "nothing typed is nothing chosen");
    }

    #[test]
    fn a_name_is_taken_literally_before_it_is_a_pattern() {
        // As a glob, [1080p] is one character.
        assert_eq!(names(&["show s01e10 [1080P].mkv"]), Ok(vec![1]));
        assert_eq!(names(&["Show/disc.iso"]), Ok(vec![3]));
    }

    #[test]
    fn patterns_match_names_and_paths_whatever_the_case() {
        assert_eq!(names(&["*e02*.mkv"]), Ok(vec![2]));
        assert_eq!(names(&["show/EXTRAS/*"]), Ok(vec![0]));
        assert_eq!(names(&["*.srt"]), Ok(vec![4]));
        assert_eq!(names(&["e10"]), Ok(vec![1]), "the film, not its subtitles");
    }

    #[test]
    fn a_pattern_is_all_that_it_matches_in_natural_order() {
        assert_eq!(names(&["*.mkv"]), Ok(vec![2, 1, 0]), "extras last");
        assert_eq!(names(&["*s01e*"]), Ok(vec![2, 1]));
        assert_eq!(names(&["*.mp3"]), Ok(vec![6, 5]));
        assert_eq!(names(&["*e10*.srt", "*e10*", "*s01e*"]), Ok(vec![4, 1, 2]), "each once, as typed");
    }

    #[test]
    fn all_is_what_can_be_played_and_else_everything() {
        assert_eq!(choose(&files(), &Choice::All, &[1]), Ok(vec![6, 2, 1, 5, 0]));
        let files = ["10.zim", "9.zim"].map(|path| File { path: path.to_owned(), length: 1 });
        assert_eq!(choose(&files, &Choice::All, &[]), Ok(vec![1, 0]));
    }

    #[test]
    fn what_matches_nothing_is_said() {
        let said = names(&["e02", "s02"]).expect_err("nothing").to_string();
        assert_eq!(said, "no file of the torrent matches “s02” (--list shows them)");
        assert!(names(&[""]).is_err());
        assert!(names(&["["]).is_ok(), "not a glob, but part of names");
        assert_eq!(indices(&[7..=7]), Err(ChoiceError::NoSuchIndex { index: 7, count: 7 }));
        assert_eq!(indices(&[0..=usize::MAX]), Err(ChoiceError::NoSuchIndex { index: usize::MAX, count: 7 }));
    }
}
