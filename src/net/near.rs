//! What is near (this computer, its network), and who may lead us there.

use std::net::IpAddr;

use url::{Host, Url};

/// Where a request may lead. A web address that a stranger wrote may name this computer, or the router: whoever asks there
/// does something in the stranger's name that the stranger could not do himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the user named it.
    Anywhere,
    /// It may itself be near ([`is_local`]), but no redirect may lead there.
    NoRedirectNear,
    /// Nothing near.
    Far,
}

impl Reach {
    /// For a URL that the user typed: one that is near by its looks may lead anywhere near, as people's own indexers do; one
    /// that is not has no business there.
    pub fn of_typed(url: &Url) -> Reach {
        let is_near = match url.host() {
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                let last = name.rsplit('.').next().unwrap_or_default();
                last == name || matches!(last, "local" | "localhost" | "lan" | "home" | "internal" | "arpa")
            }
            Some(_) => near_literal(url).is_some(),
            None => false,
        };
        if is_near { Reach::Anywhere } else { Reach::NoRedirectNear }
    }
}

/// True for what means another machine to everybody: this computer, private networks, carriers' (RFC 6598). A stranger
/// from outside who names them wants us to knock at our own doors.
pub fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_carriers = first == 100 && (second & 0xc0) == 64;
            // All of 0.0.0.0/8 means "here", and Linux connects there.
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_carriers || first == 0
        }
        IpAddr::V6(ip) => {
            let [first, ..] = ip.segments();
            let (is_unique_local, is_link_local) = ((first & 0xfe00) == 0xfc00, (first & 0xffc0) == 0xfe80);
            ip.is_loopback() || ip.is_unspecified() || is_unique_local || is_link_local
        }
    }
}

/// The URL's host, if it is an address and near: no look-up would see it.
pub(super) fn near_literal(url: &Url) -> Option<String> {
    let ip: IpAddr = match url.host()? {
        Host::Ipv4(ip) => ip.into(),
        Host::Ipv6(ip) => ip.into(),
        Host::Domain(_) => return None,
    };
    is_local(ip).then(|| ip.to_string())
}

/// The hosts of the proxies that the environment names: near as a rule, and named by the user.
pub(super) fn proxies() -> Vec<String> {
    let names = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let host = |name| {
        let value = std::env::var(name).ok()?;
        let url = Url::parse(&value).ok().filter(Url::has_host);
        let url = url.or_else(|| Url::parse(&format!("http://{value}")).ok())?;
        url.host_str().map(str::to_owned)
    };
    names.into_iter().filter_map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_may_lead_near_if_it_looks_near() {
        let reach = |url: &str| Reach::of_typed(&Url::parse(url).expect("a URL"));
        for near in [
            "http://nas/",
            "http://localhost:9117/dl",
            "http://192.168.1.2/",
            "http://box.LAN./",
            "http://[::1]/",
        ] {
            assert_eq!(reach(near), Reach::Anywhere, "{near}");
        }
        for far in ["http://example.org/", "https://9.9.9.9/a.torrent", "http://local.example.org/"] {
            assert_eq!(reach(far), Reach::NoRedirectNear, "{far}");
        }
    }

    #[test]
    fn near_is_what_every_network_has_of_its_own() {
        let near = ["127.9.9.9", "0.0.0.0", "10.1.1.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"];
        let near =
            near.into_iter().chain(["100.64.0.1", "::", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"]);
        for ip in near {
            assert!(is_local(ip.parse().expect("an address")), "{ip}");
        }
        for ip in ["9.9.9.9", "100.63.0.1", "100.128.0.1", "172.32.0.1", "2001:db8::1", "::ffff:9.9.9.9"] {
            assert!(!is_local(ip.parse().expect("an address")), "{ip}");
        }
    }
}
