//! How each player is told what to play: addresses, titles, subtitles. Pure.

use std::ffi::OsString;
use std::path::Path;

use super::{Choice, Item, Launch};

/// What the player `kind` is told to play, at the end of its command line.
pub(super) fn items(kind: &Choice, launch: &Launch, with_titles: bool) -> Vec<OsString> {
    let items: Vec<Item> = launch.items().map(|item| plain(item, with_titles)).collect();
    let told: Vec<String> = match (kind, items.as_slice()) {
        (Choice::Vlc, items) => {
            // `:option` is about the item before it, `--option` about all.
            let (of_item, _) = of_item(&launch.extra);
            let mut told: Vec<OsString> = Vec::new();
            for (place, item) in items.iter().enumerate() {
                told.push(item.url.clone().into());
                told.extend(vlc(item).map(OsString::from));
                told.extend(of_item.iter().filter(|_| place == 0).cloned());
            }
            return told;
        }
        (Choice::Mpv, [item]) => mpv(item).chain([item.url.clone()]).collect(),
        // What stands within these is about what stands within these.
        (Choice::Mpv, items) => items
            .iter()
            .flat_map(|item| {
                let inside = mpv(item).chain([item.url.clone()]);
                ["--{".to_owned()].into_iter().chain(inside).chain(["--}".to_owned()])
            })
            .collect(),
        (Choice::Mplayer, [item]) => mplayer(item).chain([item.url.clone()]).collect(),
        // What follows an address is about that one.
        (Choice::Mplayer, items) => {
            items.iter().flat_map(|item| [item.url.clone()].into_iter().chain(mplayer(item))).collect()
        }
        // It can be told of the first one alone, and of one file of subtitles.
        (Choice::Smplayer, items) => {
            let first = items.first().into_iter().flat_map(|first| {
                let title = first.title.iter().flat_map(|title| ["-media-title".to_owned(), title.clone()]);
                let subtitles = first.subtitles.iter().take(1);
                title.chain(subtitles.flat_map(|subtitles| ["-sub".to_owned(), subtitles.clone()]))
            });
            first.chain(urls(items)).collect()
        }
        (Choice::Mpchc, items) => urls(items).chain(global_subtitles(kind, &launch.subtitles)).collect(),
        (Choice::Potplayer, items) => urls(items).chain(global_subtitles(kind, &launch.subtitles)).collect(),
        (Choice::Command(_) | Choice::Open, items) => urls(items).collect(),
    };
    told.into_iter().map(OsString::from).collect()
}

/// Subtitles for whatever is played, where the player cannot be told what they are for.
pub(super) fn global_subtitles(kind: &Choice, subtitles: &[String]) -> Vec<String> {
    let one = |flag: &str| subtitles.first().map(|subtitles| vec![flag.to_owned(), subtitles.clone()]);
    match kind {
        Choice::Vlc => {
            slaves(subtitles).map(|slaves| format!("--input-slave={slaves}")).into_iter().collect()
        }
        Choice::Mpv => subtitles.iter().map(|place| format!("--sub-file={}", readable(place))).collect(),
        Choice::Mplayer => list(subtitles).map(|list| vec!["-sub".to_owned(), list]).unwrap_or_default(),
        Choice::Smplayer => one("-sub").unwrap_or_default(),
        Choice::Mpchc => {
            subtitles.iter().flat_map(|subtitles| ["/sub".to_owned(), subtitles.clone()]).collect()
        }
        // It knows by the ending what it is given.
        Choice::Potplayer => subtitles.to_vec(),
        Choice::Command(_) | Choice::Open => Vec::new(),
    }
}

/// VLC's options that are about an item, and its other ones.
pub(super) fn of_item(extra: &[OsString]) -> (Vec<OsString>, Vec<OsString>) {
    extra.iter().cloned().partition(|extra| extra.as_encoded_bytes().starts_with(b":"))
}

