//! Many nodes that act as one server: any of them serves any player.
//!
//! ```text
//!   client ──► edge: Connection ──► EdgeLink ═══ bus ═══► HostLink: Connection ──► room
//!   client ◄── outbox ◄─────────── EdgeLink ◄═══ bus ═══ HostLink ◄── outbox ◄──── room
//! ```
//!
//! A room is on one node, its *owner*. A client's socket may be on any; when that is another, the two nodes carry what
//! the client and the room have for each other (`edge`, `host`, `peer`). Who owns a room stands in the directory, under
//! a fence that rises from claim to claim (`ownership`). A node that says in time that it is there has its lease;
//! rooms of a node without one are found by nobody, and claimed by nobody either, for there is nothing that they could
//! be restored from. The node itself plays on with those it can reach, and claims its rooms again when the
//! directory is back.
//!
//! Each node has the public rooms of all others in its own listing, which they keep up to date over the same streams,
//! so that nobody reads anything to list rooms or to find a match.
//!
//! Tasks: one reads the inbox, one says to the directory that the node is there, one says so to the others and minds who
//! is silent, one tells others of changed rooms, one removes rooms that have closed from the directory, one registers everything again when that is due; and for
//! each other node one sends what is to be told to it. All end when the gateway is dropped.

mod bundle;
mod edge;
mod host;
mod metrics;
mod nodes;
mod ownership;
mod peer;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use parlor_protocol::{CloseCode, ErrorCode, ErrorDetail, Player, RoomCode, RoomInfo};
use parlor_store::{DynBus, DynRoomDirectory, NodeRecord, StoreError};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::bundle::{About, Bundle, Note, Query, RoomAnswer, Seal};
use self::host::HostLink;
use self::nodes::Nodes;
use self::ownership::Ownerships;
use self::peer::{Heed, Peer, UnderWay};
use crate::gateway::Gateway;
use crate::listing::{Changes, Listings};
use crate::room::AnyRoom;
use crate::secrets::Randomness;
use crate::shared::Shared;
use crate::to_wire;

pub(crate) use self::bundle::Ask;
pub(crate) use self::edge::{EdgeHandle, EdgeLink};
pub(crate) use self::metrics::RelayMetrics;

/// How a node is one of several.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// What nodes share to tell their messages from others' on the bus. Defaults to nothing: then whoever may write to
    /// the bus is believed. With it, each message bears an HMAC-SHA-256.
    pub secret: Option<Vec<u8>>,
    /// Where this node's rooms can be reached without a detour over another: a `ws://` or `wss://` address. Told to
    /// clients whose room is here and whose socket is not. Defaults to none.
    pub url: Option<String>,
    /// How long a node that is not heard of still counts as there. Defaults to 10 s. Shorter, and rooms of a node that has
    /// died are gone sooner; longer, and a node may be away from the store for longer before its rooms look gone.
    pub lease: Duration,
    /// How long another node may be silent before clients in between are sent to come back. Defaults to 3 s.
    pub silence_max: Duration,
    /// How long a room's record is kept without being renewed, which is done four times in that time. Defaults to 2 h.
    pub record_ttl: Duration,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            secret: None,
            url: None,
            lease: Duration::from_secs(10),
            silence_max: Duration::from_secs(3),
            record_ttl: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// What a node has to do with the others.
pub(crate) struct Cluster {
    /// This node's name, which no other has, nor this program when it is started again.
    node: Arc<str>,
    config: ClusterConfig,
    directory: Arc<dyn DynRoomDirectory>,
    bus: Arc<dyn DynBus>,
    seal: Seal,
    listings: Arc<Listings>,
    /// The other nodes that are there, by name.
    peers: Mutex<BTreeMap<Arc<str>, Neighbour>>,
    nodes: Nodes,
    ownerships: Ownerships,
    /// Taken while what has changed is turned into notes, so that none overtakes a list of all.
    announcing: Mutex<()>,
    /// Somebody was heard whom this node does not know.
    stranger: Notify,
    /// From when on this node counts milliseconds.
    since: Instant,
    /// This node has said goodbye, and says nothing more.
    has_left: AtomicBool,
    pub(crate) metrics: Arc<RelayMetrics>,
}

/// Another node, what it says of itself, and the task that sends to it.
struct Neighbour {
    peer: Arc<Peer>,
    about: About,
    _sends: AbortOnDropHandle<()>,
}

