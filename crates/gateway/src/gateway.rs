//! The gateway itself: games, stores and bounds put together, and the tasks that keep it going.
//!
//! Dropping the [`Gateway`] ends its tasks: the driver's, one for each shard; the one that tells
//! subscribers of changed rooms; the one that tells the store of void
//! and of used sessions; and bots' searches that have not begun.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use parlor_core::{CloseReason, Game};
use parlor_protocol::{
    CloseCode, Codec, ErrorCode, ErrorDetail, EventType, FieldErrors, GameList, ListRooms, Phase,
    RoomCode, RoomList, Secret, ServerDraining,
};
use parlor_store::{DynBus, DynRoomDirectory, DynSessionStore, MemorySessionStore, StoreError};
use tokio_util::task::AbortOnDropHandle;

use crate::asked::{asked, unavailable};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterConfig};
use crate::config::GatewayConfig;
use crate::connection::Connection;
use crate::encode::Outlet;
use crate::identity::{AuthenticateError, Authenticator, DynAuthenticator, Identity};
use crate::join_hook::{DynJoinHook, JoinHook};
use crate::lifecycle::Lifecycle;
use crate::listing::{Listings, Place};
use crate::metrics::Metrics;
use crate::opening::unknown_game;
use crate::quotas::AddressKey;
use crate::room::{AnyGame, GameEntry};
use crate::secrets::Randomness;
use crate::sessions::Sessions;
use crate::shared::{Asked, Shared};
use crate::ticks::Ticks;
use crate::traffic::Traffic;

/// Rooms of any number of games, reachable over any transport.
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) games: BTreeMap<&'static str, Arc<dyn AnyGame>>,
    _tasks: Vec<AbortOnDropHandle<()>>,
    /// The tasks that mind other nodes, which know this gateway.
    cluster: OnceLock<Vec<AbortOnDropHandle<()>>>,
}

/// What a gateway is made from.
pub struct GatewayBuilder {
    config: GatewayConfig,
    games: BTreeMap<&'static str, Arc<dyn AnyGame>>,
    sessions: Arc<dyn DynSessionStore>,
    join_hook: Option<Box<dyn DynJoinHook>>,
    authenticator: Option<Box<dyn DynAuthenticator>>,
    cluster: Option<Membership>,
    /// What a simulation puts in the place of chance and of the time of day.
    simulated: Option<(u64, SystemTime)>,
}

/// How a gateway is one of several, and what they share.
struct Membership {
    config: ClusterConfig,
    directory: Arc<dyn DynRoomDirectory>,
    bus: Arc<dyn DynBus>,
}

impl Gateway {
    /// A gateway without games yet, whose stores are in memory.
    pub fn builder(config: GatewayConfig) -> GatewayBuilder {
        let sessions = Arc::new(MemorySessionStore::new());
        let games = BTreeMap::new();
        GatewayBuilder {
            config,
            games,
            sessions,
            join_hook: None,
            authenticator: None,
            cluster: None,
            simulated: None,
        }
    }

    /// Begins to serve a socket, which is greeted. Dropping the connection means its socket is lost.
    pub fn connect(self: &Arc<Self>, codec: Codec) -> Connection {
        self.connect_as(codec, Caller::default())
    }

    /// The same, where it is known who is at the other end.
    pub fn connect_as(self: &Arc<Self>, codec: Codec, caller: Caller) -> Connection {
        Connection::open(Arc::clone(self), codec, caller)
    }

