//! serde's errors as the protocol tells them: a path, a code, and words without the client's value.
//!
//! serde builds an error's text out of what it met and what it expected. What it met is the
//! client's, and is dropped; what it expected was written by the author of a type. Both
//! decoders behind [`explain`] are serde_json's, so the texts here are its texts.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::fields::{FieldErrors, join};
use crate::player_name::PlayerNameError;

/// Decodes, and where that fails says where and why.
pub(crate) fn explain<'de, T, D>(deserializer: D) -> Result<T, FieldErrors>
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error: fmt::Display>,
{
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| told(dotted(error.path()), &error.inner().to_string()))
}

fn dotted(path: &Path) -> String {
    path.iter().fold(String::new(), |path, segment| match segment {
        Segment::Seq { index } => format!("{path}[{index}]"),
        Segment::Map { key } => join(&path, key),
        // The name of a variant stands in the data too, as a key or as a tag's value, but
        // not always between the keys; what is inside has a path that reads well without.
        Segment::Enum { .. } | Segment::Unknown => path,
    })
}

fn told(path: String, text: &str) -> FieldErrors {
    let text = without_position(text);

    if let Some(field) = text.strip_prefix("missing field ") {
        return FieldErrors::of(join(&path, unquoted(field)), "required", "is required");
    }
    if let Some(field) = text.strip_prefix("duplicate field ") {
        return FieldErrors::of(join(&path, unquoted(field)), "duplicate", "is given twice");
    }
    if let Some(rule) = PlayerNameError::ALL.into_iter().find(|rule| rule.to_string() == text) {
        return FieldErrors::of(path, rule.code(), rule.to_string());
    }
    for (start, code) in [
        ("invalid type: ", "wrong_type"),
        ("invalid value: ", "invalid_value"),
        ("invalid length ", "wrong_length"),
        ("unknown variant ", "unknown_variant"),
        ("unknown field ", "unknown_field"),
    ] {
        if text.starts_with(start) {
            // The last "expected" is serde's own: the client's value, which may have one too,
            // stands before it.
            let nothing = text.ends_with(", there are no variants")
                || text.ends_with(", there are no fields");
            let expected = text.rsplit_once(", expected ").filter(|_| !nothing);
            let expected = expected.map(|(_, expected)| in_words(expected));
            let message = expected.map_or(Cow::Borrowed("is not valid"), |expected| {
                format!("expected {expected}").into()
            });
            return FieldErrors::of(path, code, message);
        }
    }
    FieldErrors::of(path, "invalid", "is not valid")
}

/// Takes off the " at line 1 column 7" that the parser of text adds and that of trees does not.
fn without_position(text: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.rsplit_once(" at line ") {
        Some((before, position))
            if position
                .split_once(" column ")
                .is_some_and(|(line, column)| is_number(line) && is_number(column)) =>
        {
            before
        }
        _ => text,
    }
}

/// Rust's names for what was expected, in words for whoever writes a client.
fn in_words(expected: &str) -> Cow<'_, str> {
    let plain = match expected {
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "u128" | "usize" => "an integer of 0 or more",
        "i8" => "an integer from -128 to 127",
        "i16" => "an integer from -32768 to 32767",
        "i32" => "an integer from -2147483648 to 2147483647",
        "i64" | "i128" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "unit" => "null",
        "a map" => "an object",
        "a sequence" => "an array",
        _ if starts_with_any(expected, &["tuple", "an array", "a tuple"]) => "an array",
        _ if starts_with_any(expected, &["struct", "internally tagged", "adjacently tagged"]) => {
            "an object"
        }
        _ if expected.starts_with("enum ") => "a name, or an object with one field",
        _ if expected.ends_with("identifier") => "a name",
        _ => return expected.into(),
    };
    plain.into()
}

fn starts_with_any(text: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
}

/// A name out of serde's backticks.
fn unquoted(name: &str) -> &str {
    name.trim_matches('`')
}
