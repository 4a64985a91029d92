//! The one line of progress, as text. Not drawing.

use std::time::Duration;

use indicatif::ProgressStyle;

use super::{Stage, View};
use crate::units::ByteSize;

/// After this long without a peer, the line says what has been tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bar of how much of the film is here, then the line.
pub(super) fn bar_style(colors: bool) -> ProgressStyle {
    let template = if colors { "{bar:20.cyan/dim} {wide_msg}" } else { "{bar:20} {wide_msg}" };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// What is going on, `waited` into the session, in one line.
pub fn progress(view: &View, waited: Duration) -> String {
    let numbers = &view.statistics;
    match &view.stage {
        Stage::Resolving => "reading what the torrent is".into(),
        Stage::Metadata | Stage::Streaming { .. } if numbers.peers == 0 && waited >= PATIENCE => {
            let tried = if view.sources.is_empty() {
                "nobody to ask: add trackers, or leave the DHT on".into()
            } else {
                view.sources.join(", ")
            };
            format!("no peer yet after {} s, still trying: {tried}", waited.as_secs())
        }
        Stage::Metadata if numbers.peers == 0 => {
            if numbers.candidates > 0 {
                format!("dialling {}", counted(numbers.candidates, "peer"))
            } else {
                "looking for peers".into()
            }
        }
        Stage::Metadata => {
            format!("asking {} what the torrent holds", counted(numbers.peers, "peer"))
        }
        Stage::Streaming { name, length } => {
            let percent = match length {
                0 => 100,
                _ => (u128::from(numbers.chosen_had.min(*length)) * 100 / u128::from(*length)) as u64,
            };
            let ahead = if numbers.chosen_had >= *length {
                "all here".into()
            } else if numbers.stalled_readers > 0 {
                "the player waits".into()
            } else {
                format!("{} ahead", ByteSize(numbers.buffered))
            };
            format!(
                "{percent} % of {}, {ahead}, ↓ {}/s ↑ {} from {}/{} · {name}",
                ByteSize(*length),
                ByteSize(numbers.download_rate),
                ByteSize(numbers.uploaded),
                numbers.unchoking,
                counted(numbers.peers, "peer"),
            )
        }
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Statistics;

    fn view(stage: Stage, statistics: Statistics) -> View {
        View {
            stage,
            statistics,
            sources: vec!["DHT: 0 of 12 nodes know it".into(), "tracker t: refused".into()],
        }
    }

    #[test]
    fn a_viewer_who_waits_is_told_what_has_been_tried() {
        let view = view(Stage::Metadata, Statistics::default());
        assert_eq!(progress(&view, Duration::from_secs(2)), "looking for peers");
        assert_eq!(
            progress(&view, Duration::from_secs(11)),
            "no peer yet after 11 s, still trying: DHT: 0 of 12 nodes know it, tracker t: refused"
        );
    }

    #[test]
    fn a_viewer_who_watches_sees_what_is_ahead() {
        let numbers = Statistics {
            chosen_had: 30_000_000,
            buffered: 12_300_000,
            download_rate: 2_500_000,
            uploaded: 1_000,
            peers: 8,
            unchoking: 5,
            ..Statistics::default()
        };
        let stage = Stage::Streaming { name: "film.mkv".into(), length: 300_000_000 };
        assert_eq!(
            progress(&view(stage.clone(), numbers.clone()), Duration::from_secs(60)),
            "10 % of 300.0 MB, 12.3 MB ahead, ↓ 2.5 MB/s ↑ 1.0 kB from 5/8 peers · film.mkv"
        );
        let stalled = Statistics { stalled_readers: 1, ..numbers };
        assert!(progress(&view(stage, stalled), Duration::ZERO).contains("the player waits"));
    }

    #[test]
    fn an_empty_file_is_all_here() {
        let stage = Stage::Streaming { name: "empty".into(), length: 0 };
        let line = progress(&view(stage, Statistics { peers: 1, ..Statistics::default() }), Duration::ZERO);
        assert!(line.starts_with("100 % of 0 B, all here"), "{line}");
    }

    #[test]
    fn the_templates_are_right() {
        for colors in [false, true] {
            bar_style(colors);
        }
    }
}
