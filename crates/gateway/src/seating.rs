//! Getting hold of a seat in a room of this node, whoever asks: a socket of its own, or another node for one of its.
//!
//! What is asked here has no secrets in it but digests, and a token in the form in which it is to be shown: so it can
//! cross from node to node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{CloseReason, Digest, Profile, Scalar, Settings};
use parlor_protocol::{ErrorCode, ErrorDetail, Object, RoomCode, Secret};
use serde::{Deserialize, Serialize};

use crate::connection::Attached;
use crate::encode::{Answering, Link};
use crate::feed::Hold;
use crate::joining_keys::KeyedSeat;
use crate::opening::{claim_room, give_back, new_room, open_room, refuse_while_draining};
use crate::room::{AnyGame, AnyRoom, Returning};
use crate::secrets;
use crate::shared::Shared;
use crate::to_wire;

/// Someone who wants a seat, and may have one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Newcomer {
    pub(crate) name: String,
    pub(crate) token: NewToken,
    pub(crate) spectator: bool,
    /// Of the password that it has given, for the room that it wants.
    pub(crate) password: Option<Digest>,
    /// Who it is beyond the room, if that is known.
    pub(crate) subject: Option<Arc<str>>,
    pub(crate) profile: Profile,
}

/// A session token that a seat is to get.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NewToken {
    /// What stands in the answer. On the way between nodes a blank of the same form, for which the node that has the
    /// socket puts the token.
    pub(crate) shown: Secret,
    /// What is kept of it.
    pub(crate) digest: Digest,
}

/// A room that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) code: RoomCode,
    /// As the game reads them.
    pub(crate) options: Object,
    pub(crate) private: bool,
    pub(crate) password: Option<Digest>,
    pub(crate) players_max: Option<u32>,
    pub(crate) metadata: BTreeMap<String, Scalar>,
}

/// What makes it safe to ask once more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct JoiningKey {
    pub(crate) digest: Digest,
    /// Of the request that came with it.
    pub(crate) fingerprint: u64,
    /// How long ago that was sent, beyond what it takes: for whoever takes it, to say.
    #[serde(skip)]
    pub(crate) delay: Duration,
}

impl NewToken {
    pub(crate) fn of(token: Secret) -> Self {
        Self { digest: secrets::token_digest(&token), shown: token }
    }
}

/// A room that is claimed and may never be opened: then dropping this gives it back.
struct Unopened<'a> {
    shared: &'a Shared,
    code: RoomCode,
    is_open: bool,
}

impl Drop for Unopened<'_> {
    fn drop(&mut self) {
        if !self.is_open {
            give_back(self.shared, self.code);
        }
    }
}

/// Lets a newcomer sit down in a room.
pub(crate) async fn join(
    shared: &Shared,
    room: Arc<dyn AnyRoom>,
    newcomer: Newcomer,
    to: Answering,
    link: &Link,
) -> Result<Attached, ErrorDetail> {
    save_session(shared, newcomer.token.digest, room.code()).await?;
    let hold = sit_down(shared, &room, newcomer, to, link)?;
    Ok(Attached { room, hold })
}

/// Opens a new room by letting its creator sit down in it. When that fails the room never was.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    game: &Arc<dyn AnyGame>,
    opening: Opening,
    newcomer: Newcomer,
    to: Answering,
    link: &Link,
) -> Result<Attached, ErrorDetail> {
    refuse_while_draining(shared)?;
    let Opening { code, options, private, password, players_max, metadata } = opening;
    let settings = Settings { locked: false, private, password, metadata };
    let room = new_room(shared, game, code, Arc::new(options), players_max, None, settings)?;
    let digest = newcomer.token.digest;
    // What comes next may be dropped while it waits, with the room claimed.
    let mut unopened = Unopened { shared, code, is_open: false };
    let (saved, claimed) =
        tokio::join!(save_session(shared, digest, code), claim_room(shared, code));
    claimed?;
    saved?;
    open_room(shared, &room).inspect_err(|_| shared.sessions.forget(digest))?;
    unopened.is_open = true;
    let seated = sit_down(shared, &room, newcomer, to, link);
    if seated.is_err() {
        room.close(shared.clock.now(), CloseReason::Empty);
    }
    Ok(Attached { hold: seated?, room })
}

