//! When something was to be sent, in such a form that it is found in a message of either codec without reading
//! the message.

use std::fmt;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since a generator began, written as `@` and sixteen digits. Text is the same bytes in JSON and in
/// MessagePack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([u8; LENGTH]);

impl Stamp {
    pub(super) fn of(micros: u64) -> Self {
        let mut text = [b'0'; LENGTH];
        text[0] = b'@';
        let mut rest = micros;
        for digit in text[1..].iter_mut().rev() {
            *digit = b"0123456789abcdef"[usize::from(rest as u8 & 15)];
            rest >>= 4;
        }
        Self(text)
    }

    /// The first one in a message.
    pub(super) fn find(message: &[u8]) -> Option<(Self, u64)> {
        // In MessagePack the number 64 is the same byte as the sign.
        memchr::memchr_iter(b'@', message).find_map(|start| Self::read(&message[start..]))
    }

    fn read(message: &[u8]) -> Option<(Self, u64)> {
        let text: &[u8; LENGTH] = message.first_chunk()?;
        let micros = text[1..].iter().try_fold(0_u64, |micros, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some(micros << 4 | u64::from(digit))
        })?;
        Some((Self(*text), micros))
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are text")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Stamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("@ and sixteen digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Stamp, E> {
                match Stamp::find(text.as_bytes()) {
                    Some((stamp, _)) if text.len() == LENGTH => Ok(stamp),
                    _ => Err(E::custom("expected @ and sixteen digits")),
                }
            }
        }
        deserializer.deserialize_str(Text).map_err(D::Error::custom)
    }
}

const LENGTH: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_is_found_in_a_message_of_either_codec() {
        for micros in [0, 1, 15, 16, 123_456_789, u64::MAX] {
            let stamp = Stamp::of(micros);
            let message =
                serde_json::json!({"type": "game_event", "seq": 64, "data": {"at": stamp}});
            for bytes in
                [serde_json::to_vec(&message).unwrap(), rmp_serde::to_vec_named(&message).unwrap()]
            {
                assert_eq!(Stamp::find(&bytes), Some((stamp, micros)));
            }
            let again: Stamp = serde_json::from_value(message["data"]["at"].clone()).unwrap();
            assert_eq!(again, stamp);
        }
    }

    #[test]
    fn what_is_no_stamp_is_not_taken_for_one() {
        for message in ["", "@", "@000000000000000", "@00000000000000zz", "no sign at all"] {
            assert_eq!(Stamp::find(message.as_bytes()), None, "{message}");
            assert!(serde_json::from_value::<Stamp>(message.into()).is_err());
        }
        let longer = format!("{} ", Stamp::of(1).as_str());
        assert!(serde_json::from_value::<Stamp>(longer.into()).is_err());
    }
}
