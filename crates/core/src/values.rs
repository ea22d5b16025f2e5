//! Plain data for the edges of a game: maps by player, bounded integers, free-form scalars.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::PlayerId;

/// Data that can be stored and sent: what the types of a [`Game`](crate::Game) are made of.
///
/// Implemented for everything that qualifies. Use no interior mutability and no map with a
/// random order (`HashMap`) in it: the same commands must give the same bytes.
pub trait Data: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

/// For a game without timers or events of its own: a type with no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

/// A map by player that looks the same in every codec: its keys are written as strings.
///
/// Plain integer keys would be strings in JSON and integers in MessagePack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerMap<T>(BTreeMap<PlayerId, T>);

impl<T> PlayerMap<T> {
    /// An empty map.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Default for PlayerMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::ops::Deref for PlayerMap<T> {
    type Target = BTreeMap<PlayerId, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> std::ops::DerefMut for PlayerMap<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T> FromIterator<(PlayerId, T)> for PlayerMap<T> {
    fn from_iter<I: IntoIterator<Item = (PlayerId, T)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<'a, T> IntoIterator for &'a PlayerMap<T> {
    type Item = (&'a PlayerId, &'a T);
    type IntoIter = std::collections::btree_map::Iter<'a, PlayerId, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for PlayerMap<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Writes the number as a string without allocating one.
        struct Key(PlayerId);
        impl Serialize for Key {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (player, value) in &self.0 {
            map.serialize_entry(&Key(*player), value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PlayerMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = PlayerMap<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map by player id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PlayerMap<T>, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<Cow<'_, str>, T>()? {
                    let id = key.parse().map_err(|_| de::Error::custom("expected a player id"))?;
                    entries.insert(PlayerId(id), value);
                }
                Ok(PlayerMap(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

/// An integer from `MIN` to `MAX`, both included.
///
/// Anything else fails to deserialize, so that a field of this type in an action or in options
/// needs no further check: the player is told the path and the bounds.
///
/// ```
/// use parlor_core::Bounded;
///
/// assert_eq!(Bounded::<0, 2>::new(2).map(Bounded::get), Some(2));
/// assert_eq!(Bounded::<0, 2>::new(3), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Bounded<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Bounded<MIN, MAX> {
    /// `value`, if it is within the bounds.
    pub const fn new(value: i64) -> Option<Self> {
        if value < MIN || value > MAX { None } else { Some(Self(value)) }
    }

    /// The integer.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The integer, for use as an index.
    ///
    /// Compiles only for types whose `MIN` is not negative.
    pub const fn index(self) -> usize {
        const { assert!(MIN >= 0, "an index is not negative") };
        self.0.cast_unsigned() as usize
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What a value should have been, in the words that the player is told.
        struct Within(i64, i64);
        impl de::Expected for Within {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an integer from {} to {}", self.0, self.1)
            }
        }

        let value = i64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Signed(value), &Within(MIN, MAX))
        })
    }
}

/// A word from the program around the rooms into one of them.
///
/// What it may say is between that program and the game; clients cannot send one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What it is about.
    pub name: String,
    /// The rest of it.
    pub data: BTreeMap<String, Scalar>,
}

/// What the program around the rooms knows of a player: an account, a rank, a choice of colour.
///
/// It is the game's to show in a view what others may see of it; by itself nobody is sent it.
pub type Profile = BTreeMap<String, Scalar>;

/// A value in a room's metadata or in an error's details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
    /// Several of them; metadata does not use it.
    List(Vec<Self>),
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Scalar {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&'static str> for Scalar {
    fn from(value: &'static str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<PlayerId> for Scalar {
    fn from(player: PlayerId) -> Self {
        Self::Int(player.0.into())
    }
}

impl<T: Into<Self>> From<Vec<T>> for Scalar {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn player_map_has_string_keys_in_both_codecs() {
        let map: PlayerMap<u8> = [(PlayerId(2), 5), (PlayerId(1), 6)].into_iter().collect();

        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"1":6,"2":5}"#);
        assert_eq!(serde_json::from_str::<PlayerMap<u8>>(&json).unwrap(), map);

        let packed = rmp_serde::to_vec_named(&map).unwrap();
        let tree: BTreeMap<String, u8> = rmp_serde::from_slice(&packed).unwrap();
        assert_eq!(tree, BTreeMap::from([("1".to_owned(), 6), ("2".to_owned(), 5)]));
        assert_eq!(rmp_serde::from_slice::<PlayerMap<u8>>(&packed).unwrap(), map);
    }

    #[test]
    fn bounded_integer_refuses_what_is_outside() {
        for (text, expect) in [("-1", None), ("0", Some(0)), ("2", Some(2)), ("3", None)] {
            let read = serde_json::from_str::<Bounded<0, 2>>(text);
            assert_eq!(read.ok().map(Bounded::get), expect, "{text}");
        }
    }
}
