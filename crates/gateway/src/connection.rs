//! One socket: from its frames to requests, how fast they may come, and what it is attached to.
//!
//! A [`Connection`] knows no transport. Whoever has the socket hands over each frame and writes
//! what the outbox holds. Requests run strictly one after another. Those that touch nothing but
//! rooms are done when [`Connection::handle`] returns; those that ask a store go on as a future.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_core::Time;
use parlor_protocol::{
    Answered, CloseCode, Codec, Envelope, ErrorCode, ErrorDetail, EventType, FrameKind,
    PROTOCOL_VERSION, Request, RequestError, RequestId, RequestType, ServerDraining, Unreadable,
    Welcome, WelcomeLimits, read_frame,
};

use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::caller::Caller;
use crate::cluster::{EdgeHandle, EdgeLink};
use crate::encode::{Answering, Link, Outlet};
use crate::feed::Hold;
use crate::fingerprint::fingerprint;
use crate::gateway::Gateway;
use crate::handlers::{self, Slow};
use crate::identity::Identity;
use crate::operators::Peer;
use crate::outbox::Outbox;
use crate::quotas::{AddressKey, AddressPlace};
use crate::rate::{Bucket, Strikes};
use crate::room::{AfterRequest, AnyRoom, SeatRequest, not_in_room};
use crate::shared::Shared;

/// A client's connection. Dropping it means that the socket is lost.
pub struct Connection {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) link: Link,
    /// Unlike the name that the client is told, this is for the gateway's own maps.
    pub(crate) number: u64,
    pub(crate) seat: Seat,
    /// Its place among those of its address.
    place: Option<AddressPlace>,
    /// Games whose rooms it wants to hear of. Most connections want none.
    #[expect(clippy::box_collection, reason = "8 bytes instead of 24 for each connection")]
    pub(crate) subscriptions: Option<Box<BTreeSet<&'static str>>>,
    requests: Bucket,
    /// Made at the first offence: most connections have none.
    offences: Option<Box<Offences>>,
}

/// The seat of a connection.
#[derive(Default)]
pub(crate) enum Seat {
    /// It never had one.
    #[default]
    None,
    /// It is attached to this one.
    Held(Attachment),
    /// It had this one last.
    Left(Attachment),
}

/// Where a seat is.
pub(crate) enum Attachment {
    /// In a room of this node.
    Here(Attached),
    /// In a room of another.
    There(EdgeHandle),
}

#[derive(Default)]
struct Offences {
    unreadable: Strikes,
    refused: Strikes,
}

/// The seat that a connection is attached to.
pub(crate) struct Attached {
    pub(crate) room: Arc<dyn AnyRoom>,
    pub(crate) hold: Hold,
}

/// How far a frame is handled.
pub enum Handled<'a> {
    /// Wholly.
    Done,
    /// It goes on for a while. The next frame must wait for the future's end; what is pushed
    /// meanwhile need not. The future may be dropped when the socket is lost.
    Pending(Pin<Box<dyn Future<Output = ()> + Send + 'a>>),
}

impl Connection {
    pub(crate) fn open(gateway: Arc<Gateway>, codec: Codec, caller: Caller) -> Self {
        let shared = &gateway.shared;
        let (config, now) = (&shared.config, shared.clock.now());
        let metrics = Arc::clone(&shared.metrics);
        metrics.connected();
        let outlet = Outlet { outbox: Outbox::new(config.outbox), codec, is_relayed: false };
        let number = shared.next_number();
        let Caller { place, identity } = caller;
        let address = place.as_ref().and_then(AddressPlace::address);
        let peer = Peer { outlet: outlet.clone(), address, identity, since: now };
        shared.connections.insert(number, peer);

        outlet.tell(
            EventType::Welcome,
            &Welcome {
                protocol: PROTOCOL_VERSION,
                server: SERVER.into(),
                connection_id: shared.random.new_name(),
                server_time: now.as_millis(),
                heartbeat_ms: u64::try_from(config.heartbeat.as_millis()).unwrap_or(u64::MAX),
                limits: WelcomeLimits {
                    max_message_bytes: config.frame.message_bytes_max as u64,
                    messages_per_second: config.requests_per_second,
                },
            },
        );
        if let Some(reconnect_after_ms) = shared.reconnect_after_ms.get().copied() {
            outlet.tell(EventType::ServerDraining, &ServerDraining { reconnect_after_ms });
        }
        Self {
            requests: Bucket::full(shared.request_rate, now),
            offences: None,
            gateway,
            link: Link { outlet, metrics },
            number,
            seat: Seat::None,
            place,
            subscriptions: None,
        }
    }

