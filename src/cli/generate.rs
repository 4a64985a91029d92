//! The man page and the completions, from the flags themselves, so that they never disagree.

use std::io::{self, Write};

use clap::CommandFactory;

use clap_complete::Shell;

use super::{Cli, EXAMPLES};

/// What clap cannot know. In roff.
const SECTIONS: &str = r#".SH "EXIT STATUS"
.TP
.B 0
Ended as asked: the film was played, the list printed, the pipe closed, or Ctrl\-C typed while it streamed.
.TP
.B 1
Failed for a reason that has no number of its own.
.TP
.B 2
Wrong usage.
.TP
.B 3
What was named is not a torrent, or could not be fetched.
.TP
.B 4
The torrent has no such file.
.TP
.B 5
The player is not installed, or could not be started.
.TP
.B 6
The address could not be listened on.
.TP
.B 7
The disk is full, the folder cannot be written, or another peerflix uses this torrent.
.TP
.B 130
Ended by Ctrl\-C before it was done, or by a second Ctrl\-C.
.SH FILES
.TP
.I $XDG_CACHE_HOME/peerflix
Films (a folder for each info hash), metadata, and the DHT's routing table; \fI~/.cache/peerflix\fR where the variable is
not set. Safe to remove while no peerflix runs.
.SH ENVIRONMENT
.TP
.B NO_COLOR
If set and not empty, no colours.
.TP
.B PEERFLIX_CACHE
Another folder in place of \fI$XDG_CACHE_HOME/peerflix\fR.
.TP
.B RUST_LOG
What
.B \-\-verbose
writes, as a filter of the crate tracing\-subscriber.
"#;

/// Writes the man page.
pub fn man(to: &mut dyn Write) -> io::Result<()> {
    // The examples are a table; what clap_mangen makes of text after the help is a paragraph.
    let command = Cli::command().after_help(None::<&str>).after_long_help(None::<&str>);
    let man = clap_mangen::Man::new(command);
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    man.render_subcommands_section(to)?;
    to.write_all(SECTIONS.as_bytes())?;
    writeln!(to, ".SH EXAMPLES\n.nf\n{}\n.fi", EXAMPLES.replace('\\', "\\\\").replace('-', "\\-"))?;
    man.render_version_section(to)
}

/// Writes the completions of a shell.
pub fn completions(shell: Shell, to: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peerflix", &mut script);
    to.write_all(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_man_page_tells_flags_and_exit_codes() {
        let mut page = Vec::new();
        man(&mut page).expect("writes to memory");
        let page = String::from_utf8(page).expect("text");
        for word in ["EXIT STATUS", "not\\-on\\-top", "NO_COLOR", "magnet"] {
            assert!(page.contains(word), "{word} is missing");
        }
    }

    #[test]
    fn completions_know_the_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let mut script = Vec::new();
            completions(shell, &mut script).expect("writes to memory");
            assert!(String::from_utf8_lossy(&script).contains("only-watched"), "{shell}");
        }
    }
}