/// A title is one line.
fn plain(item: Item, with_title: bool) -> Item {
    let title = item.title.filter(|_| with_title);
    Item { title: title.map(|title| title.replace(|c: char| c.is_control(), " ")), ..item }
}

fn urls(items: &[Item]) -> impl Iterator<Item = String> {
    items.iter().map(|item| item.url.clone())
}

fn vlc(item: &Item) -> impl Iterator<Item = String> {
    // VLC takes braces in options for its own.
    let title = item.title.iter().map(|title| format!(":meta-title={}", title.replace(['{', '}'], "")));
    let slaves = slaves(&item.subtitles).map(|slaves| format!(":input-slave={slaves}"));
    // Else they are "Track 1". There is one description for all, so of several none is named.
    let name = match item.subtitles.as_slice() {
        [one] => Some(format!(":sub-description={}", shown_name(one))),
        _ => None,
    };
    title.chain(slaves).chain(name)
}

/// `--sub-file` is a path and nothing else, as VLC 3.0.24 was seen to take it; a slave may be a URL as well, and several stand
/// between `#`, which no URL of ours has unescaped. The first is shown.
fn slaves(subtitles: &[String]) -> Option<String> {
    let urls: Vec<String> = subtitles.iter().map(|subtitles| as_url(subtitles)).collect();
    (!urls.is_empty()).then(|| urls.join("#"))
}

fn as_url(place: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    let path = std::path::absolute(Path::new(place)).ok();
    let url = path.and_then(|path| url::Url::from_file_path(path).ok());
    url.map_or_else(|| place.to_owned(), String::from)
}

/// The last part of a path or a URL, as it was before it was written as a URL.
fn shown_name(place: &str) -> String {
    let is_url = place.contains("://");
    let name = place.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(place);
    let name = if is_url {
        percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned()
    } else {
        name.to_owned()
    };
    name.replace(|c: char| c.is_control() || matches!(c, '{' | '}'), " ")
}

fn mpv(item: &Item) -> impl Iterator<Item = String> {
    let title = item.title.iter().map(|title| format!("--force-media-title={title}"));
    title.chain(global_subtitles(&Choice::Mpv, &item.subtitles))
}

/// mpv 0.35 shows the last part of a subtitles' URL as it stands, and escapes what has to be when it asks for it: so it is given
/// that part as a viewer can read it, unless it has signs that mean something in a URL.
fn readable(place: &str) -> String {
    let Some((before, name)) = place.rsplit_once('/').filter(|_| place.contains("://")) else {
        return place.to_owned();
    };
    let means_something = |c: char| c.is_control() || matches!(c, '%' | '?' | '#' | '/' | '\\');
    match percent_encoding::percent_decode_str(name).decode_utf8() {
        Ok(name) if !name.contains(means_something) => format!("{before}/{name}"),
        _ => place.to_owned(),
    }
}

fn mplayer(item: &Item) -> impl Iterator<Item = String> {
    let title = item.title.iter().flat_map(|title| ["-title".to_owned(), title.clone()]);
    title.chain(global_subtitles(&Choice::Mplayer, &item.subtitles))
}