    /// Who bears this token, as the [`Authenticator`] says, which is asked for someone at `address`.
    ///
    /// Refused with `UNAUTHORIZED` when it says nothing, or when nobody is believed here; with
    /// `STORE_UNAVAILABLE` when it cannot be found out in time.
    pub async fn authenticate(
        &self,
        token: &Secret,
        address: Option<AddressKey>,
    ) -> Result<Arc<Identity>, ErrorDetail> {
        let unauthorized =
            |message: &'static str| ErrorDetail::new(ErrorCode::UNAUTHORIZED, message);
        let Some(authenticator) = &self.shared.asked.authenticator else {
            return Err(unauthorized("this server takes no access tokens"));
        };
        self.check_guesses(address)?;
        let time_max = self.shared.config.join_hook_time_max;
        let answer = authenticator.authenticate(token);
        match asked("the authenticator", time_max, answer).await? {
            Ok(identity) => Ok(Arc::new(identity)),
            Err(AuthenticateError::Unavailable) => Err(unavailable()),
            Err(AuthenticateError::Refused(why)) => {
                self.guessed_wrong(address);
                Err(unauthorized(why))
            }
        }
    }

    /// Whether anybody is believed who someone is.
    pub fn takes_access_tokens(&self) -> bool {
        self.shared.asked.authenticator.is_some()
    }

    /// Whether an address may guess once more: a password, a code, a token. Refused with `RATE_LIMITED`.
    pub fn check_guesses(&self, address: Option<AddressKey>) -> Result<(), ErrorDetail> {
        self.shared.limits.check_guesses(address, self.shared.clock.now())
    }

    /// Counts a wrong guess of an address.
    pub fn guessed_wrong(&self, address: Option<AddressKey>) {
        self.shared.limits.guessed_wrong(address, self.shared.clock.now());
    }

    /// Counts that someone was kept from going beyond a limit of the transport's.
    pub fn note_limited(&self, limit: &'static str) {
        self.shared.metrics.limited(limit);
    }

