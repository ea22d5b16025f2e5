//! What those who ask and the connection's task share: numbers, who waits, the session, the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use parlor_protocol::limits::UNANSWERED_REQUESTS_MAX;
use parlor_protocol::{
    BadServerMessage, Codec, ErrorDetail, EventType, FrameKind, NoData, RawData, RequestFrame,
    RequestId, RequestType, ServerMessage, StateSnapshot, WelcomeLimits, read_server_message,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::closed::Closed;
use crate::event::{Event, Incoming, Queued, StateAnswer};
use crate::request::{Known, RequestError};
use crate::session::{Seated, Session};

pub(crate) struct Shared {
    codec: Codec,
    request_bytes_max: u64,
    /// One permit per unanswered request. Closed with the connection.
    unanswered: Arc<Semaphore>,
    /// Cancelled when the connection is over.
    over: CancellationToken,
    outgoing: mpsc::Sender<Message>,
    /// Guards everything that changes. Also what makes the order of ids that of the queue.
    state: Mutex<State>,
}

struct State {
    last_id: u64,
    waiting: BTreeMap<u64, Waiting>,
    session: Option<Session>,
    /// Raised whenever a seat is taken or given up, so that an event of an older one that was not
    /// taken yet does not count for the new one.
    attachment: u64,
    /// Whether answers to `get_state` take their place among the events.
    follows_states: bool,
    /// When the connection itself asked for the state, until it is answered.
    asked_for_state: Option<Instant>,
    closing: bool,
    closed: Option<Closed>,
}

struct Waiting {
    reply: Reply,
    /// Given back with the answer, not when nobody waits for it any more: what counts is what
    /// the server has not answered.
    permit: OwnedSemaphorePermit,
}

/// Called once, with the answer to a request or the reason why there is none.
pub(crate) type Reply = Box<dyn FnOnce(Result<RawData<'_>, RequestError>) + Send>;

impl Waiting {
    fn answer(self, outcome: Result<RawData<'_>, RequestError>) {
        // First, so that whoever hears of the answer may ask again at once.
        drop(self.permit);
        (self.reply)(outcome);
    }
}

impl Shared {
    /// Also gives what is to be written to the socket.
    pub(crate) fn new(
        codec: Codec,
        limits: &WelcomeLimits,
    ) -> (Arc<Self>, mpsc::Receiver<Message>) {
        // Each queued request holds a permit, so there is room for all, for one ping and one
        // question of the connection's own, and for one goodbye.
        let (outgoing, queue) = mpsc::channel(UNANSWERED_REQUESTS_MAX + 3);
        let shared = Self {
            codec,
            request_bytes_max: limits.max_message_bytes,
            unanswered: Arc::new(Semaphore::new(UNANSWERED_REQUESTS_MAX)),
            over: CancellationToken::new(),
            outgoing,
            state: Mutex::new(State {
                last_id: 0,
                waiting: BTreeMap::new(),
                session: None,
                attachment: 0,
                follows_states: false,
                asked_for_state: None,
                closing: false,
                closed: None,
            }),
        };
        (Arc::new(shared), queue)
    }

    /// Waits until one more request may be sent.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, Closed> {
        let permit = Arc::clone(&self.unanswered).acquire_owned().await;
        permit.map_err(|_| self.closed().unwrap_or(Closed::ByClient))
    }

    /// Queues a request with the next id. `reply` is called once, unless this fails.
    pub(crate) fn send(
        &self,
        kind: RequestType,
        data: &(impl Serialize + ?Sized),
        permit: OwnedSemaphorePermit,
        reply: impl FnOnce(Result<RawData<'_>, RequestError>) + Send + 'static,
    ) -> Result<(), RequestError> {
        let mut state = self.state.lock();
        if let Some(closed) = &state.closed {
            return Err(closed.clone().into());
        }
        let number = state.last_id + 1;
        let id = RequestId::new(number);
        let bytes = self.codec.encode(&RequestFrame { kind, id, data })?;
        self.queue(&mut state, number, bytes.into(), Waiting { reply: Box::new(reply), permit })
    }

    /// Queues a request that has its number and is encoded with it. `reply` is called once, unless
    /// this fails.
    ///
    /// # Panics
    ///
    /// When there are as many unanswered as there may be: whoever numbers its requests counts them.
    pub(crate) fn send_numbered(
        &self,
        number: u64,
        bytes: Bytes,
        reply: Reply,
    ) -> Result<(), RequestError> {
        let permit = match Arc::clone(&self.unanswered).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => {
                return Err(self.closed().unwrap_or(Closed::ByClient).into());
            }
            Err(TryAcquireError::NoPermits) => panic!("more requests than may be unanswered"),
        };
        self.queue(&mut self.state.lock(), number, bytes, Waiting { reply, permit })
    }

    fn queue(
        &self,
        state: &mut State,
        number: u64,
        bytes: Bytes,
        waiting: Waiting,
    ) -> Result<(), RequestError> {
        if let Some(closed) = &state.closed {
            return Err(closed.clone().into());
        }
        if bytes.len() as u64 > self.request_bytes_max {
            return Err(RequestError::TooLarge {
                bytes: bytes.len(),
                bytes_max: self.request_bytes_max,
            });
        }
        self.outgoing.try_send(self.message(bytes)).map_err(|error| match error {
            TrySendError::Full(_) => unreachable!("each queued request holds a permit"),
            TrySendError::Closed(_) => Closed::ByClient,
        })?;
        state.last_id = state.last_id.max(number);
        state.waiting.insert(number, waiting);
        Ok(())
    }

    /// Asks the server for a sign of life. What it answers is not looked at.
    pub(crate) fn ping(&self) {
        let ping = RequestFrame { kind: RequestType::Ping, id: None, data: &NoData {} };
        let bytes = self.codec.encode(&ping).expect("it has no data that could not be encoded");
        // A queue that is full holds requests, which will be answered as well.
        let _ = self.outgoing.try_send(self.message(bytes.into()));
    }

    /// From now on answers to `get_state` take their place among the events.
    pub(crate) fn follow_states(&self) {
        self.state.lock().follows_states = true;
    }

    /// Asks for the state, without a number and beside what the program asks: the answer comes among
    /// the events. Gives whether there was room for that.
    pub(crate) fn ask_for_state(&self) -> bool {
        let mut state = self.state.lock();
        let ask = RequestFrame { kind: RequestType::GetState, id: None, data: &NoData {} };
        let bytes = self.codec.encode(&ask).expect("it has no data that could not be encoded");
        let is_asked = self.outgoing.try_send(self.message(bytes.into())).is_ok();
        if is_asked {
            state.asked_for_state = Some(Instant::now());
        }
        is_asked
    }

    /// Waits until what the connection itself asked has been unanswered for `time_max`.
    pub(crate) async fn overdue(&self, time_max: Duration) {
        loop {
            let asked = self.state.lock().asked_for_state;
            match asked {
                Some(at) if at.elapsed() >= time_max => return,
                Some(at) => sleep_until(at + time_max).await,
                // Whatever is asked meanwhile is not overdue before.
                None => sleep(time_max).await,
            }
        }
    }

    fn message(&self, bytes: Bytes) -> Message {
        match self.codec.frame_kind() {
            FrameKind::Text => {
                Message::Text(Utf8Bytes::try_from(bytes).expect("JSON is written in UTF-8"))
            }
            FrameKind::Binary => Message::Binary(bytes),
        }
    }

    /// Takes in one message of the server.
    pub(crate) fn receive(
        &self,
        frame: Bytes,
        events: &mpsc::Sender<Queued>,
    ) -> Result<(), Closed> {
        match read_server_message(self.codec, &frame).map_err(Closed::BadMessage)? {
            ServerMessage::Response { kind, id, outcome } => {
                if kind == RequestType::GetState.as_str() {
                    self.place_state(id.is_none(), &outcome, events)?;
                }
                let waiting = id.and_then(|id| self.state.lock().waiting.remove(&id.get()));
                if let Some(waiting) = waiting {
                    waiting.answer(outcome.map_err(RequestError::Refused));
                }
                Ok(())
            }
            ServerMessage::Unreadable(error) => {
                // Requests are answered in order, so this answers the oldest.
                let waiting = self.state.lock().waiting.pop_first();
                if let Some((_, waiting)) = waiting {
                    waiting.answer(Err(RequestError::Refused(error)));
                }
                Ok(())
            }
            ServerMessage::Event { kind, seq, .. } => {
                // Events of a kind that is not known here are for newer clients.
                let Some(kind) = EventType::from_wire(&kind) else { return Ok(()) };
                let attachment = self.state.lock().attachment;
                let what = Incoming::Event(Event::new(kind, seq, self.codec, frame));
                queue(events, Queued { what, attachment })
            }
        }
    }

    /// Puts an answer to `get_state` among the events, if somebody looks at it there.
    fn place_state(
        &self,
        is_own: bool,
        outcome: &Result<RawData<'_>, ErrorDetail>,
        events: &mpsc::Sender<Queued>,
    ) -> Result<(), Closed> {
        let attachment = {
            let mut state = self.state.lock();
            if !state.follows_states {
                return Ok(());
            }
            if is_own {
                state.asked_for_state = None;
            }
            state.attachment
        };
        let outcome = match outcome {
            Ok(data) => match data.decode::<StateSnapshot<Value>>() {
                Ok(now) => Ok(now),
                Err(_) if is_own => {
                    return Err(Closed::BadMessage(BadServerMessage::Field("data")));
                }
                // Its program is told.
                Err(_) => return Ok(()),
            },
            Err(error) if is_own => Err(error.clone()),
            Err(_) => return Ok(()),
        };
        let what = Incoming::State(StateAnswer { is_own, outcome });
        queue(events, Queued { what, attachment })
    }

    /// Ends everything that waits.
    pub(crate) fn end(&self, closed: &Closed) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = Some(closed.clone());
            std::mem::take(&mut state.waiting)
        };
        self.unanswered.close();
        for waiting in waiting.into_values() {
            waiting.answer(Err(closed.clone().into()));
        }
        self.over.cancel();
    }

    /// Waits until the connection is over, and says why.
    pub(crate) async fn over(&self) -> Closed {
        self.over.cancelled().await;
        self.closed().unwrap_or(Closed::ByClient)
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        self.state.lock().closed.clone()
    }

    /// Asks the server to close, behind what is queued.
    pub(crate) async fn say_goodbye(&self) {
        self.state.lock().closing = true;
        // When it is over already, that is as good.
        let _ = self.outgoing.send(Message::Close(None)).await;
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    pub(crate) fn session(&self) -> Option<Session> {
        let state = self.state.lock();
        state.session.clone().map(|session| Session { last_id: state.last_id, ..session })
    }

    /// The next request gets a number above `last_id`.
    pub(crate) fn number_above(&self, last_id: u64) {
        let mut state = self.state.lock();
        state.last_id = state.last_id.max(last_id);
    }

    /// Begins a session.
    pub(crate) fn sit_down(&self, seated: Seated, known: Known) {
        let mut state = self.state.lock();
        state.attachment += 1;
        state.last_id = state.last_id.max(seated.last_id);
        let last_id = state.last_id;
        // Without a token there is a seat, but no way back to it.
        state.session = seated.session_token.or(known.token).map(|token| Session {
            room_id: seated.room_id,
            game_type: seated.game_type,
            player_id: seated.player_id,
            token,
            epoch: seated.epoch,
            last_seq: seated.seq,
            last_id,
            attempt: known.attempt,
        });
    }

    /// Ends the session.
    pub(crate) fn stand_up(&self) {
        let mut state = self.state.lock();
        state.attachment += 1;
        state.session = None;
    }

    /// Notes that the program has an event.
    pub(crate) fn note_seen(&self, queued: &Queued) {
        let mut state = self.state.lock();
        let is_current = queued.attachment == state.attachment;
        // What was asked for is no event, and leaves the session where it is.
        let Incoming::Event(event) = &queued.what else { return };
        if let (true, Some(seq), Some(session)) = (is_current, event.seq, &mut state.session) {
            session.last_seq = session.last_seq.max(seq);
        }
    }
}

fn queue(events: &mpsc::Sender<Queued>, queued: Queued) -> Result<(), Closed> {
    match events.try_send(queued) {
        Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        Err(TrySendError::Full(_)) => Err(Closed::EventsUnread),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Shared")
            .field("codec", &self.codec)
            .field("unanswered", &state.waiting.len())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}