/// Where a room is.
pub(crate) enum Whereabouts {
    /// On this node.
    Here(Arc<dyn AnyRoom>),
    /// On another.
    There(Arc<Peer>),
    /// It is not open.
    Nowhere,
}

/// Finds a room, on whichever node. Refused with `ROOM_UNAVAILABLE` or `STORE_UNAVAILABLE` when that cannot be said just
/// now.
pub(crate) async fn find_room(shared: &Shared, code: RoomCode) -> Result<Whereabouts, ErrorDetail> {
    if let Some(room) = shared.rooms.get(code) {
        return Ok(Whereabouts::Here(room));
    }
    match &shared.cluster {
        Some(cluster) => cluster.find(shared, code).await,
        None => Ok(Whereabouts::Nowhere),
    }
}

/// Whether what the stores do not know was never there. Refused with `ROOM_UNAVAILABLE` when it may have been lost and
/// not yet said again, or with `STORE_UNAVAILABLE`.
pub(crate) async fn check_that_nothing_is_forgotten(shared: &Shared) -> Result<(), ErrorDetail> {
    let Some(cluster) = &shared.cluster else { return Ok(()) };
    cluster.beat_since(shared, Instant::now()).await?;
    if cluster.nodes.is_settled() { Ok(()) } else { Err(peer::unavailable()) }
}

/// Whether this node is there for long enough to tell someone to give up a seat. Refused with `ROOM_UNAVAILABLE` when the
/// directory may have been away before it came, so that others have yet to register again.
pub(crate) fn check_that_all_are_known(shared: &Shared) -> Result<(), ErrorDetail> {
    let Some(cluster) = &shared.cluster else { return Ok(()) };
    let is_sure = cluster.nodes.knows_nodes(cluster.config.lease);
    if is_sure { Ok(()) } else { Err(peer::unavailable()) }
}

impl Cluster {
    pub(crate) fn new(
        config: ClusterConfig,
        directory: Arc<dyn DynRoomDirectory>,
        bus: Arc<dyn DynBus>,
        listings: Arc<Listings>,
        random: &Randomness,
    ) -> (Arc<Self>, mpsc::Receiver<RoomCode>) {
        let (ownerships, closed) = Ownerships::new();
        listings.note_for_other_nodes();
        let cluster = Arc::new(Self {
            node: random.new_name().into(),
            seal: Seal::new(config.secret.as_deref()),
            config,
            directory,
            bus,
            listings,
            peers: Mutex::default(),
            nodes: Nodes::default(),
            ownerships,
            announcing: Mutex::default(),
            stranger: Notify::new(),
            since: Instant::now(),
            has_left: AtomicBool::new(false),
            metrics: Arc::default(),
        });
        (cluster, closed)
    }

    /// Starts what goes on by itself.
    pub(crate) fn start(
        self: &Arc<Self>,
        gateway: &Arc<Gateway>,
        closed: mpsc::Receiver<RoomCode>,
    ) -> Vec<AbortOnDropHandle<()>> {
        let inbox = self.bus.listen(&inbox_of(&self.node));
        let weak = || Arc::downgrade(gateway);
        let tasks = [
            tokio::spawn(Arc::clone(self).read_inbox(weak(), inbox)),
            tokio::spawn(Arc::clone(self).keep_beating(weak())),
            tokio::spawn(Arc::clone(self).mind_nodes(weak())),
            tokio::spawn(Arc::clone(self).announce(weak())),
            tokio::spawn(Arc::clone(self).release_closed(closed)),
            tokio::spawn(Arc::clone(self).keep_registered(weak())),
        ];
        tasks.into_iter().map(AbortOnDropHandle::new).collect()
    }

    /// This node's name.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Where this node's rooms are reached directly.
    pub(crate) fn url(&self) -> Option<&str> {
        self.config.url.as_deref()
    }

