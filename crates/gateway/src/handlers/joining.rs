//! Getting hold of a seat: the requests that ask the session store and may have to wait for it.

use std::sync::Arc;

use parlor_core::{Digest, Settings};
use parlor_protocol::{
    Authenticate, Authenticated, CreateRoom, ErrorCode, ErrorDetail, JoinRoom, QuickMatch,
    Reconnect, RoomCode, Secret,
};

use crate::asked::asked;
use crate::connection::{Attached, Connection, Seat};
use crate::encode::Answering;
use crate::feed::Hold;
use crate::join_hook::{Admission, Joining};
use crate::joining_keys::KeyedSeat;
use crate::opening::{new_room, open_room, refuse_while_draining, unknown_game};
use crate::room::{AnyGame, AnyRoom, Newcomer, Returning};
use crate::shared::Shared;
use crate::{from_wire, secrets, to_wire};

/// A request that waits for a store, with the data it needs.
pub(crate) enum Slow {
    CreateRoom(Answering, Box<CreateRoom>),
    JoinRoom(Answering, JoinRoom),
    QuickMatch(Answering, QuickMatch),
    Reconnect(Answering, Reconnect),
    Authenticate(Answering, Authenticate),
}

impl Slow {
    pub(crate) fn answering(&self) -> Answering {
        match self {
            Self::CreateRoom(to, _)
            | Self::JoinRoom(to, _)
            | Self::QuickMatch(to, _)
            | Self::Reconnect(to, _)
            | Self::Authenticate(to, _) => *to,
        }
    }

    /// What makes it safe to ask once more.
    fn key(&self) -> Option<&Secret> {
        match self {
            Self::CreateRoom(_, data) => data.key.as_ref(),
            Self::JoinRoom(_, data) => data.key.as_ref(),
            Self::QuickMatch(_, data) => data.key.as_ref(),
            Self::Reconnect(..) | Self::Authenticate(..) => None,
        }
    }
}

/// Does what a request asks for, and answers it.
///
/// Nothing is half done when this is dropped while it waits: a session is saved before its seat
/// exists, and one that leads to no seat expires.
pub(crate) async fn handle_slow(connection: &mut Connection, slow: Slow) {
    let to = slow.answering();
    if connection.seat.held().is_some() {
        connection.link.refuse(to, &already_in_room());
        return;
    }
    if let Slow::Authenticate(to, data) = slow {
        authenticate(connection, to, &data.token).await;
        return;
    }
    let (shared, address) = (Arc::clone(connection.shared()), connection.address());
    let outcome = match shared.limits.check_guesses(address, shared.clock.now()) {
        Err(error) => Err(error),
        Ok(()) => match slow.key().map(secrets::token_digest) {
            Some(key) => handle_once(connection, to, slow, key).await,
            None => get_seat(connection, to, slow).await,
        },
    };
    match outcome {
        // The room has answered, in its place among the events.
        Ok(seat) => connection.seat = Seat::Held(seat),
        Err(error) => {
            shared.limits.refused(&error, address, shared.clock.now());
            connection.link.refuse(to, &error);
        }
    }
}

async fn get_seat(
    connection: &Connection,
    to: Answering,
    slow: Slow,
) -> Result<Attached, ErrorDetail> {
    match slow {
        Slow::CreateRoom(_, data) => create_room(connection, to, *data).await,
        Slow::JoinRoom(_, data) => join_room(connection, to, data).await,
        Slow::QuickMatch(_, data) => quick_match(connection, to, data).await,
        Slow::Reconnect(_, data) => reconnect(connection, to, data).await,
        Slow::Authenticate(..) => unreachable!("it gets no seat"),
    }
}

/// Gets a seat by a request that may come again with the same key: then it gets the same seat.
async fn handle_once(
    connection: &Connection,
    to: Answering,
    slow: Slow,
    key: Digest,
) -> Result<Attached, ErrorDetail> {
    let shared = connection.shared();
    let Some(_claim) = shared.keys.claim(key) else {
        let message = "the same request is being handled; try again in a moment";
        return Err(ErrorDetail::new(ErrorCode::ROOM_UNAVAILABLE, message));
    };
    if let Some(former) = shared.keys.find(&key, shared.clock.now()) {
        if former.fingerprint != to.fingerprint {
            let error = ErrorDetail::new(ErrorCode::BAD_REQUEST, "this key had another request");
            return Err(error.with_detail("reason", "key_reused"));
        }
        if let Some(seat) = seat_once_more(connection, to, former).await? {
            return Ok(seat);
        }
    }
    let seat = get_seat(connection, to, slow).await?;
    let (room, player) = (seat.room.code(), seat.hold.player);
    let keyed = KeyedSeat { fingerprint: to.fingerprint, room, player };
    shared.keys.insert(key, keyed, shared.clock.now(), seat.room.grace_max());
    Ok(seat)
}

