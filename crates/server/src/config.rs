//! What a server can be told before it starts.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use hyper::http::uri::Authority;
use ipnet::IpNet;
use parlor_gateway::GatewayConfig;
use parlor_protocol::Secret;

use crate::{tls::TlsFiles, transport::TransportConfig, visitor::ProxyHeader};

/// Where a server listens and how much it will hold.
///
/// [`ServerConfig::default`] is ready to run a public server of some size on one machine. Nothing
/// here is read again after the server has started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address to listen on. Defaults to 127.0.0.1:8080, which only this machine reaches. Port 0
    /// lets the system choose; the server says which it chose.
    pub listen: SocketAddr,
    /// Another address for `/metrics`, `/health` and `/admin`, which then are not at `listen`. Defaults to none.
    pub ops_listen: Option<SocketAddr>,
    /// Origins whose pages may connect and use the API, beside the server's own. Defaults to none.
    pub allowed_origins: Vec<Origin>,
    /// Sockets of other nodes that the pages may connect to, beside the server's own: where rooms are at nodes with
    /// addresses of their own, pages are sent there. Defaults to none. Those nodes must name the origin of the
    /// pages, which players reach by a balancer, in their `allowed_origins`.
    pub other_nodes: Vec<NodeOrigin>,
    /// Where players find this server, as in `https://games.example`, for links to rooms. Defaults to wherever
    /// whoever asks has found it.
    pub public_url: Option<String>,
    /// What one must know to end rooms by HTTP and to see the operators' page. Defaults to none: nobody may.
    pub admin_token: Option<Secret>,
    /// Networks of proxies whose word is taken for the addresses of clients. Defaults to none.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they give it. Defaults to `X-Forwarded-For`.
    pub proxy_header: ProxyHeader,
    /// Whether trusted proxies begin each connection by the PROXY protocol, version 2. Defaults to no.
    pub proxy_protocol: bool,
    /// Whether limits by address hold for clients on this machine as well. Defaults to no.
    pub loopback_limited: bool,
    /// WebSocket connections of one address at a time. Defaults to 200; a handshake above it is answered with 429.
    pub connections_per_address_max: u32,
    /// Connections of one address, as the socket has it, that are no WebSockets (yet). Defaults to 64; one more is
    /// cut. Trusted proxies may have any number.
    pub http_connections_per_address_max: u32,
    /// The certificate for TLS. Defaults to none: then the server speaks in clear, as behind a proxy.
    pub tls: Option<TlsFiles>,
    /// WebSocket connections at a time. Defaults to 10000; a handshake above it is answered with
    /// 503. Lowered at start to what the limit on file descriptors leaves. An idle connection
    /// takes about 2 KiB beside what the system keeps for its socket.
    pub connections_max: usize,
    /// Connections at a time that are no WebSockets (yet). Defaults to 1024, above which new ones
    /// wait to be accepted. Each may hold 16 KiB of request headers.
    pub http_connections_max: usize,
    /// How long a client may take to send the headers of a request, handshakes included. Defaults
    /// to 10 s.
    pub handshake_time_max: Duration,
    /// How long a connection may be used for HTTP requests before it is closed between two of
    /// them, and, past another `handshake_time_max`, even inside one. Defaults to 60 s.
    pub http_time_max: Duration,
    /// How long stopping waits for games that people are playing to end. Defaults to 15 s; nobody new is taken
    /// meanwhile.
    pub games_drain_time_max: Duration,
    /// How long stopping then waits for connections to be closed in good order. Defaults to 5 s, so that
    /// both together are inside the 30 s that most orchestrators allow.
    pub drain_time_max: Duration,
    /// Frames of a client's message. Defaults to 64, above which it is closed with 1009.
    pub fragments_max: u32,
    /// How long a close frame may take to be sent and answered before the socket is cut. Defaults
    /// to 1 s.
    pub close_time_max: Duration,
    /// Bytes that the system may hold for a client that does not read, beside the outbox. Defaults to
    /// 256 KiB, of which Linux makes twice that; `None` leaves it to the system, which goes up to megabytes. An
    /// idle connection holds none of it. What one client can be sent is at most this in each round trip.
    pub send_buffer_bytes: Option<u32>,
    /// How much rooms and their clients may ask for.
    pub gateway: GatewayConfig,
}

/// Where a page comes from, as a browser names it: `https://games.example`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

