//! The stores on Redis or Valkey, 7 or later: one server, one behind Sentinels, or a cluster.
//!
//! [`Redis`] is the way to it, which all stores of a node share. It is cheap to clone, comes up without a server and
//! comes back by itself. Every call is bounded in time, and so is how many wait at once: a caller hears soon that the
//! store is away, and never hangs.
//!
//! Keys are `{prefix}:kind:…` and all expire, so that a database that nobody uses any more empties itself. What
//! belongs together shares a hash tag. Of session tokens only digests get here.

mod sessions;

use std::{fmt, sync::Arc, time::Duration};

use ::redis as client;
use client::{
    Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, ProtocolVersion, RedisError,
    ServerErrorKind,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelServerType},
};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{sleep, timeout},
};

pub use self::sessions::RedisSessionStore;

use crate::StoreError;

/// Where Redis is, and how long it may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/db]`; or `redis-cluster://` with some nodes of a cluster, separated by
    /// commas; or `redis-sentinel://` with some Sentinels, and the name of the master they watch for a path.
    pub url: String,
    /// What all keys begin with, so that several games may share a server. Defaults to `parlor`.
    pub prefix: String,
    /// How long a call may take, with what it waits for others. Defaults to 500 ms.
    pub call_time_max: Duration,
    /// Calls at once. Defaults to 1024; more wait for their turn, within their time.
    pub calls_max: usize,
}

/// Why an address of Redis is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{reason}: an address is redis://host:6379, redis-cluster://one:6379,two:6379 or redis-sentinel://one:26379,two:26379/name"
)]
pub struct RedisUrlError {
    reason: String,
}

/// The way to Redis, shared by everything that uses it.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    way: Way,
    prefix: String,
    call_time_max: Duration,
    permits: Semaphore,
}

/// Where commands go.
enum Way {
    /// Comes back by itself.
    Single(Box<ConnectionManager>),
    /// Follows the cluster by itself, once it has found it.
    Cluster(ClusterClient, Found<ClusterConnection>),
    /// Asks the Sentinels anew when the master is lost.
    Sentinel(Mutex<SentinelClient>, Found<MultiplexedConnection>),
}

/// A connection once there is one. The lock guards a clone of a handle and is never held while something is waited for.
type Found<C> = parking_lot::Mutex<Option<C>>;

impl RedisConfig {
    /// The server at this address, everything else by default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "parlor".to_owned(),
            call_time_max: Duration::from_millis(500),
            calls_max: 1024,
        }
    }
}

impl Redis {
    /// The way to the server of `config`, which need not be there yet.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisUrlError> {
        let way = Way::to(&config.url, config.call_time_max)?;
        Ok(Self {
            shared: Arc::new(Shared {
                way,
                prefix: config.prefix.clone(),
                call_time_max: config.call_time_max,
                permits: Semaphore::new(config.calls_max.max(1)),
            }),
        })
    }

    /// A key of some kind, whose last part is its hash tag.
    fn key(&self, kind: &str, tag: impl fmt::Display) -> String {
        format!("{}:{kind}:{{{tag}}}", self.shared.prefix)
    }

    /// Runs a command that may be run twice: a connection that broke is tried once more.
    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let shared = &*self.shared;
        let call = async {
            // Never closed, so there is always a permit to come.
            let _permit = shared.permits.acquire().await.expect("nobody closes it");
            match shared.way.run(command).await {
                Err(error) if error.is_io_error() || error.is_connection_dropped() => {
                    sleep(RETRY_AFTER).await;
                    shared.way.run(command).await
                }
                done => done,
            }
        };
        match timeout(shared.call_time_max, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(store_error(&error)),
            Err(_) => Err(StoreError::Unavailable("Redis does not answer in time".to_owned())),
        }
    }
}

