//! What goes in and out of a game of liar's dice: options, actions, the view, events, the outcome.

use std::time::Duration;

use parlor_core::{Bounded, PlayerId, PlayerMap, Time};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Bid, Count, Face};

/// What a room's creator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Options {
    /// Whether ones count as any face. Defaults to yes.
    pub ones_wild: bool,
    /// How long a turn may take, in seconds, before it draws on the bank. Defaults to 30.
    pub turn_seconds: Bounded<5, 600>,
    /// What each player has in the bank for the whole game, in seconds. Defaults to 60.
    pub bank_seconds: Bounded<0, 600>,
}

/// What a player may do: `{"do": "bid", "count": 3, "face": 5}`, `{"do": "challenge"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Say that there are at least so many dice of a face, and outbid the last bid.
    Bid {
        /// How many.
        count: Count,
        /// Which.
        face: Face,
    },
    /// Doubt the last bid.
    Challenge,
}

/// What one viewer sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Whether ones count as any face.
    pub ones_wild: bool,
    /// Who plays or has played, in the order of turns; empty before the start.
    pub players: Vec<PlayerId>,
    /// How many dice each has; none means out.
    pub dice_counts: PlayerMap<u8>,
    /// The viewer's own dice, by rising face. Spectators have none.
    pub dice: Vec<u8>,
    /// The number of the round, from 1 on; 0 before the start.
    pub round: u32,
    /// The bid to outbid or to challenge.
    pub bid: Option<Bid>,
    /// The round's bids, the last one last: at most [`BIDS_SHOWN_MAX`](super::BIDS_SHOWN_MAX) of them.
    pub bids: Vec<Bid>,
    /// Whose turn it is, while the game is on.
    pub turn: Option<PlayerId>,
    /// When the turn begins to draw on its player's bank.
    pub bank_from: Option<Time>,
    /// When the clock ends the turn.
    pub deadline: Option<Time>,
    /// How the last challenge went.
    pub last_reveal: Option<Reveal>,
    /// Who has won.
    pub winner: Option<PlayerId>,
}

/// All dice of a round, shown after a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reveal {
    /// The number of the round.
    pub round: u32,
    /// The bid that was challenged.
    pub bid: Bid,
    /// By whom.
    pub challenger: PlayerId,
    /// What each player had.
    pub dice: PlayerMap<Vec<u8>>,
    /// How many of the dice count for the bid.
    pub actual: u8,
    /// Who loses a die: the challenger if the bid holds, otherwise the bidder.
    pub loser: PlayerId,
}

/// What is told beside the view, to everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// All have rolled anew.
    NewRound {
        /// The number of the round.
        round: u32,
        /// Who begins.
        player_id: PlayerId,
    },
    /// A player has bid.
    Bid(Bid),
    /// A player has challenged the last bid.
    Challenged {
        /// Who.
        player_id: PlayerId,
        /// Whose bid.
        bidder_id: PlayerId,
    },
    /// All dice are shown.
    Revealed(Reveal),
    /// A player has lost a die.
    DieLost {
        /// Who.
        player_id: PlayerId,
        /// How many it has left.
        left: u8,
    },
    /// A player has no dice left.
    Eliminated {
        /// Who.
        player_id: PlayerId,
    },
    /// The clock plays for a player.
    TimedOut {
        /// Who.
        player_id: PlayerId,
    },
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Who has won.
    pub winner: PlayerId,
    /// How many dice it has left.
    pub dice_left: u8,
    /// How many rounds were begun.
    pub rounds: u32,
}

/// What a timer brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// The time for a turn is up, and the bank is empty.
    TurnOver,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ones_wild: true,
            turn_seconds: const { Bounded::new(30).expect("within the bounds") },
            bank_seconds: const { Bounded::new(60).expect("within the bounds") },
        }
    }
}

impl Options {
    /// How long a turn may take before it draws on the bank.
    pub fn turn_time(&self) -> Duration {
        Duration::from_secs(self.turn_seconds.get().unsigned_abs())
    }

    /// What each player has in the bank.
    pub fn bank(&self) -> Duration {
        Duration::from_secs(self.bank_seconds.get().unsigned_abs())
    }
}

/// Written by hand: a derived tagged enum reads into a buffer first and forgets where in the
/// message it was, so that a wrong `face` could not be named.
impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Verb {
            Bid,
            Challenge,
        }

        #[derive(Deserialize)]
        #[serde(rename = "Action")]
        struct Flat {
            r#do: Verb,
            count: Option<Count>,
            face: Option<Face>,
        }

        let Flat { r#do: verb, count, face } = Flat::deserialize(deserializer)?;
        Ok(match verb {
            Verb::Bid => Self::Bid {
                count: count.ok_or_else(|| de::Error::missing_field("count"))?,
                face: face.ok_or_else(|| de::Error::missing_field("face"))?,
            },
            Verb::Challenge => Self::Challenge,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_reads_what_it_writes_in_both_codecs() {
        let bid = Action::Bid { count: Bounded::new(3).unwrap(), face: Bounded::new(5).unwrap() };
        for (action, json) in [
            (bid, r#"{"do":"bid","count":3,"face":5}"#),
            (Action::Challenge, r#"{"do":"challenge"}"#),
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
            (r#"{"do":"bid","count":0,"face":5}"#, "count", "invalid value"),
            (r#"{"do":"bid","count":101,"face":5}"#, "count", "invalid value"),
            (r#"{"do":"bid","count":1.5,"face":5}"#, "count", "invalid type"),
            (r#"{"do":"bid","count":1,"face":0}"#, "face", "invalid value"),
            (r#"{"do":"bid","count":1,"face":7}"#, "face", "invalid value"),
            (r#"{"do":"bid","count":1,"face":"six"}"#, "face", "invalid type"),
            (r#"{"do":"bid","face":6}"#, ".", "missing field `count`"),
            (r#"{"do":"bid","count":6}"#, ".", "missing field `face`"),
            (r#"{"do":"lie"}"#, "do", "unknown variant"),
            (r#"{"count":1,"face":1}"#, ".", "missing field `do`"),
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
            (r#"{"turnSeconds":4}"#, false),
            (r#"{"turnSeconds":5}"#, true),
            (r#"{"turnSeconds":600}"#, true),
            (r#"{"turnSeconds":601}"#, false),
            (r#"{"bankSeconds":-1}"#, false),
            (r#"{"bankSeconds":0}"#, true),
            (r#"{"bankSeconds":600}"#, true),
            (r#"{"bankSeconds":601}"#, false),
            (r#"{"onesWild":false}"#, true),
            (r#"{"onesWild":1}"#, false),
        ] {
            assert_eq!(read(json).is_ok(), is_within, "{json}");
        }
        assert!(!read(r#"{"onesWild":false}"#).unwrap().ones_wild);
    }

    #[test]
    fn events_are_a_name_and_data_in_camel_case() {
        let bid = Bid { player_id: PlayerId(2), count: 3, face: 5 };
        for (event, json) in [
            (Event::Bid(bid), r#"{"name":"bid","data":{"playerId":2,"count":3,"face":5}}"#),
            (
                Event::NewRound { round: 1, player_id: PlayerId(2) },
                r#"{"name":"new_round","data":{"round":1,"playerId":2}}"#,
            ),
            (
                Event::Challenged { player_id: PlayerId(1), bidder_id: PlayerId(2) },
                r#"{"name":"challenged","data":{"playerId":1,"bidderId":2}}"#,
            ),
            (
                Event::DieLost { player_id: PlayerId(1), left: 4 },
                r#"{"name":"die_lost","data":{"playerId":1,"left":4}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
        }
    }
}
