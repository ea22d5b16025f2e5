//! Getting hold of a seat: the requests that ask the session store and may have to wait for it.

use std::sync::Arc;

use parlor_core::Settings;
use parlor_protocol::{
    CreateRoom, ErrorCode, ErrorDetail, JoinRoom, Object, QuickMatch, Reconnect, RoomCode,
};

use super::lobby::unknown_game;
use crate::connection::{Attached, Connection};
use crate::encode::Answering;
use crate::feed::Hold;
use crate::room::{AnyGame, AnyRoom, NewRoom, Newcomer};
use crate::shared::Shared;
use crate::{from_wire, secrets, to_wire};

/// A request that waits for a store, with the data it needs.
pub(crate) enum Slow {
    CreateRoom(Answering, Box<CreateRoom>),
    JoinRoom(Answering, JoinRoom),
    QuickMatch(Answering, QuickMatch),
    Reconnect(Answering, Reconnect),
}

/// Does what a request asks for, and answers it.
///
/// Nothing is half done when this is dropped while it waits: a session is saved before its seat
/// exists, and one that leads to no seat expires.
pub(crate) async fn handle_slow(connection: &mut Connection, slow: Slow) {
    let to = match &slow {
        Slow::CreateRoom(to, _)
        | Slow::JoinRoom(to, _)
        | Slow::QuickMatch(to, _)
        | Slow::Reconnect(to, _) => *to,
    };
    if connection.seat.is_some() {
        connection.link.refuse(to, &already_in_room());
        return;
    }
    let outcome = match slow {
        Slow::CreateRoom(to, data) => create_room(connection, to, *data).await,
        Slow::JoinRoom(to, data) => join_room(connection, to, data).await,
        Slow::QuickMatch(to, data) => quick_match(connection, to, data).await,
        Slow::Reconnect(to, data) => reconnect(connection, to, data).await,
    };
    match outcome {
        // The room has answered, in its place among the events.
        Ok(seat) => connection.seat = Some(seat),
        Err(error) => connection.link.refuse(to, &error),
    }
}

async fn create_room(
    connection: &Connection,
    to: Answering,
    data: CreateRoom,
) -> Result<Attached, ErrorDetail> {
    let CreateRoom {
        game_type,
        player_name,
        options,
        private,
        password,
        max_players,
        metadata,
        key: _, // What it promises comes with remembered responses.
    } = data;
    let game = find_game(connection, &game_type)?;
    let options = game.read_options(options)?;
    let shared = connection.shared();
    refuse_while_draining(shared)?;

    let room = new_room(shared, game, options, max_players, |code| Settings {
        locked: false,
        private,
        password: password.as_ref().map(|password| secrets::password_digest(code, password)),
        metadata: from_wire::metadata(metadata.clone()),
    })?;
    let name = player_name.as_str().to_owned();
    let newcomer = Newcomer { name, token: secrets::new_token(), spectator: false, password };
    seat_first(connection, to, room, newcomer).await
}

async fn join_room(
    connection: &Connection,
    to: Answering,
    data: JoinRoom,
) -> Result<Attached, ErrorDetail> {
    let JoinRoom { room_id, player_name, password, spectator, key: _ } = data;
    refuse_while_draining(connection.shared())?;
    let room = room_id
        .and_then(|code| connection.shared().rooms.get(code))
        .ok_or_else(|| ErrorDetail::new(ErrorCode::ROOM_NOT_FOUND, "no room has this code"))?;
    let name = player_name.as_str().to_owned();
    let newcomer = Newcomer { name, token: secrets::new_token(), spectator, password };
    seat(connection, to, room, newcomer).await
}

async fn quick_match(
    connection: &Connection,
    to: Answering,
    data: QuickMatch,
) -> Result<Attached, ErrorDetail> {
    let QuickMatch { game_type, player_name, options, key: _ } = data;
    let game = find_game(connection, &game_type)?;
    let options = game.read_options(options)?;
    let shared = connection.shared();
    refuse_while_draining(shared)?;
    let newcomer = || Newcomer {
        name: player_name.as_str().to_owned(),
        token: secrets::new_token(),
        spectator: false,
        password: None,
    };

    // A room may fill up between being found and being joined; then the next is tried.
    let mut tried: Vec<RoomCode> = Vec::new();
    while tried.len() < QUICK_MATCH_TRIES_MAX
        && let Some(code) = shared.listings.quick_match(game.game_type(), &options, &tried)
    {
        tried.push(code);
        let Some(room) = shared.rooms.get(code) else { continue };
        match seat(connection, to, room, newcomer()).await {
            Ok(seat) => return Ok(seat),
            // Another room would fail in the same way.
            Err(error) if error.code.http_status() >= 500 => return Err(error),
            Err(_) => {}
        }
    }

    let room = new_room(shared, game, options, None, |_| Settings::default())?;
    seat_first(connection, to, room, newcomer()).await
}

