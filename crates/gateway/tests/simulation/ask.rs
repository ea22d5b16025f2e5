//! What a client asks of the room that it sits in.

use parlor_protocol::RequestType;
use serde_json::{Value, json};

use crate::game::Action;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Act(Action),
    /// Says a number.
    Chat(u64),
    Ready(bool),
    Role {
        spectator: bool,
    },
    Start,
    Rematch,
    AddBot,
    RemoveBot(u32),
    Kick {
        player: u32,
        ban: bool,
    },
    SetHost(u32),
    Lock(bool),
    Hide(bool),
    Leave,
    State,
}

impl Ask {
    pub(crate) fn kind(self) -> RequestType {
        match self {
            Self::Act(_) => RequestType::GameAction,
            Self::Chat(_) => RequestType::Chat,
            Self::Ready(_) => RequestType::SetReady,
            Self::Role { .. } => RequestType::SetRole,
            Self::Start => RequestType::StartGame,
            Self::Rematch => RequestType::Rematch,
            Self::AddBot => RequestType::AddBot,
            Self::RemoveBot(_) => RequestType::RemoveBot,
            Self::Kick { .. } => RequestType::KickPlayer,
            Self::SetHost(_) => RequestType::SetHost,
            Self::Lock(_) | Self::Hide(_) => RequestType::UpdateRoom,
            Self::Leave => RequestType::LeaveRoom,
            Self::State => RequestType::GetState,
        }
    }

    pub(crate) fn data(self) -> Value {
        match self {
            Self::Act(action) => serde_json::to_value(action).unwrap(),
            Self::Chat(number) => json!({"text": format!("line {number}")}),
            Self::Ready(ready) => json!({"ready": ready}),
            Self::Role { spectator } => json!({"spectator": spectator}),
            Self::Start | Self::Rematch | Self::AddBot | Self::Leave | Self::State => json!({}),
            Self::RemoveBot(player) | Self::SetHost(player) => json!({"playerId": player}),
            Self::Kick { player, ban } => json!({"playerId": player, "ban": ban}),
            Self::Lock(locked) => json!({"locked": locked}),
            Self::Hide(private) => json!({"private": private}),
        }
    }

    /// The request in whole, with which another can be told from it.
    pub(crate) fn message(self, id: u64) -> Value {
        json!({"type": self.kind().as_str(), "id": id, "data": self.data()})
    }
}
