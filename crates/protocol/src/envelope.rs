//! From a frame's bytes to requests in their envelopes: type, id, and data that is still bytes.
//!
//! Size and nesting are settled by a scan before anything is built. Reading one request
//! allocates nothing as long as its type has no escapes.

use std::borrow::Cow;

use crate::codec::Codec;
use crate::ids::RequestId;
use crate::json;
use crate::limits::{BATCH_REQUESTS_MAX, FrameLimits, TYPE_CHARS_MAX};
use crate::msgpack;
use crate::raw::{Raw, RawData};

/// Reads a frame from a client, as far as telling its requests apart.
///
/// An error is answered once, for the whole frame. What is wrong with one request of
/// several is that request's own error, in [`Frame::requests`].
pub fn read_frame<'a>(
    codec: Codec,
    bytes: &'a [u8],
    limits: &FrameLimits,
) -> Result<Frame<'a>, Unreadable> {
    let bytes_max = limits.message_bytes_max;
    if bytes.len() > bytes_max {
        return Err(Unreadable::TooLarge { bytes_max });
    }
    let requests = match codec {
        Codec::Json => {
            let text = json_text(bytes)?;
            let is_array = json::is_array(text);
            json::check_depth(text, limits.nesting_max.saturating_add(u8::from(is_array)))?;
            if is_array {
                Requests::Many(json::batch(text)?)
            } else {
                Requests::One(Raw::Json(text))
            }
        }
        Codec::MsgPack if msgpack::is_array(bytes) => {
            Requests::Many(msgpack::batch(bytes, limits.nesting_max)?)
        }
        Codec::MsgPack => {
            msgpack::check_one(bytes, limits.nesting_max)?;
            Requests::One(Raw::MsgPack(bytes))
        }
    };
    match &requests {
        Requests::Many(items) if items.is_empty() => Err(Unreadable::EmptyBatch),
        Requests::Many(_) | Requests::One(_) => Ok(Frame { requests }),
    }
}

/// A frame: one request, or a batch of 1 to 32.
#[derive(Debug)]
pub struct Frame<'a> {
    requests: Requests<'a>,
}

impl<'a> Frame<'a> {
    /// The requests in their order, each readable or not for itself.
    pub fn requests(&self) -> impl Iterator<Item = Result<Envelope<'a>, Unreadable>> {
        let requests = match &self.requests {
            Requests::One(request) => std::slice::from_ref(request),
            Requests::Many(requests) => requests,
        };
        requests.iter().map(|request| Envelope::read(*request))
    }
}

/// A request whose type and data are not looked at yet.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The request's type, 64 characters at most.
    pub kind: Cow<'a, str>,
    /// The request's id, if it has one.
    pub id: Option<RequestId>,
    /// The request's data.
    pub data: RawData<'a>,
    /// The whole request, as it came.
    pub bytes: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(request: Raw<'a>) -> Result<Self, Unreadable> {
        let [kind, id, data] = envelope_fields(request, ["type", "id", "data"])?;
        let json::Text(kind) =
            kind.ok_or(Unreadable::NoType)?.read().map_err(|_| Unreadable::NoType)?;
        if kind.chars().nth(TYPE_CHARS_MAX).is_some() {
            return Err(Unreadable::TypeTooLong);
        }
        let id = id.map_or(Ok(None), |id| id.read().map_err(|_| Unreadable::BadId))?;
        Ok(Self {
            kind,
            id,
            data: RawData::of_field(request.codec(), data),
            bytes: request.bytes(),
        })
    }
}

/// Why a frame, or one request of a batch, cannot be read. It is answered by `error` with
/// `BAD_REQUEST`, and the socket stays open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// Text where the codec wants bytes, or the other way round.
    #[error("this kind of frame does not carry the codec's messages")]
    WrongFrameKind,
    /// More bytes than are allowed.
    #[error("a message is at most {bytes_max} bytes")]
    TooLarge {
        /// How many are.
        bytes_max: usize,
    },
    /// Objects and arrays inside one another, deeper than is allowed.
    #[error("the message is nested too deeply")]
    TooDeep,
    /// Not an object in the codec, or one with a field of the envelope twice.
    #[error("the message does not parse")]
    Malformed,
    /// A batch of nothing.
    #[error("a batch holds at least one request")]
    EmptyBatch,
    /// A batch of too much.
    #[error("a batch holds at most {BATCH_REQUESTS_MAX} requests")]
    BatchTooLong,
    /// An array inside of a batch.
    #[error("a batch holds requests, not arrays")]
    NestedBatch,
    /// No `type`, or one that is no string.
    #[error("the message has no string `type`")]
    NoType,
    /// A `type` that is too long to be echoed.
    #[error("a `type` has at most {TYPE_CHARS_MAX} characters")]
    TypeTooLong,
    /// An `id` that is no integer from 1 to 2^53 - 1.
    #[error("an `id` is an integer from 1 to 9007199254740991")]
    BadId,
}

#[derive(Debug)]
enum Requests<'a> {
    One(Raw<'a>),
    Many(Vec<Raw<'a>>),
}

/// The values of an object's fields with these names, in the order of the names.
pub(crate) fn envelope_fields<'a, const N: usize>(
    message: Raw<'a>,
    names: [&str; N],
) -> Result<[Option<Raw<'a>>; N], Unreadable> {
    match message {
        Raw::Json(text) => json::fields(text, names),
        Raw::MsgPack(bytes) => msgpack::fields(bytes, names),
    }
}

pub(crate) fn json_text(bytes: &[u8]) -> Result<&str, Unreadable> {
    str::from_utf8(bytes).map_err(|_| Unreadable::Malformed)
}
