//! A way to a server on which connections fare badly.
//!
//! A [`FaultProxy`] delays, cuts into pieces and, sooner or later, breaks every connection it carries, each
//! in a way that a seed decides. It knows nothing of what they say, so they break anywhere: in a handshake, in
//! a frame's header, between two bytes of a letter. It ends with its last connection when it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parlor_core::GameRng;
use parlor_core::rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// A port that leads to a server, badly.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What befalls the connections of a proxy.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Decides everything that is left open here. The same seed treats the n-th connection in the
    /// same way.
    pub seed: u64,
    /// How long a connection is carried before it breaks. Defaults to 1 to 3 s.
    pub lifetime: Range<Duration>,
    /// Of how many connections one lives no longer than `short_lifetime` instead. Defaults to 5.
    pub short_one_in: u32,
    /// How long that is. Defaults to 0 to 60 ms: in a handshake, or when a seat is asked for.
    pub short_lifetime: Range<Duration>,
    /// How many more bytes each direction carries then. Defaults to 0 to 400: a few frames, and the
    /// last of them in part.
    pub last_bytes: Range<usize>,
    /// How long each piece is held back. Defaults to 0 to 10 ms.
    pub delay: Range<Duration>,
    /// The largest piece that is carried at a time, which with `delay` bounds the rate. Defaults to
    /// 1 to 1024 bytes.
    pub piece_bytes: Range<usize>,
    /// For how long a broken connection looks whole from one side or both. Defaults to 0.2 to 1.5 s.
    pub agony: Range<Duration>,
    /// How they break, each as often as the others. Defaults to all of them.
    pub endings: Vec<Ending>,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both sides are told.
    Cut,
    /// Both sides are told by a reset, which throws away what they have not read.
    Reset,
    /// The client is told, the server only later.
    ServerHalfOpen,
    /// The server is told, the client only later.
    ClientHalfOpen,
    /// Nothing is read from either side any more, and later both are told.
    Stall,
    /// Nothing is read from the client any more, while the server is still heard; later both are told.
    Deaf,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Cut,
        Self::Reset,
        Self::ServerHalfOpen,
        Self::ClientHalfOpen,
        Self::Stall,
        Self::Deaf,
    ];
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    faults: Faults,
    accepted: AtomicU64,
    broken: AtomicU64,
    healed: CancellationToken,
}

impl Faults {
    /// The defaults, with this seed.
    pub fn seeded(seed: u64) -> Self {
        let millis = Duration::from_millis;
        Self {
            seed,
            lifetime: millis(1000)..millis(3000),
            short_one_in: 5,
            short_lifetime: millis(0)..millis(60),
            last_bytes: 0..400,
            delay: millis(0)..millis(10),
            piece_bytes: 1..1024,
            agony: millis(200)..millis(1500),
            endings: Ending::ALL.into(),
        }
    }
}

impl FaultProxy {
    /// Listens on a free port and carries what comes there to `server` and back.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn to(server: SocketAddr, faults: Faults) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            server,
            faults,
            accepted: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            healed: CancellationToken::new(),
        });
        let task = tokio::spawn(listen(listener, Arc::clone(&shared))).abort_handle();
        Self { address, shared, task }
    }

    /// The server's sockets, by way of the proxy.
    pub fn socket_url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks nothing from now on, neither what is carried nor what comes.
    pub fn heal(&self) {
        self.shared.healed.cancel();
    }

    /// Connections that it has broken so far.
    pub fn broken(&self) -> u64 {
        self.shared.broken.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, which cuts them all.
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
                carried.spawn(carry(client, number, Arc::clone(&shared)));
            }
            // Losing the race forgets no result that anyone looks at.
            Some(_) = carried.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, number: u64, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(shared.server).await else { return };
    // What is joined and what is not is the seed's to say.
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let faults = &shared.faults;
    let mut rng = GameRng::seed_from_u64(faults.seed);
    rng.set_stream(number);
    let ending = faults.endings[rng.random_range(0..faults.endings.len())];
    let short = rng.random_ratio(1, faults.short_one_in);
    let lifetime = if short { &faults.short_lifetime } else { &faults.lifetime };
    let dies_at = Instant::now() + rng.random_range(lifetime.clone());
    let agony = rng.random_range(faults.agony.clone());
    let up = Direction::new(&mut rng, faults);
    let down = Direction::new(&mut rng, faults);

    let broke = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let mut dying: Vec<_> = [&up, &down].map(Direction::limit).into();
        if ending == Ending::Deaf {
            dying.truncate(1);
        }
        let dying = async {
            tokio::select! {
                () = sleep_until(dies_at) => {}
                () = shared.healed.cancelled() => std::future::pending().await,
            }
            for (left, last_bytes) in dying {
                left.store(last_bytes, Ordering::Relaxed);
            }
            // Where nothing is said, it breaks in the silence.
            sleep(LAST_BYTES_TIME_MAX).await;
        };
        let mut hearing = pin!(down.carry(&mut from_server, &mut to_client));
        // Whatever the others hold is lost: that is what this is for.
        let broke = tokio::select! {
            broke = up.carry(&mut from_client, &mut to_server) => broke,
            broke = &mut hearing => broke,
            () = dying => true,
        };
        if broke {
            shared.broken.fetch_add(1, Ordering::Relaxed);
        }
        if broke && ending == Ending::Deaf {
            // What is heard is heard whole, up to the end. It was not hearing that broke: a deaf
            // connection has no bound on what it carries that way.
            let _ = timeout(agony, hearing).await;
        }
        broke
    };
    if broke {
        end(ending, agony, client, server).await;
    }
}

