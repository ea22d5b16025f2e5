//! Getting hold of a seat: the requests that ask the session store and may have to wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parlor_core::Digest;
use parlor_protocol::{
    Authenticate, Authenticated, CreateRoom, ErrorCode, ErrorDetail, JoinRoom, Object, QuickMatch,
    Reconnect, RoomCode, Secret,
};

use crate::asked::asked;
use crate::cluster::{self, Ask, EdgeLink, Whereabouts};
use crate::connection::{Attachment, Connection, Seat};
use crate::encode::Answering;
use crate::join_hook::{Admission, Joining};
use crate::opening::{refuse_while_draining, unknown_game};
use crate::room::{AnyGame, Returning};
use crate::seating::{
    self, JoiningKey, NewToken, Newcomer, Opening, key_in_use, room_closed, room_not_found,
    session_invalid,
};
use crate::shared::Shared;
use crate::{from_wire, secrets, to_wire};

/// A request that waits for a store, with the data it needs.
pub(crate) enum Slow {
    CreateRoom(Answering, Box<CreateRoom>),
    JoinRoom(Answering, JoinRoom),
    QuickMatch(Answering, QuickMatch),
    Reconnect(Answering, Reconnect),
    Authenticate(Answering, Authenticate),
    /// One that another node answers, which has the room.
    There(Arc<EdgeLink>, Vec<u8>),
}

impl Slow {
    /// What this node is to answer.
    pub(crate) fn answering(&self) -> Option<Answering> {
        match self {
            Self::CreateRoom(to, _)
            | Self::JoinRoom(to, _)
            | Self::QuickMatch(to, _)
            | Self::Reconnect(to, _)
            | Self::Authenticate(to, _) => Some(*to),
            Self::There(..) => None,
        }
    }

    /// What makes it safe to ask once more.
    fn key(&self) -> Option<&Secret> {
        match self {
            Self::CreateRoom(_, data) => data.key.as_ref(),
            Self::JoinRoom(_, data) => data.key.as_ref(),
            Self::QuickMatch(_, data) => data.key.as_ref(),
            Self::Reconnect(..) | Self::Authenticate(..) | Self::There(..) => None,
        }
    }
}

/// Does what a request asks for, and answers it.
///
/// Nothing is half done when this is dropped while it waits: a session is saved before its seat
/// exists, and one that leads to no seat expires.
pub(crate) async fn handle_slow(connection: &mut Connection, slow: Slow) {
    let (slow, to) = match slow {
        Slow::There(link, request) => {
            connection.pass_on(&link, &request).await;
            return;
        }
        Slow::CreateRoom(to, _)
        | Slow::JoinRoom(to, _)
        | Slow::QuickMatch(to, _)
        | Slow::Reconnect(to, _)
        | Slow::Authenticate(to, _) => (slow, to),
    };
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
            Some(digest) => {
                let key = JoiningKey { digest, fingerprint: to.fingerprint, delay: Duration::ZERO };
                handle_once(connection, to, slow, key).await
            }
            None => get_seat(connection, to, slow, None).await,
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
    key: Option<JoiningKey>,
) -> Result<Attachment, ErrorDetail> {
    match slow {
        Slow::CreateRoom(_, data) => create_room(connection, to, *data, key).await,
        Slow::JoinRoom(_, data) => join_room(connection, to, data, key).await,
        Slow::QuickMatch(_, data) => quick_match(connection, to, data, key).await,
        Slow::Reconnect(_, data) => reconnect(connection, to, data).await,
        Slow::Authenticate(..) | Slow::There(..) => unreachable!("it gets no seat"),
    }
}

/// Gets a seat by a request that may come again with the same key: then it gets the same seat.
async fn handle_once(
    connection: &Connection,
    to: Answering,
    slow: Slow,
    key: JoiningKey,
) -> Result<Attachment, ErrorDetail> {
    let shared = connection.shared();
    let Some(_claim) = shared.keys.claim(key.digest) else { return Err(key_in_use()) };
    let (token, subject) = (new_token(shared), connection.subject());
    let subject = subject.as_deref();
    let former = seating::once_more(shared, key, token, subject, to, &connection.link).await?;
    if let Some(seat) = former {
        return Ok(Attachment::Here(seat));
    }
    let seat = get_seat(connection, to, slow, Some(key)).await?;
    if let Attachment::Here(seat) = &seat {
        seating::remember_key(shared, key, seat);
    }
    Ok(seat)
}

