//! How long films last, by their own account.

use peerflix::media::duration;
use peerflix::read::Contents;

use crate::studio::{film, live};
use crate::world::Torrent;

/// Seconds, and how many reads it took.
async fn lasts(name: &str, film: &[u8]) -> (Option<f64>, usize) {
    let torrent = Torrent::of_texts(&[(name, film)]);
    let reader = torrent.open(0).expect("there is a file");
    let lasts = duration(&*reader, name).await;
    (lasts.map(|lasts| lasts.as_secs_f64()), torrent.reads().len())
}

#[tokio::test]
async fn films_of_every_shape_tell_how_long_they_last() {
    let h264 = ["-c:v", "libx264", "-c:a", "aac"];
    let with = |flags: &[&'static str]| [h264.as_slice(), flags].concat();
    let cases: [(&str, Vec<&str>, usize); 7] = [
        ("index-last.mp4", with(&[]), 4),
        ("faststart.mp4", with(&["-movflags", "+faststart"]), 4),
        ("quicktime.mov", with(&[]), 4),
        // One index of all fragments, before them.
        ("fragments.mp4", with(&["-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx"]), 2),
        ("film.mkv", with(&[]), 1),
        ("film.webm", vec!["-c:v", "libvpx", "-c:a", "libopus", "-deadline", "realtime"], 1),
        ("sound.m4a", vec!["-map", "1:a", "-c:a", "aac"], 4),
    ];
    for (name, flags, most_reads) in cases {
        let (seconds, reads) = lasts(name, &film("12.5", name, &flags)).await;
        let seconds = seconds.unwrap_or_else(|| panic!("{name} does not tell"));
        assert!((12.4..12.7).contains(&seconds), "{name}: {seconds} s");
        assert!(reads <= most_reads, "{name}: {reads} reads");
    }
}

#[tokio::test]
async fn what_was_streamed_live_does_not_tell() {
    let mkv = live("3", "matroska", &["-c:v", "libx264", "-c:a", "aac", "-live", "1"]);
    assert_eq!(lasts("live.mkv", &mkv).await.0, None);
    let fragments =
        live("3", "mp4", &["-c:v", "libx264", "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"]);
    assert_eq!(lasts("live.mp4", &fragments).await.0, None);
}
