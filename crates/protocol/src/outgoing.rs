//! Messages to be sent, by reference: responses and events from a server, requests from a client.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::error::ErrorDetail;
use crate::event::EventType;
use crate::ids::RequestId;
use crate::request::RequestType;

/// A response about to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFrame<'a, T: ?Sized> {
    /// What is answered.
    pub to: Answered<'a>,
    /// The request's id, if it had one.
    pub id: Option<RequestId>,
    /// The result's data, or what went wrong.
    pub outcome: Result<&'a T, &'a ErrorDetail>,
}

impl<'a> ResponseFrame<'a, ()> {
    /// A refusal.
    pub const fn refusal(to: Answered<'a>, id: Option<RequestId>, error: &'a ErrorDetail) -> Self {
        Self { to, id, outcome: Err(error) }
    }
}

/// What a response answers, which decides its type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answered<'a> {
    /// A request: `<type>_result`.
    Request(RequestType),
    /// A request of a type that the server does not know: `<type>_result`.
    UnknownType(&'a str),
    /// Something unreadable: `error`.
    Unreadable,
}

/// An event about to be encoded.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EventFrame<'a, T: ?Sized> {
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Its number in the room, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Its data.
    pub data: &'a T,
}

/// A request about to be encoded.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RequestFrame<'a, T: ?Sized> {
    /// The request's type.
    #[serde(rename = "type")]
    pub kind: RequestType,
    /// Its id; without one nothing is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// Its data.
    pub data: &'a T,
}

impl<T: Serialize + ?Sized> Serialize for ResponseFrame<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 3 + usize::from(self.id.is_some());
        let mut message = serializer.serialize_struct("ResponseFrame", fields)?;
        match self.to {
            Answered::Request(kind) => message.serialize_field("type", kind.result_name())?,
            Answered::UnknownType(kind) => {
                message.serialize_field("type", &format_args!("{kind}{RESULT_SUFFIX}"))?;
            }
            Answered::Unreadable => message.serialize_field("type", UNREADABLE_TYPE)?,
        }
        match self.id {
            Some(id) => message.serialize_field("id", &id)?,
            None => message.skip_field("id")?,
        }
        message.serialize_field("success", &self.outcome.is_ok())?;
        match self.outcome {
            Ok(data) => message.serialize_field("data", data)?,
            Err(error) => message.serialize_field("error", error)?,
        }
        message.end()
    }
}

/// What a response's type has after the request's.
pub(crate) const RESULT_SUFFIX: &str = "_result";

/// The type of the answer to something unreadable.
pub(crate) const UNREADABLE_TYPE: &str = "error";
