//! Values that are still bytes: one whole value of a frame, and a message's `data`.
//!
//! A range of a frame becomes a [`RawValue`](Raw) only after the frame was found well-formed and
//! within its bounds, so decoding one can fail by its shape alone.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codec::Codec;
use crate::explain::explain;
use crate::fields::{FieldErrors, decode_value};

/// A message's `data`, still in the bytes of its frame. Copying it copies a range.
///
/// What was missing or null is the empty object here.
#[derive(Clone, Copy, Debug)]
pub struct RawData<'a>(Raw<'a>);

impl<'a> RawData<'a> {
    /// Decodes into `T`, straight from the bytes.
    ///
    /// Only when that fails is the data read a second time, to find out where. Data that is no
    /// object fails whatever `T` is.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, FieldErrors> {
        if !self.0.is_object() {
            return Err(FieldErrors::of("", "wrong_type", "expected an object"));
        }
        self.0.read().or_else(|_| self.0.read_again())
    }

    /// The codec of the bytes.
    pub const fn codec(self) -> Codec {
        self.0.codec()
    }

    /// The bytes: one whole value. Equal bytes are equal data, not the other way round.
    pub const fn bytes(self) -> &'a [u8] {
        match self.0 {
            Raw::Json(text) => text.as_bytes(),
            Raw::MsgPack(bytes) => bytes,
        }
    }

    /// The data in this place of an envelope.
    pub(crate) fn of_field(codec: Codec, field: Option<Raw<'a>>) -> Self {
        Self(match (field, codec) {
            (Some(raw), _) if !raw.is_null() => raw,
            (_, Codec::Json) => Raw::Json("{}"),
            (_, Codec::MsgPack) => Raw::MsgPack(&[MSGPACK_EMPTY_MAP]),
        })
    }
}

/// One whole, well-formed value of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// JSON without white space around it.
    Json(&'a str),
    /// MessagePack.
    MsgPack(&'a [u8]),
}

impl<'a> Raw<'a> {
    /// The codec of the bytes.
    pub(crate) const fn codec(self) -> Codec {
        match self {
            Raw::Json(_) => Codec::Json,
            Raw::MsgPack(_) => Codec::MsgPack,
        }
    }

    /// The value as it came.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Raw::Json(text) => text.as_bytes(),
            Raw::MsgPack(bytes) => bytes,
        }
    }

    /// Decodes into `T`, which may borrow from the frame.
    pub(crate) fn read<T: Deserialize<'a>>(self) -> Result<T, NotThis> {
        match self {
            Raw::Json(text) => serde_json::from_str(text).map_err(|_| NotThis),
            Raw::MsgPack(bytes) => {
                // Nothing can be left over: the bytes are one value, and rmp-serde refuses a type
                // that takes only a part of an array or a map.
                let mut deserializer =
                    rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
                T::deserialize(&mut deserializer).map_err(|_| NotThis)
            }
        }
    }

    /// Decodes a value that could not be decoded, to say where and why.
    ///
    /// MessagePack takes the way over a tree, so that both codecs tell the same story in the same
    /// words. A tree has room for what a type has not (a field given twice): such a failure
    /// has no place.
    fn read_again<T: DeserializeOwned>(self) -> Result<T, FieldErrors> {
        let outcome = match self {
            Raw::Json(text) => explain(&mut serde_json::Deserializer::from_str(text)),
            Raw::MsgPack(_) => match self.read::<Value>() {
                Ok(tree) => decode_value(tree),
                Err(NotThis) => Err(undecodable()),
            },
        };
        match outcome {
            Ok::<T, _>(_) => Err(undecodable()),
            Err(errors) => Err(errors),
        }
    }

    fn is_object(self) -> bool {
        match self {
            Raw::Json(text) => text.starts_with('{'),
            Raw::MsgPack(bytes) => matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf)),
        }
    }

    fn is_null(self) -> bool {
        match self {
            Raw::Json(text) => text == "null",
            Raw::MsgPack(bytes) => bytes == [0xc0],
        }
    }
}

/// The value is not of the type that was asked for.
#[derive(Debug)]
pub(crate) struct NotThis;

fn undecodable() -> FieldErrors {
    FieldErrors::of("", "invalid", "is not valid")
}

const MSGPACK_EMPTY_MAP: u8 = 0x80;
