//! What a client reads: responses and events, with their data still bytes.

use std::borrow::Cow;

use crate::codec::Codec;
use crate::envelope::{Unreadable, envelope_fields, json_text};
use crate::error::ErrorDetail;
use crate::ids::RequestId;
use crate::json::{self, Text};
use crate::limits::SERVER_NESTING_MAX;
use crate::msgpack;
use crate::outgoing::{RESULT_SUFFIX, UNREADABLE_TYPE};
use crate::raw::{Raw, RawData};

/// A message from a server.
#[derive(Clone, Debug)]
pub enum ServerMessage<'a> {
    /// The answer to a request.
    Response {
        /// The type of the request.
        kind: Cow<'a, str>,
        /// The id of the request, if it had one.
        id: Option<RequestId>,
        /// The result's data, or what went wrong.
        outcome: Result<RawData<'a>, ErrorDetail>,
    },
    /// Something happened.
    Event {
        /// The event's type; one that this crate does not know is for newer clients.
        kind: Cow<'a, str>,
        /// Its number in the room, where it has one.
        seq: Option<u64>,
        /// Its data.
        data: RawData<'a>,
    },
    /// The server could not read something that was sent to it.
    Unreadable(ErrorDetail),
}

/// Reads one message from a server, whose size the transport has bounded.
pub fn read_server_message(
    codec: Codec,
    bytes: &[u8],
) -> Result<ServerMessage<'_>, BadServerMessage> {
    let message = match codec {
        Codec::Json => {
            let text = json_text(bytes)?;
            json::check_depth(text, SERVER_NESTING_MAX)?;
            Raw::Json(text)
        }
        Codec::MsgPack => {
            msgpack::check_one(bytes, SERVER_NESTING_MAX)?;
            Raw::MsgPack(bytes)
        }
    };
    let [kind, id, seq, success, data, error] =
        envelope_fields(message, ["type", "id", "seq", "success", "data", "error"])?;
    let Text(kind) = read("type", kind)?;
    let data = RawData::of_field(codec, data);

    let Some(success) = success else {
        let seq = seq.map(|seq| read("seq", Some(seq))).transpose()?;
        return Ok(ServerMessage::Event { kind, seq, data });
    };
    let outcome =
        if read("success", Some(success))? { Ok(data) } else { Err(read("error", error)?) };
    match outcome {
        Err(error) if kind == UNREADABLE_TYPE => Ok(ServerMessage::Unreadable(error)),
        outcome => {
            let kind = request_type(kind).ok_or(BadServerMessage::Field("type"))?;
            let id = id.map(|id| read("id", Some(id))).transpose()?;
            Ok(ServerMessage::Response { kind, id, outcome })
        }
    }
}

/// Why something is no message from a server that speaks this protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadServerMessage {
    /// It is no message at all.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A field of the message is missing or has another shape.
    #[error("the field `{0}` is missing or has the wrong shape")]
    Field(&'static str),
}

fn read<'a, T: serde::Deserialize<'a>>(
    name: &'static str,
    field: Option<Raw<'a>>,
) -> Result<T, BadServerMessage> {
    field.and_then(|raw| raw.read().ok()).ok_or(BadServerMessage::Field(name))
}

fn request_type(response: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match response {
        Cow::Borrowed(kind) => kind.strip_suffix(RESULT_SUFFIX).map(Cow::Borrowed),
        Cow::Owned(kind) => kind.strip_suffix(RESULT_SUFFIX).map(|kind| kind.to_owned().into()),
    }
}
