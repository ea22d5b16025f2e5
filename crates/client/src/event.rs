//! What happens, as the server tells it.
//!
//! An [`Event`] keeps its data as bytes until someone says what it should become: many events
//! are never looked at.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parlor_protocol::{
    Codec, ErrorDetail, EventType, FieldErrors, ServerMessage, StateSnapshot, read_server_message,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::closed::Closed;
use crate::shared::Shared;

/// Something that happened.
#[derive(Clone)]
pub struct Event {
    /// What.
    pub kind: EventType,
    /// Its number in the room, where it has one.
    pub seq: Option<u64>,
    codec: Codec,
    /// The whole message, found well-formed.
    frame: Bytes,
}

/// The events of one connection, in order, from its first room on.
///
/// [`Options::events_max`](crate::Options::events_max) bounds those that wait. Dropping it says that nobody
/// wants them.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Queued>,
    shared: Arc<Shared>,
}

/// Something that waits, with the number of the seat that it came for.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) what: Incoming,
    pub(crate) attachment: u64,
}

/// What comes from the server in an order that matters.
#[derive(Debug)]
pub(crate) enum Incoming {
    Event(Event),
    /// Only on a connection that [follows states](Shared::follow_states).
    State(StateAnswer),
}

/// The answer to `get_state`, at its place among the events.
#[derive(Debug)]
pub(crate) struct StateAnswer {
    /// Whether the connection itself [asked](Shared::ask_for_state) and not its program.
    pub(crate) is_own: bool,
    pub(crate) outcome: Result<StateSnapshot<Value>, ErrorDetail>,
}

impl Event {
    pub(crate) fn new(kind: EventType, seq: Option<u64>, codec: Codec, frame: Bytes) -> Self {
        Self { kind, seq, codec, frame }
    }

    /// Its data, as the type that [`EventType`] leads to: `RoomState<View>` for
    /// [`EventType::RoomState`]; a [`StateFollower`](crate::StateFollower) makes states of patches, too. For [`EventType::GameEvent`] the game's own type of events will do, if it is
    /// tagged by `name` with `data` beside it.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, FieldErrors> {
        match read_server_message(self.codec, &self.frame) {
            Ok(ServerMessage::Event { data, .. }) => data.decode(),
            _ => unreachable!("the frame was read as an event when it came"),
        }
    }
}

impl Events {
    pub(crate) fn new(queue: mpsc::Receiver<Queued>, shared: Arc<Shared>) -> Self {
        Self { queue, shared }
    }

    /// The next event; when all are taken and no more can come, why.
    ///
    /// Cancel-safe: an event is taken or not, and only a taken one counts as seen when the session
    /// is resumed.
    pub async fn next(&mut self) -> Result<Event, Closed> {
        loop {
            match self.take().await? {
                Incoming::Event(event) => return Ok(event),
                Incoming::State(_) => {}
            }
        }
    }

    /// The same with the answers that stand among the events.
    pub(crate) async fn take(&mut self) -> Result<Incoming, Closed> {
        match self.queue.recv().await {
            Some(queued) => {
                self.shared.note_seen(&queued);
                Ok(queued.what)
            }
            None => Err(self.shared.closed().unwrap_or(Closed::ByClient)),
        }
    }

    /// The next event of this kind. Those before it are dropped.
    pub async fn skip_to(&mut self, kind: EventType) -> Result<Event, Closed> {
        loop {
            let event = self.next().await?;
            if event.kind == kind {
                return Ok(event);
            }
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("seq", &self.seq)
            .field("bytes", &self.frame.len())
            .finish()
    }
}
