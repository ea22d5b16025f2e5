//! Accepts sockets, and owns every task there is for them.
//!
//! One task accepts. Each socket first gets a handshake task, which speaks HTTP and ends when the
//! connection does or has become a WebSocket; then a connection task, which is much smaller. Both
//! kinds belong to the accepting task: [`Listening::stop`] drains them under one deadline, and
//! dropping the [`Listening`] aborts everything at once.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use parlor_gateway::{AddressCounts, AddressPlace, outbox::Outbox};
use parlor_protocol::CloseCode;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{Instrument, debug, debug_span, error, info, warn};

use super::{Endpoint, Session, TransportConfig, connection, proxy_protocol};
use crate::{
    config::ServerConfig,
    http::{Door, Opening, Site},
    live::Live,
    tls::Tls,
    visitor::key_of,
};

/// A server at work.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    stop: CancellationToken,
    task: AbortOnDropHandle<Stopped>,
}

/// What stopping left undone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped {
    /// Connections that were cut because they did not close in time.
    pub connections_cut: usize,
}

impl Listening {
    /// Starts to serve `site` on `listener`.
    pub fn start<E: Endpoint>(
        listener: TcpListener,
        site: Site<E>,
        config: ServerConfig,
    ) -> io::Result<Self> {
        let live = Arc::new(ArcSwap::from_pointee(Live::of(&config)));
        Self::start_with(listener, site, config, live, None)
    }

