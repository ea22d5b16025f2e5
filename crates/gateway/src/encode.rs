//! Messages to bytes: each encoded once, into memory that fits.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parlor_protocol::{
    Answered, Codec, EncodeError, ErrorCode, ErrorDetail, EventFrame, EventType, RequestId,
    RequestType, ResponseFrame, Seq, ServerMessage, read_server_message,
};
use serde::Serialize;
use serde_json::Value;

use crate::metrics::Metrics;
use crate::outbox::{Class, Message, Outbox, PushError, Wakes};
use crate::tree::{NotATree, Tree};

/// A socket's way out: where its messages wait, and how they are written. Whoever has something to tell the
/// socket holds one.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) codec: Codec,
    /// Whether the socket is another node's.
    pub(crate) is_relayed: bool,
}

/// The way out of a socket that asks: its answers are counted.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) outlet: Outlet,
    pub(crate) metrics: Arc<Metrics>,
}

/// What a response answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering {
    pub(crate) kind: RequestType,
    pub(crate) id: Option<RequestId>,
    /// Tells the request from others with the same id, by its type and its data.
    pub(crate) fingerprint: u64,
}

/// Why a message could not be encoded. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unencodable {
    /// The codec, or a type of the game's, refused.
    #[error(transparent)]
    Refused(#[from] EncodeError),
    /// A view of the game's is no tree of values.
    #[error(transparent)]
    NotATree(#[from] NotATree),
    /// A `Serialize` of the game's panicked.
    #[error("encoding panicked")]
    Panicked,
}

impl Outlet {
    /// Queues an encoded message for the client that is being served, whose writer is woken when that is
    /// done. A full outbox closes itself, and the session is resumable.
    pub(crate) fn push(&self, payload: Arc<[u8]>, class: Class) {
        let _closed_or_full = self.outbox.push(message(self.codec, payload, class));
    }

    /// The same for one of many, whose writer is added to `wakes` if it waits.
    pub(crate) fn push_among(&self, payload: Arc<[u8]>, class: Class, wakes: &mut Wakes) {
        let _closed_or_full = self.outbox.push_among(message(self.codec, payload, class), wakes);
    }

    /// Likewise a patch, unless the state that it builds on still waits. Then nothing is queued, and the
    /// whole state is to take that one's place.
    pub(crate) fn push_patch_among(&self, payload: Arc<[u8]>, wakes: &mut Wakes) -> bool {
        let patch = message(self.codec, payload, Class::Patch);
        self.outbox.push_among(patch, wakes) != Err(PushError::BaseWaits)
    }

    /// Queues an event that belongs to no room.
    pub(crate) fn tell<T: Serialize>(&self, kind: EventType, data: &T) {
        let payload = encode_event(self.codec, kind, None, data).expect("our own data is plain");
        self.push(payload, Class::Reliable);
    }
}

impl Link {
    /// Answers with `data`.
    pub(crate) fn answer<T: Serialize>(&self, to: Answering, data: &T) -> Result<(), Unencodable> {
        self.outlet.push(encode_answer(self.outlet.codec, to, data)?, Class::Reliable);
        self.metrics.granted(to.kind);
        Ok(())
    }

    /// Answers that the room handled the request.
    pub(crate) fn answer_seq(&self, to: Answering, seq: u64) {
        self.answer(to, &Seq { seq }).expect("a number can be encoded");
    }

    /// Answers that the request was refused.
    pub(crate) fn refuse(&self, to: Answering, error: &ErrorDetail) {
        self.refuse_as(Answered::Request(to.kind), to.id, error);
    }

    /// The same for what is no request that the protocol knows.
    pub(crate) fn refuse_as(&self, to: Answered<'_>, id: Option<RequestId>, error: &ErrorDetail) {
        let kind = match to {
            Answered::Request(kind) => Some(kind),
            Answered::UnknownType(_) | Answered::Unreadable => None,
        };
        self.metrics.refused(kind, &error.code);
        if error.code == ErrorCode::INTERNAL {
            // Whoever has the request's number finds the cause, which was logged with the same reference.
            let reference =
                error.details.as_ref().and_then(|details| details["reference"].as_str());
            let (kind, id) = (kind.map(RequestType::as_str), id.map(RequestId::get));
            tracing::error!(reference, kind, id, "a request was answered with INTERNAL");
        }
        let frame = ResponseFrame::<()>::refusal(to, id, error);
        let payload = encode(self.outlet.codec, &frame).expect("an error can be encoded");
        self.outlet.push(payload, Class::Reliable);
    }
}

pub(crate) fn encode_answer<T: Serialize>(
    codec: Codec,
    to: Answering,
    data: &T,
) -> Result<Arc<[u8]>, Unencodable> {
    let frame = ResponseFrame { to: Answered::Request(to.kind), id: to.id, outcome: Ok(data) };
    encode(codec, &frame)
}

pub(crate) fn encode_event<T: Serialize>(
    codec: Codec,
    kind: EventType,
    seq: Option<u64>,
    data: &T,
) -> Result<Arc<[u8]>, Unencodable> {
    encode(codec, &EventFrame { kind, seq, data })
}

/// An event that was encoded in one codec, in the other. `None` if it is none, which does not happen
/// to what was encoded here.
pub(crate) fn transcode(event: &[u8], from: Codec, to: Codec) -> Option<Arc<[u8]>> {
    let message = read_server_message(from, event).ok()?;
    let ServerMessage::Event { kind, seq, data } = message else { return None };
    let data: Value = data.decode().ok()?;
    encode_event(to, EventType::from_wire(&kind)?, seq, &data).ok()
}

pub(crate) fn message(codec: Codec, payload: Arc<[u8]>, class: Class) -> Message {
    Message { payload, class, kind: codec.frame_kind() }
}

/// A value of the game's as a tree. `None` when its `Serialize`, which is the game's code, refuses.
pub(crate) fn to_value(value: &impl Serialize) -> Option<Value> {
    catch_unwind(AssertUnwindSafe(|| serde_json::to_value(value))).ok()?.ok()
}

/// Reads a view of the game's into `tree`. Its `Serialize` is the game's code and may panic.
pub(crate) fn read_tree(view: &impl Serialize, tree: &mut Tree) -> Result<(), Unencodable> {
    let read = catch_unwind(AssertUnwindSafe(|| tree.read(view)));
    read.map_err(|_| Unencodable::Panicked)?.map_err(Unencodable::from)
}

/// Encodes in memory that is used again and again, then takes exactly what is needed.
///
/// A game's `Serialize` is the game's code and may panic, at worst with a room's change half made:
/// here it becomes an error like any other.
fn encode(codec: Codec, message: &impl Serialize) -> Result<Arc<[u8]>, Unencodable> {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        // A panic leaves bytes in the scratch, which the next message clears, and nothing else.
        catch_unwind(AssertUnwindSafe(|| codec.encode_into(message, scratch)))
            .map_err(|_| Unencodable::Panicked)??;
        let payload = Arc::from(scratch.as_slice());
        // One huge state must not stay in memory for every thread that met it.
        scratch.shrink_to(SCRATCH_BYTES_KEPT);
        Ok(payload)
    })
}

const SCRATCH_BYTES_KEPT: usize = 256 * 1024;
