//! What a room can be asked to do, and why it may refuse.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Digest, Failure, GameError, PlayerId, Profile, Scalar, Signal};

/// A wish that the room decides on. The player in it is the one who asks.
///
/// Actions in the game are of the game's own type and go by [`Room::act`](crate::Room::act).
/// Both are data, so that a log of them with their times replays a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Someone new sits down, with a connection.
    Join(Join),
    /// A player with a seat has a connection again.
    Reconnect(PlayerId),
    /// A player's connection is lost. Cannot be refused.
    Disconnect(PlayerId),
    /// A player gives up its seat. Cannot be refused.
    Leave(PlayerId),
    /// A human's seat gets a new token; the old one holds it no more. Nobody is told.
    RenewToken {
        /// Whose seat.
        player: PlayerId,
        /// What the new token hashes to.
        token: Digest,
    },
    /// A player says whether it is ready.
    SetReady(PlayerId, bool),
    /// A player becomes a spectator, or a spectator a player.
    SetSpectator(PlayerId, bool),
    /// Someone says something.
    Chat(PlayerId, String),
    /// The host begins the game.
    Start(PlayerId),
    /// The host begins anew after the end.
    Rematch(PlayerId),
    /// The host gives a seat to a bot.
    AddBot {
        /// Who asks.
        by: PlayerId,
        /// The bot's name; by default it is named after its level.
        name: Option<String>,
        /// One of the game's levels; by default the first.
        level: Option<String>,
    },
    /// The host takes a bot's seat away.
    RemoveBot {
        /// Who asks.
        by: PlayerId,
        /// The bot.
        bot: PlayerId,
    },
    /// The host, or whoever runs the server, sends someone away.
    Kick {
        /// Who asks; `None` for whoever runs the server.
        by: Option<PlayerId>,
        /// Who must go.
        player: PlayerId,
        /// Whether the name is kept from coming back.
        ban: bool,
    },
    /// The host hands over.
    SetHost {
        /// Who asks.
        by: PlayerId,
        /// The new host.
        player: PlayerId,
    },
    /// The host changes the room's settings.
    Update {
        /// Who asks.
        by: PlayerId,
        /// What changes.
        changes: SettingsChanges,
    },
    /// The program around the rooms tells the game something.
    Signal(Signal),
    /// Whoever runs the server ends the room. Cannot be refused.
    Close(CloseReason),
}

/// Where an action comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A client's request, by its id if it has one.
    Request(Option<u64>),
    /// A bot that decided on this version.
    Bot(u64),
}

/// Someone new.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Join {
    /// The name it would like; the room may add a number.
    pub name: String,
    /// What its session token hashes to.
    pub token: Digest,
    /// Whether it only watches.
    pub spectator: bool,
    /// What the password that it gave hashes to.
    pub password: Option<Digest>,
    /// Who it is beyond the room, if it has shown that.
    pub subject: Option<Arc<str>>,
    /// What the program around the rooms knows of it.
    pub profile: Profile,
}

impl Join {
    /// A player by this name, without a password.
    pub fn new(name: impl Into<String>, token: Digest) -> Self {
        let (name, profile) = (name.into(), Profile::new());
        Self { name, token, spectator: false, password: None, subject: None, profile }
    }
}

/// Changes to a room's settings; `None` leaves a setting as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SettingsChanges {
    /// Whether nobody new may come in.
    pub locked: Option<bool>,
    /// Whether the room is unlisted.
    pub private: Option<bool>,
    /// The new password, or that there is none any more.
    #[serde(with = "change_to_option")]
    pub password: Option<Option<Digest>>,
    /// The new metadata, whole.
    pub metadata: Option<BTreeMap<String, Scalar>>,
}

/// Why a room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CloseReason {
    /// No human was left.
    Empty,
    /// The game was over and nobody said anything more.
    Finished,
    /// Whoever runs the server ended it.
    Admin,
    /// The game's callbacks failed too often in a row.
    Error,
    /// It was kept for someone who never came.
    Expired,
}

