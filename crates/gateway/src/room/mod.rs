//! A room of any game, as the rest of the gateway sees it.
//!
//! [`AnyRoom`] hides the game's types; [`GameRoom`] is the adapter behind it, one for each game,
//! monomorphised. No request of a player goes through a queue or another task: whoever brings it
//! locks the room, and the outcome is in every outbox when the lock is released.

mod game_entry;
mod game_room;
mod joining;
mod publish;

use std::sync::Arc;
use std::time::Duration;

use parlor_core::{CloseReason, Command, Digest, PlayerId, Signal, Time};
use parlor_protocol::{ErrorDetail, Object, Player, RawData, RoomCode, RoomInfo};
use serde::{Deserialize, Serialize};

use crate::encode::{Answering, Link};
use crate::feed::Hold;
use crate::operators::Inspection;
use crate::outbox::Outbox;
use crate::seating::{NewToken, Newcomer};

pub(crate) use game_entry::{GameEntry, RoomParts};
pub(crate) use game_room::not_in_room;

/// A room of a game that is not known here.
///
/// Every answer to a request is pushed to the asker's outbox by the room itself, in its place among
/// the events.
pub(crate) trait AnyRoom: Send + Sync + 'static {
    /// The room's name.
    fn code(&self) -> RoomCode;

    /// The name of its game.
    fn game_type(&self) -> &'static str;

    /// The longest that the seat of a lost player is held.
    fn grace_max(&self) -> Duration;

    /// Lets a newcomer sit down. On refusal nothing is pushed.
    fn join(
        &self,
        now: Time,
        newcomer: Newcomer,
        to: Answering,
        link: &Link,
    ) -> Result<Hold, ErrorDetail>;

    /// Gives a seat that a newcomer has got already to its new socket, with a new token. `None` when
    /// the seat is gone. On refusal nothing is pushed.
    fn join_once_more(
        &self,
        now: Time,
        player: PlayerId,
        subject: Option<&str>,
        token: NewToken,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, ErrorDetail>;

    /// Gives the seat of a token to a socket. `None` when no seat has it. On refusal nothing is
    /// pushed.
    fn reconnect(
        &self,
        now: Time,
        returning: &Returning,
        to: Answering,
        link: &Link,
    ) -> Result<Option<Hold>, ErrorDetail>;

    /// Answers a request of one who has left as it was answered before; `false` when it was not.
    fn answer_again(&self, now: Time, player: PlayerId, to: Answering, link: &Link) -> bool;

    /// The socket is lost.
    fn disconnect(&self, now: Time, hold: Hold);

    /// Handles a request of a socket that holds a seat, and says whether it still does.
    fn handle(
        &self,
        now: Time,
        hold: Hold,
        request: SeatRequest<'_>,
        to: Answering,
        link: &Link,
    ) -> AfterRequest;

    /// Fires what is due and asks the bots whose time has come.
    fn wake(self: Arc<Self>, now: Time);

    /// What a listing says of it now.
    fn info(&self) -> RoomInfo;

    /// Rises from room to room.
    fn number(&self) -> u64;

    /// Whether listings leave it out.
    fn is_private(&self) -> bool;

    /// All of it, for whoever runs the server.
    fn inspect(&self, events_max: usize) -> Inspection;

    /// Shows each socket that is attached to a seat.
    fn for_each_socket(&self, see: &mut dyn FnMut(PlayerId, &Arc<Outbox>));

    /// Sends someone away, by the word of whoever runs the server.
    fn kick(&self, now: Time, player: PlayerId, ban: bool) -> Result<(), ErrorDetail>;

    /// Whether a match is on and someone who plays it is there.
    fn is_played(&self) -> bool;

    /// Who is in it now.
    fn players(&self) -> Vec<Player>;

    /// Lets it wait for its first player: shows it in the listings and minds its time, as a join would.
    fn wait_for_players(&self, now: Time);

    /// Tells the game something. Gives the number of the last event after it.
    fn signal(&self, now: Time, signal: Signal) -> Result<u64, ErrorDetail>;

    /// Another node has it: lets go of it and of everyone in it, who look for it again.
    fn lose(&self, now: Time);

    /// Ends the room.
    fn close(&self, now: Time, reason: CloseReason);
}

/// Someone who has a seat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Returning {
    pub(crate) token: Digest,
    /// The history that it has followed, and up to which number.
    pub(crate) seen: Option<(String, u64)>,
    /// The number of the try by which it comes.
    pub(crate) attempt: Option<u64>,
    /// Who it is beyond the room, if that is known.
    pub(crate) subject: Option<Arc<str>>,
}

/// A request that a room handles for a seat.
pub(crate) enum SeatRequest<'a> {
    /// An action, still in bytes.
    Action(RawData<'a>),
    /// Anything that the room decides on.
    Command(Command),
    /// The state as the seat sees it.
    State,
}

/// Whether a socket still holds its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRequest {
    /// It does.
    Attached,
    /// It left, or had lost the seat before it asked.
    Unattached,
}

/// What the gateway knows of a game.
pub(crate) trait AnyGame: Send + Sync + 'static {
    /// The game's name in the protocol.
    fn game_type(&self) -> &'static str;

    /// What `list_games` says of it.
    fn summary(&self) -> parlor_protocol::GameSummary;

    /// Options as the game reads them, with its defaults filled in.
    fn read_options(&self, options: Object) -> Result<Arc<Object>, ErrorDetail>;

    /// Makes a room, which is not yet known to anyone.
    fn create(&self, now: Time, room: RoomParts) -> Result<Arc<dyn AnyRoom>, ErrorDetail>;
}
