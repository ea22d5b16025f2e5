//! What those who ask and the connection's task share: numbers, who waits, the session, the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use parlor_protocol::limits::UNANSWERED_REQUESTS_MAX;
use parlor_protocol::{
    Codec, EventType, FrameKind, RawData, RequestFrame, RequestId, RequestType, ServerMessage,
    WelcomeLimits, read_server_message,
};
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::closed::Closed;
use crate::event::{Event, Queued};
use crate::request::{Known, RequestError};
use crate::session::{Seated, Session};

pub(crate) struct Shared {
    codec: Codec,
    request_bytes_max: u64,
    /// One permit per unanswered request. Closed with the connection.
    unanswered: Arc<Semaphore>,
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
    closing: bool,
    closed: Option<Closed>,
}

struct Waiting {
    reply: Reply,
    /// Given back with the answer, not when nobody waits for it any more: what counts is what
    /// the server has not answered.
    _permit: OwnedSemaphorePermit,
}

type Reply = Box<dyn FnOnce(Result<RawData<'_>, RequestError>) + Send>;

impl Shared {
    /// Also gives what is to be written to the socket.
    pub(crate) fn new(
        codec: Codec,
        limits: &WelcomeLimits,
    ) -> (Arc<Self>, mpsc::Receiver<Message>) {
        // Each queued message holds a permit, so there is room for all and for one goodbye.
        let (outgoing, queue) = mpsc::channel(UNANSWERED_REQUESTS_MAX + 1);
        let shared = Self {
            codec,
            request_bytes_max: limits.max_message_bytes,
            unanswered: Arc::new(Semaphore::new(UNANSWERED_REQUESTS_MAX)),
            outgoing,
            state: Mutex::new(State {
                last_id: 0,
                waiting: BTreeMap::new(),
                session: None,
                attachment: 0,
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
        if bytes.len() as u64 > self.request_bytes_max {
            return Err(RequestError::TooLarge {
                bytes: bytes.len(),
                bytes_max: self.request_bytes_max,
            });
        }
        let message = match self.codec.frame_kind() {
            FrameKind::Text => {
                Message::Text(Utf8Bytes::try_from(bytes).expect("JSON is written in UTF-8"))
            }
            FrameKind::Binary => Message::Binary(bytes.into()),
        };
        self.outgoing.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => unreachable!("each queued message holds a permit"),
            TrySendError::Closed(_) => Closed::ByClient,
        })?;
        state.last_id = number;
        state.waiting.insert(number, Waiting { reply: Box::new(reply), _permit: permit });
        Ok(())
    }

    /// Takes in one message of the server.
    pub(crate) fn receive(
        &self,
        frame: Bytes,
        events: &mpsc::Sender<Queued>,
    ) -> Result<(), Closed> {
        match read_server_message(self.codec, &frame).map_err(Closed::BadMessage)? {
            ServerMessage::Response { id, outcome, .. } => {
                let waiting = id.and_then(|id| self.state.lock().waiting.remove(&id.get()));
                if let Some(waiting) = waiting {
                    (waiting.reply)(outcome.map_err(RequestError::Refused));
                }
                Ok(())
            }
            ServerMessage::Unreadable(error) => {
                // Requests are answered in order, so this answers the oldest.
                let waiting = self.state.lock().waiting.pop_first();
                if let Some((_, waiting)) = waiting {
                    (waiting.reply)(Err(RequestError::Refused(error)));
                }
                Ok(())
            }
            ServerMessage::Event { kind, seq, .. } => {
                // Events of a kind that is not known here are for newer clients.
                let Some(kind) = EventType::from_wire(&kind) else { return Ok(()) };
                let attachment = self.state.lock().attachment;
                let event = Event::new(kind, seq, self.codec, frame);
                match events.try_send(Queued { event, attachment }) {
                    Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
                    Err(TrySendError::Full(_)) => Err(Closed::EventsUnread),
                }
            }
        }
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
            (waiting.reply)(Err(closed.clone().into()));
        }
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
        if let (true, Some(seq), Some(session)) = (is_current, queued.event.seq, &mut state.session)
        {
            session.last_seq = session.last_seq.max(seq);
        }
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
