use proptest::prelude::*;

use super::{Found, episode, find};
use crate::read::File;

fn files(paths: &[&str]) -> Vec<File> {
    let length =
        |path: &str| if path.ends_with(".mkv") || path.ends_with(".mp4") { 1_000_000_000 } else { 50_000 };
    paths.iter().map(|path| File { path: (*path).to_owned(), length: length(path) }).collect()
}

/// Their paths, for the film that is the first file.
fn found<'a>(paths: &[&'a str], languages: &[&str]) -> Vec<&'a str> {
    let languages: Vec<String> = languages.iter().map(|&language| language.to_owned()).collect();
    find(&files(paths), 0, &languages).iter().map(|found| paths[found.index]).collect()
}

#[test]
fn of_a_film_with_one_file_of_subtitles_there_is_no_doubt() {
    assert_eq!(found(&["T/Film.mkv", "T/Film.srt", "T/read me.txt"], &["en"]), ["T/Film.srt"]);
    assert_eq!(found(&["T/Film.mkv", "T/whatever.vtt"], &[]), ["T/whatever.vtt"]);
    assert_eq!(found(&["T/Film.mkv", "T/Subs/2_English.srt"], &[]), ["T/Subs/2_English.srt"]);
    assert_eq!(found(&["Film.mkv"], &["en"]), [""; 0]);
}

#[test]
fn the_nearest_name_comes_first_where_nobody_wishes_for_a_language() {
    let paths = ["T/Film.mkv", "T/Subs/3_French.srt", "T/Film.de.srt", "T/Film.srt"];
    assert_eq!(found(&paths, &[]), ["T/Film.srt", "T/Film.de.srt", "T/Subs/3_French.srt"]);
}

#[test]
fn the_users_languages_come_first_in_their_order() {
    let paths = [
        "T/Film.mkv",
        "T/Film.srt",
        "T/Film.en.srt",
        "T/Film.fre.srt",
        "T/Subs/2_German.srt",
        "T/Film.pl.srt",
    ];
    assert_eq!(
        found(&paths, &["de-AT", "English"]),
        ["T/Subs/2_German.srt", "T/Film.en.srt", "T/Film.srt", "T/Film.fre.srt", "T/Film.pl.srt"]
    );
}

#[test]
fn forced_ones_and_those_for_the_deaf_come_after_the_full_ones() {
    let paths = ["T/Film.mkv", "T/Film.en.forced.srt", "T/Film.en.sdh.srt", "T/Film.eng.srt", "T/Film.srt"];
    assert_eq!(
        found(&paths, &["en"]),
        ["T/Film.eng.srt", "T/Film.en.sdh.srt", "T/Film.en.forced.srt", "T/Film.srt"]
    );
}

#[test]
fn a_viewer_is_told_the_language() {
    let files = files(&["T/Film.mkv", "T/Film.srt", "T/Film.pt-BR.srt", "T/Subs/German/Film.forced.srt"]);
    let found = find(&files, 0, &["pt".to_owned(), "de".to_owned()]);
    let told = |index, language: Option<&str>| Found { index, language: language.map(str::to_owned) };
    assert_eq!(found, [told(2, Some("Portuguese (BR)")), told(3, Some("German, forced")), told(1, None)]);
}

#[test]
fn of_a_series_each_film_has_its_own() {
    let paths = [
        "Show/Show.S01E01.1080p.mkv",
        "Show/Show.S01E02.1080p.mkv",
        "Show/Show.S01E01.1080p.en.srt",
        "Show/Show.S01E02.1080p.en.srt",
        "Show/Subs/Show.S01E01.1080p/2_German.srt",
        "Show/Subs/Show.S01E02.1080p/2_German.srt",
        "Show/Subs/1x01 - Pilot.fr.srt",
        "Show/Subs/s01 e02.fr.srt",
        "Show/English.srt",
    ];
    assert_eq!(found(&paths, &["fr", "de"]), [paths[6], paths[4], paths[2]]);
    let second: Vec<_> = find(&files(&paths), 1, &[]).into_iter().map(|found| found.index).collect();
    assert_eq!(second, [3, 7, 5]);
}

#[test]
fn a_name_that_begins_with_another_films_name_is_not_that_films() {
    let paths = ["T/Alien.mkv", "T/Alien 3.mkv", "T/Alien 3.en.srt", "T/Alien.srt", "T/Aliens.srt"];
    assert_eq!(found(&paths, &["en"]), ["T/Alien.srt"]);
}

#[test]
fn films_in_folders_of_their_own_share_nothing() {
    let paths =
        ["T/One/one.mkv", "T/Two/two.mkv", "T/One/Subs/English.srt", "T/Two/English.srt", "T/English.srt"];
    assert_eq!(found(&paths, &["en"]), ["T/One/Subs/English.srt"]);
    let same = ["T/1/film.mkv", "T/2/film.mkv", "T/2/film.srt", "T/1/film.srt"];
    assert_eq!(found(&same, &[]), ["T/1/film.srt"]);
}

#[test]
fn samples_are_no_films() {
    let paths = ["T/Film.mkv", "T/Sample/film-sample.mkv", "T/English.srt"];
    assert_eq!(found(&paths, &[]), ["T/English.srt"]);
    let mut files = files(&["T/Film.mkv", "T/making of.mkv", "T/English.srt"]);
    files[1].length = 50_000_000;
    assert_eq!(find(&files, 0, &[]).len(), 1);
}

#[test]
fn pictures_of_subtitles_are_left_alone() {
    let paths = ["T/Film.mkv", "T/Film.idx", "T/Film.sub", "T/Other.sub"];
    assert_eq!(found(&paths, &[]), ["T/Other.sub"]);
}

#[test]
fn words_of_the_title_are_no_languages() {
    let files = files(&["The.English.Patient.1996.mkv", "the english patient.srt", "Subs/Italian.srt"]);
    let languages: Vec<_> = find(&files, 0, &[]).into_iter().map(|found| found.language).collect();
    assert_eq!(languages, [None, Some("Italian".to_owned())]);
}

#[test]
fn episodes_are_told_from_years_and_sizes() {
    assert_eq!(episode("show.s01e02.1080p"), Some((1, 2)));
    assert_eq!(episode("show - 12x03 - title"), Some((12, 3)));
    assert_eq!(episode("s10.e99"), Some((10, 99)));
    for name in ["film.2020.1920x1080", "his01e02", "film 1x2y", "s01", "", "é1x", "4x4x4.s"] {
        let found = episode(name);
        assert!(found.is_none() || name == "4x4x4.s", "{name}: {found:?}");
    }
}

proptest! {
    #[test]
    fn whatever_names_there_are_each_is_found_once_and_is_subtitles(
        paths in proptest::collection::vec("([A-Za-zİß é.]{0,8}/){0,3}[a-zS0-9Eİ ._-]{0,12}\\.(srt|sub|idx|mkv|MKV|en\\.srt)", 0..12),
        film in 0usize..12,
        languages in proptest::collection::vec("[a-z]{0,3}", 0..3),
    ) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let files = files(&paths);
        let mut found: Vec<usize> = find(&files, film, &languages).into_iter().map(|found| found.index).collect();
        prop_assert!(found.iter().all(|&index| files[index].is_subtitle()));
        let count = found.len();
        found.sort_unstable();
        found.dedup();
        prop_assert_eq!(found.len(), count);
    }
}