    /// Other nodes that are there and heard, and links with them: of clients here, and of clients there.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let peers = self.peers();
        let links = peers.iter().map(|peer| peer.link_counts());
        let (here, there) = links.fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
        let heard = peers.iter().filter(|peer| peer.is_followed()).count();
        (heard, here, there)
    }

    /// Whether the directory knows that this node is there.
    pub(crate) fn has_lease(&self) -> bool {
        self.nodes.last_beat().is_some_and(|last| last.elapsed() < self.config.lease)
    }

    /// The node on which a new room is made, if it is not this one: this one, which the balancer has chosen by chance, or
    /// another chosen by chance, whichever has more room. Where they are about equal, it is this one: what is here
    /// needs no detour.
    pub(crate) fn place_room(&self, shared: &Shared, game_type: &str) -> Option<Arc<Peer>> {
        let silence_max = self.config.silence_max;
        let mut peers = self.peers.lock();
        let mut able: Vec<&mut Neighbour> = peers
            .values_mut()
            .filter(|other| other.takes(game_type) && other.peer.is_heard(silence_max))
            .collect();
        let chosen = shared.random.below(able.len())?;
        let other = able.get_mut(chosen)?;
        let me = self.about(shared, false);
        nodes::is_better(&other.about, &me).then(|| {
            // Until it says how it is, what it is given counts. It must not get everything that comes between.
            other.about.rooms += 1;
            other.about.players += 1;
            Arc::clone(&other.peer)
        })
    }

    /// What is said of a room of another node. `None` when it is not open.
    pub(crate) async fn look(
        &self,
        shared: &Shared,
        code: RoomCode,
    ) -> Result<Option<(RoomInfo, Vec<Player>)>, ErrorDetail> {
        let answer = self.query(shared, code, Query::Look(code)).await?;
        Ok(answer.map(|RoomAnswer { info, players }| (info, players)))
    }

    /// Ends a room of another node. `false` when it is not open.
    pub(crate) async fn close(&self, shared: &Shared, code: RoomCode) -> Result<bool, ErrorDetail> {
        Ok(self.query(shared, code, Query::Close(code)).await?.is_some())
    }

    /// Tells everyone that this node takes nobody new.
    pub(crate) async fn drain(&self, shared: &Shared) {
        let rooms = Note::Rooms { all: true, changed: Vec::new(), removed: Vec::new() };
        {
            let _guard = self.announcing.lock();
            self.nodes.drains(true);
            self.peers().iter().for_each(|peer| peer.tell(rooms.clone()));
        }
        // Others choose a node by what it said of itself last. If that fails they are refused, and choose another.
        let _later = self.beat(shared).await;
    }

    /// Shows each client of another node that is in a room of this one.
    pub(crate) fn for_each_relayed(&self, mut see: impl FnMut(&crate::encode::Outlet)) {
        for peer in self.peers() {
            peer.for_each_host(|host| see(host.outlet()));
        }
    }

    /// Says goodbye to the other nodes, so that nobody waits for this one's lease to end.
    pub(crate) async fn leave(&self) {
        // Whoever was served here for another node is told what those with a socket here will be.
        self.for_each_relayed(|outlet| {
            outlet.outbox.close(CloseCode::GoingAway.as_u16(), "the server is going away");
        });
        // One that is saying that it is there has done so when it is said that it is not.
        let turn = self.nodes.turn().await;
        self.has_left.store(true, Ordering::Relaxed);
        drop(turn);
        let peers = self.peers();
        // First they are told why, by those who pass it on: whom a node leaves is sent to look for it.
        until(|| peers.iter().all(|peer| peer.link_counts().1 == 0)).await;
        peers.iter().for_each(|peer| peer.tell(Note::Leaving));
        if let Err(error) = self.in_time(self.directory.leave(&self.node)).await {
            tracing::warn!(%error, "this node's lease is left to end by itself");
        }
        until(|| !peers.iter().any(|peer| peer.has_more())).await;
        self.stop();
    }

    /// Lets go of the other nodes.
    pub(crate) fn stop(&self) {
        let peers = std::mem::take(&mut *self.peers.lock());
        for neighbour in peers.into_values() {
            neighbour.peer.end_links();
        }
    }

    async fn find(&self, shared: &Shared, code: RoomCode) -> Result<Whereabouts, ErrorDetail> {
        let node = match self.listings.node_of(code) {
            Some(node) => node,
            None => {
                let owned = self.in_time(self.directory.find(code.as_str())).await;
                match owned.map_err(|error| to_wire::store_error(&error))? {
                    Some(owned) => owned.node.into(),
                    None => {
                        check_that_nothing_is_forgotten(shared).await?;
                        return Ok(Whereabouts::Nowhere);
                    }
                }
            }
        };
        if *node == *self.node {
            // It has just closed.
            return Ok(Whereabouts::Nowhere);
        }
        let mut peer = self.peer(&node);
        if peer.is_none() {
            self.beat_since(shared, Instant::now()).await?;
            peer = self.peer(&node);
        }
        match peer {
            Some(peer) if peer.is_heard(self.config.silence_max) => Ok(Whereabouts::There(peer)),
            Some(_) => Err(peer::unavailable()),
            None if self.nodes.knows_nodes(self.config.lease) => Ok(Whereabouts::Nowhere),
            None => Err(peer::unavailable()),
        }
    }

    async fn query(
        &self,
        shared: &Shared,
        code: RoomCode,
        query: Query,
    ) -> Result<Option<RoomAnswer>, ErrorDetail> {
        match self.find(shared, code).await? {
            Whereabouts::There(peer) => peer.ask(shared.next_number(), query).await,
            Whereabouts::Here(_) | Whereabouts::Nowhere => Ok(None),
        }
    }

    fn peer(&self, node: &str) -> Option<Arc<Peer>> {
        self.peers.lock().get(node).map(|neighbour| Arc::clone(&neighbour.peer))
    }

    fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.lock().values().map(|neighbour| Arc::clone(&neighbour.peer)).collect()
    }

    /// Sends to another node what it is to be told, as long as it is there.
    async fn send_to(self: Arc<Self>, peer: Arc<Peer>) {
        loop {
            peer.due().await;
            // What becomes due in the same moment goes along.
            tokio::task::yield_now().await;
            loop {
                if peer.is_rooms_due() {
                    let _guard = self.announcing.lock();
                    peer.tell_all_rooms(self.all_rooms());
                }
                let Some(message) = peer.next_message(&self.node, &self.seal) else { break };
                self.metrics.messages_sent.inc();
                self.metrics.bytes_sent.inc_by(message.len() as u64);
                if let Err(error) = self.bus.send(&peer.inbox, message).await {
                    // Whether it arrived, the other node sees by the next one's number.
                    self.metrics.messages_failed.inc();
                    tracing::debug!(node = %peer.node, %error, "a message to another node failed");
                }
                peer.was_sent();
            }
        }
    }

    fn all_rooms(&self) -> Vec<Note<'static>> {
        let rooms =
            if self.nodes.is_draining() { Vec::new() } else { self.listings.of_this_node() };
        let mut notes = vec![Note::Rooms { all: true, changed: Vec::new(), removed: Vec::new() }];
        notes.extend(rooms_in_notes(Changes { changed: rooms, removed: Vec::new() }));
        notes
    }

    /// Tells the other nodes of rooms of this one that have changed, a few times a second at most, for ever.
    async fn announce(self: Arc<Self>, gateway: Weak<Gateway>) {
        loop {
            self.listings.changed_here().await;
            let Some(gateway) = gateway.upgrade() else { return };
            let interval = gateway.shared.config.room_list_interval;
            drop(gateway);
            // What changes while this waits goes along.
            tokio::time::sleep(interval).await;
            let _guard = self.announcing.lock();
            let changes = self.listings.take_changes();
            if self.nodes.is_draining() {
                continue;
            }
            let notes: Vec<_> = rooms_in_notes(changes).collect();
            for peer in self.peers() {
                notes.iter().for_each(|note| peer.tell(note.clone()));
            }
        }
    }

    /// Takes what comes from other nodes, for ever.
    async fn read_inbox(
        self: Arc<Self>,
        gateway: Weak<Gateway>,
        mut inbox: mpsc::Receiver<Vec<u8>>,
    ) {
        let name = inbox_of(&self.node);
        while let Some(message) = inbox.recv().await {
            let Some(gateway) = gateway.upgrade() else { return };
            self.metrics.messages_received.inc();
            self.metrics.bytes_received.inc_by(message.len() as u64);
            match self.seal.read(&message, &name) {
                Ok(bundle) => self.take(&gateway, bundle),
                Err(error) => {
                    self.metrics.messages_refused.inc();
                    tracing::debug!(%error, "a message on the bus was not read");
                }
            }
        }
    }

    fn take(&self, gateway: &Arc<Gateway>, bundle: Bundle<'_>) {
        let Bundle { from, stream, number, sent, payloads, deliveries, notes } = bundle;
        let Some(peer) = self.peer(from) else {
            self.stranger.notify_one();
            return;
        };
        let delay = peer.delay(sent);
        match peer.heed(stream, number) {
            Heed::Yes => {}
            Heed::No => {
                self.heed_missed(gateway, &peer, &notes);
                return;
            }
            Heed::Broken => {
                self.metrics.streams_broken.inc();
                self.end_links(&peer, "something it sent is missing");
                self.heed_missed(gateway, &peer, &notes);
                return;
            }
            Heed::Anew => self.end_links(&peer, "it has begun anew"),
        }
        let mut shared: Vec<Option<Arc<[u8]>>> = vec![None; payloads.len()];
        for (link, places) in deliveries {
            let Some(edge) = peer.edge(link) else { continue };
            for place in places {
                let place = place as usize;
                let (Some(payload), Some(once)) = (payloads.get(place), shared.get_mut(place))
                else {
                    continue;
                };
                edge.deliver(once.get_or_insert_with(|| Arc::from(&payload[..])));
            }
            edge.after_delivery();
        }
        for note in notes {
            match note {
                // Meanwhile the client may have got its seat elsewhere, which this would take from it.
                Note::Open(open) if delay >= peer::DELAY_MAX => {
                    peer.tell(Note::Opened { link: open.link, outcome: Err(peer::unavailable()) });
                }
                Note::Open(mut open) => {
                    if let Some(key) = open.ask.key_mut() {
                        key.delay = delay;
                    }
                    self.heed(gateway, &peer, Note::Open(open));
                }
                note => self.heed(gateway, &peer, note),
            }
        }
    }

    /// Heeds what is said of this node's own stream, also in one that is broken: when both are, neither would begin
    /// anew otherwise.
    fn heed_missed(&self, gateway: &Gateway, peer: &Peer, notes: &[Note<'_>]) {
        for note in notes {
            if let Note::Missed { stream } = note {
                self.missed(gateway, peer, *stream);
            }
        }
    }

    fn missed(&self, gateway: &Gateway, peer: &Peer, stream: u64) {
        if peer.restart(Some(stream), gateway.shared.next_number()) {
            self.metrics.streams_broken.inc();
            self.end_links(peer, "something sent to it is missing");
        }
    }

    fn heed(&self, gateway: &Arc<Gateway>, peer: &Arc<Peer>, note: Note<'_>) {
        match note {
            Note::Missed { stream } => self.missed(gateway, peer, stream),
            Note::Open(open) if peer.link_counts().1 >= HOSTS_MAX => {
                let message = "the room's node serves as many players of others as it can";
                let outcome = Err(ErrorDetail::new(ErrorCode::SERVER_FULL, message));
                peer.tell(Note::Opened { link: open.link, outcome });
            }
            Note::Open(open) => peer.add_host(HostLink::serve(gateway, peer, *open)),
            Note::Frame { link, kind, frame } => {
                let is_taken =
                    peer.with_host(link, |host| host.handle(kind.into(), frame.into_owned()));
                if is_taken != Some(true) {
                    // The client comes back and sends it again.
                    peer.remove_host(link);
                    peer.tell(Note::lost(link));
                }
            }
            Note::Taken { link, messages, bytes } => {
                peer.with_host(link, |host| Arc::clone(&host.link))
                    .inspect(|link| link.has_taken(messages, bytes));
            }
            Note::Gone { link } => {
                peer.remove_host(link);
            }
            Note::Opened { link, outcome } => {
                peer.edge(link).inspect(|edge| edge.opened(outcome));
            }
            Note::Handled { link, attached } => {
                peer.edge(link).inspect(|edge| edge.handled(attached));
            }
            Note::Close { link, code, reason } => {
                if let Some(edge) = peer.edge(link) {
                    peer.remove_edge(link);
                    edge.close(code, reason);
                }
            }
            Note::Rooms { all, changed, removed } => {
                if all {
                    self.listings.forget_node(&peer.node);
                }
                let rooms_max = gateway.shared.config.rooms_max;
                self.listings.put_of(&peer.node, Changes { changed, removed }, rooms_max);
            }
            Note::Leaving => self.forget(&peer.node, "it has left"),
            Note::Query { number, query } => {
                let answer = host::answer(gateway, &query);
                peer.tell(Note::Answer { number, answer });
            }
            Note::Answer { number, answer } => peer.answered(number, answer),
        }
    }

    /// Says to the directory that this node is there, and hears of the others, for ever.
    async fn keep_beating(self: Arc<Self>, gateway: Weak<Gateway>) {
        loop {
            let Some(gateway) = gateway.upgrade() else { return };
            // When it fails there is another soon.
            let _later = self.beat(&gateway.shared).await;
            drop(gateway);
            // Losing the race loses nothing: a notification is kept, and the time begins anew.
            tokio::select! {
                () = tokio::time::sleep(self.config.lease / BEATS_PER_LEASE) => {}
                // Bounded: the next is heard when this one is dealt with.
                () = self.stranger.notified() => tokio::time::sleep(LOOKS_EVERY).await,
            }
        }
    }

    /// Says to the others that this node is there, and minds who is silent, for ever. Whatever the directory does.
    async fn mind_nodes(self: Arc<Self>, gateway: Weak<Gateway>) {
        loop {
            let Some(gateway) = gateway.upgrade() else { return };
            for peer in self.peers() {
                self.mind(&gateway.shared, &peer);
            }
            drop(gateway);
            tokio::time::sleep(self.config.silence_max / SIGNS_PER_SILENCE).await;
        }
    }

    fn mind(&self, shared: &Shared, peer: &Arc<Peer>) {
        let (edges, hosts) = peer.link_counts();
        if peer.notes_waiting() > NOTES_MAX {
            peer.restart(None, shared.next_number());
            self.end_links(peer, "too much waits to be told to it");
        } else if edges + hosts > 0 && !peer.is_heard(self.config.silence_max) {
            // The other side may hear this one, or hear of all that was missed at once: it learns by the new stream.
            peer.restart(None, shared.next_number());
            self.end_links(peer, "it is silent");
        }
        if !peer.is_heard(self.config.lease) {
            // Where it may be, nobody can say: what cannot be joined is not shown.
            self.listings.forget_node(&peer.node);
            peer.forget_stream();
        }
        peer.beat();
    }

    fn end_links(&self, peer: &Peer, why: &'static str) {
        let ended = peer.end_links();
        if ended > 0 {
            self.metrics.links_lost.inc_by(ended as u64);
            tracing::warn!(node = %peer.node, ended, why, "clients between two nodes are lost");
        }
    }

    /// Another node is not there any more.
    fn forget(&self, node: &str, why: &'static str) {
        let Some(Neighbour { peer, .. }) = self.peers.lock().remove(node) else { return };
        self.end_links(&peer, why);
        self.listings.forget_node(node);
        tracing::info!(%node, why, "another node is gone");
    }

    /// Says that this node is there, unless that was done since `then`.
    async fn beat_since(&self, shared: &Shared, then: Instant) -> Result<(), ErrorDetail> {
        let _one_at_a_time = self.nodes.turn().await;
        if self.nodes.last_beat().is_some_and(|last| last > then) {
            return Ok(());
        }
        self.beat_now(shared).await.map_err(|error| to_wire::store_error(&error))
    }

    async fn beat(&self, shared: &Shared) -> Result<(), StoreError> {
        let _one_at_a_time = self.nodes.turn().await;
        self.beat_now(shared).await
    }

    async fn beat_now(&self, shared: &Shared) -> Result<(), StoreError> {
        if self.has_left.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("this node has left".to_owned()));
        }
        self.nodes.drains(shared.is_draining());
        let about = serde_json::to_string(&self.about(shared, true)).expect("it is plain data");
        let record = NodeRecord { node: self.node.to_string(), about };
        let began = Instant::now();
        let call = self.in_time(self.directory.beat(&record, self.config.lease));
        let beat = shared.metrics.stores.call("beat", call).await?;
        if self.nodes.last_beat().is_none() {
            // What it has claimed already may have been lost since.
            self.ownerships.register_all();
        }
        if self.nodes.has_beaten(began, &beat, self.config.lease) {
            self.metrics.leases_lost.inc();
            tracing::warn!("this node was out of touch with the directory: it registers again");
            self.ownerships.register_all();
        }
        self.follow(shared, beat.nodes);
        Ok(())
    }

    /// Knows of these nodes from now on, and of no others.
    fn follow(&self, shared: &Shared, records: Vec<NodeRecord>) {
        let mut gone: Vec<Arc<str>> = self.peers.lock().keys().cloned().collect();
        for NodeRecord { node, about } in records.into_iter().take(NODES_MAX) {
            if *node == *self.node {
                continue;
            }
            gone.retain(|known| **known != *node);
            let about: About = serde_json::from_str(&about).unwrap_or_default();
            let mut peers = self.peers.lock();
            if let Some(known) = peers.get_mut(node.as_str()) {
                known.about = about;
                continue;
            }
            tracing::info!(node, "another node is there");
            let stream = shared.next_number();
            let metrics = Arc::clone(&self.metrics);
            let under_way = UnderWay::within(shared.config.outbox);
            let peer = Peer::new(&node, inbox_of(&node), stream, self.since, metrics, under_way);
            let me = shared.cluster.clone().expect("it is this one");
            let sends = tokio::spawn(me.send_to(Arc::clone(&peer)));
            let _sends = AbortOnDropHandle::new(sends);
            peer.beat();
            peers.insert(node.into(), Neighbour { peer, about, _sends });
        }
        let is_settled = self.nodes.is_settled();
        for node in gone {
            // What the directory has lost it has yet to hear again: whoever is heard meanwhile is there.
            let is_heard = || self.peer(&node).is_some_and(|p| p.is_heard(self.config.silence_max));
            if is_settled || !is_heard() {
                self.forget(&node, "its lease has ended");
            }
        }
    }

    /// What the directory answers to a call, if it does so in time.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let time_max = self.config.silence_max / SIGNS_PER_SILENCE;
        let late = |_| Err(StoreError::Unavailable("it does not answer in time".to_owned()));
        tokio::time::timeout(time_max, call).await.unwrap_or_else(late)
    }

    /// What this node says of itself.
    fn about(&self, shared: &Shared, counts_steps: bool) -> About {
        About {
            games: self.listings.games().map(str::to_owned).collect(),
            players: shared.sessions.seat_count(),
            rooms: shared.rooms.len(),
            rooms_max: shared.config.rooms_max,
            late_steps: self.nodes.late_steps(&shared.ticks.read(), counts_steps),
            draining: shared.is_draining(),
        }
    }
}

