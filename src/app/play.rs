//! Players: which one, and the queue that it plays.

use std::ffi::OsString;

use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session};
use crate::cli::{PlayerFlags, SubtitleFlags};
use crate::player::{self, Environment, Item, Launch};
use crate::read::Files;
use crate::subtitles;
use crate::tui::clean;

/// A film whose last twentieth has been read or played is over: what follows is the end of the credits, and the index that
/// some players read again.
const OVER: f64 = 0.95;

/// The player that the flags name, made sure of: one that is not installed is told at once, not after the film has come.
pub(super) fn chosen_player(
    flags: &PlayerFlags,
    extra: &[OsString],
) -> Result<Option<player::Choice>, Failure> {
    let choice = if flags.vlc {
        player::Choice::Vlc
    } else if flags.mpv {
        player::Choice::Mpv
    } else if flags.mplayer {
        player::Choice::Mplayer
    } else if flags.smplayer {
        player::Choice::Smplayer
    } else if flags.mpchc {
        player::Choice::Mpchc
    } else if flags.potplayer {
        player::Choice::Potplayer
    } else if let Some(command) = &flags.player {
        player::Choice::Command(command.clone())
    } else if flags.open {
        player::Choice::Open
    } else if let Some(first) = extra.first() {
        let first = first.to_string_lossy();
        let error = anyhow::anyhow!(
            "what follows -- goes to a player, and none is chosen to take {first}: add --mpv or --vlc"
        );
        return Err(error).or_exit(Exit::Usage);
    } else {
        return Ok(None);
    };
    if choice != player::Choice::Open {
        player::command_line(&choice, &Launch::default(), &Environment::here()).or_exit(Exit::Player)?;
    }
    Ok(Some(choice))
}

/// What a player is started with.
pub(super) struct Playing {
    pub(super) choice: player::Choice,
    pub(super) on_top: bool,
    /// The session goes on when the player has ended.
    pub(super) stays: bool,
    pub(super) extra: Vec<OsString>,
    pub(super) subtitles: Subtitles,
}

/// Which subtitles are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Subtitles {
    /// The user's own file, for the first film.
    pub(super) own: Option<String>,
    /// The torrent's, in these languages, the best first; `None`: not wanted.
    pub(super) languages: Option<Vec<String>>,
}

impl Subtitles {
    pub(super) fn of(flags: &SubtitleFlags) -> Subtitles {
        let languages = match (flags.no_subs, flags.sub_lang.is_empty()) {
            (true, _) => None,
            // A computer that names no language is a server's or a script's: English is the best guess.
            (false, true) => Some(subtitles::user_languages())
                .map(|own| if own.is_empty() { vec!["en".to_owned()] } else { own }),
            (false, false) => Some(flags.sub_lang.clone()),
        };
        Subtitles { own: flags.subtitles.clone(), languages }
    }

    /// The numbers of the files that hold this film's subtitles, the best first.
    pub(super) fn of_film(&self, files: &Files, film: usize) -> Vec<usize> {
        let Some(languages) = &self.languages else { return Vec::new() };
        subtitles::find(&files.files, film, languages).into_iter().map(|found| found.index).collect()
    }
}

impl Playing {
    pub(super) fn of(
        choice: player::Choice,
        flags: &PlayerFlags,
        extra: Vec<OsString>,
        subtitles: Subtitles,
    ) -> Playing {
        Playing { choice, on_top: !flags.not_on_top, stays: flags.no_quit, extra, subtitles }
    }

    fn launch(&self, session: &Session, files: &Files, queue: &[usize], is_first: bool) -> Launch {
        let mut items = queue.iter().filter_map(|&index| {
            let url = session.url_of(files, index)?;
            let title = files.files.get(index).map(|file| clean(file.name()));
            let found = self.subtitles.of_film(files, index);
            let subtitles = found.into_iter().filter_map(|index| session.url_of(files, index)).collect();
            Some(Item { url, title, subtitles })
        });
        let mut first = items.next().unwrap_or_default();
        if let Some(own) = self.subtitles.own.clone().filter(|_| is_first) {
            first.subtitles.insert(0, own);
        }
        let more = items.collect();
        let Item { url, title, subtitles } = first;
        Launch { url, title, subtitles, more, on_top: self.on_top, extra: self.extra.clone() }
    }
}

