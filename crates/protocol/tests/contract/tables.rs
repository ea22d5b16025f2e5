//! The tables of the contract: subprotocols, close codes, error codes.

use parlor_protocol::{
    CloseCode, Codec, ErrorCode, ErrorDetail, FieldErrors, FrameKind, RequestError, RequestType,
    Unreadable,
};
use serde_json::json;

#[test]
fn subprotocols_name_codecs_and_their_frames() {
    let table = [
        ("parlor.v1.json", Codec::Json, FrameKind::Text),
        ("parlor.v1.msgpack", Codec::MsgPack, FrameKind::Binary),
    ];
    for (name, codec, kind) in table {
        assert_eq!(Codec::from_subprotocol(name), Some(codec));
        assert_eq!((codec.subprotocol(), codec.frame_kind()), (name, kind));
    }
    assert_eq!(Codec::from_subprotocol("parlor.v2.json"), None);
    assert_eq!(Codec::from_subprotocol(""), None);
}

#[test]
fn close_codes_say_whether_to_come_back() {
    let (no, yes, wait) = ((false, false), (true, false), (true, true));
    let table = [
        (1000, no),
        (1001, yes),
        (1002, no),
        (1003, no),
        (1006, yes),
        (1007, no),
        (1009, yes),
        (1011, yes),
        (4001, no),
        (4002, yes),
        (4003, no),
        (4004, no),
        (4005, yes),
        (4006, yes),
        (4400, wait),
        (4429, wait),
    ];
    assert_eq!(table.map(|(number, _)| number), CloseCode::ALL.map(CloseCode::as_u16));
    for (number, expected) in table {
        let code = CloseCode::from_u16(number).expect("in the table");
        assert_eq!((code.may_reconnect(), code.wait_first()), expected, "{number}");
    }
    assert_eq!(CloseCode::from_u16(1005), None);
}

#[test]
fn error_codes_have_their_status() {
    let table = [
        (400, "BAD_REQUEST VALIDATION_FAILED UNKNOWN_TYPE STALE_REQUEST"),
        (401, "UNAUTHORIZED SESSION_INVALID"),
        (403, "FORBIDDEN WRONG_PASSWORD NOT_HOST NOT_A_PLAYER"),
        (404, "UNKNOWN_GAME ROOM_NOT_FOUND NO_SUCH_PLAYER"),
        (
            409,
            "ROOM_FULL ROOM_LOCKED ALREADY_IN_ROOM NOT_IN_ROOM NOT_READY ALREADY_STARTED \
             GAME_IN_PROGRESS GAME_NOT_STARTED GAME_OVER NOT_YOUR_TURN INVALID_MOVE \
             SPECTATORS_NOT_ALLOWED BOTS_NOT_SUPPORTED",
        ),
        (410, "ROOM_CLOSED"),
        (429, "RATE_LIMITED"),
        (500, "INTERNAL"),
        (503, "SERVER_FULL DRAINING STORE_UNAVAILABLE ROOM_UNAVAILABLE"),
    ];
    let expected: Vec<(&str, u16)> = table
        .iter()
        .flat_map(|(status, codes)| codes.split_whitespace().map(move |code| (code, *status)))
        .collect();
    let actual: Vec<(&str, u16)> =
        ErrorCode::ALL.iter().map(|(code, status)| (code.as_str(), *status)).collect();
    assert_eq!(actual, expected);
    for (code, status) in ErrorCode::ALL {
        assert_eq!(code.http_status(), *status);
    }
}

#[test]
fn a_games_own_code_is_a_conflict_and_not_retryable() {
    let code = ErrorCode::new("FARKLE_FIRST");
    assert_eq!((code.http_status(), code.retryable()), (409, false));
}

#[test]
fn only_passing_troubles_of_the_server_are_retryable() {
    let retryable: Vec<&str> = ErrorCode::ALL
        .iter()
        .filter(|(code, _)| code.retryable())
        .map(|(code, _)| code.as_str())
        .collect();
    let expected = "RATE_LIMITED INTERNAL SERVER_FULL DRAINING STORE_UNAVAILABLE ROOM_UNAVAILABLE";
    assert_eq!(retryable.join(" "), expected);
}

#[test]
fn details_are_where_the_contract_says() {
    let details = |error: ErrorDetail| serde_json::to_value(error).expect("it encodes");
    assert_eq!(details(ErrorDetail::rate_limited(250))["details"], json!({ "retryAfterMs": 250 }));
    assert_eq!(details(ErrorDetail::internal("r-9"))["details"], json!({ "reference": "r-9" }));
    assert_eq!(
        details(ErrorDetail::new(ErrorCode::NOT_HOST, "only the host may")),
        json!({ "code": "NOT_HOST", "message": "only the host may", "retryable": false })
    );
}

#[test]
fn a_request_that_cannot_be_read_or_parsed_has_its_code() {
    let of_request = |error: RequestError| ErrorDetail::from(error).code;
    assert_eq!(of_request(RequestError::UnknownType), ErrorCode::UNKNOWN_TYPE);
    let fields = FieldErrors::of("text", "length", "is too long");
    let invalid = ErrorDetail::from(RequestError::Invalid(fields.clone()));
    assert_eq!(invalid.code, ErrorCode::VALIDATION_FAILED);
    assert_eq!(json!(invalid.details), json!({ "fields": fields }));
    assert_eq!(ErrorDetail::from(Unreadable::NoType).code, ErrorCode::BAD_REQUEST);
}

#[test]
fn a_response_is_named_after_its_request() {
    for kind in RequestType::ALL {
        assert_eq!(kind.result_name(), format!("{kind}_result"));
    }
}