    /// A client whose socket is another node's.
    pub(crate) fn relayed(gateway: Arc<Gateway>, codec: Codec) -> Self {
        let shared = &gateway.shared;
        let outlet = Outlet { outbox: Outbox::new(shared.config.outbox), codec, is_relayed: true };
        Self {
            requests: Bucket::full(shared.request_rate, shared.clock.now()),
            offences: None,
            link: Link { outlet, metrics: Arc::clone(&shared.metrics) },
            number: shared.next_number(),
            gateway,
            seat: Seat::None,
            place: None,
            subscriptions: None,
        }
    }

    /// What is to be written to the socket.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.link.outlet.outbox
    }

    /// The codec that the socket speaks.
    pub fn codec(&self) -> Codec {
        self.link.outlet.codec
    }

    /// How long the client may ask nothing before it is closed with 1000: for ever while it sits
    /// in a room.
    pub fn idle_max(&self) -> Option<Duration> {
        match self.seat {
            Seat::Held(_) => None,
            Seat::None | Seat::Left(_) => Some(self.shared().config.unattached_idle_max),
        }
    }

    /// Handles a frame. Every request in it gets exactly one response, for which whoever waits on
    /// the outbox is woken.
    pub fn handle(&mut self, kind: FrameKind, frame: &[u8]) -> Handled<'_> {
        if let Seat::Held(Attachment::There(EdgeHandle(link))) = &self.seat
            && self.goes_there(kind, frame)
        {
            let handled = link.pass_on(kind, frame);
            return Handled::Pending(Box::pin(self.until_handled_there(handled)));
        }
        match self.handle_from(0, kind, frame) {
            None => {
                self.link.outlet.outbox.wake();
                Handled::Done
            }
            Some(Waiting { slow, handled }) => {
                // The frame's memory is the caller's; what is left of it must outlive the call.
                let rest = frame.to_vec();
                Handled::Pending(Box::pin(self.go_on(slow, handled, kind, rest)))
            }
        }
    }

    /// Handles the requests of a frame from number `first` on, until one has to wait for a store.
    fn handle_from(&mut self, first: usize, kind: FrameKind, bytes: &[u8]) -> Option<Waiting> {
        let now = self.shared().clock.now();
        let frame = if kind == self.link.outlet.codec.frame_kind() {
            read_frame(self.link.outlet.codec, bytes, &self.shared().config.frame)
        } else {
            Err(Unreadable::WrongFrameKind)
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                self.refuse_unreadable(error, now);
                return None;
            }
        };
        for (number, envelope) in frame.requests().enumerate().skip(first) {
            // What is asked after the close would be done and never answered.
            if self.link.outlet.outbox.is_closed() {
                return None;
            }
            let waiting = match envelope {
                Ok(envelope) => self.handle_one(&envelope, now),
                Err(error) => {
                    self.refuse_unreadable(error, now);
                    None
                }
            };
            if let Some(slow) = waiting {
                return Some(Waiting { slow, handled: number + 1 });
            }
        }
        None
    }

    /// Does what had to wait, then the rest of the frame.
    async fn go_on(&mut self, slow: Slow, handled: usize, kind: FrameKind, frame: Vec<u8>) {
        let mut waiting = Some(Waiting { slow, handled });
        while let Some(Waiting { slow, handled }) = waiting {
            let span = slow.answering().map_or_else(Span::none, |to| self.span_of(to));
            handlers::handle_slow(self, slow).instrument(span).await;
            waiting = self.handle_from(handled, kind, &frame);
            self.link.outlet.outbox.wake();
        }
    }

    /// Waits for a frame to be handled on the node that has the room.
    async fn until_handled_there(&mut self, handled: oneshot::Receiver<bool>) {
        // Without an answer the connection is closing.
        if handled.await == Ok(false) {
            self.seat.leave();
        }
    }

    fn handle_one(&mut self, envelope: &Envelope<'_>, now: Time) -> Option<Slow> {
        if let Some(link) = self.answers_there(&envelope.kind) {
            return Some(Slow::There(Arc::clone(link), envelope.bytes.to_owned()));
        }
        let began = Instant::now();
        let answered = |request: Option<Answering>| match request {
            Some(to) => Answered::Request(to.kind),
            None => Answered::UnknownType(&envelope.kind),
        };
        let to = RequestType::from_wire(&envelope.kind).map(|kind| Answering {
            kind,
            id: envelope.id,
            fingerprint: fingerprint(envelope),
        });

        if let Err(wait) = self.requests.take(self.gateway.shared.request_rate, now) {
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            let error = ErrorDetail::rate_limited(wait);
            self.link.refuse_as(answered(to), envelope.id, &error);
            self.shared().metrics.limited("requests");
            if self.offences.get_or_insert_default().refused.strike(
                now,
                RATE_REFUSALS_MAX,
                STRIKES_WINDOW,
            ) {
                let code = CloseCode::RateLimited.as_u16();
                self.link.outlet.outbox.close(code, "too many requests");
            }
            return None;
        }

        let error = match (Request::parse(envelope), to) {
            (Ok(request @ Request::GameAction(_)), Some(to)) => {
                let outcome = handlers::handle(self, request, to, now);
                self.shared().metrics.acted(began.elapsed());
                return outcome;
            }
            (Ok(request), Some(to)) => {
                let span = if has_span(to.kind) { self.span_of(to) } else { Span::none() };
                return span.in_scope(|| handlers::handle(self, request, to, now));
            }
            (Err(RequestError::Invalid(fields)), _) => ErrorDetail::validation_failed(&fields),
            (Err(RequestError::UnknownType), _) | (Ok(_), None) => {
                ErrorDetail::new(ErrorCode::UNKNOWN_TYPE, RequestError::UnknownType.to_string())
            }
        };
        self.link.refuse_as(answered(to), envelope.id, &error);
        None
    }

    /// For requests that are rare: what is logged while one is handled says which.
    fn span_of(&self, to: Answering) -> Span {
        let (kind, id) = (to.kind.as_str(), to.id.map(RequestId::get));
        tracing::info_span!("request", connection = self.number, kind, id)
    }

    fn refuse_unreadable(&mut self, error: Unreadable, now: Time) {
        self.link.refuse_as(Answered::Unreadable, None, &error.into());
        if self.offences.get_or_insert_default().unreadable.strike(
            now,
            UNREADABLE_MAX,
            STRIKES_WINDOW,
        ) {
            let code = CloseCode::TooManyUnreadable.as_u16();
            self.link.outlet.outbox.close(code, "too many unreadable messages");
        }
    }

    /// The address that it comes from, if that is known.
    pub(crate) fn address(&self) -> Option<AddressKey> {
        self.place.as_ref().and_then(AddressPlace::address)
    }

    /// Who it has shown itself to be.
    pub(crate) fn identity(&self) -> Option<Arc<Identity>> {
        self.shared().connections.get(&self.number)?.identity
    }

    pub(crate) fn subject(&self) -> Option<Arc<str>> {
        self.identity().map(|identity| Arc::clone(&identity.subject))
    }

    /// From now on it is this one.
    pub(crate) fn identify(&self, identity: Arc<Identity>) {
        let connections = &self.shared().connections;
        if let Some(peer) = connections.get(&self.number) {
            connections.insert(self.number, Peer { identity: Some(identity), ..peer });
        }
    }

    /// The way to the node that answers a request of this type. One who has left asks that node only what needs a seat.
    fn answers_there(&self, kind: &str) -> Option<&Arc<EdgeLink>> {
        let (Seat::Held(Attachment::There(handle)) | Seat::Left(Attachment::There(handle))) =
            &self.seat
        else {
            return None;
        };
        let is_held = self.seat.held().is_some();
        let kind = RequestType::from_wire(kind);
        let is_there = kind.map_or(is_held, |kind| match asks_whom(kind) {
            Asks::Room => true,
            Asks::Anyone => is_held,
            Asks::Socket => false,
        });
        is_there.then_some(&handle.0)
    }

    /// Whether all requests of a frame are for the node that has the room, so that it can be passed on as it is.
    fn goes_there(&self, kind: FrameKind, frame: &[u8]) -> bool {
        let codec = self.codec();
        kind == codec.frame_kind()
            && read_frame(codec, frame, &self.shared().config.frame).is_ok_and(|frame| {
                let goes_there = |kind: &str| self.answers_there(kind).is_some();
                frame.requests().all(|one| one.is_ok_and(|one| goes_there(&one.kind)))
            })
    }

    /// Passes a request on to the node that has the room, and waits until it is handled.
    pub(crate) async fn pass_on(&mut self, link: &EdgeLink, request: &[u8]) {
        let handled = link.pass_on(self.codec().frame_kind(), request);
        self.until_handled_there(handled).await;
    }

    /// Lets the room of this connection's seat handle a request.
    pub(crate) fn ask_room(&mut self, request: SeatRequest<'_>, to: Answering, now: Time) {
        let Some(Attached { room, hold }) = self.seat.here() else {
            self.refuse_unattached(to, now);
            return;
        };
        match room.handle(now, *hold, request, to, &self.link) {
            AfterRequest::Attached => {}
            AfterRequest::Unattached => self.seat.leave(),
        }
    }

    /// Answers what only someone with a seat may ask. One who has left and did not hear the answer
    /// gets it again.
    pub(crate) fn refuse_unattached(&self, to: Answering, now: Time) {
        let is_known = match &self.seat {
            Seat::Left(Attachment::Here(Attached { room, hold })) => {
                room.answer_again(now, hold.player, to, &self.link)
            }
            Seat::None | Seat::Held(_) | Seat::Left(Attachment::There(_)) => false,
        };
        if !is_known {
            self.link.refuse(to, &not_in_room());
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.gateway.shared
    }
}

