//! The Parlor wire protocol, version 1, as Rust types.
//!
//! This crate is the contract between a server and its clients: the shape of every
//! message, the two codecs, every bound, and the checks that stand between a client's bytes
//! and the rest of a server. It knows neither rooms nor sockets nor a runtime, so that
//! clients can depend on it alone. The contract in prose is `docs/protocol.md`.
//!
//! ```text
//! server: bytes ─read_frame→ Frame → Envelope ─Request::parse→ Request ─ … ─ ResponseFrame, EventFrame → bytes
//! client: RequestFrame → bytes            bytes ─read_server_message→ ServerMessage
//! ```
//!
//! A frame is checked for size, nesting and well-formedness before anything is built from it, and
//! [`RawData`] keeps a message's `data` as a range of the frame's bytes until the type that
//! it should become is known.

#[macro_use]
mod wire_enum;

mod change;
mod close;
mod codec;
mod data;
mod envelope;
mod error;
mod event;
mod explain;
mod fields;
mod http;
mod ids;
mod json;
pub mod limits;
mod msgpack;
mod outgoing;
mod patch;
mod player_name;
mod raw;
mod request;
mod result;
mod room;
#[cfg(feature = "schema")]
pub mod schema;
mod secret;
mod server_message;

pub use change::Change;
pub use close::CloseCode;
pub use codec::{Codec, EncodeError, FrameKind};
pub use data::{
    AddBot, Authenticate, Chat, CreateRoom, JoinRoom, KickPlayer, ListRooms, NoData, OneGame,
    OnePlayer, QuickMatch, Reconnect, SetReady, SetRole, UpdateRoom,
};
pub use envelope::{Envelope, Frame, Unreadable, read_frame};
pub use error::{ErrorCode, ErrorDetail};
pub use event::{
    ActionRefused, EventType, GameEvent, GameFinished, HostChanged, PlayerDisconnected, PlayerLeft,
    PlayerReady, PlayerReconnected, RoomClosed, RoomListUpdate, RoomPatch, RoomState,
    ServerDraining, ServerNotice, Welcome, WelcomeLimits,
};
pub use fields::{FieldError, FieldErrors, decode_value};
pub use http::{OpenRoom, OpenedRoom, Refused, RoomDetail, read_body, read_query};
pub use ids::{PlayerId, RequestId, RoomCode};
pub use outgoing::{Answered, EventFrame, RequestFrame, ResponseFrame};
pub use patch::{PatchError, PatchOp, apply_patch};
pub use player_name::{PlayerName, PlayerNameError};
pub use raw::RawData;
pub use request::{Request, RequestError, RequestType};
pub use result::{
    AddedBot, Authenticated, GameList, GameSummary, Joined, Pong, Replayed, Resumed, RoomList,
    RoomSubscription, Seq, StateSnapshot,
};
pub use room::{
    ChatMessage, CloseReason, GameType, LeaveReason, Object, Phase, Player, PlayerKind, RoomInfo,
};
pub use secret::Secret;
pub use server_message::{BadServerMessage, ServerMessage, read_server_message};

/// The version of the protocol that this crate speaks, as `welcome` states it.
pub const PROTOCOL_VERSION: u32 = 1;
