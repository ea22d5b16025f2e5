//! What goes in and out of a game of farkle: options, actions, the view, events, the outcome.

use std::time::Duration;

use parlor_core::{Bounded, PlayerId, PlayerMap, Time};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Stage;

/// What a room's creator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Options {
    /// Who reaches this total brings on the last round. Defaults to 10 000.
    pub target_score: TargetScore,
    /// How long a turn may take, in seconds. Defaults to 60.
    pub turn_seconds: Bounded<5, 600>,
}

/// A total to play for.
pub type TargetScore = Bounded<500, 100_000>;

/// What a player may do: `{"do": "roll"}`, `{"do": "keep", "dice": [0, 2]}`, `{"do": "bank"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Roll what is not kept.
    Roll,
    /// Take dice that score off the table.
    Keep {
        /// Their places in [`View::dice`], counted from 0.
        dice: Vec<u8>,
    },
    /// Add the turn's points to the total and pass the dice on.
    Bank,
}

/// What everyone sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The total to play for.
    pub target_score: TargetScore,
    /// Who plays, in the order of turns; empty before the start.
    pub players: Vec<PlayerId>,
    /// Each player's total.
    pub scores: PlayerMap<u64>,
    /// Whose turn it is, while the game is on.
    pub turn: Option<PlayerId>,
    /// Where the turn stands.
    pub stage: Stage,
    /// The faces on the table, kept dice not among them.
    pub dice: Vec<u8>,
    /// The faces kept since all six dice were last in the hand.
    pub kept: Vec<u8>,
    /// What this turn has gathered and may still lose.
    pub turn_points: u64,
    /// When the clock ends the turn.
    pub deadline: Option<Time>,
    /// Whether someone has reached the target and the others have their last turn.
    pub final_round: bool,
    /// Who has won.
    pub winner: Option<PlayerId>,
}

/// What is told beside the view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// A player has rolled.
    Rolled {
        /// Who.
        player_id: PlayerId,
        /// The faces, in the order of [`View::dice`].
        dice: Vec<u8>,
    },
    /// A player has kept dice.
    Kept {
        /// Who.
        player_id: PlayerId,
        /// Their faces.
        dice: Vec<u8>,
        /// What they are worth.
        points: u64,
    },
    /// A player has added its turn's points to its total.
    Banked {
        /// Who.
        player_id: PlayerId,
        /// The turn's points.
        points: u64,
        /// The new total.
        total: u64,
    },
    /// A roll had nothing to keep.
    Busted {
        /// Who.
        player_id: PlayerId,
        /// The points that the turn had gathered.
        lost: u64,
    },
    /// A player has reached the target; all others have one last turn.
    FinalRound {
        /// Who.
        player_id: PlayerId,
    },
    /// The clock ends a player's turn, and banks for it where that is allowed.
    TimedOut {
        /// Who.
        player_id: PlayerId,
    },
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Who has won.
    pub winner: PlayerId,
    /// The totals of those who played to the end.
    pub scores: PlayerMap<u64>,
}

/// What a timer brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// The time for a turn is up.
    TurnOver,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target_score: const { Bounded::new(10_000).expect("within the bounds") },
            turn_seconds: const { Bounded::new(60).expect("within the bounds") },
        }
    }
}

impl Options {
    /// How long a turn may take.
    pub fn turn_time(&self) -> Duration {
        Duration::from_secs(self.turn_seconds.get().unsigned_abs())
    }
}

/// Written by hand: a derived tagged enum reads into a buffer first and forgets where in the
/// message it was, so that a wrong `dice[1]` could not be named.
impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Verb {
            Roll,
            Keep,
            Bank,
        }

        #[derive(Deserialize)]
        #[serde(rename = "Action")]
        struct Flat {
            r#do: Verb,
            dice: Option<Vec<u8>>,
        }

        let Flat { r#do: verb, dice } = Flat::deserialize(deserializer)?;
        Ok(match verb {
            Verb::Roll => Self::Roll,
            Verb::Keep => {
                Self::Keep { dice: dice.ok_or_else(|| de::Error::missing_field("dice"))? }
            }
            Verb::Bank => Self::Bank,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_reads_what_it_writes_in_both_codecs() {
        for (action, json) in [
            (Action::Roll, r#"{"do":"roll"}"#),
            (Action::Keep { dice: vec![0, 5] }, r#"{"do":"keep","dice":[0,5]}"#),
            (Action::Bank, r#"{"do":"bank"}"#),
        ] {
            assert_eq!(serde_json::to_string(&action).unwrap(), json);
            assert_eq!(serde_json::from_str::<Action>(json).unwrap(), action);
            let packed = rmp_serde::to_vec_named(&action).unwrap();
            assert_eq!(rmp_serde::from_slice::<Action>(&packed).unwrap(), action);
        }
    }

    #[test]
    fn what_is_wrong_in_an_action_is_named_by_its_path() {
        for (json, path, error) in [
            (r#"{"do":"keep","dice":[0,"one"]}"#, "dice[1]", "invalid type"),
            (r#"{"do":"keep","dice":[0,1,-2]}"#, "dice[2]", "invalid value"),
            (r#"{"do":"keep","dice":3}"#, "dice", "invalid type"),
            (r#"{"do":"fold"}"#, "do", "unknown variant"),
            (r#"{"do":7}"#, "do", "expected value"),
            (r#"{"do":"keep"}"#, ".", "missing field `dice`"),
            (r#"{"dice":[1]}"#, ".", "missing field `do`"),
        ] {
            let mut reader = serde_json::Deserializer::from_str(json);
            let told = serde_path_to_error::deserialize::<_, Action>(&mut reader).unwrap_err();
            assert_eq!(told.path().to_string(), path, "{json}");
            assert!(told.inner().to_string().starts_with(error), "{json}: {}", told.inner());
        }
    }

    #[test]
    fn options_default_when_left_out_and_are_refused_out_of_bounds() {
        let read = serde_json::from_str::<Options>;
        assert_eq!(read("{}").unwrap(), Options::default());
        for (json, is_within) in [
            (r#"{"targetScore":499}"#, false),
            (r#"{"targetScore":500}"#, true),
            (r#"{"targetScore":100000}"#, true),
            (r#"{"targetScore":100001}"#, false),
            (r#"{"turnSeconds":4}"#, false),
            (r#"{"turnSeconds":5}"#, true),
            (r#"{"turnSeconds":600}"#, true),
            (r#"{"turnSeconds":601}"#, false),
        ] {
            assert_eq!(read(json).is_ok(), is_within, "{json}");
        }
    }

    #[test]
    fn events_are_a_name_and_data_in_camel_case() {
        let event = Event::Banked { player_id: PlayerId(2), points: 300, total: 1300 };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"name":"banked","data":{"playerId":2,"points":300,"total":1300}}"#
        );
        let event = Event::FinalRound { player_id: PlayerId(2) };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"name":"final_round","data":{"playerId":2}}"#
        );
    }
}
