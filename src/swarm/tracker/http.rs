//! Announces over HTTP and HTTPS (BEP 3, 7, 23).

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use url::Url;

use super::{Announce, Answer, Event, Failure, Identity, MOST_PEERS, Retry, text, usable};
use crate::net::{Family, FetchError, Network, Reach, read_body};
use crate::source::{Dict, Value, parse_bencode};

/// A tracker that takes longer is of no use.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Two thousand peers in the longest form have room.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// What need not be escaped in a URL's query (RFC 3986).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An HTTP tracker, asked from addresses of one family.
pub struct HttpTracker {
    pub net: Arc<Network>,
    pub url: Url,
    pub family: Family,
    pub identity: Identity,
    /// The user named it; otherwise whoever made the torrent or the magnet did.
    pub is_users: bool,
}

impl HttpTracker {
    pub async fn announce(&mut self, announce: &Announce) -> Result<Answer, Failure> {
        let url = announce_url(&self.url, &self.identity, announce)?;
        match tokio::time::timeout(TIMEOUT, self.ask(url)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// A stranger's tracker may be on this computer or its network (people run their own), but then it must look like one:
    /// whoever makes a magnet is not to have us ask a router or a program here for a path of his choice.
    fn reach(&self) -> Reach {
        match (self.is_users, is_announce(&self.url)) {
            (true, _) => Reach::Anywhere,
            (false, true) => Reach::NoRedirectNear,
            (false, false) => Reach::Far,
        }
    }

    async fn ask(&self, url: Url) -> Result<Answer, Failure> {
        let response = self.net.fetch(url, Some(self.family), self.reach()).await.map_err(failure_of)?;
        let status = response.status();
        let body = read_body(response, LONGEST_ANSWER).await.map_err(failure_of)?;
        match parse_answer(&body) {
            // Some say why in the body of a 400.
            Err(Failure::Said { text, retry }) => Err(Failure::Said { text, retry }),
            _ if !status.is_success() => Err(Failure::HttpStatus(status.as_u16())),
            result => result,
        }
    }
}

/// True if the path is that of trackers: `announce` last, with or without more (`announce.php`), after nothing but plain
/// words (a passkey). No `.` among these: `/reboot.cgi/announce` is `reboot.cgi`.
fn is_announce(url: &Url) -> bool {
    let Some(mut segments) = url.path_segments() else { return false };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let last = segments.next_back();
    last.is_some_and(|last| last.starts_with("announce") && last.chars().all(|c| is_plain(c) || c == '.'))
        && segments.all(|segment| segment.chars().all(is_plain))
}

fn failure_of(error: FetchError) -> Failure {
    match error {
        FetchError::NoSuchName { .. } => Failure::DnsFailed,
        FetchError::NoAddress { family, .. } => Failure::NoAddress(family),
        FetchError::Near { host } => Failure::Near { host },
        FetchError::LeadsNear { host } => Failure::LeadsNear { host },
        FetchError::Refused => Failure::Refused,
        FetchError::Timeout => Failure::Timeout,
        FetchError::TooLong { .. } => Failure::BadReply("it is endless".to_owned()),
        other => Failure::Unreachable(text(other.to_string().as_bytes())),
    }
}

/// The URL to ask. The announce URL may have a query already (a passkey): it stays as it is.
fn announce_url(base: &Url, identity: &Identity, announce: &Announce) -> Result<Url, Failure> {
    let mut url = base.clone();
    url.set_fragment(None);
    let mut query = match url.query() {
        Some(given) if !given.is_empty() => format!("{given}&"),
        _ => String::new(),
    };
    let Announce { event, progress, wanted, tracker_id } = announce;
    let written = write!(
        query,
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&compact=1&no_peer_id=1&numwant={wanted}&key={:08x}",
        percent_encode(&identity.info_hash.0, ESCAPED),
        percent_encode(&identity.peer_id, ESCAPED),
        identity.port,
        progress.uploaded,
        progress.downloaded,
        progress.left,
        identity.key,
    );
    debug_assert!(written.is_ok(), "writing to a string");
    if let Some(event) = event {
        query.push_str(match event {
            Event::Started => "&event=started",
            Event::Completed => "&event=completed",
            Event::Stopped => "&event=stopped",
        });
    }
    if let Some(id) = tracker_id {
        query.push_str("&trackerid=");
        query.extend(percent_encode(id, ESCAPED));
    }
    url.set_query(Some(&query));
    Ok(url)
}

/// Reads an answer, whatever is missing in it.
fn parse_answer(body: &[u8]) -> Result<Answer, Failure> {
    let bad = |why: &str| Failure::BadReply(why.to_owned());
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(bad("it is a web page"));
    }
    let (value, _) = parse_bencode(body).map_err(|fault| Failure::BadReply(fault.to_string()))?;
    let answer = value.dict().ok_or_else(|| bad("it is not a dictionary"))?;
    if let Some(reason) = answer.value("failure reason").and_then(Value::bytes) {
        return Err(Failure::Said { text: text(reason), retry: retry(answer) });
    }
    let mut peers = Vec::new();
    match answer.value("peers") {
        Some(Value::Bytes(compact)) => peers.extend(compact_v4(compact)),
        Some(Value::List(list)) => {
            peers.extend(list.filter_map(|peer| long_peer(peer.dict()?)).take(MOST_PEERS))
        }
        _ => {}
    }
    if let Some(compact) = answer.value("peers6").and_then(Value::bytes) {
        peers.extend(compact_v6(compact));
    }
    if peers.is_empty() && answer.value("peers").is_none() && answer.value("peers6").is_none() {
        // Some leave the peers out when there are none, but never all else.
        if answer.value("interval").is_none() {
            return Err(bad("it has neither peers nor an interval"));
        }
    }
    let seconds = |key| {
        let seconds = answer.value(key).and_then(Value::integer)?;
        u32::try_from(seconds)
            .ok()
            .filter(|&seconds| seconds > 0)
            .map(|seconds| Duration::from_secs(seconds.into()))
    };
    let count = |key| answer.value(key).and_then(Value::integer).and_then(|count| u32::try_from(count).ok());
    Ok(Answer {
        interval: seconds("interval"),
        min_interval: seconds("min interval"),
        seeders: count("complete"),
        leechers: count("incomplete"),
        warning: answer.value("warning message").and_then(Value::bytes).map(text),
        tracker_id: answer
            .value("tracker id")
            .and_then(Value::bytes)
            .filter(|id| id.len() <= 1024)
            .map(<[u8]>::to_vec),
        peers,
    })
}

/// BEP 31: minutes, or `never`.
fn retry(answer: Dict<'_>) -> Option<Retry> {
    match answer.value("retry in")? {
        Value::Integer(minutes) => minutes_to_retry(u64::try_from(minutes).ok()?),
        Value::Bytes(b"never") => Some(Retry::Never),
        Value::Bytes(minutes) => minutes_to_retry(std::str::from_utf8(minutes).ok()?.trim().parse().ok()?),
        _ => None,
    }
}

fn minutes_to_retry(minutes: u64) -> Option<Retry> {
    Some(Retry::After(Duration::from_secs(minutes.checked_mul(60)?)))
}

/// BEP 23: four bytes of address, two of port.
pub(super) fn compact_v4(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    bytes.as_chunks::<6>().0.iter().take(MOST_PEERS).filter_map(|&[a, b, c, d, high, low]| {
        usable(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low])))
    })
}

/// BEP 7: sixteen bytes of address, two of port.
pub(super) fn compact_v6(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    bytes.as_chunks::<18>().0.iter().take(MOST_PEERS).filter_map(|chunk| {
        let (ip, port) = chunk.split_first_chunk::<16>()?;
        usable(SocketAddr::new(Ipv6Addr::from(*ip).into(), u16::from_be_bytes(port.try_into().ok()?)))
    })
}

/// BEP 3's form of a peer. A host name instead of an address is left out: nobody should look up what a stranger names.
fn long_peer(peer: Dict<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = std::str::from_utf8(peer.value("ip")?.bytes()?).ok()?.parse().ok()?;
    let port = u16::try_from(peer.value("port")?.integer()?).ok()?;
    usable(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests;
