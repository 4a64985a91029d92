//! Programs that read whatever they see, unasked: which they are, and how much the swarm is put to work for them. No
//! processes and no clock; whoever asks knows the name of the program and the time.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// Linux cuts the names of programs to so many bytes (`TASK_COMM_LEN` less its NUL, proc_pid_comm(5)).
const CUT: usize = 15;
const MIB: u64 = 1 << 20;
/// Of a file, so much at either end is what tells its kind, its tags and its index.
const EDGE: u64 = MIB;
/// Where a tail may begin: files end anywhere, and the kernel reads from multiples of its own.
const ALIGNMENT: u64 = 128 * 1024;
/// What a scanner may have at once, and again within [`REFILL`].
const BUDGET: u64 = 64 * MIB;
const REFILL: Duration = Duration::from_secs(60 * 60);

/// Which programs are scanners, and what they have had.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The last that fits a program counts.
    rules: Vec<Rule>,
    /// By the rule that fits: so there are never more than rules, however programs call themselves.
    budgets: HashMap<usize, Budget>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// In small letters; without its star.
    name: String,
    is_beginning: bool,
    is_scanner: bool,
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    /// In bytes.
    left: f64,
    at: Duration,
}

/// What becomes of a read of bytes that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not a scanner: as much as it likes.
    Free,
    /// A scanner, within its bounds.
    Allowed,
    /// A scanner beyond them: the read is to fail.
    Refused,
}

impl Guard {
    /// The built-in list, changed: `name` or `+name` adds a program, `-name` takes it away, and the last that fits counts. A
    /// star at the end stands for any ending; a path is taken for its last part; the case of letters does not count.
    pub fn new(changes: &[String]) -> Guard {
        let known = KNOWN.iter().filter_map(|name| Rule::new(name, true));
        let changes = changes.iter().filter_map(|change| match change.strip_prefix('-') {
            Some(name) => Rule::new(name, false),
            None => Rule::new(change.strip_prefix('+').unwrap_or(change), true),
        });
        Guard { rules: known.chain(changes).collect(), budgets: HashMap::new() }
    }

    /// Nobody is a scanner.
    pub fn off() -> Guard {
        Guard { rules: Vec::new(), budgets: HashMap::new() }
    }

    /// `program` as the system calls it: on Linux the 15 bytes of /proc/PID/comm.
    pub fn is_scanner(&self, program: &str) -> bool {
        self.rule_of(program).is_some()
    }

    /// A program wants to read `range` of a file of `length` bytes, which is not there. A scanner gets no more than what lies in
    /// the first or last MiB of the file, and 64 MiB an hour in all, refilled steadily; what it is given is counted. `now`
    /// is the time since any fixed moment. What is not asked for is not counted: nothing is to be read ahead for a scanner.
    pub fn admit(&mut self, now: Duration, program: &str, length: u64, range: Range<u64>) -> Verdict {
        let Some(rule) = self.rule_of(program) else { return Verdict::Free };
        let end = range.end.min(length);
        let tail = length.saturating_sub(EDGE) / ALIGNMENT * ALIGNMENT;
        if end > EDGE && range.start < tail {
            return Verdict::Refused;
        }
        let budget = self.budgets.entry(rule).or_insert(Budget { left: BUDGET as f64, at: now });
        if budget.take(now, end.saturating_sub(range.start)) { Verdict::Allowed } else { Verdict::Refused }
    }

    /// The rule that makes it a scanner.
    fn rule_of(&self, program: &str) -> Option<usize> {
        let program = program.to_ascii_lowercase();
        // What was cut within a letter ends with none.
        let program = program.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let rule = self.rules.iter().rposition(|rule| rule.fits(program))?;
        self.rules.get(rule).filter(|rule| rule.is_scanner).map(|_| rule)
    }
}

impl Rule {
    /// `None` for what names no program.
    fn new(name: &str, is_scanner: bool) -> Option<Rule> {
        let name = name.trim().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() {
            return None;
        }
        let beginning = name.strip_suffix('*').map(str::to_owned);
        Some(Rule { is_beginning: beginning.is_some(), name: beginning.unwrap_or(name), is_scanner })
    }

