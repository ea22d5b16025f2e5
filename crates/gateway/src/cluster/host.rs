//! A client of another node whose room is on this one: a client like any other, whose transport is the bus.
//!
//! It has a [`Connection`] and an outbox with the bounds of any other. What waits in the outbox is taken only as fast as
//! the client's socket takes it there: beyond a window of messages under way it stays here, where newer states take
//! the places of older ones, and where a client that is too slow is found out.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use parlor_core::CloseReason;
use parlor_protocol::{ErrorCode, ErrorDetail, FrameKind};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::bundle::{Ask, Note, Open, Query, RoomAnswer, Seated};
use super::peer::{Peer, UnderWay};
use crate::connection::{Attached, Attachment, Connection, Handled, Seat};
use crate::encode::{Answering, Link, Outlet};
use crate::gateway::Gateway;
use crate::opening::{refuse_while_draining, unknown_game};
use crate::outbox::{Message, Taken};
use crate::seating::{self, JoiningKey, key_in_use, room_closed, room_not_found};

/// A client of another node.
pub(super) struct HostLink {
    pub(super) number: u64,
    peer: Arc<Peer>,
    outlet: Outlet,
    window: Mutex<Window>,
}

/// A client of another node as its peer keeps it. Dropping it ends the connection.
pub(super) struct HostHandle {
    pub(super) link: Arc<HostLink>,
    /// Frames on their way to be handled. An edge sends one at a time.
    frames: mpsc::Sender<(FrameKind, Vec<u8>)>,
    _task: AbortOnDropHandle<()>,
}

/// What is under way to the client.
#[derive(Default)]
struct Window {
    sent: (u64, u64),
    taken: (u64, u64),
    /// Whether there is more that waits for the window to open.
    is_stalled: bool,
    /// A frame is handled, and whether the client still has its seat. Told after all that is to be delivered before.
    handled: Option<bool>,
}

/// What was taken from a link's outbox.
pub(super) enum Out {
    /// There may be more: look again at once.
    More,
    /// Nothing for now. It is said when there is.
    Rest,
    /// The connection ends.
    Close(u16, String),
}

impl HostLink {
    /// Begins to serve a client of `peer`.
    pub(super) fn serve(gateway: &Arc<Gateway>, peer: &Arc<Peer>, open: Open) -> HostHandle {
        let number = open.link;
        let connection = Connection::relayed(Arc::clone(gateway), open.codec());
        let link = Arc::new(Self {
            number,
            peer: Arc::clone(peer),
            outlet: connection.link.outlet.clone(),
            window: Mutex::default(),
        });
        let (sender, frames) = mpsc::channel(FRAMES_MAX);
        let task = tokio::spawn(serve(Arc::clone(&link), connection, open, frames));
        peer.is_ready(Arc::clone(&link));
        HostHandle { link, frames: sender, _task: AbortOnDropHandle::new(task) }
    }

    /// Appends what may be sent now to `messages`, at most `messages_max`.
    pub(super) fn take(self: &Arc<Self>, messages_max: usize, messages: &mut Vec<Message>) -> Out {
        let mut window = self.window.lock();
        let left = window.left(self.peer.under_way);
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let outbox = &self.outlet.outbox;
        if left == 0 {
            window.is_stalled = true;
            // Of one that takes nothing the end must still be told, when nothing is to be told before.
            if outbox.poll_closed(&mut cx).is_pending() || !outbox.is_empty() {
                return Out::Rest;
            }
        }
        let before = messages.len();
        let taken = outbox.poll_take(&mut cx, messages_max.min(left), messages);
        for message in &messages[before..] {
            window.sent.0 += 1;
            window.sent.1 += message.payload.len() as u64;
        }
        match taken {
            Poll::Ready(Taken::Messages { more: true }) => Out::More,
            Poll::Ready(Taken::Messages { more: false }) | Poll::Pending => Out::Rest,
            Poll::Ready(Taken::Close { code, reason }) => Out::Close(code, reason.into_owned()),
        }
    }

