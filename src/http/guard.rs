//! Who may ask: the `Host` guard against DNS rebinding, and the list of origins. Pure.
//!
//! A page of a stranger can make a browser believe that the stranger's name is 127.0.0.1, and then read from here as from
//! its own server. What it cannot change is the name in `Host`. So only names that are ours are answered.

use std::fmt;
use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName, HeaderValue, ORIGIN, VARY,
};

/// The host of a `Host` field or of an authority, with its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Lower case, without a dot at the end.
    Name(String),
    /// An IPv4 address in IPv6 clothes is an IPv4 address.
    Address(IpAddr),
}

impl Authority {
    /// `None` if it is no host at all. Names have letters, digits, `-`, `_` and dots only: what is read here is echoed in
    /// playlists.
    pub fn read(text: &str) -> Option<Authority> {
        let text = text.trim_matches([' ', '\t']);
        let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
            let (address, after) = bracketed.split_once(']')?;
            // The zone of a link-local address (RFC 6874) means nothing to anyone but the client.
            let address = address.split_once('%').map_or(address, |(address, _)| address);
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
            (Host::Address(IpAddr::V6(address.parse().ok()?).to_canonical()), port)
        } else {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            (Host::read(host)?, port)
        };
        let port = match port {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Authority { host, port })
    }
}

impl Host {
    /// A name or an address without brackets.
    pub fn read(text: &str) -> Option<Host> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Host::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_name = !name.is_empty()
            && name.len() <= 253
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        is_name.then(|| Host::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}")?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Which hosts and which origins are ours.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    hosts: Vec<Host>,
    origins: Vec<String>,
}

impl Guard {
    /// `hosts` are names or addresses beside those that are always ours; `origins` are as browsers write them
    /// (`https://example.org`), or `*` for all.
    pub fn new(hosts: impl IntoIterator<Item = String>, origins: Vec<String>) -> Self {
        let hosts = hosts
            .into_iter()
            .filter_map(|host| Authority::read(&host).map(|a| a.host).or_else(|| Host::read(&host)));
        Guard { hosts: hosts.collect(), origins }
    }

    /// Whether `host` means us, on a connection that came to our address `local`. The port is not compared: a stranger's
    /// page cannot lie about it, and behind a forwarded port it is another one.
    pub fn admits(&self, host: &Host, local: IpAddr) -> bool {
        match host {
            Host::Name(name) => {
                name == "localhost" || name.ends_with(".localhost") || self.hosts.contains(host)
            }
            Host::Address(address) => {
                address.is_loopback() || *address == local.to_canonical() || self.hosts.contains(host)
            }
        }
    }

    /// Adds what cross-origin pages need (the Fetch standard), where the origin is on the list.
    pub fn dress(&self, request: &HeaderMap, is_preflight: bool, response: &mut HeaderMap) {
        response.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(ORIGIN).filter(|origin| self.lists(origin)) else { return };
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Content-Range, Content-Length, Accept-Ranges, ETag"),
        );
        if is_preflight {
            response.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            response.insert(
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("Range, If-Match, If-None-Match, If-Range, Content-Type"),
            );
            response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
            // Browsers ask this of servers on loopback and in local networks (Private Network Access).
            if request.contains_key("access-control-request-private-network") {
                response.insert(
                    HeaderName::from_static("access-control-allow-private-network"),
                    HeaderValue::from_static("true"),
                );
            }
        }
    }

    fn lists(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.origins
            .iter()
            .any(|listed| listed == "*" || listed.trim_end_matches('/').eq_ignore_ascii_case(origin))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn admits(guard: &Guard, host: &str, local: IpAddr) -> bool {
        Authority::read(host).is_some_and(|authority| guard.admits(&authority.host, local))
    }

    #[test]
    fn loopback_in_all_its_forms_is_ours() {
        for host in [
            "localhost",
            "LOCALHOST:8888",
            "localhost.",
            "film.localhost",
            "127.0.0.1",
            "127.0.0.1:8888",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8888",
            "[::ffff:127.0.0.1]:8888",
            " localhost ",
        ] {
            assert!(admits(&Guard::default(), host, LOOPBACK), "{host}");
        }
    }

    #[test]
    fn a_strangers_name_is_not_ours_even_if_it_leads_here() {
        for host in [
            "evil.example",
            "evil.example:8888",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.7",
            "",
            ":80",
            "127.0.0.1:x",
            "127.0.0.1:99999",
            "[::1",
            "[::1]x",
            "a b",
            "evil.example\0",
            "2130706433",
            "[127.0.0.1]",
            "notlocalhost",
        ] {
            assert!(!admits(&Guard::default(), host, LOOPBACK), "{host}");
        }
    }

    #[test]
    fn the_address_that_was_called_and_configured_names_are_ours() {
        let lan = IpAddr::from([192, 168, 1, 7]);
        assert!(admits(&Guard::default(), "192.168.1.7:8888", lan));
        assert!(admits(
            &Guard::default(),
            "192.168.1.7:8888",
            IpAddr::V6(Ipv4Addr::new(192, 168, 1, 7).to_ipv6_mapped())
        ));
        assert!(!admits(&Guard::default(), "192.168.1.8:8888", lan));
        let v6 = IpAddr::V6("fe80::1".parse::<Ipv6Addr>().unwrap());
        assert!(admits(&Guard::default(), "[fe80::1%25eth0]:8888", v6));
        let guard = Guard::new(
            ["Living-Room.local".to_owned(), "10.0.0.1".to_owned(), "[fd00::1]".to_owned()],
            Vec::new(),
        );
        assert!(admits(&guard, "living-room.LOCAL:8888", lan));
        assert!(admits(&guard, "10.0.0.1", lan));
        assert!(admits(&guard, "[fd00::1]:1", lan));
        assert!(!admits(&guard, "kitchen.local", lan));
    }

    #[test]
    fn an_authority_is_written_as_it_was_read() {
        for text in ["localhost:8888", "127.0.0.1", "[::1]:8888", "a-b.c_d"] {
            assert_eq!(Authority::read(text).unwrap().to_string(), text);
        }
    }

    fn dressed(origins: &[&str], fields: &[(&'static str, &'static str)], is_preflight: bool) -> HeaderMap {
        let guard = Guard::new([], origins.iter().map(|o| (*o).to_owned()).collect());
        let request = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let mut response = HeaderMap::new();
        guard.dress(&request, is_preflight, &mut response);
        response
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let origin = [("origin", "https://cast.example")];
        assert_eq!(
            dressed(&["https://cast.example/"], &origin, false)[ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://cast.example"
        );
        assert_eq!(dressed(&["*"], &origin, false)[ACCESS_CONTROL_ALLOW_ORIGIN], "https://cast.example");
        assert!(dressed(&[], &origin, false).get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
        assert!(
            dressed(&["https://other.example"], &origin, false).get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none()
        );
        assert!(dressed(&["https://cast.example"], &[], false).get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    }

    #[test]
    fn the_answer_depends_on_the_origin_even_where_there_is_none() {
        assert_eq!(dressed(&[], &[], false)[VARY], "Origin");
    }

    #[test]
    fn a_preflight_learns_what_it_may_send() {
        let fields = [("origin", "https://cast.example"), ("access-control-request-private-network", "true")];
        let response = dressed(&["https://cast.example"], &fields, true);
        assert!(response[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().contains("Range"));
        assert_eq!(response["access-control-allow-private-network"], "true");
        assert!(
            dressed(&["https://cast.example"], &fields, false).get(ACCESS_CONTROL_ALLOW_HEADERS).is_none()
        );
    }
}
