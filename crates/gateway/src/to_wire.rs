//! From the domain to the wire. With `from_wire`, the only place where the two meet.
//!
//! No match here has a wildcard arm: a new way to fail, or a new event, must choose its shape on
//! the wire to compile.

use std::time::Duration;

use parlor_core::{ChatLine, CreateError, GameError, Refusal, Scalar, Seat, Time};
use parlor_protocol as wire;
use parlor_protocol::{ErrorCode, ErrorDetail, FieldErrors};
use parlor_store::StoreError;
use serde_json::Value;

use crate::secrets;

pub(crate) fn player_id(player: parlor_core::PlayerId) -> wire::PlayerId {
    wire::PlayerId(player.0)
}

pub(crate) fn millis(time: Time) -> u64 {
    time.as_millis()
}

/// Whole milliseconds, at most those of the end of time.
pub(crate) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn phase(phase: parlor_core::Phase) -> wire::Phase {
    match phase {
        parlor_core::Phase::Lobby => wire::Phase::Lobby,
        parlor_core::Phase::Playing => wire::Phase::Playing,
        parlor_core::Phase::Finished => wire::Phase::Finished,
    }
}

pub(crate) fn player(seat: &Seat) -> wire::Player {
    wire::Player {
        player_id: player_id(seat.id()),
        name: seat.name().to_owned(),
        kind: match seat.kind() {
            parlor_core::SeatKind::Human => wire::PlayerKind::Human,
            parlor_core::SeatKind::Bot => wire::PlayerKind::Bot,
            parlor_core::SeatKind::Spectator => wire::PlayerKind::Spectator,
        },
        connected: seat.is_present(),
        ready: seat.is_ready(),
    }
}

pub(crate) fn chat_message(line: &ChatLine) -> wire::ChatMessage {
    wire::ChatMessage {
        player_id: player_id(line.player),
        name: line.name.to_string(),
        text: line.text.clone(),
        at: millis(line.at),
    }
}

pub(crate) fn leave_reason(reason: parlor_core::LeaveReason) -> wire::LeaveReason {
    match reason {
        parlor_core::LeaveReason::Left => wire::LeaveReason::Left,
        parlor_core::LeaveReason::Kicked => wire::LeaveReason::Kicked,
        parlor_core::LeaveReason::Timeout => wire::LeaveReason::Timeout,
        parlor_core::LeaveReason::Removed => wire::LeaveReason::Removed,
    }
}

pub(crate) fn close_reason(reason: parlor_core::CloseReason) -> wire::CloseReason {
    match reason {
        parlor_core::CloseReason::Empty => wire::CloseReason::Empty,
        parlor_core::CloseReason::Finished => wire::CloseReason::Finished,
        parlor_core::CloseReason::Admin => wire::CloseReason::Admin,
        parlor_core::CloseReason::Error => wire::CloseReason::Error,
        parlor_core::CloseReason::Expired => wire::CloseReason::Expired,
    }
}

pub(crate) fn scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Int(value) => (*value).into(),
        Scalar::Float(value) => (*value).into(),
        Scalar::Text(value) => Value::String(value.clone().into_owned()),
        Scalar::List(values) => values.iter().map(self::scalar).collect(),
    }
}

/// A refusal as its client gets it. A breakdown is logged with the reference that it bears.
pub(crate) fn refusal(refusal: &Refusal, game_type: &'static str) -> ErrorDetail {
    let code = match refusal {
        Refusal::Closed => ErrorCode::ROOM_CLOSED,
        Refusal::Full => ErrorCode::ROOM_FULL,
        Refusal::Locked => ErrorCode::ROOM_LOCKED,
        Refusal::Unknown => ErrorCode::UNAUTHORIZED,
        Refusal::WrongPassword => ErrorCode::WRONG_PASSWORD,
        Refusal::Banned | Refusal::StartsByItself | Refusal::Yourself => ErrorCode::FORBIDDEN,
        Refusal::SpectatorsNotAllowed => ErrorCode::SPECTATORS_NOT_ALLOWED,
        Refusal::BotsNotSupported => ErrorCode::BOTS_NOT_SUPPORTED,
        Refusal::UnknownBotLevel { .. } => {
            let fields = FieldErrors::of("level", "one_of", refusal.to_string());
            return ErrorDetail::validation_failed(&fields);
        }
        Refusal::NotReady(_) => ErrorCode::NOT_READY,
        Refusal::AlreadyStarted => ErrorCode::ALREADY_STARTED,
        Refusal::InProgress => ErrorCode::GAME_IN_PROGRESS,
        Refusal::NotStarted => ErrorCode::GAME_NOT_STARTED,
        Refusal::Over => ErrorCode::GAME_OVER,
        Refusal::NotHost => ErrorCode::NOT_HOST,
        Refusal::NotAPlayer => ErrorCode::NOT_A_PLAYER,
        Refusal::NoSuchPlayer => ErrorCode::NO_SUCH_PLAYER,
        Refusal::Stale => ErrorCode::STALE_REQUEST,
        Refusal::TooManyActions { retry_after } => {
            return ErrorDetail::rate_limited(duration_millis(*retry_after));
        }
        Refusal::Game(error) => return game_error(error),
        Refusal::Failed(failure) => return internal(game_type, failure),
    };
    ErrorDetail::new(code, refusal.to_string())
}

pub(crate) fn create_error(error: &CreateError, game_type: &'static str) -> ErrorDetail {
    match error {
        CreateError::PlayersMax { .. } => ErrorDetail::validation_failed(&FieldErrors::of(
            "maxPlayers",
            "range",
            error.to_string(),
        )),
        CreateError::Game(error) => game_error(error),
        CreateError::Failed(failure) => internal(game_type, failure),
    }
}

pub(crate) fn store_error(error: &StoreError) -> ErrorDetail {
    match error {
        StoreError::Unavailable(cause) => {
            tracing::warn!(cause, "the session store is away");
            ErrorDetail::new(ErrorCode::STORE_UNAVAILABLE, "sessions cannot be saved just now")
        }
        StoreError::Full => ErrorDetail::new(ErrorCode::SERVER_FULL, error.to_string()),
    }
}

/// A breakdown of the server's: logged here, and sent with no more than a reference to the log.
pub(crate) fn internal(
    game_type: &'static str,
    cause: &(impl std::fmt::Display + ?Sized),
) -> ErrorDetail {
    let reference = secrets::new_reference();
    tracing::error!(game_type, reference, %cause, "a request failed");
    ErrorDetail::internal(&reference)
}

pub(crate) fn game_error(error: &GameError) -> ErrorDetail {
    let code = ErrorCode::from(error.code().to_owned());
    let detail = ErrorDetail::new(code, error.message().to_owned());
    error
        .details()
        .iter()
        .fold(detail, |detail, (name, value)| detail.with_detail(name, scalar(value)))
}

pub(crate) fn metadata(metadata: &std::collections::BTreeMap<String, Scalar>) -> wire::Object {
    metadata.iter().map(|(name, value)| (name.clone(), scalar(value))).collect()
}
