//! The man page and the completions, from the flags themselves, so that they never disagree.

use std::io::{self, Write};

use clap::CommandFactory;

use super::{Cli, EXAMPLES, Generate};

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

/// Writes the man page or the completions of a shell.
pub fn generate(what: &Generate, to: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command();
    match what {
        Generate::Man => {
            // The examples are a table; what clap_mangen makes of text after the help is a paragraph.
            let man = clap_mangen::Man::new(command.after_help(None::<&str>));
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
        Generate::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "peerflix", &mut script);
            to.write_all(&script)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_man_page_tells_flags_and_exit_codes() {
        let mut page = Vec::new();
        generate(&Generate::Man, &mut page).expect("writes to memory");
        let page = String::from_utf8(page).expect("text");
        for word in ["EXIT STATUS", "not\\-on\\-top", "NO_COLOR", "magnet"] {
            assert!(page.contains(word), "{word} is missing");
        }
    }

    #[test]
    fn completions_know_the_flags() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let mut script = Vec::new();
            generate(&Generate::Completions { shell }, &mut script).expect("writes to memory");
            assert!(String::from_utf8_lossy(&script).contains("only-watched"), "{shell}");
        }
    }
}
