//! Which frames are readable, which are not and why.

use parlor_protocol::limits::{BATCH_REQUESTS_MAX, FrameLimits, INTEGER_MAX, NESTING_MAX};
use parlor_protocol::{Codec, NoData, Request, RequestError, Unreadable, read_frame};
use serde_json::{Value, json};

use crate::samples::{parse, read_one};

/// What becomes of a frame: the outcome of each request, or of the frame.
fn read(codec: Codec, bytes: &[u8]) -> Result<Vec<Result<String, Unreadable>>, Unreadable> {
    let frame = read_frame(codec, bytes, &FrameLimits::default())?;
    Ok(frame.requests().map(|request| request.map(|envelope| envelope.kind.into_owned())).collect())
}

/// Reads `tree` in both codecs and expects the same of both.
#[track_caller]
fn check(tree: &Value, expected: Result<&[Result<&str, Unreadable>], Unreadable>) {
    let expected = expected.map(|requests| {
        requests.iter().map(|request| request.map(str::to_owned)).collect::<Vec<_>>()
    });
    for codec in Codec::ALL {
        let bytes = codec.encode(tree).expect("it encodes");
        assert_eq!(read(codec, &bytes), expected, "{codec:?}");
    }
}

/// As [`check`], of a frame that is one request and cannot be read.
#[track_caller]
fn check_unreadable(tree: &Value, why: Unreadable) {
    check(tree, Ok(&[Err(why)]));
}

#[test]
fn a_request_needs_only_a_type() {
    check(&json!({ "type": "ping" }), Ok(&[Ok("ping")]));
}

#[test]
fn missing_and_null_data_are_the_empty_object() {
    for codec in Codec::ALL {
        for tree in [json!({ "type": "ping" }), json!({ "type": "ping", "data": null })] {
            let bytes = codec.encode(&tree).expect("it encodes");
            read_one(codec, &bytes).data.decode::<NoData>().expect("an empty object");
        }
    }
}

#[test]
fn data_of_another_kind_is_readable_and_not_valid() {
    for codec in Codec::ALL {
        for data in [json!([]), json!("x"), json!(7), json!(true)] {
            let tree = json!({ "type": "ping", "id": 3, "data": data });
            let bytes = codec.encode(&tree).expect("it encodes");
            let envelope = read_one(codec, &bytes);
            let Err(RequestError::Invalid(fields)) = Request::parse(&envelope) else {
                panic!("{tree} was taken");
            };
            assert_eq!(
                serde_json::to_value(fields).expect("it encodes"),
                json!({ "": [{ "code": "wrong_type", "message": "expected an object", "params": {} }] })
            );
        }
    }
}

#[test]
fn unknown_fields_are_ignored_even_twice() {
    let text = br#"{"extra":[{}],"type":"ping","extra":2,"data":{"more":{"a":1}}}"#;
    assert_eq!(read(Codec::Json, text), Ok(vec![Ok("ping".into())]));
    assert!(matches!(parse(str::from_utf8(text).expect("text")), Ok(Request::Ping)));
}

#[test]
fn a_field_of_the_envelope_given_twice_is_unreadable() {
    for text in [
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","id":1,"id":1}"#,
        r#"{"type":"ping","data":{},"data":{}}"#,
        r#"{"type":"ping","id":null,"id":1}"#,
        r#"{"type":"ping","\u0074ype":"chat"}"#,
    ] {
        assert_eq!(
            read(Codec::Json, text.as_bytes()),
            Ok(vec![Err(Unreadable::Malformed)]),
            "{text}"
        );
    }
    let twice = b"\x82\xa4type\xa4ping\xa4type\xa4ping";
    assert_eq!(read(Codec::MsgPack, twice), Ok(vec![Err(Unreadable::Malformed)]));
}

#[test]
fn a_type_is_a_string_of_at_most_64_characters() {
    let longest = "ä".repeat(64);
    check(&json!({ "type": longest }), Ok(&[Ok(longest.as_str())]));
    check_unreadable(&json!({ "type": "ä".repeat(65) }), Unreadable::TypeTooLong);
    for kind in [json!(null), json!(1), json!(["ping"]), json!({})] {
        check_unreadable(&json!({ "type": kind }), Unreadable::NoType);
    }
    check_unreadable(&json!({}), Unreadable::NoType);
    check_unreadable(&json!({ "id": 1, "data": {} }), Unreadable::NoType);
}

