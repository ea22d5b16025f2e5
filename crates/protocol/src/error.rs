//! Errors on the wire: their codes, and the shape that carries them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::envelope::Unreadable;
use crate::fields::FieldErrors;
use crate::request::RequestError;
use crate::room::Object;

/// The code of an error. The protocol's own are constants here; games add theirs.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ErrorCode(Cow<'static, str>);

macro_rules! error_codes {
    ($($status:literal { $($(#[$meta:meta])* $name:ident,)+ })+) => {
        impl ErrorCode {
            $($($(#[$meta])* pub const $name: Self = Self(Cow::Borrowed(stringify!($name)));)+)+

            /// Every code of the protocol with its HTTP status.
            pub const ALL: &'static [(Self, u16)] = &[$($((Self::$name, $status),)+)+];
        }
    };
}

error_codes! {
    400 {
        /// The frame or the request makes no sense as it stands.
        BAD_REQUEST,
        /// The data has the wrong shape or is out of bounds; `details.fields` says where.
        VALIDATION_FAILED,
        /// No request has this type.
        UNKNOWN_TYPE,
        /// A request of the past: an old id, or an abandoned attempt to come back.
        STALE_REQUEST,
    }
    401 {
        /// The caller did not say who it is.
        UNAUTHORIZED,
        /// The session token is unknown or void.
        SESSION_INVALID,
    }
    403 {
        /// Not for this caller.
        FORBIDDEN,
        /// The password is not the room's.
        WRONG_PASSWORD,
        /// Only the host may.
        NOT_HOST,
        /// Only someone at a seat may.
        NOT_A_PLAYER,
    }
    404 {
        /// This server has no such game.
        UNKNOWN_GAME,
        /// No room has this code.
        ROOM_NOT_FOUND,
        /// Nobody in the room has this id.
        NO_SUCH_PLAYER,
    }
    409 {
        /// Every seat is taken.
        ROOM_FULL,
        /// The host lets nobody in.
        ROOM_LOCKED,
        /// The socket is attached to a seat.
        ALREADY_IN_ROOM,
        /// The socket is attached to no seat.
        NOT_IN_ROOM,
        /// Seats are missing, away or not ready.
        NOT_READY,
        /// The match has begun already.
        ALREADY_STARTED,
        /// Not while the match is on.
        GAME_IN_PROGRESS,
        /// Not before the match begins.
        GAME_NOT_STARTED,
        /// The match is over.
        GAME_OVER,
        /// Another player is to move.
        NOT_YOUR_TURN,
        /// The move breaks a rule.
        INVALID_MOVE,
        /// The room takes no spectators.
        SPECTATORS_NOT_ALLOWED,
        /// The game has no bots.
        BOTS_NOT_SUPPORTED,
    }
    410 {
        /// The room is gone for good.
        ROOM_CLOSED,
    }
    429 {
        /// Too many requests; `details.retryAfterMs` says how long to wait.
        RATE_LIMITED,
    }
    500 {
        /// A fault of the server; `details.reference` finds it in the log.
        INTERNAL,
    }
    503 {
        /// No room for more connections or rooms.
        SERVER_FULL,
        /// The server is going away and takes nothing new.
        DRAINING,
        /// What the server depends on is away.
        STORE_UNAVAILABLE,
        /// The room's owner cannot be reached and may come back.
        ROOM_UNAVAILABLE,
    }
}

impl ErrorCode {
    /// A game's own code, in SCREAMING_SNAKE_CASE.
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTTP status that goes with it; 409 for a game's own codes, which refuse a move.
    pub fn http_status(&self) -> u16 {
        Self::ALL.iter().find(|(code, _)| code == self).map_or(409, |(_, status)| *status)
    }

    /// Whether the same request may succeed later by waiting alone.
    ///
    /// True for the server's own passing troubles. What depends on what someone does (a seat that
    /// frees, a turn that comes) is false: the client hears of that by an event.
    pub fn retryable(&self) -> bool {
        [
            Self::RATE_LIMITED,
            Self::INTERNAL,
            Self::SERVER_FULL,
            Self::DRAINING,
            Self::STORE_UNAVAILABLE,
            Self::ROOM_UNAVAILABLE,
        ]
        .contains(self)
    }
}

/// A game's own code, which is known only when the game gives it.
impl From<String> for ErrorCode {
    fn from(code: String) -> Self {
        Self(Cow::Owned(code))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error as a client gets it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorDetail {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: Cow<'static, str>,
    /// Whether the same request may succeed later unchanged.
    pub retryable: bool,
    /// More, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Object>,
}

impl ErrorDetail {
    /// An error that is retryable as its code is, without details.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { retryable: code.retryable(), code, message: message.into(), details: None }
    }

    /// The same with one more entry in `details`.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Serialize) -> Self {
        self.details.get_or_insert_default().insert(name.to_owned(), json!(value));
        self
    }

    /// `VALIDATION_FAILED` with the places and reasons in `details.fields`.
    pub fn validation_failed(fields: &FieldErrors) -> Self {
        Self::new(ErrorCode::VALIDATION_FAILED, "some fields are not valid")
            .with_detail("fields", fields)
    }

    /// `RATE_LIMITED` with the wait in `details.retryAfterMs`.
    pub fn rate_limited(retry_after_ms: u64) -> Self {
        Self::new(ErrorCode::RATE_LIMITED, "too many requests")
            .with_detail("retryAfterMs", retry_after_ms)
    }

    /// `INTERNAL` with the reference that the log bears too.
    pub fn internal(reference: &str) -> Self {
        Self::new(ErrorCode::INTERNAL, "something went wrong on the server")
            .with_detail("reference", reference)
    }
}

impl fmt::Display for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ErrorDetail {}

impl From<Unreadable> for ErrorDetail {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(ErrorCode::BAD_REQUEST, unreadable.to_string())
    }
}

impl From<RequestError> for ErrorDetail {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::UnknownType => Self::new(ErrorCode::UNKNOWN_TYPE, error.to_string()),
            RequestError::Invalid(fields) => Self::validation_failed(&fields),
        }
    }
}
