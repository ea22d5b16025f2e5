//! What outlives a connection or a node.
//!
//! Each trait here is a handful of promises, with an in-memory implementation that needs nothing
//! installed. The server is given its stores; none is global. `conformance` (a feature) holds
//! the checks that every implementation passes.

#[cfg(feature = "conformance")]
pub mod conformance;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod session;

#[cfg(feature = "redis")]
pub use self::redis::{Redis, RedisConfig, RedisSessionStore, RedisUrlError};
pub use memory::{MemorySessionStore, SESSIONS_MAX};
pub use session::{DynSessionStore, Session, SessionKey, SessionStore, StoreError};
