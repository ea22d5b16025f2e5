//! What crosses the bus, and how it is written, read and signed.
//!
//! Whatever comes from the bus is read as hostile: it has bounds, and every number in it is looked up before it is used.

use std::borrow::Cow;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use parlor_protocol::{
    CloseCode, Codec, ErrorDetail, FrameKind, Player, RequestId, RequestType, RoomCode, RoomInfo,
};
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;
use sha2::Sha256;

use crate::encode::Answering;
use crate::room::Returning;
use crate::seating::{JoiningKey, NewToken, Newcomer, Opening};

/// Everything that one node tells another at once.
///
/// All that one tells another is one stream of bundles with rising numbers, so that what is missing shows.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Bundle<'a> {
    /// The node that it comes from.
    pub(crate) from: &'a str,
    /// Names the stream. A sender that cannot continue one begins another, with a higher number.
    pub(crate) stream: u64,
    /// Rises by one from bundle to bundle, beginning with 0.
    pub(crate) number: u64,
    /// When it was sent, in milliseconds of the sender's own, from whenever on.
    pub(crate) sent: u64,
    /// Messages for clients, encoded, each once.
    #[serde(borrow)]
    pub(crate) payloads: Vec<&'a Bytes>,
    /// For each link the places of its messages in `payloads`, in order.
    pub(crate) deliveries: Vec<(u64, Vec<u32>)>,
    /// Everything else, in order, after the deliveries.
    #[serde(borrow)]
    pub(crate) notes: Vec<Note<'a>>,
}

/// One thing that a node tells another. The *edge* is the node that has a client's socket, the *host* the one that has
/// the room; what is between them for this client is a *link*, numbered by the edge.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Note<'a> {
    /// To a sender: of this stream of yours something is missing. All links between us are over; begin another stream.
    Missed { stream: u64 },

    /// Edge to host: a client asks for a seat.
    Open(Box<Open>),
    /// Edge to host: a frame of the client's. The next follows when this one is handled.
    Frame {
        link: u64,
        kind: Kind,
        #[serde(borrow, with = "serde_bytes")]
        frame: Cow<'a, [u8]>,
    },
    /// Edge to host: the client's socket has taken all that was delivered up to here.
    Taken { link: u64, messages: u64, bytes: u64 },
    /// Edge to host: the client is gone.
    Gone { link: u64 },

    /// Host to edge: what became of [`Note::Open`]; whether there is a seat.
    Opened { link: u64, outcome: Result<Seated, ErrorDetail> },
    /// Host to edge: a frame is handled, and whether the client still holds its seat.
    Handled { link: u64, attached: bool },
    /// Host to edge: the client's connection ends, after all that was delivered.
    Close { link: u64, code: u16, reason: String },

    /// My public rooms, with their numbers here: these are new or have changed, and these are gone. With `all`, there are no others.
    Rooms { all: bool, changed: Vec<(u64, Arc<RoomInfo>)>, removed: Vec<RoomCode> },
    /// I am going away.
    Leaving,
    /// A question about a room of yours.
    Query { number: u64, query: Query },
    /// Answers it.
    Answer { number: u64, answer: Option<RoomAnswer> },
}

/// A frame's kind as it is written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// A client that asks for a seat on another node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Open {
    pub(crate) link: u64,
    pub(crate) is_msgpack: bool,
    /// The type of the request that is to be answered.
    pub(crate) kind: String,
    pub(crate) id: Option<u64>,
    pub(crate) fingerprint: u64,
    pub(crate) ask: Ask,
}

/// What it asks for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Ask {
    /// A seat in a room.
    Join { room: RoomCode, newcomer: Newcomer, key: Option<JoiningKey> },
    /// A new room.
    Open { game_type: String, opening: Opening, newcomer: Newcomer, key: Option<JoiningKey> },
    /// The seat that the same request has got before.
    OnceMore { key: JoiningKey, token: NewToken, subject: Option<Arc<str>> },
    /// The seat that it has.
    Return { room: RoomCode, returning: Returning },
}

/// What became of it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) enum Seated {
    Yes,
    /// There is no such seat.
    No,
}

/// What one node asks another about a room.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Query {
    /// What is known of it.
    Look(RoomCode),
    /// It is to end, by the word of whoever runs the servers.
    Close(RoomCode),
}

/// A room that is there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RoomAnswer {
    pub(crate) info: RoomInfo,
    pub(crate) players: Vec<Player>,
}

/// What a node says of itself in its record.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct About {
    pub(crate) games: Vec<String>,
    /// Seats of people.
    pub(crate) players: usize,
    pub(crate) rooms: usize,
    pub(crate) rooms_max: usize,
    /// Steps of games that came late or not at all, since the node's last record.
    pub(crate) late_steps: u64,
    pub(crate) draining: bool,
}

impl Note<'_> {
    /// Host to edge: it knows nothing of this client, who is to come back.
    pub(super) fn lost(link: u64) -> Self {
        let code = CloseCode::OwnerLost.as_u16();
        Self::Close { link, code, reason: "lost touch with the room's node".to_owned() }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Frame { frame, .. } => frame.len() + SMALL_BYTES,
            Self::Open(_) | Self::Answer { .. } => LARGE_BYTES,
            Self::Rooms { changed, removed, .. } => {
                changed.len() * LARGE_BYTES / 2 + removed.len() * SMALL_BYTES
            }
            Self::Missed { .. }
            | Self::Taken { .. }
            | Self::Gone { .. }
            | Self::Opened { .. }
            | Self::Handled { .. }
            | Self::Close { .. }
            | Self::Leaving
            | Self::Query { .. } => SMALL_BYTES,
        }
    }
}

