//! What a gateway counts and times, for Prometheus.
//!
//! [`Metrics`] has what happens as it happens: each counter is a handle that is held, so that nothing on an
//! action's path looks a label up. What can be read off when somebody asks, such as how many rooms there are,
//! is read then, by [`Readings`]. No label grows with rooms or players.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use parlor_protocol::{CloseCode, Codec, ErrorCode, Phase, RequestType};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::cluster::Cluster;
use crate::gateway::Gateway;
use crate::operators::Peer;
use crate::outbox::OutboxTotals;
use crate::shared::Shared;
use crate::ticks::LATENESS_BOUNDS_MS;
use crate::traffic::Traffic;

/// Counted and timed as it happens.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<OfRequest, Counter>,
    /// Of `requests`, those that were granted, by the request's type.
    granted: Vec<Counter>,
    actions: Histogram,
    room_locks: Histogram,
    pub(crate) replays: Counter,
    pub(crate) snapshots: Counter,
    resumes: Family<OfKind, Counter>,
    callback_failures: Family<OfGame, Counter>,
    slow_changes: Family<OfGame, Counter>,
    limited: Family<OfLimit, Counter>,
    opened: Counter,
    closed: Family<OfCode, Counter>,
    pub(crate) stores: StoreMetrics,
}

/// Calls of a store.
#[derive(Clone, Debug)]
pub(crate) struct StoreMetrics {
    calls: Family<OfOperation, Histogram, fn() -> Histogram>,
    errors: Family<OfOperation, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRequest {
    r#type: &'static str,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfGame {
    game: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfLimit {
    limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfCode {
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfOperation {
    operation: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let requests = Family::<OfRequest, Counter>::default();
        let granted = |kind: &RequestType| {
            let labels = OfRequest { r#type: kind.as_str(), outcome: GRANTED.to_owned() };
            requests.get_or_create_owned(&labels)
        };
        let resumes = Family::<OfKind, Counter>::default();
        let resumed = |kind| resumes.get_or_create_owned(&OfKind { kind });
        Self {
            granted: RequestType::ALL.iter().map(granted).collect(),
            replays: resumed("replayed"),
            snapshots: resumed("snapshot"),
            actions: Histogram::new(ACTION_SECONDS),
            room_locks: Histogram::new(ACTION_SECONDS),
            callback_failures: Family::default(),
            slow_changes: Family::default(),
            limited: Family::default(),
            opened: Counter::default(),
            closed: Family::default(),
            stores: StoreMetrics {
                calls: Family::new_with_constructor(|| Histogram::new(STORE_SECONDS)),
                errors: Family::default(),
            },
            requests,
            resumes,
        }
    }

    /// A request was granted.
    pub(crate) fn granted(&self, kind: RequestType) {
        self.granted[kind as usize].inc();
    }

    /// A request was refused; one of no known type without a `kind`.
    pub(crate) fn refused(&self, kind: Option<RequestType>, code: &ErrorCode) {
        let r#type = kind.map_or("unknown", RequestType::as_str);
        // A game's own codes are the game's to choose: they are told as one.
        let is_ours = ErrorCode::ALL.iter().any(|(ours, _)| ours == code);
        let outcome = if is_ours { code.as_str() } else { "GAME" };
        let labels = OfRequest { r#type, outcome: outcome.to_owned() };
        self.requests.get_or_create(&labels).inc();
    }

    /// An action was handled, from its frame to the last outbox, in such a time.
    pub(crate) fn acted(&self, within: Duration) {
        self.actions.observe(within.as_secs_f64());
    }

    /// A room was locked for so long.
    pub(crate) fn room_locked(&self, time: Duration) {
        self.room_locks.observe(time.as_secs_f64());
    }

    pub(crate) fn callback_failed(&self, game: &'static str) {
        self.callback_failures.get_or_create(&OfGame { game }).inc();
    }

    /// A change of a room took longer than a game should let others wait.
    pub(crate) fn was_slow(&self, game: &'static str) {
        self.slow_changes.get_or_create(&OfGame { game }).inc();
    }

    /// Someone was kept from going beyond a limit.
    pub(crate) fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&OfLimit { limit }).inc();
    }

    pub(crate) fn connected(&self) {
        self.opened.inc();
    }

    /// A connection has ended, by our close code or without one.
    pub(crate) fn disconnected(&self, code: u16) {
        self.closed.get_or_create(&OfCode { code: known_code(code) }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "parlor_connections_opened",
            "Connections that were opened",
            self.opened.clone(),
        );
        registry.register(
            "parlor_connections_closed",
            "Connections that have ended, by the code that the server closed them with, 1006 without one",
            self.closed.clone(),
        );
        registry.register(
            "parlor_limited",
            "What was refused, left waiting or cut because a client went beyond a limit, by limit",
            self.limited.clone(),
        );
        registry.register(
            "parlor_requests",
            "Requests that were answered, by type and by outcome: OK or the code of the error",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "parlor_action",
            "Time from a game action's frame to the last outbox",
            Unit::Seconds,
            self.actions.clone(),
        );
        registry.register_with_unit(
            "parlor_room_lock",
            "Time for which a room was locked at once",
            Unit::Seconds,
            self.room_locks.clone(),
        );
        registry.register(
            "parlor_resumes",
            "Players who came back to their seats, by what they were told: what they missed, or a snapshot",
            self.resumes.clone(),
        );
        registry.register(
            "parlor_callback_failures",
            "Callbacks of games that broke down where nothing could be refused",
            self.callback_failures.clone(),
        );
        registry.register(
            "parlor_slow_changes",
            "Changes of rooms that took longer than 5 ms, by game",
            self.slow_changes.clone(),
        );
        registry.register_with_unit(
            "parlor_store_call",
            "Time that calls of the session store took",
            Unit::Seconds,
            self.stores.calls.clone(),
        );
        registry.register(
            "parlor_store_errors",
            "Calls of the session store that failed",
            self.stores.errors.clone(),
        );
    }
}

impl StoreMetrics {
    /// Times a call and counts it if it fails.
    pub(crate) async fn call<T, E>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = std::time::Instant::now();
        let outcome = call.await;
        let labels = OfOperation { operation };
        self.calls.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
        if outcome.is_err() {
            self.errors.get_or_create(&labels).inc();
        }
        outcome
    }
}

/// The code, unless it is none that a server of ours uses.
fn known_code(code: u16) -> u16 {
    CloseCode::from_u16(code).unwrap_or(CloseCode::Abnormal).as_u16()
}

impl Gateway {
    /// Adds everything that this gateway counts and times to `registry`. docs/operations.md tells what each
    /// is.
    pub fn register_metrics(self: &Arc<Self>, registry: &mut Registry) {
        self.shared.metrics.register(registry);
        if let Some(cluster) = &self.shared.cluster {
            cluster.metrics.register(registry);
        }
        registry.register_collector(Box::new(Readings {
            shared: Arc::downgrade(&self.shared),
            told: Mutex::default(),
        }));
    }
}

/// What is read off when somebody asks.
struct Readings {
    /// Ends with its gateway.
    shared: Weak<Shared>,
    /// Messages told of last. Connections end while they are counted, and a sum that fell would be taken for a
    /// restart.
    told: Mutex<Traffic>,
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        connections_and_messages(&shared, &self.told, &mut encoder)?;
        rooms(&shared, &mut encoder)?;
        if let Some(cluster) = &shared.cluster {
            nodes(cluster, &mut encoder)?;
        }
        steps(&shared, &mut encoder)
    }
}

fn connections_and_messages(
    shared: &Shared,
    told: &Mutex<Traffic>,
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut by_codec = [0_i64; Codec::ALL.len()];
    let (mut waiting, mut waiting_max) = (0_i64, 0_i64);
    let mut live = OutboxTotals::default();
    shared.connections.for_each(|Peer { outlet, .. }| {
        by_codec[outlet.codec as usize] += 1;
        let depth = i64::try_from(outlet.outbox.len()).unwrap_or(i64::MAX);
        waiting += depth;
        waiting_max = waiting_max.max(depth);
        let totals = outlet.outbox.totals();
        live.queued += totals.queued;
        live.written += totals.written;
        live.coalesced += totals.coalesced;
    });
    let mut told = told.lock();
    let ended = shared.traffic.read();
    told.queued = told.queued.max(ended.queued + live.queued);
    told.written = told.written.max(ended.written + live.written);
    told.coalesced = told.coalesced.max(ended.coalesced + live.coalesced);
    told.replayed = ended.replayed;
    told.unsent = ended.unsent;

    let name = "parlor_connections";
    let mut family = encoder.encode_descriptor(
        name,
        "Connections that are open, by codec.",
        None,
        MetricType::Gauge,
    )?;
    for (codec, count) in Codec::ALL.into_iter().zip(by_codec) {
        let labels = [("codec", codec_name(codec))];
        ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
    }
    gauge(encoder, "parlor_outbox_messages", "Messages that wait in all outboxes.", waiting)?;
    gauge(
        encoder,
        "parlor_outbox_messages_max",
        "Messages that wait in the fullest outbox.",
        waiting_max,
    )?;
    counter(encoder, "parlor_messages_queued", "Messages accepted by outboxes.", told.queued)?;
    counter(encoder, "parlor_messages_written", "Messages taken to be written.", told.written)?;
    counter(
        encoder,
        "parlor_messages_coalesced",
        "States that newer ones replaced before they were taken.",
        told.coalesced,
    )?;
    counter(
        encoder,
        "parlor_messages_replayed",
        "Messages sent again to players who came back.",
        told.replayed,
    )?;
    let help = "Messages never taken, by the code that ended the connection; a session that comes back gets them.";
    let name = "parlor_messages_unsent";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    let mut unsent = BTreeMap::<u16, u64>::new();
    for (code, count) in &told.unsent {
        *unsent.entry(known_code(*code)).or_default() += count;
    }
    for (code, count) in unsent {
        let labels = [("code", code)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn rooms(shared: &Shared, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut rooms = BTreeMap::<(String, &str), i64>::new();
    let mut players = BTreeMap::<(String, &str), i64>::new();
    shared.rooms.for_each(|room| {
        let info = room.info();
        let game = info.game_type.into_owned();
        let humans = info.player_count.saturating_sub(info.bot_count);
        for (kind, count) in
            [("human", humans), ("bot", info.bot_count), ("spectator", info.spectator_count)]
        {
            *players.entry((game.clone(), kind)).or_default() += i64::from(count);
        }
        let phase = match info.phase {
            Phase::Lobby => "lobby",
            Phase::Playing => "playing",
            Phase::Finished => "finished",
        };
        *rooms.entry((game, phase)).or_default() += 1;
    });
    let sums = [
        ("parlor_rooms", "Rooms that are open, by game and phase.", "phase", rooms),
        ("parlor_players", "Seats that are taken, by game and kind.", "kind", players),
    ];
    for (name, help, label, counts) in sums {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for ((game, value), count) in counts {
            let labels = [("game", game.as_str()), (label, value)];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn nodes(cluster: &Cluster, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (others, edges, hosts) = cluster.counts();
    let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
    let help = "Other nodes that are there and heard.";
    gauge(encoder, "parlor_cluster_nodes", help, count(others))?;
    let help = "Clients between two nodes: whose socket is here and their room elsewhere (edge), or the other way round (host).";
    let name = "parlor_relay_links";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (side, links) in [("edge", edges), ("host", hosts)] {
        let labels = [("side", side)];
        ConstGauge::new(count(links)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn steps(shared: &Shared, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let ticks = shared.ticks.read();
    counter(
        encoder,
        "parlor_steps_skipped",
        "Steps of games that were let go, because their rooms were called too late.",
        ticks.skipped,
    )?;
    let bounds =
        LATENESS_BOUNDS_MS.iter().map(|bound| *bound as f64 / 1000.0).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(ticks.lateness).collect();
    let help = "How late steps of games were taken.";
    let mut metric = encoder.encode_descriptor(
        "parlor_step_lateness",
        help,
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    let sum = ticks.lateness_sum.as_secs_f64();
    metric.encode_histogram::<NoLabelSet>(sum, ticks.taken, &buckets, None)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Json => "json",
        Codec::MsgPack => "msgpack",
    }
}

/// Shows no figures: they are for Prometheus.
impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").finish_non_exhaustive()
    }
}

const GRANTED: &str = "OK";
/// An action takes a few microseconds; what takes longer than a step of a fast game hurts.
const ACTION_SECONDS: [f64; 10] =
    [5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 1e-3, 5e-3, 25e-3, 0.1];
const STORE_SECONDS: [f64; 8] = [1e-4, 5e-4, 1e-3, 5e-3, 25e-3, 0.1, 0.5, 2.5];
