//! Which subtitles of a torrent belong to a film, and which of them the viewer wants most: told by names alone. Pure, but for
//! [`user_languages`].

mod language;

use crate::read::File;
use language::Hints;

pub use language::{name_of, user_languages};

/// Subtitles that belong to a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Into the torrent's files.
    pub index: usize,
    /// The language, if the name tells: in English, with the region, and whether they are forced or for the hard of hearing:
    /// `English`, `Portuguese (BR)`, `German, forced`.
    pub language: Option<String>,
}

/// A video this much smaller than the film is a sample, a trailer or an extra, and takes no subtitles for itself.
const MUCH_SMALLER: u64 = 10;

/// The subtitles that belong to file `film`, the best first: the user's `languages` (codes of ISO 639 or names, with or without
/// a region) in their order, then those that do not tell their language, then the others; of one language the full ones
/// before those for the hard of hearing and before forced ones, and the nearest name first.
///
/// Where there are several films, those belong to this one that have its name, or its episode's number, or lie in a folder of
/// its own. What fits none of several films is given to none.
pub fn find(files: &[File], film: usize, languages: &[String]) -> Vec<Found> {
    let Some(film_file) = files.get(film) else { return Vec::new() };
    let is_film = |index: usize, file: &File| {
        index == film
            || file.is_video()
                && !is_sample(file)
                && file.length.saturating_mul(MUCH_SMALLER) >= film_file.length
    };
    let films: Vec<Film> = files
        .iter()
        .enumerate()
        .filter(|&(index, file)| is_film(index, file))
        .map(|(index, file)| Film { index, name: Name::of(file) })
        .collect();
    let Some(ours) = films.iter().find(|candidate| candidate.index == film) else { return Vec::new() };

    let wanted: Vec<_> = languages.iter().filter_map(|language| language::read(language)).collect();
    let mut found: Vec<(Rank, Found)> = Vec::new();
    for (index, file) in files.iter().enumerate().filter(|(_, file)| file.is_subtitle()) {
        let name = Name::of(file);
        if index == film || is_bitmap(files, &name) {
            continue;
        }
        let Some(tie) = ties(&name, &films).filter(|tie| tie.film == film) else { continue };
        let hints = hints(&name, &tie, &ours.name);
        let language = match &hints.language {
            Some(language) => wanted.iter().position(|wanted| wanted == language).unwrap_or(wanted.len() + 1),
            None => wanted.len(),
        };
        // Nobody's wish tells one language from another.
        let language = if wanted.is_empty() { 0 } else { language };
        let rank = Rank {
            language,
            is_forced: hints.is_forced,
            is_for_deaf: hints.is_for_deaf,
            distance: tie.distance,
        };
        found.push((rank, Found { index, language: hints.told() }));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.into_iter().map(|(_, found)| found).collect()
}

/// In the order of what matters. Equals stay in the torrent's order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    language: usize,
    is_forced: bool,
    is_for_deaf: bool,
    distance: Distance,
}

/// By what subtitles belong to a film, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// `film.srt`
    SameName,
    /// `film.en.srt`
    NameAndMore,
    /// `S01E02.en.srt`, whatever else the names say.
    SameEpisode,
    /// `Subs/film/2_English.srt`
    OwnFolder,
    /// There is no other film that it could be for.
    OnlyFilm,
}

struct Film {
    index: usize,
    name: Name,
}

struct Tie {
    film: usize,
    distance: Distance,
    /// Of the subtitles' stem, so many characters are the film's name.
    shared: usize,
}

/// A path in parts, for comparing: in small letters, but for `written`.
struct Name {
    folders: Vec<String>,
    stem: String,
    /// The stem as it was written.
    written: String,
    episode: Option<(u32, u32)>,
}

impl Name {
    fn of(file: &File) -> Name {
        let mut folders: Vec<&str> = file.path.split('/').collect();
        let name = folders.pop().unwrap_or_default();
        let written = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let stem = written.to_lowercase();
        Name {
            folders: folders.into_iter().map(str::to_lowercase).collect(),
            episode: episode(&stem),
            written: written.to_owned(),
            stem,
        }
    }

    /// Folders that both lie in.
    fn common(&self, other: &Name) -> usize {
        self.folders.iter().zip(&other.folders).take_while(|(one, other)| one == other).count()
    }
}

fn is_sample(file: &File) -> bool {
    let path = file.path.to_lowercase();
    let mut words = path.split(|c: char| !c.is_alphanumeric());
    words.any(|word| matches!(word, "sample" | "samples" | "trailer" | "trailers"))
}

/// One half of a VobSub pair: pictures, whose other half a player would not find over HTTP.
fn is_bitmap(files: &[File], name: &Name) -> bool {
    files.iter().any(|file| {
        let ending = file.name().rsplit_once('.').map_or("", |(_, ending)| ending);
        ending.eq_ignore_ascii_case("idx") && {
            let other = Name::of(file);
            other.stem == name.stem && other.folders == name.folders
        }
    })
}

