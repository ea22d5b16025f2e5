//! Every request by its name.

use parlor_protocol::{
    AddBot, AddedBot, Authenticate, Authenticated, Chat, CreateRoom, GameList, JoinRoom, Joined,
    KickPlayer, ListRooms, NoData, OneGame, OnePlayer, PlayerId, Pong, QuickMatch, Reconnect,
    RequestType, Resumed, RoomList, RoomSubscription, Secret, Seq, SetReady, SetRole,
    StateSnapshot, UpdateRoom,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::request::{Known, RequestError};
use crate::session::Session;

/// What is asked from a seat, by name: the same over one connection and for a player who comes back.
macro_rules! seat_requests {
    () => {
        /// The player's view as it is now: `get_state`.
        pub async fn state<V: DeserializeOwned + Send + 'static>(
            &self,
        ) -> Result<StateSnapshot<V>, RequestError> {
            self.request(RequestType::GetState, &NoData {}).await
        }

        /// Does something in the game: `game_action`. The action must be written as an object.
        pub async fn act(
            &self,
            action: &(impl Serialize + Sync + ?Sized),
        ) -> Result<Seq, RequestError> {
            self.request(RequestType::GameAction, action).await
        }

        /// Says that the player is ready, or no longer.
        pub async fn set_ready(&self, ready: bool) -> Result<Seq, RequestError> {
            self.request(RequestType::SetReady, &SetReady { ready }).await
        }

        /// Watches from now on, or takes a seat.
        pub async fn set_role(&self, spectator: bool) -> Result<Seq, RequestError> {
            self.request(RequestType::SetRole, &SetRole { spectator }).await
        }

        /// Says something.
        pub async fn chat(&self, text: impl Into<String>) -> Result<Seq, RequestError> {
            self.request(RequestType::Chat, &Chat { text: text.into() }).await
        }

        /// Begins the match, as host.
        pub async fn start_game(&self) -> Result<Seq, RequestError> {
            self.request(RequestType::StartGame, &NoData {}).await
        }

        /// Begins anew after the end, as host.
        pub async fn rematch(&self) -> Result<Seq, RequestError> {
            self.request(RequestType::Rematch, &NoData {}).await
        }

        /// Gives a seat to a bot, as host.
        pub async fn add_bot(&self, bot: &AddBot) -> Result<AddedBot, RequestError> {
            self.request(RequestType::AddBot, bot).await
        }

        /// Takes it away again, as host.
        pub async fn remove_bot(&self, player_id: PlayerId) -> Result<Seq, RequestError> {
            self.request(RequestType::RemoveBot, &OnePlayer { player_id }).await
        }

        /// Removes someone, as host; with `ban` for good.
        pub async fn kick_player(
            &self,
            player_id: PlayerId,
            ban: bool,
        ) -> Result<Seq, RequestError> {
            self.request(RequestType::KickPlayer, &KickPlayer { player_id, ban }).await
        }

        /// Hands the room over, as host.
        pub async fn set_host(&self, player_id: PlayerId) -> Result<Seq, RequestError> {
            self.request(RequestType::SetHost, &OnePlayer { player_id }).await
        }

        /// Changes the room's settings, as host.
        pub async fn update_room(&self, changes: &UpdateRoom) -> Result<Seq, RequestError> {
            self.request(RequestType::UpdateRoom, changes).await
        }
    };
}
pub(crate) use seat_requests;

impl Client {
    /// Asks whether the server is there, and for its time.
    pub async fn ping(&self) -> Result<Pong, RequestError> {
        self.request(RequestType::Ping, &NoData {}).await
    }

    /// Says who the player is, as an account service has it, before a room is joined.
    pub async fn authenticate(&self, token: Secret) -> Result<Authenticated, RequestError> {
        self.request(RequestType::Authenticate, &Authenticate { token }).await
    }

    /// The games of the server.
    pub async fn list_games(&self) -> Result<GameList, RequestError> {
        self.request(RequestType::ListGames, &NoData {}).await
    }

    /// A page of public rooms, newest first.
    pub async fn list_rooms(&self, which: &ListRooms) -> Result<RoomList, RequestError> {
        self.request(RequestType::ListRooms, which).await
    }

    /// The joinable rooms of a game, and events whenever they change.
    pub async fn subscribe_rooms(
        &self,
        game_type: impl Into<String>,
    ) -> Result<RoomSubscription, RequestError> {
        let data = OneGame { game_type: game_type.into() };
        self.request(RequestType::SubscribeRooms, &data).await
    }

    /// Ends such a subscription.
    pub async fn unsubscribe_rooms(
        &self,
        game_type: impl Into<String>,
    ) -> Result<RoomSubscription, RequestError> {
        let data = OneGame { game_type: game_type.into() };
        self.request(RequestType::UnsubscribeRooms, &data).await
    }

    /// Opens a room and sits down in it. `V` is the game's view.
    pub async fn create_room<V: DeserializeOwned + Send + 'static>(
        &self,
        room: &CreateRoom,
    ) -> Result<Joined<V>, RequestError> {
        self.ask_for_seat(RequestType::CreateRoom, room, Known::default()).await
    }

    /// Sits down in a room, or watches.
    pub async fn join_room<V: DeserializeOwned + Send + 'static>(
        &self,
        seat: &JoinRoom,
    ) -> Result<Joined<V>, RequestError> {
        self.ask_for_seat(RequestType::JoinRoom, seat, Known::default()).await
    }

    /// Sits down wherever a game is about to be played.
    pub async fn quick_match<V: DeserializeOwned + Send + 'static>(
        &self,
        seat: &QuickMatch,
    ) -> Result<Joined<V>, RequestError> {
        self.ask_for_seat(RequestType::QuickMatch, seat, Known::default()).await
    }

    /// Takes a seat again. Asks for the events since the last one that was taken.
    ///
    /// `session` counts the attempt, so that of several that are under way the last one wins.
    /// On success this client has a session of its own, which goes on where that one was.
    pub async fn reconnect<V: DeserializeOwned + Send + 'static>(
        &self,
        session: &mut Session,
    ) -> Result<Resumed<V>, RequestError> {
        session.attempt += 1;
        self.shared.number_above(session.last_id);
        let data = Reconnect {
            session_token: session.token.clone(),
            epoch: Some(session.epoch.clone()),
            last_seq: Some(session.last_seq),
            attempt: Some(session.attempt),
        };
        let known = Known { token: Some(session.token.clone()), attempt: session.attempt };
        self.ask_for_seat(RequestType::Reconnect, &data, known).await
    }

    /// Leaves the room for good. The connection stays.
    pub async fn leave_room(&self) -> Result<Seq, RequestError> {
        let shared = std::sync::Arc::clone(&self.shared);
        self.ask(RequestType::LeaveRoom, &NoData {}, move |data| {
            shared.stand_up();
            data.decode().map_err(RequestError::Unexpected)
        })
        .await
    }

    seat_requests! {}
}