/// The seat that a joining request has got before, unless it is gone.
async fn seat_once_more(
    connection: &Connection,
    to: Answering,
    former: KeyedSeat,
) -> Result<Option<Attached>, ErrorDetail> {
    let shared = connection.shared();
    let Some(room) = shared.rooms.get(former.room) else { return Ok(None) };
    let token = shared.random.new_token();
    let digest = secrets::token_digest(&token);
    save_session(shared, digest, former.room).await?;
    let now = shared.clock.now();
    let subject = connection.subject();
    let subject = subject.as_deref();
    let outcome = room.join_once_more(now, former.player, subject, token, to, &connection.link);
    if !matches!(outcome, Ok(Some(_))) {
        shared.sessions.forget(digest);
    }
    Ok(outcome?.map(|hold| Attached { room, hold }))
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
        key: _, // See `handle_once`.
    } = data;
    let game = find_game(connection, &game_type)?;
    let options = game.read_options(options)?;
    let shared = connection.shared();
    refuse_while_draining(shared)?;

    let joining = Joining::new(Some(game_type), None, player_name, false, connection.identity());
    let admission = admit(shared, &joining).await?;

    shared.limits.open_room(connection.address(), shared.clock.now())?;
    let room = new_room(shared, game, options, max_players, None, |code| Settings {
        locked: false,
        private,
        password: password.as_ref().map(|password| secrets::password_digest(code, password)),
        metadata: from_wire::metadata(metadata.clone()),
    })?;
    let newcomer = newcomer(connection, joining, admission, password);
    seat_first(connection, to, room, newcomer).await
}

async fn join_room(
    connection: &Connection,
    to: Answering,
    data: JoinRoom,
) -> Result<Attached, ErrorDetail> {
    let JoinRoom { room_id, player_name, password, spectator, key: _ } = data;
    let shared = connection.shared();
    refuse_while_draining(shared)?;
    let room = room_id
        .and_then(|code| shared.rooms.get(code))
        .ok_or_else(|| ErrorDetail::new(ErrorCode::ROOM_NOT_FOUND, "no room has this code"))?;
    let joining =
        Joining::new(None, Some(room.code()), player_name, spectator, connection.identity());
    let admission = admit(connection.shared(), &joining).await?;
    // Meanwhile others from there may have guessed, each of whom was the first when it began.
    shared.limits.check_guesses(connection.address(), shared.clock.now())?;
    let newcomer = newcomer(connection, joining, admission, password);
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
    let joining = Joining::new(Some(game_type), None, player_name, false, connection.identity());
    let admission = admit(shared, &joining).await?;
    let newcomer = || newcomer(connection, joining.clone(), admission.clone(), None);

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

    shared.limits.open_room(connection.address(), shared.clock.now())?;
    let room = new_room(shared, game, options, None, None, |_| Settings::default())?;
    seat_first(connection, to, room, newcomer()).await
}

async fn reconnect(
    connection: &Connection,
    to: Answering,
    data: Reconnect,
) -> Result<Attached, ErrorDetail> {
    let Reconnect { session_token, epoch, last_seq, attempt } = data;
    let token = secrets::token_digest(&session_token);
    let shared = connection.shared();
    let invalid = || ErrorDetail::new(ErrorCode::SESSION_INVALID, "this session does not exist");

    let code = shared.sessions.find(token).await.map_err(|error| to_wire::store_error(&error))?;
    let Some(code) = code else { return Err(invalid()) };
    let Some(room) = shared.rooms.get(code) else {
        return Err(ErrorDetail::new(ErrorCode::ROOM_CLOSED, "the room has closed"));
    };
    let subject = connection.subject();
    let returning = Returning { token, seen: epoch.zip(last_seq), attempt, subject };
    let hold = room.reconnect(shared.clock.now(), &returning, to, &connection.link)?;
    let Some(hold) = hold else { return Err(invalid()) };
    // Nothing may be waited for from here on: dropped now, nobody would let go of the seat.
    shared.sessions.prolong(token, code);
    Ok(Attached { room, hold })
}

/// Finds out who bears a token, and keeps it in mind for what the connection asks from here on.
async fn authenticate(connection: &Connection, to: Answering, token: &Secret) {
    let gateway = Arc::clone(&connection.gateway);
    match gateway.authenticate(token, connection.address()).await {
        Ok(identity) => {
            let answer = Authenticated { player_name: identity.name.clone() };
            connection.identify(identity);
            connection.link.answer(to, &answer).expect("our own data is plain");
        }
        Err(error) => connection.link.refuse(to, &error),
    }
}

/// Asks the program around the rooms whether someone may sit down.
async fn admit(shared: &Shared, joining: &Joining) -> Result<Admission, ErrorDetail> {
    let Some(hook) = &shared.asked.join_hook else { return Ok(Admission::default()) };
    let time_max = shared.config.join_hook_time_max;
    asked("the join hook", time_max, async { hook.admit(joining.clone()).await })
        .await?
        .map_err(|refused| to_wire::game_error(&refused))
}

/// Who sits down: under the name and with the profile that the program around the rooms gives, else those of its
/// account, else as it asks.
fn newcomer(
    connection: &Connection,
    joining: Joining,
    admission: Admission,
    password: Option<Secret>,
) -> Newcomer {
    let Admission { player_name, mut profile } = admission;
    let identity = joining.identity.as_deref();
    let own_name = identity.and_then(|identity| identity.name.clone());
    let name = player_name.or(own_name).unwrap_or(joining.player_name).as_str().to_owned();
    if let Some(identity) = identity {
        for (key, value) in &identity.profile {
            profile.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    let (token, spectator) = (connection.shared().random.new_token(), joining.spectator);
    let subject = identity.map(|identity| Arc::clone(&identity.subject));
    Newcomer { name, token, spectator, password, subject, profile }
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
    open_room(shared, &room).inspect_err(|_| shared.sessions.forget(digest))?;
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

async fn save_session(shared: &Shared, token: Digest, room: RoomCode) -> Result<(), ErrorDetail> {
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

fn already_in_room() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::ALREADY_IN_ROOM, "this connection is in a room already")
}

/// Rooms that `quick_match` tries before it opens a new one.
const QUICK_MATCH_TRIES_MAX: usize = 3;
