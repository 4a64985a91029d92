//! Who reads: the program that a thread belongs to, and whether it still wants an answer. Of other systems than Linux only
//! the name is known, and of Windows nothing.

#[cfg(target_os = "linux")]
pub use linux::{has_been_interrupted, program_of};
#[cfg(not(target_os = "linux"))]
pub use others::{has_been_interrupted, program_of};

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::process::{Pid, test_kill_process};

    /// What is cut to this is a name's beginning (`TASK_COMM_LEN` less its NUL, proc_pid_comm(5)).
    const CUT: usize = 15;

    const fn bit(signal: u32) -> u64 {
        1 << (signal - 1)
    }
    /// SIGINT, SIGQUIT, SIGTERM: whoever catches one of these wants to be told, and not when the swarm pleases.
    const ASKING: u64 = bit(2) | bit(3) | bit(15);
    /// SIGCHLD, SIGCONT, SIGURG, SIGWINCH, and those that stop a process: by themselves they end none (signal(7)).
    const HARMLESS: u64 = bit(17) | bit(18) | bit(23) | bit(28) | bit(19) | bit(20) | bit(21) | bit(22);

    /// The program that a thread belongs to, as Linux calls it: its whole name, if that can be known, else the first 15 bytes.
    /// `None` of a thread that is gone, or in a world of its own (another PID namespace).
    pub fn program_of(thread: u32) -> Option<String> {
        let status = status(thread).ok()?;
        // A thread may have a name of its own.
        let process: u32 = field(&status, "Tgid")?.parse().ok()?;
        let name = std::fs::read(format!("/proc/{process}/comm")).ok()?;
        let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned();
        if name.len() < CUT {
            return Some(name);
        }
        let whole = std::fs::read_link(format!("/proc/{process}/exe")).ok();
        let whole = whole.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
        Some(match whole {
            Some(whole) if whole.starts_with(&name) => whole.into_owned(),
            _ => name,
        })
    }

    /// Whether a thread that waits is gone, is being killed, or was asked to stop, and will only notice once it is answered.
    /// (Linux lets nobody out of a synchronous read of FUSE but by an answer.)
    pub fn has_been_interrupted(thread: u32) -> bool {
        match status(thread) {
            Ok(status) => is_called(&status),
            // With `hidepid`, other users' processes are not seen: so ask in another way as well.
            Err(error) if error.kind() == io::ErrorKind::NotFound => i32::try_from(thread)
                .ok()
                .and_then(Pid::from_raw)
                .is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)),
            Err(_) => false,
        }
    }

    /// A signal waits that will end the thread or that its program catches to be stopped by.
    fn is_called(status: &str) -> bool {
        let mask =
            |name| field(status, name).and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
        let waiting = (mask("SigPnd") | mask("ShdPnd")) & !mask("SigBlk") & !mask("SigIgn");
        let caught = mask("SigCgt") & !ASKING;
        waiting & !caught & !HARMLESS != 0
    }

    fn status(thread: u32) -> io::Result<String> {
        let status = std::fs::read(format!("/proc/{thread}/status"))?;
        Ok(String::from_utf8_lossy(&status).into_owned())
    }

    fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_signal_that_ends_or_is_caught_to_stop_calls_and_others_do_not() {
            let of = |pending: u64, shared: u64, blocked: u64, ignored: u64, caught: u64| {
                is_called(&format!(
                    "Name:\tSigPnd: 1\nSigPnd:\t{pending:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{blocked:016x}\n\
                     SigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n"
                ))
            };
            let (interrupt, kill, alarm, child, window) = (bit(2), bit(9), bit(14), bit(17), bit(28));
            assert!(!of(0, 0, 0, 0, 0));
            assert!(of(kill, 0, 0, 0, 0) && of(0, kill, 0, 0, 0));
            assert!(of(0, interrupt, 0, 0, interrupt), "a program that catches it wants to know");
            assert!(!of(0, interrupt, interrupt, 0, 0) && !of(0, interrupt, 0, interrupt, 0));
            assert!(of(0, alarm, 0, 0, 0) && !of(0, alarm, 0, 0, alarm));
            assert!(!of(child | window, 0, 0, 0, 0));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod others {
    /// The program that a process is, as `ps` has it; `None` if it cannot be asked.
    pub fn program_of(process: u32) -> Option<String> {
        if cfg!(not(unix)) || process == 0 {
            return None;
        }
        let asked =
            std::process::Command::new("ps").args(["-o", "comm=", "-p", &process.to_string()]).output();
        let name = String::from_utf8(asked.ok()?.stdout).ok()?;
        let name = name.trim().rsplit('/').next().unwrap_or_default();
        Some(name.to_owned()).filter(|name| !name.is_empty())
    }

    /// Nobody can tell: so it waits for its answer.
    pub fn has_been_interrupted(_: u32) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_is_known_by_its_program_and_not_by_its_own_name() {
        let name = std::thread::Builder::new().name("tumblerd".to_owned());
        let thread = name.spawn(|| {
            let link = std::fs::read_link("/proc/thread-self").expect("/proc is there");
            let id = link.file_name().and_then(|id| id.to_str()?.parse().ok()).expect("a number");
            (program_of(id), has_been_interrupted(id))
        });
        let (program, interrupted) = thread.expect("a thread starts").join().expect("it ends well");
        let whole = std::env::current_exe().expect("this program has a file");
        assert_eq!(program.as_deref(), whole.file_name().and_then(|name| name.to_str()));
        assert!(!interrupted);
    }

    #[cfg(unix)]
    #[test]
    fn who_is_gone_has_no_name() {
        let mut child = std::process::Command::new("true").spawn().expect("true is there");
        let id = child.id();
        child.wait().expect("it ends");
        assert_eq!(program_of(id), None);
        assert_eq!(has_been_interrupted(id), cfg!(target_os = "linux"));
    }
}