/// Why a room did not do what it was asked. Nothing has changed.
///
/// Written down with a room where it is remembered, which a breakdown or a malformed request is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The room has ended.
    #[error("the room is closed")]
    Closed,
    /// Every seat is taken. Waiting may help: seats free up when players leave.
    #[error("every seat is taken")]
    Full,
    /// The host lets nobody in. Waiting may help.
    #[error("the room is locked")]
    Locked,
    /// The password is missing or another.
    #[error("wrong password")]
    WrongPassword,
    /// Only people may come in who have shown who they are.
    #[error("show who you are first")]
    Unknown,
    /// The host has banned this name.
    #[error("you are banned from this room")]
    Banned,
    /// The game takes no spectators.
    #[error("this game takes no spectators")]
    SpectatorsNotAllowed,
    /// The game has no bots.
    #[error("this game has no bots")]
    BotsNotSupported,
    /// The game has bots, but none of this level.
    #[error("no bot has this level; there is: {}", .known.join(", "))]
    #[serde(skip)]
    UnknownBotLevel {
        /// The levels there are.
        known: &'static [&'static str],
    },
    /// Not enough players, or one of them is not ready or not connected. Waiting may help.
    #[error("{0}")]
    NotReady(Cow<'static, str>),
    /// The game begins by itself.
    #[error("this game starts by itself")]
    StartsByItself,
    /// The game has begun already.
    #[error("the game has started already")]
    AlreadyStarted,
    /// Not while the game is on.
    #[error("the game is in progress")]
    InProgress,
    /// Not before the game has begun.
    #[error("the game has not started")]
    NotStarted,
    /// Not after the game has ended.
    #[error("the game is over")]
    Over,
    /// Only the host may.
    #[error("only the host may do this")]
    NotHost,
    /// A spectator, or a player that has given up, may not.
    #[error("you do not play in this game")]
    NotAPlayer,
    /// Nobody in the room has this number, or nobody of the kind that is meant.
    #[error("no such player")]
    NoSuchPlayer,
    /// Not to oneself.
    #[error("not yourself")]
    Yourself,
    /// A bot decided on a state that has passed. It is asked again.
    #[error("the state has moved on")]
    Stale,
    /// The player has as many actions as may wait for the next step. Waiting helps.
    #[error("too many actions wait for the next step")]
    #[serde(skip)]
    TooManyActions {
        /// Until the next step.
        retry_after: Duration,
    },
    /// The game refused.
    #[error(transparent)]
    Game(GameError),
    /// A callback broke down. It may work another time.
    #[error("a callback failed")]
    #[serde(skip)]
    Failed(Failure),
}

impl Refusal {
    /// Whether it stands for the request that it answered, so that the same again is not tried.
    ///
    /// Those that do not are never written down.
    pub(crate) fn is_lasting(&self) -> bool {
        !matches!(
            self,
            Self::UnknownBotLevel { .. } | Self::TooManyActions { .. } | Self::Failed(_)
        )
    }
}

/// A change to something that may be absent, as nothing or a list of one: plain nested options
/// both look like nothing in JSON and MessagePack, and "none any more" would read as "leave it".
mod change_to_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        change: &Option<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        change.as_ref().map(|value| (value,)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        let change: Option<(Option<T>,)> = Deserialize::deserialize(deserializer)?;
        Ok(change.map(|(value,)| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_taken_away_and_password_left_alone_stay_two_things_in_a_log() {
        for password in [None, Some(None), Some(Some(Digest([4; 32])))] {
            let changes = SettingsChanges { password, ..SettingsChanges::default() };

            let json = serde_json::to_string(&changes).unwrap();
            assert_eq!(serde_json::from_str::<SettingsChanges>(&json).unwrap().password, password);
            let packed = rmp_serde::to_vec_named(&changes).unwrap();
            let read: SettingsChanges = rmp_serde::from_slice(&packed).unwrap();
            assert_eq!(read.password, password);
        }
    }
}
