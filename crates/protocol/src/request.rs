//! Requests: their types, and the way from an [`Envelope`] to typed, checked data.

use serde::de::DeserializeOwned;
use validator::Validate;

use crate::data::{
    AddBot, Authenticate, Chat, CreateRoom, JoinRoom, KickPlayer, ListRooms, NoData, OneGame,
    OnePlayer, QuickMatch, Reconnect, SetReady, SetRole, UpdateRoom,
};
use crate::envelope::Envelope;
use crate::fields::FieldErrors;
use crate::raw::RawData;

/// A request with its data, parsed and within bounds. A game's action stays bytes until the
/// game's type is known.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// Are you there, and what time is it?
    Ping,
    /// This is who I am.
    Authenticate(Authenticate),
    /// Which games are there?
    ListGames,
    /// Which public rooms are there?
    ListRooms(ListRooms),
    /// Tell me about the rooms of a game.
    SubscribeRooms(OneGame),
    /// No longer.
    UnsubscribeRooms(OneGame),
    /// Open a room and sit down in it.
    CreateRoom(Box<CreateRoom>),
    /// Sit down in a room, or watch.
    JoinRoom(JoinRoom),
    /// Sit down wherever this game is about to be played.
    QuickMatch(QuickMatch),
    /// Leave for good.
    LeaveRoom,
    /// Take a held seat again.
    Reconnect(Reconnect),
    /// Send my view.
    GetState,
    /// Do something in the game.
    GameAction(RawData<'a>),
    /// I am ready, or not.
    SetReady(SetReady),
    /// Watch, or play.
    SetRole(SetRole),
    /// Say something.
    Chat(Chat),
    /// Begin the match.
    StartGame,
    /// Play again.
    Rematch,
    /// Give a seat to a bot.
    AddBot(AddBot),
    /// Take it from the bot.
    RemoveBot(OnePlayer),
    /// Remove someone.
    KickPlayer(KickPlayer),
    /// Hand the room over.
    SetHost(OnePlayer),
    /// Change the room's settings.
    UpdateRoom(UpdateRoom),
}

impl<'a> Request<'a> {
    /// Finds the request's type and reads its data.
    pub fn parse(envelope: &Envelope<'a>) -> Result<Self, RequestError> {
        let kind = RequestType::from_wire(&envelope.kind).ok_or(RequestError::UnknownType)?;
        let data = envelope.data;
        Ok(match kind {
            RequestType::Ping => nothing(data, Self::Ping)?,
            RequestType::Authenticate => Self::Authenticate(checked(data)?),
            RequestType::ListGames => nothing(data, Self::ListGames)?,
            RequestType::ListRooms => Self::ListRooms(checked(data)?),
            RequestType::SubscribeRooms => Self::SubscribeRooms(checked(data)?),
            RequestType::UnsubscribeRooms => Self::UnsubscribeRooms(checked(data)?),
            RequestType::CreateRoom => Self::CreateRoom(Box::new(checked(data)?)),
            RequestType::JoinRoom => Self::JoinRoom(checked(data)?),
            RequestType::QuickMatch => Self::QuickMatch(checked(data)?),
            RequestType::LeaveRoom => nothing(data, Self::LeaveRoom)?,
            RequestType::Reconnect => Self::Reconnect(checked(data)?),
            RequestType::GetState => nothing(data, Self::GetState)?,
            RequestType::GameAction => Self::GameAction(data),
            RequestType::SetReady => Self::SetReady(checked(data)?),
            RequestType::SetRole => Self::SetRole(checked(data)?),
            RequestType::Chat => Self::Chat(checked(data)?),
            RequestType::StartGame => nothing(data, Self::StartGame)?,
            RequestType::Rematch => nothing(data, Self::Rematch)?,
            RequestType::AddBot => Self::AddBot(checked(data)?),
            RequestType::RemoveBot => Self::RemoveBot(checked(data)?),
            RequestType::KickPlayer => Self::KickPlayer(checked(data)?),
            RequestType::SetHost => Self::SetHost(checked(data)?),
            RequestType::UpdateRoom => Self::UpdateRoom(checked(data)?),
        })
    }

