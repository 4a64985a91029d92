//! Scanners by their names, and what they are given.

use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn guard(changes: &[&str]) -> Guard {
    Guard::new(&changes.iter().map(|&change| change.to_owned()).collect::<Vec<_>>())
}

/// With nothing fetched but what is asked for.
fn admitted(guard: &mut Guard, now: Duration, program: &str, length: u64, range: Range<u64>) -> Verdict {
    let cost = range.end.min(length).saturating_sub(range.start);
    guard.admit(now, program, length, range, cost)
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn scanners_are_known_by_the_fifteen_bytes_that_linux_leaves_of_their_names() {
    let guard = guard(&[]);
    for scanner in [
        "tracker-miner-f",
        "tracker-extract",
        "localsearch-3",
        "localsearch-ext",
        "baloo_file",
        "baloo_file_extr",
        "updatedb",
        "updatedb.plocat",
        "tumblerd",
        "totem-video-thu",
        "ffmpegthumbnail",
        "gst-video-thumb",
        "evince-thumbnai",
        "Tumblerd",
        "gnome-shell",
        "plasmashell",
        "mdworker_shared",
        "mds",
        "QuickLookUIServ",
        "QuickLookUIService",
        "clamscan",
    ] {
        assert!(guard.is_scanner(scanner), "{scanner}");
    }
    for program in [
        "",
        "mpv",
        "vlc",
        "cat",
        "cp",
        "rsync",
        "nautilus",
        "thunar",
        "dolphin",
        "kioworker",
        "gvfsd-fuse",
        "totem",
        "qemu-system-x86",
        "tracker",
        "mdsync",
        "totem-video",
        "evince",
        "ffmpeg",
        "python3",
        "minidlnad",
        "baloo",
        "updated",
    ] {
        assert!(!guard.is_scanner(program), "{program}");
    }
}

#[test]
fn the_list_can_be_changed_and_the_last_word_counts() {
    let guard = guard(&[
        "mpv",
        "+/usr/bin/my-very-long-scanner-name",
        "-localsearch*",
        "-mdworker*",
        "+mdworker_shared",
        "nautilus",
        "",
        "+",
        "-",
        "my*",
    ]);
    for scanner in ["mpv", "my-very-long-sc", "mdworker_shared", "MyScanner", "nautilus"] {
        assert!(guard.is_scanner(scanner), "{scanner}");
    }
    for program in ["localsearch-3", "mdworker", "mpvs", ""] {
        assert!(!guard.is_scanner(program), "{program}");
    }
    // A name without a star is that name alone.
    assert!(!guard.is_scanner("nautilus-deskto"));
    assert!(!self::guard(&["-*"]).is_scanner("mds"));
    assert!(self::guard(&["*"]).is_scanner("anything"));
    assert!(!Guard::off().is_scanner("mds"));
}

#[test]
fn a_name_that_was_cut_within_a_letter_is_still_known() {
    let guard = guard(&["日本語の検索"]);
    // 18 bytes, cut after 15; and with a letter before, after 16 - 2.
    assert!(
        guard.is_scanner("日本語の検")
            && guard.is_scanner("日本語の検\u{fffd}")
            && !guard.is_scanner("日本語の")
    );
    let guard = self::guard(&["a日本語の検索"]);
    assert!(guard.is_scanner("a日本語の\u{fffd}") && !guard.is_scanner("a日本語"));
}

#[test]
fn players_are_free_and_scanners_get_the_head_and_the_tail() {
    let mut guard = guard(&[]);
    let film = 8 << 30;
    let mut admit = |program: &str, range| admitted(&mut guard, at(1), program, film, range);
    assert_eq!(admit("mpv", 0..film), Verdict::Free);
    assert_eq!(admit("tumblerd", 0..MIB), Verdict::Allowed);
    assert_eq!(admit("tumblerd", film - MIB..film), Verdict::Allowed);
    assert_eq!(admit("tumblerd", film - 4096..u64::MAX), Verdict::Allowed);
    assert_eq!(admit("tumblerd", MIB - 4096..MIB + 4096), Verdict::Refused);
    assert_eq!(admit("tumblerd", film / 2..film / 2 + 1), Verdict::Refused);
    assert_eq!(admit("tumblerd", 0..film), Verdict::Refused);
    assert_eq!(
        admitted(&mut guard, at(1), "tumblerd", 2 * MIB, 0..2 * MIB),
        Verdict::Refused,
        "its middle is in both"
    );
    assert_eq!(admitted(&mut guard, at(1), "tumblerd", MIB, 0..MIB), Verdict::Allowed);
    assert_eq!(admitted(&mut Guard::off(), at(1), "tumblerd", film, 0..film), Verdict::Free);
}

#[test]
fn a_few_bytes_of_large_pieces_count_as_much_as_they_bring() {
    let mut guard = guard(&[]);
    let film = 8 << 30;
    let mut given = 0;
    while guard.admit(at(1), "tumblerd", film, 0..4096, 16 * MIB) == Verdict::Allowed {
        given += 1;
    }
    assert_eq!(given, 4);
}

#[test]
fn a_folder_of_many_films_is_not_fetched_head_by_head() {
    let mut guard = guard(&[]);
    let given = (0..1000)
        .filter(|_| admitted(&mut guard, at(1), "tumblerd", 8 << 30, 0..MIB) == Verdict::Allowed)
        .count();
    assert_eq!(given, 64);
    assert_eq!(
        admitted(&mut guard, at(1), "updatedb", 8 << 30, 0..MIB),
        Verdict::Allowed,
        "each has its own budget"
    );
    let half = HOUR / 2 + at(2);
    let given = (0..1000)
        .filter(|_| admitted(&mut guard, half, "tumblerd", 8 << 30, 0..MIB) == Verdict::Allowed)
        .count();
    assert_eq!(given, 32);
}

#[test]
fn a_scanner_with_many_names_has_one_budget() {
    let mut guard = guard(&["crawl*"]);
    let mut admit = |name: String| admitted(&mut guard, at(0), &name, MIB, 0..MIB);
    let given = (0..1000).filter(|at| admit(format!("crawl-{at}")) == Verdict::Allowed).count();
    assert_eq!((given, guard.budgets.len()), (64, 1));
}

proptest! {
    #[test]
    fn no_scanner_ever_gets_more_than_its_budget_nor_anything_but_ends_of_files(
        reads in proptest::collection::vec((0u64..4000, 0u64..1 << 23, 0u64..1 << 23, 0u64..1 << 21), 1..300),
    ) {
        let mut guard = guard(&[]);
        let (mut given, mut now) = (0, 0);
        for (step, length, start, size) in reads {
            // At times the clock of the caller is behind.
            now = (now + step).saturating_sub(1000);
            let range = start..start + size;
            let verdict = admitted(&mut guard, at(now), "tumblerd", length, range.clone());
            prop_assert_ne!(verdict, Verdict::Free);
            if verdict == Verdict::Allowed {
                let end = range.end.min(length);
                given += end.saturating_sub(range.start);
                prop_assert!(end <= MIB || range.start + MIB + ALIGNMENT >= length);
            }
        }
        let earned = 300.0 * 4000.0 / 3600.0 * BUDGET as f64;
        prop_assert!(given as f64 <= BUDGET as f64 + earned);
    }

    #[test]
    fn whatever_a_program_is_called_it_is_one_or_the_other(name in any::<String>(), change in any::<String>()) {
        let mut guard = guard(&[&change]);
        let is_scanner = guard.is_scanner(&name);
        prop_assert_eq!(admitted(&mut guard, at(0), &name, 1, 0..1) != Verdict::Free, is_scanner);
    }

    #[test]
    fn a_name_that_is_added_is_known_in_full_and_cut(name in "[a-z_-]{1,40}") {
        let guard = guard(&["-*", &format!("+{name}")]);
        prop_assert!(guard.is_scanner(&name));
        prop_assert!(guard.is_scanner(&name[..name.len().min(CUT)]));
        prop_assert!(name.len() <= 12 || !guard.is_scanner(&name[..12]));
    }
}