/// Signs what is sent and checks what comes, where nodes share a secret.
#[derive(Clone)]
pub(crate) struct Seal(Option<Hmac<Sha256>>);

/// Why a message was not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsealed {
    #[error("it is not signed with this node's secret")]
    Unsigned,
    #[error("it is signed, and this node has no secret")]
    NoSecret,
    #[error("it is of another version, or garbage")]
    Unreadable,
    #[error("it is longer than a message may be")]
    TooLong,
}

impl Seal {
    pub(crate) fn new(secret: Option<&[u8]>) -> Self {
        Self(secret.map(|secret| Hmac::new_from_slice(secret).expect("a key may have any length")))
    }

    /// A bundle as a message to `inbox`.
    pub(crate) fn write(&self, bundle: &Bundle<'_>, inbox: &str) -> Vec<u8> {
        let mut message = vec![if self.0.is_some() { SIGNED } else { PLAIN }];
        if self.0.is_some() {
            message.resize(1 + SIGNATURE_BYTES, 0);
        }
        let body = message.len();
        rmp_serde::encode::write_named(&mut message, bundle).expect("our own data can be written");
        if let Some(key) = &self.0 {
            let signature = sign(key.clone(), inbox, &message[body..]).finalize().into_bytes();
            message[1..body].copy_from_slice(&signature);
        }
        message
    }

    /// The bundle in a message that came to `inbox`.
    pub(crate) fn read<'a>(&self, message: &'a [u8], inbox: &str) -> Result<Bundle<'a>, Unsealed> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(Unsealed::TooLong);
        }
        let (mark, rest) = message.split_first().ok_or(Unsealed::Unreadable)?;
        let body = match (*mark, &self.0) {
            (PLAIN, None) => rest,
            (PLAIN, Some(_)) => return Err(Unsealed::Unsigned),
            (SIGNED, None) => return Err(Unsealed::NoSecret),
            (SIGNED, Some(key)) => {
                let (signature, body) =
                    rest.split_at_checked(SIGNATURE_BYTES).ok_or(Unsealed::Unreadable)?;
                let is_ours = sign(key.clone(), inbox, body).verify_slice(signature).is_ok();
                is_ours.then_some(body).ok_or(Unsealed::Unsigned)?
            }
            _ => return Err(Unsealed::Unreadable),
        };
        let mut reader = rmp_serde::Deserializer::from_read_ref(body);
        reader.set_max_depth(NESTING_MAX);
        Bundle::deserialize(&mut reader).map_err(|_| Unsealed::Unreadable)
    }
}

/// Bound to the inbox, so that what is meant for one node cannot be sent to another.
fn sign(mut key: Hmac<Sha256>, inbox: &str, body: &[u8]) -> Hmac<Sha256> {
    key.update(&(inbox.len() as u64).to_le_bytes());
    key.update(inbox.as_bytes());
    key.update(body);
    key
}

impl Open {
    pub(crate) fn new(link: u64, codec: Codec, to: Answering, ask: Ask) -> Self {
        Self {
            link,
            is_msgpack: codec == Codec::MsgPack,
            kind: to.kind.as_str().to_owned(),
            id: to.id.map(RequestId::get),
            fingerprint: to.fingerprint,
            ask,
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        if self.is_msgpack { Codec::MsgPack } else { Codec::Json }
    }

    /// What is to be answered; `None` when that is no request of ours.
    pub(crate) fn answering(&self) -> Option<Answering> {
        let kind = RequestType::from_wire(&self.kind)?;
        let id = match self.id {
            Some(id) => Some(RequestId::new(id)?),
            None => None,
        };
        Some(Answering { kind, id, fingerprint: self.fingerprint })
    }
}

impl Ask {
    /// The token that the client is to get, in the form in which it is shown.
    pub(crate) fn token_mut(&mut self) -> Option<&mut NewToken> {
        match self {
            Self::Join { newcomer, .. } | Self::Open { newcomer, .. } => Some(&mut newcomer.token),
            Self::OnceMore { token, .. } => Some(token),
            Self::Return { .. } => None,
        }
    }

    /// What makes it safe to ask once more, where that is asked along.
    pub(crate) fn key_mut(&mut self) -> Option<&mut JoiningKey> {
        match self {
            Self::Join { key, .. } | Self::Open { key, .. } => key.as_mut(),
            Self::OnceMore { key, .. } => Some(key),
            Self::Return { .. } => None,
        }
    }
}

impl From<FrameKind> for Kind {
    fn from(kind: FrameKind) -> Self {
        match kind {
            FrameKind::Text => Self::Text,
            FrameKind::Binary => Self::Binary,
        }
    }
}

impl From<Kind> for FrameKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

/// The longest message that is read. Those that are sent are much shorter, unless one player's message is that long.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What notes take, about: those of a few numbers, and those with a player's or a room's data.
const SMALL_BYTES: usize = 64;
const LARGE_BYTES: usize = 1024;
/// Options and such are nested 16 deep at most.
const NESTING_MAX: usize = 64;
/// The first byte of a message: version 1, without and with a signature (HMAC-SHA-256, RFC 2104).
const PLAIN: u8 = 0x10;
const SIGNED: u8 = 0x11;
const SIGNATURE_BYTES: usize = 32;
