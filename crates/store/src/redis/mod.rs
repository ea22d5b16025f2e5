//! The stores on Redis or Valkey, 7 or later: one server, one behind Sentinels, or a cluster.
//!
//! [`Redis`] is the way to it, which all stores of a node share. It is cheap to clone, comes up without a server and
//! comes back by itself. Every call is bounded in time, and so is how many wait at once: a caller hears soon that the
//! store is away, and never hangs.
//!
//! Keys are `{prefix}:kind:…` and all expire, so that a database that nobody uses any more empties itself. What
//! belongs together shares a hash tag. Of session tokens only digests get here.
//!
//! | Key or channel | What | Lives |
//! |---|---|---|
//! | `parlor:session:{digest}` | a string: the code of the session's room | as long as the session |
//! | `parlor:room:{code}` | a hash: `node` and `fence` | as long as it was claimed or renewed for |
//! | `parlor:expiries:{nodes}` | a sorted set: when each node's lease ends, in ms | ten leases after the last beat, at least 1 h |
//! | `parlor:abouts:{nodes}` | a hash: each node's lease, and what it says of itself | the same |
//! | `parlor:memory:{nodes}` | a string: what the directory's memory is called | the same |
//! | `parlor:inbox:{name}` | a channel, in a cluster one of a shard | while somebody listens |
//!
//! A user of its own needs no more than this; with another prefix, that one instead of `parlor`:
//!
//! ```text
//! ACL SETUSER parlor on >password resetkeys ~parlor:* resetchannels &parlor:* -@all
//!   +get +set +del +hmget +hset +hget +hgetall +hdel +zadd +zrem +zrangebyscore
//!   +pexpire +time +eval +evalsha +publish +subscribe
//! ```
//!
//! In a cluster `+spublish +ssubscribe +cluster|slots +ping +asking` instead of `+publish +subscribe`, behind Sentinels
//! `+role` besides, and `+select` for a database other than 0. Servers from 7.2 on are told who connects, by
//! `CLIENT SETINFO`; refusing that does no harm.

mod bus;
mod directory;
mod sessions;
mod way;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::redis as client;
use client::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use self::bus::RedisBus;
pub use self::directory::RedisRoomDirectory;
pub use self::sessions::RedisSessionStore;

use self::way::{Address, Way};
use crate::StoreError;

/// Where Redis is, and how long it may take.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/db]`; or `redis-cluster://` with some nodes of a cluster, separated by
    /// commas; or `redis-sentinel://` with some Sentinels, and the name of the master they watch for a path. With
    /// `rediss` for `redis` all of them speak TLS, Sentinels too.
    pub url: String,
    /// Certificates in PEM, of those who vouch for servers that speak TLS. Defaults to those whom the system trusts,
    /// who count no more when there are some here.
    pub ca: Option<Vec<u8>>,
    /// What all keys begin with, so that several games may share a server. Defaults to `parlor`.
    pub prefix: String,
    /// How long a call may take, with what it waits for others. Defaults to 500 ms.
    pub call_time_max: Duration,
    /// Calls at once. Defaults to 1024; more wait for their turn, within their time. As many messages may be on their
    /// way besides, so that neither waits for the other.
    pub calls_max: usize,
    /// How long a message may take to be sent, with what it waits for others. Defaults to 3 s: it is not tried again,
    /// and whoever sends it does not learn whether it went.
    pub send_time_max: Duration,
}

/// Why an address of Redis is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{reason}: an address is redis://host:6379, redis-cluster://one:6379,two:6379 or redis-sentinel://one:26379,two:26379/name, or one with rediss for TLS"
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
    address: Address,
    prefix: String,
    calls: Lane,
    sends: Lane,
}

/// A way, and how much may be on it.
struct Lane {
    way: Way,
    time_max: Duration,
    permits: Semaphore,
}

/// A program that a server runs as one step, and keeps once it has seen it.
struct Script {
    text: &'static str,
    digest: OnceLock<String>,
}

