//! Gets the bytes of a .torrent: from a file, standard input or a URL, within limits.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

use super::SourceError;
use crate::net::{FetchError, Network, Reach, read_body};

/// How much, and how long, is worth it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest .torrent, in bytes.
    pub bytes: usize,
    /// The longest time that a URL may take from first to last.
    pub time: Duration,
}

impl Default for Limits {
    /// 64 MiB: three million pieces, or ten times the largest torrent known. 30 s: as parse-torrent has it.
    fn default() -> Self {
        Limits { bytes: 64 * 1024 * 1024, time: Duration::from_secs(30) }
    }
}

/// What a URL led to.
pub enum Fetched {
    Body(Bytes),
    /// Indexers redirect to magnet links.
    Magnet(String),
}

pub async fn fetch(url: Url, net: &Network, limits: Limits) -> Result<Fetched, SourceError> {
    let told = shown(&url);
    let attempt = async {
        let reach = Reach::of_typed(&url);
        let response = net.fetch(url, None, reach).await?;
        let status = response.status();
        if !status.is_success() {
            return Ok(Err(status.as_u16()));
        }
        Ok(Ok(read_body(response, limits.bytes).await?))
    };
    match tokio::time::timeout(limits.time, attempt).await {
        Err(_) | Ok(Err(FetchError::Timeout)) => {
            Err(SourceError::UrlTooSlow { url: told, seconds: limits.time.as_secs() })
        }
        Ok(Ok(Ok(body))) => Ok(Fetched::Body(body)),
        Ok(Ok(Err(status))) => Err(SourceError::UrlStatus { url: told, status }),
        Ok(Err(FetchError::BadRedirect(to))) if to.starts_with("magnet:") => Ok(Fetched::Magnet(to)),
        Ok(Err(FetchError::TooLong { limit })) => Err(SourceError::TooLong { what: told, limit }),
        Ok(Err(cause)) => Err(SourceError::Url { url: told, cause }),
    }
}

pub async fn read_file(path: &Path, limits: Limits) -> Result<Vec<u8>, SourceError> {
    let what = path.display().to_string();
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SourceError::NoSuchFile { path: path.to_owned() },
        // A name longer than any file's, or with a NUL: not meant as one.
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => {
            SourceError::NoSuchFile { path: what.chars().take(80).collect::<String>().into() }
        }
        io::ErrorKind::IsADirectory => SourceError::IsFolder { path: path.to_owned() },
        _ => SourceError::Unreadable { what: what.clone(), source },
    };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    if file.metadata().await.is_ok_and(|metadata| metadata.is_dir()) {
        return Err(SourceError::IsFolder { path: path.to_owned() });
    }
    read_all(file, limits, &what).await
}

pub async fn read_stdin(limits: Limits) -> Result<Vec<u8>, SourceError> {
    read_all(tokio::io::stdin(), limits, "standard input").await
}

async fn read_all(from: impl AsyncRead + Unpin, limits: Limits, what: &str) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    from.take(limits.bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(|source| SourceError::Unreadable { what: what.to_owned(), source })?;
    if bytes.len() > limits.bytes {
        return Err(SourceError::TooLong { what: what.to_owned(), limit: limits.bytes });
    }
    Ok(bytes)
}

/// The URL, without the password that may be in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        let _ = url.set_password(Some("..."));
    }
    url.into()
}
