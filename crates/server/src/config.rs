//! What a server can be told before it starts.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::transport::TransportConfig;

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
    /// Origins whose pages may connect, beside the server's own, as a browser writes them:
    /// `https://games.example`. Defaults to none.
    pub allowed_origins: Vec<String>,
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
    /// How long stopping waits for connections to be closed in good order. Defaults to 5 s, inside
    /// the 30 s that most orchestrators allow.
    pub drain_time_max: Duration,
    /// How each WebSocket connection is kept.
    pub transport: TransportConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            allowed_origins: Vec::new(),
            connections_max: 10_000,
            http_connections_max: 1024,
            handshake_time_max: Duration::from_secs(10),
            http_time_max: Duration::from_secs(60),
            drain_time_max: Duration::from_secs(5),
            transport: TransportConfig::default(),
        }
    }
}