impl RedisConfig {
    /// The server at this address, everything else by default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca: None,
            prefix: "parlor".to_owned(),
            call_time_max: Duration::from_millis(500),
            calls_max: 1024,
            send_time_max: Duration::from_secs(3),
        }
    }
}

impl RedisConfig {
    /// Whether the address is one and the certificates can be read, without going there.
    pub fn check(&self) -> Result<(), RedisUrlError> {
        Address::parse(self).map(|_| ())
    }
}

impl Redis {
    /// The way to the server of `config`, which need not be there yet.
    ///
    /// With TLS, a process that has not chosen how it encrypts has chosen aws-lc after this.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisUrlError> {
        let refused = |error: RedisError| RedisUrlError { reason: error.to_string() };
        let address = Address::parse(config)?;
        let lane = |time_max, retries| {
            let way = address.way(time_max, retries).map_err(refused)?;
            Ok(Lane { way, time_max, permits: Semaphore::new(config.calls_max.max(1)) })
        };
        let (calls, sends) = (lane(config.call_time_max, 2)?, lane(config.send_time_max, 0)?);
        let prefix = config.prefix.clone();
        Ok(Self { shared: Arc::new(Shared { address, prefix, calls, sends }) })
    }

    /// A key of some kind, whose last part is its hash tag.
    fn key(&self, kind: &str, tag: impl fmt::Display) -> String {
        format!("{}:{kind}:{{{tag}}}", self.shared.prefix)
    }

    fn address(&self) -> &Address {
        &self.shared.address
    }

    fn is_cluster(&self) -> bool {
        self.shared.address.is_cluster()
    }

    /// Runs a command that may be run twice: a connection that broke is tried once more.
    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let calls = &self.shared.calls;
        calls.bounded(calls.run(command)).await
    }

    /// Runs a script that may be run twice.
    async fn run_script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<T, StoreError> {
        let calls = &self.shared.calls;
        let command = |name, program| {
            let mut command = client::cmd(name);
            command.arg(program).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        let call = async {
            match calls.run(&command("EVALSHA", script.digest())).await {
                Err(error) if is_unknown_script(&error) => {
                    calls.run(&command("EVAL", script.text)).await
                }
                done => done,
            }
        };
        calls.bounded(call).await
    }

    /// Runs a command that must not be run twice, apart from those that may.
    async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let sends = &self.shared.sends;
        let send = async {
            loop {
                match sends.way.run(command).await {
                    // Refused by a node that it is no matter of, so not done; by now the right one is asked for.
                    Err(error) if error.is_cluster_error() => sleep(RETRY_AFTER).await,
                    done => return done,
                }
            }
        };
        sends.bounded(send).await
    }
}

impl Lane {
    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.way.run(command).await {
            Err(error) if error.is_io_error() || error.is_connection_dropped() => {
                sleep(RETRY_AFTER).await;
                self.way.run(command).await
            }
            done => done,
        }
    }

    async fn bounded<T>(
        &self,
        work: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        let work = async {
            // Never closed, so there is always a permit to come.
            let _permit = self.permits.acquire().await.expect("nobody closes it");
            work.await
        };
        match timeout(self.time_max, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(store_error(&error)),
            Err(_) => Err(StoreError::Unavailable("Redis does not answer in time".to_owned())),
        }
    }
}

impl Script {
    const fn new(text: &'static str) -> Self {
        Self { text, digest: OnceLock::new() }
    }

    fn digest(&self) -> &str {
        self.digest.get_or_init(|| client::Script::new(self.text).get_hash().to_owned())
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn store_error(error: &RedisError) -> StoreError {
    // Of a server that is to forget nothing: `maxmemory-policy noeviction`.
    if error.code() == Some("OOM") {
        StoreError::Full
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

/// A time to live. Redis refuses one of nothing, and one that leads beyond what it counts.
fn millis(time: Duration) -> String {
    time.as_millis().clamp(1, MILLIS_MAX).to_string()
}

/// Shows no address: it may hold a password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Shows no address: it may hold a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}

/// Before a call is tried once more.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// Some three hundred years.
const MILLIS_MAX: u128 = 10_000_000_000_000;
