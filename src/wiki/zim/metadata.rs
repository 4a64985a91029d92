//! What a file says of itself: title, language, a picture, and how many entries of which type it has.

use bytes::Bytes;

use super::{Zim, ZimError};

/// More of a metadata entry, or of a picture of a book, is not read.
const LONGEST: u64 = 1024 * 1024;
/// Where older writers put the picture of a book.
const FAVICONS: [(u8, &str); 6] = [
    (b'-', "favicon"),
    (b'-', "favicon.png"),
    (b'I', "favicon.png"),
    (b'I', "favicon"),
    (b'W', "favicon"),
    (b'C', "favicon.png"),
];

impl Zim {
    /// Metadata by name (`Title`, `Language`, `Counter`, ...), at most 1 MiB of it.
    pub async fn metadata(&self, name: &str) -> Result<Option<Bytes>, ZimError> {
        let Some(entry) = self.find(b'M', name.as_bytes()).await? else { return Ok(None) };
        let entry = self.follow(entry).await?;
        self.blob(&entry.dirent).await?.bytes(LONGEST).await.map(Some)
    }

    /// A picture of so many pixels (48), with its type: the illustration, or the favicon of older files.
    pub async fn illustration(&self, size: u32) -> Result<Option<(Bytes, String)>, ZimError> {
        let illustration = format!("Illustration_{size}x{size}@1");
        let places = std::iter::once((b'M', illustration.as_str())).chain(FAVICONS);
        for (namespace, path) in places {
            let picture = match self.find(namespace, path.as_bytes()).await? {
                Some(entry) => self.picture(entry).await,
                None => continue,
            };
            match picture {
                // One that is broken is no reason not to look for another.
                Err(ZimError::Broken(_) | ZimError::TooLarge(_) | ZimError::Obsolete(_)) => {}
                picture => return picture.map(Some),
            }
        }
        Ok(None)
    }

    async fn picture(&self, entry: super::Entry) -> Result<(Bytes, String), ZimError> {
        let entry = self.follow(entry).await?;
        let bytes = self.blob(&entry.dirent).await?.bytes(LONGEST).await?;
        let kind = self.kind(&entry.dirent).filter(|kind| kind.starts_with("image/")).unwrap_or("image/png");
        Ok((bytes, kind.to_owned()))
    }

    /// The numbers of entries by type; `None`: the file does not tell.
    pub async fn counter(&self) -> Result<Option<Counter>, ZimError> {
        let counter = self.metadata("Counter").await?;
        Ok(counter.map(|text| Counter::parse(&String::from_utf8_lossy(&text))))
    }
}

/// How many entries there are of each type (`M/Counter`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter(Vec<(String, u64)>);

impl Counter {
    /// `text/html=12;image/png=3`, where a type may have parameters itself: `text/html;raw=true=7`. What is not of this form is
    /// left out.
    pub fn parse(text: &str) -> Counter {
        let mut kinds = Vec::new();
        // Of a type whose number has not come: what looks like `raw=true` is a parameter.
        let mut kind = String::new();
        for part in text.trim().split(';') {
            if !kind.is_empty() {
                kind.push(';');
            }
            match part.rsplit_once('=') {
                Some((name, number)) if !(kind.is_empty() && name.is_empty()) => {
                    match number.trim().parse() {
                        Ok(number) => {
                            kinds.push((format!("{kind}{name}"), number));
                            kind.clear();
                        }
                        Err(_) => kind.push_str(part),
                    }
                }
                _ => kind.push_str(part),
            }
        }
        Counter(kinds)
    }

    /// Of exactly this type.
    pub fn of(&self, kind: &str) -> u64 {
        self.sum(|one| one == kind)
    }

    /// Pages.
    pub fn articles(&self) -> u64 {
        self.of("text/html")
    }

    /// Pictures, sounds and films.
    pub fn media(&self) -> u64 {
        self.sum(|kind| ["image/", "audio/", "video/"].iter().any(|of| kind.starts_with(of)))
    }

    fn sum(&self, is_meant: impl Fn(&str) -> bool) -> u64 {
        let meant = self.0.iter().filter(|(kind, _)| is_meant(kind));
        meant.fold(0, |sum, (_, number)| sum.saturating_add(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_types_with_parameters_too() {
        let counter = Counter::parse("text/html=12;image/png=3;text/html;raw=true=7;video/webm=1");
        assert_eq!((counter.of("text/html"), counter.of("text/html;raw=true")), (12, 7));
        assert_eq!((counter.articles(), counter.media()), (12, 4));
    }

    #[test]
    fn what_is_no_counter_counts_nothing() {
        for text in [
            "",
            ";",
            "=",
            "=;=1;",
            "text/html",
            "text/html=",
            "text/html=-1",
            "text/html=99999999999999999999",
        ] {
            assert_eq!(Counter::parse(text).articles(), 0, "{text}");
        }
        let huge = format!("image/a={0};image/b={0}", u64::MAX);
        assert_eq!(Counter::parse(&huge).media(), u64::MAX);
    }
}
