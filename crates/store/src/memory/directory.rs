//! A directory in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{Beat, Claim, NodeRecord, Ownership, RoomDirectory, StoreError};

/// The most rooms that a [`MemoryRoomDirectory`] has records of. One more is refused as [`StoreError::Full`].
const ROOMS_MAX: usize = 1_000_000;

/// A [`RoomDirectory`] among the clones of one value.
#[derive(Clone, Debug, Default)]
pub struct MemoryRoomDirectory {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug)]
struct Table {
    rooms: HashMap<String, (Instant, Ownership)>,
    nodes: BTreeMap<String, (Instant, NodeRecord)>,
    /// How often everything was forgotten, and when that was last.
    memory: u64,
    since: Instant,
}

impl Default for Table {
    fn default() -> Self {
        let (rooms, nodes) = (HashMap::new(), BTreeMap::new());
        Self { rooms, nodes, memory: 0, since: Instant::now() }
    }
}

impl MemoryRoomDirectory {
    /// A directory that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything, as a server does that keeps nothing on disk when it is started again.
    pub fn forget(&self) {
        let mut table = self.table.lock();
        *table = Table { memory: table.memory + 1, ..Table::default() };
    }
}

impl RoomDirectory for MemoryRoomDirectory {
    async fn claim(
        &self,
        room: &str,
        node: &str,
        fence: u64,
        ttl: Duration,
    ) -> Result<Claim, StoreError> {
        let now = Instant::now();
        let mut table = self.table.lock();
        let known = table.find(room, now).cloned();
        let stored = match known {
            Some(owned) if owned.node != node => return Ok(Claim::Refused(owned)),
            Some(owned) => owned.fence,
            None => 0,
        };
        if stored == 0 && table.rooms.len() >= ROOMS_MAX {
            table.rooms.retain(|_, (expiry, _)| *expiry > now);
            if table.rooms.len() >= ROOMS_MAX {
                return Err(StoreError::Full);
            }
        }
        let fence = stored.max(fence) + 1;
        let owned = Ownership { node: node.to_owned(), fence };
        table.rooms.insert(room.to_owned(), (now + ttl, owned));
        Ok(Claim::Granted { fence })
    }

    async fn renew(
        &self,
        room: &str,
        owned: &Ownership,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let now = Instant::now();
        let mut table = self.table.lock();
        let is_same = table.find(room, now) == Some(owned);
        if is_same && let Some((expiry, _)) = table.rooms.get_mut(room) {
            *expiry = now + ttl;
        }
        Ok(is_same)
    }

    async fn release(&self, room: &str, owned: &Ownership) -> Result<(), StoreError> {
        let mut table = self.table.lock();
        if table.find(room, Instant::now()) == Some(owned) {
            table.rooms.remove(room);
        }
        Ok(())
    }

    async fn find(&self, room: &str) -> Result<Option<Ownership>, StoreError> {
        Ok(self.table.lock().find(room, Instant::now()).cloned())
    }

    async fn beat(&self, node: &NodeRecord, lease: Duration) -> Result<Beat, StoreError> {
        let now = Instant::now();
        let mut table = self.table.lock();
        table.nodes.retain(|_, (expiry, _)| *expiry > now);
        let was_held = table.nodes.insert(node.node.clone(), (now + lease, node.clone())).is_some();
        let nodes = table.nodes.values().map(|(_, record)| record.clone()).collect();
        let (memory, memory_age) = (table.memory.to_string(), now - table.since);
        Ok(Beat { nodes, was_held, memory, memory_age })
    }

    async fn leave(&self, node: &str) -> Result<(), StoreError> {
        self.table.lock().nodes.remove(node);
        Ok(())
    }
}

impl Table {
    fn find(&self, room: &str, now: Instant) -> Option<&Ownership> {
        self.rooms.get(room).filter(|(expiry, _)| *expiry > now).map(|(_, owned)| owned)
    }
}