/// `s01e02`, `1x02`: season and episode.
fn episode(stem: &str) -> Option<(u32, u32)> {
    let bytes = stem.as_bytes();
    let number = |from: usize| {
        let digits = bytes.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = stem.get(from..from + digits)?.parse().ok().filter(|_| digits <= 4)?;
        Some((number, from + digits))
    };
    let is_between =
        |at: usize| at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    (0..bytes.len()).filter(|&at| !is_between(at)).find_map(|at| {
        let (season, after) = match bytes.get(at)? {
            b's' => number(at + 1),
            byte if byte.is_ascii_digit() => number(at),
            _ => None,
        }?;
        // `s01.e02` and `s01 e02` are the same.
        let after = after
            + usize::from(
                matches!(bytes.get(after), Some(b'.' | b' ' | b'_')) && bytes.get(at) == Some(&b's'),
            );
        let sign = if bytes.get(at) == Some(&b's') { b'e' } else { b'x' };
        let (episode, end) = (bytes.get(after) == Some(&sign)).then(|| number(after + 1)).flatten()?;
        // 1920x1080 is a picture's size.
        let is_size = sign == b'x' && (season > 99 || bytes.get(end).is_some_and(u8::is_ascii_alphanumeric));
        (!is_size).then_some((season, episode))
    })
}

/// The film that these subtitles are for.
fn ties(subtitles: &Name, films: &[Film]) -> Option<Tie> {
    let nearest = |films: &mut dyn Iterator<Item = (usize, &Film)>| {
        // The longest name, for `Film 2.srt` is not for `Film`; of equals the one that lies nearest; then the first.
        films
            .max_by_key(|(shared, film)| {
                (*shared, film.name.common(subtitles), std::cmp::Reverse(film.index))
            })
            .map(|(shared, film)| (shared, film.index))
    };
    let by_name = nearest(&mut films.iter().filter_map(|film| {
        let rest = subtitles.stem.strip_prefix(&film.name.stem).filter(|_| !film.name.stem.is_empty())?;
        let is_end = rest.chars().next().is_none_or(|next| !next.is_alphanumeric());
        is_end.then_some((film.name.stem.len(), film))
    }));
    if let Some((shared, film)) = by_name {
        let is_all = shared == subtitles.stem.len();
        let distance = if is_all { Distance::SameName } else { Distance::NameAndMore };
        return Some(Tie { film, distance, shared });
    }
    if subtitles.episode.is_some() && films.iter().any(|film| film.name.episode.is_some()) {
        let of_it = films.iter().filter(|film| film.name.episode == subtitles.episode).map(|film| (0, film));
        let (_, film) = nearest(&mut { of_it })?;
        return Some(Tie { film, distance: Distance::SameEpisode, shared: 0 });
    }
    // The innermost folder that has to do with films at all.
    for depth in (0..=subtitles.folders.len()).rev() {
        let folder = subtitles.folders.get(..depth).unwrap_or_default();
        let named = folder.last().and_then(|folder| films.iter().find(|film| film.name.stem == *folder));
        let mut inside = films.iter().filter(|film| film.name.folders.starts_with(folder));
        match (named, inside.next(), inside.next()) {
            (Some(film), None, _) => {
                return Some(Tie { film: film.index, distance: Distance::OwnFolder, shared: 0 });
            }
            (_, Some(film), None) => {
                return Some(Tie { film: film.index, distance: Distance::OnlyFilm, shared: 0 });
            }
            (_, Some(_), Some(_)) => return None,
            (None, None, _) => {}
        }
    }
    None
}

/// What the name tells beyond the film's own: what stands behind it, else the words that are not the film's, else the
/// folder's name.
fn hints(subtitles: &Name, tie: &Tie, film: &Name) -> Hints {
    // Lower case may be longer or shorter than what it was made from: then the whole name is looked at.
    let rest =
        subtitles.written.get(tie.shared..).filter(|_| subtitles.written.len() == subtitles.stem.len());
    let rest = rest.unwrap_or(&subtitles.written);
    let films: Vec<String> = language::words(&film.stem).map(str::to_lowercase).collect();
    let is_new = |word: &&str| tie.shared > 0 || !films.contains(&word.to_lowercase());
    let in_name = Hints::of(language::words(rest).filter(is_new));
    if in_name.language.is_some() {
        return in_name;
    }
    // `Subs/English/film.srt`: a folder that holds nothing but subtitles.
    let folder = subtitles.folders.get(film.common(subtitles)..).and_then(<[String]>::last);
    let in_folder = folder.filter(|folder| **folder != film.stem);
    let in_folder = in_folder.map(|folder| Hints::of(language::words(folder))).unwrap_or_default();
    Hints { language: in_folder.language, region: in_folder.region, ..in_name }
}

#[cfg(test)]
mod tests;
