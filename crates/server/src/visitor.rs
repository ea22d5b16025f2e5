//! Who is at the other end of a socket, also behind proxies.
//!
//! What a request says of its origin is the client's to write, so it counts only as far as proxies that are
//! trusted have written it: from the right, up to the first address that is none of theirs.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;
use hyper::{HeaderMap, header::FORWARDED, http::HeaderName};
use ipnet::IpNet;
use parlor_gateway::AddressKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whoever sent a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// What it is counted under, if it is counted.
    pub(crate) key: Option<AddressKey>,
    /// Whether it came by TLS, to us or to a proxy that says so.
    pub(crate) is_secure: bool,
}

/// The header in which proxies say for whom they ask.
///
/// Only one is read: a proxy that writes one of them passes the other on as the client has written it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, which nginx, HAProxy and Caddy write.
    #[default]
    XForwardedFor,
    /// `Forwarded`, of RFC 7239.
    Forwarded,
}

/// Whose word is taken for the address of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) header: ProxyHeader,
}

impl Proxies {
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client of a request that came from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        for entry in self.entries(headers).into_iter().rev() {
            if !self.trust(client) {
                break;
            }
            // What hides behind a word, `unknown` or `_secret`, is not to be known: then the proxy that says so
            // stands for it.
            let Some(address) = entry else { break };
            client = address;
        }
        client
    }

    /// Whether the client of a request came by TLS, as far as a trusted proxy says so.
    pub(crate) fn is_secure(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        if !self.trust(peer) {
            return false;
        }
        match self.header {
            ProxyHeader::XForwardedFor => {
                last(headers, &X_FORWARDED_PROTO).is_some_and(|proto| proto == "https")
            }
            ProxyHeader::Forwarded => last(headers, &FORWARDED)
                .is_some_and(|element| parameter(element, "proto").is_some_and(|p| p == "https")),
        }
    }

    /// What the header lists, the last added last.
    fn entries(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        match self.header {
            ProxyHeader::XForwardedFor => listed(headers, &X_FORWARDED_FOR).map(address).collect(),
            ProxyHeader::Forwarded => listed(headers, &FORWARDED)
                .map(|element| parameter(element, "for").and_then(address))
                .collect(),
        }
    }
}

/// What an address is counted under: an IPv4 address, or the half of an IPv6 one that names a site, of which
/// one client may have all the rest. `None` for loopback, unless it is to be `counted` as well.
pub(crate) fn key_of(address: IpAddr, loopback_counted: bool) -> Option<AddressKey> {
    let address = address.to_canonical();
    if address.is_loopback() && !loopback_counted {
        return None;
    }
    Some(AddressKey::of(address))
}

fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // A value that is no text counts as one entry that says nothing.
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    listed(headers, name).last()
}

/// The value of a parameter in an element of `Forwarded`, such as `for=192.0.2.60;proto=https`.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// An address as proxies write it: alone, in brackets, with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets =
        || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    bare().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: ProxyHeader, peer: &str, lines: &[&str], expected: &str) {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|net| net.parse().unwrap()).to_vec();
        let name = match header {
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
            ProxyHeader::Forwarded => FORWARDED,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, line.parse().unwrap());
        }
        let client = Proxies { trusted, header }.client(peer.parse().unwrap(), &headers);
        assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
    }

    #[test]
    fn client_is_the_rightmost_address_that_is_no_trusted_proxy() {
        let check = |peer, lines: &[&str], expected| {
            check(ProxyHeader::XForwardedFor, peer, lines, expected);
        };
        check("10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["1.2.3.4, 203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["203.0.113.7, 10.0.0.2"], "203.0.113.7");
        check("10.0.0.1", &["1.2.3.4", "203.0.113.7, 10.9.9.9"], "203.0.113.7");
        check("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7");
        check("2001:db8:ffff::1", &["[2001:db8::7]:4711"], "2001:db8::7");
        check("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7");
    }

    #[test]
    fn one_that_is_not_trusted_speaks_for_itself_alone() {
        check(ProxyHeader::XForwardedFor, "203.0.113.7", &["1.2.3.4"], "203.0.113.7");
        check(ProxyHeader::Forwarded, "203.0.113.7", &["for=1.2.3.4"], "203.0.113.7");
    }

    #[test]
    fn what_cannot_be_known_is_the_proxy_that_says_so() {
        for lines in [&[][..], &["unknown"], &[""], &["1.2.3.4, nonsense"], &["10.0.0.1, _x"]] {
            check(ProxyHeader::XForwardedFor, "10.0.0.1", lines, "10.0.0.1");
        }
        check(ProxyHeader::XForwardedFor, "10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }

    #[test]
    fn forwarded_is_read_as_in_rfc_7239() {
        let check = |lines: &[&str], expected| {
            check(ProxyHeader::Forwarded, "10.0.0.1", lines, expected);
        };
        check(&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60");
        check(&["for=1.2.3.4, For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17");
        check(&["for=\"_gazonk\""], "10.0.0.1");
        check(&["proto=https"], "10.0.0.1");
    }

    #[test]
    fn only_a_trusted_proxy_says_that_a_client_came_by_tls() {
        let proxies =
            Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_PROTO, "https".parse().unwrap());
        assert!(proxies.is_secure("10.0.0.1".parse().unwrap(), &headers));
        assert!(!proxies.is_secure("203.0.113.7".parse().unwrap(), &headers));
    }

    #[test]
    fn a_site_of_ipv6_is_one_address_and_loopback_is_none() {
        let key = |text: &str| key_of(text.parse().unwrap(), false);
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("203.0.113.7"), key("203.0.113.8"));
        assert_eq!(key("::ffff:203.0.113.7"), key("203.0.113.7"));
        assert_eq!((key("127.0.0.1"), key("::1")), (None, None));
        assert!(key_of("127.0.0.1".parse().unwrap(), true).is_some());
    }
}