    /// Resolves when nothing waits for the client.
    async fn is_empty(&self) {
        let mut is_asked = false;
        poll_fn(|cx| {
            if self.outlet.outbox.is_empty() {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut is_asked, true) {
                self.outlet.outbox.when_empty(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// A frame is handled: whether the client still has its seat.
    fn has_handled(self: &Arc<Self>, attached: bool) {
        self.window.lock().handled = Some(attached);
        self.peer.is_ready(Arc::clone(self));
    }

    /// What is to be told of a frame that is handled, when everything that came of it is on its way. Otherwise what the
    /// edge answers next could overtake it.
    pub(super) fn take_handled(&self) -> Option<Note<'static>> {
        let mut window = self.window.lock();
        if !self.outlet.outbox.is_empty() {
            return None;
        }
        let attached = window.handled.take()?;
        Some(Note::Handled { link: self.number, attached })
    }

    /// The client has taken so much of what it was ever sent.
    pub(super) fn has_taken(self: &Arc<Self>, messages: u64, bytes: u64) {
        let mut window = self.window.lock();
        // Whatever an edge says, more than was sent was not taken, nor is anything taken back.
        window.taken.0 = messages.clamp(window.taken.0, window.sent.0);
        window.taken.1 = bytes.clamp(window.taken.1, window.sent.1);
        if window.left(self.peer.under_way) > 0 && std::mem::take(&mut window.is_stalled) {
            drop(window);
            self.peer.is_ready(Arc::clone(self));
        }
    }
}

impl Window {
    /// Messages that may be sent.
    fn left(&self, max: UnderWay) -> usize {
        if self.sent.1 - self.taken.1 >= max.bytes {
            return 0;
        }
        usize::try_from(max.messages.saturating_sub(self.sent.0 - self.taken.0))
            .unwrap_or(usize::MAX)
    }
}

/// Something waits in its outbox.
impl Wake for HostLink {
    fn wake(self: Arc<Self>) {
        let peer = Arc::clone(&self.peer);
        peer.is_ready(self);
    }
}

impl HostHandle {
    /// Hands a frame over; `false` when the edge does not wait for the one before to be handled.
    pub(super) fn handle(&self, kind: FrameKind, frame: Vec<u8>) -> bool {
        self.frames.try_send((kind, frame)).is_ok()
    }

    /// The way to the client.
    pub(super) fn outlet(&self) -> &Outlet {
        &self.link.outlet
    }
}

/// Finds the client its seat, then handles its frames. Ends when its handle is dropped.
async fn serve(
    link: Arc<HostLink>,
    mut connection: Connection,
    open: Open,
    mut frames: mpsc::Receiver<(FrameKind, Vec<u8>)>,
) {
    let number = link.number;
    let outcome = match open.answering() {
        Some(to) => seat(&connection, open.ask, to).await,
        None => Err(ErrorDetail::new(ErrorCode::BAD_REQUEST, "this is no request for a seat")),
    };
    let outcome = outcome.map(|seat| match seat {
        Some(seat) => {
            connection.seat = Seat::Held(Attachment::Here(seat));
            Seated::Yes
        }
        None => Seated::No,
    });
    let is_seated = matches!(outcome, Ok(Seated::Yes));
    link.outlet.outbox.wake();
    link.peer.tell(Note::Opened { link: number, outcome });
    if !is_seated {
        // Dropped now, the connection would be told to end, and the client's socket with it. Its handle goes with the
        // edge's, which has been told, and this with the handle.
        std::future::pending::<()>().await;
    }
    while let Some((kind, frame)) = frames.recv().await {
        if let Handled::Pending(rest) = connection.handle(kind, &frame) {
            rest.await;
        }
        // As for any other client: before more is asked, what was asked for is given.
        while link.outlet.outbox.is_filling() {
            link.is_empty().await;
        }
        let attached = connection.seat.held().is_some();
        link.has_handled(attached);
    }
}

/// Finds a client its seat in a room of this node. `None` when it is not there.
async fn seat(
    connection: &Connection,
    mut ask: Ask,
    to: Answering,
) -> Result<Option<Attached>, ErrorDetail> {
    let (gateway, shared, link) = (&connection.gateway, connection.shared(), &connection.link);
    let _claim = match ask.key_mut() {
        Some(key) => Some(shared.keys.claim(key.digest).ok_or_else(key_in_use)?),
        None => None,
    };
    match ask {
        Ask::Join { room, newcomer, key } => {
            let (token, subject) = (newcomer.token.clone(), newcomer.subject.as_deref());
            if let Some(seat) = former(connection, key, token, subject, to).await? {
                return Ok(Some(seat));
            }
            refuse_while_draining(shared)?;
            let room = shared.rooms.get(room).ok_or_else(room_not_found)?;
            let seat = seating::join(shared, room, newcomer, to, link).await?;
            Ok(Some(remembered(connection, key, seat)))
        }
        Ask::Open { game_type, mut opening, newcomer, key } => {
            let game = gateway.games.get(game_type.as_str()).ok_or_else(unknown_game)?;
            let options = game.read_options(std::mem::take(&mut opening.options))?;
            opening.options = parlor_protocol::Object::clone(&options);
            let seat = seating::open(shared, game, opening, newcomer, to, link).await?;
            Ok(Some(remembered(connection, key, seat)))
        }
        Ask::OnceMore { key, token, subject } => {
            seating::once_more(shared, key, token, subject.as_deref(), to, link).await
        }
        Ask::Return { room, returning } => {
            let room = shared.rooms.get(room).ok_or_else(room_closed)?;
            seating::come_back(shared, room, &returning, to, link).map(Some)
        }
    }
}

async fn former(
    connection: &Connection,
    key: Option<JoiningKey>,
    token: seating::NewToken,
    subject: Option<&str>,
    to: Answering,
) -> Result<Option<Attached>, ErrorDetail> {
    let Some(key) = key else { return Ok(None) };
    let link: &Link = &connection.link;
    seating::once_more(connection.shared(), key, token, subject, to, link).await
}

fn remembered(connection: &Connection, key: Option<JoiningKey>, seat: Attached) -> Attached {
    if let Some(key) = key {
        seating::remember_key(connection.shared(), key, &seat);
    }
    seat
}

/// What another node is told of a room, or does to it.
pub(super) fn answer(gateway: &Gateway, query: &Query) -> Option<RoomAnswer> {
    let (Query::Look(code) | Query::Close(code)) = query;
    let room = gateway.shared.rooms.get(*code)?;
    let answer = RoomAnswer { info: room.info(), players: room.players() };
    match query {
        Query::Look(_) => {}
        Query::Close(_) => room.close(gateway.shared.clock.now(), CloseReason::Admin),
    }
    Some(answer)
}

/// Frames of a client that may wait to be handled: the one that its edge sends, and one more for good measure.
const FRAMES_MAX: usize = 2;
