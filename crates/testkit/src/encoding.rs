//! What a value looks like in both codecs, and where two values differ.
//!
//! The server writes every view, event and outcome as JSON or as MessagePack, as each client asked. Here is
//! checked that both say the same and that either can be read back.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

/// `value` as a tree, if both codecs write that tree and read `value` from it.
pub(crate) fn alike<T: Serialize + DeserializeOwned>(value: &T) -> Result<Value, String> {
    let tree = serde_json::to_value(value)
        .map_err(|error| format!("cannot be written as JSON: {error}"))?;
    let bytes = packed(value)?;
    let mut reader = rmp_serde::Deserializer::new(&bytes[..]).with_human_readable();
    let Tree(unpacked) = Tree::deserialize(&mut reader)
        .map_err(|error| format!("is no plain tree in MessagePack: {error}"))?;
    if let Some(difference) = difference(&tree, &unpacked) {
        return Err(format!("is one thing in JSON and another in MessagePack: {difference}"));
    }

    let from_json: T = serde_json::from_value(tree.clone())
        .map_err(|error| format!("cannot be read from the JSON that it is written as: {error}"))?;
    let mut reader = rmp_serde::Deserializer::new(&bytes[..]).with_human_readable();
    let from_packed = T::deserialize(&mut reader).map_err(|error| {
        format!("cannot be read from the MessagePack that it is written as: {error}")
    })?;
    for (read, codec) in [(from_json, "JSON"), (from_packed, "MessagePack")] {
        let again = serde_json::to_value(&read)
            .map_err(|error| format!("read from {codec}, cannot be written again: {error}"))?;
        if let Some(difference) = difference(&tree, &again) {
            return Err(format!("is another once it is read from {codec}: {difference}"));
        }
    }
    Ok(tree)
}

/// Whether `event` is tagged as the protocol has it: a name, and data unless there is none.
pub(crate) fn check_tagged(event: &Value) -> Result<(), String> {
    let is_tagged = event.as_object().is_some_and(|fields| {
        fields.get("name").is_some_and(Value::is_string)
            && fields.keys().all(|key| matches!(key.as_str(), "name" | "data"))
    });
    if is_tagged {
        return Ok(());
    }
    Err(format!(
        "an event is to be {{\"name\": …, \"data\": …}}, by #[serde(tag = \"name\", content = \
         \"data\")], and this one is {event}"
    ))
}

/// Where two trees first differ and what is there, or `None` when they are the same.
pub(crate) fn difference(one: &Value, other: &Value) -> Option<String> {
    differs_at(String::new(), one, other)
}

fn differs_at(path: String, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            let missing = others.iter().filter(|(key, _)| !ones.contains_key(*key));
            let pairs = ones.iter().map(|(key, value)| (key, Some(value), others.get(key)));
            pairs.chain(missing.map(|(key, value)| (key, None, Some(value)))).find_map(
                |(key, one, other)| match (one, other) {
                    (Some(one), Some(other)) => differs_at(format!("{path}/{key}"), one, other),
                    (one, other) => Some(said(&format!("{path}/{key}"), one, other)),
                },
            )
        }
        (Value::Array(ones), Value::Array(others)) => {
            (0..ones.len().max(others.len())).find_map(|place| {
                let path = format!("{path}/{place}");
                match (ones.get(place), others.get(place)) {
                    (Some(one), Some(other)) => differs_at(path, one, other),
                    (one, other) => Some(said(&path, one, other)),
                }
            })
        }
        (Value::Number(one_number), Value::Number(other_number)) => {
            let is_same = same_number(one_number, other_number);
            (!is_same).then(|| said(&path, Some(one), Some(other)))
        }
        (one, other) => (one != other).then(|| said(&path, Some(one), Some(other))),
    }
}

/// JSON writes an `f32` by its shortest digits, MessagePack by its bits: both are the same `f32`.
pub(crate) fn same_number(one: &Number, other: &Number) -> bool {
    let are_whole = !one.is_f64() && !other.is_f64();
    let as_f32 = |number: &Number| number.as_f64().map(|number| number as f32);
    one == other || (!are_whole && as_f32(one) == as_f32(other))
}

fn said(path: &str, one: Option<&Value>, other: Option<&Value>) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shortened);
    format!("at {path} it is {} in one and {} in the other", shown(one), shown(other))
}

/// `value` as JSON, cut to a length that can be read.
pub(crate) fn shortened(value: &Value) -> String {
    const CHARS_MAX: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn packed(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut writer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
    value
        .serialize(&mut writer)
        .map_err(|error| format!("cannot be written as MessagePack: {error}"))?;
    Ok(bytes)
}

/// A tree of what JSON could say too: keys are text, numbers are finite, there are no bare bytes.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what JSON could say too")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Tree, D::Error> {
                Tree::deserialize(inner)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
                let number = Number::from_f64(value);
                number
                    .map(|number| Tree(number.into()))
                    .ok_or_else(|| E::custom("a number that is not finite"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(Tree(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree(Value::Array(items)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Map::new();
                while let Some((Tree(key), Tree(value))) = map.next_entry()? {
                    let Value::String(key) = key else {
                        return Err(A::Error::custom("a key of a map that is no text"));
                    };
                    fields.insert(key, value);
                }
                Ok(Tree(Value::Object(fields)))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