/// MPlayer takes several between commas.
fn list(subtitles: &[String]) -> Option<String> {
    let escaped: Vec<String> = subtitles.iter().map(|subtitles| subtitles.replace(',', "\\,")).collect();
    (!escaped.is_empty()).then(|| escaped.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "http://127.0.0.1:8888/0/One.mkv";
    const TWO: &str = "http://127.0.0.1:8888/3/Two.mkv";

    fn episodes() -> Launch {
        let subtitles = |names: &[&str]| names.iter().map(|name| format!("http://h/{name}")).collect();
        Launch {
            url: ONE.to_owned(),
            title: Some("One".to_owned()),
            subtitles: subtitles(&["1/One.en.srt", "2/a%2Cb.srt"]),
            more: vec![Item {
                url: TWO.to_owned(),
                title: Some("{Two}".to_owned()),
                subtitles: subtitles(&["4/Two%20%C3%A9.srt"]),
            }],
            extra: vec![":start-time=30".into(), "--fs".into()],
            ..Launch::default()
        }
    }

    #[test]
    fn each_player_plays_one_after_the_other_with_its_own_subtitles() {
        let launch = episodes();
        let told = |kind| items(&kind, &launch, true);
        assert_eq!(
            told(Choice::Vlc),
            [
                ONE,
                ":meta-title=One",
                ":input-slave=http://h/1/One.en.srt#http://h/2/a%2Cb.srt",
                ":start-time=30",
                TWO,
                ":meta-title=Two",
                ":input-slave=http://h/4/Two%20%C3%A9.srt",
                ":sub-description=Two é.srt"
            ]
        );
        assert_eq!(
            told(Choice::Mpv),
            [
                "--{",
                "--force-media-title=One",
                "--sub-file=http://h/1/One.en.srt",
                "--sub-file=http://h/2/a,b.srt",
                ONE,
                "--}",
                "--{",
                "--force-media-title={Two}",
                "--sub-file=http://h/4/Two é.srt",
                TWO,
                "--}"
            ]
        );
        assert_eq!(
            told(Choice::Mplayer),
            [
                ONE,
                "-title",
                "One",
                "-sub",
                "http://h/1/One.en.srt,http://h/2/a%2Cb.srt",
                TWO,
                "-title",
                "{Two}",
                "-sub",
                "http://h/4/Two%20%C3%A9.srt"
            ]
        );
        assert_eq!(
            told(Choice::Smplayer),
            ["-media-title", "One", "-sub", "http://h/1/One.en.srt", ONE, TWO]
        );
        assert_eq!(
            told(Choice::Mpchc),
            [ONE, TWO, "/sub", "http://h/1/One.en.srt", "/sub", "http://h/2/a%2Cb.srt"]
        );
        assert_eq!(told(Choice::Potplayer), [ONE, TWO, "http://h/1/One.en.srt", "http://h/2/a%2Cb.srt"]);
    }

    #[test]
    fn one_item_is_told_without_brackets() {
        let launch = Launch { more: Vec::new(), title: None, extra: Vec::new(), ..episodes() };
        assert_eq!(
            items(&Choice::Mpv, &launch, true),
            ["--sub-file=http://h/1/One.en.srt", "--sub-file=http://h/2/a,b.srt", ONE]
        );
        assert_eq!(
            items(&Choice::Mplayer, &launch, true),
            ["-sub", "http://h/1/One.en.srt,http://h/2/a%2Cb.srt", ONE]
        );
    }

    #[test]
    fn mpv_is_given_names_that_a_viewer_can_read() {
        assert_eq!(readable("http://h/1/a%20%C3%A9%5B1%5D.srt"), "http://h/1/a é[1].srt");
        for kept in
            ["http://h/1/100%25.srt", "http://h/1/a%2Fb.srt", "http://h/1/a%FF.srt", "/films/a%20b.srt"]
        {
            assert_eq!(readable(kept), kept);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_told_to_each_in_its_own_way() {
        let launch = Launch {
            url: ONE.to_owned(),
            subtitles: vec!["/films/a, b #1 {x}.srt".to_owned()],
            ..Launch::default()
        };
        assert_eq!(
            items(&Choice::Vlc, &launch, true),
            [
                ONE,
                ":input-slave=file:///films/a,%20b%20%231%20%7Bx%7D.srt",
                ":sub-description=a, b #1  x .srt"
            ]
        );
        assert_eq!(items(&Choice::Mplayer, &launch, true), ["-sub", "/films/a\\, b #1 {x}.srt", ONE]);
        assert_eq!(items(&Choice::Mpv, &launch, true), ["--sub-file=/films/a, b #1 {x}.srt", ONE]);
    }
}
