//! JSON frames: the scan before anything is built, batches, and an envelope's fields.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::envelope::Unreadable;
use crate::limits::BATCH_REQUESTS_MAX;
use crate::raw::Raw;

/// Whether the frame is an array, judged by its first character.
pub(crate) fn is_array(text: &str) -> bool {
    text.trim_ascii_start().starts_with('[')
}

/// Counts open brackets outside of strings and refuses more than `depth_max`.
///
/// It does not judge the grammar, which is left to the parser: no text that this accepts makes the
/// parser go deeper than `depth_max`, since the parser opens nothing that this does not count.
pub(crate) fn check_depth(text: &str, depth_max: u8) -> Result<(), Unreadable> {
    let mut depth = 0_u8;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' if depth == depth_max => return Err(Unreadable::TooDeep),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// The requests of a batch.
pub(crate) fn batch(text: &str) -> Result<Vec<Raw<'_>>, Unreadable> {
    let Batch(items) = serde_json::from_str(text).map_err(|error| {
        // The visitor below has one error of its own; all others are the grammar's.
        if error.is_data() { Unreadable::BatchTooLong } else { Unreadable::Malformed }
    })?;
    if items.iter().any(|item| is_array(item.get())) {
        return Err(Unreadable::NestedBatch);
    }
    Ok(items.into_iter().map(|item| Raw::Json(item.get())).collect())
}

/// The values of the fields with these names, in the order of the names.
pub(crate) fn fields<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Result<[Option<Raw<'a>>; N], Unreadable> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = Fields(names).deserialize(&mut deserializer).map_err(|_| Unreadable::Malformed)?;
    deserializer.end().map_err(|_| Unreadable::Malformed)?;
    Ok(fields)
}

struct Batch<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;

        impl<'de> Visitor<'de> for Items {
            type Value = Batch<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a batch of requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Batch<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == BATCH_REQUESTS_MAX {
                        return Err(A::Error::custom("batch too long"));
                    }
                    items.push(item);
                }
                Ok(Batch(items))
            }
        }

        deserializer.deserialize_seq(Items)
    }
}

struct Fields<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Fields<'_, N> {
    type Value = [Option<Raw<'de>>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
    type Value = [Option<Raw<'de>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = [None; N];
        while let Some(Text(key)) = map.next_key()? {
            let Some(place) = self.0.iter().position(|name| *name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &RawValue = map.next_value()?;
            if fields[place].replace(Raw::Json(value.get())).is_some() {
                return Err(A::Error::custom("a field is given twice"));
            }
        }
        Ok(fields)
    }
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);
