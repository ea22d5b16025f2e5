//! Stores in the memory of one process: the default, with nothing to install. Several gateways in one process that
//! share a [`MemoryRoomDirectory`] and a [`MemoryBus`] are a cluster, which is what tests want.

mod bus;
mod directory;
mod sessions;

pub use bus::MemoryBus;
pub use directory::MemoryRoomDirectory;
pub use sessions::{MemorySessionStore, SESSIONS_MAX};
