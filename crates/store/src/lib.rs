//! What outlives a connection or a node.
//!
//! Each trait here is a handful of promises, with an in-memory implementation that needs nothing
//! installed, and one on Redis for many nodes (the feature `redis`; its module lists the keys, and
//! the rights that a user needs). The server is given its stores; none is global. `conformance` (a
//! feature) holds the checks that every implementation passes.

use std::future::Future;
use std::pin::Pin;

mod bus;
#[cfg(feature = "conformance")]
pub mod conformance;
mod directory;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod session;

#[cfg(feature = "redis")]
pub use self::redis::{
    Redis, RedisBus, RedisConfig, RedisRoomDirectory, RedisSessionStore, RedisUrlError,
};
pub use bus::{Bus, DynBus, INBOX_MESSAGES_MAX};
pub use directory::{Beat, Claim, DynRoomDirectory, NodeRecord, Ownership, RoomDirectory};
pub use memory::{MemoryBus, MemoryRoomDirectory, MemorySessionStore, SESSIONS_MAX};
pub use session::{DynSessionStore, Session, SessionKey, SessionStore, StoreError};

/// What the methods of the `Dyn` traits give.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
