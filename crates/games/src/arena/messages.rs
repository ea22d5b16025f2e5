//! What goes in and out of an arena: options, actions, the view, events, the outcome.

use std::time::Duration;

use parlor_core::{Bounded, PlayerId, PlayerMap, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::field::{Places, WALLS};

/// What a room's creator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Options {
    /// How long a round is, in seconds. Defaults to 90.
    pub round_seconds: Bounded<5, 600>,
}

/// Where a player runs until it says otherwise: `{"dx": 1, "dy": -0.5, "dash": false}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// To the right, or with less than nothing to the left.
    pub dx: Axis,
    /// Down, or with less than nothing up.
    pub dy: Axis,
    /// Whether to dash as soon as that is possible.
    #[serde(default)]
    pub dash: bool,
}

/// A number from -1 to 1, to the thousandth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Axis(i16);

/// What everyone sees. What changes at every step is [`at`](Self::at) alone, so that a patch is short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The field's width and height; places count from its upper left corner.
    pub field: [i16; 2],
    /// Half of a player's width. Two that are twice as far apart touch.
    pub radius: i16,
    /// Each wall's left, top, width and height.
    pub walls: [[i16; 4]; WALLS],
    /// Where the middle of each player is.
    pub at: Places,
    /// Who is it.
    pub it: Option<PlayerId>,
    /// Since when.
    pub since: Option<Time>,
    /// For how many milliseconds each has been it, without the time since then.
    pub it_ms: PlayerMap<u64>,
    /// Until when nobody can be tagged.
    pub safe_until: Time,
    /// From when on each who has dashed may dash again.
    pub dash_at: PlayerMap<Time>,
    /// When the round ends.
    pub deadline: Option<Time>,
    /// Who has come in first, second and so on, once the round is over.
    pub ranking: Vec<PlayerId>,
}

/// What is told beside the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A player is it by lot: at the start, and when the one before has left.
    Chosen {
        /// Who.
        player: PlayerId,
    },
    /// A player was touched and is it now.
    Tagged {
        /// Who was it before.
        by: PlayerId,
        /// Who is it.
        player: PlayerId,
    },
    /// A player dashes.
    Dashed {
        /// Who.
        player: PlayerId,
    },
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Those who were there at the end, the first first.
    pub ranking: Vec<Rank>,
}

/// One line of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rank {
    /// Who.
    pub player_id: PlayerId,
    /// For how many milliseconds it was it.
    pub it_ms: u64,
}

/// What a timer brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// The time for the round is up.
    RoundOver,
}

impl Default for Options {
    fn default() -> Self {
        Self { round_seconds: const { Bounded::new(90).expect("within the bounds") } }
    }
}

impl Options {
    /// How long a round is.
    pub fn round_time(&self) -> Duration {
        Duration::from_secs(self.round_seconds.get().unsigned_abs())
    }
}

impl Axis {
    /// So many thousandths.
    ///
    /// # Panics
    ///
    /// Outside of -1000 to 1000.
    pub const fn thousandths(value: i16) -> Self {
        assert!(-1000 <= value && value <= 1000, "an axis is from -1 to 1");
        Self(value)
    }

    /// In thousandths.
    pub const fn get(self) -> i16 {
        self.0
    }
}

impl Serialize for Axis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        // What is no number, which MessagePack can say, is outside too.
        if !(-1.0..=1.0).contains(&value) {
            let unexpected = de::Unexpected::Float(value);
            return Err(de::Error::invalid_value(unexpected, &"a number from -1 to 1"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is from -1000 to 1000")]
        Ok(Self((value * 1000.0).round() as i16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_reads_what_it_writes_in_both_codecs() {
        for thousandths in [-1000, -707, -1, 0, 1, 333, 1000] {
            let axis = Axis::thousandths(thousandths);
            let action = Action { dx: axis, dy: Axis::default(), dash: true };
            let json = serde_json::to_string(&action).unwrap();
            assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action, "{json}");
            let packed = rmp_serde::to_vec_named(&action).unwrap();
            assert_eq!(rmp_serde::from_slice::<Action>(&packed).unwrap(), action);
        }
    }

    #[test]
    fn action_takes_integers_and_fractions_and_dashes_only_when_told_to() {
        for (json, (dx, dy, dash)) in [
            (r#"{"dx":1,"dy":-1,"dash":true}"#, (1000, -1000, true)),
            (r#"{"dx":0.25,"dy":-0.0004}"#, (250, 0, false)),
            (r#"{"dx":1.0,"dy":0,"dash":false,"more":3}"#, (1000, 0, false)),
        ] {
            let [dx, dy] = [dx, dy].map(Axis::thousandths);
            let read: Action = serde_json::from_str(json).unwrap();
            assert_eq!(read, Action { dx, dy, dash }, "{json}");
        }
    }

    #[test]
    fn what_is_out_of_range_in_an_action_is_named_by_its_path() {
        for (json, path, error) in [
            (r#"{"dx":1.001,"dy":0}"#, "dx", "invalid value"),
            (r#"{"dx":0,"dy":-2}"#, "dy", "invalid value"),
            (r#"{"dx":0,"dy":1e300}"#, "dy", "invalid value"),
            (r#"{"dx":"1","dy":0}"#, "dx", "invalid type"),
            (r#"{"dx":null,"dy":0}"#, "dx", "invalid type"),
            (r#"{"dx":1,"dy":0,"dash":1}"#, "dash", "invalid type"),
            (r#"{"dx":1}"#, ".", "missing field `dy`"),
            (r#"{"dy":1}"#, ".", "missing field `dx`"),
        ] {
            let mut reader = serde_json::Deserializer::from_str(json);
            let told = serde_path_to_error::deserialize::<_, Action>(&mut reader).unwrap_err();
            assert_eq!(told.path().to_string(), path, "{json}");
            assert!(told.inner().to_string().starts_with(error), "{json}: {}", told.inner());
        }
    }

    /// JSON has no such numbers; MessagePack does.
    #[test]
    fn what_is_no_number_is_out_of_range() {
        #[derive(Serialize)]
        struct Loose {
            dx: f64,
            dy: f64,
        }

        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let packed = rmp_serde::to_vec_named(&Loose { dx: 0.0, dy: odd }).unwrap();
            assert!(rmp_serde::from_slice::<Action>(&packed).is_err(), "{odd}");
        }
        let packed = rmp_serde::to_vec_named(&Loose { dx: 0.0, dy: 0.5 }).unwrap();
        assert!(rmp_serde::from_slice::<Action>(&packed).is_ok());
    }

    #[test]
    fn options_default_when_left_out_and_are_refused_out_of_bounds() {
        let read = serde_json::from_str::<Options>;
        assert_eq!(read("{}").unwrap(), Options::default());
        for (json, is_within) in [
            (r#"{"roundSeconds":4}"#, false),
            (r#"{"roundSeconds":5}"#, true),
            (r#"{"roundSeconds":600}"#, true),
            (r#"{"roundSeconds":601}"#, false),
        ] {
            assert_eq!(read(json).is_ok(), is_within, "{json}");
        }
    }

    #[test]
    fn events_are_a_name_and_data() {
        let event = Event::Tagged { by: PlayerId(2), player: PlayerId(1) };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"name":"tagged","data":{"by":2,"player":1}}"#
        );
    }
}
