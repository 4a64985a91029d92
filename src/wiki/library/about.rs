//! What a book says of itself: its metadata, as libkiwix shows it.

use bytes::Bytes;
use futures_util::future::join;
use futures_util::future::try_join_all;

use super::super::zim::{Zim, ZimError};

/// A larger picture is not kept.
const LARGEST_PICTURE: usize = 256 * 1024;
/// A longer text is cut.
const LONGEST: usize = 4096;

/// Texts are empty where the file has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub title: String,
    pub description: String,
    /// As the file has it: `eng`, `fra,deu`, in older files `en`.
    pub language: String,
    pub creator: String,
    pub publisher: String,
    /// `2024-01-31`
    pub date: String,
    pub name: String,
    pub flavour: String,
    /// With those that kiwix-serve adds.
    pub tags: String,
    pub category: String,
    pub articles: u64,
    pub media: u64,
    /// 48 by 48 pixels, with its type.
    pub picture: Option<(Bytes, String)>,
}

impl About {
    /// What is broken is left out.
    pub async fn read(zim: &Zim) -> Result<About, ZimError> {
        const NAMES: [&str; 9] =
            ["Title", "Description", "Language", "Creator", "Publisher", "Date", "Name", "Flavour", "Tags"];
        let texts = try_join_all(NAMES.map(|name| async move {
            match zim.metadata(name).await {
                Ok(text) => Ok(text.map(|text| cut(&text)).unwrap_or_default()),
                Err(ZimError::Read(error)) => Err(ZimError::Read(error)),
                Err(_) => Ok(String::new()),
            }
        }));
        let (texts, (counter, picture)) = join(texts, join(zim.counter(), zim.illustration(48))).await;
        let mut texts = texts?.into_iter();
        let mut next = || texts.next().unwrap_or_default();
        let (title, description, language) = (next(), next(), next());
        let (creator, publisher, date, name, flavour) = (next(), next(), next(), next(), next());
        let tags = with_usual(&next());
        let counter = counter.unwrap_or_default();
        let category = tags.split(';').find_map(|tag| tag.strip_prefix("_category:"));
        Ok(About {
            category: category.unwrap_or_default().to_owned(),
            articles: counter.as_ref().map_or(0, |counter| counter.articles()),
            media: counter.as_ref().map_or(0, |counter| counter.media()),
            picture: picture.unwrap_or_default().filter(|(bytes, _)| bytes.len() <= LARGEST_PICTURE),
            title,
            description,
            language,
            creator,
            publisher,
            date,
            name,
            flavour,
            tags,
        })
    }
}

fn cut(text: &Bytes) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim().chars().take(LONGEST).collect()
}

/// Old tags by their new names, and what is not said as it is meant (libkiwix, `convertTags`).
fn with_usual(tags: &str) -> String {
    let mut all: Vec<String> = Vec::new();
    for tag in tags.split(';').map(str::trim).filter(|tag| !tag.is_empty()) {
        let tag = match tag {
            "nopic" => "_pictures:no",
            "novid" => "_videos:no",
            "nodet" => "_details:no",
            "_ftindex" => "_ftindex:yes",
            tag => tag,
        };
        if !all.iter().any(|one| one == tag) {
            all.push(tag.to_owned());
        }
    }
    for (name, usual) in
        [("_ftindex:", "no"), ("_pictures:", "yes"), ("_videos:", "yes"), ("_details:", "yes")]
    {
        if !all.iter().any(|tag| tag.starts_with(name)) {
            all.push(format!("{name}{usual}"));
        }
    }
    all.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_tags_are_said_in_new_words() {
        assert_eq!(with_usual("nopic"), "_pictures:no;_ftindex:no;_videos:yes;_details:yes");
        assert_eq!(
            with_usual("wiki; _ftindex;_ftindex:yes"),
            "wiki;_ftindex:yes;_pictures:yes;_videos:yes;_details:yes"
        );
    }
}
