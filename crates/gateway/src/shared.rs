//! What every room and every connection of a gateway works with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::GatewayConfig;
use crate::driver::Driver;
use crate::encode::Outlet;
use crate::identity::DynAuthenticator;
use crate::join_hook::DynJoinHook;
use crate::joining_keys::JoiningKeys;
use crate::lifecycle::Newsroom;
use crate::limits::Limits;
use crate::listing::Listings;
use crate::metrics::Metrics;
use crate::operators::Peer;
use crate::rate::Rate;
use crate::registry::Rooms;
use crate::secrets::Randomness;
use crate::sessions::Sessions;
use crate::sharded::Sharded;
use crate::ticks::TickCounter;
use crate::traffic::TrafficCounter;

/// What of the program around the rooms is asked.
pub(crate) struct Asked {
    pub(crate) join_hook: Option<Box<dyn DynJoinHook>>,
    pub(crate) authenticator: Option<Box<dyn DynAuthenticator>>,
}

pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    /// How fast each connection may ask.
    pub(crate) request_rate: Rate,
    pub(crate) clock: Clock,
    pub(crate) random: Randomness,
    pub(crate) rooms: Rooms,
    pub(crate) listings: Arc<Listings>,
    pub(crate) sessions: Sessions,
    pub(crate) driver: Arc<Driver>,
    pub(crate) searches: Searches,
    /// Every socket, by connection number.
    pub(crate) connections: Sharded<u64, Peer>,
    pub(crate) keys: JoiningKeys,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traffic: TrafficCounter,
    pub(crate) ticks: TickCounter,
    pub(crate) newsroom: Newsroom,
    pub(crate) asked: Asked,
    /// The other nodes, if there are several.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Cancelled when the gateway takes nobody new.
    pub(crate) draining: CancellationToken,
    /// Set when the gateway takes nobody new: how long its clients are told to wait.
    pub(crate) reconnect_after_ms: OnceLock<u64>,
    numbers: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        config: GatewayConfig,
        clock: Clock,
        random: Randomness,
        listings: Arc<Listings>,
        sessions: Sessions,
        asked: Asked,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            request_rate: Rate::per_second(config.requests_per_second, config.requests_burst),
            clock,
            random,
            rooms: Rooms::new(config.rooms_max),
            listings,
            sessions,
            driver: Arc::new(Driver::new(config.driver_shards)),
            searches: Searches::new(config.searching_bots_max),
            connections: Sharded::new(),
            keys: JoiningKeys::default(),
            limits: Limits::new(&config, Arc::clone(&metrics)),
            metrics,
            traffic: TrafficCounter::default(),
            ticks: TickCounter::default(),
            newsroom: Newsroom::new(config.lifecycle_news_max),
            asked,
            cluster: None,
            draining: CancellationToken::new(),
            reconnect_after_ms: OnceLock::new(),
            numbers: AtomicU64::new(1),
            config,
        }
    }

    /// A number that no room and no connection has had.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Where a client whose socket is another node's reaches this one directly, if it can.
    pub(crate) fn direct_url(&self, outlet: &Outlet) -> Option<String> {
        let cluster = self.cluster.as_ref().filter(|_| outlet.is_relayed)?;
        cluster.url().map(str::to_owned)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }
}

/// Threads for bots that search: a few at once, the others wait their turn.
///
/// Those that wait end with the gateway; a search that has begun ends by itself.
pub(crate) struct Searches {
    permits: Arc<Semaphore>,
    runtime: Handle,
    /// Every search that has not ended, and those that ended since one was last added. Taken under
    /// no other lock.
    tasks: Mutex<JoinSet<()>>,
}

impl Searches {
    fn new(max: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(max.max(1))),
            runtime: Handle::current(),
            tasks: Mutex::default(),
        }
    }

    /// Runs `search` when it is its turn. At most one waits for each bot in a room.
    pub(crate) fn spawn(&self, search: impl FnOnce() + Send + 'static) {
        let permits = Arc::clone(&self.permits);
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(
            async move {
                // Never closed, so there is always a permit to come.
                if let Ok(_permit) = permits.acquire_owned().await
                    && tokio::task::spawn_blocking(search).await.is_err()
                {
                    tracing::error!("a bot's search broke down");
                }
            },
            &self.runtime,
        );
    }

    /// Gives up the searches that have not begun.
    pub(crate) fn stop(&self) {
        self.tasks.lock().abort_all();
    }
}