async fn create_room(
    connection: &Connection,
    to: Answering,
    data: CreateRoom,
    key: Option<JoiningKey>,
) -> Result<Attachment, ErrorDetail> {
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

    let code = shared.rooms.free_code(&shared.random);
    if let Some(seat) = again_elsewhere(connection, to, key, code).await? {
        return Ok(seat);
    }
    let joining = Joining::new(Some(game_type), None, player_name, false, connection.identity());
    let admission = admit(shared, &joining).await?;

    shared.limits.open_room(connection.address(), shared.clock.now())?;
    let password = password.map(|password| secrets::password_digest(code, &password));
    let opening = Opening {
        code,
        options: Object::clone(&options),
        private,
        password,
        players_max: max_players,
        metadata: from_wire::metadata(metadata),
    };
    let newcomer = newcomer(connection, joining, admission, password);
    open(connection, to, game, opening, newcomer, key).await
}

async fn join_room(
    connection: &Connection,
    to: Answering,
    data: JoinRoom,
    key: Option<JoiningKey>,
) -> Result<Attachment, ErrorDetail> {
    let JoinRoom { room_id, player_name, password, spectator, key: _ } = data;
    let shared = connection.shared();
    refuse_while_draining(shared)?;
    let code = room_id.ok_or_else(room_not_found)?;
    let whereabouts = cluster::find_room(shared, code).await?;
    if matches!(whereabouts, Whereabouts::Nowhere) {
        return Err(room_not_found());
    }
    let joining = Joining::new(None, Some(code), player_name, spectator, connection.identity());
    let admission = admit(connection.shared(), &joining).await?;
    // Meanwhile others from there may have guessed, each of whom was the first when it began.
    shared.limits.check_guesses(connection.address(), shared.clock.now())?;
    let password = password.map(|password| secrets::password_digest(code, &password));
    let newcomer = newcomer(connection, joining, admission, password);
    join(connection, to, whereabouts, code, newcomer, key).await
}

async fn quick_match(
    connection: &Connection,
    to: Answering,
    data: QuickMatch,
    key: Option<JoiningKey>,
) -> Result<Attachment, ErrorDetail> {
    let QuickMatch { game_type, player_name, options, key: _ } = data;
    let game = find_game(connection, &game_type)?;
    let options = game.read_options(options)?;
    let shared = connection.shared();
    refuse_while_draining(shared)?;
    let fresh = shared.rooms.free_code(&shared.random);
    let find = |tried: &[_]| shared.listings.quick_match(game.game_type(), &options, tried);
    if let Some(seat) = again_elsewhere(connection, to, key, find(&[]).unwrap_or(fresh)).await? {
        return Ok(seat);
    }
    let joining = Joining::new(Some(game_type), None, player_name, false, connection.identity());
    let admission = admit(shared, &joining).await?;
    let newcomer = || newcomer(connection, joining.clone(), admission.clone(), None);

    // A room may fill up between being found and being joined; then the next is tried.
    let mut tried: Vec<RoomCode> = Vec::new();
    while tried.len() < QUICK_MATCH_TRIES_MAX
        && let Some(code) = find(&tried)
    {
        tried.push(code);
        let Ok(whereabouts) = cluster::find_room(shared, code).await else { continue };
        let is_here = matches!(whereabouts, Whereabouts::Here(_));
        remember_elsewhere(shared, key, code).await?;
        match join(connection, to, whereabouts, code, newcomer(), key).await {
            Ok(seat) => return Ok(seat),
            // Its key was another request's.
            Err(error) if error.code == ErrorCode::BAD_REQUEST => return Err(error),
            // Another room would fail in the same way, unless it is on another node.
            Err(error) if error.code.http_status() >= 500 && is_here => return Err(error),
            Err(_) => {}
        }
    }

    shared.limits.open_room(connection.address(), shared.clock.now())?;
    remember_elsewhere(shared, key, fresh).await?;
    let opening = Opening {
        code: fresh,
        options: Object::clone(&options),
        private: false,
        password: None,
        players_max: None,
        metadata: BTreeMap::new(),
    };
    open(connection, to, game, opening, newcomer(), key).await
}

async fn reconnect(
    connection: &Connection,
    to: Answering,
    data: Reconnect,
) -> Result<Attachment, ErrorDetail> {
    let Reconnect { session_token, epoch, last_seq, attempt } = data;
    let token = secrets::token_digest(&session_token);
    let shared = connection.shared();

    let code = shared.sessions.find(token).await.map_err(|error| to_wire::store_error(&error))?;
    let Some(code) = code else {
        cluster::check_that_nothing_is_forgotten(shared).await?;
        cluster::check_that_all_are_known(shared)?;
        return Err(session_invalid());
    };
    let subject = connection.subject();
    let returning = Returning { token, seen: epoch.zip(last_seq), attempt, subject };
    match cluster::find_room(shared, code).await? {
        Whereabouts::Here(room) => {
            let link = &connection.link;
            seating::come_back(shared, room, &returning, to, link).map(Attachment::Here)
        }
        Whereabouts::There(peer) => {
            let ask = Ask::Return { room: code, returning };
            let seat = peer.ask_for_seat(connection, to, ask).await?;
            seat.map(Attachment::There).ok_or_else(session_invalid)
        }
        Whereabouts::Nowhere => {
            cluster::check_that_all_are_known(shared)?;
            Err(room_closed())
        }
    }
}

