//! Programs that read whatever they see, unasked: which they are, and how much the swarm is put to work for them.
//! No processes and no clock; whoever asks knows the name of the program and the time.

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
    /// The built-in list, changed: `name` or `+name` adds a program, `-name` takes it away, and the last that fits
    /// counts. A star at the end stands for any ending; a path is taken for its last part; the case of letters
    /// does not count.
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

    /// A program wants to read `range` of a file of `length` bytes, which is not there. A scanner gets no more
    /// than what lies in the first or last MiB of the file, and 64 MiB an hour in all, refilled steadily; counted
    /// is `cost`, what the swarm has to bring for it. `now` is the time since any fixed moment. What is not asked
    /// for is not counted: nothing is to be read ahead for a scanner.
    pub fn admit(
        &mut self,
        now: Duration,
        program: &str,
        length: u64,
        range: Range<u64>,
        cost: u64,
    ) -> Verdict {
        let Some(rule) = self.rule_of(program) else { return Verdict::Free };
        let end = range.end.min(length);
        let tail = length.saturating_sub(EDGE) / ALIGNMENT * ALIGNMENT;
        if end > EDGE && range.start < tail {
            return Verdict::Refused;
        }
        let budget = self.budgets.entry(rule).or_insert(Budget { left: BUDGET as f64, at: now });
        if budget.take(now, cost) { Verdict::Allowed } else { Verdict::Refused }
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

/// Those that are known, by the names of their executables: what goes through folders unasked. File managers are not among
/// them: they copy what their user tells them to copy, and leave the pictures to thumbnailers.
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
    "thumbnail.so",
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
mod tests;
