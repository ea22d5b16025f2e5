//! What tells one request from another with the same id: a digest of what it says.
//!
//! The data is read as a tree, so that the digest is the same in either codec and in any order of
//! fields: who comes back may speak another codec, or write the same request anew.
//!
//! The hash is a fast one, with which two requests of one digest can be found. Who uses them under one id has
//! the second answered as the first, and hurts nobody else.

use std::fmt;
use std::hash::{Hash, Hasher as _};

use parlor_protocol::Envelope;
use rustc_hash::FxHasher;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A digest of what a request says, its id aside.
pub(crate) fn fingerprint(envelope: &Envelope<'_>) -> u64 {
    // What is no tree that both codecs know is no more than its bytes.
    let data = envelope.data.decode().unwrap_or_else(|_| Tree::of(&envelope.data.bytes()));
    Tree::of(&(&envelope.kind, data.0)).0
}

/// The digest of a value.
struct Tree(u64);

impl Tree {
    fn of(content: &impl Hash) -> Self {
        let mut hasher = FxHasher::default();
        content.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::of(&()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::of(&value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::of(&i128::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::of(&i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        // Some write 1.0 as 1 in one codec and not in the other.
        if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
            return Ok(Tree::of(&(value as i128)));
        }
        Ok(Tree::of(&value.to_bits()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::of(&value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Tree, E> {
        Ok(Tree::of(&value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut hasher = FxHasher::default();
        while let Some(Tree(item)) = seq.next_element()? {
            hasher.write_u64(item);
        }
        Ok(Tree(hasher.finish()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        // A sum, which does not depend on the order.
        let mut sum = 0_u64;
        while let Some((Tree(key), Tree(value))) = map.next_entry()? {
            sum = sum.wrapping_add(Tree::of(&(key, value)).0);
        }
        Ok(Tree::of(&sum))
    }
}

/// Up to here each whole number has a float of its own.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use parlor_protocol::limits::{FrameLimits, MESSAGE_BYTES_MAX, NESTING_MAX};
    use parlor_protocol::{Codec, read_frame};
    use serde_json::{Value, json};

    use super::*;

    fn of_bytes(codec: Codec, request: &[u8]) -> u64 {
        let limits = FrameLimits { message_bytes_max: MESSAGE_BYTES_MAX, nesting_max: NESTING_MAX };
        let frame = read_frame(codec, request, &limits).unwrap();
        let envelope = frame.requests().next().unwrap().unwrap();
        fingerprint(&envelope)
    }

    fn of(codec: Codec, kind: &str, data: &Value) -> u64 {
        of_bytes(codec, &codec.encode(&json!({"type": kind, "id": 1, "data": data})).unwrap())
    }

    #[test]
    fn fingerprint_is_the_same_in_either_codec() {
        let data = json!({
            "a": {"b": [1, -1, 2.5, true, null, "text", {}], "c": 9_007_199_254_740_991_u64},
            "d": [],
        });
        assert_eq!(of(Codec::Json, "chat", &data), of(Codec::MsgPack, "chat", &data));
    }

    #[test]
    fn fingerprint_does_not_depend_on_how_the_same_data_is_written() {
        let one = br#"{"type":"chat","id":1,"data":{"a":1,"b":[2]}}"#;
        let other = br#"{"id":7, "data": {"b": [2.0], "\u0061": 1}, "type": "chat"}"#;
        assert_eq!(of_bytes(Codec::Json, one), of_bytes(Codec::Json, other));
        let without = br#"{"type":"chat","id":1}"#;
        assert_eq!(of_bytes(Codec::Json, without), of(Codec::MsgPack, "chat", &json!({})));
    }

    #[test]
    fn different_requests_have_different_fingerprints() {
        let requests = [
            ("chat", json!({})),
            ("leave_room", json!({})),
            ("chat", json!({"a": null})),
            ("chat", json!({"a": 1})),
            ("chat", json!({"a": "1"})),
            ("chat", json!({"a": true})),
            ("chat", json!({"a": 1.5})),
            ("chat", json!({"b": 1})),
            ("chat", json!({"a": [1, 2]})),
            ("chat", json!({"a": [2, 1]})),
            ("chat", json!({"a": {"x": 1, "y": 2}})),
            ("chat", json!({"a": {"x": 2, "y": 1}})),
            ("chat", json!([])),
        ];
        for codec in Codec::ALL {
            let mut all: Vec<u64> =
                requests.iter().map(|(kind, data)| of(codec, kind, data)).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), requests.len(), "{codec:?}");
        }
    }
}