#[test]
fn a_type_with_escapes_is_the_type_that_it_says() {
    assert_eq!(read(Codec::Json, br#"{"\u0074ype":"\u0070ing"}"#), Ok(vec![Ok("ping".into())]));
}

#[test]
fn an_id_is_an_integer_from_1_to_the_largest() {
    for id in [json!(1), json!(INTEGER_MAX), json!(null)] {
        check(&json!({ "type": "ping", "id": id }), Ok(&[Ok("ping")]));
    }
    for id in [json!(0), json!(INTEGER_MAX + 1), json!(-1), json!(1.5), json!("1"), json!([1])] {
        check_unreadable(&json!({ "type": "ping", "id": id }), Unreadable::BadId);
    }
}

#[test]
fn what_is_no_object_is_unreadable() {
    for tree in [json!(null), json!(1), json!("ping"), json!(true)] {
        check_unreadable(&tree, Unreadable::Malformed);
    }
}

#[test]
fn a_batch_holds_1_to_32_requests() {
    let ping = json!({ "type": "ping" });
    let batch = |count| Value::Array(vec![ping.clone(); count]);

    check(&batch(1), Ok(&[Ok("ping")]));
    check(&batch(BATCH_REQUESTS_MAX), Ok(&[Ok("ping"); BATCH_REQUESTS_MAX]));
    check(&batch(BATCH_REQUESTS_MAX + 1), Err(Unreadable::BatchTooLong));
    check(&json!([]), Err(Unreadable::EmptyBatch));
}

#[test]
fn a_nested_batch_is_unreadable_as_a_whole() {
    check(&json!([{ "type": "ping" }, [{ "type": "ping" }]]), Err(Unreadable::NestedBatch));
    check(&json!([[]]), Err(Unreadable::NestedBatch));
}

#[test]
fn one_bad_request_of_a_batch_spoils_itself_alone() {
    check(
        &json!([{ "type": "ping" }, { "type": 1 }, 7, { "type": "chat", "id": 0 }, { "type": "ping" }]),
        Ok(&[
            Ok("ping"),
            Err(Unreadable::NoType),
            Err(Unreadable::Malformed),
            Err(Unreadable::BadId),
            Ok("ping"),
        ]),
    );
}

#[test]
fn a_batch_with_a_broken_part_does_not_parse() {
    for text in
        [r#"[{"type":"ping"},]"#, r#"[{"type":"ping"}"#, r#"[{"type":"ping"} 1]"#, "[{}] []"]
    {
        assert_eq!(read(Codec::Json, text.as_bytes()), Err(Unreadable::Malformed), "{text}");
    }
}

#[test]
fn a_frame_may_have_as_many_bytes_as_allowed_and_not_one_more() {
    for codec in Codec::ALL {
        let bytes = codec.encode(&json!({ "type": "ping" })).expect("it encodes");
        let at = FrameLimits { message_bytes_max: bytes.len(), ..FrameLimits::default() };
        let past = FrameLimits { message_bytes_max: bytes.len() - 1, ..FrameLimits::default() };

        assert!(read_frame(codec, &bytes, &at).is_ok());
        let bytes_max = past.message_bytes_max;
        assert_eq!(
            read_frame(codec, &bytes, &past).map(drop),
            Err(Unreadable::TooLarge { bytes_max })
        );
    }
}

/// The message's own object is a level, and so is its data.
#[test]
fn nesting_is_bounded_at_16_levels_in_a_message_and_in_each_of_a_batch() {
    let nested = |levels: u8| {
        let data = (2..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        json!({ "type": "game_action", "data": data })
    };
    let deepest = nested(NESTING_MAX);
    let too_deep = nested(NESTING_MAX + 1);

    check(&deepest, Ok(&[Ok("game_action")]));
    check(&json!([deepest, deepest]), Ok(&[Ok("game_action"); 2]));
    check(&too_deep, Err(Unreadable::TooDeep));
    check(&json!([too_deep]), Err(Unreadable::TooDeep));
}

#[test]
fn brackets_in_strings_are_text() {
    let text = format!(r#"{{"type":"chat","data":{{"text":"\"{}\\"}}}}"#, "[{".repeat(100));
    assert!(matches!(parse(&text), Ok(Request::Chat(chat)) if chat.text.len() == 202));
}

#[test]
fn what_is_no_json_is_unreadable() {
    for text in [
        "",
        " ",
        "{",
        "}",
        r#"{"type":"ping"}}"#,
        r#"{"type":"ping"} x"#,
        r#"{"type":"ping",}"#,
        r#"{'type':'ping'}"#,
        r#"{"type":"ping","data":{"a":01}}"#,
        r#"{"type":"ping","data":{"a":NaN}}"#,
        r#"{"type":"pi"#,
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"type":"ping","data":{]}"#,
    ] {
        assert_eq!(
            read(Codec::Json, text.as_bytes()),
            Ok(vec![Err(Unreadable::Malformed)]),
            "{text}"
        );
    }
    let no_utf8 = b"{\"type\":\"ping\",\"extra\":\"\xff\"}";
    assert_eq!(read(Codec::Json, no_utf8), Err(Unreadable::Malformed));
}

#[test]
fn white_space_around_is_allowed() {
    assert_eq!(read(Codec::Json, b" \n{ \"type\" : \"ping\" } "), Ok(vec![Ok("ping".into())]));
    assert_eq!(read(Codec::Json, b" [ {\"type\":\"ping\"} ] "), Ok(vec![Ok("ping".into())]));
}

#[test]
fn every_way_to_write_the_same_thing_in_messagepack_is_read() {
    for frame in [
        &b"\x81\xa4type\xa4ping"[..],
        b"\xde\0\x01\xd9\x04type\xd9\x04ping",
        b"\xdf\0\0\0\x01\xda\0\x04type\xdb\0\0\0\x04ping",
        b"\x82\xa4type\xa4ping\xa2id\x01",
        b"\x82\xa4type\xa4ping\xa2id\xcc\x01",
        b"\x82\xa4type\xa4ping\xa2id\xcf\0\0\0\0\0\0\0\x01",
        b"\x82\xa4type\xa4ping\xa2id\xd3\0\0\0\0\0\0\0\x01",
        b"\xdc\0\x01\x81\xa4type\xa4ping",
        b"\xdd\0\0\0\x01\x81\xa4type\xa4ping",
    ] {
        assert_eq!(read(Codec::MsgPack, frame), Ok(vec![Ok("ping".into())]), "{frame:02x?}");
    }
}

#[test]
fn messagepack_that_says_what_json_cannot_is_unreadable() {
    for (what, frame) in [
        ("an integer key", &b"\x82\xa4type\xa4ping\x01\x02"[..]),
        ("a nil key", b"\x82\xa4type\xa4ping\xc0\x02"),
        ("a map as key, inside", b"\x82\xa4type\xa4ping\xa1d\x81\x80\x02"),
        ("a byte string", b"\x82\xa4type\xa4ping\xa1d\xc4\x01a"),
        ("a byte string as type", b"\x81\xa4type\xc4\x04ping"),
        ("an extension", b"\x82\xa4type\xa4ping\xa1d\xd4\x01a"),
        ("a timestamp", b"\x82\xa4type\xa4ping\xa1d\xd6\xff\0\0\0\0"),
        ("the unused marker", b"\x82\xa4type\xa4ping\xa1d\xc1"),
        ("text that is not UTF-8", b"\x82\xa4type\xa4ping\xa1d\xa1\xff"),
        ("infinity", b"\x82\xa4type\xa4ping\xa1d\xcb\x7f\xf0\0\0\0\0\0\0"),
        ("no number", b"\x82\xa4type\xa4ping\xa1d\xca\x7f\xc0\0\0"),
        ("something behind", b"\x81\xa4type\xa4ping\xc0"),
        ("nothing", b""),
    ] {
        assert_eq!(read(Codec::MsgPack, frame), Err(Unreadable::Malformed), "{what}");
    }
}

#[test]
fn claimed_lengths_beyond_the_frame_are_found_before_they_are_believed() {
    for claim in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xde\xff\xff",
        b"\xda\xff\xff",
        b"\xd9\xff",
        b"\xbf",
        b"\x9f",
        b"\x8f",
    ] {
        let mut frame = b"\x82\xa4type\xa4ping\xa1d".to_vec();
        frame.extend(claim);
        assert_eq!(read(Codec::MsgPack, &frame), Err(Unreadable::Malformed), "{claim:02x?}");
        // As the frame itself, where an array is a batch.
        assert!(read(Codec::MsgPack, claim).is_err(), "{claim:02x?}");
    }
}

#[test]
fn an_unknown_type_is_readable_and_no_request() {
    assert_eq!(parse(r#"{"type":"fly"}"#).map(drop), Err(RequestError::UnknownType));
    assert_eq!(parse(r#"{"type":"Ping"}"#).map(drop), Err(RequestError::UnknownType));
}
