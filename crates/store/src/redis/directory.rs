//! The directory in Redis: a hash for each room, and what is known of the nodes under one tag.
//!
//! What reads and writes at once is a script, which a server runs as one step. Nodes' leases are counted by the clock
//! of the server that holds them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Redis, Script, millis};
use crate::{Beat, Claim, NodeRecord, Ownership, RoomDirectory, StoreError};

/// A [`RoomDirectory`] on Redis.
///
/// Its memory is that of the server: one that comes back empty has another. A replica that takes over may lack the last
/// moments without that.
#[derive(Clone, Debug)]
pub struct RedisRoomDirectory {
    redis: Redis,
    /// Of each node, which lease this has heard that it holds.
    leases: Arc<Mutex<HashMap<String, String>>>,
}

impl RedisRoomDirectory {
    /// A directory over this way.
    pub fn new(redis: Redis) -> Self {
        Self { redis, leases: Arc::default() }
    }

    fn room(&self, room: &str) -> String {
        self.redis.key("room", room)
    }

    fn expiries(&self) -> String {
        self.redis.key("expiries", NODES_TAG)
    }

    fn abouts(&self) -> String {
        self.redis.key("abouts", NODES_TAG)
    }
}

impl RoomDirectory for RedisRoomDirectory {
    async fn claim(
        &self,
        room: &str,
        node: &str,
        fence: u64,
        ttl: Duration,
    ) -> Result<Claim, StoreError> {
        let arguments = [node, &fence.to_string(), &millis(ttl)];
        let (owner, fence): (String, u64) =
            self.redis.run_script(&CLAIM, &[&self.room(room)], &arguments).await?;
        Ok(if owner == node {
            Claim::Granted { fence }
        } else {
            Claim::Refused(Ownership { node: owner, fence })
        })
    }

    async fn renew(
        &self,
        room: &str,
        owned: &Ownership,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let arguments = [&*owned.node, &owned.fence.to_string(), &millis(ttl)];
        self.redis.run_script(&RENEW, &[&self.room(room)], &arguments).await
    }

    async fn release(&self, room: &str, owned: &Ownership) -> Result<(), StoreError> {
        let arguments = [&*owned.node, &owned.fence.to_string()];
        self.redis.run_script(&RELEASE, &[&self.room(room)], &arguments).await
    }

    async fn find(&self, room: &str) -> Result<Option<Ownership>, StoreError> {
        let mut find = ::redis::cmd("HMGET");
        find.arg(self.room(room)).arg("node").arg("fence");
        let (node, fence): (Option<String>, Option<u64>) = self.redis.run(&find).await?;
        Ok(node.zip(fence).map(|(node, fence)| Ownership { node, fence }))
    }

    async fn beat(&self, node: &NodeRecord, lease: Duration) -> Result<Beat, StoreError> {
        let known = self.leases.lock().get(&node.node).cloned().unwrap_or_default();
        let keys = [&*self.expiries(), &self.abouts(), &self.redis.key("memory", NODES_TAG)];
        let life = lease.saturating_mul(LIFE_LEASES).max(LIFE_MIN);
        let arguments =
            [&*node.node, &node.about, &millis(lease), &millis(life), &known, &random_name()];
        type Answer = (bool, String, String, u64, HashMap<String, String>);
        let (was_held, lease, memory, age, abouts): Answer =
            self.redis.run_script(&BEAT, &keys, &arguments).await?;
        self.leases.lock().insert(node.node.clone(), lease);
        let mut nodes: Vec<NodeRecord> =
            abouts.into_iter().map(|(node, about)| NodeRecord { node, about }).collect();
        nodes.sort_unstable_by(|one, other| one.node.cmp(&other.node));
        let memory_age = Duration::from_millis(age);
        Ok(Beat { nodes, was_held, memory, memory_age })
    }

    async fn leave(&self, node: &str) -> Result<(), StoreError> {
        self.leases.lock().remove(node);
        self.redis.run_script(&LEAVE, &[&self.expiries(), &self.abouts()], &[node]).await
    }
}