    /// The same with settings that may change meanwhile, and by TLS if there is a certificate.
    pub(crate) fn start_with<E: Endpoint>(
        listener: TcpListener,
        site: Site<E>,
        config: ServerConfig,
        live: Arc<ArcSwap<Live>>,
        tls: Option<Arc<Tls>>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let front = Arc::new(Front {
            site,
            door: Door {
                places: Arc::new(Semaphore::new(config.connections_max)),
                of_addresses: AddressCounts::new(config.connections_per_address_max),
            },
            http_of_addresses: AddressCounts::new(config.http_connections_per_address_max),
            live,
            tls,
            config,
            stop: stop.clone(),
            proxy_warned: Once::new(),
        });
        let task = tokio::spawn(serve(listener, front).instrument(debug_span!("listen", %address)));
        Ok(Self { address, stop, task: AbortOnDropHandle::new(task) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops to accept, closes every connection with 1001 and waits for them to end, for
    /// [`ServerConfig::drain_time_max`] at most.
    pub async fn stop(self) -> Stopped {
        self.stop.cancel();
        match self.task.await {
            Ok(stopped) => stopped,
            Err(error) => {
                error!(%error, "the listener broke");
                Stopped { connections_cut: 0 }
            }
        }
    }
}

/// What all handshakes share.
struct Front<E> {
    site: Site<E>,
    door: Door,
    /// Connections of each address that are no WebSockets (yet).
    http_of_addresses: Arc<AddressCounts>,
    live: Arc<ArcSwap<Live>>,
    tls: Option<Arc<Tls>>,
    config: ServerConfig,
    stop: CancellationToken,
    /// Told when first somebody speaks for others and is not trusted.
    proxy_warned: Once,
}

impl<E: Endpoint> Front<E> {
    /// Says once that there may be a proxy which the settings do not name.
    fn warn_of_proxy(&self, peer: IpAddr) {
        self.proxy_warned.call_once(|| {
            warn!(
                %peer,
                "not in trusted_proxies, and says for whom it asks: if this is a proxy of yours, all who come by it count as one"
            );
        });
    }

    /// A place for a new socket among those of its address. Proxies bring many clients.
    fn enter(&self, peer: SocketAddr) -> Option<AddressPlace> {
        let live = self.live.load();
        let is_proxy = live.proxies.trust(peer.ip());
        let key = if is_proxy { None } else { key_of(peer.ip(), live.loopback_limited) };
        let place = self.http_of_addresses.enter(key);
        if place.is_none() {
            debug!(%peer, "too many connections from this address");
            self.site.note_limited("http_connections_per_address");
        }
        place
    }
}

/// What carries a connection.
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A socket past its handshake.
struct Opened<S> {
    io: Io,
    /// What the client sent right behind its handshake.
    first: Vec<u8>,
    session: S,
    /// Where the client is, as far as it can be known.
    client: IpAddr,
    place: OwnedSemaphorePermit,
}

async fn serve<E: Endpoint>(listener: TcpListener, front: Arc<Front<E>>) -> Stopped {
    let mut handshakes = JoinSet::new();
    let mut connections = Connections::new(front.config.transport());
    let mut accepting = Accepting::new(listener);
    loop {
        let may_accept = handshakes.len() < front.config.http_connections_max;
        // Each arm may lose at any time: neither a socket that was not yet accepted nor a task
        // that was not yet joined is lost by asking again.
        tokio::select! {
            biased;
            () = front.stop.cancelled() => break,
            Some(ended) = handshakes.join_next() => {
                if let Some(opened) = opened(ended) {
                    connections.open(opened);
                }
            }
            Some(ended) = connections.tasks.join_next_with_id() => connections.forget(ended),
            (stream, peer) = accepting.next(), if may_accept => {
                let Some(place) = front.enter(peer) else { continue };
                let span = debug_span!("handshake", %peer);
                let front = Arc::clone(&front);
                handshakes.spawn(admit(stream, peer, place, front).instrument(span));
            }
        }
    }
    drop(accepting);

    info!(connections = connections.tasks.len(), "closing connections");
    connections.close();
    let drain = async {
        while let Some(ended) = handshakes.join_next().await {
            if let Some(opened) = opened(ended) {
                connections.open(opened);
                connections.close();
            }
        }
        while let Some(ended) = connections.tasks.join_next_with_id().await {
            connections.forget(ended);
        }
    };
    if timeout(front.config.drain_time_max, drain).await.is_err() {
        warn!(
            connections = connections.tasks.len(),
            handshakes = handshakes.len(),
            "not closed in time, cut"
        );
    }
    let connections_cut = connections.tasks.len();
    connections.tasks.shutdown().await;
    handshakes.shutdown().await;
    Stopped { connections_cut }
}

/// The WebSocket connections.
struct Connections {
    config: Arc<TransportConfig>,
    tasks: JoinSet<()>,
    /// By task, to be closed when the server stops.
    outboxes: HashMap<Id, Arc<Outbox>>,
}

impl Connections {
    fn new(config: TransportConfig) -> Self {
        Self { config: Arc::new(config), tasks: JoinSet::new(), outboxes: HashMap::new() }
    }

    fn open<S: Session>(&mut self, opened: Opened<S>) {
        let Opened { io, first, session, client, place } = opened;
        let outbox = Arc::clone(session.outbox());
        let (config, span) = (Arc::clone(&self.config), debug_span!("connection", %client));
        // Spawned as it is: a block around it would hold it twice.
        let task = match io {
            Io::Plain(io) => self
                .tasks
                .spawn(connection::run(io, first, session, config, place).instrument(span)),
            Io::Tls(io) => self
                .tasks
                .spawn(connection::run(io, first, session, config, place).instrument(span)),
        };
        self.outboxes.insert(task.id(), outbox);
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                error!(%error, "a connection's task broke");
                error.id()
            }
        };
        self.outboxes.remove(&id);
    }

    fn close(&self) {
        for outbox in self.outboxes.values() {
            outbox.close(CloseCode::GoingAway.as_u16(), "going away");
        }
    }
}

fn opened<S>(ended: Result<Option<Opened<S>>, JoinError>) -> Option<Opened<S>> {
    ended.unwrap_or_else(|error| {
        error!(%error, "a handshake's task broke");
        None
    })
}

/// Lets a socket in: learns from a proxy whose it is, speaks TLS where that is asked for, then HTTP.
async fn admit<E: Endpoint>(
    mut stream: TcpStream,
    peer: SocketAddr,
    _place: AddressPlace,
    front: Arc<Front<E>>,
) -> Option<Opened<E::Session>> {
    let time_max = front.config.handshake_time_max;
    let mut peer = peer;
    let _place = if front.config.proxy_protocol && front.live.load().proxies.trust(peer.ip()) {
        if let Some(source) = within(time_max, proxy_protocol::read(&mut stream), &front).await? {
            peer = source;
        }
        Some(front.enter(peer)?)
    } else {
        None
    };
    let Some(tls) = &front.tls else {
        return handshake(stream, Io::Plain, peer, &front).await;
    };
    let stream = within(time_max, tls.accept(stream), &front).await?;
    handshake(Box::new(stream), Io::Tls, peer, &front).await
}

/// What comes of a part of the handshake, or `None` when it fails or takes too long.
async fn within<T, E: Endpoint>(
    time_max: Duration,
    part: impl Future<Output = io::Result<T>>,
    front: &Front<E>,
) -> Option<T> {
    match timeout(time_max, part).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            debug!(%error, "no handshake");
            None
        }
        Err(_) => {
            debug!("no handshake in time");
            front.site.note_limited("handshake_time");
            None
        }
    }
}

