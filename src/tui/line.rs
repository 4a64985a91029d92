//! The one line of progress, as text. Not drawing.

use std::time::Duration;

use super::{Stage, View};
use crate::units::ByteSize;

/// Cells of the bar.
const CELLS: u64 = 20;

/// How much of the film is here, drawn, then what is going on: one message, so that one moment is one redraw.
pub(super) fn with_bar(view: &View, colors: bool) -> String {
    let had = match &view.stage {
        Stage::Streaming { length, .. } => share(view.statistics.chosen_had, *length, 2 * CELLS),
        Stage::Resolving | Stage::Metadata => 0,
    };
    let whole = "━".repeat((had / 2) as usize);
    let half = if had % 2 == 1 { "╸" } else { "" };
    let rest = "─".repeat((CELLS - had.div_ceil(2)) as usize);
    let text = progress(view);
    if colors {
        format!("\x1b[36m{whole}{half}\x1b[0;2m{rest}\x1b[0m {text}")
    } else {
        format!("{whole}{half}{rest} {text}")
    }
}

/// `part` of `whole`, in `steps`; all of nothing is all.
fn share(part: u64, whole: u64, steps: u64) -> u64 {
    match whole {
        0 => steps,
        _ => (u128::from(part.min(whole)) * u128::from(steps) / u128::from(whole)) as u64,
    }
}

/// What is going on, in one line.
pub fn progress(view: &View) -> String {
    let numbers = &view.statistics;
    match &view.stage {
        Stage::Resolving => "reading what the torrent is".into(),
        Stage::Metadata => match (numbers.peers, numbers.candidates) {
            (0, 0) => "looking for peers".into(),
            (0, candidates) => format!("dialling {}", counted(candidates, "peer")),
            (peers, _) => format!("asking {} what the torrent holds", counted(peers, "peer")),
        },
        Stage::Streaming { name, length } => {
            let percent = share(numbers.chosen_had, *length, 100);
            let ahead = if is_complete(view) {
                "all here".into()
            } else if numbers.stalled_readers > 0 && numbers.peers > 0 && numbers.unchoking == 0 {
                "no peer sends yet".into()
            } else if numbers.stalled_readers > 0 && numbers.download_rate > 0 {
                // Most players fill a cache of their own: that is no stall, and no alarm.
                "read as it comes".into()
            } else if numbers.stalled_readers > 0 {
                "waiting for the next bytes".into()
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

/// Nobody need come any more.
pub(super) fn is_complete(view: &View) -> bool {
    matches!(&view.stage, Stage::Streaming { length, .. } if view.statistics.chosen_had >= *length)
}

/// What has been tried in vain for so long.
pub fn tried(view: &View, waited: Duration) -> String {
    let mut text = format!("no peer yet after {} s; still trying:", waited.as_secs());
    if view.sources.is_empty() {
        text.push_str("\n  nobody is there to be asked: add --trackers or --peer, or leave the DHT on");
    }
    for source in &view.sources {
        text.push_str("\n  ");
        text.push_str(source);
    }
    text
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
            sources: vec!["DHT: 0 found, 12 nodes known".into(), "tracker t: refused".into()],
            ..View::default()
        }
    }

    #[test]
    fn a_viewer_who_waits_is_told_what_is_done_and_what_has_been_tried() {
        let mut view = view(Stage::Metadata, Statistics::default());
        assert_eq!(progress(&view), "looking for peers");
        assert_eq!(
            tried(&view, Duration::from_secs(11)),
            "no peer yet after 11 s; still trying:\n  DHT: 0 found, 12 nodes known\n  tracker t: refused"
        );
        view.sources.clear();
        assert!(tried(&view, Duration::from_secs(11)).contains("--trackers"));
        view.statistics.candidates = 1;
        assert_eq!(progress(&view), "dialling 1 peer");
        view.statistics.peers = 2;
        assert_eq!(progress(&view), "asking 2 peers what the torrent holds");
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
            progress(&view(stage.clone(), numbers.clone())),
            "10 % of 300.0 MB, 12.3 MB ahead, ↓ 2.5 MB/s ↑ 1.0 kB from 5/8 peers · film.mkv"
        );
        let stalled = Statistics { stalled_readers: 1, ..numbers };
        assert!(progress(&view(stage.clone(), stalled.clone())).contains("read as it comes"));
        let silent = Statistics { download_rate: 0, ..stalled.clone() };
        assert!(progress(&view(stage.clone(), silent)).contains("waiting for the next bytes"));
        let choked = Statistics { unchoking: 0, ..stalled };
        assert!(progress(&view(stage, choked)).contains("no peer sends yet"));
    }

    #[test]
    fn an_empty_file_is_all_here() {
        let stage = Stage::Streaming { name: "empty".into(), length: 0 };
        let line = progress(&view(stage, Statistics { peers: 1, ..Statistics::default() }));
        assert!(line.starts_with("100 % of 0 B, all here"), "{line}");
    }

    #[test]
    fn the_bar_is_as_full_as_the_film() {
        let stage = Stage::Streaming { name: "film.mkv".into(), length: 1000 };
        for (had, bar) in [
            (0, "────────────────────"),
            (425, "━━━━━━━━╸───────────"),
            (1000, "━━━━━━━━━━━━━━━━━━━━"),
            (5000, "━━━━━━━━━━━━━━━━━━━━"),
        ] {
            let view = view(stage.clone(), Statistics { chosen_had: had, ..Statistics::default() });
            let line = with_bar(&view, false);
            assert!(line.starts_with(&format!("{bar} ")), "{line}");
            assert_eq!(
                with_bar(&view, true).replace("\x1b[36m", "").replace("\x1b[0;2m", "").replace("\x1b[0m", ""),
                line
            );
        }
    }
}
