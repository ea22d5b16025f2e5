//! How much a gateway holds, and how fast it lets clients ask.

use std::time::Duration;

use parlor_protocol::limits::{FrameLimits, MESSAGE_BYTES_MAX, NESTING_MAX};

use crate::feed::HistoryLimits;
use crate::outbox::OutboxLimits;
use crate::quotas::Quota;

/// The bounds of a gateway.
///
/// [`GatewayConfig::default`] suits a small public server. Change a field to change your mind;
/// nothing here is read again after the gateway has started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// Rooms at once. Defaults to 100 000; one more is refused with `SERVER_FULL`. An empty room
    /// of a small game takes about 4 KiB.
    pub rooms_max: usize,
    /// What one frame from a client may hold. Told to clients in `welcome`.
    pub frame: FrameLimits,
    /// Requests a second that a connection may send for long. Defaults to 60.
    pub requests_per_second: u32,
    /// Requests that a connection may send at once after a silence. Defaults to 120.
    pub requests_burst: u32,
    /// How often an address may guess wrong: a password, a room's code, a token. Defaults to 20 times at once, and one
    /// more every 3 s; then whoever asks from there gets `RATE_LIMITED`. Nothing is counted for callers without an
    /// address.
    pub wrong_guesses: Quota,
    /// How often an address may open a room, by a socket or by HTTP. Defaults to 20 at once, and one more every 6 s.
    pub rooms_opened: Quota,
    /// What may wait to be written to one client before it is closed as too slow.
    pub outbox: OutboxLimits,
    /// How much of its past each room keeps for players who come back.
    pub history: HistoryLimits,
    /// Bytes that a room may hold back from spectators where its game tells them later, about. Defaults to
    /// 1 MiB. When it is full spectators get fewer states, and at worst lose what was said meanwhile and
    /// begin anew from a snapshot.
    pub delayed_bytes_max: usize,
    /// Silence after which the transport pings, as told in `welcome`. Defaults to 20 s.
    pub heartbeat: Duration,
    /// How long a connection may be in no room and ask nothing. Defaults to 2 min.
    pub unattached_idle_max: Duration,
    /// How long a session token is found in the store after it was last used. Defaults to 2 h.
    /// A seat in a room of this node is found for as long as it lives.
    pub session_ttl: Duration,
    /// How often at most subscribers hear of changed rooms. Defaults to 250 ms.
    pub room_list_interval: Duration,
    /// How long the program's [`JoinHook`](crate::JoinHook) may take to let someone in, and its
    /// [`Authenticator`](crate::Authenticator) to say who someone is. Defaults to 5 s;
    /// then the request is refused with `STORE_UNAVAILABLE`.
    pub join_hook_time_max: Duration,
    /// News of rooms that may wait for the slowest who follows [`Gateway::lifecycle`]. Defaults to 4096;
    /// beyond that the oldest are dropped, and it is told how many. About 200 bytes each.
    ///
    /// [`Gateway::lifecycle`]: crate::Gateway::lifecycle
    pub lifecycle_news_max: usize,
    /// Decisions of searching bots at once. Defaults to 2; each takes a thread while it runs.
    pub searching_bots_max: usize,
    /// Tasks among which rooms with deadlines are shared out. Defaults to four for each core: with one for
    /// each, two of them that meet on the same core stay there while another is idle.
    pub driver_shards: usize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            rooms_max: 100_000,
            frame: FrameLimits { message_bytes_max: MESSAGE_BYTES_MAX, nesting_max: NESTING_MAX },
            requests_per_second: 60,
            requests_burst: 120,
            wrong_guesses: Quota { burst: 20, every: Duration::from_secs(3) },
            rooms_opened: Quota { burst: 20, every: Duration::from_secs(6) },
            outbox: OutboxLimits::default(),
            history: HistoryLimits::default(),
            delayed_bytes_max: 1024 * 1024,
            heartbeat: Duration::from_secs(20),
            unattached_idle_max: Duration::from_secs(120),
            session_ttl: Duration::from_secs(2 * 60 * 60),
            room_list_interval: Duration::from_millis(250),
            join_hook_time_max: Duration::from_secs(5),
            lifecycle_news_max: 4096,
            searching_bots_max: 2,
            driver_shards: 4 * std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