async fn reconnect(
    connection: &Connection,
    to: Answering,
    data: Reconnect,
) -> Result<Attached, ErrorDetail> {
    // `epoch`, `last_seq` and `attempt` matter once missed events can be replayed.
    let token = secrets::token_digest(&data.session_token);
    let shared = connection.shared();
    let invalid = || ErrorDetail::new(ErrorCode::SESSION_INVALID, "this session does not exist");

    let code = shared.sessions.find(token).await.map_err(|error| to_wire::store_error(&error))?;
    let Some(code) = code else { return Err(invalid()) };
    let Some(room) = shared.rooms.get(code) else {
        return Err(ErrorDetail::new(ErrorCode::ROOM_CLOSED, "the room has closed"));
    };
    let hold = room.reconnect(shared.clock.now(), &token, to, &connection.link)?;
    let Some(hold) = hold else { return Err(invalid()) };
    // Nothing may be waited for from here on: dropped now, nobody would let go of the seat.
    shared.sessions.prolong(token, code);
    Ok(Attached { room, hold })
}

/// Makes a room that nobody knows of yet.
fn new_room(
    shared: &Arc<Shared>,
    game: &Arc<dyn AnyGame>,
    options: Arc<Object>,
    players_max: Option<u32>,
    settings: impl FnOnce(RoomCode) -> Settings,
) -> Result<Arc<dyn AnyRoom>, ErrorDetail> {
    if shared.rooms.is_full() {
        return Err(server_full());
    }
    let code = shared.rooms.free_code();
    let number = shared.next_number();
    let settings = settings(code);
    let shared = Arc::clone(shared);
    let now = shared.clock.now();
    game.create(now, NewRoom { code, number, options, players_max, settings, shared })
}

/// Opens a new room by letting its creator sit down in it. When that fails the room never was.
async fn seat_first(
    connection: &Connection,
    to: Answering,
    room: Arc<dyn AnyRoom>,
    newcomer: Newcomer,
) -> Result<Attached, ErrorDetail> {
    let shared = connection.shared();
    let digest = secrets::token_digest(&newcomer.token);
    save_session(shared, digest, room.code()).await?;
    match shared.rooms.open(Arc::clone(&room)) {
        Ok(true) => {}
        // Another room took the code in the moment since it was free: as good as full.
        Ok(false) | Err(_) => {
            shared.sessions.forget(digest);
            return Err(server_full());
        }
    }
    let seated = sit_down(connection, to, &room, newcomer);
    if seated.is_err() {
        room.close(shared.clock.now(), parlor_core::CloseReason::Empty);
    }
    Ok(Attached { hold: seated?, room })
}

/// Lets a newcomer sit down in a room that is there.
async fn seat(
    connection: &Connection,
    to: Answering,
    room: Arc<dyn AnyRoom>,
    newcomer: Newcomer,
) -> Result<Attached, ErrorDetail> {
    let digest = secrets::token_digest(&newcomer.token);
    save_session(connection.shared(), digest, room.code()).await?;
    let hold = sit_down(connection, to, &room, newcomer)?;
    Ok(Attached { room, hold })
}

async fn save_session(
    shared: &Shared,
    token: parlor_core::Digest,
    room: RoomCode,
) -> Result<(), ErrorDetail> {
    shared.sessions.save(token, room).await.map_err(|error| to_wire::store_error(&error))
}

fn sit_down(
    connection: &Connection,
    to: Answering,
    room: &Arc<dyn AnyRoom>,
    newcomer: Newcomer,
) -> Result<Hold, ErrorDetail> {
    let shared = connection.shared();
    let digest = secrets::token_digest(&newcomer.token);
    room.join(shared.clock.now(), newcomer, to, &connection.link)
        .inspect_err(|_| shared.sessions.forget(digest))
}

fn find_game<'a>(
    connection: &'a Connection,
    game_type: &str,
) -> Result<&'a Arc<dyn AnyGame>, ErrorDetail> {
    connection.gateway.games.get(game_type).ok_or_else(unknown_game)
}

fn refuse_while_draining(shared: &Shared) -> Result<(), ErrorDetail> {
    if shared.is_draining() {
        let message = "the server is going away; try again in a moment";
        return Err(ErrorDetail::new(ErrorCode::DRAINING, message));
    }
    Ok(())
}

fn server_full() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::SERVER_FULL, "the server has as many rooms as it can hold")
}

fn already_in_room() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::ALREADY_IN_ROOM, "this connection is in a room already")
}

/// Rooms that `quick_match` tries before it opens a new one.
const QUICK_MATCH_TRIES_MAX: usize = 3;
