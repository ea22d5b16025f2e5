//! Every bound of a request's data: at it, and one past it. And what counts as absent.

use parlor_protocol::limits::{
    BOT_LEVEL_CHARS_MAX, CHAT_TEXT_CHARS_MAX, GAME_TYPE_CHARS_MAX, INTEGER_MAX, KEY_CHARS_MAX,
    KEY_CHARS_MIN, LIST_ROOMS_DEFAULT, LIST_ROOMS_MAX, METADATA_BYTES_MAX, NAME_CHARS_MAX,
    OPAQUE_CHARS_MAX, PASSWORD_CHARS_MAX, SEATS_MAX,
};
use parlor_protocol::{
    Change, Codec, PlayerName, PlayerNameError, Request, RequestError, RequestId, RoomCode,
};
use serde_json::{Value, json};

use crate::samples::{parse, read_one};

/// Puts each value into `path` of the request's data, and expects `good` to be taken and `bad` to be refused
/// there; in both codecs.
#[track_caller]
fn check(kind: &str, base: &Value, field: &str, good: &[Value], bad: &[Value]) {
    let parsed = |codec: Codec, value: &Value| {
        let mut data = base.clone();
        data[field] = value.clone();
        let bytes = codec.encode(&json!({ "type": kind, "data": data })).expect("it encodes");
        Request::parse(&read_one(codec, &bytes)).map(drop)
    };
    for codec in Codec::ALL {
        for value in good {
            assert_eq!(parsed(codec, value), Ok(()), "{kind}.{field} = {value}");
        }
        for value in bad {
            match parsed(codec, value) {
                Err(RequestError::Invalid(fields)) => {
                    let paths: Vec<&str> = fields.iter().map(|(path, _)| path).collect();
                    assert_eq!(paths, [field], "{kind}.{field} = {value}");
                }
                other => panic!("{kind}.{field} = {value}: {other:?}"),
            }
        }
    }
}

/// As [`check`] for a string of `min` to `max` characters, counted as characters.
#[track_caller]
fn check_chars(kind: &str, base: &Value, field: &str, min: u64, max: u64) {
    let text = |chars: u64| json!("ß".repeat(usize::try_from(chars).expect("small")));
    let too_short = min.checked_sub(1).map(text);
    let bad: Vec<Value> = [text(max + 1), json!(7)].into_iter().chain(too_short).collect();
    check(kind, base, field, &[text(min), text(max)], &bad);
}

#[test]
fn strings_have_their_bounds() {
    let create = json!({ "gameType": "g", "playerName": "Ada" });
    let join = json!({ "roomId": "K7RM2XAD", "playerName": "Ada" });
    let reconnect = json!({ "sessionToken": "t" });

    for (kind, base) in [
        ("create_room", &create),
        ("quick_match", &create),
        ("list_rooms", &json!({})),
        ("subscribe_rooms", &json!({})),
        ("unsubscribe_rooms", &json!({})),
    ] {
        check_chars(kind, base, "gameType", 1, GAME_TYPE_CHARS_MAX);
    }
    for (kind, base) in [("create_room", &create), ("join_room", &join), ("quick_match", &create)] {
        check_chars(kind, base, "key", KEY_CHARS_MIN, KEY_CHARS_MAX);
    }
    check_chars("chat", &json!({}), "text", 1, CHAT_TEXT_CHARS_MAX);
    check_chars("create_room", &create, "password", 1, PASSWORD_CHARS_MAX);
    check_chars("update_room", &json!({}), "password", 1, PASSWORD_CHARS_MAX);
    check_chars("join_room", &join, "password", 0, PASSWORD_CHARS_MAX);
    check_chars("add_bot", &json!({}), "level", 1, BOT_LEVEL_CHARS_MAX);
    check_chars("list_rooms", &json!({}), "cursor", 0, OPAQUE_CHARS_MAX);
    check_chars("reconnect", &json!({}), "sessionToken", 0, OPAQUE_CHARS_MAX);
    check_chars("reconnect", &reconnect, "epoch", 0, OPAQUE_CHARS_MAX);
}