impl Way {
    fn to(url: &str, time_max: Duration) -> Result<Self, RedisUrlError> {
        let refused = |error: RedisError| RedisUrlError { reason: error.to_string() };
        let unknown =
            || RedisUrlError { reason: format!("{:?} is no address of Redis", scheme(url)) };
        let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
        match scheme {
            "redis" | "rediss" | "unix" => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(time_max))
                    .set_response_timeout(Some(time_max))
                    .set_number_of_retries(1)
                    .set_max_delay(RECONNECT_DELAY_MAX);
                let client = Client::open(url).map_err(refused)?;
                let manager =
                    ConnectionManager::new_lazy_with_config(client, config).map_err(refused)?;
                Ok(Self::Single(Box::new(manager)))
            }
            "redis-cluster" => {
                let (login, nodes) = login_and_hosts(rest);
                let nodes = nodes.split(',').map(|node| format!("redis://{login}{node}"));
                let client = ClusterClientBuilder::new(nodes.collect::<Vec<_>>())
                    .connection_timeout(time_max)
                    .response_timeout(time_max)
                    .retries(2)
                    .use_protocol(ProtocolVersion::RESP3)
                    .build()
                    .map_err(refused)?;
                Ok(Self::Cluster(client, Found::default()))
            }
            "redis-sentinel" => {
                let (hosts, name) = rest.split_once('/').ok_or_else(unknown)?;
                let (login, hosts) = login_and_hosts(hosts);
                let sentinels = hosts.split(',').map(|host| format!("redis://{host}"));
                let sentinels = sentinels
                    .map(IntoConnectionInfo::into_connection_info)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(refused)?;
                // Who logs in to the master does not by that log in to the Sentinels.
                let master =
                    format!("redis://{login}master").into_connection_info().map_err(refused)?;
                let node = client::sentinel::SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(master.redis_settings().clone());
                let server = SentinelServerType::Master;
                let client = SentinelClient::build(sentinels, name.to_owned(), Some(node), server)
                    .map_err(refused)?;
                Ok(Self::Sentinel(Mutex::new(client), Found::default()))
            }
            _ => Err(unknown()),
        }
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Single(manager) => {
                command.query_async(&mut ConnectionManager::clone(manager)).await
            }
            Self::Cluster(client, found) => {
                let known = found.lock().clone();
                let connection = match known {
                    Some(connection) => connection,
                    None => keep(found, client.get_async_connection().await?),
                };
                over(found, connection, command).await
            }
            Self::Sentinel(client, found) => {
                let known = found.lock().clone();
                let connection = match known {
                    Some(connection) => connection,
                    None => keep(found, client.lock().await.get_async_connection().await?),
                };
                over(found, connection, command).await
            }
        }
    }
}

fn keep<C: Clone>(found: &Found<C>, connection: C) -> C {
    *found.lock() = Some(connection.clone());
    connection
}

/// Runs a command over a connection that was found. One that is lost is looked for anew next time.
async fn over<C: ConnectionLike, T: FromRedisValue>(
    found: &Found<C>,
    mut connection: C,
    command: &Cmd,
) -> Result<T, RedisError> {
    let outcome = command.query_async(&mut connection).await;
    if let Err(error) = &outcome
        && (error.is_io_error() || error.is_connection_dropped() || is_readonly(error))
    {
        *found.lock() = None;
    }
    outcome
}

/// The server is no master any more.
fn is_readonly(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

fn store_error(error: &RedisError) -> StoreError {
    // Of a server that is to forget nothing: `maxmemory-policy noeviction`.
    if error.code() == Some("OOM") {
        StoreError::Full
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

/// `user:password@`, if it is there, and what follows.
fn login_and_hosts(text: &str) -> (&str, &str) {
    match text.rfind('@') {
        Some(at) => text.split_at(at + 1),
        None => ("", text),
    }
}

/// What comes before an address, which may hold a password.
fn scheme(url: &str) -> &str {
    url.split("://").next().unwrap_or_default()
}

/// Shows no address: it may hold a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}

/// Before a call is tried once more.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// Between two attempts to connect again.
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(200);