    fn fits(&self, program: &str) -> bool {
        if self.is_beginning && program.starts_with(&self.name) || self.name == program {
            return true;
        }
        // A letter of up to four bytes may have been lost in the cut.
        let may_be_cut = (CUT - 3..=CUT).contains(&program.len()) && self.name.len() > CUT;
        let lost =
            self.name.get(program.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        may_be_cut && program.len() + lost > CUT && self.name.starts_with(program)
    }
}

impl Budget {
    fn take(&mut self, now: Duration, bytes: u64) -> bool {
        let earned = now.saturating_sub(self.at).as_secs_f64() / REFILL.as_secs_f64() * BUDGET as f64;
        self.left = (self.left + earned).min(BUDGET as f64);
        self.at = self.at.max(now);
        let is_enough = self.left >= bytes as f64;
        if is_enough {
            self.left -= bytes as f64;
        }
        is_enough
    }
}

/// Those that are known, by the names of their executables: what shows folders, or goes through them unasked. To them a copy
/// that somebody makes in a file manager looks the same as a preview; who wants that takes the file manager out with `-name`.
const KNOWN: &[&str] = &[
    // Indexers: GNOME's Tracker, now LocalSearch; KDE's Baloo; others.
    "localsearch*",
    "tracker-extract*",
    "tracker-miner-*",
    "tracker-store",
    "baloo_file*",
    "baloorunner",
    "recollindex",
    "zeitgeist-fts",
    "updatedb*",
    "mlocate",
    "plocate",
    // Thumbnailers.
    "tumblerd",
    "totem-video-thumbnailer",
    "totem-gallery-thumbnailer",
    "ffmpegthumbnailer",
    "gst-thumbnailer*",
    "gst-video-thumbnailer*",
    "gst-audio-thumbnailer*",
    "glycin-thumbnailer",
    "gdk-pixbuf-thumbnailer",
    "gnome-thumbnail-font",
    "gsf-office-thumbnailer",
    "evince-thumbnailer",
    "papers-thumbnailer",
    "atril-thumbnailer",
    "xreader-thumbnailer",
    // File managers, and the programs that do their work (KIO, GVfs).
    "nautilus*",
    "nemo*",
    "caja*",
    "thunar*",
    "dolphin",
    "konqueror",
    "krusader",
    "kioworker*",
    "kioslave*",
    "kiod*",
    "thumbnail.so",
    "file.so",
    "pcmanfm*",
    "spacefm",
    "doublecmd",
    "io.elementary.files*",
    "pantheon-files*",
    "peony*",
    "dde-file-manager*",
    "cosmic-files*",
    "gvfsd*",
    "gvfs-*",
    // Desktop shells.
    "gnome-shell*",
    "plasmashell",
    "krunner",
    "cinnamon",
    "xfdesktop",
    "mate-panel",
    // macOS: Spotlight, Finder, Quick Look, the analysis of pictures, Time Machine.
    "mds",
    "mds_stores",
    "mdworker*",
    "mdbulkimport",
    "corespotlightd",
    "Finder",
    "QuickLookUIService*",
    "QuickLookSatellite*",
    "quicklookd",
    "com.apple.quicklook*",
    "qlmanage",
    "mediaanalysisd*",
    "photoanalysisd",
    "backupd*",
    "XProtect*",
    // Antivirus.
    "clamd",
    "clamscan",
    "clamdscan",
    "clamonacc",
    "rkhunter",
    "wdavdaemon*",
    "falcon-sensor*",
    "savscand",
    // Backup.
    "borg",
    "restic",
    "kopia",
    "duplicity",
    "deja-dup*",
    "timeshift",
    "bacula-fd",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn guard(changes: &[&str]) -> Guard {
        Guard::new(&changes.iter().map(|&change| change.to_owned()).collect::<Vec<_>>())
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
            "nautilus",
            "Thunar",
            "dolphin",
            "kioworker",
            "gvfsd-metadata",
            "gnome-shell",
            "plasmashell",
            "mdworker_shared",
            "mds",
            "Finder",
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
            "totem",
            "qemu-system-x86",
            "tracker",
            "mdsync",
            "dolphin-emu",
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
            "-nautilus",
            "-kio*",
            "+kioworker",
            "",
            "+",
            "-",
            "my*",
        ]);
        for scanner in ["mpv", "my-very-long-sc", "kioworker", "MyScanner", "thunar"] {
            assert!(guard.is_scanner(scanner), "{scanner}");
        }
        for program in ["nautilus", "kioslave5", "mpvs", ""] {
            assert!(!guard.is_scanner(program), "{program}");
        }
        // Other than in the built-in list it has no star.
        assert!(guard.is_scanner("nautilus-deskto"));
        assert!(!super::tests::guard(&["-*"]).is_scanner("mds"));
        assert!(super::tests::guard(&["*"]).is_scanner("anything"));
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
        let guard = super::tests::guard(&["a日本語の検索"]);
        assert!(guard.is_scanner("a日本語の\u{fffd}") && !guard.is_scanner("a日本語"));
    }

    #[test]
    fn players_are_free_and_scanners_get_the_head_and_the_tail() {
        let mut guard = guard(&[]);
        let film = 8 << 30;
        let mut admit = |program: &str, range| guard.admit(at(1), program, film, range);
        assert_eq!(admit("mpv", 0..film), Verdict::Free);
        assert_eq!(admit("nautilus", 0..MIB), Verdict::Allowed);
        assert_eq!(admit("nautilus", film - MIB..film), Verdict::Allowed);
        assert_eq!(admit("nautilus", film - 4096..u64::MAX), Verdict::Allowed);
        assert_eq!(admit("nautilus", MIB - 4096..MIB + 4096), Verdict::Refused);
        assert_eq!(admit("nautilus", film / 2..film / 2 + 1), Verdict::Refused);
        assert_eq!(admit("nautilus", 0..film), Verdict::Refused);
        assert_eq!(
            guard.admit(at(1), "nautilus", 2 * MIB, 0..2 * MIB),
            Verdict::Refused,
            "its middle is in both"
        );
        assert_eq!(guard.admit(at(1), "nautilus", MIB, 0..MIB), Verdict::Allowed);
        assert_eq!(Guard::off().admit(at(1), "nautilus", film, 0..film), Verdict::Free);
    }

    #[test]
    fn a_folder_of_many_films_is_not_fetched_head_by_head() {
        let mut guard = guard(&[]);
        let given =
            (0..1000).filter(|_| guard.admit(at(1), "tumblerd", 8 << 30, 0..MIB) == Verdict::Allowed).count();
        assert_eq!(given, 64);
        assert_eq!(
            guard.admit(at(1), "thunar", 8 << 30, 0..MIB),
            Verdict::Allowed,
            "each has its own budget"
        );
        let half = HOUR / 2 + at(2);
        let given =
            (0..1000).filter(|_| guard.admit(half, "tumblerd", 8 << 30, 0..MIB) == Verdict::Allowed).count();
        assert_eq!(given, 32);
    }

    #[test]
    fn a_scanner_with_many_names_has_one_budget() {
        let mut guard = guard(&["crawl*"]);
        let mut admit = |name: String| guard.admit(at(0), &name, MIB, 0..MIB);
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
                let verdict = guard.admit(at(now), "tumblerd", length, range.clone());
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
            prop_assert_eq!(guard.admit(at(0), &name, 1, 0..1) != Verdict::Free, is_scanner);
        }

        #[test]
        fn a_name_that_is_added_is_known_in_full_and_cut(name in "[a-z_-]{1,40}") {
            let guard = guard(&["-*", &format!("+{name}")]);
            prop_assert!(guard.is_scanner(&name));
            prop_assert!(guard.is_scanner(&name[..name.len().min(CUT)]));
            prop_assert!(name.len() <= 12 || !guard.is_scanner(&name[..12]));
        }
    }
}
