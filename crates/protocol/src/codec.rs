//! The two codecs: which subprotocol names them, which frames carry them, how they encode.
//!
//! Both write the same tree. MessagePack writes structs as maps and is in serde's human-readable
//! mode, as JSON is, so that a type which asks gives both the same answer. Decoding lives with
//! what is decoded.

use serde::Serialize;

/// How messages become bytes. Chosen by the WebSocket subprotocol, once per socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Codec {
    /// JSON in text frames.
    Json,
    /// MessagePack in binary frames.
    MsgPack,
}

impl Codec {
    /// Both codecs.
    pub const ALL: [Self; 2] = [Self::Json, Self::MsgPack];

    /// The name in `Sec-WebSocket-Protocol`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "parlor.v1.json",
            Self::MsgPack => "parlor.v1.msgpack",
        }
    }

    /// The codec with this subprotocol name; names are compared by case, as RFC 6455 has it.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.subprotocol() == name)
    }

    /// The kind of frame that carries this codec's messages.
    pub const fn frame_kind(self) -> FrameKind {
        match self {
            Self::Json => FrameKind::Text,
            Self::MsgPack => FrameKind::Binary,
        }
    }

    /// Encodes `message` into bytes of its own.
    pub fn encode(self, message: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        self.encode_into(message, &mut out)?;
        Ok(out)
    }

    /// Appends `message` to `out`. After an error `out` is as it was.
    pub fn encode_into(
        self,
        message: &(impl Serialize + ?Sized),
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let written = match self {
            Self::Json => serde_json::to_writer(&mut *out, message).map_err(EncodeError::Json),
            Self::MsgPack => {
                let mut serializer =
                    rmp_serde::Serializer::new(&mut *out).with_struct_map().with_human_readable();
                message.serialize(&mut serializer).map_err(EncodeError::MsgPack)
            }
        };
        if written.is_err() {
            out.truncate(start);
        }
        written
    }
}

/// The two kinds of WebSocket data frame.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FrameKind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// Why a value could not be encoded: its own `Serialize` refused, or a map has keys that are no
/// strings. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Refused while writing JSON.
    #[error("cannot be written as JSON: {0}")]
    Json(serde_json::Error),
    /// Refused while writing MessagePack.
    #[error("cannot be written as MessagePack: {0}")]
    MsgPack(rmp_serde::encode::Error),
}