async fn end(ending: Ending, agony: Duration, client: TcpStream, server: TcpStream) {
    match ending {
        Ending::Cut => {}
        Ending::Reset => {
            // When it is closed already there is nothing to reset.
            let _ = client.set_zero_linger();
            let _ = server.set_zero_linger();
        }
        Ending::ServerHalfOpen => {
            drop(client);
            sleep(agony).await;
        }
        Ending::ClientHalfOpen => {
            drop(server);
            sleep(agony).await;
        }
        Ending::Stall => sleep(agony).await,
        // It was left deaf before.
        Ending::Deaf => {}
    }
}

/// One direction of a connection.
struct Direction {
    rng: GameRng,
    delay: Range<Duration>,
    piece_bytes: Range<usize>,
    last_bytes: usize,
    /// How many bytes it still carries.
    left: Arc<AtomicUsize>,
}

impl Direction {
    fn new(rng: &mut GameRng, faults: &Faults) -> Self {
        Self {
            delay: faults.delay.clone(),
            piece_bytes: faults.piece_bytes.clone(),
            last_bytes: rng.random_range(faults.last_bytes.clone()),
            left: Arc::new(AtomicUsize::new(usize::MAX)),
            rng: GameRng::seed_from_u64(rng.random()),
        }
    }

    /// How much it still carries, and how much it carries when it dies.
    fn limit(&self) -> (Arc<AtomicUsize>, usize) {
        (Arc::clone(&self.left), self.last_bytes)
    }