    /// The request's type.
    pub const fn kind(&self) -> RequestType {
        match self {
            Self::Ping => RequestType::Ping,
            Self::Authenticate(_) => RequestType::Authenticate,
            Self::ListGames => RequestType::ListGames,
            Self::ListRooms(_) => RequestType::ListRooms,
            Self::SubscribeRooms(_) => RequestType::SubscribeRooms,
            Self::UnsubscribeRooms(_) => RequestType::UnsubscribeRooms,
            Self::CreateRoom(_) => RequestType::CreateRoom,
            Self::JoinRoom(_) => RequestType::JoinRoom,
            Self::QuickMatch(_) => RequestType::QuickMatch,
            Self::LeaveRoom => RequestType::LeaveRoom,
            Self::Reconnect(_) => RequestType::Reconnect,
            Self::GetState => RequestType::GetState,
            Self::GameAction(_) => RequestType::GameAction,
            Self::SetReady(_) => RequestType::SetReady,
            Self::SetRole(_) => RequestType::SetRole,
            Self::Chat(_) => RequestType::Chat,
            Self::StartGame => RequestType::StartGame,
            Self::Rematch => RequestType::Rematch,
            Self::AddBot(_) => RequestType::AddBot,
            Self::RemoveBot(_) => RequestType::RemoveBot,
            Self::KickPlayer(_) => RequestType::KickPlayer,
            Self::SetHost(_) => RequestType::SetHost,
            Self::UpdateRoom(_) => RequestType::UpdateRoom,
        }
    }
}

/// Why an envelope is no request. Sending it again does not help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// No request has this type.
    #[error("no request has this type")]
    UnknownType,
    /// The data has the wrong shape or is out of bounds.
    #[error("some fields are not valid")]
    Invalid(#[from] FieldErrors),
}

/// Declares [`RequestType`], and from the same names those of the responses.
macro_rules! request_types {
    ($($(#[$meta:meta])* $variant:ident => $text:literal,)+) => {
        wire_enum! {
            /// The type of a request.
            pub enum RequestType {
                $($(#[$meta])* $variant => $text,)+
            }
        }

        impl RequestType {
            /// The type of its response.
            pub const fn result_name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($text, "_result"),)+
                }
            }
        }
    };
}

request_types! {
    /// See [`Request::Ping`].
    Ping => "ping",
    /// See [`Request::Authenticate`].
    Authenticate => "authenticate",
    /// See [`Request::ListGames`].
    ListGames => "list_games",
    /// See [`Request::ListRooms`].
    ListRooms => "list_rooms",
    /// See [`Request::SubscribeRooms`].
    SubscribeRooms => "subscribe_rooms",
    /// See [`Request::UnsubscribeRooms`].
    UnsubscribeRooms => "unsubscribe_rooms",
    /// See [`Request::CreateRoom`].
    CreateRoom => "create_room",
    /// See [`Request::JoinRoom`].
    JoinRoom => "join_room",
    /// See [`Request::QuickMatch`].
    QuickMatch => "quick_match",
    /// See [`Request::LeaveRoom`].
    LeaveRoom => "leave_room",
    /// See [`Request::Reconnect`].
    Reconnect => "reconnect",
    /// See [`Request::GetState`].
    GetState => "get_state",
    /// See [`Request::GameAction`].
    GameAction => "game_action",
    /// See [`Request::SetReady`].
    SetReady => "set_ready",
    /// See [`Request::SetRole`].
    SetRole => "set_role",
    /// See [`Request::Chat`].
    Chat => "chat",
    /// See [`Request::StartGame`].
    StartGame => "start_game",
    /// See [`Request::Rematch`].
    Rematch => "rematch",
    /// See [`Request::AddBot`].
    AddBot => "add_bot",
    /// See [`Request::RemoveBot`].
    RemoveBot => "remove_bot",
    /// See [`Request::KickPlayer`].
    KickPlayer => "kick_player",
    /// See [`Request::SetHost`].
    SetHost => "set_host",
    /// See [`Request::UpdateRoom`].
    UpdateRoom => "update_room",
}

fn checked<T: DeserializeOwned + Validate>(data: RawData<'_>) -> Result<T, FieldErrors> {
    let value: T = data.decode()?;
    value.validate()?;
    Ok(value)
}

/// Data of a request that needs none is still an object.
fn nothing<'a>(data: RawData<'_>, request: Request<'a>) -> Result<Request<'a>, FieldErrors> {
    let NoData {} = data.decode()?;
    Ok(request)
}