    /// The games that can be played.
    pub fn game_types(&self) -> impl Iterator<Item = &'static str> {
        self.games.keys().copied()
    }

    /// What can be played, as `list_games` answers.
    pub fn list_games(&self) -> GameList {
        GameList { games: self.games.values().map(|game| game.summary()).collect() }
    }

    /// Public rooms, newest first, as `list_rooms` answers.
    ///
    /// Refused with `UNKNOWN_GAME`, or with `VALIDATION_FAILED` for a cursor that was never given.
    pub fn list_rooms(&self, wanted: &ListRooms) -> Result<RoomList, ErrorDetail> {
        if wanted.game_type.as_deref().is_some_and(|game| !self.games.contains_key(game)) {
            return Err(unknown_game());
        }
        let below = match wanted.cursor.as_deref().map(read_cursor) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Err(unknown_cursor()),
        };
        let limit = wanted.limit() as usize;
        let page = self.shared.listings.page(wanted.game_type.as_deref(), limit, below);
        Ok(RoomList { rooms: page.rooms, cursor: page.next.map(write_cursor) })
    }

    /// Rooms in which a match is on and someone who plays it is there.
    pub fn games_in_play(&self) -> usize {
        let mut in_play = 0;
        self.shared.rooms.for_each(|room| in_play += usize::from(room.is_played()));
        in_play
    }

    /// Rooms in which a match is on, also where those who play it are away for the moment.
    pub fn games_running(&self) -> usize {
        let mut running = 0;
        self.shared
            .rooms
            .for_each(|room| running += usize::from(room.info().phase == Phase::Playing));
        running
    }

    /// Resolves when no match is on where someone who plays it is there, which is looked at a few times a second.
    pub async fn no_game_in_play(&self) {
        while self.games_in_play() > 0 {
            tokio::time::sleep(LOOKS_FOR_GAMES_EVERY).await;
        }
    }

    /// Resolves when the gateway has been told to take nobody new.
    pub async fn drained(&self) {
        self.shared.draining.cancelled().await;
    }

    /// Whether it takes nobody new because it is going away.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// Resolves when every task that minds deadlines has had a turn, which takes microseconds unless the
    /// process is stuck.
    pub async fn turn(&self) {
        self.shared.driver.turn().await;
    }

    /// Asks the session store for something that it does not have, to know whether it answers.
    pub async fn check_store(&self) -> Result<(), StoreError> {
        self.shared.sessions.check().await
    }

    /// Rooms that are open.
    pub fn room_count(&self) -> usize {
        self.shared.rooms.len()
    }

    /// Sockets that are served.
    pub fn connection_count(&self) -> usize {
        self.shared.connections.len()
    }

    /// What became of the messages of connections that have ended.
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic.read()
    }

    /// How well the games that step have kept their time.
    pub fn ticks(&self) -> Ticks {
        self.shared.ticks.read()
    }

    /// What becomes of rooms from now on.
    pub fn lifecycle(&self) -> Lifecycle {
        self.shared.newsroom.follow()
    }

    /// Ends a room. `false` when there is none with this code.
    pub fn close_room(&self, code: RoomCode, reason: CloseReason) -> bool {
        let Some(room) = self.shared.rooms.get(code) else { return false };
        room.close(self.shared.clock.now(), reason);
        true
    }

    /// Takes nobody new from now on, and tells everyone to come back after `reconnect_after`.
    pub fn drain(&self, reconnect_after: Duration) {
        let reconnect_after_ms = u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX);
        let reconnect_after_ms = *self.shared.reconnect_after_ms.get_or_init(|| reconnect_after_ms);
        self.shared.draining.cancel();
        let tell = |outlet: &Outlet| {
            outlet.tell(EventType::ServerDraining, &ServerDraining { reconnect_after_ms });
            outlet.outbox.wake();
        };
        self.shared.connections.for_each(|peer| tell(&peer.outlet));
        if let Some(cluster) = &self.shared.cluster {
            cluster.for_each_relayed(tell);
        }
    }

    /// Tells the other nodes, if there are any, that this one takes nobody new: to be called after
    /// [`drain`](Self::drain).
    pub async fn drain_elsewhere(&self) {
        if let Some(cluster) = &self.shared.cluster {
            cluster.drain(&self.shared).await;
        }
    }

    /// Says goodbye to the other nodes, if there are any: rooms that are still open here are gone for them.
    pub async fn leave_cluster(&self) {
        if let Some(cluster) = &self.shared.cluster {
            cluster.leave().await;
        }
    }

    /// This node's name among the others, if there are any.
    pub fn node(&self) -> Option<&str> {
        self.shared.cluster.as_ref().map(|cluster| cluster.node())
    }

    /// Other nodes that are there and heard.
    pub fn other_nodes(&self) -> usize {
        self.shared.cluster.as_ref().map_or(0, |cluster| cluster.counts().0)
    }

    /// Whether the directory knows that this node is there; `None` when there is only this one.
    pub fn has_lease(&self) -> Option<bool> {
        self.shared.cluster.as_ref().map(|cluster| cluster.has_lease())
    }

    /// Closes every socket, after what is queued for it.
    pub fn close_connections(&self, code: CloseCode, reason: &'static str) {
        self.shared.connections.for_each(|peer| peer.outlet.outbox.close(code.as_u16(), reason));
    }
}

impl GatewayBuilder {
    /// Adds a game, in place of one with the same name.
    #[must_use]
    pub fn game<G: Game>(mut self, game: G) -> Self {
        self.games.insert(G::GAME_TYPE, Arc::new(GameEntry::new(game)));
        self
    }

    /// Keeps sessions in `store`.
    #[must_use]
    pub fn session_store(mut self, store: Arc<dyn DynSessionStore>) -> Self {
        self.sessions = store;
        self
    }

    /// Asks `hook` who may sit down.
    #[must_use]
    pub fn join_hook(mut self, hook: impl JoinHook) -> Self {
        self.join_hook = Some(Box::new(hook));
        self
    }

