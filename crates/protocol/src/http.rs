//! The shapes of the HTTP API, which says in requests and answers what the socket says in messages.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::codec::Codec;
use crate::data::{flat_and_small, is_false, or_default};
use crate::envelope::Unreadable;
use crate::error::ErrorDetail;
use crate::fields::{FieldErrors, decode_value};
use crate::json;
use crate::limits::{FrameLimits, GAME_TYPE_CHARS_MAX, PASSWORD_CHARS_MAX, SEATS_MAX};
use crate::raw::{Raw, RawData};
use crate::room::{Object, Player, RoomInfo};
use crate::secret::Secret;

/// Body of `POST /api/v1/rooms`: `create_room` without anyone who sits down.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, Validate)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OpenRoom {
    /// The game to play.
    #[validate(length(min = 1, max = GAME_TYPE_CHARS_MAX))]
    pub game_type: String,
    /// The game's options; none means its defaults.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Object::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Object>"))]
    pub options: Object,
    /// Whether listings and `quick_match` leave it out.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub private: bool,
    /// What newcomers must know.
    #[validate(length(min = 1, max = PASSWORD_CHARS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Fewer seats than the game allows.
    #[validate(range(min = 1, max = SEATS_MAX))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_players: Option<u32>,
    /// Words for listings: an object of strings, numbers, booleans and nulls.
    #[validate(custom(function = "flat_and_small"))]
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Object::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Object>"))]
    pub metadata: Object,
}

/// Answer to `POST /api/v1/rooms`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OpenedRoom {
    /// The room.
    #[serde(flatten)]
    pub room: RoomInfo,
    /// The page on which to join it.
    pub join_url: String,
}

/// Answer to `GET /api/v1/rooms/{roomId}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomDetail {
    /// The room.
    #[serde(flatten)]
    pub room: RoomInfo,
    /// Who is in it.
    pub players: Vec<Player>,
}

/// Body of every answer that refuses.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// Why.
    pub error: ErrorDetail,
}

/// Reads a body in JSON, within the bounds of a frame and those of its type.
///
/// Refused with `BAD_REQUEST` when it does not parse, else with `VALIDATION_FAILED`.
pub fn read_body<T: DeserializeOwned + Validate>(
    bytes: &[u8],
    limits: &FrameLimits,
) -> Result<T, ErrorDetail> {
    if bytes.len() > limits.message_bytes_max {
        return Err(Unreadable::TooLarge { bytes_max: limits.message_bytes_max }.into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Malformed)?.trim_ascii();
    json::check_depth(text, limits.nesting_max)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Unreadable::Malformed)?;
    let body = RawData::of_field(Codec::Json, Some(Raw::Json(text)));
    let value: T = body.decode().map_err(|fields| ErrorDetail::validation_failed(&fields))?;
    checked(value)
}

/// Reads the parameters of a query as if they were an object, in which those named in `numbers` are numbers.
///
/// Refused with `VALIDATION_FAILED`. Parameters that nobody knows are let go, as everywhere.
pub fn read_query<'a, T: DeserializeOwned + Validate>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
    numbers: &[&str],
) -> Result<T, ErrorDetail> {
    let mut object = Object::new();
    for (name, value) in parameters {
        let value = match value.parse::<u64>() {
            Ok(number) if numbers.contains(&name) => number.into(),
            Ok(_) | Err(_) => value.into(),
        };
        if object.insert(name.to_owned(), value).is_some() {
            let fields = FieldErrors::of(name, "duplicate", "must be given once");
            return Err(ErrorDetail::validation_failed(&fields));
        }
    }
    let value: T =
        decode_value(object.into()).map_err(|fields| ErrorDetail::validation_failed(&fields))?;
    checked(value)
}

fn checked<T: Validate>(value: T) -> Result<T, ErrorDetail> {
    match value.validate() {
        Ok(()) => Ok(value),
        Err(errors) => Err(ErrorDetail::validation_failed(&errors.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ListRooms;
    use crate::error::ErrorCode;

    #[track_caller]
    fn check_body(body: &str, expected: Result<&str, (ErrorCode, Option<&str>)>) {
        let limits = FrameLimits { message_bytes_max: 100, nesting_max: 3 };
        let read = read_body::<OpenRoom>(body.as_bytes(), &limits).map(|room| room.game_type);
        match expected {
            Ok(game_type) => assert_eq!(read.as_deref(), Ok(game_type), "{body}"),
            Err((code, path)) => {
                let error = read.unwrap_err();
                assert_eq!(error.code, code, "{body}: {error:?}");
                let fields = error.details.map(|details| details["fields"].clone());
                let paths = fields.and_then(|fields| fields.as_object()?.keys().next().cloned());
                assert_eq!(paths.as_deref(), path, "{body}");
            }
        }
    }

    #[test]
    fn bodies_are_read_as_requests_are() {
        let invalid = |path| Err((ErrorCode::VALIDATION_FAILED, Some(path)));
        let unreadable = Err((ErrorCode::BAD_REQUEST, None));
        check_body(r#" {"gameType": "chess", "more": [1]} "#, Ok("chess"));
        check_body(r#"{"gameType": "chess", "options": null}"#, Ok("chess"));
        check_body("{}", invalid("gameType"));
        check_body("[]", invalid(""));
        check_body(r#"{"gameType": ""}"#, invalid("gameType"));
        check_body(r#"{"gameType": "chess", "maxPlayers": 0}"#, invalid("maxPlayers"));
        check_body(r#"{"gameType": "chess", "metadata": {"a": []}}"#, invalid("metadata"));
        check_body("", unreadable.clone());
        check_body("{", unreadable.clone());
        check_body(r#"{"options": {"a": {"b": {}}}}"#, unreadable.clone());
        check_body(&" ".repeat(101), unreadable);
    }

    #[test]
    fn queries_are_read_as_requests_are() {
        let read = |pairs: &[(&str, &str)]| {
            read_query::<ListRooms>(pairs.iter().copied(), &["limit"]).map_err(|error| error.code)
        };
        let page = read(&[("limit", "7"), ("cursor", "12"), ("other", "x")]).unwrap();
        assert_eq!((page.limit(), page.cursor.as_deref()), (7, Some("12")));
        for wrong in ["0", "201", "-1", "many", "", "1.5"] {
            assert_eq!(read(&[("limit", wrong)]), Err(ErrorCode::VALIDATION_FAILED), "{wrong}");
        }
        assert!(read(&[("limit", "1"), ("limit", "2")]).is_err());
    }
}