/// A name that nothing else has.
fn random_name() -> String {
    let mut bytes = [0; LEASE_NAME_LEN / 2];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Arguments: the node, a fence, how long. Answers who owns the room then, and under which fence.
///
/// Lua counts in doubles: exactly up to 2^53, which no room is claimed often enough to reach, and by default shows 14
/// digits of them.
static CLAIM: Script = Script::new(
    "local owner = redis.call('HMGET', KEYS[1], 'node', 'fence')
    if owner[1] and owner[1] ~= ARGV[1] then return owner end
    local fence = math.max(tonumber(owner[2] or 0), tonumber(ARGV[2])) + 1
    local shown = string.format('%.0f', fence)
    redis.call('HSET', KEYS[1], 'node', ARGV[1], 'fence', shown)
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return {ARGV[1], shown}",
);

/// Arguments: the node, its fence, how long. Answers whether that is still so.
static RENEW: Script = Script::new(
    "local owner = redis.call('HMGET', KEYS[1], 'node', 'fence')
    if owner[1] ~= ARGV[1] or owner[2] ~= ARGV[2] then return 0 end
    return redis.call('PEXPIRE', KEYS[1], ARGV[3])",
);

/// Arguments: the node and its fence.
static RELEASE: Script = Script::new(
    "local owner = redis.call('HMGET', KEYS[1], 'node', 'fence')
    if owner[1] == ARGV[1] and owner[2] == ARGV[2] then redis.call('DEL', KEYS[1]) end
    return redis.status_reply('OK')",
);

/// Arguments: the node, what it says of itself, for how long, how long the keys live, the lease that the node has heard
/// of, and a new name. Answers whether the node held that lease, the one that it holds now, what the directory's memory is
/// called and how old it is, in milliseconds, and what all nodes say of themselves.
///
/// The new name is for what has none: a lease that begins, and, with the time, the memory of a server that has forgotten everything. It is
/// another one each time, or a memory would be called the same after it was lost.
///
/// A lease has a name since a beat may be done without its answer being heard. It begins a lease, and when it is tried
/// again that one must not look as if it had been held all the time.
static BEAT: Script = Script::new(
    "local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local shown = function(number) return string.format('%.0f', number) end
    for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', shown(now))) do
        redis.call('ZREM', KEYS[1], node)
        redis.call('HDEL', KEYS[2], node)
    end
    local held = redis.call('HGET', KEYS[2], ARGV[1])
    local was_held = held and string.sub(held, 1, 32) == ARGV[5]
    local lease = was_held and ARGV[5] or ARGV[6]
    redis.call('ZADD', KEYS[1], shown(now + ARGV[3]), ARGV[1])
    redis.call('HSET', KEYS[2], ARGV[1], lease .. ARGV[2])
    redis.call('SET', KEYS[3], ARGV[6] .. shown(now), 'NX')
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
    local abouts = redis.call('HGETALL', KEYS[2])
    for at = 2, #abouts, 2 do abouts[at] = string.sub(abouts[at], 33) end
    local memory = redis.call('GET', KEYS[3])
    local age = math.max(now - tonumber(string.sub(memory, 33)), 0)
    return {was_held and 1 or 0, lease, memory, age, abouts}",
);

/// Argument: the node.
static LEAVE: Script = Script::new(
    "redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1])
    return redis.status_reply('OK')",
);

/// Keeps what is known of the nodes together.
const NODES_TAG: &str = "nodes";
/// Hexadecimal digits in the name of a lease, which stands before what a node says of itself.
const LEASE_NAME_LEN: usize = 32;
/// What is known of the nodes lives on for this many leases after the last beat.
const LIFE_LEASES: u32 = 10;
/// And for as long as this, so that nodes with a short lease do not end the memory of those with a long one.
const LIFE_MIN: Duration = Duration::from_secs(3600);