/// Lets a newcomer sit down in a room that is there, wherever.
async fn join(
    connection: &Connection,
    to: Answering,
    whereabouts: Whereabouts,
    code: RoomCode,
    newcomer: Newcomer,
    key: Option<JoiningKey>,
) -> Result<Attachment, ErrorDetail> {
    match whereabouts {
        Whereabouts::Here(room) => {
            let seat = seating::join(connection.shared(), room, newcomer, to, &connection.link);
            seat.await.map(Attachment::Here)
        }
        Whereabouts::There(peer) => {
            let ask = Ask::Join { room: code, newcomer, key };
            let seat = peer.ask_for_seat(connection, to, ask).await?;
            seat.map(Attachment::There).ok_or_else(room_not_found)
        }
        Whereabouts::Nowhere => Err(room_not_found()),
    }
}

/// Opens a new room where there is place for it.
async fn open(
    connection: &Connection,
    to: Answering,
    game: &Arc<dyn AnyGame>,
    opening: Opening,
    newcomer: Newcomer,
    key: Option<JoiningKey>,
) -> Result<Attachment, ErrorDetail> {
    let shared = connection.shared();
    match shared.cluster.as_ref().and_then(|cluster| cluster.place_room(shared, game.game_type())) {
        None => {
            let link = &connection.link;
            seating::open(shared, game, opening, newcomer, to, link).await.map(Attachment::Here)
        }
        Some(peer) => {
            let game_type = game.game_type().to_owned();
            let (there, me) = (opening.clone(), newcomer.clone());
            let ask = Ask::Open { game_type, opening: there, newcomer: me, key };
            match peer.ask_for_seat(connection, to, ask).await {
                Ok(seat) => seat.map(Attachment::There).ok_or_else(room_not_found),
                // It has changed since it last said how it is.
                Err(error)
                    if [ErrorCode::DRAINING, ErrorCode::SERVER_FULL].contains(&error.code) =>
                {
                    let link = &connection.link;
                    let seat = seating::open(shared, game, opening, newcomer, to, link);
                    seat.await.map(Attachment::Here)
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// The seat that a request without a room of its own has got before, on whichever node. If there is none, remembers
/// for all nodes that it is led to `code`.
async fn again_elsewhere(
    connection: &Connection,
    to: Answering,
    key: Option<JoiningKey>,
    code: RoomCode,
) -> Result<Option<Attachment>, ErrorDetail> {
    let shared = connection.shared();
    let Some(key) = key.filter(|_| shared.cluster.is_some()) else { return Ok(None) };
    let known = shared.sessions.lead_key(key.digest, code).await;
    let Some(known) = known.map_err(|error| to_wire::store_error(&error))? else { return Ok(None) };
    let seat = match cluster::find_room(shared, known).await? {
        // What this node knows of the key has been looked up.
        Whereabouts::Here(_) | Whereabouts::Nowhere => None,
        Whereabouts::There(peer) => {
            let subject = connection.subject();
            let ask = Ask::OnceMore { key, token: new_token(shared), subject };
            peer.ask_for_seat(connection, to, ask).await?.map(Attachment::There)
        }
    };
    if seat.is_none() {
        remember_elsewhere(shared, Some(key), code).await?;
    }
    Ok(seat)
}

/// Remembers for all nodes where a key leads.
async fn remember_elsewhere(
    shared: &Shared,
    key: Option<JoiningKey>,
    code: RoomCode,
) -> Result<(), ErrorDetail> {
    let Some(key) = key.filter(|_| shared.cluster.is_some()) else { return Ok(()) };
    let led = shared.sessions.lead_key_anew(key.digest, code).await;
    led.map_err(|error| to_wire::store_error(&error))
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
    password: Option<Digest>,
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
    let (token, spectator) = (new_token(connection.shared()), joining.spectator);
    let subject = identity.map(|identity| Arc::clone(&identity.subject));
    Newcomer { name, token, spectator, password, subject, profile }
}

fn new_token(shared: &Shared) -> NewToken {
    NewToken::of(shared.random.new_token())
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
