//! Making a room, and opening it to everyone who has its code.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::Settings;
use parlor_protocol::{ErrorCode, ErrorDetail, Object, RoomCode};

use crate::lifecycle::RoomChange;
use crate::room::{AnyGame, AnyRoom, RoomParts};
use crate::shared::Shared;

/// Makes a room that nobody knows of yet. One that is `kept_for` someone waits that long for its first
/// player.
pub(crate) fn new_room(
    shared: &Arc<Shared>,
    game: &Arc<dyn AnyGame>,
    code: RoomCode,
    options: Arc<Object>,
    players_max: Option<u32>,
    kept_for: Option<Duration>,
    settings: Settings,
) -> Result<Arc<dyn AnyRoom>, ErrorDetail> {
    if shared.rooms.is_full() {
        return Err(server_full());
    }
    let number = shared.next_number();
    let shared = Arc::clone(shared);
    let now = shared.clock.now();
    let parts = RoomParts { code, number, options, players_max, settings, kept_for, shared };
    game.create(now, parts)
}

/// Makes a new room this node's, where there are several.
pub(crate) async fn claim_room(shared: &Shared, code: RoomCode) -> Result<(), ErrorDetail> {
    match &shared.cluster {
        Some(cluster) => cluster.claim(code).await,
        None => Ok(()),
    }
}

/// The room is nobody's any more.
pub(crate) fn give_back(shared: &Shared, code: RoomCode) {
    if let Some(cluster) = &shared.cluster {
        cluster.give_back(code);
    }
}

/// Lets everyone find the room.
pub(crate) fn open_room(shared: &Shared, room: &Arc<dyn AnyRoom>) -> Result<(), ErrorDetail> {
    match shared.rooms.open(Arc::clone(room)) {
        Ok(true) => {
            let now = shared.clock.now();
            shared.newsroom.tell(now, room.code(), room.game_type(), RoomChange::Created);
            Ok(())
        }
        // Another room took the code in the moment since it was free: as good as full.
        Ok(false) | Err(_) => Err(server_full()),
    }
}

pub(crate) fn refuse_while_draining(shared: &Shared) -> Result<(), ErrorDetail> {
    if shared.is_draining() {
        let message = "the server is going away; try again in a moment";
        return Err(ErrorDetail::new(ErrorCode::DRAINING, message));
    }
    Ok(())
}

pub(crate) fn unknown_game() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::UNKNOWN_GAME, "this server has no such game")
}

fn server_full() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::SERVER_FULL, "the server has as many rooms as it can hold")
}
