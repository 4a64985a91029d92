//! `peerflix demo`: the real session, watching the demo's swarm.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::play::{Playing, Subtitles, chosen_player, play};
use super::scratch::Scratch;
use super::session::Attended;
use super::session::Session;
use super::telling::Teller;
use super::watch::{Told, tell_url};
use crate::cli::Demo;
use crate::demo::{CLIP, DemoSwarm};
use crate::player;
use crate::source;
use crate::torrent::Options;
use crate::tui::Style;

/// Longer than any computer needs; a demo that hangs in a script must end.
const PATIENCE: Duration = Duration::from_secs(60);

/// When things happened, counted from where `peerflix MAGNET` would have been typed.
#[derive(Debug)]
struct Times {
    listening: Duration,
    metadata: Duration,
    first_byte: Duration,
    whole: Duration,
}

pub(super) async fn demo(flags: &Demo, ending: Ending) -> Result<Exit, Failure> {
    let player = match chosen_player(&flags.players, &flags.extra)? {
        Some(player) => Some(player),
        None if flags.once || !has_screen() => None,
        None => player::installed(&player::Environment::here()).into_iter().next(),
    };
    let style = match Style::of_terminal(flags.quiet || flags.once) {
        Style::Live { .. } if flags.verbose > 0 => Style::Lines,
        style => style,
    };
    let folder = Scratch::new().context("the demo has no place for its film").or_exit(Exit::Disk)?;
    ending.remove_at_exit(folder.path());
    let mut session = Session::new(style, 1, Teller::new(false), ending)?;
    let swarm = DemoSwarm::start(folder.path(), &session.net).await.or_exit(Exit::Failure)?;
    let done = run(&mut session, flags, player, &swarm, folder.path().join("cache")).await;
    session.close().await;
    // The folder goes with the end of this function, after those who use it.
    let _ = tokio::time::timeout(Duration::from_millis(200), swarm.close()).await;
    done
}

async fn run(
    session: &mut Session,
    flags: &Demo,
    player: Option<player::Choice>,
    swarm: &DemoSwarm,
    cache: std::path::PathBuf,
) -> Result<Exit, Failure> {
    if !flags.quiet {
        session.say(&format!(
            "The film is in the program; {} seeds and a tracker on this computer have it. This is what now runs:\n\
             peerflix '{}'\n",
            swarm.seeds(),
            swarm.magnet
        ));
    }
    let begun = Instant::now();
    let url = session.listen(&flags.server).await?;
    let listening = begun.elapsed();
    let told = Told { quiet: flags.quiet, has_player: player.is_some() || flags.once };
    tell_url(session, Some(&url), told);

    // Nothing of the demo leaves this computer.
    let options = Options { cache, dht: false, lsd: false, ..Options::default() };
    let cached = options.metadata_cache();
    let source = source::resolve(&swarm.magnet, &session.net, &cached).await.or_exit(Exit::Failure)?;
    session.open(0, source, options).await?;
    let Some(files) = session.files().await? else { return Ok(Exit::Interrupted) };
    session.warm_up(files.chosen, &[]);
    let metadata = begun.elapsed();

    if flags.once {
        let net = session.net.clone();
        let fetch = tokio::time::timeout(PATIENCE, fetch(&net, &url, begun));
        let Attended::Done(fetched) = session.attend(fetch).await else { return Ok(Exit::Interrupted) };
        let (first_byte, whole) = fetched
            .context("the film did not come within a minute")
            .and_then(|fetched| fetched)
            .or_exit(Exit::Failure)?;
        session.screen.close();
        report(&Times { listening, metadata, first_byte, whole }, swarm.seeds()).or_exit(Exit::Failure)?;
        return Ok(Exit::Success);
    }
    match player {
        Some(player) => {
            let playing = Playing::of(player, &flags.players, flags.extra.clone(), Subtitles::default());
            play(session, playing, &files).await
        }
        None => {
            session.attend(std::future::pending::<()>()).await;
            Ok(Exit::Success)
        }
    }
}

/// Fetches all of the film as a player would, and holds it against the one in the program.
async fn fetch(net: &crate::net::Network, url: &str, begun: Instant) -> anyhow::Result<(Duration, Duration)> {
    let mut response =
        net.fetch(url.parse()?, None, crate::net::Reach::Anywhere).await?.error_for_status()?;
    ensure!(response.content_length() == Some(CLIP.len() as u64), "the server told a wrong length");
    let mut rest = CLIP;
    let mut first_byte = None;
    while let Some(bytes) = response.chunk().await? {
        first_byte.get_or_insert_with(|| begun.elapsed());
        match rest.strip_prefix(&bytes[..]) {
            Some(after) => rest = after,
            None => bail!("a byte is wrong near {}", CLIP.len() - rest.len()),
        }
    }
    ensure!(rest.is_empty(), "{} bytes did not come", rest.len());
    let whole = begun.elapsed();
    Ok((first_byte.unwrap_or(whole), whole))
}

fn report(times: &Times, seeds: usize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let rows = [
        ("HTTP server listening", times.listening),
        ("metadata from the swarm", times.metadata),
        ("first byte of the film", times.first_byte),
        ("the whole film", times.whole),
    ];
    for (what, when) in rows {
        writeln!(out, "{what:<24} {:>8.3} s", when.as_secs_f64())?;
    }
    writeln!(out, "{} bytes from {seeds} seeds, each as it should be.", CLIP.len())?;
    Ok(out.flush()?)
}

/// Whether a player's window would appear anywhere.
fn has_screen() -> bool {
    if cfg!(any(target_os = "macos", windows)) {
        return true;
    }
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