#[test]
fn numbers_have_their_bounds() {
    let create = json!({ "gameType": "g", "playerName": "Ada" });
    let reconnect = json!({ "sessionToken": "t" });
    let past = [json!(INTEGER_MAX + 1), json!(-1), json!(0.5)];

    check(
        "list_rooms",
        &json!({}),
        "limit",
        &[json!(1), json!(LIST_ROOMS_MAX)],
        &[json!(0), json!(LIST_ROOMS_MAX + 1), json!("1")],
    );
    check(
        "create_room",
        &create,
        "maxPlayers",
        &[json!(1), json!(SEATS_MAX)],
        &[json!(0), json!(SEATS_MAX + 1)],
    );
    for field in ["lastSeq", "attempt"] {
        check("reconnect", &reconnect, field, &[json!(0), json!(INTEGER_MAX)], &past);
    }
    for kind in ["remove_bot", "kick_player", "set_host"] {
        let good = [json!(0), json!(u32::MAX)];
        check(kind, &json!({}), "playerId", &good, &[json!(u64::from(u32::MAX) + 1), json!(-1)]);
    }
    assert_eq!(RequestId::new(0), None);
    assert_eq!(RequestId::new(INTEGER_MAX).map(RequestId::get), Some(INTEGER_MAX));
    assert_eq!(RequestId::new(INTEGER_MAX + 1), None);
}

