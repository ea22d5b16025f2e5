//! The ids of the protocol: a player's, a request's, a room's.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::INTEGER_MAX;

/// A player in a room. Small, unique there, never given to another, the same after a reconnect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PlayerId(pub u32);

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number that a client gives a request, from 1 to 2^53 - 1. Its response echoes it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RequestId(
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = INTEGER_MAX)))] u64,
);

impl RequestId {
    /// The id with this number, if it is in range.
    pub const fn new(number: u64) -> Option<Self> {
        if 1 <= number && number <= INTEGER_MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| de::Error::custom("request id out of range"))
    }
}

/// The name of a room: 8 characters of [`RoomCode::ALPHABET`].
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RoomCode([u8; Self::CHARS]);

impl RoomCode {
    /// Characters in a code.
    pub const CHARS: usize = 8;

    /// The characters of codes. No two of them look alike: of 0/O/Q/D, 1/I/L, 2/Z, 5/S, 6/G, 8/B,
    /// U/V and W/VV at most one is in.
    pub const ALPHABET: &'static [u8; 24] = b"23456789ACDEFHJKMNPRTVXY";

    /// How many codes there are.
    pub const COUNT: u64 = (Self::ALPHABET.len() as u64).pow(Self::CHARS as u32);

    /// Reads a code without regard to case. `None` for any other text, which names no room.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code: [u8; Self::CHARS] = text.as_bytes().try_into().ok()?;
        code.make_ascii_uppercase();
        code.iter().all(|byte| Self::ALPHABET.contains(byte)).then_some(Self(code))
    }

    /// The code with this number, modulo [`RoomCode::COUNT`]: a random number gives a random code.
    pub const fn from_number(number: u64) -> Self {
        let base = Self::ALPHABET.len() as u64;
        let mut rest = number % Self::COUNT;
        let mut code = [0; Self::CHARS];
        let mut place = Self::CHARS;
        while place > 0 {
            place -= 1;
            code[place] = Self::ALPHABET[(rest % base) as usize];
            rest /= base;
        }
        Self(code)
    }

    /// The code in upper case.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RoomCode").field(&self.as_str()).finish()
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RoomCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RoomCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient_room_code(deserializer)?.ok_or_else(|| de::Error::custom("no room code"))
    }
}

/// Reads a `roomId` of a request, where a string of another shape is no mistake of form: it names
/// no room, and is answered as a room that does not exist.
pub(crate) fn lenient_room_code<'de, D>(deserializer: D) -> Result<Option<RoomCode>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(RoomCode::parse(&String::deserialize(deserializer)?))
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for RoomCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RoomCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "The name of a room, read without regard to case.",
            "pattern": "^[23456789ACDEFHJKMNPRTVXY]{8}$",
        })
    }
}