impl Neighbour {
    fn takes(&self, game_type: &str) -> bool {
        let About { games, rooms, rooms_max, draining, .. } = &self.about;
        !draining && rooms < rooms_max && games.iter().any(|game| game == game_type)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("node", &self.node).finish_non_exhaustive()
    }
}

/// What changed, in notes that are not too long.
fn rooms_in_notes(Changes { changed, removed }: Changes) -> impl Iterator<Item = Note<'static>> {
    let removed = Some(removed).filter(|removed| !removed.is_empty());
    let gone = removed.map(|removed| Note::Rooms { all: false, changed: Vec::new(), removed });
    let some = |rooms: &[_]| rooms.to_vec();
    let changed: Vec<_> = changed.chunks(ROOMS_PER_NOTE).map(some).collect();
    let news = changed.into_iter();
    gone.into_iter().chain(news.map(|changed| Note::Rooms {
        all: false,
        changed,
        removed: Vec::new(),
    }))
}

/// Resolves when it is so, or after a while all the same.
async fn until(is_so: impl Fn() -> bool) {
    let looks = async {
        while !is_so() {
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    };
    let _in_time = tokio::time::timeout(LEAVES_WITHIN, looks).await;
}

/// Where a node listens.
fn inbox_of(node: &str) -> String {
    format!("node:{node}")
}

/// A node says that it is there so often in the time for which that counts; to the directory, and to other nodes.
const BEATS_PER_LEASE: u32 = 5;
const SIGNS_PER_SILENCE: u32 = 3;
/// The most other nodes: each tells each, so much more would be talk.
const NODES_MAX: usize = 256;
/// Notes that may wait for a node that takes none. Most are of clients, one for each or two.
const NOTES_MAX: usize = 200_000;
/// Clients of one other node that are served at once.
const HOSTS_MAX: usize = 100_000;
const ROOMS_PER_NOTE: usize = 500;
/// Between two looks at something that has a bound in time.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
const LEAVES_WITHIN: Duration = Duration::from_millis(500);