/// Gives the seat that a joining request has got before to its new socket, with a new token. `None` when this node
/// knows of none.
pub(crate) async fn once_more(
    shared: &Shared,
    key: JoiningKey,
    token: NewToken,
    subject: Option<&str>,
    to: Answering,
    link: &Link,
) -> Result<Option<Attached>, ErrorDetail> {
    let Some(former) = shared.keys.find(&key.digest, shared.clock.now()) else { return Ok(None) };
    if former.fingerprint != key.fingerprint {
        let error = ErrorDetail::new(ErrorCode::BAD_REQUEST, "this key had another request");
        return Err(error.with_detail("reason", "key_reused"));
    }
    let Some(room) = shared.rooms.get(former.room) else { return Ok(None) };
    if former.given + key.delay > shared.clock.now() {
        // Its client has asked again elsewhere since, and has it.
        return Err(key_in_use());
    }
    let digest = token.digest;
    save_session(shared, digest, former.room).await?;
    let now = shared.clock.now();
    let outcome = room.join_once_more(now, former.player, subject, token, to, link);
    if matches!(outcome, Ok(Some(_))) {
        shared.keys.given_again(&key.digest, now);
    } else {
        shared.sessions.forget(digest);
    }
    Ok(outcome?.map(|hold| Attached { room, hold }))
}

/// Remembers where a key has led.
pub(crate) fn remember_key(shared: &Shared, key: JoiningKey, seat: &Attached) {
    let (room, player) = (seat.room.code(), seat.hold.player);
    let given = shared.clock.now();
    let keyed = KeyedSeat { fingerprint: key.fingerprint, room, player, given };
    shared.keys.insert(key.digest, keyed, given, seat.room.grace_max());
}

/// Refused when another request with the same key is being handled.
pub(crate) fn key_in_use() -> ErrorDetail {
    let message = "the same request is being handled; try again in a moment";
    ErrorDetail::new(ErrorCode::ROOM_UNAVAILABLE, message)
}

/// Gives the seat of a token to a socket.
pub(crate) fn come_back(
    shared: &Shared,
    room: Arc<dyn AnyRoom>,
    returning: &Returning,
    to: Answering,
    link: &Link,
) -> Result<Attached, ErrorDetail> {
    let hold = room.reconnect(shared.clock.now(), returning, to, link)?;
    let Some(hold) = hold else { return Err(session_invalid()) };
    // Nothing may be waited for from here on: dropped now, nobody would let go of the seat.
    shared.sessions.prolong(returning.token, room.code());
    Ok(Attached { room, hold })
}

pub(crate) fn session_invalid() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::SESSION_INVALID, "this session does not exist")
}

pub(crate) fn room_closed() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::ROOM_CLOSED, "the room has closed")
}

pub(crate) fn room_not_found() -> ErrorDetail {
    ErrorDetail::new(ErrorCode::ROOM_NOT_FOUND, "no room has this code")
}

async fn save_session(shared: &Shared, token: Digest, room: RoomCode) -> Result<(), ErrorDetail> {
    shared.sessions.save(token, room).await.map_err(|error| to_wire::store_error(&error))
}

fn sit_down(
    shared: &Shared,
    room: &Arc<dyn AnyRoom>,
    newcomer: Newcomer,
    to: Answering,
    link: &Link,
) -> Result<Hold, ErrorDetail> {
    let digest = newcomer.token.digest;
    room.join(shared.clock.now(), newcomer, to, link)
        .inspect_err(|_| shared.sessions.forget(digest))
}
