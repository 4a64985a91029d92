//! Content types, by a file's name. Pure.

/// The type that players, televisions and browsers know a file of this name by; `application/octet-stream` when unknown.
///
/// Media first: where the general table prefers a vendor's name or knows a programming language by the same ending, what
/// players and IANA say is taken instead.
pub fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match ending.as_str() {
        // TypeScript and spreadsheets have these endings too; in a torrent they are transport streams.
        "ts" | "m2ts" | "mts" | "m2t" | "tp" | "trp" => "video/mp2t",
        "m4a" | "m4b" => "audio/mp4",
        "ogm" => "video/ogg",
        "ass" | "ssa" => "text/x-ssa",
        // Subtitles in one of two formats, of which one is not text.
        "sub" => "application/octet-stream",
        "iso" | "img" | "bin" | "zim" | "pmtiles" => "application/octet-stream",
        "m3u" => "application/x-mpegurl",
        _ => mime_guess::from_ext(&ending).first_raw().unwrap_or("application/octet-stream"),
    }
}

/// The type of subtitles whose charset is told from their bytes, for files whose name says that they may be such; of a `.sub`
/// only if its bytes turn out to be text.
pub fn subtitles(name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match ending.as_str() {
        "srt" | "vtt" | "ass" | "ssa" => Some(content_type(name)),
        "sub" => Some("text/x-microdvd"),
        _ => None,
    }
}

/// True if a browser would run what is in a file of this type. Such a page, of a stranger's making, would have our origin
/// and could read whatever we serve, so it is to be shown in a sandbox.
pub fn is_active(content_type: &str) -> bool {
    matches!(
        content_type,
        "text/html" | "application/xhtml+xml" | "image/svg+xml" | "text/xml" | "application/xml"
    ) || content_type.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_has_the_type_that_players_know() {
        let types = [
            ("film.mkv", "video/x-matroska"),
            ("FILM.MKV", "video/x-matroska"),
            ("film.mp4", "video/mp4"),
            ("film.m4v", "video/x-m4v"),
            ("film.webm", "video/webm"),
            ("film.avi", "video/x-msvideo"),
            ("film.mov", "video/quicktime"),
            ("film.mpg", "video/mpeg"),
            ("film.flv", "video/x-flv"),
            ("film.ogv", "video/ogg"),
            ("film.wmv", "video/x-ms-wmv"),
            ("film.ts", "video/mp2t"),
            ("film.m2ts", "video/mp2t"),
            ("film.mts", "video/mp2t"),
            ("song.mp3", "audio/mpeg"),
            ("song.m4a", "audio/mp4"),
            ("song.flac", "audio/flac"),
            ("song.ogg", "audio/ogg"),
            ("film.srt", "application/x-subrip"),
            ("film.en.vtt", "text/vtt"),
            ("film.ass", "text/x-ssa"),
            ("cover.jpg", "image/jpeg"),
            ("readme.txt", "text/plain"),
            ("list.m3u", "application/x-mpegurl"),
            ("wikipedia.zim", "application/octet-stream"),
            ("no ending", "application/octet-stream"),
            ("what.is-this", "application/octet-stream"),
            (".", "application/octet-stream"),
            ("", "application/octet-stream"),
        ];
        for (name, kind) in types {
            assert_eq!(content_type(name), kind, "{name}");
        }
    }

    #[test]
    fn subtitles_are_known_by_their_endings() {
        assert_eq!(subtitles("film.en.SRT"), Some("application/x-subrip"));
        assert_eq!(subtitles("film.sub"), Some("text/x-microdvd"));
        assert_eq!(content_type("film.sub"), "application/octet-stream");
        assert_eq!(subtitles("film.mkv"), None);
        assert_eq!(subtitles("srt"), None);
    }

    #[test]
    fn pages_are_active_and_films_are_not() {
        assert!(is_active(content_type("index.html")));
        assert!(is_active(content_type("picture.svg")));
        assert!(!is_active(content_type("film.mkv")));
        assert!(!is_active(content_type("film.vtt")));
    }
}