    /// Carries piece by piece. True when it broke, false when an end was told by a side itself.
    async fn carry(mut self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> bool {
        self.pieces(from, to).await.unwrap_or(false)
    }

    async fn pieces(
        &mut self,
        from: &mut ReadHalf<'_>,
        to: &mut WriteHalf<'_>,
    ) -> io::Result<bool> {
        let mut buffer = vec![0; self.piece_bytes.end];
        loop {
            let piece_bytes = self.rng.random_range(self.piece_bytes.clone());
            let read = from.read(&mut buffer[..piece_bytes]).await?;
            if read == 0 {
                return Ok(false);
            }
            sleep(self.rng.random_range(self.delay.clone())).await;
            let left = self.left.load(Ordering::Relaxed);
            to.write_all(&buffer[..read.min(left)]).await?;
            if left <= read {
                return Ok(true);
            }
            if left != usize::MAX {
                self.left.store(left - read, Ordering::Relaxed);
            }
        }
    }
}

/// How long a dying connection waits for its last bytes.
const LAST_BYTES_TIME_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client hears of 100 KB, and how many were broken, by way of a proxy with these faults.
    async fn hear(faults: Faults) -> (Vec<u8>, u64) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = FaultProxy::to(listener.local_addr().unwrap(), faults).await;
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let sending = tokio::spawn(async move {
            // Broken or not, it says all it has.
            let _ = server.write_all(&text()).await;
        });
        let mut heard = Vec::new();
        let hearing = client.read_to_end(&mut heard);
        // A reset ends it as well.
        let _ = timeout(Duration::from_secs(20), hearing).await.expect("it ends");
        sending.await.unwrap();
        (heard, proxy.broken())
    }

    /// No connection is shorter than others.
    fn all_alike(seed: u64) -> Faults {
        Faults { short_one_in: u32::MAX, ..Faults::seeded(seed) }
    }

    /// The two ends of a connection that breaks at once in this way and looks whole for a minute.
    async fn broken(ending: Ending) -> (FaultProxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let minute = Duration::from_secs(60);
        let faults = Faults {
            lifetime: Duration::ZERO..Duration::from_millis(1),
            last_bytes: 0..1,
            agony: minute..2 * minute,
            endings: vec![ending],
            ..all_alike(1)
        };
        let proxy = FaultProxy::to(listener.local_addr().unwrap(), faults).await;
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (proxy, client, server)
    }

    /// Whether an end hears of something: of a byte, or of the end of the connection.
    async fn hears(end: &mut TcpStream, patience: Duration) -> bool {
        timeout(patience, end.read_u8()).await.is_ok()
    }

    #[tokio::test]
    async fn each_ending_is_told_to_the_sides_it_says() {
        for ending in Ending::ALL {
            let (proxy, mut client, mut server) = broken(ending).await;
            let (client_is_told, server_is_told) = match ending {
                Ending::Cut | Ending::Reset => (true, true),
                Ending::ServerHalfOpen => (true, false),
                Ending::ClientHalfOpen => (false, true),
                Ending::Stall | Ending::Deaf => (false, false),
            };
            let patience = |told| if told { 20 * LAST_BYTES_TIME_MAX } else { LAST_BYTES_TIME_MAX };
            assert_eq!(
                hears(&mut client, patience(client_is_told)).await,
                client_is_told,
                "{ending:?}"
            );
            assert_eq!(
                hears(&mut server, patience(server_is_told)).await,
                server_is_told,
                "{ending:?}"
            );
            assert_eq!(proxy.broken(), 1, "{ending:?}");
        }
    }

    #[tokio::test]
    async fn deaf_connection_is_heard_and_does_not_hear() {
        let (_proxy, mut client, mut server) = broken(Ending::Deaf).await;
        client.write_all(b"?").await.unwrap();
        assert!(!hears(&mut server, 2 * LAST_BYTES_TIME_MAX).await);
        server.write_all(b"!").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'!');
    }

    fn text() -> Vec<u8> {
        (0..100_000_u32).map(|at| (at % 251) as u8).collect()
    }

    #[tokio::test]
    async fn connection_that_lives_long_enough_is_carried_whole() {
        let second = Duration::from_secs(1);
        let (heard, broken) = hear(Faults {
            short_one_in: u32::MAX,
            lifetime: 60 * second..61 * second,
            ..Faults::seeded(1)
        })
        .await;
        assert_eq!((heard, broken), (text(), 0));
    }

    #[tokio::test]
    async fn connection_is_cut_at_any_byte_and_carries_nothing_false_before() {
        let short = Duration::from_millis(1)..Duration::from_millis(100);
        let mut lengths = Vec::new();
        for seed in 0..8 {
            let (heard, broken) = hear(Faults { lifetime: short.clone(), ..all_alike(seed) }).await;
            assert_eq!(broken, 1, "seed {seed}");
            assert!(text().starts_with(&heard), "seed {seed}: {} bytes", heard.len());
            lengths.push(heard.len());
        }
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() > 4, "they break in different places: {lengths:?}");
    }

    #[tokio::test]
    async fn healed_proxy_breaks_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let soon = Duration::from_millis(50)..Duration::from_millis(51);
        let faults = Faults { lifetime: soon, ..all_alike(1) };
        let proxy = FaultProxy::to(listener.local_addr().unwrap(), faults).await;
        proxy.heal();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let end = timeout(2 * LAST_BYTES_TIME_MAX, client.read_u8()).await;
        assert!(end.is_err(), "{end:?}");
        server.write_all(b"!").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'!');
        assert_eq!(proxy.broken(), 0);
    }
}