    /// Believes `authenticator` who someone is.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Box::new(authenticator));
        self
    }

    /// Makes it one node of those that share `directory` and `bus`. Their session store must be one as well.
    #[must_use]
    pub fn cluster(
        mut self,
        config: ClusterConfig,
        directory: Arc<dyn DynRoomDirectory>,
        bus: Arc<dyn DynBus>,
    ) -> Self {
        self.cluster = Some(Membership { config, directory, bus });
        self
    }

    /// Makes the gateway repeat itself, for simulations: all that it draws follows from `seed`, and its
    /// clock shows `origin` when it starts.
    ///
    /// **Never use it for a server**: whoever knows the seed knows every session token, and what a
    /// room's dice will show. On a paused current-thread runtime the same calls then
    /// send the same bytes; bots that search decide on threads of their own, whenever they are done.
    #[must_use]
    pub fn simulated(mut self, seed: u64, origin: SystemTime) -> Self {
        self.simulated = Some((seed, origin));
        self
    }

    /// Starts the gateway's tasks.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self) -> Arc<Gateway> {
        let Self { config, games, sessions: store, join_hook, authenticator, cluster, simulated } =
            self;
        let metrics = Arc::new(Metrics::new());
        let (sessions, chores) =
            Sessions::new(Arc::clone(&store), config.session_ttl, metrics.stores.clone());
        let listings = Arc::new(Listings::new(games.keys().copied()));
        let (random, origin) = match simulated {
            None => (Randomness::System, SystemTime::now()),
            Some((seed, origin)) => (Randomness::foreseeable(seed), origin),
        };
        let clock = Clock::starting_at(origin);
        let session_ttl = config.session_ttl;
        let stores = metrics.stores.clone();
        let asked = Asked { join_hook, authenticator };
        let (cluster, closed) = cluster
            .map(|Membership { config, directory, bus }| {
                Cluster::new(config, directory, bus, Arc::clone(&listings), &random)
            })
            .unzip();
        let mut shared = Shared::new(config, clock, random, listings, sessions, asked, metrics);
        shared.cluster = cluster;
        let shared = Arc::new(shared);

        let mut tasks = vec![
            tokio::spawn(Sessions::do_chores(store, session_ttl, chores, stores)),
            tokio::spawn(Arc::clone(&shared.listings).run(shared.config.room_list_interval)),
        ];
        for shard in 0..shared.driver.shard_count() {
            tasks.push(tokio::spawn(Arc::clone(&shared.driver).run(shard, clock)));
        }
        let tasks = tasks.into_iter().map(AbortOnDropHandle::new).collect();
        let cluster = shared.cluster.clone();
        let gateway = Arc::new(Gateway { shared, games, _tasks: tasks, cluster: OnceLock::new() });
        if let Some((cluster, closed)) = cluster.zip(closed) {
            let tasks = cluster.start(&gateway, closed);
            let _first_time = gateway.cluster.set(tasks);
        }
        gateway
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.searches.stop();
        if let Some(cluster) = &self.shared.cluster {
            cluster.stop();
        }
        // Rooms hold what they share, which holds the rooms.
        self.shared.rooms.clear();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("games", &self.games.keys())
            .field("rooms", &self.room_count())
            .field("connections", &self.connection_count())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("config", &self.config)
            .field("games", &self.games.keys())
            .finish_non_exhaustive()
    }
}

/// A place among the rooms as clients are told it, who know nothing of what it means.
fn write_cursor((created_at, number, code): Place) -> String {
    format!("{created_at}-{number}-{code}")
}

fn read_cursor(cursor: &str) -> Option<Place> {
    let (created_at, rest) = cursor.split_once('-')?;
    let (number, code) = rest.split_once('-')?;
    Some((created_at.parse().ok()?, number.parse().ok()?, RoomCode::parse(code)?))
}

pub(crate) fn unknown_cursor() -> ErrorDetail {
    let fields = FieldErrors::of("cursor", "cursor", "is not one that this server gave");
    ErrorDetail::validation_failed(&fields)
}

/// How often a gateway that is going away looks whether games still go on.
const LOOKS_FOR_GAMES_EVERY: Duration = Duration::from_millis(200);
