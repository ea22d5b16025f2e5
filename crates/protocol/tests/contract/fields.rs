//! What a client hears about data that is not valid: where, why, and never its own value.

use parlor_protocol::{Codec, FieldErrors, Request, RequestError, decode_value};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::samples::{parse, read_one};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it decodes is of interest")]
struct Action {
    dice: Vec<u8>,
    #[serde(default)]
    options: Inner,
    #[serde(default)]
    colour: Option<Colour>,
    #[serde(default)]
    pair: Option<(u8, u8)>,
    #[serde(default)]
    name: Option<parlor_protocol::PlayerName>,
    #[serde(default)]
    own: Option<Own>,
    #[serde(default)]
    none: Option<Nothing>,
}

#[derive(Debug, Deserialize)]
enum Nothing {}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only whether it decodes is of interest")]
struct Inner {
    #[serde(default)]
    target_score: u32,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only whether it decodes is of interest")]
struct Step {
    by: i8,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Colour {
    Red,
    Blue,
}

/// A type of a game's author whose message repeats what it got.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Own;

impl TryFrom<String> for Own {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("{text} is not mine"))
    }
}

/// Decodes `data` as an [`Action`] in both codecs and expects this one error of both.
#[track_caller]
fn check(data: &Value, path: &str, code: &str, message: &str) {
    let expected = FieldErrors::of(path, code.to_owned(), message.to_owned());
    for codec in Codec::ALL {
        let bytes =
            codec.encode(&json!({ "type": "game_action", "data": data })).expect("it encodes");
        let error = read_one(codec, &bytes).data.decode::<Action>().expect_err("not valid");
        assert_eq!(error, expected, "{codec:?}");
        let text = serde_json::to_string(&error).expect("it encodes");
        assert!(!text.contains(CANARY), "{codec:?} repeats the value: {text}");
    }
    assert_eq!(decode_value::<Action>(data.clone()).expect_err("not valid"), expected);
}

/// Stands in client's values; must stand in no error.
const CANARY: &str = "hunter2";

#[test]
fn paths_lead_to_the_field() {
    let byte = "expected an integer from 0 to 255";
    check(&json!({ "dice": [1, CANARY] }), "dice[1]", "wrong_type", byte);
    check(
        &json!({ "dice": [], "options": { "targetScore": CANARY } }),
        "options.targetScore",
        "wrong_type",
        "expected an integer from 0 to 4294967295",
    );
    check(
        &json!({ "dice": [], "options": { "steps": [{ "by": 1 }, { "by": 128 }] } }),
        "options.steps[1].by",
        "invalid_value",
        "expected an integer from -128 to 127",
    );
}

#[test]
fn a_missing_field_is_named_by_its_own_path() {
    check(&json!({}), "dice", "required", "is required");
    check(
        &json!({ "dice": [], "options": { "steps": [{}] } }),
        "options.steps[0].by",
        "required",
        "is required",
    );
}

#[test]
fn what_was_expected_is_said_in_plain_words() {
    check(&json!({ "dice": CANARY }), "dice", "wrong_type", "expected an array");
    check(&json!({ "dice": null }), "dice", "wrong_type", "expected an array");
    check(&json!({ "dice": [], "options": CANARY }), "options", "wrong_type", "expected an object");
    check(
        &json!({ "dice": [], "colour": CANARY }),
        "colour",
        "unknown_variant",
        "expected `red` or `blue`",
    );
    check(
        &json!({ "dice": [], "dices": CANARY }),
        "dices",
        "unknown_field",
        "expected one of `dice`, `options`, `colour`, `pair`, `name`, `own`, `none`",
    );
    check(&json!({ "dice": [], "name": 7 }), "name", "wrong_type", "expected a string");
    check(
        &json!({ "dice": [300] }),
        "dice[0]",
        "invalid_value",
        "expected an integer from 0 to 255",
    );
    check(
        &json!({ "dice": [-1] }),
        "dice[0]",
        "invalid_value",
        "expected an integer from 0 to 255",
    );
    check(&json!({ "dice": [1.5] }), "dice[0]", "wrong_type", "expected an integer from 0 to 255");
}

