//! The man page and the completions, from the flags themselves, so that they never disagree.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, EXAMPLES, options};

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
The folder cannot be written, or another peerflix uses this torrent. (A disk that is full is told, and waited for.)
.TP
.B 130
Ended by Ctrl\-C before it was done, or by a second Ctrl\-C.
.SH FILES
.TP
.I $XDG_CACHE_HOME/peerflix
Films (a folder for each info hash), metadata, and the DHT's routing table; \fI~/.cache/peerflix\fR where the variable is
not set. Safe to remove while no peerflix runs; \fBpeerflix cache clear\fR does it.
.TP
.I $XDG_CONFIG_HOME/peerflix/config.toml
The configuration; \fI~/.config/peerflix/config.toml\fR where the variable is not set. Each line is a long option without its
dashes: \fBport = 9000\fR, \fBvlc = true\fR, \fBtrackers = ["udp://\[u2026]"]\fR. Flags count more, and so do variables.
\fBpeerflix config\fR prints what is in force.
.TP
.I ~/.peerflixrc
Read as well, with the other places where peerflix 0.39 looked; what they set counts least.
.SH ENVIRONMENT
.TP
.B PEERFLIX_...
Every option, with its long name in capitals and _ for \-: \fBPEERFLIX_PORT=9000\fR, \fBPEERFLIX_NO_DHT=true\fR.
.TP
.B PEERFLIX_CONFIG
A configuration that is read too, as with
.BR \-\-config .
.TP
.B NO_COLOR
If set and not empty, no colours.
.TP
.B RUST_LOG
What
.B \-\-verbose
writes, as a filter of the crate tracing\-subscriber.
"#;

/// Instead of clap's own, which names every flag.
const SYNOPSIS: &str = r#".SH SYNOPSIS
.nf
\fBpeerflix\fR [\fIOPTIONS\fR] \fITORRENT\fR... [\-\- \fIPLAYER ARGS\fR...]
\fBpeerflix\fR \fICOMMAND\fR [\fIOPTIONS\fR]
.fi
"#;

/// Writes the man page.
pub fn man(to: &mut dyn Write) -> io::Result<()> {
    // The examples are a table; what clap_mangen makes of text after the help is a paragraph.
    let command = Cli::command().after_help(None::<&str>).after_long_help(None::<&str>);
    // What the short help leaves out, clap_mangen would leave unexplained.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let page = clap_mangen::Man::new(command);
    page.render_title(to)?;
    page.render_name_section(to)?;
    to.write_all(SYNOPSIS.as_bytes())?;
    page.render_description_section(to)?;
    page.render_options_section(to)?;
    commands(&options::grammar(), to)?;
    to.write_all(SECTIONS.as_bytes())?;
    writeln!(to, ".SH EXAMPLES\n.nf\n{}\n.fi", escaped(EXAMPLES))?;
    page.render_version_section(to)
}

/// The commands, each with the options that only it has. (clap_mangen refers to pages that nobody has installed.)
fn commands(grammar: &Command, to: &mut dyn Write) -> io::Result<()> {
    let everywhere: Vec<String> = options::of(grammar).into_iter().map(|option| option.key).collect();
    writeln!(
        to,
        ".SH COMMANDS\nThey take the options above that make sense for them; \\fB\\-\\-help\\fR tells which."
    )?;
    let commands = grammar.get_subcommands().filter(|command| !command.is_hide_set());
    for command in commands.flat_map(|command| std::iter::once(command).chain(command.get_subcommands())) {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        let arguments: Vec<String> = command
            .get_positionals()
            .filter(|argument| !argument.is_last_set())
            .map(|argument| argument.to_string().replace(['[', ']', '<', '>'], ""))
            .collect();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(
            to,
            ".TP\n\\fB{}\\fR \\fI{}\\fR\n{}.",
            escaped(name),
            escaped(&arguments.join(" ")),
            escaped(&about)
        )?;
        for option in options::of(command).iter().filter(|option| !everywhere.contains(&option.key)) {
            let value = escaped(&option.value_name);
            writeln!(
                to,
                ".RS\n.TP\n\\fB\\-\\-{}\\fR \\fI{value}\\fR\n{}\n.RE",
                escaped(&option.key),
                escaped(&option.help)
            )?;
        }
    }
    Ok(())
}

/// Text that roff takes for text.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('-', "\\-").replace("\n'", "\n\\&'").replace("\n.", "\n\\&.")
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
        for word in
            ["EXIT STATUS", "not\\-on\\-top", "NO_COLOR", "magnet", "peerflix cache clear", "older\\-than"]
        {
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