/// Serves HTTP until the connection ends or has become a WebSocket.
async fn handshake<E: Endpoint, S>(
    stream: S,
    wrap: fn(S) -> Io,
    peer: SocketAddr,
    front: &Front<E>,
) -> Option<Opened<E::Session>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let opening = Mutex::new(None);
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let opening = &opening;
        async move {
            let live = front.live.load_full();
            if live.proxies.pass_over(peer.ip(), request.headers()) {
                front.warn_of_proxy(peer.ip());
            }
            let visitor = live.visitor(peer, front.tls.is_some(), request.headers());
            let (answer, opened) = front.site.answer(request, &visitor, &live, &front.door).await;
            *opening.lock() = opened;
            Ok::<_, Infallible>(answer)
        }
    });
    let config = &front.config;
    let served = {
        let mut http = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(config.handshake_time_max)
                .max_buf_size(HEADER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        // The connection is polled on after it has lost: nothing is dropped half-way.
        let early = tokio::select! {
            served = http.as_mut() => Some(served),
            () = front.stop.cancelled() => None,
            () = sleep(config.http_time_max) => None,
        };
        match early {
            Some(served) => served,
            None => {
                http.as_mut().graceful_shutdown();
                let ended = timeout(config.handshake_time_max, http).await;
                if ended.is_err() && !front.stop.is_cancelled() {
                    debug!("a request took too long");
                    front.site.note_limited("http_time");
                }
                ended.unwrap_or(Ok(()))
            }
        }
    };
    if let Err(error) = served {
        debug!(%error, "the connection failed");
        // Browsers keep a connection that they have used until it is closed: that is no offence.
        if error.is_timeout() && !has_asked.into_inner() {
            front.site.note_limited("handshake_time");
        }
    }

    let Opening { upgrade, subprotocol, place, caller, client } = opening.into_inner()?;
    let upgraded = upgrade.await.ok()?.into_inner().into_inner();
    let parts = upgraded.downcast::<TokioIo<S>>().ok()?;
    Some(Opened {
        io: wrap(parts.io.into_inner()),
        first: parts.read_buf.into(),
        session: front.site.connect(subprotocol, caller),
        client,
        place,
    })
}

/// Accepts for as long as the process lives, whatever the system says.
struct Accepting {
    listener: TcpListener,
    /// How long to wait after the next failure.
    pause: Duration,
    /// Until when to wait because of the last one.
    paused_until: Option<Instant>,
}

impl Accepting {
    fn new(listener: TcpListener) -> Self {
        Self { listener, pause: PAUSE_MIN, paused_until: None }
    }

    /// The next socket. Can be dropped and called again.
    async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(until) = self.paused_until {
                sleep_until(until).await;
                self.paused_until = None;
            }
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = PAUSE_MIN;
                    // A move should not wait for the acknowledgement of the one before.
                    if let Err(error) = stream.set_nodelay(true) {
                        debug!(%error, %peer, "lost before it was accepted");
                        continue;
                    }
                    return (stream, peer);
                }
                Err(error) if concerns_one_socket(&error) => {
                    debug!(%error, "lost before it was accepted");
                }
                Err(error) => {
                    // Out of descriptors or memory: those who wait stay in the system's queue.
                    warn!(%error, pause = ?self.pause, "cannot accept");
                    self.paused_until = Some(Instant::now() + self.pause);
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }
}

fn concerns_one_socket(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Request headers of a connection, and what a client sends behind them.
const HEADER_BYTES_MAX: usize = 16 * 1024;
