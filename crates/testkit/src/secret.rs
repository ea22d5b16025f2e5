//! Looking for a secret in what was sent.

use serde_json::{Map, Value};

use crate::encoding::same_number;

/// Where in `tree` the secret stands: as a value, within a text or a list, or in the name of a field.
pub(crate) fn find(tree: &Value, secret: &Value) -> Option<String> {
    find_at(String::new(), tree, secret)
}

/// Why such a secret cannot be looked for: it would be found, or not, by accident.
pub(crate) fn is_too_common(secret: &Value) -> Option<&'static str> {
    match secret {
        Value::Null | Value::Bool(_) => Some("it is in nearly everything"),
        Value::String(text) if text.is_empty() => Some("it is empty"),
        Value::Array(items) if items.is_empty() => Some("it is empty"),
        Value::Object(fields) if fields.is_empty() => Some("it is empty"),
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn find_at(path: String, tree: &Value, secret: &Value) -> Option<String> {
    if is_in(tree, secret) {
        return Some(if path.is_empty() { "/".to_owned() } else { path });
    }
    match tree {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(place, item)| find_at(format!("{path}/{place}"), item, secret)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let path = format!("{path}/{name}");
            if is_in_text(name, secret) {
                return Some(path);
            }
            find_at(path, value, secret)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether `value` itself shows the secret: it may hold more than that.
fn is_in(value: &Value, secret: &Value) -> bool {
    match (value, secret) {
        (Value::String(text), secret) => is_in_text(text, secret),
        (Value::Number(number), Value::Number(secret)) => same_number(number, secret),
        (Value::Array(items), Value::Array(secret)) => items
            .windows(secret.len())
            .any(|window| window.iter().zip(secret).all(|(item, secret)| is_same(item, secret))),
        (Value::Object(fields), Value::Object(secret)) => holds(fields, secret),
        (value, secret) => value == secret,
    }
}

fn holds(fields: &Map<String, Value>, secret: &Map<String, Value>) -> bool {
    secret.iter().all(|(name, secret)| fields.get(name).is_some_and(|value| is_same(value, secret)))
}

fn is_same(value: &Value, secret: &Value) -> bool {
    crate::encoding::difference(value, secret).is_none()
}

/// A text may be part of a longer one, a number only a whole one: 12 is not in "room 3124".
fn is_in_text(text: &str, secret: &Value) -> bool {
    match secret {
        Value::String(secret) => text.contains(secret.as_str()),
        Value::Number(secret) => {
            let secret = secret.to_string();
            text.match_indices(&secret).any(|(start, found)| {
                let is_digit = |char: Option<char>| char.is_some_and(|char| char.is_ascii_digit());
                !is_digit(text[..start].chars().next_back())
                    && !is_digit(text[start + found.len()..].chars().next())
            })
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secret_is_found_wherever_it_can_be_read() {
        for (tree, secret, place) in [
            (json!({"a": {"b": 42}}), json!(42), Some("/a/b")),
            (json!({"a": 42.0}), json!(42), Some("/a")),
            (json!({"a": [1, 2, 3, 4]}), json!([2, 3]), Some("/a")),
            (json!({"a": [1, 2, 3, 4]}), json!([2, 4]), None),
            (json!({"a": ["the word is banana!"]}), json!("banana"), Some("/a/0")),
            (json!({"scores": {"banana": 3}}), json!("banana"), Some("/scores/banana")),
            (json!({"4711": true}), json!(4711), Some("/4711")),
            (json!("card 12 of 52"), json!(12), Some("/")),
            (json!("card 3124"), json!(12), None),
            (
                json!([{"suit": 1, "rank": 9, "up": true}]),
                json!({"suit": 1, "rank": 9}),
                Some("/0"),
            ),
            (json!([{"suit": 1, "rank": 8}]), json!({"suit": 1, "rank": 9}), None),
            (json!({"a": [420]}), json!(42), None),
        ] {
            assert_eq!(find(&tree, &secret).as_deref(), place, "{secret} in {tree}");
        }
    }
}