/// Plays the queue from the chosen file on, and stays until that has ended, or until it is time to end it. A player that takes a
/// playlist is given all that is known; what becomes known later, and all that other players are to play, follows one after the
/// other, as long as each is played to its end.
pub(super) async fn play(session: &mut Session, playing: Playing, files: &Files) -> Result<Exit, Failure> {
    let mut at = files.chosen;
    let mut is_first = true;
    loop {
        let known = session.lineup.known();
        let files = known.as_deref().unwrap_or(files);
        let queue = queue_from(files, at);
        let round = if playing.choice.takes_playlist() { queue.len() } else { 1 };
        let round = queue.get(..round.min(queue.len())).unwrap_or_default();
        let last = round.last().copied().unwrap_or(at);
        session.warm_up(at, &playing.subtitles.of_film(files, at));
        let launch = playing.launch(session, files, round, is_first);
        is_first = false;
        let mut player =
            player::start(&playing.choice, &launch, &Environment::here()).await.or_exit(Exit::Player)?;
        session.player_started(player.name());
        let status = match session.attend(player.wait()).await {
            Attended::Done(status) => status,
            Attended::Ended => {
                session.ends_with(player);
                return Ok(Exit::Success);
            }
            Attended::Picked(index) => {
                player.end().await;
                session.player_ended(None);
                session.choose(index);
                at = index;
                continue;
            }
        };
        let trouble = match status {
            Ok(status) if status.success() => None,
            // Its output is not shown, so this is all that a viewer learns of a player that did not even begin.
            Ok(status) => {
                let words = player.last_words().await;
                let words = if words.is_empty() { words } else { format!(": {words}") };
                Some(format!("{} ended with an error ({status}){words}", player.name()))
            }
            Err(error) => Some(format!("{} cannot be waited for: {error}", player.name())),
        };
        session.player_ended(trouble.clone());
        if trouble.is_none()
            && was_played_to_its_end(session, last)
            && let Some(next) = next_after(session, last)
        {
            session.choose(next);
            at = next;
            continue;
        }
        if playing.stays {
            if let Some(trouble) = trouble {
                session.say(&trouble);
            }
            session
                .screen
                .hint("the player has ended; the server goes on. Press p to play another file, q to end.");
            match session.attend(std::future::pending::<()>()).await {
                Attended::Picked(index) => {
                    session.choose(index);
                    at = index;
                    continue;
                }
                Attended::Done(()) | Attended::Ended => return Ok(Exit::Success),
            }
        }
        return match trouble {
            None => Ok(Exit::Success),
            Some(trouble) => Err(anyhow::anyhow!(trouble)).or_exit(Exit::Player),
        };
    }
}

/// The queue from a file on; one that is not in it goes before all of it.
fn queue_from(files: &Files, at: usize) -> Vec<usize> {
    match files.queue.iter().position(|&index| index == at) {
        Some(place) => files.queue.iter().skip(place).copied().collect(),
        None => vec![at],
    }
}

/// False if it was left in the middle: then the viewer has had enough. What was not read at all (by a script that only takes the
/// URL, say) was not left.
fn was_played_to_its_end(session: &Session, index: usize) -> bool {
    session.reached().is_none_or(|(read, share)| read != index || share >= OVER)
}

fn next_after(session: &Session, index: usize) -> Option<usize> {
    let files = session.lineup.known()?;
    let place = files.queue.iter().position(|&queued| queued == index)?;
    files.queue.get(place + 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_goes_on_from_the_file_that_was_chosen() {
        let files = Files {
            info_hash: String::new(),
            name: String::new(),
            files: Vec::new(),
            chosen: 4,
            queue: vec![2, 4, 6],
            created_at: None,
        };
        assert_eq!(queue_from(&files, 4), [4, 6]);
        assert_eq!(queue_from(&files, 2), [2, 4, 6]);
        assert_eq!(queue_from(&files, 9), [9], "one that is not in the queue is played alone");
    }
}
