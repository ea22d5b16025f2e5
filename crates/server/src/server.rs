//! A game server as one value: games and pages in, a running server out.
//!
//! Owns the order of things: settings are complete before anything is opened, the address is
//! bound before the gateway starts, and stopping tells the clients first.

use std::{
    io::{self, Write},
    net::SocketAddr,
    num::NonZero,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parlor_core::Game;
use parlor_gateway::{Gateway, GatewayBuilder, JoinHook, Lifecycle, Rooms};
use prometheus_client::registry::Registry;
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{Builder, Runtime},
};
use tracing::{info, warn};

use crate::{
    config::ServerConfig,
    http::Site,
    process::ProcessReadings,
    session::GatewayEndpoint,
    signal::Signals,
    transport::{Listening, Stopped},
};

/// A server to be.
///
/// ```no_run
/// # use parlor_games::TicTacToe;
/// use parlor_server::{Server, ServerConfig, runtime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::new(ServerConfig::default()).game(TicTacToe);
/// runtime()?.block_on(server.run())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    gateway: GatewayBuilder,
    pages: Vec<(String, &'static str, Bytes)>,
}

/// A server at work. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Running {
    listening: Listening,
    gateway: Arc<Gateway>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address could not be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses to tell this process that it is to stop.
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}

/// The runtime that a server should run on.
///
/// Never tokio's defaults: at 600 000 deliveries a second they delay one in a hundred by 140 ms,
/// since the wakes of a large broadcast spill into the global queue, which they look at rarely.
/// Looked at every other time, it is 50 ms. Where there is one core, a runtime of one thread has no
/// second queue to spill into: then it is 20 to 30 ms.
pub fn runtime() -> io::Result<Runtime> {
    let mut builder = match std::thread::available_parallelism() {
        Ok(NonZero::<usize>::MIN) => Builder::new_current_thread(),
        Ok(_) | Err(_) => Builder::new_multi_thread(),
    };
    builder.enable_all().global_queue_interval(2).build()
}

impl Server {
    /// A server without games.
    pub fn new(config: ServerConfig) -> Self {
        let gateway = Gateway::builder(config.gateway.clone());
        Self { config, gateway, pages: Vec::new() }
    }

    /// Adds a game, in place of one with the same name.
    #[must_use]
    pub fn game<G: Game>(mut self, game: G) -> Self {
        self.gateway = self.gateway.game(game);
        self
    }

    /// Shows `body` at `path`, in place of a built-in page: `/play/my_game` for a game's own.
    ///
    /// Pages live under a strict content security policy: scripts and styles are files of their
    /// own, added like this one. `/parlor.js` and `/play/table.js` are there to build on.
    #[must_use]
    pub fn page(
        mut self,
        path: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        self.pages.push((path.into(), content_type, body.into()));
        self
    }

    /// Asks `hook` who may sit down.
    #[must_use]
    pub fn join_hook(mut self, hook: impl JoinHook) -> Self {
        self.gateway = self.gateway.join_hook(hook);
        self
    }

    /// Starts to serve.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime; [`runtime`] makes one that fits.
    pub fn start(self) -> Result<Running, StartError> {
        let Self { mut config, gateway, pages } = self;
        let address = config.listen;
        let failed = |source| StartError::Listen { address, source };

        config.connections_max = connections_max(&config);
        let listener = listen(address, config.send_buffer_bytes).map_err(failed)?;
        let gateway = gateway.start();
        let mut metrics = Registry::default();
        gateway.register_metrics(&mut metrics);
        metrics.register_collector(Box::new(ProcessReadings));
        let mut site = Site::new(GatewayEndpoint(Arc::clone(&gateway))).with_metrics(metrics);
        for (path, content_type, body) in pages {
            site = site.with_page(path, content_type, body);
        }
        let listening = Listening::start(listener, site, config).map_err(failed)?;
        info!(address = %listening.address(), "listening");
        Ok(Running { listening, gateway })
    }

    /// Serves until the process is told to stop, by SIGINT or SIGTERM, then drains.
    ///
    /// Says on standard output where it listens. Told to stop a second time, it stops at once.
    pub async fn run(self) -> Result<(), StartError> {
        let mut signals = Signals::listen().map_err(StartError::Signals)?;
        let running = self.start()?;
        // Whoever reads it may be gone, which is no reason not to serve.
        let _ = writeln!(
            io::stdout(),
            "listening on http://{0}\nOpen it in a browser, share a room's link, play. Ctrl-C stops the server.",
            running.address(),
        );
        signals.next().await;
        info!("stopping");
        tokio::select! {
            // Losing the race drops the server, which cuts what was still being closed.
            stopped = running.stop() => info!(cut = stopped.connections_cut, "stopped"),
            () = signals.next() => warn!("stopped at once"),
        }
        Ok(())
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// The rooms, to make, find, end and tell them something.
    pub fn rooms(&self) -> Rooms {
        self.gateway.rooms()
    }

    /// What becomes of rooms from now on.
    pub fn lifecycle(&self) -> Lifecycle {
        self.gateway.lifecycle()
    }

    /// What the rooms are kept in.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Takes nobody new, tells everyone to come back later and closes every connection, within
    /// [`ServerConfig::drain_time_max`].
    pub async fn stop(self) -> Stopped {
        self.gateway.drain(RECONNECT_AFTER);
        self.listening.stop().await
    }
}

fn listen(address: SocketAddr, send_buffer_bytes: Option<u32>) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restarted server does not wait for the last one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    if let Some(bytes) = send_buffer_bytes {
        // Accepted sockets have it from the listening one.
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The configured number of connections, or as many as there are descriptors for.
fn connections_max(config: &ServerConfig) -> usize {
    let descriptors = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(descriptors) => usize::try_from(descriptors).unwrap_or(usize::MAX),
        Err(error) => {
            warn!(%error, "the limit on file descriptors is unknown");
            return config.connections_max;
        }
    };
    let left = descriptors.saturating_sub(config.http_connections_max + DESCRIPTORS_OWN);
    if left < config.connections_max {
        warn!(
            descriptors,
            configured = config.connections_max,
            connections_max = left.max(1),
            "fewer connections than configured: raise the limit on file descriptors"
        );
    }
    left.clamp(1, config.connections_max.max(1))
}

/// Connections that the system holds until they are accepted: clients of a server that has just
/// restarted all come back at once.
const BACKLOG: u32 = 4096;
/// Descriptors for everything that is no connection.
const DESCRIPTORS_OWN: usize = 64;
/// When clients of a server that goes away should look for the next one.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
