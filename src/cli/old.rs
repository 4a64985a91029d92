//! Flags of peerflix 0.39 (and of the torrent-stream below it) that are no more: what takes their place.

/// What becomes of an old flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is told that there is another way, and peerflix ends: going on would not do what was asked.
    Instead(&'static str),
    /// It changes nothing any more, and what was asked is done: a note says so.
    Needless(&'static str),
}

/// A flag that is no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Old {
    pub(crate) name: &'static str,
    pub(crate) letter: Option<char>,
    /// Whether it had a value.
    pub(crate) has_value: bool,
    pub(crate) answer: Answer,
}

const fn old(name: &'static str, letter: Option<char>, has_value: bool, answer: Answer) -> Old {
    Old { name, letter, has_value, answer }
}

/// All of them. docs/migration.md says the same; a test compares.
pub(crate) const TABLE: &[Old] = &[
    old(
        "omx",
        Some('o'),
        false,
        Answer::Instead(
            "omxplayer is no longer made: use --mpv or --vlc, or --player omxplayer where it is still installed",
        ),
    ),
    old(
        "jack",
        Some('j'),
        false,
        Answer::Instead(
            "it chose the sound of omxplayer, which is no longer made: use --mpv or --vlc, and choose there",
        ),
    ),
    old(
        "airplay",
        Some('s'),
        false,
        Answer::Instead(
            "AirPlay is not spoken: serve the film to your network with --hostname, and open its URL on the \
             device, or cast it from a player (--vlc)",
        ),
    ),
    old(
        "webplay",
        Some('w'),
        false,
        Answer::Instead(
            "the web page that it opened is gone: open the URL in the browser, or use --open for what this desktop \
             opens films with",
        ),
    ),
    old(
        "name",
        None,
        true,
        Answer::Instead(
            "it named a folder in the one for temporary files: name the folder itself with --path or --cache",
        ),
    ),
    old(
        "id",
        None,
        true,
        Answer::Needless("each run makes a peer id of its own, so that --id changes nothing"),
    ),
    old(
        "pulse",
        None,
        true,
        Answer::Instead(
            "there is no limit to the speed; --only-watched fetches no more than is watched, and a little ahead",
        ),
    ),
    old(
        "flood",
        None,
        true,
        Answer::Instead(
            "there is no limit to the speed; --only-watched fetches no more than is watched, and a little ahead",
        ),
    ),
    old(
        "no-verify",
        None,
        false,
        Answer::Needless("what has been verified is remembered, so that --no-verify changes nothing"),
    ),
    old(
        "no-hotswap",
        None,
        false,
        Answer::Needless(
            "a late block is always asked of a faster peer too, so that --no-hotswap changes nothing",
        ),
    ),
];

/// `-h` was a host once.
pub(crate) const HOST: &str = "-h is for help: the host to serve on is named with --hostname";

/// The old flag of this name. `verify = false` is what `--no-verify` said in a configuration.
pub(crate) fn named(name: &str) -> Option<&'static Old> {
    TABLE.iter().find(|old| old.name == name || old.name.strip_prefix("no-") == Some(name))
}

pub(crate) fn lettered(letter: char) -> Option<&'static Old> {
    TABLE.iter().find(|old| old.letter == Some(letter))
}
