//! A server in the test's own process, on a free port.
//!
//! [`TestServer`] is a real one: sockets, handshakes and all. It ends when dropped. For the `parlor`
//! program as players start it there is [`process`](crate::process).
//!
//! With `PARLOR_TEST_NODES=3` in the environment it is three of them on a Redis of their own, behind a balancer: so the
//! same tests tell whether many nodes are one server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parlor_client::{Client, Events, Options};
use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use parlor_server::{Running, Server, ServerConfig, Stopped};
use tokio::time::timeout;

use crate::http::Ask;
use crate::nodes::{Nodes, nodes_wanted};
use crate::raw::stream_from;
use crate::seat::WAIT_MAX;

/// A running server.
#[derive(Debug)]
pub struct TestServer {
    running: Running,
    /// Others like it, and the balancer before all of them.
    others: Option<Nodes>,
}

impl TestServer {
    /// Starts a server with what `add` gives it: games, pages. Told to stop, it waits for no game.
    pub fn start(add: impl Fn(Server) -> Server) -> Self {
        let mut config = ServerConfig::default();
        config.games_drain_time_max = Duration::ZERO;
        Self::with_config(config, add)
    }

    /// The same with settings of one's own, wherever they say to listen.
    ///
    /// # Panics
    ///
    /// When it cannot listen, which needs no more than a free port.
    pub fn with_config(mut config: ServerConfig, add: impl Fn(Server) -> Server) -> Self {
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let new = || add(Server::new(config.clone()));
        match nodes_wanted() {
            None => Self { running: new().start().expect("some port is free"), others: None },
            Some(count) => {
                let (running, others) = Nodes::start(count, new);
                Self { running, others: Some(others) }
            }
        }
    }

    /// Whether it is several.
    pub fn is_many() -> bool {
        nodes_wanted().is_some()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.others.as_ref().map_or_else(|| self.running.address(), Nodes::address)
    }

    /// Where it listens to operators, if that is another address.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.running.ops_address()
    }

    /// The address of its sockets.
    pub fn socket_url(&self) -> String {
        format!("ws://{}/ws", self.address())
    }

    /// Its rooms.
    pub fn gateway(&self) -> &Arc<Gateway> {
        self.running.gateway()
    }

    /// The server itself.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// How often clients were kept from going beyond a limit, as `/metrics` has it.
    ///
    /// # Panics
    ///
    /// When it says nothing.
    pub async fn limited(&self, limit: &str) -> u64 {
        // From an address of its own, lest it be limited itself.
        let stream = stream_from(254, self.address()).await.expect("the server listens");
        let text = Ask::get("/metrics").over(stream).await.body;
        let series = format!("parlor_limited_total{{limit=\"{limit}\"}} ");
        let counted = text.lines().find_map(|line| line.strip_prefix(&*series));
        counted.map_or(0, |number| number.parse().expect("it is a number"))
    }

    /// Waits until clients have been kept from it so often, and no oftener: who is cut may see that before it is
    /// counted.
    ///
    /// # Panics
    ///
    /// When it is not so in time.
    pub async fn is_limited(&self, limit: &str, expected: u64) {
        let counted = async { while self.limited(limit).await < expected {} };
        let in_time = timeout(WAIT_MAX, counted).await;
        assert_eq!(self.limited(limit).await, expected, "{limit}, {in_time:?}");
    }

    /// A new client of it.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub async fn connect(&self, codec: Codec) -> (Client, Events) {
        let options = Options { codec, ..Options::default() };
        Client::connect(&self.socket_url(), options).await.expect("the server lets clients in")
    }

    /// The same from 127.0.0.`host`.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub async fn connect_from(&self, host: u8, codec: Codec) -> (Client, Events) {
        let stream = stream_from(host, self.address()).await.expect("the server listens");
        let options = Options { codec, ..Options::default() };
        let connecting = Client::over(stream, &self.socket_url(), options).await;
        connecting.expect("the server lets clients in")
    }

    /// Stops it in good order.
    pub async fn stop(self) -> Stopped {
        let Self { running, others } = self;
        let stopped = running.stop().await;
        if let Some(others) = others {
            others.stop().await;
        }
        stopped
    }
}
