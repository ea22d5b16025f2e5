//! What becomes of rooms, for the program around them: who came and went, what was played, how it ended.
//!
//! A bounded stream. Rooms never wait for those who follow it: who falls behind is told how much it has
//! missed.

use std::sync::Arc;

use parlor_core::{
    CloseReason, Commit, Game, LeaveReason, PlayerId, RoomEvent, Seat, SeatKind, Time,
};
use parlor_protocol::RoomCode;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Something that happened to a room.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RoomNews {
    /// When.
    pub at: Time,
    /// Which room.
    pub room: RoomCode,
    /// The game played there.
    pub game_type: &'static str,
    /// What.
    pub what: RoomChange,
}

/// What happened to a room.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RoomChange {
    /// It is open.
    Created,
    /// Someone has a seat, or plays now or watches who did the other before.
    Joined(Occupant),
    /// A seat is gone.
    Left {
        /// Whose.
        player: PlayerId,
        /// Why.
        reason: LeaveReason,
    },
    /// The game is on.
    Started,
    /// The game is over.
    Finished {
        /// Who played to the end, bots included, by rising number.
        players: Vec<Occupant>,
        /// How it ended, as players are told.
        result: Arc<Value>,
    },
    /// The room has ended. Nothing follows.
    Closed(CloseReason),
}

/// Someone in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occupant {
    /// Its number in the room.
    pub player: PlayerId,
    /// Its name.
    pub name: String,
    /// Whether it plays or watches, and whether it is a bot.
    pub kind: SeatKind,
    /// Who it is beyond the room, if it has shown that.
    pub subject: Option<String>,
}

/// The news of all rooms of a gateway, from the moment it was asked for.
#[derive(Debug)]
pub struct Lifecycle(broadcast::Receiver<RoomNews>);

/// Why there is no news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoNews {
    /// So many were missed: whoever follows was slower than the rooms. The next one follows.
    #[error("{0} were missed")]
    Missed(u64),
    /// The gateway is gone, and all of its news has been told.
    #[error("the gateway is gone")]
    Over,
}

impl Lifecycle {
    /// The next that happens. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<RoomNews, NoNews> {
        self.0.recv().await.map_err(|error| match error {
            RecvError::Lagged(missed) => NoNews::Missed(missed),
            RecvError::Closed => NoNews::Over,
        })
    }
}

/// The sending side.
pub(crate) struct Newsroom(broadcast::Sender<RoomNews>);

impl Newsroom {
    /// Holds up to so many news for the slowest who follows.
    pub(crate) fn new(news_max: usize) -> Self {
        Self(broadcast::Sender::new(news_max.max(1)))
    }

    pub(crate) fn follow(&self) -> Lifecycle {
        Lifecycle(self.0.subscribe())
    }

    /// Whether anyone follows.
    pub(crate) fn is_followed(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(crate) fn tell(&self, at: Time, room: RoomCode, game_type: &'static str, what: RoomChange) {
        // Nobody may follow, which is fine.
        let _ = self.0.send(RoomNews { at, room, game_type, what });
    }
}

/// What of `commit` is news.
pub(crate) fn changes<G: Game>(commit: &Commit<G>) -> Vec<RoomChange> {
    let change = |event: &RoomEvent<G>| match event {
        RoomEvent::Joined(seat) => Some(RoomChange::Joined(occupant(seat))),
        RoomEvent::Left(player, reason) => {
            Some(RoomChange::Left { player: *player, reason: *reason })
        }
        RoomEvent::Started => Some(RoomChange::Started),
        RoomEvent::Finished(outcome) => {
            let players = commit.snapshot().roster.players().map(occupant).collect();
            // The players are told the same, where it is found out if it cannot be written.
            let result = crate::encode::to_value(outcome).unwrap_or_default();
            Some(RoomChange::Finished { players, result: Arc::new(result) })
        }
        RoomEvent::Closed(reason) => Some(RoomChange::Closed(*reason)),
        RoomEvent::Replaced(_)
        | RoomEvent::Disconnected(..)
        | RoomEvent::Reconnected(_)
        | RoomEvent::Ready(..)
        | RoomEvent::HostChanged(_)
        | RoomEvent::Updated
        | RoomEvent::Chat(_)
        | RoomEvent::ActionRefused { .. } => None,
    };
    commit.room_events.iter().filter_map(change).collect()
}

fn occupant(seat: &Seat) -> Occupant {
    Occupant {
        player: seat.id(),
        name: seat.name().to_owned(),
        kind: seat.kind(),
        subject: seat.subject().map(str::to_owned),
    }
}
