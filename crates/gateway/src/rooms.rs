//! The rooms, for the program around them: making one, finding one, ending one, telling one something.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{CloseReason, Scalar, Settings, Signal};
use parlor_protocol::{
    ErrorCode, ErrorDetail, Object, OpenRoom, Player, RoomCode, RoomInfo, Secret,
};

use crate::gateway::Gateway;
use crate::opening::{
    claim_room, give_back, new_room, open_room, refuse_while_draining, unknown_game,
};
use crate::quotas::AddressKey;
use crate::{from_wire, secrets};

/// The rooms of a gateway. Cheap to clone.
///
/// None of this asks who may: that is for whoever calls it to know.
#[derive(Clone, Debug)]
pub struct Rooms {
    gateway: Arc<Gateway>,
}

/// A room that is to be made without anyone in it. [`NewRoom::of`] is ready to use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewRoom {
    /// The game to be played there.
    pub game_type: String,
    /// What can be chosen in it. Defaults to nothing, so to what the game says.
    pub options: Object,
    /// Whether it is kept from listings and from those who look for any room. Defaults to no.
    pub private: bool,
    /// What one must know to get in. Defaults to nothing.
    pub password: Option<Secret>,
    /// Fewer seats than the game offers.
    pub players_max: Option<u32>,
    /// What listings say of it.
    pub metadata: BTreeMap<String, Scalar>,
    /// How long it waits for its first player, who becomes host. Defaults to 10 min; then it closes as
    /// expired. Before that it is not offered to those who look for any room.
    pub kept_for: Duration,
}

impl NewRoom {
    /// A public room of this game, everything else by default.
    pub fn of(game_type: impl Into<String>) -> Self {
        Self {
            game_type: game_type.into(),
            options: Object::new(),
            private: false,
            password: None,
            players_max: None,
            metadata: BTreeMap::new(),
            kept_for: Duration::from_secs(600),
        }
    }
}

/// What a request by HTTP asks for.
impl From<OpenRoom> for NewRoom {
    fn from(asked: OpenRoom) -> Self {
        let OpenRoom { game_type, options, private, password, max_players, metadata } = asked;
        Self {
            options,
            private,
            password,
            players_max: max_players,
            metadata: from_wire::metadata(metadata),
            ..Self::of(game_type)
        }
    }
}

impl Gateway {
    /// Its rooms.
    pub fn rooms(self: &Arc<Self>) -> Rooms {
        Rooms { gateway: Arc::clone(self) }
    }
}

impl Rooms {
    /// Opens a room that waits for its first player.
    ///
    /// Refused with the errors of `create_room`: an unknown game, options or a number of seats that the
    /// game does not take, a full or draining server.
    pub async fn create(&self, new: NewRoom) -> Result<RoomInfo, ErrorDetail> {
        self.create_for(None, new).await
    }

    /// The same for someone at an address, which may open so many only
    /// ([`GatewayConfig::rooms_opened`](crate::GatewayConfig::rooms_opened)): one more is refused with
    /// `RATE_LIMITED`. What is refused for another reason does not count.
    pub async fn create_for(
        &self,
        address: Option<AddressKey>,
        new: NewRoom,
    ) -> Result<RoomInfo, ErrorDetail> {
        let NewRoom { game_type, options, private, password, players_max, metadata, kept_for } =
            new;
        let shared = &self.gateway.shared;
        let game = self.gateway.games.get(game_type.as_str()).ok_or_else(unknown_game)?;
        let options = game.read_options(options)?;
        refuse_while_draining(shared)?;
        shared.limits.open_room(address, shared.clock.now())?;
        let code = shared.rooms.free_code(&shared.random);
        let settings = Settings {
            locked: false,
            private,
            password: password.as_ref().map(|password| secrets::password_digest(code, password)),
            metadata,
        };
        let room = new_room(shared, game, code, options, players_max, Some(kept_for), settings)?;
        claim_room(shared, code).await?;
        open_room(shared, &room).inspect_err(|_| give_back(shared, code))?;
        room.wait_for_players(shared.clock.now());
        Ok(room.info())
    }

    /// What a listing would say of the room now, also of a private one. `None` when it is not open.
    pub fn find(&self, room: RoomCode) -> Option<RoomInfo> {
        self.gateway.shared.rooms.get(room).map(|room| room.info())
    }

    /// Who is in the room now. `None` when it is not open.
    pub fn players(&self, room: RoomCode) -> Option<Vec<Player>> {
        self.gateway.shared.rooms.get(room).map(|room| room.players())
    }

    /// What is said of the room now, on whichever node it is. `None` when it is not open. Refused with
    /// `ROOM_UNAVAILABLE` or `STORE_UNAVAILABLE` when that cannot be said.
    pub async fn find_anywhere(
        &self,
        room: RoomCode,
    ) -> Result<Option<(RoomInfo, Vec<Player>)>, ErrorDetail> {
        let shared = &self.gateway.shared;
        match (shared.rooms.get(room), &shared.cluster) {
            (Some(room), _) => Ok(Some((room.info(), room.players()))),
            (None, Some(cluster)) => cluster.look(shared, room).await,
            (None, None) => Ok(None),
        }
    }

    /// Ends the room by the word of whoever runs the servers, on whichever node it is. `false` when it is not open. Refused
    /// as [`find_anywhere`](Self::find_anywhere).
    pub async fn close_anywhere(&self, room: RoomCode) -> Result<bool, ErrorDetail> {
        let shared = &self.gateway.shared;
        match &shared.cluster {
            _ if self.close(room, CloseReason::Admin) => Ok(true),
            Some(cluster) => cluster.close(shared, room).await,
            None => Ok(false),
        }
    }

    /// Ends the room; everyone in it is told why. `false` when it is not open.
    pub fn close(&self, room: RoomCode, reason: CloseReason) -> bool {
        self.gateway.close_room(room, reason)
    }

    /// Tells the room's game something. Gives the number of the room's last event after it.
    ///
    /// Refused with `ROOM_NOT_FOUND`, with `GAME_OVER` after the end, or with the game's own error.
    pub fn signal(&self, room: RoomCode, signal: Signal) -> Result<u64, ErrorDetail> {
        let shared = &self.gateway.shared;
        let room = shared
            .rooms
            .get(room)
            .ok_or_else(|| ErrorDetail::new(ErrorCode::ROOM_NOT_FOUND, "no room has this code"))?;
        room.signal(shared.clock.now(), signal)
    }
}
