//! Paths: which of our routes, and which file of the torrent, a request means. Pure.
//!
//! A path is only ever compared with the names of a torrent, never looked up in a folder.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::read::Files;

/// Everything but the unreserved characters (RFC 3986, section 2.3), so that a name is one segment of a path and no
/// player sees a quote, a blank or a letter that it would have to guess the encoding of.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a path means before the files are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`: the chosen file.
    Chosen,
    /// `/.m3u`: all files, as a playlist.
    Playlist,
    /// `/.json`: the files and the numbers.
    Statistics,
    /// `/favicon.ico`: browsers ask for it, and there is none.
    Icon,
    /// Anything else: decoded, without the first `/`.
    File(String),
}

impl Route {
    /// Reads the path of a request target, without the query. Bytes that are not UTF-8 once decoded stand for no file.
    pub fn read(path: &str) -> Route {
        let path = path.strip_prefix('/').unwrap_or(path);
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        match &*decoded {
            "" => Route::Chosen,
            ".m3u" => Route::Playlist,
            ".json" => Route::Statistics,
            "favicon.ico" => Route::Icon,
            other => Route::File(other.to_owned()),
        }
    }

    /// The file that is meant, as an index into `files`; `None` if there is no such file, or no file is meant.
    pub fn file(&self, files: &Files) -> Option<usize> {
        match self {
            Route::Chosen => (files.chosen < files.files.len()).then_some(files.chosen),
            Route::File(path) => find(path, files),
            Route::Playlist | Route::Statistics | Route::Icon => None,
        }
    }
}

/// `<i>`, `<i>/<its name>`, then a file's whole path, its path below the torrent's folder, its name.
///
/// The name after an index must be right: a player that looks for `film.srt` beside `/0/film.mkv` must not be given the
/// film. A file whose name is a number is found by its name where there is no such index.
fn find(path: &str, files: &Files) -> Option<usize> {
    let (head, name) = path.split_once('/').map_or((path, None), |(head, name)| (head, Some(name)));
    if let Some(index) = read_index(head)
        && let Some(file) = files.files.get(index)
        && name.is_none_or(|name| name == file.name() || name == file.path)
    {
        return Some(index);
    }
    let position = |is: &dyn Fn(&crate::read::File) -> bool| files.files.iter().position(is);
    position(&|file| file.path == path)
        .or_else(|| {
            position(&|file| {
                file.path.split_once('/').is_some_and(|(top, rest)| top == files.name && rest == path)
            })
        })
        .or_else(|| position(&|file| file.name() == path))
}

fn read_index(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// The path of file `index` in playlists: `/<i>/<name>`, so that players show the name and remember where they were.
pub fn path_of(index: usize, name: &str) -> String {
    format!("/{index}/{}", utf8_percent_encode(name, SEGMENT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::File;

    fn files(paths: &[&str], chosen: usize) -> Files {
        let files = paths.iter().map(|path| File { path: (*path).to_owned(), length: 1 }).collect();
        Files::new("0".repeat(40), "Show", files, vec![chosen])
    }

    fn show() -> Files {
        files(&["Show/One.mkv", "Show/Två é.mkv", "Show/Subs/One.srt", "Show/2012", "Show/a%20b.txt"], 1)
    }

    #[test]
    fn every_route_has_its_path() {
        assert_eq!(Route::read("/"), Route::Chosen);
        assert_eq!(Route::read(""), Route::Chosen);
        assert_eq!(Route::read("/.m3u"), Route::Playlist);
        assert_eq!(Route::read("/%2Em3u"), Route::Playlist);
        assert_eq!(Route::read("/.json"), Route::Statistics);
        assert_eq!(Route::read("/favicon.ico"), Route::Icon);
        assert_eq!(Route::read("/a%20b/%C3%A9"), Route::File("a b/é".to_owned()));
    }

    #[test]
    fn a_path_finds_its_file() {
        let found = [
            ("/", Some(1)),
            ("/0", Some(0)),
            ("/4", Some(4)),
            ("/007", None),
            ("/2012", Some(3)),
            ("/0/One.mkv", Some(0)),
            ("/1/Tv%C3%A5%20%C3%A9.mkv", Some(1)),
            ("/1/Två é.mkv", Some(1)),
            ("/2/One.srt", Some(2)),
            ("/2/Show/Subs/One.srt", Some(2)),
            ("/One.mkv", Some(0)),
            ("/Tv%c3%a5%20%c3%a9.mkv", Some(1)),
            ("/Show/Subs/One.srt", Some(2)),
            ("/Show%2FSubs%2FOne.srt", Some(2)),
            ("/Subs/One.srt", Some(2)),
            ("/One.srt", Some(2)),
            ("/a%2520b.txt", Some(4)),
            ("/-1", None),
            ("/1.5", None),
            ("/1e0", None),
            ("/0x1", None),
            ("/5", None),
            ("/99999999999999999999999999", None),
            ("/0/", None),
            ("/0/One.srt", None),
            ("/../One.mkv", None),
            ("/One.mkv/", None),
            ("/a%20b.txt", None),
            ("/%FF", None),
            ("/%", None),
            ("//", None),
            ("/.m3u", None),
        ];
        for (path, index) in found {
            assert_eq!(Route::read(path).file(&show()), index, "{path}");
        }
    }

    #[test]
    fn a_choice_that_is_not_there_is_no_panic() {
        assert_eq!(Route::Chosen.file(&files(&[], 0)), None);
    }

    #[test]
    fn a_single_file_is_found_by_its_name() {
        let single = files(&["A film (2024).mp4"], 0);
        assert_eq!(Route::read("/A%20film%20(2024).mp4").file(&single), Some(0));
        assert_eq!(path_of(0, single.files[0].name()), "/0/A%20film%20%282024%29.mp4");
    }

    proptest! {
        #[test]
        fn what_a_playlist_says_is_found_again(names in prop::collection::vec("[^/\\pC]{1,12}", 1..6)) {
            let files = files(&names.iter().map(String::as_str).collect::<Vec<_>>(), 0);
            for (index, name) in names.iter().enumerate() {
                let path = path_of(index, name);
                prop_assert!(path.bytes().all(|b| b.is_ascii_graphic()));
                prop_assert_eq!(Route::read(&path).file(&files), Some(index));
            }
        }

        #[test]
        fn no_path_is_too_strange(path in "\\PC*") {
            let _ = Route::read(&path).file(&show());
        }
    }
}