/// Where a node's sockets are, without the path: `wss://node-2.games.example`. `wss://*.games.example` are all that end
/// like this, and a port `*` is any.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeOrigin(String);

/// Why a text is no origin of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a node is ws:// or wss://, a host and perhaps a port, as in wss://node-2.games.example")]
pub struct ParseNodeOriginError;

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an origin is http:// or https://, a host and perhaps a port, as in https://games.example")]
pub struct ParseOriginError;

impl ServerConfig {
    pub(crate) fn transport(&self) -> TransportConfig {
        TransportConfig {
            message_bytes_max: self.gateway.frame.message_bytes_max,
            fragments_max: self.fragments_max,
            heartbeat: self.gateway.heartbeat,
            close_time_max: self.close_time_max,
        }
    }
}

impl Origin {
    /// Whether a browser means this one.
    pub(crate) fn is(&self, named: &str) -> bool {
        self.0.eq_ignore_ascii_case(named)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let authority = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(ParseOriginError)?;
        match authority.parse::<Authority>() {
            Ok(parsed) if !parsed.host().is_empty() && !authority.contains('@') => {
                Ok(Self(text.to_owned()))
            }
            Ok(_) | Err(_) => Err(ParseOriginError),
        }
    }
}

impl fmt::Display for NodeOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeOrigin {
    type Err = ParseNodeOriginError;

    /// It becomes part of a header in which spaces, commas and semicolons have a meaning.
    fn from_str(text: &str) -> Result<Self, ParseNodeOriginError> {
        let authority = text
            .strip_prefix("wss://")
            .or_else(|| text.strip_prefix("ws://"))
            .ok_or(ParseNodeOriginError)?;
        let (authority, any_port) = match authority.strip_suffix(":*") {
            Some(host) => (host, true),
            None => (authority, false),
        };
        let named = authority.strip_prefix("*.").unwrap_or(authority);
        match named.parse::<Authority>() {
            Ok(parsed)
                if !parsed.host().is_empty()
                    && named.bytes().all(is_host_byte)
                    && !(any_port && parsed.port().is_some()) =>
            {
                Ok(Self(text.to_owned()))
            }
            Ok(_) | Err(_) => Err(ParseNodeOriginError),
        }
    }
}

/// What a host and its port are made of, wherever they are named.
pub(crate) fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            ops_listen: None,
            allowed_origins: Vec::new(),
            other_nodes: Vec::new(),
            public_url: None,
            admin_token: None,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            proxy_protocol: false,
            loopback_limited: false,
            connections_per_address_max: 200,
            http_connections_per_address_max: 64,
            tls: None,
            connections_max: 10_000,
            http_connections_max: 1024,
            handshake_time_max: Duration::from_secs(10),
            http_time_max: Duration::from_secs(60),
            games_drain_time_max: Duration::from_secs(15),
            drain_time_max: Duration::from_secs(5),
            fragments_max: 64,
            close_time_max: Duration::from_secs(1),
            send_buffer_bytes: Some(256 * 1024),
            gateway: GatewayConfig::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_scheme_host_and_port() {
        for text in ["https://games.example", "http://127.0.0.1:8080", "http://[::1]:80"] {
            assert!(text.parse::<Origin>().unwrap().is(text));
        }
        for text in [
            "games.example",
            "https://",
            "https://games.example/",
            "https://games.example/path",
            "https://me@games.example",
            "ftp://games.example",
            "null",
            "*",
            "",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(ParseOriginError), "{text}");
        }
    }

    #[test]
    fn nodes_are_where_sockets_are() {
        for text in [
            "wss://node-2.games.example",
            "ws://127.0.0.1:8080",
            "ws://[::1]:8080",
            "wss://*.games.example",
            "wss://*.games.example:*",
        ] {
            assert_eq!(
                text.parse::<NodeOrigin>().map(|node| node.to_string()).as_deref(),
                Ok(text)
            );
        }
        for text in [
            "https://node-2.games.example",
            "node-2.games.example",
            "wss://",
            "wss://*",
            "wss://*.*.example",
            "wss://games.example/ws",
            "wss://me@games.example",
            "wss://games.example:80:*",
            "wss://games.example *",
            "wss://games.example;script-src",
            "wss://games.example,wss://evil.example",
            "*",
            "",
        ] {
            assert_eq!(text.parse::<NodeOrigin>(), Err(ParseNodeOriginError), "{text}");
        }
    }
}