/// The text of serde's error has the client's string before its own words.
#[test]
fn a_value_that_imitates_an_error_is_not_repeated() {
    for end in ["", " at line 1", " at line 1 column 2", "`, there are no variants"] {
        let imitation = format!("x\", expected {CANARY}{end}");
        check(&json!({ "dice": imitation }), "dice", "wrong_type", "expected an array");
        check(&json!({ "dice": [], "own": imitation }), "own", "invalid", "is not valid");
    }
    check(
        &json!({ "dice": [], "none": format!("`, expected {CANARY}") }),
        "none",
        "unknown_variant",
        "is not valid",
    );
    check(
        &json!({ "dice": [], "colour": format!("`, expected {CANARY}") }),
        "colour",
        "unknown_variant",
        "expected `red` or `blue`",
    );
}

#[test]
fn the_words_of_a_types_author_are_not_passed_on_since_they_may_hold_the_value() {
    check(&json!({ "dice": [], "own": CANARY }), "own", "invalid", "is not valid");
}

#[test]
fn our_own_rules_keep_their_words() {
    check(
        &json!({ "dice": [], "name": format!("{CANARY}\u{202e}") }),
        "name",
        "forbidden_character",
        "must not contain control or text direction characters",
    );
}

#[test]
fn a_field_given_twice_is_not_valid() {
    let text = r#"{"type":"game_action","data":{"dice":[],"dice":[]}}"#;
    let error = read_one(Codec::Json, text.as_bytes()).data.decode::<Action>().expect_err("twice");
    assert_eq!(error, FieldErrors::of("dice", "duplicate", "is given twice"));

    let bytes = b"\x82\xa4type\xabgame_action\xa4data\x82\xa4dice\x90\xa4dice\x90";
    let error = read_one(Codec::MsgPack, bytes).data.decode::<Action>().expect_err("twice");
    assert_eq!(error, FieldErrors::of("", "invalid", "is not valid"));
}

#[test]
fn every_bound_that_is_missed_is_told_at_once_with_its_params() {
    let text = format!(
        r#"{{"type":"create_room","data":{{"gameType":"","playerName":"Ada","password":"","key":"{CANARY}"}}}}"#
    );
    let Err(RequestError::Invalid(fields)) = parse(&text) else { panic!("it was taken") };
    let length = |min: u64, max: u64| {
        let message = format!("must be {min} to {max} characters long");
        json!([{ "code": "length", "message": message, "params": { "min": min, "max": max } }])
    };
    assert_eq!(
        serde_json::to_value(&fields).expect("it encodes"),
        json!({ "gameType": length(1, 64), "key": length(16, 64), "password": length(1, 64) })
    );
    assert_eq!(
        fields.to_string(),
        "gameType: must be 1 to 64 characters long, key: must be 16 to 64 characters long, \
         password: must be 1 to 64 characters long"
    );
}

#[test]
fn metadata_is_flat() {
    let text = format!(
        r#"{{"type":"update_room","data":{{"metadata":{{"a":"{CANARY}","b":["{CANARY}"]}}}}}}"#
    );
    let Err(RequestError::Invalid(fields)) = parse(&text) else { panic!("it was taken") };
    assert_eq!(
        fields,
        FieldErrors::of(
            "metadata",
            "nested",
            "must hold only strings, numbers, booleans and nulls"
        )
    );
}

#[test]
fn a_prefix_goes_before_every_path() {
    let moved = |path: &str| {
        let fields = FieldErrors::of(path, "c", "m").within("options");
        fields.iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(moved("targetScore"), ["options.targetScore"]);
    assert_eq!(moved(""), ["options"]);
    assert_eq!(moved("[1].x"), ["options[1].x"]);
}

/// The keys of a map are the client's, so a path can be as long as a message.
#[test]
fn a_path_is_at_most_256_characters() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Bids {
        bids: std::collections::BTreeMap<String, u8>,
    }
    for (key, path_chars) in [(251, 256), (252, 256)] {
        let tree = json!({ "bids": { "ü".repeat(key): "no" } });
        let fields = decode_value::<Bids>(tree).expect_err("not valid");
        let (path, _) = fields.iter().next().expect("an error");
        assert_eq!(path.chars().count(), path_chars);
        assert!(path.starts_with("bids.üü"));
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let text =
        format!(r#"{{"type":"reconnect","data":{{"sessionToken":"{CANARY}","epoch":"e"}}}}"#);
    let request = parse(&text).expect("a request");
    assert!(!format!("{request:?}").contains(CANARY));
    let Request::Reconnect(reconnect) = request else { panic!("another request") };
    assert_eq!(reconnect.session_token.expose(), CANARY);
}