#[test]
fn metadata_is_at_most_1024_bytes_as_json() {
    let create = json!({ "gameType": "g", "playerName": "Ada" });
    let of_bytes = |bytes: usize| json!({ "k": "x".repeat(bytes - r#"{"k":""}"#.len()) });
    let (at, past) = (of_bytes(METADATA_BYTES_MAX), of_bytes(METADATA_BYTES_MAX + 1));
    assert_eq!(at.to_string().len(), METADATA_BYTES_MAX);

    for (kind, base) in [("create_room", create), ("update_room", json!({}))] {
        let flat = json!({ "a": "s", "b": 1.5, "c": true, "d": null });
        check(
            kind,
            &base,
            "metadata",
            &[at.clone(), json!({}), flat],
            &[past.clone(), json!({ "a": {} }), json!({ "a": [] }), json!([]), json!("x")],
        );
    }
}

#[test]
fn flags_are_booleans() {
    let room = json!({ "gameType": "g", "playerName": "Ada", "roomId": "K7RM2XAD", "playerId": 1 });
    let (good, bad) = ([json!(true), json!(false)], [json!(1), json!("true")]);
    for (kind, field) in [
        ("create_room", "private"),
        ("join_room", "spectator"),
        ("kick_player", "ban"),
        ("set_ready", "ready"),
        ("set_role", "spectator"),
        ("update_room", "locked"),
        ("update_room", "private"),
    ] {
        check(kind, &room, field, &good, &bad);
    }
    for kind in ["create_room", "quick_match"] {
        check(kind, &room, "options", &[json!({}), json!({ "a": [{}] })], &[json!([]), json!(1)]);
    }
}

#[test]
fn optional_fields_may_be_null_and_required_ones_may_not() {
    let room = json!({ "gameType": "g", "playerName": "Ada", "roomId": "K7RM2XAD",
        "sessionToken": "t", "playerId": 1, "ready": true, "text": "t", "spectator": true });
    for (kind, fields) in [
        ("list_rooms", &["gameType", "limit", "cursor"][..]),
        ("create_room", &["options", "private", "password", "maxPlayers", "metadata", "key"]),
        ("join_room", &["password", "spectator", "key"]),
        ("quick_match", &["options", "key"]),
        ("reconnect", &["epoch", "lastSeq", "attempt"]),
        ("add_bot", &["name", "level"]),
        ("kick_player", &["ban"]),
        ("update_room", &["locked", "private", "password", "metadata"]),
    ] {
        for field in fields {
            check(kind, &room, field, &[Value::Null], &[]);
        }
    }
    for (kind, fields) in [
        ("subscribe_rooms", &["gameType"][..]),
        ("create_room", &["gameType", "playerName"]),
        ("join_room", &["roomId", "playerName"]),
        ("reconnect", &["sessionToken"]),
        ("set_ready", &["ready"]),
        ("set_role", &["spectator"]),
        ("chat", &["text"]),
        ("set_host", &["playerId"]),
    ] {
        for field in fields {
            check(kind, &room, field, &[], &[Value::Null]);
        }
    }
}

#[test]
fn left_out_fields_have_their_defaults() {
    let Ok(Request::ListRooms(list)) = parse(r#"{"type":"list_rooms"}"#) else { panic!() };
    assert_eq!(list.limit(), LIST_ROOMS_DEFAULT);

    let text =
        r#"{"type":"create_room","data":{"gameType":"g","playerName":"Ada","options":null}}"#;
    let Ok(Request::CreateRoom(create)) = parse(text) else { panic!() };
    assert!(create.options.is_empty() && create.metadata.is_empty() && !create.private);
}

#[test]
fn update_room_keeps_what_is_absent_and_clears_what_is_null() {
    let update = |data: &str| match parse(&format!(r#"{{"type":"update_room","data":{data}}}"#)) {
        Ok(Request::UpdateRoom(update)) => update,
        other => panic!("{other:?}"),
    };
    assert_eq!(update("{}").password, Change::Keep);
    assert_eq!(update("{}").metadata, Change::Keep);
    assert_eq!(update(r#"{"password":null}"#).password, Change::Clear);
    assert_eq!(update(r#"{"metadata":null}"#).metadata, Change::Clear);
    let set = update(r#"{"password":"p","metadata":{}}"#);
    assert_eq!(set.password.value().map(parlor_protocol::Secret::expose), Some("p"));
    assert!(set.metadata.value().is_some_and(serde_json::Map::is_empty));
}

#[test]
fn a_name_is_trimmed_and_composed() {
    let parsed = |text: &str| PlayerName::parse(text).map(|name| name.as_str().to_owned());
    assert_eq!(parsed("  Ada \u{3000}"), Ok("Ada".into()));
    assert_eq!(parsed("Zoe\u{308}"), Ok("Zoë".into()), "e and diaeresis become one character");
    assert_eq!(parsed("👩\u{200d}🚀"), Ok("👩\u{200d}🚀".into()), "a joiner inside is welcome");
}

#[test]
fn a_name_has_1_to_32_characters_after_that() {
    let of = |text: &str| PlayerName::parse(text).map(|name| name.as_str().chars().count());
    assert_eq!(of("A"), Ok(1));
    assert_eq!(of(&"e\u{308}".repeat(NAME_CHARS_MAX)), Ok(32), "64 before NFC");
    assert_eq!(of(&"ë".repeat(NAME_CHARS_MAX + 1)), Err(PlayerNameError::Length));
    for blank in ["", "   ", "\u{200b}", "\u{2060}\u{200d}", "\u{3164}"] {
        assert_eq!(of(blank), Err(PlayerNameError::Length), "{blank:?}");
    }
}

#[test]
fn a_name_has_no_control_and_no_direction_characters() {
    for bad in [
        "a\u{0}b",
        "a\nb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{61c}b",
        "a\u{200e}b",
        "a\u{200f}b",
        "a\u{2028}b",
        "a\u{2029}b",
        "a\u{202a}b",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{2069}b",
    ] {
        assert_eq!(PlayerName::parse(bad), Err(PlayerNameError::Character), "{bad:?}");
    }
}

#[test]
fn a_room_code_is_read_without_regard_to_case() {
    assert_eq!(RoomCode::parse("k7rm2xad"), RoomCode::parse("K7RM2XAD"));
    assert_eq!(RoomCode::parse("k7rm2xad").map(|code| code.to_string()), Some("K7RM2XAD".into()));
}

#[test]
fn a_room_id_of_another_shape_is_valid_and_names_no_room() {
    let long = "K".repeat(2000);
    for id in ["", "K7RM2XA", "K7RM2XADD", "K7RM2XA0", "K7RM2XAO", "ßßßß", "../../..", &long] {
        let text = json!({ "type": "join_room", "data": { "roomId": id, "playerName": "Ada" } });
        match parse(&text.to_string()) {
            Ok(Request::JoinRoom(join)) => assert_eq!(join.room_id, None, "{id}"),
            other => panic!("{id}: {other:?}"),
        }
    }
}

#[test]
fn room_codes_of_different_numbers_differ() {
    let codes: std::collections::BTreeSet<RoomCode> = (0..10_000)
        .chain(RoomCode::COUNT - 10_000..RoomCode::COUNT)
        .map(RoomCode::from_number)
        .collect();
    assert_eq!(codes.len(), 20_000);
    assert_eq!(RoomCode::from_number(RoomCode::COUNT), RoomCode::from_number(0));
    for code in codes {
        assert_eq!(RoomCode::parse(code.as_str()), Some(code));
    }
}