impl Seat {
    /// The seat that the connection is attached to.
    pub(crate) fn held(&self) -> Option<&Attachment> {
        match self {
            Self::Held(seat) => Some(seat),
            Self::None | Self::Left(_) => None,
        }
    }

    /// The same, if it is in a room of this node.
    pub(crate) fn here(&self) -> Option<&Attached> {
        match self {
            Self::Held(Attachment::Here(seat)) => Some(seat),
            Self::None | Self::Held(Attachment::There(_)) | Self::Left(_) => None,
        }
    }

    fn leave(&mut self) {
        if let Self::Held(seat) = std::mem::take(self) {
            *self = Self::Left(seat);
        }
    }
}

/// Whether a request that is handled at once has a span. Those that come often have none, and those that wait for a
/// store have theirs then.
const fn has_span(kind: RequestType) -> bool {
    match kind {
        RequestType::Ping
        | RequestType::GameAction
        | RequestType::Chat
        | RequestType::CreateRoom
        | RequestType::JoinRoom
        | RequestType::QuickMatch
        | RequestType::Reconnect
        | RequestType::Authenticate => false,
        RequestType::ListGames
        | RequestType::ListRooms
        | RequestType::SubscribeRooms
        | RequestType::UnsubscribeRooms
        | RequestType::LeaveRoom
        | RequestType::GetState
        | RequestType::SetReady
        | RequestType::SetRole
        | RequestType::StartGame
        | RequestType::Rematch
        | RequestType::AddBot
        | RequestType::RemoveBot
        | RequestType::KickPlayer
        | RequestType::SetHost
        | RequestType::UpdateRoom => true,
    }
}

