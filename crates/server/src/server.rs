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

use arc_swap::ArcSwap;
use bytes::Bytes;
use parlor_core::Game;
use parlor_gateway::{
    Authenticator, ClusterConfig, Gateway, GatewayBuilder, JoinHook, Lifecycle, Rooms,
};
use parlor_store::{Bus, RoomDirectory, SessionStore};
#[cfg(feature = "redis")]
use parlor_store::{Redis, RedisBus, RedisRoomDirectory, RedisSessionStore};
use prometheus_client::registry::Registry;
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::{Builder, Runtime},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::{
    config::ServerConfig,
    http::{Api, Face, Samples, Site},
    live::Live,
    process::ProcessReadings,
    session::GatewayEndpoint,
    signal::{Signal, Signals},
    tls::{Tls, TlsError},
    transport::{self, Listening},
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
    ops: Option<Listening>,
    gateway: Arc<Gateway>,
    live: Arc<ArcSwap<Live>>,
    tls: Option<Arc<Tls>>,
    games_drain_time_max: Duration,
    _samples: AbortOnDropHandle<()>,
}

/// What stopping left undone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped {
    /// Games that people were playing and that had not ended: their rooms are lost.
    pub games_cut: usize,
    /// Connections that were cut because they did not close in time.
    pub connections_cut: usize,
    /// Whether it was told to stop a second time.
    pub at_once: bool,
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
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
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

    /// Keeps in `store` where players find their seats again, in place of memory.
    #[must_use]
    pub fn session_store(mut self, store: impl SessionStore) -> Self {
        self.gateway = self.gateway.session_store(Arc::new(store));
        self
    }

    /// Makes it one node of those that share `directory` and `bus`. Their session store must be one as well.
    #[must_use]
    pub fn cluster(
        mut self,
        config: ClusterConfig,
        directory: impl RoomDirectory,
        bus: impl Bus,
    ) -> Self {
        self.gateway = self.gateway.cluster(config, Arc::new(directory), Arc::new(bus));
        self
    }

    /// Makes it one node of those that are on the same Redis, under the same prefix.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn on_redis(self, redis: &Redis, config: ClusterConfig) -> Self {
        self.session_store(RedisSessionStore::new(redis.clone())).cluster(
            config,
            RedisRoomDirectory::new(redis.clone()),
            RedisBus::new(redis.clone()),
        )
    }

    /// Believes `authenticator` who someone is.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.gateway = self.gateway.authenticator(authenticator);
        self
    }

    /// Starts to serve.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime; [`runtime`] makes one that fits.
    pub fn start(self) -> Result<Running, StartError> {
        let Self { mut config, gateway, pages } = self;
        let tls = config.tls.clone().map(Tls::read).transpose()?.map(Arc::new);
        config.connections_max = connections_max(&config);
        let listener = listen(config.listen, config.send_buffer_bytes)?;
        let ops_listener = config.ops_listen.map(|ops| listen(ops, None)).transpose()?;

        let gateway = gateway.start();
        let mut metrics = Registry::default();
        gateway.register_metrics(&mut metrics);
        metrics.register_collector(Box::new(ProcessReadings));
        let (metrics, live) =
            (Arc::new(metrics), Arc::new(ArcSwap::from_pointee(Live::of(&config))));
        let api = Api {
            gateway: Arc::clone(&gateway),
            limits: config.gateway.frame,
            public_url: config.public_url.clone(),
            metrics: Arc::clone(&metrics),
            sessions: Arc::default(),
            samples: Samples::new(),
        };
        let samples = Arc::clone(&api.samples).run(metrics, Arc::clone(&live));
        let samples = AbortOnDropHandle::new(tokio::spawn(samples));
        let site = |faces: &[Face]| {
            Site::facing(GatewayEndpoint(Arc::clone(&gateway)), faces).with_api(api.clone())
        };
        let faces: &[Face] = match ops_listener {
            Some(_) => &[Face::Players],
            None => &[Face::Players, Face::Operators],
        };
        let mut players = site(faces);
        for (path, content_type, body) in pages {
            players = players.with_page(path, content_type, body);
        }

        let serve = |listener, site, config: &ServerConfig, tls| {
            let address = config.listen;
            Listening::start_with(listener, site, config.clone(), Arc::clone(&live), tls)
                .map_err(|source| StartError::Listen { address, source })
        };
        let listening = serve(listener, players, &config, tls.clone())?;
        let ops = match ops_listener {
            // Those who watch a server are no clients of its proxy.
            Some(listener) => {
                let config = ServerConfig { proxy_protocol: false, ..config.clone() };
                Some(serve(listener, site(&[Face::Operators]), &config, None)?)
            }
            None => None,
        };
        info!(address = %listening.address(), tls = tls.is_some(), "listening");
        if let Some(ops) = &ops {
            info!(address = %ops.address(), "listening to operators");
        }
        let games_drain_time_max = config.games_drain_time_max;
        Ok(Running { listening, ops, gateway, live, tls, games_drain_time_max, _samples: samples })
    }

    /// Serves until the process is told to stop, by SIGINT or SIGTERM, then drains.
    ///
    /// Says on standard output where it listens. Told to stop a second time, it stops at once.
    pub async fn run(self) -> Result<(), StartError> {
        self.run_reloading(|| None).await.map(|_| ())
    }

    /// The same, and says what was left undone. At SIGHUP it takes over what `reload` gives, if that is
    /// something: see [`Running::reconfigure`].
    pub async fn run_reloading(
        self,
        mut reload: impl FnMut() -> Option<ServerConfig>,
    ) -> Result<Stopped, StartError> {
        let mut signals = Signals::listen().map_err(StartError::Signals)?;
        let running = self.start()?;
        let scheme = if running.tls.is_some() { "https" } else { "http" };
        // Whoever reads it may be gone, which is no reason not to serve.
        let _ = writeln!(
            io::stdout(),
            "listening on {scheme}://{0}\nOpen it in a browser, share a room's link, play. Ctrl-C stops the server.",
            running.address(),
        );
        loop {
            // Neither loses anything by losing the race.
            let signal = tokio::select! {
                signal = signals.next() => signal,
                () = running.gateway.drained() => Signal::Stop,
            };
            match signal {
                Signal::Stop => break,
                Signal::Reload => running.reload(reload()),
            }
        }
        let in_play = running.gateway.games_in_play();
        info!(in_play, "stopping: nobody new is taken, games may end");
        let gateway = Arc::clone(&running.gateway);
        let stop = running.stop();
        tokio::pin!(stop);
        let stopped = loop {
            tokio::select! {
                stopped = &mut stop => break stopped,
                signal = signals.next() => match signal {
                    // Losing the race drops the server, which cuts what was still being closed.
                    Signal::Stop => break Stopped {
                        games_cut: gateway.games_running(),
                        connections_cut: gateway.connection_count(),
                        at_once: true,
                    },
                    Signal::Reload => {}
                },
            }
        };
        let Stopped { games_cut, connections_cut, at_once } = stopped;
        if games_cut > 0 {
            warn!(games_cut, connections_cut, at_once, "stopped: games that were running are lost");
        } else {
            info!(games_cut, connections_cut, at_once, "stopped");
        }
        Ok(stopped)
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Where it listens to operators, if that is another address.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.as_ref().map(Listening::address)
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

    /// Takes over what may change while it runs: allowed origins, trusted proxies and their header, whether
    /// loopback is limited, the admin token. The certificate is read again. Everything else of `config` is let
    /// go.
    pub fn reconfigure(&self, config: &ServerConfig) -> Result<(), TlsError> {
        if let Some(tls) = &self.tls {
            tls.read_again()?;
        }
        self.live.store(Arc::new(Live::of(config)));
        Ok(())
    }

    fn reload(&self, config: Option<ServerConfig>) {
        let Some(config) = config else { return };
        match self.reconfigure(&config) {
            Ok(()) => info!("settings were read again"),
            Err(error) => error!(%error, "settings stay as they were"),
        }
    }

    /// Takes nobody new and tells everyone to come back later. Lets the games that are being played end, for
    /// [`ServerConfig::games_drain_time_max`] at most, then closes every connection, within
    /// [`ServerConfig::drain_time_max`].
    pub async fn stop(self) -> Stopped {
        self.gateway.drain(RECONNECT_AFTER);
        self.gateway.drain_elsewhere().await;
        let ended = self.gateway.no_game_in_play();
        let _in_time = tokio::time::timeout(self.games_drain_time_max, ended).await;
        let games_cut = self.gateway.games_running();
        self.gateway.leave_cluster().await;
        let transport::Stopped { connections_cut } = self.listening.stop().await;
        if let Some(ops) = self.ops {
            ops.stop().await;
        }
        Stopped { games_cut, connections_cut, at_once: false }
    }
}

fn listen(address: SocketAddr, send_buffer_bytes: Option<u32>) -> Result<TcpListener, StartError> {
    let listen = || {
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
    };
    listen().map_err(|source| StartError::Listen { address, source })
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
pub(crate) const RECONNECT_AFTER: Duration = Duration::from_secs(1);