/// Who is asked, where the room is on another node than the socket.
enum Asks {
    /// The room, by someone with a seat.
    Room,
    /// Whichever node is being talked to.
    Anyone,
    /// The node that has the socket: it alone keeps what belongs to it, and sees the secrets that come with it.
    Socket,
}

const fn asks_whom(kind: RequestType) -> Asks {
    match kind {
        RequestType::GameAction
        | RequestType::Chat
        | RequestType::LeaveRoom
        | RequestType::GetState
        | RequestType::SetReady
        | RequestType::SetRole
        | RequestType::StartGame
        | RequestType::Rematch
        | RequestType::AddBot
        | RequestType::RemoveBot
        | RequestType::KickPlayer
        | RequestType::SetHost
        | RequestType::UpdateRoom => Asks::Room,
        RequestType::Ping | RequestType::ListGames | RequestType::ListRooms => Asks::Anyone,
        RequestType::SubscribeRooms
        | RequestType::UnsubscribeRooms
        | RequestType::CreateRoom
        | RequestType::JoinRoom
        | RequestType::QuickMatch
        | RequestType::Reconnect
        | RequestType::Authenticate => Asks::Socket,
    }
}

/// The requests of a frame that were handled, the last of which has to wait.
struct Waiting {
    slow: Slow,
    handled: usize,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let shared = Arc::clone(self.shared());
        shared.connections.remove(&self.number);
        for game in self.subscriptions.as_deref().into_iter().flatten() {
            shared.listings.unsubscribe(game, self.number);
        }
        self.link.outlet.outbox.abandon();
        // Another node that has the socket counts it.
        if !self.link.outlet.is_relayed {
            let code = self.link.outlet.outbox.close_code();
            shared.traffic.ended(self.link.outlet.outbox.totals(), code);
            shared.metrics.disconnected(code);
        }
        if let Seat::Held(Attachment::Here(Attached { room, hold })) =
            std::mem::take(&mut self.seat)
        {
            room.disconnect(shared.clock.now(), hold);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("number", &self.number)
            .field("codec", &self.link.outlet.codec)
            .field("is_attached", &self.seat.held().is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Handled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "Done",
            Self::Pending(_) => "Pending(..)",
        })
    }
}

const SERVER: &str = concat!("parlor/", env!("CARGO_PKG_VERSION"));

/// Unreadable messages within [`STRIKES_WINDOW`] that close a connection.
const UNREADABLE_MAX: usize = 20;

/// Refusals for asking too fast within [`STRIKES_WINDOW`] that close a connection.
const RATE_REFUSALS_MAX: usize = 100;

const STRIKES_WINDOW: Duration = Duration::from_secs(10);
